// SPDX-License-Identifier: Apache-2.0
/*
 * budget: see budget.h.
 *
 * No wake-up is lost: a waiter raises `waiting` and then looks at `used`; who gives back
 * lowers `used` and then looks at `waiting` (all sequentially consistent). So one of the
 * two posts the pump.
 *
 * Thread: any.
 */
#include "net/budget.h"

#include "base/assert.h"
#include "base/limits.h"

static void pump(struct loop_task *task);

void net_budget_init(struct net_budget *b, uint64_t bytes_max, struct loop *loop,
                     _Atomic int64_t *waiting_stat)
{
    ASSERT(bytes_max > 0 && bytes_max < INT64_MAX / 2);
    *b = (struct net_budget){.loop = loop, .waiting_stat = waiting_stat, .pump.run = pump};
    b->bounds[NET_CLASS_SMALL] = (int64_t)bytes_max + LIMIT_SMALL_FRAMES_RESERVE_BYTES;
    b->bounds[NET_CLASS_MEDIUM] = (int64_t)bytes_max;
    b->bounds[NET_CLASS_LARGE] = (int64_t)(bytes_max - bytes_max / 4);
    monitor_init(&b->monitor, MONITOR_BUDGET);
    for (int i = 0; i < NET_CLASS_COUNT; i++)
        list_init(&b->lines[i]);
}

void net_budget_deinit(struct net_budget *b)
{
    ASSERT(atomic_load(&b->used) == 0);
    ASSERT(!net_budget_is_crowded(b));
    monitor_deinit(&b->monitor);
}

enum net_class net_budget_class(int64_t size)
{
    if (size <= LIMIT_FRAME_SMALL_BYTES)
        return NET_CLASS_SMALL;
    return size <= LIMIT_FRAME_LARGE_BYTES ? NET_CLASS_MEDIUM : NET_CLASS_LARGE;
}

/* Adds when the sum stays within the class's bound. */
static bool take(struct net_budget *b, int64_t size, enum net_class class)
{
    int64_t used = atomic_load(&b->used);
    do {
        if (size > b->bounds[class] - used)
            return false;
    } while (!atomic_compare_exchange_weak(&b->used, &used, used + size));
    return true;
}

bool net_budget_try_reserve(struct net_budget *b, int64_t size)
{
    ASSERT(size > 0);
    enum net_class class = net_budget_class(size);
    return atomic_load(&b->waiting[class]) == 0 && take(b, size, class);
}

static void post_pump(struct net_budget *b)
{
    if (!atomic_exchange(&b->is_pump_posted, true))
        loop_post(b->loop, &b->pump);
}

void net_budget_wait(struct net_budget *b, struct net_waiter *waiter, int64_t size)
{
    enum net_class class = net_budget_class(size);
    ASSERT(size > 0 && size <= b->bounds[class]);
    waiter->size = size;
    waiter->is_granted = false;
    monitor_enter(&b->monitor);
    list_push_back(&b->lines[class], &waiter->link);
    atomic_fetch_add(&b->waiting[class], 1);
    atomic_fetch_add(b->waiting_stat, 1);
    monitor_leave(&b->monitor);
    if (size <= b->bounds[class] - atomic_load(&b->used))
        post_pump(b);
}

/* With the monitor held. */
static void leave_line(struct net_budget *b, struct net_waiter *waiter)
{
    list_remove(&waiter->link);
    atomic_fetch_sub(&b->waiting[net_budget_class(waiter->size)], 1);
    atomic_fetch_sub(b->waiting_stat, 1);
}

bool net_budget_cancel(struct net_budget *b, struct net_waiter *waiter)
{
    monitor_enter(&b->monitor);
    bool was_waiting = !waiter->is_granted;
    if (was_waiting)
        leave_line(b, waiter);
    monitor_leave(&b->monitor);
    if (was_waiting)
        post_pump(b); /* the next in line may fit where this one did not */
    return was_waiting;
}

/* Reserves for those at the front of each line and collects them. */
static void grant(struct net_budget *b, struct list *granted)
{
    monitor_enter(&b->monitor);
    for (enum net_class class = NET_CLASS_SMALL; class < NET_CLASS_COUNT; class ++) {
        while (!list_is_empty(&b->lines[class])) {
            struct net_waiter *w = container_of(b->lines[class].next, struct net_waiter, link);
            if (!take(b, w->size, class))
                break;
            leave_line(b, w);
            w->is_granted = true;
            list_push_back(granted, &w->link);
        }
    }
    monitor_leave(&b->monitor);
}

static void pump(struct loop_task *task)
{
    struct net_budget *b = container_of(task, struct net_budget, pump);
    struct list granted;
    list_init(&granted);
    atomic_store(&b->is_pump_posted, false); /* before looking: what comes later posts again */
    grant(b, &granted);
    for (struct list *link = list_pop_front(&granted); link != NULL;
         link = list_pop_front(&granted)) {
        struct net_waiter *w = container_of(link, struct net_waiter, link);
        w->granted(w);
    }
}

void net_budget_charge(struct net_budget *b, int64_t size)
{
    ASSERT(size >= 0);
    atomic_fetch_add(&b->used, size);
}

void net_budget_release(struct net_budget *b, int64_t size)
{
    int64_t before = atomic_fetch_sub(&b->used, size);
    ASSERT(size >= 0 && before >= size);
    if (net_budget_is_crowded(b))
        post_pump(b);
}

bool net_budget_is_crowded(const struct net_budget *b)
{
    for (int i = 0; i < NET_CLASS_COUNT; i++) {
        if (atomic_load(&b->waiting[i]) > 0)
            return true;
    }
    return false;
}
