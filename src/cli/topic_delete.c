// SPDX-License-Identifier: Apache-2.0
/*
 * topic_delete: `klamm topic delete`. Asks before it does it, when there is somebody to ask.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/admin.h"
#include "cli/confirm.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "cli/topic.h"
#include "wire/codec.h"
#include "wire/delete_topics.h"
#include "wire/kerr.h"

enum { TOPICS_PER_REQUEST = 200, TOPICS_NAMED_MAX = 10, BY_NAME_SINCE = 6 };

static const char help[] =
    "usage: klamm topic delete NAME... [--yes] [--if-exists] [--json]\n\n"
    "Deletes topics with all their records. Nothing brings them back.\n\n"
    "  --yes                       does not ask; needed when standard input is no terminal\n"
    "  --if-exists                 a topic that is not there is no error\n"
    "  --json                      an array of objects, of the topics that are gone: name, and\n"
    "                              is_deleted: false when it was not there\n" //
    ADMIN_HELP_BOOTSTRAP;

struct delete
{
    struct admin admin;
    struct cli_words words;
    const char *bootstrap;
    bool is_sure;
    bool is_repeatable, is_json;
    json_t *array;
    int16_t version;
    int64_t deleted, missing, failed;
};

/* ---- a request and its answer */

static const void *fill_request(void *arg, struct arena *arena, int64_t first, int32_t count)
{
    const struct delete *d = arg;
    struct delete_topics_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL);
    wire_defaults(&delete_topics_request_layout, request);
    request->timeout_ms = ADMIN_TIMEOUT_MS;
    if (d->version < BY_NAME_SINCE) {
        request->topic_names.items =
            arena_alloc_array(arena, (size_t)count, sizeof(*request->topic_names.items));
        ASSERT(request->topic_names.items != NULL);
        request->topic_names.count = count;
        for (int i = 0; i < count; i++)
            request->topic_names.items[i] = wire_str_of(d->words.items[first + i]);
        return request;
    }
    enum err e = wire_array_new(arena, &delete_topics_request_delete_topic_state_layout, count,
                                &request->topics);
    ASSERT(e == ERR_OK);
    for (int i = 0; i < count; i++)
        request->topics.items[i].name = wire_str_of(d->words.items[first + i]);
    return request;
}

static void tell(const struct delete *d, struct wire_str name, bool is_deleted)
{
    if (d->is_json) {
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(name));
        json_out_set(object, "is_deleted", json_boolean(is_deleted));
        json_out_append(d->array, object);
    } else if (d->words.count <= TOPICS_NAMED_MAX) {
        printf(is_deleted ? "deleted topic %.*s\n" : "topic %.*s is not there\n", ADMIN_STR(name));
    }
}

static void take_result(struct delete *d,
                        const struct delete_topics_response_deletable_topic_result *topic)
{
    if (topic->error_code == KERR_NONE) {
        d->deleted++;
        tell(d, topic->name, true);
    } else if (topic->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION && d->is_repeatable) {
        d->missing++;
        tell(d, topic->name, false);
    } else if (d->failed++ < TOPIC_ERRORS_SHOWN_MAX) {
        admin_complain(&d->admin, topic->name, topic->error_code, topic->error_message);
    }
}

static int64_t take_response(void *arg, const void *body)
{
    struct delete *d = arg;
    const struct delete_topics_response *response = body;
    for (int32_t i = 0; i < response->responses.count; i++)
        take_result(d, &response->responses.items[i]);
    return d->deleted;
}

/* ---- all of it */

static int delete_all(struct delete *d)
{
    char done[CLI_COUNT_SIZE], all[CLI_COUNT_SIZE];
    if (client_sync_version(d->admin.sync, CLIENT_ANY_NODE, KEY_DELETE_TOPICS, &d->admin.why,
                            &d->version) != ERR_OK)
        return cli_complain("%s", strbuf_text(&d->admin.why));
    struct admin_portions portions = {
        .api_key = KEY_DELETE_TOPICS,
        .count = d->words.count,
        .step = TOPICS_PER_REQUEST,
        .verb = "deleted",
        .fill = fill_request,
        .take = take_response,
        .arg = d,
    };
    d->array = json_array();
    bool is_answered = topic_call_portions(&d->admin, &portions, &d->failed, d->array, d->is_json);
    if (d->words.count > TOPICS_NAMED_MAX && !d->is_json)
        printf("deleted %s of %s topics\n", cli_count(d->deleted, done),
               cli_count(d->words.count, all));
    return is_answered && d->failed == 0 ? CLI_OK : CLI_FAILED;
}

static bool is_confirmed(const struct delete *d)
{
    char count[CLI_COUNT_SIZE];
    if (d->words.count == 1)
        return cli_confirm("Delete topic %s with all its records?", d->words.items[0]);
    return cli_confirm("Delete %s topics with all their records?",
                       cli_count(d->words.count, count));
}

static int delete_if_sure(struct delete *d)
{
    if (!d->is_sure && !cli_can_confirm())
        return cli_complain_usage("topic delete", "nobody can be asked here: say --yes");
    if (!d->is_sure && !is_confirmed(d))
        return cli_complain("nothing was deleted");
    int status = admin_open(&d->admin, d->bootstrap) ? delete_all(d) : CLI_FAILED;
    admin_close(&d->admin);
    return status;
}

int cli_topic_delete(int argc, char **argv)
{
    struct delete d = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &d.bootstrap, 0, 0},
        {"--yes", CLI_FLAG, &d.is_sure, 0, 0},
        {"--if-exists", CLI_FLAG, &d.is_repeatable, 0, 0},
        {"--json", CLI_FLAG, &d.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic delete",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    d.words = parse.words;
    if (status == CLI_GO_ON)
        status = delete_if_sure(&d);
    cli_words_free(&d.words);
    return status;
}
