// SPDX-License-Identifier: Apache-2.0
/* group_static_test: static members (KIP-345): who comes back takes its place, in every state; the
 * one before it is fenced. Thread: main. */
#include <string.h>

#include "coordinator/group_fixture.h"

static struct fixture_call *come_back(struct group_fixture *f, const char *instance)
{
    return fixture_join(f, &(struct join_args){.instance = instance, .version = 5});
}

static void check_fenced(struct group_fixture *f, const char *id, const char *instance,
                         int32_t generation)
{
    CHECK_EQUAL(
        fixture_heartbeat_error(fixture_heartbeat(
            f,
            &(struct member_args){.member = id, .instance = instance, .generation = generation})),
        KERR_FENCED_INSTANCE_ID);
    CHECK_EQUAL(
        fixture_sync_error(fixture_sync(
            f, &(struct sync_args){.member = id, .instance = instance, .generation = generation})),
        KERR_FENCED_INSTANCE_ID);
    CHECK_EQUAL(
        fixture_commit_error(fixture_commit_offsets(
            f,
            &(struct commit_args){.member = id, .instance = instance, .generation = generation})),
        KERR_FENCED_INSTANCE_ID);
    CHECK_EQUAL(fixture_join_error(fixture_join(
                    f, &(struct join_args){.member = id, .instance = instance, .version = 5})),
                KERR_FENCED_INSTANCE_ID);
    CHECK_EQUAL(fixture_leave_error(
                    fixture_leave(f, &(struct member_args){.member = id, .instance = instance}), 0),
                KERR_FENCED_INSTANCE_ID);
    CHECK_EQUAL(fixture_heartbeat_error(fixture_heartbeat(
                    f, &(struct member_args){.member = id, .generation = generation})),
                KERR_UNKNOWN_MEMBER_ID);
}

TEST(a_static_newcomer_has_its_id_at_once)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *call = come_back(&f, "i0");
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    fixture_id(call, id);
    CHECK(strncmp(id, "i0-", 3) == 0);
    CHECK(wire_str_is(call->join->members.items[0].group_instance_id, "i0"));
    fixture_deinit(&f);
}

TEST(a_follower_that_comes_back_to_a_stable_group_changes_nothing_for_others)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE], next[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 2, ids);
    f.by_hand = true;
    struct fixture_call *call = come_back(&f, "i1");
    CHECK_EQUAL(call->done, 0); /* its new id is written first */
    CHECK_EQUAL(fixture_under_way(&f), 1);
    fixture_commit(&f);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    fixture_id(call, next);
    CHECK(strcmp(next, ids[1]) != 0);
    CHECK_EQUAL(call->join->generation_id, 1);
    CHECK(wire_str_is(call->join->leader, ids[0]));
    CHECK_EQUAL(call->join->members.count, 0);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    check_fenced(&f, ids[1], "i1", 1);
    struct fixture_call *sync =
        fixture_sync(&f, &(struct sync_args){.member = next, .instance = "i1", .generation = 1});
    CHECK_EQUAL(fixture_sync_error(sync), KERR_NONE);
    CHECK(memcmp(sync->sync->assignment.data, "a1", 2) == 0);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_leader_that_comes_back_does_not_lead_before_version_9)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE], next[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 2, ids);
    struct fixture_call *call = come_back(&f, "i0");
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    CHECK(wire_str_is(call->join->leader, ids[0])); /* its old name: it takes it for another's */
    CHECK_EQUAL(call->join->members.count, 0);
    CHECK(!call->join->skip_assignment);
    fixture_id(call, next);
    CHECK(strcmp(fixture_group(&f, "g")->leader, next) == 0);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_leader_of_version_9_is_told_to_assign_nothing)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 2, ids);
    struct fixture_call *call =
        fixture_join(&f, &(struct join_args){.instance = "i0", .version = 9});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    CHECK(wire_str_equal(call->join->leader, call->join->member_id));
    CHECK(call->join->skip_assignment);
    CHECK_EQUAL(call->join->members.count, 2);
    call = fixture_join(&f, &(struct join_args){.instance = "i1", .version = 9});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    CHECK(!call->join->skip_assignment); /* it does not lead */
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    fixture_deinit(&f);
}

TEST(who_comes_back_with_other_protocols_makes_the_group_choose_again)
{
    struct group_fixture f;
    struct fixture_call *a, *b;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    a = fixture_join(&f, &(struct join_args){.instance = "i0", .protocols = "x,y"});
    b = fixture_join(&f, &(struct join_args){.instance = "i1", .protocols = "x,y"});
    mem_env_advance_ms(&f.m, 6000);
    fixture_id(a, ids[0]);
    fixture_id(b, ids[1]);
    CHECK(wire_str_is(a->join->protocol_name, "x"));
    fixture_sync_all(&f, 1, 2, ids);
    b = fixture_join(&f, &(struct join_args){.instance = "i1", .protocols = "y", .version = 5});
    CHECK_EQUAL(b->done, 0);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    a = fixture_join(&f,
                     &(struct join_args){.member = ids[0], .instance = "i0", .protocols = "x,y"});
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    CHECK(wire_str_is(a->join->protocol_name, "y"));
    CHECK(wire_str_is(b->join->protocol_name, "y"));
    fixture_deinit(&f);
}

