// SPDX-License-Identifier: Apache-2.0
/*
 * group_op: one request, or one group's part of one, on its way through a shard.
 *
 * It is made by a handler, runs on the shard's loop when the shard is active, and is done when all
 * that the shard wrote up to then is committed: so nobody is told what a crash could take back.
 * A JoinGroup or SyncGroup stays parked in its group in between.
 *
 * Thread: who makes it until group_shard_submit; the shard's loop until done.
 */
#ifndef COORDINATOR_GROUP_OP_H
#define COORDINATOR_GROUP_OP_H

#include "base/arena.h"
#include "base/list.h"
#include "wire/kerr.h"
#include "wire/message.h"

struct group_op;
struct group_shard;

typedef void group_op_fn(struct group_shard *shard, struct group_op *op);

struct group_op {
    group_op_fn *run;
    /* NULL, or called before done when the shard is not active: may fill in the response. `error`
     * stays. */
    group_op_fn *refused;
    void (*done)(struct group_op *op); /* exactly once, on the shard's loop; may free it */
    void *request;                     /* decoded: what `run` expects; lives until done */
    void *response;                    /* with defaults; `run` fills it in */
    struct arena *arena;               /* for what the response points to */
    int16_t version;
    struct wire_str client_id;
    const char *client_host;

    /* Result: anything but KERR_NONE: `response` was not filled in, and this is why. */
    enum kerr error;

    struct list link; /* internal */
    bool is_parked;   /* internal */
    int64_t came_ns;  /* internal: monotonic, when it was submitted */
};

struct list_groups_request;

/* Which groups a ListGroups is about. Made once a request: its lists may be long, and every group
 * of every shard is held against them. */
struct group_filter {
    uint32_t states; /* bits by enum group_state */
    bool has_classic;
};

/* Thread: any. */
struct group_filter group_filter_of(const struct list_groups_request *request);

/* What `run` may be: request and response are the types in front. None of them looks at the
 * group id's rules (empty, null): handlers do. */
group_op_fn group_op_join;            /* join_group_request, _response */
group_op_fn group_op_sync;            /* sync_group_request, _response */
group_op_fn group_op_heartbeat;       /* heartbeat_request, _response */
group_op_fn group_op_leave;           /* leave_group_request in the form of v3, _response */
group_op_fn group_op_commit_offsets;  /* offset_commit_request; the response has a row for each of
                                       * the request's, those with an error are passed over */
group_op_fn group_op_fetch_offsets;   /* offset_fetch_request_group, _response_group */
group_op_fn group_op_delete_offsets;  /* offset_delete_request, _response: as with commits */
group_op_fn group_op_describe;        /* wire_str, describe_groups_response_described_group */
group_op_fn group_op_explain;         /* the same, with an explanation; waits for no write */
group_op_fn group_op_explain_refused; /* `refused` of that: explains the shard */
group_op_fn group_op_list;            /* group_filter, list_groups_response */
group_op_fn group_op_delete;          /* wire_str, delete_groups_response_deletable_group_result */

#endif
