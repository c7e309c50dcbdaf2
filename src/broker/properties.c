// SPDX-License-Identifier: Apache-2.0
/*
 * properties: see properties.h.
 *
 * First a logical line is put together (comments and continuations gone, escapes
 * still there), then it is split and its escapes are resolved. Decoding never
 * makes a text longer, so that one buffer of known size holds all of them.
 *
 * Thread: any.
 */
#include "broker/properties.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

struct parser {
    const char *name;
    const char *text;
    size_t size;
    size_t pos;
    int line;      /* of pos */
    int item_line; /* where the logical line begins */
    char *logical; /* the logical line */
    size_t logical_len;
    char *texts;
    size_t texts_len;
    struct strbuf *error;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static enum err refuse(const struct parser *p, enum err e, const char *why)
{
    strbuf_printf(p->error, "%s:%d: %s", p->name, p->item_line, why);
    return e;
}

/* ---- logical lines */

static bool at_end(const struct parser *p)
{
    return p->pos == p->size;
}

static void skip_blanks(struct parser *p)
{
    while (!at_end(p) && is_blank(p->text[p->pos]))
        p->pos++;
}

/* "\r\n" is one line end. */
static void skip_line_end(struct parser *p)
{
    ASSERT(is_line_end(p->text[p->pos]));
    bool is_return = p->text[p->pos++] == '\r';
    if (is_return && !at_end(p) && p->text[p->pos] == '\n')
        p->pos++;
    p->line++;
}

static void skip_rest_of_line(struct parser *p)
{
    while (!at_end(p) && !is_line_end(p->text[p->pos]))
        p->pos++;
}

/* To the first character of the next key. */
static void skip_to_item(struct parser *p)
{
    while (!at_end(p)) {
        char c = p->text[p->pos];
        if (is_blank(c))
            p->pos++;
        else if (is_line_end(c))
            skip_line_end(p);
        else if (c == '#' || c == '!')
            skip_rest_of_line(p);
        else
            return;
    }
}

/* An escape stays two characters here, so that "\\" at a line's end is no continuation. */
static enum err read_logical_line(struct parser *p)
{
    p->logical_len = 0;
    p->item_line = p->line;
    while (!at_end(p) && !is_line_end(p->text[p->pos])) {
        char c = p->text[p->pos++];
        if (c == '\0')
            return refuse(p, ERR_INVALID, "there is a NUL in this line");
        if (c == '\\' && at_end(p))
            break;
        if (c == '\\' && is_line_end(p->text[p->pos])) {
            skip_line_end(p);
            skip_blanks(p);
            if (p->logical_len == 0)
                break; /* nothing yet: what follows may be a comment */
            continue;
        }
        if (c == '\\' && p->text[p->pos] == '\0')
            continue; /* refused in the next round */
        if (p->logical_len + 2 > LIMIT_PROPERTIES_LINE_BYTES)
            return refuse(p, ERR_TOO_LARGE, "this line is too long");
        p->logical[p->logical_len++] = c;
        if (c == '\\')
            p->logical[p->logical_len++] = p->text[p->pos++];
    }
    return ERR_OK;
}

/* ---- escapes */

static void put_byte(struct parser *p, uint32_t byte)
{
    p->texts[p->texts_len++] = (char)byte;
}

static void put_utf8(struct parser *p, uint32_t c)
{
    if (c < 0x80) {
        put_byte(p, c);
    } else if (c < 0x800) {
        put_byte(p, 0xc0 | c >> 6);
        put_byte(p, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put_byte(p, 0xe0 | c >> 12);
        put_byte(p, 0x80 | (c >> 6 & 0x3f));
        put_byte(p, 0x80 | (c & 0x3f));
    } else {
        put_byte(p, 0xf0 | c >> 18);
        put_byte(p, 0x80 | (c >> 12 & 0x3f));
        put_byte(p, 0x80 | (c >> 6 & 0x3f));
        put_byte(p, 0x80 | (c & 0x3f));
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits; -1: they are not. */
static int32_t read_hex(const struct parser *p, size_t at)
{
    int32_t value = 0;
    if (at > p->logical_len || p->logical_len - at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(p->logical[at + i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* A \uXXXX whose digits begin at *at; a pair of surrogates makes one character. */
static enum err decode_unicode(struct parser *p, size_t *at)
{
    int32_t c = read_hex(p, *at);
    *at += 4;
    if (c < 0)
        return refuse(p, ERR_INVALID, "\\u needs four hexadecimal digits");
    if (c == 0)
        return refuse(p, ERR_INVALID, "\\u0000 has no place here");
    if (c >= 0xd800 && c < 0xdc00 && *at + 2 <= p->logical_len && p->logical[*at] == '\\' &&
        p->logical[*at + 1] == 'u') {
        int32_t low = read_hex(p, *at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    if (c >= 0xd800 && c < 0xe000)
        return refuse(p, ERR_INVALID, "\\u with half of a surrogate pair");
    put_utf8(p, (uint32_t)c);
    return ERR_OK;
}

/* Resolves the escapes of logical[from, to) into texts, with a NUL behind. */
static enum err decode(struct parser *p, size_t from, size_t to)
{
    for (size_t at = from; at < to;) {
        char c = p->logical[at++];
        if (c != '\\') {
            put_byte(p, (unsigned char)c);
            continue;
        }
        ASSERT(at < to); /* escapes are whole */
        c = p->logical[at++];
        if (c == 'u') {
            enum err e = decode_unicode(p, &at);
            if (e != ERR_OK)
                return e;
            continue;
        }
        const char *known = strchr("t\tn\nr\rf\f", c);
        bool is_letter = known != NULL && c >= 'a' && c <= 'z';
        put_byte(p, (unsigned char)(is_letter ? known[1] : c));
    }
    put_byte(p, '\0');
    return ERR_OK;
}

/* ---- items */

/* The end of the key, and the beginning of the value. */
static size_t split(const struct parser *p, size_t *value)
{
    size_t at = 0;
    while (at < p->logical_len && !is_blank(p->logical[at]) && p->logical[at] != '=' &&
           p->logical[at] != ':')
        at += p->logical[at] == '\\' ? 2 : 1;
    size_t key_end = at;
    bool has_separator = false;
    for (; at < p->logical_len; at++) {
        char c = p->logical[at];
        bool is_separator = (c == '=' || c == ':') && !has_separator;
        if (!is_blank(c) && !is_separator)
            break;
        has_separator = has_separator || is_separator;
    }
    *value = at;
    return key_end;
}

static enum err add_item(struct parser *p, struct properties *out)
{
    if (out->count == LIMIT_PROPERTIES_COUNT)
        return refuse(p, ERR_TOO_LARGE, "there are too many keys in this file");
    if (out->count == out->capacity) {
        size_t capacity = out->capacity == 0 ? 32 : out->capacity * 2;
        struct property *moved = mem_try_realloc(out->items, capacity * sizeof(*moved));
        if (moved == NULL)
            return ERR_NO_MEMORY;
        out->items = moved;
        out->capacity = capacity;
    }
    size_t value_at;
    size_t key_end = split(p, &value_at);
    struct property item = {.key = p->texts + p->texts_len, .line = p->item_line};
    enum err e = decode(p, 0, key_end);
    if (e != ERR_OK)
        return e;
    item.value = p->texts + p->texts_len;
    e = decode(p, value_at, p->logical_len);
    if (e != ERR_OK)
        return e;
    out->items[out->count++] = item;
    return ERR_OK;
}

static enum err parse(struct parser *p, struct properties *out)
{
    for (skip_to_item(p); !at_end(p); skip_to_item(p)) {
        enum err e = read_logical_line(p);
        if (e == ERR_OK && p->logical_len > 0)
            e = add_item(p, out);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err properties_parse(const char *name, const char *text, size_t size, struct strbuf *error,
                          struct properties *out)
{
    struct parser p = {.name = name, .size = size, .line = 1, .item_line = 1, .error = error};
    if (size > LIMIT_PROPERTIES_FILE_BYTES)
        return refuse(&p, ERR_TOO_LARGE, "the file is too large for a configuration");
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        p.pos = 3; /* a byte order mark */
    p.text = text;
    p.logical = mem_try(LIMIT_PROPERTIES_LINE_BYTES);
    p.texts = mem_try(2 * size + 4); /* "a\n" becomes "a", "" and two NULs */
    struct properties made = {.texts = p.texts};
    enum err e = p.logical == NULL || p.texts == NULL ? ERR_NO_MEMORY : parse(&p, &made);
    mem_free(p.logical);
    if (e == ERR_OK) {
        ASSERT(p.texts_len <= 2 * size + 4);
        *out = made;
    } else {
        properties_deinit(&made);
    }
    return e;
}

void properties_deinit(struct properties *p)
{
    mem_free(p->items);
    mem_free(p->texts);
    *p = (struct properties){0};
}
