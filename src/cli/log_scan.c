// SPDX-License-Identifier: Apache-2.0
/* log_scan: kinds, fields, small files and entries. Segments are in log_scan_segment.c.
 * Thread: main. */
#include "cli/log_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "log/log_dirs.h"
#include "log/log_file.h"
#include "log/log_place.h"
#include "log/segment_tail.h"

/* ---- kinds */

static const struct {
    const char *name;
    enum log_kind kind;
} kinds_by_name[] = {
    {"leader-epoch-checkpoint", LOG_KIND_EPOCHS},
    {"partition.metadata", LOG_KIND_PARTITION_METADATA},
    {"meta.properties", LOG_KIND_META_PROPERTIES},
    {LOG_DIRS_NAME, LOG_KIND_LOG_DIRS},
    {LOG_MOVED_NAME, LOG_KIND_MOVED},
    {LOG_LEAVING_NAME, LOG_KIND_LEAVING},
    {"recovery-point-offset-checkpoint", LOG_KIND_OFFSETS},
    {"log-start-offset-checkpoint", LOG_KIND_OFFSETS},
    {"replication-offset-checkpoint", LOG_KIND_OFFSETS},
    {"cleaner-offset-checkpoint", LOG_KIND_OFFSETS},
    {"klamm.metadata", LOG_KIND_METADATA},
    {"klamm.metadata.snapshot", LOG_KIND_METADATA_SNAPSHOT},
    {"klamm.journal.0", LOG_KIND_JOURNAL},
    {"klamm.journal.1", LOG_KIND_JOURNAL},
    {".kafka_cleanshutdown", LOG_KIND_NOTHING},
    {".lock", LOG_KIND_NOTHING},
    /* Kafka's, of its metadata quorum; nothing of a log. */
    {"quorum-state", LOG_KIND_NOTHING},
    {"bootstrap.checkpoint", LOG_KIND_KRAFT_SNAPSHOT},
};

const char *log_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static enum log_kind kind_of_segment_file(enum log_file_kind kind)
{
    switch (kind) {
    case LOG_FILE_LOG:
        return LOG_KIND_SEGMENT;
    case LOG_FILE_INDEX:
        return LOG_KIND_INDEX;
    case LOG_FILE_TIMEINDEX:
        return LOG_KIND_TIMEINDEX;
    case LOG_FILE_TXNINDEX:
        return LOG_KIND_TXNINDEX;
    case LOG_FILE_SNAPSHOT:
    case LOG_FILE_KIND_COUNT:
        break;
    }
    return LOG_KIND_SNAPSHOT;
}

/* "00000000000000000042-0000000003.checkpoint" */
static bool is_kraft_snapshot(const char *name)
{
    static const char suffix[] = ".checkpoint";
    size_t digits = strspn(name, "0123456789");
    if (digits != LOG_OFFSET_DIGITS || name[digits] != '-')
        return false;
    const char *rest = name + digits + 1;
    return strcmp(rest + strspn(rest, "0123456789"), suffix) == 0;
}

enum log_kind log_kind_of(const char *name)
{
    struct log_file_name parsed;
    if (log_file_name_parse(name, &parsed))
        return kind_of_segment_file(parsed.kind);
    for (size_t i = 0; i < ARRAY_COUNT(kinds_by_name); i++) {
        if (strcmp(name, kinds_by_name[i].name) == 0)
            return kinds_by_name[i].kind;
    }
    return is_kraft_snapshot(name) ? LOG_KIND_KRAFT_SNAPSHOT : LOG_KIND_UNKNOWN;
}

const char *log_kind_name(enum log_kind kind)
{
    switch (kind) {
    case LOG_KIND_UNKNOWN:
        break;
    case LOG_KIND_SEGMENT:
        return "segment";
    case LOG_KIND_INDEX:
        return "index";
    case LOG_KIND_TIMEINDEX:
        return "timeindex";
    case LOG_KIND_TXNINDEX:
        return "txnindex";
    case LOG_KIND_SNAPSHOT:
        return "snapshot";
    case LOG_KIND_KRAFT_SNAPSHOT:
        return "kraft_snapshot";
    case LOG_KIND_EPOCHS:
        return "leader_epochs";
    case LOG_KIND_OFFSETS:
        return "offsets";
    case LOG_KIND_PARTITION_METADATA:
        return "partition_metadata";
    case LOG_KIND_META_PROPERTIES:
        return "meta_properties";
    case LOG_KIND_LOG_DIRS:
        return "log_dirs";
    case LOG_KIND_MOVED:
        return "moved";
    case LOG_KIND_LEAVING:
        return "leaving";
    case LOG_KIND_METADATA:
        return "metadata_log";
    case LOG_KIND_METADATA_SNAPSHOT:
        return "metadata_snapshot";
    case LOG_KIND_JOURNAL:
        return "journal";
    case LOG_KIND_NOTHING:
        return "mark";
    }
    return "unknown";
}

int64_t log_path_offset(const char *path)
{
    struct log_file_name parsed;
    return log_file_name_parse(log_path_name(path), &parsed) ? parsed.offset : -1;
}

