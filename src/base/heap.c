// SPDX-License-Identifier: Apache-2.0
/* heap: an array of node pointers in heap order. See heap.h. Thread: owner's. */
#include "base/heap.h"

#include "base/assert.h"
#include "base/mem.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_deinit(struct heap *h)
{
    mem_free(h->nodes);
    *h = (struct heap){0};
}

static bool heap_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->sequence < b->sequence;
}

static void heap_place(struct heap *h, struct heap_node *node, size_t index)
{
    h->nodes[index] = node;
    node->index = index + 1;
}

static void heap_sift_up(struct heap *h, struct heap_node *node, size_t index)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!heap_before(node, h->nodes[parent]))
            break;
        heap_place(h, h->nodes[parent], index);
        index = parent;
    }
    heap_place(h, node, index);
}

static void heap_sift_down(struct heap *h, struct heap_node *node, size_t index)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && heap_before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!heap_before(h->nodes[child], node))
            break;
        heap_place(h, h->nodes[child], index);
        index = child;
    }
    heap_place(h, node, index);
}

void heap_insert(struct heap *h, struct heap_node *node, int64_t key)
{
    ASSERT(node->index == 0);
    if (h->count == h->capacity) {
        h->capacity = h->capacity > 0 ? h->capacity * 2 : 16;
        h->nodes = mem_realloc(h->nodes, h->capacity * sizeof(struct heap_node *));
    }
    node->key = key;
    node->sequence = h->next_sequence++;
    h->count++;
    heap_sift_up(h, node, h->count - 1);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (node->index == 0)
        return;
    size_t index = node->index - 1;
    ASSERT(index < h->count && h->nodes[index] == node);
    struct heap_node *last = h->nodes[--h->count];
    node->index = 0;
    if (last == node)
        return;
    if (index > 0 && heap_before(last, h->nodes[(index - 1) / 2]))
        heap_sift_up(h, last, index);
    else
        heap_sift_down(h, last, index);
}

struct heap_node *heap_min(const struct heap *h)
{
    return h->count > 0 ? h->nodes[0] : NULL;
}
