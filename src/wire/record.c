// SPDX-License-Identifier: Apache-2.0
/*
 * record: see record.h.
 *
 * Every length is held against what is left of the record's body before it is
 * used, so nothing here depends on how large a peer says something is.
 *
 * Thread: whoever owns the source.
 */
#include "wire/record.h"

#include <string.h>

#include "base/assert.h"
#include "wire/batch_buffer.h"
#include "wire/compress.h"

enum {
    VARINT_BYTES_MAX = 5,
    VARLONG_BYTES_MAX = 10,
    HEADER_BYTES_MIN = 2,   /* two lengths */
    GATHER_STEP = 64 << 10, /* a claimed size is believed only as far as bytes came */
};

static uint64_t source_varint_slow(struct record_source *s, unsigned bytes_max);
static bool source_refill(struct record_source *s);
static void source_skip(struct record_source *s, uint64_t count);

void record_source_init(struct record_source *s, const uint8_t *data, size_t len)
{
    *s = (struct record_source){.pos = data, .end = data + len, .passed_bytes = len};
}

void record_source_init_decoder(struct record_source *s, struct compress_decoder *decoder)
{
    *s = (struct record_source){.decoder = decoder};
}

bool record_source_is_at_end(struct record_source *s)
{
    if (s->err != ERR_OK || s->pos < s->end)
        return false;
    return !source_refill(s) && s->err == ERR_OK;
}

static inline uint64_t source_position(const struct record_source *s)
{
    return s->passed_bytes - (uint64_t)(s->end - s->pos);
}

/* 0 once s->err is set. */
static inline uint64_t source_unsigned(struct record_source *s, unsigned bytes_max)
{
    if (s->pos < s->end && *s->pos < 0x80 && s->err == ERR_OK)
        return *s->pos++;
    return source_varint_slow(s, bytes_max);
}

static inline int32_t source_varint(struct record_source *s)
{
    uint64_t raw = source_unsigned(s, VARINT_BYTES_MAX);
    return (int32_t)((uint32_t)(raw >> 1) ^ (uint32_t) - (uint32_t)(raw & 1));
}

static inline int64_t source_varlong(struct record_source *s)
{
    uint64_t raw = source_unsigned(s, VARLONG_BYTES_MAX);
    return (int64_t)((raw >> 1) ^ (uint64_t) - (raw & 1));
}

/* ---- skipping */

static bool body_fail(struct record_source *s, const char **why, const char *text)
{
    if (s->err == ERR_OK)
        s->err = ERR_CORRUPT;
    *why = text;
    return false;
}

/* A length and as many bytes, all before `body_end`. */
static bool body_skip_bytes(struct record_source *s, uint64_t body_end, int32_t *len)
{
    *len = source_varint(s);
    uint64_t at = source_position(s);
    if (s->err != ERR_OK || *len < -1 || at > body_end)
        return false;
    if (*len <= 0)
        return true;
    if ((uint64_t)*len > body_end - at)
        return false;
    source_skip(s, (uint64_t)*len);
    return s->err == ERR_OK;
}

static bool body_skip_headers(struct record_source *s, uint64_t body_end, const char **why)
{
    int32_t count = source_varint(s);
    uint64_t at = source_position(s);
    if (s->err != ERR_OK || at > body_end)
        return body_fail(s, why, "the record ends before its headers");
    if (count < 0 || (uint64_t)count > (body_end - at) / HEADER_BYTES_MIN)
        return body_fail(s, why, "a header count that the record cannot hold");
    for (int32_t i = 0; i < count; i++) {
        int32_t name_len, value_len;
        if (!body_skip_bytes(s, body_end, &name_len) || name_len < 0)
            return body_fail(s, why, "a header name with a bad length");
        if (!body_skip_bytes(s, body_end, &value_len))
            return body_fail(s, why, "a header value with a bad length");
    }
    return true;
}

