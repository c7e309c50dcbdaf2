// SPDX-License-Identifier: Apache-2.0
/* watcher: see watcher.h. Thread: any for wake, ref and unref. */
#include "replica/watcher.h"

#include "base/assert.h"

static void watcher_task(struct loop_task *task)
{
    struct watcher *w = container_of(task, struct watcher, task);
    /* Cleared before running: a wake from now on posts again and is not lost. */
    atomic_store(&w->is_posted, false);
    w->run(w);
    watcher_unref(w);
}

void watcher_init(struct watcher *w, struct loop *loop, void (*run)(struct watcher *),
                  void (*free)(struct watcher *))
{
    atomic_init(&w->refs, 1);
    atomic_init(&w->is_posted, false);
    w->loop = loop;
    w->task = (struct loop_task){.run = watcher_task};
    w->run = run;
    w->free = free;
}

void watcher_ref(struct watcher *w)
{
    unsigned before = atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
}

void watcher_unref(struct watcher *w)
{
    unsigned before = atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        w->free(w);
}

void watcher_wake(struct watcher *w)
{
    if (atomic_exchange(&w->is_posted, true))
        return;
    watcher_ref(w); /* dropped by the task */
    loop_post(w->loop, &w->task);
}
