// SPDX-License-Identifier: Apache-2.0
/* workload_produce_consume: plain producers with any acks, and consumers. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1800 };

static void set_up(struct world *w)
{
    world_add_random_topics(w);
    int64_t producers = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        if (i == 0)
            options.acks = -1; /* somebody has to be promised something */
        else if (i == 2 && sim_percent(w->sim, 20))
            options.acks = 0; /* a third of the work at most: it acknowledges nothing */
        int64_t batches = OPERATIONS / producers / w->history.partition_count + 1;
        options.batches = (unsigned)batches;
        world_add_producer(w, &options);
    }
    int64_t consumers = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < consumers; i++) {
        struct consumer_options options = world_random_consumer(w);
        world_add_consumer(w, &options);
    }
}

const struct workload workload_produce_consume = {"produce_consume", set_up};
