// SPDX-License-Identifier: Apache-2.0
/*
 * store_file: the metadata log of a single node, in plain files of a log directory.
 *
 * Everything that blocks is done by one job, one thing at a time: reading, writing a
 * snapshot (and trimming the log behind it), or appending all that waits with one write and
 * one fdatasync. Between the job's end and the next start the loop owns everything; while
 * the job runs it owns what stands under "the job's".
 *
 * Thread: the loop's; the job on a disk worker.
 * Crash:  see store_disk.h; an append is answered after it is on disk.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/store_disk.h"
#include "store/store_frame.h"

enum file_work { WORK_NONE, WORK_READ, WORK_SNAPSHOT, WORK_APPEND };

struct store_file {
    struct store store;
    struct env *env;
    struct loop *loop;
    struct list appends; /* waiting, struct store_append */
    struct list reads;
    struct list snapshots;
    struct list watches;
    enum file_work work; /* what the job does now */
    int64_t log_bytes;   /* as the job left it */
    struct env_job job;
    struct loop_task finished;

    /* The job's. */
    struct store_disk disk;
    struct list group; /* the appends under way */
    struct store_read *read;
    struct store_snapshot *snapshot;
    struct file_bytes read_log;
    struct file_bytes read_snapshot;
    enum err result;
};

static struct store_file *file_of(struct store *store)
{
    return container_of(store, struct store_file, store);
}

/* ---- the job */

static bool work_run(struct env_job *job)
{
    struct store_file *f = container_of(job, struct store_file, job);
    switch (f->work) {
    case WORK_READ:
        f->result = store_disk_read(&f->disk, f->read->from, &f->read_snapshot, &f->read_log);
        break;
    case WORK_SNAPSHOT:
        f->result = store_disk_snapshot(&f->disk, f->snapshot);
        break;
    case WORK_APPEND:
        f->result = store_disk_append(&f->disk, &f->group);
        break;
    case WORK_NONE:
        ASSERT(false);
    }
    loop_post(f->loop, &f->finished);
    return false;
}

static void append_finish(struct store_append *append, enum store_result result, enum err e)
{
    append->result = result;
    append->error = e;
    append->done(append);
}

/* Moves what fits together into the group; says no to what does not fit the head. */
static void group_gather(struct store_file *f)
{
    struct list refused;
    list_init(&refused);
    int64_t head = f->disk.head;
    size_t bytes = 0;
    LIST_FOR_EACH_SAFE (link, &f->appends) {
        struct store_append *append = container_of(link, struct store_append, link);
        size_t own = 0;
        for (size_t i = 0; i < append->entry_count; i++)
            own += append->entries[i].size;
        append->result = own > LIMIT_METADATA_APPEND_BYTES ? STORE_REFUSED : STORE_CONFLICT;
        append->error = own > LIMIT_METADATA_APPEND_BYTES ? ERR_TOO_LARGE : ERR_OK;
        if (f->disk.failed != ERR_OK) {
            append->result = STORE_FAILED;
            append->error = f->disk.failed;
        }
        bool is_good =
            f->disk.failed == ERR_OK && append->error == ERR_OK && append->expected_head == head;
        if (is_good && own > LIMIT_METADATA_APPEND_BYTES - bytes)
            break; /* the next time */
        list_remove(link);
        list_push_back(is_good ? &f->group : &refused, link);
        if (is_good) {
            head += (int64_t)append->entry_count;
            bytes += own;
        }
    }
    struct list *link;
    while ((link = list_pop_front(&refused)) != NULL) {
        struct store_append *append = container_of(link, struct store_append, link);
        append->done(append);
    }
}

/* What the job is to do next; false: nothing. */
static bool work_choose(struct store_file *f)
{
    struct list *link;
    if ((link = list_pop_front(&f->reads)) != NULL) {
        f->work = WORK_READ;
        f->read = container_of(link, struct store_read, link);
        return true;
    }
    if ((link = list_pop_front(&f->snapshots)) != NULL) {
        f->work = WORK_SNAPSHOT;
        f->snapshot = container_of(link, struct store_snapshot, link);
        ASSERT(f->snapshot->position <= f->disk.head);
        return true;
    }
    while (!list_is_empty(&f->appends)) {
        f->work = WORK_APPEND; /* keeps calls from within done() out */
        group_gather(f);
        if (!list_is_empty(&f->group))
            return true;
        f->work = WORK_NONE;
    }
    return false;
}

static void work_start(struct store_file *f)
{
    if (f->work == WORK_NONE && work_choose(f))
        env_submit(f->env, &f->job);
}

/* ---- what the job has done goes to those who asked (on the loop) */

static void read_hand_over(struct store_file *f, struct store_read *read)
{
    struct store_frame frame;
    size_t pos = 0;
    if (f->read_snapshot.data != NULL) {
        while (store_frame_read(f->read_snapshot.data + pos, f->read_snapshot.size - pos, &frame) &&
               frame.kind == STORE_FRAME_SNAPSHOT_CHUNK) {
            struct store_entry chunk = {frame.data, frame.size};
            if (read->snapshot_chunk != NULL)
                read->snapshot_chunk(read, frame.synced, chunk);
            pos += store_frame_bytes(&frame);
        }
        if (read->snapshot_end != NULL)
            read->snapshot_end(read, f->disk.snapshot_position);
    }
    int64_t last = f->read_snapshot.data != NULL ? f->disk.snapshot_position : read->from;
    for (pos = 0; pos < f->read_log.size &&
                  store_frame_read(f->read_log.data + pos, f->read_log.size - pos, &frame);
         pos += store_frame_bytes(&frame)) {
        if (frame.index <= last)
            continue;
        if (frame.index != last + 1)
            break;
        read->entry(read, frame.index, (struct store_entry){frame.data, frame.size});
        last = frame.index;
    }
    read->head = f->disk.head;
    if (last < f->disk.head)
        read->error = ERR_CORRUPT; /* it was good at open */
}

