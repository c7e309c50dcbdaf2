// SPDX-License-Identifier: Apache-2.0
/*
 * conn: a connection's life, and what it does next.
 *
 * Whatever happens to a connection (bytes, room to send, an answer, memory, the end of a
 * pause) ends in net_conn_run: go on with input, send what is ready, and when nothing
 * moves any more decide which events are wanted and which watch list it belongs to.
 * One connection of a reactor runs at a time: what the broker does meanwhile to others
 * makes them dirty, and they run from a task of their own. So a chain of connections that
 * wake each other never becomes a chain of calls.
 *
 * Watch lists: idle (nothing going on) and moving (a frame or an answer half way), each
 * in order of time, each with one timer a reactor, which runs only while the list is not
 * empty. A connection that the broker is at work for is in neither.
 *
 * Thread: the connection's loop.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/state.h"
#include "net/net_private.h"

static const char *const state_names[] = {"joining", "open", "ending", "closed"};

static const uint32_t state_edges[] = {
    [NET_CONN_JOINING] = STATE_EDGE(NET_CONN_OPEN) | STATE_EDGE(NET_CONN_CLOSED),
    [NET_CONN_OPEN] = STATE_EDGE(NET_CONN_ENDING) | STATE_EDGE(NET_CONN_CLOSED),
    [NET_CONN_ENDING] = STATE_EDGE(NET_CONN_CLOSED),
    [NET_CONN_CLOSED] = 0,
};

static const struct state_table states = {"connection", state_names, state_edges,
                                          NET_CONN_STATE_COUNT};

static void mute_ended(struct loop_timer *timer);

struct net_conn *net_conn_new(struct net_server *server, struct net_reactor *reactor,
                              struct sock *sock, const struct env_addr *peer, uint32_t listener)
{
    struct net_conn *conn = mem_try(sizeof(*conn));
    if (conn == NULL)
        return NULL;
    *conn = (struct net_conn){
        .server = server,
        .reactor = reactor,
        .sock = sock,
        .peer = *peer,
        .id = ++server->next_id,
        .refs = 1,
        .state = NET_CONN_JOINING,
        .listener = listener,
        .task.run = net_conn_join,
        .mute_timer.fire = mute_ended,
    };
    sock_local(sock, &conn->local);
    list_init(&conn->link);
    list_init(&conn->watch);
    list_init(&conn->order);
    list_init(&conn->dirty);
    list_init(&conn->waiter.link);
    return conn;
}

void net_conn_ref(struct net_conn *conn)
{
    ASSERT(conn->refs > 0);
    conn->refs++;
}

void net_conn_unref(struct net_conn *conn)
{
    ASSERT(conn->refs > 0);
    if (--conn->refs > 0)
        return;
    ASSERT(net_conn_is_closed(conn));
    ASSERT(conn->left == NULL && conn->frame == NULL && conn->granted == 0);
    net_conn_set_user(conn, NULL, NULL);
    mem_free(conn);
}

/* ---- watching */

bool net_conn_is_reading(const struct net_conn *conn)
{
    bool is_held = conn->frame != NULL && conn->frame_used == conn->frame->payload_len;
    return conn->state == NET_CONN_OPEN && !conn->is_waiting && !is_held &&
           conn->unsent_bytes <= conn->server->options.unsent_bytes_max;
}

static enum net_watch watch_of(const struct net_conn *conn)
{
    bool has_part = conn->frame != NULL || conn->left != NULL;
    if (conn->is_blocked || (has_part && net_conn_is_reading(conn)))
        return NET_WATCH_MOVING;
    if (!has_part && !conn->is_waiting && list_is_empty(&conn->order))
        return NET_WATCH_IDLE;
    return NET_WATCH_NONE;
}

static int64_t moving_period_ns(const struct net_reactor *reactor)
{
    int64_t ms = MIN(reactor->server->options.progress_ms, (int64_t)LIMIT_FRAME_CROWDED_MS);
    return ms * 1000000;
}

static void start_timer(struct net_reactor *reactor, struct loop_timer *timer, int64_t at_ns)
{
    if (!heap_contains(&timer->node))
        loop_timer_start(reactor->loop, timer, at_ns);
}

static void watch(struct net_conn *conn, enum net_watch kind)
{
    struct net_reactor *reactor = conn->reactor;
    const struct net_options *options = &reactor->server->options;
    if (kind == conn->watched && kind != NET_WATCH_IDLE)
        return; /* periods go on */
    int64_t now = loop_now_ns(reactor->loop);
    list_remove(&conn->watch);
    conn->watched = kind;
    conn->active_ns = now;
    if (kind == NET_WATCH_IDLE && options->idle_ms >= 0) {
        list_push_back(&reactor->idle, &conn->watch);
        start_timer(reactor, &reactor->idle_timer, now + options->idle_ms * 1000000);
    }
    if (kind == NET_WATCH_MOVING) {
        conn->period_bytes = 0;
        conn->sent_ns = now;
        list_push_back(&reactor->moving, &conn->watch);
        start_timer(reactor, &reactor->moving_timer, now + moving_period_ns(reactor));
    }
}

