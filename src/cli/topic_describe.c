// SPDX-License-Identifier: Apache-2.0
/*
 * topic_describe: `klamm topic describe`: partitions and replicas by Metadata, first and next
 * offset by ListOffsets from each leader, how far it is written and durable by DescribeLogDirs from
 * those that are Klamms, configs by DescribeConfigs. In chunks of topics, so that no answer becomes
 * too large.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/admin.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/topic.h"
#include "cli/topic_state.h"
#include "cli/topic_view.h"
#include "wire/codec.h"
#include "wire/describe_configs.h"
#include "wire/kerr.h"

enum {
    TOPICS_PER_CHUNK = 50,
    RESOURCE_TOPIC = 2,
    SOURCE_TOPIC = 1,
    SOURCE_DEFAULT = 5,
};

static const char help[] =
    "usage: klamm topic describe [NAME...] [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Shows topics (all of them when none is named): leader, epoch, replicas, in-sync replicas and\n"
    "offsets of each partition, and the configs that are not the default. Brokers that are Klamms\n"
    "also tell how far each is written and how far durable. What is being moved to another log\n"
    "directory of its broker is told below its partition.\n\n"
    "  --json                      an array of objects, for programs\n" //
    ADMIN_HELP_BOOTSTRAP;

struct describe {
    struct admin admin;
    struct cli_words words;
    const char *bootstrap;
    bool is_json;
    json_t *array;
    int64_t shown;
    int status;
};

/* ---- configs */

static const struct describe_configs_response_describe_configs_result *
find_configs(const struct describe_configs_response *response, struct wire_str topic)
{
    for (int32_t i = 0; i < response->results.count; i++) {
        if (wire_str_equal(response->results.items[i].resource_name, topic))
            return &response->results.items[i];
    }
    return NULL;
}

static bool ask_configs(struct describe *d, const struct topic_view *views, int32_t count,
                        struct client_result *out)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct describe_configs_request request;
    wire_defaults(&describe_configs_request_layout, &request);
    enum err e = wire_array_new(&arena, &describe_configs_request_describe_configs_resource_layout,
                                count, &request.resources);
    ASSERT(e == ERR_OK);
    for (int32_t i = 0; i < count; i++) {
        request.resources.items[i].resource_type = RESOURCE_TOPIC;
        request.resources.items[i].resource_name = views[i].topic->name;
        request.resources.items[i].configuration_keys.count = -1; /* all */
    }
    bool is_answered = admin_call(&d->admin, KEY_DESCRIBE_CONFIGS, &request, out);
    arena_deinit(&arena);
    return is_answered;
}

static bool is_shown(const struct describe_configs_response_describe_configs_resource_result *c)
{
    return c->config_source != SOURCE_DEFAULT;
}

static const char *source_name(int8_t source)
{
    return source == SOURCE_TOPIC ? "topic" : "broker";
}

/* ---- as text */

static void print_numbers(const struct wire_i32_array *numbers, int width)
{
    struct strbuf text;
    strbuf_init(&text);
    for (int32_t i = 0; i < numbers->count; i++)
        strbuf_printf(&text, "%s%d", i > 0 ? "," : "", numbers->items[i]);
    printf(" %-*s", width, numbers->count > 0 ? strbuf_text(&text) : "-");
    strbuf_deinit(&text);
}

static void print_offset(int64_t offset)
{
    if (offset < 0)
        printf(" %12s", "-");
    else
        printf(" %12lld", (long long)offset);
}

static void print_move(const struct partition_view *view)
{
    char bytes[CLI_COUNT_SIZE], lag[CLI_COUNT_SIZE];
    struct strbuf dir;
    strbuf_init(&dir);
    table_text(&dir, view->coming.dir->log_dir);
    printf("  %9s moves to %s: %s bytes are there, %s offsets to go\n", "", strbuf_text(&dir),
           cli_count(view->coming.row->partition_size, bytes),
           cli_count(view->coming.row->offset_lag, lag));
    strbuf_deinit(&dir);
}

