// SPDX-License-Identifier: Apache-2.0
/* client_conn_test: a connection against a broker in memory. Thread: main. */
#include "base/limits.h"
#include "base/testing.h"
#include "client/client_fake.h"
#include "wire/create_topics.h"
#include "wire/kerr.h"
#include "wire/metadata.h"

static void on_done(struct client_call *call, enum err e, const struct client_answer *answer)
{
    struct fake_call *c = container_of(call, struct fake_call, call);
    c->done++;
    c->error = e;
    CHECK((e == ERR_OK) == (answer != NULL));
    if (answer != NULL) {
        c->version = answer->version;
        c->first = ((const struct metadata_response *)answer->body)->controller_id;
    }
    if (c->is_closing && c->fake->conn != NULL)
        fake_drop_conn(c->fake);
}

static enum err ask_metadata(struct fake *f, int number)
{
    struct metadata_request request;
    wire_defaults(&metadata_request_layout, &request);
    struct fake_call *c = &f->calls[number];
    c->fake = f;
    c->call.done = on_done;
    return client_conn_call(f->conn, &c->call, KEY_METADATA, &request);
}

static void answer_metadata(struct fake *f, int32_t first)
{
    struct metadata_response response;
    wire_defaults(&metadata_response_layout, &response);
    response.controller_id = first;
    CHECK(fake_hear(f));
    CHECK_EQUAL(f->asked.request_api_key, KEY_METADATA);
    fake_say(f, f->asked.request_api_version, &response);
}

TEST(calls_are_made_in_the_highest_common_version)
{
    struct fake f;
    fake_init(&f);
    struct client_options options = fake_options(&f);
    fake_connect_with(&f, &options);
    CHECK_EQUAL(f.ready, 0);
    CHECK(!client_conn_is_ready(f.conn));
    CHECK_EQUAL(client_conn_version(f.conn, KEY_METADATA), -1);
    CHECK_EQUAL(ask_metadata(&f, 0), ERR_CLOSED);
    CHECK(fake_hear(&f));
    fake_say_versions(&f);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.ready, 1);
    CHECK(client_conn_is_ready(f.conn));
    CHECK_EQUAL(client_conn_version(f.conn, KEY_METADATA), 5);
    CHECK_EQUAL(client_conn_version(f.conn, KEY_CREATE_TOPICS), -1);
    CHECK_EQUAL(client_conn_version(f.conn, 1), -1);
    CHECK_EQUAL(client_conn_version(f.conn, 999), -1);

    CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    CHECK_EQUAL(client_conn_in_flight(f.conn), 1);
    answer_metadata(&f, 7);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].done, 1);
    CHECK_EQUAL(f.calls[0].error, ERR_OK);
    CHECK_EQUAL(f.calls[0].version, 5);
    CHECK_EQUAL(f.calls[0].first, 7);
    CHECK_EQUAL(client_conn_in_flight(f.conn), 0);
    fake_deinit(&f);
}

TEST(a_call_may_bound_its_version)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    static const struct {
        int16_t bound, made;
    } calls[] = {{3, 3}, {0, 5}, {5, 5}, {9, 5}};
    for (int i = 0; i < (int)ARRAY_COUNT(calls); i++) {
        f.calls[i].call.version_max = calls[i].bound;
        CHECK_EQUAL(ask_metadata(&f, i), ERR_OK);
        answer_metadata(&f, i);
        CHECK_EQUAL(f.asked.request_api_version, calls[i].made);
        mem_env_run_loops(&f.m);
        CHECK_EQUAL(f.calls[i].version, calls[i].made);
        CHECK_EQUAL(f.calls[i].error, ERR_OK);
    }
    fake_deinit(&f);
}

TEST(a_call_that_cannot_be_made_is_refused_and_harms_nothing)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    struct create_topics_request create;
    wire_defaults(&create_topics_request_layout, &create);
    f.calls[0].call.done = on_done;
    CHECK_EQUAL(client_conn_call(f.conn, &f.calls[0].call, KEY_CREATE_TOPICS, &create),
                ERR_UNSUPPORTED);

    struct metadata_request request;
    wire_defaults(&metadata_request_layout, &request);
    request.include_topic_authorized_operations = true; /* version 8 on; 5 is the highest here */
    CHECK_EQUAL(client_conn_call(f.conn, &f.calls[0].call, KEY_METADATA, &request),
                ERR_UNSUPPORTED);
    CHECK_EQUAL(ask_metadata(&f, 1), ERR_OK);
    answer_metadata(&f, 3);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].done, 0);
    CHECK_EQUAL(f.calls[1].first, 3);
    fake_deinit(&f);
}

