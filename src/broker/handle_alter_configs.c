// SPDX-License-Identifier: Apache-2.0
/*
 * handle_alter_configs: all configs of a topic, broker or group are replaced (API 33), as old
 * clients do.
 *
 * What is not named loses its value. In force when the answer leaves.
 *
 * Thread: the request's reactor; decide on the controller's loop, which has the request meanwhile.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/alter_configs.h"

static enum err alter_decide(struct broker_change *bc, struct decision *d)
{
    struct request *rq = bc->rq;
    struct alter_configs_response *response = rq->response;
    wire_defaults(&alter_configs_response_layout, response); /* it may be the second time */
    return decide_alter_configs(d, rq->body, &rq->net->arena, response);
}

/* Nothing was decided, or it could not be written: the same row for every resource. */
static bool fill_failure(struct request *rq, enum err e)
{
    const struct alter_configs_request *request = rq->body;
    struct alter_configs_response *response = rq->response;
    wire_defaults(&alter_configs_response_layout, response);
    if (wire_array_new(&rq->net->arena,
                       &alter_configs_response_alter_configs_resource_response_layout,
                       request->resources.count, &response->responses) != ERR_OK)
        return false;
    enum kerr error = broker_change_error(e);
    for (int32_t i = 0; i < request->resources.count; i++) {
        struct alter_configs_response_alter_configs_resource_response *row =
            &response->responses.items[i];
        row->resource_type = request->resources.items[i].resource_type;
        row->resource_name = request->resources.items[i].resource_name;
        row->error_code = (int16_t)error;
        row->error_message = wire_str_of(kerr_message(error));
    }
    return true;
}

void handle_alter_configs(struct request *rq)
{
    broker_change_start(rq, alter_decide, fill_failure);
}