/* ---- telling */

void log_scan_init(struct log_scan *s, struct env *env)
{
    *s = (struct log_scan){.env = env};
    batch_reader_init(&s->reader, INT32_MAX);
}

void log_scan_deinit(struct log_scan *s)
{
    batch_reader_deinit(&s->reader);
}

void log_scan_fault(struct log_scan *s, int64_t pos, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text);
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    s->fault(s, pos, strbuf_text(&text));
    strbuf_deinit(&text);
}

void log_scan_torn(struct log_scan *s, int64_t pos, const char *text)
{
    if (s->torn != NULL)
        s->torn(s, pos, text);
    else
        s->fault(s, pos, text);
}

void log_scan_item(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    if (s->item != NULL)
        s->item(s, depth, fields, count);
}

void log_scan_moved(struct log_scan *s, int64_t bytes)
{
    ASSERT(bytes >= 0);
    s->bytes += bytes;
    if (s->moved != NULL)
        s->moved(s, bytes);
}

struct log_field log_number(const char *name, int64_t number)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_NUMBER, .number = number};
}

struct log_field log_flag(const char *name, bool is_true)
{
    return (struct log_field){.name = name, .kind = LOG_FIELD_FLAG, .number = is_true};
}

struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){.name = name,
                              .kind = LOG_FIELD_TEXT,
                              .number = text != NULL ? (int64_t)strlen(text) : -1,
                              .data = text};
}

struct log_field log_json(const char *name, const char *text)
{
    struct log_field field = log_text(name, text);
    field.kind = LOG_FIELD_JSON;
    return field;
}

struct log_field log_bytes(const char *name, const void *data, int64_t len)
{
    return (struct log_field){
        .name = name, .kind = LOG_FIELD_BYTES, .number = len, .data = len < 0 ? NULL : data};
}

/* ---- small files */

enum err log_scan_read(struct log_scan *s, const char *path, size_t size_max, uint8_t **out,
                       size_t *size)
{
    struct log_window w;
    enum err e = log_window_open(s->env, path, &w);
    if (e != ERR_OK)
        return e;
    uint8_t *data = NULL;
    size_t got = 0;
    if (w.size > (int64_t)size_max)
        e = ERR_TOO_LARGE;
    else if ((data = mem_try((size_t)w.size + 1)) == NULL)
        e = ERR_NO_MEMORY;
    if (e == ERR_OK && w.size > 0)
        e = env_file_read(w.file, data, (size_t)w.size, 0, ENV_WAIT, &got);
    log_window_close(&w);
    if (e != ERR_OK) {
        mem_free(data);
        return e;
    }
    data[got] = '\0'; /* for texts */
    log_scan_moved(s, (int64_t)got);
    *out = data;
    *size = got;
    return ERR_OK;
}

/* ---- entries */

enum { TXNINDEX_ENTRY_BYTES = 34 };

static size_t entry_bytes_of(enum log_kind kind)
{
    if (kind == LOG_KIND_INDEX)
        return INDEX_ENTRY_BYTES;
    return kind == LOG_KIND_TIMEINDEX ? TIMEINDEX_ENTRY_BYTES : TXNINDEX_ENTRY_BYTES;
}

enum err log_entries_open(struct env *env, const char *path, enum log_kind kind,
                          struct log_entries *out)
{
    struct log_entries entries = {.entry_bytes = entry_bytes_of(kind), .previous = {-1, -1}};
    enum err e = log_window_open(env, path, &entries.window);
    if (e == ERR_OK)
        *out = entries;
    return e;
}

void log_entries_close(struct log_entries *entries)
{
    log_window_close(&entries->window);
}

/* The bytes of the next entry; NULL: no more. */
static const uint8_t *next_bytes(struct log_scan *s, struct log_entries *entries)
{
    const uint8_t *data = NULL;
    int64_t left = entries->window.size - entries->next_pos;
    if (entries->is_over || left == 0 || s->is_stopped)
        return NULL;
    if (left < (int64_t)entries->entry_bytes)
        log_scan_fault(s, entries->next_pos, "%lld bytes that are no whole entry", (long long)left);
    else if (log_window_get(&entries->window, entries->next_pos, entries->entry_bytes, &data) !=
             ERR_OK)
        log_scan_fault(s, entries->next_pos, "cannot be read");
    if (data == NULL) {
        entries->is_over = true;
        return NULL;
    }
    entries->pos = entries->next_pos;
    entries->next_pos += (int64_t)entries->entry_bytes;
    log_scan_moved(s, (int64_t)entries->entry_bytes);
    return data;
}

