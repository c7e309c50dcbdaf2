// SPDX-License-Identifier: Apache-2.0
/*
 * sim_net: sockets and connections; see sim_net.h.
 *
 * A connection has two ends. Bytes that an end sends travel as segments (events) and
 * lie in the other end's `inbox` until they are received; both together may not
 * pass the window. A close travels behind the bytes, a reset overtakes them.
 *
 * Thread: one.
 */
#include "env/sim_net.h"

#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

enum { SIM_BACKLOG = 64 };

struct sim_sock;

struct sim_end {
    struct sim_sock *sock; /* NULL: closed, or its process is gone */
    uint8_t *inbox;
    size_t inbox_len;
    size_t inbox_capacity;
    size_t in_flight;       /* on the way to this end */
    size_t window;          /* what inbox and in_flight may be together */
    int64_t last_arrive_ns; /* segments to this end stay in order */
    bool is_finished;       /* the peer's close has arrived */
    bool is_reset;
    bool is_accepted; /* there is a socket, or was */
};

struct sim_conn {
    struct list link; /* of the sim's */
    struct sim *sim;
    uint32_t id;
    unsigned refs; /* sockets and segments */
    bool is_open;  /* both sides know of it */
    struct env_addr addr[2];
    struct sim_end end[2]; /* 0: who connected */
};

enum segment_kind {
    SEGMENT_SYN,
    SEGMENT_SYN_ACK,
    SEGMENT_REFUSED,
    SEGMENT_BYTES,
    SEGMENT_FIN,
    SEGMENT_RESET
};

struct segment {
    struct sim_event event;
    struct sim_conn *conn;
    enum segment_kind kind;
    uint8_t to; /* which end */
    size_t len;
    uint8_t bytes[];
};

enum sock_kind { SOCK_LISTENER, SOCK_STREAM_KIND };

struct sim_sock {
    struct sock sock;
    struct list link;      /* of its process */
    struct list loop_link; /* of its loop */
    struct sim_env *env;
    enum sock_kind kind;
    unsigned want;
    /* A listener. */
    struct env_addr addr;
    struct sim_conn *backlog[SIM_BACKLOG];
    size_t backlog_count;
    /* A stream. */
    struct sim_conn *conn;
    uint8_t side;
    bool is_connecting;
    enum err connect_result;
};

static struct sim_sock *sock_of(struct sock *sock)
{
    return container_of(sock, struct sim_sock, sock);
}

static struct sim_end *end_of(struct sim_sock *s)
{
    return &s->conn->end[s->side];
}

static void kick(struct sim_sock *s)
{
    if (s != NULL && s->sock.loop != NULL)
        sim_loop_kick_soon(container_of(s->sock.loop, struct sim_loop, loop));
}

/* ---- connections */

static struct sim_conn *conn_new(struct sim *sim)
{
    struct sim_conn *conn = mem_alloc(sizeof(*conn));
    conn->sim = sim;
    conn->id = ++sim->next_id;
    for (int i = 0; i < 2; i++)
        conn->end[i].window =
            (size_t)sim_draw(sim, sim->tuning.net_window_min, sim->tuning.net_window_max);
    list_push_back(&sim->conns, &conn->link);
    return conn;
}

static void conn_free(struct sim_conn *conn)
{
    list_remove(&conn->link);
    mem_free(conn->end[0].inbox);
    mem_free(conn->end[1].inbox);
    mem_free(conn);
}

static void conn_unref(struct sim_conn *conn)
{
    ASSERT(conn->refs > 0);
    if (--conn->refs == 0)
        conn_free(conn);
}

static void segment_fire(struct sim_event *event);

static int64_t travel_ns(struct sim *sim)
{
    int64_t ns = sim_draw(sim, sim->tuning.net_delay_min, sim->tuning.net_delay_max);
    if (sim_ppm(sim, sim->tuning.net_slow_ppm))
        ns += sim_draw(sim, 0, sim->tuning.net_slow_max);
    return ns;
}

static void send_segment(struct sim_conn *conn, uint8_t to, enum segment_kind kind,
                         const uint8_t *bytes, size_t len)
{
    struct sim *sim = conn->sim;
    struct sim_end *end = &conn->end[to];
    struct segment *segment = mem_alloc(sizeof(*segment) + len);
    segment->event = (struct sim_event){.fire = segment_fire};
    segment->conn = conn;
    segment->kind = kind;
    segment->to = to;
    segment->len = len;
    if (len > 0)
        memcpy(segment->bytes, bytes, len);
    conn->refs++;
    end->in_flight += len;
    int64_t at_ns = sim->now_ns + travel_ns(sim);
    if (kind != SEGMENT_RESET) { /* a reset overtakes */
        at_ns = MAX(at_ns, end->last_arrive_ns + 1);
        end->last_arrive_ns = at_ns;
    }
    sim_schedule(sim, &segment->event, at_ns);
}

