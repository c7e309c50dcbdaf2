// SPDX-License-Identifier: Apache-2.0
/* mover: see mover.h. Thread: one. */
#include "mover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "wire/alter_replica_log_dirs.h"
#include "wire/describe_log_dirs.h"
#include "wire/incremental_alter_configs.h"
#include "wire/kerr.h"

#define CHECKER "a partition has one place"

enum {
    DIRS_MAX = 3,
    PARTS_MAX = 3,
    LOOK_PERCENT = 30,
    NOWHERE_PERCENT = 3,
    TOPIC_PERCENT = 30, /* of parts: of a topic that may not be there */
    TOPIC_PARTITIONS = 3,
    HOLD_MS = 500,
    RESOURCE_BROKER = 4,
    RATE_SIZE = 32,
};

#define NOWHERE "/elsewhere"

static const int64_t rates[] = {100000, 1000000, INT64_C(1) << 40, INT64_MAX};

static const char *const dir_paths[DIRS_MAX] = {"/data", "/data-2", "/data-3"};

static void step(struct mover *m);

const char *mover_dir_path(unsigned dir)
{
    ASSERT(dir < DIRS_MAX);
    return dir_paths[dir];
}

static struct history *history_of(const struct mover *m)
{
    return m->client.options.history;
}

static void step_later(struct mover *m)
{
    client_later(&m->client, &m->pause, 0, m->options.pause_max_ns);
}

/* ---- moving */

static bool is_lasting(const struct mover *m, struct wire_str topic)
{
    const struct history *h = history_of(m);
    for (uint32_t i = 0; i < h->partition_count; i++) {
        if (wire_str_is(topic, h->partitions[i].topic))
            return true;
    }
    return false;
}

static void judge_row(struct mover *m, struct wire_str topic, int16_t error)
{
    struct history *h = history_of(m);
    const int64_t *faults = client_sim(&m->client)->faults;
    bool has_errors =
        faults[SIM_FAULT_DISK_ERROR] + faults[SIM_FAULT_DISK_FULL] + faults[SIM_FAULT_DIR_MISSING] >
        0;
    bool is_fine = error == KERR_NONE || error == KERR_REPLICA_NOT_AVAILABLE ||
                   (error == KERR_KAFKA_STORAGE_ERROR && has_errors) ||
                   (error == KERR_LOG_DIR_NOT_FOUND && faults[SIM_FAULT_DIR_MISSING] > 0) ||
                   (error == KERR_UNKNOWN_TOPIC_OR_PARTITION && !is_lasting(m, topic));
    if (m->asked_nowhere ? error != KERR_LOG_DIR_NOT_FOUND : !is_fine)
        history_fail(h, "movers", "AlterReplicaLogDirs answered %s for %.*s",
                     kerr_name((enum kerr)error), (int)topic.len, topic.data);
}

static void on_moved(struct mover *m, const struct alter_replica_log_dirs_response *answer)
{
    for (int32_t t = 0; t < answer->results.count; t++) {
        const struct alter_replica_log_dirs_response_alter_replica_log_dir_topic_result *topic =
            &answer->results.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++)
            judge_row(m, topic->topic_name, topic->partitions.items[i].error_code);
    }
}

static void draw_part(struct mover *m,
                      struct alter_replica_log_dirs_request_alter_replica_log_dir_topic *topic)
{
    struct sim *sim = client_sim(&m->client);
    const struct history *h = history_of(m);
    const struct client_options *client = &m->client.options;
    if (m->options.topic_count > 0 && sim_percent(sim, TOPIC_PERCENT)) {
        uint32_t drawn = m->options.topics[sim_draw(sim, 0, m->options.topic_count - 1)];
        topic->name = wire_str_of(h->topics[drawn].name);
        topic->partitions.items[0] = (int32_t)sim_draw(sim, 0, TOPIC_PARTITIONS - 1);
    } else {
        uint32_t drawn = client->partitions[sim_draw(sim, 0, client->partition_count - 1)];
        topic->name = wire_str_of(h->partitions[drawn].topic);
        topic->partitions.items[0] = h->partitions[drawn].index;
    }
}

