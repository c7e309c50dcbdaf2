// SPDX-License-Identifier: Apache-2.0
/* compress: names, levels and limits of the codecs. See compress.h. Thread: any. */
#include "wire/compress.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/macros.h"

static const char *const codec_names[COMPRESS_COUNT] = {
    [COMPRESS_NONE] = "none", [COMPRESS_GZIP] = "gzip", [COMPRESS_SNAPPY] = "snappy",
    [COMPRESS_LZ4] = "lz4",   [COMPRESS_ZSTD] = "zstd",
};

uint64_t compress_decoded_bytes_max(size_t compressed_size)
{
    uint64_t most = LIMIT_DECODED_BATCH_BYTES;
    if (compressed_size >= most / LIMIT_DECODED_BATCH_RATIO)
        return most;
    uint64_t bytes =
        LIMIT_DECODED_BATCH_SMALL_BYTES + (uint64_t)compressed_size * LIMIT_DECODED_BATCH_RATIO;
    return MIN(bytes, most);
}

const char *compress_codec_name(enum compress_codec codec)
{
    ASSERT(codec < COMPRESS_COUNT);
    return codec_names[codec];
}

bool compress_codec_parse(const char *name, enum compress_codec *out)
{
    if (strcmp(name, "uncompressed") == 0) {
        *out = COMPRESS_NONE;
        return true;
    }
    for (unsigned i = 0; i < COMPRESS_COUNT; i++) {
        if (strcmp(name, codec_names[i]) == 0) {
            *out = (enum compress_codec)i;
            return true;
        }
    }
    return false;
}

bool compress_level_is_valid(enum compress_codec codec, int level)
{
    if (level == COMPRESS_LEVEL_DEFAULT)
        return true;
    switch (codec) {
    case COMPRESS_GZIP:
        return level == -1 || (level >= 1 && level <= 9);
    case COMPRESS_LZ4:
        return level >= 1 && level <= 17;
    case COMPRESS_ZSTD:
        return level >= -131072 && level <= 22;
    case COMPRESS_NONE:
    case COMPRESS_SNAPPY:
    case COMPRESS_COUNT:
        break;
    }
    return false;
}
