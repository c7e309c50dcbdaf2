// SPDX-License-Identifier: Apache-2.0
/*
 * decide_partitions: CreatePartitions: a topic grows to a number of partitions.
 *
 * Steps of one topic: it is there, the number is larger than what it has, the new partitions
 * have places (the client's or our own); then a record for each. A topic that fails leaves no
 * record. Every name of the request has one row in the answer.
 *
 * Thread: any.
 */
#include "base/assert.h"
#include "controller/decide_private.h"
#include "wire/codec.h"
#include "wire/create_partitions.h"

/* What is known while one request is worked on. */
struct growth {
    struct decision *d;
    struct arena *arena;
    const struct create_partitions_request *request;
    struct placer placer;
    struct name_table asked; /* how often each name is in the request */
    bool is_too_large;
};

/* One topic on its way. */
struct growing {
    const struct create_partitions_request_create_partitions_topic *row;
    const struct topic_image *topic;
    int32_t first; /* index of the first new partition */
    int32_t count; /* of new ones */
    int16_t replication_factor;
};

/* ---- is it good? */

static const struct topic_image *topic_of(const struct growth *g, struct wire_str name)
{
    return name.len > 0 ? image_topic(g->d->image, name.data, (size_t)name.len) : NULL;
}

static bool is_too_large(const struct growth *g)
{
    int64_t total = 0;
    for (int32_t i = 0; i < g->request->topics.count; i++) {
        const struct topic_image *topic = topic_of(g, g->request->topics.items[i].name);
        int64_t now = topic != NULL ? topic_partition_count(topic) : 0;
        total += topic != NULL ? MAX(g->request->topics.items[i].count - now, 0) : 0;
    }
    return total > LIMIT_PARTITIONS_PER_CREATE;
}

static struct verdict judge_count(struct growth *g, struct growing *t)
{
    struct wire_str name = t->row->name;
    t->topic = topic_of(g, name);
    if (t->topic == NULL)
        return verdict_of(KERR_UNKNOWN_TOPIC_OR_PARTITION, NULL);
    t->first = topic_partition_count(t->topic);
    ASSERT(t->first > 0);
    if (t->row->count <= t->first)
        return verdict_printf(g->arena, KERR_INVALID_PARTITIONS,
                              "topic '%.*s' has %d partitions, and can only get more, not %d",
                              (int)name.len, name.data, t->first, t->row->count);
    t->count = t->row->count - t->first;
    t->replication_factor = (int16_t)topic_partition(t->topic, 0)->members->replica_count;
    return VERDICT_GOOD;
}

static struct verdict judge_places(struct growth *g, const struct growing *t)
{
    const struct create_partitions_request_create_partitions_assignment_array *places =
        &t->row->assignments;
    if (places->count != t->count)
        return verdict_printf(g->arena, KERR_INVALID_REPLICA_ASSIGNMENT,
                              "places for %d partitions, but there are to be %d new ones",
                              places->count, t->count);
    for (int32_t i = 0; i < places->count; i++) {
        const struct wire_i32_array *nodes = &places->items[i].broker_ids;
        if (nodes->count != t->replication_factor)
            return verdict_printf(g->arena, KERR_INVALID_REPLICA_ASSIGNMENT,
                                  "a partition with %d replicas in a topic with %d", nodes->count,
                                  t->replication_factor);
        struct verdict v = placer_judge(&g->placer, g->d, g->arena, nodes);
        if (v.code != KERR_NONE)
            return v;
    }
    return VERDICT_GOOD;
}

static struct verdict judge_topic(struct growth *g, struct growing *t)
{
    if (g->is_too_large)
        return verdict_of(KERR_POLICY_VIOLATION, "too many partitions in one request");
    struct verdict v = judge_count(g, t);
    if (v.code != KERR_NONE)
        return v;
    if (t->row->assignments.count >= 0)
        return judge_places(g, t);
    if (t->replication_factor > g->placer.count)
        return verdict_printf(g->arena, KERR_INVALID_REPLICATION_FACTOR,
                              "a replication factor of %d needs more brokers than the %d there are",
                              t->replication_factor, g->placer.count);
    return VERDICT_GOOD;
}

