// SPDX-License-Identifier: Apache-2.0
/* group_expiry_test: when offsets and groups are forgotten, rule by rule. Thread: main. */
#include "base/mem.h"
#include "coordinator/group_fixture.h"

#define MINUTE_MS (INT64_C(60) * 1000)
#define DAY_MS    (24 * 60 * MINUTE_MS)

static void commit_of(struct group_fixture *f, const struct commit_args *args)
{
    const struct fixture_call *call = fixture_commit_offsets(f, args);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(fixture_commit_error(call), KERR_NONE);
}

static bool has_offset(struct group_fixture *f, const char *topic)
{
    return fixture_committed(f, NULL, topic, 0) >= 0;
}

/* One member with a session of half an hour, reading "t". */
static void form_reader(struct group_fixture *f, const char *type, char id[FIXTURE_ID_SIZE])
{
    struct fixture_call *call =
        fixture_join(f, &(struct join_args){.type = type, .metadata = "@t", .session_ms = 1800000});
    mem_env_advance_ms(&f->m, FIXTURE_START_MS);
    fixture_id(call, id);
    fixture_sync(f, &(struct sync_args){.member = id, .generation = 1});
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(fixture_state(f), GROUP_STABLE);
}

static void live_on(struct group_fixture *f, const char *id, int64_t ms)
{
    for (; ms > 0; ms -= 20 * MINUTE_MS) {
        mem_env_advance_ms(&f->m, ms < 20 * MINUTE_MS ? ms : 20 * MINUTE_MS);
        fixture_heartbeat(f, &(struct member_args){.member = id, .generation = 1});
    }
    CHECK_EQUAL(fixture_state(f), GROUP_STABLE);
}

TEST(offsets_of_a_group_without_members_go_some_days_after_their_commit)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
    mem_env_advance_ms(&f.m, DAY_MS);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "u"});
    mem_env_advance_ms(&f.m, 6 * DAY_MS - 1);
    CHECK(has_offset(&f, "t"));
    mem_env_advance_ms(&f.m, 10 * MINUTE_MS + 1);
    CHECK(!has_offset(&f, "t"));
    CHECK(has_offset(&f, "u"));
    fixture_check_replay(&f);
    mem_env_advance_ms(&f.m, DAY_MS + 10 * MINUTE_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD); /* the group went with the last of them */
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(offsets_of_a_group_that_had_members_go_some_days_after_it_became_empty)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 1, ids);
    commit_of(&f, &(struct commit_args){.member = ids[0], .generation = 1});
    for (int i = 0; i < 100; i++) {
        mem_env_advance_ms(&f.m, 9000);
        fixture_heartbeat(&f, &(struct member_args){.member = ids[0], .generation = 1});
    }
    mem_env_advance_ms(&f.m, 10000);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    mem_env_advance_ms(&f.m, 7 * DAY_MS - 1);
    CHECK(has_offset(&f, "t"));
    fixture_check_replay(&f);
    mem_env_advance_ms(&f.m, 10 * MINUTE_MS + 1);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_stable_group_of_consumers_forgets_what_it_does_not_read)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "u"});
    form_reader(&f, "consumer", id);
    live_on(&f, id, 6 * DAY_MS);
    CHECK(has_offset(&f, "t") && has_offset(&f, "u"));
    live_on(&f, id, 2 * DAY_MS);
    CHECK(has_offset(&f, "t") && !has_offset(&f, "u"));
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_stable_group_of_another_kind_forgets_nothing)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "u"});
    form_reader(&f, "connect", id);
    live_on(&f, id, 9 * DAY_MS);
    CHECK(has_offset(&f, "u"));
    fixture_deinit(&f);
}

TEST(a_group_that_was_read_from_the_log_forgets_what_it_does_not_read)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    form_reader(&f, "consumer", id);
    commit_of(&f, &(struct commit_args){.member = id, .generation = 1, .topic = "u"});
    live_on(&f, id, 6 * DAY_MS);
    fixture_stop(&f);
    CHECK_EQUAL(f.stopped, 1);
    group_shard_start(f.shard);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    live_on(&f, id, 2 * DAY_MS);
    CHECK(!has_offset(&f, "u"));
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_commit_may_bring_its_own_retention)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
    mem_env_advance_ms(&f.m, 20 * MINUTE_MS); /* now it looks again in a day */
    commit_of(
        &f, &(struct commit_args){.is_simple = true, .topic = "u", .retention_ms = 30 * MINUTE_MS});
    commit_of(&f,
              &(struct commit_args){.is_simple = true, .topic = "v", .retention_ms = 30 * DAY_MS});
    fixture_check_replay(&f);
    mem_env_advance_ms(&f.m, 30 * MINUTE_MS - 1);
    CHECK(has_offset(&f, "u"));
    mem_env_advance_ms(&f.m, 10 * MINUTE_MS + 1);
    CHECK(!has_offset(&f, "u"));
    CHECK(has_offset(&f, "t"));
    mem_env_advance_ms(&f.m, 20 * DAY_MS);
    CHECK(!has_offset(&f, "t"));
    CHECK(has_offset(&f, "v"));
    fixture_check_replay(&f);
    mem_env_advance_ms(&f.m, 11 * DAY_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_deinit(&f);
}

TEST(a_retention_near_the_end_of_time_is_forever)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    commit_of(&f,
              &(struct commit_args){.is_simple = true, .topic = "t", .retention_ms = INT64_MAX});
    commit_of(&f,
              &(struct commit_args){.is_simple = true, .topic = "u", .retention_ms = INT64_MIN});
    mem_env_advance_ms(&f.m, 300 * DAY_MS);
    CHECK(has_offset(&f, "t"));
    CHECK(!has_offset(&f, "u"));
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(an_empty_group_without_offsets_is_forgotten_soon)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    fixture_join(&f, &(struct join_args){.version = 4, .session_ms = 1200000});
    mem_env_advance_ms(&f.m, 19 * MINUTE_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY); /* somebody has an id and may come back */
    mem_env_advance_ms(&f.m, 2 * DAY_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_check_replay(&f);
    char *text = fixture_dump(&f);
    CHECK_TEXT(text, "");
    mem_free(text);
    fixture_deinit(&f);
}

TEST(a_calendar_that_jumps_brings_forward_what_is_due)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
    mem_env_jump_wall_ms(&f.m, 8 * DAY_MS);
    CHECK(has_offset(&f, "t"));
    mem_env_advance_ms(&f.m, 10 * MINUTE_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_deinit(&f);
}

TEST(what_could_not_be_written_as_gone_stays_until_it_can)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
    mem_env_advance_ms(&f.m, 7 * DAY_MS - 20 * MINUTE_MS);
    f.shard->settings.batch_bytes_max = 10;
    mem_env_advance_ms(&f.m, 2 * DAY_MS);
    CHECK(has_offset(&f, "t"));
    f.shard->settings.batch_bytes_max = 1 << 20;
    mem_env_advance_ms(&f.m, 10 * MINUTE_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_record_of_an_offset_near_the_end_of_time_does_not_expire)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    commit_of(&f, &(struct commit_args){.is_simple = true, .topic = "t"});
    struct offset_topic *topic =
        offset_table_topic(&fixture_group(&f, "g")->offsets, wire_str_of("t"));
    offset_table_find(&fixture_group(&f, "g")->offsets, topic, 0)->commit_ms = INT64_MAX;
    mem_env_advance_ms(&f.m, 20 * DAY_MS);
    CHECK(has_offset(&f, "t"));
    fixture_deinit(&f);
}
