// SPDX-License-Identifier: Apache-2.0
/*
 * handle_describe_configs: what is in force for topics, groups and this broker, and where it comes
 * from; what is set for all brokers (""); how much is logged (API 32).
 *
 * All keys of the tables are told, but for internal ones that nobody has set. Each has a sentence,
 * which says so where the key does not work here; that of loggers is empty, as in Kafka. Other
 * resources (client metrics) do not exist in this build: INVALID_REQUEST.
 *
 * Thread: the request's reactor.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "broker/broker_logger.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "metadata/config_dynamic.h"
#include "metadata/config_group.h"
#include "metadata/topic_name.h"
#include "wire/describe_configs.h"

enum {
    KEYS_MAX = MAX(MAX((int)CONFIG_BROKER_COUNT, (int)CONFIG_TOPIC_COUNT),
                   MAX((int)CONFIG_GROUP_COUNT, (int)LOG_AREA_COUNT)),
};

enum { ANSWER_ARENA_SHARE = 8 }; /* of klamm.memory.max, while the answer is made */

/* One resource being described. */
struct describe_op {
    struct request *rq;
    struct arena arena; /* the answer's; larger than the request's own */
    const struct describe_configs_request_describe_configs_resource *asked;
    struct describe_configs_response_describe_configs_result *result;
    const struct config_set *own; /* of the topic or group; the broker has none */
    struct config_layers layers;  /* in force by the request's image */
    bool wants_all;               /* keys of the resource; else those that are marked */
    bool is_wanted[KEYS_MAX];
};

static void result_fail(struct describe_op *op, enum kerr error, const char *message)
{
    op->result->error_code = (int16_t)error;
    op->result->error_message = wire_str_of(message);
}

/* A text of the request or of ours in the answer's arena, with a fixed sentence around it. */
static void result_fail_name(struct describe_op *op, enum kerr error, const char *format)
{
    char text[512];
    snprintf(text, sizeof(text), format, (int)MIN(op->asked->resource_name.len, 256),
             op->asked->resource_name.data);
    const char *copy = arena_copy_text(&op->arena, text, strlen(text));
    result_fail(op, error, copy != NULL ? copy : kerr_message(error));
}

/* ---- one key */

static bool fill_synonyms(struct describe_op *op, const struct config_described *described,
                          struct describe_configs_response_describe_configs_resource_result *row)
{
    if (wire_array_new(&op->arena, &describe_configs_response_describe_configs_synonym_layout,
                       described->synonym_count, &row->synonyms) != ERR_OK)
        return false;
    bool is_hidden = config_is_sensitive(described->def);
    for (int i = 0; i < described->synonym_count; i++) {
        const struct config_described_synonym *synonym = &described->synonyms[i];
        row->synonyms.items[i] = (struct describe_configs_response_describe_configs_synonym){
            .name = wire_str_of(synonym->name),
            .value = wire_str_of(is_hidden ? NULL : synonym->text),
            .source = (int8_t)synonym->source,
        };
    }
    return true;
}

static bool fill_row(struct describe_op *op, const struct config_described *described,
                     struct describe_configs_response_describe_configs_resource_result *row)
{
    const struct describe_configs_request *request = op->rq->body;
    const struct config_def *def = described->def;
    bool is_hidden = config_is_sensitive(def);
    row->name = wire_str_of(def->name);
    row->value = wire_str_of(is_hidden ? NULL : described->text);
    row->read_only =
        op->asked->resource_type == RESOURCE_BROKER && def->update == CONFIG_UPDATE_STATIC;
    row->config_source = (int8_t)described->source;
    row->is_sensitive = is_hidden;
    row->config_type = (int8_t)def->type;
    row->documentation = wire_str_of(request->include_documentation ? def->doc : NULL);
    return !request->include_synonyms || fill_synonyms(op, described, row);
}

/* ---- one resource */

/* A key's number, or -1. */
typedef int find_key_fn(const char *name, size_t len);

/* Marks the keys that were asked for, by number: all, or those of the list that exist. There may be
 * a million in the list. */
