// SPDX-License-Identifier: Apache-2.0
/*
 * compress_decoder: compressed bytes in, chunks of content out. See compress.h.
 *
 * Each codec has a step that produces some content, or consumes some input, or
 * ends the stream, or fails; compress_decoder_next repeats it until there is
 * something to hand out. A step that does none of these on what is left of the
 * input has met a stream that was cut short.
 *
 * Thread: whoever owns the decoder.
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
#include "base/limits.h"
#include "base/mem.h"
#include "wire/compress.h"
#include "wire/compress_format.h"

enum {
    KEPT_BYTES_MAX = 1 << 20, /* a context or buffer over this is given back at the end */
    SNAPPY_RATIO_MAX = 22,    /* a copy of 64 bytes takes 3 */
};

struct compress_decoder {
    enum compress_codec codec;
    const uint8_t *in;
    size_t in_left;
    uint64_t bytes_left; /* content that may still come */
    bool is_ended;
    bool has_failed;
    bool is_framed;      /* snappy: blocks with sizes before them */
    bool has_big_blocks; /* lz4: of 1 MiB or more */
    uint8_t *out;
    size_t out_capacity;
    bool has_gzip;
    z_stream gzip;
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
};

static enum err gzip_start(struct compress_decoder *d);
static enum err gzip_step(struct compress_decoder *d, size_t *produced);
static enum err snappy_start(struct compress_decoder *d);
static enum err snappy_step(struct compress_decoder *d, size_t *produced);
static enum err lz4_start(struct compress_decoder *d);
static enum err lz4_step(struct compress_decoder *d, size_t *produced);
static enum err zstd_start(struct compress_decoder *d);
static enum err zstd_step(struct compress_decoder *d, size_t *produced);
static enum err out_reserve(struct compress_decoder *d, size_t size);
static void give_back(struct compress_decoder *d);

struct compress_decoder *compress_decoder_new(void)
{
    struct compress_decoder *d = mem_alloc(sizeof(*d));
    d->is_ended = true;
    return d;
}

void compress_decoder_free(struct compress_decoder *d)
{
    if (d == NULL)
        return;
    if (d->has_gzip)
        inflateEnd(&d->gzip);
    LZ4F_freeDecompressionContext(d->lz4);
    ZSTD_freeDCtx(d->zstd);
    mem_free(d->out);
    mem_free(d);
}

enum err compress_decoder_start(struct compress_decoder *d, enum compress_codec codec,
                                const uint8_t *data, size_t len, uint64_t bytes_max)
{
    ASSERT(codec < COMPRESS_COUNT);
    d->codec = codec;
    d->in = data;
    d->in_left = len;
    d->bytes_left = bytes_max;
    d->is_ended = false;
    d->has_failed = false;
    d->has_big_blocks = false;
    if (d->out_capacity > KEPT_BYTES_MAX) {
        mem_free(d->out);
        d->out = NULL;
        d->out_capacity = 0;
    }
    enum err e = len > INT32_MAX ? ERR_TOO_LARGE : ERR_OK;
    if (e == ERR_OK && codec != COMPRESS_NONE && codec != COMPRESS_SNAPPY)
        e = out_reserve(d, LIMIT_DECOMPRESS_CHUNK_BYTES);
    if (e == ERR_OK) {
        switch (codec) {
        case COMPRESS_GZIP:
            e = gzip_start(d);
            break;
        case COMPRESS_SNAPPY:
            e = snappy_start(d);
            break;
        case COMPRESS_LZ4:
            e = lz4_start(d);
            break;
        case COMPRESS_ZSTD:
            e = zstd_start(d);
            break;
        case COMPRESS_NONE:
        case COMPRESS_COUNT:
            break;
        }
    }
    d->has_failed = e != ERR_OK;
    return e;
}

static enum err none_step(struct compress_decoder *d, const uint8_t **chunk, size_t *len)
{
    if (d->in_left > d->bytes_left)
        return ERR_TOO_LARGE;
    *chunk = d->in;
    *len = d->in_left;
    d->bytes_left -= d->in_left;
    d->in_left = 0;
    return ERR_OK;
}

static enum err step(struct compress_decoder *d, size_t *produced)
{
    switch (d->codec) {
    case COMPRESS_GZIP:
        return gzip_step(d, produced);
    case COMPRESS_SNAPPY:
        return snappy_step(d, produced);
    case COMPRESS_LZ4:
        return lz4_step(d, produced);
    case COMPRESS_ZSTD:
        return zstd_step(d, produced);
    case COMPRESS_NONE:
    case COMPRESS_COUNT:
        break;
    }
    return ERR_CORRUPT;
}

