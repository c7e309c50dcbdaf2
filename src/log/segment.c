// SPDX-License-Identifier: Apache-2.0
/* segment: see segment.h. Searching is in segment_index.c, walking in segment_walk.c.
 * Thread: see segment.h. */
#include "log/segment.h"

#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "log/segment_behind.h"

_Static_assert(LOG_FILE_TIMEINDEX + 1 == SEGMENT_FILES, "a slot for each of a segment's files");

struct log_home *log_home_new(struct env *env, struct file_cache *files, const char *dir)
{
    size_t size = strlen(dir) + 1;
    struct log_home *home = mem_alloc(sizeof(*home) + size);
    home->env = env;
    home->files = files != NULL ? file_cache_ref(files) : NULL;
    atomic_init(&home->refs, 1);
    memcpy(home->dir, dir, size);
    return home;
}

struct log_home *log_home_ref(struct log_home *home)
{
    unsigned before = atomic_fetch_add_explicit(&home->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return home;
}

void log_home_unref(struct log_home *home)
{
    if (home == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&home->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    file_cache_unref(home->files);
    mem_free(home);
}

struct segment *segment_new(struct log_home *home, int64_t base_offset, int64_t now_ms)
{
    struct segment *seg = mem_alloc(sizeof(*seg));
    list_init(&seg->link);
    list_init(&seg->unsynced_link);
    seg->home = log_home_ref(home);
    seg->base_offset = base_offset;
    seg->created_ms = now_ms;
    segment_tail_init(&seg->tail, base_offset);
    atomic_init(&seg->refs, 1);
    atomic_init(&seg->cuts, 0);
    file_slots_init(&seg->files);
    atomic_init(&seg->stage, LOG_STAGE_LIVE);
    atomic_init(&seg->behind, NULL);
    return seg;
}

struct segment *segment_ref(struct segment *seg)
{
    unsigned before = atomic_fetch_add_explicit(&seg->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return seg;
}

void segment_unref(struct segment *seg)
{
    if (seg == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&seg->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    ASSERT(!list_is_linked(&seg->link));
    ASSERT(!list_is_linked(&seg->unsynced_link));
    segment_close_files(seg);
    segment_forget_rot(seg);
    segment_behind_free(seg);
    log_home_unref(seg->home);
    mem_free(seg);
}

static bool segment_path(const struct segment *seg, enum log_file_kind kind,
                         enum log_file_stage stage, char out[LOG_PATH_SIZE])
{
    struct log_file_name name = {.offset = seg->base_offset, .kind = kind, .stage = stage};
    char text[LOG_NAME_SIZE];
    return log_file_path(out, seg->home->dir, log_file_name_format(text, &name));
}

/* ---- open files */

void segment_set_stage(struct segment *seg, enum log_file_stage stage)
{
    atomic_store(&seg->stage, (int)stage);
}

static enum log_file_stage stage_of(const struct segment *seg)
{
    return (enum log_file_stage)atomic_load(&seg->stage);
}

static enum err open_stage(const struct segment *seg, enum log_file_kind kind,
                           enum log_file_stage stage, unsigned flags, struct env_file **out)
{
    char path[LOG_PATH_SIZE];
    if (!segment_path(seg, kind, stage, path))
        return ERR_TOO_LARGE;
    return env_file_open(seg->home->env, path, flags, out);
}

struct segment_opening {
    const struct segment *seg;
    enum log_file_kind kind;
    unsigned flags; /* beside reading and writing */
};

static enum err open_existing(const void *arg, struct env_file **out)
{
    const struct segment_opening *o = arg;
    enum log_file_stage stage = stage_of(o->seg);
    enum err e = open_stage(o->seg, o->kind, stage, ENV_READ | ENV_WRITE, out);
    if (e == ERR_NOT_FOUND && stage != LOG_STAGE_LIVE) /* renamed a moment ago */
        e = open_stage(o->seg, o->kind, LOG_STAGE_LIVE, ENV_READ | ENV_WRITE, out);
    if (e == ERR_NOT_FOUND)
        e = open_stage(o->seg, o->kind, LOG_STAGE_DELETED, ENV_READ, out);
    return e == ERR_NOT_FOUND ? ERR_STALE : e;
}

static enum err open_new(const void *arg, struct env_file **out)
{
    const struct segment_opening *o = arg;
    return open_stage(o->seg, o->kind, stage_of(o->seg), ENV_READ | ENV_WRITE | o->flags, out);
}

enum err segment_file(struct segment *seg, enum log_file_kind kind, enum env_read_mode mode,
                      struct env_file **out)
{
    enum err e = CANARY(SYNC_LEAVES_HELD) ? ERR_OK : segment_settle(seg, mode);
    return e == ERR_OK ? segment_file_as_is(seg, kind, mode, out) : e;
}

enum err segment_file_as_is(struct segment *seg, enum log_file_kind kind, enum env_read_mode mode,
                            struct env_file **out)
{
    ASSERT((int)kind < SEGMENT_FILES);
    if (mode == ENV_NOWAIT)
        return file_cache_peek(&seg->files, (int)kind, out);
    struct segment_opening o = {.seg = seg, .kind = kind};
    struct file_opening opening = {open_existing, &o};
    return file_cache_open(seg->home->files, &seg->files, (int)kind, &opening, out);
}

enum err segment_file_make(struct segment *seg, enum log_file_kind kind, bool empties,
                           struct env_file **out)
{
    struct segment_opening o = {
        .seg = seg, .kind = kind, .flags = ENV_CREATE | (empties ? ENV_TRUNCATE : 0u)};
    struct file_opening opening = {open_new, &o};
    struct env_file *file = NULL;
    enum err e = file_cache_open(seg->home->files, &seg->files, (int)kind, &opening, &file);
    if (e != ERR_OK)
        return e;
    *out = file;
    return ERR_OK;
}

enum err segment_create(struct segment *seg)
{
    for (int kind = LOG_FILE_LOG; kind < SEGMENT_FILES; kind++) {
        struct env_file *file = NULL;
        enum err e = segment_file_make(seg, (enum log_file_kind)kind, true, &file);
        if (e != ERR_OK)
            return e;
        env_file_unref(file);
    }
    return ERR_OK;
}

void segment_close_files(struct segment *seg)
{
    file_cache_close(seg->home->files, &seg->files);
}

/* ---- where readers go on */

int64_t segment_resume_find(const struct segment *seg, int64_t offset)
{
    uint32_t cuts = atomic_load_explicit(&seg->cuts, memory_order_relaxed);
    for (int i = 0; i < SEGMENT_RESUMES; i++) {
        const struct segment_resume *known = &seg->resumes[i];
        if (known->offset == offset && known->cuts == cuts && known->pos > 0)
            return known->pos;
    }
    return 0;
}

void segment_resume_add(struct segment *seg, const struct segment_resume *border)
{
    ASSERT(border->pos > 0 && border->offset > seg->base_offset);
    ASSERT(seg->resume_next < SEGMENT_RESUMES);
    seg->resumes[seg->resume_next] = *border;
    seg->resume_next = (uint8_t)((seg->resume_next + 1) % SEGMENT_RESUMES);
}

/* ---- names */

enum err segment_rename(const struct segment *seg, enum log_file_kind kind,
                        enum log_file_stage from, enum log_file_stage to)
{
    char old_path[LOG_PATH_SIZE];
    char new_path[LOG_PATH_SIZE];
    if (!segment_path(seg, kind, from, old_path) || !segment_path(seg, kind, to, new_path))
        return ERR_TOO_LARGE;
    enum err e = env_path_rename(seg->home->env, old_path, new_path);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err segment_rename_all(const struct segment *seg, enum log_file_stage from,
                            enum log_file_stage to)
{
    for (int kind = 0; kind < LOG_FILE_KIND_COUNT; kind++) {
        enum err e = segment_rename(seg, (enum log_file_kind)kind, from, to);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err segment_unlink_all(const struct segment *seg, enum log_file_stage stage)
{
    enum err first = ERR_OK;
    for (int kind = 0; kind < LOG_FILE_KIND_COUNT; kind++) {
        char path[LOG_PATH_SIZE];
        enum err e = ERR_TOO_LARGE;
        if (segment_path(seg, (enum log_file_kind)kind, stage, path))
            e = env_path_unlink(seg->home->env, path);
        if (e != ERR_OK && e != ERR_NOT_FOUND && first == ERR_OK)
            first = e;
    }
    return first;
}

int64_t segment_newest_ms(const struct segment_tail *tail, int64_t created_ms)
{
    return tail->max_timestamp >= 0 ? tail->max_timestamp : created_ms;
}
