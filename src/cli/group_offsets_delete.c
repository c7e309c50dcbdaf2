// SPDX-License-Identifier: Apache-2.0
/*
 * group_offsets_delete: `klamm group offsets delete`. OffsetFetch tells what is there, for topics
 * that are named without partitions and so that what is not there is told; then OffsetDelete.
 *
 * Thread: main.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/group.h"
#include "cli/group_offsets.h"
#include "cli/group_words.h"
#include "cli/json_out.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/offset_delete.h"

static const char help[] =
    "usage: klamm group offsets delete NAME --topic T[:P,...] [--json]\n\n"
    "Deletes what a group has committed for a topic, or for some of its partitions. The broker\n"
    "refuses it while members of the group read the topic.\n\n"
    "  --topic T[:P,...]           a topic, or partitions of it; may be given several times\n"
    "  --json                      an object: group, offsets (those that are gone)\n" //
    ADMIN_HELP_BOOTSTRAP;

struct delete
{
    struct admin admin;
    struct arena arena;
    struct cli_words topics; /* as they were given */
    const char *bootstrap;
    bool is_json;
    json_t *array; /* NULL unless --json */
    struct partition_choice *choices;
    struct group_target group;
    struct group_offsets offsets;
    const struct group_offset **rows; /* to delete, in the order of their topics */
    int32_t row_count;
    bool is_failed;
};

/* ---- which */

static int parse_topics(struct delete *d)
{
    d->choices = arena_alloc_array(&d->arena, (size_t)d->topics.count + 1, sizeof(*d->choices));
    ASSERT(d->choices != NULL);
    if (d->topics.count == 0)
        return cli_complain_usage("group offsets delete", "--topic is missing");
    for (int i = 0; i < d->topics.count; i++) {
        if (!partition_choice_parse(d->topics.items[i], &d->arena, &d->choices[i]))
            return cli_complain_usage("group offsets delete",
                                      "--topic takes T or T:P,P,... not \"%.100s\"",
                                      d->topics.items[i]);
    }
    return CLI_GO_ON;
}

static bool is_chosen(const struct partition_choice *choice, const struct group_offset *row)
{
    if (row->committed_offset == OFFSET_UNKNOWN || !wire_str_is(row->topic, choice->topic))
        return false;
    for (int32_t i = 0; i < choice->count; i++) {
        if (choice->partitions[i] == row->partition)
            return true;
    }
    return choice->count == 0;
}

static void choose_rows(struct delete *d)
{
    d->rows =
        arena_alloc_array(&d->arena, (size_t)d->offsets.count + 1, sizeof(struct group_offset *));
    ASSERT(d->rows != NULL);
    for (int32_t i = 0; i < d->offsets.count; i++) {
        bool is_wanted = false;
        for (int c = 0; c < d->topics.count; c++)
            is_wanted |= is_chosen(&d->choices[c], &d->offsets.rows[i]);
        if (is_wanted)
            d->rows[d->row_count++] = &d->offsets.rows[i];
    }
}

/* What was asked for and is not there. */
static void complain_missing(struct delete *d, const struct partition_choice *choice)
{
    struct wire_str topic = wire_str_of(choice->topic);
    for (int32_t i = 0; i < choice->count; i++) {
        const struct group_offset *row =
            group_offsets_find(&d->offsets, topic, choice->partitions[i]);
        if (row != NULL && row->committed_offset != OFFSET_UNKNOWN)
            continue;
        d->is_failed = true;
        cli_complain("group \"%.*s\" has no offset of partition %d of topic \"%s\"",
                     ADMIN_STR(d->group.name), choice->partitions[i], choice->topic);
    }
    bool has_any = choice->count > 0;
    for (int32_t i = 0; i < d->row_count && !has_any; i++)
        has_any = wire_str_equal(d->rows[i]->topic, topic);
    if (has_any)
        return;
    d->is_failed = true;
    cli_complain("group \"%.*s\" has no offsets of topic \"%s\"", ADMIN_STR(d->group.name),
                 choice->topic);
}

/* ---- the request */

static bool is_topic_start(const struct delete *d, int32_t row)
{
    return row == 0 || !wire_str_equal(d->rows[row]->topic, d->rows[row - 1]->topic);
}

static void fill_topic(const struct delete *d, int32_t first, struct arena *arena,
                       struct offset_delete_request_topic *topic)
{
    int32_t end = first + 1;
    while (end < d->row_count && !is_topic_start(d, end))
        end++;
    topic->name = d->rows[first]->topic;
    enum err e = wire_array_new(arena, &offset_delete_request_partition_layout, end - first,
                                &topic->partitions);
    ASSERT(e == ERR_OK);
    for (int32_t i = first; i < end; i++)
        topic->partitions.items[i - first].partition_index = d->rows[i]->partition;
}

