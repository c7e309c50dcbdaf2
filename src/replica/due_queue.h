// SPDX-License-Identifier: Apache-2.0
/*
 * due_queue: which partitions have something to come due, and when, so that nobody has to look
 * at all of them. Two kinds of dates, both in wall time:
 *
 *   exact   a timer is to fire then (flush.ms, files to be unlinked)
 *   round   to be looked at in the first round of upkeep at or after this time (retention,
 *           expiry of producers), DUE_NEXT_ROUND: in the next one that begins
 *
 * A partition that is taken for a date loses that date and names its next one after its
 * upkeep. One with nothing to come is in no heap and costs nothing.
 *
 * It does not know what is done then. A place that was closed takes no more dates, so its
 * partition may go.
 *
 * Thread: any; the monitor is held for microseconds.
 */
#ifndef REPLICA_DUE_QUEUE_H
#define REPLICA_DUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "env/monitor.h"

#define DUE_NEXT_ROUND INT64_MIN
#define DUE_NEVER      INT64_MAX

struct due_queue {
    struct monitor monitor; /* over all that follows, and all places */
    struct heap exact;
    struct heap dated;     /* for the first round after a date */
    struct list next;      /* of struct due_place: for the next round */
    struct list this_time; /* the same, of the round that goes on */
};

/* Embedded in a partition. */
struct due_place {
    struct heap_node exact;
    struct heap_node dated;
    struct list link;
    bool is_closed;
};

void due_queue_init(struct due_queue *queue);
void due_queue_deinit(struct due_queue *queue); /* nothing is in it */

void due_place_init(struct due_place *place); /* nothing to come */

/* Sets the date, unless an earlier one of its kind stands. True: the timer has to be set anew,
 * since it is the earliest exact date, or the first of any for a round. DUE_NEVER changes nothing.
 */
bool due_queue_exact(struct due_queue *queue, struct due_place *place, int64_t wall_ms);
bool due_queue_round(struct due_queue *queue, struct due_place *place, int64_t wall_ms);

/* Nothing of this place comes any more. */
void due_queue_close(struct due_queue *queue, struct due_place *place);

/* Who was to be looked at in the next round is looked at in this one; who comes from now on is not,
 * so that a round ends. */
void due_queue_begin_round(struct due_queue *queue);

/* Takes the next place out whose exact date has come, or that is of this round (`in_round`), and
 * its date with it; `take` is called with it under the monitor, to get a hold on its partition.
 * False: there is none. */
bool due_queue_take(struct due_queue *queue, int64_t now_ms, bool in_round,
                    void (*take)(void *arg, struct due_place *place), void *arg);

/* The earliest exact date; DUE_NEVER: none. *wants_round: is there somebody for a round? */
int64_t due_queue_next(struct due_queue *queue, bool *wants_round);

#endif
