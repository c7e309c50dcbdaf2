// SPDX-License-Identifier: Apache-2.0
/*
 * member: see member.h. Here are its life, fate and work; member_join.c has the calls around a
 * generation. There is one call at a time.
 *
 * Thread: one.
 */
#include "member.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "wire/batch.h"
#include "wire/fetch.h"
#include "wire/heartbeat.h"

enum {
    RETRY_MIN_MS = 1,
    RETRY_MAX_MS = 50,
    FETCH_WAIT_MAX_MS = 20,
    FETCH_BYTES = 20000,
    IDS_BYTES_MAX = 1 << 16,
    SLEEP_SESSIONS_MAX = 3,
    FENCED_PERCENT = 3,
};

static void step(struct member *m);

struct history *member_history(const struct member *m)
{
    return m->client_options.history;
}

struct sim *member_sim(const struct member *m)
{
    return m->client_options.env->sim;
}

struct wire_str member_group_name(const struct member *m)
{
    return wire_str_of(member_history(m)->groups.items[m->options.group].name);
}

struct wire_str member_instance(const struct member *m)
{
    return wire_str_of(m->options.is_static ? m->instance_id : NULL);
}

static struct loop *loop_of(const struct member *m)
{
    return sim_env_loop(m->client_options.env, 0);
}

static void step_within(struct member *m, int64_t most_ns)
{
    client_later(&m->client, &m->pause, 0, most_ns);
}

void member_step_later(struct member *m)
{
    client_later(&m->client, &m->pause, RETRY_MIN_MS * SIM_MS, RETRY_MAX_MS * SIM_MS);
}

/* ---- calls and what they mean */

void member_call(struct member *m, int16_t api_key, const void *request,
                 void (*done)(struct call *call, enum err e, const void *response))
{
    m->is_busy = true;
    m->view = history_group_view(member_history(m), m->options.group);
    m->call = (struct call){.api_key = api_key, .done = done};
    connection_call(&m->client.connection, &m->call, request);
}

bool member_answered(struct member *m, enum err e)
{
    m->is_busy = false;
    return e == ERR_OK;
}

static void join_anew(struct member *m, bool keeps_id)
{
    if (!keeps_id)
        m->id[0] = '\0';
    if (m->state != MEMBER_AWAY)
        m->state = MEMBER_JOINS;
}

bool member_takes(struct member *m, const char *what, int16_t error)
{
    sim_trace(member_sim(m), "member", m->options.number, (uint64_t)m->state, (uint64_t)error);
    switch (error) {
    case KERR_NONE:
        return true;
    case KERR_UNKNOWN_MEMBER_ID:
    case KERR_GROUP_ID_NOT_FOUND: /* forgotten when all were out and none had committed; to a
                                   * commit of v9 and later */
        join_anew(m, false);
        return false;
    case KERR_FENCED_INSTANCE_ID:
        if (!m->options.is_static)
            break;
        join_anew(m, false);
        return false;
    case KERR_ILLEGAL_GENERATION:
    case KERR_REBALANCE_IN_PROGRESS:
        join_anew(m, true);
        return false;
    case KERR_INCONSISTENT_GROUP_PROTOCOL:
        /* A generation that the log never had comes again, with another protocol. */
        if (!member_history(m)->groups.may_reload)
            break;
        join_anew(m, true);
        return false;
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_NOT_COORDINATOR:
        m->needs_coordinator = true;
        return false;
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
        return false;
    default:
        break;
    }
    history_fail(member_history(m), "members", "%s answered %s", what, kerr_name((enum kerr)error));
    return false;
}

/* ---- heartbeats */

static void plan_heartbeat(struct member *m)
{
    m->heartbeat_due_ns = member_sim(m)->now_ns + m->options.heartbeat_ns;
}

static void on_heartbeat(struct call *call, enum err e, const void *response)
{
    struct member *m = container_of(call, struct member, call);
    if (!member_answered(m, e))
        return;
    const struct heartbeat_response *answer = response;
    if (!member_takes(m, "Heartbeat", answer->error_code))
        m->commits_first = sim_percent(member_sim(m), 50);
    step_within(m, m->options.pause_max_ns);
}

