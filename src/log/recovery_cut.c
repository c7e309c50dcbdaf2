// SPDX-License-Identifier: Apache-2.0
/* recovery_cut: see recovery_cut.h. Thread: the one that opens. */
#include "log/recovery_cut.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/canary.h"
#include "base/limits.h"
#include "log/segment_walk.h"

enum {
    MAGIC_POS = 16,
};

static enum err is_all_zero(struct log_recovery *r, struct env_file *file, int64_t pos,
                            int64_t size, bool *out)
{
    *out = true;
    while (pos < size) {
        size_t got = 0;
        size_t want = (size_t)MIN((int64_t)RECOVERY_BUFFER, size - pos);
        enum err e = env_file_read(file, r->buffer, want, pos, ENV_WAIT, &got);
        if (e != ERR_OK)
            return e;
        uint8_t any = 0;
        for (size_t i = 0; i < got; i++)
            any |= r->buffer[i];
        *out = any == 0;
        if (any != 0 || got == 0)
            return ERR_OK;
        pos += (int64_t)got;
    }
    return ERR_OK;
}

/* Does a valid batch begin at `pos`? The walk's buffer holds its header. */
static enum err is_batch_at(struct segment_walk *walk, int64_t pos, const uint8_t *data,
                            int64_t next_offset, int *candidates, bool *out)
{
    ASSERT(pos >= 0 && next_offset >= 0);
    struct batch_header header;
    *out = false;
    if (data[MAGIC_POS] != BATCH_MAGIC || !batch_header_read(data, BATCH_HEADER_BYTES, &header) ||
        !batch_header_is_plausible(&header, walk->end - pos) || header.base_offset < next_offset ||
        header.base_offset - next_offset > INT32_MAX)
        return ERR_OK;
    if (++*candidates > LIMIT_ROT_CANDIDATES) {
        *out = true; /* so many headers are no accident */
        return ERR_OK;
    }
    uint32_t crc = 0;
    enum err e = segment_walk_crc(walk, pos, &header, &crc);
    *out = e == ERR_OK && crc == header.crc;
    return e == ERR_RANGE ? ERR_OK : e;
}

/* Looks for a batch at every byte behind the bad one. */
static enum err has_batch_behind(struct log_recovery *r, struct env_file *file, int64_t pos,
                                 int64_t size, int64_t next_offset, bool *out)
{
    struct segment_walk walk;
    segment_walk_init(&walk, file, pos, size, ENV_WAIT);
    segment_walk_use(&walk, r->buffer, RECOVERY_BUFFER);
    walk.reads_all = true;
    int candidates = 0;
    *out = false;
    for (int64_t at = pos + 1; size - at >= BATCH_HEADER_BYTES && !*out; at++) {
        const uint8_t *data;
        enum err e = segment_walk_bytes(&walk, at, BATCH_HEADER_BYTES, &data);
        if (e == ERR_OK)
            e = is_batch_at(&walk, at, data, next_offset, &candidates, out);
        if (e != ERR_OK)
            return e == ERR_RANGE ? ERR_OK : e;
    }
    return ERR_OK;
}

/* ---- keeping */

static bool side_path(const struct segment *seg, int64_t pos, char out[LOG_PATH_SIZE])
{
    char name[LOG_NAME_SIZE + 32];
    int len = snprintf(name, sizeof(name), "%0*" PRId64 "-%" PRId64 ".rot", LOG_OFFSET_DIGITS,
                       seg->base_offset, pos);
    ASSERT(len > 0 && (size_t)len < sizeof(name));
    return log_file_path(out, seg->home->dir, name);
}

static enum err copy_bytes(struct log_recovery *r, struct env_file *from, int64_t pos, int64_t size,
                           struct env_file *to)
{
    for (int64_t at = pos; at < size;) {
        size_t got = 0;
        size_t want = (size_t)MIN((int64_t)RECOVERY_BUFFER, size - at);
        enum err e = env_file_read(from, r->buffer, want, at, ENV_WAIT, &got);
        if (e != ERR_OK || got == 0)
            return e == ERR_OK ? ERR_IO : e;
        struct iovec iov = {r->buffer, got};
        e = env_file_write(to, &iov, 1, at - pos);
        if (e != ERR_OK)
            return e;
        at += (int64_t)got;
    }
    return env_file_sync(to);
}

