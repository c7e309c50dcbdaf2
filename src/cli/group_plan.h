// SPDX-License-Identifier: Apache-2.0
/*
 * group_plan: what `klamm group reset` would change: partitions with the offset that the group has
 * committed and the one that it is to have.
 *
 * Thread: main.
 */
#ifndef CLI_GROUP_PLAN_H
#define CLI_GROUP_PLAN_H

#include "cli/group_offsets.h"
#include "cli/group_words.h"

struct group_plan_row {
    struct wire_str topic; /* the choice's */
    int32_t partition;
    int64_t from; /* OFFSET_UNKNOWN: nothing is committed */
    int64_t to;
    int16_t error; /* of the commit */
    bool is_set;
};

struct group_plan {
    struct group_plan_row *rows; /* by topic and partition, each once */
    int32_t count, capacity;
};

/* Adds the partitions of one choice, with the offset that `goal` is for each. False: a topic or
 * partition is not there or cannot be read, or has no such offset; it has been said why. */
bool group_plan_add(struct admin *a, struct group_plan *plan, const struct partition_choice *choice,
                    const struct offset_goal *goal);

/* Sorts, and takes `from` from what is committed. */
void group_plan_finish(struct group_plan *plan, const struct group_offsets *committed);
void group_plan_deinit(struct group_plan *plan);

/* Is this the first row of a topic? */
bool group_plan_is_topic_start(const struct group_plan *plan, int32_t row);

struct group_plan_row *group_plan_find(const struct group_plan *plan, struct wire_str topic,
                                       int32_t partition);

#endif
