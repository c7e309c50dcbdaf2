// SPDX-License-Identifier: Apache-2.0
/*
 * compress_format: the few bytes of the codecs' framings that both of our
 * directions write or check themselves. For compress_*.c only.
 *
 * Thread: any.
 */
#ifndef WIRE_COMPRESS_FORMAT_H
#define WIRE_COMPRESS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

enum {
    COMPRESS_GZIP_WINDOW = 15 + 16, /* zlib: the largest window, gzip's wrapping */
    COMPRESS_SNAPPY_BLOCK_BYTES = 32 * 1024,
    COMPRESS_SNAPPY_HEADER_BYTES = 16, /* magic, version, oldest compatible version */
    COMPRESS_LZ4_HEADER_BYTES_MIN = 7,
};

static const uint8_t compress_snappy_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
static const uint8_t compress_lz4_magic[4] = {0x04, 0x22, 0x4d, 0x18};
static const uint8_t compress_zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

/* What lz4 and zstd allocate through. */
static inline void *compress_alloc(void *owner, size_t size)
{
    return mem_try(size);
}

static inline void compress_release(void *owner, void *p)
{
    mem_free(p);
}

#endif
