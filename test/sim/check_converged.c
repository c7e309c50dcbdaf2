// SPDX-License-Identifier: Apache-2.0
/*
 * check_converged: when all is calm again the live members of a group, and no others, are in one
 * generation, and every partition belongs to one of them; and when all have died there are none.
 *
 * Thread: one.
 */
#include "check.h"

bool check_converged_is(const struct history *h, const struct history_holder *holders,
                        uint32_t count)
{
    uint64_t all = 0, wanted = 0;
    for (uint32_t i = 0; i < h->partition_count; i++)
        wanted |= UINT64_C(1) << i;
    for (uint32_t i = 0; i < count; i++) {
        if (holders[i].generation < 0 || holders[i].generation != holders[0].generation ||
            (all & holders[i].partitions) != 0 ||
            (holders[i].member_count != 0 && holders[i].member_count != count))
            return false;
        all |= holders[i].partitions;
    }
    return count == 0 || all == wanted;
}

void check_converged_is_empty(struct history *h, uint32_t group, bool has_members)
{
    if (has_members)
        history_fail(h, "groups converge", "group %s has members long after all have died",
                     h->groups.items[group].name);
}

void check_converged_at_end(struct history *h, uint32_t group, const struct history_holder *holders,
                            uint32_t count)
{
    if (!check_converged_is(h, holders, count))
        history_fail(h, "groups converge", "group %s: its %u members are not in one generation",
                     h->groups.items[group].name, count);
}
