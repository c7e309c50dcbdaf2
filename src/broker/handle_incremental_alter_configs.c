// SPDX-License-Identifier: Apache-2.0
/*
 * handle_incremental_alter_configs: configs of topics change while they run (API 44).
 *
 * Resources other than topics have nothing that this build could change while it runs; each of
 * them gets INVALID_REQUEST and a sentence, the topics of the same request are changed all the
 * same.
 *
 * Thread: the request's reactor; decide on the controller's loop, which has the request meanwhile.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/incremental_alter_configs.h"

struct alter_op {
    struct broker_change change;
    struct incremental_alter_configs_request topics;   /* the resources that are topics */
    struct incremental_alter_configs_response decided; /* of those */
};

/* The topics' rows as they were decided, or all with one error, then the other resources'. */
static bool fill_response(struct alter_op *op, enum err e)
{
    struct request *rq = op->change.rq;
    const struct incremental_alter_configs_request *request = rq->body;
    struct incremental_alter_configs_response *response = rq->response;
    int32_t decided_count = e == ERR_OK ? op->decided.responses.count : 0;
    if (wire_array_new(&rq->net->arena,
                       &incremental_alter_configs_response_alter_configs_resource_response_layout,
                       decided_count + request->resources.count, &response->responses) != ERR_OK)
        return false;
    int32_t count = 0;
    for (; count < decided_count; count++)
        response->responses.items[count] = op->decided.responses.items[count];
    enum kerr error = broker_change_error(e);
    for (int32_t i = 0; i < request->resources.count; i++) {
        bool is_topic = request->resources.items[i].resource_type == RESOURCE_TOPIC;
        if (is_topic && e == ERR_OK)
            continue;
        struct incremental_alter_configs_response_alter_configs_resource_response *row =
            &response->responses.items[count++];
        row->resource_type = request->resources.items[i].resource_type;
        row->resource_name = request->resources.items[i].resource_name;
        row->error_code = (int16_t)(is_topic ? error : KERR_INVALID_REQUEST);
        row->error_message = wire_str_of(
            is_topic ? kerr_message(error)
                     : "only the configs of topics can be changed while this broker runs");
    }
    response->responses.count = count;
    return true;
}

static void alter_finish(struct broker_change *bc, enum err e)
{
    struct request *rq = bc->rq;
    if (fill_response(container_of(bc, struct alter_op, change), e))
        request_reply(rq);
    else
        request_close_no_memory(rq);
}

static enum err alter_decide(struct broker_change *bc, struct decision *d)
{
    struct alter_op *op = container_of(bc, struct alter_op, change);
    wire_defaults(&incremental_alter_configs_response_layout, &op->decided);
    return decide_incremental_alter_configs(d, &op->topics, &bc->rq->net->arena, &op->decided);
}

/* Collects the topics. False: no memory. */
static bool pick_topics(struct alter_op *op)
{
    const struct incremental_alter_configs_request *request = op->change.rq->body;
    op->topics.validate_only = request->validate_only;
    if (wire_array_new(&op->change.rq->net->arena,
                       &incremental_alter_configs_request_alter_configs_resource_layout,
                       request->resources.count, &op->topics.resources) != ERR_OK)
        return false;
    int32_t count = 0;
    for (int32_t i = 0; i < request->resources.count; i++) {
        if (request->resources.items[i].resource_type == RESOURCE_TOPIC)
            op->topics.resources.items[count++] = request->resources.items[i];
    }
    op->topics.resources.count = count;
    return true;
}

void handle_incremental_alter_configs(struct request *rq)
{
    struct alter_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    op->change.rq = rq;
    op->change.decide = alter_decide;
    op->change.finish = alter_finish;
    wire_defaults(&incremental_alter_configs_response_layout, &op->decided);
    if (!pick_topics(op))
        request_close_no_memory(rq);
    else if (op->topics.resources.count == 0)
        alter_finish(&op->change, ERR_OK);
    else
        broker_submit_change(&op->change);
}
