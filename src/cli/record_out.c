// SPDX-License-Identifier: Apache-2.0
/* record_out: see record_out.h. Thread: any. */
#include "cli/record_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/json_out.h"

static const char tokens[] = "tpoTkvhKV%";
static const char escapes[] = "ntr0\\";
static const char escaped[] = "\n\t\r\0\\";

/* ---- text */

const char *record_out_check(const char *format)
{
    for (const char *at = format; *at != '\0'; at++) {
        const char *known = *at == '%' ? tokens : *at == '\\' ? escapes : NULL;
        if (known == NULL)
            continue;
        if (at[1] == '\0' || strchr(known, at[1]) == NULL)
            return at;
        at++;
    }
    return NULL;
}

static void add_bytes(struct strbuf *out, const void *data, size_t len)
{
    if (data != NULL && len > 0)
        strbuf_add(out, data, len);
}

static void add_headers(struct strbuf *out, const struct record_fields *r)
{
    for (size_t i = 0; i < r->header_count; i++) {
        strbuf_printf(out, "%s%s=", i > 0 ? "," : "", r->headers[i].key);
        add_bytes(out, r->headers[i].value, r->headers[i].value_len);
    }
}

static void add_token(struct strbuf *out, char token, const struct record_fields *r)
{
    switch (token) {
    case 't':
        strbuf_puts(out, r->topic);
        break;
    case 'p':
        strbuf_printf(out, "%d", r->partition);
        break;
    case 'o':
        strbuf_printf(out, "%lld", (long long)r->offset);
        break;
    case 'T':
        strbuf_printf(out, "%lld", (long long)r->timestamp_ms);
        break;
    case 'k':
        add_bytes(out, r->key, r->key_len);
        break;
    case 'v':
        add_bytes(out, r->value, r->value_len);
        break;
    case 'h':
        add_headers(out, r);
        break;
    case 'K':
        strbuf_printf(out, "%lld", r->key == NULL ? -1LL : (long long)r->key_len);
        break;
    case 'V':
        strbuf_printf(out, "%lld", r->value == NULL ? -1LL : (long long)r->value_len);
        break;
    default:
        ASSERT(token == '%'); /* record_out_check let it pass */
        strbuf_putc(out, '%');
    }
}

void record_out_text(const char *format, const struct record_fields *record, struct strbuf *out)
{
    const char *at = format;
    while (*at != '\0') {
        size_t plain = strcspn(at, "%\\");
        strbuf_add(out, at, plain);
        at += plain;
        if (*at == '%')
            add_token(out, at[1], record);
        else if (*at == '\\')
            strbuf_putc(out, escaped[strchr(escapes, at[1]) - escapes]);
        at += *at != '\0' ? 2 : 0;
    }
    strbuf_putc(out, '\n');
}

/* ---- JSON */

static json_t *headers_json(const struct record_fields *r)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->header_count; i++) {
        json_t *object = json_object();
        json_out_bytes(object, "key", r->headers[i].key, strlen(r->headers[i].key));
        json_out_bytes(object, "value", r->headers[i].value, r->headers[i].value_len);
        json_out_append(array, object);
    }
    return array;
}

void record_out_json(const struct record_fields *record, struct strbuf *out)
{
    json_t *object = json_object();
    json_out_set(object, "topic", json_string(record->topic));
    json_out_set(object, "partition", json_integer(record->partition));
    json_out_set(object, "offset", json_integer(record->offset));
    json_out_set(object, "timestamp", json_out_number(record->timestamp_ms));
    json_out_bytes(object, "key", record->key, record->key_len);
    json_out_bytes(object, "value", record->value, record->value_len);
    json_out_set(object, "headers", headers_json(record));
    char *line = json_dumps(object, JSON_COMPACT);
    ASSERT(line != NULL);
    strbuf_puts(out, line);
    strbuf_putc(out, '\n');
    free(line); /* jansson's, by malloc */
    json_decref(object);
}