/* Closed, or its process is gone: whoever still sends learns it. */
static void answer_reset(struct sim_conn *conn, uint8_t to)
{
    if (!conn->end[to].is_reset && conn->end[to].sock != NULL)
        send_segment(conn, to, SEGMENT_RESET, NULL, 0);
}

static void inbox_add(struct sim_end *end, const uint8_t *bytes, size_t len)
{
    if (end->inbox_len + len > end->inbox_capacity) {
        end->inbox_capacity = MAX(end->inbox_capacity * 2, end->inbox_len + len);
        end->inbox = mem_realloc(end->inbox, end->inbox_capacity);
    }
    memcpy(end->inbox + end->inbox_len, bytes, len);
    end->inbox_len += len;
}

static struct sim_sock *find_listener(struct sim *sim, const struct env_addr *addr)
{
    LIST_FOR_EACH (node, &sim->envs) {
        struct sim_env *env = container_of(node, struct sim_env, link);
        if (env->is_dead || memcmp(env->addr.ip, addr->ip, 4) != 0)
            continue;
        LIST_FOR_EACH (at, &env->socks) {
            struct sim_sock *s = container_of(at, struct sim_sock, link);
            if (s->kind == SOCK_LISTENER && s->addr.port == addr->port)
                return s;
        }
    }
    return NULL;
}

static void arrive_syn(struct sim_conn *conn)
{
    struct sim_sock *listener = find_listener(conn->sim, &conn->addr[1]);
    if (listener == NULL || listener->backlog_count == SIM_BACKLOG) {
        sim_count(conn->sim, SIM_FAULT_REFUSED);
        send_segment(conn, 0, SEGMENT_REFUSED, NULL, 0);
        return;
    }
    conn->refs++; /* the backlog's */
    listener->backlog[listener->backlog_count++] = conn;
    kick(listener);
    send_segment(conn, 0, SEGMENT_SYN_ACK, NULL, 0);
}

static void decide_connect(struct sim_end *end, enum err result)
{
    if (end->sock == NULL)
        return;
    end->sock->is_connecting = false;
    end->sock->connect_result = result;
    kick(end->sock);
}

static void arrive_bytes(struct segment *segment)
{
    struct sim_conn *conn = segment->conn;
    struct sim_end *end = &conn->end[segment->to];
    end->in_flight -= segment->len;
    if (end->is_reset)
        return;
    if (end->is_accepted && end->sock == NULL) {
        answer_reset(conn, !segment->to);
        return;
    }
    inbox_add(end, segment->bytes, segment->len);
    kick(end->sock);
}

static void arrive_reset(struct sim_end *end)
{
    end->is_reset = true;
    end->inbox_len = 0;
    if (end->sock != NULL && end->sock->is_connecting)
        decide_connect(end, ERR_CLOSED);
    kick(end->sock);
}

static void segment_fire(struct sim_event *event)
{
    struct segment *segment = container_of(event, struct segment, event);
    struct sim_conn *conn = segment->conn;
    struct sim_end *end = &conn->end[segment->to];
    sim_trace(conn->sim, "arrives", conn->id, segment->kind, segment->len);
    switch (segment->kind) {
    case SEGMENT_SYN:
        arrive_syn(conn);
        break;
    case SEGMENT_SYN_ACK:
        conn->is_open = true;
        decide_connect(end, ERR_OK);
        break;
    case SEGMENT_REFUSED:
        decide_connect(end, ERR_CLOSED);
        break;
    case SEGMENT_BYTES:
        arrive_bytes(segment);
        break;
    case SEGMENT_FIN:
        end->is_finished = true;
        kick(end->sock);
        break;
    case SEGMENT_RESET:
        arrive_reset(end);
        break;
    }
    mem_free(segment);
    conn_unref(conn);
}

/* ---- sockets */

static const struct sock_ops sock_ops;

static struct sim_sock *sock_new(struct sim_env *env, enum sock_kind kind)
{
    struct sim_sock *s = mem_alloc(sizeof(*s));
    s->sock.ops = &sock_ops;
    s->env = env;
    s->kind = kind;
    list_init(&s->loop_link);
    list_push_back(&env->socks, &s->link);
    return s;
}

