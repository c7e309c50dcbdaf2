// SPDX-License-Identifier: Apache-2.0
/*
 * opening_progress: tells people how far the opening of many or large partitions is: a line every
 * few seconds while it goes on (partitions done, bytes read, which are being read), and one at its
 * end when recovery had to read anything or it took that long. Short openings say nothing.
 *
 * Thread: the loop it was begun on; `scanned` is counted by those who open.
 */
#ifndef REPLICA_OPENING_PROGRESS_H
#define REPLICA_OPENING_PROGRESS_H

#include <stdatomic.h>

#include "base/list.h"
#include "env/env.h"

/* One that is being opened; embedded, the name is borrowed. */
struct opening {
    struct list link;
    const char *topic;
    int32_t index;
};

struct opening_progress {
    struct env *env;
    struct loop *loop;
    struct loop_timer timer;
    struct list active; /* struct opening, in the order in which they were begun */
    bool is_on;
    bool has_spoken;
    uint32_t total;
    uint32_t done;
    uint32_t failed;
    int64_t begun_ns;
    _Atomic int64_t scanned; /* bytes, while they are read */
};

/* So many partitions are to be opened. */
void opening_progress_begin(struct opening_progress *p, struct env *env, struct loop *loop,
                            uint32_t total);
void opening_progress_started(struct opening_progress *p, struct opening *opening);
/* It is to be tried again, and started again then. */
void opening_progress_postponed(struct opening_progress *p, struct opening *opening);
void opening_progress_finished(struct opening_progress *p, struct opening *opening, bool is_open);

/* Harmless when none is on. */
void opening_progress_end(struct opening_progress *p);

#endif
