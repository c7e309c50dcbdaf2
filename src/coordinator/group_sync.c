// SPDX-License-Identifier: Apache-2.0
/*
 * group_sync: SyncGroup (API 14), Heartbeat (12) and LeaveGroup (13).
 *
 * The leader's SyncGroup brings everybody's assignment. It is written before anybody is told of it;
 * meanwhile the group may have gone on to another round, then it counts for nothing.
 *
 * Thread: the shard's loop.
 */
#include "base/assert.h"
#include "base/canary.h"
#include "coordinator/group_private.h"
#include "wire/codec.h"
#include "wire/heartbeat.h"
#include "wire/leave_group.h"
#include "wire/sync_group.h"

/* ---- SyncGroup */

static void refuse_sync(struct group_shard *shard, struct group_op *op, enum kerr error)
{
    struct sync_group_response *response = op->response;
    response->error_code = (int16_t)error;
    group_shard_finish(shard, op);
}

static bool differs(struct wire_str asked, const char *ours)
{
    return !wire_str_is_null(asked) && ours != NULL && !wire_str_is(asked, ours);
}

static enum kerr check_sync(const struct group *group, const struct sync_group_request *request,
                            struct group_member **member)
{
    enum kerr error =
        group_check_member(group, request->member_id, request->group_instance_id, member);
    if (error != KERR_NONE)
        return error;
    if (request->generation_id != group->generation)
        return KERR_ILLEGAL_GENERATION;
    if (differs(request->protocol_type, group->protocol_type) ||
        differs(request->protocol_name, group->protocol))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (group->state == GROUP_PREPARING)
        return KERR_REBALANCE_IN_PROGRESS;
    return group->state == GROUP_EMPTY ? KERR_UNKNOWN_MEMBER_ID : KERR_NONE;
}

static void use_next_assignments(struct group *group)
{
    LIST_FOR_EACH (node, &group->members) {
        struct group_member *member = container_of(node, struct group_member, link);
        group_bytes_free(&member->assignment);
        member->assignment = member->next_assignment;
        member->next_assignment = (struct group_bytes){0};
    }
}

static void assignment_committed(struct group *group, const struct shard_write *write)
{
    if (group->state != GROUP_COMPLETING || group->generation != write->generation)
        return;
    use_next_assignments(group);
    group_set_state(group, GROUP_STABLE, group_shard_now_ms(group->shard));
    group_answer_syncs(group, KERR_NONE);
    if (group->offsets.offsets.count > 0)
        group_expiry_plan(group); /* of topics that nobody reads now */
    group_check(group);
}

/* Who is not named gets nothing. False: no memory. */
static bool take_assignments(struct group *group, const struct sync_group_request *request)
{
    LIST_FOR_EACH (node, &group->members)
        group_bytes_free(&container_of(node, struct group_member, link)->next_assignment);
    for (int32_t i = 0; i < request->assignments.count; i++) {
        const struct sync_group_request_assignment *row = &request->assignments.items[i];
        struct group_member *member = group_member_find(group, row->member_id);
        if (member != NULL && !member->is_pending &&
            !group_bytes_set(&member->next_assignment, row->assignment))
            return false;
    }
    return true;
}

static void write_assignments(const struct group_member *leader,
                              const struct sync_group_request *request)
{
    struct group *group = leader->group;
    struct group_shard *shard = group->shard;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    struct shard_write *write = NULL;
    if (take_assignments(group, request) && group_record(group, ASSIGNMENT_NEXT) == ERR_OK)
        write = group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    if (write == NULL) {
        if (error == KERR_MESSAGE_TOO_LARGE)
            error = KERR_UNKNOWN_SERVER_ERROR;
        struct group_cause cause = {GROUP_EVENT_ASSIGNMENT_UNWRITTEN, leader, NULL, {NULL, -1}};
        group_answer_syncs(group, error);
        group_rebalance(group, &cause);
        return;
    }
    group->has_record = true;
    write->committed = assignment_committed;
    write->group = group;
    write->generation = group->generation;
    group->write_count++;
}

/* The planted bug: what a leader says counts although its group has its assignments. */
static void decide_again(struct group *group, const struct sync_group_request *request)
{
    enum kerr error = KERR_NONE;
    if (take_assignments(group, request) && group_record(group, ASSIGNMENT_NEXT) == ERR_OK)
        group_shard_write(group->shard, &error);
    use_next_assignments(group);
}

/* A SyncGroup that was parked before came over a connection that is most likely gone. */
static void park(struct group_member *member, struct group_op *op)
{
    struct group_op *before = member->sync;
    member->sync = op;
    op->is_parked = true;
    if (before != NULL)
        refuse_sync(member->group->shard, before, KERR_REBALANCE_IN_PROGRESS);
}

