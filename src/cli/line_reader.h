// SPDX-License-Identifier: Apache-2.0
/*
 * line_reader: lines of standard input, of any bytes, up to a length.
 *
 * Thread: main.
 * Limits: a line has at most LINE_BYTES_MAX bytes; memory is twice the longest line.
 */
#ifndef CLI_LINE_READER_H
#define CLI_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/macros.h"

enum { LINE_BYTES_MAX = 100 * 1000 * 1000 };

struct line_reader {
    char *data;
    size_t start; /* of what was not given out yet */
    size_t end;
    size_t capacity;
    bool is_at_end;
};

void line_reader_init(struct line_reader *r);
void line_reader_deinit(struct line_reader *r);

/* The next line without its newline, valid until the next call. The last one may lack a newline.
 * ERR_NOT_FOUND: no more. ERR_TOO_LARGE, ERR_IO. An interrupt ends the input: what was read of a
 * line by then is dropped. */
enum err line_reader_next(struct line_reader *r, const char **line, size_t *len) MUST_USE;

#endif
