// SPDX-License-Identifier: Apache-2.0
/*
 * handle_offset_commit: a group has read up to here (API 8). Topics and partitions that are not
 * there are refused row by row; from version 10 on topics are named by id.
 *
 * Thread: the request's reactor; the shard's loop has the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/offset_commit.h"

enum { BY_ID_SINCE = 10 };

static enum kerr find_topic(struct request *rq, struct offset_commit_request_topic *asked,
                            const struct topic_image **topic)
{
    const struct image *image = request_image(rq);
    bool by_id = rq->version >= BY_ID_SINCE;
    *topic = by_id ? image_topic_by_id(image, asked->topic_id)
                   : image_topic(image, asked->name.data, (size_t)asked->name.len);
    if (*topic == NULL)
        return by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (!by_id) {
        asked->topic_id = topic_id(*topic);
        return KERR_NONE;
    }
    /* The image may be gone before the request is. */
    const char *name = arena_copy_text(&rq->net->arena, topic_name(*topic), topic_name_len(*topic));
    if (name == NULL)
        return KERR_COORDINATOR_NOT_AVAILABLE;
    asked->name = (struct wire_str){name, (int32_t)topic_name_len(*topic)};
    return KERR_NONE;
}

/* False: no memory. */
static bool fill_topic(struct request *rq, struct offset_commit_request_topic *asked,
                       struct offset_commit_response_topic *out)
{
    const struct topic_image *topic = NULL;
    out->name = asked->name;
    out->topic_id = asked->topic_id;
    enum kerr error = find_topic(rq, asked, &topic);
    if (wire_array_new(&rq->net->arena, &offset_commit_response_partition_layout,
                       asked->partitions.count, &out->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < asked->partitions.count; i++) {
        int32_t index = asked->partitions.items[i].partition_index;
        struct offset_commit_response_partition *row = &out->partitions.items[i];
        row->partition_index = index;
        row->error_code = (int16_t)error;
        if (error == KERR_NONE && topic_partition(topic, index) == NULL)
            row->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    return true;
}

/* Topics without partitions are not answered. */
static void drop_empty(struct offset_commit_request_topic_array *topics)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < topics->count; i++) {
        if (topics->items[i].partitions.count > 0)
            topics->items[kept++] = topics->items[i];
    }
    topics->count = kept;
}

static bool fill_rows(struct request *rq, bool *has_good)
{
    struct offset_commit_request *request = rq->body;
    struct offset_commit_response *response = rq->response;
    drop_empty(&request->topics);
    if (wire_array_new(&rq->net->arena, &offset_commit_response_topic_layout, request->topics.count,
                       &response->topics) != ERR_OK)
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        struct offset_commit_response_topic *out = &response->topics.items[t];
        if (!fill_topic(rq, &request->topics.items[t], out))
            return false;
        for (int32_t p = 0; p < out->partitions.count; p++)
            *has_good |= out->partitions.items[p].error_code == KERR_NONE;
    }
    return true;
}

static void fail_good_rows(struct offset_commit_response *response, enum kerr error)
{
    for (int32_t t = 0; t < response->topics.count; t++) {
        for (int32_t p = 0; p < response->topics.items[t].partitions.count; p++) {
            int16_t *code = &response->topics.items[t].partitions.items[p].error_code;
            *code = *code == KERR_NONE ? (int16_t)error : *code;
        }
    }
}

static void commit_finish(struct group_call *call)
{
    if (call->parts[0].op.error != KERR_NONE)
        fail_good_rows(call->rq->response, call->parts[0].op.error);
    group_call_reply(call);
}

void handle_offset_commit(struct request *rq)
{
    const struct offset_commit_request *request = rq->body;
    bool has_good = false;
    if (!fill_rows(rq, &has_good)) {
        request_close_no_memory(rq);
        return;
    }
    if (!has_good) {
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, 1, group_op_commit_offsets, commit_finish);
    if (call == NULL)
        return;
    call->parts[0].op.request = rq->body;
    call->parts[0].op.response = rq->response;
    group_call_send(call, 0, request->group_id);
}
