// SPDX-License-Identifier: Apache-2.0
/* workload_mixed: all kinds of clients at the same time. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1100, TOPICS = 4, ROUNDS = 10 };

static void set_up(struct world *w)
{
    world_add_random_topics(w);
    int64_t producers = sim_draw(w->sim, 2, 4);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        if (i % 2 == 0) {
            options.acks = -1;
            options.is_idempotent = true;
        }
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    for (int i = 0; i < 2; i++) {
        struct consumer_options options = world_random_consumer(w);
        world_add_consumer(w, &options);
    }
    world_add_admin(w, TOPICS, ROUNDS);
    world_add_noise(w, (uint32_t)sim_draw(w->sim, 0, 2));
}

const struct workload workload_mixed = {"mixed", set_up};
