// SPDX-License-Identifier: Apache-2.0
/* nearest: see nearest.h. Thread: whoever owns it. */
#include "base/nearest.h"

#include "base/assert.h"
#include "base/macros.h"

enum { NAME_BYTES_MAX = 255, SHORT_NAME_BYTES = 4 }; /* longer names are near to nothing */

void nearest_init(struct nearest *n, const char *name, size_t len)
{
    *n = (struct nearest){
        .name = name,
        .len = len,
        /* What is further is another word. */
        .distance = len < SHORT_NAME_BYTES ? 2 : MAX(len / 3, (size_t)2) + 1,
    };
}

/* Levenshtein's distance, row by row. Both names are at most NAME_BYTES_MAX long. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    ASSERT(a_len <= NAME_BYTES_MAX && b_len <= NAME_BYTES_MAX);
    size_t row[NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = MIN(change, MIN(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

void nearest_offer(struct nearest *n, const char *known, size_t len)
{
    if (n->len == 0 || n->len > NAME_BYTES_MAX || len > NAME_BYTES_MAX)
        return;
    size_t least = n->len > len ? n->len - len : len - n->len;
    if (least >= n->distance)
        return; /* without looking: so many letters are too much or too few */
    size_t distance = edit_distance(n->name, n->len, known, len);
    if (distance >= n->distance)
        return;
    n->best = known;
    n->best_len = len;
    n->distance = distance;
}
