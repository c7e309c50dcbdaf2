// SPDX-License-Identifier: Apache-2.0
/*
 * codec_test: every message in every version there and back, cut short at every
 * byte, with hostile counts, within its arena; and the rules of defaults, nulls
 * and tagged fields on chosen messages.
 *
 * Thread: main.
 */
#include "wire/codec.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/testing.h"
#include "wire/api.h"
#include "wire/codec_dump.h"
#include "wire/codec_random.h"
#include "wire/create_topics.h"
#include "wire/describe_topic_partitions.h"
#include "wire/fetch.h"
#include "wire/metadata.h"
#include "wire/metadata_records.h"
#include "wire/produce.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 1 << 20, OUT_BYTES = 1024, ROUNDS = 12 };

/* Room for any message's struct. */
struct any_message {
    alignas(max_align_t) uint8_t bytes[OUT_BYTES];
};

struct codec_case {
    const struct wire_message *m;
    int16_t version;
    struct prng prng;
    struct arena arena;
    struct wire_writer w;
    struct any_message message;
};

static void case_init(struct codec_case *c, const struct wire_message *m, int16_t version,
                      uint64_t seed)
{
    CHECK(m->body->size <= OUT_BYTES);
    *c = (struct codec_case){.m = m, .version = version};
    prng_seed(&c->prng, seed);
    arena_init(&c->arena, ARENA_BYTES);
    wire_writer_init(&c->w, ARENA_BYTES);
    CHECK_EQUAL(wire_random(m, version, &c->prng, &c->arena, c->message.bytes), ERR_OK);
    CHECK_EQUAL(wire_encode(m, version, &c->w, c->message.bytes), ERR_OK);
}

static void case_deinit(struct codec_case *c)
{
    wire_writer_deinit(&c->w);
    arena_deinit(&c->arena);
}

static enum err decode_bytes(struct codec_case *c, const uint8_t *data, size_t size, void *out)
{
    struct wire_reader r = wire_reader_of(data, size);
    return wire_decode(c->m, c->version, &r, &c->arena, out);
}

static void round_trip(struct codec_case *c)
{
    struct any_message again;
    uint32_t size = 0;
    CHECK_EQUAL(wire_encoded_size(c->m, c->version, c->message.bytes, &size), ERR_OK);
    CHECK_EQUAL(size, c->w.size);
    CHECK(size >= c->m->body->size_min[c->version]);
    CHECK_EQUAL(decode_bytes(c, c->w.data, c->w.size, again.bytes), ERR_OK);
    CHECK(wire_equal(c->m->body, c->message.bytes, again.bytes));
    struct wire_writer w;
    wire_writer_init(&w, ARENA_BYTES);
    CHECK_EQUAL(wire_encode(c->m, c->version, &w, again.bytes), ERR_OK);
    CHECK_EQUAL(w.size, c->w.size);
    CHECK(size == 0 || memcmp(w.data, c->w.data, size) == 0);
    wire_writer_deinit(&w);
}

/* The bytes are copied to a block of their exact size, so that a sanitizer sees any read beyond. */
static void cut_short(struct codec_case *c)
{
    struct any_message out;
    uint32_t step = c->w.size > 300 ? c->w.size / 100 : 1;
    for (uint32_t size = 0; size < c->w.size; size += step) {
        uint8_t *part = mem_alloc(size > 0 ? size : 1);
        if (size > 0)
            memcpy(part, c->w.data, size);
        CHECK_EQUAL(decode_bytes(c, part, size, out.bytes), ERR_CORRUPT);
        mem_free(part);
        arena_deinit(&c->arena);
    }
}

static void bytes_left_over(struct codec_case *c)
{
    struct any_message out;
    wire_write_u8(&c->w, 0);
    CHECK_EQUAL(decode_bytes(c, c->w.data, c->w.size, out.bytes), ERR_CORRUPT);
    struct wire_reader r = wire_reader_of(c->w.data, c->w.size);
    CHECK_EQUAL(wire_decode_part(c->m, c->version, &r, &c->arena, out.bytes), ERR_OK);
    CHECK_EQUAL(wire_left(&r), 1);
}

/* Calls `check` for random messages of every message and version. */
static void for_each_message(void (*check)(struct codec_case *c), int rounds)
{
    struct codec_case c;
    int checked = 0;
    for (uint16_t i = 0; i < wire_api_count * 2; i++) {
        const struct wire_api *api = &wire_apis[i / 2];
        const struct wire_message *m = i % 2 == 0 ? api->request : api->response;
        for (int16_t v = m->version_min; v <= m->version_max; v++) {
            for (int round = 0; round < rounds; round++) {
                case_init(&c, m, v, (uint64_t)i * 100000 + (uint64_t)v * 1000 + (uint64_t)round);
                check(&c);
                case_deinit(&c);
                checked++;
            }
        }
    }
    CHECK(checked > 500 * rounds); /* 80 APIs, two directions, their versions */
}

