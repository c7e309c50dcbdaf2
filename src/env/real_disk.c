// SPDX-License-Identifier: Apache-2.0
/*
 * real_disk: the worker threads that do what may block.
 *
 * Appends and reads share one line, first come first served. Background jobs have
 * a line of their own and may hold all workers but one, so an append never waits
 * for a deletion. A background job with further steps goes to the end of its line
 * after each, so that many of them advance side by side.
 *
 * Reads of old data have the third line, and the same rule for further steps. Whoever syncs waits
 * behind every read that the disk has taken on before, so while files are synced only one of these
 * reads goes on at a time; else all workers but one may be at them. They take turns with the first
 * line, so that neither waits for ever.
 *
 * Waking a thread costs more than a small write. So the first step of a job, which seldom
 * blocks, counts as brisk: while a worker is at one, others are not woken for what comes in; he
 * takes it next. A further step (the sync) does block: before it another worker is woken for what
 * waits. If a first step blocks after all (writeback), a worker who looks every millisecond
 * while there is a backlog takes over. docs/decisions/003-waking-workers.md has the figures.
 *
 * Thread: any submits; the workers run the jobs.
 */
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/monitor.h"
#include "env/real_private.h"

enum {
    BACKLOG_MANY = 16, /* so many waiting jobs are worth another worker at once */
    WATCH_PERIOD_NS = 1000000,
    COLD_TURN = 4,          /* after so many other jobs it is a cold read's turn */
    WATCH_QUIET_LOOKS = 20, /* after so many without a backlog the watch ends */
};

/* With the mutex held. */
static void wake_one(struct real_disk *disk)
{
    if (disk->idle_count <= disk->woken_count)
        return;
    disk->woken_count++;
    pthread_cond_signal(&disk->is_work);
}

/* With the mutex held, whenever a job waits or somebody may block from here on. What holds
 * afterwards: no job waits, or a worker is on his way, or one watches, or all are busy. */
static void wake_for_waiting(struct real_disk *disk)
{
    if (disk->waiting_count == 0)
        return;
    if (disk->brisk_count + disk->woken_count == 0 || disk->waiting_count >= BACKLOG_MANY)
        wake_one(disk);
    else if (disk->woken_count == 0 && !disk->is_watched)
        wake_one(disk); /* he finds something to do, or begins to watch */
}

/* All workers but one may be at what nobody waits for, or may wait a little. */
static bool may_take_slow(const struct real_disk *disk)
{
    return disk->background_count + disk->cold_count + 1 < disk->worker_count ||
           disk->worker_count == 1;
}

static bool may_take_cold(const struct real_disk *disk)
{
    if (list_is_empty(&disk->cold) || !may_take_slow(disk))
        return false;
    return disk->cold_count == 0 || !real_was_within(disk->synced_ns, REAL_SYNCED_RECENTLY_NS);
}

/* One worker less is for the background while cold reads want one: its steps may be long. */
static bool may_take_background(const struct real_disk *disk)
{
    bool is_cold_wanted = disk->cold_count > 0 || !list_is_empty(&disk->cold);
    unsigned kept = is_cold_wanted && disk->worker_count > 2 ? 2 : 1;
    return !list_is_empty(&disk->background) && may_take_slow(disk) &&
           (disk->background_count + kept < disk->worker_count || disk->worker_count == 1);
}

static struct env_job *pop(struct list *line)
{
    return container_of(list_pop_front(line), struct env_job, link);
}

static struct env_job *take_cold(struct real_disk *disk)
{
    disk->cold_count++;
    disk->cold_passed = 0;
    return pop(&disk->cold);
}

/* The job that this worker may run now, or NULL. */
static struct env_job *take_job(struct real_disk *disk)
{
    bool is_cold_free = may_take_cold(disk);
    if (is_cold_free && disk->cold_passed >= COLD_TURN)
        return take_cold(disk);
    if (!list_is_empty(&disk->waiting)) {
        disk->cold_passed += is_cold_free;
        disk->waiting_count--;
        disk->taken_count++;
        return pop(&disk->waiting);
    }
    if (is_cold_free)
        return take_cold(disk);
    if (!may_take_background(disk))
        return NULL;
    disk->background_count++;
    return pop(&disk->background);
}

static bool is_drained(const struct real_disk *disk)
{
    return disk->is_stopping && list_is_empty(&disk->waiting) && list_is_empty(&disk->cold) &&
           list_is_empty(&disk->background);
}

/* With the mutex held; without it while the job runs. A step of the background or of a cold read,
 * of which `count` are at work. */
