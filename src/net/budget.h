// SPDX-License-Identifier: Apache-2.0
/*
 * budget: the memory that requests and answers in flight may hold, of all reactors
 * together.
 *
 * One counter, three bounds: large frames may fill three quarters of the budget, others
 * all of it, small ones a reserve beyond. So a thousand peers with huge frames do not hold
 * up ordinary requests, and those do not hold up heartbeats. Who does not fit waits in
 * line, one line per class; giving memory back wakes the pump on the first loop, which
 * serves the lines in order.
 *
 * What is here already and must be kept (answers, bytes behind a waiting frame) is charged
 * without asking; it makes the others wait.
 *
 * Thread: any. Giving back takes no lock: it may happen under somebody's monitor.
 */
#ifndef NET_BUDGET_H
#define NET_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "env/env.h"
#include "env/monitor.h"

enum net_class { NET_CLASS_SMALL, NET_CLASS_MEDIUM, NET_CLASS_LARGE, NET_CLASS_COUNT };

struct net_waiter {
    struct list link;
    int64_t size;
    bool is_granted; /* under the budget's monitor */
    /* On the pump's loop, once the memory is reserved; may free the waiter. */
    void (*granted)(struct net_waiter *waiter);
};

struct net_budget {
    _Atomic int64_t used;
    int64_t bounds[NET_CLASS_COUNT];
    _Atomic int64_t waiting[NET_CLASS_COUNT];
    _Atomic int64_t *waiting_stat;
    struct loop *loop;
    struct loop_task pump;
    atomic_bool is_pump_posted;
    struct monitor monitor;
    struct list lines[NET_CLASS_COUNT]; /* under the monitor */
};

void net_budget_init(struct net_budget *b, uint64_t bytes_max, struct loop *loop,
                     _Atomic int64_t *waiting_stat);
/* ASSERTs that all is given back and nobody waits. */
void net_budget_deinit(struct net_budget *b);

enum net_class net_budget_class(int64_t size);

/* False: others wait already, or it does not fit. */
bool net_budget_try_reserve(struct net_budget *b, int64_t size);

/* Gets in line; `granted` is called later, also when there is room by now. */
void net_budget_wait(struct net_budget *b, struct net_waiter *waiter, int64_t size);

/* Leaves the line. False: it is granted already, and `granted` was or will be called. */
bool net_budget_cancel(struct net_budget *b, struct net_waiter *waiter);

void net_budget_charge(struct net_budget *b, int64_t size);
void net_budget_release(struct net_budget *b, int64_t size);

/* Does anybody wait? */
bool net_budget_is_crowded(const struct net_budget *b);

#endif
