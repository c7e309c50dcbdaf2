// SPDX-License-Identifier: Apache-2.0
/*
 * refused_batches: which batches of idempotent producers a partition has refused for want of room.
 *
 * A producer sends its next batches before it hears that one was refused. Where the partition
 * knows the producer, the gap in its sequence refuses them too. Where it does not (it is new, or
 * forgotten), any sequence would do: with room again the second batch would be taken, and the
 * first, sent again, be out of order for ever. So the first that was refused is remembered, and
 * nothing else of its producer's epoch is taken before it comes, or a while has passed.
 *
 * Thread: the partition's monitor. Limits: REFUSED_BATCHES_MAX producers; the oldest is forgotten.
 */
#ifndef REPLICA_REFUSED_BATCHES_H
#define REPLICA_REFUSED_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

struct batch_header;

enum { REFUSED_BATCHES_MAX = 64, REFUSED_BATCHES_MS = 300000 };

struct refused_batch {
    int64_t producer_id;
    int64_t at_ms;
    int32_t sequence;
    int16_t epoch;
};

struct refused_batches {
    int64_t strict_until_ms;     /* until then nobody unknown begins in the middle; 0: he may */
    struct refused_batch *items; /* oldest first; NULL: none */
    uint32_t count;
};

void refused_batches_deinit(struct refused_batches *refused);

/* Nobody was refused, and it is not strict: all may be taken. */
static inline bool refused_batches_is_empty(const struct refused_batches *refused)
{
    return refused->count == 0 && refused->strict_until_ms == 0;
}

/* Times are monotonic. Of one epoch the earliest is kept. Without a producer id: nothing. */
void refused_batches_note(struct refused_batches *refused, const struct batch_header *batch,
                          int64_t now_ms);

/* The partition was offline, and nobody knows what was refused meanwhile: nobody unknown may begin
 * in the middle of a sequence for a while. */
void refused_batches_strict(struct refused_batches *refused, int64_t now_ms);

/* May it be taken? */
bool refused_batches_allow(const struct refused_batches *refused, const struct batch_header *batch,
                           bool is_unknown, int64_t now_ms);

/* It was taken. */
void refused_batches_drop(struct refused_batches *refused, const struct batch_header *batch);

#endif
