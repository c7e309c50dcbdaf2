// SPDX-License-Identifier: Apache-2.0
/*
 * group_reset: `klamm group reset`: sets offsets of a group that nobody is in, as a consumer
 * without a group protocol would: OffsetCommit without generation and member.
 *
 * All is looked at before anything is changed: a group with members, a topic, partition or offset
 * that is not there ends it. A member that joins in between makes the broker refuse the commit.
 * OffsetCommit is asked in version 9 at most: later ones name topics by their ids.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/group.h"
#include "cli/group_plan.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/offset_commit.h"

enum { OFFSET_COMMIT_VERSION_MAX = 9 };

static const char help[] =
    "usage: klamm group reset NAME --topic T[:P,...] --to WHERE [--dry-run] [--json]\n\n"
    "Sets the offsets of a group that has no members; a group that is not there is made. When\n"
    "something speaks against one partition, none is changed.\n\n"
    "  --topic T[:P,...]           a topic, or partitions of it; may be given several times\n"
    "  --to WHERE                  beginning, end, an offset, or a time, for the first record\n"
    "                              that is not older: @MS, milliseconds since 1970, or\n"
    "                              2026-01-31 or 2026-01-31T23:59:59.999 in UTC\n"
    "  --dry-run                   shows what it would change\n"
    "  --json                      an object, for programs\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column columns[] = {
    {"topic", false}, {"partition", true}, {"from", true}, {"to", true}};

struct reset {
    struct admin admin;
    struct arena arena;
    struct cli_words topics; /* as they were given */
    const char *bootstrap;
    const char *goal_text;
    struct partition_choice *choices;
    struct offset_goal goal;
    bool is_dry, is_json;
    struct group_target group;
    bool is_new; /* the group is not there yet */
    struct group_offsets committed;
    struct group_plan plan;
    bool is_failed;
};

/* ---- words */

static int parse_words(struct reset *r)
{
    if (r->topics.count == 0)
        return cli_complain_usage("group reset", "--topic is missing");
    if (r->goal_text == NULL)
        return cli_complain_usage("group reset", "--to is missing");
    if (!offset_goal_parse(r->goal_text, &r->goal))
        return cli_complain_usage("group reset",
                                  "--to takes beginning, end, an offset, @MILLISECONDS or a time "
                                  "like 2026-01-31T23:59, not \"%.100s\"",
                                  r->goal_text);
    r->choices = arena_alloc_array(&r->arena, (size_t)r->topics.count, sizeof(*r->choices));
    ASSERT(r->choices != NULL);
    for (int i = 0; i < r->topics.count; i++) {
        if (!partition_choice_parse(r->topics.items[i], &r->arena, &r->choices[i]))
            return cli_complain_usage("group reset", "--topic takes T or T:P,P,... not \"%.100s\"",
                                      r->topics.items[i]);
    }
    return CLI_GO_ON;
}

/* ---- looking */

static bool complain_members(const struct reset *r)
{
    cli_complain("group \"%.*s\" is not empty: stop its members first", ADMIN_STR(r->group.name));
    return false;
}

static bool check_empty(struct reset *r)
{
    struct group_description description;
    bool is_good = group_description_ask(&r->admin, &r->group, 1, &description);
    const struct describe_groups_response_described_group *group = description.groups[0];
    if (is_good && r->group.error == KERR_GROUP_ID_NOT_FOUND)
        r->is_new = true;
    else if (is_good && r->group.error != KERR_NONE)
        is_good = group_complain(&r->admin, r->group.name, r->group.error, group->error_message) ==
                  CLI_OK;
    else if (is_good && !wire_str_is(group->group_state, "Empty"))
        is_good = complain_members(r);
    group_description_deinit(&description);
    return is_good;
}