TEST(answers_go_to_the_calls_in_order)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    for (int i = 0; i < FAKE_CALLS; i++)
        CHECK_EQUAL(ask_metadata(&f, i), ERR_OK);
    CHECK_EQUAL(client_conn_in_flight(f.conn), FAKE_CALLS);
    for (int i = 0; i < FAKE_CALLS; i++)
        answer_metadata(&f, 100 + i);
    CHECK(!fake_hear(&f));
    mem_env_run_loops(&f.m);
    for (int i = 0; i < FAKE_CALLS; i++) {
        CHECK_EQUAL(f.calls[i].done, 1);
        CHECK_EQUAL(f.calls[i].first, 100 + i);
    }
    fake_deinit(&f);
}

TEST(bytes_may_come_and_go_one_at_a_time)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    mem_sock_set_chunk(f.peer, 1);
    mem_sock_set_room(f.peer, 3);
    CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    uint8_t request[64];
    size_t used = 0, got = 0;
    while (sock_recv(f.peer, request + used, sizeof(request) - used, &got) == ERR_OK) {
        CHECK(got <= 3);
        used += got;
        mem_env_run_loops(&f.m);
    }
    CHECK_EQUAL(used, 4 + bytes_load_u32(request));
    f.asked = (struct request_header){.request_api_key = KEY_METADATA,
                                      .correlation_id = (int32_t)bytes_load_u32(request + 8)};
    struct metadata_response response;
    wire_defaults(&metadata_response_layout, &response);
    response.controller_id = 9;
    fake_say(&f, 5, &response);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].done, 1);
    CHECK_EQUAL(f.calls[0].first, 9);
    fake_deinit(&f);
}

TEST(a_large_answer_arrives_whole)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    CHECK(fake_hear(&f));
    static struct metadata_response_topic topics[3000];
    for (size_t i = 0; i < ARRAY_COUNT(topics); i++) {
        wire_defaults(&metadata_response_topic_layout, &topics[i]);
        topics[i].name = wire_str_of("a-topic-with-a-name-of-some-length");
    }
    struct metadata_response response;
    wire_defaults(&metadata_response_layout, &response);
    response.topics.items = topics;
    response.topics.count = ARRAY_COUNT(topics);
    response.controller_id = 5;
    mem_sock_set_chunk(f.peer, 50000);
    fake_say(&f, 5, &response);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].done, 1);
    CHECK_EQUAL(f.calls[0].error, ERR_OK);
    CHECK_EQUAL(f.calls[0].first, 5);
    fake_deinit(&f);
}

TEST(an_older_broker_is_asked_again_in_its_version)
{
    struct fake f;
    fake_init(&f);
    struct client_options options = fake_options(&f);
    fake_connect_with(&f, &options);
    CHECK(fake_hear(&f));
    CHECK(f.asked.request_api_version > 2);
    struct api_versions_response_api_version range = {KEY_API_VERSIONS, 0, 2};
    struct api_versions_response response;
    wire_defaults(&api_versions_response_layout, &response);
    response.error_code = KERR_UNSUPPORTED_VERSION;
    response.api_keys.items = &range;
    response.api_keys.count = 1;
    fake_say(&f, 0, &response);
    mem_env_run_loops(&f.m);
    CHECK(fake_hear(&f));
    CHECK_EQUAL(f.asked.request_api_version, 2);
    fake_say_versions(&f);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.ready, 1);
    CHECK_EQUAL(client_conn_version(f.conn, KEY_METADATA), 5);
    fake_deinit(&f);
}

