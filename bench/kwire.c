// SPDX-License-Identifier: Apache-2.0
/*
 * kwire: the few Kafka frames that the bench programs speak.
 *
 * It does not know sockets, and shares nothing with src/wire (see kwire.h).
 *
 * Thread: each object belongs to one thread.
 */
#include "kwire.h"

#include "stats.h"

#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char client_id[] = "bench";

/* -- writing ------------------------------------------------------------ */

void put_bytes(struct kbuf *b, const void *data, size_t size)
{
    if (size > b->capacity - b->size) {
        size_t capacity = b->capacity + b->capacity / 2 + size + 256;
        uint8_t *grown = realloc(b->data, capacity);
        if (grown == NULL)
            die("no memory for a frame of %zu bytes", capacity);
        b->data = grown;
        b->capacity = capacity;
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void kbuf_free(struct kbuf *b)
{
    free(b->data);
    *b = (struct kbuf){0};
}

void store_i32(uint8_t *at, int32_t v)
{
    uint32_t u = __builtin_bswap32((uint32_t)v);
    memcpy(at, &u, sizeof u);
}

void store_i64(uint8_t *at, int64_t v)
{
    uint64_t u = __builtin_bswap64((uint64_t)v);
    memcpy(at, &u, sizeof u);
}

int32_t load_i32(const uint8_t *at)
{
    uint32_t u;
    memcpy(&u, at, sizeof u);
    return (int32_t)__builtin_bswap32(u);
}

int64_t load_i64(const uint8_t *at)
{
    uint64_t u;
    memcpy(&u, at, sizeof u);
    return (int64_t)__builtin_bswap64(u);
}

void put_i8(struct kbuf *b, int8_t v)
{
    put_bytes(b, &v, 1);
}

void put_i16(struct kbuf *b, int16_t v)
{
    uint16_t u = __builtin_bswap16((uint16_t)v);
    put_bytes(b, &u, sizeof u);
}

void put_i32(struct kbuf *b, int32_t v)
{
    uint8_t bytes[4];
    store_i32(bytes, v);
    put_bytes(b, bytes, sizeof bytes);
}

void put_i64(struct kbuf *b, int64_t v)
{
    uint8_t bytes[8];
    store_i64(bytes, v);
    put_bytes(b, bytes, sizeof bytes);
}

void put_uvarint(struct kbuf *b, uint32_t v)
{
    while (v >= 0x80) {
        put_i8(b, (int8_t)(v | 0x80));
        v >>= 7;
    }
    put_i8(b, (int8_t)v);
}

static uint32_t zigzag(int32_t v)
{
    return ((uint32_t)v << 1) ^ (uint32_t)(v >> 31);
}

void put_varint(struct kbuf *b, int32_t v)
{
    put_uvarint(b, zigzag(v));
}

void put_string(struct kbuf *b, const char *s)
{
    put_i16(b, (int16_t)strlen(s));
    put_bytes(b, s, strlen(s));
}

void put_compact_string(struct kbuf *b, const char *s)
{
    put_uvarint(b, (uint32_t)strlen(s) + 1);
    put_bytes(b, s, strlen(s));
}

/* -- reading ------------------------------------------------------------ */

const uint8_t *get_bytes(struct kreader *r, size_t size)
{
    if (r->failed || size > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += size;
    return at;
}

int8_t get_i8(struct kreader *r)
{
    const uint8_t *p = get_bytes(r, 1);
    return p == NULL ? 0 : (int8_t)*p;
}

int16_t get_i16(struct kreader *r)
{
    const uint8_t *p = get_bytes(r, 2);
    return p == NULL ? 0 : (int16_t)((unsigned)p[0] << 8 | p[1]);
}

int32_t get_i32(struct kreader *r)
{
    const uint8_t *p = get_bytes(r, 4);
    return p == NULL ? 0 : load_i32(p);
}

int64_t get_i64(struct kreader *r)
{
    const uint8_t *p = get_bytes(r, 8);
    return p == NULL ? 0 : load_i64(p);
}

uint32_t get_uvarint(struct kreader *r)
{
    uint32_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        const uint8_t *p = get_bytes(r, 1);
        if (p == NULL)
            return 0;
        v |= (uint32_t)(*p & 0x7f) << shift;
        if ((*p & 0x80) == 0)
            return v;
    }
    r->failed = true;
    return 0;
}

int32_t get_varint(struct kreader *r)
{
    uint32_t v = get_uvarint(r);
    return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

void skip_string(struct kreader *r)
{
    int16_t size = get_i16(r);
    if (size > 0)
        get_bytes(r, (size_t)size);
}

void skip_compact_string(struct kreader *r)
{
    uint32_t size = get_uvarint(r);
    if (size > 1)
        get_bytes(r, size - 1);
}

void skip_tags(struct kreader *r)
{
    uint32_t count = get_uvarint(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        get_uvarint(r);
        get_bytes(r, get_uvarint(r));
    }
}

/* -- record batches ----------------------------------------------------- */

uint32_t batch_crc(const uint8_t *batch, size_t size)
{
    enum { CRC_FROM = 21 }; /* attributes */
    unsigned char *from = (unsigned char *)(uintptr_t)(batch + CRC_FROM);
    return ~crc32_iscsi(from, (int)(size - CRC_FROM), 0xffffffffu);
}

static uint32_t varint_size(int32_t v)
{
    uint32_t size = 1;
    for (uint32_t u = zigzag(v); u >= 0x80; u >>= 7)
        size++;
    return size;
}

/* Length that the record announces: all behind the length field itself. */
static uint32_t record_body_size(int32_t offset_delta, uint32_t value_size)
{
    return 1 + 1 + varint_size(offset_delta) + 1 + varint_size((int32_t)value_size) + value_size +
           1;
}

size_t batch_size(const struct batch_shape *shape)
{
    size_t size = BATCH_HEADER_SIZE;
    for (int32_t i = 0; i < shape->count; i++) {
        uint32_t body = record_body_size(i, shape->value_size);
        size += varint_size((int32_t)body) + body;
    }
    return size;
}

int32_t batch_fit(uint32_t value_size, size_t size_max)
{
    struct batch_shape shape = {.count = 1, .value_size = value_size};
    while (batch_size(&shape) <= size_max)
        shape.count++;
    return shape.count > 1 ? shape.count - 1 : 1;
}

/* Bytes that no page or cache line repeats soon; the same in every run. */
static void put_noise(struct kbuf *b, size_t size)
{
    static uint8_t noise[65536];
    static size_t at;
    static uint32_t x;
    for (size_t i = 0; x == 0 || i % sizeof noise != 0; i++) {
        if (x == 0)
            x = 2463534242u;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        noise[i] = (uint8_t)x;
    }
    while (size > 0) {
        size_t n = sizeof noise - at < size ? sizeof noise - at : size;
        put_bytes(b, noise + at, n);
        at = (at + n) % sizeof noise;
        size -= n;
    }
}

static void put_record(struct kbuf *b, int32_t i, const struct batch_shape *shape)
{
    put_varint(b, (int32_t)record_body_size(i, shape->value_size));
    put_i8(b, 0);      /* attributes */
    put_varint(b, 0);  /* timestamp delta */
    put_varint(b, i);  /* offset delta */
    put_varint(b, -1); /* null key */
    put_varint(b, (int32_t)shape->value_size);
    uint32_t stamp_size = shape->stamps != NULL ? 8 : 0;
    if (shape->stamps != NULL)
        put_i64(b, (int64_t)shape->stamps[i]);
    put_noise(b, shape->value_size - stamp_size);
    put_varint(b, 0); /* headers */
}

void put_batch(struct kbuf *b, const struct batch_shape *shape)
{
    size_t start = b->size;
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t time_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;

    put_i64(b, 0);  /* base offset */
    put_i32(b, 0);  /* batch length, set below */
    put_i32(b, -1); /* partition leader epoch */
    put_i8(b, 2);   /* magic */
    put_i32(b, 0);  /* crc, set below */
    put_i16(b, 0);  /* attributes */
    put_i32(b, shape->count - 1);
    put_i64(b, time_ms);
    put_i64(b, time_ms);
    put_i64(b, -1); /* producer id */
    put_i16(b, -1); /* producer epoch */
    put_i32(b, -1); /* base sequence */
    put_i32(b, shape->count);
    for (int32_t i = 0; i < shape->count; i++)
        put_record(b, i, shape);

    uint8_t *batch = b->data + start;
    size_t size = b->size - start;
    store_i32(batch + 8, (int32_t)(size - 12));
    store_i32(batch + 17, (int32_t)batch_crc(batch, size));
}

/* -- requests ----------------------------------------------------------- */

size_t begin_frame(struct kbuf *b, int16_t api, int16_t version, bool is_flexible)
{
    size_t start = b->size;
    put_i32(b, 0); /* frame length, set by end_frame() */
    put_i16(b, api);
    put_i16(b, version);
    put_i32(b, 1); /* correlation id: the bench trusts the order of answers */
    put_string(b, client_id);
    if (is_flexible)
        put_uvarint(b, 0);
    return start;
}

void end_frame(struct kbuf *b, size_t start)
{
    store_i32(b->data + start, (int32_t)(b->size - start - 4));
}

void put_api_versions(struct kbuf *b)
{
    end_frame(b, begin_frame(b, API_API_VERSIONS, 0, false));
}

void put_create_topic(struct kbuf *b, const struct topic_spec *topic)
{
    size_t start = begin_frame(b, API_CREATE_TOPICS, 4, false);
    put_i32(b, 1);
    put_string(b, topic->name);
    put_i32(b, topic->partitions);
    put_i16(b, 1); /* replication factor */
    put_i32(b, 0); /* assignments */
    put_i32(b, topic->config_key != NULL);
    if (topic->config_key != NULL) {
        put_string(b, topic->config_key);
        put_string(b, topic->config_value);
    }
    put_i32(b, 30000); /* timeout */
    put_i8(b, 0);      /* validate only */
    end_frame(b, start);
}

void put_delete_topic(struct kbuf *b, const char *name)
{
    size_t start = begin_frame(b, API_DELETE_TOPICS, 1, false);
    put_i32(b, 1);
    put_string(b, name);
    put_i32(b, 30000);
    end_frame(b, start);
}

/* Up to the number of partitions. */
static size_t begin_produce(struct kbuf *b, int16_t acks, const char *topic)
{
    size_t start = begin_frame(b, API_PRODUCE, 9, true);
    put_uvarint(b, 0); /* no transactional id */
    put_i16(b, acks);
    put_i32(b, 30000);
    put_uvarint(b, 2); /* one topic */
    put_compact_string(b, topic);
    return start;
}

void put_produce_many(struct kbuf *b, const struct produce_many *produce)
{
    size_t start = begin_produce(b, produce->acks, produce->topic);
    put_uvarint(b, (uint32_t)produce->count + 1);
    for (int i = 0; i < produce->count; i++) {
        put_i32(b, produce->partitions[i]);
        put_uvarint(b, (uint32_t)batch_size(&produce->shape) + 1);
        put_batch(b, &produce->shape);
        put_uvarint(b, 0);
    }
    put_uvarint(b, 0);
    put_uvarint(b, 0);
    end_frame(b, start);
}

size_t put_produce(struct kbuf *b, const struct produce_spec *produce)
{
    size_t start = begin_produce(b, produce->acks, produce->topic);
    put_uvarint(b, 2); /* one partition */
    size_t partition_pos = b->size;
    put_i32(b, produce->partition);
    put_uvarint(b, (uint32_t)batch_size(&produce->shape) + 1);
    put_batch(b, &produce->shape);
    put_uvarint(b, 0);
    put_uvarint(b, 0);
    put_uvarint(b, 0);
    end_frame(b, start);
    return partition_pos;
}

void put_fetch(struct kbuf *b, const struct fetch_spec *fetch)
{
    size_t start = begin_frame(b, API_FETCH, 12, true);
    put_i32(b, -1); /* a consumer */
    put_i32(b, fetch->max_wait_ms);
    put_i32(b, 1); /* bytes at least */
    put_i32(b, 50 * 1024 * 1024);
    put_i8(b, 0);   /* read uncommitted */
    put_i32(b, 0);  /* no session, */
    put_i32(b, -1); /* and none wanted */
    put_uvarint(b, 2);
    put_compact_string(b, fetch->topic);
    put_uvarint(b, 2);
    put_i32(b, fetch->partition);
    put_i32(b, -1); /* leader epoch */
    put_i64(b, fetch->offset);
    put_i32(b, -1); /* last fetched epoch */
    put_i64(b, -1); /* log start */
    put_i32(b, fetch->partition_bytes_max);
    put_uvarint(b, 0);
    put_uvarint(b, 0);
    put_uvarint(b, 1);         /* nothing forgotten */
    put_compact_string(b, ""); /* rack */
    put_uvarint(b, 0);
    end_frame(b, start);
}

/* -- answers ------------------------------------------------------------ */

bool read_produce_answer(const uint8_t *frame, size_t size, struct produce_answer *out)
{
    struct kreader r = {.at = frame, .end = frame + size};
    get_i32(&r);
    skip_tags(&r);
    if (get_uvarint(&r) != 2) /* one topic */
        return false;
    skip_compact_string(&r);
    if (get_uvarint(&r) != 2) /* one partition */
        return false;
    get_i32(&r);
    out->error = get_i16(&r);
    out->base_offset = get_i64(&r);
    return !r.failed;
}

static void skip_record_errors(struct kreader *r)
{
    uint32_t errors = get_uvarint(r);
    for (uint32_t i = 1; i < errors && !r->failed; i++) {
        get_i32(r);
        skip_compact_string(r);
        skip_tags(r);
    }
}

bool read_produce_many_answer(const uint8_t *frame, size_t size, struct partition_error *out,
                              int count)
{
    struct kreader r = {.at = frame, .end = frame + size};
    get_i32(&r);
    skip_tags(&r);
    if (get_uvarint(&r) != 2) /* one topic */
        return false;
    skip_compact_string(&r);
    if (get_uvarint(&r) != (uint32_t)count + 1)
        return false;
    for (int i = 0; i < count; i++) {
        out[i].partition = get_i32(&r);
        out[i].error = get_i16(&r);
        get_bytes(&r, 24); /* base offset, append time, log start */
        skip_record_errors(&r);
        skip_compact_string(&r); /* what is wrong */
        skip_tags(&r);
    }
    return !r.failed;
}

bool read_fetch_answer(const uint8_t *frame, size_t size, struct fetch_answer *out)
{
    struct kreader r = {.at = frame, .end = frame + size};
    get_i32(&r);
    skip_tags(&r);
    get_i32(&r); /* throttle */
    int16_t error = get_i16(&r);
    out->error = error;
    get_i32(&r);              /* session */
    if (get_uvarint(&r) != 2) /* one topic */
        return false;
    skip_compact_string(&r);
    if (get_uvarint(&r) != 2) /* one partition */
        return false;
    get_i32(&r);
    out->error = get_i16(&r);
    if (error != 0)
        out->error = error;
    out->high_watermark = get_i64(&r);
    get_i64(&r); /* last stable offset */
    get_i64(&r); /* log start offset */
    uint32_t aborted = get_uvarint(&r);
    for (uint32_t i = 1; i < aborted && !r.failed; i++) {
        get_bytes(&r, 16);
        skip_tags(&r);
    }
    get_i32(&r); /* preferred replica */
    uint32_t records = get_uvarint(&r);
    out->records_size = records > 0 ? records - 1 : 0;
    out->records = get_bytes(&r, out->records_size);
    return !r.failed;
}

bool read_create_topic_answer(const uint8_t *frame, size_t size, int16_t *error)
{
    struct kreader r = {.at = frame, .end = frame + size};
    get_i32(&r);
    get_i32(&r); /* throttle */
    if (get_i32(&r) != 1)
        return false;
    skip_string(&r);
    *error = get_i16(&r);
    return !r.failed;
}

bool read_delete_topic_answer(const uint8_t *frame, size_t size, int16_t *error)
{
    return read_create_topic_answer(frame, size, error); /* the same up to here */
}

bool read_api_versions_answer(const uint8_t *frame, size_t size, int16_t *error)
{
    struct kreader r = {.at = frame, .end = frame + size};
    get_i32(&r);
    *error = get_i16(&r);
    return !r.failed && get_i32(&r) > 0;
}
