// SPDX-License-Identifier: Apache-2.0
/*
 * map: an intrusive hash table. The element embeds a map_node; the map knows
 * hashes, the caller knows keys and compares them.
 *
 * Keys that peers choose must be hashed with a seed they do not know
 * (hash_bytes), so that nobody can make a chain long.
 *
 * Thread: whoever owns the map.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets; /* NULL until the first insertion */
    size_t bucket_count;       /* a power of two */
    size_t count;
};

void map_init(struct map *m);

/* Frees the table, not the elements: empty it first or free them by other means. */
void map_deinit(struct map *m);

/* The first node with this hash; walk on with map_next_same to compare keys. NULL: none. */
struct map_node *map_first(const struct map *m, uint64_t hash);
struct map_node *map_next_same(const struct map_node *node);

/* The key must not be there yet. */
void map_insert(struct map *m, struct map_node *node, uint64_t hash);

/* The node must be there. */
void map_remove(struct map *m, struct map_node *node);

/* Any order; the body may remove `node` itself, and nothing else. */
struct map_node *map_iter_first(const struct map *m);
struct map_node *map_iter_next(const struct map *m, const struct map_node *node);

#define MAP_FOR_EACH(node, m)                                                                      \
    for (struct map_node *node = map_iter_first(m),                                                \
                         *node##_next = node ? map_iter_next(m, node) : NULL;                      \
         node != NULL; node = node##_next, node##_next = node ? map_iter_next(m, node) : NULL)

/* SipHash-1-3 of `len` bytes under a seed. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);

/* Mixes a number; for keys of our own making. */
uint64_t hash_u64(uint64_t key);

#endif
