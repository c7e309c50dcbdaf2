// SPDX-License-Identifier: Apache-2.0
/*
 * dispatch: from a frame to the handler of its API.
 *
 * The good case: the header is read, the API and version are served, the body is decoded
 * in place into the request's arena, the handler runs. Everything else closes the
 * connection, as Kafka does; only ApiVersions always answers (KIP-511).
 *
 * Thread: the request's reactor.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "broker/request.h"

const struct handler broker_handlers[] = {
    {.key = 0, .overlaps = true, .run = handle_produce},
    {.key = 1, .overlaps = true, .run = handle_fetch},
    {.key = 2, .run = handle_list_offsets},
    {.key = 3, .run = handle_metadata},
    {.key = 8, .run = handle_offset_commit},
    {.key = 9, .run = handle_offset_fetch},
    {.key = 10, .run = handle_find_coordinator},
    {.key = 11, .run = handle_join_group},
    {.key = 12, .run = handle_heartbeat},
    {.key = 13, .run = handle_leave_group},
    {.key = 14, .run = handle_sync_group},
    {.key = 15, .run = handle_describe_groups},
    {.key = 16, .run = handle_list_groups},
    {.key = 18, .run = handle_api_versions},
    {.key = 19, .run = handle_create_topics},
    {.key = 20, .run = handle_delete_topics},
    {.key = 21, .run = handle_delete_records},
    {.key = 22, .run = handle_init_producer_id},
    {.key = 23, .run = handle_offset_for_leader_epoch},
    {.key = 32, .run = handle_describe_configs},
    {.key = 33, .run = handle_alter_configs},
    {.key = 34, .run = handle_alter_replica_log_dirs},
    {.key = 35, .run = handle_describe_log_dirs},
    {.key = 37, .run = handle_create_partitions},
    {.key = 42, .run = handle_delete_groups},
    {.key = 44, .run = handle_incremental_alter_configs},
    {.key = 47, .run = handle_offset_delete},
    {.key = 60, .run = handle_describe_cluster},
    {.key = 74, .run = handle_list_config_resources},
    {.key = 75, .run = handle_describe_topic_partitions},
};
const uint16_t broker_handler_count = ARRAY_COUNT(broker_handlers);

enum { API_VERSIONS_KEY = 18 };

const struct handler *broker_handler_find(int16_t key)
{
    for (uint16_t i = 0; i < broker_handler_count; i++) {
        if (broker_handlers[i].key == key)
            return &broker_handlers[i];
    }
    return NULL;
}

int16_t handler_version_min(const struct wire_api *api)
{
    return api->request->version_min;
}

int16_t handler_version_max(const struct wire_api *api)
{
    return wire_api_version_max_stable(api);
}

bool broker_may_overlap(void *arg, const uint8_t *start, size_t len)
{
    if (len < 2)
        return false;
    const struct handler *handler = broker_handler_find((int16_t)bytes_load_u16(start));
    return handler != NULL && handler->overlaps;
}

/* Before there is a struct request: counted, told once, closed. */
static void refuse(struct broker *broker, struct net_request *net, enum broker_refusal reason,
                   const struct request_header *header)
{
    char peer[ENV_ADDR_TEXT_SIZE];
    atomic_fetch_add_explicit(&broker->stats.refused[reason], 1, memory_order_relaxed);
    log_info(broker->env, "connection of %s closed: %s (API key %d, version %d)",
             env_addr_text(net_conn_peer(net->conn), peer), broker_refusal_name(reason),
             header->request_api_key, header->request_api_version);
    net_request_answer_close(net);
}

static struct request *request_new(struct broker *broker, struct net_request *net,
                                   const struct wire_api *api, const struct request_header *header)
{
    struct request *rq = arena_alloc(&net->arena, sizeof(*rq));
    if (rq == NULL)
        return NULL;
    rq->broker = broker;
    rq->reactor = broker_reactor_of(broker, net->loop);
    rq->net = net;
    rq->api = api;
    rq->header = *header;
    rq->version = header->request_api_version;
    net->user = rq;
    return rq;
}

/* The body and the response struct. False: `reason` says why the request cannot be served. */
static bool request_prepare(struct request *rq, struct wire_reader *r, enum broker_refusal *reason)
{
    struct arena *arena = &rq->net->arena;
    const struct wire_message *in = rq->api->request;
    const struct wire_message *out = rq->api->response;
    rq->body = arena_alloc(arena, in->body->size);
    rq->response = arena_alloc(arena, out->body->size);
    enum err e = ERR_NO_MEMORY;
    if (rq->body != NULL && rq->response != NULL) {
        wire_defaults(out->body, rq->response);
        /* Bytes behind the body are passed over, as Kafka does: librdkafka 2.16 asks for all topics
         * (Metadata v13) with three of them. */
        e = wire_decode_part(in, rq->version, r, arena, rq->body);
    }
    *reason = e == ERR_NO_MEMORY ? BROKER_REFUSED_MEMORY : BROKER_REFUSED_MALFORMED;
    return e == ERR_OK;
}

/* Before the partitions are open a request waits; when the broker stops it is closed. */
static bool is_too_early(struct broker *broker, struct net_request *net)
{
    if (broker_is_ready(broker))
        return false;
    if (atomic_load(&broker->is_stopping))
        net_request_answer_close(net);
    else
        list_push_back(&broker_reactor_of(broker, net->loop)->early, &net->link);
    return true;
}

void broker_on_request(void *arg, struct net_request *net)
{
    struct broker *broker = arg;
    if (is_too_early(broker, net))
        return;
    struct wire_reader r = wire_reader_of(net->payload, net->payload_len);
    struct request_header header = {0};
    const struct wire_api *api = NULL;
    enum err e = wire_request_header_read(&r, &header, &api);
    if (e != ERR_OK) {
        refuse(broker, net, e == ERR_UNSUPPORTED ? BROKER_REFUSED_API : BROKER_REFUSED_MALFORMED,
               &header);
        return;
    }
    const struct handler *handler = broker_handler_find(api->key);
    if (handler == NULL) {
        refuse(broker, net, BROKER_REFUSED_API, &header);
        return;
    }
    struct request *rq = request_new(broker, net, api, &header);
    if (rq == NULL) {
        refuse(broker, net, BROKER_REFUSED_MEMORY, &header);
        return;
    }
    rq->handler = handler;
    bool is_served =
        rq->version >= handler_version_min(api) && rq->version <= handler_version_max(api);
    if (!is_served && api->key == API_VERSIONS_KEY) {
        handle_api_versions_unsupported(rq);
        return;
    }
    enum broker_refusal reason = BROKER_REFUSED_VERSION;
    if (!is_served || !request_prepare(rq, &r, &reason)) {
        refuse(broker, net, reason, &header);
        return;
    }
    handler->run(rq);
}
