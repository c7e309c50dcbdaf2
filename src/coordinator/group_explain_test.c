// SPDX-License-Identifier: Apache-2.0
/* group_explain_test: what DescribeGroups tells to who asks why: each cause of a rebalance, each
 * way to go, whom a group waits for and until when, and how the shard is. Thread: main. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "coordinator/group_fixture.h"

enum { SESSION_MS = 10000, REBALANCE_MS = 60000, SYNC = 14, JOIN = 11, HEARTBEAT = 12, COMMIT = 8 };

typedef char member_id[FIXTURE_ID_SIZE];

/* Lives until fixture_deinit. */
static const struct describe_groups_response_explanation *explain(struct group_fixture *f)
{
    struct fixture_call *call = fixture_explain(f, NULL);
    CHECK_EQUAL(call->done, 1);
    CHECK_EQUAL(call->op.error, KERR_NONE);
    CHECK(call->describe->explanation != NULL);
    CHECK_EQUAL(call->describe->explanation->now_ms, env_wall_ms(&f->m.env));
    return call->describe->explanation;
}

static const struct describe_groups_response_explained_member *
member_of(const struct describe_groups_response_explanation *x, const char *id)
{
    for (int32_t i = 0; i < x->members.count; i++) {
        if (wire_str_is(x->members.items[i].member_id, id))
            return &x->members.items[i];
    }
    CHECK(false);
    return NULL;
}

static void check_event(const struct describe_groups_response_event *event,
                        enum group_event_kind kind, const char *id, const char *reason)
{
    CHECK(event != NULL);
    CHECK_EQUAL(event->kind, kind);
    CHECK(wire_str_is(event->member_id, id));
    CHECK(wire_str_is(event->reason, reason));
    CHECK(wire_str_is(event->client_id, id != NULL ? "client" : NULL));
    CHECK(wire_str_is(event->client_host, id != NULL ? "/127.0.0.1" : NULL));
    CHECK(kind == GROUP_EVENT_REMOVED || wire_str_is_null(event->by_client_id));
}

static void check_begun(struct group_fixture *f, enum group_event_kind kind, const char *id,
                        const char *reason)
{
    check_event(explain(f)->begun, kind, id, reason);
}

static void begin(struct group_fixture *f, int count, member_id *ids)
{
    fixture_init(f, NULL);
    fixture_form(f, count, ids);
}

/* Those that went, "others" of them besides the one that is told. */
static void check_gone(struct group_fixture *f, enum group_event_kind kind, const char *id,
                       int32_t others)
{
    const struct describe_groups_response_explanation *x = explain(f);
    check_event(x->gone, kind, id, NULL);
    CHECK_EQUAL(x->gone->others_count, others);
}

/* ---- what began the last rebalance */

TEST(a_newcomer_begins_a_round_with_its_reason)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 1, ids);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->rebalance_count, 1);
    check_event(x->begun, GROUP_EVENT_JOINED, ids[0], NULL);
    CHECK(x->gone == NULL);
    mem_env_advance_ms(&f.m, 2000);
    int64_t at_ms = env_wall_ms(&f.m.env);
    struct fixture_call *b =
        fixture_join(&f, &(struct join_args){.reason = "need more hands", .instance = "i"});
    mem_env_advance_ms(&f.m, 500);
    fixture_rejoin(&f, ids[0]);
    fixture_id(b, ids[1]);
    x = explain(&f);
    check_event(x->begun, GROUP_EVENT_JOINED, ids[1], "need more hands");
    CHECK(wire_str_is(x->begun->group_instance_id, "i"));
    CHECK_EQUAL(x->begun->at_ms, at_ms);
    CHECK_EQUAL(x->begun->others_count, 0);
    CHECK_EQUAL(x->rebalance_count, 2);
    fixture_deinit(&f);
}

