// SPDX-License-Identifier: Apache-2.0
/*
 * handle_list_config_resources: the names of what has configs: topics, brokers, their loggers, and
 * groups for which something is set (API 74, KIP-1142).
 *
 * Version 0 asks for client metrics only. There are none in this build, so nothing is told.
 *
 * Thread: the request's reactor.
 */
#include <string.h>

#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "metadata/config_dynamic.h"
#include "wire/list_config_resources.h"

enum { ANSWER_ARENA_SHARE = 8, TYPES_SINCE = 1 }; /* of klamm.memory.max, while it is made */

static const int8_t all_types[] = {RESOURCE_TOPIC, RESOURCE_BROKER, RESOURCE_BROKER_LOGGER,
                                   RESOURCE_CLIENT_METRICS, RESOURCE_GROUP};

struct list_op {
    struct request *rq;
    struct arena arena; /* the answer's; larger than the request's own */
    struct list_config_resources_response_config_resource_array *rows; /* NULL: only counted */
    int64_t count;
    int8_t type;
    bool is_out_of_memory;
};

/* The name is borrowed until the answer is made. */
static void list_one(struct list_op *op, const char *name)
{
    if (op->rows != NULL) {
        ASSERT(op->count < op->rows->count);
        op->rows->items[op->count].resource_name = wire_str_of(name);
        op->rows->items[op->count].resource_type = op->type;
    }
    op->count++;
}

static void list_topics(struct list_op *op)
{
    struct topic_cursor cursor;
    for (const struct topic_image *topic = topic_cursor_first(&cursor, request_image(op->rq));
         topic != NULL; topic = topic_cursor_next(&cursor))
        list_one(op, topic_name(topic));
}

static void list_brokers(struct list_op *op)
{
    const struct image *image = request_image(op->rq);
    const struct broker_image *broker = image_broker_at_least(image, 0);
    while (broker != NULL) {
        char text[CONFIG_BROKER_NAME_SIZE];
        const char *name = config_broker_name(broker->node_id, text);
        const char *copy = op->rows != NULL ? arena_copy_text(&op->arena, name, strlen(name)) : "";
        op->is_out_of_memory |= copy == NULL;
        list_one(op, copy != NULL ? copy : "");
        broker =
            broker->node_id < INT32_MAX ? image_broker_at_least(image, broker->node_id + 1) : NULL;
    }
}

static void list_groups(struct list_op *op)
{
    struct resource_cursor cursor;
    for (const char *name = resource_cursor_first(&cursor, request_image(op->rq), RESOURCE_GROUP);
         name != NULL; name = resource_cursor_next(&cursor))
        list_one(op, name);
}

static bool is_asked(const struct list_op *op, int8_t type)
{
    const struct list_config_resources_request *request = op->rq->body;
    const struct wire_i8_array *types = &request->resource_types;
    if (op->rq->version < TYPES_SINCE)
        return type == RESOURCE_CLIENT_METRICS;
    for (int32_t i = 0; i < types->count; i++) {
        if (types->items[i] == type)
            return true;
    }
    return types->count <= 0;
}

/* Each asked type once. */
static void list_all(struct list_op *op)
{
    op->count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(all_types); i++) {
        op->type = all_types[i];
        if (!is_asked(op, op->type))
            continue;
        if (op->type == RESOURCE_TOPIC)
            list_topics(op);
        else if (op->type == RESOURCE_BROKER || op->type == RESOURCE_BROKER_LOGGER)
            list_brokers(op);
        else if (op->type == RESOURCE_GROUP)
            list_groups(op);
    }
}

static bool knows_all_types(const struct list_op *op)
{
    const struct list_config_resources_request *request = op->rq->body;
    for (int32_t i = 0; i < request->resource_types.count; i++) {
        bool is_known = false;
        for (size_t t = 0; t < ARRAY_COUNT(all_types); t++)
            is_known |= all_types[t] == request->resource_types.items[i];
        if (!is_known)
            return false;
    }
    return true;
}

static bool fill_response(struct list_op *op)
{
    struct list_config_resources_response *response = op->rq->response;
    if (!knows_all_types(op)) {
        response->error_code = KERR_UNSUPPORTED_VERSION;
        return true;
    }
    list_all(op);
    if (op->count > INT32_MAX ||
        wire_array_new(&op->arena, &list_config_resources_response_config_resource_layout,
                       (int32_t)op->count, &response->config_resources) != ERR_OK)
        return false;
    op->rows = &response->config_resources;
    list_all(op); /* of the same image */
    ASSERT(op->count == op->rows->count);
    return !op->is_out_of_memory;
}

void handle_list_config_resources(struct request *rq)
{
    struct list_op op = {.rq = rq};
    arena_init(&op.arena, (size_t)rq->broker->config->memory_bytes_max / ANSWER_ARENA_SHARE);
    if (fill_response(&op))
        request_reply(rq); /* copies all it needs */
    else
        request_close_no_memory(rq);
    arena_deinit(&op.arena);
}
