// SPDX-License-Identifier: Apache-2.0
/*
 * real_loop: one reactor: epoll, timers, tasks of other threads.
 *
 * A turn: hook, tasks that were posted before it, timers that are due, events of sockets, brisk
 * jobs (real_stand_in.c) and the tasks that those posted. It sleeps exactly until the next timer
 * and not at all while tasks wait; with neither it sleeps until something happens. A poster writes
 * to the eventfd only when the loop sleeps, and only the first one does.
 *
 * Thread: post and stop: any. Everything else: the thread that runs it, or the one
 * that holds it while it does not run.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/monitor.h"
#include "env/real_errno.h"
#include "env/real_private.h"

enum { EVENTS_PER_TURN = 128 };

static _Thread_local bool is_on_loop;

bool real_is_on_loop(void)
{
    return is_on_loop;
}

void real_loop_enter_thread(struct real_loop *loop)
{
    static _Thread_local pid_t tid;
    ASSERT(!is_on_loop);
    if (tid == 0)
        tid = gettid();
    is_on_loop = true;
    atomic_store_explicit(&loop->owner, pthread_self(), memory_order_relaxed);
    atomic_store_explicit(&loop->owner_tid, tid, memory_order_relaxed);
}

void real_loop_leave_thread(void)
{
    ASSERT(is_on_loop);
    is_on_loop = false;
}

static struct real_loop *real_of(struct loop *loop)
{
    return container_of(loop, struct real_loop, loop);
}

void real_loop_wake(struct real_loop *loop)
{
    uint64_t one = 1;
    ssize_t n = write(loop->event_fd, &one, sizeof(one));
    (void)n; /* EAGAIN: it is awake already */
}

static void post(struct loop *base, struct loop_task *task)
{
    struct real_loop *loop = real_of(base);
    pthread_mutex_lock(&loop->mutex);
    list_push_back(&loop->tasks, &task->link);
    bool must_wake = loop->is_asleep;
    loop->is_asleep = false;
    pthread_mutex_unlock(&loop->mutex);
    if (must_wake)
        real_loop_wake(loop);
}

static bool is_current(struct loop *base)
{
    struct real_loop *loop = real_of(base);
    return !atomic_load_explicit(&loop->is_running, memory_order_acquire) ||
           pthread_equal(atomic_load_explicit(&loop->owner, memory_order_relaxed), pthread_self());
}

static int64_t now_ns(struct loop *base)
{
    struct real_loop *loop = real_of(base);
    /* Between runs there are no turns that would read the clock. */
    if (!atomic_load_explicit(&loop->is_running, memory_order_relaxed))
        loop->now_ns = real_env_now_ns(loop->real);
    return loop->now_ns;
}

static void submit(struct loop *base, struct env_job *job)
{
    real_stand_in_submit(real_of(base), job);
}

static void timer_stop(struct loop *base, struct loop_timer *timer)
{
    heap_remove(&real_of(base)->timers, &timer->node);
}

static void timer_start(struct loop *base, struct loop_timer *timer, int64_t at_mono_ns)
{
    timer_stop(base, timer);
    heap_insert(&real_of(base)->timers, &timer->node, at_mono_ns);
}

static void run_tasks(struct real_loop *loop)
{
    struct list batch;
    list_init(&batch);
    pthread_mutex_lock(&loop->mutex);
    list_splice_back(&batch, &loop->tasks);
    pthread_mutex_unlock(&loop->mutex);
    for (struct list *link = list_pop_front(&batch); link != NULL; link = list_pop_front(&batch)) {
        struct loop_task *task = container_of(link, struct loop_task, link);
        task->run(task);
        monitor_assert_none();
    }
}

/* Timers that are started meanwhile wait for the next turn, so that none can hold the loop. */
static void run_timers(struct real_loop *loop)
{
    uint64_t end = loop->timers.next_sequence;
    for (;;) {
        struct heap_node *node = heap_min(&loop->timers);
        if (node == NULL || node->key > loop->now_ns || node->sequence >= end)
            return;
        heap_remove(&loop->timers, node);
        struct loop_timer *timer = container_of(node, struct loop_timer, node);
        timer->fire(timer);
        monitor_assert_none();
    }
}

/* How long to sleep; NULL: until something happens. */
static struct timespec *sleep_time(struct real_loop *loop, struct timespec *out)
{
    pthread_mutex_lock(&loop->mutex);
    bool has_work = !list_is_empty(&loop->tasks) || !list_is_empty(&loop->stand_in.jobs);
    loop->is_asleep = !has_work;
    pthread_mutex_unlock(&loop->mutex);
    *out = (struct timespec){0};
    if (has_work || atomic_load(&loop->is_stopping))
        return out;
    const struct heap_node *node = heap_min(&loop->timers);
    if (node == NULL)
        return NULL;
    int64_t left = node->key - real_env_now_ns(loop->real);
    if (left > 0) {
        out->tv_sec = left / 1000000000;
        out->tv_nsec = left % 1000000000;
    }
    return out;
}

static int wait_for_events(struct real_loop *loop, struct epoll_event *events)
{
    struct timespec storage;
    const struct timespec *timeout = sleep_time(loop, &storage);
    int count = epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, timeout, NULL);
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
        /* Before Linux 5.11, or forbidden by an old container runtime: whole milliseconds,
         * rounded up so that it does not spin. */
        int ms =
            timeout == NULL
                ? -1
                : (int)MIN((int64_t)timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000,
                           (int64_t)INT32_MAX);
        count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, ms);
    }
    ASSERT(count >= 0 || errno == EINTR);
    pthread_mutex_lock(&loop->mutex);
    loop->is_asleep = false;
    pthread_mutex_unlock(&loop->mutex);
    return MAX(count, 0);
}

