// SPDX-License-Identifier: Apache-2.0
/*
 * log_recovery: what a segment holds when a log is opened. Trusted segments are asked
 * for their sizes and the ends of their indexes; others are read batch by batch,
 * their indexes made anew, and cut at the first bad batch.
 *
 * Thread: the one that opens; blocks.
 * Crash:  may be repeated after any step.
 */
#ifndef LOG_LOG_RECOVERY_H
#define LOG_LOG_RECOVERY_H

#include "log/leader_epochs.h"
#include "log/partition_log.h"
#include "log/segment.h"

enum { RECOVERY_BUFFER = 256 << 10 };

/* All that is there was synced, wherever it ends. */
#define RECOVERY_POINT_END INT64_MAX

struct log_recovery {
    struct env *env;
    struct log_home *home;
    struct log_open_report *report;
    struct leader_epochs *epochs; /* learns the epochs of scanned batches */
    int64_t recovery_point;       /* checksums are verified from here on */
    int64_t index_interval_bytes;
    int64_t next_base;        /* of the segment behind the one that is scanned; 0: unknown */
    bool is_compacted;        /* offsets may be missing where a segment ends */
    _Atomic int64_t *scanned; /* counts the bytes of scans while they go on; NULL: nobody asks */
    uint8_t *buffer;          /* RECOVERY_BUFFER bytes */
};

/* A sealed segment that ends below the recovery point, or of a log that was closed cleanly: the
 * next segment's base tells where it ends. Its indexes are made anew when they look wrong.
 * ERR_CORRUPT: it holds something that is no batch, or ends too early (recovery_end.h). */
enum err recovery_trust(struct log_recovery *r, struct segment *seg, int64_t next_base) MUST_USE;

/* The last segment of a log that was closed cleanly: read from the last index entry on. ERR_AGAIN:
 * it is not as a clean stop leaves it: scan it. */
enum err recovery_trust_last(struct log_recovery *r, struct segment *seg) MUST_USE;

/* Reads all of it. Cut at the first bad batch, and synced; the indexes are made anew, those of a
 * sealed one with the final time entry.
 * ERR_CORRUPT: the bad batch lies below the recovery point; the .log was not changed. */
enum err recovery_scan(struct log_recovery *r, struct segment *seg, bool is_sealed) MUST_USE;

/* The same for a segment that readers may use: what it holds goes into *out, not into the segment,
 * and its files stay open. */
enum err recovery_scan_into(struct log_recovery *r, struct segment *seg, bool is_sealed,
                            struct segment_tail *out) MUST_USE;

/* A segment behind a cut: its bytes are kept in a side file when there are any, the rest goes. */
enum err recovery_set_aside(struct log_recovery *r, struct segment *seg) MUST_USE;

/* Adds a line for people to the report; the first one wins. */
void recovery_say(struct log_recovery *r, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
