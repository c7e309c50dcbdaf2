// SPDX-License-Identifier: Apache-2.0
/*
 * log_verify: `klamm log verify`: checks files of a log, partitions and log directories, Kafka's
 * and ours. One line on standard error for each fault; nothing is written.
 *
 * Thread: main.
 */
#include "cli/log_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/options.h"
#include "env/real_env.h"
#include "log/log_dir.h"
#include "log/log_file.h"

enum { FAULTS_PER_FILE = 100 };

static const char help[] =
    "usage: klamm log verify FILE|DIR... [--shallow] [--json]\n\n"
    "Checks files of a log, of Kafka or of Klamm, and only reads them. Of a .log: lengths, "
    "checksums,\n"
    "offsets and epochs that rise, every record down to its headers. Of a partition's directory\n"
    "also: that indexes lead to the batches they name, the largest timestamps, producer "
    "snapshots,\n"
    "leader epochs, that segments follow each other and none is missing beside its index or "
    "before\n"
    "the recovery point. Of a log directory: all its partitions, its checkpoints, "
    "meta.properties,\n"
    "klamm.metadata.\n\n"
    "One line on standard error for each fault, with file and position; exit status 1 then. A\n"
    "directory that a broker uses can be checked too: the end of each log moves meanwhile, and is\n"
    "checked up to where it was.\n\n"
    "  --shallow                   headers and checksums alone: records are not decoded\n"
    "  --json                      one object: files, partitions, batches, records, bytes, "
    "faults,\n"
    "                              notes\n"
    "  --help                      this text\n";

/* ---- what was found */

void verify_say(struct verify *v, struct verify_faults *list, const char *path, int64_t pos,
                const char *text)
{
    if (list->count == list->capacity) {
        list->capacity = MAX(2 * list->capacity, (size_t)8);
        list->items = mem_realloc(list->items, list->capacity * sizeof(*list->items));
    }
    list->items[list->count++] = (struct verify_fault){mem_strdup(path), pos, mem_strdup(text)};
}

/* mem_alloc'ed. */
static char *formatted(const char *format, va_list args)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_vprintf(&text, format, args);
    char *copy = mem_strdup(strbuf_text(&text));
    strbuf_deinit(&text);
    return copy;
}

void verify_fault(struct verify *v, const char *path, int64_t pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = formatted(format, args);
    va_end(args);
    verify_say(v, &v->faults, path, pos, text);
    mem_free(text);
}

void verify_note(struct verify *v, const char *path, int64_t pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = formatted(format, args);
    va_end(args);
    verify_say(v, &v->notes, path, pos, text);
    mem_free(text);
}

void verify_faults_free(struct verify_faults *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i].path);
        mem_free(list->items[i].text);
    }
    mem_free(list->items);
    *list = (struct verify_faults){0};
}

static json_t *fault_json(const struct verify_fault *fault)
{
    json_t *object = json_object();
    json_out_set(object, "file", json_out_str(wire_str_of(fault->path)));
    json_out_set(object, "position", json_out_number(fault->pos));
    json_out_set(object, "text", json_out_str(wire_str_of(fault->text)));
    return object;
}

static void tell_faults(struct verify *v)
{
    int64_t in_file = 0;
    for (size_t i = 0; i < v->faults.count; i++) {
        const struct verify_fault *f = &v->faults.items[i];
        bool is_same = i > 0 && strcmp(f->path, v->faults.items[i - 1].path) == 0;
        in_file = is_same ? in_file + 1 : 1;
        bool is_end = i + 1 == v->faults.count || strcmp(f->path, v->faults.items[i + 1].path) != 0;
        if (in_file > FAULTS_PER_FILE) {
            if (is_end)
                cli_complain("%s: %" PRId64 " more faults", f->path, in_file - FAULTS_PER_FILE);
            continue;
        }
        if (f->pos >= 0)
            cli_complain("%s: position %" PRId64 ": %s", f->path, f->pos, f->text);
        else
            cli_complain("%s: %s", f->path, f->text);
        json_out_append(v->faults_json, fault_json(f));
    }
    v->fault_count += (int64_t)v->faults.count;
}

void verify_flush(struct verify *v)
{
    cli_progress_clear(&v->progress);
    tell_faults(v);
    for (size_t i = 0; i < v->notes.count; i++) {
        const struct verify_fault *note = &v->notes.items[i];
        struct strbuf line;
        strbuf_init(&line);
        if (note->pos >= 0)
            strbuf_printf(&line, "%s: position %" PRId64 ": %s", note->path, note->pos, note->text);
        else
            strbuf_printf(&line, "%s: %s", note->path, note->text);
        if (!v->is_json)
            puts(strbuf_text(&line));
        json_out_append(v->notes_json, fault_json(note));
        strbuf_deinit(&line);
    }
    verify_faults_free(&v->faults);
    verify_faults_free(&v->notes);
}

/* ---- a directory in use: what was wrong twice */

static bool is_among(const struct verify_fault *fault, const struct verify_faults *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct verify_fault *other = &list->items[i];
        if (fault->pos == other->pos && strcmp(fault->path, other->path) == 0 &&
            strcmp(fault->text, other->text) == 0)
            return true;
    }
    return false;
}

static void keep_common(struct verify_faults *list, const struct verify_faults *others)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (is_among(&list->items[i], others)) {
            list->items[kept++] = list->items[i];
            continue;
        }
        mem_free(list->items[i].path);
        mem_free(list->items[i].text);
    }
    list->count = kept;
}

void verify_unit(struct verify *v, void (*unit)(struct verify *v, const char *path),
                 const char *path)
{
    unit(v, path);
    if (v->home.is_in_use && v->faults.count > 0) {
        struct verify_faults first = v->faults;
        v->faults = (struct verify_faults){0};
        verify_faults_free(&v->notes);
        unit(v, path);
        keep_common(&v->faults, &first);
        verify_faults_free(&first);
    }
    verify_flush(v);
}

