// SPDX-License-Identifier: Apache-2.0
/* uuid: see uuid.h. Thread: any. */
#include "base/uuid.h"

static const char uuid_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct uuid uuid_from_random(const uint8_t random[16])
{
    struct uuid u;
    memcpy(u.bytes, random, sizeof(u.bytes));
    u.bytes[6] = (uint8_t)((u.bytes[6] & 0x0f) | 0x40);
    u.bytes[8] = (uint8_t)((u.bytes[8] & 0x3f) | 0x80);
    return u;
}

char *uuid_format(struct uuid u, char out[UUID_TEXT_SIZE])
{
    uint32_t bits = 0;
    int bit_count = 0;
    int len = 0;
    for (int i = 0; i < 16; i++) {
        bits = (bits << 8) | u.bytes[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            out[len++] = uuid_alphabet[(bits >> bit_count) & 63];
        }
    }
    out[len++] = uuid_alphabet[(bits << (6 - bit_count)) & 63];
    out[len] = '\0';
    return out;
}

static int uuid_digit(char c)
{
    const char *at = c != '\0' ? strchr(uuid_alphabet, c) : NULL;
    return at != NULL ? (int)(at - uuid_alphabet) : -1;
}

bool uuid_parse(const char *text, struct uuid *out)
{
    if (strlen(text) != UUID_TEXT_SIZE - 1)
        return false;
    struct uuid u = {{0}};
    uint32_t bits = 0;
    int bit_count = 0;
    int len = 0;
    for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
        int digit = uuid_digit(text[i]);
        if (digit < 0)
            return false;
        bits = (bits << 6) | (uint32_t)digit;
        bit_count += 6;
        if (bit_count >= 8 && len < 16) {
            bit_count -= 8;
            u.bytes[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    *out = u;
    return true;
}
