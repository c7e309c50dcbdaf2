// SPDX-License-Identifier: Apache-2.0
/*
 * store_disk: the two files of store_file and what is done with them. See store_disk.h.
 *
 * Thread: one at a time; all of it blocks.
 */
#include "store/store_disk.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/logger.h"
#include "store/store_frame.h"

/* ---- files as a whole */

/* All bytes of a file. Nothing there: no bytes. */
static enum err read_whole(struct env *env, const char *path, struct file_bytes *out)
{
    struct env_file *file = NULL;
    uint8_t *data = NULL;
    int64_t size = 0;
    enum err e = env_file_open(env, path, ENV_READ, &file);
    if (e == ERR_NOT_FOUND) {
        *out = (struct file_bytes){NULL, 0};
        return ERR_OK;
    }
    if (e != ERR_OK)
        return e;
    e = env_file_size(file, &size);
    if (e == ERR_OK && size > LIMIT_METADATA_FILE_BYTES)
        e = ERR_TOO_LARGE;
    if (e != ERR_OK || size == 0)
        goto out;
    data = mem_try((size_t)size);
    if (data == NULL) {
        e = ERR_NO_MEMORY;
        goto out;
    }
    size_t got = 0;
    e = env_file_read(file, data, (size_t)size, 0, ENV_WAIT, &got);
    if (e == ERR_OK && got != (size_t)size)
        e = ERR_IO;
out:
    env_file_unref(file);
    if (e != ERR_OK) {
        mem_free(data);
        return e;
    }
    *out = (struct file_bytes){data, (size_t)size};
    return ERR_OK;
}

void file_bytes_free(struct file_bytes *bytes)
{
    mem_free(bytes->data);
    *bytes = (struct file_bytes){NULL, 0};
}

static enum err write_bytes(struct env_file *file, const void *data, size_t size, int64_t pos)
{
    struct iovec iov = {(void *)(uintptr_t)data, size};
    return env_file_write(file, &iov, 1, pos);
}

/* ---- appending (on the worker) */

static uint8_t *group_encode(const struct store_disk *d, const struct list *group, size_t *size)
{
    size_t total = 0;
    LIST_FOR_EACH (link, group) {
        const struct store_append *append = container_of(link, struct store_append, link);
        for (size_t i = 0; i < append->entry_count; i++)
            total += STORE_FRAME_HEADER_BYTES + append->entries[i].size;
    }
    uint8_t *bytes = mem_try(total);
    if (bytes == NULL)
        return NULL;
    size_t pos = 0;
    int64_t index = d->head;
    LIST_FOR_EACH (link, group) {
        const struct store_append *append = container_of(link, struct store_append, link);
        ASSERT(append->expected_head == index);
        for (size_t i = 0; i < append->entry_count; i++) {
            struct store_frame frame = {STORE_FRAME_ENTRY, append->entries[i].size, ++index,
                                        d->head, append->entries[i].data};
            store_frame_header(&frame, bytes + pos);
            memcpy(bytes + pos + STORE_FRAME_HEADER_BYTES, frame.data, frame.size);
            pos += store_frame_bytes(&frame);
        }
    }
    ASSERT(pos == total);
    *size = total;
    return bytes;
}

static enum err log_make(struct store_disk *d)
{
    if (d->log != NULL)
        return ERR_OK;
    ASSERT(d->size == 0);
    return env_file_open(d->env, d->log_path, ENV_READ | ENV_WRITE | ENV_CREATE, &d->log);
}

/* A write that found no room may have left something: it is cut off, and all is as before. */
static enum err write_refused(struct store_disk *d, enum err e)
{
    if (e == ERR_NO_SPACE && env_file_truncate(d->log, d->size) == ERR_OK)
        return e;
    d->failed = e;
    return e;
}

enum err store_disk_append(struct store_disk *d, const struct list *group)
{
    ASSERT(d->failed == ERR_OK && !list_is_empty(group));
    size_t size = 0;
    uint8_t *bytes = group_encode(d, group, &size);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    enum err e = log_make(d);
    if (e == ERR_OK) {
        e = write_bytes(d->log, bytes, size, d->size);
        if (e != ERR_OK)
            e = write_refused(d, e);
    }
    mem_free(bytes);
    if (e != ERR_OK)
        return e;
    e = env_file_sync(d->log);
    if (e == ERR_OK && !d->is_named)
        e = env_dir_sync(d->env, d->dir);
    if (e != ERR_OK) {
        d->failed = e;
        return e;
    }
    d->is_named = true;
    d->size += (int64_t)size;
    LIST_FOR_EACH (link, group)
        d->head += (int64_t)container_of(link, struct store_append, link)->entry_count;
    return ERR_OK;
}

/* ---- snapshots (on the worker) */

