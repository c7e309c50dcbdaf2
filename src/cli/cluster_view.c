// SPDX-License-Identifier: Apache-2.0
/* cluster_view: see cluster_view.h. Thread: main. */
#include "cli/cluster_view.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum { FENCED_SINCE = 2 }; /* version of DescribeCluster */

static bool parse_node(const char *word, int32_t *out)
{
    int64_t number = 0;
    if (!cli_number_parse(word, &number) || number < 0 || number > INT32_MAX)
        return false;
    *out = (int32_t)number;
    return true;
}

int cluster_words_check(const char *command, const struct cli_words *words)
{
    int32_t node = 0;
    for (int i = 0; i < words->count; i++) {
        if (!parse_node(words->items[i], &node))
            return cli_complain_usage(command, "the number of a broker is wanted, not \"%.100s\"",
                                      words->items[i]);
    }
    return CLI_GO_ON;
}

static int by_number(const void *a, const void *b)
{
    const struct describe_cluster_response_describe_cluster_broker *const *x = a, *const *y = b;
    return ((*x)->broker_id > (*y)->broker_id) - ((*x)->broker_id < (*y)->broker_id);
}

static const struct describe_cluster_response_describe_cluster_broker *
find_broker(const struct describe_cluster_response *cluster, int32_t node)
{
    for (int32_t i = 0; i < cluster->brokers.count; i++) {
        if (cluster->brokers.items[i].broker_id == node)
            return &cluster->brokers.items[i];
    }
    return NULL;
}

static bool has_broker(const struct cluster_view *view, int32_t node)
{
    for (int32_t i = 0; i < view->count; i++) {
        if (view->brokers[i]->broker_id == node)
            return true;
    }
    return false;
}

/* A number may come twice. */
static bool choose(const struct cli_words *words, struct cluster_view *view)
{
    const struct describe_cluster_response *cluster = view->cluster;
    int32_t count = MAX(cluster->brokers.count, 0);
    view->brokers = mem_alloc(((size_t)count + 1) * sizeof(*view->brokers));
    for (int32_t i = 0; words->count == 0 && i < count; i++)
        view->brokers[view->count++] = &cluster->brokers.items[i];
    for (int i = 0; i < words->count; i++) {
        int32_t node = 0;
        bool is_number = parse_node(words->items[i], &node);
        ASSERT(is_number); /* by cluster_words_check */
        const struct describe_cluster_response_describe_cluster_broker *broker =
            find_broker(cluster, node);
        if (broker == NULL) {
            cli_complain("there is no broker %d in this cluster", node);
            return false;
        }
        if (!has_broker(view, node))
            view->brokers[view->count++] = broker;
    }
    qsort(view->brokers, (size_t)view->count, sizeof(*view->brokers), by_number);
    return true;
}

bool cluster_view_ask(struct admin *a, const struct cli_words *words, struct cluster_view *out)
{
    struct describe_cluster_request request;
    int16_t version = 0;
    *out = (struct cluster_view){0};
    if (client_sync_version(a->sync, CLIENT_ANY_NODE, KEY_DESCRIBE_CLUSTER, &a->why, &version) !=
        ERR_OK) {
        cli_complain("%s", strbuf_text(&a->why));
        return false;
    }
    wire_defaults(&describe_cluster_request_layout, &request);
    request.include_fenced_brokers = version >= FENCED_SINCE;
    if (!admin_call(a, KEY_DESCRIBE_CLUSTER, &request, &out->result))
        return false;
    out->cluster = out->result.body;
    if (out->cluster->error_code != KERR_NONE) {
        admin_complain(a, wire_str_of(NULL), out->cluster->error_code, out->cluster->error_message);
        return false;
    }
    for (int32_t i = 0; i < out->cluster->brokers.count; i++) {
        const struct describe_cluster_response_describe_cluster_broker *broker =
            &out->cluster->brokers.items[i];
        client_sync_add_node(a->sync, broker->broker_id, broker->host, broker->port);
    }
    return choose(words, out);
}

void cluster_view_deinit(struct cluster_view *view)
{
    if (view->cluster != NULL)
        client_result_deinit(&view->result);
    mem_free(view->brokers);
    *view = (struct cluster_view){0};
}

bool cluster_ask_versions(struct admin *a, int32_t node, struct client_result *out)
{
    struct api_versions_request request;
    wire_defaults(&api_versions_request_layout, &request);
    request.client_software_name = wire_str_of("klamm");
    request.client_software_version = wire_str_of(KLAMM_VERSION);
    if (!admin_call_node(a, node, KEY_API_VERSIONS, &request, out))
        return false;
    const struct api_versions_response *response = out->body;
    if (response->error_code == KERR_NONE)
        return true;
    admin_complain(a, wire_str_of(NULL), response->error_code, wire_str_of(NULL));
    client_result_deinit(out);
    return false;
}
