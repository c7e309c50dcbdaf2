// SPDX-License-Identifier: Apache-2.0
/*
 * world_clean: the phase in which compaction is made to come to the end: so much is written that
 * all that there was is in sealed segments, and waited until it was compacted; once more when the
 * tombstones have had their time. Then everything is read: below that end there is of each key just
 * the last record (check_compacted.c).
 *
 * Only where any dirty byte is reason enough to compact, and no journal keeps some of them back.
 *
 * Thread: one.
 */
#include "base/assert.h"
#include "broker_counts.h"
#include "world.h"

enum { STEPS_MAX = 200, BATCHES = 5, BATCH_RECORDS = 10, STEP_S = 1, REST_S = 2, FILL_MAX_S = 30 };
enum { TOMBSTONES_STAY_MAX_S = 5 }; /* else it is not waited for */

static bool is_never(const struct world *w)
{
    return false;
}

static bool is_filled(const struct world *w)
{
    return producer_is_done(&w->filler);
}

static bool look_at(const struct world *w, const struct history_partition *p, int64_t *clean_end,
                    int64_t *log_end)
{
    return broker_cleaned(process_broker(w->process), p->topic, p->index, clean_end, log_end);
}

/* Up to p->clean_end, which is what is wanted. */
static bool is_clean(const struct world *w)
{
    for (uint32_t i = 0; i < w->history.partition_count; i++) {
        const struct history_partition *p = &w->history.partitions[i];
        int64_t clean_end, log_end;
        if (p->key_count > 0 && (!look_at(w, p, &clean_end, &log_end) || clean_end < p->clean_end))
            return false;
    }
    return true;
}

/* All that there is now. */
static void clean(struct world *w)
{
    for (uint32_t i = 0; i < w->history.partition_count; i++) {
        struct history_partition *p = &w->history.partitions[i];
        int64_t clean_end, log_end;
        if (look_at(w, p, &clean_end, &log_end))
            p->clean_end = log_end;
    }
    for (int step = 0; step < STEPS_MAX && !w->has_failed; step++) {
        producer_add_batches(&w->filler, BATCHES);
        if (!world_run_until(w, is_filled, FILL_MAX_S))
            world_fail(w, "what is to be compacted is not acknowledged", "");
        if (world_run_until(w, is_clean, STEP_S))
            return;
    }
    world_fail(w, "compaction does not come to the end", "");
}

static int64_t tombstones_stay_s(const struct world *w)
{
    int64_t longest_ns = 0;
    for (uint32_t i = 0; i < w->history.partition_count; i++)
        longest_ns = MAX(longest_ns, w->history.partitions[i].tombstones_stay_ns);
    return longest_ns / SIM_S + 1;
}

static void start_filler(struct world *w)
{
    struct client_options client = world_client_of_all(w);
    struct producer_options options = {.acks = -1,
                                       .in_flight_max = 1,
                                       .batches = 1,
                                       .batch_records_max = BATCH_RECORDS,
                                       .record_bytes_max = (unsigned)w->record_bytes_max};
    producer_start(&w->filler, w->producer_count + 1, &client, &options);
}

static void read_clean(struct world *w, const int64_t *due_ends)
{
    struct history *h = &w->history;
    (void)world_run_until(w, is_never, REST_S); /* what is dirty still is compacted, too */
    for (uint32_t i = 0; i < h->partition_count; i++) {
        struct history_partition *p = &h->partitions[i];
        int64_t log_end;
        bool is_there = look_at(w, p, &p->clean_end, &log_end);
        ASSERT(is_there == (p->key_count > 0));
        p->due_end = due_ends[i];
    }
    h->is_auditing = false;
    (void)world_read_all(w);
    for (uint32_t i = 0; i < h->partition_count; i++)
        h->partitions[i].clean_end = h->partitions[i].due_end = 0;
}

void world_clean(struct world *w)
{
    int64_t due_ends[CLIENT_PARTITIONS_MAX] = {0};
    if (!w->swarm.cleaner.is_thorough || w->swarm.journal_bytes > 0)
        return;
    start_filler(w);
    clean(w);
    int64_t stay_s = tombstones_stay_s(w);
    if (!w->has_failed && stay_s <= TOMBSTONES_STAY_MAX_S + 1) {
        for (uint32_t i = 0; i < w->history.partition_count; i++)
            due_ends[i] = w->history.partitions[i].clean_end;
        (void)world_run_until(w, is_never, stay_s);
    }
    if (!w->has_failed)
        clean(w);
    producer_stop(&w->filler);
    if (!w->has_failed)
        read_clean(w, due_ends);
}
