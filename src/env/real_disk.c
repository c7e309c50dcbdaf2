// SPDX-License-Identifier: Apache-2.0
/*
 * real_disk: the worker threads that do what may block.
 *
 * Appends and reads share one line, first come first served. Background jobs have
 * a line of their own and may hold all workers but one, so an append never waits
 * for a deletion. A background job with further steps goes to the end of its line
 * after each, so that many of them advance side by side.
 *
 * Thread: any submits; the workers run the jobs.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/monitor.h"
#include "env/real_private.h"

/* The job that this worker may run now, or NULL. */
static struct env_job *take_job(struct real_disk *disk)
{
    struct list *link = list_pop_front(&disk->waiting);
    if (link == NULL &&
        (disk->background_count + 1 < disk->worker_count || disk->worker_count == 1)) {
        link = list_pop_front(&disk->background);
        if (link != NULL)
            disk->background_count++;
    }
    return link != NULL ? container_of(link, struct env_job, link) : NULL;
}

static bool is_drained(const struct real_disk *disk)
{
    return disk->is_stopping && list_is_empty(&disk->waiting) && list_is_empty(&disk->background);
}

/* With the mutex held; without it while the job runs. */
static void run_job(struct real_disk *disk, struct env_job *job)
{
    bool is_background = job->queue == ENV_QUEUE_BACKGROUND;
    pthread_mutex_unlock(&disk->mutex);
    bool has_more;
    do {
        has_more = job->run(job);
        monitor_assert_none();
    } while (has_more && !is_background);
    pthread_mutex_lock(&disk->mutex);
    if (!is_background)
        return;
    ASSERT(disk->background_count > 0);
    disk->background_count--;
    if (has_more)
        list_push_back(&disk->background, &job->link);
    if (!list_is_empty(&disk->background) && disk->idle_count > 0)
        pthread_cond_signal(&disk->is_work); /* one who was held back by the bound may go on */
}

static void *work(void *arg)
{
    struct real_disk *disk = arg;
    pthread_mutex_lock(&disk->mutex);
    while (!is_drained(disk)) {
        struct env_job *job = take_job(disk);
        if (job != NULL) {
            run_job(disk, job);
            continue;
        }
        disk->idle_count++;
        pthread_cond_wait(&disk->is_work, &disk->mutex);
        disk->idle_count--;
    }
    pthread_cond_broadcast(&disk->is_work); /* the others may be done as well */
    pthread_mutex_unlock(&disk->mutex);
    return NULL;
}

void real_disk_submit(struct real_disk *disk, struct env_job *job)
{
    pthread_mutex_lock(&disk->mutex);
    list_push_back(job->queue == ENV_QUEUE_BACKGROUND ? &disk->background : &disk->waiting,
                   &job->link);
    bool is_anybody_idle = disk->idle_count > 0;
    pthread_mutex_unlock(&disk->mutex);
    if (is_anybody_idle)
        pthread_cond_signal(&disk->is_work);
}

enum err real_disk_start(struct real_disk *disk, unsigned worker_count)
{
    ASSERT(worker_count > 0);
    *disk = (struct real_disk){0};
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_cond_init(&disk->is_work, NULL);
    list_init(&disk->waiting);
    list_init(&disk->background);
    disk->workers = mem_alloc(worker_count * sizeof(disk->workers[0]));
    for (unsigned i = 0; i < worker_count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "klamm-disk-%u", i % 1000);
        enum err e = real_thread_start(&disk->workers[i], name, work, disk);
        if (e != ERR_OK) {
            real_disk_stop(disk);
            return e;
        }
        pthread_mutex_lock(&disk->mutex);
        disk->worker_count++;
        pthread_mutex_unlock(&disk->mutex);
    }
    return ERR_OK;
}

void real_disk_stop(struct real_disk *disk)
{
    pthread_mutex_lock(&disk->mutex);
    disk->is_stopping = true;
    pthread_cond_broadcast(&disk->is_work);
    pthread_mutex_unlock(&disk->mutex);
    for (unsigned i = 0; i < disk->worker_count; i++)
        pthread_join(disk->workers[i], NULL);
    ASSERT(list_is_empty(&disk->waiting) && list_is_empty(&disk->background));
    mem_free(disk->workers);
    pthread_cond_destroy(&disk->is_work);
    pthread_mutex_destroy(&disk->mutex);
}
