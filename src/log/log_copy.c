// SPDX-License-Identifier: Apache-2.0
/* log_copy: see log_copy.h. Thread: see there. */
#include "log/log_copy.h"

#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "base/mem.h"
#include "log/log_place.h"
#include "log/log_segment_view.h"
#include "log/partition_metadata.h"
#include "log/segment_walk.h"

enum { SMALL_FILE_BYTES_MAX = 256 << 20 };

/* One segment where it goes. */
struct copied {
    struct segment *from; /* one reference */
    struct segment *to;
    uint32_t cuts;            /* of `from` when it was begun */
    int64_t bytes;            /* of the .log */
    int64_t next_batch;       /* where a known batch ends; INT64_MAX: the bytes are no batch */
    int64_t next_batch_first; /* the offset behind that batch */
    int64_t whole_first;      /* the offset behind the batches that are there whole */
    bool is_whole;            /* sealed: all its files are there and synced */
    bool is_wanted;           /* the source has it */
};

struct log_copy {
    struct env *env;
    struct log_home *home;
    struct copied *items;
    uint32_t count;
    uint32_t capacity;
    struct log_segments source;
    uint32_t at; /* in the source */
    uint8_t *buffer;
    _Atomic int64_t end_offset;
    _Atomic int64_t bytes;
    bool is_begun;
    bool has_side_files; /* they are copied */
    bool blames_source;
};

struct log_copy *log_copy_new(struct env *env, struct file_cache *files, const char *dir)
{
    struct log_copy *copy = mem_alloc(sizeof(*copy));
    copy->env = env;
    copy->home = log_home_new(env, files, dir);
    return copy;
}

static void drop(struct copied *item)
{
    segment_unref(item->from);
    segment_unref(item->to);
}

void log_copy_free(struct log_copy *copy)
{
    if (copy == NULL)
        return;
    for (uint32_t i = 0; i < copy->count; i++)
        drop(&copy->items[i]);
    log_segments_release(&copy->source);
    log_home_unref(copy->home);
    mem_free(copy->items);
    mem_free(copy->buffer);
    mem_free(copy);
}

const char *log_copy_dir(const struct log_copy *copy)
{
    return copy->home->dir;
}

bool log_copy_blames_source(const struct log_copy *copy)
{
    return copy->blames_source;
}

int64_t log_copy_end_offset(const struct log_copy *copy)
{
    return atomic_load(&copy->end_offset);
}

int64_t log_copy_bytes(const struct log_copy *copy)
{
    return atomic_load(&copy->bytes);
}

void log_copy_take(struct log_copy *copy, struct log_segments *take_source)
{
    log_segments_release(&copy->source);
    copy->source = *take_source;
    *take_source = (struct log_segments){0};
    copy->at = 0;
    for (uint32_t i = 0; i < copy->count; i++)
        copy->items[i].is_wanted = false;
}

enum err log_copy_begin(struct log_copy *copy)
{
    copy->blames_source = false;
    if (copy->buffer == NULL)
        copy->buffer = mem_try(LOG_COPY_PIECE_BYTES);
    if (copy->buffer == NULL)
        return ERR_NO_MEMORY;
    enum err e = log_file_remove_dir(copy->env, copy->home->dir);
    if (e == ERR_OK || e == ERR_NOT_FOUND)
        e = env_dir_make(copy->env, copy->home->dir);
    if (e == ERR_OK)
        e = log_file_sync_parent(copy->env, copy->home->dir);
    copy->is_begun = e == ERR_OK;
    return e;
}

/* ---- one segment */

static void count_bytes(struct log_copy *copy, int64_t bytes)
{
    atomic_fetch_add(&copy->bytes, bytes);
}

/* Of another file than the one that was copied: from its start. */
static void begin_item(struct log_copy *copy, struct copied *item,
                       const struct log_segment_view *view)
{
    count_bytes(copy, -item->bytes);
    segment_unref(item->from);
    item->from = segment_ref(view->segment);
    item->cuts = view->cuts;
    item->bytes = 0;
    item->next_batch = 0;
    item->next_batch_first = view->segment->base_offset;
    item->whole_first = view->segment->base_offset;
    item->is_whole = false;
}

