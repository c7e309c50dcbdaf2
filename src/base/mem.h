// SPDX-License-Identifier: Apache-2.0
/*
 * mem: two kinds of allocation.
 *
 * mem_alloc is for small sizes of our own choosing: when even those cannot be
 * had the process ends. mem_try is for sizes that a peer or a disk chose: it
 * may fail, and tests make it fail at the nth call (mem_fail_at).
 *
 * Thread: any. The fail-the-nth counter is per thread and used by tests only.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Never NULL; zeroed. Freed with mem_free. */
void *mem_alloc(size_t size);

/* Never NULL; the bytes beyond the old size are not initialised. */
void *mem_realloc(void *p, size_t size);

/* NULL when memory is short (or a test says so); not zeroed. */
void *mem_try(size_t size);
void *mem_try_zeroed(size_t size); /* the same, zeroed */

/* NULL leaves `p` as it was. */
void *mem_try_realloc(void *p, size_t size);

/* Accepts NULL. */
void mem_free(void *p);

/* A copy of a NUL-terminated string, freed with mem_free. */
char *mem_strdup(const char *text);

/* Tests: the nth mem_try or mem_try_realloc of this thread from now on fails
 * (1 = the next); 0 turns it off. */
void mem_fail_at(int nth);

#endif