/* ---- records */

static enum err put_partitions(struct growth *g, const struct growing *t)
{
    ASSERT(t->count > 0 && t->replication_factor > 0);
    int32_t *nodes = arena_alloc_array(g->arena, (size_t)t->replication_factor * 2, sizeof(*nodes));
    if (nodes == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < t->count && g->d->records.error == ERR_OK; i++) {
        struct wire_i32_array replicas = {nodes, t->replication_factor};
        if (t->row->assignments.count >= 0)
            replicas = t->row->assignments.items[i].broker_ids;
        else
            placer_place(&g->placer, nodes, t->replication_factor);
        placer_put_partition(&g->placer, g->d,
                             &(struct placed_partition){topic_id(t->topic), t->first + i, replicas},
                             nodes + t->replication_factor);
    }
    return g->d->records.error;
}

/* ---- the answer */

static enum err grow_row(struct growth *g,
                         const struct create_partitions_request_create_partitions_topic *asked,
                         struct create_partitions_response_create_partitions_topic_result *out)
{
    struct growing t = {.row = asked};
    struct verdict v = judge_topic(g, &t);
    enum err e = ERR_OK;
    if (v.code == KERR_NONE && !g->request->validate_only)
        e = put_partitions(g, &t);
    out->name = asked->name;
    out->error_code = (int16_t)v.code;
    out->error_message = verdict_text(v);
    return e;
}

/* One row for all of a name that is there more than once. */
static void refuse_repeated(struct wire_str name,
                            struct create_partitions_response_create_partitions_topic_result *out)
{
    out->name = name;
    out->error_code = KERR_INVALID_REQUEST;
    out->error_message = wire_str_of("the topic is in the request more than once");
}

static enum err grow_rows(struct growth *g, struct create_partitions_response *response)
{
    const struct create_partitions_request *request = g->request;
    for (int32_t i = 0; i < request->topics.count; i++) {
        if (name_table_add(&g->asked, request->topics.items[i].name) == NULL)
            return ERR_NO_MEMORY;
    }
    g->is_too_large = is_too_large(g);
    int32_t count = 0;
    for (int32_t i = 0; i < request->topics.count; i++) {
        struct wire_str name = request->topics.items[i].name;
        struct name_entry *entry = name_table_find(&g->asked, name);
        if (entry->count == 0)
            continue; /* said */
        enum err e = ERR_OK;
        if (entry->count > 1)
            refuse_repeated(name, &response->results.items[count++]);
        else
            e = grow_row(g, &request->topics.items[i], &response->results.items[count++]);
        if (e != ERR_OK)
            return e;
        entry->count = 0;
    }
    ASSERT(count <= response->results.count);
    response->results.count = count;
    return ERR_OK;
}

enum err decide_create_partitions(struct decision *d,
                                  const struct create_partitions_request *request,
                                  struct arena *arena, struct create_partitions_response *response)
{
    struct growth g = {.d = d, .arena = arena, .request = request};
    uint64_t seed = 0;
    wire_defaults(&create_partitions_response_layout, response);
    d->random(d->random_arg, &seed, sizeof(seed));
    name_table_init(&g.asked, arena, seed, false);
    enum err e = placer_init(&g.placer, d, arena);
    if (e == ERR_OK)
        e = wire_array_new(arena, &create_partitions_response_create_partitions_topic_result_layout,
                           request->topics.count, &response->results);
    if (e == ERR_OK)
        e = grow_rows(&g, response);
    if (e != ERR_OK && d->records.error == ERR_OK)
        wire_writer_fail(&d->records, e);
    enum err ended = decision_end(d);
    name_table_deinit(&g.asked);
    return e == ERR_OK ? ended : e;
}