bool record_skip(struct record_source *s, int32_t body_size_max, struct record_brief *out,
                 const char **why)
{
    int32_t key_len, value_len;
    out->body_size = source_varint(s);
    if (s->err != ERR_OK)
        return body_fail(s, why, "the batch ends before its records do");
    if (out->body_size < 0)
        return body_fail(s, why, "a negative record size");
    if (out->body_size > body_size_max)
        return body_fail(s, why, "a record over max.decompressed.message.bytes");
    uint64_t body_end = source_position(s) + (uint64_t)out->body_size;
    source_skip(s, 1); /* attributes */
    out->timestamp_delta = source_varlong(s);
    out->offset_delta = source_varint(s);
    if (s->err != ERR_OK)
        return body_fail(s, why, "a record cut short");
    if (!body_skip_bytes(s, body_end, &key_len))
        return body_fail(s, why, "a key with a bad length");
    if (!body_skip_bytes(s, body_end, &value_len))
        return body_fail(s, why, "a value with a bad length");
    if (!body_skip_headers(s, body_end, why))
        return false;
    if (source_position(s) != body_end)
        return body_fail(s, why, "a record whose size is not that of its parts");
    out->has_key = key_len >= 0;
    return true;
}

/* ---- reading */

/* The whole body in one piece; NULL: s->err says why. */
static const uint8_t *body_gather(struct record_source *s, size_t size, struct batch_buffer *gather)
{
    const uint8_t *body = s->pos;
    if (size <= (size_t)(s->end - s->pos)) {
        s->pos += size;
        return body;
    }
    gather->len = 0;
    while (gather->len < size) {
        if (s->pos == s->end && !source_refill(s)) {
            s->err = s->err == ERR_OK ? ERR_CORRUPT : s->err;
            return NULL;
        }
        size_t step = MIN(size - gather->len, (size_t)(s->end - s->pos));
        step = MIN(step, GATHER_STEP);
        enum err e = batch_buffer_add(gather, s->pos, step);
        if (e != ERR_OK) {
            s->err = e;
            return NULL;
        }
        s->pos += step;
    }
    return gather->data;
}

/* From inside a body; false when the length does not fit. */
static bool body_bytes(struct record_source *body, struct record_bytes *out)
{
    int32_t len = source_varint(body);
    if (body->err != ERR_OK || len < -1 || len > body->end - body->pos)
        return false;
    out->data = len >= 0 ? body->pos : NULL;
    out->len = len;
    body->pos += MAX(len, 0);
    return true;
}

static bool body_parse(const uint8_t *data, size_t size, struct record *out)
{
    struct record_source body;
    record_source_init(&body, data, size);
    source_skip(&body, 1);
    out->timestamp = source_varlong(&body);
    out->offset_delta = source_varint(&body);
    if (!body_bytes(&body, &out->key) || !body_bytes(&body, &out->value))
        return false;
    out->header_count = source_varint(&body);
    size_t left = (size_t)(body.end - body.pos);
    if (body.err != ERR_OK || out->header_count < 0 ||
        (size_t)out->header_count > left / HEADER_BYTES_MIN)
        return false;
    out->headers = (struct record_bytes){.data = body.pos, .len = (int32_t)left};
    for (int32_t i = 0; i < out->header_count; i++) {
        struct record_header h;
        if (!body_bytes(&body, &h.name) || h.name.len < 0 || !body_bytes(&body, &h.value))
            return false;
    }
    return body.pos == body.end;
}

enum err record_read(struct record_source *s, int32_t body_size_max, struct batch_buffer *gather,
                     struct record *out)
{
    int32_t size = source_varint(s);
    if (s->err == ERR_OK && size < 0)
        s->err = ERR_CORRUPT;
    if (s->err == ERR_OK && size > body_size_max)
        s->err = ERR_TOO_LARGE;
    if (s->err != ERR_OK)
        return s->err;
    const uint8_t *body = body_gather(s, (size_t)size, gather);
    struct record r;
    if (body == NULL)
        return s->err;
    if (!body_parse(body, (size_t)size, &r)) {
        s->err = ERR_CORRUPT;
        return ERR_CORRUPT;
    }
    *out = r;
    return ERR_OK;
}

bool record_header_next(struct record_bytes *rest, struct record_header *out)
{
    if (rest->len <= 0)
        return false;
    struct record_source s;
    record_source_init(&s, rest->data, (size_t)rest->len);
    bool is_whole = body_bytes(&s, &out->name) && body_bytes(&s, &out->value);
    ASSERT(is_whole);
    rest->len = (int32_t)(s.end - s.pos);
    rest->data = s.pos;
    return true;
}

/* ---- writing */

