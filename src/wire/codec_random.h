// SPDX-License-Identifier: Apache-2.0
/*
 * codec_random: random messages that a version can carry, for tests and fuzzing.
 *
 * Texts are valid UTF-8, nulls only where the version has them, fields that the
 * version lacks keep their defaults: what comes out encodes, and Kafka reads it.
 *
 * Thread: any.
 */
#ifndef WIRE_CODEC_RANDOM_H
#define WIRE_CODEC_RANDOM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/prng.h"
#include "wire/message.h"

/* ERR_NO_MEMORY when the arena's limit is reached; `out` is garbage then. */
enum err wire_random(const struct wire_message *m, int16_t version, struct prng *p, struct arena *a,
                     void *out) MUST_USE;

#endif
