// SPDX-License-Identifier: Apache-2.0
/*
 * check_committed: an acknowledged commit of an offset is never lost, and what is committed changes
 * by commits, deletions and expiry only.
 *
 * What is told as committed has to be of a commit that was sent and not refused, and that may have
 * come after all those known to be done when it was asked for: it may not have ended before
 * one of these began. What was told once is known to be done; what was gone once stays away.
 *
 * Thread: one.
 */
#include "check.h"

#define CHECKER "committed is never lost"

/* Is there a deletion, or a commit that does not stay, that may have been the last word? */
static bool may_be_gone(const struct history *h, const struct history_committed *seen)
{
    if (seen->view.floor == 0)
        return true;
    for (uint32_t i = 0; i < h->groups.commit_count; i++) {
        const struct history_commit *commit = &h->groups.commits[i];
        if ((commit->is_deletion || commit->expires) && commit->group == seen->group &&
            commit->partition == seen->partition && commit->state != COMMIT_REFUSED &&
            commit->end >= seen->view.floor)
            return true;
    }
    return false;
}

void check_committed_on_seen(struct history *h, const struct history_committed *seen,
                             int64_t number)
{
    const char *name = h->groups.items[seen->group].name;
    if (seen->is_none) {
        if (!may_be_gone(h, seen))
            history_fail(h, CHECKER, "group %s has nothing committed for partition %u any more",
                         name, seen->partition);
        return;
    }
    if (number < 0) {
        history_fail(h, CHECKER, "group %s has a commit for partition %u that nobody sent", name,
                     seen->partition);
        return;
    }
    const struct history_commit *commit = &h->groups.commits[number];
    if (commit->group != seen->group || commit->partition != seen->partition ||
        commit->is_deletion || commit->offset != seen->offset ||
        (seen->has_epoch && commit->leader_epoch != seen->leader_epoch))
        history_fail(h, CHECKER, "commit %lld is not what was committed: group %s, partition %u",
                     (long long)number, name, seen->partition);
    else if (commit->state == COMMIT_REFUSED)
        history_fail(h, CHECKER, "commit %lld of group %s was refused and is there",
                     (long long)number, name);
    else if (commit->gone != 0 && commit->gone <= seen->view.asked)
        history_fail(h, CHECKER, "commit %lld of group %s, partition %u was gone and is back",
                     (long long)number, name, seen->partition);
    else if (commit->end < seen->view.floor)
        history_fail(h, CHECKER,
                     "group %s, partition %u: commit %lld is there, though a later one was done",
                     name, seen->partition, (long long)number);
}
