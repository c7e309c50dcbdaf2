// SPDX-License-Identifier: Apache-2.0
/*
 * topic_delete_records: `klamm topic delete-records`: DeleteRecords of every leader (KIP-107), as
 * Kafka's kafka-delete-records does it.
 *
 * All is looked at before anything is deleted: a partition that is not there, or that does not have
 * the offset, ends it. Asks first, when there is somebody to ask.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "cli/confirm.h"
#include "cli/group_words.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "cli/topic.h"
#include "cli/topic_choice.h"
#include "wire/codec.h"
#include "wire/delete_records.h"
#include "wire/kerr.h"

static const char help[] =
    "usage: klamm topic delete-records T[:P,...]... --before WHERE [--yes] [--dry-run] [--json]\n\n"
    "Deletes the oldest records of topics, or of some of their partitions. Nothing brings them\n"
    "back. When something speaks against one partition, nothing is deleted.\n\n"
    "  --before WHERE              an offset, which stays; end, for all that are there now; or a\n"
    "                              time: all before the first record that is not older: @MS,\n"
    "                              milliseconds since 1970, or 2026-01-31 or\n"
    "                              2026-01-31T23:59:59.999 in UTC\n"
    "  --yes                       does not ask; needed when standard input is no terminal\n"
    "  --dry-run                   shows what it would delete\n"
    "  --json                      an object: dry_run, partitions, each with the offsets where it\n"
    "                              began and where it begins now\n" //
    ADMIN_HELP_BOOTSTRAP;

static const struct table_column columns[] = {
    {"topic", false}, {"partition", true}, {"from", true}, {"to", true}};

struct trim {
    struct admin admin;
    const char *bootstrap;
    const char *goal_text;
    struct offset_goal goal;
    bool is_sure, is_dry, is_json;
    struct topic_choice choice; /* found_offset: where each is to begin, and does at the end */
    bool is_failed;
};

/* ---- looking */

/* Each partition that is wanted has to be told: what is not known must not become an offset to
 * delete before. `is_answered`: each leader did; else its silence has been said. */
static bool check_told(struct trim *t, bool is_answered)
{
    bool is_good = is_answered;
    for (int32_t i = 0; i < t->choice.count; i++) {
        const struct topic_view *view = &t->choice.views[i];
        for (int32_t j = 0; j < view->count; j++) {
            const struct partition_view *p = &view->partitions[j];
            if (!p->is_wanted || topic_view_is_told(p))
                continue;
            if (is_answered || p->is_answered || p->partition->leader_id < 0)
                topic_choice_complain(&t->admin, view, p);
            is_good = false;
        }
    }
    return is_good;
}

static bool ask_offsets(struct trim *t, int64_t timestamp)
{
    return check_told(t, topic_choice_ask_offsets(&t->admin, &t->choice, timestamp));
}

/* From where on records stay. Nothing that is found by its time, or a record that came after the
 * end was asked for: what was there then is older. */
static int64_t goal_of(const struct trim *t, const struct partition_view *p)
{
    int64_t to = p->end_offset;
    if (t->goal.kind == GOAL_OFFSET)
        to = t->goal.number;
    else if (t->goal.kind == GOAL_TIME && p->found_offset >= 0)
        to = MIN(p->found_offset, p->end_offset);
    return MAX(to, p->begin_offset);
}

static bool plan_partition(struct trim *t, const struct topic_view *view, struct partition_view *p)
{
    int32_t number = p->partition->partition_index;
    ASSERT(topic_view_is_told(p));
    if (p->begin_offset < 0 || p->end_offset < 0) {
        topic_choice_complain(&t->admin, view, p);
        return false;
    }
    int64_t to = goal_of(t, p);
    p->found_offset = to;
    if (to <= p->end_offset)
        return true;
    cli_complain("partition %d of topic \"%.*s\" has offsets %lld to %lld: there is no %lld",
                 number, ADMIN_STR(view->topic->name), (long long)p->begin_offset,
                 (long long)p->end_offset, (long long)to);
    return false;
}

static bool plan(struct trim *t)
{
    bool is_good = ask_offsets(t, OFFSET_AT_BEGIN) && ask_offsets(t, OFFSET_AT_END) &&
                   (t->goal.kind != GOAL_TIME || ask_offsets(t, t->goal.number));
    for (int32_t i = 0; is_good && i < t->choice.count; i++) {
        const struct topic_view *view = &t->choice.views[i];
        for (int32_t j = 0; j < view->count; j++) {
            if (view->partitions[j].is_wanted && !plan_partition(t, view, &view->partitions[j]))
                is_good = false;
        }
    }
    return is_good;
}

