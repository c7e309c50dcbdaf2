// SPDX-License-Identifier: Apache-2.0
/*
 * metadata_response: the answer to Metadata, made from the image.
 *
 * Replicas and ISR point into the image, which lives longer than the making of the answer; so all
 * topics of a large cluster cost one pass and no copies.
 *
 * Thread: the request's reactor.
 */
#include "base/assert.h"
#include "broker/endpoint.h"
#include "broker/metadata_op.h"
#include "broker/operations.h"
#include "broker/partition_view.h"
#include "metadata/topic_name.h"

static bool fill_brokers(struct metadata_op *op)
{
    struct request *rq = op->rq;
    const struct image *image = request_image(rq);
    struct metadata_response *response = rq->response;
    if (wire_array_new(&op->arena, &metadata_response_broker_layout,
                       (int32_t)image_broker_count(image), &response->brokers) != ERR_OK)
        return false;
    int32_t count = 0;
    const struct broker_image *broker = image_broker_at_least(image, 0);
    for (; broker != NULL; broker = image_broker_at_least(image, broker->node_id + 1)) {
        struct endpoint endpoint;
        if (broker->is_fenced || !endpoint_of(rq, broker, &op->arena, &endpoint))
            continue;
        response->brokers.items[count++] = (struct metadata_response_broker){
            .node_id = broker->node_id,
            .host = wire_str_of(endpoint.host),
            .port = endpoint.port,
            .rack = wire_str_of(broker->rack),
        };
    }
    response->brokers.count = count;
    return true;
}

static bool fill_partition(struct metadata_op *op, const struct topic_image *topic, int32_t index,
                           struct metadata_response_partition *row)
{
    struct partition_view view;
    if (!partition_view_fill(op->rq, &op->arena, topic, index, &view))
        return false;
    *row = (struct metadata_response_partition){
        .error_code = view.leader != IMAGE_NO_NODE ? KERR_NONE : KERR_LEADER_NOT_AVAILABLE,
        .partition_index = index,
        .leader_id = view.leader,
        .leader_epoch = view.leader_epoch,
        .replica_nodes = view.replicas,
        .isr_nodes = view.isr,
        .offline_replicas = view.offline,
    };
    return true;
}

static bool fill_topic(struct metadata_op *op, const struct topic_image *topic,
                       struct metadata_response_topic *row)
{
    const struct metadata_request *request = op->rq->body;
    int32_t count = topic_partition_count(topic);
    row->name = wire_str_of(topic_name(topic));
    row->topic_id = topic_id(topic);
    row->is_internal = topic_name_is_internal(topic_name(topic), topic_name_len(topic));
    if (request->include_topic_authorized_operations)
        row->topic_authorized_operations = OPERATIONS_OF_TOPIC;
    row->partitions.items =
        arena_alloc_array(&op->arena, (size_t)count, sizeof(row->partitions.items[0]));
    if (row->partitions.items == NULL)
        return false;
    row->partitions.count = count;
    for (int32_t i = 0; i < count; i++) {
        if (!fill_partition(op, topic, i, &row->partitions.items[i]))
            return false;
    }
    return true;
}

static bool fill_asked(struct metadata_op *op, const struct metadata_asked *asked,
                       struct metadata_response_topic *row)
{
    const struct image *image = request_image(op->rq);
    bool by_id = wire_str_is_null(asked->name);
    const struct topic_image *topic =
        by_id ? image_topic_by_id(image, asked->id)
              : image_topic(image, asked->name.data, (size_t)asked->name.len);
    if (topic != NULL)
        return fill_topic(op, topic, row);
    enum kerr unknown = by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    row->error_code = (int16_t)(asked->error != KERR_NONE ? asked->error : unknown);
    row->name = asked->name;
    row->topic_id = asked->id;
    row->is_internal = !by_id && topic_name_is_internal(asked->name.data, (size_t)asked->name.len);
    return true;
}

static bool fill_all(struct metadata_op *op, struct metadata_response *response)
{
    struct topic_cursor cursor;
    const struct topic_image *topic = topic_cursor_first(&cursor, request_image(op->rq));
    for (int32_t i = 0; topic != NULL; i++, topic = topic_cursor_next(&cursor)) {
        ASSERT(i < response->topics.count);
        if (!fill_topic(op, topic, &response->topics.items[i]))
            return false;
    }
    return true;
}

bool metadata_fill_response(struct metadata_op *op)
{
    struct request *rq = op->rq;
    const struct image *image = request_image(rq);
    const struct metadata_request *request = rq->body;
    struct metadata_response *response = rq->response;
    int32_t count = op->is_all ? (int32_t)image_topic_count(image) : op->asked_count;
    response->cluster_id = wire_str_of(broker_cluster_id(rq->broker));
    response->controller_id = image_controller_id(image);
    if (request->include_cluster_authorized_operations)
        response->cluster_authorized_operations = OPERATIONS_OF_CLUSTER;
    if (!fill_brokers(op) || wire_array_new(&op->arena, &metadata_response_topic_layout, count,
                                            &response->topics) != ERR_OK)
        return false;
    if (op->is_all)
        return fill_all(op, response);
    for (int32_t i = 0; i < count; i++) {
        if (!fill_asked(op, &op->asked[i], &response->topics.items[i]))
            return false;
    }
    return true;
}
