// SPDX-License-Identifier: Apache-2.0
/* broker_fixture: see broker_fixture.h. Thread: main. */
#include "broker/broker_fixture.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "broker/broker_private.h"
#include "wire/batch_builder.h"
#include "wire/codec.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum {
    PRODUCE_KEY = 0,
    CREATE_TOPICS_KEY = 19,
    DELETE_TOPICS_KEY = 20,
    FIXTURE_PORT = 9092,
    CORRELATION_ID = 77
};

static void on_ready(void *arg)
{
    ((struct broker_fixture *)arg)->is_ready = true;
}

static void on_failed(void *arg, const char *why)
{
    print_error("the broker failed: %s\n", why);
    CHECK(false);
}

void fixture_load_config(struct broker_fixture *f, const char *const *sets)
{
    const char *all[FIXTURE_SETS_MAX + 4] = {"listeners=PLAINTEXT://127.0.0.1:9092",
                                             "log.dirs=data"};
    int count = 2;
    for (; sets != NULL && *sets != NULL; sets++) {
        CHECK(count < FIXTURE_SETS_MAX);
        all[count++] = *sets;
    }
    struct server_config_input in = {.sets = all};
    struct strbuf error;
    strbuf_init(&error);
    enum err e = server_config_load(&in, &error, &f->config);
    if (e != ERR_OK)
        print_error("%s\n", strbuf_text(&error));
    CHECK_EQUAL(e, ERR_OK);
    strbuf_deinit(&error);
}

static enum err make_broker(struct broker_fixture *f, const char *const *sets, struct strbuf *why)
{
    fixture_load_config(f, sets);
    struct loop *loop = mem_env_loop(&f->m, 0);
    struct broker_options options = {
        .env = &f->m.env,
        .loops = &loop,
        .loop_count = 1,
        .config = f->config,
        .events = {.arg = f, .ready = on_ready, .failed = on_failed},
    };
    return broker_new(&options, why, &f->broker);
}

static void start_here(struct broker_fixture *f, const char *const *sets)
{
    struct strbuf why;
    strbuf_init(&why);
    enum err e = make_broker(f, sets, &why);
    if (e == ERR_OK)
        e = broker_start(f->broker, &why);
    if (e != ERR_OK)
        print_error("%s\n", strbuf_text(&why));
    CHECK_EQUAL(e, ERR_OK);
    strbuf_deinit(&why);
    mem_env_run_until_idle(&f->m);
    CHECK(f->is_ready);
    f->peer = mem_env_connect(&f->m, FIXTURE_PORT, NULL);
    CHECK(f->peer != NULL);
}

void fixture_start(struct broker_fixture *f, const char *const *sets)
{
    *f = (struct broker_fixture){0};
    mem_env_init(&f->m);
    arena_init(&f->arena, 64 * 1024 * 1024);
    start_here(f, sets);
}
static void on_stopped(void *arg, bool is_clean)
{
    ((struct broker_fixture *)arg)->is_stopped = true;
}

static void stop_here(struct broker_fixture *f)
{
    sock_close(f->peer);
    broker_stop(f->broker, on_stopped, f);
    for (int i = 0; i < 1000 && !f->is_stopped; i++)
        mem_env_advance_ms(&f->m, 10);
    CHECK(f->is_stopped);
    broker_free(f->broker);
    server_config_free(f->config);
}

void fixture_halt(struct broker_fixture *f)
{
    stop_here(f);
    f->is_ready = f->is_stopped = false;
}

void fixture_go_on(struct broker_fixture *f, const char *const *sets)
{
    start_here(f, sets);
}

void fixture_restart_refused(struct broker_fixture *f, const char *const *bad,
                             const char *const *sets, struct strbuf *why)
{
    fixture_halt(f);
    CHECK(make_broker(f, bad, why) != ERR_OK);
    server_config_free(f->config);
    fixture_go_on(f, sets);
}

void fixture_restart(struct broker_fixture *f, const char *const *sets)
{
    fixture_halt(f);
    fixture_go_on(f, sets);
}

void fixture_stop(struct broker_fixture *f)
{
    stop_here(f);
    arena_deinit(&f->arena);
    mem_env_deinit(&f->m);
}

void fixture_write(struct wire_writer *w, int16_t key, int16_t version, const void *request)
{
    const struct wire_api *api = wire_api_find(key);
    CHECK(api != NULL);
    struct request_header header = {.request_api_key = key,
                                    .request_api_version = version,
                                    .correlation_id = CORRELATION_ID,
                                    .client_id = wire_str_of("fixture")};
    wire_writer_init(w, INT32_MAX);
    struct wire_mark mark = wire_request_begin(w, api, &header);
    CHECK_EQUAL(wire_encode(api->request, version, w, request), ERR_OK);
    wire_write_size_end(w, mark);
}

void fixture_send(struct sock *peer, int16_t key, int16_t version, const void *request)
{
    struct wire_writer w;
    fixture_write(&w, key, version, request);
    mem_sock_say(peer, w.data, w.size);
    wire_writer_deinit(&w);
}

size_t fixture_say_produce(struct sock *peer, const struct record *record, int16_t acks)
{
    return fixture_say_produce_to(peer, 0, record, acks);
}