/* One of several directories each, of which one may be named twice. */
static void move(struct mover *m)
{
    struct sim *sim = client_sim(&m->client);
    struct alter_replica_log_dirs_request_alter_replica_log_dir dirs[PARTS_MAX];
    struct alter_replica_log_dirs_request_alter_replica_log_dir_topic topics[PARTS_MAX];
    int32_t indexes[PARTS_MAX];
    int32_t count = (int32_t)sim_draw(sim, 1, PARTS_MAX);
    m->asked_nowhere = sim_percent(sim, NOWHERE_PERCENT);
    for (int32_t i = 0; i < count; i++) {
        topics[i].partitions = (struct wire_i32_array){&indexes[i], 1};
        draw_part(m, &topics[i]);
        unsigned dir = (unsigned)sim_draw(sim, 0, m->options.dir_count - 1);
        dirs[i] = (struct alter_replica_log_dirs_request_alter_replica_log_dir){
            .path = wire_str_of(m->asked_nowhere ? NOWHERE : mover_dir_path(dir)),
            .topics = {&topics[i], 1}};
    }
    struct alter_replica_log_dirs_request request = {.dirs = {dirs, count}};
    m->call.api_key = API_ALTER_REPLICA_LOG_DIRS;
    connection_call(&m->client.connection, &m->call, &request);
}

/* ---- looking */

static const struct mover_place *find_place(const struct mover *m, const struct mover_place *like)
{
    for (uint32_t i = 0; i < m->place_count; i++) {
        const struct mover_place *place = &m->places[i];
        if (place->index == like->index && strcmp(place->topic, like->topic) == 0 &&
            (place->is_future == like->is_future || place->dir == like->dir))
            return place;
    }
    return NULL;
}

static void add_place(struct mover *m, const struct mover_place *place)
{
    const struct mover_place *other = find_place(m, place);
    if (other != NULL)
        history_fail(history_of(m), CHECKER, "%s-%" PRId32 " is in %s%s and in %s%s", place->topic,
                     place->index, mover_dir_path(other->dir), other->is_future ? " (future)" : "",
                     mover_dir_path(place->dir), place->is_future ? " (future)" : "");
    else if (m->place_count < MOVER_PLACES_MAX)
        m->places[m->place_count++] = *place;
}

static void add_dir(struct mover *m, unsigned dir,
                    const struct describe_log_dirs_response_describe_log_dirs_result *row)
{
    for (int32_t t = 0; t < row->topics.count; t++) {
        const struct describe_log_dirs_response_describe_log_dirs_topic *topic =
            &row->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct mover_place place = {.dir = dir,
                                        .index = topic->partitions.items[i].partition_index,
                                        .is_future = topic->partitions.items[i].is_future_key};
            snprintf(place.topic, sizeof(place.topic), "%.*s", (int)topic->name.len,
                     topic->name.data);
            add_place(m, &place);
        }
    }
}

static void on_looked(struct mover *m, const struct describe_log_dirs_response *answer)
{
    bool has_failed = false;
    bool has_future = false;
    m->place_count = 0;
    for (int32_t i = 0; i < answer->results.count; i++) {
        has_failed = has_failed || answer->results.items[i].error_code != KERR_NONE;
        for (unsigned dir = 0; dir < m->options.dir_count; dir++) {
            if (wire_str_is(answer->results.items[i].log_dir, mover_dir_path(dir)))
                add_dir(m, dir, &answer->results.items[i]);
        }
    }
    for (uint32_t i = 0; i < m->place_count; i++)
        has_future = has_future || m->places[i].is_future;
    m->has_looked = m->is_calm && !has_failed && !has_future;
}

static void look(struct mover *m)
{
    struct describe_log_dirs_request request;
    wire_defaults(wire_api_find(API_DESCRIBE_LOG_DIRS)->request->body, &request);
    request.topics.count = -1;
    m->call.api_key = API_DESCRIBE_LOG_DIRS;
    connection_call(&m->client.connection, &m->call, &request);
}

/* ---- the rate */

