// SPDX-License-Identifier: Apache-2.0
/* checkpoint_file: see checkpoint_file.h. Thread: any. */
#include "log/checkpoint_file.h"

#include <string.h>

#include "base/assert.h"

void checkpoint_reader_init(struct checkpoint_reader *r, const void *data, size_t size)
{
    *r = (struct checkpoint_reader){.at = data, .end = (const char *)data + size, .left = 0};
    checkpoint_read_number(r, 0, 0);
    checkpoint_read_line_end(r);
    r->left = checkpoint_read_number(r, 0, INT32_MAX);
    checkpoint_read_line_end(r);
}

bool checkpoint_reader_next(struct checkpoint_reader *r)
{
    if (r->is_bad || r->left == 0)
        return false;
    ASSERT(r->left > 0);
    r->left--;
    return true;
}

static void skip_blanks(struct checkpoint_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

int64_t checkpoint_read_number(struct checkpoint_reader *r, int64_t min, int64_t max)
{
    ASSERT(min <= max);
    skip_blanks(r);
    bool is_negative = r->at < r->end && *r->at == '-';
    if (is_negative)
        r->at++;
    const char *first = r->at;
    uint64_t value = 0;
    for (; !r->is_bad && r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        uint64_t digit = (uint64_t)(*r->at - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            r->is_bad = true;
        else
            value = value * 10 + digit;
    }
    int64_t number = is_negative ? -(int64_t)value : (int64_t)value;
    if (r->at == first || number < min || number > max)
        r->is_bad = true;
    return r->is_bad ? 0 : number;
}

void checkpoint_read_word(struct checkpoint_reader *r, char *out, size_t size)
{
    ASSERT(size > 0);
    skip_blanks(r);
    const char *first = r->at;
    while (r->at < r->end && *r->at != ' ' && *r->at != '\t' && *r->at != '\n' && *r->at != '\r')
        r->at++;
    size_t len = (size_t)(r->at - first);
    out[0] = '\0';
    if (r->is_bad || len == 0 || len >= size || memchr(first, '\0', len) != NULL) {
        r->is_bad = true;
        return;
    }
    memcpy(out, first, len);
    out[len] = '\0';
}

void checkpoint_read_line_end(struct checkpoint_reader *r)
{
    skip_blanks(r);
    if (r->at == r->end)
        return; /* the last line may lack its newline */
    if (*r->at == '\n')
        r->at++;
    else
        r->is_bad = true;
}

enum err checkpoint_reader_finish(const struct checkpoint_reader *r)
{
    if (r->is_bad || r->left != 0)
        return ERR_CORRUPT;
    for (const char *p = r->at; p < r->end; p++) {
        if (*p != '\n' && *p != ' ' && *p != '\r' && *p != '\t')
            return ERR_CORRUPT;
    }
    return ERR_OK;
}

void checkpoint_write_head(struct strbuf *out, size_t count)
{
    ASSERT(count <= INT32_MAX);
    strbuf_printf(out, "0\n%zu\n", count);
}