TEST(codec_every_message_comes_back)
{
    for_each_message(round_trip, ROUNDS);
}

TEST(codec_refuses_every_message_cut_short)
{
    for_each_message(cut_short, 2);
}

TEST(codec_refuses_bytes_left_over)
{
    for_each_message(bytes_left_over, 1);
}

/* Flips bytes anywhere: the decoder must say something, within its arena. */
static void flipped(struct codec_case *c)
{
    struct any_message out;
    for (int i = 0; i < 20 && c->w.size > 0; i++) {
        size_t at = prng_below(&c->prng, c->w.size);
        c->w.data[at] = (uint8_t)prng_u64(&c->prng);
        struct arena small;
        arena_init(&small, 4096);
        struct wire_reader r = wire_reader_of(c->w.data, c->w.size);
        enum err e = wire_decode(c->m, c->version, &r, &small, out.bytes);
        CHECK(e == ERR_OK || e == ERR_CORRUPT || e == ERR_NO_MEMORY);
        CHECK(small.used_bytes <= 4096);
        arena_deinit(&small);
    }
}

TEST(codec_answers_to_flipped_bytes)
{
    for_each_message(flipped, 4);
}

/* Fails the 1st, 2nd, 3rd ... allocation of the writer and of the arena. */
static void allocation_fails(struct codec_case *c)
{
    struct any_message out;
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct wire_writer w;
        struct arena a;
        wire_writer_init(&w, ARENA_BYTES);
        arena_init(&a, ARENA_BYTES);
        mem_fail_at(n);
        enum err e = wire_encode(c->m, c->version, &w, c->message.bytes);
        if (e == ERR_OK) {
            struct wire_reader r = wire_reader_of(w.data, w.size);
            e = wire_decode(c->m, c->version, &r, &a, out.bytes);
        }
        mem_fail_at(0);
        failed = e != ERR_OK;
        CHECK(!failed || e == ERR_NO_MEMORY);
        wire_writer_deinit(&w);
        arena_deinit(&a);
    }
}

TEST(codec_survives_each_failed_allocation)
{
    for_each_message(allocation_fails, 1);
}

TEST(codec_refuses_versions_that_are_not_there)
{
    struct codec_case c;
    case_init(&c, &produce_request_message, 9, 1);
    for (int16_t v = -2; v < 20; v++) {
        if (wire_message_has_version(c.m, v))
            continue;
        c.version = v;
        struct any_message out;
        uint32_t size;
        CHECK_EQUAL(decode_bytes(&c, c.w.data, c.w.size, out.bytes), ERR_UNSUPPORTED);
        CHECK_EQUAL(wire_encode(c.m, v, &c.w, c.message.bytes), ERR_UNSUPPORTED);
        CHECK_EQUAL(wire_encoded_size(c.m, v, c.message.bytes, &size), ERR_UNSUPPORTED);
    }
    case_deinit(&c);
}

/* A count that the bytes could not hold, and one that they could but the arena cannot. */
TEST(codec_hostile_counts)
{
    struct arena a;
    struct metadata_request out;
    arena_init(&a, 64 * 1024);
    static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct wire_reader r = wire_reader_of(huge, sizeof(huge));
    CHECK_EQUAL(wire_decode(&metadata_request_message, 1, &r, &a, &out), ERR_CORRUPT);
    CHECK_EQUAL(a.used_bytes, 0);

    size_t size = 1 << 20;
    uint8_t *zeros = mem_alloc(size);
    bytes_store_u32(zeros, (uint32_t)(size - 4) / 2); /* topics with empty names */
    r = wire_reader_of(zeros, size);
    CHECK_EQUAL(wire_decode(&metadata_request_message, 1, &r, &a, &out), ERR_NO_MEMORY);
    CHECK(a.used_bytes <= 64 * 1024);
    mem_free(zeros);
    arena_deinit(&a);
}