TEST(a_member_that_changed_begins_a_round)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    fixture_join(&f,
                 &(struct join_args){.member = ids[1], .metadata = "other", .reason = "topics"});
    check_begun(&f, GROUP_EVENT_CHANGED, ids[1], "topics");
    fixture_rejoin(&f, ids[0]); /* what comes while a round is under way is not why it began */
    check_begun(&f, GROUP_EVENT_CHANGED, ids[1], "topics");
    CHECK_EQUAL(explain(&f)->rebalance_count, 2);
    fixture_deinit(&f);
}

TEST(a_leader_that_joins_again_began_it)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    fixture_rejoin(&f, ids[0]);
    check_begun(&f, GROUP_EVENT_LEADER_JOINED, ids[0], NULL);
    fixture_deinit(&f);
}

TEST(a_member_that_leaves_is_told_with_its_reason)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    fixture_leave(&f, &(struct member_args){.member = ids[1], .reason = "closed"});
    const struct describe_groups_response_explanation *x = explain(&f);
    check_event(x->begun, GROUP_EVENT_LEFT, ids[1], "closed");
    check_event(x->gone, GROUP_EVENT_LEFT, ids[1], "closed");
    fixture_leave(&f, &(struct member_args){.member = ids[0]});
    x = explain(&f);
    check_event(x->begun, GROUP_EVENT_LEFT, ids[1], "closed"); /* the round was under way */
    check_event(x->gone, GROUP_EVENT_LEFT, ids[0], NULL);
    CHECK_EQUAL(fixture_state(&f), GROUP_EMPTY);
    fixture_deinit(&f);
}

TEST(who_is_removed_by_another_is_told_with_that_ones_name)
{
    struct group_fixture f;
    member_id ids[3];
    begin(&f, 3, ids);
    fixture_leave(&f, &(struct member_args){.member = ids[1], .client = "ops", .reason = "why"});
    const struct describe_groups_response_explanation *x = explain(&f);
    check_event(x->begun, GROUP_EVENT_REMOVED, ids[1], "why");
    CHECK(wire_str_is(x->begun->by_client_id, "ops"));
    CHECK(wire_str_is(x->begun->by_client_host, "/127.0.0.1"));
    fixture_deinit(&f);
}

TEST(who_names_an_instance_alone_or_several_removes_them)
{
    struct group_fixture f;
    member_id ids[3];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 3, ids);
    fixture_leave(&f, &(struct member_args){.instance = "i2"});
    check_begun(&f, GROUP_EVENT_REMOVED, ids[2], NULL);
    struct member_args both[] = {{.member = ids[0], .instance = "i0"},
                                 {.member = ids[1], .instance = "i1"}};
    fixture_leave_many(&f, both, 2);
    check_gone(&f, GROUP_EVENT_REMOVED, ids[0], 1);
    fixture_deinit(&f);
}

TEST(a_session_that_is_over_began_it)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    for (int i = 0; i < 3; i++) {
        mem_env_advance_ms(&f.m, SESSION_MS / 2);
        fixture_heartbeat(&f, &(struct member_args){.member = ids[0], .generation = 1});
    }
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    check_begun(&f, GROUP_EVENT_SESSION_OVER, ids[1], NULL);
    check_gone(&f, GROUP_EVENT_SESSION_OVER, ids[1], 0);
    fixture_deinit(&f);
}

/* Sessions that are longer than a round. */
static void begin_patient(struct group_fixture *f, int count, member_id *ids)
{
    struct fixture_call *joins[4];
    fixture_init(f, NULL);
    for (int i = 0; i < count; i++)
        joins[i] = fixture_join(f, &(struct join_args){.session_ms = 300000});
    mem_env_advance_ms(&f->m, 2 * FIXTURE_START_MS);
    for (int i = 0; i < count; i++)
        fixture_id(joins[i], ids[i]);
}

TEST(who_does_not_join_again_in_time_has_gone)
{
    struct group_fixture f;
    member_id ids[3];
    begin_patient(&f, 3, ids);
    fixture_sync_all(&f, 1, 3, ids);
    fixture_rejoin(&f, ids[0]);
    mem_env_advance_ms(&f.m, REBALANCE_MS);
    check_gone(&f, GROUP_EVENT_NOT_JOINED, ids[1], 1);
    check_begun(&f, GROUP_EVENT_LEADER_JOINED, ids[0], NULL);
    fixture_deinit(&f);
}