static void sock_join_loop(struct sim_sock *s, struct loop *loop)
{
    struct sim_loop *l = container_of(loop, struct sim_loop, loop);
    s->sock.loop = loop;
    s->want = SOCK_READABLE;
    list_push_back(&l->socks, &s->loop_link);
    sim_loop_kick_soon(l);
}

static struct sim_sock *stream_new(struct sim_env *env, struct sim_conn *conn, uint8_t side)
{
    struct sim_sock *s = sock_new(env, SOCK_STREAM_KIND);
    s->conn = conn;
    s->side = side;
    conn->refs++;
    conn->end[side].sock = s;
    conn->end[side].is_accepted = true;
    return s;
}

static bool is_port_taken(struct sim_env *env, uint16_t port)
{
    LIST_FOR_EACH (node, &env->socks) {
        struct sim_sock *s = container_of(node, struct sim_sock, link);
        if (s->kind == SOCK_LISTENER && s->addr.port == port)
            return true;
    }
    return false;
}

enum err sim_net_listen(struct loop *loop, const struct env_addr *addr, struct sock **out)
{
    struct sim_env *env = sim_env_of(loop->env);
    if (!env_addr_is_any(addr) && memcmp(addr->ip, env->addr.ip, 4) != 0)
        return ERR_NOT_FOUND;
    uint16_t port = addr->port != 0 ? addr->port : env->next_port++;
    if (is_port_taken(env, port))
        return ERR_BUSY;
    struct sim_sock *s = sock_new(env, SOCK_LISTENER);
    s->addr = *addr;
    s->addr.port = port;
    sock_join_loop(s, loop);
    *out = &s->sock;
    return ERR_OK;
}

enum err sim_net_connect(struct loop *loop, const struct env_addr *to, struct sock **out)
{
    struct sim_env *env = sim_env_of(loop->env);
    struct sim_conn *conn = conn_new(env->sim);
    conn->addr[0] = env->addr;
    conn->addr[0].port = env->next_port++;
    conn->addr[1] = *to;
    struct sim_sock *s = stream_new(env, conn, 0);
    s->is_connecting = true;
    sock_join_loop(s, loop);
    s->want = SOCK_WRITABLE;
    send_segment(conn, 1, SEGMENT_SYN, NULL, 0);
    *out = &s->sock;
    return ERR_OK;
}

static enum err op_accept(struct sock *sock, struct sock **out)
{
    struct sim_sock *listener = sock_of(sock);
    ASSERT(listener->kind == SOCK_LISTENER);
    if (listener->backlog_count == 0)
        return ERR_AGAIN;
    struct sim_conn *conn = listener->backlog[0];
    listener->backlog_count--;
    memmove(&listener->backlog[0], &listener->backlog[1],
            listener->backlog_count * sizeof(listener->backlog[0]));
    struct sim_sock *s = stream_new(listener->env, conn, 1);
    conn_unref(conn); /* the backlog's */
    *out = &s->sock;
    return ERR_OK;
}

static enum err op_connect_result(struct sock *sock)
{
    struct sim_sock *s = sock_of(sock);
    return s->is_connecting ? ERR_AGAIN : s->connect_result;
}

static void op_attach(struct sock *sock, struct loop *loop)
{
    sock_join_loop(sock_of(sock), loop);
}

static void op_want(struct sock *sock, unsigned events)
{
    struct sim_sock *s = sock_of(sock);
    s->want = events;
    if (events != 0)
        kick(s);
}

/* A window opens again when a quarter of it is free, as in TCP: no bytes one by one. */
static size_t room_of(const struct sim_end *peer)
{
    size_t used = peer->inbox_len + peer->in_flight;
    if (used >= peer->window || peer->window - used < peer->window / 4)
        return 0;
    return peer->window - used;
}

static unsigned readiness(struct sim_sock *s)
{
    if (s->kind == SOCK_LISTENER)
        return s->backlog_count > 0 ? SOCK_READABLE : 0;
    if (s->is_connecting)
        return 0;
    const struct sim_end *end = end_of(s);
    unsigned events = 0;
    if (end->is_reset || s->connect_result != ERR_OK)
        return SOCK_READABLE | SOCK_WRITABLE;
    if (end->inbox_len > 0 || end->is_finished)
        events |= SOCK_READABLE;
    if (room_of(&s->conn->end[!s->side]) > 0)
        events |= SOCK_WRITABLE;
    return events;
}