static struct copied *item_of(struct log_copy *copy, const struct log_segment_view *view)
{
    int64_t base = view->segment->base_offset;
    uint32_t i =
        copy->at < copy->count && copy->items[copy->at].to->base_offset == base ? copy->at : 0;
    while (i < copy->count && copy->items[i].to->base_offset != base)
        i++;
    if (i == copy->count) {
        if (copy->count == copy->capacity) {
            copy->capacity = MAX(2 * copy->capacity, 8u);
            copy->items = mem_realloc(copy->items, copy->capacity * sizeof(*copy->items));
        }
        copy->items[copy->count++] =
            (struct copied){.to = segment_new(copy->home, base, env_wall_ms(copy->env))};
    }
    struct copied *item = &copy->items[i];
    if (item->from != view->segment || item->cuts != view->cuts || item->bytes > view->end_pos)
        begin_item(copy, item, view);
    item->is_wanted = true;
    return item;
}

/* How many of these bytes to take: up to where a header is cut in two, so that the next piece
 * begins with it. Notes where batches end. */
static int64_t follow_batches(const struct log_copy *copy, struct copied *item, int64_t len)
{
    int64_t end = item->bytes + len;
    while (item->next_batch < end) {
        struct batch_header header;
        item->whole_first = item->next_batch_first;
        int64_t left = end - item->next_batch;
        const uint8_t *at = copy->buffer + (item->next_batch - item->bytes);
        if (left < BATCH_HEADER_BYTES && item->next_batch > item->bytes)
            return item->next_batch - item->bytes;
        if (!batch_header_read(at, (size_t)left, &header) ||
            !batch_header_is_plausible(&header, SEGMENT_BYTES_MAX)) {
            item->next_batch = INT64_MAX;
            break;
        }
        item->next_batch += (int64_t)batch_size(&header);
        item->next_batch_first = batch_last_offset(&header) + 1;
    }
    return len;
}

static enum err read_exactly(struct env_file *file, uint8_t *out, int64_t len, int64_t pos)
{
    size_t got = 0;
    enum err e = env_file_read(file, out, (size_t)len, pos, ENV_WAIT, &got);
    return e == ERR_OK && got < (size_t)len ? ERR_CORRUPT : e;
}

static enum err write_there(struct log_copy *copy, struct copied *item, enum log_file_kind kind,
                            int64_t len, int64_t pos)
{
    struct env_file *file = NULL;
    struct iovec iov = {copy->buffer, (size_t)len};
    enum err e = segment_file_make(item->to, kind, pos == 0, &file);
    if (e != ERR_OK)
        return e;
    /* One that is open already was not emptied. */
    if (pos == 0)
        e = env_file_truncate(file, 0);
    if (e == ERR_OK && len > 0)
        e = env_file_write(file, &iov, 1, pos);
    env_file_unref(file);
    return e;
}

/* ERR_STALE: retention took it out meanwhile, and its file is gone. */
static enum err copy_piece(struct log_copy *copy, struct copied *item, enum log_file_kind kind,
                           int64_t len, int64_t pos)
{
    struct env_file *file = NULL;
    enum err e = segment_file(item->from, kind, ENV_WAIT, &file);
    if (e == ERR_OK) {
        bool is_hot = env_file_is_cached(file, pos, len);
        e = read_exactly(file, copy->buffer, len, pos);
        if (e == ERR_OK && !is_hot)
            env_file_forget(file, pos, len);
        env_file_unref(file);
    }
    copy->blames_source = e != ERR_OK;
    return e;
}

static enum err copy_log_piece(struct log_copy *copy, struct copied *item, int64_t len)
{
    enum err e = copy_piece(copy, item, LOG_FILE_LOG, len, item->bytes);
    if (e != ERR_OK)
        return e;
    struct copied before = *item;
    len = follow_batches(copy, item, len);
    e = write_there(copy, item, LOG_FILE_LOG, len, item->bytes);
    if (e != ERR_OK) {
        *item = before;
        return e;
    }
    item->bytes += len;
    count_bytes(copy, len);
    if (item->bytes == item->next_batch)
        item->whole_first = item->next_batch_first;
    atomic_store(&copy->end_offset, item->whole_first);
    return ERR_OK;
}

/* An index, up to what its segment's tail says. */
static enum err copy_whole(struct log_copy *copy, struct copied *item, enum log_file_kind kind,
                           int64_t size)
{
    int64_t pos = 0;
    do {
        int64_t len = MIN(size - pos, (int64_t)LOG_COPY_PIECE_BYTES);
        enum err e = len > 0 ? copy_piece(copy, item, kind, len, pos) : ERR_OK;
        if (e == ERR_OK)
            e = write_there(copy, item, kind, len, pos);
        if (e != ERR_OK)
            return e;
        pos += len;
    } while (pos < size);
    return ERR_OK;
}

