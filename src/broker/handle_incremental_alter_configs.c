// SPDX-License-Identifier: Apache-2.0
/*
 * handle_incremental_alter_configs: configs of topics, brokers and groups change while they run,
 * and how much is logged (API 44).
 *
 * What is logged is this process's alone and changed here; the others are decided beside the
 * image, and in force when the answer leaves. Each resource succeeds or fails by itself.
 *
 * Thread: the request's reactor; decide on the controller's loop, which has the request meanwhile.
 */
#include "base/assert.h"
#include "broker/broker_logger.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/incremental_alter_configs.h"

struct alter_op {
    struct broker_change change;
    struct incremental_alter_configs_request asked;    /* what is to be decided */
    struct incremental_alter_configs_response decided; /* of those */
};

static bool is_logger(const struct incremental_alter_configs_request_alter_configs_resource *r)
{
    return r->resource_type == RESOURCE_BROKER_LOGGER;
}

static void
alter_logger(struct request *rq,
             const struct incremental_alter_configs_request_alter_configs_resource *resource,
             struct incremental_alter_configs_response_alter_configs_resource_response *row)
{
    const struct incremental_alter_configs_request *request = rq->body;
    const char *message = NULL;
    enum kerr error = broker_logger_alter(rq->broker, resource, request->validate_only, &message);
    row->error_code = (int16_t)error;
    row->error_message = wire_str_of(message);
}

/* The rows as they were decided, or all with one error, then the loggers. */
static bool fill_response(struct alter_op *op, enum err e)
{
    struct request *rq = op->change.rq;
    const struct incremental_alter_configs_request *request = rq->body;
    struct incremental_alter_configs_response *response = rq->response;
    int32_t count = e == ERR_OK ? op->decided.responses.count : 0;
    if (wire_array_new(&rq->net->arena,
                       &incremental_alter_configs_response_alter_configs_resource_response_layout,
                       request->resources.count, &response->responses) != ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++)
        response->responses.items[i] = op->decided.responses.items[i];
    enum kerr error = broker_change_error(e);
    for (int32_t i = 0; i < request->resources.count; i++) {
        const struct incremental_alter_configs_request_alter_configs_resource *resource =
            &request->resources.items[i];
        if (!is_logger(resource) && e == ERR_OK)
            continue;
        struct incremental_alter_configs_response_alter_configs_resource_response *row =
            &response->responses.items[count++];
        row->resource_type = resource->resource_type;
        row->resource_name = resource->resource_name;
        row->error_code = (int16_t)error;
        row->error_message = wire_str_of(kerr_message(error));
        if (is_logger(resource))
            alter_logger(rq, resource, row);
    }
    ASSERT(count == request->resources.count);
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
    return decide_incremental_alter_configs(d, &op->asked, &bc->rq->net->arena, &op->decided);
}

/* Collects all but the loggers. False: no memory. */
static bool pick(struct alter_op *op)
{
    const struct incremental_alter_configs_request *request = op->change.rq->body;
    op->asked.validate_only = request->validate_only;
    if (wire_array_new(&op->change.rq->net->arena,
                       &incremental_alter_configs_request_alter_configs_resource_layout,
                       request->resources.count, &op->asked.resources) != ERR_OK)
        return false;
    int32_t count = 0;
    for (int32_t i = 0; i < request->resources.count; i++) {
        if (!is_logger(&request->resources.items[i]))
            op->asked.resources.items[count++] = request->resources.items[i];
    }
    op->asked.resources.count = count;
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
    if (!pick(op))
        request_close_no_memory(rq);
    else if (op->asked.resources.count == 0)
        alter_finish(&op->change, ERR_OK);
    else
        broker_submit_change(&op->change);
}
