// SPDX-License-Identifier: Apache-2.0
/*
 * check_owner: in one generation of a group a partition has one owner, and all members have their
 * assignments from one decision of the leader.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "one owner a partition"

void check_owner_on_assigned(struct history *h, uint32_t group,
                             const struct history_generation *told,
                             const struct history_assignment *assignment)
{
    const char *name = h->groups.items[group].name;
    if (told->nonce != assignment->nonce)
        history_fail(h, CHECKER, "group %s has two assignments in generation %d", name,
                     assignment->generation);
    for (uint32_t i = 0; i < assignment->count; i++) {
        uint32_t partition = assignment->partitions[i];
        uint32_t before = told->owners[partition];
        if (before != 0 && before != assignment->owner + 1)
            history_fail(h, CHECKER,
                         "partition %u of group %s belongs to members %x and %x in generation %d",
                         partition, name, before - 1, assignment->owner, assignment->generation);
    }
}
