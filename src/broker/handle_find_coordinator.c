// SPDX-License-Identifier: Apache-2.0
/*
 * handle_find_coordinator: which broker keeps this group or transaction (API 10).
 *
 * A group's is the leader of its partition of __consumer_offsets. The topic is made when it is
 * first asked for; the answer waits for that, where Kafka says COORDINATOR_NOT_AVAILABLE until
 * it is there.
 *
 * Transactions are not served: who asks is refused for good, so that a producer says at once what
 * is wrong instead of waiting. From version 1 on the answer says why in words.
 *
 * Thread: the request's reactor; make_decide on the controller's loop, which has the request then.
 */
#include "broker/broker_private.h"
#include "broker/endpoint.h"
#include "broker/handlers.h"
#include "wire/codec.h"
#include "wire/find_coordinator.h"
#include <stdio.h>

enum {
    KEY_GROUP = 0,
    KEY_TRANSACTION = 1,
    KEY_SHARE = 2,
    NO_NODE = -1,
    SHARE_SINCE = 6,
    BATCH_SINCE = 4,
    SEGMENT_BYTES_TEXT = 16,
};

struct answer {
    enum kerr error;
    const char *message; /* NULL: none */
    int32_t node_id;
    struct endpoint endpoint;
};

static struct answer refusal(enum kerr error, const char *message)
{
    return (struct answer){
        .error = error, .message = message, .node_id = NO_NODE, .endpoint = {"", UINT16_MAX}};
}

static struct answer refusal_of_type(int8_t key_type, int16_t version)
{
    if (key_type == KEY_TRANSACTION)
        return refusal(KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                       "transactions are not served by this broker version");
    if (key_type == KEY_SHARE && version >= SHARE_SINCE)
        return refusal(KERR_COORDINATOR_NOT_AVAILABLE,
                       "share groups are not served by this broker version");
    return refusal(KERR_INVALID_REQUEST, "no such type of coordinator key");
}

static const struct topic_image *groups_topic(struct request *rq)
{
    return image_topic(request_image(rq), GROUPS_TOPIC, sizeof(GROUPS_TOPIC) - 1);
}

static struct answer find_group(struct request *rq, struct wire_str group_id)
{
    const struct topic_image *topic = groups_topic(rq);
    if (topic == NULL)
        return refusal(KERR_COORDINATOR_NOT_AVAILABLE, "the offsets topic could not be made");
    const struct partition_image *partition =
        topic_partition(topic, groups_partition_of(group_id, topic_partition_count(topic)));
    const struct broker_image *leader = image_broker(request_image(rq), partition->leader);
    /* Made just now, for somebody else: it would say NOT_COORDINATOR to who comes at once. */
    if (partition->leader == rq->broker->node_id && groups_shard_count(rq->broker) == 0)
        return refusal(KERR_COORDINATOR_NOT_AVAILABLE, "the offsets topic is being opened");
    struct answer answer = {.error = KERR_NONE, .node_id = partition->leader};
    if (leader == NULL || !endpoint_of(rq, leader, &rq->net->arena, &answer.endpoint))
        return refusal(KERR_COORDINATOR_NOT_AVAILABLE,
                       "the partition of the offsets topic has no leader just now");
    return answer;
}

static struct answer answer_of(struct request *rq, struct wire_str key)
{
    const struct find_coordinator_request *request = rq->body;
    return request->key_type == KEY_GROUP ? find_group(rq, key)
                                          : refusal_of_type(request->key_type, rq->version);
}

static bool fill_batch(struct request *rq)
{
    const struct find_coordinator_request *request = rq->body;
    struct find_coordinator_response *response = rq->response;
    int32_t count = request->coordinator_keys.count;
    if (wire_array_new(&rq->net->arena, &find_coordinator_response_coordinator_layout, count,
                       &response->coordinators) != ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++) {
        struct find_coordinator_response_coordinator *row = &response->coordinators.items[i];
        struct answer answer = answer_of(rq, request->coordinator_keys.items[i]);
        row->key = request->coordinator_keys.items[i];
        row->node_id = answer.node_id;
        row->host = wire_str_of(answer.endpoint.host);
        row->port = answer.error == KERR_NONE ? answer.endpoint.port : -1;
        row->error_code = (int16_t)answer.error;
        row->error_message = wire_str_of(answer.error == KERR_NONE ? "" : answer.message);
    }
    return true;
}

static void reply(struct request *rq)
{
    const struct find_coordinator_request *request = rq->body;
    struct find_coordinator_response *response = rq->response;
    if (rq->version >= BATCH_SINCE) {
        if (!fill_batch(rq)) {
            request_close_no_memory(rq);
            return;
        }
    } else {
        struct answer answer = answer_of(rq, request->key);
        response->error_code = (int16_t)answer.error;
        response->error_message = wire_str_of(answer.error == KERR_NONE ? "NONE" : answer.message);
        response->node_id = answer.node_id;
        response->host = wire_str_of(answer.endpoint.host);
        response->port = answer.error == KERR_NONE ? answer.endpoint.port : -1;
    }
    request_reply(rq);
}

/* ---- making the topic */

struct make_op {
    struct broker_change change;
    enum kerr result;
    char segment_bytes[SEGMENT_BYTES_TEXT];
};

/* No more replicas than there are brokers: a single one serves groups without being told to. */
static enum err make_decide(struct broker_change *bc, struct decision *d)
{
    struct make_op *op = container_of(bc, struct make_op, change);
    const struct server_config *config = bc->rq->broker->config;
    int16_t brokers = (int16_t)MIN(image_broker_count(d->image), (size_t)INT16_MAX);
    const struct config_pair pairs[] = {
        {"cleanup.policy", "compact"},
        {"compression.type", "producer"},
        {"segment.bytes", op->segment_bytes},
    };
    struct auto_topic topic = {
        .name = GROUPS_TOPIC,
        .name_len = sizeof(GROUPS_TOPIC) - 1,
        .partition_count = config->offsets_topic_partitions,
        .replication_factor = MIN(config->offsets_topic_replication_factor, MAX(brokers, 1)),
        .configs = {pairs, ARRAY_COUNT(pairs)},
    };
    return decide_auto_topic(d, &topic, &op->result);
}

static void make_finish(struct broker_change *bc, enum err e)
{
    struct make_op *op = container_of(bc, struct make_op, change);
    if (e != ERR_OK || op->result != KERR_NONE)
        log_error(bc->rq->broker->env, GROUPS_TOPIC " could not be made: %s",
                  e != ERR_OK ? err_text(e) : kerr_name(op->result));
    reply(bc->rq);
}

void handle_find_coordinator(struct request *rq)
{
    const struct find_coordinator_request *request = rq->body;
    if (request->key_type != KEY_GROUP || groups_topic(rq) != NULL) {
        reply(rq);
        return;
    }
    struct make_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    snprintf(op->segment_bytes, sizeof(op->segment_bytes), "%d",
             rq->broker->config->offsets_topic_segment_bytes);
    op->change.rq = rq;
    op->change.decide = make_decide;
    op->change.finish = make_finish;
    broker_submit_change(&op->change);
}
