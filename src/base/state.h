// SPDX-License-Identifier: Apache-2.0
/*
 * state: lifecycles as tables of allowed edges. A move that the table does not
 * allow is a bug of ours.
 *
 * Thread: whoever owns the object whose state it is.
 */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include <stdint.h>

#include "base/assert.h"

struct state_table {
    const char *name;          /* of the lifecycle: "connection" */
    const char *const *states; /* names, by number */
    const uint32_t *edges;     /* edges[from] has bit `to` set where that move is allowed */
    uint32_t count;            /* at most 32 */
};

#define STATE_EDGE(to) (UINT32_C(1) << (to))

static inline void state_move(const struct state_table *table, uint32_t *state, uint32_t to)
{
    ASSERT(*state < table->count && to < table->count);
    TRACE("state", *state, to);
    ASSERT((table->edges[*state] & STATE_EDGE(to)) != 0);
    *state = to;
}

#endif
