// SPDX-License-Identifier: Apache-2.0
/*
 * group_join: JoinGroup (API 11): somebody wants to be in the next generation.
 *
 * A newcomer without an id is given one; from version 4 on it has to come back with it before it
 * counts (KIP-394). A static member (KIP-345) that comes without an id takes the place of the one
 * with its instance id; in a stable group that changes nobody's assignment.
 *
 * Thread: the shard's loop.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/uuid.h"
#include "coordinator/group_private.h"
#include "wire/codec.h"
#include "wire/sync_group.h"

enum {
    ID_REQUIRED_SINCE = 4,
    NULL_PROTOCOL_SINCE = 7,
    SKIPS_ASSIGNMENT_SINCE = 9,
    NEW_MEMBER_TIMEOUT_MS = 5 * 60 * 1000,
    MEMBER_ID_FRONT_MAX = INT16_MAX - 37, /* an id is this, a dash, and 36 characters */
};

/* ---- answers */

static struct wire_str copy_text(struct group_op *op, struct wire_str text, bool *is_short)
{
    if (wire_str_is_null(text))
        return text;
    const char *copy = arena_copy_text(op->arena, text.data, (size_t)text.len);
    *is_short |= copy == NULL;
    return (struct wire_str){copy, text.len};
}

static struct wire_str null_or_empty(const struct group_op *op)
{
    return wire_str_of(op->version >= NULL_PROTOCOL_SINCE ? NULL : "");
}

void group_fill_join_error(struct group_op *op, enum kerr error, struct wire_str member_id)
{
    struct join_group_response *response = op->response;
    bool is_short = false;
    response->error_code = (int16_t)error;
    response->generation_id = -1;
    response->protocol_type = null_or_empty(op);
    response->protocol_name = null_or_empty(op);
    response->leader = wire_str_of("");
    response->member_id = copy_text(op, member_id, &is_short);
    if (is_short)
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
}

static bool fill_members(const struct group *group, struct group_op *op)
{
    struct join_group_response *response = op->response;
    bool is_short = wire_array_new(op->arena, &join_group_response_member_layout,
                                   group->member_count, &response->members) != ERR_OK;
    int32_t n = 0;
    for (struct list *node = group->members.next; node != &group->members && !is_short;
         node = node->next) {
        const struct group_member *member = container_of(node, struct group_member, link);
        struct join_group_response_member *row = &response->members.items[n++];
        struct wire_bytes metadata = group_member_metadata(member, group->protocol);
        row->member_id = copy_text(op, wire_str_of(member->id), &is_short);
        row->group_instance_id = copy_text(op, wire_str_of(member->instance_id), &is_short);
        row->metadata.data = (const uint8_t *)arena_copy_text(
            op->arena, (const char *)metadata.data, (size_t)metadata.len);
        row->metadata.len = metadata.len;
        is_short |= row->metadata.data == NULL;
    }
    return !is_short;
}

bool group_fill_joined(const struct group *group, const struct group_member *member,
                       struct group_op *op, bool may_skip_assignment)
{
    struct join_group_response *response = op->response;
    bool is_short = false;
    bool is_leader = group_is_leader(group, member);
    response->error_code = KERR_NONE;
    response->generation_id = group->generation;
    response->protocol_type = copy_text(op, wire_str_of(group->protocol_type), &is_short);
    response->protocol_name = copy_text(op, wire_str_of(group->protocol), &is_short);
    response->leader =
        copy_text(op, wire_str_of(group->leader != NULL ? group->leader : ""), &is_short);
    response->member_id = copy_text(op, wire_str_of(member->id), &is_short);
    response->skip_assignment = may_skip_assignment && is_leader;
    return !is_short && (!is_leader || fill_members(group, op));
}

static void refuse(struct group_shard *shard, struct group_op *op, enum kerr error,
                   struct wire_str member_id)
{
    group_fill_join_error(op, error, member_id);
    group_shard_finish(shard, op);
}

static void answer_current(struct group *group, struct group_member *member, struct group_op *op)
{
    if (!group_fill_joined(group, member, op, false))
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    group_member_asked(member, GROUP_API_JOIN);
    group_member_renew(member);
    group_shard_finish(group->shard, op);
}

/* ---- parking */

/* A JoinGroup that was parked before came over a connection that is most likely gone. */
static void park(struct group_member *member, struct group_op *op)
{
    struct group_op *before = member->join;
    member->join = op;
    op->is_parked = true;
    if (before == NULL) {
        member->group->joining_count++;
        return;
    }
    group_fill_join_error(before, KERR_REBALANCE_IN_PROGRESS, wire_str_of(member->id));
    group_shard_finish(member->group->shard, before);
}

