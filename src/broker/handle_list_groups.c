// SPDX-License-Identifier: Apache-2.0
/*
 * handle_list_groups: the groups of this broker (API 16), from all its shards.
 *
 * Thread: the request's reactor; the shards' loops have the request meanwhile.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/list_groups.h"

static bool gather(struct group_call *call)
{
    struct list_groups_response *response = call->rq->response;
    int32_t total = 0;
    for (int32_t i = 0; i < call->count; i++)
        total += ((struct list_groups_response *)call->parts[i].op.response)->groups.count;
    if (wire_array_new(&call->arena, &list_groups_response_listed_group_layout, total,
                       &response->groups) != ERR_OK)
        return false;
    int32_t n = 0;
    for (int32_t i = 0; i < call->count; i++) {
        const struct list_groups_response *part = call->parts[i].op.response;
        for (int32_t g = 0; g < part->groups.count; g++)
            response->groups.items[n++] = part->groups.items[g];
    }
    return true;
}

/* A shard whose disk failed has none to tell; one that is read just now is asked again later. */
static void list_finish(struct group_call *call)
{
    struct list_groups_response *response = call->rq->response;
    for (int32_t i = 0; i < call->count; i++) {
        enum kerr error = call->parts[i].op.error;
        if (error == KERR_NONE)
            continue;
        ((struct list_groups_response *)call->parts[i].op.response)->groups.count = 0;
        if (error != KERR_NOT_COORDINATOR)
            response->error_code = (int16_t)error;
    }
    if (response->error_code == KERR_NONE && !gather(call))
        response->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    group_call_reply(call);
}

void handle_list_groups(struct request *rq)
{
    int32_t count = groups_shard_count(rq->broker);
    if (count == 0) {
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, count, group_op_list, list_finish);
    if (call == NULL)
        return;
    struct list_groups_response *parts = request_alloc(rq, (size_t)count, sizeof(parts[0]));
    struct group_filter *filter = request_alloc(rq, 1, sizeof(*filter));
    if (parts == NULL || filter == NULL) {
        group_call_no_memory(call);
        return;
    }
    *filter = group_filter_of(rq->body);
    for (int32_t i = 0; i < count; i++) {
        wire_defaults(&list_groups_response_layout, &parts[i]);
        call->parts[i].op.request = filter;
        call->parts[i].op.response = &parts[i];
    }
    for (int32_t i = 0; i < count; i++)
        group_call_send_to(call, i, i);
}
