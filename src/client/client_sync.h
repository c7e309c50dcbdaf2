// SPDX-License-Identifier: Apache-2.0
/*
 * client_sync: asks brokers and waits for the answer. For commands: it brings its own env and
 * loop, which run only while somebody waits. Followers and controllers use client_conn.
 *
 * Node -1 is whichever of the bootstrap addresses answered; others are known after
 * client_sync_add_node (from a Metadata answer).
 *
 * Thread: one. SIGPIPE is ignored in the process from client_sync_open on.
 */
#ifndef CLIENT_CLIENT_SYNC_H
#define CLIENT_CLIENT_SYNC_H

#include "base/strbuf.h"
#include "client/client_conn.h"
#include "wire/message.h"

enum { CLIENT_ANY_NODE = -1 };

struct client_sync;

struct client_sync_options {
    const char *bootstrap; /* "host:port,host:port"; a port left out is 9092; borrowed until open */
    const char *client_id; /* these two borrowed until close */
    const char *version_text;
    int64_t timeout_ms; /* to connect, and for an answer */
};

struct client_request {
    int32_t node;
    int16_t api_key;
    const void *body;    /* the API's request struct */
    int64_t timeout_ms;  /* 0: the usual */
    int16_t version_max; /* 0: no bound */
};

/* The caller's, until client_result_deinit. */
struct client_result {
    int16_t version;
    const void *body; /* the API's response struct */
    struct arena arena;
    struct iobuf *frame;
};

/* Connects to the first bootstrap address that answers. Otherwise `why` says in one line what
 * failed; ERR_INVALID: the list cannot be read. */
enum err client_sync_open(const struct client_sync_options *options, struct strbuf *why,
                          struct client_sync **out) MUST_USE;

/* Accepts NULL. */
void client_sync_close(struct client_sync *sync);

struct env *client_sync_env(struct client_sync *sync);

/* Where a node is; a second call for a node changes nothing. */
void client_sync_add_node(struct client_sync *sync, int32_t node, struct wire_str host,
                          int32_t port);

/* Both connect when that has to be. On failure `why` says in one line what failed; ERR_NOT_FOUND:
 * a node that nobody told of, or its name cannot be resolved. */
enum err client_sync_version(struct client_sync *sync, int32_t node, int16_t api_key,
                             struct strbuf *why, int16_t *out) MUST_USE;
enum err client_sync_call(struct client_sync *sync, const struct client_request *request,
                          struct strbuf *why, struct client_result *out) MUST_USE;

void client_result_deinit(struct client_result *result);

/* Lets time pass; connections live on meanwhile. */
void client_sync_wait(struct client_sync *sync, int64_t ms);

#endif
