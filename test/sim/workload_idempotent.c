// SPDX-License-Identifier: Apache-2.0
/* workload_idempotent: idempotent producers with deep pipelines, and consumers. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1400 };

static void set_up(struct world *w)
{
    world_add_random_topics(w);
    int64_t producers = sim_draw(w->sim, 1, 4);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        options.acks = -1;
        options.is_idempotent = true;
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    struct consumer_options options = world_random_consumer(w);
    world_add_consumer(w, &options);
}

const struct workload workload_idempotent = {"idempotent", set_up};