static void on_rate_set(struct mover *m, const struct incremental_alter_configs_response *answer)
{
    int16_t error = answer->responses.count == 1 ? answer->responses.items[0].error_code : -1;
    if (error == KERR_NONE)
        m->rate_is_free = m->is_calm;
    else if (error != KERR_KAFKA_STORAGE_ERROR && error != KERR_REQUEST_TIMED_OUT &&
             error != KERR_NOT_CONTROLLER)
        history_fail(history_of(m), "movers", "IncrementalAlterConfigs answered %s",
                     kerr_name((enum kerr)error));
}

static void set_rate(struct mover *m)
{
    char text[RATE_SIZE];
    int64_t drawn = sim_draw(client_sim(&m->client), 0, (int64_t)ARRAY_COUNT(rates) - 1);
    snprintf(text, sizeof(text), "%" PRId64, m->is_calm ? INT64_MAX : rates[drawn]);
    struct incremental_alter_configs_request_alterable_config config = {
        .name = wire_str_of("replica.alter.log.dirs.io.max.bytes.per.second"),
        .value = wire_str_of(text)};
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = RESOURCE_BROKER,
        .resource_name = wire_str_of(""),
        .configs = {&config, 1}};
    struct incremental_alter_configs_request request = {.resources = {&resource, 1}};
    m->rate_is_free = false;
    m->call.api_key = API_INCREMENTAL_ALTER_CONFIGS;
    connection_call(&m->client.connection, &m->call, &request);
}

/* ---- steps */

static void on_done(struct call *call, enum err e, const void *response)
{
    struct mover *m = container_of(call, struct mover, call);
    m->is_busy = false;
    if (e != ERR_OK) { /* it may be still on its way */
        m->hold_until_ns = client_sim(&m->client)->now_ns + HOLD_MS * SIM_MS;
        return;
    }
    switch (m->kind) {
    case MOVER_MOVES:
        on_moved(m, response);
        break;
    case MOVER_LOOKS:
        on_looked(m, response);
        break;
    case MOVER_SETS_RATE:
        on_rate_set(m, response);
        break;
    }
    step_later(m);
}

static enum mover_call draw_kind(struct mover *m)
{
    struct sim *sim = client_sim(&m->client);
    if (m->is_calm)
        return m->rate_is_free ? MOVER_LOOKS : MOVER_SETS_RATE;
    if (sim_percent(sim, m->options.rate_percent))
        return MOVER_SETS_RATE;
    return sim_percent(sim, LOOK_PERCENT) ? MOVER_LOOKS : MOVER_MOVES;
}

static void step(struct mover *m)
{
    if (!m->client.is_ready || m->is_busy)
        return;
    if (m->is_calm && client_sim(&m->client)->now_ns < m->hold_until_ns) {
        step_later(m);
        return;
    }
    m->is_busy = true;
    m->kind = draw_kind(m);
    m->call = (struct call){.done = on_done};
    switch (m->kind) {
    case MOVER_MOVES:
        move(m);
        break;
    case MOVER_LOOKS:
        look(m);
        break;
    case MOVER_SETS_RATE:
        set_rate(m);
        break;
    }
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct mover, pause));
}

static void on_ready(void *arg)
{
    step_later(arg);
}

static void on_lost(void *arg)
{
}

void mover_start(struct mover *m, const struct client_options *client,
                 const struct mover_options *options)
{
    ASSERT(client->partition_count > 0);
    ASSERT(options->dir_count >= 2 && options->dir_count <= DIRS_MAX);
    *m = (struct mover){.options = *options, .pause = {.fire = on_pause_over}};
    struct client_options own = *client;
    own.arg = m;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&m->client, &own);
}

void mover_calm(struct mover *m)
{
    m->is_calm = true;
    m->rate_is_free = false;
    m->has_looked = false;
}

bool mover_is_done(const struct mover *m)
{
    return m->is_calm && m->rate_is_free && m->has_looked;
}

void mover_stop(struct mover *m)
{
    loop_timer_stop(sim_env_loop(m->client.options.env, 0), &m->pause);
    client_stop(&m->client);
}
