// SPDX-License-Identifier: Apache-2.0
/* config_target: see config_target.h. Thread: main. */
#include "cli/config_target.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum {
    TYPE_TOPIC = 2,
    TYPE_BROKER = 4,
    TYPE_BROKER_LOGGER = 8,
    TYPE_CLIENT_METRICS = 16,
    TYPE_GROUP = 32,
    DOCUMENTED_SINCE = 3, /* version of DescribeConfigs */
};

static const struct config_kind kinds[] = {
    {"topic", "the name of a topic", TYPE_TOPIC, false},
    {"broker", "the number of a broker", TYPE_BROKER, true},
    {"brokers", NULL, TYPE_BROKER, false},
    {"group", "the name of a group", TYPE_GROUP, false},
    {"client-metrics", "the name of a subscription", TYPE_CLIENT_METRICS, false},
    {"logger", "the number of a broker", TYPE_BROKER_LOGGER, true},
};

/* ---- words */

const struct config_kind *config_kind_of(const char *command, const struct cli_words *words)
{
    ASSERT(words->count > 0);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(kinds[i].word, words->items[0]) == 0)
            return &kinds[i];
    }
    cli_complain_usage(command, "nothing called \"%.100s\" has configs", words->items[0]);
    return NULL;
}

int config_target_init(const char *command, const struct config_kind *kind, const char *name,
                       struct config_target *out)
{
    int64_t number = CLIENT_ANY_NODE;
    if (kind->is_node && (!cli_number_parse(name, &number) || number < 0 || number > INT32_MAX))
        return cli_complain_usage(command, "%s takes %s, not \"%.100s\"", kind->word,
                                  kind->name_word, name);
    if (kind->name_word != NULL && name[0] == '\0')
        return cli_complain_usage(command, "%s is empty", kind->name_word);
    *out = (struct config_target){.kind = kind, .name = name, .node = (int32_t)number};
    return CLI_GO_ON;
}

void config_target_text(struct strbuf *out, const struct config_target *target)
{
    strbuf_puts(out, target->kind->word);
    if (target->name[0] == '\0')
        return;
    strbuf_putc(out, ' ');
    table_text(out, wire_str_of(target->name));
}

/* ---- which broker */

static bool is_among(const struct metadata_response *response, int32_t node)
{
    for (int32_t i = 0; i < response->brokers.count; i++) {
        if (response->brokers.items[i].node_id == node)
            return true;
    }
    return false;
}

/* Metadata of no topics: the brokers alone. */
static bool ask_brokers(struct admin *a, struct client_result *out)
{
    struct metadata_request_topic none;
    struct admin_topics topics = {.names = {&none, 0}};
    return admin_metadata(a, &topics, out);
}

bool config_targets_reach(struct admin *a, const struct config_target *targets, int count)
{
    ASSERT(count > 0);
    if (!targets[0].kind->is_node)
        return true;
    struct client_result result;
    if (!ask_brokers(a, &result))
        return false;
    bool is_good = true;
    for (int i = 0; i < count && is_good; i++) {
        is_good = is_among(result.body, targets[i].node);
        if (!is_good)
            cli_complain("there is no broker %d in this cluster", targets[i].node);
    }
    client_result_deinit(&result);
    return is_good;
}

/* ---- asking */

static void fill_request(const struct config_target *target, int16_t version,
                         struct describe_configs_request *request,
                         struct describe_configs_request_describe_configs_resource *resource)
{
    wire_defaults(&describe_configs_request_layout, request);
    wire_defaults(&describe_configs_request_describe_configs_resource_layout, resource);
    resource->resource_type = target->kind->type;
    resource->resource_name = wire_str_of(target->name);
    resource->configuration_keys.count = -1; /* all */
    request->resources.items = resource;
    request->resources.count = 1;
    request->include_synonyms = true;
    request->include_documentation = version >= DOCUMENTED_SINCE;
}

/* Quietly: a->why says what failed. */
static bool call(struct admin *a, const struct config_target *target, struct client_result *out)
{
    struct describe_configs_request request;
    struct describe_configs_request_describe_configs_resource resource;
    int16_t version = 0;
    struct client_request asked = {.node = target->node,
                                   .api_key = KEY_DESCRIBE_CONFIGS,
                                   .body = &request,
                                   .timeout_ms = 2 * ADMIN_TIMEOUT_MS};
    if (client_sync_version(a->sync, target->node, KEY_DESCRIBE_CONFIGS, &a->why, &version) !=
        ERR_OK)
        return false;
    fill_request(target, version, &request, &resource);
    return client_sync_call(a->sync, &asked, &a->why, out) == ERR_OK;
}

const struct describe_configs_response_describe_configs_result *
config_rows(const struct client_result *result)
{
    const struct describe_configs_response *response = result->body;
    ASSERT(response->results.count == 1); /* by config_ask */
    return &response->results.items[0];
}

