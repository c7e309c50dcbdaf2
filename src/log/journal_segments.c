// SPDX-License-Identifier: Apache-2.0
/*
 * journal_segments: what the journal has of a partition, into its segments.
 *
 * All that lay before an entry was durable when the entry was, in the segment or by an entry before
 * it. So the entries are taken in their order, and one whose bytes are not there is written, unless
 * a whole batch of a later leader epoch lies in its way: then somebody else has written there, and
 * that entry and all that follow it are left.
 *
 * Thread: the workers that open partitions; blocks.
 * Crash:  may be repeated from the start.
 */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/journal_private.h"
#include "log/segment.h"
#include "log/segment_walk.h"

enum { CRC_COVERS_FROM = 21 }; /* of a batch */

struct replaying {
    struct journal *j;
    const char *dir;
    struct env_file *file; /* of the segment at `base` */
    int64_t base;
    int64_t known_pos; /* in it: a batch ends there, or it is the start */
    uint8_t *bytes;
    uint8_t *there;
    size_t capacity;
    uint64_t written;
    uint64_t foreign;
    uint8_t walk_buffer[SEGMENT_WALK_BUFFER];
};

/* ERR_NOT_FOUND: retention has deleted it. */
static enum err use_segment(struct replaying *r, int64_t base)
{
    if (r->file != NULL && r->base == base)
        return ERR_OK;
    struct log_file_name name = {.offset = base, .kind = LOG_FILE_LOG};
    char text[LOG_NAME_SIZE];
    char path[LOG_PATH_SIZE];
    env_file_unref(r->file);
    r->file = NULL;
    r->base = base;
    r->known_pos = 0;
    if (!log_file_path(path, r->dir, log_file_name_format(text, &name)))
        return ERR_TOO_LARGE;
    return env_file_open(r->j->env, path, ENV_READ | ENV_WRITE, &r->file);
}

static enum err reserve(struct replaying *r, size_t size)
{
    if (size <= r->capacity)
        return ERR_OK;
    mem_free(r->bytes);
    mem_free(r->there);
    r->bytes = mem_try(size);
    r->there = mem_try(size);
    r->capacity = r->bytes != NULL && r->there != NULL ? size : 0;
    return r->capacity > 0 ? ERR_OK : ERR_NO_MEMORY;
}

/* What a later cut left of the piece's batches. */
static size_t wanted_size(const struct journal_piece *piece, const uint8_t *bytes)
{
    struct batch_walk walk = {bytes, piece->size};
    struct batch_header header;
    const uint8_t *batch;
    size_t size = 0;
    while (batch_next(&walk, &header, &batch) == ERR_OK &&
           batch_last_offset(&header) < piece->end_offset)
        size = (size_t)(walk.pos - bytes);
    return size;
}

/* ---- what lies there */

/* A whole one of a later leader epoch? One of our own time or before is what a write that was taken
 * back has left. */
static enum err is_later(struct segment_walk *walk, int64_t pos, const struct batch_header *header,
                         int32_t own_epoch, bool *out)
{
    uint32_t crc = 0;
    enum err e = segment_walk_crc(walk, pos, header, &crc);
    *out = e == ERR_OK && crc == header->crc && header->leader_epoch > own_epoch;
    return e == ERR_RANGE ? ERR_OK : e;
}

/* Goes from batch to batch up to `pos`. *is_foreign: a whole one of a later epoch lies across it.
 * Where what is there ends before, or is damaged, nothing is in the way. */
static enum err look_before(struct replaying *r, struct segment_walk *walk, int64_t pos,
                            int32_t own_epoch, bool *is_foreign)
{
    struct batch_header header;
    enum err e = ERR_OK;
    while (walk->pos < pos && e == ERR_OK) {
        int64_t at;
        e = segment_walk_next(walk, &header, &at);
        if (e == ERR_OK && walk->pos <= pos)
            r->known_pos = walk->pos;
        else if (e == ERR_OK)
            return is_later(walk, at, &header, own_epoch, is_foreign);
    }
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
}

/* The same but for its first bytes, which the checksum does not cover: ours, and torn there. */
static bool is_ours(const struct replaying *r, size_t from, size_t len, size_t got)
{
    return from + len <= got &&
           memcmp(r->there + from + CRC_COVERS_FROM, r->bytes + from + CRC_COVERS_FROM,
                  len - CRC_COVERS_FROM) == 0;
}

/* At the piece's own place: does somebody else's batch lie there? `got` bytes were read.
 */