/* Less than could be, now and then. */
static size_t some_of(struct sim *sim, size_t len)
{
    if (len > 1 && sim_percent(sim, sim->tuning.part_percent)) {
        sim_count(sim, SIM_FAULT_PART_SENT);
        return (size_t)sim_draw(sim, 1, (int64_t)len - 1);
    }
    return len;
}

static enum err op_recv(struct sock *sock, void *out, size_t len, size_t *got)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->kind == SOCK_STREAM_KIND);
    struct sim_end *end = end_of(s);
    if (end->is_reset)
        return ERR_CLOSED;
    if (end->inbox_len == 0)
        return end->is_finished ? ERR_CLOSED : ERR_AGAIN;
    size_t n = some_of(s->env->sim, MIN(len, end->inbox_len));
    bool had_room = room_of(end) > 0;
    memcpy(out, end->inbox, n);
    end->inbox_len -= n;
    memmove(end->inbox, end->inbox + n, end->inbox_len);
    if (!had_room)
        kick(s->conn->end[!s->side].sock); /* the peer may send again */
    sim_trace(s->env->sim, "recv", s->conn->id, n, 0);
    *got = n;
    return ERR_OK;
}

static void send_in_segments(struct sim_sock *s, const uint8_t *bytes, size_t len)
{
    struct sim *sim = s->env->sim;
    while (len > 0) {
        size_t n = MIN(len, (size_t)sim->tuning.net_segment_max);
        send_segment(s->conn, !s->side, SEGMENT_BYTES, bytes, n);
        bytes += n;
        len -= n;
    }
}

/* Copies at most `room` bytes of the parts. */
static bool gather(const struct sock_part *parts, size_t count, uint8_t *out, size_t room)
{
    for (size_t i = 0; i < count && room > 0; i++) {
        size_t n = MIN(parts[i].len, room);
        if (parts[i].data != NULL)
            memcpy(out, parts[i].data, n);
        else if (parts[i].len > 0 && !sim_file_peek(parts[i].file, parts[i].pos, out, n))
            return false;
        out += n;
        room -= n;
    }
    return true;
}

static enum err op_send(struct sock *sock, const struct sock_part *parts, size_t count,
                        size_t *sent)
{
    struct sim_sock *s = sock_of(sock);
    struct sim *sim = s->env->sim;
    ASSERT(s->kind == SOCK_STREAM_KIND && !s->is_connecting);
    if (end_of(s)->is_reset || s->connect_result != ERR_OK)
        return ERR_CLOSED;
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].len;
    size_t room = room_of(&s->conn->end[!s->side]);
    if (room < total)
        sim_count(sim, SIM_FAULT_BACK_PRESSURE);
    if (room == 0 && total > 0)
        return ERR_AGAIN;
    size_t n = some_of(sim, MIN(room, total));
    uint8_t *bytes = mem_alloc(n + 1);
    bool is_whole = gather(parts, count, bytes, n);
    if (is_whole) {
        sim_trace(sim, "send", s->conn->id, n, hash_bytes(0, bytes, n));
        send_in_segments(s, bytes, n);
        *sent = n;
    }
    mem_free(bytes);
    return is_whole ? ERR_OK : ERR_IO;
}

static void sock_leave(struct sim_sock *s)
{
    for (size_t i = 0; i < s->backlog_count; i++) {
        struct sim_conn *conn = s->backlog[i];
        conn->end[1].is_accepted = true;
        answer_reset(conn, 0);
        conn_unref(conn);
    }
    s->backlog_count = 0;
}

static void op_close(struct sock *sock)
{
    struct sim_sock *s = sock_of(sock);
    list_remove(&s->link);
    list_remove(&s->loop_link);
    if (s->kind == SOCK_LISTENER) {
        sock_leave(s);
        mem_free(s);
        return;
    }
    struct sim_end *end = end_of(s);
    sim_trace(s->env->sim, "close", s->conn->id, s->side, end->inbox_len);
    end->sock = NULL;
    if (end->inbox_len > 0)
        answer_reset(s->conn, !s->side); /* unread bytes: as the kernel does */
    else if (!end->is_reset)
        send_segment(s->conn, !s->side, SEGMENT_FIN, NULL, 0);
    conn_unref(s->conn);
    mem_free(s);
}

static void op_local(struct sock *sock, struct env_addr *out)
{
    struct sim_sock *s = sock_of(sock);
    *out = s->kind == SOCK_LISTENER ? s->addr : s->conn->addr[s->side];
}

