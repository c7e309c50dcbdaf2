// SPDX-License-Identifier: Apache-2.0
/* prng: xoshiro256** seeded by splitmix64. See prng.h. Thread: owner's. */
#include "base/prng.h"

#include <string.h>

#include "base/assert.h"
#include "base/map.h"

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

void prng_seed(struct prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        p->s[i] = hash_u64(seed);
        seed += 0x9e3779b97f4a7c15u;
    }
    p->s[0] |= 1; /* never all zero */
}

uint64_t prng_u64(struct prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    ASSERT(bound > 0);
    return (uint64_t)(((unsigned __int128)prng_u64(p) * bound) >> 64);
}

int64_t prng_range(struct prng *p, int64_t low, int64_t high)
{
    ASSERT(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t offset = span == UINT64_MAX ? prng_u64(p) : prng_below(p, span + 1);
    return (int64_t)((uint64_t)low + offset);
}

bool prng_chance(struct prng *p, uint32_t num, uint32_t den)
{
    ASSERT(den > 0);
    return prng_below(p, den) < num;
}

void prng_fill(struct prng *p, void *out, size_t len)
{
    unsigned char *at = out;
    while (len > 0) {
        uint64_t value = prng_u64(p);
        size_t n = len < sizeof(value) ? len : sizeof(value);
        memcpy(at, &value, n);
        at += n;
        len -= n;
    }
}