void group_op_sync(struct group_shard *shard, struct group_op *op)
{
    const struct sync_group_request *request = op->request;
    struct group *group = group_shard_find(shard, request->group_id);
    struct group_member *member = NULL;
    enum kerr error = group != NULL ? check_sync(group, request, &member) : KERR_UNKNOWN_MEMBER_ID;
    if (member != NULL)
        group_member_asked(member, GROUP_API_SYNC);
    if (error != KERR_NONE) {
        refuse_sync(shard, op, error);
        return;
    }
    group_check(group);
    park(member, op);
    group_member_synced(member);
    if (CANARY(SECOND_DECISION) && group->state == GROUP_STABLE && group_is_leader(group, member) &&
        request->assignments.count > 0)
        decide_again(group, request);
    if (group->state == GROUP_STABLE)
        group_answer_sync(member, KERR_NONE);
    else if (group_is_leader(group, member))
        write_assignments(member, request);
    group_check(group);
}

/* ---- Heartbeat */

void group_op_heartbeat(struct group_shard *shard, struct group_op *op)
{
    const struct heartbeat_request *request = op->request;
    struct heartbeat_response *response = op->response;
    const struct group *group = group_shard_find(shard, request->group_id);
    struct group_member *member = NULL;
    enum kerr error = group != NULL ? group_check_member(group, request->member_id,
                                                         request->group_instance_id, &member)
                                    : KERR_UNKNOWN_MEMBER_ID;
    if (member != NULL)
        group_member_asked(member, GROUP_API_HEARTBEAT);
    if (error == KERR_NONE && request->generation_id != group->generation)
        error = KERR_ILLEGAL_GENERATION;
    if (error == KERR_NONE) {
        group_member_renew(member);
        if (group->state == GROUP_PREPARING)
            error = KERR_REBALANCE_IN_PROGRESS;
    }
    response->error_code = (int16_t)error;
    group_shard_finish(shard, op);
}

/* ---- LeaveGroup */

/* An administrator names the instance alone. */
static enum kerr find_leaver(const struct group *group,
                             const struct leave_group_request_member_identity *who,
                             struct group_member **member)
{
    if (who->member_id.len > 0) {
        *member = group_member_find(group, who->member_id);
        if (*member != NULL && (*member)->is_pending)
            return KERR_NONE;
        return group_check_member(group, who->member_id, who->group_instance_id, member);
    }
    *member = group_static_member_find(group, who->group_instance_id);
    return *member != NULL ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
}

/* A member leaves by itself, over its own connection; whoever names an instance alone, or several
 * members, or calls itself something else, is an administrator. */
static enum group_event_kind leave_kind(const struct group_op *op,
                                        const struct leave_group_request_member_identity *who,
                                        const struct group_member *member)
{
    const struct leave_group_request *request = op->request;
    struct wire_str client_id = op->client_id;
    if (wire_str_is_null(client_id))
        client_id = wire_str_of("");
    bool is_own = who->member_id.len > 0 && request->members.count == 1 &&
                  wire_str_is(client_id, member->client_id);
    return is_own ? GROUP_EVENT_LEFT : GROUP_EVENT_REMOVED;
}

void group_op_leave(struct group_shard *shard, struct group_op *op)
{
    const struct leave_group_request *request = op->request;
    struct leave_group_response *response = op->response;
    struct group *group = group_shard_find(shard, request->group_id);
    if (wire_array_new(op->arena, &leave_group_response_member_response_layout,
                       request->members.count, &response->members) != ERR_OK) {
        group_shard_refuse(shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    int32_t left = 0;
    for (int32_t i = 0; i < request->members.count; i++) {
        const struct leave_group_request_member_identity *who = &request->members.items[i];
        struct leave_group_response_member_response *row = &response->members.items[i];
        struct group_member *member = NULL;
        enum kerr error = group != NULL ? find_leaver(group, who, &member) : KERR_UNKNOWN_MEMBER_ID;
        row->member_id = who->member_id;
        row->group_instance_id = who->group_instance_id;
        row->error_code = (int16_t)error;
        if (error != KERR_NONE)
            continue;
        struct group_cause cause = {leave_kind(op, who, member), member, op, who->reason};
        group_note_gone(&cause, left++);
        group_member_take_out(member);
    }
    if (left > 0 && group->state != GROUP_EMPTY)
        group_rebalance_gone(group);
    if (group != NULL)
        group_check(group);
    group_shard_finish(shard, op);
}
