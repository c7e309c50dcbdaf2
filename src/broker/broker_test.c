// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of a whole broker in memory: connections that end in the middle, requests that wait while
 * others go on, stops in every state.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/mem.h"
#include "broker/broker_fixture.h"
#include "wire/batch_builder.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/fetch.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum {
    PRODUCE = 0,
    FETCH = 1,
    CREATE_TOPICS = 19,
    DELETE_TOPICS = 20,
    PRODUCE_VERSION = 12,
    FETCH_VERSION = 12,
    PORT = 9092
};

static void batch_make(struct mem_env *m, size_t value_size, struct batch_buffer *out)
{
    struct batch_builder b;
    struct batch_options options = batch_options_default();
    uint8_t *value = mem_alloc(value_size);
    batch_buffer_init(out, INT32_MAX);
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    struct record r = {.timestamp = env_wall_ms(&m->env),
                       .key = {NULL, -1},
                       .value = {value, (int32_t)value_size}};
    CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    CHECK_EQUAL(batch_builder_finish(&b, out), ERR_OK);
    batch_builder_deinit(&b);
    mem_free(value);
}

static void say_produce(struct sock *peer, int16_t acks, int32_t timeout_ms,
                        const struct batch_buffer *batch)
{
    struct produce_request_partition_produce_data partition = {
        .index = 0, .records = {.data = batch->data, .len = (int32_t)batch->len}};
    struct produce_request_topic_produce_data topic = {.name = wire_str_of("t"),
                                                       .partition_data = {&partition, 1}};
    struct produce_request request = {.transactional_id = wire_str_of(NULL),
                                      .acks = acks,
                                      .timeout_ms = timeout_ms,
                                      .topic_data = {&topic, 1}};
    fixture_send(peer, PRODUCE, PRODUCE_VERSION, &request);
}

/* A large compressed batch that is no batch goes to a worker; the one behind it runs out of time
 * and is answered; the client leaves; then the worker is back. */
TEST(broker_survives_a_close_while_a_late_produce_waits_behind_another)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 1);
    struct batch_buffer large, small;
    batch_make(&f.m, 40000, &large);
    batch_make(&f.m, 10, &small);
    large.data[22] = 1; /* gzip, it says */
    struct sock *peer = mem_env_connect(&f.m, PORT, NULL);
    say_produce(peer, 1, 1000, &large);
    say_produce(peer, 1, 0, &small);
    mem_env_run_loops(&f.m);
    f.m.now_ns += 1000000;
    mem_env_run_loops(&f.m);
    sock_close(peer);
    mem_env_run_loops(&f.m);
    mem_env_run_until_idle(&f.m);
    batch_buffer_deinit(&large);
    batch_buffer_deinit(&small);
    fixture_stop(&f);
}

/* The disk is not done in time: the client is told, and the record is kept all the same. */
TEST(produce_says_when_its_time_is_up)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 1);
    struct batch_buffer batch;
    batch_make(&f.m, 10, &batch);
    struct sock *peer = mem_env_connect(&f.m, PORT, NULL);
    say_produce(peer, -1, 500, &batch);
    mem_env_run_loops(&f.m);
    f.m.now_ns += 499 * 1000000L;
    mem_env_run_loops(&f.m);
    CHECK(fixture_receive(&f, peer, PRODUCE, PRODUCE_VERSION) == NULL);
    f.m.now_ns += 2 * 1000000L;
    mem_env_run_loops(&f.m);
    const struct produce_response *late = fixture_receive(&f, peer, PRODUCE, PRODUCE_VERSION);
    CHECK(late != NULL);
    CHECK_EQUAL(late->responses.items[0].partition_responses.items[0].error_code,
                KERR_REQUEST_TIMED_OUT);
    mem_env_run_until_idle(&f.m);
    say_produce(peer, -1, 500, &batch);
    mem_env_run_until_idle(&f.m);
    const struct produce_response *next = fixture_receive(&f, peer, PRODUCE, PRODUCE_VERSION);
    CHECK(next != NULL);
    CHECK_EQUAL(next->responses.items[0].partition_responses.items[0].base_offset, 1);
    sock_close(peer);
    batch_buffer_deinit(&batch);
    fixture_stop(&f);
}

