// SPDX-License-Identifier: Apache-2.0
/*
 * cluster_describe: `klamm cluster describe`: DescribeCluster, and ApiVersions of the broker that
 * answered it, for the features.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/cluster.h"
#include "cli/cluster_view.h"
#include "cli/json_out.h"
#include "cli/table.h"

static const char help[] =
    "usage: klamm cluster describe [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Shows the cluster's id, its controller and its brokers; the features with the level that is\n"
    "in force and the levels that the broker which was asked supports (klamm cluster apis lists\n"
    "the requests).\n\n"
    "  --json                      an object: cluster_id, controller, brokers, features,\n"
    "                              features_epoch, apis (their number)\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column broker_columns[] = {
    {"broker", true}, {"host", false}, {"port", true}, {"rack", false}, {"state", false}};

static const struct table_column feature_columns[] = {
    {"feature", false}, {"level", true}, {"supported", false}};

/* The level in force of a feature; -1: it is not in force. */
static int32_t level_of(const struct api_versions_response *versions, struct wire_str name)
{
    for (int32_t i = 0; i < versions->finalized_features.count; i++) {
        if (wire_str_equal(versions->finalized_features.items[i].name, name))
            return versions->finalized_features.items[i].max_version_level;
    }
    return -1;
}

/* ---- as text */

static void print_brokers(const struct cluster_view *view)
{
    struct table table;
    table_init(&table, broker_columns, ARRAY_COUNT(broker_columns));
    for (int32_t i = 0; i < view->count; i++) {
        const struct describe_cluster_response_describe_cluster_broker *broker = view->brokers[i];
        bool is_controller = broker->broker_id == view->cluster->controller_id;
        table_add_number(&table, broker->broker_id);
        table_add(&table, broker->host);
        table_add_number(&table, broker->port);
        table_add(&table, broker->rack);
        table_add(&table, wire_str_of(broker->is_fenced ? "fenced"
                                      : is_controller   ? "controller"
                                                        : NULL));
    }
    table_print(&table, 2);
    table_deinit(&table);
}

static void print_features(const struct api_versions_response *versions)
{
    struct table table;
    char range[32];
    table_init(&table, feature_columns, ARRAY_COUNT(feature_columns));
    for (int32_t i = 0; i < versions->supported_features.count; i++) {
        const struct api_versions_response_supported_feature_key *feature =
            &versions->supported_features.items[i];
        snprintf(range, sizeof(range), "%d to %d", feature->min_version, feature->max_version);
        table_add(&table, feature->name);
        table_add_number(&table, level_of(versions, feature->name));
        table_add(&table, wire_str_of(range));
    }
    if (versions->supported_features.count > 0) {
        putchar('\n');
        table_print(&table, 2);
    }
    table_deinit(&table);
}

static void print_text(const struct cluster_view *view,
                       const struct api_versions_response *versions)
{
    struct strbuf line;
    strbuf_init(&line);
    table_text(&line, view->cluster->cluster_id);
    if (view->cluster->controller_id >= 0)
        strbuf_printf(&line, "  controller %d", view->cluster->controller_id);
    printf("cluster %s  brokers %d  apis %d\n", strbuf_text(&line), view->count,
           MAX(versions->api_keys.count, 0));
    strbuf_deinit(&line);
    print_brokers(view);
    print_features(versions);
}

/* ---- as JSON */

static json_t *brokers_json(const struct cluster_view *view)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < view->count; i++) {
        const struct describe_cluster_response_describe_cluster_broker *broker = view->brokers[i];
        json_t *object = json_object();
        json_out_set(object, "broker", json_integer(broker->broker_id));
        json_out_set(object, "host", json_out_str(broker->host));
        json_out_set(object, "port", json_integer(broker->port));
        json_out_set(object, "rack", json_out_str(broker->rack));
        json_out_set(object, "is_fenced", json_boolean(broker->is_fenced));
        json_out_append(array, object);
    }
    return array;
}

static json_t *features_json(const struct api_versions_response *versions)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < versions->supported_features.count; i++) {
        const struct api_versions_response_supported_feature_key *feature =
            &versions->supported_features.items[i];
        int32_t level = level_of(versions, feature->name);
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(feature->name));
        json_out_set(object, "level", json_out_number(level));
        json_out_set(object, "supported_min", json_integer(feature->min_version));
        json_out_set(object, "supported_max", json_integer(feature->max_version));
        json_out_append(array, object);
    }
    return array;
}

static int print_json(const struct cluster_view *view, const struct api_versions_response *versions)
{
    int32_t controller = view->cluster->controller_id;
    int64_t epoch = versions->finalized_features_epoch;
    json_t *object = json_object();
    json_out_set(object, "cluster_id", json_out_str(view->cluster->cluster_id));
    json_out_set(object, "controller", json_out_number(controller));
    json_out_set(object, "brokers", brokers_json(view));
    json_out_set(object, "features", features_json(versions));
    json_out_set(object, "features_epoch", json_out_number(epoch));
    json_out_set(object, "apis", json_integer(MAX(versions->api_keys.count, 0)));
    return json_out_print(object);
}

static int describe(struct admin *a, bool is_json)
{
    struct cluster_view view;
    struct client_result versions;
    struct cli_words all = {0};
    int status = CLI_FAILED;
    if (cluster_view_ask(a, &all, &view) && cluster_ask_versions(a, CLIENT_ANY_NODE, &versions)) {
        status = CLI_OK;
        if (is_json)
            status = print_json(&view, versions.body);
        else
            print_text(&view, versions.body);
        client_result_deinit(&versions);
    }
    cluster_view_deinit(&view);
    return status;
}

int cli_cluster_describe(int argc, char **argv)
{
    const char *bootstrap = NULL;
    bool is_json = false;
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &bootstrap, 0, 0},
        {"--json", CLI_FLAG, &is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "cluster describe",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options)};
    int status = cli_parse(&parse, argc, argv);
    cli_words_free(&parse.words);
    if (status != CLI_GO_ON)
        return status;
    struct admin a;
    status = admin_open(&a, bootstrap) ? describe(&a, is_json) : CLI_FAILED;
    admin_close(&a);
    return status;
}
