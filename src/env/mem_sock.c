// SPDX-License-Identifier: Apache-2.0
/*
 * mem_sock: sockets as pairs of queues. Each end has an inbox; sending puts bytes
 * into the other's inbox as far as there is room.
 *
 * Thread: the test's.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/mem_private.h"
#include "env/monitor.h"

enum { ROOM_BYTES = 256 * 1024 };

struct mem_sock {
    struct sock sock;
    struct mem_env *m;
    struct list link;      /* of the env's socks */
    struct mem_sock *peer; /* NULL: a listener, refused, or the other end is closed */
    struct env_addr local;
    struct env_addr remote;
    uint8_t *inbox;
    size_t inbox_start; /* what is before it was received */
    size_t inbox_used;
    size_t inbox_capacity;
    size_t room;  /* of the inbox */
    size_t chunk; /* what the other end gets at a time */
    unsigned want;
    bool is_listener;
    bool is_refused;
    bool is_finished;    /* the peer sends no more */
    struct list waiting; /* listener: not yet accepted; else: place in that list */
};

static const struct sock_ops sock_ops;

static struct mem_sock *mem_of(struct sock *sock)
{
    return container_of(sock, struct mem_sock, sock);
}

static struct mem_sock *sock_new(struct mem_env *m)
{
    struct mem_sock *s = mem_alloc(sizeof(*s));
    s->sock.ops = &sock_ops;
    s->m = m;
    s->room = ROOM_BYTES;
    s->chunk = SIZE_MAX;
    list_init(&s->waiting);
    list_push_back(&m->socks, &s->link);
    m->open_socks++;
    return s;
}

static void sock_free(struct mem_sock *s)
{
    ASSERT(s->m->open_socks > 0);
    s->m->open_socks--;
    if (s->m->sock_cursor == &s->link)
        s->m->sock_cursor = s->link.next;
    list_remove(&s->link);
    list_remove(&s->waiting);
    if (s->peer != NULL) {
        s->peer->is_finished = true;
        s->peer->peer = NULL;
    }
    mem_free(s->inbox);
    mem_free(s);
}

static struct mem_sock *find_listener(struct mem_env *m, uint16_t port)
{
    LIST_FOR_EACH (link, &m->socks) {
        struct mem_sock *s = container_of(link, struct mem_sock, link);
        if (s->is_listener && s->local.port == port)
            return s;
    }
    return NULL;
}

/* Puts a fresh connection at the end of the listener's line; returns the client's end. */
static struct mem_sock *make_pair(struct mem_sock *listener, struct mem_sock *client,
                                  struct env_addr from)
{
    struct mem_env *m = listener->m;
    struct mem_sock *server = sock_new(m);
    from.port = m->next_port++;
    server->peer = client;
    client->peer = server;
    server->local = listener->local;
    if (env_addr_is_any(&server->local))
        server->local =
            (struct env_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = listener->local.port};
    server->remote = from;
    client->local = from;
    client->remote = server->local;
    list_push_back(&listener->waiting, &server->waiting);
    return client;
}

struct sock *mem_env_connect(struct mem_env *m, uint16_t port, const char *from_ip)
{
    struct mem_sock *listener = find_listener(m, port);
    if (listener == NULL)
        return NULL;
    struct env_addr from = {.family = 4};
    int parsed = inet_pton(AF_INET, from_ip != NULL ? from_ip : "127.0.0.1", from.ip);
    ASSERT(parsed == 1);
    return &make_pair(listener, sock_new(m), from)->sock;
}

enum err mem_sock_listen(struct loop *loop, const struct env_addr *addr, struct sock **out)
{
    struct mem_env *m = mem_env_of(loop->env);
    if (addr->port != 0 && find_listener(m, addr->port) != NULL)
        return ERR_BUSY;
    struct mem_sock *s = sock_new(m);
    s->sock.loop = loop;
    s->is_listener = true;
    s->want = SOCK_READABLE;
    s->local = *addr;
    if (addr->port == 0)
        s->local.port = m->next_port++;
    *out = &s->sock;
    return ERR_OK;
}

enum err mem_sock_connect(struct loop *loop, const struct env_addr *to, struct sock **out)
{
    struct mem_env *m = mem_env_of(loop->env);
    struct mem_sock *listener = find_listener(m, to->port);
    struct mem_sock *s = sock_new(m);
    s->sock.loop = loop;
    s->want = SOCK_WRITABLE;
    s->remote = *to;
    s->is_refused = listener == NULL;
    if (listener != NULL)
        make_pair(listener, s, (struct env_addr){.family = 4, .ip = {127, 0, 0, 1}});
    *out = &s->sock;
    return ERR_OK;
}

static enum err sock_accept_next(struct sock *base, struct sock **out)
{
    struct list *link = list_pop_front(&mem_of(base)->waiting);
    if (link == NULL)
        return ERR_AGAIN;
    *out = &container_of(link, struct mem_sock, waiting)->sock;
    return ERR_OK;
}

static enum err sock_get_connect_result(struct sock *base)
{
    return mem_of(base)->is_refused ? ERR_CLOSED : ERR_OK;
}

static void sock_attach_to(struct sock *base, struct loop *loop)
{
    mem_of(base)->want = SOCK_READABLE;
}

static void sock_set_want(struct sock *base, unsigned want)
{
    mem_of(base)->want = want;
}

/* True when the test wants this call to fail; only calls of attached socks count. */
static bool must_fail(struct mem_sock *s)
{
    struct mem_env *m = s->m;
    return s->sock.loop != NULL && m->sock_fail_at > 0 && --m->sock_fail_at == 0;
}

