// SPDX-License-Identifier: Apache-2.0
/*
 * handle_describe_groups: the members of groups and what they have (API 15). Who asks for it by a
 * tagged field of ours is told why each group is in its state, too; nobody else's answer differs.
 *
 * Thread: the request's reactor; the shards' loops have the request meanwhile.
 */
#include "base/limits.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "broker/operations.h"
#include "wire/codec.h"
#include "wire/describe_groups.h"

static void describe_finish(struct group_call *call)
{
    struct request *rq = call->rq;
    const struct describe_groups_request *request = rq->body;
    struct describe_groups_response *response = rq->response;
    for (int32_t i = 0; i < call->count; i++) {
        struct describe_groups_response_described_group *row = &response->groups.items[i];
        if (call->parts[i].op.error != KERR_NONE) {
            /* What the shard said of itself stays. */
            struct describe_groups_response_explanation *explanation = row->explanation;
            wire_defaults(&describe_groups_response_described_group_layout, row);
            row->explanation = explanation;
            row->group_id = request->groups.items[i];
            row->error_code = (int16_t)call->parts[i].op.error;
        } else if (request->include_authorized_operations && row->error_code == KERR_NONE) {
            row->authorized_operations = OPERATIONS_OF_GROUP;
        }
    }
    group_call_reply(call);
}

void handle_describe_groups(struct request *rq)
{
    const struct describe_groups_request *request = rq->body;
    struct describe_groups_response *response = rq->response;
    if (request->groups.count == 0) {
        request_reply(rq);
        return;
    }
    /* An explanation looks at all that the group has; who wants many is no operator. */
    bool is_explained =
        request->include_explanation && request->groups.count <= LIMIT_EXPLAINED_GROUPS;
    struct group_call *call =
        group_call_new(rq, request->groups.count,
                       is_explained ? group_op_explain : group_op_describe, describe_finish);
    if (call == NULL)
        return;
    if (wire_array_new(&call->arena, &describe_groups_response_described_group_layout, call->count,
                       &response->groups) != ERR_OK) {
        group_call_no_memory(call);
        return;
    }
    for (int32_t i = 0; i < call->count; i++) {
        call->parts[i].op.request = &request->groups.items[i];
        call->parts[i].op.response = &response->groups.items[i];
        call->parts[i].op.refused = is_explained ? group_op_explain_refused : NULL;
    }
    for (int32_t i = 0; i < call->count; i++)
        group_call_send(call, i, request->groups.items[i]);
}
