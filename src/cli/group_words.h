// SPDX-License-Identifier: Apache-2.0
/*
 * group_words: the words of `klamm group`: which partitions, and where to.
 *
 * Thread: any.
 */
#ifndef CLI_GROUP_WORDS_H
#define CLI_GROUP_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* "T" or "T:P,P,...". */
struct partition_choice {
    const char *topic;         /* in the arena */
    const int32_t *partitions; /* in the arena */
    int32_t count;             /* 0: all of them */
};

/* False: it is neither; *out is as it was. A number may come twice. */
bool partition_choice_parse(const char *text, struct arena *arena, struct partition_choice *out);

enum offset_goal_kind { GOAL_BEGINNING, GOAL_END, GOAL_OFFSET, GOAL_TIME };

struct offset_goal {
    enum offset_goal_kind kind;
    int64_t number; /* the offset, or milliseconds since 1970 */
};

/* "beginning", "end", "123", "@1700000000000", "2026-01-31", "2026-01-31T23:59",
 * "2026-01-31T23:59:59.999Z": UTC, with or without the Z. False: none of these. */
bool offset_goal_parse(const char *text, struct offset_goal *out);

#endif