static void settle(struct net_conn *conn)
{
    unsigned want = net_conn_is_reading(conn) ? SOCK_READABLE : 0;
    if (conn->is_blocked)
        want |= SOCK_WRITABLE;
    sock_want(conn->sock, want);
    watch(conn, watch_of(conn));
}

/* ---- running */

static void run_until_still(struct net_conn *conn)
{
    bool has_moved = true;
    while (has_moved && !net_conn_is_closed(conn)) {
        net_output_flush(conn); /* first: it makes room for further requests */
        has_moved = !net_conn_is_closed(conn) && net_input_continue(conn);
    }
    if (!net_conn_is_closed(conn))
        settle(conn);
}

static void run(struct net_conn *conn, bool is_readable)
{
    struct net_reactor *reactor = conn->reactor;
    ASSERT(!reactor->is_running);
    net_conn_ref(conn);
    reactor->is_running = true;
    conn->is_running = true;
    if (is_readable)
        net_input_readable(conn);
    run_until_still(conn);
    conn->is_running = false;
    reactor->is_running = false;
    net_conn_unref(conn);
}

void net_conn_run(struct net_conn *conn)
{
    if (net_conn_is_closed(conn) || conn->is_running)
        return;
    if (conn->reactor->is_running)
        net_conn_run_later(conn);
    else
        run(conn, false);
}

void net_conn_run_later(struct net_conn *conn)
{
    struct net_reactor *reactor = conn->reactor;
    if (conn->is_dirty || conn->is_running)
        return;
    conn->is_dirty = true;
    net_conn_ref(conn);
    list_push_back(&reactor->dirty, &conn->dirty);
    if (!reactor->is_dirty_posted) {
        reactor->is_dirty_posted = true;
        loop_post(reactor->loop, &reactor->dirty_task);
    }
}

void net_reactor_run_dirty(struct loop_task *task)
{
    struct net_reactor *reactor = container_of(task, struct net_reactor, dirty_task);
    struct list batch;
    list_init(&batch);
    list_splice_back(&batch, &reactor->dirty);
    reactor->is_dirty_posted = false;
    for (struct list *link = list_pop_front(&batch); link != NULL; link = list_pop_front(&batch)) {
        struct net_conn *conn = container_of(link, struct net_conn, dirty);
        conn->is_dirty = false;
        net_conn_run(conn);
        net_conn_unref(conn);
    }
}

static void on_ready(void *arg, unsigned events)
{
    run(arg, (events & SOCK_READABLE) != 0);
}

void net_conn_join(struct loop_task *task)
{
    struct net_conn *conn = container_of(task, struct net_conn, task);
    struct net_reactor *reactor = conn->reactor;
    if (reactor->is_closed) {
        net_conn_end(conn, NET_CLOSED_STOP, "the server closes");
        return;
    }
    state_move(&states, &conn->state, NET_CONN_OPEN);
    list_push_back(&reactor->conns, &conn->link);
    sock_attach(conn->sock, reactor->loop, on_ready, conn);
    settle(conn);
}

/* ---- timers */

void net_reactor_idle_fired(struct loop_timer *timer)
{
    struct net_reactor *reactor = container_of(timer, struct net_reactor, idle_timer);
    int64_t idle_ns = reactor->server->options.idle_ms * 1000000;
    int64_t now = loop_now_ns(reactor->loop);
    while (!list_is_empty(&reactor->idle)) {
        struct net_conn *conn = container_of(reactor->idle.next, struct net_conn, watch);
        if (now - conn->active_ns < idle_ns) {
            start_timer(reactor, timer, conn->active_ns + idle_ns);
            return;
        }
        net_conn_end(conn, NET_CLOSED_IDLE, "idle for too long");
    }
}

/* Do its unsent answers hold memory, and not only ranges of files? */
static bool holds_answers(const struct net_conn *conn)
{
    LIST_FOR_EACH (link, &conn->order) {
        if (container_of(link, struct net_request, order)->heap_size > 0)
            return true;
    }
    return false;
}

/* What is half way and does not move; NULL: it moves, or its time is not over. Begins a new
 * period when one is over. */
static const char *stalled_why(struct net_conn *conn, int64_t now)
{
    const struct net_options *options = &conn->server->options;
    int64_t age_ms = (now - conn->active_ns) / 1000000;
    if (conn->is_blocked && options->send_stall_ms >= 0 &&
        now - conn->sent_ns >= options->send_stall_ms * 1000000)
        return "it does not read its answers";
    bool is_crowded = net_budget_is_crowded(&conn->server->budget);
    if (conn->is_blocked && is_crowded && holds_answers(conn) &&
        now - conn->sent_ns >= options->progress_ms * 1000000)
        return "it does not read its answers while others wait for memory";
    bool is_receiving = net_conn_is_reading(conn) && (conn->frame != NULL || conn->left != NULL);
    bool is_large = conn->frame != NULL && conn->frame->payload_len > LIMIT_FRAME_SMALL_BYTES;
    if (is_receiving && is_large && age_ms >= LIMIT_FRAME_CROWDED_MS &&
        conn->period_bytes < LIMIT_FRAME_CROWDED_BYTES && is_crowded)
        return "a large request comes slowly while others wait for memory";
    if (age_ms < options->progress_ms)
        return NULL;
    if (is_receiving && conn->period_bytes < LIMIT_FRAME_PROGRESS_BYTES)
        return "a request stopped half way";
    conn->active_ns = now;
    conn->period_bytes = 0;
    return NULL;
}

