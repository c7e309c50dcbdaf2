// SPDX-License-Identifier: Apache-2.0
/*
 * topic_view: a topic as a command sees it: what Metadata told of its partitions, by number,
 * with offsets that its leaders were asked for.
 *
 * Thread: main.
 */
#ifndef CLI_TOPIC_VIEW_H
#define CLI_TOPIC_VIEW_H

#include "cli/admin.h"

enum { OFFSET_UNKNOWN = -1 };

struct describe_log_dirs_response;
struct describe_log_dirs_response_explained_partition;
struct describe_log_dirs_response_describe_log_dirs_result;
struct describe_log_dirs_response_describe_log_dirs_partition;

/* A log directory with a partition in it; both NULL: not known, or none. */
struct partition_place {
    const struct describe_log_dirs_response_describe_log_dirs_result *dir;
    const struct describe_log_dirs_response_describe_log_dirs_partition *row;
};

struct partition_view {
    const struct metadata_response_partition *partition;
    int64_t begin_offset; /* OFFSET_UNKNOWN: no leader, or it did not say */
    int64_t end_offset;
    int64_t found_offset;  /* by topic_view_ask_time; OFFSET_UNKNOWN: nothing is that new */
    int64_t found_time_ms; /* of the record there; -1: not known */
    int16_t error;         /* what the leader said when it was asked last; until then none */
    bool is_answered;      /* it has said something then */
    /* What the broker that holds it said of it (topic_state.h); NULL: nothing. */
    const struct describe_log_dirs_response_explained_partition *state;
    const struct describe_log_dirs_response *told_by;
    int32_t told_node;
    struct partition_place place;  /* where that broker has it */
    struct partition_place coming; /* where it is being moved to */
    bool is_wanted;                /* leaders are asked about those alone; all are at first */
};

struct topic_view {
    const struct metadata_response_topic *topic; /* borrowed */
    struct partition_view *partitions;           /* by their numbers */
    int32_t count;
};

void topic_view_init(struct topic_view *view, const struct metadata_response_topic *topic);
void topic_view_deinit(struct topic_view *view);

/* NULL: no such partition. */
struct partition_view *topic_view_find(const struct topic_view *view, int32_t partition);

/* Asks every leader for the first offset and the end. False: one did not answer, and it has been
 * said why; the others' offsets are known. */
bool topic_view_ask_offsets(struct admin *a, struct topic_view *views, int32_t count);

/* Asks every leader for the first record that is not older. False as above; true does not say that
 * each partition was found: see topic_view_is_told. */
bool topic_view_ask_time(struct admin *a, struct topic_view *view, int64_t timestamp_ms);

/* The same of several topics; OFFSET_AT_BEGIN and OFFSET_AT_END fill in those offsets, and
 * OFFSET_AT_MAX_TIME finds the record with the largest timestamp. */
bool topic_view_ask(struct admin *a, struct topic_view *views, int32_t count, int64_t timestamp);

/* Was the last question answered for this partition, and without an error? Only then is what it
 * asked for known: OFFSET_UNKNOWN as found_offset is an answer then. */
bool topic_view_is_told(const struct partition_view *partition);

/* The least leader of wanted partitions above `after`; -1: none. */
int32_t topic_view_next_leader(const struct topic_view *views, int32_t count, int32_t after);

#endif
