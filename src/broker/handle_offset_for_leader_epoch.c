// SPDX-License-Identifier: Apache-2.0
/*
 * handle_offset_for_leader_epoch: where an epoch ends in a partition's log (API 23), by which
 * consumers notice that what they have read was truncated (KIP-320).
 *
 * Thread: the request's reactor.
 */
#include "base/macros.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/offset_for_leader_epoch.h"

static void
fill_row(struct request *rq, const struct topic_image *topic,
         const struct offset_for_leader_epoch_request_offset_for_leader_partition *asked,
         struct offset_for_leader_epoch_response_epoch_end_offset *row)
{
    row->partition = asked->partition;
    enum kerr error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    struct partition *partition =
        topic != NULL ? broker_partition(rq->broker, topic, asked->partition, &error) : NULL;
    if (partition != NULL) {
        error = partition_epoch_end(partition, asked->current_leader_epoch, asked->leader_epoch,
                                    &row->leader_epoch, &row->end_offset);
        partition_unref(partition);
    }
    row->error_code = (int16_t)error;
    if (error != KERR_NONE) {
        row->leader_epoch = -1;
        row->end_offset = -1;
    }
}

static bool fill_topic(struct request *rq,
                       const struct offset_for_leader_epoch_request_offset_for_leader_topic *asked,
                       struct offset_for_leader_epoch_response_offset_for_leader_topic_result *out)
{
    const struct topic_image *topic =
        image_topic(request_image(rq), asked->topic.data, (size_t)MAX(asked->topic.len, 0));
    out->topic = asked->topic;
    if (wire_array_new(&rq->net->arena, &offset_for_leader_epoch_response_epoch_end_offset_layout,
                       asked->partitions.count, &out->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < asked->partitions.count; i++)
        fill_row(rq, topic, &asked->partitions.items[i], &out->partitions.items[i]);
    return true;
}

void handle_offset_for_leader_epoch(struct request *rq)
{
    const struct offset_for_leader_epoch_request *request = rq->body;
    struct offset_for_leader_epoch_response *response = rq->response;
    bool is_filled =
        wire_array_new(&rq->net->arena,
                       &offset_for_leader_epoch_response_offset_for_leader_topic_result_layout,
                       request->topics.count, &response->topics) == ERR_OK;
    for (int32_t i = 0; is_filled && i < request->topics.count; i++)
        is_filled = fill_topic(rq, &request->topics.items[i], &response->topics.items[i]);
    if (is_filled)
        request_reply(rq);
    else
        request_close_no_memory(rq);
}
