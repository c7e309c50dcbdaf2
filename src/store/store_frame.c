// SPDX-License-Identifier: Apache-2.0
/* store_frame: frames in memory. See store_frame.h and docs/formats.md. Thread: any. */
#include "store/store_frame.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "wire/crc32c.h"

/* "KMe1", "KMs1", "KMz1" */
enum {
    MAGIC_ENTRY = 0x4b4d6531,
    MAGIC_SNAPSHOT_CHUNK = 0x4b4d7331,
    MAGIC_SNAPSHOT_END = 0x4b4d7a31,
};

enum { AT_MAGIC = 0, AT_SIZE = 4, AT_INDEX = 8, AT_SYNCED = 16, AT_CRC = 24 };

static uint32_t magic_of(enum store_frame_kind kind)
{
    switch (kind) {
    case STORE_FRAME_ENTRY:
        return MAGIC_ENTRY;
    case STORE_FRAME_SNAPSHOT_CHUNK:
        return MAGIC_SNAPSHOT_CHUNK;
    case STORE_FRAME_SNAPSHOT_END:
        return MAGIC_SNAPSHOT_END;
    }
    ASSERT(false);
    return 0;
}

void store_frame_header(const struct store_frame *frame, uint8_t *out)
{
    ASSERT(frame->size <= LIMIT_METADATA_APPEND_BYTES);
    ASSERT(frame->index >= 0 && frame->synced >= 0);
    ASSERT(frame->kind != STORE_FRAME_ENTRY || frame->synced < frame->index);
    bytes_store_u32(out + AT_MAGIC, magic_of(frame->kind));
    bytes_store_u32(out + AT_SIZE, frame->size);
    bytes_store_u64(out + AT_INDEX, (uint64_t)frame->index);
    bytes_store_u64(out + AT_SYNCED, (uint64_t)frame->synced);
    bytes_store_u32(out + AT_CRC, crc32c(crc32c(0, out, AT_CRC), frame->data, frame->size));
}

static bool kind_from(uint32_t magic, enum store_frame_kind *out)
{
    switch (magic) {
    case MAGIC_ENTRY:
        *out = STORE_FRAME_ENTRY;
        return true;
    case MAGIC_SNAPSHOT_CHUNK:
        *out = STORE_FRAME_SNAPSHOT_CHUNK;
        return true;
    case MAGIC_SNAPSHOT_END:
        *out = STORE_FRAME_SNAPSHOT_END;
        return true;
    default:
        return false;
    }
}

bool store_frame_read(const uint8_t *data, size_t size, struct store_frame *out)
{
    struct store_frame f;
    if (size < STORE_FRAME_HEADER_BYTES || !kind_from(bytes_load_u32(data + AT_MAGIC), &f.kind))
        return false;
    f.size = bytes_load_u32(data + AT_SIZE);
    f.index = (int64_t)bytes_load_u64(data + AT_INDEX);
    f.synced = (int64_t)bytes_load_u64(data + AT_SYNCED);
    f.data = data + STORE_FRAME_HEADER_BYTES;
    if (f.size > size - STORE_FRAME_HEADER_BYTES || f.size > LIMIT_METADATA_APPEND_BYTES)
        return false;
    if (crc32c(crc32c(0, data, AT_CRC), f.data, f.size) != bytes_load_u32(data + AT_CRC))
        return false;
    if (f.index < 0 || f.synced < 0 || f.index == INT64_MAX)
        return false;
    *out = f;
    return true;
}

/* ---- the log */

/* Is there, behind a bad frame, one that was written when the entry behind `head` was on disk? */
static bool is_rot(const uint8_t *data, size_t size, size_t bad, int64_t head)
{
    size_t pos = bad + 1;
    while (pos < size && size - pos >= STORE_FRAME_HEADER_BYTES) {
        struct store_frame f;
        if (!store_frame_read(data + pos, size - pos, &f) || f.kind != STORE_FRAME_ENTRY) {
            pos++;
            continue;
        }
        if (f.synced > head)
            return true;
        pos += store_frame_bytes(&f);
    }
    return false;
}

static enum err refuse(struct strbuf *why, const char *what, size_t pos)
{
    strbuf_printf(why, "%s at byte %zu", what, pos);
    return ERR_CORRUPT;
}

/* Is this the entry that has to come here? */
static bool is_next(const struct store_log_scan *scan, const struct store_frame *f,
                    int64_t snapshot_position)
{
    if (f->kind != STORE_FRAME_ENTRY || f->index < 1 || f->synced >= f->index)
        return false;
    if (scan->first == 0) /* the first of a log that was never trimmed is 1 */
        return f->index == 1 || f->index <= snapshot_position;
    return f->index == scan->head + 1;
}

enum err store_log_scan(const uint8_t *data, size_t size, int64_t snapshot_position,
                        struct strbuf *why, struct store_log_scan *out)
{
    struct store_log_scan scan = {0};
    while (scan.end < size) {
        struct store_frame f;
        if (!store_frame_read(data + scan.end, size - scan.end, &f))
            break;
        if (!is_next(&scan, &f, snapshot_position))
            return refuse(why, "an entry that does not belong there", scan.end);
        if (scan.first == 0)
            scan.first = f.index;
        scan.head = f.index;
        scan.end += store_frame_bytes(&f);
        if (f.index <= snapshot_position)
            scan.covered = scan.end;
    }
    if (scan.head < snapshot_position)
        return refuse(why, "an entry that the snapshot stands for cannot be read", scan.end);
    if (scan.end < size && is_rot(data, size, scan.end, scan.head))
        return refuse(why, "a damaged entry before intact ones", scan.end);
    *out = scan;
    return ERR_OK;
}

enum err store_snapshot_scan(const uint8_t *data, size_t size, struct strbuf *why,
                             int64_t *position)
{
    size_t pos = 0;
    int64_t chunks = 0;
    struct store_frame f;
    int64_t claimed = 0;
    for (;;) {
        if (!store_frame_read(data + pos, size - pos, &f))
            return refuse(why, "a damaged chunk", pos);
        bool is_end = f.kind == STORE_FRAME_SNAPSHOT_END;
        bool is_chunk = f.kind == STORE_FRAME_SNAPSHOT_CHUNK && f.size > 0;
        if (pos == 0)
            claimed = f.synced;
        if ((!is_end && !is_chunk) || f.synced != claimed || claimed < 1 ||
            f.index != (is_end ? chunks : chunks + 1))
            return refuse(why, "a chunk that does not belong there", pos);
        pos += store_frame_bytes(&f);
        if (is_end)
            break;
        chunks++;
    }
    if (chunks == 0 || pos != size || f.size != 0)
        return refuse(why, "bytes behind the end", pos);
    *position = claimed;
    return ERR_OK;
}
