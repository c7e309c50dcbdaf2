// SPDX-License-Identifier: Apache-2.0
/*
 * cold: what an answer sends of a file, and the page cache does not have.
 *
 * sendfile waits for the disk where bytes are missing, and a loop must not wait. That they were
 * there when the answer was made says nothing: the peer may read slowly, and memory may be short.
 * So before a range is sent the page cache is asked, CACHED_BYTES_MAX ahead. Where it does not have
 * the bytes:
 *
 *   1. The connection gives a worker the next piece to read, into memory of its own. It is small
 * while files are synced: who syncs waits behind what the disk has taken on.
 *   2. The worker reads no more than these. Many connections take turns, piece by piece.
 *   3. Back on the loop the bytes are sent from that memory; what the socket does not take is
 * forgotten.
 *   4. The rest of the range is asked for again when the socket has room. Mostly it is cached now.
 *
 * So a piece that was read is never waited for again, whatever the page cache keeps; what is read
 * goes by what the peer takes; and memory is held by pieces being read or just come back, not by
 * slow peers.
 *
 * Thread: the connection's loop; read_piece on a worker.
 * Limits: one piece of COLD_BYTES_MAX for each connection at most.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "net/net_private.h"

enum {
    CACHED_BYTES_MAX = 1024 * 1024, /* a Fetch of the usual size asks once */
    COLD_BYTES = 128 * 1024,        /* while files are synced */
    COLD_BYTES_MAX = 512 * 1024,
};

struct net_piece {
    struct env_job job;
    struct loop_task back;
    struct net_conn *conn;
    struct env_file *file;
    int64_t pos;
    size_t len; /* asked for, then read */
    uint8_t *data;
    enum err error;
};

static void piece_free(struct net_piece *piece)
{
    env_file_unref(piece->file);
    net_conn_unref(piece->conn);
    mem_free(piece->data);
    mem_free(piece);
}

void net_cold_drop(struct net_conn *conn)
{
    if (conn->piece != NULL)
        piece_free(conn->piece);
    conn->piece = NULL;
}

/* ---- on a worker */

static bool read_piece(struct env_job *job)
{
    struct net_piece *piece = container_of(job, struct net_piece, job);
    if (env_is_syncing(piece->conn->server->env))
        piece->len = MIN(piece->len, (size_t)COLD_BYTES);
    piece->data = mem_try(piece->len);
    if (piece->data == NULL)
        piece->error = ERR_NO_MEMORY;
    else
        piece->error =
            env_file_read(piece->file, piece->data, piece->len, piece->pos, ENV_WAIT, &piece->len);
    loop_post(piece->conn->reactor->loop, &piece->back);
    return false;
}

/* ---- on the loop */

static void piece_came(struct loop_task *task)
{
    struct net_piece *piece = container_of(task, struct net_piece, back);
    struct net_conn *conn = piece->conn;
    struct net_reactor *reactor = conn->reactor;
    ASSERT(conn->is_cold && conn->piece == NULL);
    conn->is_cold = false;
    reactor->cold_count--;
    if (net_conn_is_closed(conn)) {
        piece_free(piece);
        net_reactor_check_closed(reactor);
        return;
    }
    if (piece->error != ERR_OK || piece->len == 0) {
        bool is_short = piece->error == ERR_NO_MEMORY;
        net_conn_end(conn, is_short ? NET_CLOSED_MEMORY : NET_CLOSED_BROKER,
                     is_short ? "no memory to read for it" : "a file range cannot be read");
        piece_free(piece);
        return;
    }
    net_conn_ref(conn);
    conn->piece = piece;
    net_conn_run(conn);
    net_cold_drop(conn); /* when something else came first */
    net_conn_unref(conn);
}

/* From here on the connection sends nothing until the piece has come. */
static bool begin(struct net_conn *conn, const struct sock_part *part)
{
    struct net_reactor *reactor = conn->reactor;
    struct net_piece *piece = mem_try(sizeof(*piece));
    if (piece == NULL)
        return false;
    *piece = (struct net_piece){
        .job = {.run = read_piece, .queue = ENV_QUEUE_COLD},
        .back.run = piece_came,
        .conn = conn,
        .file = env_file_ref(part->file),
        .pos = part->pos,
        .len = MIN(part->len, (size_t)COLD_BYTES_MAX),
    };
    net_conn_ref(conn);
    conn->is_cold = true;
    reactor->cold_count++;
    net_count(&conn->server->stats.cold_reads, 1);
    env_submit(conn->server->env, &piece->job);
    return true;
}

/* The piece that has come is what is sent first. */
static bool use_piece(const struct net_conn *conn, struct sock_part *part)
{
    const struct net_piece *piece = conn->piece;
    if (piece == NULL || piece->file != part->file || piece->pos != part->pos)
        return false;
    part->len = MIN(part->len, piece->len);
    part->data = piece->data;
    part->file = NULL;
    return true;
}

enum err net_cold_limit(struct net_conn *conn, struct sock_part *parts, size_t *count,
                        size_t *total)
{
    ASSERT(!conn->is_cold);
    *total = 0;
    for (size_t i = 0; i < *count; i++) {
        struct sock_part *part = &parts[i];
        size_t whole = part->len;
        if (part->file != NULL && (i > 0 || !use_piece(conn, part))) {
            part->len = MIN(part->len, (size_t)CACHED_BYTES_MAX);
            if (!env_file_is_cached(part->file, part->pos, (int64_t)part->len)) {
                *count = i;
                if (i > 0)
                    return ERR_OK;
                if (conn->reactor->is_closed)
                    return ERR_AGAIN;
                return begin(conn, part) ? ERR_AGAIN : ERR_NO_MEMORY;
            }
        }
        *total += part->len;
        if (part->len < whole)
            *count = i + 1; /* the last one */
    }
    return ERR_OK;
}
