// SPDX-License-Identifier: Apache-2.0
/* workload_again: topics that were made again under the names of others. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1500, CHECK_LATE_MS = 300000 };

static void set_up(struct world *w)
{
    struct sim *sim = w->sim;
    w->has_namesakes = true;
    if (sim_percent(sim, 60)) /* what was remembered of the old ones stays */
        w->swarm.retention_check_ms = CHECK_LATE_MS;
    w->swarm.log_dirs = (unsigned)sim_draw(sim, 1, 2);
    w->swarm.dir_missing_percent = sim_percent(sim, 60) ? 30 : 0;
    bool has_compacted = sim_percent(sim, 25);
    if (has_compacted)
        world_add_compacted_topics(w);
    else
        world_add_random_topics(w);
    int64_t producers = sim_draw(sim, 1, 3);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        if (i == 0 || has_compacted) /* what is known of a key is not forgotten with a power cut */
            options.acks = -1;
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    if (sim_percent(sim, 50)) {
        struct consumer_options options = world_random_consumer(w);
        world_add_consumer(w, &options);
    }
}

const struct workload workload_again = {"again", set_up};
