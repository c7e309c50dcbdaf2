// SPDX-License-Identifier: Apache-2.0
/*
 * topic_offsets: `klamm topic offsets`: ListOffsets of every leader, as Kafka's kafka-get-offsets
 * tells it.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/group_words.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "cli/topic.h"
#include "cli/topic_choice.h"
#include "wire/kerr.h"

static const char help[] =
    "usage: klamm topic offsets [T[:P,...]...] [--at WHERE] [--json]\n\n"
    "Finds an offset in each partition of topics, of all topics when none is named; T:0,3 means\n"
    "only these partitions.\n\n"
    "  --at WHERE                  beginning (or earliest); end (or latest; the default), where "
    "the\n"
    "                              next record goes; max-timestamp, the record with the largest\n"
    "                              timestamp; or a time, for the first record that is not older:\n"
    "                              @MS, milliseconds since 1970, or 2026-01-31 or\n"
    "                              2026-01-31T23:59:59.999 in UTC. \"-\": there is no such record\n"
    "  --json                      an array of objects: topic, partition, offset, timestamp\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column columns[] = {
    {"topic", false}, {"partition", true}, {"offset", true}, {"timestamp", true}};

struct offsets {
    struct admin admin;
    const char *bootstrap;
    const char *at_text;
    int64_t timestamp; /* as ListOffsets has it */
    bool is_json;
    bool has_silent; /* a leader did not answer, and that has been told */
    int status;
};

/* ---- words */

static bool parse_at(const char *text, int64_t *out)
{
    struct offset_goal goal;
    if (strcmp(text, "max-timestamp") == 0)
        *out = OFFSET_AT_MAX_TIME;
    else if (strcmp(text, "earliest") == 0)
        *out = OFFSET_AT_BEGIN;
    else if (strcmp(text, "latest") == 0)
        *out = OFFSET_AT_END;
    else if (!offset_goal_parse(text, &goal) || goal.kind == GOAL_OFFSET)
        return false;
    else
        *out = goal.kind == GOAL_BEGINNING ? OFFSET_AT_BEGIN
               : goal.kind == GOAL_END     ? OFFSET_AT_END
                                           : goal.number;
    return true;
}

/* ---- showing */

static bool has_time(const struct offsets *o)
{
    return o->timestamp != OFFSET_AT_BEGIN && o->timestamp != OFFSET_AT_END;
}

static int64_t offset_of(const struct offsets *o, const struct partition_view *p)
{
    return o->timestamp == OFFSET_AT_BEGIN ? p->begin_offset
           : o->timestamp == OFFSET_AT_END ? p->end_offset
                                           : p->found_offset;
}

/* Those that are not known are told instead. */
static bool is_shown(struct offsets *o, const struct topic_view *view,
                     const struct partition_view *p)
{
    bool has_leader = p->partition->leader_id >= 0;
    if (!p->is_wanted || (has_leader && !p->is_answered && o->has_silent))
        return false;
    if (has_leader && topic_view_is_told(p))
        return true;
    topic_choice_complain(&o->admin, view, p);
    o->status = CLI_FAILED;
    return false;
}

static json_t *row_json(const struct offsets *o, const struct topic_view *view,
                        const struct partition_view *p)
{
    json_t *object = json_object();
    json_out_set(object, "topic", json_out_str(view->topic->name));
    json_out_set(object, "partition", json_integer(p->partition->partition_index));
    json_out_set(object, "offset", json_out_number(offset_of(o, p)));
    json_out_set(object, "timestamp", json_out_number(p->found_time_ms));
    return object;
}

static void add_row(const struct offsets *o, const struct topic_view *view,
                    const struct partition_view *p, struct table *table)
{
    table_add(table, view->topic->name);
    table_add_number(table, p->partition->partition_index);
    table_add_number(table, offset_of(o, p));
    if (has_time(o))
        table_add_number(table, p->found_time_ms);
}

static void show(struct offsets *o, const struct topic_choice *choice)
{
    struct table table;
    json_t *array = json_array();
    int64_t count = 0;
    table_init(&table, columns, ARRAY_COUNT(columns) - !has_time(o));
    for (int32_t i = 0; i < choice->count; i++) {
        const struct topic_view *view = &choice->views[i];
        for (int32_t j = 0; j < view->count; j++) {
            if (!is_shown(o, view, &view->partitions[j]))
                continue;
            count++;
            if (o->is_json)
                json_out_append(array, row_json(o, view, &view->partitions[j]));
            else
                add_row(o, view, &view->partitions[j], &table);
        }
    }
    if (!o->is_json)
        json_decref(array);
    else if (json_out_print(array) != CLI_OK)
        o->status = CLI_FAILED;
    if (!o->is_json && count > 0)
        table_print(&table, 0);
    table_deinit(&table);
}

static void find(struct offsets *o, const struct cli_words *words)
{
    struct topic_choice choice;
    if (!topic_choice_ask(&o->admin, words, &choice)) {
        o->status = CLI_FAILED;
    } else {
        if (!choice.is_whole)
            o->status = CLI_FAILED;
        o->has_silent = !topic_choice_ask_offsets(&o->admin, &choice, o->timestamp);
        if (o->has_silent)
            o->status = CLI_FAILED;
        show(o, &choice);
    }
    topic_choice_deinit(&choice);
}

int cli_topic_offsets(int argc, char **argv)
{
    struct offsets o = {.at_text = "end", .status = CLI_OK};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &o.bootstrap, 0, 0},
        {"--at", CLI_TEXT, &o.at_text, 0, 0},
        {"--json", CLI_FLAG, &o.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic offsets",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = topic_choice_check("topic offsets", &parse.words);
    if (status == CLI_GO_ON && !parse_at(o.at_text, &o.timestamp))
        status = cli_complain_usage("topic offsets",
                                    "--at takes beginning, end, max-timestamp, @MILLISECONDS or a "
                                    "time like 2026-01-31T23:59, not \"%.100s\"",
                                    o.at_text);
    if (status == CLI_GO_ON) {
        if (admin_open(&o.admin, o.bootstrap))
            find(&o, &parse.words);
        else
            o.status = CLI_FAILED;
        admin_close(&o.admin);
        status = o.status;
    }
    cli_words_free(&parse.words);
    return status;
}
