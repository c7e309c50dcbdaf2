// SPDX-License-Identifier: Apache-2.0
/* handle_describe_groups_test: what a whole broker in memory tells of groups to who asks why, and
 * that nobody else is told: without a coordinator, with one, and when its disk is full
 * or broken. Thread: main. */
#include "base/macros.h"
#include "broker/broker_fixture.h"
#include "wire/codec.h"
#include "wire/describe_groups.h"
#include "wire/explanation.h"
#include "wire/find_coordinator.h"
#include "wire/join_group.h"
#include "wire/kerr.h"

enum { JOIN_GROUP = 11, FIND_COORDINATOR = 10, DESCRIBE_GROUPS = 15, LAST_VERSION = 6 };

static const struct describe_groups_response_described_group *describe(struct broker_fixture *f,
                                                                       int16_t version, bool is_why)
{
    struct wire_str name = wire_str_of("orders");
    struct describe_groups_request request = {.groups = {&name, 1}, .include_explanation = is_why};
    const struct describe_groups_response *response =
        fixture_ask(f, DESCRIBE_GROUPS, version, &request);
    CHECK(response != NULL && response->groups.count == 1);
    return &response->groups.items[0];
}

/* Makes the topic that groups lie in. */
static void find_coordinator(struct broker_fixture *f)
{
    struct find_coordinator_request request;
    wire_defaults(&find_coordinator_request_layout, &request);
    request.key = wire_str_of("orders");
    const struct find_coordinator_response *response =
        fixture_ask(f, FIND_COORDINATOR, 3, &request);
    CHECK(response != NULL);
    mem_env_run_until_idle(&f->m);
}

static int16_t join(struct broker_fixture *f)
{
    struct join_group_request_protocol protocol = {.name = wire_str_of("range")};
    struct join_group_request request;
    wire_defaults(&join_group_request_layout, &request);
    request.group_id = wire_str_of("orders");
    request.session_timeout_ms = 10000;
    request.rebalance_timeout_ms = 10000;
    request.protocol_type = wire_str_of("consumer");
    request.protocols.items = &protocol;
    request.protocols.count = 1;
    const struct join_group_response *response = fixture_ask(f, JOIN_GROUP, 3, &request);
    return response != NULL ? response->error_code : 0;
}

TEST(who_asks_why_is_told_and_nobody_else)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    const struct describe_groups_response_described_group *group = describe(&f, LAST_VERSION, true);
    CHECK_EQUAL(group->error_code, KERR_NOT_COORDINATOR); /* there is none at all yet */
    CHECK(group->explanation == NULL);
    find_coordinator(&f);
    group = describe(&f, LAST_VERSION, true);
    CHECK_EQUAL(group->error_code, KERR_GROUP_ID_NOT_FOUND);
    CHECK(group->explanation != NULL);
    CHECK_EQUAL(group->explanation->coordinator.state, COORDINATOR_ACTIVE);
    CHECK_EQUAL(group->explanation->now_ms, env_wall_ms(&f.m.env));
    CHECK(describe(&f, LAST_VERSION, false)->explanation == NULL);
    CHECK(describe(&f, 4, true)->explanation == NULL); /* no tags there: the question is lost */
    fixture_stop(&f);
}

static void say_find_coordinator(struct sock *peer)
{
    struct find_coordinator_request request;
    wire_defaults(&find_coordinator_request_layout, &request);
    request.key = wire_str_of("orders");
    fixture_send(peer, FIND_COORDINATOR, 3, &request);
}

/* One asks first and waits; another comes at every step of the topic's making, and is either told
 * to come again or finds the coordinator that it was told of. */
TEST(who_is_told_of_a_coordinator_finds_it)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    struct sock *first = mem_env_connect(&f.m, 9092, NULL);
    struct sock *second = mem_env_connect(&f.m, 9092, NULL);
    struct wire_str name = wire_str_of("orders");
    struct describe_groups_request describe_request = {.groups = {&name, 1}};
    uint32_t too_early = 0;
    bool is_found = false;
    say_find_coordinator(first);
    mem_env_run_loops(&f.m);
    while (!is_found) {
        say_find_coordinator(second);
        fixture_send(f.peer, DESCRIBE_GROUPS, LAST_VERSION, &describe_request);
        mem_env_run_loops(&f.m);
        const struct find_coordinator_response *told =
            fixture_receive(&f, second, FIND_COORDINATOR, 3);
        const struct describe_groups_response *found =
            fixture_receive(&f, f.peer, DESCRIBE_GROUPS, LAST_VERSION);
        if (told != NULL && told->error_code == KERR_NONE) {
            is_found = true;
            CHECK(found != NULL);
            CHECK(found->groups.items[0].error_code != KERR_NOT_COORDINATOR);
        } else if (told != NULL) {
            CHECK_EQUAL(told->error_code, KERR_COORDINATOR_NOT_AVAILABLE);
            too_early++;
        }
        if (!mem_env_run_one_job_step(&f.m) && !is_found)
            mem_env_run_until_idle(&f.m);
    }
    mem_env_run_until_idle(&f.m);
    CHECK(too_early > 0);
    const struct find_coordinator_response *response =
        fixture_receive(&f, first, FIND_COORDINATOR, 3);
    CHECK(response != NULL && response->error_code == KERR_NONE);
    sock_close(first);
    sock_close(second);
    fixture_stop(&f);
}

TEST(a_full_disk_under_the_coordinator_is_told)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    find_coordinator(&f);
    CHECK_EQUAL(describe(&f, LAST_VERSION, true)->explanation->coordinator.failure,
                COORDINATOR_NEVER_FAILED);
    f.m.space_bytes = f.m.used_bytes;
    CHECK_EQUAL(join(&f), KERR_NOT_COORDINATOR);
    const struct describe_groups_response_explained_coordinator *c =
        &describe(&f, LAST_VERSION, true)->explanation->coordinator;
    CHECK_EQUAL(c->state, COORDINATOR_ACTIVE); /* the log could be read again */
    CHECK_EQUAL(c->failure, COORDINATOR_FAILED_TO_WRITE);
    CHECK_EQUAL(c->failure_ms, env_wall_ms(&f.m.env));
    CHECK(wire_str_is(c->failure_text, "KAFKA_STORAGE_ERROR"));
    f.m.space_bytes = INT64_MAX;
    fixture_stop(&f);
}

TEST(a_broken_disk_under_the_coordinator_is_told)
{
    static const char *const sets[] = {"log.dirs=data,other", NULL}; /* one is not the last */
    struct broker_fixture f;
    fixture_start(&f, sets);
    find_coordinator(&f);
    f.m.fail_at = 1;
    CHECK_EQUAL(join(&f), KERR_NOT_COORDINATOR);
    const struct describe_groups_response_described_group *group = describe(&f, LAST_VERSION, true);
    CHECK_EQUAL(group->error_code, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    CHECK(group->explanation != NULL);
    const struct describe_groups_response_explained_coordinator *c =
        &group->explanation->coordinator;
    CHECK_EQUAL(c->state, COORDINATOR_FAILING);
    CHECK_EQUAL(c->failure, COORDINATOR_FAILED_TO_LOAD);
    CHECK_EQUAL(c->failure_ms, env_wall_ms(&f.m.env));
    CHECK(c->failure_text.len > 0);
    CHECK(c->retry_ms > group->explanation->now_ms);
    group = describe(&f, LAST_VERSION, false);
    CHECK_EQUAL(group->error_code, KERR_COORDINATOR_LOAD_IN_PROGRESS);
    CHECK(group->explanation == NULL);
    fixture_stop(&f);
}
