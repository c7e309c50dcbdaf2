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
    enum err e = segment_file_as_is(seg, LOG_FILE_INDEX, mode, &file);
    if (e != ERR_OK)
        return e;
    struct index_entry entry;
    e = index_find(file, index_count, (uint32_t)MIN(relative, (int64_t)UINT32_MAX), mode, &entry);
    env_file_unref(file);
    if (e == ERR_OK)
        *pos = entry.pos;
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e; /* without it, from the begin */
}

struct search {
    const struct segment *segment;
    int64_t offset;
    int64_t end_pos;
    enum env_read_mode mode;
};

/* What is known to be damaged is passed by: nothing in it is believed. ERR_CORRUPT: it is what is
 * wanted. */
static enum err pass_rot(const struct search *s, struct segment_walk *walk)
{
    int64_t end, end_offset;
    while (segment_is_rot(s->segment, walk->pos, &end, &end_offset)) {
        if (s->offset < end_offset)
            return ERR_CORRUPT;
        walk->pos = end;
    }
    return ERR_OK;
}

static enum err walk_to(const struct search *s, struct segment_walk *walk,
                        struct segment_place *out)
{
    int64_t pos = walk->pos;
    for (;;) {
        struct batch_header header;
        int64_t at;
        enum err e = pass_rot(s, walk);
        if (e == ERR_OK)
            e = segment_walk_next(walk, &header, &at);
        if (e != ERR_OK)
            return e;
        if (at == pos && pos > 0 && header.base_offset > s->offset)
            return ERR_CORRUPT; /* the batch of an index entry never begins behind its offset */
        if (batch_last_offset(&header) >= s->offset + CANARY(INDEX_OFF_BY_ONE)) {
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

static enum err walk_from(const struct search *s, struct env_file *file, int64_t pos,
                          struct segment_place *out)
{
    uint8_t buffer[SEGMENT_WALK_BUFFER];
    struct segment_walk walk;
    segment_walk_init(&walk, file, pos, s->end_pos, s->mode);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    return walk_to(s, &walk, out);
}

enum err segment_locate_from(struct segment *seg, int64_t offset, int64_t pos, int64_t end_pos,
                             enum env_read_mode mode, struct segment_place *out)
{
    ASSERT(pos > 0 && pos < end_pos);
    struct env_file *file = NULL;
    enum err e = segment_file_as_is(seg, LOG_FILE_LOG, mode, &file);
    if (e != ERR_OK)
        return e;
    uint8_t buffer[BATCH_HEADER_BYTES]; /* the first header mostly is the one */
    const struct search search = {seg, offset, end_pos, mode};
    struct segment_walk walk;
    segment_walk_init(&walk, file, pos, end_pos, mode);
    segment_walk_use(&walk, buffer, sizeof(buffer));
    e = walk_to(&search, &walk, out);
    ASSERT(e != ERR_OK || (out->pos >= pos && out->pos + out->size <= end_pos));
    env_file_unref(file);
    return e;
}

enum err segment_locate(struct segment *seg, int64_t offset, uint32_t index_count, int64_t end_pos,
                        enum env_read_mode mode, struct segment_place *out)
{
    ASSERT(end_pos >= 0);
    struct env_file *file = NULL;
    enum err e = segment_file_as_is(seg, LOG_FILE_LOG, mode, &file);
    if (e != ERR_OK)
        return e;
    const struct search search = {seg, offset, end_pos, mode};
    int64_t pos = 0;
    e = begin_of(seg, offset, index_count, mode, &pos);
    if (e == ERR_OK && pos < end_pos)
        e = walk_from(&search, file, pos, out);
    else if (e == ERR_OK)
        e = pos == 0 ? ERR_NOT_FOUND : ERR_CORRUPT;
    if (e == ERR_CORRUPT && pos > 0)
        e = walk_from(&search, file, 0, out);
    ASSERT(e != ERR_OK || (out->pos >= 0 && out->pos + out->size <= end_pos));
    if (e == ERR_NOT_FOUND)
        *out = (struct segment_place){.pos = end_pos, .base_offset = -1, .last_offset = -1};
    env_file_unref(file);
    return e;
}