/* A file of another kind or none of a segment; that it is not there is fine. */
static enum err copy_small(struct log_copy *copy, const char *from_dir, const char *name)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(copy->env, from_dir, name, SMALL_FILE_BYTES_MAX, &data, &size);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    copy->blames_source = e != ERR_OK && e != ERR_NO_MEMORY;
    if (e != ERR_OK)
        return e;
    e = log_file_replace(copy->env, copy->home->dir, name, data, size);
    mem_free(data);
    return e;
}

static enum err copy_small_of(struct log_copy *copy, const struct copied *item,
                              enum log_file_kind kind)
{
    struct log_file_name name = {.offset = item->to->base_offset, .kind = kind};
    char text[LOG_NAME_SIZE];
    return copy_small(copy, item->from->home->dir, log_file_name_format(text, &name));
}

static enum err sync_there(struct copied *item, enum log_file_kind kind)
{
    struct env_file *file = NULL;
    enum err e = segment_file(item->to, kind, ENV_WAIT, &file);
    if (e != ERR_OK)
        return e == ERR_STALE ? ERR_IO : e;
    e = env_file_sync(file);
    env_file_unref(file);
    return e;
}

/* What belongs to its .log, and a sync of all. */
static enum err finish_item(struct log_copy *copy, struct copied *item,
                            const struct segment_tail *tail)
{
    enum err e = ERR_OK;
    if (item->bytes == 0)
        e = write_there(copy, item, LOG_FILE_LOG, 0, 0);
    if (e == ERR_OK)
        e = copy_whole(copy, item, LOG_FILE_INDEX, (int64_t)tail->index_count * INDEX_ENTRY_BYTES);
    if (e == ERR_OK)
        e = copy_whole(copy, item, LOG_FILE_TIMEINDEX,
                       (int64_t)tail->time_count * TIMEINDEX_ENTRY_BYTES);
    if (e == ERR_OK)
        e = copy_small_of(copy, item, LOG_FILE_TXNINDEX);
    if (e == ERR_OK)
        e = copy_small_of(copy, item, LOG_FILE_SNAPSHOT);
    if (e != ERR_OK)
        return e;
    for (int kind = LOG_FILE_LOG; kind < SEGMENT_FILES && e == ERR_OK && !CANARY(MOVE_WITHOUT_SYNC);
         kind++)
        e = sync_there(item, (enum log_file_kind)kind);
    segment_close_files(item->to);
    return e;
}

/* ---- what recovery set aside, for people to look at (docs/formats.md) */

struct side_files {
    char **names;
    size_t count;
};

static void gather_side_file(void *arg, const char *name, bool is_dir)
{
    static const char suffix[] = ".rot";
    struct side_files *files = arg;
    size_t len = strlen(name);
    if (is_dir || len < sizeof(suffix) || strcmp(name + len - (sizeof(suffix) - 1), suffix) != 0)
        return;
    files->names = mem_realloc(files->names, (files->count + 1) * sizeof(*files->names));
    files->names[files->count++] = mem_strdup(name);
}

static enum err open_in(struct log_copy *copy, const char *dir, const char *name, unsigned flags,
                        struct env_file **out)
{
    char path[LOG_PATH_SIZE];
    return log_file_path(path, dir, name) ? env_file_open(copy->env, path, flags, out)
                                          : ERR_TOO_LARGE;
}

static enum err copy_bytes(struct log_copy *copy, struct env_file *from, struct env_file *to)
{
    for (int64_t pos = 0;;) {
        size_t got = 0;
        enum err e = env_file_read(from, copy->buffer, LOG_COPY_PIECE_BYTES, pos, ENV_WAIT, &got);
        copy->blames_source = e != ERR_OK;
        if (e == ERR_OK && got == 0)
            return env_file_sync(to);
        struct iovec iov = {copy->buffer, got};
        if (e == ERR_OK)
            e = env_file_write(to, &iov, 1, pos);
        if (e != ERR_OK)
            return e;
        pos += (int64_t)got;
    }
}

static enum err copy_side_file(struct log_copy *copy, const char *from_dir, const char *name)
{
    struct env_file *from = NULL;
    struct env_file *to = NULL;
    enum err e = open_in(copy, from_dir, name, ENV_READ, &from);
    copy->blames_source = e != ERR_OK;
    if (e == ERR_OK)
        e = open_in(copy, copy->home->dir, name, ENV_READ | ENV_WRITE | ENV_CREATE | ENV_TRUNCATE,
                    &to);
    if (e == ERR_OK)
        e = copy_bytes(copy, from, to);
    env_file_unref(from);
    env_file_unref(to);
    return e;
}

