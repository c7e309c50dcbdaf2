// SPDX-License-Identifier: Apache-2.0
/*
 * compress_encoder: content in, compressed bytes behind a buffer. See compress.h.
 *
 * What is written is what the Java client writes: gzip with one member, snappy
 * in 32 KiB blocks with its framing, lz4 frames of independent 64 KiB blocks
 * without checksums, zstd frames.
 *
 * Thread: whoever owns the encoder.
 */
#define ZSTD_STATIC_LINKING_ONLY
#define LZ4F_STATIC_LINKING_ONLY
#define ZLIB_CONST
#include <lz4frame.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "wire/batch_buffer.h"
#include "wire/compress.h"
#include "wire/compress_format.h"

enum {
    STEP_BYTES = 64 * 1024, /* of content at a time, and of room for gzip and zstd */
    GZIP_MEMORY_LEVEL = 8,
    LZ4_LEVEL_FAST = 9, /* Kafka's default; its code takes the fast compressor for it */
    LZ4_LEVEL_HIGH_MIN = 3,
    ZSTD_LEVEL = 3,
};

struct compress_encoder {
    enum compress_codec codec;
    struct batch_buffer *out; /* NULL: no stream */
    bool has_gzip;
    int gzip_level; /* of the context */
    z_stream gzip;
    LZ4F_cctx *lz4;
    LZ4F_preferences_t lz4_preferences;
    ZSTD_CCtx *zstd;
    uint8_t *snappy_block;
    size_t snappy_len;
};

static enum err gzip_start(struct compress_encoder *c, int level);
static enum err gzip_run(struct compress_encoder *c, const uint8_t *data, size_t len, int flush);
static enum err snappy_start(struct compress_encoder *c);
static enum err snappy_add(struct compress_encoder *c, const uint8_t *data, size_t len);
static enum err snappy_flush(struct compress_encoder *c);
static enum err lz4_start(struct compress_encoder *c, int level);
static enum err lz4_add(struct compress_encoder *c, const uint8_t *data, size_t len);
static enum err lz4_finish(struct compress_encoder *c);
static enum err zstd_start(struct compress_encoder *c, int level, uint64_t content_size);
static enum err zstd_run(struct compress_encoder *c, const uint8_t *data, size_t len,
                         ZSTD_EndDirective end);

struct compress_encoder *compress_encoder_new(void)
{
    return mem_alloc(sizeof(struct compress_encoder));
}

void compress_encoder_free(struct compress_encoder *c)
{
    if (c == NULL)
        return;
    if (c->has_gzip)
        deflateEnd(&c->gzip);
    LZ4F_freeCompressionContext(c->lz4);
    ZSTD_freeCCtx(c->zstd);
    mem_free(c->snappy_block);
    mem_free(c);
}

enum err compress_encoder_start(struct compress_encoder *c, enum compress_codec codec, int level,
                                uint64_t content_size, struct batch_buffer *out)
{
    ASSERT(codec < COMPRESS_COUNT);
    ASSERT(compress_level_is_valid(codec, level));
    c->codec = codec;
    c->out = out;
    enum err e = ERR_OK;
    switch (codec) {
    case COMPRESS_GZIP:
        e = gzip_start(c, level);
        break;
    case COMPRESS_SNAPPY:
        e = snappy_start(c);
        break;
    case COMPRESS_LZ4:
        e = lz4_start(c, level);
        break;
    case COMPRESS_ZSTD:
        e = zstd_start(c, level, content_size);
        break;
    case COMPRESS_NONE:
    case COMPRESS_COUNT:
        break;
    }
    if (e != ERR_OK)
        c->out = NULL;
    return e;
}

enum err compress_encoder_add(struct compress_encoder *c, const uint8_t *data, size_t len)
{
    ASSERT(c->out != NULL);
    enum err e = ERR_OK;
    while (e == ERR_OK && len > 0) {
        size_t step = MIN(len, STEP_BYTES);
        switch (c->codec) {
        case COMPRESS_GZIP:
            e = gzip_run(c, data, step, Z_NO_FLUSH);
            break;
        case COMPRESS_SNAPPY:
            e = snappy_add(c, data, step);
            break;
        case COMPRESS_LZ4:
            e = lz4_add(c, data, step);
            break;
        case COMPRESS_ZSTD:
            e = zstd_run(c, data, step, ZSTD_e_continue);
            break;
        case COMPRESS_NONE:
        case COMPRESS_COUNT:
            e = batch_buffer_add(c->out, data, step);
            break;
        }
        data += step;
        len -= step;
    }
    if (e != ERR_OK)
        c->out = NULL;
    return e;
}

