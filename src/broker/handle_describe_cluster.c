// SPDX-License-Identifier: Apache-2.0
/*
 * handle_describe_cluster: the brokers of the cluster (API 60).
 *
 * Thread: the request's reactor.
 */
#include "broker/broker_private.h"
#include "broker/endpoint.h"
#include "broker/handlers.h"
#include "broker/operations.h"
#include "wire/describe_cluster.h"

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static void reply_error(struct request *rq, enum kerr error, const char *message)
{
    struct describe_cluster_response *response = rq->response;
    response->error_code = (int16_t)error;
    response->error_message = wire_str_of(message);
    request_reply(rq);
}

static bool fill_brokers(struct request *rq, bool with_fenced)
{
    const struct image *image = request_image(rq);
    struct describe_cluster_response *response = rq->response;
    struct arena *arena = &rq->net->arena;
    if (wire_array_new(arena, &describe_cluster_response_describe_cluster_broker_layout,
                       (int32_t)image_broker_count(image), &response->brokers) != ERR_OK)
        return false;
    int32_t count = 0;
    const struct broker_image *broker = image_broker_at_least(image, 0);
    for (; broker != NULL; broker = image_broker_at_least(image, broker->node_id + 1)) {
        struct endpoint endpoint;
        if ((broker->is_fenced && !with_fenced) || !endpoint_of(rq, broker, arena, &endpoint))
            continue;
        struct describe_cluster_response_describe_cluster_broker *row =
            &response->brokers.items[count++];
        row->broker_id = broker->node_id;
        row->host = wire_str_of(endpoint.host);
        row->port = endpoint.port;
        row->rack = wire_str_of(broker->rack);
        row->is_fenced = broker->is_fenced;
    }
    response->brokers.count = count;
    return true;
}

void handle_describe_cluster(struct request *rq)
{
    const struct describe_cluster_request *request = rq->body;
    struct describe_cluster_response *response = rq->response;
    if (request->endpoint_type == ENDPOINT_CONTROLLERS) {
        reply_error(rq, KERR_MISMATCHED_ENDPOINT_TYPE,
                    "this is a broker's endpoint, not a controller's");
        return;
    }
    if (request->endpoint_type != ENDPOINT_BROKERS) {
        reply_error(rq, KERR_UNSUPPORTED_ENDPOINT_TYPE, "no such type of endpoint");
        return;
    }
    response->cluster_id = wire_str_of(broker_cluster_id(rq->broker));
    response->controller_id = image_controller_id(request_image(rq));
    if (request->include_cluster_authorized_operations)
        response->cluster_authorized_operations = OPERATIONS_OF_CLUSTER;
    if (fill_brokers(rq, request->include_fenced_brokers))
        request_reply(rq);
    else
        request_close_no_memory(rq);
}
