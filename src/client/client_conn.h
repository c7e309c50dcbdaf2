// SPDX-License-Identifier: Apache-2.0
/*
 * client_conn: one connection to a broker, for those who ask: followers that fetch, brokers that
 * tell the controller, commands.
 *
 * The way: connect, ask ApiVersions, `ready`; then calls, any number in flight, answered in the
 * order they were made. The version of each API is the highest that both sides have. When the
 * connection breaks, whatever the reason, every call that waits is done with an error, then
 * `closed` tells why. It never connects again by itself, and knows no API but ApiVersions.
 *
 * What comes from the broker is foreign: frames above a bound, answers that nobody asked for
 * and bytes that cannot be decoded end the connection.
 *
 * Thread: its loop's. Callbacks come on the loop, never from within client_conn_new and
 *         client_conn_call, but from within client_conn_close.
 * Limits: a frame has at most response_bytes_max bytes; the arena of its decoded form at most
 *         CLIENT_ARENA_BASE_BYTES and CLIENT_ARENA_PER_FRAME_BYTE for each.
 */
#ifndef CLIENT_CLIENT_CONN_H
#define CLIENT_CLIENT_CONN_H

#include "base/arena.h"
#include "base/iobuf.h"
#include "base/list.h"
#include "env/env.h"

struct client_call;
struct client_conn;

/* Valid while `done` runs. */
struct client_answer {
    int16_t version;
    const void *body;    /* the API's response struct */
    struct arena *arena; /* what `body` lives in; there may be room for more */
    struct iobuf *frame; /* texts and records point into it: keep a slice of it to keep them */
};

/* Embedded in whatever waits for the answer; free to be used again once `done` is called. */
struct client_call {
    /* For the caller to set. */
    void (*done)(struct client_call *call, enum err e, const struct client_answer *answer);
    int64_t timeout_ms;  /* 0: the connection's */
    int16_t version_max; /* 0: no bound; for who wants the form of an older version */

    /* The connection's. */
    struct list link;
    struct client_conn *conn;
    struct loop_timer timer;
    const void *api;
    int32_t correlation_id;
    int16_t version;
};

struct client_events {
    void *arg;
    void (*ready)(void *arg); /* calls may be made */
    /* After the calls' own `done`; not when client_conn_close ended it. ERR_CLOSED: refused or
     * broken. ERR_TIMEOUT. ERR_CORRUPT, ERR_TOO_LARGE, ERR_NO_MEMORY: what it sent.
     * ERR_UNSUPPORTED: it has no version in common with us. */
    void (*closed)(void *arg, enum err why);
};

struct client_options {
    struct loop *loop;
    struct env_addr addr;
    const char *client_id;       /* borrowed until the end of the connection */
    const char *version_text;    /* of our software, for ApiVersions; as client_id */
    int64_t timeout_ms;          /* until ready, and for a call; 0: 30 seconds */
    uint32_t response_bytes_max; /* 0: LIMIT_CLIENT_RESPONSE_BYTES */
    uint32_t request_bytes_max;  /* 0: LIMIT_CLIENT_REQUEST_BYTES */
    struct client_events events;
};

/* Begins to connect: `ready` or `closed` follows. ERR_FULL: no descriptors. Also after `closed`
 * it stays the caller's until client_conn_close. */
enum err client_conn_new(const struct client_options *options, struct client_conn **out) MUST_USE;

/* Calls that wait are done with ERR_CLOSED before it returns; the connection may not be used in
 * them any more. Accepts NULL. */
void client_conn_close(struct client_conn *conn);

bool client_conn_is_ready(const struct client_conn *conn);

/* The version that a call of this API is made in, when it has no bound; -1: not before it is ready,
 * and not for an API that the broker or we do not have. Requests may have to be filled in by it. */
int16_t client_conn_version(const struct client_conn *conn, int16_t api_key);

/* Encodes `request` (the API's request struct) and sends it; `done` follows. Without ERR_OK the
 * call was not made and `done` is not called: ERR_CLOSED: not ready, or not any more.
 * ERR_UNSUPPORTED: client_conn_version is -1, or that version lacks a field with a value.
 * ERR_INVALID, ERR_TOO_LARGE, ERR_NO_MEMORY: it could not be encoded. */
enum err client_conn_call(struct client_conn *conn, struct client_call *call, int16_t api_key,
                          const void *request) MUST_USE;

size_t client_conn_in_flight(const struct client_conn *conn);

#endif
