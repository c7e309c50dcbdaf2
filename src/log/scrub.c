// SPDX-License-Identifier: Apache-2.0
/* scrub: see scrub.h. Thread: see there. */
#include "log/scrub.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "log/partition_log_private.h"
#include "log/segment_walk.h"

enum { BUFFER_BYTES = 64 * 1024 };

bool partition_log_scrub_next(const struct partition_log *log, int64_t from_offset,
                              struct scrub_target *out)
{
    int64_t synced = partition_log_recovery_point(log);
    uint32_t i =
        from_offset > log->segments[0]->base_offset ? log_segment_index(log, from_offset) : 0;
    if (log->segments[i]->base_offset < from_offset)
        i++;
    for (; i + 1 < log->segment_count; i++) {
        struct segment *seg = log->segments[i];
        int64_t next = log->segments[i + 1]->base_offset;
        if (next > synced)
            return false;
        if (seg->tail.size == 0 || next <= log->log_start)
            continue; /* nothing to lose there */
        if (atomic_load(&seg->stage) != LOG_STAGE_LIVE)
            continue; /* just swapped in: under its name there is the one that it replaces */
        *out = (struct scrub_target){
            .segment = segment_ref(seg),
            .end = seg->tail.size,
            .next_offset = next,
            .cuts = atomic_load_explicit(&seg->cuts, memory_order_relaxed),
        };
        return true;
    }
    return false;
}

bool partition_log_scrub_is_current(const struct partition_log *log,
                                    const struct scrub_target *target)
{
    uint32_t i = log_segment_index(log, target->segment->base_offset);
    return log->segments[i] == target->segment &&
           atomic_load_explicit(&target->segment->cuts, memory_order_relaxed) == target->cuts;
}

size_t partition_log_list_rot(const struct partition_log *log, struct log_rot *out, size_t max)
{
    size_t count = 0;
    for (uint32_t i = 0; i < log->segment_count; i++) {
        struct segment_rot places[SEGMENT_ROT_MAX + 1];
        size_t here = segment_list_rot(log->segments[i], places, ARRAY_COUNT(places));
        for (size_t k = 0; k < MIN(here, ARRAY_COUNT(places)); k++) {
            if (places[k].end_offset <= log->log_start)
                continue;
            if (count < max)
                out[count] = (struct log_rot){log->segments[i]->base_offset, places[k]};
            count++;
        }
    }
    return count;
}

void scrub_begin(struct scrub *s, struct env *env, const struct scrub_target *take_target)
{
    ASSERT(s->target.segment == NULL && take_target->segment != NULL);
    *s = (struct scrub){
        .env = env, .target = *take_target, .last_offset = take_target->segment->base_offset - 1};
}

void scrub_end(struct scrub *s)
{
    env_file_unref(s->file);
    segment_unref(s->target.segment);
    mem_free(s->buffer);
    *s = (struct scrub){0};
}

static bool make_path(const struct scrub *s, char *out, size_t size)
{
    struct log_file_name name = {.offset = s->target.segment->base_offset, .kind = LOG_FILE_LOG};
    char text[LOG_NAME_SIZE];
    int len = snprintf(out, size, "%s/%s", s->target.segment->home->dir,
                       log_file_name_format(text, &name));
    return len > 0 && (size_t)len < size;
}

static bool is_cut(const struct scrub *s)
{
    return atomic_load(&s->target.segment->cuts) != s->target.cuts;
}

/* ---- one batch */

static void walk_from(const struct scrub *s, struct segment_walk *walk, int64_t pos)
{
    segment_walk_init(walk, s->file, pos, s->target.end, ENV_WAIT);
    walk->reads_all = true;
    segment_walk_use(walk, s->buffer, BUFFER_BYTES);
}

/* Its base offset is covered by no checksum. Does the batch fit between those before it, those
 * behind it and the next segment? Where it leaves none out, as is the rule, the next is not
 * looked at. */
static bool is_in_order(const struct scrub *s, struct segment_walk *walk,
                        const struct batch_header *header)
{
    struct batch_header next;
    int64_t last = batch_last_offset(header);
    int64_t after = walk->pos;
    int64_t pos;
    if (header->base_offset <= s->last_offset || last >= s->target.next_offset)
        return false;
    if (header->base_offset == s->last_offset + 1)
        return true;
    bool is_crossed = segment_walk_next(walk, &next, &pos) == ERR_OK && next.base_offset <= last;
    walk->pos = after;
    return !is_crossed;
}

/* ERR_NOT_FOUND: at the end. */
static enum err check_next(const struct scrub *s, struct segment_walk *walk,
                           struct batch_header *header)
{
    int64_t pos;
    uint32_t crc = 0;
    enum err e = segment_walk_next(walk, header, &pos);
    if (e == ERR_OK)
        e = segment_walk_crc(walk, pos, header, &crc);
    bool is_passed = CANARY(SCRUB_FORGETS_LAST) && walk->pos == walk->end;
    if (e == ERR_OK && !is_passed && (crc != header->crc || !is_in_order(s, walk, header)))
        e = ERR_CORRUPT;
    return e == ERR_RANGE ? ERR_CORRUPT : e; /* the file has become shorter */
}

