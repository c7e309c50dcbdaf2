// SPDX-License-Identifier: Apache-2.0
/* message_header_test: the API table, headers of both directions, records of our logs. Thread:
 * main. */
#include "wire/message_header.h"

#include "base/macros.h"
#include "base/testing.h"
#include "wire/codec.h"
#include "wire/codec_random.h"
#include "wire/metadata_records.h"
#include "wire/record_set.h"

TEST(api_table_is_found_by_key)
{
    CHECK_EQUAL(wire_api_count, 80);
    for (uint16_t i = 0; i < wire_api_count; i++) {
        CHECK(i == 0 || wire_apis[i].key > wire_apis[i - 1].key);
        CHECK(wire_api_find(wire_apis[i].key) == &wire_apis[i]);
        CHECK_EQUAL(wire_apis[i].request->version_max, wire_apis[i].response->version_max);
    }
    CHECK(wire_api_find(-1) == NULL);
    CHECK(wire_api_find(4) == NULL);
    CHECK(wire_api_find(INT16_MAX) == NULL);
    CHECK_EQUAL(wire_api_find(0)->announce_min, 0);
    CHECK_EQUAL(wire_api_find(0)->request->version_min, 3);
    CHECK_EQUAL(wire_api_version_max_stable(wire_api_find(22)), 5);
    CHECK_EQUAL(wire_api_version_max_stable(wire_api_find(0)), 13);
}

TEST(request_header_of_both_versions)
{
    static const int16_t versions[] = {8, 9};
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        const struct wire_api *api = wire_api_find(0), *found = NULL;
        struct request_header in = {.request_api_version = versions[i],
                                    .correlation_id = 77,
                                    .client_id = wire_str_of("client")};
        struct wire_writer w;
        wire_writer_init(&w, 1000);
        struct wire_mark mark = wire_request_begin(&w, api, &in);
        wire_write_u8(&w, 0xab);
        wire_write_size_end(&w, mark);
        struct wire_reader r = wire_reader_of(w.data, w.size);
        CHECK_EQUAL(wire_read_u32(&r), w.size - 4);
        struct request_header out;
        CHECK_EQUAL(wire_request_header_read(&r, &out, &found), ERR_OK);
        CHECK(found == api);
        CHECK_EQUAL(out.correlation_id, 77);
        CHECK(wire_str_is(out.client_id, "client"));
        CHECK_EQUAL(wire_read_u8(&r), 0xab);
        for (uint32_t size = 4; size + 1 < w.size; size++) {
            r = wire_reader_of(w.data + 4, size - 4);
            CHECK_EQUAL(wire_request_header_read(&r, &out, &found), ERR_CORRUPT);
        }
        wire_writer_deinit(&w);
    }
}

/* The header as a message: what the table says is what the helper writes. */
TEST(request_header_by_the_codec)
{
    for (int16_t version = 8; version <= 9; version++) {
        const struct wire_api *api = wire_api_find(0);
        struct request_header in = {.request_api_version = version,
                                    .correlation_id = 5,
                                    .client_id = wire_str_of(version == 8 ? "c" : NULL)};
        struct wire_writer w, generic;
        wire_writer_init(&w, 1000);
        wire_writer_init(&generic, 1000);
        wire_request_begin(&w, api, &in);
        int16_t header_version = wire_api_request_header_version(api, version);
        CHECK_EQUAL(wire_encode(&request_header_message, header_version, &generic, &in), ERR_OK);
        CHECK_EQUAL(w.size, generic.size + 4);
        CHECK(memcmp(w.data + 4, generic.data, generic.size) == 0);
        struct request_header out;
        struct wire_reader r = wire_reader_of(generic.data, generic.size);
        struct arena a;
        arena_init(&a, 1000);
        CHECK_EQUAL(wire_decode(&request_header_message, header_version, &r, &a, &out), ERR_OK);
        CHECK(wire_equal(&request_header_layout, &in, &out));
        arena_deinit(&a);
        wire_writer_deinit(&w);
        wire_writer_deinit(&generic);
    }
}

TEST(request_header_of_an_unknown_api)
{
    static const uint8_t bytes[] = {0, 4, 0, 1, 0, 0, 0, 9, 0xff};
    struct wire_reader r = wire_reader_of(bytes, sizeof(bytes));
    struct request_header out;
    const struct wire_api *api = NULL;
    CHECK_EQUAL(wire_request_header_read(&r, &out, &api), ERR_UNSUPPORTED);
    CHECK_EQUAL(out.request_api_key, 4);
    CHECK_EQUAL(out.correlation_id, 9);
    CHECK(api == NULL);
}

