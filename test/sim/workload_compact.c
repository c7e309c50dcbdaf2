// SPDX-License-Identifier: Apache-2.0
/* workload_compact: keys are written again and again, deleted and read from the start on, while
 * their logs are compacted. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1500 };

static void set_up(struct world *w)
{
    world_add_compacted_topics(w);
    int64_t producers = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        options.acks = -1;
        options.is_idempotent = sim_percent(w->sim, 50);
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    int64_t consumers = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < consumers; i++) {
        struct consumer_options options = world_random_consumer(w);
        options.rereads = (unsigned)sim_draw(w->sim, 0, 30);
        if (MIN(options.bytes_max, options.partition_bytes_max) == 1) /* a batch a Fetch */
            options.rereads /= 4;
        world_add_consumer(w, &options);
    }
}

const struct workload workload_compact = {"compact", set_up};
