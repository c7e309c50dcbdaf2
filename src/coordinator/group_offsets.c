// SPDX-License-Identifier: Apache-2.0
/*
 * group_offsets: OffsetCommit (API 8), OffsetFetch (9) and OffsetDelete (47).
 *
 * Who commits is a member of the current generation, or, while nobody is in the group, anybody
 * ("simple" consumers, administrators).
 *
 * Thread: the shard's loop.
 */
#include "base/assert.h"
#include "base/canary.h"
#include "coordinator/group_private.h"
#include "coordinator/topic_marks.h"
#include "wire/codec.h"
#include "wire/offset_commit.h"
#include "wire/offset_delete.h"
#include "wire/offset_fetch.h"

enum { NO_OFFSET = -1, NO_EPOCH = -1, NO_RETENTION = -1, NOT_FOUND_SINCE = 9 };

static struct wire_str copy_text(struct arena *arena, const char *text, int32_t len)
{
    return (struct wire_str){arena_copy_text(arena, text, (size_t)len), len};
}

/* ---- commit */

static enum kerr check_commit(struct group *group, const struct offset_commit_request *request)
{
    bool is_member = request->generation_id_or_member_epoch >= 0 || request->member_id.len > 0 ||
                     !wire_str_is_null(request->group_instance_id);
    if (request->generation_id_or_member_epoch < 0 && group->state == GROUP_EMPTY)
        return KERR_NONE; /* whatever it calls itself */
    if (!is_member)
        return KERR_UNKNOWN_MEMBER_ID;
    struct group_member *member = NULL;
    enum kerr error =
        group_check_member(group, request->member_id, request->group_instance_id, &member);
    if (error != KERR_NONE)
        return error;
    group_member_asked(member, GROUP_API_OFFSET_COMMIT);
    if (request->generation_id_or_member_epoch != group->generation && !CANARY(ZOMBIE_COMMIT))
        return KERR_ILLEGAL_GENERATION;
    group_member_renew(member);
    return group->state == GROUP_COMPLETING ? KERR_REBALANCE_IN_PROGRESS : KERR_NONE;
}

struct commit {
    struct group *group;
    const struct offset_commit_request *request;
    struct offset_commit_response *response;
    int64_t now_ms;
};

/* The end of time at most: a client may ask for 2^63 ms. Not negative, which would mean none. */
static int64_t time_after(int64_t now_ms, int64_t ms)
{
    return ms > INT64_MAX - now_ms ? INT64_MAX : MAX(now_ms + ms, 0);
}

static struct offset_put put_of(const struct commit *c, int32_t t, int32_t p)
{
    const struct offset_commit_request_topic *topic = &c->request->topics.items[t];
    const struct offset_commit_request_partition *row = &topic->partitions.items[p];
    int64_t retention_ms = c->request->retention_time_ms;
    return (struct offset_put){
        .topic = topic->name,
        .topic_id = topic->topic_id,
        .partition = row->partition_index,
        .leader_epoch = row->committed_leader_epoch,
        .offset = row->committed_offset,
        .commit_ms = c->now_ms,
        .expire_ms = retention_ms == NO_RETENTION ? -1 : time_after(c->now_ms, retention_ms),
        .metadata =
            wire_str_is_null(row->committed_metadata) ? wire_str_of("") : row->committed_metadata,
    };
}

/* Calls `each` for every row that nothing speaks against; ends at its first error. */
static enum err each_row(struct commit *c,
                         enum err (*each)(struct commit *c, const struct offset_put *put))
{
    enum err e = ERR_OK;
    for (int32_t t = 0; t < c->request->topics.count; t++) {
        const struct offset_commit_response_topic *out = &c->response->topics.items[t];
        ASSERT(out->partitions.count == c->request->topics.items[t].partitions.count);
        for (int32_t p = 0; p < out->partitions.count && e == ERR_OK; p++) {
            struct offset_put put = put_of(c, t, p);
            if (out->partitions.items[p].error_code == KERR_NONE)
                e = each(c, &put);
        }
    }
    return e;
}

