// SPDX-License-Identifier: Apache-2.0
/*
 * handle_heartbeat: a member is there, and learns whether it has to join again (API 12).
 *
 * Thread: the request's reactor; the shard's loop has the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/heartbeat.h"

static void heartbeat_finish(struct group_call *call)
{
    struct heartbeat_response *response = call->rq->response;
    enum kerr error = call->parts[0].op.error;
    /* While the groups are read a member is as good as heard: Kafka says so, too. */
    if (error == KERR_COORDINATOR_LOAD_IN_PROGRESS)
        error = KERR_NONE;
    if (call->parts[0].op.error != KERR_NONE)
        response->error_code = (int16_t)error;
    group_call_reply(call);
}

void handle_heartbeat(struct request *rq)
{
    const struct heartbeat_request *request = rq->body;
    struct heartbeat_response *response = rq->response;
    if (request->group_id.len == 0) {
        response->error_code = KERR_INVALID_GROUP_ID;
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, 1, group_op_heartbeat, heartbeat_finish);
    if (call == NULL)
        return;
    call->parts[0].op.request = rq->body;
    call->parts[0].op.response = rq->response;
    group_call_send(call, 0, request->group_id);
}
