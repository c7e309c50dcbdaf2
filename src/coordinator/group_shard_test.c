// SPDX-License-Identifier: Apache-2.0
/* group_shard_test: starting, stopping, writes that fail, answers that wait. Thread: main. */
#include "coordinator/group_shard.h"

#include <string.h>

#include "base/mem.h"
#include "coordinator/group_fixture.h"

static struct fixture_call *commit_one(struct group_fixture *f, int32_t partition)
{
    return fixture_commit_offsets(
        f, &(struct commit_args){.is_simple = true, .partition = partition, .offset = 1});
}

static enum kerr list_error(struct group_fixture *f)
{
    const struct fixture_call *call = fixture_list(f, NULL, NULL);
    CHECK_EQUAL(call->done, 1);
    return call->op.error;
}

TEST(a_shard_that_was_not_started_is_not_a_coordinator)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    fixture_stop(&f);
    CHECK_EQUAL(f.stopped, 1);
    CHECK_EQUAL(list_error(&f), KERR_NOT_COORDINATOR);
    fixture_stop(&f); /* harmless */
    CHECK_EQUAL(f.stopped, 2);
    fixture_deinit(&f);
}

TEST(requests_are_told_that_it_is_loading)
{
    struct group_fixture f;
    struct group_shard_counts counts;
    fixture_init(&f, NULL);
    commit_one(&f, 0);
    mem_env_run_until_idle(&f.m);
    fixture_stop(&f);
    f.load_by_hand = true;
    group_shard_start(f.shard);
    CHECK_EQUAL(list_error(&f), KERR_COORDINATOR_LOAD_IN_PROGRESS);
    group_shard_count(f.shard, &counts);
    CHECK(!counts.is_active && counts.offsets == 0);
    fixture_load(&f);
    CHECK_EQUAL(list_error(&f), KERR_NONE);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), 1);
    group_shard_count(f.shard, &counts);
    CHECK(counts.is_active);
    CHECK_EQUAL(counts.offsets, 1);
    CHECK_EQUAL(counts.groups[GROUP_EMPTY], 1);
    fixture_deinit(&f);
}

TEST(stopping_while_loading_ends_when_loading_does)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    fixture_stop(&f);
    f.load_by_hand = true;
    group_shard_start(f.shard);
    fixture_stop(&f);
    CHECK_EQUAL(f.stopped, 1);
    CHECK_EQUAL(list_error(&f), KERR_NOT_COORDINATOR);
    fixture_load(&f);
    CHECK_EQUAL(f.stopped, 2);
    CHECK_EQUAL(f.shard->groups.count, 0);
    f.load_by_hand = false;
    group_shard_start(f.shard);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    fixture_deinit(&f);
}

TEST(stopping_answers_all_who_are_parked)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 3, ids);
    struct fixture_call *first = fixture_rejoin(&f, ids[0]);
    struct fixture_call *other = fixture_join(&f, &(struct join_args){.group = "other"});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(first->done + other->done, 0);
    fixture_stop(&f);
    CHECK_EQUAL(f.stopped, 1);
    CHECK_EQUAL(fixture_join_error(first), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(fixture_join_error(other), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(f.shard->groups.count, 0);
    mem_env_advance_ms(&f.m, 100000); /* no timer is left */
    fixture_deinit(&f);
}

TEST(stopping_while_writes_are_under_way_waits_for_them)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    f.by_hand = true;
    struct fixture_call *a = commit_one(&f, 0), *b = commit_one(&f, 1);
    struct fixture_call *join = fixture_join(&f, &(struct join_args){.group = "h"});
    CHECK_EQUAL(fixture_under_way(&f), 3);
    fixture_stop(&f);
    CHECK_EQUAL(fixture_commit_error(a), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(fixture_commit_error(b), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(fixture_join_error(join), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(f.stopped, 0);
    fixture_complete(&f, 1, KERR_NONE);
    fixture_complete(&f, 0, KERR_NOT_LEADER_OR_FOLLOWER);
    CHECK_EQUAL(f.stopped, 0);
    CHECK_EQUAL(list_error(&f), KERR_NOT_COORDINATOR);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(f.stopped, 1);
    f.by_hand = false;
    group_shard_start(f.shard);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), -1);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 1), 1); /* it was committed, and nobody told */
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(stopping_while_an_assignment_is_written)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *join = fixture_join(&f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    fixture_id(join, ids[0]);
    f.by_hand = true;
    struct fixture_call *sync =
        fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1});
    fixture_stop(&f);
    CHECK_EQUAL(fixture_sync_error(sync), KERR_NOT_COORDINATOR);
    fixture_commit(&f);
    CHECK_EQUAL(f.stopped, 1);
    fixture_deinit(&f);
}

