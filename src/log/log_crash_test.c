// SPDX-License-Identifier: Apache-2.0
/*
 * A log on a disk that forgets: a process is killed in each of its disk operations, the next one
 * finds what the page cache has and calls it durable, then the power goes. Thread: the test's.
 */
#include "base/testing.h"
#include "env/sim_env.h"
#include "log/log_fixture.h"

enum { SEEDS = 10, BATCHES = 6 };

static struct sim_env *process(struct sim *sim, struct sim_disk *disk)
{
    return sim_env_new(sim, &(struct sim_env_options){.ip = "10.0.0.1", .disk = disk});
}

/* The fixture's own env tells only the time. */
static enum err open_log(struct fixture *f, struct sim_env *env)
{
    struct log_open_options options = {
        .dir = "t-0", .topic_id = {{1}}, .jitter_seed = 1, .config = &f->config};
    return partition_log_open(&env->env, &options, &f->report, &f->log);
}

/* Segments of two batches. */
static void fill_until_killed(struct fixture *f, struct sim_env *env)
{
    if (open_log(f, env) != ERR_OK)
        return;
    for (int i = 0; i < BATCHES && !env->is_dead; i++) {
        struct fixture_batch batch = {
            .records = 2, .payload = 50, .timestamp_ms = 1000, .producer_id = -1};
        if (fixture_append(f, &batch) != ERR_OK || fixture_commit(f, false) != ERR_OK)
            break;
    }
}

TEST(what_a_killed_process_left_is_durable_once_it_is_opened)
{
    bool was_killed = true;
    for (int64_t nth = 1; was_killed; nth++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct fixture f;
            fixture_init(&f);
            f.config.segment_bytes = 450;
            struct sim *sim = sim_new(seed);
            struct sim_disk *disk = sim_disk_new();
            struct sim_env *first = process(sim, disk);
            sim_env_die_at_io(first, nth, SIM_DEATH_KILL);
            fill_until_killed(&f, first);
            was_killed = first->is_dead;
            sim_env_die(first, SIM_DEATH_KILL);
            fixture_free(&f);
            struct sim_env *second = process(sim, disk);
            CHECK_EQUAL(open_log(&f, second), ERR_OK);
            CHECK_EQUAL(env_dir_sync(&second->env, ""), ERR_OK); /* the log directory's business */
            int64_t durable = partition_log_durable(f.log).offset;
            CHECK(was_killed || durable == 2 * BATCHES);
            sim_env_die(second, SIM_DEATH_POWER_CUT);
            fixture_free(&f);
            struct sim_env *third = process(sim, disk);
            CHECK_EQUAL(open_log(&f, third), ERR_OK);
            CHECK(partition_log_written(f.log).offset >= durable);
            fixture_free(&f);
            sim_free(sim);
            sim_disk_free(disk);
            fixture_deinit(&f);
        }
    }
}
