// SPDX-License-Identifier: Apache-2.0
/*
 * compress_test: each codec there and back at each level, cut short at every byte,
 * with bytes behind it, with content over the limit, and without memory.
 *
 * Thread: main.
 */
#include "wire/compress.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <string.h>
#include <zstd.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "wire/batch_buffer.h"

enum { CONTENT_BYTES = 300000 };

/* Half text, half noise: every codec has both compressed and stored blocks. */
static uint8_t *some_content(void)
{
    struct prng p;
    uint8_t *content = mem_alloc(CONTENT_BYTES);
    prng_seed(&p, 5);
    prng_fill(&p, content, CONTENT_BYTES);
    for (size_t i = 0; i < CONTENT_BYTES; i++)
        if ((i / 40000) % 2 == 0)
            content[i] = (uint8_t)("the narrow way "[i % 15] + (i % 701 == 0));
    return content;
}

static enum err encode(struct compress_encoder *c, enum compress_codec codec, int level,
                       struct batch_buffer *out, const uint8_t *data, size_t len)
{
    enum err e =
        compress_encoder_start(c, codec, level, level % 2 == 0 ? len : COMPRESS_SIZE_UNKNOWN, out);
    while (e == ERR_OK && len > 0) { /* uneven pieces */
        size_t step = MIN(len, 70001);
        e = compress_encoder_add(c, data, step);
        data += step;
        len -= step;
    }
    return e == ERR_OK ? compress_encoder_finish(c) : e;
}

struct packed {
    enum compress_codec codec;
    const uint8_t *data;
    size_t len;
};

static struct packed packed(unsigned codec, const uint8_t *data, size_t len)
{
    return (struct packed){.codec = (enum compress_codec)codec, .data = data, .len = len};
}

/* Decodes all and compares it with `want` (NULL: does not look). */
static enum err decode(struct compress_decoder *d, struct packed in, uint64_t bytes_max,
                       const uint8_t *want, size_t *total)
{
    *total = 0;
    enum err e = compress_decoder_start(d, in.codec, in.data, in.len, bytes_max);
    while (e == ERR_OK) {
        const uint8_t *chunk;
        size_t size;
        e = compress_decoder_next(d, &chunk, &size);
        if (e == ERR_OK && size == 0)
            return ERR_OK;
        if (e == ERR_OK && want != NULL)
            CHECK(memcmp(want + *total, chunk, size) == 0);
        if (e == ERR_OK)
            *total += size;
    }
    return e;
}

/* The same from memory of exactly that size, so that a sanitizer sees a read past it. */
static enum err decode_exact(struct compress_decoder *d, enum compress_codec codec,
                             const uint8_t *data, size_t len)
{
    size_t total;
    uint8_t *copy = mem_alloc(len);
    memcpy(copy, data, len);
    enum err e = decode(d, packed(codec, copy, len), UINT64_MAX, NULL, &total);
    mem_free(copy);
    return e;
}

static void roundtrip(struct compress_encoder *c, struct compress_decoder *d,
                      enum compress_codec codec, int level, size_t len)
{
    uint8_t *content = some_content();
    struct batch_buffer out;
    size_t total;
    batch_buffer_init(&out, SIZE_MAX);
    CHECK_EQUAL(batch_buffer_add(&out, "front", 5), ERR_OK);
    CHECK_EQUAL(encode(c, codec, level, &out, content, len), ERR_OK);
    CHECK_EQUAL(decode(d, packed(codec, out.data + 5, out.len - 5), len, content, &total), ERR_OK);
    CHECK_EQUAL(total, len);
    if (len > 1)
        CHECK_EQUAL(decode(d, packed(codec, out.data + 5, out.len - 5), len - 1, content, &total),
                    ERR_TOO_LARGE);
    batch_buffer_deinit(&out);
    mem_free(content);
}