static size_t put_unsigned(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static size_t put_varint(uint8_t *out, int32_t v)
{
    return put_unsigned(out, ((uint32_t)v << 1) ^ (uint32_t)(v >> 31));
}

static size_t put_varlong(uint8_t *out, int64_t v)
{
    return put_unsigned(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static size_t varint_size(int32_t v)
{
    uint8_t scratch[VARLONG_BYTES_MAX];
    return put_varint(scratch, v);
}

static uint8_t *put_bytes(uint8_t *at, const struct record_bytes *b)
{
    ASSERT(b->len >= -1);
    at += put_varint(at, b->len);
    if (b->len > 0) {
        memcpy(at, b->data, (size_t)b->len);
        at += b->len;
    }
    return at;
}

static uint64_t bytes_size(const struct record_bytes *b)
{
    return varint_size(b->len) + (uint64_t)MAX(b->len, 0);
}

enum err record_header_write(struct batch_buffer *out, const struct record_header *h)
{
    ASSERT(h->name.len >= 0);
    size_t size = (size_t)(bytes_size(&h->name) + bytes_size(&h->value));
    enum err e = batch_buffer_reserve(out, size);
    if (e != ERR_OK)
        return e;
    uint8_t *at = put_bytes(out->data + out->len, &h->name);
    at = put_bytes(at, &h->value);
    ASSERT(at == out->data + out->len + size);
    return batch_buffer_advance(out, size);
}

enum err record_write(struct batch_buffer *out, const struct record *r, int64_t timestamp_delta)
{
    uint8_t scratch[VARLONG_BYTES_MAX];
    uint64_t body = 1 + put_varlong(scratch, timestamp_delta) + varint_size(r->offset_delta) +
                    bytes_size(&r->key) + bytes_size(&r->value) + varint_size(r->header_count) +
                    (uint64_t)MAX(r->headers.len, 0);
    if (body > INT32_MAX)
        return ERR_TOO_LARGE;
    size_t size = varint_size((int32_t)body) + (size_t)body;
    enum err e = batch_buffer_reserve(out, size);
    if (e != ERR_OK)
        return e;
    uint8_t *start = out->data + out->len;
    uint8_t *at = start + put_varint(start, (int32_t)body);
    *at++ = 0; /* attributes */
    at += put_varlong(at, timestamp_delta);
    at += put_varint(at, r->offset_delta);
    at = put_bytes(at, &r->key);
    at = put_bytes(at, &r->value);
    at += put_varint(at, r->header_count);
    if (r->headers.len > 0) {
        memcpy(at, r->headers.data, (size_t)r->headers.len);
        at += r->headers.len;
    }
    ASSERT(at == start + size);
    return batch_buffer_advance(out, size);
}

/* ---- the source */

/* Gets the next chunk; only when none is at hand. False: the end, or s->err. */
static bool source_refill(struct record_source *s)
{
    const uint8_t *chunk = NULL;
    size_t len = 0;
    ASSERT(s->pos == s->end);
    if (s->err != ERR_OK || s->decoder == NULL)
        return false;
    enum err e = compress_decoder_next(s->decoder, &chunk, &len);
    if (e != ERR_OK) {
        s->err = e;
        return false;
    }
    if (len == 0) {
        s->decoder = NULL;
        return false;
    }
    s->pos = chunk;
    s->end = chunk + len;
    s->passed_bytes += len;
    return true;
}

/* More than one byte, or across a border. Bits that the type cannot hold are an error:
 * readers differ in what they make of them. */
static uint64_t source_varint_slow(struct record_source *s, unsigned bytes_max)
{
    uint8_t last_max = bytes_max == VARINT_BYTES_MAX ? 0x0f : 0x01;
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes_max; i++) {
        if (s->err != ERR_OK || (s->pos == s->end && !source_refill(s)))
            break;
        uint8_t byte = *s->pos++;
        if (i == bytes_max - 1 && byte > last_max)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    if (s->err == ERR_OK)
        s->err = ERR_CORRUPT;
    return 0;
}

static void source_skip(struct record_source *s, uint64_t count)
{
    while (s->err == ERR_OK && count > (uint64_t)(s->end - s->pos)) {
        count -= (uint64_t)(s->end - s->pos);
        s->pos = s->end;
        if (!source_refill(s)) {
            s->err = s->err == ERR_OK ? ERR_CORRUPT : s->err;
            return;
        }
    }
    if (s->err == ERR_OK)
        s->pos += count;
}
