// SPDX-License-Identifier: Apache-2.0
/*
 * group_explain: why a group is in the state it is in: Klamm's own part of DescribeGroups
 * (docs/decisions/009-explaining-a-group.md): what began the last rebalance, which member the
 * group waits for, since when and until when, and how the shard itself is.
 *
 * It tells what is in memory at this moment and waits for no write, since a log that hangs is one
 * of the answers. All times are of the calendar; those that are kept as monotonic time are
 * reckoned from now.
 *
 * Thread: the shard's loop.
 */
#include "base/assert.h"
#include "coordinator/group_private.h"
#include "wire/codec.h"
#include "wire/describe_groups.h"

enum { NS_PER_MS = 1000000 };

/* One answer on its way. */
struct explaining {
    const struct group_shard *shard;
    struct group_op *op; /* op->error: no memory */
    int64_t now_ms;      /* the same moment on both clocks */
    int64_t now_ns;
};

static int64_t calendar_ms(const struct explaining *x, int64_t ns)
{
    return x->now_ms + (ns - x->now_ns) / NS_PER_MS;
}

/* With defaults; NULL: no memory. */
static void *make(const struct explaining *x, const struct wire_struct *layout)
{
    void *out = arena_alloc(x->op->arena, layout->size);
    if (out != NULL)
        wire_defaults(layout, out);
    else
        x->op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    return out;
}

/* ---- the shard */

static enum coordinator_state state_of(const struct group_shard *shard)
{
    static const enum coordinator_state states[SHARD_STATE_COUNT] = {
        [SHARD_IDLE] = COORDINATOR_IDLE,         [SHARD_LOADING] = COORDINATOR_LOADING,
        [SHARD_ACTIVE] = COORDINATOR_ACTIVE,     [SHARD_FAILING] = COORDINATOR_FAILING,
        [SHARD_STOPPING] = COORDINATOR_STOPPING,
    };
    return states[shard->state];
}

static void fill_coordinator(const struct explaining *x,
                             struct describe_groups_response_explained_coordinator *out)
{
    const struct group_shard *shard = x->shard;
    const struct heap_node *retry = &shard->reload_timer.node;
    out->partition = shard->index;
    out->state = (int8_t)state_of(shard);
    out->state_since_ms = shard->state_since_ms;
    LIST_FOR_EACH (node, &shard->writes) {
        const struct shard_write *write = container_of(node, struct shard_write, link);
        if (out->write_count++ == 0)
            out->oldest_write_ms = calendar_ms(x, write->begun_ns);
    }
    out->retry_ms = heap_contains(retry) ? calendar_ms(x, retry->key) : -1;
    if (shard->failure == COORDINATOR_NEVER_FAILED)
        return;
    out->failure = (int8_t)shard->failure;
    out->failure_ms = shard->failure_ms;
    out->failure_text = wire_str_of(shard->failure_text);
}

/* ---- events */

static struct describe_groups_response_event *event_of(const struct explaining *x,
                                                       const struct group_event *event)
{
    if (event == NULL)
        return NULL;
    struct describe_groups_response_event *out = make(x, &describe_groups_response_event_layout);
    if (out == NULL)
        return NULL;
    out->kind = (int8_t)event->kind;
    out->at_ms = event->at_ms;
    out->others_count = event->others;
    out->member_id = group_answer_text(x->op, event->member_id);
    out->group_instance_id = group_answer_text(x->op, event->instance_id);
    out->client_id = group_answer_text(x->op, event->client_id);
    out->client_host = group_answer_text(x->op, event->client_host);
    out->reason = group_answer_text(x->op, event->reason);
    out->by_client_id = group_answer_text(x->op, event->by_client_id);
    out->by_client_host = group_answer_text(x->op, event->by_client_host);
    return out;
}

/* ---- members */

static int16_t awaited_request(const struct group_member *member)
{
    const struct group *group = member->group;
    if (member->is_pending || (group->state == GROUP_PREPARING && member->join == NULL))
        return GROUP_API_JOIN;
    return member->awaits_sync ? GROUP_API_SYNC : -1;
}

/* When it is out unless it is heard of; INT64_MAX: never, it waits for us. */
static int64_t deadline_ns(const struct group_member *member)
{
    const struct group *group = member->group;
    if (!group_member_may_be_given_up(member))
        return INT64_MAX;
    int64_t end_ns = member->expire_ns;
    bool is_absent = group->state == GROUP_PREPARING && !member->is_pending &&
                     member->join == NULL && member->instance_id == NULL;
    if (is_absent) /* a static member that does not join again stays */
        end_ns = MIN(end_ns, group->join_timer.node.key);
    if (member->awaits_sync)
        end_ns = MIN(end_ns, group->sync_timer.node.key);
    return end_ns;
}

