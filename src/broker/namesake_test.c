// SPDX-License-Identifier: Apache-2.0
/* namesake_test: a topic that is made under the name of one that was deleted: what the disk still
 * tells of the old one may not be taken for the new one's, whatever fails on the way and whenever
 * the power goes. Thread: main. */
#include <string.h>

#include "base/macros.h"
#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "wire/kerr.h"

enum { MINUTE_MS = 60000 };

static const char old_line[] = "\nt 0 3\n";
static const char *const checkpoints[] = {"data/recovery-point-offset-checkpoint",
                                          "data/replication-offset-checkpoint"};

static bool has_old_line(struct broker_fixture *f, const char *path)
{
    size_t size = 0;
    const uint8_t *text = mem_env_file_bytes(&f->m, path, &size);
    return text != NULL && memmem(text, size, old_line, strlen(old_line)) != NULL;
}

static bool is_known_of_old(struct broker_fixture *f)
{
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_COUNT(checkpoints); i++)
        is_known |= has_old_line(f, checkpoints[i]);
    return is_known;
}

/* A topic with three records, which the checkpoints tell of. */
static void start_with_old(struct broker_fixture *f, const char *const *sets)
{
    fixture_start(f, sets);
    CHECK_EQUAL(fixture_try_create(f, "t", 1), KERR_NONE);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(fixture_produce(f), KERR_NONE);
    mem_env_advance_ms(&f->m, 2 * MINUTE_MS);
    for (size_t i = 0; i < ARRAY_COUNT(checkpoints); i++)
        CHECK(has_old_line(f, checkpoints[i]));
}

TEST(checkpoints_forget_a_topic_before_another_has_its_name)
{
    struct broker_fixture f;
    start_with_old(&f, NULL);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    CHECK(is_known_of_old(&f)); /* while nobody has the name there is no haste */
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    CHECK(!is_known_of_old(&f));
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_stop(&f);
}

TEST(one_that_was_never_in_a_checkpoint_waits_for_none)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    int calls = f.m.io_calls;
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    int fresh_calls = f.m.io_calls - calls;
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    mem_env_advance_ms(&f.m, 2 * MINUTE_MS);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    calls = f.m.io_calls;
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    CHECK(f.m.io_calls - calls > fresh_calls); /* this one did */
    fixture_stop(&f);
}

/* A start that finds checkpoints of a topic that is gone, as after a crash: the power went before
 * they were written. */
TEST(checkpoints_of_topics_that_a_start_does_not_find_are_forgotten_too)
{
    static const char text[] = "0\n1\nt 0 3\n";
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_restart(&f, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(checkpoints); i++)
        mem_env_put_file(&f.m, checkpoints[i], text, strlen(text));
    fixture_restart(&f, NULL); /* whose stop had nothing to write */
    CHECK(is_known_of_old(&f));
    CHECK_EQUAL(fixture_try_create(&f, "t", 1), KERR_NONE);
    CHECK(!is_known_of_old(&f));
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_stop(&f);
}

/* With the nth call of the making failing so. True: it was not reached. */
static bool is_served_after(int fail_at, enum err fail_with, uint32_t *offline_seen)
{
    struct broker_fixture f;
    start_with_old(&f, NULL);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    f.m.fail_at = fail_at;
    f.m.fail_with = fail_with;
    int16_t error = fixture_try_create(&f, "t", 1);
    bool is_through = f.m.fail_at > 0;
    f.m.fail_at = 0;
    f.m.fail_with = ERR_IO;
    *offline_seen += fixture_offline(&f);
    if (error == KERR_NONE) {
        mem_env_advance_ms(&f.m, 5000);
        CHECK_EQUAL(fixture_offline(&f), 0);
        CHECK(!is_known_of_old(&f));
        CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    }
    fixture_stop(&f);
    return is_through;
}

TEST(without_room_for_the_checkpoints_the_new_one_waits_and_is_served)
{
    static const enum err errors[] = {ERR_NO_SPACE, ERR_FULL};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        uint32_t offline_seen = 0;
        int fail_at = 1;
        while (!is_served_after(fail_at, errors[i], &offline_seen))
            fail_at++;
        CHECK(fail_at > 20);
        CHECK(offline_seen > 10);
    }
}

/* The old one's directory, as a crash leaves it that came between the metadata and the disk. */
static void make_it_anothers(struct broker_fixture *f)
{
    static const char text[] = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAEQ";
    mem_env_put_file(&f->m, "data/t-0/partition.metadata", text, strlen(text));
}

TEST(a_directory_of_another_topic_by_the_name_is_set_aside)
{
    struct broker_fixture f;
    start_with_old(&f, NULL);
    make_it_anothers(&f);
    fixture_restart(&f, NULL);
    CHECK_EQUAL(fixture_count_names(&f, "data", "-stray"), 1);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK(!is_known_of_old(&f));
    struct image *image = image_slot_get(&f.broker->image);
    enum kerr error;
    struct partition *p = broker_partition(f.broker, image_topic(image, "t", 1), 0, &error);
    struct partition_offsets offsets;
    partition_offsets(p, &offsets);
    CHECK_EQUAL(offsets.high_watermark, 0);
    partition_unref(p);
    image_unref(image);
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_restart(&f, NULL);
    CHECK_EQUAL(fixture_count_names(&f, "data", "-stray"), 1);
    CHECK_EQUAL(fixture_offline(&f), 0);
    fixture_stop(&f);
}

/* The same, found by one that is tried again: it found no room at first. True: the nth call of its
 * making was not reached. */
static bool is_set_aside_later(int fail_at, int *tried)
{
    size_t size = 0;
    struct broker_fixture f;
    fixture_start(&f, NULL);
    f.m.fail_at = fail_at;
    f.m.fail_with = ERR_NO_SPACE;
    (void)fixture_try_create(&f, "t", 1);
    bool is_through = f.m.fail_at > 0;
    f.m.fail_at = 0;
    f.m.fail_with = ERR_IO;
    if (fixture_offline(&f) > 0 &&
        mem_env_file_bytes(&f.m, "data/t-0/partition.metadata", &size) != NULL) {
        make_it_anothers(&f);
        mem_env_advance_ms(&f.m, 5000);
        CHECK_EQUAL(fixture_count_names(&f, "data", "-stray"), 1);
        CHECK_EQUAL(fixture_offline(&f), 0);
        CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
        (*tried)++;
    }
    fixture_stop(&f);
    return is_through;
}

TEST(a_directory_of_another_topic_is_set_aside_when_it_is_tried_again)
{
    int tried = 0;
    int fail_at = 1;
    while (!is_set_aside_later(fail_at, &tried))
        fail_at++;
    CHECK(tried > 3);
}