void net_reactor_moving_fired(struct loop_timer *timer)
{
    struct net_reactor *reactor = container_of(timer, struct net_reactor, moving_timer);
    int64_t now = loop_now_ns(reactor->loop);
    struct list batch;
    list_init(&batch);
    list_splice_back(&batch, &reactor->moving);
    for (struct list *link = list_pop_front(&batch); link != NULL; link = list_pop_front(&batch)) {
        struct net_conn *conn = container_of(link, struct net_conn, watch);
        list_push_back(&reactor->moving, link);
        const char *why = stalled_why(conn, now);
        if (why != NULL)
            net_conn_end(conn, NET_CLOSED_STALLED, why);
    }
    if (!list_is_empty(&reactor->moving))
        start_timer(reactor, timer, now + moving_period_ns(reactor));
}

static void mute_ended(struct loop_timer *timer)
{
    struct net_conn *conn = container_of(timer, struct net_conn, mute_timer);
    conn->is_muted = false;
    net_conn_run(conn);
}

/* ---- the end */

static void drop_requests(struct net_conn *conn)
{
    for (struct list *link = list_pop_front(&conn->order); link != NULL;
         link = list_pop_front(&conn->order)) {
        struct net_request *req = container_of(link, struct net_request, order);
        if (req->state != NET_REQUEST_PENDING)
            net_request_free(req);
    }
    conn->order_count = 0;
    conn->unsent_bytes = 0;
}

void net_conn_end(struct net_conn *conn, enum net_close_reason reason, const char *why)
{
    struct net_server *server = conn->server;
    char peer[ENV_ADDR_TEXT_SIZE];
    if (net_conn_is_closed(conn))
        return;
    bool has_joined = conn->state != NET_CONN_JOINING;
    state_move(&states, &conn->state, NET_CONN_CLOSED);
    net_count(&server->stats.closed[reason], 1);
    log_debug(server->env, "connection %llu from %s closed: %s", (unsigned long long)conn->id,
              env_addr_text(&conn->peer, peer), why);
    list_remove(&conn->link);
    list_remove(&conn->watch);
    loop_timer_stop(conn->reactor->loop, &conn->mute_timer);
    sock_close(conn->sock);
    conn->sock = NULL;
    net_input_drop(conn);
    drop_requests(conn);
    if (has_joined && server->callbacks.on_close != NULL)
        server->callbacks.on_close(server->callbacks.arg, conn);
    net_server_forget(server, conn);
    net_conn_unref(conn);
}

void net_conn_end_taking(struct net_conn *conn)
{
    if (conn->state == NET_CONN_OPEN)
        state_move(&states, &conn->state, NET_CONN_ENDING);
}

/* ---- for the broker */

uint64_t net_conn_id(const struct net_conn *conn)
{
    return conn->id;
}

const struct env_addr *net_conn_local(const struct net_conn *conn)
{
    return &conn->local;
}

const struct env_addr *net_conn_peer(const struct net_conn *conn)
{
    return &conn->peer;
}

uint32_t net_conn_listener(const struct net_conn *conn)
{
    return conn->listener;
}

struct loop *net_conn_loop(const struct net_conn *conn)
{
    return conn->reactor->loop;
}

struct net_server *net_conn_server(const struct net_conn *conn)
{
    return conn->server;
}

bool net_conn_is_open(const struct net_conn *conn)
{
    return !net_conn_is_closed(conn);
}

void net_conn_set_user(struct net_conn *conn, void *user, void (*on_free)(void *user))
{
    if (conn->user_free != NULL)
        conn->user_free(conn->user);
    conn->user = user;
    conn->user_free = on_free;
}

void *net_conn_user(const struct net_conn *conn)
{
    return conn->user;
}

void net_conn_mute(struct net_conn *conn, int64_t until_mono_ns)
{
    if (net_conn_is_closed(conn) || until_mono_ns <= loop_now_ns(conn->reactor->loop))
        return;
    if (conn->is_muted && conn->mute_timer.node.key >= until_mono_ns)
        return;
    conn->is_muted = true;
    loop_timer_start(conn->reactor->loop, &conn->mute_timer, until_mono_ns);
}

void net_conn_close(struct net_conn *conn, const char *why)
{
    net_conn_end(conn, NET_CLOSED_BROKER, why);
}
