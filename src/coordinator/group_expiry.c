// SPDX-License-Identifier: Apache-2.0
/*
 * group_expiry: offsets and groups that nobody has needed for long are forgotten.
 *
 * An offset goes offsets.retention.minutes after
 *  - its group became empty, for a group that had members;
 *  - its commit, for a group that never had any ("simple" consumers), and for a topic that no
 * member of a consumer group reads any more; or at the time that its commit gave (OffsetCommit
 * before version 5). An empty group without offsets goes with the last of them. A group looks at
 * itself when the first of its offsets may be due, so there is no round over all groups.
 *
 * Thread: the shard's loop.
 */
#include "base/assert.h"
#include "coordinator/group_private.h"
#include "env/logger.h"

enum { NS_PER_MS = 1000000, MS_MAX = 1000 * 3600 * 24 };

static void mark_one(void *arg, struct wire_str name)
{
    struct group *group = arg;
    struct offset_topic *topic = offset_table_topic(&group->offsets, name);
    if (topic != NULL)
        topic->is_read = true;
}

/* Looks into what members say: once for all topics. */
static void mark_read(struct group *group)
{
    if (group->state != GROUP_STABLE || !group_is_of_consumers(group))
        return; /* is_kept does not ask */
    LIST_FOR_EACH (node, &group->offsets.topics)
        container_of(node, struct offset_topic, link)->is_read = false;
    if (group_walk_topics(group, mark_one, group))
        return;
    LIST_FOR_EACH (node, &group->offsets.topics)
        container_of(node, struct offset_topic, link)->is_read = true;
}

/* No offset of this topic expires as things are. After mark_read. */
static bool is_kept(const struct group *group, const struct offset_topic *topic)
{
    bool had_members = group->protocol_type != NULL;
    if (!had_members || group->state == GROUP_EMPTY)
        return false;
    return group->state != GROUP_STABLE || !group_is_of_consumers(group) || topic->is_read;
}

/* Of a topic that is not kept. */
static int64_t due_ms(const struct group *group, const struct committed_offset *offset)
{
    int64_t retention_ms = group->shard->settings.offsets_retention_ms;
    bool had_members = group->protocol_type != NULL;
    if (offset->expire_ms >= 0)
        return offset->expire_ms;
    int64_t from_ms = offset->commit_ms;
    if (had_members && group->state == GROUP_EMPTY)
        from_ms = MAX(from_ms, group->state_since_ms);
    /* The log may hold any number. */
    return from_ms > INT64_MAX - retention_ms ? INT64_MAX : from_ms + retention_ms;
}

/* The first due time behind now, INT64_MAX when there is none; what is due gets a record. */
static enum err record_due(struct group *group, int64_t now_ms, int64_t *next_ms, uint32_t *count)
{
    *next_ms = INT64_MAX;
    *count = 0;
    LIST_FOR_EACH (node, &group->offsets.topics) {
        const struct offset_topic *topic = container_of(node, struct offset_topic, link);
        if (is_kept(group, topic))
            continue;
        LIST_FOR_EACH (inner, &topic->partitions) {
            const struct committed_offset *offset =
                container_of(inner, struct committed_offset, link);
            int64_t at_ms = due_ms(group, offset);
            if (at_ms > now_ms) {
                *next_ms = MIN(*next_ms, at_ms);
                continue;
            }
            enum err e = group_record_offset_gone(
                group, (struct wire_str){topic->name, topic->name_len}, offset->partition);
            if (e != ERR_OK)
                return e;
            ++*count;
        }
    }
    return ERR_OK;
}

static void forget_due(struct group *group, int64_t now_ms)
{
    LIST_FOR_EACH_SAFE (node, &group->offsets.topics) {
        const struct offset_topic *topic = container_of(node, struct offset_topic, link);
        struct wire_str name = {topic->name, topic->name_len};
        uint32_t left = 0;
        if (is_kept(group, topic))
            continue;
        LIST_FOR_EACH (inner, &topic->partitions)
            left++;
        /* The topic goes with its last offset: nothing of it is touched behind that. */
        for (struct list *inner = topic->partitions.next; left > 0; left--) {
            const struct committed_offset *offset =
                container_of(inner, struct committed_offset, link);
            inner = inner->next;
            if (due_ms(group, offset) <= now_ms)
                offset_table_remove(&group->offsets, name, offset->partition);
        }
    }
}

static bool is_forgettable(const struct group *group, uint32_t offsets_going)
{
    return group->state == GROUP_EMPTY && group->pending_count == 0 &&
           group->offsets.offsets.count == offsets_going;
}

