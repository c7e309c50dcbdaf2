// SPDX-License-Identifier: Apache-2.0
/*
 * handle_join_group: somebody wants to be in a group (API 11). The answer may take minutes: it
 * comes when the group's next generation begins.
 *
 * Thread: the request's reactor; the shard's loop has the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/join_group.h"

enum { REBALANCE_TIMEOUT_SINCE = 1, NULL_PROTOCOL_SINCE = 7 };

static void fill_error(struct request *rq, enum kerr error)
{
    const struct join_group_request *request = rq->body;
    struct join_group_response *response = rq->response;
    struct wire_str none = wire_str_of(rq->version >= NULL_PROTOCOL_SINCE ? NULL : "");
    *response = (struct join_group_response){
        .error_code = (int16_t)error,
        .generation_id = -1,
        .protocol_type = none,
        .protocol_name = none,
        .leader = wire_str_of(""),
        .member_id = request->member_id,
    };
}

static void join_finish(struct group_call *call)
{
    if (call->parts[0].op.error != KERR_NONE)
        fill_error(call->rq, call->parts[0].op.error);
    group_call_reply(call);
}

void handle_join_group(struct request *rq)
{
    struct join_group_request *request = rq->body;
    if (rq->version < REBALANCE_TIMEOUT_SINCE)
        request->rebalance_timeout_ms = request->session_timeout_ms;
    if (request->group_id.len == 0) {
        fill_error(rq, KERR_INVALID_GROUP_ID);
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, 1, group_op_join, join_finish);
    if (call == NULL)
        return;
    call->parts[0].op.request = request;
    call->parts[0].op.response = rq->response;
    group_call_send(call, 0, request->group_id);
}
