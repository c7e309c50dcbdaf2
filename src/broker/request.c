// SPDX-License-Identifier: Apache-2.0
/* request: answering. See request.h. Thread: the request's reactor. */
#include "broker/request.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "broker/broker_private.h"
#include "env/logger.h"
#include "log/partition_log.h"

struct image *request_image(const struct request *rq)
{
    return rq->reactor->image;
}

/* Buffer and file ranges in the order in which they go onto the socket. */
static void add_parts(struct net_request *net, const struct wire_writer *w)
{
    uint32_t pos = 4; /* the length is net's */
    for (uint32_t i = 0; i < w->hole_count; i++) {
        const struct wire_hole *hole = &w->holes[i];
        ASSERT(hole->pos >= pos && hole->ref != NULL);
        const struct log_range *range = hole->ref;
        ASSERT(range->len == hole->len);
        net_request_add_bytes(net, w->data + pos, hole->pos - pos);
        if (range->file != NULL)
            net_request_add_file(net, range->file, range->pos, (size_t)range->len);
        else
            net_request_add_slice(net,
                                  iobuf_slice(range->held.buf, range->held.data, range->held.len));
        pos = hole->pos;
    }
    if (w->size > pos)
        net_request_add_bytes(net, w->data + pos, w->size - pos);
}

void request_reply(struct request *rq)
{
    struct net_request *net = rq->net;
    struct wire_writer w;
    wire_writer_init(&w, INT32_MAX);
    struct wire_mark mark =
        wire_response_begin(&w, rq->api, rq->version, rq->header.correlation_id);
    enum err e = wire_encode(rq->api->response, rq->version, &w, rq->response);
    if (e != ERR_OK) {
        log_warn(rq->broker->env, "%s v%d: the answer could not be encoded: %s", rq->api->name,
                 rq->version, err_text(e));
        wire_writer_deinit(&w);
        request_close(rq, "no answer could be made");
        return;
    }
    wire_write_size_end(&w, mark);
    add_parts(net, &w);
    uint32_t size;
    uint8_t *heap = wire_writer_take(&w, &size);
    net_request_give(net, heap, size);
    wire_writer_deinit(&w);
    if (rq->throttle_ms > 0)
        net_conn_mute(net->conn, loop_now_ns(net->loop) + rq->throttle_ms * 1000000);
    broker_count_request(rq);
    net_request_answer(net);
}

void request_reply_none(struct request *rq)
{
    broker_count_request(rq);
    net_request_answer_none(rq->net);
}

void request_close(struct request *rq, const char *why)
{
    char peer[ENV_ADDR_TEXT_SIZE];
    log_info(rq->broker->env, "connection of %s closed at %s v%d: %s",
             env_addr_text(net_conn_peer(rq->net->conn), peer), rq->api->name, rq->version, why);
    net_request_answer_close(rq->net);
}

void *request_alloc(struct request *rq, size_t count, size_t size)
{
    return arena_alloc_array(&rq->net->arena, count, size);
}

void *request_try(struct request *rq, uint64_t count, size_t size)
{
    ASSERT(size > 0);
    uint64_t bytes_max = LIMIT_REQUEST_ARENA_BASE_BYTES +
                         (uint64_t)LIMIT_REQUEST_ARENA_PER_FRAME_BYTE * rq->net->payload_len;
    if (count > bytes_max / size)
        return NULL;
    void *all = mem_try((size_t)count * size);
    if (all != NULL)
        memset(all, 0, (size_t)count * size);
    return all;
}

void request_close_no_memory(struct request *rq)
{
    request_close(rq, "the request needs more memory than its limit");
}

const char *request_text(struct request *rq, struct wire_str s)
{
    return arena_copy_text(&rq->net->arena, s.data, s.len > 0 ? (size_t)s.len : 0);
}
