// SPDX-License-Identifier: Apache-2.0
/* workload_trim: records are deleted from the front while others write and read. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1500 };

static void set_up(struct world *w)
{
    world_add_random_topics(w);
    int64_t producers = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        options.acks = i == 0 ? -1 : options.acks;
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    int64_t consumers = sim_draw(w->sim, 0, 2);
    for (int64_t i = 0; i < consumers; i++) {
        struct consumer_options options = world_random_consumer(w);
        world_add_consumer(w, &options);
    }
    world_add_trimmers(w, (uint32_t)sim_draw(w->sim, 1, 3));
}

const struct workload workload_trim = {"trim", set_up};
