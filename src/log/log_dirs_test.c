// SPDX-License-Identifier: Apache-2.0
/* The list that each log directory has of all of its broker. Thread: the test's. */
#include <string.h>

#include "base/testing.h"
#include "env/mem_env.h"
#include "log/log_dirs.h"

static const struct uuid one = {{1}};
static const struct uuid two = {{2}};

static enum err read_text(struct mem_env *m, const char *text, struct log_dirs *out)
{
    mem_env_put_file(m, "d/" LOG_DIRS_NAME, text, strlen(text));
    return log_dirs_read(&m->env, "d", out);
}

TEST(a_list_of_log_directories_comes_back_as_it_was_written)
{
    struct mem_env m;
    struct log_dirs list = {0};
    struct log_dirs got = {0};
    mem_env_init(&m);
    CHECK_EQUAL(env_dir_make(&m.env, "d"), ERR_OK);
    CHECK_EQUAL(log_dirs_read(&m.env, "d", &got), ERR_NOT_FOUND);
    log_dirs_add(&list, two, "/data two/kafka");
    log_dirs_add(&list, one, "d");
    CHECK_EQUAL(log_dirs_write(&m.env, "d", &list), ERR_OK);
    CHECK_EQUAL(log_dirs_read(&m.env, "d", &got), ERR_OK);
    CHECK_EQUAL(got.count, 2);
    CHECK(uuid_equals(got.entries[0].id, two));
    CHECK_TEXT(got.entries[0].path, "/data two/kafka");
    CHECK_TEXT(log_dirs_find(&got, one)->path, "d");
    CHECK(log_dirs_find(&got, (struct uuid){{3}}) == NULL);
    int syncs = m.dir_syncs;
    CHECK_EQUAL(log_dirs_write(&m.env, "d", &got), ERR_OK);
    CHECK_EQUAL(m.dir_syncs, syncs); /* it says so already */
    log_dirs_free(&list);
    log_dirs_free(&got);
    mem_env_deinit(&m);
}

TEST(a_list_of_log_directories_is_read_strictly)
{
    static const char *const bad[] = {
        "",
        "version: 0\n",
        "version: 1\nAQAAAAAAAAAAAAAAAAAAAA /d\n",
        "version: 0\nAQAAAAAAAAAAAAAAAAAAAA /d",
        "version: 0\nAQAAAAAAAAAAAAAAAAAAAA \n",
        "version: 0\nAQAAAAAAAAAAAAAAAAAAAA\n",
        "version: 0\nAQAAAAAAAAAAAAAAAAA /d\n",
        "version: 0\nAQAAAAAAAAAAAAAAAAAAAA /d\n\nx",
        "version: 0\n\nAQAAAAAAAAAAAAAAAAAAAA /d\n",
        "version: 0\nAQAAAAAAAAAAAAAAAAAAAA /d\nAQAAAAAAAAAAAAAAAAAAAA /e\n",
    };
    struct mem_env m;
    struct log_dirs list = {0};
    mem_env_init(&m);
    CHECK_EQUAL(env_dir_make(&m.env, "d"), ERR_OK);
    CHECK_EQUAL(read_text(&m, "version: 0\nAQAAAAAAAAAAAAAAAAAAAA /d\n", &list), ERR_OK);
    CHECK(list.count == 1 && uuid_equals(list.entries[0].id, one));
    log_dirs_free(&list);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK_EQUAL(read_text(&m, bad[i], &list), ERR_CORRUPT);
        CHECK_EQUAL(list.count, 0);
    }
    mem_env_deinit(&m);
}

/* A list with one is there; the one in memory has another besides. */
static void begin_growing(struct mem_env *m, struct log_dirs *list)
{
    mem_env_init(m);
    CHECK_EQUAL(env_dir_make(&m->env, "d"), ERR_OK);
    log_dirs_add(list, one, "d");
    CHECK_EQUAL(log_dirs_write(&m->env, "d", list), ERR_OK);
    log_dirs_add(list, two, "e");
}

TEST(a_list_grows_without_room)
{
    struct mem_env m;
    struct log_dirs list = {0};
    struct log_dirs got = {0};
    begin_growing(&m, &list);
    m.space_bytes = m.used_bytes;
    CHECK_EQUAL(log_dirs_write(&m.env, "d", &list), ERR_OK);
    CHECK_EQUAL(log_dirs_read(&m.env, "d", &got), ERR_OK);
    CHECK_EQUAL(got.count, 2);
    log_dirs_free(&list);
    log_dirs_free(&got);
    mem_env_deinit(&m);
}

/* With the nth call failing; false: there are fewer. */
static bool written_with_a_failure(int nth)
{
    struct mem_env m;
    struct log_dirs list = {0};
    struct log_dirs got = {0};
    begin_growing(&m, &list);
    m.fail_at = nth;
    enum err e = log_dirs_write(&m.env, "d", &list);
    bool was_reached = m.fail_at == 0;
    m.fail_at = 0;
    CHECK_EQUAL(log_dirs_read(&m.env, "d", &got), ERR_OK);
    CHECK(got.count == 2 || (got.count == 1 && e != ERR_OK));
    log_dirs_free(&got);
    log_dirs_free(&list);
    mem_env_deinit(&m);
    return was_reached;
}

TEST(a_list_that_cannot_be_written_is_the_old_one_or_the_new_one)
{
    int nth = 1;
    while (written_with_a_failure(nth))
        nth++;
    CHECK(nth > 5);
}