static void print_partition(const struct partition_view *view)
{
    const struct metadata_response_partition *p = view->partition;
    char leader[16] = "none";
    if (p->leader_id >= 0)
        snprintf(leader, sizeof(leader), "%d", p->leader_id);
    printf("  %9d %8s %6d", p->partition_index, leader, p->leader_epoch);
    print_numbers(&p->replica_nodes, 12);
    print_numbers(&p->isr_nodes, 12);
    print_offset(view->begin_offset);
    print_offset(view->end_offset);
    bool is_known = view->begin_offset >= 0 && view->end_offset >= view->begin_offset;
    print_offset(is_known ? view->end_offset - view->begin_offset : -1);
    print_offset(view->state != NULL ? view->state->written_offset : -1);
    print_offset(view->state != NULL ? view->state->durable_offset : -1);
    putchar('\n');
    if (view->coming.row != NULL)
        print_move(view);
}

static void print_text(const struct describe *d, const struct topic_view *view,
                       const struct describe_configs_response_describe_configs_result *configs)
{
    char id[UUID_TEXT_SIZE];
    printf("%s%.*s  id %s%s\n", d->shown > 0 ? "\n" : "", ADMIN_STR(view->topic->name),
           uuid_format(view->topic->topic_id, id), view->topic->is_internal ? "  internal" : "");
    for (int32_t i = 0; configs != NULL && i < configs->configs.count; i++) {
        if (is_shown(&configs->configs.items[i]))
            printf("  %.*s=%.*s%s\n", ADMIN_STR(configs->configs.items[i].name),
                   ADMIN_STR(configs->configs.items[i].value),
                   configs->configs.items[i].config_source == SOURCE_TOPIC ? ""
                                                                           : "  (of the broker)");
    }
    printf("  %9s %8s %6s %-12s %-12s %12s %12s %12s %12s %12s\n", "partition", "leader", "epoch",
           "replicas", "isr", "begin", "end", "offsets", "written", "durable");
    for (int32_t i = 0; i < view->count; i++)
        print_partition(&view->partitions[i]);
}

/* ---- as JSON */

/* What only a Klamm tells; null elsewhere. */
static void set_state(json_t *object,
                      const struct describe_log_dirs_response_explained_partition *x)
{
    json_out_set(object, "log_start_offset", json_out_number(x != NULL ? x->log_start_offset : -1));
    json_out_set(object, "recovery_point", json_out_number(x != NULL ? x->recovery_point : -1));
    json_out_set(object, "durable_offset", json_out_number(x != NULL ? x->durable_offset : -1));
    json_out_set(object, "high_watermark", json_out_number(x != NULL ? x->high_watermark : -1));
    json_out_set(object, "written_offset", json_out_number(x != NULL ? x->written_offset : -1));
    json_out_set(object, "assigned_offset", json_out_number(x != NULL ? x->assigned_offset : -1));
}

static json_t *partition_json(const struct partition_view *view)
{
    const struct metadata_response_partition *p = view->partition;
    json_t *object = json_object();
    json_out_set(object, "partition", json_integer(p->partition_index));
    json_out_set(object, "leader", json_out_number(p->leader_id));
    json_out_set(object, "leader_epoch", json_integer(p->leader_epoch));
    json_out_set(object, "replicas", json_out_numbers(&p->replica_nodes));
    json_out_set(object, "isr", json_out_numbers(&p->isr_nodes));
    json_out_set(object, "offline", json_out_numbers(&p->offline_replicas));
    json_out_set(object, "begin_offset", json_out_number(view->begin_offset));
    json_out_set(object, "end_offset", json_out_number(view->end_offset));
    set_state(object, view->state);
    json_out_set(object, "log_dir", topic_state_place_json(&view->place));
    json_out_set(object, "moves_to", topic_state_place_json(&view->coming));
    return object;
}

static json_t *configs_json(const struct describe_configs_response_describe_configs_result *configs)
{
    json_t *array = json_array();
    for (int32_t i = 0; configs != NULL && i < configs->configs.count; i++) {
        const struct describe_configs_response_describe_configs_resource_result *config =
            &configs->configs.items[i];
        if (!is_shown(config))
            continue;
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(config->name));
        json_out_set(object, "value", json_out_str(config->value));
        json_out_set(object, "source", json_string(source_name(config->config_source)));
        json_out_append(array, object);
    }
    return array;
}

