// SPDX-License-Identifier: Apache-2.0
/*
 * request: one Kafka request inside the broker, from its decoded body to its encoded
 * answer. It lives in the arena of its net_request.
 *
 * A handler gets a request on its reactor, fills in the response struct and calls
 * request_reply, at once or later on the same reactor; or request_close. After either
 * the request must not be touched.
 *
 * Thread: the request's reactor.
 */
#ifndef BROKER_REQUEST_H
#define BROKER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"
#include "wire/api.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/message_header.h"

struct broker;
struct image;
struct reactor;

struct request {
    struct broker *broker;
    struct reactor *reactor;
    struct net_request *net;
    const struct wire_api *api;
    const struct handler *handler;
    struct request_header header;
    int16_t version;
    void *body;          /* decoded; the API's request struct */
    void *response;      /* the API's response struct with defaults, to be filled in */
    int64_t throttle_ms; /* after the answer the connection is muted for so long (KIP-219) */
};

typedef void handler_fn(struct request *rq);

/* One API that this broker serves. */
struct handler {
    int16_t key;
    bool overlaps; /* others of the same connection may be in flight meanwhile */
    handler_fn *run;
};

/* The served APIs in order of their keys; ApiVersions announces exactly these. */
extern const struct handler broker_handlers[];
extern const uint16_t broker_handler_count;

/* NULL: not served. */
const struct handler *broker_handler_find(int16_t key);

/* The versions that are announced and accepted: Kafka's, without unstable ones. */
int16_t handler_version_min(const struct wire_api *api);
int16_t handler_version_max(const struct wire_api *api);

/* The image that this request sees: its reactor's. Borrowed until the reactor's next turn. */
struct image *request_image(const struct request *rq);

/* Encodes rq->response and sends it in its turn. When it cannot be encoded (memory, size) the
 * connection is closed. */
void request_reply(struct request *rq);

/* acks=0. */
void request_reply_none(struct request *rq);

/* Closes the connection after the answers before this one; `why` is for the log. */
void request_close(struct request *rq, const char *why);

/* From the request's arena; NULL when its limit is reached: then request_close_no_memory. */
void *request_alloc(struct request *rq, size_t count, size_t size);
void request_close_no_memory(struct request *rq);

/* As request_alloc, zeroed, but owned by the caller (mem_free) and by itself within that limit: for
 * what outlives the request. */
void *request_try(struct request *rq, uint64_t count, size_t size);

/* A NUL-terminated copy in the arena; NULL: no memory. */
const char *request_text(struct request *rq, struct wire_str s);

#endif
