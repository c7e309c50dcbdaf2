// SPDX-License-Identifier: Apache-2.0
/* segment_behind: see segment_behind.h. Thread: see there. */
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/macros.h"
#include "base/mem.h"
#include "log/segment_behind_private.h"

enum {
    ROOM_MIN = 256,
    GROWTH = 4,         /* room for more of the same */
    ENTRIES_MAX = 1024, /* bytes for an index file */
    ANOTHER_WRITES_NS = 20000,
};

static struct segment_behind *behind_of(const struct segment *seg)
{
    return atomic_load_explicit(&seg->behind, memory_order_acquire);
}

bool segment_is_behind(const struct segment *seg)
{
    const struct segment_behind *b = behind_of(seg);
    return b != NULL && atomic_load_explicit(&b->is_any, memory_order_acquire);
}

static struct segment_behind *behind_make(struct segment *seg)
{
    struct segment_behind *b = behind_of(seg);
    if (b != NULL)
        return b;
    b = mem_try(sizeof(*b));
    if (b == NULL)
        return NULL;
    *b = (struct segment_behind){.failed = ERR_OK};
    monitor_init(&b->monitor, MONITOR_SEGMENT);
    atomic_init(&b->is_any, false);
    atomic_store_explicit(&seg->behind, b, memory_order_release);
    return b;
}

/* ---- memory. [monitor] */

/* The last who has the bytes lets go. */
static void give_back(void *owner, size_t size)
{
    struct file_cache *files = owner;
    file_cache_give_behind(files, size);
    file_cache_unref(files);
}

static struct iobuf *buffer_new(struct segment *seg, size_t size)
{
    struct file_cache *files = seg->home->files;
    if (!file_cache_take_behind(files, size))
        return NULL;
    struct iobuf *buf = iobuf_try_new(size);
    if (buf == NULL) {
        file_cache_give_behind(files, size);
        return NULL;
    }
    if (files != NULL) {
        buf->on_free = give_back;
        buf->owner = file_cache_ref(files);
    }
    return buf;
}

static void held_free(struct held *h)
{
    iobuf_unref(h->buf);
    *h = (struct held){0};
}

/* What others have a reference to stays as it is. */
static bool held_grow(struct segment *seg, struct held *h, size_t size, size_t max)
{
    size_t capacity = ROOM_MIN;
    while (capacity < MIN(size * GROWTH, max))
        capacity *= 2;
    struct iobuf *buf = buffer_new(seg, capacity);
    if (buf == NULL)
        return false;
    if (h->len > 0)
        memcpy(buf->data, h->buf->data + h->start, h->len);
    iobuf_unref(h->buf);
    h->buf = buf;
    h->start = 0;
    return true;
}

static void look_whether_any(struct segment_behind *b)
{
    bool is_any = false;
    for (int kind = 0; kind < SEGMENT_FILES; kind++)
        is_any = is_any || b->files[kind].len > 0;
    atomic_store_explicit(&b->is_any, is_any, memory_order_release);
}

/* ---- holding */

static size_t size_of(const struct segment_bytes *bytes)
{
    size_t size = 0;
    for (int i = 0; i < bytes->count; i++)
        size += bytes->iov[i].iov_len;
    return size;
}

static bool make_room(struct segment *seg, struct segment_behind *b,
                      const struct segment_bytes bytes[SEGMENT_FILES], size_t max)
{
    for (int kind = 0; kind < SEGMENT_FILES; kind++) {
        struct held *h = &b->files[kind];
        size_t size = h->len + size_of(&bytes[kind]);
        size_t most = kind == LOG_FILE_LOG ? max : (size_t)ENTRIES_MAX;
        if (b->is_writing) /* who would settle waits for that: rather a little more */
            most *= 2;
        if (size > most)
            return false;
        bool fits = size == 0 || (h->buf != NULL && h->start + size <= h->buf->size);
        if (!fits && !held_grow(seg, h, size, most))
            return false;
    }
    return true;
}