static enum err look_at(struct replaying *r, struct segment_walk *walk, size_t size, size_t got,
                        bool *is_foreign)
{
    struct batch_walk ours = {r->bytes, size};
    struct batch_header own;
    struct batch_header header;
    const uint8_t *batch;
    while (batch_next(&ours, &own, &batch) == ERR_OK) {
        int64_t at;
        enum err e = segment_walk_next(walk, &header, &at);
        if (e != ERR_OK)
            return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
        bool is_same = batch_size(&header) == batch_size(&own) &&
                       is_ours(r, (size_t)(batch - r->bytes), batch_size(&own), got);
        e = is_same ? ERR_OK : is_later(walk, at, &header, own.leader_epoch, is_foreign);
        if (e != ERR_OK || !is_same)
            return e;
    }
    return ERR_OK;
}

static enum err look(struct replaying *r, const struct journal_piece *piece, size_t size,
                     size_t got, bool *is_foreign)
{
    int64_t file_size = 0;
    enum err e = env_file_size(r->file, &file_size);
    if (e != ERR_OK)
        return e;
    if (r->known_pos > piece->pos)
        r->known_pos = 0; /* a cut went further back */
    struct segment_walk walk;
    segment_walk_init(&walk, r->file, r->known_pos, file_size, ENV_WAIT);
    segment_walk_use(&walk, r->walk_buffer, sizeof(r->walk_buffer));
    struct batch_header own;
    bool is_read = batch_header_read(r->bytes, size, &own);
    ASSERT(is_read); /* there is something to write */
    e = look_before(r, &walk, piece->pos, own.leader_epoch, is_foreign);
    if (e != ERR_OK || *is_foreign)
        return e;
    segment_walk_init(&walk, r->file, piece->pos, file_size, ENV_WAIT);
    segment_walk_use(&walk, r->walk_buffer, sizeof(r->walk_buffer));
    return look_at(r, &walk, size, got, is_foreign);
}

/* ---- writing */

static enum err write_piece(struct replaying *r, const struct journal_piece *piece)
{
    size_t got = 0;
    enum err e = use_segment(r, piece->segment_base);
    if (e == ERR_OK)
        e = reserve(r, piece->size);
    if (e == ERR_OK)
        e = env_file_read(r->j->halves[piece->half].file, r->bytes, piece->size, piece->file_pos,
                          ENV_WAIT, &got);
    if (e == ERR_OK && got < piece->size)
        e = ERR_IO;
    if (e != ERR_OK)
        return e;
    size_t size = wanted_size(piece, r->bytes);
    e = size > 0 ? env_file_read(r->file, r->there, size, piece->pos, ENV_WAIT, &got) : ERR_OK;
    if (e != ERR_OK || size == 0 || (got == size && memcmp(r->there, r->bytes, size) == 0))
        return e;
    bool is_foreign = false;
    e = look(r, piece, size, got, &is_foreign);
    if (e != ERR_OK)
        return e;
    if (is_foreign) {
        r->foreign++;
        return ERR_OK;
    }
    r->written++;
    struct iovec iov = {r->bytes, size};
    return env_file_write(r->file, &iov, 1, piece->pos);
}

static enum err write_pieces(struct replaying *r, const struct journal_left *left,
                             int64_t recovery_point)
{
    for (size_t i = 0; i < left->count; i++) {
        const struct journal_piece *piece = &left->pieces[i];
        if (piece->end_offset <= recovery_point)
            continue;
        enum err e = write_piece(r, piece);
        if (r->foreign > 0) {
            r->foreign = left->count - i;
            return ERR_OK;
        }
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_OK;
}

enum err journal_replay(struct journal *j, const struct journal_target *target,
                        struct log_open_report *report, int64_t *first_offset)
{
    *first_offset = -1;
    monitor_enter(&j->monitor);
    struct journal_left *left = journal_left_find(j, target->topic_id, target->partition);
    monitor_leave(&j->monitor);
    if (left == NULL)
        return ERR_OK;
    ASSERT(left->count > 0);
    struct replaying *r = mem_try_zeroed(sizeof(*r));
    if (r == NULL)
        return ERR_NO_MEMORY;
    r->j = j;
    r->dir = target->dir;
    enum err e = write_pieces(r, left, target->recovery_point);
    if (e == ERR_OK) {
        *first_offset = left->pieces[0].first_offset;
        atomic_fetch_add_explicit(&j->options.stats->replayed, r->written, memory_order_relaxed);
        report->replayed = r->written;
    }
    if (e == ERR_OK && r->foreign > 0)
        log_warn(j->env,
                 "%s: %" PRIu64
                 " commits of the journal were left: a batch of a later leader epoch lies "
                 "in their place; has another program written there?",
                 target->dir, r->foreign);
    env_file_unref(r->file);
    mem_free(r->bytes);
    mem_free(r->there);
    mem_free(r);
    return e;
}