/* ---- fetching */

static void say_fetch(struct sock *peer, int32_t max_wait_ms, int partition_count)
{
    struct fetch_request_fetch_partition partition = {.partition = 0,
                                                      .current_leader_epoch = -1,
                                                      .last_fetched_epoch = -1,
                                                      .log_start_offset = -1,
                                                      .partition_max_bytes = 1000};
    struct fetch_request_fetch_topic topic = {.topic = wire_str_of("t"),
                                              .partitions = {&partition, 1}};
    struct fetch_request request = {.cluster_id = wire_str_of(NULL),
                                    .replica_id = -1,
                                    .replica_state = {.replica_id = -1, .replica_epoch = -1},
                                    .max_wait_ms = max_wait_ms,
                                    .min_bytes = 1,
                                    .max_bytes = 1000000,
                                    .session_epoch = -1,
                                    .topics = {&topic, partition_count}};
    fixture_send(peer, FETCH, FETCH_VERSION, &request);
}

/* Kafka does not let it wait either: nothing could ever come. */
TEST(fetch_of_nothing_is_answered_at_once)
{
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 1);
    say_fetch(f.peer, INT32_MAX, 0);
    mem_env_run_until_idle(&f.m);
    const struct fetch_response *response = fixture_receive(&f, f.peer, FETCH, FETCH_VERSION);
    CHECK(response != NULL && response->responses.count == 0);
    fixture_stop(&f);
}

/* A partition without records is five bytes on the wire and some hundred here. */
TEST(produce_of_very_many_empty_partitions_is_refused)
{
    enum { COUNT = 12000 };
    struct broker_fixture f;
    fixture_start(&f, NULL);
    fixture_create(&f, "t", 1);
    struct produce_request_partition_produce_data *all = mem_alloc(COUNT * sizeof(*all));
    for (int32_t i = 0; i < COUNT; i++)
        all[i] = (struct produce_request_partition_produce_data){.records = {.len = -1}};
    struct produce_request_topic_produce_data topic = {.name = wire_str_of("t"),
                                                       .partition_data = {all, COUNT}};
    struct produce_request request = {.transactional_id = wire_str_of(NULL),
                                      .acks = 1,
                                      .timeout_ms = 1000,
                                      .topic_data = {&topic, 1}};
    CHECK(fixture_ask(&f, PRODUCE, PRODUCE_VERSION, &request) == NULL);
    topic.partition_data.count = 3;
    const struct produce_response *response = fixture_ask(&f, PRODUCE, PRODUCE_VERSION, &request);
    CHECK(response != NULL && response->responses.count == 1);
    CHECK_EQUAL(response->responses.items[0].partition_responses.count, 3);
    mem_free(all);
    fixture_stop(&f);
}

/* ---- stopping while starting */

struct half_started {
    struct mem_env m;
    struct server_config *config;
    struct broker *broker;
    bool is_ready;
    bool has_failed;
    bool is_stopped;
    bool stop_was_clean;
};

static void half_ready(void *arg)
{
    ((struct half_started *)arg)->is_ready = true;
}

static void half_failed(void *arg, const char *why)
{
    CHECK(why != NULL);
    ((struct half_started *)arg)->has_failed = true;
}

static void half_stopped(void *arg, bool is_clean)
{
    struct half_started *h = arg;
    h->is_stopped = true;
    h->stop_was_clean = is_clean;
}