static bool make_plan(struct reset *r)
{
    bool is_good = true;
    for (int i = 0; i < r->topics.count; i++)
        is_good &= group_plan_add(&r->admin, &r->plan, &r->choices[i], &r->goal);
    group_plan_finish(&r->plan, &r->committed);
    return is_good;
}

/* ---- OffsetCommit */

static void fill_topic(const struct group_plan *plan, int32_t first, struct arena *arena,
                       struct offset_commit_request_topic *topic)
{
    int32_t end = first + 1;
    while (end < plan->count && !group_plan_is_topic_start(plan, end))
        end++;
    topic->name = plan->rows[first].topic;
    enum err e = wire_array_new(arena, &offset_commit_request_partition_layout, end - first,
                                &topic->partitions);
    ASSERT(e == ERR_OK);
    for (int32_t i = first; i < end; i++) {
        topic->partitions.items[i - first].partition_index = plan->rows[i].partition;
        topic->partitions.items[i - first].committed_offset = plan->rows[i].to;
        topic->partitions.items[i - first].committed_metadata = wire_str_of("");
    }
}

static const void *fill_commit(void *arg, struct arena *arena, const struct group_portion *portion)
{
    const struct reset *r = arg;
    struct offset_commit_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL);
    wire_defaults(&offset_commit_request_layout, request);
    request->group_id = portion->targets[0]->name;
    int32_t topic_count = 0, used = 0;
    for (int32_t i = 0; i < r->plan.count; i++)
        topic_count += group_plan_is_topic_start(&r->plan, i);
    enum err e =
        wire_array_new(arena, &offset_commit_request_topic_layout, topic_count, &request->topics);
    ASSERT(e == ERR_OK);
    for (int32_t i = 0; i < r->plan.count; i++) {
        if (group_plan_is_topic_start(&r->plan, i))
            fill_topic(&r->plan, i, arena, &request->topics.items[used++]);
    }
    return request;
}

static int16_t take_rows(struct reset *r, const struct offset_commit_response *response)
{
    int16_t passing = KERR_NONE;
    for (int32_t t = 0; t < response->topics.count; t++) {
        const struct offset_commit_response_topic *topic = &response->topics.items[t];
        for (int32_t p = 0; p < topic->partitions.count; p++) {
            struct group_plan_row *row =
                group_plan_find(&r->plan, topic->name, topic->partitions.items[p].partition_index);
            if (row == NULL)
                continue;
            row->error = topic->partitions.items[p].error_code;
            row->is_set = row->error == KERR_NONE;
            if (group_is_passing(row->error))
                passing = row->error;
        }
    }
    return passing;
}

/* Errors are told row by row; those of the coordinator are alike in all that it would have taken.
 */
static void take_commit(void *arg, struct client_result *result,
                        const struct group_portion *portion)
{
    struct reset *r = arg;
    (void)group_portion_answer(portion, r->group.name, take_rows(r, result->body));
}

/* What is wrong with the group is told in every row. */
static bool is_of_group(int16_t error)
{
    return error == KERR_UNKNOWN_MEMBER_ID || error == KERR_INVALID_GROUP_ID ||
           error == KERR_GROUP_AUTHORIZATION_FAILED;
}

static void complain_rows(struct reset *r)
{
    for (int32_t i = 0; i < r->plan.count; i++) {
        const struct group_plan_row *row = &r->plan.rows[i];
        if (row->is_set)
            continue;
        r->is_failed = true;
        if (row->error == KERR_UNKNOWN_MEMBER_ID) /* somebody has joined */
            complain_members(r);
        else if (is_of_group(row->error))
            group_complain(&r->admin, r->group.name, row->error, wire_str_of(NULL));
        if (is_of_group(row->error))
            return;
        bool is_known = kerr_is_known(row->error) && row->error != KERR_NONE;
        cli_complain("partition %d of topic \"%.*s\": %s (%d)", row->partition,
                     ADMIN_STR(row->topic),
                     is_known ? kerr_name((enum kerr)row->error) : "was not set", row->error);
    }
}

