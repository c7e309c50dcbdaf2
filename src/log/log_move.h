// SPDX-License-Identifier: Apache-2.0
/*
 * log_move: an open log goes on in another directory, into which all of it was copied
 * (log_copy.h). Nothing that is pending is touched: batches keep their offsets and places.
 *
 * Thread: [lock] and [writer] as in partition_log.h.
 * Crash:  see partition_log_move_publish's caller (replica/partition_move.c) and docs/formats.md.
 */
#ifndef LOG_LOG_MOVE_H
#define LOG_LOG_MOVE_H

#include "base/strbuf.h"
#include "log/log_copy.h"

/* [lock] What log_copy_take wants: all segments, as far as they are written. */
void partition_log_copy_source(struct partition_log *log, struct log_segments *out);

/* [lock] What leader-epoch-checkpoint is to say. */
void partition_log_epochs_text(struct partition_log *log, struct strbuf *out);

struct log_moving {
    struct log_home *home;
    struct segment **made; /* stands for each of the log's segments */
    struct segment **olds; /* what they stand for; afterwards with the log's references */
    uint32_t count;
};

/* [writer] Prepares what partition_log_move_publish puts in place. Touches no file. Between the
 * two no other [writer] call. */
void partition_log_move_prepare(struct partition_log *log, const char *dir, struct log_moving *out);

/* [lock] The log lives there: its files have these names and are synced. Views from before become
 * ERR_STALE, what was handed out of them stays good. */
void partition_log_move_publish(struct partition_log *log, struct log_moving *moving);

/* Blocks: closes the files of the old place, and frees it. */
void log_moving_release(struct log_moving *moving);

#endif
