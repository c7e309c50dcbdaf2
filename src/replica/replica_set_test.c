// SPDX-License-Identifier: Apache-2.0
/* replica_set_test: what the directories held at start, and where. Thread: main. */
#include "replica/replica_set.h"

#include <stdio.h>

#include "base/testing.h"
#include "env/mem_env.h"
#include "replica/replica_set_private.h"

static const char *const dir_paths[] = {"a", "b"};

struct dirs {
    struct mem_env m;
    struct log_dir *dirs[2];
};

static void dirs_open(struct dirs *d)
{
    mem_env_init(&d->m);
    struct strbuf why;
    strbuf_init(&why);
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(log_dir_open(&d->m.env, dir_paths[i], &why, &d->dirs[i]), ERR_OK);
    strbuf_deinit(&why);
}

static void dirs_close(struct dirs *d)
{
    for (int i = 0; i < 2; i++)
        log_dir_close(d->dirs[i]);
    mem_env_deinit(&d->m);
}

static void make_partition(struct dirs *d, int dir, const char *topic, int32_t index)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/%s-%d", dir_paths[dir], topic, index);
    CHECK_EQUAL(env_dir_make(&d->m.env, path), ERR_OK);
}

static struct replica_set *set_new(struct dirs *d)
{
    struct replica_set_options options = {
        .loop = mem_env_loop(&d->m, 0), .dirs = d->dirs, .dir_count = 2, .files_max = 8};
    return replica_set_new(&d->m.env, &options);
}

TEST(each_partition_is_found_in_the_directory_that_has_it)
{
    enum { COUNT = 100 }; /* the table grows several times */
    struct dirs d;
    dirs_open(&d);
    for (int32_t i = 0; i < COUNT; i++) {
        make_partition(&d, i % 2, "t", i);
        make_partition(&d, (i + 1) % 2, "t-t", i);
    }
    struct replica_set *set = set_new(&d);
    for (int32_t i = 0; i < COUNT; i++) {
        CHECK_EQUAL(replica_set_found_dir(set, "t", i), i % 2);
        CHECK_EQUAL(replica_set_found_dir(set, "t-t", i), (i + 1) % 2);
    }
    CHECK_EQUAL(replica_set_found_dir(set, "t", COUNT), SIZE_MAX);
    CHECK_EQUAL(replica_set_found_dir(set, "u", 0), SIZE_MAX);
    replica_set_free(set);
    dirs_close(&d);
}

TEST(of_two_directories_of_one_partition_the_first_counts)
{
    enum { COUNT = 20 };
    struct dirs d;
    dirs_open(&d);
    for (int32_t i = 0; i < COUNT; i++) {
        make_partition(&d, 1, "t", i);
        make_partition(&d, 0, "t", i);
    }
    struct replica_set *set = set_new(&d);
    for (int32_t i = 0; i < COUNT; i++)
        CHECK_EQUAL(replica_set_found_dir(set, "t", i), 0);
    replica_set_forget_found(set);
    CHECK_EQUAL(replica_set_found_dir(set, "t", 0), SIZE_MAX);
    replica_set_free(set);
    dirs_close(&d);
}