static void heartbeat(struct member *m)
{
    struct heartbeat_request request;
    wire_defaults(wire_api_find(API_HEARTBEAT)->request->body, &request);
    request.group_id = member_group_name(m);
    request.generation_id = m->generation;
    request.member_id = wire_str_of(m->id);
    request.group_instance_id = member_instance(m);
    plan_heartbeat(m);
    member_call(m, API_HEARTBEAT, &request, on_heartbeat);
}

/* ---- offsets */

static void on_fenced(struct member *m, enum err e, enum kerr error)
{
    if (e != ERR_OK)
        return;
    if (error == KERR_NONE)
        history_fail(member_history(m), "an instance has one member",
                     "a commit under the fenced id %s was accepted", m->fenced_id);
    step_within(m, m->options.pause_max_ns);
}

static void on_committed(void *arg, enum err e, enum kerr error)
{
    struct member *m = arg;
    m->is_busy = false;
    if (m->commits_fenced) {
        m->commits_fenced = false;
        on_fenced(m, e, error);
        return;
    }
    if (e != ERR_OK) {
        m->commits_first = sim_percent(member_sim(m), 70); /* once more, or never known */
        return;
    }
    if (member_takes(m, "OffsetCommit", (int16_t)error)) {
        for (uint32_t i = 0; i < m->offsets.row_count && i < m->assignment.count; i++)
            m->committed[i] = m->offsets.rows[i].offset;
    }
    step_within(m, m->options.pause_max_ns);
}

static void fill_rows(struct member *m)
{
    m->offsets.client = &m->client;
    m->offsets.group = m->options.group;
    m->offsets.arg = m;
    m->offsets.row_count = m->assignment.count;
    for (uint32_t i = 0; i < m->assignment.count; i++)
        m->offsets.rows[i] = (struct offsets_row){.partition = m->assignment.partitions[i],
                                                  .offset = m->positions[i]};
    m->is_busy = true;
}

static void commit(struct member *m)
{
    m->commits_fenced = m->state == MEMBER_WORKS && m->fenced_id[0] != '\0' &&
                        sim_percent(member_sim(m), FENCED_PERCENT);
    struct offsets_who who = {m->generation, wire_str_of(m->commits_fenced ? m->fenced_id : m->id),
                              member_instance(m)};
    fill_rows(m);
    m->offsets.done = on_committed;
    offsets_commit(&m->offsets, &who);
}

static void on_resumed(void *arg, enum err e, enum kerr error)
{
    struct member *m = arg;
    m->is_busy = false;
    if (e != ERR_OK)
        return;
    if (member_takes(m, "OffsetFetch", (int16_t)error)) {
        for (uint32_t i = 0; i < m->assignment.count; i++) {
            m->committed[i] = m->offsets.rows[i].offset;
            m->positions[i] = MAX(m->offsets.rows[i].offset, 0);
        }
        m->state = MEMBER_WORKS;
    }
    member_step_later(m);
}

static void resume(struct member *m)
{
    fill_rows(m);
    m->offsets.done = on_resumed;
    offsets_fetch(&m->offsets);
}

/* ---- records. Only where they end counts here: what they are, consumer.c looks at. */

static void take_partition(struct member *m, int32_t partition,
                           const struct fetch_response_partition_data *data)
{
    if (data->error_code == KERR_OFFSET_OUT_OF_RANGE)
        history_fail(member_history(m), "members", "partition %d has no committed offset %s",
                     partition, "any more");
    for (uint32_t i = 0; i < m->assignment.count; i++) {
        if (m->assignment.partitions[i] != (uint32_t)partition)
            continue;
        struct batch_walk walk = {data->records.data,
                                  data->records.len > 0 ? (size_t)data->records.len : 0};
        struct batch_header header;
        const uint8_t *batch;
        while (batch_next(&walk, &header, &batch) == ERR_OK)
            m->positions[i] = MAX(m->positions[i], batch_last_offset(&header) + 1);
    }
}

static void on_fetched(struct call *call, enum err e, const void *response)
{
    struct member *m = container_of(call, struct member, call);
    if (!member_answered(m, e))
        return;
    const struct fetch_response *answer = response;
    for (int32_t t = 0; t < answer->responses.count; t++) {
        const struct fetch_response_fetchable_topic_response *topic = &answer->responses.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            const struct fetch_response_partition_data *data = &topic->partitions.items[i];
            int32_t partition = client_find_partition(&m->client, topic->topic, topic->topic_id,
                                                      data->partition_index);
            take_partition(m, partition, data);
        }
    }
    step_within(m, m->options.pause_max_ns);
}