static const void *fill_request(void *arg, struct arena *arena, const struct group_portion *portion)
{
    const struct delete *d = arg;
    struct offset_delete_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL);
    wire_defaults(&offset_delete_request_layout, request);
    request->group_id = portion->targets[0]->name;
    int32_t topic_count = 0;
    for (int32_t i = 0; i < d->row_count; i++)
        topic_count += is_topic_start(d, i);
    enum err e =
        wire_array_new(arena, &offset_delete_request_topic_layout, topic_count, &request->topics);
    ASSERT(e == ERR_OK);
    int32_t used = 0;
    for (int32_t i = 0; i < d->row_count; i++) {
        if (is_topic_start(d, i))
            fill_topic(d, i, arena, &request->topics.items[used++]);
    }
    return request;
}

static void tell_deleted(const struct delete *d, const struct group_offset *row)
{
    if (!d->is_json) {
        printf("deleted offset %lld of partition %d of topic %.*s\n",
               (long long)row->committed_offset, row->partition, ADMIN_STR(row->topic));
        return;
    }
    json_t *object = json_object();
    json_out_set(object, "topic", json_out_str(row->topic));
    json_out_set(object, "partition", json_integer(row->partition));
    json_out_set(object, "offset", json_integer(row->committed_offset));
    json_out_append(d->array, object);
}

static void take_row(struct delete *d, struct wire_str topic, int32_t partition, int16_t error)
{
    const struct group_offset *row = group_offsets_find(&d->offsets, topic, partition);
    if (error == KERR_NONE && row != NULL) {
        tell_deleted(d, row);
        return;
    }
    char number[24];
    snprintf(number, sizeof(number), "error %d", error);
    bool is_known = kerr_is_known(error);
    d->is_failed = true;
    cli_complain("partition %d of topic \"%.*s\": %s: %s", partition, ADMIN_STR(topic),
                 is_known ? kerr_name((enum kerr)error) : number,
                 is_known ? kerr_message((enum kerr)error) : "the broker refused it");
}

static void take_response(void *arg, struct client_result *result,
                          const struct group_portion *portion)
{
    struct delete *d = arg;
    const struct offset_delete_response *response = result->body;
    if (group_portion_answer(portion, d->group.name, response->error_code) == NULL)
        return;
    if (response->error_code != KERR_NONE) {
        group_complain(&d->admin, d->group.name, response->error_code, wire_str_of(NULL));
        d->is_failed = true;
        return;
    }
    for (int32_t t = 0; t < response->topics.count; t++) {
        const struct offset_delete_response_topic *topic = &response->topics.items[t];
        for (int32_t p = 0; p < topic->partitions.count; p++)
            take_row(d, topic->name, topic->partitions.items[p].partition_index,
                     topic->partitions.items[p].error_code);
    }
}

/* ---- all of it */

static void delete_offsets(struct delete *d)
{
    if (!group_offsets_fetch(&d->admin, &d->group, &d->offsets)) {
        d->is_failed = true;
        return;
    }
    choose_rows(d);
    for (int i = 0; i < d->topics.count; i++)
        complain_missing(d, &d->choices[i]);
    if (d->row_count == 0)
        return;
    struct group_ask ask = {
        .api_key = KEY_OFFSET_DELETE,
        .step = 1,
        .fill = fill_request,
        .take = take_response,
        .arg = d,
    };
    if (!group_ask(&d->admin, &ask, &d->group, 1))
        d->is_failed = true;
}

/* An empty list when nothing was there. */
static int print_json(const struct delete *d)
{
    json_t *object = json_object();
    json_out_set(object, "group", json_out_str(d->group.name));
    json_out_set(object, "offsets", d->array);
    return json_out_print(object);
}

static int run(struct delete *d)
{
    if (!admin_open(&d->admin, d->bootstrap))
        return CLI_FAILED;
    d->array = d->is_json ? json_array() : NULL;
    delete_offsets(d);
    if (d->is_json && print_json(d) != CLI_OK)
        d->is_failed = true;
    return d->is_failed ? CLI_FAILED : CLI_OK;
}

int cli_group_offsets_delete(int argc, char **argv)
{
    struct delete d = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &d.bootstrap, 0, 0},
        {"--topic", CLI_TEXTS, &d.topics, 0, 0},
        {"--json", CLI_FLAG, &d.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "group offsets delete",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = 1,
                              .word_name = "the name of a group"};
    int status = cli_parse(&parse, argc, argv);
    arena_init(&d.arena, SIZE_MAX);
    if (status == CLI_GO_ON)
        status = parse_topics(&d);
    if (status == CLI_GO_ON) {
        d.group = (struct group_target){.name = wire_str_of(parse.words.items[0]),
                                        .coordinator = GROUP_NOWHERE};
        status = run(&d);
        group_offsets_deinit(&d.offsets);
        admin_close(&d.admin);
    }
    arena_deinit(&d.arena);
    cli_words_free(&d.topics);
    cli_words_free(&parse.words);
    return status;
}
