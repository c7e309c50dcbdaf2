// SPDX-License-Identifier: Apache-2.0
/*
 * log_replay: the producers of a log as they are at an offset: from the newest snapshot
 * that can be read, and the headers of the batches behind it.
 *
 * Thread: the one that opens; blocks.
 */
#ifndef LOG_LOG_REPLAY_H
#define LOG_LOG_REPLAY_H

#include "log/log_names.h"
#include "log/log_recovery.h"
#include "log/partition_log_private.h"

struct log_replay {
    struct partition_log *log;
    struct producer_state *producers; /* empty; filled */
    int64_t end;                      /* a batch border */
    struct log_names *names;
    uint8_t *buffer; /* RECOVERY_BUFFER bytes */
};

/* Fills `producers`; snapshots that are of no use are unlinked (names->is_changed). On failure they
 * are as far as it went. */
enum err log_replay_producers(const struct log_replay *replay) MUST_USE;

#endif
