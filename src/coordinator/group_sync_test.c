// SPDX-License-Identifier: Apache-2.0
/* group_sync_test: SyncGroup, Heartbeat and LeaveGroup of dynamic members, in every state.
 * Thread: main. */
#include <string.h>

#include "coordinator/group_fixture.h"

/* Group "g" of so many, whose members have joined and wait for an assignment. */
static void join_all(struct group_fixture *f, int count, char ids[][FIXTURE_ID_SIZE])
{
    struct fixture_call *calls[16];
    for (int i = 0; i < count; i++)
        calls[i] = fixture_join(f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f->m, 2 * FIXTURE_START_MS);
    for (int i = 0; i < count; i++) {
        CHECK_EQUAL(fixture_join_error(calls[i]), KERR_NONE);
        fixture_id(calls[i], ids[i]);
    }
}

static struct fixture_call *sync_of(struct group_fixture *f, const char *id)
{
    return fixture_sync(f, &(struct sync_args){.member = id, .generation = 1});
}

static int16_t heartbeat_of(struct group_fixture *f, const char *id, int32_t generation)
{
    return fixture_heartbeat_error(
        fixture_heartbeat(f, &(struct member_args){.member = id, .generation = generation}));
}

static int16_t leave_of(struct group_fixture *f, const char *id)
{
    const struct fixture_call *call = fixture_leave(f, &(struct member_args){.member = id});
    mem_env_run_until_idle(&f->m);
    return fixture_leave_error(call, 0);
}

/* ---- SyncGroup */

TEST(all_wait_for_the_leaders_assignment_and_for_its_commit)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    join_all(&f, 2, ids);
    f.by_hand = true;
    struct fixture_call *b = sync_of(&f, ids[1]);
    CHECK_EQUAL(fixture_under_way(&f), 0);
    const char *const pairs[] = {ids[0], "zero", ids[1], "one", "stranger", "x", NULL};
    struct fixture_call *a = fixture_sync(
        &f, &(struct sync_args){.member = ids[0], .generation = 1, .assignments = pairs});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_under_way(&f), 1);
    CHECK_EQUAL(a->done + b->done, 0);
    CHECK_EQUAL(fixture_state(&f), GROUP_COMPLETING);
    fixture_commit(&f);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    CHECK_EQUAL(fixture_sync_error(a), KERR_NONE);
    CHECK_EQUAL(fixture_sync_error(b), KERR_NONE);
    CHECK_EQUAL(a->sync->assignment.len, 4);
    CHECK_EQUAL(b->sync->assignment.len, 3);
    CHECK(wire_str_is(b->sync->protocol_type, "consumer"));
    CHECK(wire_str_is(b->sync->protocol_name, "range"));
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(in_a_stable_group_sync_tells_what_is_assigned)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    for (int i = 0; i < 2; i++) {
        struct fixture_call *call = sync_of(&f, ids[i]);
        CHECK_EQUAL(fixture_sync_error(call), KERR_NONE);
        CHECK_EQUAL(call->sync->assignment.data[1], '0' + i);
    }
    CHECK_EQUAL(fixture_under_way(&f), 0);
    fixture_deinit(&f);
}

TEST(syncs_that_do_not_fit_are_refused)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(fixture_sync_error(sync_of(&f, "who")), KERR_UNKNOWN_MEMBER_ID);
    join_all(&f, 1, ids);
    const struct {
        struct sync_args args;
        enum kerr error;
    } rows[] = {
        {{.member = "who", .generation = 1}, KERR_UNKNOWN_MEMBER_ID},
        {{.member = ids[0], .generation = 0}, KERR_ILLEGAL_GENERATION},
        {{.member = ids[0], .generation = 2}, KERR_ILLEGAL_GENERATION},
        {{.member = ids[0], .generation = 1, .type = "connect"}, KERR_INCONSISTENT_GROUP_PROTOCOL},
        {{.member = ids[0], .generation = 1, .protocol = "x"}, KERR_INCONSISTENT_GROUP_PROTOCOL},
        {{.member = ids[0], .generation = 1, .instance = "i"}, KERR_UNKNOWN_MEMBER_ID},
        {{.member = ids[0], .generation = 1, .type = "consumer", .protocol = "range"}, KERR_NONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fixture_call *call = fixture_sync(&f, &rows[i].args);
        mem_env_run_until_idle(&f.m);
        CHECK_EQUAL(fixture_sync_error(call), rows[i].error);
    }
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    fixture_deinit(&f);
}

TEST(a_rebalance_answers_those_who_wait_for_an_assignment)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    join_all(&f, 2, ids);
    struct fixture_call *b = sync_of(&f, ids[1]);
    struct fixture_call *c = fixture_join(&f, &(struct join_args){.member = NULL});
    CHECK_EQUAL(fixture_sync_error(b), KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    CHECK_EQUAL(fixture_sync_error(sync_of(&f, ids[0])), KERR_REBALANCE_IN_PROGRESS);
    fixture_rejoin(&f, ids[0]);
    fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(c), KERR_NONE);
    CHECK_EQUAL(c->join->generation_id, 2);
    fixture_deinit(&f);
}

