// SPDX-License-Identifier: Apache-2.0
/*
 * config_alter: `klamm config set` and `klamm config unset`: one IncrementalAlterConfigs for one
 * resource, so all of the changes are made or none (KIP-339).
 *
 * Thread: main.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/config.h"
#include "cli/config_target.h"
#include "cli/json_out.h"
#include "cli/table.h"
#include "wire/codec.h"
#include "wire/incremental_alter_configs.h"
#include "wire/kerr.h"

/* Kafka's numbers. */
enum { OPERATION_SET, OPERATION_DELETE, OPERATION_APPEND, OPERATION_SUBTRACT };

static const char help_set[] =
    "usage: klamm config set RESOURCE [NAME] KEY=VALUE... [--dry-run] [--json]\n\n"
    "Sets configs while brokers run: all that are named, or none. A value is shown again only "
    "where\n"
    "the broker says that its key is no secret; else it is (hidden), or null with --json.\n\n" //
    CONFIG_HELP_RESOURCES                                                                      //
    "\n"
    "  KEY=VALUE                   sets it\n"
    "  KEY+=VALUE                  adds to a list\n"
    "  KEY-=VALUE                  takes from a list\n"
    "  --dry-run                   the broker only says whether it would\n"
    "  --json                      an object: resource, name, dry_run, changes\n" //
    ADMIN_HELP_BOOTSTRAP;

static const char help_unset[] =
    "usage: klamm config unset RESOURCE [NAME] KEY... [--dry-run] [--json]\n\n"
    "Takes away what was set, so that the layer below holds again: all that are named, or "
    "none.\n\n" CONFIG_HELP_RESOURCES //
    "\n"
    "  --dry-run                   the broker only says whether it would\n"
    "  --json                      an object: resource, name, dry_run, changes\n" //
    ADMIN_HELP_BOOTSTRAP;

struct alter {
    const char *command;
    bool is_unset;
    struct admin admin;
    struct arena arena;
    const char *bootstrap;
    bool is_dry, is_json;
    struct config_target target;
    struct incremental_alter_configs_request_alterable_config_array changes;
};

/* ---- words */

static struct wire_str copy_str(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_copy_text(arena, text, len);
    ASSERT(copy != NULL);
    return (struct wire_str){copy, (int32_t)len};
}

/* "key=value", "key+=value", "key-=value". */
static int parse_setting(struct alter *c, const char *text,
                         struct incremental_alter_configs_request_alterable_config *out)
{
    const char *equals = strchr(text, '=');
    size_t len = equals != NULL ? (size_t)(equals - text) : 0;
    char before = len > 0 ? text[len - 1] : '\0';
    out->config_operation = before == '+'   ? OPERATION_APPEND
                            : before == '-' ? OPERATION_SUBTRACT
                                            : OPERATION_SET;
    if (out->config_operation != OPERATION_SET)
        len--;
    if (len == 0)
        return cli_complain_usage(c->command, "KEY=VALUE is wanted, not \"%.100s\"", text);
    out->name = copy_str(&c->arena, text, len);
    out->value = wire_str_of(equals + 1);
    return CLI_GO_ON;
}

static int parse_key(struct alter *c, const char *text,
                     struct incremental_alter_configs_request_alterable_config *out)
{
    if (text[0] == '\0' || strchr(text, '=') != NULL)
        return cli_complain_usage(c->command, "a key is wanted, not \"%.100s\"", text);
    out->name = wire_str_of(text);
    out->value = wire_str_of(NULL);
    out->config_operation = OPERATION_DELETE;
    return CLI_GO_ON;
}

/* Kafka takes a key once in a request. */
static int check_single(const struct alter *c, int32_t last)
{
    struct wire_str name = c->changes.items[last].name;
    for (int32_t i = 0; i < last; i++) {
        if (wire_str_equal(c->changes.items[i].name, name))
            return cli_complain_usage(c->command, "\"%.*s\" is named twice", ADMIN_STR(name));
    }
    return CLI_GO_ON;
}

static int parse_words(struct alter *c, const struct cli_words *words)
{
    const struct config_kind *kind = config_kind_of(c->command, words);
    if (kind == NULL)
        return CLI_USAGE;
    if (kind->name_word != NULL && words->count == 1)
        return cli_complain_usage(c->command, "%s is missing", kind->name_word);
    int first = kind->name_word != NULL ? 2 : 1;
    const char *name = kind->name_word != NULL ? words->items[1] : "";
    int status = config_target_init(c->command, kind, name, &c->target);
    if (status == CLI_GO_ON && words->count == first)
        return cli_complain_usage(c->command, "%s is missing", c->is_unset ? "a key" : "KEY=VALUE");
    enum err e =
        wire_array_new(&c->arena, &incremental_alter_configs_request_alterable_config_layout,
                       words->count - first, &c->changes);
    ASSERT(e == ERR_OK); /* bounded by argv */
    for (int i = first; i < words->count && status == CLI_GO_ON; i++) {
        struct incremental_alter_configs_request_alterable_config *change =
            &c->changes.items[i - first];
        status = c->is_unset ? parse_key(c, words->items[i], change)
                             : parse_setting(c, words->items[i], change);
        if (status == CLI_GO_ON)
            status = check_single(c, i - first);
    }
    return status;
}