struct file_sink {
    struct store_sink sink;
    struct env_file *file;
    int64_t pos;
    int64_t chunks;
    int64_t position; /* what the snapshot stands for */
};

static enum err sink_write(struct file_sink *s, enum store_frame_kind kind, const uint8_t *data,
                           size_t size)
{
    if (size > LIMIT_METADATA_APPEND_BYTES ||
        s->pos > LIMIT_METADATA_FILE_BYTES - LIMIT_METADATA_APPEND_BYTES)
        return ERR_TOO_LARGE;
    uint8_t header[STORE_FRAME_HEADER_BYTES];
    int64_t index = kind == STORE_FRAME_SNAPSHOT_END ? s->chunks : s->chunks + 1;
    struct store_frame frame = {kind, (uint32_t)size, index, s->position, data};
    store_frame_header(&frame, header);
    struct iovec iov[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)data, size}};
    enum err e = env_file_write(s->file, iov, size > 0 ? 2 : 1, s->pos);
    if (e != ERR_OK)
        return e;
    s->pos += (int64_t)store_frame_bytes(&frame);
    s->chunks = index;
    return ERR_OK;
}

static enum err sink_put(struct store_sink *sink, const uint8_t *data, size_t size)
{
    struct file_sink *s = container_of(sink, struct file_sink, sink);
    return sink_write(s, STORE_FRAME_SNAPSHOT_CHUNK, data, size);
}

static enum err snapshot_write(struct store_disk *d, struct store_snapshot *snapshot)
{
    struct file_sink s = {.sink = {sink_put}, .position = snapshot->position};
    enum err e =
        env_file_open(d->env, d->snapshot_new_path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &s.file);
    if (e != ERR_OK)
        return e;
    e = snapshot->fill(snapshot, &s.sink);
    if (e == ERR_OK)
        e = sink_write(&s, STORE_FRAME_SNAPSHOT_END, NULL, 0);
    if (e == ERR_OK)
        e = env_file_sync(s.file);
    env_file_unref(s.file);
    if (e == ERR_OK)
        e = env_path_rename(d->env, d->snapshot_new_path, d->snapshot_path);
    if (e == ERR_OK)
        e = env_dir_sync(d->env, d->dir);
    if (e == ERR_OK)
        d->snapshot_position = s.position;
    return e;
}

/* Writes the log anew from the entry at `position` on (the last one that the snapshot stands for
 * stays, so that a log is never empty), and puts it into the old one's place. */
