// SPDX-License-Identifier: Apache-2.0
/* group_join_test: rounds of joining: ids, the first delay, who is dropped, protocols, leaders,
 * repeated requests. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "coordinator/group_fixture.h"

static struct fixture_call *newcomer(struct group_fixture *f)
{
    return fixture_join(f, &(struct join_args){.member = NULL});
}

TEST(a_newcomer_of_version_4_has_to_come_back_with_its_id)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *first = fixture_join(&f, &(struct join_args){.version = 4});
    CHECK_EQUAL(first->done, 0); /* that the group is there is written first */
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_join_error(first), KERR_MEMBER_ID_REQUIRED);
    fixture_id(first, id);
    CHECK(strncmp(id, "client-", 7) == 0);
    CHECK_EQUAL(strlen(id), 7 + 36);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(fixture_group(&f, "g")->pending_count, 1);
    struct fixture_call *second = fixture_join(&f, &(struct join_args){.member = id, .version = 4});
    CHECK_EQUAL(fixture_group(&f, "g")->pending_count, 0);
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    CHECK_EQUAL(fixture_join_error(second), KERR_NONE);
    CHECK(wire_str_is(second->join->member_id, id));
    CHECK(wire_str_is(second->join->leader, id));
    CHECK_EQUAL(second->join->members.count, 1);
    CHECK_EQUAL(second->join->generation_id, 1);
    fixture_deinit(&f);
}

TEST(an_id_that_nobody_comes_back_with_is_forgotten_after_its_session)
{
    struct group_fixture f;
    char id[FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *first = fixture_join(&f, &(struct join_args){.version = 4});
    mem_env_run_until_idle(&f.m);
    fixture_id(first, id);
    mem_env_advance_ms(&f.m, 9999);
    CHECK_EQUAL(fixture_group(&f, "g")->pending_count, 1);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_group(&f, "g")->pending_count, 0);
    CHECK_EQUAL(
        fixture_join_error(fixture_join(&f, &(struct join_args){.member = id, .version = 4})),
        KERR_UNKNOWN_MEMBER_ID);
    fixture_deinit(&f);
}

TEST(a_round_waits_for_whom_it_gave_an_id_until_its_session_is_over)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 1, ids);
    fixture_join(&f, &(struct join_args){.version = 4, .session_ms = 20000});
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE); /* nothing has happened yet */
    struct fixture_call *again = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    mem_env_advance_ms(&f.m, 19999);
    CHECK_EQUAL(again->done, 0);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_join_error(again), KERR_NONE);
    CHECK_EQUAL(again->join->generation_id, 2);
    fixture_deinit(&f);
}

TEST(the_first_round_waits_for_more_and_newcomers_make_it_wait_longer)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    struct fixture_call *a = newcomer(&f);
    mem_env_advance_ms(&f.m, 2000);
    struct fixture_call *b = newcomer(&f);
    mem_env_advance_ms(&f.m, 1000); /* 3 s: somebody has come meanwhile */
    CHECK_EQUAL(a->done, 0);
    mem_env_advance_ms(&f.m, 2999);
    CHECK_EQUAL(a->done, 0);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    CHECK_EQUAL(a->join->members.count, 2);
    CHECK_EQUAL(b->join->members.count, 0); /* only the leader learns of all */
    CHECK(wire_str_equal(a->join->leader, b->join->leader));
    fixture_deinit(&f);
}

TEST(the_first_round_takes_the_rebalance_timeout_at_most)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    struct fixture_call *first = fixture_join(&f, &(struct join_args){.rebalance_ms = 8000});
    int64_t passed_ms = 0;
    for (; first->done == 0 && passed_ms < 20000; passed_ms += 500) {
        fixture_join(&f, &(struct join_args){.rebalance_ms = 8000});
        mem_env_advance_ms(&f.m, 500);
    }
    CHECK_EQUAL(passed_ms, 8000);
    CHECK_EQUAL(fixture_join_error(first), KERR_NONE);
    fixture_deinit(&f);
}

TEST(without_a_first_delay_a_member_is_alone_at_once)
{
    struct group_fixture f;
    struct group_settings settings = fixture_settings();
    settings.initial_rebalance_delay_ms = 0;
    fixture_init(&f, &settings);
    struct fixture_call *a = newcomer(&f);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    fixture_deinit(&f);
}

TEST(a_first_round_takes_its_delay_also_when_an_id_is_given_up_meanwhile)
{
    struct group_fixture f;
    struct group_settings settings = fixture_settings();
    settings.initial_rebalance_delay_ms = 10000;
    fixture_init(&f, &settings);
    fixture_join(&f, &(struct join_args){.version = 4, .session_ms = 6000});
    struct fixture_call *a = newcomer(&f);
    mem_env_advance_ms(&f.m, 7000);
    CHECK_EQUAL(fixture_group(&f, "g")->pending_count, 0);
    CHECK_EQUAL(a->done, 0);
    mem_env_advance_ms(&f.m, 3000);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    fixture_deinit(&f);
}

