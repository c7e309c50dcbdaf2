// SPDX-License-Identifier: Apache-2.0
/* log_print: fields as a line of text and as JSON. See log.h. Thread: main. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/log.h"
#include "cli/table.h"

enum { SHOWN_BYTES = 4096 }; /* of a key or value, for people */

void log_print_bytes(struct strbuf *out, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    json_t *text = json_stringn(len > 0 ? data : "", len);
    bool is_utf8 = text != NULL;
    json_decref(text);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7f || bytes[i] == '\\' ||
            (bytes[i] >= 0x80 && !is_utf8))
            strbuf_printf(out, "\\x%02x", bytes[i]);
        else
            strbuf_putc(out, (char)bytes[i]);
    }
}

static void print_value(struct strbuf *out, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_NUMBER:
        strbuf_printf(out, "%" PRId64, field->number);
        return;
    case LOG_FIELD_FLAG:
        strbuf_puts(out, field->number != 0 ? "true" : "false");
        return;
    case LOG_FIELD_TEXT:
    case LOG_FIELD_BYTES:
    case LOG_FIELD_JSON:
        break;
    }
    size_t len = (size_t)MAX(field->number, 0);
    if (field->number < 0)
        strbuf_puts(out, "null");
    else if (field->kind == LOG_FIELD_JSON)
        table_text(out, (struct wire_str){field->data, (int32_t)MIN(len, (size_t)INT32_MAX)});
    else
        log_print_bytes(out, field->data, MIN(len, (size_t)SHOWN_BYTES));
    if (field->kind == LOG_FIELD_BYTES && len > SHOWN_BYTES)
        strbuf_printf(out, "... (%zu bytes)", len);
}

void log_print_fields(struct strbuf *out, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_printf(out, "%s%s: ", i > 0 ? " " : "", fields[i].name);
        print_value(out, &fields[i]);
    }
}

/* ---- JSON */

enum { NAME_SIZE = 64 };

/* "baseOffset" and "CreateTime" become "base_offset" and "create_time". */
static void snake_case(const char *name, char out[NAME_SIZE])
{
    size_t len = 0;
    for (const char *at = name; *at != '\0' && len + 2 < NAME_SIZE; at++) {
        if (isupper((unsigned char)*at) && at != name)
            out[len++] = '_';
        out[len++] = (char)tolower((unsigned char)*at);
    }
    out[len] = '\0';
}

static json_t *value_json(const struct log_field *field)
{
    struct wire_str text = {field->data, (int32_t)MIN(field->number, (int64_t)INT32_MAX)};
    switch (field->kind) {
    case LOG_FIELD_NUMBER:
        return json_integer(field->number);
    case LOG_FIELD_FLAG:
        return json_boolean(field->number != 0);
    case LOG_FIELD_JSON:
        if (field->number >= 0) {
            json_t *value = json_loadb(field->data, (size_t)field->number, JSON_DECODE_ANY, NULL);
            if (value != NULL)
                return value;
        }
        break;
    case LOG_FIELD_TEXT:
    case LOG_FIELD_BYTES:
        break;
    }
    return json_out_str(text);
}

void log_json_fields(json_t *object, const struct log_field *fields, size_t count)
{
    char name[NAME_SIZE];
    for (size_t i = 0; i < count; i++) {
        snake_case(fields[i].name, name);
        if (fields[i].kind == LOG_FIELD_BYTES)
            json_out_bytes(object, name, fields[i].data, (size_t)MAX(fields[i].number, 0));
        else
            json_out_set(object, name, value_json(&fields[i]));
    }
}
