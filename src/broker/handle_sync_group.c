// SPDX-License-Identifier: Apache-2.0
/*
 * handle_sync_group: a member of a new generation asks for its assignment, and its leader brings
 * everybody's (API 14).
 *
 * Thread: the request's reactor; the shard's loop has the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/sync_group.h"

enum { PROTOCOL_SINCE = 5 };

static void fill_error(struct request *rq, enum kerr error)
{
    struct sync_group_response *response = rq->response;
    *response = (struct sync_group_response){
        .error_code = (int16_t)error,
        .protocol_type = wire_str_of(NULL),
        .protocol_name = wire_str_of(NULL),
        .assignment = {(const uint8_t *)"", 0},
    };
}

static void sync_finish(struct group_call *call)
{
    if (call->parts[0].op.error != KERR_NONE)
        fill_error(call->rq, call->parts[0].op.error);
    group_call_reply(call);
}

void handle_sync_group(struct request *rq)
{
    const struct sync_group_request *request = rq->body;
    bool lacks_protocol =
        rq->version >= PROTOCOL_SINCE &&
        (wire_str_is_null(request->protocol_type) || wire_str_is_null(request->protocol_name));
    fill_error(rq, KERR_NONE);
    if (request->group_id.len == 0 || lacks_protocol) {
        fill_error(rq, lacks_protocol ? KERR_INCONSISTENT_GROUP_PROTOCOL : KERR_INVALID_GROUP_ID);
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, 1, group_op_sync, sync_finish);
    if (call == NULL)
        return;
    call->parts[0].op.request = rq->body;
    call->parts[0].op.response = rq->response;
    group_call_send(call, 0, request->group_id);
}
