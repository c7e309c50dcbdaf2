// SPDX-License-Identifier: Apache-2.0
/*
 * topic_state: how partitions are on the brokers that hold them, by DescribeLogDirs: the log
 * directories that they lie in and move to, and Klamm's own part of it
 * (docs/decisions/015-explaining-a-partition.md).
 *
 * Thread: main.
 */
#ifndef CLI_TOPIC_STATE_H
#define CLI_TOPIC_STATE_H

#include <jansson.h>

#include "cli/topic_view.h"
#include "wire/describe_log_dirs.h"

/* Where it is asked for: what its leader says, or, without one, its first replica. */
struct topic_state_answer {
    int32_t node;
    struct client_result result;
};

/* The answers live as long as this; views point into them. */
struct topic_states {
    struct topic_state_answer *answers;
    int32_t count;
    bool has_silent; /* a broker did not answer, and that has been said */
    bool has_plain;  /* a broker answered and explains nothing: it is no Klamm, or an older one */
};

/* Asks about all partitions that are wanted, and sets partition_view.place and coming, and state of
 * those that were explained. `is_quiet`: a broker that does not know the API is passed over. */
void topic_states_ask(struct admin *a, struct topic_view *views, int32_t count, bool is_quiet,
                      struct topic_states *out);
void topic_states_deinit(struct topic_states *states);

/* The broker that is asked about it; -1: none. */
int32_t topic_state_node(const struct partition_view *partition);

/* The directory that a partition is in, by its state; NULL: none. */
const struct describe_log_dirs_response_describe_log_dirs_result *
topic_state_dir(const struct partition_view *partition);

/* An object: path, size_bytes, offset_lag; null where there is none. */
json_t *topic_state_place_json(const struct partition_place *place);

#endif