enum err compress_decoder_next(struct compress_decoder *d, const uint8_t **chunk, size_t *len)
{
    ASSERT(!d->has_failed);
    if (d->codec == COMPRESS_NONE)
        return none_step(d, chunk, len);
    enum err e = ERR_OK;
    size_t produced = 0;
    while (e == ERR_OK && produced == 0 && !d->is_ended) {
        size_t in_left = d->in_left;
        e = step(d, &produced);
        if (e == ERR_OK && produced == 0 && !d->is_ended && d->in_left == in_left)
            e = ERR_CORRUPT; /* it wants input, and there is none */
    }
    if (e == ERR_OK && produced > d->bytes_left)
        e = ERR_TOO_LARGE;
    if (e != ERR_OK) {
        d->has_failed = true;
        give_back(d);
        return e;
    }
    d->bytes_left -= produced;
    *chunk = d->out;
    *len = produced;
    if (produced == 0)
        give_back(d);
    return ERR_OK;
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

static enum err gzip_start(struct compress_decoder *d)
{
    if (d->has_gzip) {
        int reset = inflateReset(&d->gzip);
        ASSERT(reset == Z_OK);
        return ERR_OK;
    }
    d->gzip = (z_stream){.zalloc = gzip_alloc, .zfree = gzip_free};
    if (inflateInit2(&d->gzip, COMPRESS_GZIP_WINDOW) != Z_OK)
        return ERR_NO_MEMORY;
    d->has_gzip = true;
    return ERR_OK;
}

static enum err gzip_step(struct compress_decoder *d, size_t *produced)
{
    d->gzip.next_in = d->in;
    d->gzip.avail_in = (uInt)d->in_left;
    d->gzip.next_out = d->out;
    d->gzip.avail_out = LIMIT_DECOMPRESS_CHUNK_BYTES;
    int result = inflate(&d->gzip, Z_NO_FLUSH);
    d->in = d->gzip.next_in;
    d->in_left = d->gzip.avail_in;
    *produced = LIMIT_DECOMPRESS_CHUNK_BYTES - d->gzip.avail_out;
    switch (result) {
    case Z_STREAM_END:
        if (d->in_left == 0)
            d->is_ended = true;
        else if (inflateReset(&d->gzip) != Z_OK)
            return ERR_CORRUPT;
        return ERR_OK;
    case Z_OK:
    case Z_BUF_ERROR:
        return ERR_OK;
    case Z_MEM_ERROR:
        return ERR_NO_MEMORY;
    default:
        return ERR_CORRUPT;
    }
}

/* ---- snappy */

static bool snappy_header_is_next(const struct compress_decoder *d)
{
    return d->in_left >= COMPRESS_SNAPPY_HEADER_BYTES &&
           memcmp(d->in, compress_snappy_magic, sizeof(compress_snappy_magic)) == 0;
}

static enum err snappy_start(struct compress_decoder *d)
{
    d->is_framed = snappy_header_is_next(d);
    if (d->is_framed) {
        d->in += COMPRESS_SNAPPY_HEADER_BYTES;
        d->in_left -= COMPRESS_SNAPPY_HEADER_BYTES;
    }
    return d->in_left > 0 ? ERR_OK : ERR_CORRUPT;
}

static enum err snappy_block(struct compress_decoder *d, size_t size, size_t *produced)
{
    const char *block = (const char *)d->in;
    size_t content = 0;
    if (size == 0 || size > d->in_left)
        return ERR_CORRUPT;
    if (snappy_uncompressed_length(block, size, &content) != SNAPPY_OK)
        return ERR_CORRUPT;
    if (content > size * SNAPPY_RATIO_MAX)
        return ERR_CORRUPT; /* it lies: no block of this size holds as much */
    if (content > d->bytes_left)
        return ERR_TOO_LARGE;
    enum err e = out_reserve(d, MAX(content, 1));
    if (e != ERR_OK)
        return e;
    if (snappy_uncompress(block, size, (char *)d->out, &content) != SNAPPY_OK)
        return ERR_CORRUPT;
    d->in += size;
    d->in_left -= size;
    d->is_ended = d->in_left == 0;
    *produced = content;
    return ERR_OK;
}

static enum err snappy_step(struct compress_decoder *d, size_t *produced)
{
    if (!d->is_framed)
        return snappy_block(d, d->in_left, produced);
    if (snappy_header_is_next(d)) { /* framed streams may follow one another */
        d->in += COMPRESS_SNAPPY_HEADER_BYTES;
        d->in_left -= COMPRESS_SNAPPY_HEADER_BYTES;
        d->is_ended = d->in_left == 0;
        return ERR_OK;
    }
    if (d->in_left < sizeof(uint32_t))
        return ERR_CORRUPT;
    size_t size = bytes_load_u32(d->in);
    d->in += sizeof(uint32_t);
    d->in_left -= sizeof(uint32_t);
    return snappy_block(d, size, produced);
}

/* ---- lz4 */

/* The Java client reads only frames of independent blocks without a dictionary,
 * so a frame that is not one would be stored for nobody to read. */
static bool lz4_header_is_known(const uint8_t *data, size_t len)
{
    enum { VERSION_MASK = 0xc0, VERSION = 0x40, INDEPENDENT = 0x20, RESERVED_MASK = 0x03 };
    return len >= COMPRESS_LZ4_HEADER_BYTES_MIN &&
           memcmp(data, compress_lz4_magic, sizeof(compress_lz4_magic)) == 0 &&
           (data[4] & VERSION_MASK) == VERSION && (data[4] & INDEPENDENT) != 0 &&
           (data[4] & RESERVED_MASK) == 0;
}

/* The block size is four to the power of (n + 4), n in bits 4 to 6: from 64 KiB to 4 MiB. */
static bool lz4_has_big_blocks(const uint8_t *data)
{
    return ((data[5] >> 4) & 7) >= 6;
}

static enum err lz4_start(struct compress_decoder *d)
{
    if (!lz4_header_is_known(d->in, d->in_left))
        return ERR_CORRUPT;
    if (d->lz4 == NULL) {
        LZ4F_CustomMem memory = {.customAlloc = compress_alloc, .customFree = compress_release};
        d->lz4 = LZ4F_createDecompressionContext_advanced(memory, LZ4F_VERSION);
        if (d->lz4 == NULL)
            return ERR_NO_MEMORY;
    }
    LZ4F_resetDecompressionContext(d->lz4);
    d->has_big_blocks = lz4_has_big_blocks(d->in);
    return ERR_OK;
}

static enum err lz4_step(struct compress_decoder *d, size_t *produced)
{
    size_t out_size = LIMIT_DECOMPRESS_CHUNK_BYTES;
    size_t in_size = d->in_left;
    size_t result = LZ4F_decompress(d->lz4, d->out, &out_size, d->in, &in_size, NULL);
    if (LZ4F_isError(result))
        return LZ4F_getErrorCode(result) == LZ4F_ERROR_allocation_failed ? ERR_NO_MEMORY
                                                                         : ERR_CORRUPT;
    d->in += in_size;
    d->in_left -= in_size;
    *produced = out_size;
    d->is_ended = result == 0;
    return d->is_ended && d->in_left > 0 ? ERR_CORRUPT : ERR_OK;
}

/* ---- zstd */

/* The library may know formats from before 1.0 too; those we do not let in. Frames
 * of another program's data, to be skipped, are part of the format. */
static bool zstd_frame_is_next(const struct compress_decoder *d)
{
    static const uint8_t skippable[] = {0x2a, 0x4d, 0x18}; /* after a byte 0x50 to 0x5f */
    if (d->in_left < sizeof(compress_zstd_magic))
        return false;
    return memcmp(d->in, compress_zstd_magic, sizeof(compress_zstd_magic)) == 0 ||
           ((d->in[0] & 0xf0) == 0x50 && memcmp(d->in + 1, skippable, sizeof(skippable)) == 0);
}

static enum err zstd_start(struct compress_decoder *d)
{
    if (!zstd_frame_is_next(d))
        return ERR_CORRUPT;
    if (d->zstd == NULL) {
        ZSTD_customMem memory = {.customAlloc = compress_alloc, .customFree = compress_release};
        d->zstd = ZSTD_createDCtx_advanced(memory);
        if (d->zstd == NULL)
            return ERR_NO_MEMORY;
    }
    size_t reset = ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_and_parameters);
    size_t set = ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG);
    ASSERT(!ZSTD_isError(reset) && !ZSTD_isError(set));
    return ERR_OK;
}

