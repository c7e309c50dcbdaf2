// SPDX-License-Identifier: Apache-2.0
/*
 * group_event: what happened to a group, kept for who asks why it is as it is: what began its last
 * rebalance, and which member went last. Texts of its own, so that it outlives the member.
 *
 * The numbers are on the wire (schema/api/describe_groups.api) and never change their meaning.
 *
 * Thread: the shard's loop; the texts of kinds: any.
 */
#ifndef COORDINATOR_GROUP_EVENT_H
#define COORDINATOR_GROUP_EVENT_H

#include <stdint.h>

#include "wire/message.h"

struct group_member;
struct group_op;

enum group_event_kind {
    GROUP_EVENT_UNKNOWN = 0,
    GROUP_EVENT_JOINED = 1,                /* a new member joined */
    GROUP_EVENT_CHANGED = 2,               /* it joined again and supports something else */
    GROUP_EVENT_LEADER_JOINED = 3,         /* the leader joined again, unchanged */
    GROUP_EVENT_LEFT = 4,                  /* a LeaveGroup of its own */
    GROUP_EVENT_REMOVED = 5,               /* somebody else's LeaveGroup */
    GROUP_EVENT_SESSION_OVER = 6,          /* nothing was heard of it for its session timeout */
    GROUP_EVENT_NOT_JOINED = 7,            /* no JoinGroup within the rebalance timeout */
    GROUP_EVENT_NOT_SYNCED = 8,            /* no SyncGroup within the rebalance timeout */
    GROUP_EVENT_REPLACED = 9,              /* another took the place of a static member */
    GROUP_EVENT_REPLACED_UNWRITTEN = 10,   /* the same, and its new id could not be written */
    GROUP_EVENT_ASSIGNMENT_UNWRITTEN = 11, /* the leader's assignment could not be written */
    GROUP_EVENT_TOO_MANY = 12,             /* more members were loaded than group.max.size */
    GROUP_EVENT_NO_ROOM = 13,              /* it was slow to join again, and the group is full */
    GROUP_EVENT_KIND_COUNT
};

/* What the group waits for, if its state is a passing one. On the wire, too. */
enum group_wait {
    GROUP_WAIT_NONE = 0,
    GROUP_WAIT_FIRST_MEMBERS = 1, /* more may come: group.initial.rebalance.delay.ms */
    GROUP_WAIT_MEMBERS = 2,       /* members join again */
    GROUP_WAIT_ASSIGNMENT = 3,    /* the leader's SyncGroup */
    GROUP_WAIT_WRITE = 4,         /* the assignment is on its way into the log */
    GROUP_WAIT_COUNT
};

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
