// SPDX-License-Identifier: Apache-2.0
/* noise: see noise.h. Thread: one. */
#include "noise.h"

#include <string.h>

#include "base/assert.h"
#include "wire/fetch.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum {
    PAUSE_MAX_MS = 15,
    PARTITIONS = 3, /* some do not exist */
    WAIT_MAX_MS = 300,
    FETCH_BYTES = 100000,
    VALUE_BYTES_MAX = 500,
    TIMEOUT_MS = 30000,
    RECORD_BYTES_MAX = 1 << 20,
};

static struct sim *sim_of(struct noise *n)
{
    return client_sim(&n->client);
}

static void step_later(struct noise *n)
{
    client_later(&n->client, &n->pause, 0, PAUSE_MAX_MS * SIM_MS);
}

/* What may happen to somebody who comes too early or too late. */
static void judge(struct noise *n, const char *what, int16_t error)
{
    sim_trace(sim_of(n), "noise", n->client.options.env->id, (uint64_t)n->call.api_key,
              (uint64_t)error);
    switch (error) {
    case KERR_NONE:
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_UNKNOWN_TOPIC_ID:
    case KERR_INCONSISTENT_TOPIC_ID:
    case KERR_NOT_LEADER_OR_FOLLOWER:
    case KERR_LEADER_NOT_AVAILABLE:
    case KERR_KAFKA_STORAGE_ERROR:
    case KERR_OFFSET_OUT_OF_RANGE:
        return;
    default:
        history_fail(n->client.options.history, "noise is answered in good form", "%s answered %s",
                     what, kerr_name((enum kerr)error));
    }
}

/* ---- producing */

static void on_produced(struct noise *n, const struct produce_response *answer)
{
    for (int32_t t = 0; t < answer->responses.count; t++) {
        for (int32_t i = 0; i < answer->responses.items[t].partition_responses.count; i++)
            judge(n, "Produce", answer->responses.items[t].partition_responses.items[i].error_code);
    }
}

static void build_batch(struct noise *n, struct batch_buffer *out)
{
    struct batch_options options = batch_options_default();
    uint8_t value[VALUE_BYTES_MAX];
    size_t len = (size_t)sim_draw(sim_of(n), sizeof(struct uuid), VALUE_BYTES_MAX);
    memset(value, 'n', sizeof(value));
    memcpy(value, n->topic_id.bytes, sizeof(n->topic_id.bytes));
    batch_builder_start(&n->builder, &options);
    struct record record = {
        .timestamp = env_wall_ms(&n->client.options.env->env),
        .key = {NULL, -1},
        .value = {value, (int32_t)len},
    };
    enum err e = batch_builder_add(&n->builder, &record);
    ASSERT(e == ERR_OK);
    e = batch_builder_finish(&n->builder, out);
    ASSERT(e == ERR_OK);
}

static void produce(struct noise *n, const struct history_topic *topic)
{
    struct batch_buffer bytes;
    batch_buffer_init(&bytes, SIZE_MAX);
    build_batch(n, &bytes);
    struct produce_request_partition_produce_data part = {
        .index = (int32_t)sim_draw(sim_of(n), 0, PARTITIONS - 1),
        .records = {.data = bytes.data, .len = (int32_t)bytes.len},
    };
    struct produce_request_topic_produce_data data = {
        .name = wire_str_of(topic->name),
        .topic_id = topic->id,
        .partition_data = {.items = &part, .count = 1},
    };
    struct produce_request request;
    wire_defaults(wire_api_find(API_PRODUCE)->request->body, &request);
    request.transactional_id = wire_str_of(NULL);
    request.acks = sim_percent(sim_of(n), 50) ? -1 : 1;
    request.timeout_ms = TIMEOUT_MS;
    request.topic_data.items = &data;
    request.topic_data.count = 1;
    connection_call(&n->client.connection, &n->call, &request);
    batch_buffer_deinit(&bytes);
}

/* ---- fetching */

static void look_at_record(struct noise *n, const struct record *record)
{
    struct uuid named = {{0}};
    if (record->value.len >= (int32_t)sizeof(named))
        memcpy(named.bytes, record->value.data, sizeof(named.bytes));
    if (!uuid_is_zero(named) && !uuid_equals(named, n->topic_id))
        history_fail(n->client.options.history, "a topic shows only its own",
                     "a record that was sent to another topic id was read");
}