static void fill_member(const struct explaining *x, const struct group_member *member,
                        struct describe_groups_response_explained_member *out)
{
    const struct group_op *parked = member->join != NULL ? member->join : member->sync;
    int64_t end_ns = deadline_ns(member);
    out->member_id = group_answer_text(x->op, member->id);
    out->group_instance_id = group_answer_text(x->op, member->instance_id);
    out->client_id = group_answer_text(x->op, member->client_id);
    out->client_host = group_answer_text(x->op, member->client_host);
    out->is_pending = member->is_pending;
    out->session_timeout_ms = member->session_timeout_ms;
    out->rebalance_timeout_ms = member->rebalance_timeout_ms;
    out->awaited_request = awaited_request(member);
    out->deadline_ms = end_ns != INT64_MAX ? calendar_ms(x, end_ns) : -1;
    if (member->asked_api != 0) {
        out->last_request = member->asked_api;
        out->last_request_ms = calendar_ms(x, member->asked_ns);
    }
    if (parked != NULL) {
        out->parked_request = member->join != NULL ? GROUP_API_JOIN : GROUP_API_SYNC;
        out->parked_ms = calendar_ms(x, parked->came_ns);
    }
}

/* Those that DescribeGroups has, in its order, then the pending ones. */
static void fill_members(const struct explaining *x, const struct group *group,
                         struct describe_groups_response_explanation *out)
{
    if (wire_array_new(x->op->arena, &describe_groups_response_explained_member_layout,
                       group->member_count + group->pending_count, &out->members) != ERR_OK) {
        x->op->error = KERR_COORDINATOR_NOT_AVAILABLE;
        return;
    }
    int32_t n = 0;
    LIST_FOR_EACH (node, &group->members)
        fill_member(x, container_of(node, struct group_member, link), &out->members.items[n++]);
    if (group->pending_count == 0)
        return;
    MAP_FOR_EACH (node, &group->by_id) {
        const struct group_member *member = container_of(node, struct group_member, by_id);
        if (member->is_pending)
            fill_member(x, member, &out->members.items[n++]);
    }
    ASSERT(n == out->members.count);
}

/* ---- the group */

static enum group_wait wait_of(const struct group *group)
{
    if (group->state == GROUP_PREPARING)
        return group->is_initial ? GROUP_WAIT_FIRST_MEMBERS : GROUP_WAIT_MEMBERS;
    if (group->state != GROUP_COMPLETING)
        return GROUP_WAIT_NONE;
    const struct group_member *leader = group_member_find(group, wire_str_of(group->leader));
    ASSERT(leader != NULL);
    return leader->awaits_sync ? GROUP_WAIT_ASSIGNMENT : GROUP_WAIT_WRITE;
}

/* When the waiting is over whoever is missing, if nobody comes meanwhile; -1: nothing ends it. */
static int64_t wait_end_ms(const struct explaining *x, const struct group *group)
{
    const struct group_settings *settings = &group->shard->settings;
    bool is_preparing = group->state == GROUP_PREPARING;
    const struct loop_timer *timer = is_preparing ? &group->join_timer : &group->sync_timer;
    if (!heap_contains(&timer->node) || wait_of(group) == GROUP_WAIT_NONE)
        return -1;
    int64_t end_ms = calendar_ms(x, timer->node.key);
    if (group->is_initial && group->has_new_member) /* it is going to be prolonged, KIP-134 */
        end_ms += MIN(settings->initial_rebalance_delay_ms, group->initial_left_ms);
    return end_ms;
}

static void fill_group(const struct explaining *x, const struct group *group,
                       struct describe_groups_response_explanation *out)
{
    out->state_since_ms = group->state_since_ms;
    out->known_since_ms = group->known_since_ms;
    out->is_loaded = group->is_loaded;
    out->generation_id = group->generation;
    out->protocol_name = group_answer_text(x->op, group->protocol);
    out->leader = group_answer_text(x->op, group->leader);
    out->rebalance_count = (int32_t)MIN(group->rebalance_count, (uint32_t)INT32_MAX);
    out->begun = event_of(x, group->begun);
    out->gone = event_of(x, group->gone);
    out->wait = (int8_t)wait_of(group);
    out->wait_end_ms = wait_end_ms(x, group);
    out->is_unwritten = group->is_unwritten;
    out->offset_count = (int32_t)MIN(group->offsets.offsets.count, (size_t)INT32_MAX);
    if (group->state == GROUP_EMPTY) { /* with members it would take reading all they say */
        struct group_expiry expiry = group_expiry_of(group);
        out->first_expiry_ms = expiry.first_ms;
        out->last_expiry_ms = expiry.last_ms;
    }
    fill_members(x, group, out);
}

static void explain(const struct group_shard *shard, struct group_op *op, const struct group *group)
{
    struct describe_groups_response_described_group *response = op->response;
    struct explaining x = {shard, op, group_shard_now_ms(shard), loop_now_ns(shard->loop)};
    enum kerr before = op->error;
    struct describe_groups_response_explanation *out =
        make(&x, &describe_groups_response_explanation_layout);
    if (out == NULL)
        return;
    out->now_ms = x.now_ms;
    fill_coordinator(&x, &out->coordinator);
    if (group != NULL)
        fill_group(&x, group, out);
    if (op->error == before) /* else there was no memory for all of it */
        response->explanation = out;
}

void group_op_explain(struct group_shard *shard, struct group_op *op)
{
    const struct wire_str *id = op->request;
    group_fill_described(shard, op);
    if (op->error == KERR_NONE)
        explain(shard, op, group_shard_find(shard, *id));
    op->done(op);
}

void group_op_explain_refused(struct group_shard *shard, struct group_op *op)
{
    enum kerr error = op->error;
    explain(shard, op, NULL);
    op->error = error;
}
