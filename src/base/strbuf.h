// SPDX-License-Identifier: Apache-2.0
/*
 * strbuf: a growing text of our own making (log lines, metrics, help, errors).
 * Always NUL-terminated. Sizes are ours, so it aborts when memory is out.
 *
 * Thread: whoever owns it.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/macros.h"

struct strbuf {
    char *text; /* NULL until something was added; see strbuf_text */
    size_t len; /* without the NUL */
    size_t capacity;
};

void strbuf_init(struct strbuf *b);
void strbuf_deinit(struct strbuf *b);
void strbuf_clear(struct strbuf *b);
void strbuf_cut(struct strbuf *b, size_t len); /* back to what it was at this length */

void strbuf_add(struct strbuf *b, const char *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Never NULL; valid until the next change. */
const char *strbuf_text(const struct strbuf *b);

#endif
