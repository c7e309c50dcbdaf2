// SPDX-License-Identifier: Apache-2.0
/*
 * member_bytes: what simulated members of a group tell each other through the broker, which only
 * carries it: what they read, and what the leader gives them.
 *
 * The metadata begins like those of Kafka's consumers, because the broker looks for topics in it.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_MEMBER_BYTES_H
#define TEST_SIM_MEMBER_BYTES_H

#include "history.h"
#include "wire/message.h"
#include "wire/writer.h"

/* Who a member is. */
struct member_metadata {
    uint32_t group;
    uint32_t owner;    /* another one for each member id; a static member keeps it */
    uint32_t revision; /* of what it says here */
};

/* All topics of the history. Appends to `w`. */
void member_metadata_write(const struct history *h, const struct member_metadata *metadata,
                           struct wire_writer *w);
/* False: that is nothing a member wrote. */
bool member_metadata_read(struct wire_bytes bytes, struct member_metadata *out);

struct member_assignment {
    uint32_t nonce; /* of this decision */
    int32_t generation;
    uint32_t owner;
    uint32_t count;
    uint32_t partitions[GROUP_PARTITIONS_MAX]; /* of the history, going up */
};

void member_assignment_write(const struct member_assignment *assignment, struct wire_writer *w);
bool member_assignment_read(struct wire_bytes bytes, struct member_assignment *out);

#endif