TEST(compress_goes_there_and_back_at_every_level)
{
    static const size_t sizes[] = {1, 100, 32768, 65536, 65537, CONTENT_BYTES};
    struct compress_encoder *c = compress_encoder_new();
    struct compress_decoder *d = compress_decoder_new();
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        for (size_t s = 0; s < ARRAY_COUNT(sizes); s++)
            roundtrip(c, d, (enum compress_codec)codec, COMPRESS_LEVEL_DEFAULT, sizes[s]);
        for (int level = -5; level <= 22; level++)
            if (compress_level_is_valid((enum compress_codec)codec, level))
                roundtrip(c, d, (enum compress_codec)codec, level, 40000);
    }
    compress_encoder_free(c);
    compress_decoder_free(d);
    compress_encoder_free(NULL);
    compress_decoder_free(NULL);
}

TEST(compress_notices_every_cut_and_every_addition)
{
    uint8_t *content = some_content();
    struct compress_encoder *c = compress_encoder_new();
    struct compress_decoder *d = compress_decoder_new();
    for (unsigned codec = COMPRESS_GZIP; codec < COMPRESS_COUNT; codec++) {
        struct batch_buffer out;
        batch_buffer_init(&out, SIZE_MAX);
        CHECK_EQUAL(
            encode(c, (enum compress_codec)codec, COMPRESS_LEVEL_DEFAULT, &out, content, 1500),
            ERR_OK);
        size_t size = out.len;
        for (size_t cut = 0; cut < size; cut++)
            CHECK(decode_exact(d, (enum compress_codec)codec, out.data, cut) == ERR_CORRUPT);
        CHECK_EQUAL(decode_exact(d, (enum compress_codec)codec, out.data, size), ERR_OK);
        CHECK_EQUAL(batch_buffer_add(&out, "x", 1), ERR_OK);
        CHECK_EQUAL(decode_exact(d, (enum compress_codec)codec, out.data, size + 1), ERR_CORRUPT);
        batch_buffer_deinit(&out);
    }
    compress_encoder_free(c);
    compress_decoder_free(d);
    mem_free(content);
}

TEST(compress_keeps_the_output_limit)
{
    uint8_t *content = some_content();
    struct compress_encoder *c = compress_encoder_new();
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        struct batch_buffer out;
        batch_buffer_init(&out, 20000);
        CHECK_EQUAL(encode(c, (enum compress_codec)codec, COMPRESS_LEVEL_DEFAULT, &out, content,
                           CONTENT_BYTES),
                    ERR_TOO_LARGE);
        CHECK(out.len <= 20000);
        batch_buffer_deinit(&out);
    }
    compress_encoder_free(c);
    mem_free(content);
}

TEST(compress_survives_each_failed_allocation)
{
    uint8_t *content = some_content();
    for (unsigned codec = 0; codec < COMPRESS_COUNT; codec++) {
        bool failed = true;
        for (int fail_at = 1; failed; fail_at++) {
            struct compress_encoder *c = compress_encoder_new();
            struct compress_decoder *d = compress_decoder_new();
            struct batch_buffer out;
            size_t total;
            batch_buffer_init(&out, SIZE_MAX);
            mem_fail_at(fail_at);
            enum err e = encode(c, (enum compress_codec)codec, COMPRESS_LEVEL_DEFAULT, &out,
                                content, CONTENT_BYTES);
            if (e == ERR_OK)
                e = decode(d, packed(codec, out.data, out.len), UINT64_MAX, content, &total);
            mem_fail_at(0);
            failed = e != ERR_OK;
            if (failed)
                CHECK_EQUAL(e, ERR_NO_MEMORY);
            /* And both are as good as new. */
            out.len = 0;
            CHECK_EQUAL(encode(c, (enum compress_codec)codec, COMPRESS_LEVEL_DEFAULT, &out, content,
                               CONTENT_BYTES),
                        ERR_OK);
            CHECK_EQUAL(decode(d, packed(codec, out.data, out.len), UINT64_MAX, content, &total),
                        ERR_OK);
            CHECK_EQUAL(total, CONTENT_BYTES);
            compress_encoder_free(c);
            compress_decoder_free(d);
            batch_buffer_deinit(&out);
        }
    }
    mem_free(content);
}

