// SPDX-License-Identifier: Apache-2.0
/* missing_dirs_test: a log directory that an earlier start had is not there: it is left out of
 * log.dirs, or its disk is not mounted and its place is empty. What lies in it is not begun anew
 * elsewhere, and without the metadata nothing starts. Thread: main. */
#include <string.h>

#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "log/log_dirs.h"
#include "replica/replica_set_move.h"
#include "wire/describe_log_dirs.h"
#include "wire/kerr.h"
#include "wire/partition_reason.h"

enum { DESCRIBE_LOG_DIRS = 35, DIRS_VERSION = 4, RECORDS = 3 };

static const char *const both[] = {"log.dirs=d1,d2", NULL};
static const char *const first_only[] = {"log.dirs=d1", NULL};
static const char *const second_only[] = {"log.dirs=d2", NULL};
static const char *const other_order[] = {"log.dirs=d2,d1", NULL};
static const char *const another_second[] = {"log.dirs=d1,d3", NULL};
static const char *const empty_first[] = {"log.dirs=d3,d2", NULL};
static const char *const all_three[] = {"log.dirs=d1,d2,d3", NULL};

static struct partition *partition_of(struct broker_fixture *f, const char *topic)
{
    enum kerr error;
    struct image *image = image_slot_get(&f->broker->image);
    struct partition *p =
        broker_partition(f->broker, image_topic(image, topic, strlen(topic)), 0, &error);
    image_unref(image);
    return p;
}

/* -1: it is not open. */
static int64_t records_of(struct broker_fixture *f, const char *topic)
{
    struct partition *p = partition_of(f, topic);
    struct partition_offsets offsets = {.high_watermark = -1};
    if (p != NULL)
        partition_offsets(p, &offsets);
    partition_unref(p);
    return offsets.high_watermark;
}

static enum kerr move(struct broker_fixture *f, const char *topic, const char *to)
{
    struct image *image = image_slot_get(&f->broker->image);
    struct replica_move_request request = {
        .topic = topic,
        .topic_id = topic_id(image_topic(image, topic, strlen(topic))),
        .dir = to,
    };
    image_unref(image);
    enum kerr error = replica_set_move(f->broker->replicas, &request);
    mem_env_advance_ms(&f->m, 1000);
    return error;
}

/* "u" in the first directory, "t" with some records in the second. */
static void begin(struct broker_fixture *f)
{
    fixture_start(f, both);
    fixture_create(f, "u", 1);
    fixture_create(f, "t", 1);
    for (int i = 0; i < RECORDS; i++)
        CHECK_EQUAL(fixture_produce(f), KERR_NONE);
    CHECK_EQUAL(fixture_count_names(f, "d2", "t-0"), 1);
}