TEST(who_does_not_join_again_in_time_is_out)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 3, ids);
    struct fixture_call *b = fixture_join(
        &f, &(struct join_args){.member = ids[1], .metadata = "other", .rebalance_ms = 30000});
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    for (int i = 0; i < 15; i++) { /* the others are alive and do not join */
        mem_env_advance_ms(&f.m, 3999);
        for (int m = 0; m < 3; m += 2)
            CHECK_EQUAL(fixture_heartbeat_error(fixture_heartbeat(
                            &f, &(struct member_args){.member = ids[m], .generation = 1})),
                        KERR_REBALANCE_IN_PROGRESS);
    }
    CHECK_EQUAL(b->done, 0);
    mem_env_advance_ms(&f.m, 15); /* 60 s: the longest of all three */
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    CHECK_EQUAL(b->join->generation_id, 2);
    CHECK_EQUAL(b->join->members.count, 1);
    CHECK(wire_str_is(b->join->leader, ids[1])); /* the leader is out */
    CHECK_EQUAL(
        fixture_heartbeat_error(fixture_heartbeat(&f, &(struct member_args){.member = ids[0]})),
        KERR_UNKNOWN_MEMBER_ID);
    fixture_deinit(&f);
}

TEST(the_member_that_joined_first_leads_after_the_leader_has_left)
{
    struct group_fixture f;
    char ids[3][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 3, ids);
    CHECK_EQUAL(fixture_leave_error(fixture_leave(&f, &(struct member_args){.member = ids[0]}), 0),
                KERR_NONE);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    struct fixture_call *c = fixture_rejoin(&f, ids[2]), *b = fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    CHECK_EQUAL(fixture_join_error(c), KERR_NONE);
    CHECK(wire_str_is(b->join->leader, ids[1]));
    CHECK_EQUAL(b->join->members.count, 2);
    fixture_deinit(&f);
}

TEST(the_protocol_that_most_like_best_among_those_of_all_is_chosen)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    static const char *const supported[] = {"only-a,range,sticky", "sticky,range",
                                            "sticky,range,only-c"};
    struct fixture_call *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = fixture_join(&f, &(struct join_args){.protocols = supported[i]});
    mem_env_advance_ms(&f.m, 6000);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(fixture_join_error(calls[i]), KERR_NONE);
        CHECK(wire_str_is(calls[i]->join->protocol_name, "sticky"));
        CHECK(wire_str_is(calls[i]->join->protocol_type, "consumer"));
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(calls[0]->join->members.items[i].metadata.len, 6); /* "sticky" */
    fixture_deinit(&f);
}

TEST(who_shares_no_protocol_with_all_is_refused)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    static const struct join_args bad[] = {{.protocols = "other"},
                                           {.type = "connect"},
                                           {.type = ""},
                                           {.protocols = ""},
                                           {.version = 4, .protocols = "other"}};
    fixture_init(&f, NULL);
    struct fixture_call *call = fixture_join(&f, &(struct join_args){.type = ""});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_join_error(call), KERR_INCONSISTENT_GROUP_PROTOCOL);
    call = fixture_join(&f, &(struct join_args){.protocols = ""});
    CHECK_EQUAL(fixture_join_error(call), KERR_INCONSISTENT_GROUP_PROTOCOL);
    CHECK_EQUAL(call->join->generation_id, -1);
    fixture_form(&f, 2, ids);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK_EQUAL(fixture_join_error(fixture_join(&f, &bad[i])),
                    KERR_INCONSISTENT_GROUP_PROTOCOL);
    call = fixture_join(&f, &(struct join_args){.member = ids[0], .protocols = "other"});
    CHECK_EQUAL(fixture_join_error(call), KERR_INCONSISTENT_GROUP_PROTOCOL);
    CHECK(wire_str_is(call->join->member_id, ids[0]));
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    fixture_deinit(&f);
}

/* "p0,p1,...": so many, and one more name behind them. */
static void many_protocols(char *out, size_t size, int count, const char *last)
{
    size_t used = 0;
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, size - used, "p%d,", i);
    snprintf(out + used, size - used, "%s", last);
}

