// SPDX-License-Identifier: Apache-2.0
/*
 * group_offsets: what a group has committed (OffsetFetch), beside where its partitions end.
 *
 * OffsetFetch is asked in version 9 at most: later ones name topics by their ids, and leave out
 * those that are gone, which are just what somebody may look for.
 *
 * Thread: main.
 */
#ifndef CLI_GROUP_OFFSETS_H
#define CLI_GROUP_OFFSETS_H

#include "cli/group_view.h"
#include "cli/topic_view.h"

enum { GROUP_NO_MEMBER = -1, GROUP_NO_EPOCH = -1 };

struct group_offset {
    struct wire_str topic; /* borrowed from the answer, or from an assignment */
    int32_t partition;
    int32_t leader_epoch;     /* GROUP_NO_EPOCH: not told */
    int64_t committed_offset; /* OFFSET_UNKNOWN: none */
    struct wire_str metadata;
    int32_t member;      /* by index; GROUP_NO_MEMBER */
    int64_t end_offset;  /* OFFSET_UNKNOWN */
    const char *problem; /* why there is no lag, if that is a problem; static */
};

struct group_offsets {
    struct group_offset *rows;
    int32_t count, capacity;
    struct client_result fetched;
};

/* All that the group has committed, by topic and partition. False: it has been said why. `out` is
 * to be freed either way. */
bool group_offsets_fetch(struct admin *a, struct group_target *group, struct group_offsets *out);
void group_offsets_deinit(struct group_offsets *offsets);

/* A partition that a member has, committed or not; then group_offsets_sort. */
void group_offsets_add_assigned(struct group_offsets *offsets, struct wire_str topic,
                                int32_t partition, int32_t member);

/* By topic and partition, each once. */
void group_offsets_sort(struct group_offsets *offsets);

/* NULL: nothing is committed there. The rows are sorted. */
const struct group_offset *group_offsets_find(const struct group_offsets *offsets,
                                              struct wire_str topic, int32_t partition);

/* Where the partitions end. Those that are not there or cannot be read get a problem. False: a
 * broker did not answer, and it has been said why. */
bool group_offsets_ask_ends(struct admin *a, struct group_offsets *offsets);

/* OFFSET_UNKNOWN: not known, or not to be had. */
int64_t group_offset_lag(const struct group_offset *row);

#endif
