// SPDX-License-Identifier: Apache-2.0
/* reader: the forms with a length in front. See reader.h. Thread: the reader's owner. */
#include "wire/reader.h"

enum { STR_BYTES_MAX = INT16_MAX };

uint64_t wire_read_uvarint_long(struct wire_reader *r, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < bits; shift += 7) {
        if (r->pos == r->end)
            break;
        uint64_t byte = *r->pos++;
        uint64_t low = byte & 0x7f;
        if (bits - shift < 7 && low >> (bits - shift) != 0)
            break; /* bits beyond the type */
        value |= low << shift;
        if (byte < 0x80)
            return value;
    }
    wire_fail(r);
    return 0;
}

/* -1 for null; fails for any other negative length and for null where it is not allowed. */
static int32_t checked_length(struct wire_reader *r, int64_t length, bool may_be_null)
{
    if (length >= 0 && length <= INT32_MAX)
        return (int32_t)length;
    if (length != -1 || !may_be_null)
        wire_fail(r);
    return r->failed ? 0 : -1;
}

struct wire_str wire_read_str(struct wire_reader *r, bool compact, bool may_be_null)
{
    int64_t raw = compact ? (int64_t)wire_read_uvarint(r) - 1 : wire_read_i16(r);
    if (r->failed)
        return (struct wire_str){NULL, 0};
    int32_t len = checked_length(r, raw, may_be_null);
    if (len > STR_BYTES_MAX)
        wire_fail(r);
    if (r->failed || len <= 0)
        return (struct wire_str){NULL, r->failed ? 0 : len};
    const uint8_t *data = wire_read_raw(r, (size_t)len);
    return (struct wire_str){(const char *)data, data != NULL ? len : 0};
}

struct wire_bytes wire_read_bytes(struct wire_reader *r, bool compact, bool may_be_null)
{
    int64_t raw = compact ? (int64_t)wire_read_uvarint(r) - 1 : wire_read_i32(r);
    if (r->failed)
        return (struct wire_bytes){NULL, 0};
    int32_t len = checked_length(r, raw, may_be_null);
    if (r->failed || len <= 0)
        return (struct wire_bytes){NULL, len};
    const uint8_t *data = wire_read_raw(r, (size_t)len);
    return (struct wire_bytes){data, data != NULL ? len : 0};
}

int32_t wire_read_count(struct wire_reader *r, bool compact, bool may_be_null,
                        uint32_t item_bytes_min)
{
    int64_t raw = compact ? (int64_t)wire_read_uvarint(r) - 1 : wire_read_i32(r);
    if (r->failed)
        return 0;
    int32_t count = checked_length(r, raw, may_be_null);
    if (count > 0 && item_bytes_min > 0 && (size_t)count > wire_left(r) / item_bytes_min)
        wire_fail(r);
    return r->failed ? 0 : count;
}

void wire_skip_tagged(struct wire_reader *r)
{
    /* Each field takes two bytes at least, so a lying count ends with the bytes. */
    for (uint32_t left = wire_read_uvarint(r); left > 0 && !r->failed; left--) {
        wire_read_uvarint(r);
        wire_skip(r, wire_read_uvarint(r));
    }
}