TEST(an_assignment_counts_for_nothing_when_the_group_has_gone_on)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    join_all(&f, 2, ids);
    f.by_hand = true;
    struct fixture_call *a = sync_of(&f, ids[0]);
    CHECK_EQUAL(fixture_under_way(&f), 1);
    struct fixture_call *leave = fixture_leave(&f, &(struct member_args){.member = ids[1]});
    CHECK_EQUAL(a->done + leave->done, 0); /* what they are told waits for the write before it */
    fixture_commit(&f);
    CHECK_EQUAL(fixture_sync_error(a), KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(fixture_leave_error(leave, 0), KERR_NONE);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    fixture_deinit(&f);
}

TEST(a_second_sync_of_a_member_answers_the_first)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    join_all(&f, 2, ids);
    struct fixture_call *first = sync_of(&f, ids[1]), *second = sync_of(&f, ids[1]);
    CHECK_EQUAL(fixture_sync_error(first), KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(second->done, 0);
    sync_of(&f, ids[0]);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_sync_error(second), KERR_NONE);
    fixture_deinit(&f);
}

TEST(a_leader_may_send_its_assignment_twice)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    join_all(&f, 1, ids);
    f.by_hand = true;
    const char *const first_pairs[] = {ids[0], "first", NULL};
    const char *const second_pairs[] = {ids[0], "second", NULL};
    struct fixture_call *first = fixture_sync(
        &f, &(struct sync_args){.member = ids[0], .generation = 1, .assignments = first_pairs});
    struct fixture_call *second = fixture_sync(
        &f, &(struct sync_args){.member = ids[0], .generation = 1, .assignments = second_pairs});
    CHECK_EQUAL(fixture_under_way(&f), 2);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(second->done, 0);
    fixture_complete(&f, 0, KERR_NONE);
    CHECK_EQUAL(fixture_sync_error(first), KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(fixture_sync_error(second), KERR_NONE);
    CHECK_EQUAL(second->sync->assignment.len, 6);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(who_sends_no_sync_in_time_is_out)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    join_all(&f, 3, ids);
    sync_of(&f, ids[0]);
    sync_of(&f, ids[1]);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    for (int i = 0; i < 11; i++) {
        mem_env_advance_ms(&f.m, 5000);
        for (int m = 0; m < 3; m++)
            CHECK_EQUAL(heartbeat_of(&f, ids[m], 1), KERR_NONE);
    }
    mem_env_advance_ms(&f.m, 4999); /* since the answers to their joins */
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    CHECK_EQUAL(heartbeat_of(&f, ids[2], 1), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(heartbeat_of(&f, ids[1], 1), KERR_REBALANCE_IN_PROGRESS);
    fixture_deinit(&f);
}

TEST(an_assignment_that_does_not_fit_into_a_batch_is_refused)
{
    struct group_fixture f;
    struct group_settings settings = fixture_settings();
    char ids[2][FIXTURE_ID_SIZE];
    settings.batch_bytes_max = 600;
    fixture_init(&f, &settings);
    join_all(&f, 2, ids);
    char large[600];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    const char *const pairs[] = {ids[0], large, NULL};
    struct fixture_call *b = sync_of(&f, ids[1]);
    struct fixture_call *a = fixture_sync(
        &f, &(struct sync_args){.member = ids[0], .generation = 1, .assignments = pairs});
    CHECK_EQUAL(fixture_sync_error(a), KERR_UNKNOWN_SERVER_ERROR);
    CHECK_EQUAL(fixture_sync_error(b), KERR_UNKNOWN_SERVER_ERROR);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    fixture_deinit(&f);
}

/* ---- Heartbeat */

TEST(heartbeats_in_every_state)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE], pending[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(heartbeat_of(&f, "who", 0), KERR_UNKNOWN_MEMBER_ID); /* no group */
    struct fixture_call *call = fixture_join(&f, &(struct join_args){.version = 4});
    mem_env_run_until_idle(&f.m);
    fixture_id(call, pending);
    CHECK_EQUAL(heartbeat_of(&f, pending, 0), KERR_UNKNOWN_MEMBER_ID); /* empty */
    join_all(&f, 2, ids);
    CHECK_EQUAL(fixture_state(&f), GROUP_COMPLETING);
    CHECK_EQUAL(heartbeat_of(&f, ids[0], 1), KERR_NONE);
    CHECK_EQUAL(heartbeat_of(&f, ids[0], 0), KERR_ILLEGAL_GENERATION);
    fixture_sync_all(&f, 1, 2, ids);
    CHECK_EQUAL(heartbeat_of(&f, ids[1], 1), KERR_NONE);
    CHECK_EQUAL(heartbeat_of(&f, ids[1], 2), KERR_ILLEGAL_GENERATION);
    CHECK_EQUAL(heartbeat_of(&f, "who", 1), KERR_UNKNOWN_MEMBER_ID);
    fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(heartbeat_of(&f, ids[1], 1), KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(heartbeat_of(&f, ids[1], 2), KERR_ILLEGAL_GENERATION);
    fixture_deinit(&f);
}

TEST(who_is_not_heard_of_for_its_session_is_out)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    mem_env_advance_ms(&f.m, 9000);
    CHECK_EQUAL(heartbeat_of(&f, ids[0], 1), KERR_NONE);
    mem_env_advance_ms(&f.m, 999);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    CHECK_EQUAL(heartbeat_of(&f, ids[1], 1), KERR_UNKNOWN_MEMBER_ID);
    mem_env_advance_ms(&f.m, 10000);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(who_waits_for_us_is_not_given_up)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    struct fixture_call *a = fixture_rejoin(&f, ids[0]);
    for (int i = 0; i < 10; i++) {
        mem_env_advance_ms(&f.m, 5000);
        CHECK_EQUAL(heartbeat_of(&f, ids[1], 1), KERR_REBALANCE_IN_PROGRESS);
    }
    CHECK_EQUAL(a->done, 0);
    struct fixture_call *b = fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    b = fixture_sync(&f, &(struct sync_args){.member = ids[1], .generation = 2});
    mem_env_advance_ms(&f.m, 9999);
    CHECK_EQUAL(b->done, 0);
    mem_env_advance_ms(&f.m, 1); /* the leader waits for nothing */
    CHECK_EQUAL(fixture_sync_error(b), KERR_REBALANCE_IN_PROGRESS);
    mem_env_advance_ms(&f.m, 9999);
    CHECK_EQUAL(fixture_group(&f, "g")->member_count, 1); /* its session began when answered */
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_deinit(&f);
}

