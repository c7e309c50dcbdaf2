// SPDX-License-Identifier: Apache-2.0
/*
 * log_cleaning: one compaction of one log, in small steps:
 *
 *   1. all headers up to `end` are looked at: which transactions were aborted, how many
 *      records are dirty;
 *   2. the keys of the dirty part go into a map, key to last offset, until it is full:
 *      then what was seen is compacted, and the rest the next time;
 *   3. from the log's begin to there segments are taken in groups that fit into one, and
 *      each group is written anew without what the map, tombstones and transactions say
 *      may go; the owner puts the result in place of the group (log_swap.h).
 *
 * It works on sealed segments by reference, so readers and writers of the log go on beside it.
 *
 * Thread: one at a time; blocks.
 * Crash:  what is not in place is removed at the next open; what is in place is whole.
 * Limits: the key map, the buffers, and one batch.
 */
#ifndef LOG_LOG_CLEANING_H
#define LOG_LOG_CLEANING_H

#include "log/log_cleanable.h"
#include "log/log_swap.h"

struct log_cleaning_options {
    size_t map_bytes_max;
    double map_load; /* 0 to 1 */
    size_t io_bytes; /* of one buffer for reading, and one for writing */
};

enum log_cleaning_next {
    CLEANING_MORE, /* call again */
    CLEANING_SWAP, /* cleaning->swap wants to be put in place; then log_cleaning_swapped */
    CLEANING_DONE,
};

struct log_cleaning_stats {
    int64_t bytes_read;    /* from .log files, all passes */
    int64_t bytes_written; /* to all files */
    int64_t bytes_before;  /* of the segments that were written anew, */
    int64_t bytes_after;   /* and of what took their place */
    uint64_t records_read;
    uint64_t records_kept;
    size_t map_bytes;
};

struct log_cleaning; /* below `swap` and `stats` its own */

/* Takes what the plan holds, also on failure. ERR_NO_MEMORY. */
enum err log_cleaning_new(struct env *env, struct log_clean_plan *take_plan,
                          const struct log_cleaning_options *options, struct log_cleaning **out)
    MUST_USE;

/* Removes what is half done. Accepts NULL. */
void log_cleaning_free(struct log_cleaning *c);

/* ERR_CORRUPT: log_cleaning_why says where; the log should be left alone from now on. ERR_FULL: the
 * key map cannot hold one batch's keys; the same. ERR_TOO_LARGE: a segment would outgrow its
 * bound; the same. ERR_STALE: the files are gone. ERR_NO_SPACE, ERR_NO_MEMORY: another time.
 * ERR_IO. After an error only log_cleaning_free. */
enum err log_cleaning_step(struct log_cleaning *c, enum log_cleaning_next *next) MUST_USE;

/* What is to be put in place. */
struct log_swap *log_cleaning_swap(struct log_cleaning *c);

/* It is in place. */
void log_cleaning_swapped(struct log_cleaning *c);

/* All below it is clean when CLEANING_DONE was said. */
int64_t log_cleaning_end(const struct log_cleaning *c);
const struct log_cleaning_stats *log_cleaning_stats(const struct log_cleaning *c);
const char *log_cleaning_why(const struct log_cleaning *c);

#endif
