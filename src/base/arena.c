// SPDX-License-Identifier: Apache-2.0
/* arena: chunks in a chain, the newest one is filled. See arena.h. Thread: its owner's. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"

enum { ARENA_CHUNK_BYTES_MIN = 1024, ARENA_CHUNK_BYTES_MAX = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a, size_t limit_bytes)
{
    ASSERT(limit_bytes > 0);
    *a = (struct arena){.limit_bytes = limit_bytes};
}

void arena_deinit(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *chunk = a->chunks;
        a->chunks = chunk->next;
        mem_free(chunk);
    }
    a->used_bytes = 0;
}

static struct arena_chunk *arena_grow(struct arena *a, size_t size)
{
    size_t last = a->chunks != NULL ? a->chunks->size : ARENA_CHUNK_BYTES_MIN / 2;
    size_t chunk_size = MIN(last * 2, (size_t)ARENA_CHUNK_BYTES_MAX);
    if (chunk_size < size)
        chunk_size = size;
    size_t left = a->limit_bytes - MIN(a->limit_bytes, a->used_bytes);
    if (left < sizeof(struct arena_chunk) || size > left - sizeof(struct arena_chunk))
        return NULL;
    chunk_size = MIN(chunk_size, left - sizeof(struct arena_chunk));
    struct arena_chunk *chunk = mem_try(sizeof(*chunk) + chunk_size);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct arena_chunk){.next = a->chunks, .size = chunk_size};
    a->chunks = chunk;
    a->used_bytes += sizeof(*chunk) + chunk_size;
    return chunk;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > a->limit_bytes)
        return NULL;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_chunk *chunk = a->chunks;
    if (chunk == NULL || size > chunk->size - chunk->used) {
        chunk = arena_grow(a, size);
        if (chunk == NULL)
            return NULL;
    }
    void *p = chunk->data + chunk->used;
    chunk->used += size;
    ASSERT(chunk->used <= chunk->size);
    memset(p, 0, size);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_alloc(a, count * size);
}

char *arena_copy_text(struct arena *a, const char *text, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(a, len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, text, len);
    return copy;
}
