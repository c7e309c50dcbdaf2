// SPDX-License-Identifier: Apache-2.0
/*
 * log_scan: reads the files of a log, Kafka's or ours, from their begin to their end, and tells
 * what is in them and what is wrong: for `klamm log dump` and `klamm log verify`.
 *
 * Nothing is written, nothing is believed: whatever bytes a file has, there are items and faults.
 * What each file should hold is in docs/formats.md. What depends on other files (an index on its
 * log, a log on its neighbours) is checked by who sees both: log_verify.c.
 *
 * Thread: main; blocks.
 * Limits: memory for the largest batch of a file and the largest record in it; small files are read
 *         whole, up to the LIMIT_..._BYTES of their kind.
 */
#ifndef CLI_LOG_SCAN_H
#define CLI_LOG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/log_window.h"
#include "wire/batch_reader.h"

/* ---- kinds of file, by name */

enum log_kind {
    LOG_KIND_UNKNOWN,
    LOG_KIND_SEGMENT,
    LOG_KIND_INDEX,
    LOG_KIND_TIMEINDEX,
    LOG_KIND_TXNINDEX,
    LOG_KIND_SNAPSHOT,
    LOG_KIND_KRAFT_SNAPSHOT, /* OFFSET-EPOCH.checkpoint of Kafka's own metadata log */
    LOG_KIND_EPOCHS,
    LOG_KIND_OFFSETS, /* the checkpoints of a log directory */
    LOG_KIND_PARTITION_METADATA,
    LOG_KIND_META_PROPERTIES,
    LOG_KIND_LOG_DIRS,
    LOG_KIND_MOVED,
    LOG_KIND_LEAVING,
    LOG_KIND_METADATA,
    LOG_KIND_METADATA_SNAPSHOT,
    LOG_KIND_JOURNAL,
    LOG_KIND_NOTHING, /* known, and without anything to read: .lock, .kafka_cleanshutdown */
};

/* `name` without directories. What waits to be deleted or put in place (.deleted, .cleaned, .swap)
 * is of the kind that it was or will be. */
enum log_kind log_kind_of(const char *name);
const char *log_kind_name(enum log_kind kind);

/* The part behind the last slash. */
const char *log_path_name(const char *path);

/* The offset in the name of a segment's file; -1: it has none. */
int64_t log_path_offset(const char *path);

/* ---- what is told */

enum log_field_kind {
    LOG_FIELD_NUMBER,
    LOG_FIELD_FLAG,
    LOG_FIELD_TEXT,
    LOG_FIELD_BYTES,
    LOG_FIELD_JSON
};

/* One fact: a name as Kafka's dump tool has it ("baseOffset") and a value, borrowed. */
struct log_field {
    const char *name;
    enum log_field_kind kind;
    int64_t number; /* also of a flag; of text and bytes: their length, -1 is null */
    const void *data;
};

struct log_batch {
    struct batch_header header;
    int64_t pos;
    const uint8_t *bytes;  /* all of it */
    bool is_valid;         /* the checksum fits */
    int64_t max_timestamp; /* of the file up to and with this batch; -1: none */
};

struct log_scan {
    struct env *env;
    const char *path; /* of the file that is read */
    bool is_deep;     /* records are read, not headers and checksums alone */
    bool is_stopped;  /* set by who is told: nothing more is read */
    void *owner;      /* of who is told */

    /* Something is wrong at this byte of the file; -1: with the file. */
    void (*fault)(struct log_scan *s, int64_t pos, const char *text);
    /* These may be NULL. The file ends in a write that did not end; NULL: that is a fault. */
    void (*torn)(struct log_scan *s, int64_t pos, const char *text);
    /* A batch before its records. */
    void (*batch)(struct log_scan *s, const struct log_batch *batch);
    void (*record)(struct log_scan *s, const struct log_batch *batch, const struct record *record);
    /* An entry or a line of another file; `depth` 1: of something inside the item before it. */
    void (*item)(struct log_scan *s, int depth, const struct log_field *fields, size_t count);
    void (*moved)(struct log_scan *s, int64_t bytes); /* so many more were read */

