// SPDX-License-Identifier: Apache-2.0
/*
 * handle_offset_delete: committed offsets are taken back (API 47).
 *
 * Thread: the request's reactor; the shard's loop has the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/offset_delete.h"

/* Topics without partitions are not answered. */
static void drop_empty(struct offset_delete_request_topic_array *topics)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < topics->count; i++) {
        if (topics->items[i].partitions.count > 0)
            topics->items[kept++] = topics->items[i];
    }
    topics->count = kept;
}

static bool fill_rows(struct request *rq)
{
    struct offset_delete_request *request = rq->body;
    struct offset_delete_response *response = rq->response;
    struct arena *arena = &rq->net->arena;
    drop_empty(&request->topics);
    if (wire_array_new(arena, &offset_delete_response_topic_layout, request->topics.count,
                       &response->topics) != ERR_OK)
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct offset_delete_request_topic *asked = &request->topics.items[t];
        struct offset_delete_response_topic *out = &response->topics.items[t];
        const struct topic_image *topic =
            image_topic(request_image(rq), asked->name.data, (size_t)asked->name.len);
        out->name = asked->name;
        if (wire_array_new(arena, &offset_delete_response_partition_layout, asked->partitions.count,
                           &out->partitions) != ERR_OK)
            return false;
        for (int32_t p = 0; p < asked->partitions.count; p++) {
            int32_t index = asked->partitions.items[p].partition_index;
            bool is_there = topic != NULL && topic_partition(topic, index) != NULL;
            out->partitions.items[p].partition_index = index;
            out->partitions.items[p].error_code =
                is_there ? KERR_NONE : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        }
    }
    return true;
}

static void refuse(struct request *rq, enum kerr error)
{
    struct offset_delete_response *response = rq->response;
    response->error_code = (int16_t)error;
    response->topics.count = 0;
}

static void delete_finish(struct group_call *call)
{
    if (call->parts[0].op.error != KERR_NONE)
        refuse(call->rq, call->parts[0].op.error);
    group_call_reply(call);
}

void handle_offset_delete(struct request *rq)
{
    const struct offset_delete_request *request = rq->body;
    if (!fill_rows(rq)) {
        request_close_no_memory(rq);
        return;
    }
    if (request->group_id.len == 0) {
        refuse(rq, KERR_INVALID_GROUP_ID);
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, 1, group_op_delete_offsets, delete_finish);
    if (call == NULL)
        return;
    call->parts[0].op.request = rq->body;
    call->parts[0].op.response = rq->response;
    group_call_send(call, 0, request->group_id);
}