/* The disk may be full; then the bytes are lost, and the report says so. A restart must work. */
static enum err keep_bytes(struct log_recovery *r, struct segment *seg, struct env_file *file,
                           int64_t pos, int64_t size)
{
    char path[LOG_PATH_SIZE];
    if (!side_path(seg, pos, path))
        return ERR_TOO_LARGE;
    ASSERT(pos < size);
    struct env_file *side = NULL;
    enum err e = env_file_open(r->env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &side);
    if (e == ERR_OK)
        e = copy_bytes(r, file, pos, size, side);
    env_file_unref(side);
    if (e == ERR_OK)
        e = env_dir_sync(r->env, seg->home->dir);
    if (e != ERR_NO_SPACE)
        return e;
    recovery_say(r,
                 "%020" PRId64 ".log: bad batch at %" PRId64 ", no space to keep the %" PRId64
                 " bytes from there",
                 seg->base_offset, pos, size - pos);
    e = env_path_unlink(r->env, path);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void say_below(struct log_recovery *r, const struct segment *seg, int64_t pos)
{
    if (r->recovery_point == RECOVERY_POINT_END)
        recovery_say(r, "%020" PRId64 ".log: bad batch at %" PRId64 ", after a clean stop",
                     seg->base_offset, pos);
    else
        recovery_say(
            r, "%020" PRId64 ".log: bad batch at %" PRId64 ", below the recovery point %" PRId64,
            seg->base_offset, pos, r->recovery_point);
}

enum err recovery_cut(struct log_recovery *r, struct segment *seg, struct env_file *file,
                      const struct segment_tail *tail, int64_t size)
{
    ASSERT(tail->size < size);
    bool is_zero = false;
    bool is_rot = false;
    enum err e = is_all_zero(r, file, tail->size, size, &is_zero);
    if (e == ERR_OK && !is_zero && tail->next_offset < r->recovery_point) {
        say_below(r, seg, tail->size);
        r->report->cut_below_recovery_point = true;
        return ERR_CORRUPT;
    }
    if (e == ERR_OK && !is_zero)
        e = has_batch_behind(r, file, tail->size, size, tail->next_offset, &is_rot);
    if (e == ERR_OK && is_rot)
        e = keep_bytes(r, seg, file, tail->size, size);
    if (e == ERR_OK)
        e = env_file_truncate(file, tail->size);
    if (e != ERR_OK || is_zero || CANARY(SILENT_CUT))
        return e;
    r->report->cut_bytes += size - tail->size;
    r->report->found_rot = r->report->found_rot || is_rot;
    recovery_say(r, "%020" PRId64 ".log: %s at %" PRId64 ", %" PRId64 " bytes cut",
                 seg->base_offset, is_rot ? "rot" : "torn batch", tail->size, size - tail->size);
    return ERR_OK;
}

enum err recovery_set_aside(struct log_recovery *r, struct segment *seg)
{
    struct env_file *file = NULL;
    int64_t size = 0;
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = env_file_size(file, &size);
    env_file_unref(file);
    segment_close_files(seg);
    if (e != ERR_OK)
        return e;
    if (size > 0) {
        struct log_file_name name = {.offset = seg->base_offset, .kind = LOG_FILE_LOG};
        char text[LOG_NAME_SIZE];
        char from[LOG_PATH_SIZE];
        char to[LOG_PATH_SIZE];
        if (!log_file_path(from, seg->home->dir, log_file_name_format(text, &name)) ||
            !side_path(seg, 0, to))
            return ERR_TOO_LARGE;
        e = env_path_rename(r->env, from, to);
        r->report->cut_bytes += size;
        r->report->found_rot = true;
        recovery_say(r, "%020" PRId64 ".log does not continue the segment before it: set aside",
                     seg->base_offset);
    }
    return e == ERR_OK ? segment_unlink_all(seg, LOG_STAGE_LIVE) : e;
}
