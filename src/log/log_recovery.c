// SPDX-License-Identifier: Apache-2.0
/* log_recovery: see log_recovery.h. What is done with bad bytes is in recovery_cut.c. Thread: the
 * one that opens. */
#include "log/log_recovery.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/canary.h"
#include "log/recovery_cut.h"
#include "log/recovery_end.h"
#include "log/segment_index.h"
#include "log/segment_walk.h"

enum { ENTRIES_GATHERED = 256 };

void recovery_say(struct log_recovery *r, const char *format, ...)
{
    if (r->report->detail[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(r->report->detail, sizeof(r->report->detail), format, args);
    va_end(args);
}

/* ---- indexes made anew */

struct index_builder {
    struct segment *seg;
    bool is_off; /* the disk is full: a log must open all the same, and reads do without */
    uint32_t gathered[SEGMENT_FILES];
    int64_t pos[SEGMENT_FILES];
    uint8_t bytes[SEGMENT_FILES][ENTRIES_GATHERED * TIMEINDEX_ENTRY_BYTES];
};

static enum err builder_begin(struct index_builder *b, struct segment *seg)
{
    b->seg = seg;
    b->is_off = false;
    for (int kind = LOG_FILE_INDEX; kind <= LOG_FILE_TIMEINDEX; kind++) {
        b->gathered[kind] = 0;
        b->pos[kind] = 0;
        struct env_file *file = NULL;
        enum err e = segment_file_make(seg, (enum log_file_kind)kind, true, &file);
        if (e == ERR_OK)
            e = env_file_truncate(file, 0); /* one that was open keeps its bytes */
        env_file_unref(file);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err builder_flush(struct index_builder *b, enum log_file_kind kind)
{
    ASSERT(b->gathered[kind] <= sizeof(b->bytes[kind]));
    if (b->gathered[kind] == 0 || b->is_off) {
        b->gathered[kind] = 0;
        return ERR_OK;
    }
    struct env_file *file = NULL;
    enum err e = segment_file(b->seg, kind, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    struct iovec iov = {b->bytes[kind], b->gathered[kind]};
    e = env_file_write(file, &iov, 1, b->pos[kind]);
    env_file_unref(file);
    b->pos[kind] += b->gathered[kind];
    b->gathered[kind] = 0;
    b->is_off = e == ERR_NO_SPACE;
    return b->is_off ? ERR_OK : e;
}

static enum err builder_add(struct index_builder *b, const struct segment_entry *entry)
{
    enum err e = ERR_OK;
    if (entry->has_index) {
        segment_entry_write_index(entry, b->bytes[LOG_FILE_INDEX] + b->gathered[LOG_FILE_INDEX]);
        b->gathered[LOG_FILE_INDEX] += INDEX_ENTRY_BYTES;
        if (b->gathered[LOG_FILE_INDEX] == ENTRIES_GATHERED * INDEX_ENTRY_BYTES)
            e = builder_flush(b, LOG_FILE_INDEX);
    }
    if (e == ERR_OK && entry->has_time) {
        segment_entry_write_time(entry,
                                 b->bytes[LOG_FILE_TIMEINDEX] + b->gathered[LOG_FILE_TIMEINDEX]);
        b->gathered[LOG_FILE_TIMEINDEX] += TIMEINDEX_ENTRY_BYTES;
        if (b->gathered[LOG_FILE_TIMEINDEX] == ENTRIES_GATHERED * TIMEINDEX_ENTRY_BYTES)
            e = builder_flush(b, LOG_FILE_TIMEINDEX);
    }
    return e;
}

/* That of the last segment is made anew after the next crash too: no need to sync it. */
static enum err builder_finish(struct index_builder *b, bool is_sealed, struct segment_tail *tail)
{
    for (int kind = LOG_FILE_INDEX; kind <= LOG_FILE_TIMEINDEX; kind++) {
        enum err e = builder_flush(b, (enum log_file_kind)kind);
        struct env_file *file = NULL;
        if (e == ERR_OK && is_sealed)
            e = segment_file(b->seg, (enum log_file_kind)kind, ENV_WAIT, &file);
        if (e == ERR_OK && is_sealed)
            e = env_file_sync(file);
        env_file_unref(file);
        if (e != ERR_OK)
            return e;
    }
    if (!b->is_off)
        return ERR_OK;
    tail->index_count = 0;
    tail->time_count = 0;
    tail->last_time_entry = -1;
    return builder_begin(b, b->seg); /* empties both again */
}

/* ---- scanning */

struct segment_scan {
    struct log_recovery *r;
    struct segment *seg;
    struct env_file *file; /* borrowed */
    int64_t file_size;
    struct segment_walk walk;
    struct segment_tail tail; /* up to the last good batch */
    struct index_builder builder;
};

/* A batch that may stand here? ERR_CORRUPT: no. */
static enum err judge_batch(struct segment_scan *scan, const struct batch_header *header,
                            int64_t pos)
{
    int64_t last_offset = batch_last_offset(header);
    /* The next segment was begun where this one ended: what lies behind was cut off before, and a
     * power cut brought it back. */
    bool is_behind = scan->r->next_base > 0 && header->base_offset >= scan->r->next_base;
    if (header->base_offset < scan->tail.next_offset || is_behind ||
        !segment_tail_has_room(&scan->tail, scan->seg->base_offset, last_offset,
                               (int64_t)batch_size(header)))
        return ERR_CORRUPT;
    if (last_offset < scan->r->recovery_point)
        return ERR_OK; /* it was synced once; nothing torn is to be feared */
    uint32_t crc = 0;
    enum err e = segment_walk_crc(&scan->walk, pos, header, &crc);
    if (e == ERR_OK && crc != header->crc && !CANARY(KEEP_TORN_TAIL))
        e = ERR_CORRUPT;
    return e == ERR_RANGE ? ERR_CORRUPT : e;
}

/* Goes through the batches; ends with ERR_NOT_FOUND at the end of the file, with ERR_CORRUPT at the
 * first bad one. */
static enum err scan_batches(struct segment_scan *scan)
{
    int64_t end = MIN(scan->file_size, (int64_t)SEGMENT_BYTES_MAX);
    segment_walk_init(&scan->walk, scan->file, 0, end, ENV_WAIT);
    segment_walk_use(&scan->walk, scan->r->buffer, RECOVERY_BUFFER);
    segment_tail_init(&scan->tail, scan->seg->base_offset);
    for (;;) {
        struct batch_header header;
        int64_t pos;
        scan->walk.reads_all = scan->tail.next_offset >= scan->r->recovery_point;
        enum err e = segment_walk_next(&scan->walk, &header, &pos);
        if (e == ERR_OK)
            e = judge_batch(scan, &header, pos);
        if (e != ERR_OK)
            return e;
        struct segment_entry entry;
        segment_tail_step(&scan->tail, scan->seg->base_offset, &header,
                          scan->r->index_interval_bytes, &entry);
        e = builder_add(&scan->builder, &entry);
        if (e != ERR_OK)
            return e;
        if (scan->r->scanned != NULL)
            atomic_fetch_add_explicit(scan->r->scanned, (int64_t)batch_size(&header),
                                      memory_order_relaxed);
        leader_epochs_begin(scan->r->epochs, header.leader_epoch, header.base_offset);
    }
}

static enum err scan_end(struct segment_scan *scan, bool is_sealed)
{
    ASSERT(scan->tail.size <= scan->file_size);
    segment_tail_check(&scan->tail, scan->seg->base_offset);
    scan->r->report->scanned_bytes += scan->tail.size;
    enum err e = ERR_OK;
    if (scan->tail.size < scan->file_size)
        e = recovery_cut(scan->r, scan->seg, scan->file, &scan->tail, scan->file_size);
    struct segment_entry entry;
    if (e == ERR_OK && is_sealed && segment_tail_seal(&scan->tail, scan->seg->base_offset, &entry))
        e = builder_add(&scan->builder, &entry);
    if (e == ERR_OK)
        e = builder_finish(&scan->builder, is_sealed, &scan->tail);
    return e == ERR_OK ? env_file_sync(scan->file) : e;
}

static enum err scan_file(struct segment_scan *scan, bool is_sealed)
{
    enum err e = env_file_size(scan->file, &scan->file_size);
    if (e == ERR_OK)
        e = builder_begin(&scan->builder, scan->seg);
    if (e != ERR_OK)
        return e;
    e = scan_batches(scan);
    if (e != ERR_NOT_FOUND && e != ERR_CORRUPT)
        return e;
    return scan_end(scan, is_sealed);
}

enum err recovery_scan_into(struct log_recovery *r, struct segment *seg, bool is_sealed,
                            struct segment_tail *out)
{
    ASSERT(r->buffer != NULL && r->epochs != NULL);
    struct segment_scan scan = {.r = r, .seg = seg};
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &scan.file);
    if (e == ERR_OK)
        e = scan_file(&scan, is_sealed);
    env_file_unref(scan.file);
    if (e == ERR_OK)
        *out = scan.tail;
    return e;
}

enum err recovery_scan(struct log_recovery *r, struct segment *seg, bool is_sealed)
{
    struct segment_tail tail;
    enum err e = recovery_scan_into(r, seg, is_sealed, &tail);
    segment_close_files(seg);
    if (e == ERR_OK)
        seg->tail = tail;
    return e;
}

/* ---- trusting */

/* Both indexes examined; ERR_CORRUPT or ERR_NOT_FOUND: they are to be made anew. */
static enum err examine_indexes(struct segment *seg, struct segment_tail *tail,
                                struct index_entry *last)
{
    struct env_file *index = NULL;
    struct env_file *time = NULL;
    struct timeindex_entry last_time;
    enum err e = segment_file(seg, LOG_FILE_INDEX, ENV_WAIT, &index);
    if (e == ERR_OK)
        e = segment_file(seg, LOG_FILE_TIMEINDEX, ENV_WAIT, &time);
    if (e == ERR_OK)
        e = index_examine(index, tail->size, &tail->index_count, last);
    if (e == ERR_OK)
        e = timeindex_examine(time, &tail->time_count, &last_time);
    if (e == ERR_OK && tail->size > 0 && tail->time_count == 0)
        e = ERR_CORRUPT; /* or without times: that is seen when they are made anew */
    if (e == ERR_OK && tail->time_count > 0) {
        tail->max_timestamp = last_time.timestamp;
        tail->last_time_entry = last_time.timestamp;
        tail->max_timestamp_offset = seg->base_offset + last_time.relative_offset;
    }
    env_file_unref(index);
    env_file_unref(time);
    return e == ERR_STALE ? ERR_NOT_FOUND : e;
}

/* Below the recovery point nothing may be cut. */
static enum err rebuild_trusted(struct log_recovery *r, struct segment *seg, int64_t next_base)
{
    struct log_recovery below = *r;
    below.recovery_point = next_base;
    enum err e = recovery_scan(&below, seg, true);
    if (e != ERR_OK || seg->tail.next_offset <= next_base)
        return e;
    recovery_say(r,
                 "%020" PRId64 ".log goes up to offset %" PRId64
                 ", the next segment begins with %" PRId64,
                 seg->base_offset, seg->tail.next_offset - 1, next_base);
    return ERR_CORRUPT;
}

/* The indexes, and whether the file ends where it has to. ERR_CORRUPT, ERR_NOT_FOUND: to be made
 * anew, or, with *is_lost, left alone. */
static enum err examine_trusted(struct log_recovery *r, struct segment *seg,
                                const struct recovery_end *from, struct segment_tail *tail,
                                bool *is_lost)
{
    struct recovery_end end = *from;
    if (tail->size > SEGMENT_BYTES_MAX || end.next_base - seg->base_offset > (int64_t)INT32_MAX + 1)
        return ERR_CORRUPT;
    struct index_entry last = {0};
    enum err e = examine_indexes(seg, tail, &last);
    if (e == ERR_OK) {
        end.from = last.pos;
        if (tail->index_count > 0)
            end.told = seg->base_offset + last.relative_offset;
        if (tail->time_count > 0)
            end.told = MAX(end.told, tail->max_timestamp_offset);
        e = recovery_end_check(r, seg, &end, is_lost);
    }
    if ((e != ERR_CORRUPT && e != ERR_NOT_FOUND) || *is_lost)
        return e;
    enum err all = recovery_end_check_all(r, seg, &end, is_lost);
    return all != ERR_OK ? all : e;
}

enum err recovery_trust(struct log_recovery *r, struct segment *seg, int64_t next_base)
{
    ASSERT(next_base > seg->base_offset);
    struct env_file *file = NULL;
    struct segment_tail tail;
    bool is_lost = false;
    segment_tail_init(&tail, seg->base_offset);
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = env_file_size(file, &tail.size);
    bool is_examined = e == ERR_OK;
    struct recovery_end end = {
        .file = file, .size = tail.size, .next_base = next_base, .told = seg->base_offset - 1};
    if (is_examined)
        e = examine_trusted(r, seg, &end, &tail, &is_lost);
    env_file_unref(file);
    if (is_examined && !is_lost && (e == ERR_CORRUPT || e == ERR_NOT_FOUND)) {
        e = rebuild_trusted(r, seg, next_base);
        tail = seg->tail;
    }
    segment_close_files(seg);
    if (e != ERR_OK)
        return e;
    tail.next_offset = next_base;
    segment_tail_check(&tail, seg->base_offset);
    seg->tail = tail;
    return ERR_OK;
}

/* The batches behind the last index entry, and what they add. */
static enum err walk_end(struct log_recovery *r, struct segment *seg, struct env_file *file,
                         int64_t from, struct segment_tail *tail)
{
    int64_t size = tail->size;
    struct segment_walk walk;
    segment_walk_init(&walk, file, from, size, ENV_WAIT);
    segment_walk_use(&walk, r->buffer, SEGMENT_WALK_BUFFER);
    struct batch_header header;
    int64_t pos;
    enum err e;
    while ((e = segment_walk_next(&walk, &header, &pos)) == ERR_OK) {
        int64_t last_offset = batch_last_offset(&header);
        if (header.base_offset < tail->next_offset || last_offset - seg->base_offset > INT32_MAX)
            return ERR_CORRUPT;
        tail->next_offset = last_offset + 1;
        if (header.max_timestamp > tail->max_timestamp) {
            tail->max_timestamp = header.max_timestamp;
            tail->max_timestamp_offset = last_offset;
        }
        leader_epochs_begin(r->epochs, header.leader_epoch, header.base_offset);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err first_timestamp(struct log_recovery *r, struct env_file *file,
                                struct segment_tail *tail)
{
    struct segment_walk walk;
    segment_walk_init(&walk, file, 0, tail->size, ENV_WAIT);
    segment_walk_use(&walk, r->buffer, BATCH_HEADER_BYTES);
    struct batch_header header;
    int64_t pos;
    enum err e = segment_walk_next(&walk, &header, &pos);
    if (e == ERR_OK)
        tail->first_timestamp = header.max_timestamp;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Preallocated zeros behind the entries would lie behind ours too. */
static enum err trim_indexes(struct segment *seg, const struct segment_tail *tail)
{
    int64_t sizes[SEGMENT_FILES] = {
        [LOG_FILE_INDEX] = (int64_t)tail->index_count * INDEX_ENTRY_BYTES,
        [LOG_FILE_TIMEINDEX] = (int64_t)tail->time_count * TIMEINDEX_ENTRY_BYTES,
    };
    for (int kind = LOG_FILE_INDEX; kind <= LOG_FILE_TIMEINDEX; kind++) {
        struct env_file *file = NULL;
        int64_t size = 0;
        enum err e = segment_file(seg, (enum log_file_kind)kind, ENV_WAIT, &file);
        if (e == ERR_OK)
            e = env_file_size(file, &size);
        if (e == ERR_OK && size != sizes[kind])
            e = env_file_truncate(file, sizes[kind]);
        env_file_unref(file);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err recovery_trust_last(struct log_recovery *r, struct segment *seg)
{
    struct env_file *file = NULL;
    struct segment_tail tail;
    struct index_entry last = {0};
    segment_tail_init(&tail, seg->base_offset);
    enum err e = segment_file(seg, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = env_file_size(file, &tail.size);
    if (e == ERR_OK)
        e = tail.size > SEGMENT_BYTES_MAX ? ERR_CORRUPT : examine_indexes(seg, &tail, &last);
    if (e == ERR_OK)
        e = walk_end(r, seg, file, last.pos, &tail);
    if (e == ERR_OK)
        e = first_timestamp(r, file, &tail);
    if (e == ERR_OK)
        e = trim_indexes(seg, &tail);
    env_file_unref(file);
    segment_close_files(seg);
    if (e != ERR_OK)
        return e == ERR_CORRUPT || e == ERR_NOT_FOUND ? ERR_AGAIN : e;
    if (tail.max_timestamp_offset >= tail.next_offset && tail.size > 0)
        return ERR_AGAIN;
    tail.bytes_since_index = tail.size - last.pos;
    ASSERT(tail.bytes_since_index >= 0);
    segment_tail_check(&tail, seg->base_offset);
    seg->tail = tail;
    return ERR_OK;
}
