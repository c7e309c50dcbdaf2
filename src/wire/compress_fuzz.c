// SPDX-License-Identifier: Apache-2.0
/*
 * compress_fuzz: hostile bytes behind each codec, and any bytes there and back.
 *
 * The first byte of the input picks the codec and the direction; the work is
 * bounded by CONTENT_BYTES_MAX.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/macros.h"
#include "wire/batch_buffer.h"
#include "wire/compress.h"

enum { CONTENT_BYTES_MAX = 256 * 1024 };

int fuzz_compress(const uint8_t *data, size_t size);

static enum err decode(struct compress_decoder *d, enum compress_codec codec, const uint8_t *data,
                       size_t size, struct batch_buffer *out)
{
    enum err e = compress_decoder_start(d, codec, data, size, CONTENT_BYTES_MAX);
    while (e == ERR_OK) {
        const uint8_t *chunk;
        size_t len;
        e = compress_decoder_next(d, &chunk, &len);
        if (e != ERR_OK || len == 0)
            break;
        e = batch_buffer_add(out, chunk, len);
        ASSERT(e == ERR_OK);
    }
    ASSERT(out->len <= CONTENT_BYTES_MAX);
    return e;
}

/* The same decoder gives the same answer again, whatever it has met before. */
static void decode_twice(enum compress_codec codec, const uint8_t *data, size_t size)
{
    struct compress_decoder *d = compress_decoder_new();
    struct batch_buffer first, second;
    batch_buffer_init(&first, SIZE_MAX);
    batch_buffer_init(&second, SIZE_MAX);
    enum err e = decode(d, codec, data, size, &first);
    ASSERT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_TOO_LARGE);
    enum err again = decode(d, codec, data, size, &second);
    ASSERT(again == e && first.len == second.len);
    ASSERT(first.len == 0 || memcmp(first.data, second.data, first.len) == 0);
    batch_buffer_deinit(&first);
    batch_buffer_deinit(&second);
    compress_decoder_free(d);
}

static void there_and_back(enum compress_codec codec, const uint8_t *data, size_t size)
{
    struct compress_decoder *d = compress_decoder_new();
    struct compress_encoder *c = compress_encoder_new();
    struct batch_buffer packed, out;
    batch_buffer_init(&packed, SIZE_MAX);
    batch_buffer_init(&out, SIZE_MAX);
    enum err e = compress_encoder_start(c, codec, COMPRESS_LEVEL_DEFAULT, size, &packed);
    ASSERT(e == ERR_OK);
    e = compress_encoder_add(c, data, size);
    ASSERT(e == ERR_OK);
    e = compress_encoder_finish(c);
    ASSERT(e == ERR_OK);
    e = decode(d, codec, packed.data, packed.len, &out);
    ASSERT(e == ERR_OK && out.len == size && memcmp(out.data, data, size) == 0);
    batch_buffer_deinit(&packed);
    batch_buffer_deinit(&out);
    compress_encoder_free(c);
    compress_decoder_free(d);
}

int fuzz_compress(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum compress_codec codec = (enum compress_codec)(data[0] % COMPRESS_COUNT);
    if (data[0] >= 0xe0 && size <= CONTENT_BYTES_MAX)
        there_and_back(codec, data + 1, size - 1);
    else
        decode_twice(codec, data + 1, size - 1);
    return 0;
}