TEST(a_member_that_joins_again_as_it_is_but_of_another_type_is_refused)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    struct join_args args = {.member = ids[1], .type = "connect"};
    CHECK_EQUAL(fixture_join_error(fixture_join(&f, &args)), KERR_INCONSISTENT_GROUP_PROTOCOL);
    args.type = NULL;
    args.protocols = "other";
    CHECK_EQUAL(fixture_join_error(fixture_join(&f, &args)), KERR_INCONSISTENT_GROUP_PROTOCOL);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    CHECK_EQUAL(fixture_join_error(fixture_rejoin(&f, ids[1])), KERR_NONE);
    fixture_deinit(&f);
}

/* Each member joins and syncs in each round: looking at all of them each time would make a round
 * of 1,000 members cost ten times what it is worth. */
TEST(the_members_of_a_large_group_are_looked_at_in_some_checks_only)
{
    enum { SMALL = 15, LARGE = 64, EVERY = 4 };
    struct group_fixture f;
    fixture_init(&f, NULL);
    for (int i = 0; i < SMALL; i++)
        newcomer(&f);
    struct group *group = fixture_group(&f, "g");
    group_check(group);
    CHECK_EQUAL(group->checks_since_walk, 0);
    for (int i = SMALL; i < LARGE; i++)
        newcomer(&f);
    CHECK_EQUAL(group->member_count, LARGE);
    group->checks_since_walk = 0;
    for (uint32_t i = 1; i < EVERY; i++) {
        group_check(group);
        CHECK_EQUAL(group->checks_since_walk, i);
    }
    group_check(group);
    CHECK_EQUAL(group->checks_since_walk, 0);
    fixture_deinit(&f);
}

TEST(more_protocols_than_anybody_has_are_refused)
{
    struct group_fixture f;
    char names[512];
    fixture_init(&f, NULL);
    many_protocols(names, sizeof(names), 40, "range");
    struct fixture_call *a = fixture_join(&f, &(struct join_args){.protocols = names});
    struct fixture_call *b = newcomer(&f);
    mem_env_advance_ms(&f.m, 6000);
    CHECK_EQUAL(fixture_join_error(a), KERR_INCONSISTENT_GROUP_PROTOCOL);
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    fixture_deinit(&f);
}

TEST(as_many_protocols_as_are_taken_can_be_chosen)
{
    struct group_fixture f;
    char names[512];
    fixture_init(&f, NULL);
    many_protocols(names, sizeof(names), 31, "range");
    struct fixture_call *a = fixture_join(&f, &(struct join_args){.protocols = names});
    struct fixture_call *b = newcomer(&f);
    mem_env_advance_ms(&f.m, 6000);
    CHECK_EQUAL(fixture_join_error(a), KERR_NONE);
    CHECK_EQUAL(fixture_join_error(b), KERR_NONE);
    CHECK(wire_str_is(a->join->protocol_name, "range"));
    fixture_deinit(&f);
}

TEST(a_client_id_with_a_nul_gives_ids_that_differ)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *calls[2];
    for (int i = 0; i < 2; i++)
        calls[i] = fixture_join(&f, &(struct join_args){.client = "x?y"});
    mem_env_advance_ms(&f.m, 6000);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(fixture_join_error(calls[i]), KERR_NONE);
        fixture_id(calls[i], ids[i]);
        CHECK_EQUAL(strlen(ids[i]), calls[i]->join->member_id.len);
        CHECK_EQUAL(strlen(ids[i]), 1 + 37);
    }
    CHECK(strcmp(ids[0], ids[1]) != 0);
    fixture_sync_all(&f, 1, 2, ids);
    fixture_deinit(&f);
}

TEST(session_timeouts_outside_the_limits_are_refused)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    static const int32_t bad_ms[] = {5999, 1800001, -1};
    for (size_t i = 0; i < ARRAY_COUNT(bad_ms); i++)
        CHECK_EQUAL(
            fixture_join_error(fixture_join(&f, &(struct join_args){.session_ms = bad_ms[i]})),
            KERR_INVALID_SESSION_TIMEOUT);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD); /* none was made */
    fixture_deinit(&f);
}

TEST(strangers_with_an_id_are_refused)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    CHECK_EQUAL(fixture_join_error(fixture_rejoin(&f, "who")), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(fixture_state(&f), GROUP_DEAD);
    fixture_form(&f, 1, ids);
    struct fixture_call *call = fixture_rejoin(&f, "who");
    CHECK_EQUAL(fixture_join_error(call), KERR_UNKNOWN_MEMBER_ID);
    CHECK(wire_str_is(call->join->member_id, "who"));
    fixture_deinit(&f);
}

TEST(a_second_join_of_a_member_answers_the_first)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    struct fixture_call *first = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(first->done, 0);
    struct fixture_call *second = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(fixture_join_error(first), KERR_REBALANCE_IN_PROGRESS);
    CHECK_EQUAL(second->done, 0);
    CHECK_EQUAL(fixture_group(&f, "g")->joining_count, 1);
    fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(second), KERR_NONE);
    CHECK_EQUAL(second->join->members.count, 2);
    fixture_deinit(&f);
}

