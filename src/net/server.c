// SPDX-License-Identifier: Apache-2.0
/* server: listeners, accepting and its limits, start and end. Thread: the first loop's, except
 * where noted. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/net_private.h"

enum { ACCEPT_RETRY_MS = 100, COMPLAINT_MS = 10000 };

struct net_options net_options_default(void)
{
    return (struct net_options){
        .frame_bytes_max = 100 * 1024 * 1024,
        .memory_bytes_max = 256 * 1024 * 1024,
        .arena_bytes_base = LIMIT_REQUEST_ARENA_BASE_BYTES,
        .arena_bytes_per_byte = LIMIT_REQUEST_ARENA_PER_FRAME_BYTE,
        .idle_ms = 600000,
        .progress_ms = LIMIT_FRAME_IDLE_MS,
        .send_stall_ms = 600000,
        .connections_max = INT32_MAX,
        .connections_per_ip_max = INT32_MAX,
        .in_flight_max = LIMIT_REQUESTS_IN_FLIGHT,
        .unsent_bytes_max = LIMIT_RESPONSE_QUEUE_BYTES,
    };
}

const char *net_close_reason_name(enum net_close_reason reason)
{
    static const char *const names[] = {"peer",  "idle",   "stalled", "bad_frame",
                                        "limit", "memory", "broker",  "stop"};
    ASSERT(reason < NET_CLOSE_REASON_COUNT);
    return names[reason];
}

const struct net_stats *net_server_stats(const struct net_server *server)
{
    return &server->stats;
}

/* Thread: the reactor's. */
bool net_reactor_may_complain(struct net_reactor *reactor, char untold[NET_UNTOLD_SIZE])
{
    int64_t now = loop_now_ns(reactor->loop);
    if (reactor->complained_ns != 0 &&
        now - reactor->complained_ns < (int64_t)COMPLAINT_MS * 1000000) {
        reactor->complaints++;
        return false;
    }
    untold[0] = '\0';
    if (reactor->complaints > 0)
        snprintf(untold, NET_UNTOLD_SIZE, " (%u more since the last such line)",
                 reactor->complaints);
    reactor->complaints = 0;
    reactor->complained_ns = now;
    return true;
}

/* ---- connections per address; kept also where there is no limit, for one may be set any time */

/* With the monitor held. */
static struct net_ip *find_ip(const struct net_server *server, const struct env_addr *peer,
                              uint64_t hash)
{
    for (struct map_node *node = map_first(&server->ips, hash); node != NULL;
         node = map_next_same(node)) {
        struct net_ip *ip = container_of(node, struct net_ip, node);
        if (ip->family == peer->family && memcmp(ip->ip, peer->ip, sizeof(ip->ip)) == 0)
            return ip;
    }
    return NULL;
}

static uint64_t hash_ip(const struct net_server *server, const struct env_addr *peer)
{
    return hash_bytes(server->ips_seed, peer->ip, sizeof(peer->ip));
}

/* False: this address has as many as it may. */
static bool count_ip(struct net_server *server, const struct env_addr *peer)
{
    uint32_t most = atomic_load(&server->connections_per_ip_max);
    uint64_t hash = hash_ip(server, peer);
    monitor_enter(&server->ips_monitor);
    struct net_ip *ip = find_ip(server, peer, hash);
    if (ip == NULL && most > 0) {
        ip = mem_alloc(sizeof(*ip));
        ip->family = peer->family;
        memcpy(ip->ip, peer->ip, sizeof(ip->ip));
        map_insert(&server->ips, &ip->node, hash);
    }
    bool fits = ip != NULL && ip->count < most;
    if (fits)
        ip->count++;
    monitor_leave(&server->ips_monitor);
    return fits;
}

/* Thread: any reactor's. */
void net_server_forget(struct net_server *server, const struct net_conn *conn)
{
    int64_t before = atomic_fetch_sub(&server->stats.open, 1);
    ASSERT(before > 0);
    monitor_enter(&server->ips_monitor);
    struct net_ip *ip = find_ip(server, &conn->peer, hash_ip(server, &conn->peer));
    ASSERT(ip != NULL && ip->count > 0);
    if (--ip->count == 0) {
        map_remove(&server->ips, &ip->node);
        mem_free(ip);
    }
    monitor_leave(&server->ips_monitor);
}

