// SPDX-License-Identifier: Apache-2.0
/*
 * request: one frame with its arena, and the parts of its answer. The first part is
 * always the answer's length.
 *
 * Thread: its owner's; it is made, answered and freed on its connection's loop.
 */
#include <endian.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/state.h"
#include "net/net_private.h"

static const char *const state_names[] = {"filling", "pending", "answered", "no answer", "closes"};

static const uint32_t state_edges[] = {
    [NET_REQUEST_FILLING] = STATE_EDGE(NET_REQUEST_PENDING),
    [NET_REQUEST_PENDING] = STATE_EDGE(NET_REQUEST_ANSWERED) | STATE_EDGE(NET_REQUEST_NO_ANSWER) |
                            STATE_EDGE(NET_REQUEST_CLOSES),
    [NET_REQUEST_ANSWERED] = 0,
    [NET_REQUEST_NO_ANSWER] = 0,
    [NET_REQUEST_CLOSES] = 0,
};

static const struct state_table states = {"request", state_names, state_edges,
                                          NET_REQUEST_STATE_COUNT};

void net_request_move(struct net_request *req, enum net_request_state to)
{
    state_move(&states, &req->state, to);
}

int64_t net_request_charge(uint32_t size)
{
    return (int64_t)size + (int64_t)sizeof(struct net_request) + (int64_t)sizeof(struct iobuf);
}

/* The frame's last reference is gone; on any thread. */
static void give_back_frame(void *owner, size_t size)
{
    struct net_server *server = owner;
    int64_t charge = net_request_charge((uint32_t)size);
    atomic_fetch_sub_explicit(&server->stats.memory_bytes, charge, memory_order_relaxed);
    net_budget_release(&server->budget, charge);
}

struct net_request *net_request_new(struct net_conn *conn, uint32_t size)
{
    struct net_server *server = conn->server;
    struct net_request *req = mem_try(sizeof(*req));
    struct iobuf *frame = req != NULL ? iobuf_try_new(size) : NULL;
    if (frame == NULL) {
        mem_free(req);
        return NULL;
    }
    *req = (struct net_request){
        .conn = conn,
        .loop = conn->reactor->loop,
        .payload = frame->data,
        .payload_len = size,
        .frame = frame,
        .listener = conn->listener,
        .state = NET_REQUEST_FILLING,
    };
    frame->on_free = give_back_frame;
    frame->owner = server;
    atomic_fetch_add_explicit(&server->stats.memory_bytes, net_request_charge(size),
                              memory_order_relaxed);
    arena_init(&req->arena,
               server->options.arena_bytes_base + server->options.arena_bytes_per_byte * size);
    list_init(&req->link);
    list_init(&req->order);
    req->parts = req->few_parts;
    req->part_count = 1;
    req->part_capacity = ARRAY_COUNT(req->few_parts);
    net_conn_ref(conn);
    return req;
}

void net_request_drop_frame(struct net_request *req)
{
    iobuf_unref(req->frame);
    req->frame = NULL;
    req->payload = NULL;
    req->payload_len = 0;
}

void net_request_clear_answer(struct net_request *req)
{
    for (uint32_t i = 0; i < req->part_count; i++)
        env_file_unref(req->parts[i].file);
    for (uint32_t i = 0; i < req->slice_count; i++)
        iobuf_slice_release(&req->slices[i]);
    if (req->parts != req->few_parts)
        mem_free(req->parts);
    mem_free(req->slices);
    if (req->heap != NULL) {
        atomic_fetch_sub_explicit(&req->conn->server->stats.memory_bytes, req->heap_size,
                                  memory_order_relaxed);
        net_budget_release(&req->conn->server->budget, req->heap_size);
        mem_free(req->heap);
    }
    req->heap = NULL;
    req->heap_size = 0;
    req->slices = NULL;
    req->slice_count = 0;
    req->parts = req->few_parts;
    req->part_count = 1;
    req->part_capacity = ARRAY_COUNT(req->few_parts);
    req->few_parts[0] = (struct sock_part){0};
    req->answer_len = 0;
    req->has_failed = false;
}

void net_request_free(struct net_request *req)
{
    ASSERT(req->state != NET_REQUEST_PENDING);
    ASSERT(!list_is_linked(&req->order));
    net_request_clear_answer(req);
    net_request_drop_frame(req);
    arena_deinit(&req->arena);
    net_conn_unref(req->conn);
    mem_free(req);
}

