// SPDX-License-Identifier: Apache-2.0
/* recovery_end: see recovery_end.h. Thread: the one that opens. */
#include "log/recovery_end.h"

#include <inttypes.h>

#include "base/assert.h"
#include "log/segment_walk.h"

/* With an index interval above this a look at the end would be a scan. */
enum { WALK_BYTES_MAX = 16 << 20 };

/* Batches from there to the end; *next_offset: behind the last one. */
static enum err walk_on(struct segment_walk *walk, const struct segment *seg,
                        const struct recovery_end *end, int64_t *next_offset)
{
    *next_offset = seg->base_offset;
    for (;;) {
        struct batch_header header;
        int64_t pos;
        enum err e = segment_walk_next(walk, &header, &pos);
        if (e != ERR_OK)
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        if (header.base_offset < *next_offset || batch_last_offset(&header) >= end->next_base)
            return ERR_CORRUPT;
        *next_offset = batch_last_offset(&header) + 1;
    }
}

/* An index that names what lies in the next segment is wrong itself and proves nothing. */
static bool is_cut_short(const struct recovery_end *end, int64_t next_offset)
{
    return end->told >= next_offset && end->told < end->next_base;
}

static enum err say_lost(struct log_recovery *r, const struct segment *seg,
                         const struct recovery_end *end, int64_t next_offset, bool *is_lost)
{
    recovery_say(r,
                 "%020" PRId64 ".log ends at position %" PRId64 " before offset %" PRId64
                 ", below the recovery point; its index tells of offset %" PRId64,
                 seg->base_offset, end->size, next_offset, end->told);
    r->report->cut_below_recovery_point = true;
    *is_lost = true;
    return ERR_CORRUPT;
}

enum err recovery_end_check(struct log_recovery *r, const struct segment *seg,
                            const struct recovery_end *end, bool *is_lost)
{
    ASSERT(end->from >= 0 && end->next_base > seg->base_offset);
    *is_lost = false;
    if (end->size - end->from > WALK_BYTES_MAX)
        return ERR_OK;
    struct segment_walk walk;
    segment_walk_init(&walk, end->file, end->from, end->size, ENV_WAIT);
    segment_walk_use(&walk, r->buffer, SEGMENT_WALK_BUFFER);
    int64_t next_offset = 0;
    enum err e = walk_on(&walk, seg, end, &next_offset);
    if (e != ERR_OK)
        return e;
    if (is_cut_short(end, next_offset))
        return say_lost(r, seg, end, next_offset, is_lost);
    if (next_offset < end->next_base && !r->is_compacted) {
        r->report->missing_offsets += end->next_base - next_offset;
        recovery_say(r,
                     "%020" PRId64 ".log ends before offset %" PRId64
                     ", the next segment begins with %" PRId64,
                     seg->base_offset, next_offset, end->next_base);
    }
    return ERR_OK;
}

/* Where the batches end: too few bytes for one, or zeros? Something else is found by the scan that
 * follows too, which says where. */
static enum err has_no_more(struct segment_walk *walk, bool *out)
{
    const uint8_t *data;
    enum err e = segment_walk_bytes(walk, walk->pos, BATCH_HEADER_BYTES, &data);
    *out = e == ERR_RANGE;
    if (e != ERR_OK)
        return e == ERR_RANGE ? ERR_OK : e;
    uint8_t any = 0;
    for (size_t i = 0; i < BATCH_HEADER_BYTES; i++)
        any |= data[i];
    *out = any == 0;
    return ERR_OK;
}

/* What the ends of the indexes say, as far as they can be read at all. */
static int64_t highest_told(struct segment *seg)
{
    struct env_file *file = NULL;
    int64_t told = -1;
    uint32_t count = 0;
    struct index_entry last = {0};
    if (segment_file(seg, LOG_FILE_INDEX, ENV_WAIT, &file) == ERR_OK &&
        index_examine(file, INT64_MAX, &count, &last) == ERR_OK && count > 0)
        told = last.relative_offset;
    env_file_unref(file);
    file = NULL;
    struct timeindex_entry last_time = {0};
    if (segment_file(seg, LOG_FILE_TIMEINDEX, ENV_WAIT, &file) == ERR_OK &&
        timeindex_examine(file, &count, &last_time) == ERR_OK && count > 0)
        told = MAX(told, (int64_t)last_time.relative_offset);
    env_file_unref(file);
    return seg->base_offset + told;
}

enum err recovery_end_check_all(struct log_recovery *r, struct segment *seg,
                                const struct recovery_end *end, bool *is_lost)
{
    struct recovery_end all = *end;
    all.from = 0;
    all.told = highest_told(seg);
    *is_lost = false;
    struct segment_walk walk;
    segment_walk_init(&walk, all.file, 0, all.size, ENV_WAIT);
    segment_walk_use(&walk, r->buffer, RECOVERY_BUFFER);
    int64_t next_offset = 0;
    bool is_empty = true;
    enum err e = walk_on(&walk, seg, &all, &next_offset);
    if (e == ERR_CORRUPT)
        e = has_no_more(&walk, &is_empty);
    if (e == ERR_OK && is_empty && is_cut_short(&all, next_offset))
        e = say_lost(r, seg, &all, next_offset, is_lost);
    return e;
}
