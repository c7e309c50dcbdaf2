// SPDX-License-Identifier: Apache-2.0
/*
 * leader_epochs: where each leader epoch of a log begins (KIP-101), as kept in the
 * file leader-epoch-checkpoint. Epochs and offsets both rise strictly.
 *
 * Thread: whoever owns it (the partition's monitor).
 */
#ifndef LOG_LEADER_EPOCHS_H
#define LOG_LEADER_EPOCHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

struct leader_epoch {
    int64_t start_offset;
    int32_t epoch;
};

struct leader_epochs {
    struct leader_epoch *entries;
    uint32_t count;
    uint32_t capacity;
    bool is_dirty; /* changed since the text was last made */
};

void leader_epochs_init(struct leader_epochs *epochs);
void leader_epochs_deinit(struct leader_epochs *epochs);
void leader_epochs_check(const struct leader_epochs *epochs);

/* The epoch begins at this offset. An epoch not above the last one: no change. Entries that would
 * begin at or behind it hold no records and go. */
void leader_epochs_begin(struct leader_epochs *epochs, int32_t epoch, int64_t start_offset);

int32_t leader_epochs_last(const struct leader_epochs *epochs); /* -1: none */

/* As Kafka's OffsetForLeaderEpoch: the last epoch ends at `log_end`; an epoch without records gives
 * the one before it; one below all gives itself and the first start; one above all gives -1 and
 * -1. */
void leader_epochs_end_of(const struct leader_epochs *epochs, int32_t epoch, int64_t log_end,
                          int32_t *found_epoch, int64_t *end_offset);

/* The log ends here now: entries that begin at or behind it go. */
void leader_epochs_cut_end(struct leader_epochs *epochs, int64_t log_end);

/* Appends were given back and the log ends here again: the last epoch, if it was to begin behind
 * the end, begins here. */
void leader_epochs_lower(struct leader_epochs *epochs, int64_t log_end);

/* The log begins here now: the epoch that holds the offset begins there, those before go. */
void leader_epochs_cut_start(struct leader_epochs *epochs, int64_t log_start);

/* The file's text. `write` clears is_dirty. */
void leader_epochs_write(struct leader_epochs *epochs, struct strbuf *out);
/* Replaces all entries. ERR_CORRUPT: nothing changed. */
enum err leader_epochs_read(struct leader_epochs *epochs, const void *data, size_t size) MUST_USE;

#endif
