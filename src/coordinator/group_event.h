// SPDX-License-Identifier: Apache-2.0
/*
 * group_event: what happened to a group, kept for who asks why it is as it is: what began its last
 * rebalance, and which member went last. Texts of its own, so that it outlives the member.
 *
 * Thread: the shard's loop; the texts of kinds: any.
 */
#ifndef COORDINATOR_GROUP_EVENT_H
#define COORDINATOR_GROUP_EVENT_H

#include <stdint.h>

#include "wire/explanation.h"
#include "wire/message.h"

struct group_member;
struct group_op;

/* Shared by those who refer to it; never changed but for `others` while it happens. */
struct group_event {
    uint32_t refs;
    enum group_event_kind kind;
    int32_t others; /* members to which the same happened at once */
    int64_t at_ms;  /* wall time */
    const char *member_id;
    const char *instance_id; /* NULL: dynamic */
    const char *client_id;
    const char *client_host;
    const char *reason;       /* NULL: the client gave none. KIP-800 */
    const char *by_client_id; /* NULL: the member itself, or the coordinator */
    const char *by_client_host;
    char texts[];
};

/* All borrowed until it is made. */
struct group_event_options {
    enum group_event_kind kind;
    const struct group_member *member; /* NULL: no certain one */
    struct wire_str reason;
    const struct group_op *by; /* NULL: the member itself, or the coordinator */
    int64_t at_ms;
};

/* One reference, the caller's. Texts are cut to LIMIT_GROUP_EVENT_TEXT_BYTES, between characters.
 * NULL: no memory. */
struct group_event *group_event_new(const struct group_event_options *o);
/* Both accept NULL. */
struct group_event *group_event_ref(struct group_event *event);
void group_event_unref(struct group_event *event);

/* For the log: "a member joined". */
const char *group_event_kind_text(enum group_event_kind kind);

#endif
