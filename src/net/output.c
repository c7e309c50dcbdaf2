// SPDX-License-Identifier: Apache-2.0
/* output: answers to bytes, in order, many in one call. Thread: the connection's loop. */
#include "base/assert.h"
#include "net/net_private.h"

enum { PARTS_PER_SEND = 64, FLUSH_BYTES_MAX = 4 * 1024 * 1024 };

/* The answers that are ready from the front on, without what is sent of the first. */
static size_t gather(const struct net_conn *conn, struct sock_part *out)
{
    size_t count = 0;
    uint64_t skip = conn->head_sent;
    LIST_FOR_EACH (link, &conn->order) {
        const struct net_request *req = container_of(link, struct net_request, order);
        if (req->state == NET_REQUEST_NO_ANSWER)
            continue;
        if (req->state != NET_REQUEST_ANSWERED)
            break;
        for (uint32_t i = 0; i < req->part_count; i++) {
            struct sock_part part = req->parts[i];
            if (skip >= part.len) {
                skip -= part.len;
                continue;
            }
            if (count == PARTS_PER_SEND)
                return count;
            if (part.file != NULL)
                part.pos += (int64_t)skip;
            else
                part.data += skip;
            part.len -= skip;
            skip = 0;
            out[count++] = part;
        }
        ASSERT(skip == 0);
    }
    return count;
}

static void drop_front(struct net_conn *conn, struct net_request *req)
{
    list_remove(&req->order);
    ASSERT(conn->order_count > 0);
    conn->order_count--;
    net_request_free(req);
}

/* Frees the answers that are sent whole. */
static void account(struct net_conn *conn, size_t sent)
{
    ASSERT(sent <= conn->unsent_bytes);
    net_count(&conn->server->stats.bytes_out, sent);
    conn->unsent_bytes -= sent;
    conn->head_sent += sent;
    while (!list_is_empty(&conn->order)) {
        struct net_request *req = container_of(conn->order.next, struct net_request, order);
        uint64_t len = (uint64_t)req->answer_len + sizeof(req->header);
        if (req->state == NET_REQUEST_ANSWERED && conn->head_sent >= len)
            conn->head_sent -= len;
        else if (req->state != NET_REQUEST_NO_ANSWER)
            break;
        drop_front(conn, req);
    }
}

static bool is_end_due(const struct net_conn *conn)
{
    if (list_is_empty(&conn->order))
        return false;
    return container_of(conn->order.next, struct net_request, order)->state == NET_REQUEST_CLOSES;
}

/* Sends once, and takes off what was sent. False: no more can be sent now, or it has closed. */
static bool send_some(struct net_conn *conn, const struct sock_part *parts, size_t count,
                      size_t total)
{
    size_t sent = 0;
    enum err e = sock_send(conn->sock, parts, count, &sent);
    net_cold_drop(conn); /* what the socket did not take of it is asked for again */
    if (e == ERR_AGAIN) {
        conn->is_blocked = true;
        return false;
    }
    if (e != ERR_OK) {
        net_conn_end(conn, e == ERR_CLOSED ? NET_CLOSED_BY_PEER : NET_CLOSED_BROKER,
                     e == ERR_CLOSED ? "the peer is gone" : "a file range cannot be read");
        return false;
    }
    conn->sent_ns = loop_now_ns(conn->reactor->loop);
    account(conn, sent);
    conn->is_blocked = sent < total;
    return !conn->is_blocked;
}

void net_output_flush(struct net_conn *conn)
{
    struct sock_part parts[PARTS_PER_SEND];
    size_t total, count, all = 0;
    conn->is_blocked = false;
    if (conn->is_cold)
        return;       /* a worker reads for it */
    account(conn, 0); /* those at the front that have no answer */
    while ((count = gather(conn, parts)) > 0) {
        if (all >= FLUSH_BYTES_MAX) {
            conn->is_blocked = true; /* others have their turn, however fast its peer reads */
            return;
        }
        enum err e = net_cold_limit(conn, parts, &count, &total);
        if (e == ERR_NO_MEMORY)
            net_conn_end(conn, NET_CLOSED_MEMORY, "no memory to read for it");
        if (e != ERR_OK || !send_some(conn, parts, count, total))
            return;
        all += total;
    }
    if (is_end_due(conn))
        net_conn_end(conn, NET_CLOSED_BROKER, "closed behind an answer");
}
