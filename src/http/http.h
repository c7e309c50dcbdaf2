// SPDX-License-Identifier: Apache-2.0
/*
 * http: a small HTTP/1.1 server on a loop, for the admin listener. It reads one request at a
 * time per connection (the body is read and dropped), asks the owner for the answer, sends it
 * and keeps the connection when the client wants that. The parsing is http_parser's.
 *
 * It knows nothing of what is served.
 *
 * Thread: the loop given to http_server_new.
 * Limits: LIMIT_HTTP_HEAD_BYTES, LIMIT_HTTP_BODY_BYTES, LIMIT_HTTP_CONNECTIONS, LIMIT_HTTP_IDLE_MS.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "env/env.h"

struct http_server;

struct http_request {
    const char *path;  /* without the query; NUL-terminated */
    const char *query; /* behind the '?'; "" when there is none */
    bool is_get;       /* GET or HEAD */
    bool is_post;
};

struct http_answer {
    int status;               /* 200, 404, ... */
    const char *content_type; /* static */
    struct strbuf body;       /* the handler adds to it */
};

/* Fills in the answer (status 200 and an empty body when called). On the loop, at once. */
typedef void http_handler_fn(void *arg, const struct http_request *request,
                             struct http_answer *answer);

struct http_server *http_server_new(struct loop *loop, http_handler_fn *handler, void *arg);

/* May be called for several addresses. Errors: sock_listen's. *bound may be NULL. */
enum err http_server_listen(struct http_server *server, const struct env_addr *addr,
                            struct env_addr *bound) MUST_USE;

/* Closes listeners and connections and frees. Accepts NULL. */
void http_server_free(struct http_server *server);

#endif
