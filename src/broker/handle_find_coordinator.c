// SPDX-License-Identifier: Apache-2.0
/*
 * handle_find_coordinator: which broker keeps this group or transaction (API 10).
 *
 * This build keeps neither. Who asks for a group's coordinator is told to ask again, as with a
 * Kafka whose offsets topic is not there yet; clients do so until their own time is up. Who asks
 * for a transaction's is refused for good, so that a producer says at once what is wrong instead
 * of waiting. From version 1 on the answer says why in words.
 *
 * Thread: the request's reactor.
 */
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/find_coordinator.h"

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1, KEY_SHARE = 2, NO_NODE = -1, SHARE_SINCE = 6 };

struct refusal {
    enum kerr error;
    const char *message;
};

static struct refusal refusal_of(int8_t key_type, int16_t version)
{
    if (key_type == KEY_GROUP)
        return (struct refusal){KERR_COORDINATOR_NOT_AVAILABLE,
                                "consumer groups are not served by this broker version"};
    if (key_type == KEY_TRANSACTION)
        return (struct refusal){KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                                "transactions are not served by this broker version"};
    if (key_type == KEY_SHARE && version >= SHARE_SINCE)
        return (struct refusal){KERR_COORDINATOR_NOT_AVAILABLE,
                                "share groups are not served by this broker version"};
    return (struct refusal){KERR_INVALID_REQUEST, "no such type of coordinator key"};
}

static bool fill_batch(struct request *rq, struct refusal refusal)
{
    const struct find_coordinator_request *request = rq->body;
    struct find_coordinator_response *response = rq->response;
    int32_t count = request->coordinator_keys.count;
    if (wire_array_new(&rq->net->arena, &find_coordinator_response_coordinator_layout, count,
                       &response->coordinators) != ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++) {
        struct find_coordinator_response_coordinator *row = &response->coordinators.items[i];
        row->key = request->coordinator_keys.items[i];
        row->node_id = NO_NODE;
        row->port = -1;
        row->error_code = (int16_t)refusal.error;
        row->error_message = wire_str_of(refusal.message);
    }
    return true;
}

void handle_find_coordinator(struct request *rq)
{
    const struct find_coordinator_request *request = rq->body;
    struct find_coordinator_response *response = rq->response;
    struct refusal refusal = refusal_of(request->key_type, rq->version);
    if (rq->version >= 4) {
        if (!fill_batch(rq, refusal)) {
            request_close_no_memory(rq);
            return;
        }
    } else {
        response->error_code = (int16_t)refusal.error;
        response->error_message = wire_str_of(refusal.message);
        response->node_id = NO_NODE;
        response->port = -1;
    }
    request_reply(rq);
}