/* ---- callbacks of the scan */

static void on_fault(struct log_scan *s, int64_t pos, const char *text)
{
    struct verify *v = s->owner;
    if (v->is_excused)
        verify_note(v, s->path, pos, "%s (made anew at the next start)", text);
    else
        verify_say(v, &v->faults, s->path, pos, text);
}

/* Of the metadata log. */
static void on_torn(struct log_scan *s, int64_t pos, const char *text)
{
    struct verify *v = s->owner;
    bool is_normal = v->home.is_known && !v->home.is_clean;
    verify_say(v, is_normal ? &v->notes : &v->faults, s->path, pos, text);
}

static void on_moved(struct log_scan *s, int64_t bytes)
{
    struct verify *v = s->owner;
    if (!cli_progress_is_due(&v->progress))
        return;
    char done[CLI_COUNT_SIZE], total[CLI_COUNT_SIZE], files[CLI_COUNT_SIZE];
    if (v->bytes_total > 0)
        cli_progress_show(&v->progress, "%s of %s MB, %s files",
                          cli_count(s->bytes / 1000000, done),
                          cli_count(v->bytes_total / 1000000, total), cli_count(v->files, files));
    else
        cli_progress_show(&v->progress, "%s MB, %s files", cli_count(s->bytes / 1000000, done),
                          cli_count(v->files, files));
}

/* ---- what is named */

static void verify_file(struct verify *v, const char *path)
{
    enum log_kind kind = log_kind_of(log_path_name(path));
    if (kind == LOG_KIND_UNKNOWN) {
        verify_fault(v, path, -1, "no file of a log by its name");
    } else if (kind == LOG_KIND_SEGMENT || kind == LOG_KIND_KRAFT_SNAPSHOT) {
        struct verify_segment segment = {.path = path, .recovery_point = -1, .is_last = true};
        verify_segment(v, &segment);
    } else {
        verify_other(v, path, kind);
    }
}

/* By what is in it. */
static void verify_dir(struct verify *v, const char *path, const struct verify_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!names->items[i].is_dir && log_path_offset(names->items[i].text) >= 0) {
            char around[LOG_PATH_SIZE];
            if (log_file_path(around, path, ".."))
                verify_home_read(v, around);
            verify_unit(v, verify_partition, path);
            return;
        }
    }
    verify_log_dir(v, path);
}

static void verify_path(struct verify *v, const char *path)
{
    char trimmed[LOG_PATH_SIZE];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= sizeof(trimmed)) {
        verify_fault(v, path, -1, "the path is too long");
        verify_flush(v);
        return;
    }
    memcpy(trimmed, path, len);
    trimmed[len] = '\0';
    struct verify_names names;
    if (verify_names_list(v->scan.env, trimmed, &names)) {
        verify_dir(v, trimmed, &names);
        verify_names_free(&names);
    } else {
        verify_unit(v, verify_file, trimmed);
    }
    verify_home_free(&v->home);
}

/* ---- the end */

static int sum_up(struct verify *v)
{
    int status = v->fault_count > 0 ? CLI_FAILED : CLI_OK;
    if (v->is_json) {
        json_t *object = json_object();
        json_out_set(object, "files", json_integer(v->files));
        json_out_set(object, "partitions", json_integer(v->partitions));
        json_out_set(object, "batches", json_integer(v->scan.batches));
        json_out_set(object, "records", json_integer(v->scan.records));
        json_out_set(object, "bytes", json_integer(v->scan.bytes));
        json_out_set(object, "faults", json_incref(v->faults_json));
        json_out_set(object, "notes", json_incref(v->notes_json));
        return json_out_print(object) == CLI_OK ? status : CLI_FAILED;
    }
    char files[CLI_COUNT_SIZE], partitions[CLI_COUNT_SIZE], batches[CLI_COUNT_SIZE];
    char records[CLI_COUNT_SIZE], faults[CLI_COUNT_SIZE];
    printf("%s files, %s partitions, %s batches, %s records, %.1f MB: %s fault%s\n",
           cli_count(v->files, files), cli_count(v->partitions, partitions),
           cli_count(v->scan.batches, batches), cli_count(v->scan.records, records),
           (double)v->scan.bytes / 1e6,
           v->fault_count > 0 ? cli_count(v->fault_count, faults) : "no",
           v->fault_count == 1 ? "" : "s");
    return status;
}

static int run(struct verify *v, const struct cli_words *paths, bool is_shallow)
{
    struct real_env *real = log_env_new();
    if (real == NULL)
        return CLI_FAILED;
    log_scan_init(&v->scan, real_env_env(real));
    cli_progress_init(&v->progress, real_env_env(real));
    v->scan.owner = v;
    v->scan.is_deep = !is_shallow;
    v->scan.fault = on_fault;
    v->scan.torn = on_torn;
    v->scan.moved = on_moved;
    v->faults_json = json_array();
    v->notes_json = json_array();
    for (int i = 0; i < paths->count; i++)
        verify_path(v, paths->items[i]);
    int status = sum_up(v);
    json_decref(v->faults_json);
    json_decref(v->notes_json);
    log_scan_deinit(&v->scan);
    real_env_free(real);
    return status;
}

int cli_log_verify(int argc, char **argv)
{
    struct verify v = {0};
    bool is_shallow = false;
    const struct cli_option options[] = {
        {"--shallow", CLI_FLAG, &is_shallow, 0, 0},
        {"--json", CLI_FLAG, &v.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "log verify",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "a file or directory"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = run(&v, &parse.words, is_shallow);
    cli_words_free(&parse.words);
    return status;
}
