// SPDX-License-Identifier: Apache-2.0
/*
 * cluster_apis: `klamm cluster apis`: ApiVersions of each broker, as Kafka's
 * kafka-broker-api-versions tells it.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/cluster.h"
#include "cli/cluster_view.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "wire/api.h"

static const char help[] =
    "usage: klamm cluster apis [BROKER...] [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Lists the requests that brokers take, all brokers when none is named: number, name (\"-\" "
    "when\n"
    "this binary does not know it), the first and the last version.\n\n"
    "  --json                      an array of objects: broker, host, port, apis\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column columns[] = {
    {"key", true}, {"api", false}, {"from", true}, {"to", true}};

static struct wire_str name_of(int16_t api_key)
{
    const struct wire_api *api = wire_api_find(api_key);
    return wire_str_of(api != NULL ? api->name : NULL);
}

static void print_text(const struct describe_cluster_response_describe_cluster_broker *broker,
                       const struct api_versions_response *versions)
{
    struct table table;
    struct strbuf host;
    strbuf_init(&host);
    table_text(&host, broker->host);
    printf("broker %d at %s:%d\n", broker->broker_id, strbuf_text(&host), broker->port);
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < versions->api_keys.count; i++) {
        const struct api_versions_response_api_version *api = &versions->api_keys.items[i];
        table_add_number(&table, api->api_key);
        table_add(&table, name_of(api->api_key));
        table_add_number(&table, api->min_version);
        table_add_number(&table, api->max_version);
    }
    table_print(&table, 2);
    table_deinit(&table);
    strbuf_deinit(&host);
}

static json_t *broker_json(const struct describe_cluster_response_describe_cluster_broker *broker,
                           const struct api_versions_response *versions)
{
    json_t *object = json_object(), *apis = json_array();
    for (int32_t i = 0; i < versions->api_keys.count; i++) {
        const struct api_versions_response_api_version *api = &versions->api_keys.items[i];
        json_t *item = json_object();
        json_out_set(item, "key", json_integer(api->api_key));
        json_out_set(item, "name", json_out_str(name_of(api->api_key)));
        json_out_set(item, "min_version", json_integer(api->min_version));
        json_out_set(item, "max_version", json_integer(api->max_version));
        json_out_append(apis, item);
    }
    json_out_set(object, "broker", json_integer(broker->broker_id));
    json_out_set(object, "host", json_out_str(broker->host));
    json_out_set(object, "port", json_integer(broker->port));
    json_out_set(object, "apis", apis);
    return object;
}

/* A broker that does not answer is told, and the others are shown. */
static int show(struct admin *a, const struct cluster_view *view, bool is_json)
{
    int status = CLI_OK, shown = 0;
    json_t *array = json_array();
    for (int32_t i = 0; i < view->count; i++) {
        struct client_result versions;
        if (!cluster_ask_versions(a, view->brokers[i]->broker_id, &versions)) {
            status = CLI_FAILED;
            continue;
        }
        if (is_json) {
            json_out_append(array, broker_json(view->brokers[i], versions.body));
        } else {
            fputs(shown++ > 0 ? "\n" : "", stdout);
            print_text(view->brokers[i], versions.body);
        }
        client_result_deinit(&versions);
    }
    if (!is_json)
        json_decref(array);
    else if (json_out_print(array) != CLI_OK)
        status = CLI_FAILED;
    return status;
}

int cli_cluster_apis(int argc, char **argv)
{
    const char *bootstrap = NULL;
    bool is_json = false;
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &bootstrap, 0, 0},
        {"--json", CLI_FLAG, &is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "cluster apis",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = cluster_words_check("cluster apis", &parse.words);
    if (status == CLI_GO_ON) {
        struct admin a;
        struct cluster_view view = {0};
        bool is_good = admin_open(&a, bootstrap) && cluster_view_ask(&a, &parse.words, &view);
        status = is_good ? show(&a, &view, is_json) : CLI_FAILED;
        cluster_view_deinit(&view);
        admin_close(&a);
    }
    cli_words_free(&parse.words);
    return status;
}
