// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_reopen: partitions that could not be opened because the disk was full or descriptors
 * had run out, and that are tried again until they can.
 *
 * Each of them is in a list of its own with what it needs for that, so nobody looks at all
 * partitions. One timer tries the whole list, first after a second, then less and less often; at
 * once when a directory has room again. While a partition waits, it is offline.
 *
 * Thread: the set's loop; a partition is opened on a disk worker.
 */
#ifndef REPLICA_REPLICA_SET_REOPEN_H
#define REPLICA_REPLICA_SET_REOPEN_H

#include "env/env.h"
#include "metadata/config_topic.h"

struct replica;
struct replica_set;

struct replica_set_reopening {
    struct list waiting; /* replica_reopen.link */
    uint32_t busy;       /* jobs under way */
    bool has_opened;     /* one of this round's could be opened */
    int64_t wait_ms;     /* from a round to the next */
    struct loop_timer timer;
    bool is_stopped;
};

void replica_set_reopen_init(struct replica_set *set);

/* This replica could not be opened, and that may pass (err_may_pass): it is tried
 * again until it can, or is closed. */
void replica_set_reopen_add(struct replica_set *set, struct replica *replica);

/* It has changed meanwhile. Nothing happens where `replica` does not wait. */
void replica_reopen_config(struct replica *replica, const struct topic_config *config);
void replica_reopen_lead(struct replica *replica, int32_t leader_epoch);

/* It is to be closed, and out of the table. False: a worker has it just now; then
 * replica_set_close_now follows. */
bool replica_reopen_give_up(struct replica *replica);

/* There may be room: the next round is now. */
void replica_set_reopen_now(struct replica_set *set);

/* No more rounds. */
void replica_set_reopen_stop(struct replica_set *set);

#endif
