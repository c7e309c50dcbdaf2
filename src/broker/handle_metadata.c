// SPDX-License-Identifier: Apache-2.0
/*
 * handle_metadata: brokers, topics and partition leaders (API 3).
 *
 *   1. Which topics are meant: all, none, or a list, by name or by id, by the version's rules.
 *   2. Where auto-creation is wanted and allowed, names that are not there are made, each by a
 *      change of its own, so that one that fails leaves the others alone; the controller writes
 *      what comes together as one entry.
 *   3. The answer, from the image of then.
 *
 * Kafka answers at once and lets the client ask again until the topic is there. Here the answer
 * waits for the change: it costs one append to the metadata log, the client is spared a
 * back-off of 100 ms and a warning, and what it is told is true. A failed change does not
 * hold the answer: the topic's row then has the error.
 *
 * Thread: the request's reactor; auto_decide on the controller's loop.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "broker/handlers.h"
#include "broker/metadata_op.h"
#include "metadata/topic_name.h"

enum {
    ANSWER_ARENA_SHARE = 8, /* the answer may take this part of klamm.memory.max while it is made */
    NULL_NAME_SINCE = 12,
    ALL_IS_NULL_SINCE = 1,
};

static void metadata_reply(struct metadata_op *op)
{
    struct request *rq = op->rq;
    bool is_filled = metadata_fill_response(op);
    struct arena arena = op->arena; /* op goes with the request */
    if (is_filled)
        request_reply(rq); /* copies all it needs */
    else
        request_close_no_memory(rq);
    arena_deinit(&arena);
}

/* ---- auto-creation */

static enum err auto_decide(struct broker_change *bc, struct decision *d)
{
    struct metadata_auto_topic *made = container_of(bc, struct metadata_auto_topic, change);
    struct auto_topic topic = {
        .name = made->asked->name.data,
        .name_len = (size_t)made->asked->name.len,
        .partition_count = -1,
        .replication_factor = -1,
    };
    return decide_auto_topic(d, &topic, &made->result);
}

static void auto_finish(struct broker_change *bc, enum err e)
{
    struct metadata_auto_topic *made = container_of(bc, struct metadata_auto_topic, change);
    struct metadata_op *op = made->op;
    if (e == ERR_OK && made->result != KERR_NONE)
        made->asked->error = made->result;
    else if (e != ERR_OK)
        made->asked->error = KERR_LEADER_NOT_AVAILABLE; /* the client asks again */
    ASSERT(op->making > 0);
    if (--op->making == 0)
        metadata_reply(op);
}

/* Internal topics are made by those who keep their state in them, with configs of their own. */
static bool is_missing(const struct image *image, const struct metadata_asked *asked)
{
    const char *name = asked->name.data;
    size_t len = (size_t)MAX(asked->name.len, 0);
    return asked->error == KERR_NONE && uuid_is_zero(asked->id) &&
           !topic_name_is_internal(name, len) && image_topic(image, name, len) == NULL;
}

/* False: nothing is to be made; the answer can be given. */
static bool make_missing(struct metadata_op *op)
{
    const struct image *image = request_image(op->rq);
    int32_t count = 0;
    for (int32_t i = 0; i < op->asked_count; i++)
        count += is_missing(image, &op->asked[i]) ? 1 : 0;
    count = MIN(count, (int32_t)LIMIT_TOPICS_PER_CREATE); /* the others: UNKNOWN_TOPIC */
    struct metadata_auto_topic *topics =
        arena_alloc_array(&op->arena, (size_t)count, sizeof(*topics));
    if (count == 0 || topics == NULL)
        return false;
    op->making = count;
    int32_t made = 0;
    for (int32_t i = 0; made < count; i++) {
        if (!is_missing(image, &op->asked[i]))
            continue;
        struct metadata_auto_topic *topic = &topics[made++];
        topic->op = op;
        topic->asked = &op->asked[i];
        topic->change.rq = op->rq;
        topic->change.decide = auto_decide;
        topic->change.finish = auto_finish;
    }
    /* Nothing finishes before the reactor's next task: `op` is still there at the end. */
    for (int32_t i = 0; i < count; i++)
        broker_submit_change(&topics[i].change);
    return true;
}

/* ---- what is asked */

