// SPDX-License-Identifier: Apache-2.0
/*
 * handle_api_versions: what this broker can be asked (API 18).
 *
 * Exactly the handlers of the dispatch table are told. Produce is told from version 0 on though
 * older ones than 3 are refused: a librdkafka that sees another minimum takes the broker for
 * one without compression (KIP-896 has the story). No feature is told: this build finalises none,
 * and clients take a missing one as level 0.
 *
 * Thread: the request's reactor.
 */
#include <string.h>

#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/conn_state.h"
#include "broker/handlers.h"
#include "wire/api_versions.h"

enum { API_VERSIONS_KEY = 18, NO_NODE = -1 };

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters and digits, in the middle also - and . : the text goes into logs and metrics. */
static bool is_software_text(struct wire_str s)
{
    if (s.len <= 0 || !is_letter_or_digit(s.data[0]) || !is_letter_or_digit(s.data[s.len - 1]))
        return false;
    for (int32_t i = 0; i < s.len; i++) {
        if (!is_letter_or_digit(s.data[i]) && s.data[i] != '-' && s.data[i] != '.')
            return false;
    }
    return true;
}

static void keep_text(char out[LIMIT_CLIENT_SOFTWARE_BYTES + 1], struct wire_str s)
{
    if (s.len > LIMIT_CLIENT_SOFTWARE_BYTES)
        s = wire_str_of("other");
    memcpy(out, s.data, (size_t)s.len);
    out[s.len] = '\0';
}

/* KIP-1242: the address may have been another broker's, or another cluster's, when the client
 * learned it. It names both or none. */
static enum kerr check_address(const struct request *rq, const struct api_versions_request *request)
{
    bool has_cluster = !wire_str_is_null(request->cluster_id);
    bool has_node = request->node_id != NO_NODE;
    if (!has_cluster && !has_node)
        return KERR_NONE;
    if (has_cluster != has_node)
        return KERR_INVALID_REQUEST;
    bool is_meant = wire_str_is(request->cluster_id, broker_cluster_id(rq->broker)) &&
                    request->node_id == rq->broker->node_id;
    return is_meant ? KERR_NONE : KERR_REBOOTSTRAP_REQUIRED;
}

static enum kerr check_client(struct request *rq, const struct api_versions_request *request)
{
    if (rq->version < 3)
        return KERR_NONE;
    if (!is_software_text(request->client_software_name) ||
        !is_software_text(request->client_software_version))
        return KERR_INVALID_REQUEST;
    enum kerr error = check_address(rq, request); /* before version 5 there is none */
    if (error != KERR_NONE)
        return error;
    struct conn_state *state = conn_state_of(rq->broker, rq->net->conn);
    keep_text(state->software_name, request->client_software_name);
    keep_text(state->software_version, request->client_software_version);
    return KERR_NONE;
}

static struct api_versions_response_api_version range_of(int16_t key)
{
    const struct wire_api *api = wire_api_find(key);
    ASSERT(api != NULL);
    return (struct api_versions_response_api_version){
        .api_key = key,
        .min_version = api->announce_min,
        .max_version = handler_version_max(api),
    };
}

void handle_api_versions(struct request *rq)
{
    struct api_versions_response *response = rq->response;
    enum kerr error = check_client(rq, rq->body);
    if (error != KERR_NONE) {
        response->error_code = (int16_t)error;
        request_reply(rq);
        return;
    }
    if (wire_array_new(&rq->net->arena, &api_versions_response_api_version_layout,
                       broker_handler_count, &response->api_keys) != ERR_OK) {
        request_close_no_memory(rq);
        return;
    }
    for (uint16_t i = 0; i < broker_handler_count; i++)
        response->api_keys.items[i] = range_of(broker_handlers[i].key);
    request_reply(rq);
}

void handle_api_versions_unsupported(struct request *rq)
{
    struct api_versions_response *response = request_alloc(rq, 1, sizeof(*response));
    rq->version = 0;
    rq->response = response;
    if (response == NULL) {
        request_close_no_memory(rq);
        return;
    }
    wire_defaults(&api_versions_response_layout, response);
    response->error_code = KERR_UNSUPPORTED_VERSION;
    if (wire_array_new(&rq->net->arena, &api_versions_response_api_version_layout, 1,
                       &response->api_keys) != ERR_OK) {
        request_close_no_memory(rq);
        return;
    }
    response->api_keys.items[0] = range_of(API_VERSIONS_KEY);
    request_reply(rq);
}