static enum err zstd_step(struct compress_decoder *d, size_t *produced)
{
    ZSTD_inBuffer in = {.src = d->in, .size = d->in_left};
    ZSTD_outBuffer out = {.dst = d->out, .size = LIMIT_DECOMPRESS_CHUNK_BYTES};
    size_t result = ZSTD_decompressStream(d->zstd, &out, &in);
    if (ZSTD_isError(result))
        return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? ERR_NO_MEMORY
                                                                         : ERR_CORRUPT;
    d->in += in.pos;
    d->in_left -= in.pos;
    *produced = out.pos;
    d->is_ended = result == 0 && d->in_left == 0;
    bool is_between = result == 0 && d->in_left > 0;
    return is_between && !zstd_frame_is_next(d) ? ERR_CORRUPT : ERR_OK;
}

/* ---- memory */

static enum err out_reserve(struct compress_decoder *d, size_t size)
{
    if (size <= d->out_capacity)
        return ERR_OK;
    mem_free(d->out); /* the old content is not needed, and first, to have one at a time */
    d->out = mem_try(size);
    d->out_capacity = d->out != NULL ? size : 0;
    if (d->out == NULL)
        return ERR_NO_MEMORY;
    return ERR_OK;
}

/* A hostile or unusual stream must not leave its memory behind in every worker.
 * The output stays until the next start. */
static void give_back(struct compress_decoder *d)
{
    if (d->codec == COMPRESS_ZSTD && ZSTD_sizeof_DCtx(d->zstd) > KEPT_BYTES_MAX) {
        ZSTD_freeDCtx(d->zstd);
        d->zstd = NULL;
    }
    if (d->lz4 != NULL && d->has_big_blocks) {
        LZ4F_freeDecompressionContext(d->lz4);
        d->lz4 = NULL;
    }
}
