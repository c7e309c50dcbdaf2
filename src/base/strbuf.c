// SPDX-License-Identifier: Apache-2.0
/* strbuf: see strbuf.h. Thread: owner's. */
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void strbuf_init(struct strbuf *b)
{
    *b = (struct strbuf){0};
}

void strbuf_deinit(struct strbuf *b)
{
    mem_free(b->text);
    *b = (struct strbuf){0};
}

void strbuf_clear(struct strbuf *b)
{
    b->len = 0;
    if (b->text != NULL)
        b->text[0] = '\0';
}

void strbuf_cut(struct strbuf *b, size_t len)
{
    ASSERT(len <= b->len);
    b->len = len;
    if (b->text != NULL)
        b->text[len] = '\0';
}

static void strbuf_reserve(struct strbuf *b, size_t more)
{
    size_t needed = b->len + more + 1;
    if (needed <= b->capacity)
        return;
    size_t capacity = MAX(b->capacity * 2, (size_t)64);
    b->capacity = MAX(capacity, needed);
    b->text = mem_realloc(b->text, b->capacity);
}

void strbuf_add(struct strbuf *b, const char *data, size_t len)
{
    strbuf_reserve(b, len);
    if (len > 0)
        memcpy(b->text + b->len, data, len);
    b->len += len;
    b->text[b->len] = '\0';
    ASSERT(b->len < b->capacity);
}

void strbuf_puts(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_putc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_vprintf(struct strbuf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    ASSERT(len >= 0);
    strbuf_reserve(b, (size_t)len);
    vsnprintf(b->text + b->len, (size_t)len + 1, format, again);
    va_end(again);
    b->len += (size_t)len;
}

void strbuf_printf(struct strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_vprintf(b, format, args);
    va_end(args);
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->text != NULL ? b->text : "";
}
