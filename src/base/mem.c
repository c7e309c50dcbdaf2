// SPDX-License-Identifier: Apache-2.0
/* mem: see mem.h. Thread: any. */
#include "base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static _Thread_local int mem_fail_countdown;

static _Noreturn void mem_exhausted(size_t size)
{
    dprintf(2, "klamm: out of memory (%zu bytes asked)\n", size);
    trace_print(2);
    abort();
}

static bool mem_should_fail(void)
{
    return mem_fail_countdown > 0 && --mem_fail_countdown == 0;
}

void *mem_alloc(size_t size)
{
    void *p = calloc(1, size > 0 ? size : 1);
    if (p == NULL)
        mem_exhausted(size);
    return p;
}

void *mem_realloc(void *p, size_t size)
{
    void *moved = realloc(p, size > 0 ? size : 1);
    if (moved == NULL)
        mem_exhausted(size);
    return moved;
}

void *mem_try(size_t size)
{
    return mem_should_fail() ? NULL : malloc(size > 0 ? size : 1);
}

void *mem_try_zeroed(size_t size)
{
    return mem_should_fail() ? NULL : calloc(1, size > 0 ? size : 1);
}

void *mem_try_realloc(void *p, size_t size)
{
    return mem_should_fail() ? NULL : realloc(p, size > 0 ? size : 1);
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    memcpy(copy, text, size);
    return copy;
}

void mem_fail_at(int nth)
{
    ASSERT(nth >= 0);
    mem_fail_countdown = nth;
}