static bool is_zero(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Zeros up to the end are preallocated space. */
static void pass_zeros(struct log_scan *s, struct log_entries *entries)
{
    const uint8_t *data;
    int64_t first = entries->pos;
    while ((data = next_bytes(s, entries)) != NULL) {
        if (is_zero(data, entries->entry_bytes))
            continue;
        log_scan_fault(s, entries->pos, "an entry behind zeros that begin at %lld",
                       (long long)first);
        break;
    }
    entries->is_over = true;
}

/* `second` may stand still where `may_stand`. */
static void check_rises(struct log_scan *s, struct log_entries *entries, int64_t first,
                        int64_t second, bool may_stand)
{
    if (entries->count > 0 &&
        (first <= entries->previous[0] ||
         (may_stand ? second < entries->previous[1] : second <= entries->previous[1])))
        log_scan_fault(s, entries->pos,
                       "an entry (%lld, %lld) that does not rise above the one before it (%lld, "
                       "%lld)",
                       (long long)first, (long long)second, (long long)entries->previous[0],
                       (long long)entries->previous[1]);
    entries->previous[0] = first;
    entries->previous[1] = second;
    entries->count++;
}

bool log_entries_next(struct log_scan *s, struct log_entries *entries, enum log_kind kind,
                      int64_t base_offset, struct log_index_entry *out)
{
    ASSERT(kind == LOG_KIND_INDEX || kind == LOG_KIND_TIMEINDEX);
    const uint8_t *data = next_bytes(s, entries);
    if (data == NULL)
        return false;
    if (is_zero(data, entries->entry_bytes)) {
        pass_zeros(s, entries);
        return false;
    }
    bool is_time = kind == LOG_KIND_TIMEINDEX;
    int64_t relative = bytes_load_u32(data + (is_time ? 8 : 0));
    if (relative > INT32_MAX)
        log_scan_fault(s, entries->pos, "an entry whose offset is negative");
    *out = (struct log_index_entry){
        .offset = (int64_t)((uint64_t)MAX(base_offset, 0) + (uint64_t)relative),
        .value = is_time ? (int64_t)bytes_load_u64(data) : bytes_load_u32(data + 4)};
    if (is_time)
        check_rises(s, entries, out->value, out->offset, true);
    else
        check_rises(s, entries, out->offset, out->value, false);
    return true;
}

static void scan_aborted(struct log_scan *s, struct log_entries *entries)
{
    const uint8_t *data;
    int64_t previous = -1;
    while ((data = next_bytes(s, entries)) != NULL) {
        int64_t first = (int64_t)bytes_load_u64(data + 10);
        int64_t last = (int64_t)bytes_load_u64(data + 18);
        int64_t stable = (int64_t)bytes_load_u64(data + 26);
        const struct log_field fields[] = {
            log_number("version", bytes_load_u16(data)),
            log_number("producerId", (int64_t)bytes_load_u64(data + 2)),
            log_number("firstOffset", first), log_number("lastOffset", last),
            log_number("lastStableOffset", stable)};
        if (bytes_load_u16(data) != 0)
            log_scan_fault(s, entries->pos, "an entry of version %u, not 0", bytes_load_u16(data));
        else if (first < 0 || last < first || last < previous)
            log_scan_fault(s, entries->pos, "an entry from %lld to %lld behind one to %lld",
                           (long long)first, (long long)last, (long long)previous);
        previous = last;
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    }
}

static enum err scan_entries(struct log_scan *s, const char *path, enum log_kind kind)
{
    struct log_entries entries;
    struct log_index_entry entry;
    enum err e = log_entries_open(s->env, path, kind, &entries);
    if (e != ERR_OK)
        return e;
    s->path = path;
    if (kind == LOG_KIND_TXNINDEX)
        scan_aborted(s, &entries);
    while (kind != LOG_KIND_TXNINDEX &&
           log_entries_next(s, &entries, kind, log_path_offset(path), &entry)) {
        struct log_field fields[] = {log_number("offset", entry.offset),
                                     log_number("position", entry.value)};
        if (kind == LOG_KIND_TIMEINDEX) {
            fields[0] = log_number("timestamp", entry.value);
            fields[1] = log_number("offset", entry.offset);
        }
        log_scan_item(s, 0, fields, ARRAY_COUNT(fields));
    }
    log_entries_close(&entries);
    return ERR_OK;
}

enum err log_scan_other(struct log_scan *s, const char *path, enum log_kind kind)
{
    s->path = path;
    switch (kind) {
    case LOG_KIND_INDEX:
    case LOG_KIND_TIMEINDEX:
    case LOG_KIND_TXNINDEX:
        return scan_entries(s, path, kind);
    case LOG_KIND_SNAPSHOT:
        return log_scan_producers(s, path);
    case LOG_KIND_EPOCHS:
    case LOG_KIND_OFFSETS:
    case LOG_KIND_PARTITION_METADATA:
    case LOG_KIND_META_PROPERTIES:
    case LOG_KIND_LOG_DIRS:
    case LOG_KIND_MOVED:
    case LOG_KIND_LEAVING:
        return log_scan_checkpoint(s, path, kind);
    case LOG_KIND_METADATA:
    case LOG_KIND_METADATA_SNAPSHOT:
        return log_scan_metadata(s, path, kind);
    case LOG_KIND_JOURNAL:
        return log_scan_journal(s, path);
    case LOG_KIND_SEGMENT:
    case LOG_KIND_KRAFT_SNAPSHOT:
    case LOG_KIND_NOTHING:
    case LOG_KIND_UNKNOWN:
        break;
    }
    return ERR_OK;
}