static void put(struct held *h, const struct segment_bytes *bytes)
{
    if (size_of(bytes) == 0)
        return;
    ASSERT(h->len == 0 || h->pos + h->len == bytes->pos);
    if (h->len == 0)
        h->pos = bytes->pos;
    for (int i = 0; i < bytes->count; i++) {
        memcpy(h->buf->data + h->start + h->len, bytes->iov[i].iov_base, bytes->iov[i].iov_len);
        h->len += (uint32_t)bytes->iov[i].iov_len;
    }
    ASSERT(h->start + h->len <= h->buf->size);
}

bool segment_hold(struct segment *seg, const struct segment_bytes bytes[SEGMENT_FILES], size_t max,
                  bool *begins)
{
    ASSERT(size_of(&bytes[LOG_FILE_LOG]) > 0);
    struct segment_behind *b = behind_make(seg);
    if (b == NULL)
        return false;
    monitor_enter(&b->monitor);
    *begins = b->files[LOG_FILE_LOG].len == 0;
    bool is_taken = b->failed == ERR_OK && make_room(seg, b, bytes, max);
    if (is_taken) {
        for (int kind = 0; kind < SEGMENT_FILES; kind++)
            put(&b->files[kind], &bytes[kind]);
        look_whether_any(b);
    }
    for (int kind = 0; kind < SEGMENT_FILES && !is_taken; kind++) {
        if (b->files[kind].len == 0) /* made for it */
            held_free(&b->files[kind]);
    }
    monitor_leave(&b->monitor);
    return is_taken;
}

/* ---- settling */