TEST(a_sync_that_never_came_began_it)
{
    struct group_fixture f;
    member_id ids[3];
    begin_patient(&f, 3, ids);
    fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1});
    mem_env_advance_ms(&f.m, REBALANCE_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    check_begun(&f, GROUP_EVENT_NOT_SYNCED, ids[1], NULL);
    check_gone(&f, GROUP_EVENT_NOT_SYNCED, ids[1], 1);
    fixture_deinit(&f);
}

TEST(a_static_member_that_came_back_began_it)
{
    struct group_fixture f;
    member_id ids[2];
    fixture_init(&f, NULL);
    struct join_args back = {.instance = "i0", .version = 5, .reason = "restarted"};
    fixture_join(&f, &back);
    mem_env_advance_ms(&f.m, 2 * FIXTURE_START_MS);
    CHECK_EQUAL(fixture_state(&f), GROUP_COMPLETING);
    fixture_id(fixture_join(&f, &back), ids[1]); /* it is complete at once: the id is known */
    check_begun(&f, GROUP_EVENT_REPLACED, ids[1], "restarted");
    fixture_deinit(&f);
}

TEST(a_new_id_that_could_not_be_written_began_it)
{
    struct group_fixture f;
    member_id ids[2];
    fixture_init(&f, NULL);
    fixture_form_static(&f, 2, ids);
    f.shard->settings.batch_bytes_max = 100;
    struct fixture_call *back =
        fixture_join(&f, &(struct join_args){.instance = "i1", .version = 5});
    CHECK_EQUAL(back->done, 1);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->begun->kind, GROUP_EVENT_REPLACED_UNWRITTEN);
    CHECK(wire_str_is(x->begun->group_instance_id, "i1"));
    f.shard->settings.batch_bytes_max = 1 << 20;
    fixture_deinit(&f);
}

TEST(an_assignment_that_could_not_be_written_began_it)
{
    struct group_fixture f;
    member_id ids[2];
    begin_patient(&f, 2, ids);
    f.shard->settings.batch_bytes_max = 100;
    fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1});
    check_begun(&f, GROUP_EVENT_ASSIGNMENT_UNWRITTEN, ids[0], NULL);
    f.shard->settings.batch_bytes_max = 1 << 20;
    fixture_deinit(&f);
}

TEST(a_loaded_group_that_is_too_large_says_so)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    fixture_stop(&f);
    f.shard->settings.members_max = 1;
    group_shard_start(f.shard);
    mem_env_run_until_idle(&f.m);
    check_begun(&f, GROUP_EVENT_TOO_MANY, NULL, NULL);
    fixture_rejoin(&f, ids[1]);
    fixture_rejoin(&f, ids[0]); /* is turned away */
    check_gone(&f, GROUP_EVENT_NO_ROOM, ids[0], 0);
    fixture_deinit(&f);
}

TEST(long_texts_are_cut_between_characters)
{
    struct group_fixture f;
    member_id ids[1];
    char reason[LIMIT_GROUP_EVENT_TEXT_BYTES + 10] = {0};
    begin(&f, 1, ids);
    memset(reason, 'x', sizeof(reason) - 1);
    memcpy(reason + LIMIT_GROUP_EVENT_TEXT_BYTES - 2, "\xe2\x82\xac", 3); /* one too many */
    fixture_join(&f, &(struct join_args){.reason = reason});
    CHECK_EQUAL(explain(&f)->begun->reason.len, LIMIT_GROUP_EVENT_TEXT_BYTES - 2);
    fixture_deinit(&f);
}

/* ---- whom a group waits for */