/* ---- DeleteRecords to one leader */

static bool is_asked(const struct partition_view *p, int32_t leader)
{
    return p->is_wanted && p->partition->leader_id == leader;
}

static void fill_topic(const struct topic_view *view, int32_t leader, struct arena *arena,
                       struct delete_records_request_delete_records_topic *topic)
{
    enum err e = wire_array_new(arena, &delete_records_request_delete_records_partition_layout,
                                view->count, &topic->partitions);
    ASSERT(e == ERR_OK);
    topic->name = view->topic->name;
    topic->partitions.count = 0;
    for (int32_t i = 0; i < view->count; i++) {
        const struct partition_view *p = &view->partitions[i];
        if (!is_asked(p, leader))
            continue;
        struct delete_records_request_delete_records_partition *row =
            &topic->partitions.items[topic->partitions.count++];
        row->partition_index = p->partition->partition_index;
        row->offset = p->found_offset;
    }
}

static struct topic_view *find_view(struct topic_view *views, int32_t count, struct wire_str name)
{
    for (int32_t i = 0; i < count; i++) {
        if (wire_str_equal(views[i].topic->name, name))
            return &views[i];
    }
    return NULL;
}

static void take_response(const struct delete_records_response *response, struct topic_view *views,
                          int32_t count)
{
    for (int32_t i = 0; i < response->topics.count; i++) {
        const struct delete_records_response_delete_records_topic_result *topic =
            &response->topics.items[i];
        const struct topic_view *view = find_view(views, count, topic->name);
        for (int32_t j = 0; view != NULL && j < topic->partitions.count; j++) {
            struct partition_view *p =
                topic_view_find(view, topic->partitions.items[j].partition_index);
            if (p == NULL)
                continue;
            p->is_answered = true;
            p->error = topic->partitions.items[j].error_code;
            p->found_offset = topic->partitions.items[j].low_watermark;
        }
    }
}

/* Nobody knows whether its records are there still. */
static void complain_silent(struct trim *t, int32_t leader, const struct topic_view *views,
                            int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j < views[i].count; j++) {
            const struct partition_view *p = &views[i].partitions[j];
            if (!is_asked(p, leader) || p->is_answered)
                continue;
            topic_choice_complain(&t->admin, &views[i], p);
            t->is_failed = true;
        }
    }
}

static bool ask_leader(struct trim *t, int32_t leader, struct topic_view *views, int32_t count)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct delete_records_request request;
    wire_defaults(&delete_records_request_layout, &request);
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    enum err e = wire_array_new(&arena, &delete_records_request_delete_records_topic_layout, count,
                                &request.topics);
    ASSERT(e == ERR_OK);
    request.topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        struct delete_records_request_delete_records_topic *topic =
            &request.topics.items[request.topics.count];
        fill_topic(&views[i], leader, &arena, topic);
        request.topics.count += topic->partitions.count > 0;
    }
    struct client_result result;
    bool is_answered = admin_call_node(&t->admin, leader, KEY_DELETE_RECORDS, &request, &result);
    if (is_answered) {
        take_response(result.body, views, count);
        complain_silent(t, leader, views, count);
        client_result_deinit(&result);
    }
    arena_deinit(&arena);
    return is_answered;
}

static void forget_answers(struct topic_choice *choice)
{
    for (int32_t i = 0; i < choice->count; i++) {
        for (int32_t j = 0; j < choice->views[i].count; j++) {
            choice->views[i].partitions[j].is_answered = false;
            choice->views[i].partitions[j].error = KERR_NONE;
        }
    }
}

static void delete_all(struct trim *t)
{
    forget_answers(&t->choice);
    for (int32_t i = 0; i < t->choice.count; i += TOPIC_CHOICE_CHUNK) {
        struct topic_view *views = &t->choice.views[i];
        int32_t count = MIN(TOPIC_CHOICE_CHUNK, t->choice.count - i);
        for (int32_t leader = topic_view_next_leader(views, count, -1); leader >= 0;
             leader = topic_view_next_leader(views, count, leader)) {
            if (!ask_leader(t, leader, views, count))
                t->is_failed = true;
        }
    }
}

/* ---- showing */

/* What failed is told instead. */
static bool is_shown(struct trim *t, const struct topic_view *view, const struct partition_view *p)
{
    if (!p->is_wanted || !p->is_answered)
        return false;
    if (p->error == KERR_NONE)
        return true;
    topic_choice_complain(&t->admin, view, p);
    t->is_failed = true;
    return false;
}

