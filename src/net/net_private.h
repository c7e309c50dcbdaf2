// SPDX-License-Identifier: Apache-2.0
/*
 * net_private: what the files of net share.
 *
 *   server.c   listeners, accepting, limits, start and end
 *   conn.c     a connection's life, its watch lists, what it does next
 *   input.c    bytes to frames to requests
 *   output.c   answers to bytes
 *   cold.c     what of them the page cache does not have
 *   request.c  a request and the parts of its answer
 *   budget.c   memory
 *
 * Thread: a connection belongs to its loop; the server's counters are atomic.
 */
#ifndef NET_NET_PRIVATE_H
#define NET_NET_PRIVATE_H

#include "base/map.h"
#include "env/logger.h"
#include "env/monitor.h"
#include "net/budget.h"
#include "net/net.h"

enum {
    NET_SCRATCH_BYTES = 64 * 1024,
    NET_READS_PER_EVENT = 4, /* then others have their turn */
};

/* ---- connection */

enum net_conn_state {
    NET_CONN_JOINING, /* accepted, on its way to its loop */
    NET_CONN_OPEN,
    NET_CONN_ENDING, /* takes no more requests; closes behind the answers before */
    NET_CONN_CLOSED,
    NET_CONN_STATE_COUNT
};

enum net_watch {
    NET_WATCH_NONE,  /* the broker is at work for it */
    NET_WATCH_IDLE,  /* nothing is going on */
    NET_WATCH_MOVING /* a frame or an answer is half way */
};

/* Bytes that came and are not yet looked at. */
struct net_left {
    uint32_t pos;
    uint32_t len;
    bool is_charged;
    uint8_t data[];
};

struct net_conn {
    struct net_server *server;
    struct net_reactor *reactor;
    struct sock *sock; /* NULL once closed */
    uint64_t id;
    uint32_t refs;  /* one while not closed, one per request, waiting task or running call */
    uint32_t state; /* enum net_conn_state */
    uint32_t listener;
    struct env_addr local;
    struct env_addr peer;
    void *user;
    void (*user_free)(void *user);

    struct list link;  /* of the reactor's conns */
    struct list watch; /* of the reactor's idle or moving, by active_ns */
    enum net_watch watched;
    int64_t active_ns;     /* when it got into the list, or was last seen to move */
    int64_t sent_ns;       /* when an answer last moved */
    uint32_t period_bytes; /* received since active_ns */

    struct loop_task task; /* to join its loop; then, that memory is granted */
    struct net_waiter waiter;
    struct loop_timer mute_timer;

    struct net_left *left;
    struct net_request *frame; /* being filled, or whole and held back */
    uint32_t frame_used;
    int64_t granted; /* reserved for the frame whose length is first in `left` */

    struct list order; /* requests by arrival: with the broker, or their answers not sent */
    uint32_t order_count;
    uint32_t pending_count; /* of them with the broker */
    uint64_t unsent_bytes;
    uint64_t head_sent; /* of the answer at the front */

    struct net_piece *piece; /* of a file, read for what is sent first; see cold.c */

    bool is_cold;      /* a worker reads for what is sent next */
    bool is_waiting;   /* for memory */
    bool is_exclusive; /* what is with the broker may not be overlapped */
    bool is_muted;
    bool is_blocked; /* the peer's window is full */
    bool is_running; /* in net_conn_run: answers are sent when it ends */
    bool is_dirty;   /* in the reactor's dirty list */
    bool wants_big;  /* its last frame was not small: do not read far ahead of the next length */
    struct list dirty;
};

/* request.c */
enum net_request_state {
    NET_REQUEST_FILLING,
    NET_REQUEST_PENDING, /* with the broker */
    NET_REQUEST_ANSWERED,
    NET_REQUEST_NO_ANSWER,
    NET_REQUEST_CLOSES,
    NET_REQUEST_STATE_COUNT
};

/* NULL: no memory; then the reservation of `size` is still the caller's. */
struct net_request *net_request_new(struct net_conn *conn, uint32_t size);
void net_request_free(struct net_request *req);
void net_request_move(struct net_request *req, enum net_request_state to);
/* What a frame of this size is charged with. */
int64_t net_request_charge(uint32_t size);