static enum err write_held(struct segment *seg, enum log_file_kind kind, const struct held *h)
{
    if (h->len == 0)
        return ERR_OK;
    struct env_file *file = NULL;
    enum err e = segment_file_as_is(seg, kind, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e;
    struct iovec iov = {h->buf->data + h->start, h->len};
    e = env_file_write(file, &iov, 1, h->pos);
    env_file_unref(file);
    return e;
}

/* [monitor] So much of a file's is where it belongs, or lost. */
static void held_forget(struct held *h, uint32_t len)
{
    ASSERT(len <= h->len);
    if (len == h->len) {
        held_free(h);
        return;
    }
    h->start += len;
    h->len -= len;
    h->pos += len;
}

/* True: it is this thread that writes. Waits for another that does. */
static bool begin_writing(struct segment *seg, struct segment_behind *b, struct held *out,
                          enum err *e)
{
    for (;;) {
        monitor_enter(&b->monitor);
        bool is_any = atomic_load_explicit(&b->is_any, memory_order_relaxed);
        bool is_other = is_any && b->is_writing;
        bool begins = is_any && !is_other && b->failed == ERR_OK;
        *e = is_any ? b->failed : ERR_OK;
        if (begins) {
            b->is_writing = true;
            memcpy(out, b->files, sizeof(b->files));
            for (int kind = 0; kind < SEGMENT_FILES; kind++) {
                if (out[kind].buf != NULL) /* it may grow meanwhile, in another buffer */
                    iobuf_ref(out[kind].buf);
            }
        }
        monitor_leave(&b->monitor);
        if (!is_other)
            return begins;
        env_pause(seg->home->env, ANOTHER_WRITES_NS);
    }
}

static void end_writing(struct segment_behind *b, struct held done[SEGMENT_FILES], int kinds,
                        enum err e)
{
    monitor_enter(&b->monitor);
    ASSERT(b->is_writing);
    b->is_writing = false;
    bool is_over = e == ERR_OK || e == ERR_STALE || CANARY(FULL_DISK_TAKES_HELD);
    for (int kind = 0; kind < kinds && is_over; kind++) {
        if (done[kind].len > 0)
            held_forget(&b->files[kind], done[kind].len);
    }
    if (e != ERR_OK && e != ERR_STALE && !err_may_pass(e))
        b->failed = e;
    look_whether_any(b);
    monitor_leave(&b->monitor);
    for (int kind = 0; kind < SEGMENT_FILES; kind++)
        held_free(&done[kind]);
}

static bool has_many_entries(const struct held held[SEGMENT_FILES])
{
    return held[LOG_FILE_INDEX].len > ENTRIES_MAX / 2 ||
           held[LOG_FILE_TIMEINDEX].len > ENTRIES_MAX / 2;
}

static enum err settle(struct segment *seg, bool only_batches)
{
    struct segment_behind *b = behind_of(seg);
    struct held held[SEGMENT_FILES];
    enum err e = ERR_OK;
    if (!begin_writing(seg, b, held, &e))
        return e;
    int kinds = only_batches && !has_many_entries(held) ? LOG_FILE_LOG + 1 : SEGMENT_FILES;
    for (int kind = 0; kind < kinds && e == ERR_OK; kind++)
        e = write_held(seg, (enum log_file_kind)kind, &held[kind]);
    end_writing(b, held, e == ERR_STALE ? SEGMENT_FILES : kinds, e);
    return e;
}

enum err segment_settle(struct segment *seg, enum env_read_mode mode)
{
    if (!segment_is_behind(seg))
        return ERR_OK;
    return mode == ENV_NOWAIT ? ERR_AGAIN : settle(seg, false);
}

enum err segment_settle_batches(struct segment *seg)
{
    return segment_is_behind(seg) ? settle(seg, true) : ERR_OK;
}

/* ---- reading */

/* [monitor] */
static uint32_t filed_entries(const struct segment_behind *b)
{
    const struct held *index = &b->files[LOG_FILE_INDEX];
    return index->len > 0 ? (uint32_t)(index->pos / INDEX_ENTRY_BYTES) : UINT32_MAX;
}

void segment_held_take(const struct segment *seg, struct segment_held *out)
{
    *out = (struct segment_held){0};
    struct segment_behind *b = behind_of(seg);
    if (b == NULL)
        return;
    monitor_enter(&b->monitor);
    const struct held *log = &b->files[LOG_FILE_LOG];
    if (log->len > 0) {
        out->bytes = iobuf_slice(log->buf, log->buf->data + log->start, log->len);
        out->pos = log->pos;
        out->index_count = filed_entries(b);
    }
    monitor_leave(&b->monitor);
}

void segment_filed_look(const struct segment *seg, struct segment_filed *out)
{
    *out = (struct segment_filed){.has_all_batches = true, .index_count = UINT32_MAX};
    struct segment_behind *b = behind_of(seg);
    if (b == NULL)
        return;
    monitor_enter(&b->monitor);
    out->has_all_batches = b->files[LOG_FILE_LOG].len == 0;
    out->index_count = filed_entries(b);
    monitor_leave(&b->monitor);
}

/* ---- forgetting */

void segment_drop_behind(struct segment *seg, const int64_t sizes[SEGMENT_FILES])
{
    struct segment_behind *b = behind_of(seg);
    bool is_writing = b != NULL;
    while (is_writing) {
        monitor_enter(&b->monitor);
        is_writing = b->is_writing;
        for (int kind = 0; kind < SEGMENT_FILES && !is_writing; kind++) {
            struct held *h = &b->files[kind];
            if (h->len > 0 && h->pos + h->len > sizes[kind])
                h->len = (uint32_t)MAX(sizes[kind] - h->pos, (int64_t)0);
            if (h->len == 0)
                held_free(h);
        }
        look_whether_any(b);
        monitor_leave(&b->monitor);
        if (is_writing)
            env_pause(seg->home->env, ANOTHER_WRITES_NS);
    }
}

void segment_behind_free(struct segment *seg)
{
    struct segment_behind *b = behind_of(seg);
    if (b == NULL)
        return;
    ASSERT(!b->is_writing);
    for (int kind = 0; kind < SEGMENT_FILES; kind++)
        held_free(&b->files[kind]);
    monitor_deinit(&b->monitor);
    mem_free(b);
    atomic_store(&seg->behind, NULL);
}