TEST(who_comes_back_while_others_join_takes_the_parked_ones_place)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 2, ids);
    struct fixture_call *old =
        fixture_join(&f, &(struct join_args){.member = ids[0], .instance = "i0", .version = 5});
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    struct fixture_call *next = come_back(&f, "i0");
    CHECK_EQUAL(fixture_join_error(old), KERR_FENCED_INSTANCE_ID);
    CHECK(wire_str_is(old->join->member_id, ids[0]));
    CHECK_EQUAL(next->done, 0);
    check_fenced(&f, ids[0], "i0", 1);
    fixture_join(&f, &(struct join_args){.member = ids[1], .instance = "i1", .version = 5});
    CHECK_EQUAL(fixture_join_error(next), KERR_NONE);
    CHECK_EQUAL(next->join->generation_id, 2);
    CHECK(wire_str_equal(next->join->leader, next->join->member_id));
    CHECK_EQUAL(next->join->members.count, 2);
    fixture_deinit(&f);
}

TEST(who_comes_back_before_the_assignment_begins_another_round)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *a = come_back(&f, "i0"), *b = come_back(&f, "i1");
    mem_env_advance_ms(&f.m, 6000);
    fixture_id(a, ids[0]);
    fixture_id(b, ids[1]);
    CHECK_EQUAL(fixture_state(&f), GROUP_COMPLETING);
    struct fixture_call *old =
        fixture_sync(&f, &(struct sync_args){.member = ids[1], .instance = "i1", .generation = 1});
    struct fixture_call *next = come_back(&f, "i1");
    CHECK_EQUAL(fixture_sync_error(old), KERR_FENCED_INSTANCE_ID);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    fixture_join(&f, &(struct join_args){.member = ids[0], .instance = "i0", .version = 5});
    CHECK_EQUAL(fixture_join_error(next), KERR_NONE);
    CHECK_EQUAL(next->join->generation_id, 2);
    fixture_deinit(&f);
}

TEST(static_members_that_do_not_join_again_stay)
{
    struct group_fixture f;
    struct fixture_call *a, *b;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    a = fixture_join(&f, &(struct join_args){.instance = "i0", .session_ms = 300000});
    b = fixture_join(&f, &(struct join_args){.instance = "i1", .session_ms = 300000});
    mem_env_advance_ms(&f.m, 6000);
    fixture_id(a, ids[0]);
    fixture_id(b, ids[1]);
    fixture_sync_all(&f, 1, 2, ids);
    struct fixture_call *c = fixture_join(&f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f.m, 60000);
    CHECK_EQUAL(fixture_join_error(c), KERR_NONE);
    CHECK_EQUAL(c->join->members.count, 3); /* it leads: nobody else is here */
    CHECK_EQUAL(c->join->generation_id, 2);
    fixture_deinit(&f);
}

TEST(a_group_of_absent_static_members_waits_until_their_sessions_are_over)
{
    struct group_fixture f;
    struct fixture_call *call;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    call = fixture_join(&f, &(struct join_args){.instance = "i0", .session_ms = 200000});
    fixture_join(&f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f.m, 6000);
    fixture_id(call, ids[0]);
    mem_env_advance_ms(&f.m, 60000); /* the dynamic one dies, then syncs are not sent in time */
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    mem_env_advance_ms(&f.m, 120000);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    CHECK_EQUAL(fixture_group(&f, "g")->member_count, 1);
    mem_env_advance_ms(&f.m, 30000);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(an_absent_static_member_without_a_rebalance_timeout_does_not_keep_us_busy)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *a =
        fixture_join(&f, &(struct join_args){.instance = "i0", .rebalance_ms = -1});
    struct fixture_call *b = fixture_join(&f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f.m, 2 * FIXTURE_START_MS);
    fixture_id(a, ids[0]);
    fixture_id(b, ids[1]);
    fixture_sync_all(&f, 1, 2, ids);
    fixture_leave(&f, &(struct member_args){.member = ids[1]});
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING); /* the longest timeout is now -1 */
    mem_env_advance_ms(&f.m, 9999);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_deinit(&f);
}

TEST(an_instance_that_nobody_has_is_unknown)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 1, ids);
    CHECK_EQUAL(
        fixture_heartbeat_error(fixture_heartbeat(
            &f, &(struct member_args){.member = ids[0], .instance = "other", .generation = 1})),
        KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(fixture_join_error(fixture_join(
                    &f, &(struct join_args){.member = ids[0], .instance = "other", .version = 5})),
                KERR_UNKNOWN_MEMBER_ID);
    /* Without its instance a static member may say what any member may. */
    CHECK_EQUAL(fixture_heartbeat_error(fixture_heartbeat(
                    &f, &(struct member_args){.member = ids[0], .generation = 1})),
                KERR_NONE);
    fixture_deinit(&f);
}

TEST(a_static_member_that_leaves_by_its_instance_makes_the_others_join_again)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 2, ids);
    CHECK_EQUAL(fixture_leave_error(fixture_leave(&f, &(struct member_args){.instance = "i1"}), 0),
                KERR_NONE);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    struct fixture_call *call = come_back(&f, "i1"); /* as a new one */
    CHECK_EQUAL(call->done, 0);
    fixture_join(&f, &(struct join_args){.member = ids[0], .instance = "i0", .version = 5});
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    fixture_deinit(&f);
}
