// SPDX-License-Identifier: Apache-2.0
/*
 * input: bytes to frames to requests.
 *
 * A connection between frames holds no buffer: it reads into its reactor's scratch,
 * and frames that are whole there are copied once into their iobuf. The rest of a frame
 * larger than that is read straight into its iobuf. Bytes behind a frame that has to
 * wait (for memory, for its turn) are kept in `left`.
 *
 * The good case: recv into the scratch, parse lengths, copy, hand over, next.
 *
 * Thread: the connection's loop.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/net_private.h"

enum { DIRECT_READ_BYTES = 16 * 1024 }; /* a rest of a frame that is worth a call of its own */

/* ---- what is left over */

/* Behind a frame that is held back, what is left counts in the budget. Without one it is the
 * beginning of a frame that may wait for memory: counting it could keep that from ever being
 * granted; it is small then, because little is read while others wait (see read_size). */
static void charge_left(struct net_conn *conn, struct net_left *left, bool should_charge)
{
    int64_t charge = (int64_t)left->len + (int64_t)sizeof(struct net_left);
    if (should_charge == left->is_charged)
        return;
    left->is_charged = should_charge;
    atomic_fetch_add_explicit(&conn->server->stats.memory_bytes, should_charge ? charge : -charge,
                              memory_order_relaxed);
    if (should_charge)
        net_budget_charge(&conn->server->budget, charge);
    else
        net_budget_release(&conn->server->budget, charge);
}

static void free_left(struct net_conn *conn, struct net_left *left)
{
    if (left == NULL)
        return;
    charge_left(conn, left, false);
    mem_free(left);
}

static bool keep_left(struct net_conn *conn, const uint8_t *data, size_t len)
{
    ASSERT(conn->left == NULL && len <= NET_SCRATCH_BYTES);
    if (len == 0)
        return true;
    struct net_left *left = mem_try(sizeof(*left) + len);
    if (left == NULL)
        return false;
    *left = (struct net_left){.len = (uint32_t)len};
    memcpy(left->data, data, len);
    conn->left = left;
    charge_left(conn, left, conn->frame != NULL);
    return true;
}

/* ---- bytes that are no frame */

static const char *looks_like(const uint8_t *start)
{
    static const char *const methods[] = {"GET ", "POST", "PUT ", "HEAD", "OPTI",
                                          "DELE", "CONN", "HTTP", "PRI "};
    if (start[0] == 0x16 && start[1] == 0x03)
        return "TLS";
    if (memcmp(start, "SSH-", 4) == 0)
        return "SSH";
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        if (memcmp(start, methods[i], 4) == 0)
            return "HTTP";
    }
    return NULL;
}

static void refuse_frame(struct net_conn *conn, const uint8_t *start)
{
    char untold[NET_UNTOLD_SIZE];
    if (net_reactor_may_complain(conn->reactor, untold)) {
        char peer[ENV_ADDR_TEXT_SIZE], what[96];
        const char *like = looks_like(start);
        if (like != NULL)
            snprintf(what, sizeof(what), "what it sent looks like %s, not like Kafka's protocol",
                     like);
        else
            snprintf(what, sizeof(what), "a request of %d bytes; at most %u are taken",
                     (int32_t)bytes_load_u32(start), conn->server->frame_bytes_max);
        log_warn(conn->server->env, "closed connection from %s: %s%s",
                 env_addr_text(&conn->peer, peer), what, untold);
    }
    net_conn_end(conn, NET_CLOSED_BAD_FRAME, "bad frame");
}

/* ---- memory for a frame */

static void memory_granted(struct loop_task *task)
{
    struct net_conn *conn = container_of(task, struct net_conn, task);
    conn->is_waiting = false;
    if (net_conn_is_closed(conn))
        net_budget_release(&conn->server->budget, conn->waiter.size);
    else
        conn->granted = conn->waiter.size;
    net_conn_run(conn);
    net_conn_unref(conn);
}

/* On the first loop. */
static void post_grant(struct net_waiter *waiter)
{
    struct net_conn *conn = container_of(waiter, struct net_conn, waiter);
    loop_post(conn->reactor->loop, &conn->task);
}

/* False: it has to wait, in line by now. */
static bool reserve(struct net_conn *conn, int64_t charge)
{
    struct net_budget *budget = &conn->server->budget;
    if (conn->granted > 0) {
        ASSERT(conn->granted == charge);
        conn->granted = 0;
        return true;
    }
    if (net_budget_try_reserve(budget, charge))
        return true;
    conn->is_waiting = true;
    conn->task.run = memory_granted;
    conn->waiter.granted = post_grant;
    net_conn_ref(conn);
    net_budget_wait(budget, &conn->waiter, charge);
    return false;
}

