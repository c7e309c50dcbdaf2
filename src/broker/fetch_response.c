// SPDX-License-Identifier: Apache-2.0
/*
 * fetch_response: what a Fetch found, in the form of its answer. An incremental answer
 * names only partitions with records, an error, or a high watermark or log start that the
 * client does not know yet (KIP-227).
 *
 * Thread: the fetch's reactor.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/endpoint.h"
#include "broker/fetch_op.h"
#include "metadata/image.h"

enum { READ_COMMITTED = 1, NO_PREFERRED_REPLICA = -1 };

static bool is_answered(const struct fetch_op *op, const struct fetch_part *part)
{
    if (op->kind != FETCH_INCREMENTAL)
        return true;
    const struct partition_read_result *found = &part->result;
    return found->range.len > 0 || found->error != KERR_NONE || found->diverging_epoch >= 0 ||
           part->item->sent_error || found->high_watermark != part->item->sent_high_watermark ||
           found->log_start_offset != part->item->sent_log_start;
}

static bool is_same_topic(const struct fetch_part *a, const struct fetch_part *b)
{
    return wire_str_equal(a->topic, b->topic) && uuid_equals(a->topic_id, b->topic_id);
}

/* KIP-951: tells a client with an old or unknown leader who leads now. */
static void fill_leader(const struct fetch_op *op, const struct fetch_part *part,
                        struct fetch_response_partition_data *out)
{
    enum kerr error = part->result.error;
    if (op->rq->version < 16 || part->partition == NULL ||
        (error != KERR_NOT_LEADER_OR_FOLLOWER && error != KERR_FENCED_LEADER_EPOCH))
        return;
    const struct topic_image *topic =
        image_topic_by_id(request_image(op->rq), partition_topic_id(part->partition));
    const struct partition_image *now =
        topic != NULL ? topic_partition(topic, part->want.partition) : NULL;
    if (now == NULL)
        return;
    out->current_leader.leader_id = now->leader;
    out->current_leader.leader_epoch = now->leader_epoch;
}

static void fill_partition(const struct fetch_op *op, struct fetch_part *part,
                           struct fetch_response_partition_data *out)
{
    struct partition_read_result *found = &part->result;
    const struct fetch_request *request = op->rq->body;
    out->partition_index = part->want.partition;
    out->error_code = (int16_t)found->error;
    out->high_watermark = found->high_watermark;
    out->last_stable_offset = found->last_stable_offset;
    out->log_start_offset = found->log_start_offset;
    out->preferred_read_replica = NO_PREFERRED_REPLICA;
    out->aborted_transactions.count = request->isolation_level == READ_COMMITTED ? 0 : -1;
    if (found->diverging_epoch >= 0) {
        out->diverging_epoch.epoch = found->diverging_epoch;
        out->diverging_epoch.end_offset = found->diverging_end_offset;
    }
    fill_leader(op, part, out);
    out->records = (struct wire_records){.len = (int32_t)found->range.len};
    if (found->range.len > 0) {
        out->records.ref = &found->range;
        partition_count_out(part->partition, (uint64_t)found->range.len);
    }
    if (part->item != NULL) {
        part->item->sent_high_watermark = found->high_watermark;
        part->item->sent_log_start = found->log_start_offset;
        part->item->sent_error = found->error != KERR_NONE;
        if (found->range.len > 0)
            fetch_session_rotate(op->session, part->item);
    }
}

static uint32_t count_topics(const struct fetch_op *op, uint32_t *answered)
{
    uint32_t topics = 0;
    const struct fetch_part *last = NULL;
    *answered = 0;
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (!is_answered(op, &op->parts[i]))
            continue;
        if (last == NULL || !is_same_topic(last, &op->parts[i]))
            topics++;
        last = &op->parts[i];
        (*answered)++;
    }
    return topics;
}

/* The name is the session's, which may be gone before the answer is written: its next request, or
 * another connection's that needs the place, can end it as soon as this one is finished. */
static bool keep_name(struct fetch_op *op, struct wire_str *name)
{
    if (op->session == NULL || name->len <= 0)
        return true;
    name->data = arena_copy_text(&op->arena, name->data, (size_t)name->len);
    return name->data != NULL;
}

/* Partitions that follow one another and are of one topic share its entry. */
static bool fill_topics(struct fetch_op *op, struct fetch_response *response,
                        struct fetch_response_partition_data *data)
{
    struct fetch_response_fetchable_topic_response *topic = NULL;
    const struct fetch_part *last = NULL;
    int32_t topics = 0;
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct fetch_part *part = &op->parts[i];
        if (!is_answered(op, part))
            continue;
        if (last == NULL || !is_same_topic(last, part)) {
            ASSERT(topics < response->responses.count);
            topic = &response->responses.items[topics++];
            topic->topic = part->topic;
            if (!keep_name(op, &topic->topic))
                return false;
            topic->topic_id = part->topic_id;
            topic->partitions.items = data;
        }
        last = part;
        fill_partition(op, part, data++);
        topic->partitions.count++;
    }
    return true;
}

static bool has_endpoint(const struct fetch_response *response, int32_t node_id)
{
    for (int32_t i = 0; i < response->node_endpoints.count; i++) {
        if (response->node_endpoints.items[i].node_id == node_id)
            return true;
    }
    return false;
}

/* Each leader that a row names, once, at the address that this client is to use. */
static bool add_endpoint(struct fetch_op *op, struct fetch_response *response, int32_t node_id)
{
    const struct image *image = request_image(op->rq);
    const struct broker_image *broker = image_broker(image, node_id);
    struct endpoint endpoint;
    if (broker == NULL || has_endpoint(response, node_id) ||
        !endpoint_of(op->rq, broker, &op->arena, &endpoint))
        return true;
    if (response->node_endpoints.items == NULL) {
        if (wire_array_new(&op->arena, &fetch_response_node_endpoint_layout,
                           (int32_t)image_broker_count(image), &response->node_endpoints) != ERR_OK)
            return false;
        response->node_endpoints.count = 0;
    }
    ASSERT(response->node_endpoints.count < (int32_t)image_broker_count(image));
    response->node_endpoints.items[response->node_endpoints.count++] =
        (struct fetch_response_node_endpoint){
            .node_id = node_id,
            .host = wire_str_of(endpoint.host),
            .port = endpoint.port,
            .rack = wire_str_of(broker->rack),
        };
    return true;
}

static bool fill_endpoints(struct fetch_op *op, struct fetch_response *response)
{
    for (int32_t t = 0; t < response->responses.count; t++) {
        const struct fetch_response_fetchable_topic_response *topic = &response->responses.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            int32_t leader = topic->partitions.items[i].current_leader.leader_id;
            if (leader >= 0 && !add_endpoint(op, response, leader))
                return false;
        }
    }
    return true;
}

bool fetch_op_fill_response(struct fetch_op *op)
{
    struct fetch_response *response = op->rq->response;
    uint32_t answered;
    uint32_t topics = count_topics(op, &answered);
    response->session_id = op->session != NULL ? op->session->id : 0;
    struct fetch_response_partition_data_array data = {0};
    if (wire_array_new(&op->arena, &fetch_response_fetchable_topic_response_layout, (int32_t)topics,
                       &response->responses) != ERR_OK ||
        wire_array_new(&op->arena, &fetch_response_partition_data_layout, (int32_t)answered,
                       &data) != ERR_OK)
        return false;
    return fill_topics(op, response, data.items) && fill_endpoints(op, response);
}