enum err compress_encoder_finish(struct compress_encoder *c)
{
    ASSERT(c->out != NULL);
    enum err e = ERR_OK;
    switch (c->codec) {
    case COMPRESS_GZIP:
        e = gzip_run(c, NULL, 0, Z_FINISH);
        break;
    case COMPRESS_SNAPPY:
        e = snappy_flush(c);
        break;
    case COMPRESS_LZ4:
        e = lz4_finish(c);
        break;
    case COMPRESS_ZSTD:
        e = zstd_run(c, NULL, 0, ZSTD_e_end);
        break;
    case COMPRESS_NONE:
    case COMPRESS_COUNT:
        break;
    }
    c->out = NULL;
    return e;
}

/* ---- gzip */

static void *gzip_alloc(void *owner, uInt count, uInt size)
{
    return mem_try((size_t)count * size);
}

static void gzip_free(void *owner, void *p)
{
    mem_free(p);
}

static enum err gzip_start(struct compress_encoder *c, int level)
{
    level = level == COMPRESS_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level;
    if (c->has_gzip && c->gzip_level == level) {
        int reset = deflateReset(&c->gzip);
        ASSERT(reset == Z_OK);
        return ERR_OK;
    }
    if (c->has_gzip)
        deflateEnd(&c->gzip);
    c->has_gzip = false;
    c->gzip = (z_stream){.zalloc = gzip_alloc, .zfree = gzip_free};
    if (deflateInit2(&c->gzip, level, Z_DEFLATED, COMPRESS_GZIP_WINDOW, GZIP_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_NO_MEMORY;
    c->has_gzip = true;
    c->gzip_level = level;
    return ERR_OK;
}

static enum err gzip_run(struct compress_encoder *c, const uint8_t *data, size_t len, int flush)
{
    c->gzip.next_in = data;
    c->gzip.avail_in = (uInt)len;
    for (;;) {
        enum err e = batch_buffer_reserve(c->out, STEP_BYTES);
        if (e != ERR_OK)
            return e;
        c->gzip.next_out = c->out->data + c->out->len;
        c->gzip.avail_out = STEP_BYTES;
        int result = deflate(&c->gzip, flush);
        ASSERT(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        e = batch_buffer_advance(c->out, STEP_BYTES - c->gzip.avail_out);
        if (e != ERR_OK)
            return e;
        bool is_done = flush == Z_FINISH ? result == Z_STREAM_END : c->gzip.avail_out > 0;
        if (is_done)
            return ERR_OK;
    }
}

/* ---- snappy */

static enum err snappy_start(struct compress_encoder *c)
{
    uint8_t header[COMPRESS_SNAPPY_HEADER_BYTES];
    memcpy(header, compress_snappy_magic, sizeof(compress_snappy_magic));
    bytes_store_u32(header + 8, 1);
    bytes_store_u32(header + 12, 1);
    c->snappy_len = 0;
    if (c->snappy_block == NULL)
        c->snappy_block = mem_try(COMPRESS_SNAPPY_BLOCK_BYTES);
    if (c->snappy_block == NULL)
        return ERR_NO_MEMORY;
    return batch_buffer_add(c->out, header, sizeof(header));
}

static enum err snappy_add(struct compress_encoder *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t step = MIN(len, COMPRESS_SNAPPY_BLOCK_BYTES - c->snappy_len);
        memcpy(c->snappy_block + c->snappy_len, data, step);
        c->snappy_len += step;
        data += step;
        len -= step;
        if (c->snappy_len == COMPRESS_SNAPPY_BLOCK_BYTES) {
            enum err e = snappy_flush(c);
            if (e != ERR_OK)
                return e;
        }
    }
    return ERR_OK;
}

static enum err snappy_flush(struct compress_encoder *c)
{
    if (c->snappy_len == 0)
        return ERR_OK;
    size_t room = snappy_max_compressed_length(c->snappy_len);
    enum err e = batch_buffer_reserve(c->out, sizeof(uint32_t) + room);
    if (e != ERR_OK)
        return e;
    uint8_t *at = c->out->data + c->out->len;
    size_t size = room;
    snappy_status status = snappy_compress((const char *)c->snappy_block, c->snappy_len,
                                           (char *)at + sizeof(uint32_t), &size);
    ASSERT(status == SNAPPY_OK);
    bytes_store_u32(at, (uint32_t)size);
    c->snappy_len = 0;
    return batch_buffer_advance(c->out, sizeof(uint32_t) + size);
}

/* ---- lz4 */

static enum err lz4_result(struct compress_encoder *c, size_t result)
{
    if (!LZ4F_isError(result))
        return batch_buffer_advance(c->out, result);
    ASSERT(LZ4F_getErrorCode(result) == LZ4F_ERROR_allocation_failed);
    return ERR_NO_MEMORY;
}

static enum err lz4_start(struct compress_encoder *c, int level)
{
    if (c->lz4 == NULL) {
        LZ4F_CustomMem memory = {.customAlloc = compress_alloc, .customFree = compress_release};
        c->lz4 = LZ4F_createCompressionContext_advanced(memory, LZ4F_VERSION);
        if (c->lz4 == NULL)
            return ERR_NO_MEMORY;
    }
    bool is_fast = level == COMPRESS_LEVEL_DEFAULT || level == LZ4_LEVEL_FAST;
    c->lz4_preferences = (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = is_fast ? 0 : MAX(level, LZ4_LEVEL_HIGH_MIN),
    };
    enum err e = batch_buffer_reserve(c->out, LZ4F_HEADER_SIZE_MAX);
    if (e != ERR_OK)
        return e;
    return lz4_result(c, LZ4F_compressBegin(c->lz4, c->out->data + c->out->len,
                                            LZ4F_HEADER_SIZE_MAX, &c->lz4_preferences));
}

static enum err lz4_add(struct compress_encoder *c, const uint8_t *data, size_t len)
{
    size_t room = LZ4F_compressBound(len, &c->lz4_preferences);
    enum err e = batch_buffer_reserve(c->out, room);
    if (e != ERR_OK)
        return e;
    return lz4_result(
        c, LZ4F_compressUpdate(c->lz4, c->out->data + c->out->len, room, data, len, NULL));
}

static enum err lz4_finish(struct compress_encoder *c)
{
    size_t room = LZ4F_compressBound(0, &c->lz4_preferences);
    enum err e = batch_buffer_reserve(c->out, room);
    if (e != ERR_OK)
        return e;
    return lz4_result(c, LZ4F_compressEnd(c->lz4, c->out->data + c->out->len, room, NULL));
}

/* ---- zstd */

static enum err zstd_start(struct compress_encoder *c, int level, uint64_t content_size)
{
    if (c->zstd == NULL) {
        ZSTD_customMem memory = {.customAlloc = compress_alloc, .customFree = compress_release};
        c->zstd = ZSTD_createCCtx_advanced(memory);
        if (c->zstd == NULL)
            return ERR_NO_MEMORY;
    }
    level = level == COMPRESS_LEVEL_DEFAULT ? ZSTD_LEVEL : level;
    size_t reset = ZSTD_CCtx_reset(c->zstd, ZSTD_reset_session_and_parameters);
    size_t set = ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, level);
    ASSERT(!ZSTD_isError(reset) && !ZSTD_isError(set));
    size_t pledged = ZSTD_CCtx_setPledgedSrcSize(
        c->zstd, content_size == COMPRESS_SIZE_UNKNOWN ? ZSTD_CONTENTSIZE_UNKNOWN : content_size);
    ASSERT(!ZSTD_isError(pledged));
    return ERR_OK;
}

static enum err zstd_run(struct compress_encoder *c, const uint8_t *data, size_t len,
                         ZSTD_EndDirective end)
{
    ZSTD_inBuffer in = {.src = data, .size = len};
    for (;;) {
        enum err e = batch_buffer_reserve(c->out, STEP_BYTES);
        if (e != ERR_OK)
            return e;
        ZSTD_outBuffer out = {.dst = c->out->data + c->out->len, .size = STEP_BYTES};
        size_t result = ZSTD_compressStream2(c->zstd, &out, &in, end);
        if (ZSTD_isError(result)) {
            ASSERT(ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation);
            return ERR_NO_MEMORY;
        }
        e = batch_buffer_advance(c->out, out.pos);
        if (e != ERR_OK)
            return e;
        if (end == ZSTD_e_end ? result == 0 : in.pos == in.size)
            return ERR_OK;
    }
}
