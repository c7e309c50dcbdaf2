// SPDX-License-Identifier: Apache-2.0
/*
 * nearest: which of several known names somebody meant, by edit distance.
 *
 *     struct nearest n;
 *     nearest_init(&n, typed, strlen(typed));
 *     for (each known name)
 *         nearest_offer(&n, known, known_len);
 *     if (n.best != NULL) ...
 *
 * Thread: whoever owns it.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *name; /* borrowed, as the next */
    size_t len;
    const char *best; /* of those offered; NULL: none is near */
    size_t best_len;
    size_t distance; /* what is offered next has to be nearer than this */
};

void nearest_init(struct nearest *n, const char *name, size_t len);

/* The first of those that are equally near is kept. */
void nearest_offer(struct nearest *n, const char *known, size_t len);

#endif
