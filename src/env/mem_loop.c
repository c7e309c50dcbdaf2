// SPDX-License-Identifier: Apache-2.0
/* mem_loop: a loop that the test turns by hand. Thread: the test's. */
#include "base/assert.h"
#include "base/mem.h"
#include "env/mem_private.h"
#include "env/monitor.h"

static struct mem_loop *mem_of(struct loop *loop)
{
    return container_of(loop, struct mem_loop, loop);
}

static void post(struct loop *loop, struct loop_task *task)
{
    list_push_back(&mem_of(loop)->tasks, &task->link);
}

/* While one loop runs, what belongs to another must not be touched. */
static bool is_current(struct loop *base)
{
    struct mem_loop *loop = mem_of(base);
    return loop->m->running == NULL || loop->m->running == loop;
}

static int64_t now_ns(struct loop *loop)
{
    return mem_of(loop)->m->now_ns;
}

static void timer_stop(struct loop *loop, struct loop_timer *timer)
{
    heap_remove(&mem_of(loop)->timers, &timer->node);
}

static void timer_start(struct loop *loop, struct loop_timer *timer, int64_t at_mono_ns)
{
    timer_stop(loop, timer);
    heap_insert(&mem_of(loop)->timers, &timer->node, at_mono_ns);
}

static const struct loop_ops ops = {
    .post = post,
    .is_current = is_current,
    .now_ns = now_ns,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .listen = mem_sock_listen,
    .connect = mem_sock_connect,
};

struct loop *mem_env_loop(struct mem_env *m, int index)
{
    ASSERT(index >= 0 && index < MEM_LOOPS_MAX);
    if (m->loops[index] == NULL) {
        struct mem_loop *loop = mem_alloc(sizeof(*loop));
        loop->loop.ops = &ops;
        loop->loop.env = &m->env;
        loop->m = m;
        list_init(&loop->tasks);
        heap_init(&loop->timers);
        m->loops[index] = loop;
    }
    return &m->loops[index]->loop;
}

void mem_loop_free(struct mem_loop *loop)
{
    if (loop == NULL)
        return;
    if (!loop->m->is_leaky)
        ASSERT(list_is_empty(&loop->tasks));
    heap_deinit(&loop->timers);
    mem_free(loop);
}

bool mem_loop_next_timer(const struct mem_loop *loop, int64_t *at_ns)
{
    const struct heap_node *node = heap_min(&loop->timers);
    if (node == NULL)
        return false;
    *at_ns = node->key;
    return true;
}

static bool run_tasks(struct mem_loop *loop)
{
    struct list batch;
    list_init(&batch);
    list_splice_back(&batch, &loop->tasks);
    bool was_busy = !list_is_empty(&batch);
    for (struct list *link = list_pop_front(&batch); link != NULL; link = list_pop_front(&batch)) {
        struct loop_task *task = container_of(link, struct loop_task, link);
        task->run(task);
        monitor_assert_none();
    }
    return was_busy;
}

static bool run_timers(struct mem_loop *loop)
{
    bool was_busy = false;
    uint64_t end = loop->timers.next_sequence;
    for (;;) {
        struct heap_node *node = heap_min(&loop->timers);
        if (node == NULL || node->key > loop->m->now_ns || node->sequence >= end)
            return was_busy;
        heap_remove(&loop->timers, node);
        struct loop_timer *timer = container_of(node, struct loop_timer, node);
        timer->fire(timer);
        monitor_assert_none();
        was_busy = true;
    }
}

bool mem_loop_turn(struct mem_loop *loop)
{
    loop->m->running = loop;
    if (loop->loop.turn_hook != NULL)
        loop->loop.turn_hook(loop->loop.turn_arg);
    bool was_busy = run_tasks(loop);
    was_busy |= run_timers(loop);
    was_busy |= mem_sock_run_ready(loop->m, &loop->loop);
    loop->m->running = NULL;
    return was_busy;
}