    /* Counted over all files. */
    int64_t bytes;
    int64_t batches;
    int64_t records;

    struct batch_reader reader; /* internal */
};

void log_scan_init(struct log_scan *s, struct env *env);
void log_scan_deinit(struct log_scan *s);

void log_scan_fault(struct log_scan *s, int64_t pos, const char *format, ...) PRINTF_LIKE(3, 4);
void log_scan_torn(struct log_scan *s, int64_t pos, const char *text);
void log_scan_item(struct log_scan *s, int depth, const struct log_field *fields, size_t count);
void log_scan_moved(struct log_scan *s, int64_t bytes);

struct log_field log_number(const char *name, int64_t number);
struct log_field log_flag(const char *name, bool is_true);
struct log_field log_text(const char *name, const char *text); /* NULL: null */
struct log_field log_json(const char *name, const char *text);
struct log_field log_bytes(const char *name, const void *data, int64_t len); /* -1: null */

/* ---- segments */

enum log_tail {
    LOG_TAIL_NONE,  /* the last batch ends where the file ends */
    LOG_TAIL_ZEROS, /* preallocated */
    LOG_TAIL_TORN,  /* no batch, and no good one behind it */
};

struct log_segment_facts {
    int64_t size;
    int64_t end;          /* of the last batch; what is behind is the tail */
    int64_t first_offset; /* -1: there is no batch */
    int64_t next_offset;  /* behind the last batch; -1 */
    int64_t max_timestamp;
    int32_t first_epoch;
    int32_t last_epoch;
    enum log_tail tail;
    char tail_why[96]; /* what stands there instead of a batch */
};

/* Goes through the batches. Damage with a good batch behind it is a fault; the tail is told in
 * *facts and up to the caller: a broker that is writing has one. Errors: as log_window_open, and
 * ERR_IO; the file could not be read then. */
enum err log_scan_segment(struct log_scan *s, const char *path, struct log_segment_facts *facts)
    MUST_USE;

/* ---- files of entries with one size: the indexes */

struct log_entries {
    struct log_window window;
    int64_t pos; /* of the entry that next gave */
    int64_t next_pos;
    size_t entry_bytes;
    int64_t previous[2]; /* what must rise */
    int64_t count;
    bool is_over;
};

struct log_index_entry {
    int64_t offset; /* absolute */
    int64_t value;  /* a position, or a timestamp */
};

enum err log_entries_open(struct env *env, const char *path, enum log_kind kind,
                          struct log_entries *out) MUST_USE;
void log_entries_close(struct log_entries *entries);

/* The next entry of an .index or .timeindex with this base offset; false: no more. Entries that do
 * not rise and bytes behind them are told as faults. */
bool log_entries_next(struct log_scan *s, struct log_entries *entries, enum log_kind kind,
                      int64_t base_offset, struct log_index_entry *out);

/* ---- whole files; the errors are those of reading */

/* Any but segments: each entry and line is an item. */
enum err log_scan_other(struct log_scan *s, const char *path, enum log_kind kind) MUST_USE;

/* What log_scan_other calls. */
enum err log_scan_producers(struct log_scan *s, const char *path) MUST_USE;
enum err log_scan_checkpoint(struct log_scan *s, const char *path, enum log_kind kind) MUST_USE;
enum err log_scan_metadata(struct log_scan *s, const char *path, enum log_kind kind) MUST_USE;

enum err log_scan_journal(struct log_scan *s, const char *path) MUST_USE;

/* A small file as a whole, to be freed with mem_free. ERR_TOO_LARGE, and as log_window_open. */
enum err log_scan_read(struct log_scan *s, const char *path, size_t size_max, uint8_t **out,
                       size_t *size) MUST_USE;

#endif