static void mark_wanted(struct describe_op *op, find_key_fn *find)
{
    const struct wire_str_array *keys = &op->asked->configuration_keys;
    op->wants_all = keys->count <= 0;
    memset(op->is_wanted, 0, sizeof(op->is_wanted));
    for (int32_t i = 0; i < keys->count; i++) {
        int key =
            keys->items[i].len > 0 ? find(keys->items[i].data, (size_t)keys->items[i].len) : -1;
        if (key >= 0)
            op->is_wanted[key] = true;
    }
}

static bool is_wanted(const struct describe_op *op, int key)
{
    return op->wants_all || op->is_wanted[key];
}

/* How many keys a type of resource has. */
static int key_count(int8_t type)
{
    if (type == RESOURCE_TOPIC)
        return (int)CONFIG_TOPIC_COUNT;
    if (type == RESOURCE_GROUP)
        return (int)CONFIG_GROUP_COUNT;
    ASSERT(type == RESOURCE_BROKER);
    return (int)CONFIG_BROKER_COUNT;
}

static find_key_fn *finder_of(int8_t type)
{
    if (type == RESOURCE_TOPIC)
        return config_topic_find;
    return type == RESOURCE_GROUP ? config_group_find : config_broker_find;
}

static enum err describe_key(struct describe_op *op, int key, struct config_described *out)
{
    if (op->asked->resource_type == RESOURCE_TOPIC)
        return config_topic_describe(op->own, &op->layers, key, &op->arena, out);
    if (op->asked->resource_type == RESOURCE_GROUP)
        return config_group_describe(op->own, &op->layers, key, &op->arena, out);
    return config_broker_describe(&op->layers, key, &op->arena, out);
}

/* An internal key is told only where somebody has set it; a group's only where it has itself. */
static bool is_told(const struct describe_op *op, const struct config_described *described)
{
    if (!described->def->is_internal)
        return true;
    return op->asked->resource_type == RESOURCE_GROUP ? described->source == CONFIG_SOURCE_GROUP
                                                      : described->source != CONFIG_SOURCE_DEFAULT;
}

static bool describe_keys(struct describe_op *op)
{
    int count = key_count(op->asked->resource_type);
    struct describe_configs_response_describe_configs_resource_result_array *rows =
        &op->result->configs;
    if (wire_array_new(&op->arena,
                       &describe_configs_response_describe_configs_resource_result_layout, count,
                       rows) != ERR_OK)
        return false;
    rows->count = 0;
    mark_wanted(op, finder_of(op->asked->resource_type));
    for (int key = 0; key < count; key++) {
        struct config_described described;
        if (!is_wanted(op, key))
            continue;
        if (describe_key(op, key, &described) != ERR_OK)
            return false;
        if (!is_told(op, &described))
            continue;
        if (!fill_row(op, &described, &rows->items[rows->count++]))
            return false;
    }
    return true;
}

static bool describe_topic(struct describe_op *op)
{
    struct wire_str name = op->asked->resource_name;
    size_t len = (size_t)MAX(name.len, 0);
    const char *fault = topic_name_fault(name.data, len);
    const struct topic_image *topic = image_topic(request_image(op->rq), name.data, len);
    if (fault != NULL) {
        result_fail(op, KERR_INVALID_TOPIC_EXCEPTION, fault);
        return true;
    }
    if (topic == NULL) {
        result_fail(op, KERR_UNKNOWN_TOPIC_OR_PARTITION,
                    kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION));
        return true;
    }
    op->own = topic_config_set(topic);
    return describe_keys(op);
}

/* By its id, whether there is such a group or not. */
static bool describe_group(struct describe_op *op)
{
    struct wire_str name = op->asked->resource_name;
    if (name.len <= 0) {
        result_fail(op, KERR_INVALID_REQUEST, "a group is named by its id, which is not empty");
        return true;
    }
    struct config_set set;
    config_set_init(&set);
    bool is_good =
        config_group_of_image(request_image(op->rq), name.data, (size_t)name.len, &set) == ERR_OK;
    op->own = &set;
    is_good = is_good && describe_keys(op); /* copies what it shows */
    op->own = NULL;
    config_set_deinit(&set);
    return is_good;
}