static void finish_read(struct store_file *f)
{
    struct store_read *read = f->read;
    ASSERT(read != NULL && f->work == WORK_READ);
    f->read = NULL;
    read->error = f->result;
    if (f->result == ERR_OK)
        read_hand_over(f, read);
    file_bytes_free(&f->read_log);
    file_bytes_free(&f->read_snapshot);
    f->work = WORK_NONE;
    read->done(read);
}

static void finish_appends(struct store_file *f)
{
    ASSERT(f->work == WORK_APPEND && !list_is_empty(&f->group));
    struct list group;
    list_init(&group);
    list_splice_back(&group, &f->group);
    enum store_result result = STORE_COMMITTED;
    if (f->result != ERR_OK)
        result = f->disk.failed != ERR_OK ? STORE_FAILED : STORE_REFUSED;
    enum err e = f->result;
    int64_t head = f->disk.head;
    f->work = WORK_NONE;
    struct list *link;
    while ((link = list_pop_front(&group)) != NULL)
        append_finish(container_of(link, struct store_append, link), result, e);
    if (result != STORE_COMMITTED)
        return;
    LIST_FOR_EACH_SAFE (node, &f->watches) {
        struct store_watch *watch = container_of(node, struct store_watch, link);
        watch->moved(watch, head);
    }
}

static void finish_snapshot(struct store_file *f)
{
    struct store_snapshot *snapshot = f->snapshot;
    ASSERT(snapshot != NULL && f->work == WORK_SNAPSHOT);
    f->snapshot = NULL;
    snapshot->error = f->result;
    f->work = WORK_NONE;
    snapshot->done(snapshot);
}

static void work_finished(struct loop_task *task)
{
    struct store_file *f = container_of(task, struct store_file, finished);
    f->log_bytes = f->disk.size - f->disk.covered;
    switch (f->work) {
    case WORK_READ:
        finish_read(f);
        break;
    case WORK_SNAPSHOT:
        finish_snapshot(f);
        break;
    case WORK_APPEND:
        finish_appends(f);
        break;
    case WORK_NONE:
        break;
    }
    work_start(f);
}

/* ---- as a store */

static void file_append(struct store *store, struct store_append *append)
{
    struct store_file *f = file_of(store);
    list_push_back(&f->appends, &append->link);
    work_start(f);
}

static void file_read(struct store *store, struct store_read *read)
{
    struct store_file *f = file_of(store);
    list_push_back(&f->reads, &read->link);
    work_start(f);
}

static void file_write_snapshot(struct store *store, struct store_snapshot *snapshot)
{
    struct store_file *f = file_of(store);
    list_push_back(&f->snapshots, &snapshot->link);
    work_start(f);
}

static void file_watch_add(struct store *store, struct store_watch *watch)
{
    list_push_back(&file_of(store)->watches, &watch->link);
}

static void lease_told(struct loop_task *task)
{
    struct store_lease *lease = container_of(task, struct store_lease, task);
    lease->changed(lease, true);
}

/* Whoever has the directory's lock has both leases for as long as he lives. */
static void file_lease_hold(struct store *store, struct store_lease *lease)
{
    lease->task.run = lease_told;
    loop_post(file_of(store)->loop, &lease->task);
}

static int64_t file_log_bytes(const struct store *store)
{
    const struct store_file *f = file_of((struct store *)(uintptr_t)store);
    return f->log_bytes;
}

static void file_close(struct store *store)
{
    struct store_file *f = file_of(store);
    ASSERT(f->work == WORK_NONE);
    ASSERT(list_is_empty(&f->appends) && list_is_empty(&f->reads));
    ASSERT(list_is_empty(&f->snapshots));
    store_disk_close(&f->disk);
    mem_free(f);
}

static const struct store_ops file_ops = {
    .append = file_append,
    .read = file_read,
    .write_snapshot = file_write_snapshot,
    .watch_add = file_watch_add,
    .lease_hold = file_lease_hold,
    .log_bytes = file_log_bytes,
    .close = file_close,
};

/* ---- opening */

enum err store_file_open(struct env *env, struct loop *loop, const char *dir, struct strbuf *why,
                         struct store **out)
{
    struct store_disk disk;
    enum err e = store_disk_open(env, dir, why, &disk);
    if (e != ERR_OK)
        return e;
    struct store_file *f = mem_alloc(sizeof(*f));
    f->store.ops = &file_ops;
    f->store.entry_bytes_max = LIMIT_METADATA_APPEND_BYTES;
    f->env = env;
    f->loop = loop;
    f->disk = disk;
    f->log_bytes = disk.size - disk.covered;
    f->job = (struct env_job){.run = work_run, .queue = ENV_QUEUE_WRITE};
    f->finished.run = work_finished;
    list_init(&f->appends);
    list_init(&f->reads);
    list_init(&f->snapshots);
    list_init(&f->watches);
    list_init(&f->group);
    *out = &f->store;
    return ERR_OK;
}
