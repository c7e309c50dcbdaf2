// SPDX-License-Identifier: Apache-2.0
/*
 * topic_alter: `klamm topic alter`: CreatePartitions (KIP-195). Configs are `klamm config set`.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/admin.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "cli/topic.h"
#include "wire/codec.h"
#include "wire/create_partitions.h"
#include "wire/kerr.h"

enum { TOPICS_PER_REQUEST = 200, PARTITIONS_PER_REQUEST = 1000 };

static const char help[] =
    "usage: klamm topic alter NAME... --partitions N [--dry-run] [--json]\n\n"
    "Gives topics more partitions; returns when they take records. A topic never gets fewer.\n"
    "Records with keys go to other partitions than before. Configs: klamm config set topic.\n\n"
    "  --partitions N              how many each topic is to have\n"
    "  --dry-run                   the broker only says whether it would\n"
    "  --json                      an array of objects, of the topics that were changed: name,\n"
    "                              partitions, dry_run\n" //
    ADMIN_HELP_BOOTSTRAP;

struct alter {
    struct admin admin;
    struct cli_words words;
    const char *bootstrap;
    int64_t partitions;
    bool is_dry, is_json;
    json_t *array;
    int64_t altered, failed;
};

static const void *fill_request(void *arg, struct arena *arena, int64_t first, int32_t count)
{
    const struct alter *c = arg;
    struct create_partitions_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL);
    wire_defaults(&create_partitions_request_layout, request);
    enum err e = wire_array_new(arena, &create_partitions_request_create_partitions_topic_layout,
                                count, &request->topics);
    ASSERT(e == ERR_OK);
    request->timeout_ms = ADMIN_TIMEOUT_MS;
    request->validate_only = c->is_dry;
    for (int32_t i = 0; i < count; i++) {
        request->topics.items[i].name = wire_str_of(c->words.items[first + i]);
        request->topics.items[i].count = (int32_t)c->partitions;
        request->topics.items[i].assignments.count = -1; /* the broker's choice */
    }
    return request;
}

static void tell(const struct alter *c, struct wire_str name)
{
    if (c->is_json) {
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(name));
        json_out_set(object, "partitions", json_integer(c->partitions));
        json_out_set(object, "dry_run", json_boolean(c->is_dry));
        json_out_append(c->array, object);
    } else {
        printf("topic %.*s %s %lld partitions\n", ADMIN_STR(name), c->is_dry ? "can have" : "has",
               (long long)c->partitions);
    }
}

static int64_t take_response(void *arg, const void *body)
{
    struct alter *c = arg;
    const struct create_partitions_response *response = body;
    for (int32_t i = 0; i < response->results.count; i++) {
        const struct create_partitions_response_create_partitions_topic_result *row =
            &response->results.items[i];
        if (row->error_code == KERR_NONE) {
            c->altered++;
            tell(c, row->name);
        } else if (c->failed++ < TOPIC_ERRORS_SHOWN_MAX) {
            admin_complain(&c->admin, row->name, row->error_code, row->error_message);
        }
    }
    return c->altered;
}

static int alter_all(struct alter *c)
{
    struct admin_portions portions = {
        .api_key = KEY_CREATE_PARTITIONS,
        .count = c->words.count,
        .step = (int32_t)MIN(MAX(PARTITIONS_PER_REQUEST / c->partitions, INT64_C(1)),
                             (int64_t)TOPICS_PER_REQUEST),
        .verb = "altered",
        .fill = fill_request,
        .take = take_response,
        .arg = c,
    };
    c->array = json_array();
    bool is_answered = topic_call_portions(&c->admin, &portions, &c->failed, c->array, c->is_json);
    if (!c->is_json && c->is_dry && c->altered > 0)
        puts("dry run: nothing was changed");
    return is_answered && c->failed == 0 ? CLI_OK : CLI_FAILED;
}

int cli_topic_alter(int argc, char **argv)
{
    struct alter c = {.partitions = 0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &c.bootstrap, 0, 0},
        {"--partitions", CLI_NUMBER, &c.partitions, 1, INT32_MAX},
        {"--dry-run", CLI_FLAG, &c.is_dry, 0, 0},
        {"--json", CLI_FLAG, &c.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic alter",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    c.words = parse.words;
    if (status == CLI_GO_ON && c.partitions == 0)
        status = cli_complain_usage("topic alter", "--partitions is missing");
    if (status == CLI_GO_ON) {
        status = admin_open(&c.admin, c.bootstrap) ? alter_all(&c) : CLI_FAILED;
        admin_close(&c.admin);
    }
    cli_words_free(&c.words);
    return status;
}