TEST(writes_may_come_back_in_any_order_and_answers_go_in_that_of_the_log)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    f.by_hand = true;
    struct fixture_call *calls[4];
    for (int i = 0; i < 4; i++)
        calls[i] = commit_one(&f, i);
    struct fixture_call *list = fixture_list(&f, NULL, NULL);
    fixture_complete(&f, 3, KERR_NONE);
    fixture_complete(&f, 1, KERR_NONE);
    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(calls[i]->done, 0);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(calls[0]->done + calls[1]->done, 2);
    CHECK_EQUAL(calls[2]->done + calls[3]->done + list->done, 0);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(calls[2]->done + calls[3]->done + list->done, 3);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(reads_wait_for_what_was_written_before_them)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 1, ids);
    f.by_hand = true;
    commit_one(&f, 0); /* refused: there are members. Still nothing is under way */
    CHECK_EQUAL(list_error(&f), KERR_NONE);
    fixture_commit_offsets(&f, &(struct commit_args){.member = ids[0], .generation = 1});
    struct fixture_call *calls[] = {
        fixture_fetch(&f, NULL, "t", 0),
        fixture_describe(&f, NULL),
        fixture_list(&f, NULL, NULL),
        fixture_heartbeat(&f, &(struct member_args){.member = ids[0], .generation = 1}),
        fixture_heartbeat(&f, &(struct member_args){.member = "who"}),
        fixture_delete(&f, NULL),
        fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1}),
        fixture_leave(&f, &(struct member_args){.member = "who"}),
    };
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
        CHECK_EQUAL(calls[i]->done, 0);
    fixture_commit(&f);
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++)
        CHECK_EQUAL(calls[i]->done, 1);
    fixture_deinit(&f);
}

TEST(a_failed_write_drops_everything_and_the_log_is_read_again)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    f.by_hand = true;
    f.load_by_hand = true;
    const struct commit_args good = {.member = ids[0], .generation = 1, .offset = 1};
    const struct commit_args bad = {.member = ids[0], .generation = 1, .offset = 2};
    const struct commit_args later = {
        .member = ids[0], .generation = 1, .partition = 1, .offset = 3};
    struct fixture_call *first = fixture_commit_offsets(&f, &good);
    struct fixture_call *second = fixture_commit_offsets(&f, &bad);
    struct fixture_call *third = fixture_commit_offsets(&f, &later);
    struct fixture_call *parked = fixture_rejoin(&f, ids[0]);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(fixture_commit_error(first), KERR_NONE);
    CHECK_EQUAL(parked->done, 0);
    fixture_complete(&f, 0, KERR_NOT_LEADER_OR_FOLLOWER);
    CHECK_EQUAL(fixture_commit_error(second), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(fixture_commit_error(third), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(fixture_join_error(parked), KERR_NOT_COORDINATOR);
    CHECK_EQUAL(f.m.log_lines[LOG_WARN], 1);
    CHECK_EQUAL(f.shard->groups.count, 0);
    CHECK_EQUAL(f.loads, 1); /* not before the last write has come back */
    CHECK_EQUAL(list_error(&f), KERR_COORDINATOR_LOAD_IN_PROGRESS);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(f.loads, 2);
    fixture_load(&f);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 0), 1);
    CHECK_EQUAL(fixture_committed(&f, NULL, "t", 1), 3);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(the_errors_of_writes_are_told_in_kafkas_way)
{
    static const struct {
        enum kerr write;
        enum kerr told;
    } rows[] = {
        {KERR_NOT_LEADER_OR_FOLLOWER, KERR_NOT_COORDINATOR},
        {KERR_KAFKA_STORAGE_ERROR, KERR_NOT_COORDINATOR},
        {KERR_UNKNOWN_TOPIC_OR_PARTITION, KERR_COORDINATOR_NOT_AVAILABLE},
        {KERR_NOT_ENOUGH_REPLICAS, KERR_COORDINATOR_NOT_AVAILABLE},
        {KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, KERR_COORDINATOR_NOT_AVAILABLE},
        {KERR_REQUEST_TIMED_OUT, KERR_COORDINATOR_NOT_AVAILABLE},
        {KERR_MESSAGE_TOO_LARGE, KERR_UNKNOWN_SERVER_ERROR},
        {KERR_RECORD_LIST_TOO_LARGE, KERR_UNKNOWN_SERVER_ERROR},
        {KERR_INVALID_REQUIRED_ACKS, KERR_INVALID_REQUIRED_ACKS},
    };
    struct group_fixture f;
    fixture_init(&f, NULL);
    f.by_hand = true;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fixture_call *call = commit_one(&f, 0);
        fixture_complete(&f, 0, rows[i].write);
        CHECK_EQUAL(fixture_commit_error(call), rows[i].told);
        mem_env_run_until_idle(&f.m);
        CHECK_EQUAL(f.shard->state, SHARD_ACTIVE);
        CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    }
    CHECK_EQUAL(f.loads, 1 + (int)ARRAY_COUNT(rows));
    fixture_deinit(&f);
}