/* conn.c */
/* `peer` is what the connection is counted under: a socket that was reset meanwhile has none any
 * more. NULL: memory is short. */
struct net_conn *net_conn_new(struct net_server *server, struct net_reactor *reactor,
                              struct sock *sock, const struct env_addr *peer, uint32_t listener);
void net_conn_ref(struct net_conn *conn);
void net_conn_unref(struct net_conn *conn);
void net_conn_join(struct loop_task *task); /* its first task */
void net_conn_end(struct net_conn *conn, enum net_close_reason reason, const char *why);
/* No further request is taken; what is with the broker is still answered. */
void net_conn_end_taking(struct net_conn *conn);
/* Does what can be done now: parses, hands over, sends; then decides what to wait for. */
void net_conn_run(struct net_conn *conn);
/* Soon: when the other answers of this turn are there as well. */
void net_conn_run_later(struct net_conn *conn);
bool net_conn_is_reading(const struct net_conn *conn);
void net_reactor_run_dirty(struct loop_task *task);
void net_reactor_idle_fired(struct loop_timer *timer);
void net_reactor_moving_fired(struct loop_timer *timer);

static inline bool net_conn_is_closed(const struct net_conn *conn)
{
    return conn->state == NET_CONN_CLOSED;
}

/* input.c */
void net_input_readable(struct net_conn *conn);
/* Goes on with what was held back or left over; true when something moved. */
bool net_input_continue(struct net_conn *conn);
void net_input_drop(struct net_conn *conn); /* at the end of the connection */

/* output.c. Sends what is ready; may close the connection. */
void net_output_flush(struct net_conn *conn);

/* cold.c */
/* Cuts the parts, of which there is at least one, to what can be sent without waiting for a disk;
 * *total: bytes of these. ERR_AGAIN: nothing; the connection runs when a worker has read for it (or
 * the reactor is closed). ERR_NO_MEMORY. */
enum err net_cold_limit(struct net_conn *conn, struct sock_part *parts, size_t *count,
                        size_t *total) MUST_USE;
/* Gives back the memory of what was read, if any. */
void net_cold_drop(struct net_conn *conn);

/* ---- server */

struct net_reactor {
    struct net_server *server;
    struct loop *loop;
    uint8_t *scratch; /* made when first needed */
    struct list conns;
    struct list idle;   /* oldest first */
    struct list moving; /* oldest first */
    struct list dirty;
    struct loop_timer idle_timer;
    struct loop_timer moving_timer;
    struct loop_task dirty_task;
    bool is_dirty_posted;
    bool is_running; /* one of its connections is in net_conn_run */
    struct loop_task close_task;
    uint32_t cold_count; /* of its connections that are cold */
    bool is_closed;
    int64_t complained_ns; /* about bytes that are no frame */
    uint32_t complaints;   /* not told since */
};

struct net_listener {
    struct list link;
    struct net_server *server;
    struct sock *sock;
    uint32_t index;
    struct loop_timer retry_timer; /* when no descriptor was left */
};

struct net_ip {
    struct map_node node;
    uint8_t family;
    uint8_t ip[16];
    uint32_t count;
};

struct net_server {
    struct env *env;
    struct net_options options;
    struct net_callbacks callbacks;
    struct net_stats stats;
    struct net_budget budget;
    struct net_reactor *reactors;
    size_t reactor_count;
    uint32_t frame_bytes_max; /* the option, or what the budget can hold */

    /* The first loop's. */
    struct list listeners;
    size_t next_reactor;
    uint64_t next_id;
    bool is_closing;

    struct monitor ips_monitor;
    struct map ips; /* how many each address has */
    uint64_t ips_seed;

    _Atomic uint32_t connections_max;
    _Atomic uint32_t connections_per_ip_max;

    _Atomic uint32_t reactors_open;
    struct loop_task *done;
};

/* server.c */
/* Is the reactor closed, and was this the last that a worker did for it? Then says so. */
void net_reactor_check_closed(struct net_reactor *reactor);
void net_server_forget(struct net_server *server, const struct net_conn *conn);
/* One line a while, however many there are. True: say it, with `untold` behind it. */
enum { NET_UNTOLD_SIZE = 48 };
bool net_reactor_may_complain(struct net_reactor *reactor, char untold[NET_UNTOLD_SIZE]);

static inline void net_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
