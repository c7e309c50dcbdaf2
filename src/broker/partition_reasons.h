// SPDX-License-Identifier: Apache-2.0
/*
 * partition_reasons: Klamm's own part of DescribeLogDirs: what is the matter with a partition, made
 * of the facts that replica/ knows (docs/decisions/015-explaining-a-partition.md).
 *
 * Thread: the request's reactor; partition_reasons_finish: a worker.
 */
#ifndef BROKER_PARTITION_REASONS_H
#define BROKER_PARTITION_REASONS_H

#include "broker/broker_private.h"
#include "replica/partition_explain.h"
#include "wire/describe_log_dirs.h"

struct partition_reasons_input {
    const struct broker *broker;
    struct wire_str topic; /* as long as the answer lives */
    int32_t index;
    const struct partition_explanation *facts;
    int64_t now_ms;
};

/* False: no memory. */
bool partition_reasons_fill(const struct partition_reasons_input *in, struct arena *arena,
                            struct describe_log_dirs_response_explained_partition *row);

/* What only a disk can tell: how much room is left, by directory; -1: it does not say. */
void partition_reasons_finish(struct describe_log_dirs_response_explanation *explanation,
                              const int64_t *free_bytes, size_t dir_count);

#endif
