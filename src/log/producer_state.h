// SPDX-License-Identifier: Apache-2.0
/*
 * producer_state: what one partition remembers of its idempotent producers: the
 * epoch and the last five batches of each (KIP-98, KIP-360), so that a repeat is
 * known as one and a gap is refused.
 *
 * Every change for a batch that is not on disk yet can be undone, newest first.
 * A batch of another epoch than the producer's present one is no repeat of
 * anything, but keeps its place among the five, so that a new epoch can be undone
 * too. Does not know the log: it is told batches and their offsets.
 *
 * Thread: whoever owns it (the partition's monitor).
 */
#ifndef LOG_PRODUCER_STATE_H
#define LOG_PRODUCER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "wire/batch.h"

enum { PRODUCER_BATCHES_KEPT = 5 };

struct producer_batch {
    int64_t last_offset;
    int64_t append_time_ms; /* of LogAppendTime batches; else -1 */
    int32_t last_sequence;
    int32_t offset_delta; /* last offset - first offset = last sequence - first, modulo 2^31 */
    int16_t epoch;
};

struct producer_entry {
    struct map_node node;
    int64_t producer_id;
    int64_t last_timestamp_ms; /* of the newest batch */
    int64_t seen_ms;           /* when it was last heard of, by our clock */
    int64_t txn_first_offset;  /* of the open transaction; -1: none */
    uint32_t pending;          /* changes that may still be undone */
    int32_t coordinator_epoch;
    int16_t epoch;
    uint8_t next;  /* where the next batch goes */
    uint8_t count; /* batches kept, at most PRODUCER_BATCHES_KEPT */
    struct producer_batch batches[PRODUCER_BATCHES_KEPT];
};

struct producer_state {
    struct map by_id;
};

/* What one change replaced. `entry` NULL: nothing was changed. */
struct producer_undo {
    struct producer_entry *entry;
    struct producer_batch replaced;
    int64_t last_timestamp_ms;
    int64_t seen_ms;
    int64_t txn_first_offset;
    int16_t epoch;
    uint8_t count;
    bool was_new;
};

/* What the producer state says to a batch, before it gets an offset. */
enum producer_verdict {
    PRODUCER_NEW,    /* append it */
    PRODUCER_REPEAT, /* one of the last five of this producer: first_offset is the original's */
    PRODUCER_OUT_OF_ORDER, /* a gap in the sequence, a repeat from before the last five, or a new
                              epoch that does not begin at 0 */
    PRODUCER_FENCED,       /* an older epoch */
};

struct producer_check {
    enum producer_verdict verdict;
    int64_t first_offset; /* of the original, for PRODUCER_REPEAT */
    int64_t last_offset;
    int64_t timestamp_ms; /* log append time of the original or -1 */
    bool is_unknown;      /* it has a producer id, and nothing is known of that producer */
};

void producer_state_init(struct producer_state *state);
void producer_state_deinit(struct producer_state *state);

/* NULL: not known. */
struct producer_entry *producer_state_find(const struct producer_state *state, int64_t producer_id);

/* A batch without a producer id is always PRODUCER_NEW. */
struct producer_check producer_state_check(const struct producer_state *state,
                                           const struct batch_header *batch);

/* Remembers the batch, whatever its sequence. `undo` NULL: it is on disk already (a replay).
 * A control batch ends the producer's transaction and leaves the five alone.
 * ERR_NO_MEMORY: nothing changed. */
enum err producer_state_add(struct producer_state *state, const struct batch_header *batch,
                            int64_t now_ms, struct producer_undo *undo) MUST_USE;

/* Exactly one of these for each add with an `undo`; undone in the reverse order of adding. */
void producer_state_keep(struct producer_undo *undo);
void producer_state_undo(struct producer_state *state, struct producer_undo *undo);

/* Forgets those not heard of for so long; never one with an open transaction or a pending batch. */
void producer_state_expire(struct producer_state *state, int64_t now_ms, int64_t expiration_ms);

/* When the first of them may be forgotten; INT64_MAX: never, as things are. */
int64_t producer_state_due_ms(const struct producer_state *state, int64_t expiration_ms);

/* The newest batch, of whatever epoch; NULL: none is kept. */
const struct producer_batch *producer_entry_last(const struct producer_entry *entry);
/* -1: no batch of the present epoch is known. */
int32_t producer_entry_last_sequence(const struct producer_entry *entry);

/* ---- the content of a .snapshot file */

size_t producer_snapshot_size(const struct producer_state *state);
/* Writes producer_snapshot_size() bytes. */
void producer_snapshot_write(const struct producer_state *state, uint8_t *out, size_t size);
/* Into an empty state. ERR_CORRUPT, ERR_UNSUPPORTED (another version), ERR_NO_MEMORY: the state is
 * empty again. */
enum err producer_snapshot_read(struct producer_state *state, const uint8_t *data, size_t size,
                                int64_t now_ms) MUST_USE;

#endif