/* ---- what was refused */

static bool is_of_key(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

/* As a whole word: "retention.mss" does not name retention.ms. */
static bool names(struct wire_str text, const char *key)
{
    const char *at = text.data, *end = text.data + MAX(text.len, 0);
    size_t len = strlen(key);
    while (at < end && (at = memmem(at, (size_t)(end - at), key, len)) != NULL) {
        bool is_begun = at == text.data || !is_of_key(at[-1]);
        bool is_over = at + len == end || !is_of_key(at[len]);
        if (is_begun && is_over)
            return true;
        at++;
    }
    return false;
}

/* What the broker says stays as it is; when it does not name the key that was meant, that is
 * added. */
static int complain(struct alter *c, int16_t error_code, struct wire_str message)
{
    struct strbuf text, nearest, key;
    strbuf_init(&text);
    strbuf_init(&nearest);
    strbuf_init(&key);
    if (message.len <= 0 && kerr_is_known(error_code))
        message = wire_str_of(kerr_message((enum kerr)error_code));
    if (message.len > 0)
        strbuf_add(&text, message.data, (size_t)message.len);
    for (int32_t i = 0; i < c->changes.count; i++) {
        strbuf_clear(&key);
        strbuf_clear(&nearest);
        strbuf_add(&key, c->changes.items[i].name.data, (size_t)c->changes.items[i].name.len);
        enum config_knowledge known =
            config_key_look_up(&c->admin, &c->target, strbuf_text(&key), &nearest);
        if (known == CONFIG_KEY_UNKNOWN && nearest.len > 0 &&
            !names(message, strbuf_text(&nearest)))
            strbuf_printf(&text, "; the known key nearest to %s is %s", strbuf_text(&key),
                          strbuf_text(&nearest));
    }
    int status =
        config_complain(&c->admin, &c->target, error_code, wire_str_of(strbuf_text(&text)));
    strbuf_deinit(&text);
    strbuf_deinit(&nearest);
    strbuf_deinit(&key);
    return status;
}

/* ---- what was done */

static const char *sign_of(int8_t operation)
{
    static const char *const signs[] = {"=", " unset", "+=", "-="};
    ASSERT(operation >= 0 && operation < (int8_t)ARRAY_COUNT(signs));
    return signs[operation];
}

/* Whether what it was set to may be seen: only where the broker says that this key is no secret. A
 * key that it does not know, or of which it tells nothing, may be one. */
static bool is_open(const struct client_result *known, struct wire_str name)
{
    enum { TYPE_PASSWORD = 9 };
    const struct describe_configs_response_describe_configs_resource_result *row =
        known != NULL ? config_find(known, name.data, (size_t)MAX(name.len, 0)) : NULL;
    return row != NULL && !row->is_sensitive && row->config_type != TYPE_PASSWORD;
}

/* Null also where it is not to be seen. */
static struct wire_str
shown_value(const struct client_result *known,
            const struct incremental_alter_configs_request_alterable_config *change)
{
    return is_open(known, change->name) ? change->value : wire_str_of(NULL);
}

static void print_text(const struct alter *c, const struct client_result *known)
{
    struct strbuf line;
    strbuf_init(&line);
    for (int32_t i = 0; i < c->changes.count; i++) {
        strbuf_clear(&line);
        config_target_text(&line, &c->target);
        strbuf_puts(&line, ": ");
        table_text(&line, c->changes.items[i].name);
        strbuf_puts(&line, sign_of(c->changes.items[i].config_operation));
        table_text(&line, shown_value(known, &c->changes.items[i]));
        if (!c->is_unset && !is_open(known, c->changes.items[i].name))
            strbuf_puts(&line, "(hidden)");
        puts(strbuf_text(&line));
    }
    strbuf_deinit(&line);
    if (c->is_dry)
        puts("dry run: nothing was changed");
}

static int print_json(const struct alter *c, const struct client_result *known)
{
    static const char *const operations[] = {"set", "unset", "append", "subtract"};
    json_t *object = json_object(), *changes = json_array();
    for (int32_t i = 0; i < c->changes.count; i++) {
        const struct incremental_alter_configs_request_alterable_config *change =
            &c->changes.items[i];
        json_t *item = json_object();
        json_out_set(item, "name", json_out_str(change->name));
        json_out_set(item, "operation", json_string(operations[change->config_operation]));
        json_out_set(item, "value", json_out_str(shown_value(known, change)));
        json_out_append(changes, item);
    }
    json_out_set(object, "resource", json_string(c->target.kind->word));
    json_out_set(object, "name",
                 c->target.name[0] != '\0' ? json_out_str(wire_str_of(c->target.name))
                                           : json_null());
    json_out_set(object, "dry_run", json_boolean(c->is_dry));
    json_out_set(object, "changes", changes);
    return json_out_print(object);
}

/* With what is known after the change: a logger has a row then alone. */
static int show(struct alter *c)
{
    struct client_result known;
    bool is_told = !c->is_unset && config_ask_known(&c->admin, &c->target, &known);
    int status = CLI_OK;
    if (c->is_json)
        status = print_json(c, is_told ? &known : NULL);
    else
        print_text(c, is_told ? &known : NULL);
    if (is_told)
        client_result_deinit(&known);
    return status;
}

/* ---- all of it */

static int take_response(struct alter *c, const struct incremental_alter_configs_response *response)
{
    if (response->responses.count != 1)
        return complain(c, KERR_UNKNOWN_SERVER_ERROR, wire_str_of(NULL));
    const struct incremental_alter_configs_response_alter_configs_resource_response *row =
        &response->responses.items[0];
    if (row->error_code != KERR_NONE)
        return complain(c, row->error_code, row->error_message);
    return show(c);
}

/* Brokers take it when a key that nobody knows is unset: here it is a mistake, and so is one of
 * which nobody says whether it is known. */
static int check_known(struct alter *c)
{
    int status = CLI_OK;
    struct strbuf nearest;
    strbuf_init(&nearest);
    for (int32_t i = 0; c->is_unset && i < c->changes.count; i++) {
        const char *key = c->changes.items[i].name.data; /* a word */
        strbuf_clear(&nearest);
        enum config_knowledge known = config_key_look_up(&c->admin, &c->target, key, &nearest);
        if (known == CONFIG_KEY_UNTOLD)
            status = config_complain_untold(&c->admin, key);
        else if (known == CONFIG_KEY_UNKNOWN)
            status = config_complain_key(&c->target, key, &nearest);
        if (known == CONFIG_KEY_UNTOLD)
            break; /* nor of the others */
    }
    strbuf_deinit(&nearest);
    return status;
}

static int alter(struct alter *c)
{
    if (!config_targets_reach(&c->admin, &c->target, 1) || check_known(c) != CLI_OK)
        return CLI_FAILED;
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = c->target.kind->type,
        .resource_name = wire_str_of(c->target.name),
        .configs = c->changes,
    };
    struct incremental_alter_configs_request request = {
        .resources = {&resource, 1},
        .validate_only = c->is_dry,
    };
    struct client_result result;
    if (!admin_call_node(&c->admin, c->target.node, KEY_INCREMENTAL_ALTER_CONFIGS, &request,
                         &result))
        return CLI_FAILED;
    int status = take_response(c, result.body);
    client_result_deinit(&result);
    return status;
}

