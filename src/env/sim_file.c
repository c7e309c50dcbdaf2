// SPDX-License-Identifier: Apache-2.0
/*
 * sim_file: an env's files and directories on the simulated disk, with the time
 * that they take, errors, and deaths in the middle.
 *
 * Every blocking call goes the same way: it waits for its latency (others run), may
 * be the operation in which the machine dies, may fail, and then happens at once.
 *
 * Thread: one; blocking calls on fibers, or where no loop runs.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/sim_env.h"
#include "env/sim_fiber.h"

struct sim_file {
    struct env_file file;
    struct list link;
    struct sim_env *env;
    struct sim_inode *inode;
    bool can_write;
    int64_t cached_pos; /* this range was found to be cached ... */
    int64_t cached_end;
    int64_t cached_at_ns; /* ... then, and is at no other time */
    char *path;           /* under which it was opened */
};

/* From the first operation of what is aimed at to the one of the death. */
enum { AIM_IO_MAX = 12, AIM_IO_SOON = 3, LISTS_FAIL_MORE = 3 };

enum io_kind { IO_META, IO_READ, IO_WRITE, IO_SYNC };

static struct sim_file *file_of(struct env_file *file)
{
    return container_of(file, struct sim_file, file);
}

static int64_t latency(struct sim *sim, enum io_kind kind)
{
    const struct sim_tuning *t = &sim->tuning;
    int64_t ns = kind == IO_SYNC ? sim_draw(sim, t->sync_delay_min, t->sync_delay_max)
                                 : sim_draw(sim, t->disk_delay_min, t->disk_delay_max);
    if (sim_ppm(sim, t->disk_slow_ppm)) {
        sim_count(sim, SIM_FAULT_SLOW_DISK);
        ns += sim_draw(sim, 0, t->disk_slow_max);
    }
    return ns;
}

/* True when this is the operation in which the machine dies: the caller does as much of it as
 * it likes and calls die_here. */
