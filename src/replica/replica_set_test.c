// SPDX-License-Identifier: Apache-2.0
/* replica_set_test: what the directories held at start, and where. Thread: main. */
#include "replica/replica_set.h"

#include <stdio.h>

#include <string.h>

#include "base/testing.h"
#include "env/mem_env.h"
#include "log/log_place.h"
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

static const struct uuid id_of_t = {{1}};

static size_t found_in(struct replica_set *set, const char *topic, int32_t index)
{
    size_t dir;
    (void)replica_set_find_dir(set, topic, index, id_of_t, &dir);
    return dir;
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
        CHECK_EQUAL(found_in(set, "t", i), i % 2);
        CHECK_EQUAL(found_in(set, "t-t", i), (i + 1) % 2);
    }
    CHECK_EQUAL(found_in(set, "t", COUNT), SIZE_MAX);
    CHECK_EQUAL(found_in(set, "u", 0), SIZE_MAX);
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
        CHECK_EQUAL(found_in(set, "t", i), 0);
    replica_set_forget_found(set);
    CHECK_EQUAL(found_in(set, "t", 0), SIZE_MAX);
    replica_set_free(set);
    dirs_close(&d);
}

static bool is_torn(struct replica_set *set)
{
    size_t dir;
    return replica_set_find_dir(set, "t", 0, id_of_t, &dir) == REPLICA_IS_TORN;
}

/* Partition 0 went from a to b just before the power went. */
static void make_twins(struct dirs *d)
{
    struct log_dir_checkpoint values = {.log_start = 3};
    for (int i = 0; i < 2; i++) {
        make_partition(d, i, "t", 0);
        log_dir_checkpoint_set(d->dirs[i], "t", 0, &values);
    }
    mem_env_put_file(&d->m, "b/t-0/" LOG_MOVED_NAME, "1\n", 2);
}

TEST(of_two_directories_the_one_that_the_partition_moved_to_counts)
{
    struct dirs d;
    dirs_open(&d);
    make_twins(&d);
    struct replica_set *set = set_new(&d);
    CHECK_EQUAL(found_in(set, "t", 0), 1);
    CHECK(!is_torn(set));
    replica_set_free(set);
    dirs_close(&d);
}

/* With the nth call of the scan failing so. True: it was not reached. */
static bool serves_no_older_one_after(int fail_at, enum err fail_with, int *torn)
{
    struct dirs d;
    dirs_open(&d);
    make_twins(&d);
    d.m.fail_at = fail_at;
    d.m.fail_with = fail_with;
    struct replica_set *set = set_new(&d);
    bool is_through = d.m.fail_at > 0;
    d.m.fail_at = 0;
    bool torn_now = is_torn(set);
    CHECK(found_in(set, "t", 0) == 1 || torn_now || replica_set_dir_is_offline(set, 1));
    for (int i = 0; torn_now && i < 2; i++)
        CHECK_EQUAL(log_dir_checkpoint_of(d.dirs[i], "t", 0).log_start, 3);
    *torn += torn_now;
    replica_set_free(set);
    dirs_close(&d);
    return is_through;
}

/* It would be one of which the last acknowledged records are missing. */
TEST(of_two_directories_the_older_is_not_served_whatever_fails)
{
    static const enum err errors[] = {ERR_IO, ERR_FULL};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        int torn = 0;
        int fail_at = 1;
        while (!serves_no_older_one_after(fail_at, errors[i], &torn))
            fail_at++;
        CHECK(fail_at > 4);
        CHECK(torn > 1);
    }
}