static void fetch(struct member *m)
{
    const struct history *h = member_history(m);
    struct fetch_request request;
    struct fetch_request_fetch_topic topics[GROUP_PARTITIONS_MAX];
    struct fetch_request_fetch_partition parts[GROUP_PARTITIONS_MAX];
    wire_defaults(wire_api_find(API_FETCH)->request->body, &request);
    request.topics.items = topics;
    request.topics.count = (int32_t)m->assignment.count; /* one entry a partition */
    for (uint32_t i = 0; i < m->assignment.count; i++) {
        const struct history_partition *p = &h->partitions[m->assignment.partitions[i]];
        wire_defaults(&fetch_request_fetch_partition_layout, &parts[i]);
        parts[i].partition = p->index;
        parts[i].current_leader_epoch = -1;
        parts[i].fetch_offset = m->positions[i];
        parts[i].log_start_offset = -1;
        parts[i].partition_max_bytes = FETCH_BYTES;
        topics[i] = (struct fetch_request_fetch_topic){
            .topic = wire_str_of(p->topic),
            .topic_id = h->topics[p->topic_index].id,
            .partitions = {.items = &parts[i], .count = 1},
        };
    }
    request.replica_id = -1;
    request.max_wait_ms = (int32_t)sim_draw(member_sim(m), 0, FETCH_WAIT_MAX_MS);
    request.min_bytes = 1;
    request.max_bytes = FETCH_BYTES;
    request.session_epoch = -1;
    member_call(m, API_FETCH, &request, on_fetched);
}

/* ---- steps */

static void work(struct member *m)
{
    if (m->assignment.count == 0 || member_sim(m)->now_ns >= m->heartbeat_due_ns)
        heartbeat(m);
    else if (sim_percent(member_sim(m), 50))
        fetch(m);
    else
        commit(m);
}

static void step(struct member *m)
{
    if (!m->client.is_ready || m->is_busy || m->is_asleep || m->state == MEMBER_AWAY)
        return;
    if (m->needs_coordinator) {
        member_find_coordinator(m);
        return;
    }
    bool commits_first = m->commits_first && m->generation >= 0 && m->assignment.count > 0;
    m->commits_first = false;
    if (commits_first && m->id[0] != '\0' && m->state != MEMBER_RESUMES) {
        commit(m);
        return;
    }
    switch (m->state) {
    case MEMBER_JOINS:
        member_join(m);
        break;
    case MEMBER_SYNCS:
        member_sync(m);
        break;
    case MEMBER_RESUMES:
        resume(m);
        break;
    case MEMBER_WORKS:
        work(m);
        break;
    case MEMBER_LEAVES:
        member_leave(m);
        break;
    case MEMBER_AWAY:
        break;
    }
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct member, pause));
}

static void on_ready(void *arg)
{
    struct member *m = arg;
    if (m->options.is_static) {
        static const int16_t api_keys[] = {API_JOIN_GROUP, API_SYNC_GROUP, API_HEARTBEAT,
                                           API_LEAVE_GROUP, API_OFFSET_COMMIT};
        static const int16_t since[] = {5, 3, 3, 3, 7};
        for (size_t i = 0; i < ARRAY_COUNT(api_keys); i++)
            connection_limit_version(&m->client.connection, api_keys[i], since[i], INT16_MAX);
    }
    m->needs_coordinator |= sim_percent(member_sim(m), 20);
    m->commits_first |= sim_percent(member_sim(m), 20);
    step(m);
}

static void on_lost(void *arg)
{
    struct member *m = arg;
    if (m->state == MEMBER_LEAVES) /* whether it is out it will not know */
        member_go_away(m);
}

/* ---- fate */

static void come_back(struct member *m)
{
    m->state = MEMBER_JOINS;
    if (m->options.is_static && m->id[0] != '\0')
        memcpy(m->fenced_id, m->id, sizeof(m->fenced_id));
    m->id[0] = '\0';
    m->generation = -1;
    m->needs_coordinator = true;
    m->assignment.count = 0;
    m->commits_first = false;
    m->is_busy = false;
    m->is_asleep = false;
    struct client_options client = m->client_options;
    client.arg = m;
    client.ready = on_ready;
    client.lost = on_lost;
    client_start(&m->client, &client);
}