void net_server_set_limits(struct net_server *server, uint32_t connections_max,
                           uint32_t connections_per_ip_max)
{
    atomic_store(&server->connections_max, connections_max);
    atomic_store(&server->connections_per_ip_max, connections_per_ip_max);
}

/* ---- accepting */

static void refuse(struct net_server *server, struct sock *sock, const char *why)
{
    struct env_addr peer;
    char text[ENV_ADDR_TEXT_SIZE];
    char untold[NET_UNTOLD_SIZE];
    sock_peer(sock, &peer);
    sock_close(sock);
    net_count(&server->stats.closed[NET_CLOSED_LIMIT], 1);
    if (peer.family != 0 && net_reactor_may_complain(&server->reactors[0], untold))
        log_warn(server->env, "connection from %s refused: %s%s", env_addr_text(&peer, text), why,
                 untold);
}

static void take_in(struct net_server *server, struct sock *sock, uint32_t listener)
{
    struct env_addr peer;
    net_count(&server->stats.accepted, 1);
    if (atomic_load(&server->stats.open) >= (int64_t)atomic_load(&server->connections_max)) {
        refuse(server, sock, "max.connections, or what the limit of open files allows, is reached");
        return;
    }
    sock_peer(sock, &peer);
    if (!count_ip(server, &peer)) {
        refuse(server, sock, "max.connections.per.ip is reached");
        return;
    }
    struct net_reactor *reactor = &server->reactors[server->next_reactor];
    server->next_reactor = (server->next_reactor + 1) % server->reactor_count;
    struct net_conn *conn = net_conn_new(server, reactor, sock, &peer, listener);
    atomic_fetch_add(&server->stats.open, 1);
    if (conn == NULL) {
        struct net_conn lost = {.peer = peer};
        net_server_forget(server, &lost);
        refuse(server, sock, "memory is short");
        return;
    }
    loop_post(reactor->loop, &conn->task);
}

/* No descriptor is left: the listener would report readable at every turn. */
static void pause_listener(struct net_listener *listener)
{
    struct net_server *server = listener->server;
    struct loop *loop = server->reactors[0].loop;
    char untold[NET_UNTOLD_SIZE];
    if (net_reactor_may_complain(&server->reactors[0], untold))
        log_warn(server->env,
                 "no file descriptor is left for a new connection; raise the limit (ulimit -n)%s",
                 untold);
    sock_want(listener->sock, 0);
    loop_timer_start(loop, &listener->retry_timer,
                     loop_now_ns(loop) + (int64_t)ACCEPT_RETRY_MS * 1000000);
}

static void on_connect(void *arg, unsigned events)
{
    struct net_listener *listener = arg;
    for (int i = 0; i < LIMIT_ACCEPTS_PER_TURN; i++) {
        struct sock *sock = NULL;
        enum err e = sock_accept(listener->sock, &sock);
        if (e == ERR_AGAIN)
            return;
        if (e != ERR_OK) {
            pause_listener(listener);
            return;
        }
        take_in(listener->server, sock, listener->index);
    }
}

static void retry_fired(struct loop_timer *timer)
{
    struct net_listener *listener = container_of(timer, struct net_listener, retry_timer);
    sock_want(listener->sock, SOCK_READABLE);
}

enum err net_server_listen(struct net_server *server, uint32_t index, const struct env_addr *addr,
                           struct env_addr *bound)
{
    ASSERT(index < NET_LISTENERS_MAX);
    ASSERT(!server->is_closing);
    struct net_listener *listener = mem_alloc(sizeof(*listener));
    listener->server = server;
    listener->index = index;
    listener->retry_timer.fire = retry_fired;
    enum err e = sock_listen(server->reactors[0].loop, addr, on_connect, listener, &listener->sock);
    if (e != ERR_OK) {
        mem_free(listener);
        return e;
    }
    list_push_back(&server->listeners, &listener->link);
    if (bound != NULL)
        sock_local(listener->sock, bound);
    return ERR_OK;
}

void net_server_stop_accepting(struct net_server *server)
{
    for (struct list *link = list_pop_front(&server->listeners); link != NULL;
         link = list_pop_front(&server->listeners)) {
        struct net_listener *listener = container_of(link, struct net_listener, link);
        loop_timer_stop(server->reactors[0].loop, &listener->retry_timer);
        sock_close(listener->sock);
        mem_free(listener);
    }
}