TEST(compress_reads_snappy_as_clients_send_it)
{
    uint8_t *content = some_content();
    struct compress_decoder *d = compress_decoder_new();
    size_t len = snappy_max_compressed_length(CONTENT_BYTES), total;
    uint8_t *raw = mem_alloc(len);
    CHECK_EQUAL(snappy_compress((char *)content, CONTENT_BYTES, (char *)raw, &len), SNAPPY_OK);
    CHECK_EQUAL(decode(d, packed(COMPRESS_SNAPPY, raw, len), CONTENT_BYTES, content, &total),
                ERR_OK);
    CHECK_EQUAL(total, CONTENT_BYTES);
    CHECK_EQUAL(decode(d, packed(COMPRESS_SNAPPY, raw, len), CONTENT_BYTES - 1, content, &total),
                ERR_TOO_LARGE);
    /* A block that says it holds 4 GiB is not believed. */
    memcpy(raw, "\xff\xff\xff\xff\x0f", 5);
    mem_fail_at(1); /* nothing is allocated for it */
    CHECK_EQUAL(decode(d, packed(COMPRESS_SNAPPY, raw, len), UINT64_MAX, NULL, &total),
                ERR_CORRUPT);
    mem_fail_at(0);
    /* Two framed streams, one behind the other. */
    struct batch_buffer out;
    struct compress_encoder *c = compress_encoder_new();
    batch_buffer_init(&out, SIZE_MAX);
    CHECK_EQUAL(encode(c, COMPRESS_SNAPPY, COMPRESS_LEVEL_DEFAULT, &out, content, 100), ERR_OK);
    CHECK_EQUAL(encode(c, COMPRESS_SNAPPY, COMPRESS_LEVEL_DEFAULT, &out, content + 100, 200),
                ERR_OK);
    CHECK_EQUAL(decode(d, packed(COMPRESS_SNAPPY, out.data, out.len), 300, content, &total),
                ERR_OK);
    CHECK_EQUAL(total, 300);
    batch_buffer_deinit(&out);
    compress_encoder_free(c);
    compress_decoder_free(d);
    mem_free(raw);
    mem_free(content);
}

TEST(compress_reads_members_and_frames_that_follow_one_another)
{
    static const enum compress_codec codecs[] = {COMPRESS_GZIP, COMPRESS_ZSTD};
    uint8_t *content = some_content();
    struct compress_encoder *c = compress_encoder_new();
    struct compress_decoder *d = compress_decoder_new();
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
        struct batch_buffer out;
        size_t total;
        batch_buffer_init(&out, SIZE_MAX);
        for (size_t part = 0; part < 3; part++)
            CHECK_EQUAL(
                encode(c, codecs[i], COMPRESS_LEVEL_DEFAULT, &out, content + part * 70000, 70000),
                ERR_OK);
        CHECK_EQUAL(decode(d, packed(codecs[i], out.data, out.len), UINT64_MAX, content, &total),
                    ERR_OK);
        CHECK_EQUAL(total, 210000);
        batch_buffer_deinit(&out);
    }
    compress_encoder_free(c);
    compress_decoder_free(d);
    mem_free(content);
}

/* Frames of the largest blocks are read; frames that Java cannot read are not. */
TEST(compress_reads_the_lz4_frames_that_kafka_reads)
{
    uint8_t *content = some_content();
    struct compress_decoder *d = compress_decoder_new();
    size_t room = LZ4F_compressFrameBound(CONTENT_BYTES, NULL) + LZ4F_HEADER_SIZE_MAX, total;
    uint8_t *frame = mem_alloc(room);
    LZ4F_preferences_t p = {.frameInfo = {.blockSizeID = LZ4F_max4MB,
                                          .blockMode = LZ4F_blockIndependent,
                                          .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                                          .blockChecksumFlag = LZ4F_blockChecksumEnabled,
                                          .contentSize = CONTENT_BYTES}};
    size_t len = LZ4F_compressFrame(frame, room, content, CONTENT_BYTES, &p);
    CHECK(!LZ4F_isError(len));
    CHECK_EQUAL(decode(d, packed(COMPRESS_LZ4, frame, len), UINT64_MAX, content, &total), ERR_OK);
    CHECK_EQUAL(total, CONTENT_BYTES);
    frame[len - 1] ^= 1; /* the checksum of the content */
    CHECK_EQUAL(decode(d, packed(COMPRESS_LZ4, frame, len), UINT64_MAX, NULL, &total), ERR_CORRUPT);
    p = (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockLinked}};
    len = LZ4F_compressFrame(frame, room, content, CONTENT_BYTES, &p);
    CHECK(!LZ4F_isError(len));
    CHECK_EQUAL(decode(d, packed(COMPRESS_LZ4, frame, len), UINT64_MAX, NULL, &total), ERR_CORRUPT);
    compress_decoder_free(d);
    mem_free(frame);
    mem_free(content);
}

