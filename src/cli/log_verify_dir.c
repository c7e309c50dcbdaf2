// SPDX-License-Identifier: Apache-2.0
/*
 * log_verify_dir: partitions and log directories: each file, and what they say of each other.
 *
 * Thread: main.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/log_verify.h"
#include "log/checkpoint_file.h"
#include "log/log_dir.h"
#include "log/log_file.h"

/* ---- names */

static void gather_name(void *arg, const char *name, bool is_dir)
{
    struct verify_names *names = arg;
    if (names->count == names->capacity) {
        names->capacity = MAX(2 * names->capacity, (size_t)16);
        names->items = mem_realloc(names->items, names->capacity * sizeof(*names->items));
    }
    names->items[names->count++] = (struct verify_name){mem_strdup(name), is_dir};
}

bool verify_names_list(struct env *env, const char *path, struct verify_names *out)
{
    struct verify_names names = {0};
    if (env_dir_list(env, path, gather_name, &names) != ERR_OK) {
        verify_names_free(&names);
        return false;
    }
    *out = names;
    return true;
}

void verify_names_free(struct verify_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i].text);
    mem_free(names->items);
    *names = (struct verify_names){0};
}

/* ---- the directory around */

static int by_partition(const void *a, const void *b)
{
    const struct verify_mark *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void on_mark(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    struct verify *v = s->owner;
    struct verify_home *home = &v->home;
    ASSERT(count == 3 && depth == 0);
    if (home->mark_count == home->mark_capacity) {
        home->mark_capacity = MAX(2 * home->mark_capacity, (size_t)64);
        home->marks = mem_realloc(home->marks, home->mark_capacity * sizeof(*home->marks));
    }
    struct verify_mark *mark = &home->marks[home->mark_count++];
    *mark =
        (struct verify_mark){mem_strdup(fields[0].data), (int32_t)fields[1].number, {-1, -1, -1}};
    const char *name = log_path_name(s->path);
    if (name[0] == 'l')
        mark->values.log_start = fields[2].number;
    else if (strncmp(name, "rep", 3) == 0)
        mark->values.high_watermark = fields[2].number;
    else
        mark->values.recovery_point = fields[2].number;
}

static void quiet_fault(struct log_scan *s, int64_t pos, const char *text)
{
}

/* One mark for each partition, with what all files say of it. */
static void merge_marks(struct verify_home *home)
{
    size_t kept = 0;
    if (home->mark_count > 0)
        qsort(home->marks, home->mark_count, sizeof(*home->marks), by_partition);
    for (size_t i = 0; i < home->mark_count; i++) {
        struct verify_mark *mark = &home->marks[i];
        if (kept == 0 || by_partition(&home->marks[kept - 1], mark) != 0) {
            home->marks[kept++] = *mark;
            continue;
        }
        struct verify_marks *to = &home->marks[kept - 1].values;
        to->recovery_point = MAX(to->recovery_point, mark->values.recovery_point);
        to->log_start = MAX(to->log_start, mark->values.log_start);
        to->high_watermark = MAX(to->high_watermark, mark->values.high_watermark);
        mem_free(mark->topic);
    }
    home->mark_count = kept;
}

static bool is_in_use(struct env *env, const char *dir)
{
    char path[LOG_PATH_SIZE];
    struct env_file *file = NULL;
    if (!log_file_path(path, dir, ".lock") ||
        env_file_open(env, path, ENV_READ | ENV_WRITE, &file) != ERR_OK)
        return false;
    bool is_held = env_file_lock(file) == ERR_BUSY;
    env_file_unref(file); /* and with it the lock */
    return is_held;
}

static bool is_there(struct env *env, const char *dir, const char *name)
{
    char path[LOG_PATH_SIZE];
    struct env_file *file = NULL;
    if (!log_file_path(path, dir, name) || env_file_open(env, path, ENV_READ, &file) != ERR_OK)
        return false;
    env_file_unref(file);
    return true;
}

void verify_home_read(struct verify *v, const char *path)
{
    static const char *const files[] = {"recovery-point-offset-checkpoint",
                                        "log-start-offset-checkpoint",
                                        "replication-offset-checkpoint"};
    struct verify_home *home = &v->home;
    struct env *env = v->scan.env;
    *home = (struct verify_home){0};
    home->is_known = is_there(env, path, "meta.properties");
    if (!home->is_known)
        return;
    home->is_in_use = is_in_use(env, path);
    home->is_clean = !home->is_in_use && is_there(env, path, ".kafka_cleanshutdown");
    struct log_scan before = v->scan;
    v->scan.item = on_mark;
    v->scan.fault = quiet_fault; /* told when the file itself is looked at */
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        char name[LOG_PATH_SIZE];
        if (log_file_path(name, path, files[i]) &&
            log_scan_checkpoint(&v->scan, name, LOG_KIND_OFFSETS) != ERR_OK)
            continue; /* none: nothing is known */
    }
    v->scan.item = before.item;
    v->scan.fault = before.fault;
    merge_marks(home);
}