/* ---- start and end */

void net_reactor_check_closed(struct net_reactor *reactor)
{
    struct net_server *server = reactor->server;
    if (reactor->is_closed && reactor->cold_count == 0 &&
        atomic_fetch_sub(&server->reactors_open, 1) == 1)
        loop_post(server->reactors[0].loop, server->done);
}

/* Thread: the reactor's. */
static void close_reactor(struct loop_task *task)
{
    struct net_reactor *reactor = container_of(task, struct net_reactor, close_task);
    reactor->is_closed = true;
    while (!list_is_empty(&reactor->conns)) {
        struct net_conn *conn = container_of(reactor->conns.next, struct net_conn, link);
        net_conn_ref(conn);
        net_output_flush(conn);
        net_conn_end(conn, NET_CLOSED_STOP, "the server closes");
        net_conn_unref(conn);
    }
    loop_timer_stop(reactor->loop, &reactor->idle_timer);
    loop_timer_stop(reactor->loop, &reactor->moving_timer);
    net_reactor_check_closed(reactor);
}

void net_server_close(struct net_server *server, struct loop_task *done)
{
    ASSERT(!server->is_closing);
    server->is_closing = true;
    server->done = done;
    net_server_stop_accepting(server);
    atomic_store(&server->reactors_open, (uint32_t)server->reactor_count);
    for (size_t i = 0; i < server->reactor_count; i++)
        loop_post(server->reactors[i].loop, &server->reactors[i].close_task);
}

static void reactor_init(struct net_reactor *reactor, struct net_server *server, struct loop *loop)
{
    reactor->server = server;
    reactor->loop = loop;
    list_init(&reactor->conns);
    list_init(&reactor->idle);
    list_init(&reactor->moving);
    list_init(&reactor->dirty);
    reactor->idle_timer.fire = net_reactor_idle_fired;
    reactor->moving_timer.fire = net_reactor_moving_fired;
    reactor->dirty_task.run = net_reactor_run_dirty;
    reactor->close_task.run = close_reactor;
}

void net_server_new(struct env *env, struct loop *const *loops, size_t loop_count,
                    const struct net_options *options, const struct net_callbacks *callbacks,
                    struct net_server **out)
{
    ASSERT(loop_count > 0);
    ASSERT(options->frame_bytes_max > 0 && options->in_flight_max > 0);
    ASSERT(callbacks->on_request != NULL);
    struct net_server *server = mem_alloc(sizeof(*server));
    server->env = env;
    server->options = *options;
    net_server_set_limits(server, options->connections_max, options->connections_per_ip_max);
    server->callbacks = *callbacks;
    server->reactor_count = loop_count;
    server->reactors = mem_alloc(loop_count * sizeof(server->reactors[0]));
    for (size_t i = 0; i < loop_count; i++)
        reactor_init(&server->reactors[i], server, loops[i]);
    list_init(&server->listeners);
    map_init(&server->ips);
    monitor_init(&server->ips_monitor, MONITOR_TABLE);
    env_random(env, &server->ips_seed, sizeof(server->ips_seed));
    net_budget_init(&server->budget, options->memory_bytes_max, loops[0],
                    &server->stats.memory_waiting);
    int64_t room = server->budget.bounds[NET_CLASS_LARGE] - net_request_charge(0);
    ASSERT(room > 0);
    server->frame_bytes_max = (uint32_t)MIN((int64_t)options->frame_bytes_max, room);
    *out = server;
}

void net_server_free(struct net_server *server)
{
    if (server == NULL)
        return;
    ASSERT(list_is_empty(&server->listeners));
    ASSERT(atomic_load(&server->stats.open) == 0);
    ASSERT(atomic_load(&server->stats.requests_in_flight) == 0);
    for (size_t i = 0; i < server->reactor_count; i++) {
        ASSERT(list_is_empty(&server->reactors[i].conns));
        ASSERT(list_is_empty(&server->reactors[i].dirty));
        mem_free(server->reactors[i].scratch);
    }
    net_budget_deinit(&server->budget);
    ASSERT(server->ips.count == 0);
    map_deinit(&server->ips);
    monitor_deinit(&server->ips_monitor);
    mem_free(server->reactors);
    mem_free(server);
}
