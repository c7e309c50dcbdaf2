// SPDX-License-Identifier: Apache-2.0
/* topic_list: `klamm topic list`: one name a line, in byte order. Thread: main. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/admin.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "cli/topic.h"

static const char help[] =
    "usage: klamm topic list [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Names all topics.\n\n"
    "  --json                      an array of objects: name, id, partitions,\n"
    "                              replication_factor, is_internal\n" //
    ADMIN_HELP_BOOTSTRAP;

static int by_name(const void *a, const void *b)
{
    const struct metadata_response_topic *const *x = a, *const *y = b;
    return wire_str_compare((*x)->name, (*y)->name);
}

static void print_text(const struct metadata_response_topic *const *topics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%.*s\n", ADMIN_STR(topics[i]->name));
}

static json_t *topic_json(const struct metadata_response_topic *topic)
{
    char id[UUID_TEXT_SIZE];
    const struct metadata_response_partition *first = topic->partitions.items;
    json_t *object = json_object();
    json_out_set(object, "name", json_out_str(topic->name));
    json_out_set(object, "id", json_string(uuid_format(topic->topic_id, id)));
    json_out_set(object, "partitions", json_integer(topic->partitions.count));
    json_out_set(object, "replication_factor",
                 json_integer(topic->partitions.count > 0 ? first->replica_nodes.count : 0));
    json_out_set(object, "is_internal", json_boolean(topic->is_internal));
    return object;
}

static int print_topics(const struct metadata_response *response, bool is_json)
{
    size_t count = (size_t)response->topics.count;
    const struct metadata_response_topic **sorted = mem_alloc((count + 1) * sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &response->topics.items[i];
    qsort(sorted, count, sizeof(*sorted), by_name);
    int status = CLI_OK;
    if (is_json) {
        json_t *array = json_array();
        for (size_t i = 0; i < count; i++)
            json_out_append(array, topic_json(sorted[i]));
        status = json_out_print(array);
    } else {
        print_text(sorted, count);
    }
    mem_free(sorted);
    return status;
}

int cli_topic_list(int argc, char **argv)
{
    const char *bootstrap = NULL;
    bool is_json = false;
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &bootstrap, 0, 0},
        {"--json", CLI_FLAG, &is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic list",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options)};
    int status = cli_parse(&parse, argc, argv);
    cli_words_free(&parse.words);
    if (status != CLI_GO_ON)
        return status;

    struct admin a;
    struct client_result result;
    status = CLI_FAILED;
    struct admin_topics all = {.names = {NULL, -1}};
    if (admin_open(&a, bootstrap) && admin_metadata(&a, &all, &result)) {
        status = print_topics(result.body, is_json);
        client_result_deinit(&result);
    }
    admin_close(&a);
    return status;
}