void verify_home_free(struct verify_home *home)
{
    for (size_t i = 0; i < home->mark_count; i++)
        mem_free(home->marks[i].topic);
    mem_free(home->marks);
    *home = (struct verify_home){0};
}

struct verify_marks verify_marks_of(const struct verify_home *home, const char *partition_name)
{
    char topic[CHECKPOINT_TOPIC_SIZE];
    struct verify_mark wanted = {.topic = topic};
    const struct verify_mark *found = NULL;
    if (log_dir_parse_partition(partition_name, topic, sizeof(topic), &wanted.partition) &&
        home->mark_count > 0)
        found = bsearch(&wanted, home->marks, home->mark_count, sizeof(*home->marks), by_partition);
    return found != NULL ? found->values : (struct verify_marks){-1, -1, -1};
}

/* ---- a partition */

static void on_epoch(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    struct verify *v = s->owner;
    struct verify_epochs *epochs = v->epochs;
    if (epochs->count == epochs->capacity) {
        epochs->capacity = MAX(2 * epochs->capacity, (size_t)16);
        epochs->items = mem_realloc(epochs->items, epochs->capacity * sizeof(*epochs->items));
    }
    epochs->items[epochs->count++] =
        (struct log_index_entry){.offset = fields[1].number, .value = fields[0].number};
}

static void read_epochs(struct verify *v, const char *dir, struct verify_epochs *out)
{
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, dir, "leader-epoch-checkpoint"))
        return;
    v->epochs = out;
    v->scan.item = on_epoch;
    enum err e = log_scan_checkpoint(&v->scan, path, LOG_KIND_EPOCHS);
    v->scan.item = NULL;
    v->epochs = NULL;
    if (e == ERR_OK)
        v->files++;
    else if (e != ERR_NOT_FOUND)
        verify_fault(v, path, -1, "%s", err_text(e));
}

void verify_other(struct verify *v, const char *path, enum log_kind kind)
{
    enum err e = log_scan_other(&v->scan, path, kind);
    v->files++;
    if (e != ERR_OK && !(e == ERR_NOT_FOUND && v->home.is_in_use))
        verify_fault(v, path, -1, "%s", err_text(e));
}

struct partition_check {
    struct verify *verify;
    const char *dir;
    const struct verify_names *names;
    struct verify_epochs epochs;
    struct verify_marks marks;
    int64_t next_offset; /* behind the segment before; -1: there was none */
    int32_t last_epoch;
    bool is_unread; /* a segment could not be read: where the log ends is not known */
};

static bool is_live_log(const struct verify_name *name)
{
    struct log_file_name parsed;
    return !name->is_dir && log_file_name_parse(name->text, &parsed) &&
           parsed.kind == LOG_FILE_LOG && parsed.stage == LOG_STAGE_LIVE;
}

/* The base offset of the segment that follows; -1: it is the last. */
static int64_t next_base(const struct verify_names *names, size_t i)
{
    for (size_t j = i + 1; j < names->count; j++) {
        if (is_live_log(&names->items[j]))
            return log_path_offset(names->items[j].text);
    }
    return -1;
}

static void check_neighbours(struct partition_check *c, const struct verify_segment *segment)
{
    const struct log_segment_facts *facts = &segment->facts;
    int64_t base = log_path_offset(segment->path);
    if (c->next_offset > base)
        verify_fault(c->verify, segment->path, -1,
                     "begins at offset %" PRId64 ", the segment before it ends behind that, at "
                     "%" PRId64,
                     base, c->next_offset - 1);
    if (facts->first_epoch >= 0 && facts->first_epoch < c->last_epoch)
        verify_fault(c->verify, segment->path, 0, "leader epoch %d behind one of %d",
                     facts->first_epoch, c->last_epoch);
    c->next_offset = MAX(facts->next_offset, base);
    c->last_epoch = MAX(facts->last_epoch, c->last_epoch);
}

