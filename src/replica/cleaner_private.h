// SPDX-License-Identifier: Apache-2.0
/* cleaner_private: shared by replica_cleaner.c and cleaner_run.c. Thread: the set's loop, but for
 * what cleaner_run.c says. */
#ifndef REPLICA_CLEANER_PRIVATE_H
#define REPLICA_CLEANER_PRIVATE_H

#include "base/limits.h"
#include "base/pacer.h"
#include "log/log_cleaning.h"
#include "replica/replica_cleaner.h"
#include "replica/replica_set_private.h"

struct cleaner_run;

/* A compacted partition. */
struct cleaner_entry {
    struct list link;
    unsigned refs;           /* the list's, and one while a worker looks at it */
    struct replica *replica; /* NULL: it is gone */
    struct cleaner_run *run; /* NULL: it is not being compacted */
    int64_t first_dirty;
    int64_t gave_up_ns; /* the last round came to nothing: another after log.cleaner.backoff.ms; or
                           INT64_MIN */
    bool is_uncleanable;
    bool wants_out;   /* its topic is not compacted any more */
    bool wants_close; /* its replica waits for the round to end */
};

struct cleaner_candidate;

/* log.cleaner.*, which may change at any time. */
struct cleaner_settings {
    int64_t backoff_ns;
    uint32_t runs_max;
    int64_t bytes_per_second;
    struct log_cleaning_options cleaning; /* of one run that begins now */
};

struct replica_cleaner {
    struct replica_set *set;
    struct cleaner_settings settings;
    struct list entries;
    struct loop_timer timer;
    uint32_t run_count;
    struct env_job look_job;
    struct loop_task looked;
    bool look_is_busy;
    struct cleaner_candidate *candidates; /* the worker's while it is busy */
    size_t candidate_count;
    struct pacer pacer; /* of all bytes that are read and written */
    struct cleaner_stats stats;
};

struct cleaner_outcome {
    enum err error;
    int64_t end; /* with ERR_OK: all below is clean */
    const char *why;
};

void cleaner_run_start(struct replica_cleaner *cleaner, struct cleaner_entry *entry);

/* It ends soon, in whatever way. */
void cleaner_run_stop(struct cleaner_run *run);

/* What it owes is another time now. */
void cleaner_run_paid(struct cleaner_run *run);

/* Called once by each run. */
void replica_cleaner_run_ended(struct replica_cleaner *cleaner, struct cleaner_entry *entry,
                               const struct cleaner_outcome *outcome);

#endif