static void op_peer(struct sock *sock, struct env_addr *out)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->kind == SOCK_STREAM_KIND);
    *out = s->conn->addr[!s->side];
}

static const struct sock_ops sock_ops = {
    .accept = op_accept,
    .connect_result = op_connect_result,
    .attach = op_attach,
    .want = op_want,
    .recv = op_recv,
    .send = op_send,
    .close = op_close,
    .local = op_local,
    .peer = op_peer,
};

/* ---- loops */

bool sim_net_has_ready(struct sim_loop *loop)
{
    LIST_FOR_EACH (node, &loop->socks) {
        struct sim_sock *s = container_of(node, struct sim_sock, loop_link);
        if ((readiness(s) & s->want) != 0)
            return true;
    }
    return false;
}

/* Each socket that is ready is told once, from a place in the ring that chance chooses. A
 * callback may close any of them: what was told moves to the end of the ring, and the ring is
 * asked again from its front. */
void sim_net_run_ready(struct sim_loop *loop)
{
    struct sim *sim = loop->env->sim;
    size_t count = 0;
    LIST_FOR_EACH (node, &loop->socks)
        count++;
    for (int64_t turn = count > 1 ? sim_draw(sim, 0, (int64_t)count - 1) : 0; turn > 0; turn--)
        list_push_back(&loop->socks, list_pop_front(&loop->socks));
    for (size_t i = 0; i < count && !list_is_empty(&loop->socks); i++) {
        struct sim_sock *s = container_of(loop->socks.next, struct sim_sock, loop_link);
        list_remove(&s->loop_link);
        list_push_back(&loop->socks, &s->loop_link);
        unsigned events = readiness(s) & s->want;
        if (events != 0 && s->sock.ready != NULL)
            s->sock.ready(s->sock.ready_arg, events);
    }
}

/* ---- faults and ends */

static void reset_later(struct sim_conn *conn, uint8_t to)
{
    struct segment *segment = mem_alloc(sizeof(*segment));
    segment->event = (struct sim_event){.fire = segment_fire};
    segment->conn = conn;
    segment->kind = SEGMENT_RESET;
    segment->to = to;
    conn->refs++;
    int64_t delay_ns = sim_draw(conn->sim, 0, conn->sim->tuning.net_reset_delay_max);
    sim_schedule(conn->sim, &segment->event, conn->sim->now_ns + delay_ns);
}

bool sim_net_reset_one(struct sim *sim)
{
    size_t count = 0;
    LIST_FOR_EACH (node, &sim->conns)
        count += container_of(node, struct sim_conn, link)->is_open;
    if (count == 0)
        return false;
    size_t chosen = (size_t)sim_draw(sim, 0, (int64_t)count - 1);
    LIST_FOR_EACH (node, &sim->conns) {
        struct sim_conn *conn = container_of(node, struct sim_conn, link);
        if (!conn->is_open || chosen-- > 0)
            continue;
        sim_count(sim, SIM_FAULT_RESET);
        conn->is_open = false;
        reset_later(conn, 0);
        reset_later(conn, 1);
        break;
    }
    return true;
}

void sim_net_cut_machine(struct sim_env *env)
{
    LIST_FOR_EACH (node, &env->socks) {
        struct sim_sock *s = container_of(node, struct sim_sock, link);
        if (s->kind == SOCK_LISTENER) {
            for (size_t i = 0; i < s->backlog_count; i++) {
                s->backlog[i]->end[1].is_accepted = true;
                s->backlog[i]->is_open = false;
                reset_later(s->backlog[i], 0);
            }
            continue;
        }
        end_of(s)->sock = NULL;
        s->conn->is_open = false;
        reset_later(s->conn, !s->side);
    }
}

void sim_net_free_socks(struct sim_env *env)
{
    for (struct list *node; (node = list_pop_front(&env->socks)) != NULL;)
        mem_free(container_of(node, struct sim_sock, link));
}

/* The segments on their way are the only events left that own memory. */
void sim_net_free(struct sim *sim)
{
    for (struct heap_node *node; (node = heap_min(&sim->events)) != NULL;) {
        heap_remove(&sim->events, node);
        struct sim_event *event = container_of(node, struct sim_event, node);
        if (event->fire == segment_fire)
            mem_free(container_of(event, struct segment, event));
    }
    while (!list_is_empty(&sim->conns))
        conn_free(container_of(sim->conns.next, struct sim_conn, link));
}