TEST(codec_null_only_where_a_version_has_it)
{
    struct wire_writer w;
    struct metadata_request all;
    wire_writer_init(&w, 1024);
    wire_defaults(&metadata_request_layout, &all);
    CHECK(all.allow_auto_topic_creation);
    all.topics.count = -1;
    CHECK_EQUAL(wire_encode(&metadata_request_message, 0, &w, &all), ERR_INVALID);
    wire_writer_clear(&w);
    CHECK_EQUAL(wire_encode(&metadata_request_message, 1, &w, &all), ERR_OK);
    CHECK_EQUAL(w.size, 4);
    wire_writer_deinit(&w);

    struct arena a;
    arena_init(&a, 1024);
    static const uint8_t null_array[] = {0xff, 0xff, 0xff, 0xff};
    struct wire_reader r = wire_reader_of(null_array, 4);
    CHECK_EQUAL(wire_decode(&metadata_request_message, 0, &r, &a, &all), ERR_CORRUPT);
    r = wire_reader_of(null_array, 4);
    CHECK_EQUAL(wire_decode(&metadata_request_message, 1, &r, &a, &all), ERR_OK);
    CHECK_EQUAL(all.topics.count, -1);
    arena_deinit(&a);
}

TEST(codec_a_value_that_a_version_lacks)
{
    struct fetch_request request;
    wire_defaults(&fetch_request_layout, &request);
    CHECK_EQUAL(request.replica_id, -1);
    CHECK_EQUAL(request.replica_state.replica_id, -1);
    CHECK_EQUAL(request.max_bytes, 0x7fffffff);
    uint32_t size;
    request.rack_id = wire_str_of("a"); /* may be lost: v11 and later have it */
    CHECK_EQUAL(wire_encoded_size(&fetch_request_message, 4, &request, &size), ERR_OK);
    request.replica_state.replica_id = 3; /* may not: v15 and later */
    CHECK_EQUAL(wire_encoded_size(&fetch_request_message, 14, &request, &size), ERR_UNSUPPORTED);
    CHECK_EQUAL(wire_encoded_size(&fetch_request_message, 15, &request, &size), ERR_OK);
    request.replica_id = 3; /* up to v14 */
    CHECK_EQUAL(wire_encoded_size(&fetch_request_message, 15, &request, &size), ERR_UNSUPPORTED);
}

/* Unknown tags are skipped, known ones must keep to their size. */
TEST(codec_tagged_fields)
{
    enum { SIZE_AT = 13, ENDPOINTS_SIZE = 13 };
    uint8_t frame[] = {
        0,    0,
        0,    9, /* throttle time */
        0,    0, /* error */
        0,    0,
        0,    5, /* session */
        1,       /* no topics */
        2,       /* two tagged fields */
        0,    ENDPOINTS_SIZE,
        2,    0,
        0,    0,
        1,    2,
        'h',  0,
        0,    0x23,
        0x84, 0,
        0, /* one node endpoint */
        99,   2,
        0xaa, 0xbb, /* nobody knows it */
    };
    struct arena a;
    struct fetch_response out;
    arena_init(&a, 4096);
    struct wire_reader r = wire_reader_of(frame, sizeof(frame));
    CHECK_EQUAL(wire_decode(&fetch_response_message, 16, &r, &a, &out), ERR_OK);
    CHECK_EQUAL(out.throttle_time_ms, 9);
    CHECK_EQUAL(out.node_endpoints.count, 1);
    CHECK_EQUAL(out.node_endpoints.items[0].port, 9092);
    CHECK_EQUAL(out.node_endpoints.items[0].rack.len, -1);
    for (int wrong = -1; wrong <= 1; wrong += 2) {
        frame[SIZE_AT] = (uint8_t)(ENDPOINTS_SIZE + wrong);
        r = wire_reader_of(frame, sizeof(frame));
        CHECK_EQUAL(wire_decode(&fetch_response_message, 16, &r, &a, &out), ERR_CORRUPT);
    }
    arena_deinit(&a);
}

TEST(codec_tagged_field_over_127_bytes)
{
    struct arena a;
    arena_init(&a, 64 * 1024);
    char host[300];
    memset(host, 'h', sizeof(host));
    struct fetch_response in, out;
    wire_defaults(&fetch_response_layout, &in);
    CHECK_EQUAL(wire_array_new(&a, &fetch_response_node_endpoint_layout, 2, &in.node_endpoints),
                ERR_OK);
    in.node_endpoints.items[1].host = (struct wire_str){host, sizeof(host)};
    in.node_endpoints.items[1].rack = wire_str_of("r");
    struct wire_writer w;
    wire_writer_init(&w, 4096);
    CHECK_EQUAL(wire_encode(&fetch_response_message, 18, &w, &in), ERR_OK);
    uint32_t size;
    CHECK_EQUAL(wire_encoded_size(&fetch_response_message, 18, &in, &size), ERR_OK);
    CHECK_EQUAL(size, w.size);
    struct wire_reader r = wire_reader_of(w.data, w.size);
    CHECK_EQUAL(wire_decode(&fetch_response_message, 18, &r, &a, &out), ERR_OK);
    CHECK(wire_equal(&fetch_response_layout, &in, &out));
    wire_writer_deinit(&w);
    arena_deinit(&a);
}