TEST(a_first_round_tells_until_when_more_may_come)
{
    struct group_fixture f;
    member_id id;
    fixture_init(&f, NULL);
    struct fixture_call *a = fixture_join(&f, &(struct join_args){.member = NULL});
    mem_env_advance_ms(&f.m, 1000);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->state_since_ms, x->now_ms - 1000);
    CHECK_EQUAL(x->known_since_ms, x->now_ms - 1000);
    CHECK(!x->is_loaded);
    CHECK_EQUAL(x->generation_id, 0);
    CHECK(wire_str_is_null(x->protocol_name));
    CHECK_EQUAL(x->wait, GROUP_WAIT_FIRST_MEMBERS);
    CHECK_EQUAL(x->wait_end_ms, x->now_ms + FIXTURE_START_MS - 1000);
    CHECK_EQUAL(x->members.count, 1);
    const struct describe_groups_response_explained_member *m = &x->members.items[0];
    CHECK(wire_str_equal(x->leader, m->member_id));
    CHECK_EQUAL(m->session_timeout_ms, SESSION_MS);
    CHECK_EQUAL(m->rebalance_timeout_ms, REBALANCE_MS);
    CHECK_EQUAL(m->last_request, JOIN);
    CHECK_EQUAL(m->last_request_ms, x->now_ms - 1000);
    CHECK_EQUAL(m->parked_request, JOIN);
    CHECK_EQUAL(m->parked_ms, x->now_ms - 1000);
    CHECK_EQUAL(m->awaited_request, -1);
    CHECK_EQUAL(m->deadline_ms, x->now_ms - 1000 + 300000); /* new ones may be given up */
    fixture_join(&f, &(struct join_args){.member = NULL});
    x = explain(&f); /* the delay is going to be taken once more */
    CHECK_EQUAL(x->wait_end_ms, x->now_ms + 2 * FIXTURE_START_MS - 1000);
    mem_env_advance_ms(&f.m, 2 * FIXTURE_START_MS);
    fixture_id(a, id);
    CHECK(wire_str_is(explain(&f)->leader, id));
    fixture_deinit(&f);
}

TEST(a_round_tells_who_has_not_joined_again_and_when_it_is_out)
{
    struct group_fixture f;
    member_id ids[3];
    begin(&f, 3, ids);
    fixture_heartbeat(&f, &(struct member_args){.member = ids[1], .generation = 1});
    mem_env_advance_ms(&f.m, 1000);
    fixture_rejoin(&f, ids[0]);
    mem_env_advance_ms(&f.m, 500);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->wait, GROUP_WAIT_MEMBERS);
    CHECK_EQUAL(x->state_since_ms, x->now_ms - 500);
    CHECK_EQUAL(x->wait_end_ms, x->now_ms + REBALANCE_MS - 500);
    const struct describe_groups_response_explained_member *here = member_of(x, ids[0]);
    CHECK_EQUAL(here->parked_request, JOIN);
    CHECK_EQUAL(here->parked_ms, x->now_ms - 500);
    CHECK_EQUAL(here->awaited_request, -1);
    CHECK_EQUAL(here->deadline_ms, -1); /* it waits for us */
    const struct describe_groups_response_explained_member *absent = member_of(x, ids[1]);
    CHECK_EQUAL(absent->parked_request, -1);
    CHECK_EQUAL(absent->parked_ms, -1);
    CHECK_EQUAL(absent->awaited_request, JOIN);
    CHECK_EQUAL(absent->last_request, HEARTBEAT);
    CHECK_EQUAL(absent->last_request_ms, x->now_ms - 1500);
    CHECK_EQUAL(absent->deadline_ms, x->now_ms + SESSION_MS - 1500);
    CHECK_EQUAL(member_of(x, ids[2])->last_request, SYNC);
    fixture_deinit(&f);
}