static void plan_at(struct group *group, int64_t at_wall_ms)
{
    struct group_shard *shard = group->shard;
    int64_t now_ms = group_shard_now_ms(shard);
    int64_t in_ms = MAX(at_wall_ms - now_ms, shard->settings.retention_check_ms);
    in_ms = MIN(in_ms, (int64_t)MS_MAX); /* the calendar may jump meanwhile */
    loop_timer_start(shard->loop, &group->expiry_timer,
                     loop_now_ns(shard->loop) + in_ms * NS_PER_MS);
}

static void look(struct loop_timer *timer)
{
    struct group *group = container_of(timer, struct group, expiry_timer);
    struct group_shard *shard = group->shard;
    int64_t now_ms = group_shard_now_ms(shard), next_ms;
    uint32_t count;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    mark_read(group);
    enum err e = record_due(group, now_ms, &next_ms, &count);
    bool goes = is_forgettable(group, count);
    if (e == ERR_OK && goes)
        e = group_record_gone(group);
    else if (e == ERR_OK && !goes && group->is_unwritten)
        e = group_record(group, ASSIGNMENT_NONE);
    if (e == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    if (error != KERR_NONE) {
        plan_at(group, now_ms); /* again after the usual pause */
        return;
    }
    group->has_record |= group->is_unwritten;
    group->is_unwritten = false;
    if (count > 0)
        log_info(shard->env, "group %s: %u committed offsets have expired", group->id, count);
    group_stats_add(&shard->stats->offsets_expired, count);
    forget_due(group, now_ms);
    if (goes)
        group_shard_remove(shard, group);
    else if (group->offsets.offsets.count > 0 || group->state == GROUP_EMPTY)
        plan_at(group, next_ms == INT64_MAX ? now_ms + MS_MAX : next_ms);
}

struct group_expiry group_expiry_of(const struct group *group)
{
    struct group_expiry expiry = {-1, -1};
    LIST_FOR_EACH (node, &group->offsets.topics) {
        const struct offset_topic *topic = container_of(node, struct offset_topic, link);
        if (is_kept(group, topic))
            continue;
        LIST_FOR_EACH (inner, &topic->partitions) {
            int64_t at_ms = due_ms(group, container_of(inner, struct committed_offset, link));
            expiry.first_ms = expiry.first_ms < 0 ? at_ms : MIN(expiry.first_ms, at_ms);
            expiry.last_ms = MAX(expiry.last_ms, at_ms);
        }
    }
    return expiry;
}

void group_expiry_plan(struct group *group)
{
    if (heap_contains(&group->expiry_timer.node) || group->state == GROUP_DEAD)
        return;
    group->expiry_timer.fire = look;
    plan_at(group, group_shard_now_ms(group->shard));
}

void group_expiry_plan_anew(struct group *group)
{
    loop_timer_stop(group->shard->loop, &group->expiry_timer);
    group_expiry_plan(group);
}

enum kerr group_write_gone(struct group *group)
{
    struct group_shard *shard = group->shard;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    enum err e = ERR_OK;
    LIST_FOR_EACH (node, &group->offsets.topics) {
        const struct offset_topic *topic = container_of(node, struct offset_topic, link);
        LIST_FOR_EACH (inner, &topic->partitions) {
            if (e == ERR_OK)
                e = group_record_offset_gone(
                    group, (struct wire_str){topic->name, topic->name_len},
                    container_of(inner, struct committed_offset, link)->partition);
        }
    }
    if (e == ERR_OK)
        e = group_record_gone(group); /* of one that never had members, too, as Kafka does */
    if (e == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    return error;
}

bool group_forget_topic(struct group *group, struct wire_str name)
{
    struct group_shard *shard = group->shard;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    enum err e = ERR_OK;
    const struct offset_topic *topic = offset_table_topic(&group->offsets, name);
    if (topic == NULL)
        return true;
    LIST_FOR_EACH (node, &topic->partitions) {
        if (e == ERR_OK)
            e = group_record_offset_gone(
                group, name, container_of(node, struct committed_offset, link)->partition);
    }
    if (e == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    if (error != KERR_NONE)
        return false;
    while ((topic = offset_table_topic(&group->offsets, name)) != NULL)
        offset_table_remove(
            &group->offsets, name,
            container_of(topic->partitions.next, struct committed_offset, link)->partition);
    group_expiry_plan(group);
    return true;
}
