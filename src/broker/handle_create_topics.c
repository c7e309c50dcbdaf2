// SPDX-License-Identifier: Apache-2.0
/*
 * handle_create_topics: new topics (API 19).
 *
 * What becomes of each topic is decided beside the image (decide.h); the answer leaves when the
 * new partitions take records. timeout_ms is not looked at: a change is one append to the
 * metadata log and the opening of the partitions, and where those hang the outcome is not
 * known, so that an early answer would tell nothing.
 *
 * Thread: the request's reactor; decide on the controller's loop, which has the request meanwhile.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/create_topics.h"

static enum err create_decide(struct broker_change *bc, struct decision *d)
{
    struct request *rq = bc->rq;
    struct create_topics_response *response = rq->response;
    wire_defaults(&create_topics_response_layout, response); /* it may be the second time */
    return decide_create_topics(d, rq->body, &rq->net->arena, response);
}

/* Nothing was decided, or it could not be written: the same row for every topic. */
static bool fill_failure(struct request *rq, enum err e)
{
    const struct create_topics_request *request = rq->body;
    struct create_topics_response *response = rq->response;
    wire_defaults(&create_topics_response_layout, response);
    if (wire_array_new(&rq->net->arena, &create_topics_response_creatable_topic_result_layout,
                       request->topics.count, &response->topics) != ERR_OK)
        return false;
    enum kerr error = broker_change_error(e);
    for (int32_t i = 0; i < request->topics.count; i++) {
        struct create_topics_response_creatable_topic_result *row = &response->topics.items[i];
        row->name = request->topics.items[i].name;
        row->error_code = (int16_t)error;
        row->error_message = wire_str_of(kerr_message(error));
    }
    return true;
}

void handle_create_topics(struct request *rq)
{
    broker_change_start(rq, create_decide, fill_failure);
}