TEST(the_end_of_the_round_is_a_deadline_of_dynamic_members_only)
{
    struct group_fixture f;
    member_id ids[2], fixed;
    begin_patient(&f, 2, ids);
    fixture_sync_all(&f, 1, 2, ids);
    struct fixture_call *join =
        fixture_join(&f, &(struct join_args){.instance = "i", .session_ms = 200000});
    fixture_rejoin(&f, ids[0]);
    fixture_join(&f, &(struct join_args){.member = ids[1], .session_ms = 300000});
    fixture_id(join, fixed);
    fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 2});
    fixture_sync(&f, &(struct sync_args){.member = ids[1], .generation = 2});
    fixture_sync(&f, &(struct sync_args){.member = fixed, .instance = "i", .generation = 2});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    fixture_rejoin(&f, ids[0]);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(member_of(x, ids[1])->deadline_ms, x->now_ms + REBALANCE_MS);
    CHECK_EQUAL(member_of(x, fixed)->awaited_request, JOIN);
    CHECK_EQUAL(member_of(x, fixed)->deadline_ms, x->now_ms + 200000);
    fixture_deinit(&f);
}

TEST(an_id_that_nobody_has_come_back_with_is_waited_for)
{
    struct group_fixture f;
    member_id ids[1], pending;
    begin(&f, 1, ids);
    fixture_id(fixture_join(&f, &(struct join_args){.version = 4, .client = "new"}), pending);
    mem_env_advance_ms(&f.m, 1000);
    fixture_rejoin(&f, ids[0]);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->wait, GROUP_WAIT_MEMBERS);
    CHECK_EQUAL(x->members.count, 2);
    const struct describe_groups_response_explained_member *m = member_of(x, pending);
    CHECK(m->is_pending && !member_of(x, ids[0])->is_pending);
    CHECK(wire_str_is(m->client_id, "new"));
    CHECK_EQUAL(m->awaited_request, JOIN);
    CHECK_EQUAL(m->last_request, JOIN);
    CHECK_EQUAL(m->deadline_ms, x->now_ms + SESSION_MS - 1000);
    mem_env_advance_ms(&f.m, SESSION_MS);
    x = explain(&f);
    CHECK_EQUAL(x->members.count, 1);
    CHECK(x->gone == NULL); /* it was no member yet */
    fixture_deinit(&f);
}

TEST(the_leaders_assignment_is_waited_for_then_its_way_into_the_log)
{
    struct group_fixture f;
    member_id ids[2];
    begin_patient(&f, 2, ids);
    mem_env_advance_ms(&f.m, 1000);
    fixture_sync(&f, &(struct sync_args){.member = ids[1], .generation = 1});
    mem_env_advance_ms(&f.m, 1000);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->wait, GROUP_WAIT_ASSIGNMENT);
    CHECK_EQUAL(x->generation_id, 1);
    CHECK(wire_str_is(x->protocol_name, "range"));
    CHECK_EQUAL(member_of(x, ids[0])->awaited_request, SYNC);
    CHECK_EQUAL(member_of(x, ids[0])->deadline_ms, x->wait_end_ms);
    CHECK(x->wait_end_ms > x->now_ms && x->wait_end_ms < x->now_ms + REBALANCE_MS);
    CHECK_EQUAL(member_of(x, ids[1])->parked_request, SYNC);
    CHECK_EQUAL(member_of(x, ids[1])->parked_ms, x->now_ms - 1000);
    CHECK_EQUAL(member_of(x, ids[1])->deadline_ms, -1);
    CHECK_EQUAL(x->coordinator.write_count, 0);
    CHECK_EQUAL(x->coordinator.oldest_write_ms, -1);
    f.by_hand = true;
    fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1});
    mem_env_advance_ms(&f.m, 700);
    struct fixture_call *plain = fixture_describe(&f, NULL);
    x = explain(&f);
    CHECK_EQUAL(plain->done, 0); /* who does not ask why waits for the log */
    CHECK_EQUAL(x->wait, GROUP_WAIT_WRITE);
    CHECK_EQUAL(member_of(x, ids[0])->awaited_request, -1);
    CHECK_EQUAL(x->coordinator.write_count, 1);
    CHECK_EQUAL(x->coordinator.oldest_write_ms, x->now_ms - 700);
    fixture_commit(&f);
    CHECK_EQUAL(plain->done, 1);
    x = explain(&f);
    CHECK_EQUAL(x->wait, GROUP_WAIT_NONE);
    CHECK_EQUAL(x->wait_end_ms, -1);
    CHECK_EQUAL(x->coordinator.write_count, 0);
    fixture_deinit(&f);
}

