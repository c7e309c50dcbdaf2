// SPDX-License-Identifier: Apache-2.0
/*
 * watcher: something parked on a loop (a long-polling Fetch) that partitions may wake.
 *
 * A watcher has one watch per partition it waits for. A partition fires a watch once:
 * it takes it off its list under its monitor and, after leaving it, wakes the watcher,
 * which posts one task to its loop however many partitions woke it. Whoever holds a
 * pointer to the watcher across an unlocked moment holds a reference.
 *
 * Thread: wake, ref and unref: any. Everything else: the watcher's loop.
 */
#ifndef REPLICA_WATCHER_H
#define REPLICA_WATCHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "env/env.h"

struct watcher {
    atomic_uint refs;
    atomic_bool is_posted;
    struct loop *loop;
    struct loop_task task;
    void (*run)(struct watcher *w);  /* on the loop, after one or more wakes */
    void (*free)(struct watcher *w); /* the last reference is gone; on any thread */
};

/* In a partition's list while linked; then it holds one reference to the watcher. */
struct watch {
    struct list link;
    struct watcher *watcher;
    int64_t offset; /* fires when the end is beyond it */
};

/* One reference, the caller's. */
void watcher_init(struct watcher *w, struct loop *loop, void (*run)(struct watcher *),
                  void (*free)(struct watcher *));
void watcher_ref(struct watcher *w);
void watcher_unref(struct watcher *w);

/* Runs w->run soon on its loop; wakes in between fall together. */
void watcher_wake(struct watcher *w);

#endif
