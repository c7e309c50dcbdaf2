// SPDX-License-Identifier: Apache-2.0
/*
 * batch_golden_test: batches that Kafka's own builder made (test/golden/batches,
 * written by test/batch/run.sh) are read as what they are.
 *
 * A file has "header" (base offset, last offset, leader epoch, codec, max
 * timestamp, producer id, producer epoch, base sequence, count), a "record" line
 * for each record (offset, timestamp, key, value, headers as name=value) and
 * "bytes" lines in hex. Bytes of a record are ~ (null), xHEX, or xHEX*TIMES.
 *
 * Thread: main.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/testing.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/batch_validate.h"

enum { LINE_BYTES = 16384, FIELDS_MAX = 16 };

struct golden {
    struct batch_buffer bytes;
    struct batch_header header;
    FILE *file;
    char *line;
    char *fields[FIELDS_MAX];
    size_t field_count;
};

/* The next line that begins with `kind`, cut into fields. */
static bool next_line(struct golden *g, const char *kind)
{
    while (fgets(g->line, LINE_BYTES, g->file) != NULL) {
        g->field_count = 0;
        for (char *at = g->line; *at != 0 && *at != '\n';) {
            size_t len = strcspn(at, " \n");
            CHECK(g->field_count < FIELDS_MAX);
            g->fields[g->field_count++] = at;
            at += len;
            if (*at != 0)
                *at++ = 0;
        }
        if (g->field_count > 0 && strcmp(g->fields[0], kind) == 0)
            return true;
    }
    rewind(g->file);
    return false;
}

static uint8_t hex_digit(char c)
{
    return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

static int64_t number(const struct golden *g, size_t field)
{
    CHECK(field < g->field_count);
    return strtoll(g->fields[field], NULL, 10);
}

static void golden_open(struct golden *g, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/test/golden/batches/%s", TEST_SOURCE_DIR, name);
    memset(g, 0, sizeof(*g));
    g->line = mem_alloc(LINE_BYTES);
    g->file = fopen(path, "r");
    CHECK(g->file != NULL);
    batch_buffer_init(&g->bytes, SIZE_MAX);
    while (next_line(g, "bytes")) {
        for (const char *at = g->fields[1]; *at != 0; at += 2) {
            uint8_t byte = (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
            CHECK_EQUAL(batch_buffer_add(&g->bytes, &byte, 1), ERR_OK);
        }
    }
    CHECK(batch_header_read(g->bytes.data, g->bytes.len, &g->header));
}

static void golden_close(struct golden *g)
{
    fclose(g->file);
    mem_free(g->line);
    batch_buffer_deinit(&g->bytes);
}

static bool is_same(const struct record_bytes *b, const char *shown)
{
    if (*shown == '~')
        return b->len == -1;
    size_t digits = strspn(shown + 1, "0123456789abcdef");
    size_t times = shown[1 + digits] == '*' ? strtoull(shown + digits + 2, NULL, 10) : 1;
    size_t part = digits / 2;
    if (b->len < 0 || (size_t)b->len != part * times)
        return false;
    for (size_t i = 0; i < part * times; i++) {
        const char *at = shown + 1 + 2 * (i % part);
        if (b->data[i] != (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1])))
            return false;
    }
    return true;
}

static void check_record(struct golden *g, const struct record *r)
{
    CHECK_EQUAL(g->header.base_offset + r->offset_delta, number(g, 1));
    CHECK_EQUAL(r->timestamp, number(g, 2));
    CHECK(is_same(&r->key, g->fields[3]));
    CHECK(is_same(&r->value, g->fields[4]));
    CHECK_EQUAL(r->header_count, g->field_count - 5);
    struct record_bytes rest = r->headers;
    struct record_header h;
    for (size_t i = 5; i < g->field_count; i++) {
        char *value = strchr(g->fields[i], '=');
        *value++ = 0;
        CHECK(record_header_next(&rest, &h));
        CHECK(is_same(&h.name, g->fields[i]));
        CHECK(is_same(&h.value, value));
    }
    CHECK(!record_header_next(&rest, &h));
}

static void check_header(struct golden *g)
{
    const struct batch_header *h = &g->header;
    const char *reason;
    struct batch_header again;
    CHECK(next_line(g, "header"));
    CHECK_EQUAL(h->base_offset, number(g, 1));
    CHECK_EQUAL(batch_last_offset(h), number(g, 2));
    CHECK_EQUAL(h->leader_epoch, number(g, 3));
    CHECK_EQUAL(batch_codec(h), number(g, 4));
    CHECK_EQUAL(h->max_timestamp, number(g, 5));
    CHECK_EQUAL(h->producer_id, number(g, 6));
    CHECK_EQUAL(h->producer_epoch, number(g, 7));
    CHECK_EQUAL(h->base_sequence, number(g, 8));
    CHECK_EQUAL(h->record_count, number(g, 9));
    CHECK_EQUAL(batch_check(g->bytes.data, g->bytes.len, &again, &reason), BATCH_OK);
}

static void check_records(struct golden *g)
{
    struct batch_reader reader;
    struct record r;
    batch_reader_init(&reader, 1 << 20);
    CHECK_EQUAL(batch_reader_start(&reader, g->bytes.data, g->bytes.len), ERR_OK);
    for (int32_t i = 0; i < g->header.record_count; i++) {
        CHECK(next_line(g, "record"));
        CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_OK);
        check_record(g, &r);
    }
    CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_NOT_FOUND);
    CHECK(!next_line(g, "record"));
    batch_reader_deinit(&reader);
}

