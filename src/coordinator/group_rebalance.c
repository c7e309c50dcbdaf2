// SPDX-License-Identifier: Apache-2.0
/*
 * group_rebalance: rounds of joining: when one begins, when it is complete, and who is given up.
 *
 *   1. Somebody joins, leaves, changes or dies: PREPARING. Members learn of it from their
 * heartbeats and join again; each JoinGroup is parked.
 *   2. All have joined, or the longest rebalance timeout is over: who has not joined is out (a
 * static member stays), the next generation begins: COMPLETING, all are answered, the leader with
 *      everybody's metadata. A group that was empty waits a little for more to come first
 *      (group.initial.rebalance.delay.ms, KIP-134).
 *   3. Each sends SyncGroup and is parked; the leader's brings the assignment, which goes into the
 *      log; once that is committed: STABLE, all are answered. Who has not sent his within the
 *      rebalance timeout is out, and it begins again.
 *
 * A member that is not heard of for its session timeout is out, unless it waits for us.
 *
 * Thread: the shard's loop.
 */
#include "base/assert.h"
#include "coordinator/group_private.h"
#include "env/logger.h"
#include "wire/sync_group.h"

enum { NS_PER_MS = 1000000, AGAIN_MS = 1000 };

static void complete_join(struct group *group);

static int64_t now_ms(const struct group *group)
{
    return group_shard_now_ms(group->shard);
}

static void start_timer(struct group *group, struct loop_timer *timer, int64_t within_ms)
{
    struct loop *loop = group->shard->loop;
    loop_timer_start(loop, timer, loop_now_ns(loop) + within_ms * NS_PER_MS);
}

void group_stop_timers(struct group *group)
{
    struct loop *loop = group->shard->loop;
    loop_timer_stop(loop, &group->join_timer);
    loop_timer_stop(loop, &group->sync_timer);
    loop_timer_stop(loop, &group->expiry_timer);
    MAP_FOR_EACH (node, &group->by_id)
        loop_timer_stop(loop, &container_of(node, struct group_member, by_id)->timer);
}

/* ---- members' time */

/* New members can be given up while their JoinGroup is parked: they have no id to send heartbeats
 * with. All others that wait for us need not. */
bool group_member_may_be_given_up(const struct group_member *member)
{
    return member->is_new || (member->join == NULL && member->sync == NULL);
}

static void member_timer_fired(struct loop_timer *timer)
{
    struct group_member *member = container_of(timer, struct group_member, timer);
    struct group *group = member->group;
    struct loop *loop = group->shard->loop;
    if (loop_now_ns(loop) < member->expire_ns) {
        loop_timer_start(loop, timer, member->expire_ns);
        return;
    }
    group_check(group);
    if (!member->is_pending && !group_member_may_be_given_up(member))
        return; /* begins anew when it is answered */
    log_info(group->shard->env, "group %s: member %s was not heard of in time and is out",
             group->id, member->id);
    group_member_gone(member, GROUP_EVENT_SESSION_OVER);
}

/* A later end only moves the mark; the timer looks at it when it fires. */
void group_member_expect(struct group_member *member, int64_t within_ms)
{
    struct loop *loop = member->group->shard->loop;
    int64_t before_ns = member->expire_ns;
    member->timer.fire = member_timer_fired;
    member->expire_ns = loop_now_ns(loop) + within_ms * NS_PER_MS;
    if (!heap_contains(&member->timer.node) || member->expire_ns < before_ns)
        loop_timer_start(loop, &member->timer, member->expire_ns);
}

void group_member_renew(struct group_member *member)
{
    group_member_expect(member, member->session_timeout_ms);
}

void group_member_asked(struct group_member *member, enum group_api api)
{
    member->asked_api = (uint8_t)api;
    member->asked_ns = loop_now_ns(member->group->shard->loop);
}

/* ---- what happened */

static struct group_event *event_of(const struct group *group, const struct group_cause *cause)
{
    struct group_event_options options = {
        .kind = cause->kind,
        .member = cause->member,
        .reason = cause->reason,
        .by = cause->kind == GROUP_EVENT_REMOVED ? cause->op : NULL,
        .at_ms = now_ms(group),
    };
    return group_event_new(&options);
}

/* Takes the reference. */
static void set_event(struct group_event **to, struct group_event *event)
{
    group_event_unref(*to);
    *to = event;
}

/* ---- going */

void group_note_gone(const struct group_cause *cause, int32_t before)
{
    struct group *group = cause->member->group;
    if (before == 0)
        set_event(&group->gone, event_of(group, cause));
    else if (group->gone != NULL)
        group->gone->others = before;
}

void group_member_take_out(struct group_member *member)
{
    struct group *group = member->group;
    struct group_op *join = member->join, *sync = member->sync;
    loop_timer_stop(group->shard->loop, &member->timer);
    member->join = NULL;
    member->sync = NULL;
    if (join != NULL) {
        group->joining_count--;
        group_fill_join_error(join, KERR_UNKNOWN_MEMBER_ID, wire_str_of(""));
    }
    if (sync != NULL) {
        struct sync_group_response *response = sync->response;
        response->error_code = KERR_UNKNOWN_MEMBER_ID;
    }
    group_remove_member(group, member);
    if (join != NULL)
        group_shard_finish(group->shard, join);
    if (sync != NULL)
        group_shard_finish(group->shard, sync);
}

