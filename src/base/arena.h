// SPDX-License-Identifier: Apache-2.0
/*
 * arena: memory that is freed all at once, with a limit.
 *
 * A request has one: what its decoded form and its answer need lives there.
 * Sizes come from peers, so an allocation may fail; the limit makes sure that a
 * small hostile frame cannot grow into a large one.
 *
 * Thread: one at a time (its owner).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes;          /* in all chunks, headers included */
    size_t limit_bytes;
};

/* Allocates nothing yet. */
void arena_init(struct arena *a, size_t limit_bytes);

/* Frees everything; the arena may be used again afterwards. */
void arena_deinit(struct arena *a);

/* Zeroed, aligned for any type. NULL when the limit or memory is reached. */
void *arena_alloc(struct arena *a, size_t size);

/* count * size with the product checked; zeroed. */
void *arena_alloc_array(struct arena *a, size_t count, size_t size);

/* A copy with a NUL behind it; NULL as arena_alloc. */
char *arena_copy_text(struct arena *a, const char *text, size_t len);

#endif
