// SPDX-License-Identifier: Apache-2.0
/*
 * table: rows for people: as wide as what is in them, control bytes shown as '?'.
 *
 * Thread: main.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/strbuf.h"
#include "wire/message.h"

struct table_column {
    const char *head;
    bool is_right; /* for numbers */
};

struct table {
    const struct table_column *columns; /* borrowed */
    size_t column_count;
    struct strbuf text; /* all cells, each with a NUL behind it */
    size_t *starts;     /* of each in `text` */
    size_t cell_count;
};

void table_init(struct table *t, const struct table_column *columns, size_t column_count);
void table_deinit(struct table *t);

/* The next cell: row by row. What is null or empty is shown as "-", and so is a number below 0. */
void table_add(struct table *t, struct wire_str text);
void table_add_number(struct table *t, int64_t number);

/* On stdout, with the heads; a cell that is much wider than others moves only its own row.
 * `indent` blanks in front of each line. */
void table_print(const struct table *t, int indent);

/* The text for a person: every control byte as '?'. */
void table_text(struct strbuf *out, struct wire_str text);

#endif