void group_member_gone(struct group_member *member, enum group_event_kind kind)
{
    struct group *group = member->group;
    bool was_pending = member->is_pending;
    if (!was_pending)
        group_note_gone(&(struct group_cause){.kind = kind, .member = member, .reason.len = -1}, 0);
    group_member_take_out(member);
    if (group->state == GROUP_STABLE || group->state == GROUP_COMPLETING) {
        if (!was_pending)
            group_rebalance_gone(group);
    } else {
        group_rebalance_maybe_complete(group);
    }
    group_check(group);
}

/* ---- waiting for assignments */

static bool copy_to(struct group_op *op, const void *from, int32_t len, const void **to)
{
    *to = arena_copy_text(op->arena, from, (size_t)MAX(len, 0));
    return *to != NULL;
}

static bool fill_synced(const struct group_member *member, struct group_op *op)
{
    const struct group *group = member->group;
    struct sync_group_response *response = op->response;
    struct wire_str type = wire_str_of(group->protocol_type), name = wire_str_of(group->protocol);
    const void *copies[3] = {NULL};
    if (!copy_to(op, type.data, type.len, &copies[0]) ||
        !copy_to(op, name.data, name.len, &copies[1]) ||
        !copy_to(op, member->assignment.data, member->assignment.len, &copies[2]))
        return false;
    response->protocol_type = (struct wire_str){copies[0], type.len};
    response->protocol_name = (struct wire_str){copies[1], name.len};
    response->assignment = (struct wire_bytes){copies[2], member->assignment.len};
    return true;
}

void group_answer_sync(struct group_member *member, enum kerr error)
{
    struct group_op *op = member->sync;
    struct sync_group_response *response = op->response;
    member->sync = NULL;
    response->error_code = (int16_t)error;
    if (error == KERR_NONE && !fill_synced(member, op))
        op->error = KERR_COORDINATOR_NOT_AVAILABLE; /* no memory for this answer */
    group_member_renew(member);
    group_shard_finish(member->group->shard, op);
}

void group_answer_syncs(struct group *group, enum kerr error)
{
    LIST_FOR_EACH (node, &group->members) {
        struct group_member *member = container_of(node, struct group_member, link);
        if (member->sync != NULL)
            group_answer_sync(member, error);
    }
}

static void clear_awaited(struct group *group)
{
    LIST_FOR_EACH (node, &group->members)
        container_of(node, struct group_member, link)->awaits_sync = false;
    group->awaited_syncs = 0;
    loop_timer_stop(group->shard->loop, &group->sync_timer);
}

void group_member_synced(struct group_member *member)
{
    struct group *group = member->group;
    if (!member->awaits_sync)
        return;
    member->awaits_sync = false;
    if (--group->awaited_syncs == 0)
        loop_timer_stop(group->shard->loop, &group->sync_timer);
}

static void sync_timer_fired(struct loop_timer *timer)
{
    struct group *group = container_of(timer, struct group, sync_timer);
    int32_t count = 0;
    if (group->state != GROUP_COMPLETING && group->state != GROUP_STABLE)
        return;
    LIST_FOR_EACH_SAFE (node, &group->members) {
        struct group_member *member = container_of(node, struct group_member, link);
        if (!member->awaits_sync)
            continue;
        struct group_cause cause = {GROUP_EVENT_NOT_SYNCED, member, NULL, {NULL, -1}};
        group_note_gone(&cause, count++);
        log_info(group->shard->env, "group %s: member %s sent no SyncGroup in time and is out",
                 group->id, member->id);
        group_member_take_out(member);
    }
    group_rebalance_gone(group);
    group_check(group);
}

/* ---- joining */

static void answer_joins(struct group *group)
{
    LIST_FOR_EACH (node, &group->members) {
        struct group_member *member = container_of(node, struct group_member, link);
        struct group_op *op = member->join;
        member->awaits_sync = true;
        group->awaited_syncs++;
        if (op == NULL)
            continue; /* a static member that is not here just now */
        member->join = NULL;
        member->is_new = false;
        group->joining_count--;
        if (!group_fill_joined(group, member, op, false))
            op->error = KERR_COORDINATOR_NOT_AVAILABLE;
        group_member_renew(member);
        group_shard_finish(group->shard, op);
    }
    group->sync_timer.fire = sync_timer_fired;
    start_timer(group, &group->sync_timer, group_rebalance_timeout_ms(group));
}

/* Writes that the group is empty. When that fails it is tried again when the group looks at what
 * expires; until then the log has the last generation, in which nobody is. */
