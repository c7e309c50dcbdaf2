// SPDX-License-Identifier: Apache-2.0
/*
 * log_replay: the producers of a log as they are at its end: from the newest snapshot
 * that can be read, and the headers of the batches behind it.
 *
 * Thread: the one that opens; blocks.
 */
#ifndef LOG_LOG_REPLAY_H
#define LOG_LOG_REPLAY_H

#include "log/log_names.h"
#include "log/partition_log_private.h"

/* Fills log->producers; snapshots that are of no use are unlinked (names->is_changed). */
enum err log_replay_producers(struct partition_log *log, struct log_names *names, uint8_t *buffer,
                              size_t capacity) MUST_USE;

#endif