TEST(a_leader_that_joins_again_begins_a_round)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    struct fixture_call *leader = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(leader), KERR_NONE);
    CHECK_EQUAL(leader->join->generation_id, 2);
    CHECK(wire_str_is(leader->join->leader, ids[0]));
    fixture_sync_all(&f, 2, 2, ids);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}

TEST(a_follower_that_joins_again_unchanged_is_told_what_it_is_in)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    struct fixture_call *call = fixture_rejoin(&f, ids[1]);
    CHECK_EQUAL(fixture_join_error(call), KERR_NONE);
    CHECK_EQUAL(call->join->generation_id, 1);
    CHECK_EQUAL(call->join->members.count, 0);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    call = fixture_join(&f, &(struct join_args){.member = ids[1], .metadata = "new"});
    CHECK_EQUAL(call->done, 0);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    fixture_deinit(&f);
}

TEST(who_joins_again_unchanged_before_the_assignment_gets_its_answer_again)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *call = newcomer(&f);
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_COMPLETING);
    fixture_id(call, ids[0]);
    struct fixture_call *again = fixture_rejoin(&f, ids[0]);
    CHECK_EQUAL(fixture_join_error(again), KERR_NONE);
    CHECK_EQUAL(again->join->generation_id, 1);
    CHECK_EQUAL(again->join->members.count, 1);
    again = fixture_join(&f, &(struct join_args){.member = ids[0], .metadata = "new"});
    CHECK_EQUAL(fixture_join_error(again), KERR_NONE);
    CHECK_EQUAL(again->join->generation_id, 2); /* it was alone */
    fixture_sync_all(&f, 2, 1, ids);
    fixture_deinit(&f);
}

TEST(group_max_size_keeps_newcomers_out_and_members_in)
{
    struct group_fixture f;
    struct group_settings settings = fixture_settings();
    char ids[2][FIXTURE_ID_SIZE];
    settings.members_max = 2;
    fixture_init(&f, &settings);
    fixture_form(&f, 2, ids);
    struct fixture_call *call = newcomer(&f);
    CHECK_EQUAL(fixture_join_error(call), KERR_GROUP_MAX_SIZE_REACHED);
    CHECK_EQUAL(call->join->member_id.len, 0);
    fixture_rejoin(&f, ids[0]);
    struct fixture_call *third = newcomer(&f); /* a place, as long as not all have joined again */
    CHECK_EQUAL(third->done, 0);
    CHECK_EQUAL(fixture_join_error(newcomer(&f)), KERR_GROUP_MAX_SIZE_REACHED);
    CHECK_EQUAL(fixture_join_error(fixture_rejoin(&f, ids[1])), KERR_GROUP_MAX_SIZE_REACHED);
    CHECK_EQUAL(fixture_group(&f, "g")->member_count,
                2); /* it is out, and nobody answered for that */
    CHECK_EQUAL(third->done, 0);
    mem_env_advance_ms(&f.m, 60000); /* the round's time is up */
    CHECK_EQUAL(fixture_join_error(third), KERR_NONE);
    CHECK_EQUAL(fixture_group(&f, "g")->member_count, 2);
    fixture_deinit(&f);
}

TEST(a_new_member_is_given_up_after_five_minutes)
{
    struct group_fixture f;
    char ids[1][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    struct fixture_call *first =
        fixture_join(&f, &(struct join_args){.rebalance_ms = 1000000, .session_ms = 1000000});
    mem_env_advance_ms(&f.m, FIXTURE_START_MS);
    fixture_id(first, ids[0]);
    fixture_sync_all(&f, 1, 1, ids);
    struct fixture_call *second = newcomer(&f); /* the first one does not join again */
    mem_env_advance_ms(&f.m, 299999);
    CHECK_EQUAL(second->done, 0);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fixture_join_error(second), KERR_UNKNOWN_MEMBER_ID);
    CHECK_EQUAL(fixture_group(&f, "g")->member_count, 1);
    fixture_deinit(&f);
}

TEST(a_group_whose_members_all_leave_is_empty_and_that_is_written)
{
    struct group_fixture f;
    char ids[2][FIXTURE_ID_SIZE];
    fixture_init(&f, NULL);
    fixture_form(&f, 2, ids);
    fixture_leave(&f, &(struct member_args){.member = ids[0]});
    fixture_leave(&f, &(struct member_args){.member = ids[1]});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    CHECK_EQUAL(fixture_group(&f, "g")->generation, 2);
    fixture_check_replay(&f);
    fixture_deinit(&f);
}
