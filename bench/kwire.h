// SPDX-License-Identifier: Apache-2.0
/*
 * kwire: the few Kafka frames that the bench programs speak, at fixed
 * versions that Kafka 4.4 and Klamm both serve: ApiVersions 0, CreateTopics 4,
 * DeleteTopics 1, Produce 9, Fetch 12, and v2 record batches of equal records;
 * those of groups and of metadata are in kwire_group.h.
 *
 * It is small and apart from src/wire on purpose: what measures the broker
 * should not share its mistakes. It does not know sockets.
 *
 * Thread: each object belongs to one thread.
 * Limits: frames are built from our own values, so sizes are asserted by
 *         kbuf's capacity; readers check every length against the frame.
 */
#ifndef KLAMM_BENCH_KWIRE_H
#define KLAMM_BENCH_KWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_API_VERSIONS = 18,
    API_CREATE_TOPICS = 19,
    API_DELETE_TOPICS = 20,
    BATCH_HEADER_SIZE = 61,
};

/* A growing buffer that frames are written to. */
struct kbuf {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Reads a frame; once `failed` is set every read gives 0 or NULL. */
struct kreader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void put_bytes(struct kbuf *b, const void *data, size_t size);
void put_i8(struct kbuf *b, int8_t v);
void put_i16(struct kbuf *b, int16_t v);
void put_i32(struct kbuf *b, int32_t v);
void put_i64(struct kbuf *b, int64_t v);
void put_uvarint(struct kbuf *b, uint32_t v);
void put_varint(struct kbuf *b, int32_t v);             /* zigzag */
void put_string(struct kbuf *b, const char *s);         /* int16 length */
void put_compact_string(struct kbuf *b, const char *s); /* uvarint length + 1 */
void kbuf_free(struct kbuf *b);

void store_i32(uint8_t *at, int32_t v);
void store_i64(uint8_t *at, int64_t v);
int32_t load_i32(const uint8_t *at);
int64_t load_i64(const uint8_t *at);

int8_t get_i8(struct kreader *r);
int16_t get_i16(struct kreader *r);
int32_t get_i32(struct kreader *r);
int64_t get_i64(struct kreader *r);
uint32_t get_uvarint(struct kreader *r);
int32_t get_varint(struct kreader *r);
const uint8_t *get_bytes(struct kreader *r, size_t size);
void skip_string(struct kreader *r);         /* int16 length, may be null */
void skip_compact_string(struct kreader *r); /* may be null */
void skip_tags(struct kreader *r);

/* CRC-32C of what a batch's checksum covers. */
uint32_t batch_crc(const uint8_t *batch, size_t size);

/* Appends one batch of `count` records with values of `value_size` bytes. With
 * stamps != NULL each value starts with its stamp (8 bytes). */
struct batch_shape {
    int32_t count;
    uint32_t value_size;
    const uint64_t *stamps;
};
void put_batch(struct kbuf *b, const struct batch_shape *shape);
/* Bytes that put_batch() appends. */
size_t batch_size(const struct batch_shape *shape);
/* How many records of value_size fit a batch of size_max bytes, at least 1. */
int32_t batch_fit(uint32_t value_size, size_t size_max);

/* Around the body of any request: appends what comes before it, then sets the
 * frame's length. */
size_t begin_frame(struct kbuf *b, int16_t api, int16_t version, bool is_flexible);
void end_frame(struct kbuf *b, size_t start);

/* Each appends one whole frame with its length in front. */
void put_api_versions(struct kbuf *b);

struct topic_spec {
    const char *name;
    int32_t partitions;
    const char *config_key; /* NULL: none */
    const char *config_value;
};
void put_create_topic(struct kbuf *b, const struct topic_spec *topic);
void put_delete_topic(struct kbuf *b, const char *name);

struct produce_spec {
    const char *topic;
    int32_t partition;
    int16_t acks;
    struct batch_shape shape;
};
/* Gives where in `b` the partition stands, so that the frame can go to another one later. */
size_t put_produce(struct kbuf *b, const struct produce_spec *produce);

/* The same batch for several partitions of a topic. */
struct produce_many {
    const char *topic;
    const int32_t *partitions;
    int count;
    int16_t acks;
    struct batch_shape shape;
};
void put_produce_many(struct kbuf *b, const struct produce_many *produce);

struct fetch_spec {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int32_t max_wait_ms;
    int32_t partition_bytes_max;
};
void put_fetch(struct kbuf *b, const struct fetch_spec *fetch);

/* All readers take a frame without its length, from the correlation id on, and
 * give false when it is not what was asked for. */
struct produce_answer {
    int16_t error;
    int64_t base_offset;
};
bool read_produce_answer(const uint8_t *frame, size_t size, struct produce_answer *out);

/* Fills `count` entries: as many as were asked for. */
struct partition_error {
    int32_t partition;
    int16_t error;
};
bool read_produce_many_answer(const uint8_t *frame, size_t size, struct partition_error *out,
                              int count);

struct fetch_answer {
    int16_t error;
    int64_t high_watermark;
    const uint8_t *records;
    size_t records_size;
};
bool read_fetch_answer(const uint8_t *frame, size_t size, struct fetch_answer *out);

/* The error of the only topic; also works for DeleteTopics 1. */
bool read_create_topic_answer(const uint8_t *frame, size_t size, int16_t *error);
bool read_delete_topic_answer(const uint8_t *frame, size_t size, int16_t *error);
bool read_api_versions_answer(const uint8_t *frame, size_t size, int16_t *error);

#endif
