// SPDX-License-Identifier: Apache-2.0
/*
 * client_private: what the files of a connection share.
 *
 * Thread: the connection's loop.
 */
#ifndef CLIENT_CLIENT_PRIVATE_H
#define CLIENT_CLIENT_PRIVATE_H

#include "client/client_conn.h"
#include "wire/api.h"

enum client_state {
    CLIENT_CONNECTING,
    CLIENT_ASKING, /* for ApiVersions */
    CLIENT_READY,
    CLIENT_CLOSED,
    CLIENT_STATE_COUNT
};

enum { CLIENT_FRAME_HEAD_BYTES = 4 };

/* What is sent and not yet taken by the socket: bytes from `sent` to `len`. */
struct client_output {
    uint8_t *data;
    size_t sent;
    size_t len;
    size_t capacity;
};

/* The frame that is being received. Between frames nothing is held. */
struct client_input {
    uint8_t head[CLIENT_FRAME_HEAD_BYTES];
    uint32_t head_used;
    struct iobuf *frame;
    size_t frame_used;
};

struct client_conn {
    struct client_options options;
    struct sock *sock; /* NULL: closed */
    uint32_t state;    /* enum client_state */
    uint32_t refs;     /* the owner's, and one for each of our functions on the stack */
    bool is_disowned;  /* client_conn_close was called */
    bool is_failing;   /* `failure` is on its way */
    enum err failure_error;
    struct loop_task failure;
    struct list calls; /* waiting for answers, in order */
    int32_t next_correlation_id;
    struct client_call handshake;
    struct client_output out;
    struct client_input in;
    int16_t *versions; /* by place in wire_apis; -1: none */
};

void client_conn_check(const struct client_conn *conn);

void client_conn_ref(struct client_conn *conn);
void client_conn_unref(struct client_conn *conn);

/* Ends it: calls, then `closed`. */
void client_conn_end(struct client_conn *conn, enum err why);

/* The versions are known: calls may be made. */
void client_conn_become_ready(struct client_conn *conn);

enum err client_conn_send(struct client_conn *conn, struct client_call *call, int16_t version,
                          const void *request) MUST_USE;

/* ---- client_input.c */

/* Takes what has arrived. False: the connection has ended. */
bool client_input_receive(struct client_conn *conn);
void client_input_deinit(struct client_input *in);

/* ---- client_versions.c */

void client_versions_ask(struct client_conn *conn);

/* A frame behind its header; ApiVersions is answered in version 0 when ours is too high for it. */
int16_t client_versions_answered(int16_t asked, const uint8_t *body, size_t size);

#endif
