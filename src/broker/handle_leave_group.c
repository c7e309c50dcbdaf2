// SPDX-License-Identifier: Apache-2.0
/*
 * handle_leave_group: members leave, or an administrator takes them out (API 13). Before version
 * 3 it is one member, and what is said of it is the answer's own error.
 *
 * Thread: the request's reactor; the shard's loop has the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/leave_group.h"

enum { BATCH_SINCE = 3 };

static void leave_finish(struct group_call *call)
{
    struct request *rq = call->rq;
    struct leave_group_response *response = rq->response;
    if (call->parts[0].op.error != KERR_NONE) {
        response->error_code = (int16_t)call->parts[0].op.error;
        response->members.count = 0;
    }
    if (rq->version < BATCH_SINCE) {
        if (response->error_code == KERR_NONE && response->members.count > 0)
            response->error_code = response->members.items[0].error_code;
        response->members.count = 0;
    }
    group_call_reply(call);
}

/* False: no memory. */
static bool make_batch(struct request *rq, struct leave_group_request *request)
{
    if (wire_array_new(&rq->net->arena, &leave_group_request_member_identity_layout, 1,
                       &request->members) != ERR_OK)
        return false;
    request->members.items[0].member_id = request->member_id;
    request->members.items[0].group_instance_id = wire_str_of(NULL);
    return true;
}

void handle_leave_group(struct request *rq)
{
    struct leave_group_request *request = rq->body;
    struct leave_group_response *response = rq->response;
    if (rq->version < BATCH_SINCE && !make_batch(rq, request)) {
        request_close_no_memory(rq);
        return;
    }
    if (request->group_id.len == 0) {
        response->error_code = KERR_INVALID_GROUP_ID;
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, 1, group_op_leave, leave_finish);
    if (call == NULL)
        return;
    call->parts[0].op.request = request;
    call->parts[0].op.response = rq->response;
    group_call_send(call, 0, request->group_id);
}