TEST(in_a_stable_group_a_sync_may_be_missing)
{
    struct group_fixture f;
    member_id ids[2];
    begin_patient(&f, 2, ids);
    fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 1});
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->wait, GROUP_WAIT_NONE);
    CHECK_EQUAL(member_of(x, ids[1])->awaited_request, SYNC);
    CHECK(member_of(x, ids[1])->deadline_ms <= x->now_ms + REBALANCE_MS); /* not its session */
    CHECK_EQUAL(member_of(x, ids[0])->awaited_request, -1);
    fixture_deinit(&f);
}

TEST(requests_of_members_are_told_also_those_that_are_refused)
{
    struct group_fixture f;
    member_id ids[1];
    begin(&f, 1, ids);
    const struct describe_groups_response_explained_member *m = member_of(explain(&f), ids[0]);
    CHECK_EQUAL(m->last_request, SYNC);
    fixture_commit_offsets(&f, &(struct commit_args){.member = ids[0], .generation = 1});
    CHECK_EQUAL(member_of(explain(&f), ids[0])->last_request, COMMIT);
    mem_env_advance_ms(&f.m, 1000);
    fixture_heartbeat(&f, &(struct member_args){.member = ids[0], .generation = 5});
    const struct describe_groups_response_explanation *x = explain(&f);
    m = member_of(x, ids[0]);
    CHECK_EQUAL(m->last_request, HEARTBEAT);
    CHECK_EQUAL(m->last_request_ms, x->now_ms);
    CHECK_EQUAL(m->deadline_ms, x->now_ms + SESSION_MS - 1000); /* it does not prolong a session */
    fixture_sync(&f, &(struct sync_args){.member = ids[0], .generation = 5});
    CHECK_EQUAL(member_of(explain(&f), ids[0])->last_request, SYNC);
    fixture_deinit(&f);
}

/* ---- a group without members, and none at all */

TEST(an_empty_group_tells_when_its_offsets_expire)
{
    struct group_fixture f;
    member_id ids[1];
    begin(&f, 1, ids);
    struct commit_args commit = {.member = ids[0], .generation = 1, .count = 2};
    fixture_commit_offsets(&f, &commit);
    CHECK_EQUAL(explain(&f)->offset_count, 2);
    CHECK_EQUAL(explain(&f)->first_expiry_ms, -1); /* it is read */
    fixture_leave(&f, &(struct member_args){.member = ids[0]});
    mem_env_advance_ms(&f.m, 5000);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->state_since_ms, x->now_ms - 5000);
    CHECK_EQUAL(x->first_expiry_ms, x->state_since_ms + f.shard->settings.offsets_retention_ms);
    CHECK_EQUAL(x->last_expiry_ms, x->first_expiry_ms);
    CHECK_EQUAL(x->members.count, 0);
    CHECK(!x->is_unwritten);
    fixture_deinit(&f);
}

TEST(what_a_group_with_members_forgets_is_not_reckoned)
{
    struct group_fixture f;
    member_id id;
    fixture_init(&f, NULL);
    struct fixture_call *join = fixture_join(&f, &(struct join_args){.metadata = "@other"});
    mem_env_advance_ms(&f.m, 2 * FIXTURE_START_MS);
    fixture_id(join, id);
    fixture_sync_all(&f, 1, 1, &id);
    fixture_commit_offsets(&f, &(struct commit_args){.member = id, .generation = 1});
    CHECK(group_expiry_of(fixture_group(&f, "g")).first_ms > 0); /* nobody reads its topic */
    CHECK_EQUAL(explain(&f)->first_expiry_ms, -1);
    CHECK_EQUAL(explain(&f)->last_expiry_ms, -1);
    fixture_deinit(&f);
}