static void half_make(struct half_started *h)
{
    static const char *const sets[] = {"listeners=PLAINTEXT://127.0.0.1:9092", "log.dirs=data",
                                       NULL};
    struct server_config_input in = {.sets = sets};
    struct strbuf why;
    strbuf_init(&why);
    CHECK_EQUAL(server_config_load(&in, &why, &h->config), ERR_OK);
    struct loop *loop = mem_env_loop(&h->m, 0);
    struct broker_options options = {.env = &h->m.env,
                                     .loops = &loop,
                                     .loop_count = 1,
                                     .config = h->config,
                                     .events = {h, half_ready, half_failed}};
    CHECK_EQUAL(broker_new(&options, &why, &h->broker), ERR_OK);
    CHECK_EQUAL(broker_start(h->broker, &why), ERR_OK);
    strbuf_deinit(&why);
}

/* A few directories that belong to no topic, so that they are set aside by a job of the start. */
static void make_strays(struct mem_env *m)
{
    for (int i = 0; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof(path), "data/stray-%d", i);
        CHECK_EQUAL(env_dir_make(&m->env, path), ERR_OK);
    }
}

static void half_free(struct half_started *h)
{
    for (int i = 0; i < 1000 && !h->is_stopped; i++)
        mem_env_advance_ms(&h->m, 10);
    CHECK(h->is_stopped);
    broker_free(h->broker);
    server_config_free(h->config);
    h->is_ready = h->is_stopped = false;
}

/* True: the start had ended before this many steps. Loops first: the workers are slow, and do one
 * step when the loops can do no more. */
static bool stop_after(int steps, bool loops_first)
{
    struct half_started h = {0};
    mem_env_init(&h.m);
    half_make(&h);
    mem_env_run_until_idle(&h.m);
    broker_stop(h.broker, half_stopped, &h);
    half_free(&h);
    make_strays(&h.m);
    half_make(&h);
    struct sock *peer = mem_env_connect(&h.m, PORT, NULL);
    CHECK(peer != NULL);
    say_fetch(peer, 1000, 1);
    for (int i = 0; i < steps; i++) {
        mem_env_run_loops(&h.m);
        mem_env_run_one_job_step(&h.m);
    }
    if (loops_first)
        mem_env_run_loops(&h.m);
    CHECK(!h.has_failed);
    bool was_ready = h.is_ready;
    broker_stop(h.broker, half_stopped, &h);
    for (int i = 0; i < 1000 && loops_first && !h.is_stopped; i++) {
        h.m.now_ns += 1000000;
        mem_env_run_loops(&h.m);
        if (!h.is_stopped)
            mem_env_run_one_job_step(&h.m);
    }
    half_free(&h);
    mem_env_run_until_idle(&h.m); /* whatever still ran would touch what is freed */
    sock_close(peer);
    mem_env_deinit(&h.m);
    return was_ready;
}

TEST(broker_stops_at_every_step_of_its_start)
{
    for (int order = 0; order < 2; order++) {
        int steps = 0;
        while (!stop_after(steps, order == 1))
            steps++;
        CHECK(steps > 1);
    }
}

/* ---- the last log directory fails */

static void say_create(struct sock *peer, const char *name)
{
    struct create_topics_request_creatable_topic topic = {
        .name = wire_str_of(name), .num_partitions = 1, .replication_factor = 1};
    struct create_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    fixture_send(peer, CREATE_TOPICS, 7, &request);
}

static void say_delete(struct sock *peer, const char *name)
{
    struct delete_topics_request_delete_topic_state state = {.name = wire_str_of(name)};
    struct delete_topics_request request = {.topics = {&state, 1}, .timeout_ms = 1000};
    fixture_send(peer, DELETE_TOPICS, 6, &request);
}

