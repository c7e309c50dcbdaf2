// SPDX-License-Identifier: Apache-2.0
/*
 * group_why: `klamm group why`: DescribeGroups of the group's coordinator with a tagged field of
 * ours that asks for an explanation (docs/decisions/009-explaining-a-group.md). A broker that does
 * not know the field answers as always, and that is said.
 *
 * Thread: main.
 */
#include "cli/group_why.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/nearest.h"
#include "cli/group.h"
#include "cli/group_view.h"
#include "cli/table.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum { NOT_FOUND_IS_TOLD_SINCE = 6 };

static const char help[] =
    "usage: klamm group why NAME [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Says why a group is in the state it is in: since when, which member it waits for and until\n"
    "when, what began the last rebalance; then shows its members with their last requests. Only\n"
    "Klamm brokers explain.\n\n"
    "  --json                      an object with all that the broker told, for programs\n" //
    ADMIN_HELP_BOOTSTRAP;

struct why {
    struct admin admin;
    struct group_target target;
    struct client_result result; /* taken over */
    struct group_why view;       /* view.group NULL: no answer, and it has been said why */
    bool is_json;
};

/* ---- asking */

static const void *fill_request(void *arg, struct arena *arena, const struct group_portion *portion)
{
    struct describe_groups_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL && portion->count == 1);
    wire_defaults(&describe_groups_request_layout, request);
    request->groups = (struct wire_str_array){&portion->targets[0]->name, 1};
    request->include_explanation = true;
    return request;
}

static bool is_there(const struct describe_groups_response_described_group *group, int16_t version)
{
    return group->error_code != KERR_NONE || version >= NOT_FOUND_IS_TOLD_SINCE ||
           !wire_str_is(group->group_state, "Dead");
}

/* A coordinator that is not able to answer and says why is not asked again. */
static void take_response(void *arg, struct client_result *result,
                          const struct group_portion *portion)
{
    struct why *w = arg;
    const struct describe_groups_response *response = result->body;
    for (int32_t i = 0; i < response->groups.count && w->view.group == NULL; i++) {
        const struct describe_groups_response_described_group *group = &response->groups.items[i];
        int16_t error =
            is_there(group, result->version) ? group->error_code : KERR_GROUP_ID_NOT_FOUND;
        struct group_target *target = &w->target;
        int32_t node = target->coordinator;
        if (!wire_str_equal(group->group_id, target->name))
            continue;
        if (group->explanation != NULL && group_is_passing(error)) {
            target->error = error;
            target->state = GROUP_ANSWERED;
        } else if (group_portion_answer(portion, group->group_id, error) == NULL) {
            continue;
        }
        w->view = (struct group_why){group, node};
    }
    if (w->view.group == NULL)
        return;
    w->result = *result;
    *result = (struct client_result){0};
}

/* ---- groups that are not there */

/* Null: none is close. */
static struct wire_str closest(const struct group_listing *listing, struct wire_str name)
{
    struct nearest nearest;
    nearest_init(&nearest, name.data, (size_t)MAX(name.len, 0));
    for (int32_t i = 0; i < listing->count; i++) {
        struct wire_str other = listing->groups[i].group->group_id;
        nearest_offer(&nearest, other.data, (size_t)MAX(other.len, 0));
    }
    return nearest.best != NULL ? (struct wire_str){nearest.best, (int32_t)nearest.best_len}
                                : wire_str_of(NULL);
}

static int complain_missing(struct why *w)
{
    struct wire_str_array any_state = {NULL, 0};
    struct wire_str name = w->target.name, message = w->view.group->error_message;
    struct group_listing listing;
    group_listing_ask(&w->admin, &any_state, &listing);
    struct wire_str other = closest(&listing, name);
    if (wire_str_equal(other, name)) /* one of another kind, KIP-848: the broker says so */
        group_complain(&w->admin, name, KERR_GROUP_ID_NOT_FOUND, message);
    else if (other.len > 0)
        cli_complain("no such group \"%.*s\"; did you mean \"%.*s\"?", ADMIN_STR(name),
                     ADMIN_STR(other));
    else
        cli_complain("no such group \"%.*s\"", ADMIN_STR(name));
    group_listing_deinit(&listing);
    return CLI_FAILED;
}

/* ---- showing */

static int show_refused(struct why *w)
{
    struct strbuf text;
    strbuf_init(&text);
    group_why_refused(&w->view, &text);
    if (w->is_json)
        json_out_print(group_why_json(&w->view, strbuf_text(&text)));
    cli_complain("%s", strbuf_text(&text));
    strbuf_deinit(&text);
    return CLI_FAILED;
}

static int show_explained(struct why *w)
{
    struct strbuf text;
    int status = CLI_OK;
    strbuf_init(&text);
    group_why_sentences(&w->view, &text);
    if (w->is_json) {
        status = json_out_print(group_why_json(&w->view, strbuf_text(&text)));
    } else {
        fputs(strbuf_text(&text), stdout);
        group_why_print_members(&w->view);
    }
    strbuf_deinit(&text);
    return status;
}

static int show(struct why *w)
{
    const struct describe_groups_response_described_group *group = w->view.group;
    int16_t error = w->target.error;
    if (error == KERR_GROUP_ID_NOT_FOUND)
        return complain_missing(w);
    if (error != KERR_NONE && group->explanation != NULL)
        return show_refused(w);
    if (error != KERR_NONE)
        return group_complain(&w->admin, w->target.name, error, group->error_message);
    if (group->explanation == NULL)
        return cli_complain("group \"%.*s\" is %.*s; this broker does not explain why: it is no "
                            "Klamm, or an older one",
                            ADMIN_STR(w->target.name), ADMIN_STR(group->group_state));
    return show_explained(w);
}

static int explain(struct why *w)
{
    struct group_ask ask = {
        .api_key = KEY_DESCRIBE_GROUPS,
        .step = 1,
        .fill = fill_request,
        .take = take_response,
        .arg = w,
    };
    group_ask(&w->admin, &ask, &w->target, 1);
    int status = w->view.group != NULL ? show(w) : CLI_FAILED;
    client_result_deinit(&w->result);
    return status;
}

int cli_group_why(int argc, char **argv)
{
    struct why w = {0};
    const char *bootstrap = NULL;
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &bootstrap, 0, 0},
        {"--json", CLI_FLAG, &w.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "group why",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = 1,
                              .word_name = "the name of a group"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON) {
        w.target = (struct group_target){.name = wire_str_of(parse.words.items[0]),
                                         .coordinator = GROUP_NOWHERE};
        status = admin_open(&w.admin, bootstrap) ? explain(&w) : CLI_FAILED;
        admin_close(&w.admin);
    }
    cli_words_free(&parse.words);
    return status;
}
