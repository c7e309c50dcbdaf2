// SPDX-License-Identifier: Apache-2.0
/*
 * admin: see admin.h.
 *
 * A change that got no answer may have happened: the admin looks, and decides by what it
 * sees. While the same change is asked for again, "there already" and "not there" are good
 * answers.
 *
 * Before it asks for the opposite of a change without an answer it waits until that one is
 * surely done or lost: a request may linger in the network.
 *
 * Thread: one.
 */
#include "admin.h"

#include "base/assert.h"
#include "wire/create_topics.h"
#include "wire/delete_topics.h"
#include "wire/kerr.h"
#include "wire/metadata.h"

enum { PAUSE_MAX_MS = 20, CHANGE_TIMEOUT_MS = 30000, LOOK_PERCENT = 40, HOLD_MS = 3000 };

static void step(struct admin *a);

static struct history *history_of(const struct admin *a)
{
    return a->client.options.history;
}

static struct history_topic *topic_of(const struct admin *a, uint32_t i)
{
    return &history_of(a)->topics[a->topics[i].topic];
}

static void step_later(struct admin *a)
{
    client_later(&a->client, &a->pause, 0, PAUSE_MAX_MS * SIM_MS);
}

static bool is_as_wanted(const struct admin *a, uint32_t i)
{
    return topic_of(a, i)->state == (a->topics[i].wants_present ? TOPIC_PRESENT : TOPIC_ABSENT);
}

/* ---- looking */

/* While its fate was unsure, what is seen decides. A deletion that was asked for may still come
 * true later, so only the wanted outcome is believed. */
static void believe(struct admin *a, const struct history_topic_answer *answer)
{
    struct history *h = history_of(a);
    uint32_t topic = a->topics[a->at].topic;
    if (topic_of(a, a->at)->state != TOPIC_UNSURE ||
        answer->is_there != a->topics[a->at].wants_present)
        return;
    if (answer->is_there)
        history_topic_created(h, topic, answer->id, answer->partitions);
    else
        history_topic_deleted(h, topic);
}

static void on_seen(struct admin *a, const struct metadata_response *response)
{
    struct history *h = history_of(a);
    if (response->topics.count != 1 ||
        !wire_str_is(response->topics.items[0].name, topic_of(a, a->at)->name)) {
        history_fail(h, "admins", "Metadata answered for other topics");
        return;
    }
    const struct metadata_response_topic *topic = &response->topics.items[0];
    struct history_topic_answer answer = {
        .is_there = topic->error_code != KERR_UNKNOWN_TOPIC_OR_PARTITION,
        .id = topic->topic_id,
        .partitions = topic->partitions.count,
    };
    if (topic->error_code != KERR_NONE && answer.is_there)
        return;
    history_topic_seen(h, a->topics[a->at].topic, &a->view, &answer);
    believe(a, &answer);
}

static void look(struct admin *a)
{
    struct metadata_request request;
    struct metadata_request_topic topic = {.name = wire_str_of(topic_of(a, a->at)->name)};
    wire_defaults(wire_api_find(API_METADATA)->request->body, &request);
    request.topics.items = &topic;
    request.topics.count = 1;
    request.allow_auto_topic_creation = false;
    connection_limit_version(&a->client.connection, API_METADATA, 10, INT16_MAX);
    a->view = history_topic_view(history_of(a), a->topics[a->at].topic);
    a->call = (struct call){.api_key = API_METADATA, .done = a->call.done};
    connection_call(&a->client.connection, &a->call, &request);
}

/* ---- changing */

static void on_created(struct admin *a, const struct create_topics_response *response)
{
    struct history *h = history_of(a);
    if (response->topics.count != 1) {
        history_fail(h, "admins", "CreateTopics answered for other topics");
        return;
    }
    const struct create_topics_response_creatable_topic_result *result = &response->topics.items[0];
    switch (result->error_code) {
    case KERR_NONE:
        if (a->call.version >= 7)
            history_topic_created(h, a->topics[a->at].topic, result->topic_id,
                                  a->topics[a->at].partitions);
        return; /* older answers have no id: look */
    case KERR_TOPIC_ALREADY_EXISTS:
    case KERR_REQUEST_TIMED_OUT:
    case KERR_NOT_CONTROLLER:
    case KERR_KAFKA_STORAGE_ERROR: /* no room for the change: again */
        return;
    default:
        history_fail(h, "admins", "CreateTopics answered %s",
                     kerr_name((enum kerr)result->error_code));
    }
}

static void create(struct admin *a)
{
    const struct admin_topic *wanted = &a->topics[a->at];
    struct create_topics_request request;
    struct create_topics_request_creatable_topic topic;
    struct create_topics_request_creatable_topic_config configs[ADMIN_CONFIGS_MAX];
    wire_defaults(wire_api_find(API_CREATE_TOPICS)->request->body, &request);
    wire_defaults(&create_topics_request_creatable_topic_layout, &topic);
    topic.name = wire_str_of(topic_of(a, a->at)->name);
    topic.num_partitions = wanted->partitions;
    topic.replication_factor = 1;
    for (int32_t i = 0; i < wanted->config_count; i++) {
        configs[i].name = wire_str_of(wanted->configs[i].name);
        configs[i].value = wire_str_of(wanted->configs[i].value);
    }
    topic.configs.items = configs;
    topic.configs.count = wanted->config_count;
    request.topics.items = &topic;
    request.topics.count = 1;
    request.timeout_ms = CHANGE_TIMEOUT_MS;
    history_topic_asked(history_of(a), wanted->topic);
    a->call = (struct call){.api_key = API_CREATE_TOPICS, .done = a->call.done};
    connection_call(&a->client.connection, &a->call, &request);
}