static uint64_t hash_of(uint64_t seed, const struct metadata_asked *asked)
{
    if (wire_str_is_null(asked->name))
        return hash_bytes(seed, asked->id.bytes, sizeof(asked->id.bytes));
    return hash_bytes(seed, asked->name.data, (size_t)asked->name.len);
}

static bool is_listed(const struct map *map, uint64_t hash, const struct metadata_asked *asked)
{
    for (struct map_node *node = map_first(map, hash); node != NULL; node = map_next_same(node)) {
        const struct metadata_asked *other = container_of(node, struct metadata_asked, node);
        if (wire_str_equal(other->name, asked->name) && uuid_equals(other->id, asked->id))
            return true;
    }
    return false;
}

static struct metadata_asked asked_of(const struct metadata_request_topic *topic)
{
    struct metadata_asked asked = {.name = topic->name, .id = topic->topic_id};
    if (!uuid_is_zero(asked.id))
        asked.name = (struct wire_str){NULL, -1};
    else if (topic_name_fault(asked.name.data, (size_t)asked.name.len) != NULL)
        asked.error = KERR_INVALID_TOPIC_EXCEPTION;
    return asked;
}

/* Each topic once, as Kafka answers. False: no memory. */
static bool list_asked(struct metadata_op *op)
{
    const struct metadata_request *request = op->rq->body;
    op->asked = arena_alloc_array(&op->arena, (size_t)request->topics.count, sizeof(*op->asked));
    if (op->asked == NULL)
        return false;
    uint64_t seed;
    env_random(op->rq->broker->env, &seed, sizeof(seed));
    struct map map;
    map_init(&map);
    for (int32_t i = 0; i < request->topics.count; i++) {
        struct metadata_asked asked = asked_of(&request->topics.items[i]);
        uint64_t hash = hash_of(seed, &asked);
        if (is_listed(&map, hash, &asked))
            continue;
        struct metadata_asked *kept = &op->asked[op->asked_count++];
        *kept = asked;
        map_insert(&map, &kept->node, hash);
    }
    map_deinit(&map);
    return true;
}

/* Does the version know what the request says of its topics? Null is a list of all only from
 * version 1 on, an id counts from version 12 on, and a topic without either is nothing. */
static bool is_request_valid(const struct request *rq)
{
    const struct metadata_request *request = rq->body;
    for (int32_t i = 0; i < request->topics.count; i++) {
        const struct metadata_request_topic *topic = &request->topics.items[i];
        bool has_name = !wire_str_is_null(topic->name);
        bool has_id = !uuid_is_zero(topic->topic_id);
        if (rq->version < NULL_NAME_SINCE ? !has_name || has_id : !has_name && !has_id)
            return false;
    }
    return true;
}

/* The same row for every topic. */
static void reply_invalid(struct request *rq)
{
    const struct metadata_request *request = rq->body;
    struct metadata_response *response = rq->response;
    if (wire_array_new(&rq->net->arena, &metadata_response_topic_layout, request->topics.count,
                       &response->topics) != ERR_OK) {
        request_close_no_memory(rq);
        return;
    }
    for (int32_t i = 0; i < request->topics.count; i++) {
        struct metadata_response_topic *row = &response->topics.items[i];
        row->error_code = KERR_INVALID_REQUEST;
        row->name = request->topics.items[i].name;
        if (wire_str_is_null(row->name))
            row->name = wire_str_of("");
        row->topic_id = request->topics.items[i].topic_id;
    }
    request_reply(rq);
}

void handle_metadata(struct request *rq)
{
    const struct metadata_request *request = rq->body;
    if (!is_request_valid(rq)) {
        reply_invalid(rq);
        return;
    }
    struct metadata_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    op->rq = rq;
    arena_init(&op->arena, (size_t)rq->broker->config->memory_bytes_max / ANSWER_ARENA_SHARE);
    op->is_all = request->topics.count < 0 ||
                 (rq->version < ALL_IS_NULL_SINCE && request->topics.count == 0);
    if (!op->is_all && !list_asked(op)) {
        arena_deinit(&op->arena);
        request_close_no_memory(rq);
        return;
    }
    bool may_make = request->allow_auto_topic_creation && rq->broker->config->auto_create_topics;
    if (op->is_all || !may_make || !make_missing(op))
        metadata_reply(op);
}