/* "t" is not served, and that is said. */
static void check_missed(struct broker_fixture *f)
{
    int32_t index = 0;
    struct describe_log_dirs_request_describable_log_dir_topic topic = {wire_str_of("t"),
                                                                        {&index, 1}};
    struct describe_log_dirs_request request = {.topics = {&topic, 1}, .include_explanation = true};
    CHECK_EQUAL(records_of(f, "t"), -1);
    CHECK_EQUAL(records_of(f, "u"), 0);
    CHECK_EQUAL(fixture_produce(f), KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(fixture_count_names(f, "d1", "t-0"), 0);
    const struct describe_log_dirs_response *response =
        fixture_ask(f, DESCRIBE_LOG_DIRS, DIRS_VERSION, &request);
    CHECK(response != NULL && response->explanation != NULL);
    const struct describe_log_dirs_response_explained_partition *row =
        &response->explanation->partitions.items[0];
    CHECK(row->reasons.count > 0);
    const struct describe_log_dirs_response_reason *reason = &row->reasons.items[0];
    CHECK_EQUAL(reason->kind, PARTITION_REASON_NO_DIR);
    CHECK(reason->detail.len == 2 && memcmp(reason->detail.data, "d2", 2) == 0);
}

/* Start after start, and after a stop in good order. */
TEST(what_lies_in_a_directory_that_is_left_out_is_offline_until_it_is_back)
{
    struct broker_fixture f;
    begin(&f);
    for (int round = 0; round < 3; round++) {
        fixture_restart(&f, first_only);
        check_missed(&f);
        CHECK(f.m.log_lines[LOG_ERROR] > 0);
        CHECK_EQUAL(move(&f, "u", "d1"), KERR_NONE); /* where it is */
        fixture_create(&f, "v", 1);
        CHECK_EQUAL(records_of(&f, "v"), 0);
        CHECK_EQUAL(fixture_delete(&f, "v"), KERR_NONE);
    }
    fixture_restart(&f, both);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_stop(&f);
}

/* What is mounted there is not: no new topic goes below it. */
TEST(an_empty_place_is_not_taken_for_the_directory_that_was_there)
{
    struct broker_fixture f;
    begin(&f);
    fixture_halt(&f);
    CHECK_EQUAL(env_path_rename(&f.m.env, "d2", "unmounted"), ERR_OK);
    fixture_go_on(&f, both);
    for (int round = 0; round < 2; round++) {
        check_missed(&f);
        CHECK(replica_set_dir_is_offline(f.broker->replicas, 1));
        fixture_create(&f, "v", 1);
        CHECK_EQUAL(records_of(&f, "v"), 0);
        CHECK_EQUAL(fixture_count_names(&f, "d2", "v-0"), 0);
        CHECK_EQUAL(fixture_delete(&f, "v"), KERR_NONE);
        fixture_restart(&f, both);
    }
    CHECK_EQUAL(fixture_count_names(&f, "d2", "meta.properties"), 0);
    fixture_halt(&f);
    CHECK_EQUAL(env_path_rename(&f.m.env, "d2", "empty"), ERR_OK);
    CHECK_EQUAL(env_path_rename(&f.m.env, "unmounted", "d2"), ERR_OK);
    fixture_go_on(&f, both);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    fixture_stop(&f);
}

TEST(another_place_is_a_new_directory)
{
    struct broker_fixture f;
    begin(&f);
    fixture_restart(&f, another_second);
    check_missed(&f);
    CHECK_EQUAL(move(&f, "u", "d3"), KERR_KAFKA_STORAGE_ERROR); /* there may be another copy */
    fixture_create(&f, "v", 1);                                 /* in the emptier one */
    CHECK_EQUAL(fixture_count_names(&f, "d3", "v-0"), 1);
    fixture_restart(&f, both); /* now that is missing */
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    CHECK_EQUAL(records_of(&f, "v"), -1);
    fixture_restart(&f, all_three);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    CHECK_EQUAL(records_of(&f, "v"), 0);
    CHECK_EQUAL(move(&f, "v", "d1"), KERR_NONE);
    CHECK_EQUAL(fixture_count_names(&f, "d1", "v-0"), 1);
    fixture_stop(&f);
}

TEST(nor_is_there_one_without_a_partition)
{
    struct broker_fixture f;
    struct strbuf why;
    fixture_start(&f, both);
    strbuf_init(&why);
    fixture_restart_refused(&f, second_only, both, &why);
    CHECK(strstr(strbuf_text(&why), "no klamm.metadata: d1 was here") != NULL);
    strbuf_deinit(&why);
    fixture_stop(&f);
}

/* Something is missed from then on where nothing was listed before: directories of Kafka. */
TEST(partitions_without_any_metadata_are_not_set_aside)
{
    static const char *const third[] = {"log.dirs=d3", NULL};
    struct broker_fixture f;
    struct strbuf why;
    begin(&f);
    strbuf_init(&why);
    CHECK_EQUAL(env_dir_make(&f.m.env, "d3"), ERR_OK);
    CHECK_EQUAL(env_dir_make(&f.m.env, "d3/t-0"), ERR_OK);
    size_t size = 0;
    uint8_t *meta = mem_env_file_bytes(&f.m, "d2/meta.properties", &size);
    mem_env_put_file(&f.m, "d3/meta.properties", meta, size);
    fixture_restart_refused(&f, third, both, &why);
    CHECK(strstr(strbuf_text(&why), "klamm log import") != NULL);
    CHECK_EQUAL(fixture_count_names(&f, "d3", "t-0"), 1);
    strbuf_deinit(&why);
    fixture_stop(&f);
}

/* A directory is emptied, then left out: that is how it leaves a broker. */
TEST(a_directory_of_which_nothing_is_lacked_is_forgotten)
{
    struct broker_fixture f;
    begin(&f);
    CHECK_EQUAL(move(&f, "t", "d1"), KERR_NONE);
    CHECK_EQUAL(fixture_count_names(&f, "d1", "t-0"), 1);
    fixture_restart(&f, first_only);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    struct log_dirs list = {0};
    CHECK_EQUAL(log_dirs_read(&f.m.env, "d1", &list), ERR_OK);
    CHECK_EQUAL(list.count, 1);
    log_dirs_free(&list);
    int errors = f.m.log_lines[LOG_ERROR];
    fixture_restart(&f, another_second);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], errors);
    CHECK_EQUAL(move(&f, "t", "d3"), KERR_NONE);
    CHECK_EQUAL(fixture_count_names(&f, "d3", "t-0"), 1);
    fixture_stop(&f);
}