/* 64 MiB of zeros in a few KiB: refused at the limit, after a chunk more at most. */
TEST(compress_stops_a_bomb_at_its_limit)
{
    static const uint8_t zeros[64 * 1024];
    struct compress_encoder *c = compress_encoder_new();
    struct compress_decoder *d = compress_decoder_new();
    for (unsigned codec = COMPRESS_GZIP; codec < COMPRESS_COUNT; codec++) {
        struct batch_buffer out;
        size_t total;
        batch_buffer_init(&out, SIZE_MAX);
        CHECK_EQUAL(compress_encoder_start(c, (enum compress_codec)codec, COMPRESS_LEVEL_DEFAULT,
                                           COMPRESS_SIZE_UNKNOWN, &out),
                    ERR_OK);
        for (int i = 0; i < 1024; i++)
            CHECK_EQUAL(compress_encoder_add(c, zeros, sizeof(zeros)), ERR_OK);
        CHECK_EQUAL(compress_encoder_finish(c), ERR_OK);
        CHECK_EQUAL(decode(d, packed(codec, out.data, out.len), 1 << 20, NULL, &total),
                    ERR_TOO_LARGE);
        CHECK(total <= 1 << 20);
        CHECK(total >= (1 << 20) - LIMIT_DECOMPRESS_CHUNK_BYTES);
        batch_buffer_deinit(&out);
    }
    compress_encoder_free(c);
    compress_decoder_free(d);
}

TEST(compress_refuses_a_zstd_window_over_the_limit)
{
    struct compress_decoder *d = compress_decoder_new();
    size_t total;
    /* magic, no single segment, window descriptor: exponent 10 + 18 = 2^28, one empty last block */
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 0x01, 0x00, 0x00};
    uint8_t smaller[sizeof(frame)];
    memcpy(smaller, frame, sizeof(frame));
    smaller[5] = 5 << 3;
    CHECK_EQUAL(
        decode(d, packed(COMPRESS_ZSTD, smaller, sizeof(smaller)), UINT64_MAX, NULL, &total),
        ERR_OK);
    CHECK_EQUAL(decode(d, packed(COMPRESS_ZSTD, frame, sizeof(frame)), UINT64_MAX, NULL, &total),
                ERR_CORRUPT);
    compress_decoder_free(d);
}

TEST(compress_knows_names_levels_and_limits)
{
    enum compress_codec codec = COMPRESS_ZSTD;
    CHECK(compress_codec_parse("uncompressed", &codec) && codec == COMPRESS_NONE);
    CHECK(compress_codec_parse("lz4", &codec) && codec == COMPRESS_LZ4);
    CHECK(!compress_codec_parse("producer", &codec) && codec == COMPRESS_LZ4);
    for (unsigned i = 0; i < COMPRESS_COUNT; i++) {
        CHECK(compress_codec_parse(compress_codec_name((enum compress_codec)i), &codec));
        CHECK_EQUAL(codec, i);
    }
    CHECK(compress_level_is_valid(COMPRESS_GZIP, -1) && !compress_level_is_valid(COMPRESS_GZIP, 0));
    CHECK(!compress_level_is_valid(COMPRESS_LZ4, 18) && compress_level_is_valid(COMPRESS_LZ4, 17));
    CHECK(compress_level_is_valid(COMPRESS_ZSTD, -131072));
    CHECK(!compress_level_is_valid(COMPRESS_SNAPPY, 1));
    CHECK_EQUAL(compress_decoded_bytes_max(0), 64 << 20);
    CHECK_EQUAL(compress_decoded_bytes_max(1000), (64 << 20) + 1024000);
    CHECK_EQUAL(compress_decoded_bytes_max(1 << 20), 1 << 30);
    CHECK_EQUAL(compress_decoded_bytes_max(SIZE_MAX), 1 << 30);
}
