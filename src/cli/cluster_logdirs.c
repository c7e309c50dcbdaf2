// SPDX-License-Identifier: Apache-2.0
/*
 * cluster_logdirs: `klamm cluster logdirs`: DescribeLogDirs of each broker (KIP-113, KIP-827), as
 * Kafka's kafka-log-dirs tells it. All is asked for; topics are chosen here.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/cluster.h"
#include "cli/cluster_view.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "wire/codec.h"
#include "wire/describe_log_dirs.h"
#include "wire/kerr.h"

static const char help[] =
    "usage: klamm cluster logdirs [BROKER...] [--topic T]... [--json]\n\n"
    "Shows the log directories of brokers, of all brokers when none is named: the room on the "
    "disk,\n"
    "and of each partition its bytes and its lag, which is how many records the replica is "
    "behind.\n"
    "A partition that is being moved there from another directory is \"coming\".\n\n"
    "  --topic T                   only partitions of this one; may be given several times\n"
    "  --json                      an array of objects: broker, log_dirs\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column columns[] = {
    {"topic", false}, {"partition", true}, {"bytes", true}, {"lag", true}, {"state", false}};

struct logdirs {
    struct admin admin;
    struct cluster_view view;
    const char *bootstrap;
    struct cli_words topics;
    bool *is_found; /* by topics */
    bool is_json;
    json_t *array;
    int64_t shown; /* directories */
    int status;
};

static bool is_wanted(struct logdirs *l, struct wire_str topic)
{
    bool is_wanted = l->topics.count == 0;
    for (int i = 0; i < l->topics.count; i++) {
        if (!wire_str_is(topic, l->topics.items[i]))
            continue;
        l->is_found[i] = true;
        is_wanted = true;
    }
    return is_wanted;
}

static int by_name(const void *a, const void *b)
{
    const struct describe_log_dirs_response_describe_log_dirs_topic *x = a, *y = b;
    return wire_str_compare(x->name, y->name);
}

static int by_number(const void *a, const void *b)
{
    const struct describe_log_dirs_response_describe_log_dirs_partition *x = a, *y = b;
    return (x->partition_index > y->partition_index) - (x->partition_index < y->partition_index);
}

/* Leaves those that are wanted, in order: brokers tell them in any. */
static void choose(struct logdirs *l,
                   struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    int32_t count = 0;
    for (int32_t i = 0; i < dir->topics.count; i++) {
        struct describe_log_dirs_response_describe_log_dirs_topic *topic = &dir->topics.items[i];
        if (!is_wanted(l, topic->name))
            continue;
        if (topic->partitions.count > 0)
            qsort(topic->partitions.items, (size_t)topic->partitions.count,
                  sizeof(*topic->partitions.items), by_number);
        dir->topics.items[count++] = *topic;
    }
    dir->topics.count = count;
    if (count > 0)
        qsort(dir->topics.items, (size_t)count, sizeof(*dir->topics.items), by_name);
}

struct dir_sum {
    int64_t bytes;
    int64_t partitions;
};

static struct dir_sum sum_of(const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    struct dir_sum sum = {0, 0};
    for (int32_t i = 0; i < dir->topics.count; i++) {
        const struct describe_log_dirs_response_describe_log_dirs_topic *topic =
            &dir->topics.items[i];
        for (int32_t j = 0; j < topic->partitions.count; j++) {
            int64_t bytes = MAX(topic->partitions.items[j].partition_size, 0);
            sum.bytes += MIN(bytes, INT64_MAX - sum.bytes);
            sum.partitions++;
        }
    }
    return sum;
}

/* ---- as text */

static void add_rows(struct table *table,
                     const struct describe_log_dirs_response_describe_log_dirs_topic *topic)
{
    for (int32_t i = 0; i < topic->partitions.count; i++) {
        const struct describe_log_dirs_response_describe_log_dirs_partition *p =
            &topic->partitions.items[i];
        table_add(table, topic->name);
        table_add_number(table, p->partition_index);
        table_add_number(table, p->partition_size);
        table_add_number(table, p->offset_lag);
        table_add(table, wire_str_of(p->is_future_key ? "coming" : NULL));
    }
}

static void print_head(int32_t broker,
                       const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    char bytes[CLI_COUNT_SIZE], count[CLI_COUNT_SIZE], usable[CLI_COUNT_SIZE];
    struct dir_sum sum = sum_of(dir);
    struct strbuf line;
    strbuf_init(&line);
    table_text(&line, dir->log_dir);
    if (dir->error_code == KERR_NONE)
        strbuf_printf(&line, "  %s bytes in %s partition%s", cli_count(sum.bytes, bytes),
                      cli_count(sum.partitions, count), sum.partitions == 1 ? "" : "s");
    if (dir->total_bytes >= 0 && dir->usable_bytes >= 0)
        strbuf_printf(&line, "  disk %s of %s bytes free", cli_count(dir->usable_bytes, usable),
                      cli_count(dir->total_bytes, bytes));
    printf("broker %d  %s%s\n", broker, strbuf_text(&line), dir->is_cordoned ? "  cordoned" : "");
    strbuf_deinit(&line);
}