TEST(a_topic_that_is_lost_with_its_directory_can_be_deleted_and_made_again)
{
    struct broker_fixture f;
    begin(&f);
    fixture_restart(&f, first_only);
    check_missed(&f);
    CHECK_EQUAL(fixture_delete(&f, "t"), KERR_NONE);
    fixture_create(&f, "t", 1);
    CHECK_EQUAL(fixture_produce(&f), KERR_NONE);
    fixture_restart(&f, first_only);
    CHECK_EQUAL(fixture_offline(&f), 0);
    CHECK_EQUAL(records_of(&f, "t"), 1);
    fixture_restart(&f, both); /* the old one comes back, and is set aside */
    CHECK_EQUAL(records_of(&f, "t"), 1);
    CHECK_EQUAL(fixture_count_names(&f, "d2", "-stray"), 1);
    fixture_stop(&f);
}

TEST(without_the_metadata_there_is_no_start)
{
    static const char *const *const bad[] = {other_order, second_only, empty_first};
    static const char *const says[] = {
        "d1 has klamm.metadata: it has to be the first of log.dirs, not d2",
        "d2, the first of log.dirs, has no klamm.metadata, which would tell of the partitions in "
        "d2: d1 was here at an earlier start, and is not; is its disk mounted?",
        "d3, the first of log.dirs, has no klamm.metadata, which would tell of the partitions in "
        "d2: d1 was here"};
    struct broker_fixture f;
    begin(&f);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct strbuf why;
        strbuf_init(&why);
        fixture_restart_refused(&f, bad[i], both, &why);
        CHECK(strstr(strbuf_text(&why), says[i]) != NULL);
        strbuf_deinit(&why);
        CHECK_EQUAL(records_of(&f, "t"), RECORDS);
        CHECK_EQUAL(fixture_offline(&f), 0);
        CHECK_EQUAL(fixture_count_names(&f, "d2", "-stray"), 0);
        CHECK_EQUAL(fixture_count_names(&f, "d2", "klamm.metadata"), 0);
    }
    fixture_stop(&f);
}

/* Nothing that cannot be found is begun anew while nobody knows what is missing. */
TEST(a_damaged_list_may_have_told_of_one)
{
    struct broker_fixture f;
    begin(&f);
    fixture_halt(&f);
    mem_env_put_file(&f.m, "d1/" LOG_DIRS_NAME, "version: 0\nnonsense\n", 20);
    fixture_go_on(&f, first_only);
    CHECK_EQUAL(records_of(&f, "t"), -1);
    CHECK_EQUAL(fixture_produce(&f), KERR_KAFKA_STORAGE_ERROR);
    fixture_restart(&f, both);
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    fixture_stop(&f);
}

/* The first start of all did not come up; the next has one directory less. */
TEST(a_start_before_there_was_any_metadata_is_no_reason_to_refuse)
{
    struct broker_fixture f;
    fixture_start(&f, both);
    fixture_halt(&f);
    CHECK_EQUAL(env_path_unlink(&f.m.env, "d1/klamm.metadata"), ERR_OK);
    fixture_go_on(&f, first_only);
    fixture_create(&f, "t", 1);
    CHECK_EQUAL(records_of(&f, "t"), 0);
    fixture_stop(&f);
}

/* The lists of two directories name the second by two paths, for one was out of service when it
 * got another. */
TEST(a_directory_with_two_paths_is_listed_once)
{
    static const char *const renamed[] = {"log.dirs=d1,d2b,d3", NULL};
    static const char *const without[] = {"log.dirs=d1,d3", NULL};
    struct broker_fixture f;
    begin(&f);
    fixture_restart(&f, all_three);
    fixture_halt(&f);
    CHECK_EQUAL(env_path_rename(&f.m.env, "d3", "away"), ERR_OK);
    CHECK_EQUAL(env_path_rename(&f.m.env, "d2", "d2b"), ERR_OK);
    fixture_go_on(&f, renamed);
    CHECK_EQUAL(records_of(&f, "t"), RECORDS);
    fixture_halt(&f);
    CHECK_EQUAL(env_path_rename(&f.m.env, "d3", "empty"), ERR_OK);
    CHECK_EQUAL(env_path_rename(&f.m.env, "away", "d3"), ERR_OK);
    fixture_go_on(&f, without);
    CHECK_EQUAL(records_of(&f, "t"), -1);
    struct log_dirs list = {0};
    CHECK_EQUAL(log_dirs_read(&f.m.env, "d1", &list), ERR_OK);
    CHECK_EQUAL(list.count, 3);
    log_dirs_free(&list);
    fixture_restart(&f, without);
    CHECK_EQUAL(records_of(&f, "t"), -1); /* not begun anew */
    fixture_stop(&f);
}
