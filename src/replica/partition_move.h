// SPDX-License-Identifier: Apache-2.0
/*
 * partition_move: what replica_set_move.c asks of a partition that is to live in another log
 * directory: what there is to copy, to leave its journal, and to go over, which its job does
 * between commits: then nobody writes, and who appends waits for a moment.
 *
 * Thread: any; no monitor held.
 */
#ifndef REPLICA_PARTITION_MOVE_H
#define REPLICA_PARTITION_MOVE_H

#include "log/log_copy.h"
#include "replica/partition.h"

/* As partition_log_copy_source. ERR_CLOSED: it does not lead (any more). */
enum err partition_copy_source(struct partition *p, struct log_segments *out) MUST_USE;

/* From now on commits sync their segments themselves; or may go to the journal again. */
void partition_leave_journal(struct partition *p, bool leaves);
/* Has its journal anything of it? */
bool partition_is_in_journal(struct partition *p);

/* What that directory's checkpoints shall say of it before its files are there. Returns the log
 * start that they say. */
int64_t partition_announce(struct partition *p, struct log_dir *to);

/* One going over. Owned by the caller, who keeps a reference to the partition. */
struct partition_switch {
    struct log_copy *copy; /* of what there was a moment ago */
    struct log_dir *to;
    int64_t log_start;                       /* by partition_announce, durable */
    void (*done)(struct partition_switch *); /* exactly once, on a worker */
    /* ERR_OK: it lives there. ERR_AGAIN: the log start has moved, or the journal has something of
     * it. ERR_CLOSED; as log_copy_step and log_copy_seal. */
    enum err result;
    bool is_torn;         /* with a failure: nobody knows which of the two counts; it is offline */
    enum err left_behind; /* with ERR_OK: what became of the old directory... */
    char *doomed;         /* ... under this name it waits to be removed; mem_free it; NULL: none */
};

/* One at a time. */
void partition_switch_dir(struct partition *p, struct partition_switch *take_turn);

#endif