/* Topics come and go as long as nobody has stopped it; their partitions have no directory. */
TEST(broker_without_log_directories_makes_and_deletes_topics_and_stops)
{
    struct half_started h = {0};
    mem_env_init(&h.m);
    half_make(&h);
    mem_env_run_until_idle(&h.m);
    struct sock *peer = mem_env_connect(&h.m, PORT, NULL);
    say_create(peer, "t");
    mem_env_run_until_idle(&h.m);
    struct batch_buffer batch;
    batch_make(&h.m, 10, &batch);
    h.m.fail_at = 1;
    say_produce(peer, -1, 1000, &batch);
    mem_env_run_until_idle(&h.m);
    CHECK(h.has_failed);
    say_create(peer, "homeless");
    mem_env_run_until_idle(&h.m);
    say_delete(peer, "homeless");
    mem_env_run_until_idle(&h.m);
    say_create(peer, "another");
    mem_env_run_until_idle(&h.m);
    broker_stop(h.broker, half_stopped, &h);
    half_free(&h);
    CHECK(!h.stop_was_clean);
    batch_buffer_deinit(&batch);
    sock_close(peer);
    mem_env_deinit(&h.m);
}

/* ---- whatever fails, everybody is answered or closed */

static bool is_closed(struct sock *peer)
{
    uint8_t byte;
    size_t got;
    return sock_recv(peer, &byte, 1, &got) == ERR_CLOSED;
}

/* True: there was no nth call to fail. */
static bool all_are_answered_when_fails(int fail_at, bool is_cold)
{
    enum { PEERS = 4 };
    struct half_started h = {0};
    struct sock *peers[PEERS];
    struct batch_buffer batch;
    mem_env_init(&h.m);
    half_make(&h);
    mem_env_run_until_idle(&h.m);
    for (int i = 0; i < PEERS; i++)
        peers[i] = mem_env_connect(&h.m, PORT, NULL);
    batch_make(&h.m, 10, &batch);
    say_create(peers[0], "t");
    mem_env_run_until_idle(&h.m);
    h.m.is_cold = is_cold;
    h.m.fail_at = fail_at;
    uint8_t answer[1000];
    size_t got;
    CHECK_EQUAL(sock_recv(peers[0], answer, sizeof(answer), &got), ERR_OK);
    say_create(peers[0], "other");
    say_produce(peers[1], -1, 1000, &batch);
    say_produce(peers[2], 1, 1000, &batch);
    say_fetch(peers[3], 500, 1);
    mem_env_advance_ms(&h.m, 2000);
    for (int i = 0; i < PEERS; i++)
        CHECK(mem_sock_unread(peers[i]) > 0 || is_closed(peers[i]));
    bool is_through = h.m.fail_at > 0;
    h.m.fail_at = 0;
    broker_stop(h.broker, half_stopped, &h);
    half_free(&h);
    batch_buffer_deinit(&batch);
    for (int i = 0; i < PEERS; i++)
        sock_close(peers[i]);
    mem_env_deinit(&h.m);
    return is_through;
}

TEST(broker_answers_or_closes_whichever_io_call_fails)
{
    for (int cold = 0; cold < 2; cold++) {
        int fail_at = 1;
        while (!all_are_answered_when_fails(fail_at, cold == 1))
            fail_at++;
        CHECK(fail_at > 5);
    }
}

/* A client that leaves while its Fetch is parked, or with a worker; a stop with such ones. */
TEST(broker_lets_go_of_a_fetch_whose_client_left)
{
    for (int steps = 0; steps < 8; steps++) {
        struct broker_fixture f;
        fixture_start(&f, NULL);
        fixture_create(&f, "t", 1);
        struct batch_buffer batch;
        batch_make(&f.m, 10, &batch);
        f.m.is_cold = steps % 2 == 1;
        struct sock *leaves = mem_env_connect(&f.m, PORT, NULL);
        struct sock *stays = mem_env_connect(&f.m, PORT, NULL);
        say_fetch(leaves, INT32_MAX, 1);
        say_fetch(stays, INT32_MAX, 1);
        mem_env_run_until_idle(&f.m);
        say_produce(f.peer, -1, INT32_MAX, &batch);
        mem_env_run_loops(&f.m);
        for (int i = 0; i < steps; i++)
            mem_env_run_one_job_step(&f.m);
        sock_close(leaves);
        mem_env_run_loops(&f.m);
        if (steps >= 4) {
            mem_env_run_until_idle(&f.m);
            CHECK(mem_sock_unread(stays) > 60);
        }
        sock_close(stays);
        batch_buffer_deinit(&batch);
        fixture_stop(&f);
    }
}

