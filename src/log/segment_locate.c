// SPDX-License-Identifier: Apache-2.0
/* segment_locate: from an offset to its batch: the index gives a place to begin, the batch headers
 * from there on the rest. Thread: any; with ENV_WAIT it blocks. */
#include "base/assert.h"
#include "base/canary.h"
#include "log/segment.h"
#include "log/segment_index.h"
#include "log/segment_walk.h"

/* Where to begin; 0 when no entry helps. */
static enum err begin_of(struct segment *seg, int64_t offset, uint32_t index_count,
                         enum env_read_mode mode, int64_t *pos)
{
    int64_t relative = offset - seg->base_offset;
    *pos = 0;
    if (index_count == 0 || relative <= 0)
        return ERR_OK;
    struct env_file *file = NULL;
    enum err e = segment_file(seg, LOG_FILE_INDEX, mode, &file);
    if (e != ERR_OK)
        return e;
    struct index_entry entry;
    e = index_find(file, index_count, (uint32_t)MIN(relative, (int64_t)UINT32_MAX), mode, &entry);
    env_file_unref(file);
    if (e == ERR_OK)
        *pos = entry.pos;
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e; /* without it, from the begin */
}

static enum err walk_to(struct segment_walk *walk, int64_t offset, struct segment_place *out)
{
    int64_t pos = walk->pos;
    bool is_first = true;
    for (;;) {
        struct batch_header header;
        int64_t at;
        enum err e = segment_walk_next(walk, &header, &at);
        if (e != ERR_OK)
            return e;
        if (is_first && pos > 0 && header.base_offset > offset)
            return ERR_CORRUPT; /* the batch of an index entry never begins behind its offset */
        is_first = false;
        if (batch_last_offset(&header) >= offset + CANARY(INDEX_OFF_BY_ONE)) {
            *out = (struct segment_place){
                .pos = at,
                .size = (int64_t)batch_size(&header),
                .base_offset = header.base_offset,
                .last_offset = batch_last_offset(&header),
            };
            return ERR_OK;
        }
    }
}

static enum err walk_from(struct env_file *file, int64_t offset, int64_t pos, int64_t end_pos,
                          enum env_read_mode mode, struct segment_place *out)
{
    uint8_t buffer[SEGMENT_WALK_BUFFER];
    struct segment_walk walk;
    segment_walk_init(&walk, file, pos, end_pos, mode);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    return walk_to(&walk, offset, out);
}

enum err segment_locate_from(struct segment *seg, int64_t offset, int64_t pos, int64_t end_pos,
                             enum env_read_mode mode, struct segment_place *out)
{
    ASSERT(pos > 0 && pos < end_pos);
    struct env_file *file = NULL;
    enum err e = segment_file(seg, LOG_FILE_LOG, mode, &file);
    if (e != ERR_OK)
        return e;
    uint8_t buffer[BATCH_HEADER_BYTES]; /* the first header mostly is the one */
    struct segment_walk walk;
    segment_walk_init(&walk, file, pos, end_pos, mode);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    e = walk_to(&walk, offset, out);
    ASSERT(e != ERR_OK || (out->pos >= pos && out->pos + out->size <= end_pos));
    env_file_unref(file);
    return e;
}

enum err segment_locate(struct segment *seg, int64_t offset, uint32_t index_count, int64_t end_pos,
                        enum env_read_mode mode, struct segment_place *out)
{
    ASSERT(end_pos >= 0);
    struct env_file *file = NULL;
    enum err e = segment_file(seg, LOG_FILE_LOG, mode, &file);
    if (e != ERR_OK)
        return e;
    int64_t pos = 0;
    e = begin_of(seg, offset, index_count, mode, &pos);
    if (e == ERR_OK && pos < end_pos)
        e = walk_from(file, offset, pos, end_pos, mode, out);
    else if (e == ERR_OK)
        e = pos == 0 ? ERR_NOT_FOUND : ERR_CORRUPT;
    if (e == ERR_CORRUPT && pos > 0)
        e = walk_from(file, offset, 0, end_pos, mode, out);
    ASSERT(e != ERR_OK || (out->pos >= 0 && out->pos + out->size <= end_pos));
    if (e == ERR_NOT_FOUND)
        *out = (struct segment_place){.pos = end_pos, .base_offset = -1, .last_offset = -1};
    env_file_unref(file);
    return e;
}
