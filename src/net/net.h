// SPDX-License-Identifier: Apache-2.0
/*
 * net: listeners, connections, frames and answers in order. It knows that a
 * request is four bytes of length and that many bytes of payload, that answers
 * leave in the order in which the requests came, and how much memory all that may
 * hold. It does not know what a payload means: the broker does, through
 * struct net_callbacks.
 *
 * A reactor is one loop and the connections that were given to it. The listeners
 * are on the first loop; connections go to the reactors in turn.
 *
 * A request's way:
 *   1. The length arrives; the whole frame is reserved from the memory budget, first
 *      come first served. Small frames have a reserve of their own. A large frame is
 *      reserved once its first bytes are here, so that announcing costs us nothing.
 *   2. The payload arrives in one iobuf, which gives the reservation back when its
 *      last reference goes: slices of it may outlive the request.
 *   3. on_request gets it, on the connection's loop. A request that may not overlap
 *      waits until all before it are answered, and those behind it wait for it.
 *   4. The broker adds the parts of the answer and calls one of the three
 *      net_request_answer*, on the same loop, now or later.
 *   5. Answers leave in order: parts of memory are gathered, file ranges go by sendfile.
 *
 * Thread: each function says so. "Its loop" is req->loop or net_conn_loop(conn).
 * Limits: struct net_options; everything else is in schema/limits.table.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/iobuf.h"
#include "base/list.h"
#include "base/macros.h"
#include "env/env.h"

struct net_conn;
struct net_server;

enum {
    NET_LISTENERS_MAX = 32,
    NET_PEEK_BYTES = 4, /* what may_overlap sees: API key and version */
};

struct net_options {
    uint32_t frame_bytes_max;        /* socket.request.max.bytes */
    uint64_t memory_bytes_max;       /* klamm.memory.max; see struct net_budget for its parts */
    uint64_t arena_bytes_base;       /* a request's arena: so much, */
    uint64_t arena_bytes_per_byte;   /* and so much more for each byte of its frame */
    int64_t idle_ms;                 /* connections.max.idle.ms; negative: never */
    int64_t progress_ms;             /* a partial frame must move within it */
    int64_t send_stall_ms;           /* an answer that the peer does not read must move within it;
                                      * negative: never */
    uint32_t connections_max;        /* max.connections; see net_server_set_limits */
    uint32_t connections_per_ip_max; /* max.connections.per.ip */
    uint32_t in_flight_max;          /* requests of one connection that are not yet answered */
    uint64_t unsent_bytes_max;       /* answers of one connection that its peer has not read */
};

/* Kafka's defaults and the limits of schema/limits.table. */
struct net_options net_options_default(void);

/* ---- a request */

struct net_request {
    /* For the broker to read. */
    struct net_conn *conn; /* alive as long as the request, perhaps already closed */
    struct loop *loop;     /* answer here */
    const uint8_t *payload;
    uint32_t payload_len;
    struct iobuf *frame; /* what payload points into; take slices with iobuf_slice */
    int64_t received_ns; /* loop time at its last byte */
    uint32_t listener;   /* index given to net_server_listen */

    /* For the broker to use as it likes; net initialises and never touches them. */
    struct arena arena; /* freed with the request: after its answer is sent */
    struct list link;
    struct loop_task task;
    void *user;

    /* Net's own. */
    struct list order; /* in the connection's list, oldest first */
    struct sock_part *parts;
    struct sock_part few_parts[4]; /* the first of them is the answer's length */
    struct iobuf_slice *slices;
    void *heap; /* given with net_request_give */
    uint32_t heap_size;
    uint32_t part_count;
    uint32_t part_capacity;
    uint32_t slice_count;
    uint32_t state;
    uint32_t answer_len;
    uint32_t header; /* the answer's length in network order */
    bool has_failed; /* a part could not be added */
};

/* Building the answer. Thread: whoever the broker lets own the request. When memory is short
 * or the sum passes INT32_MAX, answering closes the connection; nothing to check here. The
 * four bytes of length are net's. */

/* Bytes that live until the request is freed: in its arena, its frame, given memory, constants. */
void net_request_add_bytes(struct net_request *req, const void *data, size_t len);

/* Ownership of the slice's reference moves in. */
void net_request_add_slice(struct net_request *req, struct iobuf_slice take_slice);

/* A range of a file, sent by sendfile; what is not in the page cache then is read by a disk worker,
 * piece by piece, so the loop never waits for the disk. Takes a reference of its own. A file that
 * turns out to be shorter closes the connection. */
void net_request_add_file(struct net_request *req, struct env_file *file, int64_t pos, size_t len);

/* Memory from mem_alloc or mem_try that is freed with the request (the writer's buffer that
 * parts point into). At most once. It counts in the memory budget from now on. */
void net_request_give(struct net_request *req, void *take_heap, size_t size);

/* Forgets all parts, slices and given memory: to answer something else. */
void net_request_clear_answer(struct net_request *req);

/* Drops the payload early: for requests that wait long and need it no more. */
void net_request_drop_frame(struct net_request *req);

/* Exactly one of these three ends the broker's use of the request; it must not be touched
 * afterwards. Any of them is fine after the connection has closed. Thread: its loop. */