static json_t *topic_json(const struct topic_view *view,
                          const struct describe_configs_response_describe_configs_result *configs)
{
    char id[UUID_TEXT_SIZE];
    json_t *object = json_object(), *partitions = json_array();
    for (int32_t i = 0; i < view->count; i++)
        json_out_append(partitions, partition_json(&view->partitions[i]));
    json_out_set(object, "name", json_out_str(view->topic->name));
    json_out_set(object, "id", json_string(uuid_format(view->topic->topic_id, id)));
    json_out_set(object, "is_internal", json_boolean(view->topic->is_internal));
    json_out_set(object, "configs", configs_json(configs));
    json_out_set(object, "partitions", partitions);
    return object;
}

/* ---- all of it */

static bool show_chunk(struct describe *d, struct topic_view *views, int32_t count)
{
    struct client_result result;
    struct topic_states states = {0};
    if (topic_view_ask_offsets(&d->admin, views, count))
        topic_states_ask(&d->admin, views, count, true, &states);
    else
        d->status = CLI_FAILED; /* a leader that is away: its offsets are not known */
    if (!ask_configs(d, views, count, &result)) {
        topic_states_deinit(&states);
        return false;
    }
    cli_progress_clear(&d->admin.progress);
    for (int32_t i = 0; i < count; i++) {
        const struct describe_configs_response_describe_configs_result *configs =
            find_configs(result.body, views[i].topic->name);
        if (configs != NULL && configs->error_code != KERR_NONE)
            d->status = admin_complain(&d->admin, views[i].topic->name, configs->error_code,
                                       configs->error_message);
        if (d->is_json)
            json_out_append(d->array, topic_json(&views[i], configs));
        else
            print_text(d, &views[i], configs);
        d->shown++;
    }
    client_result_deinit(&result);
    topic_states_deinit(&states);
    return true;
}

static void show_all(struct describe *d, const struct metadata_response *response)
{
    struct topic_view views[TOPICS_PER_CHUNK] = {0};
    int32_t used = 0, at = 0;
    bool goes_on = true;
    while (goes_on && at < response->topics.count) {
        for (; at < response->topics.count && used < TOPICS_PER_CHUNK; at++) {
            const struct metadata_response_topic *topic = &response->topics.items[at];
            if (topic->error_code != KERR_NONE)
                d->status =
                    admin_complain(&d->admin, topic->name, topic->error_code, wire_str_of(NULL));
            else
                topic_view_init(&views[used++], topic);
        }
        goes_on = used == 0 || show_chunk(d, views, used);
        while (used > 0)
            topic_view_deinit(&views[--used]);
        char done[CLI_COUNT_SIZE], all[CLI_COUNT_SIZE];
        if (d->is_json && cli_progress_is_due(&d->admin.progress))
            cli_progress_show(&d->admin.progress, "asked for %s of %s topics", cli_count(at, done),
                              cli_count(response->topics.count, all));
    }
    cli_progress_clear(&d->admin.progress);
    if (!goes_on)
        d->status = CLI_FAILED;
}

static void describe(struct describe *d)
{
    struct admin_topics topics = {.names = {NULL, -1}};
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    if (d->words.count > 0) {
        enum err e =
            wire_array_new(&arena, &metadata_request_topic_layout, d->words.count, &topics.names);
        ASSERT(e == ERR_OK);
        for (int i = 0; i < d->words.count; i++)
            topics.names.items[i].name = wire_str_of(d->words.items[i]);
    }
    struct client_result result;
    if (admin_metadata(&d->admin, &topics, &result)) {
        d->array = json_array();
        show_all(d, result.body);
        if (d->is_json && json_out_print(d->array) != CLI_OK)
            d->status = CLI_FAILED;
        if (!d->is_json)
            json_decref(d->array);
        client_result_deinit(&result);
    } else {
        d->status = CLI_FAILED;
    }
    arena_deinit(&arena);
}

int cli_topic_describe(int argc, char **argv)
{
    struct describe d = {.status = CLI_OK};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &d.bootstrap, 0, 0},
        {"--json", CLI_FLAG, &d.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic describe",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    d.words = parse.words;
    if (status == CLI_GO_ON) {
        if (admin_open(&d.admin, d.bootstrap))
            describe(&d);
        else
            d.status = CLI_FAILED;
        admin_close(&d.admin);
        status = d.status;
    }
    cli_words_free(&d.words);
    return status;
}