static void write_empty(struct group *group)
{
    struct group_shard *shard = group->shard;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    if (group_record(group, ASSIGNMENT_NONE) == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    group->is_unwritten = error != KERR_NONE;
    group->has_record |= !group->is_unwritten;
    group_expiry_plan(group);
}

/* Dynamic members that have not joined again are out. */
static void drop_absent(struct group *group)
{
    int32_t count = 0;
    LIST_FOR_EACH_SAFE (node, &group->members) {
        struct group_member *member = container_of(node, struct group_member, link);
        if (member->join != NULL || member->instance_id != NULL)
            continue;
        struct group_cause cause = {GROUP_EVENT_NOT_JOINED, member, NULL, {NULL, -1}};
        group_note_gone(&cause, count++);
        log_info(group->shard->env, "group %s: member %s did not join again in time and is out",
                 group->id, member->id);
        group_member_take_out(member);
    }
}

static void join_timer_fired(struct loop_timer *timer)
{
    struct group *group = container_of(timer, struct group, join_timer);
    ASSERT(group->state == GROUP_PREPARING);
    if (group->is_initial && group->has_new_member && group->initial_left_ms > 0) {
        int32_t delay_ms =
            MIN(group->shard->settings.initial_rebalance_delay_ms, group->initial_left_ms);
        group->has_new_member = false;
        group->initial_left_ms = MAX(group->initial_left_ms - group->initial_delay_ms, 0);
        group->initial_delay_ms = delay_ms;
        start_timer(group, &group->join_timer, delay_ms);
        return;
    }
    complete_join(group);
    group_check(group);
}

static void complete_join(struct group *group)
{
    struct group_shard *shard = group->shard;
    loop_timer_stop(shard->loop, &group->join_timer);
    group->is_initial = false;
    drop_absent(group);
    if (!group_elect_joined_leader(group) && group->member_count > 0) {
        /* Only static members are left, and none of them is here: once more. */
        start_timer(group, &group->join_timer, MAX(group_rebalance_timeout_ms(group), AGAIN_MS));
        return;
    }
    if (!group_next_generation(group, now_ms(group))) {
        start_timer(group, &group->join_timer, AGAIN_MS); /* no memory just now */
        return;
    }
    log_info(shard->env, "group %s: generation %d has %d members", group->id, group->generation,
             group->member_count);
    if (group->state == GROUP_EMPTY)
        write_empty(group);
    else
        answer_joins(group);
}

void group_rebalance_maybe_complete(struct group *group)
{
    /* A first round always takes its delay. */
    if (group->state == GROUP_PREPARING && !group->is_initial && group_is_complete(group))
        complete_join(group);
}

static bool is_round_under_way(const struct group *group)
{
    return group->state == GROUP_PREPARING || group->state == GROUP_DEAD;
}

/* A new round, for the reason that group->begun has. */
static void begin_round(struct group *group)
{
    const struct group_event *begun = group->begun;
    ASSERT(!is_round_under_way(group));
    group->rebalance_count++;
    if (group->state == GROUP_COMPLETING) {
        LIST_FOR_EACH (node, &group->members)
            group_bytes_free(&container_of(node, struct group_member, link)->assignment);
        group_answer_syncs(group, KERR_REBALANCE_IN_PROGRESS);
    }
    clear_awaited(group);
    loop_timer_stop(group->shard->loop, &group->expiry_timer);
    group->is_initial = group->state == GROUP_EMPTY;
    group->is_unwritten = false; /* the next generation is written in any case */
    group_set_state(group, GROUP_PREPARING, now_ms(group));
    log_info(group->shard->env, "group %s: rebalance after generation %d: %s", group->id,
             group->generation,
             group_event_kind_text(begun != NULL ? begun->kind : GROUP_EVENT_UNKNOWN));
    group->join_timer.fire = join_timer_fired;
    if (group->is_initial) {
        int32_t delay_ms = group->shard->settings.initial_rebalance_delay_ms;
        group->has_new_member = false;
        group->initial_delay_ms = delay_ms;
        group->initial_left_ms = MAX(group_rebalance_timeout_ms(group) - delay_ms, 0);
        start_timer(group, &group->join_timer, delay_ms);
    } else if (group_is_complete(group)) {
        complete_join(group);
    } else {
        start_timer(group, &group->join_timer, group_rebalance_timeout_ms(group));
    }
}

void group_rebalance(struct group *group, const struct group_cause *cause)
{
    if (is_round_under_way(group)) {
        group_rebalance_maybe_complete(group);
        return;
    }
    set_event(&group->begun, event_of(group, cause));
    begin_round(group);
}

void group_rebalance_gone(struct group *group)
{
    if (is_round_under_way(group)) {
        group_rebalance_maybe_complete(group);
        return;
    }
    set_event(&group->begun, group_event_ref(group->gone));
    begin_round(group);
}

void group_rebalance_loaded(struct group *group)
{
    struct group_cause too_many = {GROUP_EVENT_TOO_MANY, NULL, NULL, {NULL, -1}};
    group->known_since_ms = now_ms(group);
    LIST_FOR_EACH (node, &group->members)
        group_member_renew(container_of(node, struct group_member, link));
    if (group->member_count == 0 || group->offsets.offsets.count > 0)
        group_expiry_plan(group);
    if (group->member_count > group->shard->settings.members_max)
        group_rebalance(group, &too_many);
    group_check(group);
}
