// SPDX-License-Identifier: Apache-2.0
/*
 * uuid: sixteen bytes, written as Kafka writes them: 22 characters of base64url
 * without padding.
 *
 * Thread: any.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { UUID_TEXT_SIZE = 23 }; /* with the NUL */

struct uuid {
    uint8_t bytes[16];
};

static inline bool uuid_equals(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static inline bool uuid_is_zero(struct uuid u)
{
    return uuid_equals(u, (struct uuid){{0}});
}

/* Sets the version (4) and variant bits of sixteen random bytes. */
struct uuid uuid_from_random(const uint8_t random[16]);

/* Writes UUID_TEXT_SIZE bytes and returns `out`. */
char *uuid_format(struct uuid u, char out[UUID_TEXT_SIZE]);

/* False when `text` is not 22 characters of base64url; `out` untouched then. */
bool uuid_parse(const char *text, struct uuid *out);

#endif