void net_request_answer(struct net_request *req);
void net_request_answer_none(struct net_request *req); /* acks=0 */
/* Closes the connection once the answers before this one are sent. */
void net_request_answer_close(struct net_request *req);

/* ---- a connection. Thread: its loop, as long as it is open or a request of it lives; those
 * marked "any" too. */

uint64_t net_conn_id(const struct net_conn *conn);                  /* any; never reused */
const struct env_addr *net_conn_local(const struct net_conn *conn); /* any */
const struct env_addr *net_conn_peer(const struct net_conn *conn);  /* any */
uint32_t net_conn_listener(const struct net_conn *conn);            /* any */
struct loop *net_conn_loop(const struct net_conn *conn);            /* any */
struct net_server *net_conn_server(const struct net_conn *conn);    /* any */
bool net_conn_is_open(const struct net_conn *conn);

/* The broker's own state of a connection. `on_free` (may be NULL) is called on its loop when the
 * connection is gone and its last request is freed, or when another one is set. */
void net_conn_set_user(struct net_conn *conn, void *user, void (*on_free)(void *user));
void *net_conn_user(const struct net_conn *conn);

/* No further request is handed over before this monotonic time; answers go on (KIP-219). */
void net_conn_mute(struct net_conn *conn, int64_t until_mono_ns);

/* Closes now, unsent answers are lost. `why` is for the debug log: a constant text. */
void net_conn_close(struct net_conn *conn, const char *why);

/* ---- the server */

struct net_callbacks {
    void *arg;
    /* One whole request. The broker owns it until it answers. Thread: the request's loop. */
    void (*on_request)(void *arg, struct net_request *req);
    /* May this request be handled while others of its connection are? `start` has
     * MIN(len, NET_PEEK_BYTES) bytes. NULL: never. Thread: the connection's loop. */
    bool (*may_overlap)(void *arg, const uint8_t *start, size_t len);
    /* It has closed; requests of it that the broker still owns are to be answered all the same
     * (soon, to give memory back). May be NULL. Thread: its loop. */
    void (*on_close)(void *arg, struct net_conn *conn);
};

enum net_close_reason {
    NET_CLOSED_BY_PEER,
    NET_CLOSED_IDLE,
    NET_CLOSED_STALLED,   /* a partial frame or a blocked answer did not move */
    NET_CLOSED_BAD_FRAME, /* a length that is zero, negative or too large; TLS or HTTP */
    NET_CLOSED_LIMIT,     /* max.connections or max.connections.per.ip */
    NET_CLOSED_MEMORY,    /* memory for a frame or an answer could not be had */
    NET_CLOSED_BROKER,    /* net_request_answer_close, net_conn_close, a file range failed */
    NET_CLOSED_STOP,      /* net_server_close */
    NET_CLOSE_REASON_COUNT
};

const char *net_close_reason_name(enum net_close_reason reason); /* "peer", "idle", ... */

/* For the metrics page. Thread: any, relaxed. */
struct net_stats {
    _Atomic uint64_t accepted;
    _Atomic uint64_t closed[NET_CLOSE_REASON_COUNT];
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
    _Atomic uint64_t requests;
    _Atomic uint64_t cold_reads;        /* pieces of files that a worker read to be sent */
    _Atomic int64_t open;               /* connections now */
    _Atomic int64_t requests_in_flight; /* handed to the broker and not yet freed */
    _Atomic int64_t memory_bytes;       /* reserved now */
    _Atomic int64_t memory_waiting;     /* connections that wait for memory now */
};

/* `loops` (at least one) outlive the server. Frames that the memory budget could never hold are
 * refused as too large. Thread: any, before the loops run, or the first loop. */
void net_server_new(struct env *env, struct loop *const *loops, size_t loop_count,
                    const struct net_options *options, const struct net_callbacks *callbacks,
                    struct net_server **out);

/* Listens on the first loop. `listener` is the broker's index below NET_LISTENERS_MAX; one index
 * may listen on several addresses. *bound (may be NULL) tells the port. Errors: sock_listen's.
 * Thread: the first loop. */
enum err net_server_listen(struct net_server *server, uint32_t listener,
                           const struct env_addr *addr, struct env_addr *bound) MUST_USE;

/* From now on: the limits of the options. Who is connected stays. Thread: any. */
void net_server_set_limits(struct net_server *server, uint32_t connections_max,
                           uint32_t connections_per_ip_max);

/* Closes the listeners; connections go on. Thread: the first loop. */
void net_server_stop_accepting(struct net_server *server);

/* Stops accepting, sends what is ready to be sent without waiting, closes all connections, then
 * posts `done` to the first loop. Requests still with the broker are to be answered all the
 * same, before net_server_free. At most once. Thread: the first loop. */
void net_server_close(struct net_server *server, struct loop_task *done);

/* Accepts NULL. ASSERTs that no connection, request or reserved memory is left.
 * Thread: any, when the loops run no more or nothing of the server is left on them. */
void net_server_free(struct net_server *server);

const struct net_stats *net_server_stats(const struct net_server *server);

#endif