static enum err copy_side_files(struct log_copy *copy)
{
    const char *from_dir = copy->source.items[0].segment->home->dir;
    struct side_files files = {0};
    enum err e = env_dir_list(copy->env, from_dir, gather_side_file, &files);
    copy->blames_source = e != ERR_OK;
    for (size_t i = 0; i < files.count; i++) {
        if (e == ERR_OK)
            e = copy_side_file(copy, from_dir, files.names[i]);
        mem_free(files.names[i]);
    }
    mem_free(files.names);
    copy->has_side_files = e == ERR_OK;
    return e;
}

/* ---- all of it */

static enum err go_on(struct log_copy *copy, int64_t bytes_max, int64_t *bytes)
{
    const struct log_segment_view *view = &copy->source.items[copy->at];
    struct copied *item = item_of(copy, view);
    bool is_sealed = copy->at + 1 < copy->source.count;
    int64_t missing = view->end_pos - item->bytes;
    if (!item->is_whole && missing > 0) {
        int64_t before = item->bytes;
        enum err e = copy_log_piece(copy, item, MIN(missing, bytes_max));
        *bytes = item->bytes - before;
        return e;
    }
    if (!item->is_whole && is_sealed) {
        enum err e = finish_item(copy, item, &view->tail);
        item->is_whole = e == ERR_OK;
        if (e != ERR_OK)
            return e;
    }
    atomic_store(&copy->end_offset, view->tail.next_offset);
    copy->at++;
    return ERR_OK;
}

enum err log_copy_step(struct log_copy *copy, int64_t bytes_max, int64_t *bytes)
{
    ASSERT(copy->is_begun && bytes_max >= BATCH_HEADER_BYTES);
    *bytes = 0;
    copy->blames_source = false;
    if (copy->at == copy->source.count)
        return copy->has_side_files ? ERR_NOT_FOUND : copy_side_files(copy);
    enum err e = go_on(copy, MIN(bytes_max, (int64_t)LOG_COPY_PIECE_BYTES), bytes);
    if (e == ERR_NOT_FOUND)
        return ERR_CORRUPT; /* somebody has removed the directory */
    if (e != ERR_STALE)
        return e;
    copy->at++; /* and it is not in what is given next */
    return ERR_OK;
}

static enum err remove_item(struct log_copy *copy, struct copied *item)
{
    segment_close_files(item->to);
    enum err e = segment_unlink_all(item->to, LOG_STAGE_LIVE);
    if (e != ERR_OK)
        return e;
    count_bytes(copy, -item->bytes);
    drop(item);
    return ERR_OK;
}

/* Retention took it out since it was copied. */
static enum err remove_unwanted(struct log_copy *copy)
{
    enum err e = ERR_OK;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < copy->count; i++) {
        struct copied *item = &copy->items[i];
        bool goes = e == ERR_OK && !item->is_wanted;
        if (goes)
            e = remove_item(copy, item);
        if (!goes || e != ERR_OK)
            copy->items[kept++] = *item;
    }
    copy->count = kept;
    return e;
}

static enum err write_marker(struct log_copy *copy, const char *from_dir)
{
    uint64_t moved;
    if (CANARY(MOVE_UNNUMBERED))
        return ERR_OK;
    enum err e = log_place_read_moved(copy->env, from_dir, &moved);
    copy->blames_source = e != ERR_OK && e != ERR_NO_MEMORY;
    return e == ERR_OK ? log_place_write_moved(copy->env, copy->home->dir, moved + 1) : e;
}

enum err log_copy_seal(struct log_copy *copy, const char *epochs_text, size_t epochs_size)
{
    ASSERT(copy->is_begun && copy->source.count > 0 && copy->at == copy->source.count);
    const struct log_segment_view *last = &copy->source.items[copy->source.count - 1];
    const char *from_dir = last->segment->home->dir;
    copy->blames_source = false;
    enum err e = remove_unwanted(copy);
    if (e == ERR_OK)
        e = finish_item(copy, item_of(copy, last), &last->tail);
    if (e == ERR_OK)
        e = copy_small(copy, from_dir, LOG_PARTITION_METADATA_NAME);
    if (e == ERR_OK)
        e = log_file_replace(copy->env, copy->home->dir, "leader-epoch-checkpoint", epochs_text,
                             epochs_size);
    if (e == ERR_OK)
        e = write_marker(copy, from_dir);
    return e == ERR_OK ? env_dir_sync(copy->env, copy->home->dir) : e;
}