/* ---- frames */

/* Hands the whole frame over if its turn has come. */
static bool hand_over(struct net_conn *conn)
{
    struct net_server *server = conn->server;
    struct net_request *req = conn->frame;
    const struct net_callbacks *callbacks = &server->callbacks;
    if (conn->state != NET_CONN_OPEN || conn->is_muted ||
        conn->order_count >= server->options.in_flight_max ||
        conn->unsent_bytes > server->options.unsent_bytes_max)
        return false;
    bool may_overlap = callbacks->may_overlap != NULL &&
                       callbacks->may_overlap(callbacks->arg, req->payload,
                                              MIN(req->payload_len, (uint32_t)NET_PEEK_BYTES));
    if (conn->pending_count > 0 && (conn->is_exclusive || !may_overlap))
        return false;
    conn->frame = NULL;
    conn->is_exclusive = !may_overlap;
    conn->order_count++;
    conn->pending_count++;
    list_push_back(&conn->order, &req->order);
    net_request_move(req, NET_REQUEST_PENDING);
    net_count(&server->stats.requests, 1);
    atomic_fetch_add_explicit(&server->stats.requests_in_flight, 1, memory_order_relaxed);
    callbacks->on_request(callbacks->arg, req);
    return true;
}

static bool is_frame_whole(const struct net_conn *conn)
{
    return conn->frame != NULL && conn->frame_used == conn->frame->payload_len;
}

/* The frame got its last byte: true when the connection may go on behind it. */
static bool finish_frame(struct net_conn *conn)
{
    conn->frame->received_ns = loop_now_ns(conn->reactor->loop);
    conn->wants_big = conn->frame->payload_len > LIMIT_FRAME_SMALL_BYTES;
    conn->period_bytes += LIMIT_FRAME_CROWDED_BYTES; /* a whole one is progress enough */
    return hand_over(conn);
}

/* Makes the frame whose length is at `data`. False: not yet, or the connection is closed. */
static bool begin_frame(struct net_conn *conn, const uint8_t *data, size_t len)
{
    struct net_server *server = conn->server;
    uint32_t size = bytes_load_u32(data);
    if (size == 0 || size > server->frame_bytes_max || looks_like(data) != NULL) {
        refuse_frame(conn, data);
        return false;
    }
    bool is_small = size <= LIMIT_FRAME_SMALL_BYTES;
    if (!is_small && len - LIMIT_FRAME_HEADER_BYTES < LIMIT_FRAME_PROOF_BYTES)
        return false;
    int64_t charge = net_request_charge(size);
    if (!reserve(conn, charge))
        return false;
    conn->frame = net_request_new(conn, size);
    conn->frame_used = 0;
    if (conn->frame == NULL) {
        net_budget_release(&server->budget, charge);
        net_conn_end(conn, NET_CLOSED_MEMORY, "no memory for a frame");
        return false;
    }
    return true;
}

static size_t fill_frame(struct net_conn *conn, const uint8_t *data, size_t len)
{
    size_t n = MIN(len, (size_t)(conn->frame->payload_len - conn->frame_used));
    memcpy(conn->frame->frame->data + conn->frame_used, data, n);
    conn->frame_used += (uint32_t)n;
    return n;
}

/* Consumes what it can; the rest has to be kept (unless the connection is closed). */
static size_t parse(struct net_conn *conn, const uint8_t *data, size_t len)
{
    size_t pos = 0;
    while (conn->state == NET_CONN_OPEN && !conn->is_waiting && !is_frame_whole(conn)) {
        if (conn->frame == NULL) {
            if (len - pos < LIMIT_FRAME_HEADER_BYTES || !begin_frame(conn, data + pos, len - pos))
                break;
            pos += LIMIT_FRAME_HEADER_BYTES;
        }
        pos += fill_frame(conn, data + pos, len - pos);
        if (!is_frame_whole(conn) || !finish_frame(conn))
            break;
    }
    return pos;
}

