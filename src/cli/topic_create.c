// SPDX-License-Identifier: Apache-2.0
/*
 * topic_create: `klamm topic create`, one topic or a hundred thousand.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/admin.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "cli/topic.h"
#include "wire/codec.h"
#include "wire/create_topics.h"
#include "wire/kerr.h"

enum {
    TOPICS_PER_REQUEST = 200,
    PARTITIONS_PER_REQUEST = 1000,
    TOPICS_NAMED_MAX = 10, /* when more are created, only their number is told */
    NAME_TEXT_SIZE = LIMIT_TOPIC_NAME_BYTES + 24,
};

static const char help[] =
    "usage: klamm topic create NAME... [--partitions N] [--replication-factor N]\n"
    "                          [--config KEY=VALUE]... [--if-not-exists] [--count N] [--json]\n\n"
    "Makes topics; returns when their partitions take records.\n\n"
    "  --partitions N              partitions of each; default: the broker's num.partitions\n"
    "  --replication-factor N      replicas of each partition; default: the broker's\n"
    "  --config KEY=VALUE          a topic config, such as retention.ms=60000; may be repeated\n"
    "  --if-not-exists             a topic that is there already is no error\n"
    "  --count N                   makes NAME-0 to NAME-<N-1> instead of NAME\n"
    "  --json                      an array of objects, of the topics that are there now: name,\n"
    "                              id, partitions, replication_factor (null: not told), is_new\n" //
    ADMIN_HELP_BOOTSTRAP;

struct create {
    struct admin admin;
    struct cli_words words; /* names */
    struct cli_words configs;
    const char *bootstrap;
    int64_t partitions; /* -1: the broker's default; also the next */
    int64_t replication_factor;
    int64_t per_name; /* --count; 0: the name itself */
    bool is_repeatable, is_json;
    json_t *array;
    int64_t total;
    int64_t created, existing, failed;
};

/* ---- a request */

static void name_of(const struct create *c, int64_t number, char out[NAME_TEXT_SIZE])
{
    if (c->per_name == 0)
        snprintf(out, NAME_TEXT_SIZE, "%s", c->words.items[number]);
    else
        snprintf(out, NAME_TEXT_SIZE, "%s-%lld", c->words.items[number / c->per_name],
                 (long long)(number % c->per_name));
}

static struct wire_str copy_str(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_copy_text(arena, text, len);
    ASSERT(copy != NULL);
    return (struct wire_str){copy, (int32_t)len};
}

static void fill_configs(const struct create *c, struct arena *arena,
                         struct create_topics_request_creatable_topic *topic)
{
    enum err e = wire_array_new(arena, &create_topics_request_creatable_topic_config_layout,
                                c->configs.count, &topic->configs);
    ASSERT(e == ERR_OK);
    for (int i = 0; i < c->configs.count; i++) {
        const char *text = c->configs.items[i], *equals = strchr(text, '=');
        ASSERT(equals != NULL);
        topic->configs.items[i].name = copy_str(arena, text, (size_t)(equals - text));
        topic->configs.items[i].value = wire_str_of(equals + 1);
    }
}

static const void *fill_request(void *arg, struct arena *arena, int64_t first, int32_t count)
{
    const struct create *c = arg;
    struct create_topics_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL);
    wire_defaults(&create_topics_request_layout, request);
    enum err e = wire_array_new(arena, &create_topics_request_creatable_topic_layout, count,
                                &request->topics);
    ASSERT(e == ERR_OK); /* bounded by TOPICS_PER_REQUEST and argv */
    request->timeout_ms = ADMIN_TIMEOUT_MS;
    for (int32_t i = 0; i < count; i++) {
        struct create_topics_request_creatable_topic *topic = &request->topics.items[i];
        char name[NAME_TEXT_SIZE];
        name_of(c, first + i, name);
        topic->name = copy_str(arena, name, strlen(name));
        topic->num_partitions = (int32_t)c->partitions;
        topic->replication_factor = (int16_t)c->replication_factor;
        fill_configs(c, arena, topic);
    }
    return request;
}

/* ---- an answer */

static void tell_created(const struct create_topics_response_creatable_topic_result *topic)
{
    printf("created topic %.*s", ADMIN_STR(topic->name));
    if (topic->num_partitions > 0)
        printf(" (%d partition%s, replication factor %d)", topic->num_partitions,
               topic->num_partitions == 1 ? "" : "s", topic->replication_factor);
    putchar('\n');
}

