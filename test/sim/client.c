// SPDX-License-Identifier: Apache-2.0
/* client: connects, asks for metadata, comes back; see client.h. Thread: one. */
#include "client.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/kerr.h"
#include "wire/metadata.h"

enum { BACKOFF_MIN_US = 100 };

struct sim *client_sim(const struct client *c)
{
    return c->options.env->sim;
}

void client_later(const struct client *c, struct loop_timer *timer, int64_t low_ns, int64_t high_ns)
{
    struct loop *loop = sim_env_loop(c->options.env, 0);
    loop_timer_start(loop, timer, loop_now_ns(loop) + sim_draw(client_sim(c), low_ns, high_ns));
}

static void again_later(struct client *c)
{
    c->is_ready = false;
    if (!c->is_stopped)
        client_later(c, &c->again, BACKOFF_MIN_US * SIM_US,
                     BACKOFF_MIN_US * SIM_US + c->options.backoff_max_ns);
}

static void on_again(struct loop_timer *timer)
{
    struct client *c = container_of(timer, struct client, again);
    connection_open(&c->connection, &c->options.broker);
}

static void on_closed(void *arg)
{
    struct client *c = arg;
    c->options.lost(c->options.arg);
    again_later(c);
}

void client_reconnect(struct client *c)
{
    connection_close(&c->connection);
    on_closed(c);
}

void client_stop(struct client *c)
{
    c->is_stopped = true;
    c->is_ready = false;
    connection_close(&c->connection);
    loop_timer_stop(sim_env_loop(c->options.env, 0), &c->again);
}

static void on_garbage(void *arg, const char *what)
{
    struct client *c = arg;
    history_fail(c->options.history, "answers can be read", "%s", what);
}

int32_t client_find_partition(const struct client *c, struct wire_str topic, struct uuid id,
                              int32_t index)
{
    const struct history *h = c->options.history;
    for (uint32_t i = 0; i < c->options.partition_count; i++) {
        const struct history_partition *p = &h->partitions[c->options.partitions[i]];
        if (p->index != index)
            continue;
        if (topic.len > 0 ? wire_str_is(topic, p->topic)
                          : uuid_equals(h->topics[p->topic_index].id, id))
            return (int32_t)c->options.partitions[i];
    }
    return -1;
}

/* ---- metadata */

static void note_topic(struct client *c, uint32_t i, const struct metadata_response_topic *topic)
{
    struct history *h = c->options.history;
    const struct history_partition *p = &h->partitions[c->options.partitions[i]];
    struct history_topic_answer answer = {
        .is_there = topic->error_code != KERR_UNKNOWN_TOPIC_OR_PARTITION,
        .id = topic->topic_id,
        .partitions = topic->partitions.count,
    };
    if (topic->error_code == KERR_NONE || !answer.is_there)
        history_topic_seen(h, p->topic_index, &c->views[i], &answer);
}

/* True: it has a leader. */
static bool note_partition(struct client *c, uint32_t i,
                           const struct metadata_response_topic *topic)
{
    const struct history_partition *p = &c->options.history->partitions[c->options.partitions[i]];
    for (int32_t k = 0; k < topic->partitions.count; k++) {
        const struct metadata_response_partition *answer = &topic->partitions.items[k];
        if (answer->partition_index != p->index)
            continue;
        history_told(c->options.history, c->options.partitions[i], &c->floors[i],
                     &(struct history_offsets){-1, -1, answer->leader_epoch});
        return p->is_rotten || (answer->error_code == KERR_NONE && answer->leader_id >= 0);
    }
    return false;
}

static bool note_metadata(struct client *c, const struct metadata_response *response)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < c->options.partition_count; i++) {
        const struct history_partition *p =
            &c->options.history->partitions[c->options.partitions[i]];
        for (int32_t k = 0; k < response->topics.count; k++) {
            const struct metadata_response_topic *topic = &response->topics.items[k];
            if (!wire_str_is(topic->name, p->topic))
                continue;
            note_topic(c, i, topic);
            good += topic->error_code == KERR_NONE && note_partition(c, i, topic);
        }
    }
    return good == c->options.partition_count;
}

static void ask_metadata(struct client *c);

static void on_metadata(struct call *call, enum err e, const void *response)
{
    struct client *c = container_of(call, struct client, metadata);
    if (e != ERR_OK)
        return;
    const struct metadata_response *answer = response;
    if (answer->cluster_id.len > 0)
        history_cluster(c->options.history, answer->cluster_id.data,
                        (size_t)answer->cluster_id.len);
    if (!note_metadata(c, answer)) {
        client_reconnect(c);
        return;
    }
    c->is_ready = true;
    c->options.ready(c->options.arg);
}

static void ask_metadata(struct client *c)
{
    const struct history *h = c->options.history;
    struct metadata_request_topic topics[CLIENT_PARTITIONS_MAX];
    struct metadata_request request;
    wire_defaults(wire_api_find(API_METADATA)->request->body, &request);
    request.topics.items = topics;
    request.topics.count = 0;
    for (uint32_t i = 0; i < c->options.partition_count; i++) {
        const struct history_partition *p = &h->partitions[c->options.partitions[i]];
        c->floors[i] = history_floor_of(h, c->options.partitions[i]);
        c->views[i] = history_topic_view(h, p->topic_index);
        bool is_new = true;
        for (int32_t k = 0; k < request.topics.count; k++)
            is_new = is_new && !wire_str_is(topics[k].name, p->topic);
        if (is_new)
            topics[request.topics.count++] =
                (struct metadata_request_topic){.name = wire_str_of(p->topic)};
    }
    request.allow_auto_topic_creation = false;
    connection_limit_version(&c->connection, API_METADATA, 10, INT16_MAX);
    c->metadata = (struct call){.api_key = API_METADATA, .done = on_metadata};
    connection_call(&c->connection, &c->metadata, &request);
}

static void on_connected(void *arg)
{
    struct client *c = arg;
    if (c->options.partition_count > 0) {
        ask_metadata(c);
        return;
    }
    c->is_ready = true;
    c->options.ready(c->options.arg);
}

void client_start(struct client *c, const struct client_options *options)
{
    ASSERT(options->partition_count <= CLIENT_PARTITIONS_MAX);
    *c = (struct client){.options = *options, .again = {.fire = on_again}};
    struct connection_events events = {.arg = c, .ready = on_connected, .closed = on_closed};
    connection_init(&c->connection, options->env, &events);
    c->connection.on_garbage = on_garbage;
    c->connection.on_garbage_arg = c;
    again_later(c);
}
