// SPDX-License-Identifier: Apache-2.0
/* batch_buffer: see batch_buffer.h. Thread: whoever owns it. */
#include "wire/batch_buffer.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { BUFFER_BYTES_FIRST = 512 };

void batch_buffer_init(struct batch_buffer *b, size_t size_max)
{
    *b = (struct batch_buffer){.size_max = size_max};
}

void batch_buffer_deinit(struct batch_buffer *b)
{
    mem_free(b->data);
    *b = (struct batch_buffer){.size_max = b->size_max};
}

enum err batch_buffer_reserve(struct batch_buffer *b, size_t more)
{
    ASSERT(b->len <= b->capacity);
    if (more <= b->capacity - b->len)
        return ERR_OK;
    if (more > SIZE_MAX / 4 - b->len)
        return ERR_NO_MEMORY;
    size_t capacity = MAX(b->capacity, BUFFER_BYTES_FIRST);
    while (capacity < b->len + more)
        capacity *= 2;
    uint8_t *data = mem_try_realloc(b->data, capacity);
    if (data == NULL)
        return ERR_NO_MEMORY;
    b->data = data;
    b->capacity = capacity;
    return ERR_OK;
}

enum err batch_buffer_advance(struct batch_buffer *b, size_t count)
{
    ASSERT(count <= b->capacity - b->len);
    if (b->len > b->size_max || count > b->size_max - b->len)
        return ERR_TOO_LARGE;
    b->len += count;
    return ERR_OK;
}

enum err batch_buffer_add(struct batch_buffer *b, const void *data, size_t count)
{
    if (b->len > b->size_max || count > b->size_max - b->len)
        return ERR_TOO_LARGE;
    enum err e = batch_buffer_reserve(b, count);
    if (e != ERR_OK)
        return e;
    if (count > 0)
        memcpy(b->data + b->len, data, count);
    b->len += count;
    return ERR_OK;
}