static bool begin(struct sim_env *env, enum io_kind kind)
{
    if (env->sim->fiber != NULL)
        sim_env_sleep(env, latency(env->sim, kind));
    else
        ASSERT(env->running_loop == NULL); /* a blocking call on a loop */
    env->io_count++;
    return env->io_count == env->die_at_io;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* An operation of this kind begins, which somebody may have waited for to let the machine die. */
static void note_aim(struct sim_env *env, enum sim_aim aim)
{
    if (env->die_aim != aim)
        return;
    env->die_aim = SIM_AIM_NONE;
    int64_t most = sim_percent(env->sim, 50) ? AIM_IO_MAX : AIM_IO_SOON;
    env->die_at_io = env->io_count + sim_draw(env->sim, 1, most);
    env->met_aim = aim;
}

static enum sim_fault fault_of_aim(enum sim_aim aim)
{
    switch (aim) {
    case SIM_AIM_ROLL:
        return SIM_FAULT_DIE_ROLLING;
    case SIM_AIM_RETENTION:
        return SIM_FAULT_DIE_RETIRING;
    case SIM_AIM_COPY:
    case SIM_AIM_GO_OVER:
    case SIM_AIM_LEAVE:
    case SIM_AIM_MARKER:
        return SIM_FAULT_DIE_MOVING;
    case SIM_AIM_NONE:
        break;
    }
    ASSERT(!"no aim");
    return SIM_FAULT_COUNT;
}

/* Returns only outside of fibers; then the caller gives up. */
static void die_here(struct sim_env *env)
{
    sim_count(env->sim, SIM_FAULT_CRASH_IN_IO);
    if (env->met_aim != SIM_AIM_NONE)
        sim_count(env->sim, fault_of_aim(env->met_aim));
    sim_env_die(env, env->die_how);
    if (env->sim->fiber != NULL)
        sim_fiber_yield(env->sim); /* for ever */
}

static bool is_under(const char *path, const char *under)
{
    return under == NULL || strstr(path, under) != NULL;
}

static bool is_full_at(const struct sim *sim, const char *path)
{
    return sim->tuning.disk_is_full && is_under(path, sim->tuning.disk_full_under);
}

static bool fails(const struct sim_file *file)
{
    struct sim *sim = file->env->sim;
    if (file->env->is_dead)
        return true;
    if (!is_under(file->path, sim->tuning.disk_faults_under) ||
        !sim_ppm(sim, sim->tuning.disk_error_ppm))
        return false;
    sim_count(sim, SIM_FAULT_DISK_ERROR);
    return true;
}

/* The file is to become this large: is there no room? */
static bool is_full(const struct sim_file *file, int64_t size)
{
    struct sim *sim = file->env->sim;
    if (size <= file->inode->size || !is_full_at(sim, file->path))
        return false;
    sim_count(sim, SIM_FAULT_DISK_FULL);
    return true;
}

/* Dies before or after what `begin` announced. */
static bool dies_before(struct sim_env *env, bool is_last)
{
    if (!is_last || sim_percent(env->sim, 50))
        return false;
    die_here(env);
    return true;
}

/* ---- an open file */

static void file_close(struct env_file *f)
{
    struct sim_file *file = file_of(f);
    if (!file->env->is_dead && file->inode->owner == file)
        file->inode->owner = NULL;
    file->env->open_files--;
    list_remove(&file->link);
    mem_free(file->path);
    mem_free(file);
}

static enum err file_read(struct env_file *f, void *out, size_t len, int64_t pos,
                          enum env_read_mode mode, size_t *got)
{
    struct sim_file *file = file_of(f);
    struct sim_env *env = file->env;
    if (env->is_dead)
        return ERR_IO;
    if (mode == ENV_NOWAIT) {
        if (len > 0 && sim_percent(env->sim, env->sim->tuning.cold_percent)) {
            sim_count(env->sim, SIM_FAULT_COLD_READ);
            return ERR_AGAIN;
        }
    } else if (begin(env, IO_READ)) {
        die_here(env);
        return ERR_IO;
    } else if (env->is_dead || fails(file)) {
        return ERR_IO;
    }
    *got = sim_inode_read(file->inode, out, len, pos);
    sim_trace(env->sim, "read", file->inode->id, (uint64_t)pos, *got);
    return ERR_OK;
}

/* Writes the vector's first `limit` bytes. */
static enum err write_part(struct sim_file *file, const struct iovec *iov, int iov_count,
                           int64_t pos, size_t limit)
{
    for (int i = 0; i < iov_count && limit > 0; i++) {
        size_t len = MIN(iov[i].iov_len, limit);
        enum err e = sim_inode_write(file->env->disk, file->inode, iov[i].iov_base, len, pos);
        if (e != ERR_OK)
            return e;
        pos += (int64_t)len;
        limit -= len;
    }
    return ERR_OK;
}

static enum err file_write(struct env_file *f, struct iovec *iov, int iov_count, int64_t pos)
{
    struct sim_file *file = file_of(f);
    struct sim_env *env = file->env;
    ASSERT(file->can_write);
    size_t total = 0;
    for (int i = 0; i < iov_count; i++)
        total += iov[i].iov_len;
    bool is_last = begin(env, IO_WRITE);
    if (env->is_dead)
        return ERR_IO;
    bool has_failed = is_last || fails(file);
    bool has_no_room = !has_failed && is_full(file, pos + (int64_t)total);
    if (has_failed || has_no_room) {
        (void)!write_part(file, iov, iov_count, pos, (size_t)sim_draw(env->sim, 0, (int64_t)total));
        if (is_last)
            die_here(env);
        return has_no_room ? ERR_NO_SPACE : ERR_IO;
    }
    sim_trace(env->sim, "write", file->inode->id, (uint64_t)pos, total);
    return write_part(file, iov, iov_count, pos, total);
}

static enum err file_sync(struct env_file *f)
{
    struct sim_file *file = file_of(f);
    struct sim_env *env = file->env;
    if (env->is_dead)
        return ERR_IO;
    struct sim_sync sync;
    sim_sync_begin(file->inode, &sync);
    bool is_last = begin(env, IO_SYNC);
    bool happens = is_last ? sim_percent(env->sim, 50) : !fails(file);
    if (happens && !env->is_dead) {
        sim_trace(env->sim, "sync", file->inode->id, sync.count, (uint64_t)sync.size);
        sim_sync_end(file->inode, &sync);
    }
    sim_sync_drop(&sync);
    if (is_last)
        die_here(env);
    return happens && !env->is_dead ? ERR_OK : ERR_IO;
}

static enum err file_resize(struct sim_file *file, int64_t size)
{
    struct sim_env *env = file->env;
    bool is_last = begin(env, IO_META);
    if (env->is_dead || dies_before(env, is_last))
        return ERR_IO;
    if (!is_last && is_full(file, size))
        return ERR_NO_SPACE;
    enum err e = sim_inode_resize(env->disk, file->inode, size);
    sim_trace(env->sim, "resize", file->inode->id, (uint64_t)size, 0);
    if (is_last)
        die_here(env);
    return is_last ? ERR_IO : e;
}

static enum err file_truncate(struct env_file *f, int64_t size)
{
    ASSERT(file_of(f)->can_write);
    return file_resize(file_of(f), size);
}

static enum err file_allocate(struct env_file *f, int64_t pos, int64_t len)
{
    struct sim_file *file = file_of(f);
    ASSERT(file->can_write);
    return file_resize(file, MAX(file->inode->size, pos + len));
}

static enum err file_size(struct env_file *f, int64_t *out)
{
    struct sim_file *file = file_of(f);
    if (file->env->is_dead)
        return ERR_IO;
    *out = file->inode->size;
    return ERR_OK;
}

static enum err file_lock(struct env_file *f)
{
    struct sim_file *file = file_of(f);
    if (file->env->is_dead)
        return ERR_IO;
    if (file->inode->owner != NULL && file->inode->owner != file)
        return ERR_BUSY;
    file->inode->owner = file;
    return ERR_OK;
}

static bool file_is_cached(struct env_file *f, int64_t pos, int64_t len)
{
    struct sim_file *file = file_of(f);
    struct sim *sim = file->env->sim;
    if (sim_percent(sim, sim->tuning.cold_percent)) {
        sim_count(sim, SIM_FAULT_COLD_READ);
        return false;
    }
    file->cached_pos = pos;
    file->cached_end = pos + len;
    file->cached_at_ns = sim->now_ns;
    return true;
}

static const struct env_file_ops file_ops = {
    .close = file_close,
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
    .truncate = file_truncate,
    .size = file_size,
    .allocate = file_allocate,
    .lock = file_lock,
    .is_cached = file_is_cached,
};

bool sim_file_peek(struct env_file *f, int64_t pos, uint8_t *out, size_t len)
{
    struct sim_file *file = file_of(f);
    ASSERT(file->cached_at_ns == file->env->sim->now_ns);
    ASSERT(pos >= file->cached_pos && pos + (int64_t)len <= file->cached_end);
    return !file->env->is_dead && sim_inode_read(file->inode, out, len, pos) == len;
}

void sim_files_free(struct sim_env *env)
{
    for (struct list *node; (node = list_pop_front(&env->files)) != NULL;) {
        struct sim_file *file = container_of(node, struct sim_file, link);
        mem_free(file->path);
        mem_free(file);
    }
}

/* ---- names */

enum err sim_file_open(struct env *e_, const char *path, unsigned flags, struct env_file **out)
{
    struct sim_env *env = sim_env_of(e_);
    if (env->disk == NULL)
        return ERR_NOT_FOUND;
    if ((flags & ENV_CREATE) != 0 && ends_with(path, ".log"))
        note_aim(env, SIM_AIM_ROLL);
    if ((flags & ENV_CREATE) != 0 && strstr(path, "-future/") != NULL)
        note_aim(env, SIM_AIM_COPY);
    bool is_last = begin(env, IO_META);
    if (env->is_dead || dies_before(env, is_last))
        return ERR_IO;
    struct sim_inode *inode;
    if ((flags & ENV_CREATE) != 0 && !is_last && is_full_at(env->sim, path) &&
        sim_disk_find(env->disk, path) == NULL && sim_percent(env->sim, 50)) {
        sim_count(env->sim, SIM_FAULT_DISK_FULL);
        return ERR_NO_SPACE; /* often a directory has room for a name */
    }
    enum err e = sim_disk_open(env->disk, path, (flags & ENV_CREATE) != 0,
                               (flags & ENV_EXCLUSIVE) != 0, &inode);
    if (e == ERR_OK && (flags & ENV_TRUNCATE) != 0)
        e = sim_inode_resize(env->disk, inode, 0);
    if (is_last)
        die_here(env);
    if (e != ERR_OK || is_last)
        return is_last ? ERR_IO : e;
    sim_trace(env->sim, "open", env->id, inode->id, flags);
    struct sim_file *file = mem_alloc(sizeof(*file));
    *file = (struct sim_file){.file = {.ops = &file_ops, .refs = 1},
                              .env = env,
                              .inode = inode,
                              .can_write = (flags & ENV_WRITE) != 0,
                              .path = mem_strdup(path)};
    list_push_back(&env->files, &file->link);
    env->open_files++;
    *out = &file->file;
    return ERR_OK;
}

struct name_call {
    const char *what;
    const char *path;
    const char *to;
    bool is_full;
    enum err (*run)(struct sim_disk *disk, const struct name_call *call);
};

static bool is_going_over(const struct name_call *call)
{
    return call->to != NULL && ends_with(call->path, "-future");
}

static void note_aims_at_name(struct sim_env *env, const struct name_call *call)
{
    const char *after = call->to != NULL ? call->to : call->path;
    if (ends_with(after, ".deleted"))
        note_aim(env, SIM_AIM_RETENTION);
    if (is_going_over(call))
        note_aim(env, SIM_AIM_GO_OVER);
    else if (ends_with(after, "-future"))
        note_aim(env, SIM_AIM_COPY);
    else if (call->to != NULL && ends_with(after, "-delete"))
        note_aim(env, SIM_AIM_LEAVE);
    else if (ends_with(after, "/klamm.moved"))
        note_aim(env, SIM_AIM_MARKER);
}

static bool fails_at_name(struct sim_env *env, const struct name_call *call, int32_t ppm)
{
    struct sim *sim = env->sim;
    const char *under = sim->tuning.disk_faults_under;
    bool is_there = is_under(call->path, under) || (call->to != NULL && is_under(call->to, under));
    if (!is_there || !sim_ppm(sim, ppm))
        return false;
    sim_count(sim, SIM_FAULT_DISK_ERROR);
    return true;
}

static enum err call_disk(struct env *e_, const struct name_call *call)
{
    struct sim_env *env = sim_env_of(e_);
    if (env->disk == NULL)
        return ERR_NOT_FOUND;
    note_aims_at_name(env, call);
    bool is_last = begin(env, IO_META);
    if (env->is_dead || dies_before(env, is_last))
        return ERR_IO;
    bool fails = fails_at_name(env, call, env->sim->tuning.name_error_ppm);
    if (fails && sim_percent(env->sim, 50))
        return ERR_IO;
    enum err e = call->run(env->disk, call);
    if (e == ERR_NO_SPACE)
        sim_count(env->sim, SIM_FAULT_DISK_FULL);
    sim_trace_line(env->sim, call->what, (uint64_t)e, call->path);
    if (e == ERR_OK && is_going_over(call))
        sim_count(env->sim, SIM_FAULT_MOVE);
    if (fails)
        return ERR_IO;
    if (is_last)
        die_here(env);
    return is_last ? ERR_IO : e;
}

static enum err run_make(struct sim_disk *disk, const struct name_call *call)
{
    if (call->is_full && sim_disk_find(disk, call->path) == NULL)
        return ERR_NO_SPACE;
    return sim_disk_make_dir(disk, call->path);
}

static enum err run_sync(struct sim_disk *disk, const struct name_call *call)
{
    return sim_disk_sync_dir(disk, call->path);
}

static enum err run_remove(struct sim_disk *disk, const struct name_call *call)
{
    return sim_disk_remove_dir(disk, call->path);
}

static enum err run_unlink(struct sim_disk *disk, const struct name_call *call)
{
    return sim_disk_unlink(disk, call->path);
}

static enum err run_rename(struct sim_disk *disk, const struct name_call *call)
{
    return sim_disk_rename(disk, call->path, call->to);
}

enum err sim_dir_make(struct env *env, const char *path)
{
    bool is_full = is_full_at(sim_env_of(env)->sim, path);
    return call_disk(env, &(struct name_call){"make dir", path, NULL, is_full, run_make});
}

enum err sim_dir_sync(struct env *env, const char *path)
{
    return call_disk(env, &(struct name_call){"sync dir", path, NULL, false, run_sync});
}

enum err sim_dir_remove(struct env *env, const char *path)
{
    return call_disk(env, &(struct name_call){"remove dir", path, NULL, false, run_remove});
}

enum err sim_path_unlink(struct env *env, const char *path)
{
    return call_disk(env, &(struct name_call){"unlink", path, NULL, false, run_unlink});
}

enum err sim_path_rename(struct env *env, const char *from, const char *to)
{
    return call_disk(env, &(struct name_call){"rename", from, to, false, run_rename});
}

enum err sim_dir_list(struct env *e_, const char *path,
                      void (*each)(void *arg, const char *name, bool is_dir), void *arg)
{
    struct sim_env *env = sim_env_of(e_);
    if (env->disk == NULL)
        return ERR_NOT_FOUND;
    bool is_last = begin(env, IO_META);
    if (is_last)
        die_here(env);
    if (env->is_dead)
        return ERR_IO;
    struct name_call call = {.what = "list", .path = path};
    if (fails_at_name(env, &call, LISTS_FAIL_MORE * env->sim->tuning.name_error_ppm))
        return ERR_IO;
    return sim_disk_list(env->disk, path, each, arg);
}

enum err sim_disk_space(struct env *e_, const char *path, int64_t *free_bytes, int64_t *total_bytes)
{
    struct sim_disk *disk = sim_env_of(e_)->disk;
    if (disk == NULL || sim_disk_find(disk, path) == NULL)
        return ERR_NOT_FOUND;
    *total_bytes = MIN(disk->space_bytes, INT64_C(1) << 40);
    *free_bytes = *total_bytes - MIN(disk->used_bytes, *total_bytes);
    if (is_full_at(sim_env_of(e_)->sim, path))
        *free_bytes = 0;
    return ERR_OK;
}