TEST(a_failed_write_while_stopping_changes_nothing)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    f.by_hand = true;
    commit_one(&f, 0);
    commit_one(&f, 1);
    fixture_complete(&f, 0, KERR_KAFKA_STORAGE_ERROR);
    fixture_stop(&f); /* failing, one write is under way */
    CHECK_EQUAL(f.stopped, 0);
    fixture_complete(&f, 0, KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(f.stopped, 1);
    CHECK_EQUAL(f.loads, 1);
    fixture_deinit(&f);
}

TEST(a_log_that_cannot_be_read_is_tried_again)
{
    struct group_fixture f;
    static const uint8_t bad[70] = {0};
    fixture_init(&f, NULL);
    fixture_stop(&f);
    f.load_by_hand = true;
    group_shard_start(f.shard);
    f.is_loading = false;
    CHECK(group_shard_replay(f.shard, bad, sizeof(bad)) != ERR_OK);
    group_shard_loaded(f.shard, ERR_CORRUPT);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], 1);
    CHECK_EQUAL(list_error(&f), KERR_COORDINATOR_LOAD_IN_PROGRESS);
    mem_env_advance_ms(&f.m, 9999);
    CHECK_EQUAL(f.loads, 2);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(f.loads, 3);
    fixture_load(&f);
    CHECK_EQUAL(list_error(&f), KERR_NONE);
    fixture_deinit(&f);
}

TEST(stopping_between_two_attempts_to_read_the_log)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    fixture_stop(&f);
    f.load_by_hand = true;
    group_shard_start(f.shard);
    f.is_loading = false;
    group_shard_loaded(f.shard, ERR_IO);
    fixture_stop(&f);
    CHECK_EQUAL(f.stopped, 2);
    mem_env_advance_ms(&f.m, 20000);
    CHECK_EQUAL(f.loads, 2);
    fixture_deinit(&f);
}

TEST(members_of_a_loaded_group_have_their_sessions_from_then_on)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    fixture_stop(&f);
    mem_env_advance_ms(&f.m, 100000);
    group_shard_start(f.shard);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    mem_env_advance_ms(&f.m, 9999);
    CHECK_EQUAL(fixture_heartbeat_error(fixture_heartbeat(
                    &f, &(struct member_args){.member = ids[0], .generation = 1})),
                KERR_NONE);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    struct fixture_call *call = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    CHECK_EQUAL(call->join->members.count, 1);
    fixture_deinit(&f);
}

TEST(a_loaded_group_that_is_too_large_joins_again)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 3, ids);
    fixture_stop(&f);
    f.shard->settings.members_max = 2;
    group_shard_start(f.shard);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    fixture_rejoin(&f, ids[0]);
    fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(fixture_rejoin(&f, ids[2])), KERR_GROUP_MAX_SIZE_REACHED);
    fixture_deinit(&f);
}