TEST(a_broker_that_refuses_every_version_is_left)
{
    struct fake f;
    fake_init(&f);
    struct client_options options = fake_options(&f);
    fake_connect_with(&f, &options);
    struct api_versions_response response;
    wire_defaults(&api_versions_response_layout, &response);
    response.error_code = KERR_UNSUPPORTED_VERSION;
    int asked = 0;
    while (fake_hear(&f)) {
        asked++;
        fake_say(&f, 0, &response);
        mem_env_run_loops(&f.m);
    }
    CHECK_EQUAL(asked, 2); /* ours, then 0 */
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(f.why, ERR_UNSUPPORTED);
    fake_deinit(&f);
}

TEST(a_refused_connection_is_told)
{
    struct fake f;
    fake_init(&f);
    struct client_options options = fake_options(&f);
    options.addr.port = FAKE_PORT + 1;
    fake_connect_with(&f, &options);
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(f.why, ERR_CLOSED);
    CHECK_EQUAL(f.ready, 0);
    fake_deinit(&f);
}

TEST(all_that_waits_fails_when_the_connection_breaks)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(ask_metadata(&f, i), ERR_OK);
    answer_metadata(&f, 1);
    mem_sock_finish(f.peer);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].error, ERR_OK);
    CHECK_EQUAL(f.calls[1].error, ERR_CLOSED);
    CHECK_EQUAL(f.calls[2].error, ERR_CLOSED);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(f.calls[i].done, 1);
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(ask_metadata(&f, 3), ERR_CLOSED);
    fake_deinit(&f);
    CHECK_EQUAL(f.calls[3].done, 0);
}

TEST(a_silent_broker_is_left_in_time)
{
    struct fake f;
    fake_init(&f);
    struct client_options options = fake_options(&f);
    fake_connect_with(&f, &options);
    mem_env_advance_ms(&f.m, FAKE_TIMEOUT_MS - 1);
    CHECK_EQUAL(f.closed, 0);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(f.why, ERR_TIMEOUT);
    fake_deinit(&f);

    fake_init(&f);
    fake_make_ready(&f);
    mem_env_advance_ms(&f.m, 10 * FAKE_TIMEOUT_MS); /* idle costs nothing and ends nothing */
    CHECK_EQUAL(f.closed, 0);
    CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    f.calls[1].call.timeout_ms = 50;
    CHECK_EQUAL(ask_metadata(&f, 1), ERR_OK);
    mem_env_advance_ms(&f.m, 50);
    CHECK_EQUAL(f.calls[0].error, ERR_CLOSED);
    CHECK_EQUAL(f.calls[1].error, ERR_TIMEOUT);
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(f.why, ERR_TIMEOUT);
    fake_deinit(&f);
}

TEST(a_callback_may_close_the_connection)
{
    struct fake f;
    fake_init(&f);
    f.is_closing_when_ready = true;
    fake_make_ready(&f);
    CHECK_EQUAL(f.ready, 1);
    CHECK(f.conn == NULL);
    fake_deinit(&f);

    fake_init(&f);
    fake_make_ready(&f);
    f.calls[0].is_closing = true;
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(ask_metadata(&f, i), ERR_OK);
    answer_metadata(&f, 1);
    answer_metadata(&f, 2);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].error, ERR_OK);
    CHECK_EQUAL(f.calls[1].error, ERR_CLOSED);
    CHECK_EQUAL(f.calls[2].error, ERR_CLOSED);
    CHECK_EQUAL(f.closed, 0); /* its owner knows */
    fake_deinit(&f);

    fake_init(&f);
    fake_make_ready(&f);
    f.calls[0].is_closing = true;
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(ask_metadata(&f, i), ERR_OK);
    mem_sock_finish(f.peer);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[1].done, 1);
    CHECK_EQUAL(f.closed, 0);
    fake_deinit(&f);
}

static enum err say_bytes(const uint8_t *bytes, size_t len, bool is_asked)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    if (is_asked)
        CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    mem_sock_say(f.peer, bytes, len);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(f.calls[0].done, is_asked);
    if (is_asked)
        CHECK_EQUAL(f.calls[0].error, f.why);
    enum err why = f.why;
    fake_deinit(&f);
    return why;
}

