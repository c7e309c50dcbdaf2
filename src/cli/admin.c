// SPDX-License-Identifier: Apache-2.0
/* admin: see admin.h. Thread: main. */
#include "cli/admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "broker/broker.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum {
    TOPIC_TRIES = 50, /* until a topic that is being made has leaders */
    TOPIC_TRY_MS = 100,
};

const char *admin_bootstrap(const char *bootstrap)
{
    if (bootstrap != NULL)
        return bootstrap;
    const char *from_environment = getenv("KLAMM_BOOTSTRAP");
    return from_environment != NULL && *from_environment != '\0' ? from_environment
                                                                 : "127.0.0.1:9092";
}

bool admin_open(struct admin *a, const char *bootstrap)
{
    *a = (struct admin){.asked_node = CLIENT_ANY_NODE};
    strbuf_init(&a->why);
    struct client_sync_options options = {
        .bootstrap = admin_bootstrap(bootstrap),
        .client_id = "klamm",
        .version_text = KLAMM_VERSION,
        .timeout_ms = ADMIN_TIMEOUT_MS,
    };
    if (client_sync_open(&options, &a->why, &a->sync) != ERR_OK) {
        cli_complain("%s", strbuf_text(&a->why));
        return false;
    }
    cli_progress_init(&a->progress, client_sync_env(a->sync));
    return true;
}

void admin_close(struct admin *a)
{
    client_sync_close(a->sync);
    a->sync = NULL;
    strbuf_deinit(&a->why);
}

bool admin_call_as(struct admin *a, const struct client_request *call, struct client_result *out)
{
    if (client_sync_call(a->sync, call, &a->why, out) == ERR_OK)
        return true;
    cli_progress_clear(&a->progress);
    cli_complain("%s", strbuf_text(&a->why));
    return false;
}

bool admin_call_node(struct admin *a, int32_t node, int16_t api_key, const void *request,
                     struct client_result *out)
{
    struct client_request call = {
        .node = node,
        .api_key = api_key,
        .body = request,
        .timeout_ms = 2 * ADMIN_TIMEOUT_MS, /* the broker gives up earlier, and says so */
    };
    return admin_call_as(a, &call, out);
}

bool admin_call(struct admin *a, int16_t api_key, const void *request, struct client_result *out)
{
    return admin_call_node(a, CLIENT_ANY_NODE, api_key, request, out);
}

/* Errors that pass while a topic is being made. */
static bool is_passing(const struct admin_search *search, int16_t error)
{
    return error == KERR_LEADER_NOT_AVAILABLE ||
           (error == KERR_UNKNOWN_TOPIC_OR_PARTITION && search->may_create);
}

static enum admin_lookup try_topic(struct admin *a, const struct admin_search *search, bool is_last)
{
    struct metadata_request_topic name = {.name = wire_str_of(search->topic)};
    struct admin_topics topics = {.names = {&name, 1}, .may_create = search->may_create};
    struct client_result result;
    if (!admin_metadata(a, &topics, &result))
        return ADMIN_LOOKUP_FAILED;
    const struct metadata_response *response = result.body;
    const struct metadata_response_topic *topic = response->topics.items;
    int16_t error =
        response->topics.count == 1 ? topic->error_code : (int16_t)KERR_UNKNOWN_SERVER_ERROR;
    enum admin_lookup found = ADMIN_LOOKUP_LATER;
    if (error == KERR_NONE) {
        found = search->look(search->arg, topic, is_last);
    } else if (is_last || !is_passing(search, error)) {
        admin_complain(a, wire_str_of(search->topic), error, wire_str_of(NULL));
        found = ADMIN_LOOKUP_FAILED;
    }
    client_result_deinit(&result);
    return found;
}

bool admin_find_topic(struct admin *a, const struct admin_search *search)
{
    enum admin_lookup found = ADMIN_LOOKUP_LATER;
    for (int left = TOPIC_TRIES; found == ADMIN_LOOKUP_LATER && !interrupt_happened(); left--) {
        if (left < TOPIC_TRIES)
            client_sync_wait(a->sync, TOPIC_TRY_MS);
        found = try_topic(a, search, left == 1);
    }
    return found == ADMIN_LOOKUP_DONE;
}

static bool call_portion(struct admin *a, const struct admin_portions *portions, int64_t first)
{
    char done[CLI_COUNT_SIZE], all[CLI_COUNT_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    int32_t count = (int32_t)MIN((int64_t)portions->step, portions->count - first);
    const void *request = portions->fill(portions->arg, &arena, first, count);
    struct client_result result;
    bool is_answered = admin_call(a, portions->api_key, request, &result);
    if (is_answered) {
        int64_t done_count = portions->take(portions->arg, result.body);
        client_result_deinit(&result);
        if (cli_progress_is_due(&a->progress))
            cli_progress_show(&a->progress, "%s %s of %s topics", portions->verb,
                              cli_count(done_count, done), cli_count(portions->count, all));
    }
    arena_deinit(&arena);
    return is_answered;
}

bool admin_call_portions(struct admin *a, const struct admin_portions *portions)
{
    ASSERT(portions->step > 0);
    bool is_answered = true;
    for (int64_t first = 0; first < portions->count && is_answered; first += portions->step)
        is_answered = call_portion(a, portions, first);
    cli_progress_clear(&a->progress);
    return is_answered;
}

bool admin_metadata(struct admin *a, const struct admin_topics *topics, struct client_result *out)
{
    struct metadata_request request;
    wire_defaults(&metadata_request_layout, &request);
    request.topics = topics->names;
    request.allow_auto_topic_creation = topics->may_create;
    if (!admin_call(a, KEY_METADATA, &request, out))
        return false;
    const struct metadata_response *response = out->body;
    for (int32_t i = 0; i < response->brokers.count; i++) {
        const struct metadata_response_broker *broker = &response->brokers.items[i];
        client_sync_add_node(a->sync, broker->node_id, broker->host, broker->port);
    }
    if (response->error_code == KERR_NONE)
        return true;
    admin_complain(a, wire_str_of(NULL), response->error_code, wire_str_of(NULL));
    client_result_deinit(out);
    return false;
}

int admin_complain(struct admin *a, struct wire_str name, int16_t error_code,
                   struct wire_str message)
{
    return admin_complain_of(a, "topic", name, error_code, message);
}

int admin_complain_of(struct admin *a, const char *kind, struct wire_str name, int16_t error_code,
                      struct wire_str message)
{
    char number[24];
    snprintf(number, sizeof(number), "error %d", error_code);
    bool is_known = kerr_is_known(error_code);
    const char *code = is_known ? kerr_name((enum kerr)error_code) : number;
    if (message.len <= 0)
        message = wire_str_of(is_known ? kerr_message((enum kerr)error_code)
                                       : "the broker gave no reason that we know");
    cli_progress_clear(&a->progress);
    if (name.len <= 0)
        return cli_complain("%s: %.*s", code, ADMIN_STR(message));
    return cli_complain("%s \"%.*s\": %s: %.*s", kind, ADMIN_STR(name), code, ADMIN_STR(message));
}

int admin_complain_partition(const char *topic, int32_t count, int64_t partition)
{
    return cli_complain(
        "topic \"%s\" has %d partition%s, counted from 0: there is no partition %lld", topic, count,
        count == 1 ? "" : "s", (long long)partition);
}