/* Room for one more part, or has_failed. */
static bool grow_parts(struct net_request *req)
{
    if (req->part_count < req->part_capacity)
        return true;
    uint32_t capacity = req->part_capacity * 2;
    struct sock_part *parts = mem_try(capacity * sizeof(parts[0]));
    if (parts == NULL)
        return false;
    for (uint32_t i = 0; i < req->part_count; i++)
        parts[i] = req->parts[i];
    if (req->parts != req->few_parts)
        mem_free(req->parts);
    req->parts = parts;
    req->part_capacity = capacity;
    return true;
}

static bool add_part(struct net_request *req, struct sock_part part)
{
    ASSERT(req->state == NET_REQUEST_PENDING);
    if (req->has_failed || part.len == 0)
        return false;
    if (part.len > INT32_MAX - req->answer_len || !grow_parts(req)) {
        req->has_failed = true;
        return false;
    }
    req->parts[req->part_count++] = part;
    req->answer_len += (uint32_t)part.len;
    return true;
}

void net_request_add_bytes(struct net_request *req, const void *data, size_t len)
{
    add_part(req, (struct sock_part){.data = data, .len = len});
}

void net_request_add_slice(struct net_request *req, struct iobuf_slice take_slice)
{
    /* One array element per doubling: slice_count 0, 1, 2, 4, ... means full. */
    bool is_full = (req->slice_count & (req->slice_count - 1)) == 0;
    uint32_t capacity = req->slice_count == 0 ? 1 : req->slice_count * 2;
    if (!req->has_failed && is_full) {
        struct iobuf_slice *slices =
            mem_try_realloc(req->slices, capacity * sizeof(req->slices[0]));
        if (slices == NULL)
            req->has_failed = true;
        else
            req->slices = slices;
    }
    if (!add_part(req, (struct sock_part){.data = take_slice.data, .len = take_slice.len})) {
        iobuf_slice_release(&take_slice);
        return;
    }
    req->slices[req->slice_count++] = take_slice;
}

void net_request_add_file(struct net_request *req, struct env_file *file, int64_t pos, size_t len)
{
    ASSERT(pos >= 0);
    if (add_part(req, (struct sock_part){.file = file, .pos = pos, .len = len}))
        env_file_ref(file);
}

void net_request_give(struct net_request *req, void *take_heap, size_t size)
{
    ASSERT(req->heap == NULL);
    ASSERT(take_heap != NULL && size <= UINT32_MAX);
    req->heap = take_heap;
    req->heap_size = (uint32_t)size;
    net_budget_charge(&req->conn->server->budget, (int64_t)size);
    atomic_fetch_add_explicit(&req->conn->server->stats.memory_bytes, (int64_t)size,
                              memory_order_relaxed);
}

static void answer(struct net_request *req, enum net_request_state state)
{
    struct net_conn *conn = req->conn;
    ASSERT(loop_is_current(req->loop));
    ASSERT(!list_is_linked(&req->link));
    net_request_move(req, state);
    atomic_fetch_sub_explicit(&conn->server->stats.requests_in_flight, 1, memory_order_relaxed);
    if (net_conn_is_closed(conn)) {
        net_request_free(req);
        return;
    }
    ASSERT(conn->pending_count > 0);
    conn->pending_count--;
    if (conn->pending_count == 0)
        conn->is_exclusive = false;
    if (state == NET_REQUEST_ANSWERED)
        conn->unsent_bytes += req->answer_len + sizeof(req->header);
    if (state == NET_REQUEST_CLOSES)
        net_conn_end_taking(conn);
    if (conn->pending_count > 0)
        net_conn_run_later(conn); /* more may be answered in this turn: send them together */
    else
        net_conn_run(conn);
}

void net_request_answer(struct net_request *req)
{
    if (req->has_failed) {
        answer(req, NET_REQUEST_CLOSES);
        return;
    }
    req->header = htobe32(req->answer_len);
    req->parts[0] =
        (struct sock_part){.data = (const uint8_t *)&req->header, .len = sizeof(req->header)};
    answer(req, NET_REQUEST_ANSWERED);
}

void net_request_answer_none(struct net_request *req)
{
    answer(req, NET_REQUEST_NO_ANSWER);
}

void net_request_answer_close(struct net_request *req)
{
    answer(req, NET_REQUEST_CLOSES);
}
