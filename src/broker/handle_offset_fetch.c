// SPDX-License-Identifier: Apache-2.0
/*
 * handle_offset_fetch: up to where groups have read (API 9). Before version 8 it is one group,
 * which is asked and answered in the form of the later versions and put into the old one here.
 * From version 10 on topics are named by id.
 *
 * Thread: the request's reactor; the shards' loops have the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/offset_fetch.h"

enum { BATCH_SINCE = 8, TOP_ERROR_SINCE = 2, BY_ID_SINCE = 10, NO_OFFSET = -1, NO_EPOCH = -1 };

/* ---- the old form */

static bool make_batch(struct request *rq, struct offset_fetch_request *request)
{
    struct arena *arena = &rq->net->arena;
    if (wire_array_new(arena, &offset_fetch_request_group_layout, 1, &request->groups) != ERR_OK)
        return false;
    struct offset_fetch_request_group *group = &request->groups.items[0];
    group->group_id = request->group_id;
    if (request->topics.count < 0) {
        group->topics.items = NULL;
        group->topics.count = -1;
        return true;
    }
    if (wire_array_new(arena, &offset_fetch_request_topics_layout, request->topics.count,
                       &group->topics) != ERR_OK)
        return false;
    for (int32_t i = 0; i < request->topics.count; i++) {
        group->topics.items[i].name = request->topics.items[i].name;
        group->topics.items[i].partition_indexes = request->topics.items[i].partition_indexes;
    }
    return true;
}

static bool fill_old_topic(struct arena *arena, const struct offset_fetch_response_topics *from,
                           struct offset_fetch_response_topic *to)
{
    to->name = from->name;
    if (wire_array_new(arena, &offset_fetch_response_partition_layout, from->partitions.count,
                       &to->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < from->partitions.count; i++) {
        const struct offset_fetch_response_partitions *row = &from->partitions.items[i];
        to->partitions.items[i] = (struct offset_fetch_response_partition){
            .partition_index = row->partition_index,
            .committed_offset = row->committed_offset,
            .committed_leader_epoch = row->committed_leader_epoch,
            .metadata = row->metadata,
            .error_code = row->error_code,
        };
    }
    return true;
}

/* Version 1 has no error of its own: every row says it. */
static bool fill_old_errors(struct request *rq, enum kerr error)
{
    const struct offset_fetch_request *request = rq->body;
    struct offset_fetch_response *response = rq->response;
    struct arena *arena = &rq->net->arena;
    response->error_code = (int16_t)error;
    if (rq->version >= TOP_ERROR_SINCE)
        return true;
    if (wire_array_new(arena, &offset_fetch_response_topic_layout, MAX(request->topics.count, 0),
                       &response->topics) != ERR_OK)
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct offset_fetch_request_topic *asked = &request->topics.items[t];
        struct offset_fetch_response_topic *out = &response->topics.items[t];
        out->name = asked->name;
        if (wire_array_new(arena, &offset_fetch_response_partition_layout,
                           asked->partition_indexes.count, &out->partitions) != ERR_OK)
            return false;
        for (int32_t p = 0; p < out->partitions.count; p++)
            out->partitions.items[p] = (struct offset_fetch_response_partition){
                .partition_index = asked->partition_indexes.items[p],
                .committed_offset = NO_OFFSET,
                .committed_leader_epoch = NO_EPOCH,
                .metadata = wire_str_of(""),
                .error_code = (int16_t)error,
            };
    }
    return true;
}

/* All that a group has may be far more than what the request's arena holds. */
static bool fill_old(struct request *rq, struct arena *arena)
{
    struct offset_fetch_response *response = rq->response;
    const struct offset_fetch_response_group *group = &response->groups.items[0];
    if (group->error_code != KERR_NONE)
        return fill_old_errors(rq, (enum kerr)group->error_code);
    if (wire_array_new(arena, &offset_fetch_response_topic_layout, group->topics.count,
                       &response->topics) != ERR_OK)
        return false;
    for (int32_t i = 0; i < group->topics.count; i++) {
        if (!fill_old_topic(arena, &group->topics.items[i], &response->topics.items[i]))
            return false;
    }
    return true;
}

