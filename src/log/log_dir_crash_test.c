// SPDX-License-Identifier: Apache-2.0
/*
 * A new log directory on a disk that forgets names: a process is killed in each of its disk
 * operations, the next one makes the directory whole, then the power goes. Thread: the test's.
 */
#include "base/testing.h"
#include "env/sim_env.h"
#include "log/log_dir.h"

enum { SEEDS = 30 };

static struct sim_env *process(struct sim *sim, struct sim_disk *disk)
{
    return sim_env_new(sim, &(struct sim_env_options){.ip = "10.0.0.1", .disk = disk});
}

/* True: it is a log directory now. *was_new tells what it was before. */
static bool open_and_format(struct sim_env *env, bool *was_new)
{
    struct strbuf why;
    strbuf_init(&why);
    struct log_dir *dir = NULL;
    enum err e = log_dir_open(&env->env, "/var/klamm/data", &why, &dir);
    if (e == ERR_OK) {
        *was_new = log_dir_identity(dir)->is_new;
        if (*was_new)
            e = log_dir_format(dir, 1, "cluster", (struct uuid){{7}});
        if (e == ERR_OK)
            e = log_dir_mark_dirty(dir);
    }
    log_dir_close(dir);
    strbuf_deinit(&why);
    return e == ERR_OK;
}

TEST(a_directory_stays_though_its_maker_was_killed)
{
    bool was_killed = true;
    for (int64_t nth = 1; was_killed; nth++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct sim *sim = sim_new(seed);
            struct sim_disk *disk = sim_disk_new();
            bool was_new = false;
            struct sim_env *first = process(sim, disk);
            sim_env_die_at_io(first, nth, SIM_DEATH_KILL);
            (void)open_and_format(first, &was_new);
            was_killed = first->is_dead;
            sim_env_die(first, SIM_DEATH_KILL);
            struct sim_env *second = process(sim, disk);
            CHECK(open_and_format(second, &was_new));
            sim_env_die(second, SIM_DEATH_POWER_CUT);
            struct sim_env *third = process(sim, disk);
            CHECK(open_and_format(third, &was_new));
            CHECK(!was_new);
            sim_free(sim);
            sim_disk_free(disk);
        }
    }
}
