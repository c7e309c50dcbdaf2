// SPDX-License-Identifier: Apache-2.0
/*
 * heap: an intrusive binary min-heap, for timers. Equal keys leave in the order
 * they came (a sequence number breaks ties), so that a simulated run repeats.
 *
 * Thread: whoever owns the heap.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t sequence;
    size_t index; /* one-based place in the heap; 0: in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
    uint64_t next_sequence;
};

void heap_init(struct heap *h);
void heap_deinit(struct heap *h);

/* The node must be in no heap. */
void heap_insert(struct heap *h, struct heap_node *node, int64_t key);

/* Harmless when the node is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The least node, left in place; NULL when empty. */
struct heap_node *heap_min(const struct heap *h);

static inline bool heap_contains(const struct heap_node *node)
{
    return node->index != 0;
}

#endif
