// SPDX-License-Identifier: Apache-2.0
/* workload_retain: small topics with retention by time or by size, from some of which records are
 * deleted, too; then all rest until what is not wanted has gone. Thread: one. */
#include <stdio.h>

#include "world.h"

enum { OPERATIONS = 1500, SETTLE_S = 30, RETENTION_MS_MAX = 3000 };

static void add_topic(struct world *w, int64_t number, int32_t batch_bytes)
{
    struct sim *sim = w->sim;
    char name[HISTORY_NAME_SIZE];
    bool is_by_time = sim_percent(sim, 60);
    int32_t segment_bytes = (int32_t)sim_draw(sim, 2048, 30000);
    snprintf(name, sizeof(name), "kept-%lld", (long long)number);
    world_add_topic(
        w, &(struct world_topic_options){
               .name = name,
               .partitions = (int32_t)sim_draw(sim, 1, 3),
               .is_durable = sim_percent(sim, 80),
               .segment_bytes = MAX(batch_bytes, segment_bytes),
               .index_interval_bytes = sim_percent(sim, 50) ? 200 : 4096,
               .is_preallocated = sim_percent(sim, 20),
               .retention_ms = is_by_time ? (int32_t)sim_draw(sim, 50, RETENTION_MS_MAX) : 0,
               .retention_bytes = is_by_time ? 0 : (int32_t)sim_draw(sim, 5000, 100000),
               .segment_ms = sim_percent(sim, 30) ? (int32_t)sim_draw(sim, 20, 2000) : 0,
               .segment_jitter_ms = sim_percent(sim, 50) ? 500 : 0,
               .delete_delay_ms = (int32_t)sim_draw(sim, 0, 2000),
           });
}

static void set_up(struct world *w)
{
    struct sim *sim = w->sim;
    w->swarm.jump_interval_ns = 0; /* a record's age is that of the world */
    w->swarm.retention_check_ms = (int32_t)sim_draw(sim, 10, 500);
    w->settle_s = SETTLE_S;
    w->record_bytes_max = (int32_t)sim_draw(sim, 20, 600);
    int32_t batch_bytes = 10 * (w->record_bytes_max + 40) + 100;
    int64_t topics = sim_draw(sim, 1, 3);
    for (int64_t i = 0; i < topics; i++)
        add_topic(w, i, batch_bytes);
    int64_t producers = sim_draw(sim, 1, 3);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        options.acks = i == 0 ? -1 : options.acks;
        options.think_max_ns = sim_draw(sim, 1, 40) * SIM_MS;
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    int64_t consumers = sim_draw(sim, 1, 2);
    for (int64_t i = 0; i < consumers; i++) {
        struct consumer_options options = world_random_consumer(w);
        world_add_consumer(w, &options);
    }
    world_add_trimmers(w, sim_percent(sim, 40) ? 1 : 0);
}

const struct workload workload_retain = {"retain", set_up};
