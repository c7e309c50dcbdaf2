// SPDX-License-Identifier: Apache-2.0
/*
 * handle_delete_topics: topics go, by name or by id (API 20).
 *
 * The answer leaves when the partitions are closed and their directories renamed away, so that a
 * topic of the same name may be made at once. timeout_ms is not looked at: see
 * handle_create_topics.c.
 *
 * Thread: the request's reactor; decide on the controller's loop, which has the request meanwhile.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/delete_topics.h"

enum { BY_ID_SINCE = 6, DELETION_DISABLED_SINCE = 3 };

static enum err delete_decide(struct broker_change *bc, struct decision *d)
{
    struct request *rq = bc->rq;
    struct delete_topics_response *response = rq->response;
    wire_defaults(&delete_topics_response_layout, response); /* it may be the second time */
    return decide_delete_topics(d, rq->body, &rq->net->arena, response);
}

/* The same row for every topic that was named. */
static bool fill_error(struct request *rq, enum kerr error, const char *message)
{
    const struct delete_topics_request *request = rq->body;
    struct delete_topics_response *response = rq->response;
    bool by_state = rq->version >= BY_ID_SINCE;
    int32_t count = by_state ? request->topics.count : request->topic_names.count;
    wire_defaults(&delete_topics_response_layout, response);
    if (wire_array_new(&rq->net->arena, &delete_topics_response_deletable_topic_result_layout,
                       count, &response->responses) != ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++) {
        struct delete_topics_response_deletable_topic_result *row = &response->responses.items[i];
        row->name = by_state ? request->topics.items[i].name : request->topic_names.items[i];
        if (by_state)
            row->topic_id = request->topics.items[i].topic_id;
        row->error_code = (int16_t)error;
        row->error_message = wire_str_of(message);
    }
    return true;
}

static bool fill_failure(struct request *rq, enum err e)
{
    enum kerr error = broker_change_error(e);
    return fill_error(rq, error, kerr_message(error));
}

void handle_delete_topics(struct request *rq)
{
    const struct delete_topics_request *request = rq->body;
    enum kerr refusal = KERR_NONE;
    if (!rq->broker->config->delete_topics)
        refusal = rq->version >= DELETION_DISABLED_SINCE ? KERR_TOPIC_DELETION_DISABLED
                                                         : KERR_INVALID_REQUEST;
    if (refusal == KERR_NONE && request->timeout_ms > 0)
        broker_change_start(rq, delete_decide, fill_failure);
    else if (refusal != KERR_NONE ? fill_error(rq, refusal, kerr_message(refusal))
                                  : fill_error(rq, KERR_REQUEST_TIMED_OUT, NULL))
        request_reply(rq);
    else
        request_close_no_memory(rq);
}
