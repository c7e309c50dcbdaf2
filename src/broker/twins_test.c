// SPDX-License-Identifier: Apache-2.0
/* twins_test: a partition's name in both log directories of a broker at its start: of another topic
 * that was deleted while one directory was out of service, left by a disk that failed while the
 * partition was made, or by a crash amid a move. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "log/log_place.h"
#include "log/partition_metadata.h"
#include "wire/kerr.h"

enum { DIRS = 2, RECORDS = 3 };

static const char *const dir_names[DIRS] = {"d1", "d2"};
static const char *const both[] = {"log.dirs=d1,d2", NULL};
static const char *const first_only[] = {"log.dirs=d1", NULL};
static const char other_id[] = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAEQ";

/* How many records are there and in which directory; -1 when it is not open. */
static int64_t records_in(struct broker_fixture *f, int *dir)
{
    struct image *image = image_slot_get(&f->broker->image);
    enum kerr error;
    struct partition *p = broker_partition(f->broker, image_topic(image, "t", 1), 0, &error);
    image_unref(image);
    *dir = -1;
    if (p == NULL)
        return -1;
    struct partition_offsets offsets;
    partition_offsets(p, &offsets);
    *dir = strcmp(log_dir_path(partition_dir(p)), dir_names[1]) == 0;
    partition_unref(p);
    return offsets.high_watermark;
}

/* How many names end so, in both directories. */
static int count_names(struct broker_fixture *f, const char *suffix)
{
    int count = 0;
    for (int i = 0; i < DIRS; i++)
        count += fixture_count_names(f, dir_names[i], suffix);
    return count;
}

static void put(struct broker_fixture *f, int dir, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/t-0/%s", dir_names[dir], name);
    mem_env_put_file(&f->m, path, text, strlen(text));
}

/* The topic with some records. */
static int start_with_records(struct broker_fixture *f)
{
    int dir;
    fixture_start(f, both);
    fixture_create(f, "t", 1);
    for (int i = 0; i < RECORDS; i++)
        CHECK_EQUAL(fixture_produce(f), KERR_NONE);
    CHECK_EQUAL(records_in(f, &dir), RECORDS);
    return dir;
}

TEST(another_topics_directory_is_never_taken_for_this_ones)
{
    static const char *const moved[] = {NULL, "1\n"};
    for (size_t i = 0; i < 2; i++) {
        struct broker_fixture f;
        int now = -1;
        int dir = start_with_records(&f);
        CHECK_EQUAL(env_dir_make(&f.m.env, dir == 0 ? "d2/t-0" : "d1/t-0"), ERR_OK);
        put(&f, !dir, LOG_PARTITION_METADATA_NAME, other_id);
        if (moved[i] != NULL)
            put(&f, !dir, LOG_MOVED_NAME, moved[i]);
        for (int round = 0; round < 2; round++) {
            fixture_restart(&f, both);
            CHECK_EQUAL(records_in(&f, &now), RECORDS);
            CHECK_EQUAL(now, dir);
            CHECK_EQUAL(count_names(&f, "t-0"), 1);
            CHECK_EQUAL(count_names(&f, "-stray"), 1);
        }
        CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
        fixture_stop(&f);
    }
}

/* Both are of other topics: none is lost, and the topic begins anew. */
TEST(where_only_other_topics_have_the_name_it_begins_anew)
{
    struct broker_fixture f;
    int dir = start_with_records(&f);
    CHECK_EQUAL(env_dir_make(&f.m.env, dir == 0 ? "d2/t-0" : "d1/t-0"), ERR_OK);
    for (int i = 0; i < DIRS; i++)
        put(&f, i, LOG_PARTITION_METADATA_NAME, other_id);
    fixture_restart(&f, both);
    CHECK_EQUAL(records_in(&f, &dir), 0);
    CHECK_EQUAL(count_names(&f, "t-0"), 1);
    CHECK_EQUAL(count_names(&f, "-stray"), 2);
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_restart(&f, both);
    CHECK_EQUAL(records_in(&f, &dir), 1);
    fixture_stop(&f);
}

/* The nth call of making the topic fails, and the partition is made in the other directory. True:
 * there was no such call. */