static bool commit(struct reset *r)
{
    struct group_ask ask = {
        .api_key = KEY_OFFSET_COMMIT,
        .version_max = OFFSET_COMMIT_VERSION_MAX,
        .step = 1,
        .fill = fill_commit,
        .take = take_commit,
        .arg = r,
    };
    if (!group_ask(&r->admin, &ask, &r->group, 1))
        return false;
    complain_rows(r);
    return true;
}

/* ---- showing */

static bool is_shown(const struct reset *r, const struct group_plan_row *row)
{
    return r->is_dry || row->is_set;
}

static void print_text(const struct reset *r)
{
    struct table table;
    table_init(&table, columns, ARRAY_COUNT(columns));
    int32_t count = 0;
    for (int32_t i = 0; i < r->plan.count; i++) {
        const struct group_plan_row *row = &r->plan.rows[i];
        if (!is_shown(r, row))
            continue;
        table_add(&table, row->topic);
        table_add_number(&table, row->partition);
        table_add_number(&table, row->from);
        table_add_number(&table, row->to);
        count++;
    }
    if (count > 0)
        table_print(&table, 0);
    table_deinit(&table);
    if (r->is_dry)
        printf("dry run: nothing was changed%s\n", r->is_new ? "; the group is not there yet" : "");
}

static int print_json(const struct reset *r)
{
    json_t *object = json_object(), *rows = json_array();
    for (int32_t i = 0; i < r->plan.count; i++) {
        const struct group_plan_row *row = &r->plan.rows[i];
        if (!is_shown(r, row))
            continue;
        json_t *item = json_object();
        json_out_set(item, "topic", json_out_str(row->topic));
        json_out_set(item, "partition", json_integer(row->partition));
        json_out_set(item, "from", json_out_number(row->from));
        json_out_set(item, "to", json_integer(row->to));
        json_out_append(rows, item);
    }
    json_out_set(object, "group", json_out_str(r->group.name));
    json_out_set(object, "is_new", json_boolean(r->is_new));
    json_out_set(object, "dry_run", json_boolean(r->is_dry));
    json_out_set(object, "offsets", rows);
    return json_out_print(object);
}

static int reset(struct reset *r)
{
    bool is_good = check_empty(r) && group_offsets_fetch(&r->admin, &r->group, &r->committed) &&
                   make_plan(r) && (r->is_dry || commit(r));
    cli_progress_clear(&r->admin.progress);
    if (!is_good)
        return CLI_FAILED;
    if (!r->is_json)
        print_text(r);
    else if (print_json(r) != CLI_OK)
        return CLI_FAILED;
    return r->is_failed ? CLI_FAILED : CLI_OK;
}

int cli_group_reset(int argc, char **argv)
{
    struct reset r = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &r.bootstrap, 0, 0}, {"--topic", CLI_TEXTS, &r.topics, 0, 0},
        {"--to", CLI_TEXT, &r.goal_text, 0, 0},        {"--dry-run", CLI_FLAG, &r.is_dry, 0, 0},
        {"--json", CLI_FLAG, &r.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "group reset",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = 1,
                              .word_name = "the name of a group"};
    int status = cli_parse(&parse, argc, argv);
    arena_init(&r.arena, SIZE_MAX);
    if (status == CLI_GO_ON)
        status = parse_words(&r);
    if (status == CLI_GO_ON) {
        r.group = (struct group_target){.name = wire_str_of(parse.words.items[0]),
                                        .coordinator = GROUP_NOWHERE};
        status = admin_open(&r.admin, r.bootstrap) ? reset(&r) : CLI_FAILED;
        group_plan_deinit(&r.plan);
        group_offsets_deinit(&r.committed);
        admin_close(&r.admin);
    }
    arena_deinit(&r.arena);
    cli_words_free(&r.topics);
    cli_words_free(&parse.words);
    return status;
}
