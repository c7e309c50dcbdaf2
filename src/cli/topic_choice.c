// SPDX-License-Identifier: Apache-2.0
/* topic_choice: see topic_choice.h. Thread: main. */
#include "cli/topic_choice.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/group_words.h"
#include "wire/codec.h"
#include "wire/kerr.h"

/* ---- words */

int topic_choice_check(const char *command, const struct cli_words *words)
{
    int status = CLI_GO_ON;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    for (int i = 0; i < words->count && status == CLI_GO_ON; i++) {
        struct partition_choice parsed;
        if (!partition_choice_parse(words->items[i], &arena, &parsed))
            status = cli_complain_usage(command, "T or T:P,P,... is wanted, not \"%.100s\"",
                                        words->items[i]);
    }
    arena_deinit(&arena);
    return status;
}

static struct partition_choice *parse_all(const struct cli_words *words, struct arena *arena)
{
    struct partition_choice *parsed =
        arena_alloc_array(arena, (size_t)words->count + 1, sizeof(*parsed));
    ASSERT(parsed != NULL);
    for (int i = 0; i < words->count; i++) {
        bool is_good = partition_choice_parse(words->items[i], arena, &parsed[i]);
        ASSERT(is_good); /* by topic_choice_check */
    }
    return parsed;
}

/* ---- Metadata */

static int by_name(const void *a, const void *b)
{
    const struct topic_view *x = a, *y = b;
    return wire_str_compare(x->topic->name, y->topic->name);
}

struct topic_view *topic_choice_find(const struct topic_choice *choice, struct wire_str name)
{
    struct metadata_response_topic topic = {.name = name};
    struct topic_view key = {.topic = &topic};
    return bsearch(&key, choice->views, (size_t)choice->count, sizeof(key), by_name);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(((const struct partition_choice *)a)->topic,
                  ((const struct partition_choice *)b)->topic);
}

/* Each topic once: `parsed` is in the order of its names. */
static void fill_names(const struct partition_choice *parsed, int count, struct arena *arena,
                       struct admin_topics *topics)
{
    enum err e = wire_array_new(arena, &metadata_request_topic_layout, count, &topics->names);
    ASSERT(e == ERR_OK);
    topics->names.count = 0;
    for (int i = 0; i < count; i++) {
        if (i == 0 || strcmp(parsed[i].topic, parsed[i - 1].topic) != 0)
            topics->names.items[topics->names.count++].name = wire_str_of(parsed[i].topic);
    }
}

static void take_topics(struct admin *a, struct topic_choice *out)
{
    const struct metadata_response *response = out->result.body;
    size_t count = (size_t)MAX(response->topics.count, 0);
    out->views = mem_alloc((count + 1) * sizeof(*out->views));
    for (size_t i = 0; i < count; i++) {
        const struct metadata_response_topic *topic = &response->topics.items[i];
        if (topic->error_code == KERR_NONE) {
            topic_view_init(&out->views[out->count++], topic);
        } else {
            admin_complain(a, topic->name, topic->error_code, wire_str_of(NULL));
            out->is_whole = false;
        }
    }
    qsort(out->views, (size_t)out->count, sizeof(*out->views), by_name);
}

/* ---- partitions */

static void want_nothing(struct topic_choice *choice)
{
    for (int32_t i = 0; i < choice->count; i++) {
        for (int32_t j = 0; j < choice->views[i].count; j++)
            choice->views[i].partitions[j].is_wanted = false;
    }
}

static void want(const struct partition_choice *parsed, struct topic_choice *choice)
{
    struct topic_view *view = topic_choice_find(choice, wire_str_of(parsed->topic));
    if (view == NULL)
        return; /* that it is not there has been said */
    for (int32_t i = 0; parsed->count == 0 && i < view->count; i++)
        view->partitions[i].is_wanted = true;
    for (int32_t i = 0; i < parsed->count; i++) {
        struct partition_view *partition = topic_view_find(view, parsed->partitions[i]);
        if (partition != NULL) {
            partition->is_wanted = true;
        } else {
            admin_complain_partition(parsed->topic, view->count, parsed->partitions[i]);
            choice->is_whole = false;
        }
    }
}

bool topic_choice_ask(struct admin *a, const struct cli_words *words, struct topic_choice *out)
{
    *out = (struct topic_choice){.is_whole = true};
    arena_init(&out->arena, SIZE_MAX);
    struct admin_topics topics = {.names = {NULL, -1}};
    struct partition_choice *parsed = parse_all(words, &out->arena);
    if (words->count > 0) {
        qsort(parsed, (size_t)words->count, sizeof(*parsed), compare_words);
        fill_names(parsed, words->count, &out->arena, &topics);
    }
    if (!admin_metadata(a, &topics, &out->result))
        return false;
    take_topics(a, out);
    if (words->count > 0)
        want_nothing(out);
    for (int i = 0; i < words->count; i++)
        want(&parsed[i], out);
    return true;
}

void topic_choice_deinit(struct topic_choice *choice)
{
    for (int32_t i = 0; i < choice->count; i++)
        topic_view_deinit(&choice->views[i]);
    if (choice->views != NULL)
        client_result_deinit(&choice->result);
    mem_free(choice->views);
    arena_deinit(&choice->arena);
    *choice = (struct topic_choice){0};
}

bool topic_choice_ask_offsets(struct admin *a, struct topic_choice *choice, int64_t timestamp)
{
    bool is_answered = true;
    for (int32_t i = 0; i < choice->count; i += TOPIC_CHOICE_CHUNK)
        is_answered &= topic_view_ask(a, &choice->views[i],
                                      MIN(TOPIC_CHOICE_CHUNK, choice->count - i), timestamp);
    return is_answered;
}

/* NULL: what the leader said is to be told. */
static const char *silence_of(const struct partition_view *partition)
{
    if (partition->partition->leader_id < 0 || partition->error != KERR_NONE)
        return NULL;
    return partition->is_answered ? "its leader does not tell its offsets"
                                  : "its leader said nothing about it";
}

void topic_choice_complain(struct admin *a, const struct topic_view *view,
                           const struct partition_view *partition)
{
    struct strbuf text;
    const char *silence = silence_of(partition);
    int16_t error =
        partition->partition->leader_id < 0 ? (int16_t)KERR_LEADER_NOT_AVAILABLE : partition->error;
    strbuf_init(&text);
    if (silence != NULL)
        strbuf_puts(&text, silence);
    else if (kerr_is_known(error))
        strbuf_printf(&text, "%s: %s", kerr_name((enum kerr)error), kerr_message((enum kerr)error));
    else
        strbuf_printf(&text, "error %d: its leader gave no reason", error);
    cli_progress_clear(&a->progress);
    cli_complain("partition %d of topic \"%.*s\": %s", partition->partition->partition_index,
                 ADMIN_STR(view->topic->name), strbuf_text(&text));
    strbuf_deinit(&text);
}