bool net_input_continue(struct net_conn *conn)
{
    bool has_moved = false;
    if (conn->state == NET_CONN_OPEN && is_frame_whole(conn)) {
        if (!hand_over(conn))
            return false;
        has_moved = true;
    }
    struct net_left *left = conn->left;
    if (conn->state != NET_CONN_OPEN || left == NULL)
        return has_moved;
    conn->left = NULL; /* ours: the connection may close meanwhile */
    uint32_t used = (uint32_t)parse(conn, left->data + left->pos, left->len - left->pos);
    left->pos += used;
    if (left->pos == left->len || net_conn_is_closed(conn)) {
        free_left(conn, left);
    } else {
        conn->left = left;
        charge_left(conn, left, conn->frame != NULL);
    }
    return has_moved || used > 0;
}

/* ---- reading */

static enum err receive(struct net_conn *conn, uint8_t *out, size_t len, size_t *got)
{
    enum err e = sock_recv(conn->sock, out, len, got);
    if (e == ERR_OK) {
        net_count(&conn->server->stats.bytes_in, *got);
        conn->period_bytes += (uint32_t)MIN(*got, (size_t)LIMIT_FRAME_CROWDED_BYTES);
        conn->period_bytes = MIN(conn->period_bytes, (uint32_t)INT32_MAX);
    }
    return e;
}

/* The next bytes of a large frame, to where they stay. */
static enum err read_into_frame(struct net_conn *conn, bool *has_more)
{
    size_t got = 0, rest = conn->frame->payload_len - conn->frame_used;
    enum err e = receive(conn, conn->frame->frame->data + conn->frame_used, rest, &got);
    if (e != ERR_OK)
        return e;
    conn->frame_used += (uint32_t)got;
    *has_more = got == rest;
    if (got == rest)
        finish_frame(conn);
    return ERR_OK;
}

/* How far to read when the next length is not known yet. Behind a large frame the next one is
 * probably large: its bytes had better go straight to where they stay. When memory is short,
 * nothing is read that could not be used. */
static size_t read_size(const struct net_conn *conn)
{
    if (conn->frame == NULL && (conn->wants_big || net_budget_is_crowded(&conn->server->budget)))
        return LIMIT_FRAME_HEADER_BYTES + LIMIT_FRAME_PROOF_BYTES;
    return NET_SCRATCH_BYTES;
}

static enum err read_into_scratch(struct net_conn *conn, bool *has_more)
{
    struct net_reactor *reactor = conn->reactor;
    if (reactor->scratch == NULL)
        reactor->scratch = mem_alloc(NET_SCRATCH_BYTES);
    size_t kept = conn->left != NULL ? conn->left->len - conn->left->pos : 0;
    size_t asked = MAX(read_size(conn), kept + 1) - kept, got = 0;
    ASSERT(kept < NET_SCRATCH_BYTES);
    enum err e = receive(conn, reactor->scratch + kept, asked, &got);
    if (e != ERR_OK)
        return e;
    if (kept > 0)
        memcpy(reactor->scratch, conn->left->data + conn->left->pos, kept);
    free_left(conn, conn->left);
    conn->left = NULL;
    size_t used = parse(conn, reactor->scratch, kept + got);
    *has_more = got == asked;
    if (net_conn_is_closed(conn))
        return ERR_OK;
    bool is_needed = conn->state == NET_CONN_OPEN;
    if (is_needed && !keep_left(conn, reactor->scratch + used, kept + got - used))
        net_conn_end(conn, NET_CLOSED_MEMORY, "no memory for what is left over");
    return ERR_OK;
}

void net_input_readable(struct net_conn *conn)
{
    bool has_more = true;
    for (int i = 0; i < NET_READS_PER_EVENT && has_more && net_conn_is_reading(conn); i++) {
        bool is_direct =
            conn->frame != NULL && conn->frame->payload_len - conn->frame_used >= DIRECT_READ_BYTES;
        ASSERT(!is_direct || conn->left == NULL);
        enum err e =
            is_direct ? read_into_frame(conn, &has_more) : read_into_scratch(conn, &has_more);
        if (e == ERR_AGAIN)
            return;
        if (e != ERR_OK) {
            net_conn_end(conn, NET_CLOSED_BY_PEER, "the peer has closed");
            return;
        }
    }
}

void net_input_drop(struct net_conn *conn)
{
    free_left(conn, conn->left);
    conn->left = NULL;
    if (conn->frame != NULL) {
        struct net_request *req = conn->frame;
        conn->frame = NULL;
        net_request_free(req);
    }
    if (conn->granted > 0)
        net_budget_release(&conn->server->budget, conn->granted);
    conn->granted = 0;
    if (conn->is_waiting && net_budget_cancel(&conn->server->budget, &conn->waiter)) {
        conn->is_waiting = false;
        net_conn_unref(conn);
    }
}