static enum err record_row(struct commit *c, const struct offset_put *put)
{
    return group_record_offset(c->group, put);
}

static enum err put_row(struct commit *c, const struct offset_put *put)
{
    if (!offset_table_put(&c->group->offsets, put))
        return ERR_NO_MEMORY;
    group_stats_add(&c->group->shard->stats->offsets_committed, 1);
    return ERR_OK;
}

/* As Java counts: a character outside the basic plane, four bytes in UTF-8, is two. */
static int32_t utf16_len(struct wire_str text)
{
    int32_t units = 0;
    for (int32_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        units += ((byte & 0xc0) != 0x80) + (byte >= 0xf0);
    }
    return units;
}

static void mark_long_metadata(struct commit *c, int32_t metadata_bytes_max)
{
    for (int32_t t = 0; t < c->request->topics.count; t++) {
        const struct offset_commit_request_topic *topic = &c->request->topics.items[t];
        for (int32_t p = 0; p < topic->partitions.count; p++) {
            int16_t *error = &c->response->topics.items[t].partitions.items[p].error_code;
            if (*error == KERR_NONE &&
                utf16_len(topic->partitions.items[p].committed_metadata) > metadata_bytes_max)
                *error = KERR_OFFSET_METADATA_TOO_LARGE;
        }
    }
}

static void fail_rows(struct commit *c, enum kerr error)
{
    for (int32_t t = 0; t < c->response->topics.count; t++) {
        struct offset_commit_response_partition_array *rows =
            &c->response->topics.items[t].partitions;
        for (int32_t p = 0; p < rows->count; p++) {
            if (rows->items[p].error_code == KERR_NONE)
                rows->items[p].error_code = (int16_t)error;
        }
    }
}

static enum kerr write_rows(struct group_shard *shard, struct commit *c)
{
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    enum err e = each_row(c, record_row);
    if (e == ERR_OK)
        group_shard_write(shard, &error);
    else
        group_shard_forget_records(shard);
    bool is_too_large = e == ERR_TOO_LARGE || error == KERR_MESSAGE_TOO_LARGE;
    return is_too_large ? KERR_UNKNOWN_SERVER_ERROR : error; /* Kafka's word for it, too */
}