/* A version from the future is read as a flexible header. */
TEST(request_header_of_a_future_version)
{
    static const uint8_t bytes[] = {0, 18, 0, 99, 0, 0, 0, 9, 0xff, 0xff, 1, 7, 1, 0xcc, 0x55};
    struct wire_reader r = wire_reader_of(bytes, sizeof(bytes));
    struct request_header out;
    const struct wire_api *api = NULL;
    CHECK_EQUAL(wire_request_header_read(&r, &out, &api), ERR_OK);
    CHECK_EQUAL(api->key, 18);
    CHECK(wire_str_is_null(out.client_id));
    CHECK_EQUAL(wire_read_u8(&r), 0x55);
    CHECK(!wire_message_has_version(api->request, out.request_api_version));
}

TEST(response_header_is_flexible_except_for_api_versions)
{
    struct {
        int16_t key, version;
        uint32_t size;
    } cases[] = {{0, 8, 8}, {0, 9, 9}, {18, 2, 8}, {18, 5, 8}, {17, 1, 8}, {1, 18, 9}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct wire_api *api = wire_api_find(cases[i].key);
        struct wire_writer w;
        wire_writer_init(&w, 100);
        struct wire_mark mark = wire_response_begin(&w, api, cases[i].version, -5);
        wire_write_size_end(&w, mark);
        CHECK_EQUAL(w.size, cases[i].size);
        struct wire_reader r = wire_reader_of(w.data + 4, w.size - 4);
        int32_t id;
        CHECK_EQUAL(wire_response_header_read(&r, api, cases[i].version, &id), ERR_OK);
        CHECK_EQUAL(id, -5);
        CHECK_EQUAL(wire_left(&r), 0);
        r = wire_reader_of(w.data + 4, w.size - 5);
        CHECK_EQUAL(wire_response_header_read(&r, api, cases[i].version, &id), ERR_CORRUPT);
        wire_writer_deinit(&w);
    }
}

TEST(metadata_records_come_back)
{
    struct prng p;
    struct arena a;
    struct wire_writer w;
    prng_seed(&p, 5);
    arena_init(&a, 1 << 20);
    wire_writer_init(&w, 1 << 20);
    for (uint32_t round = 0; round < 300; round++) {
        struct metadata_record in, out;
        uint32_t type = 1 + round % (metadata_record_set.message_count - 1u);
        wire_record_init(&metadata_record_set, type, &in);
        const struct wire_message *m = wire_record_message(&metadata_record_set, type);
        CHECK_EQUAL(wire_random(m, 0, &p, &a, (uint8_t *)&in + metadata_record_set.body_at),
                    ERR_OK);
        wire_writer_clear(&w);
        CHECK_EQUAL(wire_record_encode(&metadata_record_set, &w, &in), ERR_OK);
        struct wire_reader r = wire_reader_of(w.data, w.size);
        CHECK_EQUAL(wire_record_decode(&metadata_record_set, &r, &a, &out), ERR_OK);
        CHECK_EQUAL(wire_left(&r), 0);
        CHECK(wire_record_equal(&metadata_record_set, &in, &out));
        for (uint32_t size = 0; size < w.size; size++) {
            r = wire_reader_of(w.data, size);
            CHECK_EQUAL(wire_record_decode(&metadata_record_set, &r, &a, &out), ERR_CORRUPT);
        }
        arena_deinit(&a);
    }
    static const uint8_t unknown[] = {99, 0, 0};
    static const uint8_t future[] = {1, 9, 0};
    struct metadata_record out;
    struct wire_reader r = wire_reader_of(unknown, sizeof(unknown));
    CHECK_EQUAL(wire_record_decode(&metadata_record_set, &r, &a, &out), ERR_UNSUPPORTED);
    r = wire_reader_of(future, sizeof(future));
    CHECK_EQUAL(wire_record_decode(&metadata_record_set, &r, &a, &out), ERR_UNSUPPORTED);
    wire_writer_deinit(&w);
}

TEST(metadata_partition_change_leaves_things_unchanged)
{
    struct metadata_record record;
    wire_record_init(&metadata_record_set, METADATA_PARTITION_CHANGE, &record);
    CHECK_EQUAL(record.partition_change.isr.count, -1);
    CHECK_EQUAL(record.partition_change.leader, -2);
    CHECK_EQUAL(record.partition_change.leader_epoch, -2);
}
