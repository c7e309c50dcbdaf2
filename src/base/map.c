// SPDX-License-Identifier: Apache-2.0
/* map: chained buckets, doubled when as many nodes as buckets are in. See map.h. Thread: owner's.
 */
#include "base/map.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { MAP_BUCKETS_MIN = 16 };

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_deinit(struct map *m)
{
    mem_free(m->buckets);
    *m = (struct map){0};
}

static struct map_node **map_bucket(const struct map *m, uint64_t hash)
{
    ASSERT(m->bucket_count > 0);
    return &m->buckets[hash & (m->bucket_count - 1)];
}

static void map_resize(struct map *m, size_t bucket_count)
{
    struct map grown = {.buckets = mem_alloc(bucket_count * sizeof(struct map_node *)),
                        .bucket_count = bucket_count,
                        .count = m->count};
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (struct map_node *node = m->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            struct map_node **bucket = map_bucket(&grown, node->hash);
            node->next = *bucket;
            *bucket = node;
        }
    }
    mem_free(m->buckets);
    *m = grown;
}

struct map_node *map_first(const struct map *m, uint64_t hash)
{
    if (m->count == 0)
        return NULL;
    struct map_node *node = *map_bucket(m, hash);
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

struct map_node *map_next_same(const struct map_node *node)
{
    uint64_t hash = node->hash;
    struct map_node *at = node->next;
    while (at != NULL && at->hash != hash)
        at = at->next;
    return at;
}

void map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
    if (m->count >= m->bucket_count)
        map_resize(m, m->bucket_count > 0 ? m->bucket_count * 2 : MAP_BUCKETS_MIN);
    struct map_node **bucket = map_bucket(m, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    m->count++;
}

void map_remove(struct map *m, struct map_node *node)
{
    struct map_node **link = map_bucket(m, node->hash);
    while (*link != node) {
        ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    m->count--;
}

static struct map_node *map_first_from(const struct map *m, size_t bucket)
{
    for (; bucket < m->bucket_count; bucket++) {
        if (m->buckets[bucket] != NULL)
            return m->buckets[bucket];
    }
    return NULL;
}

struct map_node *map_iter_first(const struct map *m)
{
    return map_first_from(m, 0);
}

struct map_node *map_iter_next(const struct map *m, const struct map_node *node)
{
    if (node->next != NULL)
        return node->next;
    return map_first_from(m, (node->hash & (m->bucket_count - 1)) + 1);
}

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

static inline void sip_block(uint64_t v[4], uint64_t block)
{
    v[3] ^= block;
    sip_round(v);
    v[0] ^= block;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
    uint64_t key[2] = {seed, hash_u64(seed)};
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *p = data;
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t block;
        memcpy(&block, p, sizeof(block));
        sip_block(v, block);
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)p[i] << (8 * i);
    sip_block(v, last);
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_u64(uint64_t key)
{
    key += 0x9e3779b97f4a7c15u;
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
    return key ^ (key >> 31);
}
