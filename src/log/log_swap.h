// SPDX-License-Identifier: Apache-2.0
/*
 * log_swap: puts a segment that compaction made in place of those that it was made of.
 *
 *   1. .cleaned files become .swap files, the .log last; the directory is synced: from here
 *      on a crash ends with the new segment in place;
 *   2. readers get the new one, whose files are open or found under either name; views of the
 *      old ones become ERR_STALE, what was handed out of them stays good;
 *   3. the old files become .deleted; the directory is synced;
 *   4. the .swap files get their place, the .log last; the directory is synced.
 *
 * Thread: [lock] and [writer] as in partition_log.h.
 * Crash:  at any point the next open finds the old segments or the new one, never both
 *         and never a part (docs/formats.md).
 */
#ifndef LOG_LOG_SWAP_H
#define LOG_LOG_SWAP_H

#include "log/partition_log.h"

struct log_swap {
    struct segment *made;        /* one reference; its files are .cleaned and synced */
    struct segment *const *olds; /* borrowed: what it stands for, in order */
    uint32_t old_count;
    int64_t end_offset;  /* where the next segment begins */
    uint32_t generation; /* of the log when the old ones were taken */
    struct list retired; /* results: the old segments, whose files are .deleted */
    bool is_published;
};

/* [lock] Are the old segments still what the log has? False: the swap is off. */
bool partition_log_swap_is_valid(const struct partition_log *log, const struct log_swap *swap);

/* [writer] Step 1. On failure nothing changed for readers, and the .cleaned files are to be
 * removed; ERR_IO: the log takes no more writes. */
enum err partition_log_swap_begin(struct partition_log *log, struct log_swap *swap) MUST_USE;

/* [lock] Step 2. Must follow; nothing else of the [writer] kind between. */
void partition_log_swap_publish(struct partition_log *log, struct log_swap *swap);

/* [writer] Steps 3 and 4; then partition_log_unlink_retired for swap->retired after a while.
 * ERR_IO: the log takes no more writes. */
enum err partition_log_swap_finish(struct partition_log *log, struct log_swap *swap) MUST_USE;

#endif