static enum err log_write_tail(struct store_disk *d, const struct file_bytes *old, size_t from,
                               struct env_file **out)
{
    struct env_file *file = NULL;
    enum err e = env_file_open(d->env, d->log_new_path,
                               ENV_READ | ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    if (e != ERR_OK)
        return e;
    e = write_bytes(file, old->data + from, old->size - from, 0);
    if (e == ERR_OK)
        e = env_file_sync(file);
    if (e == ERR_OK)
        e = env_path_rename(d->env, d->log_new_path, d->log_path);
    if (e != ERR_OK) {
        env_file_unref(file);
        return e;
    }
    *out = file;
    return ERR_OK;
}

static enum err log_trim(struct store_disk *d)
{
    struct file_bytes old = {NULL, 0};
    enum err e = read_whole(d->env, d->log_path, &old);
    if (e != ERR_OK)
        return e;
    struct store_frame frame = {0};
    size_t from = 0;
    while (store_frame_read(old.data + from, old.size - from, &frame) &&
           frame.index < d->snapshot_position)
        from += store_frame_bytes(&frame);
    struct env_file *file = NULL;
    if (frame.index != d->snapshot_position || old.size != (size_t)d->size)
        e = ERR_CORRUPT; /* what we wrote reads differently now */
    if (e == ERR_OK)
        e = log_write_tail(d, &old, from, &file);
    if (e == ERR_OK) {
        env_file_unref(d->log);
        d->log = file;
        d->size -= (int64_t)from;
        d->covered = (int64_t)store_frame_bytes(&frame);
        e = env_dir_sync(d->env, d->dir);
        if (e != ERR_OK)
            d->failed = e; /* which of the two logs a crash leaves is open */
    }
    file_bytes_free(&old);
    return e;
}

enum err store_disk_snapshot(struct store_disk *d, struct store_snapshot *snapshot)
{
    ASSERT(snapshot->position > 0 && snapshot->position <= d->head);
    ASSERT(snapshot->position >= d->snapshot_position);
    enum err e = snapshot_write(d, snapshot);
    return e == ERR_OK ? log_trim(d) : e;
}

enum err store_disk_read(struct store_disk *d, int64_t from, struct file_bytes *snapshot,
                         struct file_bytes *log)
{
    enum err e = ERR_OK;
    if (d->snapshot_position > from)
        e = read_whole(d->env, d->snapshot_path, snapshot);
    if (e == ERR_OK)
        e = read_whole(d->env, d->log_path, log);
    if (e == ERR_OK && log->size > (size_t)d->size)
        log->size = (size_t)d->size; /* what a failed append left behind */
    return e;
}

/* ---- opening */

static enum err open_snapshot(struct store_disk *d, struct strbuf *why)
{
    struct file_bytes bytes = {NULL, 0};
    enum err e = read_whole(d->env, d->snapshot_path, &bytes);
    if (e == ERR_OK && bytes.size > 0) {
        strbuf_printf(why, "%s: ", d->snapshot_path);
        e = store_snapshot_scan(bytes.data, bytes.size, why, &d->snapshot_position);
        if (e == ERR_OK)
            strbuf_clear(why);
    } else if (e != ERR_OK) {
        strbuf_printf(why, "%s: %s", d->snapshot_path, err_text(e));
    }
    file_bytes_free(&bytes);
    return e;
}

/* Cuts a torn tail, and makes sure that what is read from now on is on disk. */
static enum err open_settle(struct store_disk *d, const struct store_log_scan *scan, size_t size)
{
    enum err e = env_file_open(d->env, d->log_path, ENV_READ | ENV_WRITE, &d->log);
    if (e == ERR_OK && scan->end < size) {
        log_warn(d->env, "%s: cut %zu bytes of an unfinished write behind entry %lld", d->log_path,
                 size - scan->end, (long long)scan->head);
        e = env_file_truncate(d->log, (int64_t)scan->end);
    }
    if (e == ERR_OK)
        e = env_file_sync(d->log);
    if (e == ERR_OK)
        e = env_dir_sync(d->env, d->dir);
    return e;
}

static enum err open_log(struct store_disk *d, struct strbuf *why)
{
    struct file_bytes bytes = {NULL, 0};
    struct store_log_scan scan = {0};
    enum err e = read_whole(d->env, d->log_path, &bytes);
    if (e == ERR_OK) {
        strbuf_printf(why, "%s: ", d->log_path);
        e = store_log_scan(bytes.data, bytes.size, d->snapshot_position, why, &scan);
        if (e == ERR_OK)
            strbuf_clear(why);
    }
    if (e == ERR_OK && bytes.size > 0) {
        e = open_settle(d, &scan, bytes.size);
        d->is_named = e == ERR_OK;
    }
    if (e != ERR_OK && e != ERR_CORRUPT) {
        strbuf_clear(why);
        strbuf_printf(why, "%s: %s", d->log_path, err_text(e));
    }
    file_bytes_free(&bytes);
    ASSERT(e != ERR_OK || scan.head >= d->snapshot_position);
    d->head = scan.head;
    d->size = (int64_t)scan.end;
    d->covered = (int64_t)scan.covered;
    return e;
}

static char *make_path(const char *dir, const char *name)
{
    struct strbuf path;
    strbuf_init(&path);
    strbuf_printf(&path, "%s%s", dir, name);
    return path.text; /* goes with the disk */
}

/* What a crash left of a file that was being written beside. */
static enum err remove_unfinished(struct store_disk *d, const char *path, struct strbuf *why)
{
    enum err e = env_path_unlink(d->env, path);
    if (e == ERR_OK || e == ERR_NOT_FOUND)
        return ERR_OK;
    strbuf_printf(why, "%s: %s", path, err_text(e));
    return e;
}

enum err store_disk_open(struct env *env, const char *dir, struct strbuf *why,
                         struct store_disk *out)
{
    struct store_disk d = {.env = env};
    d.dir = make_path(dir, "");
    d.log_path = make_path(dir, "/klamm.metadata");
    d.log_new_path = make_path(dir, "/klamm.metadata.new");
    d.snapshot_path = make_path(dir, "/klamm.metadata.snapshot");
    d.snapshot_new_path = make_path(dir, "/klamm.metadata.snapshot.new");

    struct strbuf line;
    strbuf_init(&line);
    enum err e = remove_unfinished(&d, d.log_new_path, &line);
    if (e == ERR_OK)
        e = remove_unfinished(&d, d.snapshot_new_path, &line);
    if (e == ERR_OK)
        e = open_snapshot(&d, &line);
    if (e == ERR_OK)
        e = open_log(&d, &line);
    if (e == ERR_OK) {
        *out = d;
    } else {
        strbuf_puts(why, strbuf_text(&line));
        store_disk_close(&d);
    }
    strbuf_deinit(&line);
    return e;
}

void store_disk_close(struct store_disk *d)
{
    env_file_unref(d->log);
    mem_free(d->dir);
    mem_free(d->log_path);
    mem_free(d->log_new_path);
    mem_free(d->snapshot_path);
    mem_free(d->snapshot_new_path);
    *d = (struct store_disk){0};
}
