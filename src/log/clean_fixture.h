// SPDX-License-Identifier: Apache-2.0
/*
 * clean_fixture: logs of keys and values for the tests of compaction, and a model of what
 * has to be left of them.
 *
 * Thread: the test's.
 */
#ifndef LOG_CLEAN_FIXTURE_H
#define LOG_CLEAN_FIXTURE_H

#include "log/log_cleaning.h"
#include "log/log_fixture.h"
#include "wire/batch_builder.h"

enum { CLEAN_RECORDS_MAX = 4096, CLEAN_TOMBSTONE = -1 };

struct clean_record {
    int64_t offset;
    int key;
    int value; /* CLEAN_TOMBSTONE: none */
};

struct clean_batch {
    struct batch_options options;       /* codec, producer, transaction */
    const struct clean_record *records; /* their offsets are not looked at */
    int count;
    int64_t timestamp_ms;
    int marker; /* a control batch: 0 abort, 1 commit; with `count` 0 */
};

/* All that was ever appended, by offset. */
struct clean_model {
    struct clean_record records[CLEAN_RECORDS_MAX];
    int count;
};

struct clean_env {
    struct env *env;
    struct partition_log *log;
    size_t map_bytes;
    int64_t first_dirty;
    int64_t now_ms;
    void (*in_swap)(struct clean_env *c); /* the log has the new segment, its names are not right
                                             yet; NULL: nothing */
    struct log_cleaning_stats stats;      /* of the last cleaning */
    char why[256];
};

/* A batch's bytes. */
struct iobuf_slice clean_bytes(const struct clean_batch *batch);

/* Appends and commits; returns how it went. */
enum err clean_append(struct clean_env *c, const struct clean_batch *batch, int32_t leader_epoch);

/* One record; the model gains it. */
void clean_put(struct clean_env *c, struct clean_model *model, int key, int value);

/* One cleaning of all that may be cleaned, with its swaps; first_dirty moves. ERR_NOT_FOUND:
 * nothing to do. */
enum err clean_run(struct clean_env *c);

/* What is in the log, read as a consumer reads it. `from`: the first offset. ERR_CORRUPT when
 * offsets do not rise. */
enum err clean_read(struct clean_env *c, int64_t from, struct clean_model *out);

/* Does `found` hold just the last value of each key below `end`, with the tombstones or without
 * them, and all from there on? Some records below may be there still where `is_strict` is not set:
 * then only values that are not the last may be too many. */
bool clean_matches(const struct clean_model *model, const struct clean_model *found, int64_t end,
                   bool has_tombstones);

#endif
