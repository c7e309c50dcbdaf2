// SPDX-License-Identifier: Apache-2.0
/*
 * check_generation: no answer says yes to an older generation of a group than somebody was told of
 * before it was asked for: the generation does not go back, and an old one is refused.
 *
 * What the log never had may go with the process, or when a write fails, after which the log is
 * read again: the generation that members have joined counts for that life of the broker only, and
 * not where writes fail; the one that a member has its assignment of counts for ever.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "generations go up"

void check_generation_on_told(struct history *h, uint32_t group,
                              const struct history_group_view *view, int32_t generation)
{
    if (generation < view->generation)
        history_fail(h, CHECKER, "group %s: something of generation %d was accepted after %d",
                     h->groups.items[group].name, generation, view->generation);
}