static void check_segment(struct partition_check *c, size_t i)
{
    struct verify *v = c->verify;
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, c->dir, c->names->items[i].text))
        return;
    int64_t next = next_base(c->names, i);
    bool is_below = next >= 0 && c->marks.recovery_point >= next;
    struct verify_segment segment = {
        .path = path,
        .epochs = v->home.is_clean || is_below ? &c->epochs : NULL,
        .recovery_point = c->marks.recovery_point,
        .has_indexes = true,
        .index_is_excused =
            v->home.is_known && !v->home.is_clean && !v->home.is_in_use && !is_below,
        .is_last = next < 0,
    };
    verify_segment(v, &segment);
    if (segment.is_read)
        check_neighbours(c, &segment);
    else
        c->is_unread = true;
}

static void check_mark(struct partition_check *c, const char *what, int64_t offset)
{
    if (offset <= MAX(c->next_offset, 0))
        return;
    if (c->next_offset < 0)
        verify_fault(c->verify, c->dir, -1,
                     "%s is %" PRId64 " by its checkpoint, and there is no segment", what, offset);
    else
        verify_fault(c->verify, c->dir, -1,
                     "%s is %" PRId64 " by its checkpoint, and the log ends at %" PRId64, what,
                     offset, c->next_offset);
}

/* What the checkpoints of the directory say. A log that was emptied has a last segment all the
 * same, named by its end. Records below the recovery point were synced, so no crash takes them;
 * those between it and the other two may go with a torn end, but not with every segment's name. */
static void check_marks(struct partition_check *c)
{
    const struct verify_home *home = &c->verify->home;
    if (!home->is_known || home->is_in_use || c->is_unread)
        return;
    check_mark(c, "the recovery point", c->marks.recovery_point);
    if (!home->is_clean && c->next_offset >= 0)
        return;
    check_mark(c, "the log start", c->marks.log_start);
    check_mark(c, "the high watermark", c->marks.high_watermark);
}