TEST(codec_nullable_struct)
{
    struct arena a;
    arena_init(&a, 4096);
    struct describe_topic_partitions_request in, out;
    wire_defaults(&describe_topic_partitions_request_layout, &in);
    CHECK(in.cursor == NULL);
    CHECK_EQUAL(in.response_partition_limit, 2000);
    struct wire_writer w;
    wire_writer_init(&w, 4096);
    struct describe_topic_partitions_request_cursor cursor = {.topic_name = wire_str_of("t"),
                                                              .partition_index = 7};
    for (int present = 0; present < 2; present++) {
        in.cursor = present ? &cursor : NULL;
        wire_writer_clear(&w);
        CHECK_EQUAL(wire_encode(&describe_topic_partitions_request_message, 0, &w, &in), ERR_OK);
        struct wire_reader r = wire_reader_of(w.data, w.size);
        CHECK_EQUAL(wire_decode(&describe_topic_partitions_request_message, 0, &r, &a, &out),
                    ERR_OK);
        CHECK(wire_equal(&describe_topic_partitions_request_layout, &in, &out));
        CHECK_EQUAL(out.cursor != NULL, present);
    }
    wire_writer_deinit(&w);
    arena_deinit(&a);
}

TEST(codec_records_left_where_they_are)
{
    struct arena a;
    arena_init(&a, 4096);
    struct fetch_response in, out;
    wire_defaults(&fetch_response_layout, &in);
    CHECK_EQUAL(
        wire_array_new(&a, &fetch_response_fetchable_topic_response_layout, 1, &in.responses),
        ERR_OK);
    CHECK_EQUAL(wire_array_new(&a, &fetch_response_partition_data_layout, 2,
                               &in.responses.items[0].partitions),
                ERR_OK);
    static const uint8_t records[300] = {1, 2, 3};
    int file = 0;
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(in.responses.items[0].partitions.items[i].records.len, -1);
        in.responses.items[0].partitions.items[i].records =
            (struct wire_records){records, sizeof(records), &file};
    }
    struct wire_writer w;
    wire_writer_init(&w, 4096);
    struct wire_mark mark = wire_write_size_begin(&w);
    CHECK_EQUAL(wire_encode(&fetch_response_message, 18, &w, &in), ERR_OK);
    wire_write_size_end(&w, mark);
    CHECK_EQUAL(w.hole_count, 2);
    CHECK(w.holes[0].ref == &file);
    CHECK_EQUAL(bytes_load_u32(w.data), wire_writer_total(&w) - 4);

    uint8_t whole[2048];
    uint32_t from = 0, size = 0;
    for (uint32_t i = 0; i <= w.hole_count; i++) {
        uint32_t to = i < w.hole_count ? w.holes[i].pos : w.size;
        memcpy(whole + size, w.data + from, to - from);
        size += to - from;
        from = to;
        if (i < w.hole_count) {
            memcpy(whole + size, w.holes[i].data, (size_t)w.holes[i].len);
            size += (uint32_t)w.holes[i].len;
        }
    }
    CHECK_EQUAL(size, wire_writer_total(&w));
    struct wire_reader r = wire_reader_of(whole + 4, size - 4);
    CHECK_EQUAL(wire_decode(&fetch_response_message, 18, &r, &a, &out), ERR_OK);
    CHECK_EQUAL(out.responses.items[0].partitions.items[1].records.len, sizeof(records));
    CHECK(!wire_equal(&fetch_response_layout, &in, &out)); /* there the bytes are in place */
    out = in;
    CHECK(wire_equal(&fetch_response_layout, &in, &out));
    struct fetch_response_partition_data same = in.responses.items[0].partitions.items[0];
    same.records.ref = &w;
    CHECK(!wire_equal(&fetch_response_partition_data_layout, &same,
                      &in.responses.items[0].partitions.items[0]));
    wire_writer_deinit(&w);
    arena_deinit(&a);
}

TEST(codec_dump_shows_a_message)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a, 4096);
    strbuf_init(&text);
    struct produce_request in;
    wire_defaults(&produce_request_layout, &in);
    in.acks = -1;
    in.transactional_id = wire_str_of("a\"b");
    CHECK_EQUAL(wire_array_new(&a, &produce_request_topic_produce_data_layout, 1, &in.topic_data),
                ERR_OK);
    wire_dump(&produce_request_message, 3, &in, &text);
    CHECK_TEXT(strbuf_text(&text),
               "{\"TransactionalId\": \"a\\\"b\", \"Acks\": -1, \"TimeoutMs\": 0, "
               "\"TopicData\": [{\"Name\": \"\", \"PartitionData\": []}]}");
    strbuf_deinit(&text);
    arena_deinit(&a);
}