void member_stop(struct member *m)
{
    m->state = MEMBER_AWAY;
    loop_timer_stop(loop_of(m), &m->pause);
    loop_timer_stop(loop_of(m), &m->fate);
    loop_timer_stop(loop_of(m), &m->nap);
    client_stop(&m->client);
}

static void plan_fate(struct member *m)
{
    if (m->options.fate_mean_ns > 0)
        client_later(&m->client, &m->fate, 0, 2 * m->options.fate_mean_ns);
}

void member_go_away(struct member *m)
{
    member_stop(m);
    client_later(&m->client, &m->nap, 0, m->options.away_max_ns);
}

static void on_nap_over(struct loop_timer *timer)
{
    struct member *m = container_of(timer, struct member, nap);
    if (m->state == MEMBER_AWAY) {
        come_back(m);
        plan_fate(m);
        return;
    }
    m->is_asleep = false;
    m->commits_first = sim_percent(member_sim(m), 60);
    step(m);
}

static void fall_asleep(struct member *m)
{
    sim_count(member_sim(m), SIM_FAULT_MEMBER_SLEEP);
    m->is_asleep = true;
    client_later(&m->client, &m->nap, 0,
                 SLEEP_SESSIONS_MAX * m->options.session_timeout_ms * SIM_MS);
}

static void on_fate(struct loop_timer *timer)
{
    struct member *m = container_of(timer, struct member, fate);
    int64_t drawn = sim_draw(member_sim(m), 0, 3);
    if (m->state == MEMBER_AWAY || m->is_asleep) {
        plan_fate(m);
    } else if (drawn == 0) {
        sim_count(member_sim(m), SIM_FAULT_MEMBER_DEATH);
        member_go_away(m);
    } else if (drawn == 1) {
        fall_asleep(m);
        plan_fate(m);
    } else if (drawn == 2 && m->id[0] != '\0') {
        m->state = MEMBER_LEAVES;
        if (!m->client.is_ready)
            member_go_away(m);
        plan_fate(m);
    } else {
        if (m->client.is_ready)
            client_reconnect(&m->client);
        plan_fate(m);
    }
}

void member_start(struct member *m, const struct client_options *client,
                  const struct member_options *options)
{
    *m = (struct member){
        .client_options = *client,
        .options = *options,
        .metadata = {.group = options->group, .owner = options->number << 16},
        .pause = {.fire = on_pause_over},
        .nap = {.fire = on_nap_over},
        .fate = {.fire = on_fate},
    };
    wire_writer_init(&m->ids, IDS_BYTES_MAX);
    snprintf(m->instance_id, sizeof(m->instance_id), "instance-%u", options->number);
    m->client.options = *client; /* its timers need it before it has begun */
    client_later(&m->client, &m->nap, 0, m->options.away_max_ns);
}

void member_calm(struct member *m)
{
    m->options.fate_mean_ns = 0;
    loop_timer_stop(loop_of(m), &m->fate);
    if (m->state == MEMBER_AWAY && sim_percent(member_sim(m), 30)) {
        m->is_gone = true;
        loop_timer_stop(loop_of(m), &m->nap);
    } else if (m->state == MEMBER_AWAY || m->is_asleep) {
        client_later(&m->client, &m->nap, 0, RETRY_MAX_MS * SIM_MS);
    }
}

bool member_is_live(const struct member *m)
{
    return !m->is_gone;
}

struct history_holder member_holds(const struct member *m)
{
    struct history_holder holder = {.generation = -1};
    if (m->state != MEMBER_WORKS)
        return holder;
    holder.generation = m->generation;
    holder.member_count = m->has_to_assign ? m->member_count : 0;
    for (uint32_t i = 0; i < m->assignment.count; i++)
        holder.partitions |= UINT64_C(1) << m->assignment.partitions[i];
    return holder;
}

bool member_is_done(const struct member *m)
{
    const struct history *h = member_history(m);
    for (uint32_t i = 0; i < m->assignment.count; i++) {
        if (m->committed[i] < h->partitions[m->assignment.partitions[i]].high_watermark)
            return false;
    }
    return m->state == MEMBER_WORKS;
}