static void print_dir(struct logdirs *l, int32_t broker,
                      const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    struct table table;
    fputs(l->shown++ > 0 ? "\n" : "", stdout);
    print_head(broker, dir);
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < dir->topics.count; i++)
        add_rows(&table, &dir->topics.items[i]);
    if (dir->topics.count > 0)
        table_print(&table, 2);
    table_deinit(&table);
}

/* ---- as JSON */

static void append_rows(json_t *array,
                        const struct describe_log_dirs_response_describe_log_dirs_topic *topic)
{
    for (int32_t i = 0; i < topic->partitions.count; i++) {
        const struct describe_log_dirs_response_describe_log_dirs_partition *p =
            &topic->partitions.items[i];
        json_t *item = json_object();
        json_out_set(item, "topic", json_out_str(topic->name));
        json_out_set(item, "partition", json_integer(p->partition_index));
        json_out_set(item, "size_bytes", json_integer(p->partition_size));
        json_out_set(item, "offset_lag", json_integer(p->offset_lag));
        json_out_set(item, "is_future", json_boolean(p->is_future_key));
        json_out_append(array, item);
    }
}

static json_t *dir_json(const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    json_t *object = json_object(), *rows = json_array();
    for (int32_t i = 0; i < dir->topics.count; i++)
        append_rows(rows, &dir->topics.items[i]);
    json_out_set(object, "log_dir", json_out_str(dir->log_dir));
    json_out_set(object, "error", json_out_error(dir->error_code));
    json_out_set(object, "size_bytes", json_integer(sum_of(dir).bytes));
    json_out_set(object, "total_bytes", json_out_number(dir->total_bytes));
    json_out_set(object, "usable_bytes", json_out_number(dir->usable_bytes));
    json_out_set(object, "is_cordoned", json_boolean(dir->is_cordoned));
    json_out_set(object, "partitions", rows);
    return object;
}

/* ---- all of it */

/* The rows are told here; what is wrong with a directory as well. */
static void show_broker(struct logdirs *l, int32_t broker,
                        const struct describe_log_dirs_response *response)
{
    json_t *object = json_object(), *dirs = json_array();
    for (int32_t i = 0; i < response->results.count; i++) {
        struct describe_log_dirs_response_describe_log_dirs_result *dir =
            &response->results.items[i];
        choose(l, dir);
        if (l->is_json)
            json_out_append(dirs, dir_json(dir));
        else
            print_dir(l, broker, dir);
        if (dir->error_code != KERR_NONE)
            l->status = admin_complain_of(&l->admin, "log directory", dir->log_dir, dir->error_code,
                                          wire_str_of(NULL));
    }
    json_out_set(object, "broker", json_integer(broker));
    json_out_set(object, "log_dirs", dirs);
    json_out_append(l->array, object);
}

static void ask_broker(struct logdirs *l, int32_t broker)
{
    struct describe_log_dirs_request request;
    wire_defaults(&describe_log_dirs_request_layout, &request);
    request.topics.count = -1; /* all */
    struct client_result result;
    if (!admin_call_node(&l->admin, broker, KEY_DESCRIBE_LOG_DIRS, &request, &result)) {
        l->status = CLI_FAILED;
        return;
    }
    const struct describe_log_dirs_response *response = result.body;
    char name[16];
    snprintf(name, sizeof(name), "%d", broker);
    if (response->error_code == KERR_NONE)
        show_broker(l, broker, response);
    else
        l->status = admin_complain_of(&l->admin, "broker", wire_str_of(name), response->error_code,
                                      wire_str_of(NULL));
    client_result_deinit(&result);
}

static void show(struct logdirs *l)
{
    l->array = json_array();
    l->is_found = mem_alloc(((size_t)l->topics.count + 1) * sizeof(*l->is_found));
    for (int32_t i = 0; i < l->view.count; i++)
        ask_broker(l, l->view.brokers[i]->broker_id);
    if (!l->is_json)
        json_decref(l->array);
    else if (json_out_print(l->array) != CLI_OK)
        l->status = CLI_FAILED;
    bool is_whole = l->status == CLI_OK; /* else nobody knows */
    for (int i = 0; i < l->topics.count && is_whole; i++) {
        if (!l->is_found[i])
            l->status = cli_complain("no log directory that was asked about has topic \"%s\"",
                                     l->topics.items[i]);
    }
    mem_free(l->is_found);
}

int cli_cluster_logdirs(int argc, char **argv)
{
    struct logdirs l = {.status = CLI_OK};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &l.bootstrap, 0, 0},
        {"--topic", CLI_TEXTS, &l.topics, 0, 0},
        {"--json", CLI_FLAG, &l.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "cluster logdirs",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = cluster_words_check("cluster logdirs", &parse.words);
    if (status == CLI_GO_ON) {
        if (admin_open(&l.admin, l.bootstrap) && cluster_view_ask(&l.admin, &parse.words, &l.view))
            show(&l);
        else
            l.status = CLI_FAILED;
        cluster_view_deinit(&l.view);
        admin_close(&l.admin);
        status = l.status;
    }
    cli_words_free(&parse.words);
    cli_words_free(&l.topics);
    return status;
}
