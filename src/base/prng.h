// SPDX-License-Identifier: Apache-2.0
/*
 * prng: repeatable random numbers for simulation, tests and jitter. Not for
 * secrets (env's random bytes are).
 *
 * Thread: whoever owns the state.
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_u64(struct prng *p);

/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *p, uint64_t bound);

/* Uniform in [low, high], both included. */
int64_t prng_range(struct prng *p, int64_t low, int64_t high);

/* True in `num` of `den` cases. */
bool prng_chance(struct prng *p, uint32_t num, uint32_t den);

void prng_fill(struct prng *p, void *out, size_t len);

#endif