TEST(a_group_that_is_not_there_is_explained_by_its_coordinator_alone)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    struct fixture_call *call = fixture_explain(&f, "none");
    CHECK_EQUAL(call->describe->error_code, KERR_GROUP_ID_NOT_FOUND);
    CHECK_EQUAL(call->describe->explanation->coordinator.partition, 7);
    CHECK_EQUAL(call->describe->explanation->coordinator.state, COORDINATOR_ACTIVE);
    CHECK_EQUAL(call->describe->explanation->state_since_ms, -1);
    CHECK_EQUAL(call->describe->explanation->coordinator.failure, COORDINATOR_NEVER_FAILED);
    fixture_deinit(&f);
}

TEST(who_does_not_ask_why_is_not_told)
{
    struct group_fixture f;
    member_id ids[1];
    begin(&f, 1, ids);
    CHECK(fixture_describe(&f, NULL)->describe->explanation == NULL);
    fixture_deinit(&f);
}

/* ---- the coordinator */

static const struct describe_groups_response_explained_coordinator *refused(struct group_fixture *f,
                                                                            enum kerr error)
{
    struct fixture_call *call = fixture_explain(f, NULL);
    CHECK_EQUAL(call->done, 1);
    CHECK_EQUAL(call->op.error, error);
    CHECK_EQUAL(call->describe->explanation->now_ms, env_wall_ms(&f->m.env));
    return &call->describe->explanation->coordinator;
}

TEST(a_shard_that_loads_says_since_when_and_what_failed)
{
    struct group_fixture f;
    member_id ids[1];
    begin(&f, 1, ids);
    f.by_hand = f.load_by_hand = true;
    fixture_commit_offsets(&f, &(struct commit_args){.member = ids[0], .generation = 1});
    int64_t at_ms = env_wall_ms(&f.m.env);
    fixture_complete(&f, 0, KERR_KAFKA_STORAGE_ERROR);
    mem_env_advance_ms(&f.m, 1234);
    const struct describe_groups_response_explained_coordinator *c =
        refused(&f, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    CHECK_EQUAL(c->state, COORDINATOR_LOADING);
    CHECK_EQUAL(c->state_since_ms, at_ms);
    CHECK_EQUAL(c->failure, COORDINATOR_FAILED_TO_WRITE);
    CHECK_EQUAL(c->failure_ms, at_ms);
    CHECK(wire_str_is(c->failure_text, "KAFKA_STORAGE_ERROR"));
    CHECK_EQUAL(c->retry_ms, -1);
    fixture_load(&f);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->coordinator.state, COORDINATOR_ACTIVE);
    CHECK_EQUAL(x->coordinator.state_since_ms, x->now_ms);
    CHECK_EQUAL(x->coordinator.failure_ms, at_ms);
    CHECK(x->is_loaded);
    CHECK_EQUAL(x->known_since_ms, x->now_ms);
    CHECK(x->state_since_ms > 0 && x->state_since_ms < at_ms);
    CHECK_EQUAL(x->rebalance_count, 0);
    CHECK(x->begun == NULL && x->gone == NULL); /* before: unknown */
    CHECK_EQUAL(x->members.items[0].last_request, -1);
    CHECK_EQUAL(x->members.items[0].last_request_ms, -1);
    CHECK_EQUAL(x->members.items[0].deadline_ms, x->now_ms + SESSION_MS);
    fixture_deinit(&f);
}

TEST(a_group_is_known_since_all_of_its_log_was_read)
{
    struct group_fixture f;
    member_id ids[1];
    begin(&f, 1, ids);
    f.load_by_hand = true;
    group_shard_give_up(f.shard, KERR_COORDINATOR_NOT_AVAILABLE);
    for (size_t i = 0; i < f.batch_count; i++)
        CHECK_EQUAL(group_shard_replay(f.shard, f.batches[i].data, f.batches[i].len), ERR_OK);
    mem_env_advance_ms(&f.m, 3000); /* other groups are read meanwhile */
    f.is_loading = false;
    group_shard_loaded(f.shard, ERR_OK);
    const struct describe_groups_response_explanation *x = explain(&f);
    CHECK_EQUAL(x->known_since_ms, x->now_ms);
    CHECK_EQUAL(x->coordinator.state_since_ms, x->now_ms);
    fixture_deinit(&f);
}

