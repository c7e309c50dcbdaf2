// SPDX-License-Identifier: Apache-2.0
/*
 * key_map: from a key to the last offset at which it was seen, for compaction.
 *
 * Keys are not kept, only 16 bytes of SipHash-2-4 under a random secret of this map, and 8 bytes
 * of offset: with a thousand million keys the chance that any two share their hash is 10^-21, and
 * who chooses the keys cannot improve it, since the secret is drawn anew each time.
 *
 * Does not know records or files.
 *
 * Thread: whoever owns it.
 * Limits: its size is fixed when it is made; key_map_put says when it is full.
 */
#ifndef LOG_KEY_MAP_H
#define LOG_KEY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct key_slot {
    uint64_t hash[2];
    int64_t offset_plus_1; /* 0: free */
};

struct key_map {
    uint64_t secret[2];
    struct key_slot *slots; /* NULL: an empty map without room */
    size_t slot_count;
    size_t count;
    size_t count_max;
};

enum { KEY_SLOT_BYTES = sizeof(struct key_slot) };

/* Room for keys: at most `load` (0 to 1) of what fits into `bytes_max`, and no more than
 * `keys_max`. ERR_NO_MEMORY; ERR_TOO_LARGE: not even one key fits. */
enum err key_map_init(struct key_map *map, const uint64_t secret[2], size_t bytes_max, double load,
                      uint64_t keys_max) MUST_USE;
void key_map_deinit(struct key_map *map);

/* False: no room for another key; nothing changed. Otherwise the larger offset stays. */
bool key_map_put(struct key_map *map, const void *key, size_t len, int64_t offset) MUST_USE;

/* -1: not seen. */
int64_t key_map_get(const struct key_map *map, const void *key, size_t len);

size_t key_map_bytes(const struct key_map *map);

/* SipHash-2-4 with 128 bits. */
void key_hash(const uint64_t secret[2], const void *data, size_t len, uint64_t out[2]);

#endif