TEST(foreign_bytes_end_the_connection)
{
    const uint8_t negative[] = {0xff, 0xff, 0xff, 0xff};
    const uint8_t empty[] = {0, 0, 0, 0};
    const uint8_t large[] = {0x7f, 0, 0, 0};
    const uint8_t other_id[] = {0, 0, 0, 4, 0, 0, 0, 77};
    const uint8_t cut[] = {0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0};
    const uint8_t absurd[] = {0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff};
    CHECK_EQUAL(say_bytes(negative, sizeof(negative), true), ERR_CORRUPT);
    CHECK_EQUAL(say_bytes(empty, sizeof(empty), true), ERR_CORRUPT);
    CHECK_EQUAL(say_bytes(large, sizeof(large), true), ERR_TOO_LARGE);
    CHECK_EQUAL(say_bytes(other_id, sizeof(other_id), true), ERR_CORRUPT);
    CHECK_EQUAL(say_bytes(cut, sizeof(cut), true), ERR_CORRUPT);
    CHECK_EQUAL(say_bytes(absurd, sizeof(absurd), true), ERR_CORRUPT);
    CHECK_EQUAL(say_bytes(cut, sizeof(cut), false), ERR_CORRUPT);
}

TEST(an_answer_to_another_question_ends_the_connection)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    CHECK(fake_hear(&f));
    f.asked.correlation_id++;
    struct metadata_response response;
    wire_defaults(&metadata_response_layout, &response);
    fake_say(&f, 5, &response);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].error, ERR_CORRUPT);
    CHECK_EQUAL(f.why, ERR_CORRUPT);
    fake_deinit(&f);
}

TEST(a_send_that_fails_is_told_later_and_at_once)
{
    struct fake f;
    fake_init(&f);
    fake_make_ready(&f);
    f.m.sock_fail_at = 1;
    CHECK_EQUAL(ask_metadata(&f, 0), ERR_OK);
    CHECK_EQUAL(f.calls[0].done, 0); /* not from within the call */
    CHECK_EQUAL(ask_metadata(&f, 1), ERR_CLOSED);
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(f.calls[0].done, 1);
    CHECK_EQUAL(f.calls[0].error, ERR_CLOSED);
    CHECK_EQUAL(f.closed, 1);
    fake_deinit(&f);
}

/* One call after a handshake: everything ends once, whatever fails. */
static bool run_with_fault(struct fake *f)
{
    fake_make_ready(f);
    bool was_called = f->ready == 1 && ask_metadata(f, 0) == ERR_OK;
    if (was_called && f->closed == 0 && fake_hear(f)) {
        struct metadata_response response;
        wire_defaults(&metadata_response_layout, &response);
        if (f->conn != NULL)
            fake_say(f, 5, &response);
    }
    mem_env_run_loops(&f->m);
    mem_env_advance_ms(&f->m, 2 * FAKE_TIMEOUT_MS);
    CHECK_EQUAL(f->calls[0].done, was_called);
    bool is_fine = was_called && f->calls[0].error == ERR_OK;
    CHECK(is_fine || f->closed == 1);
    return is_fine;
}

TEST(each_failing_socket_call_is_survived)
{
    bool is_fine = false;
    int fail_at = 1;
    for (; !is_fine; fail_at++) {
        struct fake f;
        fake_init(&f);
        f.m.sock_fail_at = fail_at;
        is_fine = run_with_fault(&f);
        CHECK(!is_fine || f.m.sock_fail_at > 0); /* no failure goes unnoticed */
        fake_deinit(&f);
    }
    CHECK(fail_at > 4);
}

TEST(each_failing_allocation_is_survived)
{
    bool is_fine = false;
    int fail_at = 1;
    for (; !is_fine; fail_at++) {
        struct fake f;
        fake_init(&f);
        struct client_options options = fake_options(&f);
        enum err e = client_conn_new(&options, &f.conn);
        CHECK_EQUAL(e, ERR_OK);
        mem_fail_at(fail_at);
        mem_env_run_loops(&f.m);
        mem_fail_at(0);
        if (f.peer != NULL && f.closed == 0 && fake_hear(&f))
            fake_say_versions(&f);
        mem_fail_at(fail_at > 2 ? fail_at - 2 : 0);
        mem_env_run_loops(&f.m);
        mem_fail_at(0);
        is_fine = f.ready == 1;
        CHECK(is_fine || f.closed == 1);
        CHECK(is_fine || f.why == ERR_NO_MEMORY);
        fake_deinit(&f);
    }
    CHECK(fail_at > 3);
}