TEST(a_shard_whose_log_cannot_be_read_says_when_it_tries_again)
{
    struct group_fixture f;
    member_id ids[1];
    begin(&f, 1, ids);
    f.load_by_hand = true;
    group_shard_give_up(f.shard, KERR_COORDINATOR_NOT_AVAILABLE);
    CHECK_EQUAL(refused(&f, KERR_COORDINATOR_LOAD_IN_PROGRESS)->failure,
                COORDINATOR_FAILED_FOR_MEMORY);
    f.is_loading = false;
    group_shard_loaded(f.shard, ERR_IO);
    mem_env_advance_ms(&f.m, 4000);
    const struct describe_groups_response_explained_coordinator *c =
        refused(&f, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    CHECK_EQUAL(c->state, COORDINATOR_FAILING);
    CHECK_EQUAL(c->failure, COORDINATOR_FAILED_TO_LOAD);
    CHECK(wire_str_is(c->failure_text, err_text(ERR_IO)));
    CHECK_EQUAL(c->retry_ms, env_wall_ms(&f.m.env) + 10000 - 4000);
    fixture_stop(&f);
    CHECK_EQUAL(refused(&f, KERR_NOT_COORDINATOR)->state, COORDINATOR_IDLE);
    group_shard_start(f.shard);
    fixture_load(&f);
    fixture_deinit(&f);
}

/* ---- memory */

TEST(explaining_survives_each_failure_of_memory)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    fixture_join(&f, &(struct join_args){.version = 4, .reason = "r"});
    fixture_leave(&f, &(struct member_args){.member = ids[1]});
    bool failed = true;
    int n = 1;
    for (; failed; n++) {
        mem_fail_at(n);
        struct fixture_call *call = fixture_explain(&f, NULL);
        mem_fail_at(0);
        failed = call->op.error != KERR_NONE;
        CHECK_EQUAL(call->done, 1);
        CHECK(!failed || call->op.error == KERR_COORDINATOR_NOT_AVAILABLE);
        CHECK_EQUAL(call->describe->explanation == NULL, failed);
    }
    CHECK(n > 2); /* one did fail */
    fixture_deinit(&f);
}

TEST(without_memory_a_refusal_stays_one)
{
    struct group_fixture f;
    fixture_init(&f, NULL);
    f.load_by_hand = true;
    group_shard_give_up(f.shard, KERR_COORDINATOR_NOT_AVAILABLE);
    mem_fail_at(1);
    struct fixture_call *call = fixture_explain(&f, NULL);
    mem_fail_at(0);
    CHECK_EQUAL(call->op.error, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    CHECK(call->describe->explanation == NULL);
    fixture_load(&f);
    fixture_deinit(&f);
}

TEST(without_memory_for_an_event_the_round_begins_all_the_same)
{
    struct group_fixture f;
    member_id ids[2];
    begin(&f, 2, ids);
    mem_fail_at(1);
    fixture_leave(&f, &(struct member_args){.member = ids[1]});
    mem_fail_at(0);
    CHECK_EQUAL(fixture_state(&f), GROUP_STABLE); /* no memory for the answer: nothing happened */
    struct fixture_call *last = NULL;
    mem_fail_at(2);
    last = fixture_leave(&f, &(struct member_args){.member = ids[1]});
    mem_fail_at(0);
    CHECK_EQUAL(fixture_leave_error(last, 0), KERR_NONE);
    CHECK_EQUAL(fixture_state(&f), GROUP_PREPARING);
    CHECK(explain(&f)->begun == NULL && explain(&f)->gone == NULL);
    fixture_deinit(&f);
}