/* What is set for all brokers, and nothing else of them. */
static bool describe_defaults(struct describe_op *op)
{
    const struct config_set *set = &op->layers.broker_default;
    if (wire_array_new(&op->arena,
                       &describe_configs_response_describe_configs_resource_result_layout,
                       set->count, &op->result->configs) != ERR_OK)
        return false;
    int32_t count = 0;
    mark_wanted(op, config_broker_find);
    for (int i = 0; i < set->count; i++) {
        int key = set->entries[i].key;
        const struct config_def *def = &config_broker_defs[key];
        const char *text = set->entries[i].text;
        if (!is_wanted(op, key))
            continue;
        struct config_described described = {
            .def = def,
            .text = text, /* as it was given */
            .source = CONFIG_SOURCE_BROKER_DEFAULT,
            .synonym_count = 1,
            .synonyms = {{def->name, text, CONFIG_SOURCE_BROKER_DEFAULT}},
        };
        if (!fill_row(op, &described, &op->result->configs.items[count++]))
            return false;
    }
    op->result->configs.count = count;
    return true;
}

/* The node's number, or "" for what is the same on all brokers. */
static bool describe_broker(struct describe_op *op)
{
    char self[CONFIG_BROKER_NAME_SIZE];
    if (wire_str_is(op->asked->resource_name, ""))
        return describe_defaults(op);
    if (wire_str_is(op->asked->resource_name, config_broker_name(op->rq->broker->node_id, self)))
        return describe_keys(op);
    result_fail_name(op, KERR_INVALID_REQUEST,
                     "broker %.*s is not this one: ask it, or ask for \"\"");
    return true;
}

static bool describe_logger(struct describe_op *op)
{
    struct describe_configs_response_describe_configs_resource_result_array *rows =
        &op->result->configs;
    if (!broker_logger_is_ours(op->rq->broker, op->asked->resource_name)) {
        result_fail(op, KERR_INVALID_REQUEST, "a logger is named by the number of this broker");
        return true;
    }
    if (wire_array_new(&op->arena,
                       &describe_configs_response_describe_configs_resource_result_layout,
                       LOG_AREA_COUNT, rows) != ERR_OK)
        return false;
    rows->count = 0;
    mark_wanted(op, broker_logger_find);
    for (int area = 0; area < LOG_AREA_COUNT; area++) {
        if (!is_wanted(op, area))
            continue;
        struct describe_configs_response_describe_configs_resource_result *row =
            &rows->items[rows->count++];
        row->name = wire_str_of(log_area_name((enum log_area)area));
        row->value = wire_str_of(broker_logger_level(op->rq->broker, (enum log_area)area));
        row->config_source = BROKER_LOGGER_SOURCE;
    }
    return true;
}

static bool describe_resource(struct describe_op *op)
{
    op->result->resource_type = op->asked->resource_type;
    op->result->resource_name = op->asked->resource_name;
    if (op->asked->resource_type == RESOURCE_TOPIC)
        return describe_topic(op);
    if (op->asked->resource_type == RESOURCE_BROKER)
        return describe_broker(op);
    if (op->asked->resource_type == RESOURCE_BROKER_LOGGER)
        return describe_logger(op);
    if (op->asked->resource_type == RESOURCE_GROUP)
        return describe_group(op);
    result_fail(op, KERR_INVALID_REQUEST, "only topics, brokers and groups have configs here");
    return true;
}

static bool describe_all(struct describe_op *op)
{
    const struct describe_configs_request *request = op->rq->body;
    struct describe_configs_response *response = op->rq->response;
    if (wire_array_new(&op->arena, &describe_configs_response_describe_configs_result_layout,
                       request->resources.count, &response->results) != ERR_OK)
        return false;
    for (int32_t i = 0; i < request->resources.count; i++) {
        op->asked = &request->resources.items[i];
        op->result = &response->results.items[i];
        if (!describe_resource(op))
            return false;
    }
    return true;
}

void handle_describe_configs(struct request *rq)
{
    struct describe_op op = {.rq = rq};
    if (config_layers_of_image(request_image(rq), rq->broker->node_id,
                               &rq->broker->config->layers.fixed, &op.layers) != ERR_OK) {
        request_close_no_memory(rq);
        return;
    }
    arena_init(&op.arena, (size_t)rq->broker->config->memory_bytes_max / ANSWER_ARENA_SHARE);
    if (describe_all(&op))
        request_reply(rq); /* copies all it needs */
    else
        request_close_no_memory(rq);
    arena_deinit(&op.arena);
    config_layers_release(&op.layers);
}