static void on_deleted(struct admin *a, const struct delete_topics_response *response)
{
    struct history *h = history_of(a);
    if (response->responses.count != 1) {
        history_fail(h, "admins", "DeleteTopics answered for other topics");
        return;
    }
    int16_t error = response->responses.items[0].error_code;
    switch (error) {
    case KERR_NONE:
        history_topic_deleted(h, a->topics[a->at].topic);
        return;
    case KERR_UNKNOWN_TOPIC_OR_PARTITION: /* an earlier request did it: look */
    case KERR_UNKNOWN_TOPIC_ID:
    case KERR_REQUEST_TIMED_OUT:
    case KERR_NOT_CONTROLLER:
    case KERR_KAFKA_STORAGE_ERROR: /* no room for the change: again */
        return;
    default:
        history_fail(h, "admins", "DeleteTopics answered %s", kerr_name((enum kerr)error));
    }
}

static void delete_topic(struct admin *a)
{
    struct delete_topics_request request;
    struct wire_str name = wire_str_of(topic_of(a, a->at)->name);
    struct delete_topics_request_delete_topic_state topic = {.name = name};
    wire_defaults(wire_api_find(API_DELETE_TOPICS)->request->body, &request);
    if (connection_version(&a->client.connection, API_DELETE_TOPICS) >= 6) {
        request.topics.items = &topic;
        request.topics.count = 1;
    } else {
        request.topic_names.items = &name;
        request.topic_names.count = 1;
    }
    request.timeout_ms = CHANGE_TIMEOUT_MS;
    history_topic_asked(history_of(a), a->topics[a->at].topic);
    a->call = (struct call){.api_key = API_DELETE_TOPICS, .done = a->call.done};
    connection_call(&a->client.connection, &a->call, &request);
}

/* ---- steps */

static void on_done(struct call *call, enum err e, const void *response)
{
    struct admin *a = container_of(call, struct admin, call);
    a->is_busy = false;
    if (e != ERR_OK) {
        if (a->kind != ADMIN_LOOKS)
            a->hold_until_ns = client_sim(&a->client)->now_ns + HOLD_MS * SIM_MS;
        return;
    }
    switch (a->kind) {
    case ADMIN_CREATES:
        on_created(a, response);
        break;
    case ADMIN_DELETES:
        on_deleted(a, response);
        break;
    case ADMIN_LOOKS:
        on_seen(a, response);
        break;
    }
    step_later(a);
}

static void do_call(struct admin *a, enum admin_call kind)
{
    a->kind = kind;
    a->is_busy = true;
    a->call.done = on_done;
    switch (kind) {
    case ADMIN_CREATES:
        create(a);
        break;
    case ADMIN_DELETES:
        delete_topic(a);
        break;
    case ADMIN_LOOKS:
        look(a);
        break;
    }
}

static void step(struct admin *a)
{
    if (!a->client.is_ready || a->is_busy)
        return;
    struct sim *sim = client_sim(&a->client);
    if (sim->now_ns < a->hold_until_ns) {
        step_later(a);
        return;
    }
    a->at = (uint32_t)sim_draw(sim, 0, a->topic_count - 1);
    struct admin_topic *topic = &a->topics[a->at];
    if (is_as_wanted(a, a->at) && topic->rounds > 0 && sim_percent(sim, 50)) {
        topic->rounds--;
        topic->wants_present = !topic->wants_present;
    }
    if (is_as_wanted(a, a->at) || sim_percent(sim, LOOK_PERCENT))
        do_call(a, ADMIN_LOOKS);
    else
        do_call(a, topic->wants_present ? ADMIN_CREATES : ADMIN_DELETES);
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct admin, pause));
}

static void on_ready(void *arg)
{
    step(arg);
}

static void on_lost(void *arg)
{
}

void admin_start(struct admin *a, const struct client_options *client,
                 const struct admin_topic *topics, uint32_t topic_count)
{
    ASSERT(topic_count >= 1 && topic_count <= ADMIN_TOPICS_MAX);
    *a = (struct admin){.topic_count = topic_count, .pause = {.fire = on_pause_over}};
    for (uint32_t i = 0; i < topic_count; i++)
        a->topics[i] = topics[i];
    struct client_options own = *client;
    own.arg = a;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&a->client, &own);
}

bool admin_is_done(const struct admin *a)
{
    for (uint32_t i = 0; i < a->topic_count; i++) {
        if (!is_as_wanted(a, i) || a->topics[i].rounds > 0)
            return false;
    }
    return true;
}

void admin_stop(struct admin *a)
{
    loop_timer_stop(sim_env_loop(a->client.options.env, 0), &a->pause);
    client_stop(&a->client);
}