/* ---- LeaveGroup */

TEST(leaving_in_every_state)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *call = fixture_leave(&f, &(struct member_args){.member = "who"});
    CHECK_EQUAL(call->leave->error_code, KERR_NONE); /* no group: its row says so */
    CHECK_EQUAL(fixture_leave_error(call, 0), KERR_UNKNOWN_MEMBER_ID);

    call = fixture_join(&f, &(struct join_args){.version = 4});
    mem_env_run_until_idle(&f.m);
    fixture_id(call, ids[0]);
    CHECK_EQUAL(leave_of(&f, ids[0]), KERR_NONE); /* empty: it only had its id */
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(fixture_group(&f, "g")->pending_count, 0);

    join_all(&f, 3, ids);
    struct fixture_call *sync = sync_of(&f, ids[2]);
    CHECK_EQUAL(leave_of(&f, ids[2]), KERR_NONE); /* completing, with its sync parked */
    CHECK_EQUAL(fixture_sync_error(sync), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    struct fixture_call *a = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(leave_of(&f, ids[1]), KERR_NONE); /* preparing: all others are there */
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    fixture_sync_all(&f, 2, 1, ids);
    CHECK_EQUAL(leave_of(&f, "who"), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(leave_of(&f, ids[0]), KERR_NONE); /* stable */
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(leave_of(&f, ids[0]), KERR_UNKNOWN_MEMBER_ID);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(who_leaves_with_its_join_parked_is_answered)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    struct fixture_call *a = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(leave_of(&f, ids[0]), KERR_NONE);
    CHECK_EQUAL(fixture_join_error(a), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(fixture_group(&f, "g")->joining_count, 0);
    fixture_deinit(&f);
}

TEST(several_leave_in_one_request)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 3, ids);
    struct fixture_call *call = fixture_leave_many(&f,
                                                   (const struct member_args[]){
                                                       {.member = ids[0]},
                                                       {.instance = "i1"},
                                                       {.instance = "unknown"},
                                                       {.member = ids[0]},
                                                       {.member = "old", .instance = "i2"},
                                                       {.member = ids[2], .instance = "i2"},
                                                   },
                                                   6);
    mem_env_run_until_idle(&f.m);
    static const enum kerr expected[] = {KERR_NONE,
                                         KERR_NONE,
                                         KERR_UNKNOWN_MEMBER_ID,
                                         KERR_UNKNOWN_MEMBER_ID,
                                         KERR_FENCED_INSTANCE_ID,
                                         KERR_NONE};
    for (int32_t i = 0; i < 6; i++)
        CHECK_EQUAL(fixture_leave_error(call, i), expected[i]);
    CHECK(wire_str_is(call->leave->members.items[1].group_instance_id, "i1"));
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}
