// SPDX-License-Identifier: Apache-2.0
/*
 * recovery_end: does a sealed segment that is trusted still end where it has to? A file system may
 * lose the end of a file that was synced once (a repair, a copy that was cut short), and sizes
 * alone do not tell: what is left may end with a whole batch.
 *
 * Two things tell: the batches behind the last index entry have to end exactly at the end of the
 * file, and nothing that the indexes name may be missing. That offsets are missing before the next
 * segment's is no proof, since compaction makes such holes; it is reported where nothing compacts.
 *
 * Thread: the one that opens; blocks. Crash: changes nothing.
 */
#ifndef LOG_RECOVERY_END_H
#define LOG_RECOVERY_END_H

#include "log/log_recovery.h"
#include "log/segment_index.h"

struct recovery_end {
    struct env_file *file; /* the .log, borrowed */
    int64_t size;
    int64_t next_base;
    int64_t from; /* a batch begins there: by the last index entry */
    int64_t told; /* the highest offset that an index names; below the segment's base: none */
};

/* One or a few small reads. ERR_CORRUPT: it does not end with a batch, or begins with none where
 * the index says: scan it. With *is_lost it ends too early: it is to stay as it is, which the
 * report says. */
enum err recovery_end_check(struct log_recovery *r, const struct segment *seg,
                            const struct recovery_end *end, bool *is_lost) MUST_USE;

/* The same, before indexes that look wrong are made anew and what they tell is gone: reads all
 * headers. ERR_CORRUPT only with *is_lost. */
enum err recovery_end_check_all(struct log_recovery *r, struct segment *seg,
                                const struct recovery_end *end, bool *is_lost) MUST_USE;

#endif