/* Where the batch at s->pos ends, if its length can be believed: it leads to the segment's end or
 * to another batch. False: nobody knows. */
static bool find_end(const struct scrub *s, struct segment_rot *rot)
{
    struct segment_walk walk;
    struct batch_header bad, next;
    const uint8_t *data;
    int64_t pos;
    walk_from(s, &walk, s->pos);
    if (segment_walk_bytes(&walk, s->pos, BATCH_HEADER_BYTES, &data) != ERR_OK ||
        !batch_header_read(data, BATCH_HEADER_BYTES, &bad) ||
        bad.length < BATCH_HEADER_BYTES - BATCH_LENGTH_END)
        return false;
    int64_t end = s->pos + BATCH_LENGTH_END + bad.length;
    if (end == s->target.end)
        return true;
    if (CANARY(SCRUB_TAKES_THE_REST))
        return false;
    walk.pos = end;
    if (segment_walk_next(&walk, &next, &pos) != ERR_OK || next.base_offset <= rot->offset ||
        next.base_offset >= rot->end_offset)
        return false;
    rot->end = end;
    rot->end_offset = next.base_offset;
    return true;
}

/* The batch at s->pos is bad: once more, from the disk; then it is marked. False: it is not. */
static bool judge_bad(struct scrub *s, enum err e, struct scrub_find *found)
{
    struct segment_walk walk;
    struct batch_header header;
    env_file_forget(s->file, 0, s->target.end);
    walk_from(s, &walk, s->pos);
    enum err again = check_next(s, &walk, &header);
    if (again == ERR_OK || is_cut(s))
        return false;
    int64_t offset = MAX(s->last_offset + 1, s->lost_end);
    *found = (struct scrub_find){
        .rot = {.pos = s->pos,
                .end = s->target.end,
                .offset = offset,
                .end_offset = MAX(s->target.next_offset, offset + 1),
                .found_ms = env_wall_ms(s->env),
                .error = again == ERR_CORRUPT ? ERR_CORRUPT : e},
    };
    found->is_to_end = !find_end(s, &found->rot);
    if (!make_path(s, found->path, sizeof(found->path)))
        found->path[0] = '\0';
    found->is_known = segment_sound_bytes(s->target.segment, s->pos, 1) == 0;
    segment_mark_rot(s->target.segment, &found->rot);
    return true;
}

/* ---- a piece */

static enum err open_file(struct scrub *s)
{
    char path[LOG_PATH_SIZE];
    if (!make_path(s, path, sizeof(path)))
        return ERR_TOO_LARGE;
    s->buffer = mem_try(BUFFER_BYTES);
    if (s->buffer == NULL)
        return ERR_NO_MEMORY;
    return env_file_open(s->env, path, ENV_READ, &s->file);
}

static enum scrub_result read_piece(struct scrub *s, int64_t bytes_max, struct scrub_find *found)
{
    struct segment_walk walk;
    struct batch_header header;
    int64_t from = s->pos;
    walk_from(s, &walk, s->pos);
    while (s->pos - from < bytes_max) {
        enum err e = check_next(s, &walk, &header);
        if (e == ERR_NOT_FOUND || is_cut(s))
            return SCRUB_DONE;
        if (e != ERR_OK && judge_bad(s, e, found)) {
            s->pos = found->rot.end;
            s->lost_end = found->rot.end_offset;
            return SCRUB_ROT;
        }
        if (e != ERR_OK) { /* a reading of the moment: that batch again */
            walk_from(s, &walk, s->pos);
            if (check_next(s, &walk, &header) != ERR_OK)
                return SCRUB_DONE; /* or the segment is going: another time */
        }
        s->last_offset = batch_last_offset(&header);
        s->pos = walk.pos;
    }
    return SCRUB_MORE;
}

enum scrub_result scrub_step(struct scrub *s, int64_t bytes_max, int64_t *read_bytes,
                             struct scrub_find *found)
{
    ASSERT(s->target.segment != NULL && bytes_max > 0);
    *read_bytes = 0;
    if (s->file == NULL && open_file(s) != ERR_OK)
        return SCRUB_DONE; /* retention or compaction was quicker, or it is not the time for it */
    int64_t from = s->pos;
    bool was_cached = env_file_is_cached(s->file, from, MIN(bytes_max, s->target.end - from));
    enum scrub_result result = read_piece(s, bytes_max, found);
    *read_bytes = s->pos - from;
    if (!was_cached)
        env_file_forget(s->file, from, s->pos - from);
    return result;
}