static bool is_kept_after_a_bad_disk(int fail_at, int *elsewhere)
{
    struct broker_fixture f;
    fixture_start(&f, both);
    f.m.fail_at = fail_at;
    f.m.fail_with = ERR_IO;
    fixture_create(&f, "t", 1);
    bool is_through = f.m.fail_at > 0;
    f.m.fail_at = 0;
    struct replica_set *replicas = f.broker->replicas;
    bool has_failed =
        replica_set_dir_is_offline(replicas, 0) || replica_set_dir_is_offline(replicas, 1);
    int acked = 0;
    for (int i = 0; i < RECORDS; i++)
        acked += fixture_produce(&f) == KERR_NONE;
    fixture_restart(&f, both);
    int dir;
    int64_t found = records_in(&f, &dir);
    CHECK(found >= acked);
    *elsewhere += has_failed && acked == RECORDS;
    CHECK_EQUAL(count_names(&f, "t-0"), 1);
    fixture_stop(&f);
    return is_through;
}

TEST(one_that_was_made_elsewhere_since_the_disk_was_bad_is_the_one_that_counts)
{
    int elsewhere = 0;
    int fail_at = 4; /* those before are the metadata's */
    while (!is_kept_after_a_bad_disk(fail_at, &elsewhere))
        fail_at++;
    CHECK(elsewhere > 5);
}

/* It went to the second directory, or was about to, when the power went; and that directory is not
 * there at the next start. */
TEST(what_a_partition_left_is_not_served_while_nobody_can_look_where_it_went)
{
    struct broker_fixture f;
    char id[UUID_TEXT_SIZE];
    int dir = start_with_records(&f);
    CHECK_EQUAL(dir, 0);
    put(&f, 0, LOG_LEAVING_NAME,
        uuid_format(log_dir_identity(f.broker->dirs[1])->directory_id, id));
    fixture_restart(&f, first_only);
    CHECK_EQUAL(records_in(&f, &dir), -1);
    CHECK_EQUAL(fixture_produce(&f), KERR_KAFKA_STORAGE_ERROR);
    fixture_restart(&f, both); /* it never went */
    CHECK_EQUAL(records_in(&f, &dir), RECORDS);
    CHECK_EQUAL(dir, 0);
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_restart(&f, first_only); /* nor is that said any more */
    CHECK_EQUAL(records_in(&f, &dir), RECORDS + 1);
    put(&f, 0, LOG_LEAVING_NAME, "nonsense");
    fixture_restart(&f, both);
    CHECK_EQUAL(records_in(&f, &dir), -1);
    fixture_stop(&f);
}

/* It finds no room at first; then the nth call of the next try fails. True: not reached. */
static bool begins_elsewhere(int no_room_at, int fail_at, int *elsewhere)
{
    struct broker_fixture f;
    fixture_start(&f, both);
    f.m.fail_at = no_room_at;
    f.m.fail_with = ERR_NO_SPACE;
    fixture_create(&f, "t", 1);
    CHECK_EQUAL(f.m.fail_at, 0);
    f.m.fail_at = fail_at;
    f.m.fail_with = ERR_IO;
    mem_env_advance_ms(&f.m, 1000);
    bool is_through = f.m.fail_at > 0;
    f.m.fail_at = 0;
    mem_env_advance_ms(&f.m, 5000);
    struct replica_set *replicas = f.broker->replicas;
    bool has_failed =
        replica_set_dir_is_offline(replicas, 0) || replica_set_dir_is_offline(replicas, 1);
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_restart(&f, both);
    int dir;
    CHECK_EQUAL(records_in(&f, &dir), 1);
    CHECK_EQUAL(count_names(&f, "t-0"), 1);
    *elsewhere += has_failed;
    fixture_stop(&f);
    return is_through;
}

TEST(one_that_waits_for_room_begins_elsewhere_when_the_disk_turns_out_bad)
{
    int elsewhere = 0;
    for (int no_room_at = 5; no_room_at < 15; no_room_at += 3) {
        int fail_at = 1;
        while (!begins_elsewhere(no_room_at, fail_at, &elsewhere))
            fail_at++;
    }
    CHECK(elsewhere > 10);
}
