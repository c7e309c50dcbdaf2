// SPDX-License-Identifier: Apache-2.0
/*
 * monitor: the lock of one object (a partition, a table), held for microseconds.
 *
 * Rules, asserted: a thread holds at most one monitor at a time; none across
 * I/O or a callback into another module. Collect what is to be fired, leave,
 * fire. The rank only names what is held when the rule is broken.
 *
 * Thread: any.
 */
#ifndef ENV_MONITOR_H
#define ENV_MONITOR_H

#include <pthread.h>

enum monitor_rank {
    MONITOR_NONE,
    MONITOR_PARTITION,
    MONITOR_TABLE,
    MONITOR_IMAGE,
    MONITOR_STORE,
    MONITOR_LOG_DIR,
    MONITOR_JOURNAL,
    MONITOR_LOG_FILES,
    MONITOR_SEGMENT,
    MONITOR_BUDGET,
    MONITOR_SESSIONS,
    MONITOR_METRICS,
};

struct monitor {
    pthread_mutex_t mutex;
    enum monitor_rank rank;
};

void monitor_init(struct monitor *m, enum monitor_rank rank);
void monitor_deinit(struct monitor *m);

/* Fails an ASSERT when this thread already holds a monitor. */
void monitor_enter(struct monitor *m);
void monitor_leave(struct monitor *m);

/* ASSERTs that this thread holds exactly this one. */
void monitor_assert_held(const struct monitor *m);

/* ASSERTs that this thread holds none: called before I/O and callbacks. */
void monitor_assert_none(void);

#endif