static size_t say_produce(struct sock *peer, int32_t index, const struct batch_options *options,
                          const struct record *record, int16_t acks)
{
    struct batch_builder b;
    struct batch_buffer batch;
    batch_buffer_init(&batch, INT32_MAX);
    batch_builder_init(&b);
    batch_builder_start(&b, options);
    CHECK_EQUAL(batch_builder_add(&b, record), ERR_OK);
    CHECK_EQUAL(batch_builder_finish(&b, &batch), ERR_OK);
    struct produce_request_partition_produce_data partition = {
        .index = index, .records = {.data = batch.data, .len = (int32_t)batch.len}};
    struct produce_request_topic_produce_data topic = {.name = wire_str_of("t"),
                                                       .partition_data = {&partition, 1}};
    struct produce_request request = {.transactional_id = wire_str_of(NULL),
                                      .acks = acks,
                                      .timeout_ms = 1000,
                                      .topic_data = {&topic, 1}};
    fixture_send(peer, PRODUCE_KEY, 12, &request);
    size_t size = batch.len;
    batch_builder_deinit(&b);
    batch_buffer_deinit(&batch);
    return size;
}

size_t fixture_say_produce_to(struct sock *peer, int32_t index, const struct record *record,
                              int16_t acks)
{
    struct batch_options options = batch_options_default();
    return say_produce(peer, index, &options, record, acks);
}

void fixture_say_produce_by(struct sock *peer, int64_t producer_id, const struct record *record)
{
    struct batch_options options = batch_options_default();
    options.producer_id = producer_id;
    options.producer_epoch = 0;
    options.base_sequence = 0;
    (void)say_produce(peer, 0, &options, record, -1);
}

/* All that is here of the next answer. */
static size_t receive_bytes(struct sock *peer, uint8_t *out, size_t len)
{
    size_t all = 0, got = 0;
    while (all < len && sock_recv(peer, out + all, len - all, &got) == ERR_OK)
        all += got;
    return all;
}

void *fixture_receive(struct broker_fixture *f, struct sock *peer, int16_t key, int16_t version)
{
    const struct wire_api *api = wire_api_find(key);
    uint8_t head[4];
    if (receive_bytes(peer, head, sizeof(head)) < sizeof(head))
        return NULL;
    size_t size = bytes_load_u32(head);
    uint8_t *payload = arena_alloc(&f->arena, size);
    CHECK(payload != NULL);
    CHECK_EQUAL(receive_bytes(peer, payload, size), size);
    struct wire_reader r = wire_reader_of(payload, size);
    int32_t correlation_id = 0;
    CHECK_EQUAL(wire_response_header_read(&r, api, version, &correlation_id), ERR_OK);
    CHECK_EQUAL(correlation_id, CORRELATION_ID);
    void *response = arena_alloc(&f->arena, api->response->body->size);
    CHECK(response != NULL);
    CHECK_EQUAL(wire_decode(api->response, version, &r, &f->arena, response), ERR_OK);
    return response;
}

void *fixture_ask(struct broker_fixture *f, int16_t key, int16_t version, const void *request)
{
    fixture_send(f->peer, key, version, request);
    mem_env_run_until_idle(&f->m);
    void *response = fixture_receive(f, f->peer, key, version);
    if (response == NULL) {
        sock_close(f->peer);
        f->peer = mem_env_connect(&f->m, FIXTURE_PORT, NULL);
    }
    return response;
}

int16_t fixture_try_create(struct broker_fixture *f, const char *name, int32_t partition_count)
{
    struct create_topics_request_creatable_topic topic = {
        .name = wire_str_of(name), .num_partitions = partition_count, .replication_factor = 1};
    struct create_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct create_topics_response *response = fixture_ask(f, CREATE_TOPICS_KEY, 7, &request);
    CHECK(response != NULL && response->topics.count == 1);
    return response->topics.items[0].error_code;
}

void fixture_create(struct broker_fixture *f, const char *name, int32_t partition_count)
{
    CHECK_EQUAL(fixture_try_create(f, name, partition_count), KERR_NONE);
}

int16_t fixture_delete(struct broker_fixture *f, const char *name)
{
    struct delete_topics_request_delete_topic_state topic = {.name = wire_str_of(name)};
    struct delete_topics_request request = {.topics = {&topic, 1}, .timeout_ms = 1000};
    const struct delete_topics_response *response = fixture_ask(f, DELETE_TOPICS_KEY, 6, &request);
    CHECK(response != NULL && response->responses.count == 1);
    return response->responses.items[0].error_code;
}

int16_t fixture_produce(struct broker_fixture *f)
{
    static const uint8_t value[] = "v";
    struct record record = {
        .timestamp = env_wall_ms(&f->m.env), .key = {NULL, -1}, .value = {value, sizeof(value)}};
    fixture_say_produce(f->peer, &record, -1);
    mem_env_run_until_idle(&f->m);
    const struct produce_response *response = fixture_receive(f, f->peer, PRODUCE_KEY, 12);
    CHECK(response != NULL);
    return response->responses.items[0].partition_responses.items[0].error_code;
}

uint32_t fixture_offline(struct broker_fixture *f)
{
    struct replica_set_counts counts;
    replica_set_counts(f->broker->replicas, &counts);
    return counts.offline;
}

struct counting {
    const char *suffix;
    int count;
};

static void count_name(void *arg, const char *name, bool is_dir)
{
    struct counting *counting = arg;
    size_t len = strlen(name);
    size_t suffix_len = strlen(counting->suffix);
    counting->count += len >= suffix_len && strcmp(name + len - suffix_len, counting->suffix) == 0;
}

int fixture_count_names(struct broker_fixture *f, const char *dir, const char *suffix)
{
    struct counting counting = {.suffix = suffix};
    CHECK_EQUAL(env_dir_list(&f->m.env, dir, count_name, &counting), ERR_OK);
    return counting.count;
}
