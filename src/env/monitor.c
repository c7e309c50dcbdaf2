// SPDX-License-Identifier: Apache-2.0
/* monitor: a mutex that knows what its thread holds. See monitor.h. Thread: any. */
#include "env/monitor.h"

#include <stddef.h>

#include "base/assert.h"

/* The one monitor that this thread holds. */
static _Thread_local const struct monitor *monitor_held;

void monitor_init(struct monitor *m, enum monitor_rank rank)
{
    ASSERT(rank != MONITOR_NONE);
    int failed = pthread_mutex_init(&m->mutex, NULL);
    ASSERT(failed == 0);
    m->rank = rank;
}

void monitor_deinit(struct monitor *m)
{
    ASSERT(monitor_held != m);
    int failed = pthread_mutex_destroy(&m->mutex);
    ASSERT(failed == 0);
}

void monitor_enter(struct monitor *m)
{
    monitor_assert_none();
    int failed = pthread_mutex_lock(&m->mutex);
    ASSERT(failed == 0);
    monitor_held = m;
}

void monitor_leave(struct monitor *m)
{
    monitor_assert_held(m);
    monitor_held = NULL;
    int failed = pthread_mutex_unlock(&m->mutex);
    ASSERT(failed == 0);
}

void monitor_assert_held(const struct monitor *m)
{
    ASSERT(monitor_held == m);
}

void monitor_assert_none(void)
{
    if (monitor_held == NULL)
        return;
    TRACE("monitor held", monitor_held->rank, 0);
    ASSERT(monitor_held == NULL);
}
