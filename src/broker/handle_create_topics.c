// SPDX-License-Identifier: Apache-2.0
/*
 * handle_create_topics: new topics (API 19).
 *
 * What becomes of each topic is decided beside the image (decide.h); the answer leaves when the
 * new partitions take records. timeout_ms is not looked at, but that one which is over when it
 * comes changes nothing, as in Kafka: a change is one append to the metadata log and the opening of
 * the partitions, and where those hang the outcome is not known, so that an early answer would tell
 * nothing.
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

/* The same row for every topic. */
static bool fill_error(struct request *rq, enum kerr error, const char *message)
{
    const struct create_topics_request *request = rq->body;
    struct create_topics_response *response = rq->response;
    wire_defaults(&create_topics_response_layout, response);
    if (wire_array_new(&rq->net->arena, &create_topics_response_creatable_topic_result_layout,
                       request->topics.count, &response->topics) != ERR_OK)
        return false;
    for (int32_t i = 0; i < request->topics.count; i++) {
        struct create_topics_response_creatable_topic_result *row = &response->topics.items[i];
        row->name = request->topics.items[i].name;
        row->error_code = (int16_t)error;
        row->error_message = wire_str_of(message);
    }
    return true;
}

/* Nothing was decided, or it could not be written. */
static bool fill_failure(struct request *rq, enum err e)
{
    enum kerr error = broker_change_error(e);
    return fill_error(rq, error, kerr_message(error));
}

void handle_create_topics(struct request *rq)
{
    const struct create_topics_request *request = rq->body;
    if (request->timeout_ms > 0)
        broker_change_start(rq, create_decide, fill_failure);
    else if (fill_error(rq, KERR_REQUEST_TIMED_OUT, NULL))
        request_reply(rq);
    else
        request_close_no_memory(rq);
}
