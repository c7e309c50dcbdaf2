// SPDX-License-Identifier: Apache-2.0
/*
 * compress: the four codecs of record batches, as streams.
 *
 * gzip (RFC 1952, members may follow one another), snappy (in the framing of
 * the Java library, or one raw block, as several clients send), lz4 (the frame
 * format with independent blocks), zstd (frames). This module does not know
 * records: it turns bytes into bytes.
 *
 * A decoder is given the whole compressed input, which is in memory anyway, and
 * hands out its content in chunks, so that the content never is. Exception: a
 * raw snappy block has no window, so one block's whole content is a chunk; it is
 * at most 22 times the block. A decoder's own memory is bounded too: 64 KiB of
 * output, and what the codec needs (gzip 48 KiB, lz4 up to 8 MiB, zstd the
 * window that the frame asks for: at most 128 MiB, touched as far as the content
 * reaches). Large contexts are given back when a stream ends.
 *
 * Limits: compress_decoded_bytes_max() for the content of one batch.
 * Thread: a decoder or encoder belongs to one thread at a time and is made to be
 * reused; there is nothing shared.
 */
#ifndef WIRE_COMPRESS_H
#define WIRE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct batch_buffer;
struct compress_decoder;
struct compress_encoder;

/* As in the low three bits of a batch's attributes. */
enum compress_codec {
    COMPRESS_NONE = 0,
    COMPRESS_GZIP = 1,
    COMPRESS_SNAPPY = 2,
    COMPRESS_LZ4 = 3,
    COMPRESS_ZSTD = 4,
    COMPRESS_COUNT
};

enum {
    /* The level that Kafka uses when its config names none. */
    COMPRESS_LEVEL_DEFAULT = INT32_MIN,
};

/*
 * How much one compressed batch of this size in bytes may hold. Highly
 * compressible data is normal (a thousand to one happens), so neither a plain
 * ratio nor a small number would do; what counts is how long one request can
 * keep a worker busy: min(1 GiB, 64 MiB + 1024 * size), by LIMIT_DECODED_BATCH_*.
 */
uint64_t compress_decoded_bytes_max(size_t compressed_size);

#define COMPRESS_SIZE_UNKNOWN UINT64_MAX

/* "gzip" and so on, as in compression.type; "none" for COMPRESS_NONE. */
const char *compress_codec_name(enum compress_codec codec);

/* False: no such name; *out is untouched. Knows "uncompressed" too. */
bool compress_codec_parse(const char *name, enum compress_codec *out);

/* Whether Kafka's config takes this level for this codec (gzip -1 and 1 to 9, lz4 1 to 17,
 * zstd -131072 to 22, snappy and none: only COMPRESS_LEVEL_DEFAULT). */
bool compress_level_is_valid(enum compress_codec codec, int level);

/* ---- decoding */

/* The caller owns it; its memory grows with what it is used for. */
struct compress_decoder *compress_decoder_new(void);
void compress_decoder_free(struct compress_decoder *d);

/*
 * Begins a stream. `data` is borrowed until the stream's end or the next start.
 * `bytes_max` bounds the content. A stream may be left before its end.
 * ERR_CORRUPT, ERR_NO_MEMORY, ERR_TOO_LARGE (input of 2 GiB or more).
 */
enum err compress_decoder_start(struct compress_decoder *d, enum compress_codec codec,
                                const uint8_t *data, size_t len, uint64_t bytes_max) MUST_USE;

/*
 * The next chunk, valid until the next call; *len is 0 at the end, and then the
 * stream was whole and nothing followed it. After an error the stream is over.
 * ERR_CORRUPT (broken, cut short, or something behind it), ERR_TOO_LARGE (the
 * content passes bytes_max; nothing beyond one chunk was decoded), ERR_NO_MEMORY.
 */
enum err compress_decoder_next(struct compress_decoder *d, const uint8_t **chunk, size_t *len)
    MUST_USE;

/* ---- encoding */

struct compress_encoder *compress_encoder_new(void);
void compress_encoder_free(struct compress_encoder *e);

/*
 * Begins a stream whose output goes behind what `out` holds; `out` is borrowed
 * until compress_encoder_finish or the next start. The level must be valid.
 * `content_size` is exactly what will be added, or COMPRESS_SIZE_UNKNOWN: zstd
 * needs much less memory for little content when it knows.
 * These return ERR_NO_MEMORY or ERR_TOO_LARGE (out->size_max); then the stream is
 * over and `out` holds a part of it.
 */
enum err compress_encoder_start(struct compress_encoder *e, enum compress_codec codec, int level,
                                uint64_t content_size, struct batch_buffer *out) MUST_USE;
enum err compress_encoder_add(struct compress_encoder *e, const uint8_t *data, size_t len) MUST_USE;
enum err compress_encoder_finish(struct compress_encoder *e) MUST_USE;

#endif