static json_t *created_json(const struct create_topics_response_creatable_topic_result *topic)
{
    static const struct uuid none;
    char id[UUID_TEXT_SIZE];
    bool is_new = topic->error_code == KERR_NONE;
    bool has_id = is_new && memcmp(&topic->topic_id, &none, sizeof(none)) != 0;
    bool has_counts = is_new && topic->num_partitions > 0;
    json_t *object = json_object();
    json_out_set(object, "name", json_out_str(topic->name));
    json_out_set(object, "id",
                 has_id ? json_string(uuid_format(topic->topic_id, id)) : json_null());
    json_out_set(object, "partitions",
                 has_counts ? json_integer(topic->num_partitions) : json_null());
    json_out_set(object, "replication_factor",
                 has_counts ? json_integer(topic->replication_factor) : json_null());
    json_out_set(object, "is_new", json_boolean(is_new));
    return object;
}

static void tell(const struct create *c,
                 const struct create_topics_response_creatable_topic_result *topic)
{
    if (c->is_json)
        json_out_append(c->array, created_json(topic));
    else if (c->total > TOPICS_NAMED_MAX)
        return;
    else if (topic->error_code == KERR_NONE)
        tell_created(topic);
    else
        printf("topic %.*s is there already\n", ADMIN_STR(topic->name));
}

static void take_result(struct create *c,
                        const struct create_topics_response_creatable_topic_result *topic)
{
    if (topic->error_code == KERR_NONE) {
        c->created++;
        tell(c, topic);
    } else if (topic->error_code == KERR_TOPIC_ALREADY_EXISTS && c->is_repeatable) {
        c->existing++;
        tell(c, topic);
    } else if (c->failed++ < TOPIC_ERRORS_SHOWN_MAX) {
        admin_complain(&c->admin, topic->name, topic->error_code, topic->error_message);
    }
}

static int64_t take_response(void *arg, const void *body)
{
    struct create *c = arg;
    const struct create_topics_response *response = body;
    for (int32_t i = 0; i < response->topics.count; i++)
        take_result(c, &response->topics.items[i]);
    return c->created + c->existing;
}

/* ---- all of it */

static int create_all(struct create *c)
{
    char done[CLI_COUNT_SIZE], all[CLI_COUNT_SIZE];
    int64_t step = PARTITIONS_PER_REQUEST / MAX(c->partitions, INT64_C(1));
    struct admin_portions portions = {
        .api_key = KEY_CREATE_TOPICS,
        .count = c->total,
        .step = (int32_t)MIN(MAX(step, INT64_C(1)), (int64_t)TOPICS_PER_REQUEST),
        .verb = "created",
        .fill = fill_request,
        .take = take_response,
        .arg = c,
    };
    c->array = json_array();
    bool is_answered = topic_call_portions(&c->admin, &portions, &c->failed, c->array, c->is_json);
    if (c->total > TOPICS_NAMED_MAX && !c->is_json) {
        printf("created %s of %s topics", cli_count(c->created, done), cli_count(c->total, all));
        if (c->existing > 0)
            printf("; %s were there already", cli_count(c->existing, done));
        putchar('\n');
    }
    return is_answered && c->failed == 0 ? CLI_OK : CLI_FAILED;
}

static int check(const struct create *c)
{
    for (int i = 0; i < c->configs.count; i++) {
        const char *equals = strchr(c->configs.items[i], '=');
        if (equals == NULL || equals == c->configs.items[i])
            return cli_complain_usage("topic create", "--config takes KEY=VALUE, not \"%.100s\"",
                                      c->configs.items[i]);
    }
    for (int i = 0; i < c->words.count; i++) {
        if (strlen(c->words.items[i]) > LIMIT_TOPIC_NAME_BYTES)
            return cli_complain_usage("topic create", "a name has at most %d bytes",
                                      LIMIT_TOPIC_NAME_BYTES);
    }
    return CLI_GO_ON;
}

int cli_topic_create(int argc, char **argv)
{
    struct create c = {.partitions = -1, .replication_factor = -1};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &c.bootstrap, 0, 0},
        {"--partitions", CLI_NUMBER, &c.partitions, 1, INT32_MAX},
        {"--replication-factor", CLI_NUMBER, &c.replication_factor, 1, INT16_MAX},
        {"--config", CLI_TEXTS, &c.configs, 0, 0},
        {"--if-not-exists", CLI_FLAG, &c.is_repeatable, 0, 0},
        {"--count", CLI_NUMBER, &c.per_name, 1, 1000000},
        {"--json", CLI_FLAG, &c.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic create",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    c.words = parse.words;
    if (status == CLI_GO_ON)
        status = check(&c);
    if (status == CLI_GO_ON) {
        c.total = c.words.count * MAX(c.per_name, INT64_C(1));
        status = admin_open(&c.admin, c.bootstrap) ? create_all(&c) : CLI_FAILED;
        admin_close(&c.admin);
    }
    cli_words_free(&c.words);
    cli_words_free(&c.configs);
    return status;
}