/* False: no memory, nothing changed. */
static bool update(struct group_member *member, struct group_op *op)
{
    const struct join_group_request *request = op->request;
    if (!group_member_set_protocols(member, &request->protocols))
        return false;
    member->session_timeout_ms = request->session_timeout_ms;
    member->rebalance_timeout_ms = request->rebalance_timeout_ms;
    park(member, op);
    return true;
}

static struct group_cause cause_of(enum group_event_kind kind, const struct group_member *member,
                                   const struct group_op *op)
{
    const struct join_group_request *request = op->request;
    return (struct group_cause){kind, member, op, request->reason};
}

static void update_and_rebalance(struct group_member *member, struct group_op *op,
                                 enum group_event_kind kind)
{
    struct group *group = member->group;
    struct group_cause cause = cause_of(kind, member, op);
    group_member_asked(member, GROUP_API_JOIN);
    if (update(member, op))
        group_rebalance(group, &cause);
    else
        group_shard_refuse(group->shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
}

/* ---- newcomers */

static const char *make_id(struct group_shard *shard, struct group_op *op, struct wire_str front)
{
    struct uuid uuid;
    env_random(shard->env, &uuid, sizeof(uuid));
    char dashed[40];
    const uint8_t *b = (const uint8_t *)&uuid;
    snprintf(dashed, sizeof(dashed),
             "-%02x%02x%02x%02x-%02x%02x-4%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6] & 15, b[7], (b[8] & 63) | 128, b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
    /* Ids are texts with a NUL at the end here: what stands behind one in the name is left out. */
    size_t len = front.len > 0 ? strnlen(front.data, (size_t)front.len) : 0;
    char *id = arena_alloc(op->arena, len + sizeof(dashed));
    if (id == NULL)
        return NULL;
    if (len > 0)
        memcpy(id, front.data, len);
    memcpy(id + len, dashed, strlen(dashed) + 1);
    return id;
}

static struct group_member_options options_of(const struct group_op *op, struct wire_str id)
{
    const struct join_group_request *request = op->request;
    return (struct group_member_options){
        .id = id,
        .instance_id = request->group_instance_id,
        .client_id = wire_str_is_null(op->client_id) ? wire_str_of("") : op->client_id,
        .client_host = wire_str_of(op->client_host),
        .session_timeout_ms = request->session_timeout_ms,
        .rebalance_timeout_ms = request->rebalance_timeout_ms,
    };
}

/* The first member's type is the group's. NULL: no memory, nothing changed. */
static struct group_member *add_whole(struct group *group, const struct group_member_options *o,
                                      const struct join_group_request *request)
{
    bool is_first = group->member_count == 0;
    struct group_member *member = group_add_member(group, o);
    if (member == NULL)
        return NULL;
    if (group_member_set_protocols(member, &request->protocols) &&
        (!is_first || group_text_set(&group->protocol_type, request->protocol_type)))
        return member;
    group_remove_member(group, member);
    return NULL;
}

static void add_member(struct group *group, struct group_op *op, struct wire_str id)
{
    struct group_shard *shard = group->shard;
    const struct join_group_request *request = op->request;
    struct group_member_options options = options_of(op, id);
    struct group_member *member = add_whole(group, &options, request);
    if (member == NULL) {
        group_rebalance_maybe_complete(group); /* its place may have been waited for */
        group_shard_refuse(shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    if (group->leader == NULL)
        group_text_set(&group->leader, id); /* without memory the next round elects one */
    member->is_new = true;
    group->has_new_member |= group->is_initial;
    group_member_asked(member, GROUP_API_JOIN);
    park(member, op);
    group_member_expect(member, NEW_MEMBER_TIMEOUT_MS);
    struct group_cause cause = cause_of(GROUP_EVENT_JOINED, member, op);
    group_rebalance(group, &cause);
}

/* KIP-394. */
static void require_id(struct group *group, struct group_op *op, struct wire_str id)
{
    const struct join_group_request *request = op->request;
    struct group_member_options options = options_of(op, id);
    options.is_pending = true;
    struct group_member *member = group_add_member(group, &options);
    if (member == NULL) {
        group_shard_refuse(group->shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    group_member_asked(member, GROUP_API_JOIN);
    group_member_expect(member, request->session_timeout_ms);
    refuse(group->shard, op, KERR_MEMBER_ID_REQUIRED, id);
}

/* ---- static members */

static void fence(struct group_member *member, struct wire_str id_before)
{
    struct group_shard *shard = member->group->shard;
    struct group_op *join = member->join, *sync = member->sync;
    member->join = NULL;
    member->sync = NULL;
    if (join != NULL) {
        member->group->joining_count--;
        refuse(shard, join, KERR_FENCED_INSTANCE_ID, id_before);
    }
    if (sync != NULL) {
        struct sync_group_response *response = sync->response;
        response->error_code = KERR_FENCED_INSTANCE_ID;
        group_shard_finish(shard, sync);
    }
}

/* In a stable group the newcomer goes on where the other was, when the group would choose the same
 * protocol again. Version 9 on lets a leader know that it need not assign again (KIP-814). */
static void replace_in_stable(struct group_member *member, struct group_op *op,
                              struct wire_str leader_before)
{
    struct group *group = member->group;
    struct group_shard *shard = group->shard;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    if (group_record(group, ASSIGNMENT_CURRENT) == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    member->join = NULL;
    group->joining_count--;
    if (error != KERR_NONE) {
        /* The log has the other id: the next generation brings it up to date. */
        struct group_cause cause = cause_of(GROUP_EVENT_REPLACED_UNWRITTEN, member, op);
        group_rebalance(group, &cause);
        group_shard_refuse(shard, op, error);
        return;
    }
    struct join_group_response *response = op->response;
    bool may_skip = op->version >= SKIPS_ASSIGNMENT_SINCE;
    if (!group_fill_joined(group, member, op, may_skip))
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    if (!may_skip) {
        /* It must not think that it leads, or it would assign what nobody asks for. */
        bool is_short = false;
        response->members.count = 0;
        response->leader = copy_text(op, leader_before, &is_short);
        if (is_short)
            op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    }
    group_shard_finish(shard, op);
}

static void replace_static(struct group_member *member, struct group_op *op)
{
    struct group *group = member->group;
    struct group_shard *shard = group->shard;
    const struct join_group_request *request = op->request;
    bool is_short = false;
    struct wire_str leader_before =
        copy_text(op, wire_str_of(group->leader != NULL ? group->leader : ""), &is_short);
    struct wire_str id_before = copy_text(op, wire_str_of(member->id), &is_short);
    const char *id = make_id(shard, op, request->group_instance_id);
    if (id == NULL || is_short ||
        !group_member_replace(member, wire_str_of(id), &request->protocols)) {
        group_shard_refuse(shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    fence(member, id_before);
    member->session_timeout_ms = request->session_timeout_ms;
    member->rebalance_timeout_ms = request->rebalance_timeout_ms;
    park(member, op);
    group_member_asked(member, GROUP_API_JOIN);
    group_member_renew(member);
    struct group_cause cause = cause_of(GROUP_EVENT_REPLACED, member, op);
    const char *next = group->state == GROUP_STABLE ? group_vote(group) : NULL;
    if (next != NULL && strcmp(next, group->protocol) == 0)
        replace_in_stable(member, op, leader_before);
    else
        group_rebalance(group, &cause);
}

/* ---- the request */

static void join_newcomer(struct group *group, struct group_op *op)
{
    struct group_shard *shard = group->shard;
    const struct join_group_request *request = op->request;
    bool is_static = !wire_str_is_null(request->group_instance_id);
    struct group_member *member =
        is_static ? group_static_member_find(group, request->group_instance_id) : NULL;
    if (member != NULL) {
        replace_static(member, op);
        return;
    }
    struct wire_str front = is_static ? request->group_instance_id : op->client_id;
    if (front.len > MEMBER_ID_FRONT_MAX) {
        refuse(shard, op, KERR_UNKNOWN_SERVER_ERROR, wire_str_of(""));
        return;
    }
    const char *id = make_id(shard, op, front);
    if (id == NULL)
        group_shard_refuse(shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
    else if (!is_static && op->version >= ID_REQUIRED_SINCE)
        require_id(group, op, wire_str_of(id));
    else
        add_member(group, op, wire_str_of(id));
}

static void join_known(struct group *group, struct group_member *member, struct group_op *op)
{
    const struct join_group_request *request = op->request;
    bool is_same = group_member_supports_the_same(member, &request->protocols);
    switch (group->state) {
    case GROUP_PREPARING:
        update_and_rebalance(member, op, GROUP_EVENT_UNKNOWN); /* it is under way */
        break;
    case GROUP_COMPLETING:
        /* It may not have got its answer. */
        if (is_same)
            answer_current(group, member, op);
        else
            update_and_rebalance(member, op, GROUP_EVENT_CHANGED);
        break;
    case GROUP_STABLE:
        /* A leader joins again when something else asks for a new assignment: partitions, say. */
        if (group_is_leader(group, member) || !is_same)
            update_and_rebalance(member, op,
                                 is_same ? GROUP_EVENT_LEADER_JOINED : GROUP_EVENT_CHANGED);
        else
            answer_current(group, member, op);
        break;
    case GROUP_EMPTY:
    case GROUP_DEAD:
    case GROUP_STATE_COUNT:
        refuse(group->shard, op, KERR_UNKNOWN_MEMBER_ID, request->member_id);
        break;
    }
}

static void join_again(struct group *group, struct group_op *op)
{
    const struct join_group_request *request = op->request;
    struct group_member *member = group_member_find(group, request->member_id);
    if (member != NULL && member->is_pending && wire_str_is_null(request->group_instance_id)) {
        group_member_take_out(member);
        add_member(group, op, request->member_id);
        return;
    }
    enum kerr error =
        group_check_member(group, request->member_id, request->group_instance_id, &member);
    if (error != KERR_NONE)
        refuse(group->shard, op, error, request->member_id);
    else
        join_known(group, member, op);
}

/* group.max.size: who is in stays in; where a round of joining is under way, those that are here
 * already count. */
static bool has_room(const struct group *group, struct wire_str member_id)
{
    int32_t max = group->shard->settings.members_max;
    const struct group_member *member = group_member_find(group, member_id);
    bool is_in = member != NULL && !member->is_pending;
    if (group->state == GROUP_EMPTY)
        return true;
    if (group->state == GROUP_PREPARING)
        return (is_in && member->join != NULL) || group->joining_count < max;
    return is_in || group->member_count < max;
}

/* One who was slow to join again loses his place; the round of joining goes on as it was. */
static void turn_away(struct group *group, struct group_op *op)
{
    const struct join_group_request *request = op->request;
    struct group_member *member = group_member_find(group, request->member_id);
    if (member != NULL && !member->is_pending) {
        struct group_cause cause = cause_of(GROUP_EVENT_NO_ROOM, member, op);
        group_note_gone(&cause, 0);
        group_member_take_out(member);
    }
    refuse(group->shard, op, KERR_GROUP_MAX_SIZE_REACHED, wire_str_of(""));
}

/* That a group is there is a fact, too, once somebody has asked to be in it. NULL: no memory. */
static struct group *make_group(struct group_shard *shard, struct wire_str id)
{
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    struct group *group = group_shard_make(shard, id);
    if (group == NULL)
        return NULL;
    if (group_record(group, ASSIGNMENT_NONE) == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    if (error != KERR_NONE) {
        group_shard_remove(shard, group);
        return NULL;
    }
    group->has_record = true;
    group_expiry_plan(group);
    return group;
}

/* A member that joins again as it is supports what all do: the others' lists need no look, which in
 * a large group would make each round cost the square of its size. */
static bool joins_unchanged(const struct group *group, const struct join_group_request *request)
{
    const struct group_member *member = group_member_find(group, request->member_id);
    return member != NULL && !member->is_pending && group->protocol_type != NULL &&
           wire_str_is(request->protocol_type, group->protocol_type) &&
           group_member_supports_the_same(member, &request->protocols);
}

void group_op_join(struct group_shard *shard, struct group_op *op)
{
    const struct join_group_request *request = op->request;
    const struct group_settings *settings = &shard->settings;
    bool is_newcomer = request->member_id.len == 0;
    if (request->session_timeout_ms < settings->session_timeout_min_ms ||
        request->session_timeout_ms > settings->session_timeout_max_ms) {
        refuse(shard, op, KERR_INVALID_SESSION_TIMEOUT, request->member_id);
        return;
    }
    struct group *group = group_shard_find(shard, request->group_id);
    if (group == NULL && !is_newcomer) {
        refuse(shard, op, KERR_UNKNOWN_MEMBER_ID, request->member_id);
        return;
    }
    if (group == NULL)
        group = make_group(shard, request->group_id);
    if (group == NULL) {
        group_shard_refuse(shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    group_check(group);
    struct wire_str told_id = is_newcomer ? wire_str_of("") : request->member_id;
    if (!has_room(group, request->member_id))
        turn_away(group, op);
    else if (!joins_unchanged(group, request) &&
             !group_takes_protocols(group, request->protocol_type, &request->protocols))
        refuse(shard, op, KERR_INCONSISTENT_GROUP_PROTOCOL, told_id);
    else if (is_newcomer)
        join_newcomer(group, op);
    else
        join_again(group, op);
    group_check(group);
}
