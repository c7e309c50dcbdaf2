// SPDX-License-Identifier: Apache-2.0
/* config_print: see config_print.h. Thread: main. */
#include "cli/config_print.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/json_out.h"
#include "cli/table.h"

enum { DOC_WIDTH = 92, DOC_INDENT = 6 };

static const struct table_column columns[] = {{"key", false}, {"value", false}, {"from", false}};

/* ---- names of numbers */

static const char *source_name(int8_t source)
{
    static const char *const names[] = {"unknown", "topic",  "broker",         "brokers", "static",
                                        "default", "logger", "client-metrics", "group"};
    return source >= 0 && source < (int8_t)ARRAY_COUNT(names) ? names[source] : names[0];
}

/* NULL: the broker did not tell. */
static const char *type_name(int8_t type)
{
    static const char *const names[] = {NULL,   "boolean", "string", "int",   "short",
                                        "long", "double",  "list",   "class", "password"};
    return type >= 0 && type < (int8_t)ARRAY_COUNT(names) ? names[type] : NULL;
}

/* ---- as text */

/* For people: what is hidden and what is empty is said. */
static void add_value(struct strbuf *out, struct wire_str value, bool is_sensitive)
{
    if (is_sensitive)
        strbuf_puts(out, "(hidden)");
    else if (wire_str_is_null(value))
        strbuf_puts(out, "(none)");
    else if (value.len == 0)
        strbuf_puts(out, "\"\"");
    else
        table_text(out, value);
}

static struct wire_str text_of(const struct strbuf *text)
{
    return (struct wire_str){strbuf_text(text), (int32_t)MIN(text->len, (size_t)INT32_MAX)};
}

static void
print_table(const struct describe_configs_response_describe_configs_resource_result_array *rows)
{
    struct table table;
    struct strbuf value;
    strbuf_init(&value);
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < rows->count; i++) {
        strbuf_clear(&value);
        add_value(&value, rows->items[i].value, rows->items[i].is_sensitive);
        table_add(&table, rows->items[i].name);
        table_add(&table, text_of(&value));
        table_add(&table, wire_str_of(source_name(rows->items[i].config_source)));
    }
    table_print(&table, 2);
    table_deinit(&table);
    strbuf_deinit(&value);
}

/* Kafka's sentences are written for web pages: the length of a tag at `at`, or 0. */
static int32_t tag_len(const char *at, int32_t left)
{
    static const char *const tags[] = {"a",  "b",  "br", "code",   "em", "i",
                                       "li", "ol", "p",  "strong", "ul"};
    const char *end = memchr(at, '>', (size_t)left);
    if (*at != '<' || end == NULL)
        return 0;
    const char *name = at + 1 + (at[1] == '/');
    size_t len = 0;
    while (name + len < end && isalpha((unsigned char)name[len]))
        len++;
    for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
        if (strlen(tags[i]) == len && strncmp(name, tags[i], len) == 0)
            return (int32_t)(end - at + 1);
    }
    return 0;
}

/* A paragraph without tags, of lines that break at blanks. */
static void print_doc(struct wire_str doc)
{
    struct strbuf word;
    strbuf_init(&word);
    size_t column = 0;
    for (int32_t at = 0; at <= doc.len; at++) {
        bool is_end = at == doc.len || isspace((unsigned char)doc.data[at]);
        int32_t tag = is_end ? 0 : tag_len(doc.data + at, doc.len - at);
        if (tag > 0) {
            at += tag - 1;
        } else if (!is_end) {
            table_text(&word, (struct wire_str){doc.data + at, 1});
        } else if (word.len > 0) {
            bool is_new_line = column == 0 || column + 1 + word.len > DOC_WIDTH;
            printf("%s%*s%s", is_new_line && column > 0 ? "\n" : "", is_new_line ? DOC_INDENT : 1,
                   "", strbuf_text(&word));
            column = is_new_line ? word.len : column + 1 + word.len;
            strbuf_clear(&word);
        }
    }
    if (column > 0)
        putchar('\n');
    strbuf_deinit(&word);
}