static json_t *row_json(const struct topic_view *view, const struct partition_view *p)
{
    json_t *object = json_object();
    json_out_set(object, "topic", json_out_str(view->topic->name));
    json_out_set(object, "partition", json_integer(p->partition->partition_index));
    json_out_set(object, "from", json_integer(p->begin_offset));
    json_out_set(object, "to", json_integer(p->found_offset));
    return object;
}

static int print_json(const struct trim *t, json_t *take_rows)
{
    json_t *object = json_object();
    json_out_set(object, "dry_run", json_boolean(t->is_dry));
    json_out_set(object, "partitions", take_rows);
    return json_out_print(object);
}

static void show(struct trim *t)
{
    struct table table;
    json_t *rows = json_array();
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < t->choice.count; i++) {
        const struct topic_view *view = &t->choice.views[i];
        for (int32_t j = 0; j < view->count; j++) {
            const struct partition_view *p = &view->partitions[j];
            if (!is_shown(t, view, p))
                continue;
            json_out_append(rows, row_json(view, p));
            table_add(&table, view->topic->name);
            table_add_number(&table, p->partition->partition_index);
            table_add_number(&table, p->begin_offset);
            table_add_number(&table, p->found_offset);
        }
    }
    bool is_empty = json_array_size(rows) == 0;
    if (!t->is_json) {
        json_decref(rows);
        if (!is_empty)
            table_print(&table, 0);
        if (t->is_dry)
            puts("dry run: nothing was deleted");
    } else if (print_json(t, rows) != CLI_OK) {
        t->is_failed = true;
    }
    table_deinit(&table);
}

/* ---- all of it */

static bool is_confirmed(const struct trim *t)
{
    char count[CLI_COUNT_SIZE];
    int64_t partitions = 0, records = 0;
    for (int32_t i = 0; i < t->choice.count; i++) {
        for (int32_t j = 0; j < t->choice.views[i].count; j++) {
            const struct partition_view *p = &t->choice.views[i].partitions[j];
            partitions += p->is_wanted;
            if (p->is_wanted)
                records += MIN(p->found_offset - p->begin_offset, INT64_MAX - records);
        }
    }
    return cli_confirm("Delete the records of %s offsets in %lld partition%s?",
                       cli_count(records, count), (long long)partitions,
                       partitions == 1 ? "" : "s");
}

static int trim(struct trim *t, const struct cli_words *words)
{
    if (!topic_choice_ask(&t->admin, words, &t->choice) || !t->choice.is_whole || !plan(t))
        return CLI_FAILED;
    if (!t->is_dry && !t->is_sure && !is_confirmed(t))
        return cli_complain("nothing was deleted");
    if (!t->is_dry)
        delete_all(t);
    show(t);
    return t->is_failed ? CLI_FAILED : CLI_OK;
}

static int check(struct trim *t, const struct cli_words *words)
{
    int status = topic_choice_check("topic delete-records", words);
    if (status != CLI_GO_ON)
        return status;
    if (t->goal_text == NULL)
        return cli_complain_usage("topic delete-records", "--before is missing");
    if (!offset_goal_parse(t->goal_text, &t->goal) || t->goal.kind == GOAL_BEGINNING)
        return cli_complain_usage("topic delete-records",
                                  "--before takes an offset, end, @MILLISECONDS or a time like "
                                  "2026-01-31T23:59, not \"%.100s\"",
                                  t->goal_text);
    if (!t->is_dry && !t->is_sure && !cli_can_confirm())
        return cli_complain_usage("topic delete-records", "nobody can be asked here: say --yes");
    return CLI_GO_ON;
}

int cli_topic_delete_records(int argc, char **argv)
{
    struct trim t = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &t.bootstrap, 0, 0}, {"--before", CLI_TEXT, &t.goal_text, 0, 0},
        {"--yes", CLI_FLAG, &t.is_sure, 0, 0},         {"--dry-run", CLI_FLAG, &t.is_dry, 0, 0},
        {"--json", CLI_FLAG, &t.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic delete-records",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = check(&t, &parse.words);
    if (status == CLI_GO_ON) {
        status = admin_open(&t.admin, t.bootstrap) ? trim(&t, &parse.words) : CLI_FAILED;
        topic_choice_deinit(&t.choice);
        admin_close(&t.admin);
    }
    cli_words_free(&parse.words);
    return status;
}
