// SPDX-License-Identifier: Apache-2.0
/* workload_move: partitions go from one log directory to another, and back, while others write and
 * read them, delete from their front, make and delete topics. Thread: one. */
#include "world.h"

enum { OPERATIONS = 1500, TOPICS = 4, ROUNDS = 10 };

/* With them all topics are durable: nothing else excuses what a failed write has lost. */
static void draw_errors(struct world *w)
{
    static const char *const under[] = {"/data-2", "-future", "/data/topic-"};
    struct sim *sim = w->sim;
    w->swarm.faults.under = under[sim_draw(sim, 0, (int64_t)ARRAY_COUNT(under) - 1)];
    w->swarm.faults.disk_error_ppm = sim_percent(sim, 50) ? 500 : 3000;
    w->swarm.faults.name_error_ppm = sim_percent(sim, 50) ? 2000 : 20000;
}

static void add_producers(struct world *w, bool wants_all)
{
    int64_t producers = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        options.is_idempotent = sim_percent(w->sim, 50);
        if (i == 0 || wants_all || options.is_idempotent)
            options.acks = -1;
        options.batches = (unsigned)(OPERATIONS / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
}

static void add_movers(struct world *w)
{
    static const int64_t pauses_ms[] = {5, 50, 300};
    int64_t movers = sim_draw(w->sim, 1, 2);
    for (int64_t i = 0; i < movers; i++) {
        struct mover_options options = {
            .dir_count = w->swarm.log_dirs,
            .pause_max_ns = pauses_ms[sim_draw(w->sim, 0, 2)] * SIM_MS,
            .rate_percent = sim_percent(w->sim, 50) ? 5 : 0,
        };
        world_add_mover(w, &options);
    }
}

static void set_up(struct world *w)
{
    struct sim *sim = w->sim;
    w->swarm.log_dirs = (unsigned)sim_draw(sim, 2, 3);
    w->swarm.dir_missing_percent = sim_percent(sim, 60) ? 30 : 0;
    w->swarm.aims_at_moves = true;
    w->swarm.crash_aimed_percent = sim_percent(sim, 50) ? 50 : 90;
    if (w->swarm.journal_bytes > 0)
        w->swarm.journal_after_commits = sim_draw(sim, 0, 10);
    bool has_compacted = sim_percent(sim, 30);
    bool has_errors = sim_percent(sim, 30);
    if (has_errors)
        draw_errors(w);
    world_add_random_topics(w);
    int32_t record_bytes_max = w->record_bytes_max;
    if (has_compacted)
        world_add_compacted_topics(w);
    w->record_bytes_max = MIN(record_bytes_max, w->record_bytes_max);
    add_producers(w, has_compacted || has_errors);
    int64_t consumers = sim_draw(sim, 1, 2);
    for (int64_t i = 0; i < consumers; i++) {
        struct consumer_options options = world_random_consumer(w);
        options.rereads = has_compacted ? (unsigned)sim_draw(sim, 0, 10) : 0;
        world_add_consumer(w, &options);
    }
    if (!has_compacted)
        world_add_trimmers(w, (uint32_t)sim_draw(sim, 0, 2));
    if (sim_percent(sim, 50))
        world_add_admin(w, TOPICS, ROUNDS);
    add_movers(w);
}

const struct workload workload_move = {"move", set_up};