static void look_at_records(struct noise *n, const struct wire_records *records)
{
    struct batch_walk walk = {records->data, records->len > 0 ? (size_t)records->len : 0};
    struct batch_header header;
    const uint8_t *data;
    while (batch_next(&walk, &header, &data) == ERR_OK) {
        struct record record;
        enum err e = batch_reader_start(&n->reader, data, batch_size(&header));
        while (e == ERR_OK && (e = batch_reader_next(&n->reader, &record)) == ERR_OK)
            look_at_record(n, &record);
    }
}

static void on_fetched(struct noise *n, const struct fetch_response *answer)
{
    judge(n, "Fetch", answer->error_code);
    for (int32_t t = 0; t < answer->responses.count; t++) {
        for (int32_t i = 0; i < answer->responses.items[t].partitions.count; i++) {
            const struct fetch_response_partition_data *data =
                &answer->responses.items[t].partitions.items[i];
            judge(n, "Fetch", data->error_code);
            if (!uuid_is_zero(n->topic_id) && data->error_code == KERR_NONE)
                look_at_records(n, &data->records);
        }
    }
}

static void fetch(struct noise *n, const struct history_topic *topic)
{
    struct fetch_request_fetch_partition parts[PARTITIONS];
    struct fetch_request_fetch_topic data = {
        .topic = wire_str_of(topic->name),
        .topic_id = topic->id,
        .partitions = {.items = parts, .count = PARTITIONS},
    };
    for (int32_t i = 0; i < PARTITIONS; i++) {
        wire_defaults(&fetch_request_fetch_partition_layout, &parts[i]);
        parts[i].partition = i;
        parts[i].current_leader_epoch = -1;
        parts[i].fetch_offset = sim_draw(sim_of(n), 0, 3);
        parts[i].log_start_offset = -1;
        parts[i].partition_max_bytes = FETCH_BYTES;
    }
    struct fetch_request request;
    wire_defaults(wire_api_find(API_FETCH)->request->body, &request);
    request.replica_id = -1;
    request.max_wait_ms = (int32_t)sim_draw(sim_of(n), 0, WAIT_MAX_MS);
    request.min_bytes = (int32_t)sim_draw(sim_of(n), 0, 2000);
    request.max_bytes = FETCH_BYTES;
    request.session_epoch = -1;
    request.topics.items = &data;
    request.topics.count = 1;
    connection_call(&n->client.connection, &n->call, &request);
}

/* ---- steps */

static void on_done(struct call *call, enum err e, const void *response)
{
    struct noise *n = container_of(call, struct noise, call);
    n->is_busy = false;
    if (e != ERR_OK)
        return;
    if (call->api_key == API_PRODUCE)
        on_produced(n, response);
    else
        on_fetched(n, response);
    step_later(n);
}

static void step(struct noise *n)
{
    if (!n->client.is_ready || n->is_busy)
        return;
    uint32_t chosen = (uint32_t)sim_draw(sim_of(n), 0, n->topic_count - 1);
    const struct history_topic *topic = &n->client.options.history->topics[n->topics[chosen]];
    bool produces = sim_percent(sim_of(n), 60);
    int16_t api_key = produces ? API_PRODUCE : API_FETCH;
    bool by_id = connection_version(&n->client.connection, api_key) >= 13;
    n->topic_id = by_id ? topic->id : (struct uuid){{0}};
    n->call = (struct call){.api_key = api_key, .done = on_done};
    n->is_busy = true;
    if (produces)
        produce(n, topic);
    else
        fetch(n, topic);
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct noise, pause));
}

static void on_ready(void *arg)
{
    step(arg);
}

static void on_lost(void *arg)
{
}

void noise_start(struct noise *n, const struct client_options *client, const uint32_t *topics,
                 uint32_t topic_count)
{
    ASSERT(topic_count >= 1 && topic_count <= NOISE_TOPICS_MAX);
    *n = (struct noise){.topic_count = topic_count, .pause = {.fire = on_pause_over}};
    memcpy(n->topics, topics, topic_count * sizeof(topics[0]));
    batch_builder_init(&n->builder);
    batch_reader_init(&n->reader, RECORD_BYTES_MAX);
    struct client_options own = *client;
    own.arg = n;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&n->client, &own);
}

void noise_stop(struct noise *n)
{
    loop_timer_stop(sim_env_loop(n->client.options.env, 0), &n->pause);
    client_stop(&n->client);
}
