// SPDX-License-Identifier: Apache-2.0
/* key_map: see key_map.h. Open addressing, one slot after the other. Thread: whoever owns it. */
#include "log/key_map.h"

#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"

/* ---- SipHash */

static inline uint64_t rotl(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* As the machine has it: a hash never leaves this process. */
static inline uint64_t load_word(const uint8_t *data, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, data, len);
    return word;
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static inline uint64_t sip_end(uint64_t v[4])
{
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void key_hash(const uint64_t secret[2], const void *data, size_t len, uint64_t out[2])
{
    const uint8_t *at = data;
    uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d ^ 0xee,
                     secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
    for (size_t left = len; left >= 8; left -= 8, at += 8)
        sip_word(v, load_word(at, 8));
    sip_word(v, load_word(at, len % 8) | (uint64_t)len << 56);
    v[2] ^= 0xee;
    out[0] = sip_end(v);
    v[1] ^= 0xdd;
    out[1] = sip_end(v);
}

/* ---- the table */

enum err key_map_init(struct key_map *map, const uint64_t secret[2], size_t bytes_max, double load,
                      uint64_t keys_max)
{
    ASSERT(load > 0 && load <= 1);
    *map = (struct key_map){.secret = {secret[0], secret[1]}};
    size_t slots_max = bytes_max / KEY_SLOT_BYTES;
    size_t count_max = (size_t)MIN((uint64_t)((double)slots_max * load), keys_max);
    size_t slots = (size_t)((double)count_max / load) + 1; /* a search ends at a free slot */
    slots = MIN(MAX(slots, count_max + 1), slots_max);
    count_max = MIN(count_max, slots > 0 ? slots - 1 : 0);
    if (count_max == 0)
        return keys_max == 0 ? ERR_OK : ERR_TOO_LARGE;
    map->slots = mem_try_zeroed(slots * KEY_SLOT_BYTES);
    if (map->slots == NULL)
        return ERR_NO_MEMORY;
    map->slot_count = slots;
    map->count_max = count_max;
    return ERR_OK;
}

void key_map_deinit(struct key_map *map)
{
    mem_free(map->slots);
    *map = (struct key_map){0};
}

/* The slot of this hash, or the free one where it would go. */
static struct key_slot *find_slot(const struct key_map *map, const uint64_t hash[2])
{
    ASSERT(map->count < map->slot_count);
    size_t at = (size_t)(((unsigned __int128)hash[0] * map->slot_count) >> 64);
    for (;;) {
        struct key_slot *slot = &map->slots[at];
        if (slot->offset_plus_1 == 0 || (slot->hash[0] == hash[0] && slot->hash[1] == hash[1]))
            return slot;
        at = at + 1 == map->slot_count ? 0 : at + 1;
    }
}

bool key_map_put(struct key_map *map, const void *key, size_t len, int64_t offset)
{
    ASSERT(offset >= 0 && offset < INT64_MAX);
    if (map->slots == NULL)
        return false;
    uint64_t hash[2];
    key_hash(map->secret, key, len, hash);
    struct key_slot *slot = find_slot(map, hash);
    if (slot->offset_plus_1 == 0) {
        if (map->count == map->count_max)
            return false;
        map->count++;
        slot->hash[0] = hash[0];
        slot->hash[1] = hash[1];
    }
    slot->offset_plus_1 = MAX(slot->offset_plus_1, offset + 1);
    return true;
}

int64_t key_map_get(const struct key_map *map, const void *key, size_t len)
{
    if (map->slots == NULL)
        return -1;
    uint64_t hash[2];
    key_hash(map->secret, key, len, hash);
    return find_slot(map, hash)->offset_plus_1 - 1;
}

size_t key_map_bytes(const struct key_map *map)
{
    return map->slot_count * KEY_SLOT_BYTES;
}
