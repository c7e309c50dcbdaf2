// SPDX-License-Identifier: Apache-2.0
/* table: see table.h. Thread: main. */
#include "cli/table.h"

#include <ctype.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"

void table_init(struct table *t, const struct table_column *columns, size_t column_count)
{
    ASSERT(column_count > 0);
    *t = (struct table){.columns = columns, .column_count = column_count};
    strbuf_init(&t->text);
    for (size_t i = 0; i < column_count; i++)
        table_add(t, wire_str_of(columns[i].head));
}

void table_deinit(struct table *t)
{
    strbuf_deinit(&t->text);
    mem_free(t->starts);
    *t = (struct table){0};
}

void table_text(struct strbuf *out, struct wire_str text)
{
    for (int32_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        strbuf_putc(out, iscntrl((unsigned char)c) ? '?' : c);
    }
}

void table_add(struct table *t, struct wire_str text)
{
    bool is_full = (t->cell_count & (t->cell_count - 1)) == 0; /* sizes are powers of two */
    if (is_full)
        t->starts = mem_realloc(t->starts, MAX(t->cell_count * 2, (size_t)1) * sizeof(*t->starts));
    t->starts[t->cell_count++] = t->text.len;
    table_text(&t->text, text.len > 0 ? text : wire_str_of("-"));
    strbuf_putc(&t->text, '\0');
}

void table_add_number(struct table *t, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    table_add(t, wire_str_of(number >= 0 ? text : NULL));
}

enum { PAD_WIDTH_MAX = 60 }; /* one long cell does not push all others away */

/* Of UTF-8: bytes that begin a letter. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const char *cell(const struct table *t, size_t number)
{
    return t->text.text + t->starts[number];
}

static void print_row(const struct table *t, size_t first, const int *widths, int indent)
{
    printf("%*s", indent, "");
    for (size_t i = 0; i < t->column_count; i++) {
        const char *text = cell(t, first + i);
        int pad = MAX(widths[i] - width_of(text), 0);
        bool is_last = i + 1 == t->column_count;
        if (t->columns[i].is_right)
            printf("%*s%s", pad, "", text);
        else
            printf("%s%*s", text, is_last ? 0 : pad, "");
        if (!is_last)
            fputs("  ", stdout);
    }
    putchar('\n');
}

void table_print(const struct table *t, int indent)
{
    ASSERT(t->cell_count % t->column_count == 0);
    int *widths = mem_alloc(t->column_count * sizeof(*widths));
    for (size_t i = 0; i < t->cell_count; i++) {
        int *width = &widths[i % t->column_count];
        *width = MAX(*width, MIN(width_of(cell(t, i)), PAD_WIDTH_MAX));
    }
    for (size_t i = 0; i < t->cell_count; i += t->column_count)
        print_row(t, i, widths, indent);
    mem_free(widths);
}
