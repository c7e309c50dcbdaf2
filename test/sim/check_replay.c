// SPDX-License-Identifier: Apache-2.0
/*
 * check_replay: what the coordinator reads from its log is what it had in memory: a group and its
 * committed offsets look the same after a restart, whatever kind of restart it was.
 *
 * Thread: one.
 */
#include <string.h>

#include "check.h"

void check_replay_on_restarted(struct history *h, uint32_t group, const char *before,
                               const char *after)
{
    size_t same = 0;
    while (before[same] != '\0' && before[same] == after[same])
        same++;
    if (before[same] != after[same])
        history_fail(h, "replay equals live",
                     "group %s is another one after a restart, from byte %zu: \"%.80s\" was "
                     "\"%.80s\"",
                     h->groups.items[group].name, same, after + same, before + same);
}
