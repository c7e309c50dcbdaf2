// SPDX-License-Identifier: Apache-2.0
/*
 * Compaction on a disk that forgets: the power goes, or the process is killed, in each of its disk
 * operations; whatever is found then holds the last value of every key. Thread: the test's.
 */
#include "log/log_swap.h"

#include "base/mem.h"
#include "base/testing.h"
#include "env/sim_env.h"
#include "log/clean_fixture.h"

enum { SEEDS = 4, KEYS = 5, RECORDS = 30 };

struct crash {
    struct sim *sim;
    struct sim_disk *disk;
    struct clean_model model;
    struct clean_model found;
    struct log_config config;
    int64_t recovery_point; /* as an old checkpoint says */
};

static struct sim_env *process(struct crash *t)
{
    return sim_env_new(t->sim, &(struct sim_env_options){.ip = "10.0.0.1", .disk = t->disk});
}

static enum err open_log(struct crash *t, struct sim_env *env, struct clean_env *c)
{
    struct log_open_options options = {.dir = "t-0",
                                       .topic_id = {{1}},
                                       .jitter_seed = 1,
                                       .recovery_point = t->recovery_point,
                                       .config = &t->config};
    struct log_open_report report;
    *c = (struct clean_env){.env = &env->env, .now_ms = 1000};
    return partition_log_open(&env->env, &options, &report, &c->log);
}

/* The model is what was appended when nothing went wrong. */
static void fill(struct crash *t, struct clean_env *c)
{
    t->model.count = 0;
    for (int i = 0; i < RECORDS; i++)
        clean_put(c, &t->model, i % KEYS, i % 7 == 0 ? CLEAN_TOMBSTONE : i);
}

static void check_last_values(struct crash *t, struct clean_env *c)
{
    CHECK_EQUAL(partition_log_written(c->log).offset, RECORDS);
    CHECK_EQUAL(clean_read(c, partition_log_start_offset(c->log), &t->found), ERR_OK);
    for (int key = 0; key < KEYS; key++) {
        struct clean_record last = {-1, key, 0};
        struct clean_record seen = {-1, key, 0};
        for (int i = 0; i < t->model.count; i++) {
            if (t->model.records[i].key == key)
                last = t->model.records[i];
        }
        for (int i = 0; i < t->found.count; i++) {
            if (t->found.records[i].key == key)
                seen = t->found.records[i];
        }
        CHECK_EQUAL(seen.offset, last.offset);
        CHECK_EQUAL(seen.value, last.value);
    }
}

/* True: it died. */
static bool crash_at(struct crash *t, int64_t nth, enum sim_death death)
{
    struct clean_env c;
    struct sim_env *first = process(t);
    CHECK_EQUAL(open_log(t, first, &c), ERR_OK);
    fill(t, &c);
    struct log_config wider = t->config; /* several become one */
    wider.segment_bytes *= 3;
    partition_log_set_config(c.log, &wider);
    sim_env_die_at_io(first, nth, death);
    enum err e = clean_run(&c);
    bool has_died = first->is_dead;
    CHECK(has_died || e == ERR_OK);
    sim_env_die(first, death);
    partition_log_free(c.log);
    struct sim_env *second = process(t);
    t->recovery_point = nth % 3 == 0 ? 0 : nth % 3 == 1 ? RECORDS / 2 : RECORDS;
    CHECK_EQUAL(open_log(t, second, &c), ERR_OK);
    check_last_values(t, &c);
    e = clean_run(&c);
    CHECK(e == ERR_OK || e == ERR_NOT_FOUND);
    check_last_values(t, &c);
    /* What was put in place is there also when the power goes now. */
    sim_env_die(second, SIM_DEATH_POWER_CUT);
    partition_log_free(c.log);
    struct sim_env *third = process(t);
    CHECK_EQUAL(open_log(t, third, &c), ERR_OK);
    check_last_values(t, &c);
    partition_log_free(c.log);
    return has_died;
}

static void crash_everywhere(enum sim_death death)
{
    bool has_died = true;
    for (int64_t nth = 1; has_died; nth++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct crash *t = mem_alloc(sizeof(*t));
            t->sim = sim_new(seed);
            t->disk = sim_disk_new();
            t->config = fixture_config();
            t->config.cleanup_compact = true;
            t->config.cleanup_delete = false;
            t->config.segment_bytes = 350 + 150 * (int64_t)(seed % 2);
            t->config.delete_retention_ms = 100000;
            has_died = crash_at(t, nth, death);
            sim_free(t->sim);
            sim_disk_free(t->disk);
            mem_free(t);
        }
    }
}

TEST(a_power_cut_in_a_compaction_loses_no_last_value)
{
    crash_everywhere(SIM_DEATH_POWER_CUT);
}

TEST(a_kill_in_a_compaction_loses_no_last_value)
{
    crash_everywhere(SIM_DEATH_KILL);
}