static int run(struct alter *c, const char *help, int argc, char **argv)
{
    const struct cli_option options[] = {
        {"--bootstrap", CLI_TEXT, &c->bootstrap, 0, 0},
        {"--dry-run", CLI_FLAG, &c->is_dry, 0, 0},
        {"--json", CLI_FLAG, &c->is_json, 0, 0},
    };
    struct cli_parse parse = {.command = c->command,
                              .help = help,
                              .options = options,
                              .option_count = ARRAY_COUNT(options),
                              .word_count_min = 1,
                              .word_count_max = INT32_MAX,
                              .word_name = "what has the configs"};
    int status = cli_parse(&parse, argc, argv);
    arena_init(&c->arena, SIZE_MAX);
    if (status == CLI_GO_ON)
        status = parse_words(c, &parse.words);
    if (status == CLI_GO_ON) {
        status = admin_open(&c->admin, c->bootstrap) ? alter(c) : CLI_FAILED;
        admin_close(&c->admin);
    }
    arena_deinit(&c->arena);
    cli_words_free(&parse.words);
    return status;
}

int cli_config_set(int argc, char **argv)
{
    struct alter c = {.command = "config set"};
    return run(&c, help_set, argc, argv);
}

int cli_config_unset(int argc, char **argv)
{
    struct alter c = {.command = "config unset", .is_unset = true};
    return run(&c, help_unset, argc, argv);
}