static void check_verdict(struct golden *g)
{
    struct batch_rules rules = batch_rules_default(g->header.max_timestamp);
    struct compress_decoder *decoder = compress_decoder_new();
    struct batch_report report;
    rules.is_from_client = !batch_is_control(&g->header) && !batch_is_log_append_time(&g->header);
    CHECK_EQUAL(batch_validate(&rules, g->bytes.data, g->bytes.len, decoder, &report), BATCH_OK);
    CHECK(batch_is_log_append_time(&g->header) || !report.is_max_timestamp_wrong);
    compress_decoder_free(decoder);
}

/* Read and built again by us, without a codec, the records are the same bytes. */
static void check_rebuilt(struct golden *g)
{
    struct batch_reader reader;
    struct batch_builder builder;
    struct batch_recoder recoder = {0};
    struct batch_buffer ours, plain;
    struct record r;
    struct batch_options o = batch_options_default();
    struct batch_target none = {.level = COMPRESS_LEVEL_DEFAULT};
    batch_reader_init(&reader, 1 << 20);
    batch_builder_init(&builder);
    batch_buffer_init(&ours, SIZE_MAX);
    batch_buffer_init(&plain, SIZE_MAX);
    batch_builder_start(&builder, &o);
    CHECK_EQUAL(batch_reader_start(&reader, g->bytes.data, g->bytes.len), ERR_OK);
    while (batch_reader_next(&reader, &r) == ERR_OK)
        CHECK_EQUAL(batch_builder_add(&builder, &r), ERR_OK);
    CHECK_EQUAL(batch_builder_finish(&builder, &ours), ERR_OK);
    CHECK_EQUAL(batch_recompress(&recoder, g->bytes.data, g->bytes.len, &none, &plain), ERR_OK);
    if (!batch_is_log_append_time(&g->header)) { /* there the reader shows other times */
        CHECK_EQUAL(ours.len, plain.len);
        CHECK(memcmp(ours.data + BATCH_HEADER_BYTES, plain.data + BATCH_HEADER_BYTES,
                     plain.len - BATCH_HEADER_BYTES) == 0);
    }
    batch_recoder_deinit(&recoder);
    batch_buffer_deinit(&plain);
    batch_buffer_deinit(&ours);
    batch_builder_deinit(&builder);
    batch_reader_deinit(&reader);
}

TEST(batch_golden_files_are_what_they_say)
{
    static const char *const names[] = {
        "idempotent_gzip.txt", "idempotent_lz4.txt", "idempotent_none.txt", "idempotent_snappy.txt",
        "idempotent_zstd.txt", "large_gzip.txt",     "large_lz4.txt",       "large_snappy.txt",
        "large_zstd.txt",      "large_zstd_22.txt",  "log_append_time.txt", "marker.txt",
        "mixed_gzip.txt",      "mixed_gzip_9.txt",   "mixed_lz4.txt",       "mixed_lz4_17.txt",
        "mixed_none.txt",      "mixed_snappy.txt",   "mixed_zstd.txt",      "raw_snappy.txt",
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct golden g;
        golden_open(&g, names[i]);
        check_header(&g);
        check_records(&g);
        check_verdict(&g);
        check_rebuilt(&g);
        golden_close(&g);
    }
}

/* A reader of a log must live with anything that its disk says. */
TEST(batch_golden_files_cut_short_are_noticed)
{
    static const char *const names[] = {"mixed_none.txt", "mixed_gzip.txt", "mixed_snappy.txt",
                                        "mixed_lz4.txt",  "mixed_zstd.txt", "log_append_time.txt"};
    struct batch_reader reader;
    batch_reader_init(&reader, 1 << 20);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct golden g;
        golden_open(&g, names[i]);
        for (size_t len = 0; len < g.bytes.len; len++) {
            struct record r;
            uint8_t *copy = mem_alloc(len);
            memcpy(copy, g.bytes.data, len);
            int32_t got = 0;
            enum err e = batch_reader_start(&reader, copy, len);
            while (e == ERR_OK) {
                e = batch_reader_next(&reader, &r);
                got += e == ERR_OK;
            }
            /* What is missing may be only what follows the last record in its codec. */
            CHECK(e == ERR_CORRUPT || (e == ERR_NOT_FOUND && got == g.header.record_count));
            mem_free(copy);
        }
        golden_close(&g);
    }
    batch_reader_deinit(&reader);
}

TEST(batch_golden_reading_survives_each_failed_allocation)
{
    static const char *const names[] = {"large_gzip.txt", "large_snappy.txt", "large_lz4.txt",
                                        "large_zstd.txt", "raw_snappy.txt"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct golden g;
        golden_open(&g, names[i]);
        bool failed = true;
        for (int fail_at = 1; failed; fail_at++) {
            struct batch_reader reader;
            struct record r;
            batch_reader_init(&reader, 1 << 20);
            mem_fail_at(fail_at);
            enum err e = batch_reader_start(&reader, g.bytes.data, g.bytes.len);
            while (e == ERR_OK)
                e = batch_reader_next(&reader, &r);
            mem_fail_at(0);
            CHECK(e == ERR_NO_MEMORY || e == ERR_NOT_FOUND);
            failed = e == ERR_NO_MEMORY;
            batch_reader_deinit(&reader);
        }
        golden_close(&g);
    }
}

TEST(batch_golden_records_over_the_limit_are_not_gathered)
{
    struct golden g;
    struct batch_reader reader;
    struct record r;
    golden_open(&g, "large_zstd.txt");
    batch_reader_init(&reader, 20000); /* the twelfth record is larger */
    CHECK_EQUAL(batch_reader_start(&reader, g.bytes.data, g.bytes.len), ERR_OK);
    for (int i = 0; i < 11; i++)
        CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_OK);
    CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_TOO_LARGE);
    CHECK_EQUAL(batch_reader_next(&reader, &r), ERR_NOT_FOUND);
    batch_reader_deinit(&reader);
    golden_close(&g);
}
