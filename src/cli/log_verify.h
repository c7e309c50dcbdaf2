// SPDX-License-Identifier: Apache-2.0
/*
 * log_verify: what the parts of `klamm log verify` share: what was found wrong, and what is known
 * of where a file lies.
 *
 * Thread: main.
 */
#ifndef CLI_LOG_VERIFY_H
#define CLI_LOG_VERIFY_H

#include "base/strbuf.h"
#include "cli/log.h"
#include "cli/progress.h"

struct verify_fault {
    char *path;
    int64_t pos; /* -1: of the whole file */
    char *text;
};

struct verify_faults {
    struct verify_fault *items;
    size_t count;
    size_t capacity;
};

/* What the log directory says about a partition; -1: it says nothing. */
struct verify_marks {
    int64_t recovery_point;
    int64_t log_start;
    int64_t high_watermark;
};

/* One "topic partition offset" line, of all checkpoint files of a directory. */
struct verify_mark {
    char *topic;
    int32_t partition;
    struct verify_marks values;
};

struct verify_home {
    bool is_known;             /* there is a log directory around it */
    bool is_in_use;            /* a process holds its lock: files change while they are read */
    bool is_clean;             /* it was stopped cleanly */
    struct verify_mark *marks; /* sorted by topic and partition */
    size_t mark_count;
    size_t mark_capacity;
};

struct segment_check;
struct verify_epochs;
struct kraft_reader;

struct verify {
    struct log_scan scan;
    struct verify_home home;
    struct verify_faults faults;         /* of the unit that is looked at: a file, a partition */
    struct verify_faults notes;          /* what is no fault but good to know */
    struct segment_check *segment_check; /* the one under way */
    struct verify_epochs *epochs;        /* being read */
    struct kraft_reader *kraft_reader;   /* of log_import, and what it reads in small files: */
    int64_t last_producer_id;
    int32_t last_epoch;
    bool has_open_transaction;
    bool is_excused; /* what is found here is made anew at the next start: a note, no fault */
    bool is_json;
    json_t *faults_json;
    json_t *notes_json;
    struct cli_progress progress;
    int64_t bytes_total; /* of the directories that were named; 0: not known */
    int64_t files;
    int64_t partitions;
    int64_t fault_count;
    int64_t omitted; /* in the file at hand, above what is told */
};

/* A fault, or a note, of `path`. */
void verify_say(struct verify *v, struct verify_faults *list, const char *path, int64_t pos,
                const char *text);
void verify_fault(struct verify *v, const char *path, int64_t pos, const char *format, ...)
    PRINTF_LIKE(4, 5);
void verify_note(struct verify *v, const char *path, int64_t pos, const char *format, ...)
    PRINTF_LIKE(4, 5);
void verify_faults_free(struct verify_faults *list);

/* Tells all that was found, and forgets it. */
void verify_flush(struct verify *v);

/* Runs `unit`; in a directory that is in use twice, where something seems to be wrong: what a
 * broker just did is not wrong the second time. Then flushes. */
void verify_unit(struct verify *v, void (*unit)(struct verify *v, const char *path),
                 const char *path);

/* A file that is no segment, or a segment with its indexes; `is_last`: of its partition. */
void verify_other(struct verify *v, const char *path, enum log_kind kind);

struct verify_epochs {
    struct log_index_entry *items; /* offset: where it begins; value: the epoch */
    size_t count;
    size_t capacity;
};

struct verify_segment {
    const char *path;
    const struct verify_epochs *epochs; /* may be NULL */
    int64_t recovery_point;             /* -1 */
    bool has_indexes;                   /* those beside it are looked at too */
    bool index_is_excused;
    bool is_last;
    struct log_segment_facts facts; /* out */
    bool is_read;                   /* out */
};

void verify_segment(struct verify *v, struct verify_segment *segment);

/* A partition's directory, and a log directory's. */
void verify_partition(struct verify *v, const char *path);
void verify_log_dir(struct verify *v, const char *path);

/* Of the directory around: lock, clean mark, checkpoints. */
void verify_home_read(struct verify *v, const char *path);
void verify_home_free(struct verify_home *home);
struct verify_marks verify_marks_of(const struct verify_home *home, const char *partition_name);

/* Names in a directory, in byte order. */
struct verify_names {
    struct verify_name {
        char *text;
        bool is_dir;
    } * items;
    size_t count;
    size_t capacity;
};

/* False: it is no directory that can be read. */
bool verify_names_list(struct env *env, const char *path, struct verify_names *out);
void verify_names_free(struct verify_names *names);

#endif
