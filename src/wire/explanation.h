// SPDX-License-Identifier: Apache-2.0
/*
 * explanation: the numbers in Klamm's own part of DescribeGroups (schema/api/describe_groups.api,
 * docs/decisions/009-explaining-a-group.md). They never change their meaning; who gets one that it
 * does not know says so.
 *
 * Thread: any.
 */
#ifndef WIRE_EXPLANATION_H
#define WIRE_EXPLANATION_H

/* Event.Kind: what happened to a member, or to the group. */
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

/* What the group waits for, if its state is a passing one. */
enum group_wait {
    GROUP_WAIT_NONE = 0,
    GROUP_WAIT_FIRST_MEMBERS = 1, /* more may come: group.initial.rebalance.delay.ms */
    GROUP_WAIT_MEMBERS = 2,       /* members join again */
    GROUP_WAIT_ASSIGNMENT = 3,    /* the leader's SyncGroup */
    GROUP_WAIT_WRITE = 4,         /* the assignment is on its way into the log */
    GROUP_WAIT_COUNT
};

/* Coordinator.State: of the partition of __consumer_offsets that has the group. */
enum coordinator_state {
    COORDINATOR_IDLE = 0,     /* it is not open here */
    COORDINATOR_LOADING = 1,  /* its log is being read */
    COORDINATOR_ACTIVE = 2,   /* it serves */
    COORDINATOR_FAILING = 3,  /* a write or reading failed; it is going to be read anew */
    COORDINATOR_STOPPING = 4, /* the broker stops, or the topic is gone */
    COORDINATOR_STATE_COUNT
};

/* Coordinator.Failure: the last one. */
enum coordinator_failure {
    COORDINATOR_NEVER_FAILED = 0,
    COORDINATOR_FAILED_TO_WRITE = 1,
    COORDINATOR_FAILED_TO_LOAD = 2,
    COORDINATOR_FAILED_FOR_MEMORY = 3, /* for what is on its way into the log */
    COORDINATOR_FAILURE_COUNT
};

#endif
