// SPDX-License-Identifier: Apache-2.0
/* line_reader: see line_reader.h. Thread: main. */
#include "cli/line_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/interrupt.h"

enum { CHUNK_BYTES = 64 * 1024 };

void line_reader_init(struct line_reader *r)
{
    *r = (struct line_reader){.data = mem_alloc(CHUNK_BYTES), .capacity = CHUNK_BYTES};
}

void line_reader_deinit(struct line_reader *r)
{
    mem_free(r->data);
    *r = (struct line_reader){0};
}

/* Room for a chunk behind `end`; what was given out is moved away. */
static void make_room(struct line_reader *r)
{
    if (r->start > 0) {
        memmove(r->data, r->data + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    if (r->capacity - r->end >= CHUNK_BYTES)
        return;
    r->capacity = MAX(r->capacity * 2, r->end + CHUNK_BYTES);
    r->data = mem_realloc(r->data, r->capacity);
}

static enum err read_more(struct line_reader *r)
{
    if (r->end - r->start > LINE_BYTES_MAX)
        return ERR_TOO_LARGE;
    make_room(r);
    ssize_t got;
    do {
        got = read(STDIN_FILENO, r->data + r->end, r->capacity - r->end);
    } while (got < 0 && errno == EINTR && !interrupt_happened());
    if (interrupt_happened()) {
        r->start = r->end;
        got = 0;
    }
    if (got < 0)
        return ERR_IO;
    r->is_at_end = got == 0;
    r->end += (size_t)got;
    return ERR_OK;
}

enum err line_reader_next(struct line_reader *r, const char **line, size_t *len)
{
    size_t looked = 0;
    for (;;) {
        size_t left = r->end - r->start;
        const char *from = r->data + r->start;
        const char *newline = left > looked ? memchr(from + looked, '\n', left - looked) : NULL;
        if (newline != NULL || (r->is_at_end && left > 0)) {
            *line = from;
            *len = newline != NULL ? (size_t)(newline - from) : left;
            r->start += *len + (newline != NULL);
            return *len <= LINE_BYTES_MAX ? ERR_OK : ERR_TOO_LARGE;
        }
        if (r->is_at_end)
            return ERR_NOT_FOUND;
        looked = left;
        enum err e = read_more(r);
        if (e != ERR_OK)
            return e;
    }
}
