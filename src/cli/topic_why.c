// SPDX-License-Identifier: Apache-2.0
/*
 * topic_why: `klamm topic why`: DescribeLogDirs of the brokers that hold the partitions, with a
 * tagged field of ours that asks for explanations (docs/decisions/015-explaining-a-partition.md). A
 * broker that does not know the field answers as always, and that is said.
 *
 * Thread: main.
 */
#include "cli/topic_why.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/topic.h"
#include "cli/topic_choice.h"
#include "wire/kerr.h"

static const char help[] =
    "usage: klamm topic why T[:P,...] [--json] [--bootstrap HOST:PORT,...]\n\n"
    "Says how partitions of a topic are on their brokers: why one is offline, full, or behind its\n"
    "disk, since when, and what to do. Of partitions that are well only the number is told, "
    "unless\n"
    "P names them. Only Klamm brokers explain.\n\n"
    "  --json                      an array with an object for each partition, with all that its\n"
    "                              broker told, for programs\n" //
    ADMIN_HELP_BOOTSTRAP;

struct why {
    struct admin admin;
    const char *bootstrap;
    bool is_json;
    bool tells_all; /* partitions were named, or there is one */
    json_t *array;
    int64_t told;
    int64_t well; /* and not told */
    int status;
};

static void tell(struct why *w, const struct topic_why *one)
{
    struct strbuf text;
    bool is_told = w->is_json || w->tells_all || topic_why_is_troubled(one);
    w->well += !is_told;
    if (!is_told)
        return;
    strbuf_init(&text);
    topic_why_sentences(one, &text);
    if (w->is_json)
        json_out_append(w->array, topic_why_json(one, strbuf_text(&text)));
    else
        printf("%s%s", w->told > 0 ? "\n" : "", strbuf_text(&text));
    w->told++;
    strbuf_deinit(&text);
}

static void complain(struct why *w, const struct topic_view *view,
                     const struct partition_view *partition, const struct topic_states *states)
{
    w->status = CLI_FAILED;
    if (states->has_silent || states->has_plain)
        return; /* said once for all */
    cli_complain("partition %d of topic \"%.*s\": broker %d does not hold it (yet)",
                 partition->partition->partition_index, ADMIN_STR(view->topic->name),
                 topic_state_node(partition));
}

static void show(struct why *w, const struct topic_choice *choice,
                 const struct topic_states *states)
{
    char count[CLI_COUNT_SIZE];
    for (int32_t i = 0; i < choice->count; i++) {
        const struct topic_view *view = &choice->views[i];
        for (int32_t j = 0; j < view->count; j++) {
            const struct partition_view *partition = &view->partitions[j];
            struct topic_why one = {view->topic->name, partition};
            if (!partition->is_wanted)
                continue;
            if (partition->state != NULL)
                tell(w, &one);
            else
                complain(w, view, partition, states);
        }
    }
    if (w->well > 0)
        printf("%s%s partition%s well.\n", w->told > 0 ? "\n" : "", cli_count(w->well, count),
               w->well == 1 ? " is" : "s are");
    if (states->has_plain)
        w->status = cli_complain("a broker does not explain how its partitions are: it is no "
                                 "Klamm, or an older one");
}

static void explain(struct why *w, const struct cli_words *words)
{
    struct topic_choice choice;
    struct topic_states states = {0};
    if (topic_choice_ask(&w->admin, words, &choice)) {
        w->status = choice.is_whole ? CLI_OK : CLI_FAILED;
        w->tells_all = strchr(words->items[0], ':') != NULL ||
                       (choice.count == 1 && choice.views[0].count == 1);
        topic_states_ask(&w->admin, choice.views, choice.count, false, &states);
        cli_progress_clear(&w->admin.progress);
        show(w, &choice, &states);
    }
    if (w->is_json && choice.count > 0 && w->told > 0 &&
        json_out_print(json_incref(w->array)) != CLI_OK)
        w->status = CLI_FAILED;
    topic_states_deinit(&states);
    topic_choice_deinit(&choice);
}

int cli_topic_why(int argc, char **argv)
{
    struct why w = {.status = CLI_FAILED};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &w.bootstrap, 0, 0},
        {"--json", CLI_FLAG, &w.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "topic why",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = 1,
                              .word_name = "the name of a topic"};
    int status = cli_parse(&parse, argc, argv);
    if (status == CLI_GO_ON)
        status = topic_choice_check("topic why", &parse.words);
    if (status == CLI_GO_ON) {
        w.array = json_array();
        if (admin_open(&w.admin, w.bootstrap))
            explain(&w, &parse.words);
        admin_close(&w.admin);
        json_decref(w.array);
        status = w.status;
    }
    cli_words_free(&parse.words);
    return status;
}
