// SPDX-License-Identifier: Apache-2.0
/*
 * connection: a simulated client's connection: the real protocol over a simulated socket.
 *
 * It connects, learns the broker's versions, sends calls in order and hands out the
 * answers, decoded. Versions are chosen by chance among those that both sides have,
 * anew for each connection. It does not know what a call means, and never reconnects
 * by itself.
 *
 * Thread: one; callbacks come on the client's loop.
 */
#ifndef TEST_SIM_CONNECTION_H
#define TEST_SIM_CONNECTION_H

#include "base/arena.h"
#include "base/list.h"
#include "env/sim_env.h"
#include "wire/api.h"
#include "wire/codec.h"

enum { CALL_API_COUNT = 128 };

struct connection;

/* Embedded in whatever waits for the answer; free to be used again once done is called. */
struct call {
    struct list link;
    int16_t api_key;
    int16_t version;
    int32_t correlation_id;
    int64_t sent_ns;
    bool has_no_answer; /* Produce with acks=0 */
    /* ERR_OK: `response` is the decoded body, valid during the call. ERR_CLOSED: no answer will
     * come; whether the broker did it is not known. */
    void (*done)(struct call *call, enum err e, const void *response);
};

struct connection_events {
    void *arg;
    void (*ready)(void *arg);  /* calls may be sent */
    void (*closed)(void *arg); /* after the calls' own done; the connection may be opened again */
};

struct connection {
    struct sim_env *env;
    struct connection_events events;
    struct sock *sock; /* NULL: not open */
    bool is_ready;
    struct call handshake;
    int32_t next_correlation_id;
    struct list calls;                /* waiting for answers, in order */
    int16_t versions[CALL_API_COUNT]; /* -1: not served */
    uint8_t *out;
    size_t out_len;
    size_t out_capacity;
    uint8_t *in;
    size_t in_len;
    size_t in_capacity;
    struct loop_timer timeout;
    int64_t timeout_ns;
    /* Something that no broker may do: an answer that cannot be read. */
    void (*on_garbage)(void *arg, const char *what);
    void *on_garbage_arg;
};

void connection_init(struct connection *c, struct sim_env *env,
                     const struct connection_events *events);

/* Begins to connect; `ready` or `closed` follows. */
void connection_open(struct connection *c, const struct env_addr *to);

/* Calls that wait are done with ERR_CLOSED; `closed` is not called. Harmless when not open. */
void connection_close(struct connection *c);

/* The version that this connection uses for an API; -1: the broker does not serve it. */
int16_t connection_version(const struct connection *c, int16_t api_key);

/* Uses this version at most, or at least, where it can. Within `ready`. */
void connection_limit_version(struct connection *c, int16_t api_key, int16_t min, int16_t max);

/* Encodes and sends; `done` follows, never from within. Only while ready. */
void connection_call(struct connection *c, struct call *call, const void *request);

size_t connection_in_flight(const struct connection *c);

#endif
