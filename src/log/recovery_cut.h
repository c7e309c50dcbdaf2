// SPDX-License-Identifier: Apache-2.0
/*
 * recovery_cut: what is done with the bytes behind the last good batch of a segment.
 * Zeros are preallocated space. Else it is a tear, unless a valid batch that continues
 * the offsets lies behind the bad one: then it is rot, and the bytes are kept in
 * a side file before they are cut.
 *
 * Thread: the one that opens; blocks.
 */
#ifndef LOG_RECOVERY_CUT_H
#define LOG_RECOVERY_CUT_H

#include "log/log_recovery.h"

/* `tail` is up to the last good batch, the file has `size` bytes.
 * ERR_CORRUPT: bytes are bad that the recovery point says were synced; nothing is changed then. */
enum err recovery_cut(struct log_recovery *r, struct segment *seg, struct env_file *file,
                      const struct segment_tail *tail, int64_t size) MUST_USE;

#endif
