// SPDX-License-Identifier: Apache-2.0
/*
 * real_stand_in: brisk jobs on a loop's own thread, and the thread that takes the loop over when
 * one of them blocks.
 *
 * To wake a disk worker and to be woken by it costs more than a small write into the page cache. So
 * a job that seldom blocks runs on the loop's thread, at the end of a turn, when no handler is
 * on the stack. Should it block (writeback, a full journal), the loop must not: a second thread
 * looks every millisecond, and when it finds the loop's thread at the same job as a millisecond
 * ago, and waiting, it becomes the loop's thread and goes on with the next turn. The first comes
 * back from its job, finds the loop gone, and is the one who looks from then on.
 * docs/decisions/005-brisk-jobs.md has the figures.
 *
 * Who has the loop is decided by one number: odd while the loop's thread is at a brisk job. It goes
 * in by adding one, and comes out by a compare-and-swap that adds one; who takes the loop over
 * adds that one before it does. So just one of the two succeeds.
 *
 * Nobody looks while there is nothing to look at: the watch begins when jobs come close together,
 * and ends when none has come for a while; without it jobs go to the disk workers.
 *
 * Thread: each function says so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "env/monitor.h"
#include "env/real_private.h"

enum {
    PERIOD_NS = 1000000,
    QUIET_LOOKS = 20,            /* after so many without a job the watch ends */
    CLOSE_TOGETHER_NS = 1000000, /* two jobs within this are worth a watch */
    REST_NS = 1000000000,        /* after a job has blocked, the disk workers have them */
    STEPS_MAX = 8,               /* then others have their turn */
};

void real_stand_in_init(struct real_stand_in *s)
{
    list_init(&s->jobs);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void real_stand_in_deinit(struct real_stand_in *s)
{
    ASSERT(list_is_empty(&s->jobs) && !s->has_thread);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
}

/* ---- on the loop's thread */

/* From now on somebody looks, or soon. */
static void ask_for_watch(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    pthread_mutex_lock(&s->mutex);
    if (!s->has_thread) {
        enum err e = real_thread_start(&s->thread, "klamm-stand-in", real_loop_stand_in, loop);
        s->has_thread = e == ERR_OK;
    }
    s->is_wanted = s->has_thread;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    if (!s->is_wanted)
        s->rest_until_ns = loop->now_ns + REST_NS;
}

void real_stand_in_submit(struct real_loop *loop, struct env_job *job)
{
    struct real_stand_in *s = &loop->stand_in;
    bool is_close = loop->now_ns - s->last_submit_ns < CLOSE_TOGETHER_NS;
    s->last_submit_ns = loop->now_ns;
    if (loop->now_ns >= s->rest_until_ns) {
        if (atomic_load_explicit(&s->is_watching, memory_order_relaxed)) {
            list_push_back(&s->jobs, &job->link);
            return;
        }
        if (is_close)
            ask_for_watch(loop);
    }
    real_disk_submit(&loop->real->disk, job);
}

/* True: the job wants to go on, where it may block. */
static bool run_steps(struct env_job *job)
{
    for (int step = 0; step < STEPS_MAX; step++) {
        bool has_more = job->run(job);
        monitor_assert_none();
        if (!has_more)
            return false;
        if (job->will_block)
            return true;
    }
    return true;
}

/* False: the loop was taken over meanwhile. */
static bool run_job(struct real_loop *loop, struct env_job *job)
{
    struct real_stand_in *s = &loop->stand_in;
    struct real_disk *disk = &loop->real->disk;
    uint64_t inside = atomic_load(&s->passage) + 1;
    ASSERT(inside % 2 == 1);
    atomic_store(&s->passage, inside);
    bool has_more = true;
    /* Asked again: the watch may have ended since the job came. It looks at the passage after it
     * has said so, and goes on when somebody is inside. */
    real_loop_leave_thread();
    if (atomic_load(&s->is_watching))
        has_more = run_steps(job);
    bool is_ours = atomic_compare_exchange_strong(&s->passage, &inside, inside + 1);
    if (is_ours)
        real_loop_enter_thread(loop);
    if (has_more)
        real_disk_submit(disk, job);
    return is_ours;
}

bool real_stand_in_run_jobs(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    for (struct list *link; (link = list_pop_front(&s->jobs)) != NULL;) {
        if (!run_job(loop, container_of(link, struct env_job, link)))
            return false;
    }
    return true;
}

void real_stand_in_end(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    ASSERT(list_is_empty(&s->jobs));
    pthread_mutex_lock(&s->mutex);
    s->is_over = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* ---- on the thread that looks */

/* With the mutex held. */
static void wait_a_period(struct real_stand_in *s)
{
    int64_t at_ns = real_mono_ns() + PERIOD_NS;
    struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    pthread_cond_timedwait(&s->changed, &s->mutex, &at);
}

/* Nobody looks any more, unless a job began in this moment. */
static bool end_watch(struct real_stand_in *s, uint64_t seen)
{
    atomic_store(&s->is_watching, false);
    if (atomic_load(&s->passage) == seen)
        return true;
    atomic_store(&s->is_watching, true);
    return false;
}

/* Does it wait for something? One that could run and has no core is not helped by another thread.
 * When /proc cannot tell: yes. */
static bool is_blocked(pid_t tid)
{
    char path[48], text[128];
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[MAX(len, 0)] = 0;
    const char *name_end = strrchr(text, ')'); /* the state is behind the name: "7 (name) R ..." */
    return name_end == NULL || name_end[1] != ' ' || name_end[2] != 'R';
}

/* With the mutex held, until it is quiet or over. True: the loop is this thread's. */
static bool watch(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    atomic_store(&s->is_watching, true);
    for (int quiet = 0; !s->is_over;) {
        uint64_t before = atomic_load(&s->passage);
        wait_a_period(s);
        uint64_t now = atomic_load(&s->passage);
        bool is_inside = now % 2 == 1;
        quiet = now == before ? quiet + 1 : 0;
        if (quiet > 0 && is_inside && is_blocked(atomic_load(&loop->owner_tid)) &&
            atomic_compare_exchange_strong(&s->passage, &now, now + 1)) {
            atomic_store(&s->is_watching, false);
            return true;
        }
        if (quiet >= QUIET_LOOKS && end_watch(s, now))
            return false;
    }
    atomic_store(&s->is_watching, false);
    return false;
}

/* What the first thread had not come to. */
static void take_over(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    real_loop_enter_thread(loop);
    s->rest_until_ns = real_env_now_ns(loop->real) + REST_NS;
    atomic_fetch_add_explicit(&loop->real->loop_stalls, 1, memory_order_relaxed);
    for (struct list *link; (link = list_pop_front(&s->jobs)) != NULL;)
        real_disk_submit(&loop->real->disk, container_of(link, struct env_job, link));
}

bool real_stand_in_wait(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    bool has_taken = false;
    pthread_mutex_lock(&s->mutex);
    while (!s->is_over && !has_taken) {
        if (!s->is_wanted) {
            pthread_cond_wait(&s->changed, &s->mutex);
            continue;
        }
        has_taken = watch(loop);
        s->is_wanted = false;
    }
    pthread_mutex_unlock(&s->mutex);
    if (has_taken)
        take_over(loop);
    return has_taken;
}
