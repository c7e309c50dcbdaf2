// SPDX-License-Identifier: Apache-2.0
/*
 * segment_rot: which bytes of a segment are known to be damaged. A list that only grows, at its
 * front, so readers need no lock.
 *
 * Thread: marking: one at a time; asking: any.
 */
#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"
#include "log/segment.h"

struct segment_rot_node {
    struct segment_rot_node *next;
    struct segment_rot found; /* but for its end, which may grow: */
    _Atomic int64_t end;
    _Atomic int64_t end_offset;
};

void segment_mark_rot(struct segment *seg, const struct segment_rot *rot)
{
    ASSERT(rot->pos >= 0 && rot->end > rot->pos && rot->end_offset > rot->offset);
    struct segment_rot_node *newest = atomic_load(&seg->rot);
    int count = 0;
    for (struct segment_rot_node *node = newest; node != NULL; node = node->next, count++) {
        if (rot->pos >= node->found.pos && rot->end <= atomic_load(&node->end))
            return;
    }
    if (count >= SEGMENT_ROT_MAX && rot->pos > newest->found.pos) {
        atomic_store(&newest->end, rot->end);
        atomic_store(&newest->end_offset, rot->end_offset);
        return;
    }
    struct segment_rot_node *node = mem_alloc(sizeof(*node));
    node->next = newest;
    node->found = *rot;
    atomic_init(&node->end, rot->end);
    atomic_init(&node->end_offset, rot->end_offset);
    atomic_store(&seg->rot, node);
}

int64_t segment_sound_bytes(const struct segment *seg, int64_t pos, int64_t len)
{
    const struct segment_rot_node *node = atomic_load(&seg->rot);
    for (; node != NULL; node = node->next) {
        int64_t begin = node->found.pos;
        if (pos >= begin && pos < atomic_load(&node->end))
            return 0;
        if (pos < begin && len > begin - pos)
            len = begin - pos;
    }
    return len;
}

bool segment_is_rot(const struct segment *seg, int64_t pos, int64_t *end, int64_t *end_offset)
{
    const struct segment_rot_node *node = atomic_load(&seg->rot);
    for (; node != NULL; node = node->next) {
        if (pos < node->found.pos || pos >= atomic_load(&node->end))
            continue;
        *end = atomic_load(&node->end);
        *end_offset = atomic_load(&node->end_offset);
        return true;
    }
    return false;
}

/* A few places: each is put where it belongs, and the last is pushed out. */
size_t segment_list_rot(const struct segment *seg, struct segment_rot *out, size_t max)
{
    size_t count = 0;
    const struct segment_rot_node *node = atomic_load(&seg->rot);
    for (; node != NULL; node = node->next, count++) {
        struct segment_rot rot = node->found;
        rot.end = atomic_load(&node->end);
        rot.end_offset = atomic_load(&node->end_offset);
        size_t at = MIN(count, max);
        for (; at > 0 && out[at - 1].pos > rot.pos; at--) {
            if (at < max)
                out[at] = out[at - 1];
        }
        if (at < max)
            out[at] = rot;
    }
    return count;
}

void segment_forget_rot(struct segment *seg)
{
    for (struct segment_rot_node *node = atomic_exchange(&seg->rot, NULL), *next; node != NULL;
         node = next) {
        next = node->next;
        mem_free(node);
    }
}