static void
print_layers(const struct describe_configs_response_describe_configs_resource_result *row)
{
    struct strbuf line;
    strbuf_init(&line);
    for (int32_t i = 0; i < row->synonyms.count; i++) {
        const struct describe_configs_response_describe_configs_synonym *layer =
            &row->synonyms.items[i];
        strbuf_clear(&line);
        table_text(&line, layer->name);
        strbuf_putc(&line, '=');
        add_value(&line, layer->value, row->is_sensitive);
        printf("      %-14s %s\n", source_name(layer->source), strbuf_text(&line));
    }
    strbuf_deinit(&line);
}

static void
print_block(const struct config_print_options *options,
            const struct describe_configs_response_describe_configs_resource_result *row)
{
    struct strbuf line;
    strbuf_init(&line);
    table_text(&line, row->name);
    strbuf_putc(&line, '=');
    add_value(&line, row->value, row->is_sensitive);
    printf("  %s  (%s%s)\n", strbuf_text(&line), source_name(row->config_source),
           row->read_only ? ", fixed at the start" : "");
    strbuf_deinit(&line);
    if (options->has_layers)
        print_layers(row);
    if (options->has_docs && row->documentation.len > 0)
        print_doc(row->documentation);
}

void config_print_text(
    const struct config_print_options *options, const struct config_target *target,
    const struct describe_configs_response_describe_configs_resource_result_array *rows,
    bool is_first)
{
    struct strbuf name;
    strbuf_init(&name);
    config_target_text(&name, target);
    printf("%s%s\n", is_first ? "" : "\n", strbuf_text(&name));
    strbuf_deinit(&name);
    if (rows->count == 0)
        puts("  nothing is set");
    else if (!options->has_layers && !options->has_docs)
        print_table(rows);
    else
        for (int32_t i = 0; i < rows->count; i++)
            print_block(options, &rows->items[i]);
}

/* ---- as JSON */

static json_t *
layers_json(const struct describe_configs_response_describe_configs_resource_result *row)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < row->synonyms.count; i++) {
        const struct describe_configs_response_describe_configs_synonym *layer =
            &row->synonyms.items[i];
        json_t *object = json_object();
        json_out_set(object, "name", json_out_str(layer->name));
        json_out_set(object, "value", json_out_str(layer->value));
        json_out_set(object, "source", json_string(source_name(layer->source)));
        json_out_append(array, object);
    }
    return array;
}

static json_t *
row_json(const struct describe_configs_response_describe_configs_resource_result *row)
{
    json_t *object = json_object();
    json_out_set(object, "name", json_out_str(row->name));
    json_out_set(object, "value", json_out_str(row->value));
    json_out_set(object, "source", json_string(source_name(row->config_source)));
    json_out_set(object, "type", json_out_str(wire_str_of(type_name(row->config_type))));
    json_out_set(object, "is_read_only", json_boolean(row->read_only));
    json_out_set(object, "is_sensitive", json_boolean(row->is_sensitive));
    json_out_set(object, "layers", layers_json(row));
    json_out_set(object, "documentation",
                 row->documentation.len > 0 ? json_out_str(row->documentation) : json_null());
    return object;
}

json_t *config_print_json(
    const struct config_target *target,
    const struct describe_configs_response_describe_configs_resource_result_array *rows)
{
    json_t *object = json_object(), *array = json_array();
    for (int32_t i = 0; i < rows->count; i++)
        json_out_append(array, row_json(&rows->items[i]));
    json_out_set(object, "resource", json_string(target->kind->word));
    json_out_set(object, "name",
                 target->name[0] != '\0' ? json_out_str(wire_str_of(target->name)) : json_null());
    json_out_set(object, "configs", array);
    return object;
}
