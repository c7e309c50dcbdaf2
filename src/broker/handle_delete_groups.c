// SPDX-License-Identifier: Apache-2.0
/*
 * handle_delete_groups: groups without members go, with their offsets (API 42).
 *
 * Thread: the request's reactor; the shards' loops have the request meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/delete_groups.h"

static void delete_finish(struct group_call *call)
{
    const struct delete_groups_request *request = call->rq->body;
    struct delete_groups_response *response = call->rq->response;
    for (int32_t i = 0; i < call->count; i++) {
        struct delete_groups_response_deletable_group_result *row = &response->results.items[i];
        row->group_id = request->groups_names.items[i];
        if (call->parts[i].op.error != KERR_NONE)
            row->error_code = (int16_t)call->parts[i].op.error;
    }
    group_call_reply(call);
}

static int by_name(const void *a, const void *b)
{
    const struct wire_str *x = a, *y = b;
    size_t len = (size_t)MIN(x->len, y->len);
    int order = len > 0 ? memcmp(x->data, y->data, len) : 0;
    return order != 0 ? order : x->len - y->len;
}

/* A group that is named twice is answered once. */
static void drop_repeated(struct wire_str_array *names)
{
    if (names->count > 1)
        qsort(names->items, (size_t)names->count, sizeof(names->items[0]), by_name);
    int32_t kept = 0;
    for (int32_t i = 0; i < names->count; i++) {
        if (kept == 0 || !wire_str_equal(names->items[kept - 1], names->items[i]))
            names->items[kept++] = names->items[i];
    }
    names->count = kept;
}

void handle_delete_groups(struct request *rq)
{
    struct delete_groups_request *request = rq->body;
    struct delete_groups_response *response = rq->response;
    drop_repeated(&request->groups_names);
    int32_t count = request->groups_names.count;
    if (count == 0) {
        request_reply(rq);
        return;
    }
    struct group_call *call = group_call_new(rq, count, group_op_delete, delete_finish);
    if (call == NULL)
        return;
    if (wire_array_new(&call->arena, &delete_groups_response_deletable_group_result_layout, count,
                       &response->results) != ERR_OK) {
        group_call_no_memory(call);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        call->parts[i].op.request = &request->groups_names.items[i];
        call->parts[i].op.response = &response->results.items[i];
    }
    for (int32_t i = 0; i < count; i++)
        group_call_send(call, i, request->groups_names.items[i]);
}