static void run_slow_job(struct real_disk *disk, struct env_job *job, struct list *line,
                         unsigned *count)
{
    pthread_mutex_unlock(&disk->mutex);
    bool has_more = job->run(job);
    monitor_assert_none();
    pthread_mutex_lock(&disk->mutex);
    ASSERT(*count > 0);
    (*count)--;
    if (has_more)
        list_push_back(line, &job->link);
    if (may_take_cold(disk) || may_take_background(disk))
        wake_one(disk); /* one who was held back by the bounds may go on */
}

/* The same for an append or a read. */
static void run_job(struct real_disk *disk, struct env_job *job)
{
    bool is_brisk = !job->will_block; /* it may have begun on a loop */
    disk->brisk_count += is_brisk;
    wake_for_waiting(disk); /* this may have been the one who watched */
    pthread_mutex_unlock(&disk->mutex);
    bool has_more = job->run(job);
    monitor_assert_none();
    pthread_mutex_lock(&disk->mutex);
    disk->brisk_count -= is_brisk;
    if (!has_more)
        return;
    wake_for_waiting(disk);
    pthread_mutex_unlock(&disk->mutex);
    while (job->run(job))
        monitor_assert_none();
    monitor_assert_none();
    pthread_mutex_lock(&disk->mutex);
}

/* With the mutex held. False: the period is over and nobody was woken. A wake that comes just when
 * the period ends finds nobody waiting: it counts all the same. */
static bool wait_a_period(struct real_disk *disk)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += WATCH_PERIOD_NS;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    bool is_woken = pthread_cond_timedwait(&disk->is_work, &disk->mutex, &at) == 0;
    is_woken |= disk->woken_count > 0;
    disk->woken_count -= disk->woken_count > 0;
    return is_woken;
}

/* With the mutex held: until work is there, or a job waits that nobody takes. */
static void watch(struct real_disk *disk)
{
    disk->is_watched = true;
    for (int quiet = 0; quiet < WATCH_QUIET_LOOKS && !disk->is_stopping; quiet++) {
        uint64_t taken_before = disk->taken_count;
        if (wait_a_period(disk))
            break;
        if (disk->waiting_count == 0)
            continue;
        if (disk->taken_count == taken_before)
            break;
        quiet = 0;
    }
    disk->is_watched = false;
}

/* With the mutex held. */
static void wait_for_work(struct real_disk *disk)
{
    disk->idle_count++;
    if (disk->brisk_count > 0 && !disk->is_watched) {
        watch(disk);
    } else {
        pthread_cond_wait(&disk->is_work, &disk->mutex);
        disk->woken_count -= disk->woken_count > 0;
    }
    disk->idle_count--;
}

static void *work(void *arg)
{
    struct real_disk *disk = arg;
    pthread_mutex_lock(&disk->mutex);
    while (!is_drained(disk)) {
        struct env_job *job = take_job(disk);
        if (job == NULL)
            wait_for_work(disk);
        else if (job->queue == ENV_QUEUE_BACKGROUND)
            run_slow_job(disk, job, &disk->background, &disk->background_count);
        else if (job->queue == ENV_QUEUE_COLD)
            run_slow_job(disk, job, &disk->cold, &disk->cold_count);
        else
            run_job(disk, job);
    }
    pthread_cond_broadcast(&disk->is_work); /* the others may be done as well */
    pthread_mutex_unlock(&disk->mutex);
    return NULL;
}

void real_disk_submit(struct real_disk *disk, struct env_job *job)
{
    pthread_mutex_lock(&disk->mutex);
    if (job->queue == ENV_QUEUE_BACKGROUND) {
        list_push_back(&disk->background, &job->link);
        wake_one(disk);
    } else if (job->queue == ENV_QUEUE_COLD) {
        list_push_back(&disk->cold, &job->link);
        if (may_take_cold(disk))
            wake_one(disk);
    } else {
        list_push_back(&disk->waiting, &job->link);
        disk->waiting_count++;
        wake_for_waiting(disk);
    }
    pthread_mutex_unlock(&disk->mutex);
}

enum err real_disk_start(struct real_disk *disk, unsigned worker_count,
                         const _Atomic int64_t *synced_ns)
{
    ASSERT(worker_count > 0);
    *disk = (struct real_disk){.synced_ns = synced_ns};
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&disk->is_work, &attributes);
    pthread_condattr_destroy(&attributes);
    list_init(&disk->waiting);
    list_init(&disk->cold);
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
    ASSERT(list_is_empty(&disk->waiting) && list_is_empty(&disk->cold) &&
           list_is_empty(&disk->background));
    mem_free(disk->workers);
    pthread_cond_destroy(&disk->is_work);
    pthread_mutex_destroy(&disk->mutex);
}