static enum err sock_receive(struct sock *base, void *out, size_t len, size_t *got)
{
    struct mem_sock *s = mem_of(base);
    if (must_fail(s))
        return ERR_CLOSED;
    if (s->inbox_used == 0)
        return s->is_finished || s->is_refused ? ERR_CLOSED : ERR_AGAIN;
    size_t n = MIN(len, s->inbox_used);
    if (s->peer != NULL)
        n = MIN(n, s->peer->chunk);
    memcpy(out, s->inbox + s->inbox_start, n);
    s->inbox_start += n;
    s->inbox_used -= n;
    if (s->inbox_used == 0) {
        mem_free(s->inbox);
        s->inbox = NULL;
        s->inbox_start = 0;
        s->inbox_capacity = 0;
    }
    *got = n;
    return ERR_OK;
}

/* Moves what is there only when as much can be added or taken before the next time. */
static void inbox_make_room(struct mem_sock *s, size_t len)
{
    size_t needed = s->inbox_used + len;
    if (s->inbox_start + needed <= s->inbox_capacity)
        return;
    if (s->inbox_start > 0)
        memmove(s->inbox, s->inbox + s->inbox_start, s->inbox_used);
    s->inbox_start = 0;
    if (needed > s->inbox_capacity / 2) {
        s->inbox_capacity = needed * 2;
        s->inbox = mem_realloc(s->inbox, s->inbox_capacity);
    }
}

static void inbox_add(struct mem_sock *s, const void *data, size_t len)
{
    inbox_make_room(s, len);
    if (len > 0)
        memcpy(s->inbox + s->inbox_start + s->inbox_used, data, len);
    s->inbox_used += len;
}

static size_t room_left(const struct mem_sock *s)
{
    return s->room - MIN(s->room, s->inbox_used);
}

static enum err sock_send_parts(struct sock *base, const struct sock_part *parts, size_t count,
                                size_t *sent)
{
    struct mem_sock *s = mem_of(base);
    if (must_fail(s) || s->peer == NULL)
        return ERR_CLOSED;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t asked = parts[i].len;
        size_t len = asked;
        const uint8_t *data = parts[i].data;
        if (parts[i].file != NULL)
            data = mem_file_range(parts[i].file, parts[i].pos, &len);
        size_t n = MIN(len, room_left(s->peer));
        if (n == 0 && asked > 0) {
            if (total > 0)
                break;
            return len == 0 ? ERR_IO : ERR_AGAIN;
        }
        inbox_add(s->peer, data, n);
        total += n;
        if (n < asked)
            break;
    }
    *sent = total;
    return ERR_OK;
}

static void sock_shut(struct sock *base)
{
    struct mem_sock *s = mem_of(base);
    if (s->is_listener) {
        for (struct list *link = list_pop_front(&s->waiting); link != NULL;
             link = list_pop_front(&s->waiting))
            sock_free(container_of(link, struct mem_sock, waiting));
    }
    sock_free(s);
}

static void sock_get_local(struct sock *base, struct env_addr *out)
{
    *out = mem_of(base)->local;
}

static void sock_get_peer(struct sock *base, struct env_addr *out)
{
    *out = mem_of(base)->remote;
}

static const struct sock_ops sock_ops = {
    .accept = sock_accept_next,
    .connect_result = sock_get_connect_result,
    .attach = sock_attach_to,
    .want = sock_set_want,
    .recv = sock_receive,
    .send = sock_send_parts,
    .close = sock_shut,
    .local = sock_get_local,
    .peer = sock_get_peer,
};

static unsigned ready_events(struct mem_sock *s)
{
    unsigned ready = 0;
    if (s->is_listener)
        return list_is_empty(&s->waiting) ? 0 : s->want & SOCK_READABLE;
    bool is_over = s->is_refused || s->is_finished;
    if (s->inbox_used > 0 || is_over)
        ready |= SOCK_READABLE;
    if (is_over || s->peer == NULL || room_left(s->peer) > 0)
        ready |= SOCK_WRITABLE;
    return ready & s->want;
}

/* A call may close any sock, also the next one: then sock_free moves the cursor on. */
bool mem_sock_run_ready(struct mem_env *m, struct loop *loop)
{
    bool was_busy = false;
    for (m->sock_cursor = m->socks.next; m->sock_cursor != &m->socks;) {
        struct mem_sock *s = container_of(m->sock_cursor, struct mem_sock, link);
        m->sock_cursor = m->sock_cursor->next;
        unsigned events = s->sock.loop == loop && s->sock.ready != NULL ? ready_events(s) : 0;
        if (events == 0)
            continue;
        was_busy = true;
        s->sock.ready(s->sock.ready_arg, events);
        monitor_assert_none();
    }
    m->sock_cursor = NULL;
    return was_busy;
}

void mem_sock_free_all(struct mem_env *m)
{
    LIST_FOR_EACH (link, &m->socks) {
        container_of(link, struct mem_sock, link)->peer = NULL;
    }
    for (struct list *link = list_pop_front(&m->socks); link != NULL;
         link = list_pop_front(&m->socks))
        sock_free(container_of(link, struct mem_sock, link));
}

void mem_sock_say(struct sock *base, const void *data, size_t len)
{
    if (mem_of(base)->peer != NULL)
        inbox_add(mem_of(base)->peer, data, len);
}

void mem_sock_set_room(struct sock *base, size_t bytes)
{
    mem_of(base)->room = bytes;
}

void mem_sock_set_chunk(struct sock *base, size_t bytes)
{
    ASSERT(bytes > 0);
    mem_of(base)->chunk = bytes;
}

void mem_sock_finish(struct sock *base)
{
    if (mem_of(base)->peer != NULL)
        mem_of(base)->peer->is_finished = true;
}

size_t mem_sock_unread(const struct sock *base)
{
    return ((const struct mem_sock *)(const void *)base)->inbox_used;
}
