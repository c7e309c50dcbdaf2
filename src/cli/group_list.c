// SPDX-License-Identifier: Apache-2.0
/* group_list: `klamm group list`: a group a line, by name. Thread: main. */
#include <strings.h>

#include "base/assert.h"
#include "cli/group.h"
#include "cli/group_view.h"
#include "cli/json_out.h"
#include "cli/table.h"

static const char help[] =
    "usage: klamm group list [--state STATE,...] [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Names all groups, with their state and the type of their protocol: \"consumer\" for "
    "consumers,\n"
    "\"-\" for groups that never had a member.\n\n"
    "  --state STATE,...           only those in one of these states: Empty, PreparingRebalance,\n"
    "                              CompletingRebalance, Stable, Dead\n"
    "  --json                      an array of objects: name, state, protocol_type, type,\n"
    "                              coordinator\n" //
    ADMIN_HELP_BOOTSTRAP;

/* Kafka's, those of its newer kinds of groups included. */
static const char *const state_names[] = {
    "Empty", "PreparingRebalance", "CompletingRebalance", "Stable",
    "Dead",  "Assigning",          "Reconciling",         "NotReady",
};

static const struct table_column columns[] = {
    {"group", false}, {"state", false}, {"protocol", false}};

struct list_command {
    const char *bootstrap;
    const char *states_text; /* NULL: all */
    bool is_json;
    struct wire_str states[ARRAY_COUNT(state_names)];
    int32_t state_count;
};

static const char *find_state(const char *text, size_t len)
{
    for (size_t i = 0; i < ARRAY_COUNT(state_names); i++) {
        if (strlen(state_names[i]) == len && strncasecmp(state_names[i], text, len) == 0)
            return state_names[i];
    }
    return NULL;
}

static void add_state(struct list_command *c, const char *name)
{
    for (int32_t i = 0; i < c->state_count; i++) {
        if (wire_str_is(c->states[i], name))
            return;
    }
    ASSERT(c->state_count < (int32_t)ARRAY_COUNT(c->states));
    c->states[c->state_count++] = wire_str_of(name);
}

static int parse_states(struct list_command *c)
{
    for (const char *at = c->states_text; at != NULL; at++) {
        size_t len = strcspn(at, ",");
        const char *name = find_state(at, len);
        if (name == NULL)
            return cli_complain_usage("group list", "there is no state \"%.*s\"",
                                      (int)MIN(len, (size_t)100), at);
        add_state(c, name);
        at += len;
        if (*at == '\0')
            break;
    }
    return CLI_GO_ON;
}

static void print_text(const struct group_listing *listing)
{
    struct table table;
    struct strbuf name;
    strbuf_init(&name);
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < listing->count; i++) {
        const struct list_groups_response_listed_group *group = listing->groups[i].group;
        strbuf_clear(&name);
        group_name_add(&name, group->group_id);
        table_add(&table, wire_str_of(strbuf_text(&name)));
        table_add(&table, group->group_state);
        table_add(&table, group->protocol_type);
    }
    if (listing->count > 0)
        table_print(&table, 0);
    table_deinit(&table);
    strbuf_deinit(&name);
}

static int print_json(const struct group_listing *listing)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < listing->count; i++) {
        const struct list_groups_response_listed_group *group = listing->groups[i].group;
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(group->group_id));
        json_out_set(object, "state", json_out_str(group->group_state));
        json_out_set(object, "protocol_type", json_out_str(group->protocol_type));
        json_out_set(object, "type", json_out_str(group->group_type));
        json_out_set(object, "coordinator", json_integer(listing->groups[i].node));
        json_out_append(array, object);
    }
    return json_out_print(array);
}

static int list(struct list_command *c, struct admin *a)
{
    struct wire_str_array states = {c->states, c->state_count};
    struct group_listing listing;
    int status = group_listing_ask(a, &states, &listing) ? CLI_OK : CLI_FAILED;
    bool is_asked = listing.results != NULL;
    if (is_asked && !c->is_json)
        print_text(&listing);
    else if (is_asked && print_json(&listing) != CLI_OK)
        status = CLI_FAILED;
    group_listing_deinit(&listing);
    return status;
}

int cli_group_list(int argc, char **argv)
{
    struct list_command c = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &c.bootstrap, 0, 0},
        {"--state", CLI_TEXT, &c.states_text, 0, 0},
        {"--json", CLI_FLAG, &c.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "group list",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options)};
    int status = cli_parse(&parse, argc, argv);
    cli_words_free(&parse.words);
    if (status == CLI_GO_ON)
        status = parse_states(&c);
    if (status != CLI_GO_ON)
        return status;
    struct admin a;
    status = admin_open(&a, c.bootstrap) ? list(&c, &a) : CLI_FAILED;
    admin_close(&a);
    return status;
}
