// SPDX-License-Identifier: Apache-2.0
/* group_delete: `klamm group delete`. Thread: main. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/group.h"
#include "cli/group_view.h"
#include "cli/json_out.h"
#include "wire/codec.h"
#include "wire/delete_groups.h"
#include "wire/kerr.h"

enum { GROUPS_PER_REQUEST = 200 };

static const char help[] =
    "usage: klamm group delete NAME... [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Deletes groups with all their committed offsets. The broker refuses a group that has\n"
    "members.\n\n"
    "  --json                      an array of objects, of the groups that are gone: name\n" //
    ADMIN_HELP_BOOTSTRAP;

struct delete
{
    struct admin admin;
    bool is_json;
    json_t *array;
    bool is_failed;
};

static const void *fill_request(void *arg, struct arena *arena, const struct group_portion *portion)
{
    struct delete_groups_request *request = arena_alloc(arena, sizeof(*request));
    struct wire_str *names = arena_alloc_array(arena, (size_t)portion->count, sizeof(*names));
    ASSERT(request != NULL && names != NULL);
    wire_defaults(&delete_groups_request_layout, request);
    for (int32_t i = 0; i < portion->count; i++)
        names[i] = portion->targets[i]->name;
    request->groups_names = (struct wire_str_array){names, portion->count};
    return request;
}

static void tell_deleted(const struct delete *d, struct wire_str name)
{
    if (d->is_json) {
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(name));
        json_out_append(d->array, object);
        return;
    }
    struct strbuf text;
    strbuf_init(&text);
    group_name_add(&text, name);
    printf("deleted group %s\n", strbuf_text(&text));
    strbuf_deinit(&text);
}

static const struct delete_groups_response_deletable_group_result *
find_row(const struct delete_groups_response *response, struct wire_str name)
{
    for (int32_t i = 0; i < response->results.count; i++) {
        if (wire_str_equal(response->results.items[i].group_id, name))
            return &response->results.items[i];
    }
    return NULL;
}

/* In the order in which they were named, whatever the broker's is. */
static void take_response(void *arg, struct client_result *result,
                          const struct group_portion *portion)
{
    struct delete *d = arg;
    for (int32_t i = 0; i < portion->count; i++) {
        const struct delete_groups_response_deletable_group_result *row =
            find_row(result->body, portion->targets[i]->name);
        if (row == NULL || group_portion_answer(portion, row->group_id, row->error_code) == NULL)
            continue;
        if (row->error_code == KERR_NONE) {
            tell_deleted(d, row->group_id);
        } else {
            group_complain(&d->admin, row->group_id, row->error_code, row->error_message);
            d->is_failed = true;
        }
    }
}

static int delete_all(struct delete *d, const struct cli_words *words)
{
    int32_t count = 0;
    struct group_target *targets = group_targets_of(words, &count);
    struct group_ask ask = {
        .api_key = KEY_DELETE_GROUPS,
        .step = GROUPS_PER_REQUEST,
        .fill = fill_request,
        .take = take_response,
        .arg = d,
    };
    d->array = json_array();
    bool is_answered = group_ask(&d->admin, &ask, targets, count);
    if (!d->is_json)
        json_decref(d->array);
    else if (json_out_print(d->array) != CLI_OK)
        d->is_failed = true;
    mem_free(targets);
    return is_answered && !d->is_failed ? CLI_OK : CLI_FAILED;
}

int cli_group_delete(int argc, char **argv)
{
    struct delete d = {0};
    const char *bootstrap = NULL;
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &bootstrap, 0, 0},
        {"--json", CLI_FLAG, &d.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "group delete",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "the name of a group"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON) {
        status = admin_open(&d.admin, bootstrap) ? delete_all(&d, &parse.words) : CLI_FAILED;
        admin_close(&d.admin);
    }
    cli_words_free(&parse.words);
    return status;
}