bool config_ask(struct admin *a, const struct config_target *target, struct client_result *out)
{
    struct client_result result;
    if (!call(a, target, &result)) {
        cli_complain("%s", strbuf_text(&a->why));
        return false;
    }
    const struct describe_configs_response *response = result.body;
    if (response->results.count != 1) {
        config_complain(a, target, KERR_UNKNOWN_SERVER_ERROR, wire_str_of(NULL));
    } else if (response->results.items[0].error_code != KERR_NONE) {
        config_complain(a, target, response->results.items[0].error_code,
                        response->results.items[0].error_message);
    } else {
        *out = result;
        return true;
    }
    client_result_deinit(&result);
    return false;
}

int config_complain(struct admin *a, const struct config_target *target, int16_t error_code,
                    struct wire_str message)
{
    return admin_complain_of(a, target->kind->word, wire_str_of(target->name), error_code, message);
}

/* ---- what is known */

static bool is_told(const struct client_result *result)
{
    const struct describe_configs_response *response = result->body;
    return response->results.count == 1 && response->results.items[0].configs.count > 0;
}

/* Of one broker. False: it cannot be asked, or does not tell. */
static bool ask_broker(struct admin *a, const struct config_target *target, int32_t node,
                       struct client_result *out)
{
    char number[16];
    struct config_target known = *target;
    snprintf(number, sizeof(number), "%d", node);
    known.node = node;
    known.name = number;
    if (!call(a, &known, out))
        return false;
    if (is_told(out))
        return true;
    client_result_deinit(out);
    strbuf_clear(&a->why);
    strbuf_printf(&a->why, "broker %d does not tell its configs", node);
    return false;
}

/* All brokers together are told what is set alone: any of them knows all keys. */
bool config_ask_known(struct admin *a, const struct config_target *target,
                      struct client_result *out)
{
    if (target->kind->name_word != NULL)
        return call(a, target, out);
    struct client_result brokers;
    if (!ask_brokers(a, &brokers)) {
        strbuf_clear(&a->why); /* it has been said */
        return false;
    }
    const struct metadata_response *response = brokers.body;
    bool is_answered = false;
    strbuf_clear(&a->why);
    strbuf_puts(&a->why, "there is no broker in this cluster");
    for (int32_t i = 0; i < response->brokers.count && !is_answered; i++)
        is_answered = ask_broker(a, target, response->brokers.items[i].node_id, out);
    client_result_deinit(&brokers);
    return is_answered;
}

const struct describe_configs_response_describe_configs_resource_result *
config_find(const struct client_result *result, const char *key, size_t len)
{
    if (!is_told(result))
        return NULL;
    const struct describe_configs_response *response = result->body;
    const struct describe_configs_response_describe_configs_result *rows =
        &response->results.items[0];
    struct wire_str name = {key, (int32_t)len};
    for (int32_t i = 0; i < rows->configs.count; i++) {
        if (wire_str_equal(rows->configs.items[i].name, name))
            return &rows->configs.items[i];
    }
    return NULL;
}

enum config_knowledge config_key_look_up(struct admin *a, const struct config_target *target,
                                         const char *key, struct strbuf *nearest)
{
    struct client_result result;
    if (!config_ask_known(a, target, &result))
        return CONFIG_KEY_UNTOLD;
    enum config_knowledge knowledge = CONFIG_KEY_KNOWN;
    if (is_told(&result) && config_find(&result, key, strlen(key)) == NULL) {
        const struct describe_configs_response *response = result.body;
        struct nearest n;
        nearest_init(&n, key, strlen(key));
        for (int32_t i = 0; i < response->results.items[0].configs.count; i++) {
            struct wire_str name = response->results.items[0].configs.items[i].name;
            nearest_offer(&n, name.data, (size_t)MAX(name.len, 0));
        }
        if (n.best != NULL)
            strbuf_add(nearest, n.best, n.best_len);
        knowledge = CONFIG_KEY_UNKNOWN;
    }
    client_result_deinit(&result);
    return knowledge;
}

int config_complain_untold(struct admin *a, const char *key)
{
    if (a->why.len == 0)
        return CLI_FAILED;
    return cli_complain("whether there is a config \"%.100s\" nobody tells: %s", key,
                        strbuf_text(&a->why));
}

int config_complain_key(const struct config_target *target, const char *key,
                        const struct strbuf *nearest)
{
    struct strbuf name;
    strbuf_init(&name);
    config_target_text(&name, target);
    int status =
        cli_complain("%s has no config \"%.100s\"%s%s", strbuf_text(&name), key,
                     nearest->len > 0 ? "; the nearest known key is " : "", strbuf_text(nearest));
    strbuf_deinit(&name);
    return status;
}
