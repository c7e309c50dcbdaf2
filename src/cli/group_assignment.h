// SPDX-License-Identifier: Apache-2.0
/*
 * group_assignment: what a member of a consumer group has, as Kafka's consumers write it
 * (ConsumerProtocolAssignment, versions 0 to 3, which are alike): a version, topics with their
 * partitions, and bytes that only consumers read. Any client may have written it: foreign bytes.
 *
 * Thread: any.
 */
#ifndef CLI_GROUP_ASSIGNMENT_H
#define CLI_GROUP_ASSIGNMENT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "wire/message.h"

struct group_assignment_topic {
    struct wire_str name; /* points into the bytes */
    struct wire_i32_array partitions;
};

struct group_assignment {
    struct group_assignment_topic *topics;
    int32_t count;
};

/* No bytes are no topics. A later version is read like version 3, as Kafka's consumers do.
 * ERR_CORRUPT, ERR_NO_MEMORY (the arena's limit): *out is as it was. */
enum err group_assignment_parse(struct wire_bytes bytes, struct arena *arena,
                                struct group_assignment *out) MUST_USE;

#endif
