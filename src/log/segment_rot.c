// SPDX-License-Identifier: Apache-2.0
/*
 * segment_rot: which bytes of a segment are known to be damaged. A list that only grows, at its
 * front, so readers need no lock.
 *
 * Thread: marking: one at a time; asking: any.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "log/segment.h"

void segment_mark_rot(struct segment *seg, int64_t pos, int64_t end)
{
    ASSERT(pos >= 0 && end > pos);
    struct segment_rot *newest = atomic_load(&seg->rot);
    int count = 0;
    for (struct segment_rot *rot = newest; rot != NULL; rot = rot->next, count++) {
        if (pos >= rot->pos && end <= atomic_load(&rot->end))
            return;
    }
    if (count >= SEGMENT_ROT_MAX && pos > newest->pos) {
        atomic_store(&newest->end, end);
        return;
    }
    struct segment_rot *rot = mem_alloc(sizeof(*rot));
    rot->next = newest;
    rot->pos = pos;
    atomic_init(&rot->end, end);
    atomic_store(&seg->rot, rot);
}

int64_t segment_sound_bytes(const struct segment *seg, int64_t pos, int64_t len)
{
    for (const struct segment_rot *rot = atomic_load(&seg->rot); rot != NULL; rot = rot->next) {
        if (pos >= rot->pos && pos < atomic_load(&rot->end))
            return 0;
        if (pos < rot->pos && len > rot->pos - pos)
            len = rot->pos - pos;
    }
    return len;
}

void segment_forget_rot(struct segment *seg)
{
    for (struct segment_rot *rot = atomic_exchange(&seg->rot, NULL), *next; rot != NULL;
         rot = next) {
        next = rot->next;
        mem_free(rot);
    }
}
