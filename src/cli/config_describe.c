// SPDX-License-Identifier: Apache-2.0
/*
 * config_describe: `klamm config describe`. One DescribeConfigs for each resource, for all of its
 * keys: what is shown is chosen here, so that a key which is not there has its nearest named.
 *
 * Thread: main.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/config.h"
#include "cli/config_list.h"
#include "cli/config_print.h"
#include "cli/config_target.h"
#include "cli/json_out.h"

static const char help[] =
    "usage: klamm config describe RESOURCE [NAME...] [--all] [--key KEY]... [--why] [--docs]\n"
    "                             [--json]\n\n"
    "Shows what is set (of every topic, broker ... when none is named), and where each value "
    "comes\n"
    "from: topic, group or client-metrics (set for it), broker (set for one broker), brokers (for\n"
    "all of them), static (what the broker was started with), default (built in), logger.\n\n" //
    CONFIG_HELP_RESOURCES                                                                      //
    "\n"
    "  --all                       built-in defaults too\n"
    "  --key KEY                   only this one, set or not; may be given several times\n"
    "  --why                       each layer that has a value, the one that holds first\n"
    "  --docs                      what each is for\n"
    "  --json                      an array of objects: resource, name, configs; with everything\n"
    "                              that --why and --docs would tell\n" //
    ADMIN_HELP_BOOTSTRAP;

struct describe {
    struct admin admin;
    const char *bootstrap;
    struct cli_words words;
    struct cli_words keys;
    bool *is_told; /* of each of the keys, that there is none: once, not for each of all topics */
    struct config_print_options print;
    bool has_all, is_json;
    const struct config_kind *kind;
    struct config_target *targets; /* those that are named */
    int target_count;
    json_t *array;
    int64_t shown;
    bool is_failed;
};

/* ---- words */

static int parse_words(struct describe *d)
{
    d->kind = config_kind_of("config describe", &d->words);
    if (d->kind == NULL)
        return CLI_USAGE;
    if (d->kind->name_word == NULL && d->words.count > 1)
        return cli_complain_usage("config describe", "\"%.100s\" is one word too many",
                                  d->words.items[1]);
    d->target_count = d->words.count - 1;
    d->targets = mem_alloc(((size_t)d->target_count + 1) * sizeof(*d->targets));
    int status = CLI_GO_ON;
    for (int i = 0; i < d->target_count && status == CLI_GO_ON; i++)
        status =
            config_target_init("config describe", d->kind, d->words.items[i + 1], &d->targets[i]);
    return status;
}

/* ---- rows */

static bool is_key(const struct describe *d, struct wire_str name)
{
    for (int i = 0; i < d->keys.count; i++) {
        if (wire_str_is(name, d->keys.items[i]))
            return true;
    }
    return false;
}

static bool is_shown(const struct describe *d,
                     const struct describe_configs_response_describe_configs_resource_result *row)
{
    if (d->keys.count > 0)
        return is_key(d, row->name);
    return d->has_all || row->config_source != CONFIG_FROM_DEFAULT;
}

static int by_name(const void *a, const void *b)
{
    const struct describe_configs_response_describe_configs_resource_result *x = a, *y = b;
    return wire_str_compare(x->name, y->name);
}

/* Leaves the rows to show, by name. */
static void choose(const struct describe *d,
                   struct describe_configs_response_describe_configs_resource_result_array *rows)
{
    int32_t count = 0;
    for (int32_t i = 0; i < rows->count; i++) {
        if (is_shown(d, &rows->items[i]))
            rows->items[count++] = rows->items[i];
    }
    rows->count = count;
    if (count > 0)
        qsort(rows->items, (size_t)count, sizeof(*rows->items), by_name);
}

static bool
has_row(const struct describe_configs_response_describe_configs_resource_result_array *rows,
        const char *key)
{
    for (int32_t i = 0; i < rows->count; i++) {
        if (wire_str_is(rows->items[i].name, key))
            return true;
    }
    return false;
}

