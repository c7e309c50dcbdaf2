// SPDX-License-Identifier: Apache-2.0
/*
 * groups: the group coordinator of this broker: a shard for each partition of
 * __consumer_offsets that it leads, on the loops of the reactors in turn, and the way of a
 * request to the shard that has its group.
 *
 * The topic is made when somebody first asks for a group's coordinator. Which partition a group
 * belongs to is Kafka's rule: the hash of its id as Java computes it, modulo their number.
 *
 * Thread: each function says so.
 */
#ifndef BROKER_GROUPS_H
#define BROKER_GROUPS_H

#include <stdatomic.h>

#include "broker/request.h"
#include "coordinator/group_op.h"
#include "coordinator/group_shard.h"
#include "coordinator/group_stats.h"

struct broker;
struct group_home;
struct image_delta;

#define GROUPS_TOPIC "__consumer_offsets"

enum groups_state {
    GROUPS_NONE,    /* no topic */
    GROUPS_SERVING, /* every shard was started */
    GROUPS_CLOSING, /* the topic is gone, or the broker stops */
    GROUPS_STATE_COUNT
};

struct groups {
    struct broker *broker;
    struct group_stats stats;            /* of all shards */
    _Atomic(struct group_homes *) homes; /* NULL: none yet; stays until the broker is freed */
    enum groups_state state;             /* all below: the first loop's */
    struct uuid topic_id;
    uint32_t closing;
    bool has_told_count; /* that the topic has another number of partitions now */
    bool is_stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

void groups_init(struct groups *groups, struct broker *broker);
void groups_deinit(struct groups *groups);

/* The partitions of this image are open: starts and stops what that means. Thread: first loop. */
void groups_follow(struct groups *groups, const struct image *image);

/* A partition that could not be opened at first is open now: its groups, if it has any, are served
 * from now on. Thread: first loop. */
void groups_partition_reopened(struct groups *groups);

/* Topics that went with this step: what groups have committed of them goes, too. Thread: first
 * loop. */
void groups_forget_topics(struct groups *groups, const struct image_delta *delta);

/* Everybody who waits is answered; then `stopped`. Thread: first loop; once. */
void groups_stop(struct groups *groups, void (*stopped)(void *arg), void *arg);

/* Kafka's rule. Thread: any. */
int32_t groups_partition_of(struct wire_str group_id, int32_t partition_count);

/* ---- the calls of handlers. Thread: the request's reactor, where nothing else is said. */

/* One op of a call, with memory of its own: parts run on different loops. */
struct group_part {
    struct group_op op;
    struct arena arena;
    struct group_call *call;
    struct group_home *home;
    struct loop_task task;
};

struct group_call {
    struct request *rq;
    void (*finish)(struct group_call *call); /* all parts are done: fills in and replies */
    atomic_uint left;
    /* What the parts' answers may still take, of all together: one request may name the same large
     * group a thousand times. */
    _Atomic int64_t answer_bytes_left;
    struct loop_task back;
    struct arena arena; /* of the parts, and for their rows in the answer; outlives the request */
    int32_t count;
    struct group_part *parts;
};

/* With `count` parts whose op.request and op.response are to be set. NULL: no memory, the request
 * is closed. */
struct group_call *group_call_new(struct request *rq, int32_t count, group_op_fn *run,
                                  void (*finish)(struct group_call *call));
/* A part goes to the shard of this group; each part exactly once. */
void group_call_send(struct group_call *call, int32_t part, struct wire_str group_id);
/* To the shard of this number, which must be below groups_shard_count. */
void group_call_send_to(struct group_call *call, int32_t part, int32_t shard);
/* Nothing is to be asked: the part is done with this error. */
void group_call_skip(struct group_call *call, int32_t part, enum kerr error);
/* Closes the request; before the first part was sent. */
void group_call_no_memory(struct group_call *call);
/* Replies, and frees what the parts hold. */
void group_call_reply(struct group_call *call);

int32_t groups_shard_count(struct broker *broker);

#endif