/* ---- ids. The names that the shard looks up come from the image, and its rows' ids too. */

static bool name_topics(struct request *rq, struct offset_fetch_request_group *group)
{
    for (int32_t i = 0; i < group->topics.count; i++) {
        struct offset_fetch_request_topics *asked = &group->topics.items[i];
        const struct topic_image *topic = image_topic_by_id(request_image(rq), asked->topic_id);
        asked->name = wire_str_of("");
        if (topic == NULL)
            continue; /* fill_ids says so */
        const char *name =
            arena_copy_text(&rq->net->arena, topic_name(topic), topic_name_len(topic));
        if (name == NULL)
            return false;
        asked->name = (struct wire_str){name, (int32_t)topic_name_len(topic)};
    }
    return true;
}

static void fill_ids(struct request *rq, struct offset_fetch_response_group *group, bool is_all)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < group->topics.count; i++) {
        struct offset_fetch_response_topics *row = &group->topics.items[i];
        if (is_all) {
            const struct topic_image *topic =
                image_topic(request_image(rq), row->name.data, (size_t)row->name.len);
            if (topic == NULL)
                continue; /* a topic that is gone has no id to be told by */
            row->topic_id = topic_id(topic);
        }
        for (int32_t p = 0; p < row->partitions.count && row->name.len == 0; p++)
            row->partitions.items[p].error_code = KERR_UNKNOWN_TOPIC_ID;
        group->topics.items[kept++] = *row;
    }
    group->topics.count = kept;
}

/* ---- the request */

static void fetch_finish(struct group_call *call)
{
    struct request *rq = call->rq;
    const struct offset_fetch_request *request = rq->body;
    struct offset_fetch_response *response = rq->response;
    bool is_filled = true;
    for (int32_t i = 0; i < call->count; i++) {
        struct offset_fetch_response_group *group = &response->groups.items[i];
        group->group_id = request->groups.items[i].group_id;
        if (call->parts[i].op.error != KERR_NONE) {
            group->topics.count = 0;
            group->error_code = (int16_t)call->parts[i].op.error;
        } else if (rq->version >= BY_ID_SINCE) {
            fill_ids(rq, group, request->groups.items[i].topics.count < 0);
        }
    }
    if (rq->version < BATCH_SINCE)
        is_filled = fill_old(rq, &call->arena);
    if (!is_filled)
        response->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    if (rq->version < BATCH_SINCE)
        response->groups.count = 0;
    group_call_reply(call);
}

void handle_offset_fetch(struct request *rq)
{
    struct offset_fetch_request *request = rq->body;
    struct offset_fetch_response *response = rq->response;
    bool is_made = rq->version >= BATCH_SINCE || make_batch(rq, request);
    for (int32_t i = 0; is_made && rq->version >= BY_ID_SINCE && i < request->groups.count; i++)
        is_made = name_topics(rq, &request->groups.items[i]);
    if (!is_made) {
        request_close_no_memory(rq);
        return;
    }
    if (request->groups.count == 0) {
        request_reply(rq);
        return;
    }
    struct group_call *call =
        group_call_new(rq, request->groups.count, group_op_fetch_offsets, fetch_finish);
    if (call == NULL)
        return;
    if (wire_array_new(&call->arena, &offset_fetch_response_group_layout, call->count,
                       &response->groups) != ERR_OK) {
        group_call_no_memory(call);
        return;
    }
    for (int32_t i = 0; i < call->count; i++) {
        call->parts[i].op.request = &request->groups.items[i];
        call->parts[i].op.response = &response->groups.items[i];
    }
    for (int32_t i = 0; i < call->count; i++)
        group_call_send(call, i, request->groups.items[i].group_id);
}