/* False: it is not, or nobody tells, and it has been said. */
static bool is_known(struct describe *d, const struct config_target *target, const char *key)
{
    struct strbuf nearest;
    strbuf_init(&nearest);
    enum config_knowledge known = config_key_look_up(&d->admin, target, key, &nearest);
    if (known == CONFIG_KEY_UNKNOWN)
        config_complain_key(target, key, &nearest);
    else if (known == CONFIG_KEY_UNTOLD)
        config_complain_untold(&d->admin, key);
    strbuf_deinit(&nearest);
    return known == CONFIG_KEY_KNOWN;
}

/* Of what was asked for by --key. False: there is no such key, and it has been said. */
static bool complain_missing(
    struct describe *d, const struct config_target *target,
    const struct describe_configs_response_describe_configs_resource_result_array *rows)
{
    bool is_good = true;
    for (int i = 0; i < d->keys.count; i++) {
        if (has_row(rows, d->keys.items[i]))
            continue;
        if (!d->is_told[i] && is_known(d, target, d->keys.items[i]))
            continue; /* but it is not set */
        d->is_told[i] = true;
        is_good = false;
    }
    return is_good;
}

/* Where nothing is set a line says so, if it was named. */
static void describe_one(struct describe *d, const struct config_target *target)
{
    struct client_result result;
    if (!config_ask(&d->admin, target, &result)) {
        d->is_failed = true;
        return;
    }
    struct describe_configs_response_describe_configs_resource_result_array rows =
        config_rows(&result)->configs;
    bool has_keys = complain_missing(d, target, &rows);
    d->is_failed |= !has_keys;
    choose(d, &rows);
    if (d->is_json)
        json_out_append(d->array, config_print_json(target, &rows));
    else if (rows.count > 0 || (has_keys && (d->target_count > 0 || target->name[0] == '\0')))
        config_print_text(&d->print, target, &rows, d->shown++ == 0);
    client_result_deinit(&result);
}

static bool describe_all(struct describe *d)
{
    struct config_list list;
    bool is_listed = config_list_ask(&d->admin, d->kind, &list);
    for (int i = 0; is_listed && i < list.count; i++)
        describe_one(d, &list.targets[i]);
    config_list_deinit(&list);
    return is_listed;
}

static bool describe_named(struct describe *d)
{
    if (!config_targets_reach(&d->admin, d->targets, d->target_count))
        return false;
    for (int i = 0; i < d->target_count; i++)
        describe_one(d, &d->targets[i]);
    return true;
}

static int describe(struct describe *d)
{
    d->array = json_array();
    d->is_told = mem_alloc(((size_t)d->keys.count + 1) * sizeof(*d->is_told));
    for (int i = 0; i < d->keys.count; i++)
        d->is_told[i] = false;
    bool is_good = d->target_count > 0 ? describe_named(d) : describe_all(d);
    if (!d->is_json || !is_good)
        json_decref(d->array);
    else if (json_out_print(d->array) != CLI_OK)
        d->is_failed = true;
    return is_good && !d->is_failed ? CLI_OK : CLI_FAILED;
}

int cli_config_describe(int argc, char **argv)
{
    struct describe d = {0};
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &d.bootstrap, 0, 0},
        {"--all", CLI_FLAG, &d.has_all, 0, 0},
        {"--key", CLI_TEXTS, &d.keys, 0, 0},
        {"--why", CLI_FLAG, &d.print.has_layers, 0, 0},
        {"--docs", CLI_FLAG, &d.print.has_docs, 0, 0},
        {"--json", CLI_FLAG, &d.is_json, 0, 0},
    };
    struct cli_parse parse = {.command = "config describe",
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "what has the configs"};
    int status = cli_parse(&parse, argc, argv);
    d.words = parse.words;
    if (status == CLI_GO_ON)
        status = parse_words(&d);
    if (status == CLI_GO_ON) {
        status = admin_open(&d.admin, d.bootstrap) ? describe(&d) : CLI_FAILED;
        admin_close(&d.admin);
    }
    mem_free(d.targets);
    mem_free(d.is_told);
    cli_words_free(&d.words);
    cli_words_free(&d.keys);
    return status;
}