/* The stop does not wait for what clients wait for. */
TEST(broker_stops_with_parked_fetches_and_pending_produces)
{
    struct half_started h = {0};
    mem_env_init(&h.m);
    half_make(&h);
    mem_env_run_until_idle(&h.m);
    struct sock *peer = mem_env_connect(&h.m, PORT, NULL);
    say_create(peer, "t");
    mem_env_run_until_idle(&h.m);
    struct batch_buffer batch;
    batch_make(&h.m, 10, &batch);
    say_fetch(peer, INT32_MAX, 1);
    mem_env_run_until_idle(&h.m);
    say_produce(peer, -1, INT32_MAX, &batch);
    say_produce(peer, 0, 0, &batch);
    say_create(peer, "never");
    mem_env_run_loops(&h.m);
    int64_t start_ns = h.m.now_ns;
    broker_stop(h.broker, half_stopped, &h);
    half_free(&h);
    CHECK(h.m.now_ns - start_ns < INT64_C(1000000000));
    batch_buffer_deinit(&batch);
    sock_close(peer);
    mem_env_deinit(&h.m);
}

/* ---- a log that could not be opened */

static int16_t produce_error(struct half_started *h, struct sock *peer)
{
    struct broker_fixture f = {0}; /* for its arena */
    struct batch_buffer batch;
    arena_init(&f.arena, 1024 * 1024);
    batch_make(&h->m, 10, &batch);
    say_produce(peer, 1, 1000, &batch);
    mem_env_run_until_idle(&h->m);
    const struct produce_response *response = fixture_receive(&f, peer, PRODUCE, PRODUCE_VERSION);
    CHECK(response != NULL && response->responses.count == 1);
    int16_t error = response->responses.items[0].partition_responses.items[0].error_code;
    batch_buffer_deinit(&batch);
    arena_deinit(&f.arena);
    return error;
}

/* The second start has this call fail. True: there was no such call. */
static bool stop_is_honest_after(int fail_at, int *unopened)
{
    struct half_started h = {0};
    mem_env_init(&h.m);
    half_make(&h);
    mem_env_run_until_idle(&h.m);
    struct sock *peer = mem_env_connect(&h.m, PORT, NULL);
    say_create(peer, "t");
    mem_env_run_until_idle(&h.m);
    sock_close(peer);
    broker_stop(h.broker, half_stopped, &h);
    half_free(&h);
    CHECK(h.stop_was_clean);
    half_make(&h);
    h.m.fail_at = fail_at;
    mem_env_run_until_idle(&h.m);
    bool is_through = h.m.fail_at > 0;
    h.m.fail_at = 0;
    bool is_open = true;
    peer = mem_env_connect(&h.m, PORT, NULL);
    if (h.is_ready && !h.has_failed)
        is_open = produce_error(&h, peer) == KERR_NONE;
    broker_stop(h.broker, half_stopped, &h);
    half_free(&h);
    *unopened += !is_open;
    CHECK(is_open || !h.stop_was_clean);
    sock_close(peer);
    mem_env_deinit(&h.m);
    return is_through;
}

/* Or the next start would trust the end of a log that nobody has looked at. */
TEST(broker_stop_is_not_clean_when_a_log_could_not_be_opened)
{
    int unopened = 0;
    int fail_at = 1;
    while (!stop_is_honest_after(fail_at, &unopened))
        fail_at++;
    CHECK(unopened > 0);
}