static void drain_event_fd(struct real_loop *loop)
{
    uint64_t count;
    ssize_t n = read(loop->event_fd, &count, sizeof(count));
    (void)n;
}

/* False: another thread has the loop, in the state between two turns. */
static bool turn(struct real_loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = wait_for_events(loop, events);
    loop->now_ns = real_env_now_ns(loop->real);
    if (loop->loop.turn_hook != NULL)
        loop->loop.turn_hook(loop->loop.turn_arg);
    run_tasks(loop);
    run_timers(loop);
    for (int i = 0; i < count; i++) {
        struct real_source *source = events[i].data.ptr;
        if (source == NULL) {
            drain_event_fd(loop);
            continue;
        }
        source->on_events(source, events[i].events);
        monitor_assert_none();
    }
    real_sock_free_dead(loop);
    if (!list_is_empty(&loop->stand_in.jobs)) {
        if (!real_stand_in_run_jobs(loop))
            return false;
        run_tasks(loop); /* the answers leave in this turn */
        real_sock_free_dead(loop);
    }
    return true;
}

static bool has_tasks(struct real_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    bool result = !list_is_empty(&loop->tasks);
    pthread_mutex_unlock(&loop->mutex);
    return result;
}

/* False: another thread has the loop. */
static bool run_turns(struct real_loop *loop)
{
    while (!atomic_load(&loop->is_stopping) || has_tasks(loop) ||
           !list_is_empty(&loop->stand_in.jobs))
        if (!turn(loop))
            return false;
    real_loop_leave_thread();
    atomic_store(&loop->is_stopping, false);
    atomic_store_explicit(&loop->is_running, false, memory_order_release);
    real_stand_in_end(loop);
    return true;
}

/* Until the loop has ended, on whichever of its two threads. */
static void take_turns(struct real_loop *loop, bool has_loop)
{
    while (!has_loop || !run_turns(loop)) {
        has_loop = real_stand_in_wait(loop);
        if (!has_loop)
            return;
    }
}

void *real_loop_stand_in(void *arg)
{
    take_turns(arg, false);
    return NULL;
}

void real_loop_run(struct real_loop *loop)
{
    struct real_stand_in *s = &loop->stand_in;
    ASSERT(!atomic_load(&loop->is_running));
    s->is_over = false;
    real_loop_enter_thread(loop);
    atomic_store_explicit(&loop->is_running, true, memory_order_release);
    take_turns(loop, true);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    s->has_thread = false;
}

void real_loop_stop(struct real_loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    real_loop_wake(loop);
}

static void *run_thread(void *arg)
{
    real_loop_run(arg);
    return NULL;
}

enum err real_loop_start(struct real_loop *loop, const char *name)
{
    ASSERT(!loop->has_thread);
    enum err e = real_thread_start(&loop->thread, name, run_thread, loop);
    loop->has_thread = e == ERR_OK;
    return e;
}

void real_loop_join(struct real_loop *loop)
{
    if (!loop->has_thread)
        return;
    pthread_join(loop->thread, NULL);
    loop->has_thread = false;
}

static const struct loop_ops ops = {
    .post = post,
    .is_current = is_current,
    .now_ns = now_ns,
    .submit = submit,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .listen = real_sock_listen,
    .connect = real_sock_connect,
};

enum err real_loop_new(struct real_env *real, struct real_loop **out)
{
    enum err e = ERR_OK;
    struct real_loop *loop = mem_alloc(sizeof(*loop));
    loop->loop.ops = &ops;
    loop->loop.env = &real->env;
    loop->real = real;
    loop->now_ns = real_env_now_ns(real);
    heap_init(&loop->timers);
    list_init(&loop->link);
    list_init(&loop->dead);
    list_init(&loop->signals);
    list_init(&loop->socks);
    list_init(&loop->tasks);
    real_stand_in_init(&loop->stand_in);
    pthread_mutex_init(&loop->mutex, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->event_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0) {
        e = real_errno(errno);
        goto out;
    }
    pthread_mutex_lock(&real->loops_mutex);
    list_push_back(&real->loops, &loop->link);
    pthread_mutex_unlock(&real->loops_mutex);
    *out = loop;
    loop = NULL;
out:
    real_loop_free(loop);
    return e;
}

struct loop *real_loop_loop(struct real_loop *loop)
{
    return &loop->loop;
}

void real_loop_free(struct real_loop *loop)
{
    if (loop == NULL)
        return;
    ASSERT(!atomic_load(&loop->is_running) && !loop->has_thread);
    pthread_mutex_lock(&loop->real->loops_mutex);
    if (list_is_linked(&loop->link))
        list_remove(&loop->link);
    pthread_mutex_unlock(&loop->real->loops_mutex);
    real_signal_close_all(loop);
    real_stdin_free(loop);
    real_sock_close_all(loop);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->event_fd >= 0)
        close(loop->event_fd);
    heap_deinit(&loop->timers);
    real_stand_in_deinit(&loop->stand_in);
    pthread_mutex_destroy(&loop->mutex);
    mem_free(loop);
}