void group_op_commit_offsets(struct group_shard *shard, struct group_op *op)
{
    struct commit c = {.group = NULL,
                       .request = op->request,
                       .response = op->response,
                       .now_ms = group_shard_now_ms(shard)};
    enum kerr error = KERR_NONE;
    c.group = group_shard_find(shard, c.request->group_id);
    bool is_new = c.group == NULL;
    if (is_new && c.request->generation_id_or_member_epoch >= 0)
        error = op->version >= NOT_FOUND_SINCE ? KERR_GROUP_ID_NOT_FOUND : KERR_ILLEGAL_GENERATION;
    else if (is_new)
        c.group = group_shard_make(shard, c.request->group_id);
    if (error == KERR_NONE)
        error = c.group != NULL ? check_commit(c.group, c.request) : KERR_COORDINATOR_NOT_AVAILABLE;
    if (error == KERR_NONE) {
        mark_long_metadata(&c, shard->settings.offset_metadata_bytes_max);
        error = write_rows(shard, &c);
    }
    if (error == KERR_NONE && each_row(&c, put_row) != ERR_OK) {
        /* What is on its way into the log is more than there is memory for. */
        group_shard_give_up(shard, KERR_COORDINATOR_NOT_AVAILABLE);
        group_shard_refuse(shard, op, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    if (error != KERR_NONE)
        fail_rows(&c, error);
    if (is_new && c.group != NULL && c.group->offsets.offsets.count == 0)
        group_shard_remove(shard, c.group);
    else if (c.group != NULL && c.request->retention_time_ms != NO_RETENTION)
        group_expiry_plan_anew(c.group);
    else if (c.group != NULL)
        group_expiry_plan(c.group);
    group_shard_finish(shard, op);
}

/* ---- fetch */

static void fill_none(struct offset_fetch_response_partitions *row, int32_t partition)
{
    *row = (struct offset_fetch_response_partitions){
        .partition_index = partition,
        .committed_offset = NO_OFFSET,
        .committed_leader_epoch = NO_EPOCH,
        .metadata = wire_str_of(""),
    };
}

/* False: no memory. */
static bool fill_row(struct arena *arena, struct offset_fetch_response_partitions *row,
                     const struct committed_offset *offset)
{
    *row = (struct offset_fetch_response_partitions){
        .partition_index = offset->partition,
        .committed_offset = offset->offset,
        .committed_leader_epoch = offset->leader_epoch,
        .metadata = copy_text(arena, offset->metadata, offset->metadata_len),
    };
    return row->metadata.data != NULL;
}

static bool fill_asked(const struct group *group, struct arena *arena,
                       const struct offset_fetch_request_topics *asked,
                       struct offset_fetch_response_topics *out)
{
    const struct wire_i32_array *wanted = &asked->partition_indexes;
    const struct offset_topic *topic =
        group != NULL ? offset_table_topic(&group->offsets, asked->name) : NULL;
    out->name = asked->name;
    out->topic_id = asked->topic_id;
    if (wire_array_new(arena, &offset_fetch_response_partitions_layout, wanted->count,
                       &out->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < wanted->count; i++) {
        struct offset_fetch_response_partitions *row = &out->partitions.items[i];
        const struct committed_offset *offset =
            topic != NULL ? offset_table_find(&group->offsets, topic, wanted->items[i]) : NULL;
        fill_none(row, wanted->items[i]);
        if (offset != NULL && !fill_row(arena, row, offset))
            return false;
    }
    return true;
}

static bool fill_topic(struct arena *arena, const struct offset_topic *topic,
                       struct offset_fetch_response_topics *out)
{
    int32_t count = 0;
    LIST_FOR_EACH (node, &topic->partitions)
        count++;
    out->name = copy_text(arena, topic->name, topic->name_len);
    if (out->name.data == NULL || wire_array_new(arena, &offset_fetch_response_partitions_layout,
                                                 count, &out->partitions) != ERR_OK)
        return false;
    int32_t n = 0;
    LIST_FOR_EACH (node, &topic->partitions) {
        if (!fill_row(arena, &out->partitions.items[n++],
                      container_of(node, struct committed_offset, link)))
            return false;
    }
    return true;
}

static bool fill_all(const struct group *group, struct arena *arena,
                     struct offset_fetch_response_group *response)
{
    int32_t count = group != NULL ? (int32_t)group->offsets.topics_by_name.count : 0;
    if (wire_array_new(arena, &offset_fetch_response_topics_layout, count, &response->topics) !=
        ERR_OK)
        return false;
    int32_t n = 0;
    for (struct list *node = count > 0 ? group->offsets.topics.next : NULL; n < count;
         node = node->next) {
        if (!fill_topic(arena, container_of(node, struct offset_topic, link),
                        &response->topics.items[n++]))
            return false;
    }
    return true;
}

void group_op_fetch_offsets(struct group_shard *shard, struct group_op *op)
{
    const struct offset_fetch_request_group *request = op->request;
    struct offset_fetch_response_group *response = op->response;
    const struct group *group = group_shard_find(shard, request->group_id);
    bool is_filled = true;
    if (request->topics.items == NULL && request->topics.count < 0) {
        is_filled = fill_all(group, op->arena, response);
    } else {
        is_filled = wire_array_new(op->arena, &offset_fetch_response_topics_layout,
                                   request->topics.count, &response->topics) == ERR_OK;
        for (int32_t i = 0; i < request->topics.count && is_filled; i++)
            is_filled =
                fill_asked(group, op->arena, &request->topics.items[i], &response->topics.items[i]);
    }
    if (!is_filled)
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    group_shard_finish(shard, op);
}

/* ---- delete */

static enum kerr check_delete(const struct group *group)
{
    if (group == NULL)
        return KERR_GROUP_ID_NOT_FOUND;
    return group->state != GROUP_EMPTY && !group_is_of_consumers(group) ? KERR_NON_EMPTY_GROUP
                                                                        : KERR_NONE;
}

static void mark(void *arg, struct wire_str topic)
{
    topic_marks_set(arg, topic);
}

/* Which of the topics that are asked for a member reads. */
static enum err mark_read(const struct group *group, const struct offset_delete_request *request,
                          struct topic_marks *read)
{
    if (group->state == GROUP_EMPTY)
        return ERR_OK;
    for (int32_t t = 0; t < request->topics.count; t++) {
        if (!topic_marks_add(read, request->topics.items[t].name))
            return ERR_NO_MEMORY;
    }
    read->all = !group_walk_topics(group, mark, read);
    return ERR_OK;
}

/* Rows without an error are of topics and partitions that exist. */
static enum err delete_rows(struct group *group, const struct offset_delete_request *request,
                            struct offset_delete_response *response, struct topic_marks *read)
{
    enum err e = mark_read(group, request, read);
    for (int32_t t = 0; t < request->topics.count && e == ERR_OK; t++) {
        const struct offset_delete_request_topic *asked = &request->topics.items[t];
        struct offset_delete_response_partition_array *rows = &response->topics.items[t].partitions;
        const struct offset_topic *topic = offset_table_topic(&group->offsets, asked->name);
        bool is_read = topic_marks_has(read, asked->name);
        for (int32_t p = 0; p < rows->count && e == ERR_OK; p++) {
            int32_t partition = asked->partitions.items[p].partition_index;
            if (rows->items[p].error_code != KERR_NONE)
                continue;
            if (is_read)
                rows->items[p].error_code = KERR_GROUP_SUBSCRIBED_TO_TOPIC;
            else if (topic != NULL && offset_table_find(&group->offsets, topic, partition) != NULL)
                e = group_record_offset_gone(group, asked->name, partition);
        }
    }
    return e;
}

static void forget_rows(struct group *group, const struct offset_delete_request *request,
                        const struct offset_delete_response *response)
{
    size_t before = group->offsets.offsets.count;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct offset_delete_request_topic *asked = &request->topics.items[t];
        for (int32_t p = 0; p < asked->partitions.count; p++) {
            if (response->topics.items[t].partitions.items[p].error_code == KERR_NONE)
                offset_table_remove(&group->offsets, asked->name,
                                    asked->partitions.items[p].partition_index);
        }
    }
    group_stats_add(&group->shard->stats->offsets_deleted, before - group->offsets.offsets.count);
}

void group_op_delete_offsets(struct group_shard *shard, struct group_op *op)
{
    const struct offset_delete_request *request = op->request;
    struct offset_delete_response *response = op->response;
    struct group *group = group_shard_find(shard, request->group_id);
    enum kerr error = check_delete(group);
    if (error == KERR_NONE) {
        error = KERR_COORDINATOR_NOT_AVAILABLE;
        struct topic_marks read;
        topic_marks_init(&read, op->arena, shard->hash_seed);
        if (delete_rows(group, request, response, &read) == ERR_OK)
            group_shard_write(shard, &error);
        else
            group_shard_forget_records(shard);
        topic_marks_deinit(&read);
    }
    response->error_code = (int16_t)error;
    if (error == KERR_NONE) {
        forget_rows(group, request, response);
        group_expiry_plan(group);
    } else {
        response->topics.count = 0;
    }
    group_shard_finish(shard, op);
}