static int by_text(const void *a, const void *b)
{
    const struct verify_name *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static bool has_segment(const struct partition_check *c, int64_t offset, enum log_file_stage stage)
{
    const struct log_file_name name = {.offset = offset, .kind = LOG_FILE_LOG, .stage = stage};
    char text[LOG_NAME_SIZE];
    struct verify_name wanted = {log_file_name_format(text, &name), false};
    return bsearch(&wanted, c->names->items, c->names->count, sizeof(wanted), by_text) != NULL;
}

/* A segment's name goes before those of its indexes, and comes after them: a crash in between
 * leaves indexes beside another stage of it, or behind the end of the log. The next start removes
 * them, or puts the segment in place. */
static bool may_lack_segment(const struct partition_check *c, int64_t offset)
{
    const struct verify_home *home = &c->verify->home;
    if (!home->is_known || home->is_clean || home->is_in_use)
        return false;
    return has_segment(c, offset, LOG_STAGE_DELETED) || has_segment(c, offset, LOG_STAGE_CLEANED) ||
           has_segment(c, offset, LOG_STAGE_SWAP) ||
           offset >= MAX(c->next_offset, c->marks.recovery_point);
}

/* Snapshots are kept where no segment begins, too. */
static void check_segment_of(struct partition_check *c, const char *name)
{
    char path[LOG_PATH_SIZE];
    struct log_file_name parsed;
    if (!log_file_name_parse(name, &parsed) || parsed.stage != LOG_STAGE_LIVE ||
        parsed.kind == LOG_FILE_LOG || parsed.kind == LOG_FILE_SNAPSHOT ||
        !log_file_path(path, c->dir, name) || has_segment(c, parsed.offset, LOG_STAGE_LIVE))
        return;
    if (may_lack_segment(c, parsed.offset))
        verify_note(c->verify, path, -1, "an index without its .log, as a crash may leave it");
    else
        verify_fault(c->verify, path, -1, "an index without its .log, which is not there");
}

/* Files that belong to no segment alone. */
static void check_file(struct partition_check *c, const struct verify_name *name)
{
    struct verify *v = c->verify;
    char path[LOG_PATH_SIZE];
    struct log_file_name parsed;
    bool is_segment_file = log_file_name_parse(name->text, &parsed);
    enum log_kind kind = log_kind_of(name->text);
    if (name->is_dir || !log_file_path(path, c->dir, name->text))
        return;
    if (is_segment_file && parsed.stage != LOG_STAGE_LIVE)
        return; /* on its way out, or never in */
    if (kind == LOG_KIND_SNAPSHOT || kind == LOG_KIND_TXNINDEX ||
        kind == LOG_KIND_PARTITION_METADATA || kind == LOG_KIND_MOVED || kind == LOG_KIND_LEAVING)
        verify_other(v, path, kind);
    else if (strstr(name->text, ".rot") != NULL)
        verify_note(v, path, -1, "damaged bytes that recovery has set aside");
}

void verify_partition(struct verify *v, const char *path)
{
    struct verify_names names;
    if (!verify_names_list(v->scan.env, path, &names)) {
        if (!v->home.is_in_use)
            verify_fault(v, path, -1, "cannot be read");
        return;
    }
    struct partition_check c = {
        .verify = v, .dir = path, .names = &names, .next_offset = -1, .last_epoch = -1};
    c.marks = verify_marks_of(&v->home, log_path_name(path));
    read_epochs(v, path, &c.epochs);
    for (size_t i = 0; i < names.count; i++) {
        if (is_live_log(&names.items[i]))
            check_segment(&c, i);
        else
            check_file(&c, &names.items[i]);
    }
    check_marks(&c);
    for (size_t i = 0; i < names.count; i++) /* now that it is known where the log ends */
        check_segment_of(&c, names.items[i].text);
    v->partitions++;
    mem_free(c.epochs.items);
    verify_names_free(&names);
}

/* ---- a log directory */

static void verify_dir_file(struct verify *v, const char *path)
{
    enum log_kind kind = log_kind_of(log_path_name(path));
    if (kind != LOG_KIND_UNKNOWN && kind != LOG_KIND_NOTHING)
        verify_other(v, path, kind);
}

/* For the line of progress. */
static int64_t bytes_of(struct env *env, const char *dir)
{
    struct verify_names names;
    int64_t sum = 0;
    if (!verify_names_list(env, dir, &names))
        return 0;
    for (size_t i = 0; i < names.count; i++) {
        char path[LOG_PATH_SIZE];
        struct env_file *file = NULL;
        int64_t size = 0;
        if (names.items[i].is_dir || !log_file_path(path, dir, names.items[i].text) ||
            env_file_open(env, path, ENV_READ, &file) != ERR_OK)
            continue;
        if (env_file_size(file, &size) == ERR_OK)
            sum += size;
        env_file_unref(file);
    }
    verify_names_free(&names);
    return sum;
}

static void each_partition(struct verify *v, const char *dir, const struct verify_names *names,
                           void (*each)(struct verify *v, const char *path))
{
    for (size_t i = 0; i < names->count; i++) {
        char topic[CHECKPOINT_TOPIC_SIZE];
        char path[LOG_PATH_SIZE];
        int32_t partition;
        if (names->items[i].is_dir && log_file_path(path, dir, names->items[i].text) &&
            log_dir_parse_partition(names->items[i].text, topic, sizeof(topic), &partition))
            each(v, path);
    }
}

static void add_bytes(struct verify *v, const char *path)
{
    v->bytes_total += bytes_of(v->scan.env, path);
}

static void check_partition(struct verify *v, const char *path)
{
    verify_unit(v, verify_partition, path);
}

void verify_log_dir(struct verify *v, const char *path)
{
    struct verify_names names;
    verify_home_read(v, path);
    if (!verify_names_list(v->scan.env, path, &names)) {
        verify_fault(v, path, -1, "cannot be read");
        verify_flush(v);
        return;
    }
    if (!v->home.is_known)
        verify_fault(v, path, -1, "neither a log directory (no meta.properties) nor a partition");
    else if (v->home.is_in_use)
        verify_note(v, path, -1,
                    "a broker uses it: each log is checked up to where it ended when "
                    "it was looked at");
    else if (!v->home.is_clean)
        verify_note(v, path, -1,
                    "it was not stopped cleanly: the ends of logs may be torn, and the "
                    "next start recovers them");
    verify_flush(v);
    for (size_t i = 0; i < names.count && v->home.is_known; i++) {
        char file[LOG_PATH_SIZE];
        if (!names.items[i].is_dir && log_file_path(file, path, names.items[i].text))
            verify_unit(v, verify_dir_file, file);
    }
    if (v->progress.is_terminal)
        each_partition(v, path, &names, add_bytes);
    each_partition(v, path, &names, check_partition);
    verify_names_free(&names);
}
