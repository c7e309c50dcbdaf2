// SPDX-License-Identifier: Apache-2.0
/*
 * net_fake: a server in memory with a broker that echoes or holds what it gets, and
 * peers that speak frames. For tests and fuzzing of net only.
 *
 * A payload starts with a key of two bytes: 0 and 1 may overlap, others not.
 *
 * Thread: one.
 */
#ifndef NET_NET_FAKE_H
#define NET_NET_FAKE_H

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "env/mem_env.h"
#include "net/net.h"

enum { FAKE_HELD_MAX = 2048, FAKE_PORT = 9092 };

struct fake {
    struct mem_env m;
    struct net_server *server;
    struct net_options options;
    bool holds; /* keep requests instead of echoing them */
    struct net_request *held[FAKE_HELD_MAX];
    int held_count;
    int requests;
    int closed; /* connections that on_close told of */
    int users_freed;
    bool is_done;
    struct loop_task done;
};

static inline void fake_echo(struct net_request *req)
{
    net_request_add_bytes(req, req->payload, req->payload_len);
    net_request_answer(req);
}

static inline void fake_free_user(void *user)
{
    ((struct fake *)user)->users_freed++;
}

static inline void fake_on_request(void *arg, struct net_request *req)
{
    struct fake *f = arg;
    f->requests++;
    ASSERT(loop_is_current(req->loop));
    ASSERT(req->payload_len > 0);
    if (net_conn_user(req->conn) == NULL)
        net_conn_set_user(req->conn, f, fake_free_user);
    if (!f->holds) {
        fake_echo(req);
        return;
    }
    ASSERT(f->held_count < FAKE_HELD_MAX);
    f->held[f->held_count++] = req;
}

static inline bool fake_may_overlap(void *arg, const uint8_t *start, size_t len)
{
    return len >= 2 && bytes_load_u16(start) <= 1;
}

static inline void fake_on_close(void *arg, struct net_conn *conn)
{
    ((struct fake *)arg)->closed++;
    ASSERT(!net_conn_is_open(conn));
}

static inline void fake_is_done(struct loop_task *task)
{
    container_of(task, struct fake, done)->is_done = true;
}

/* Set options between the two. */
static inline void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    mem_env_init(&f->m);
    f->options = net_options_default();
    f->done.run = fake_is_done;
}

static inline void fake_start(struct fake *f, int loop_count)
{
    struct loop *loops[MEM_LOOPS_MAX];
    for (int i = 0; i < loop_count; i++)
        loops[i] = mem_env_loop(&f->m, i);
    struct net_callbacks callbacks = {f, fake_on_request, fake_may_overlap, fake_on_close};
    net_server_new(&f->m.env, loops, (size_t)loop_count, &f->options, &callbacks, &f->server);
    struct env_addr addr = {.family = 4, .port = FAKE_PORT}, bound;
    enum err e = net_server_listen(f->server, 3, &addr, &bound);
    ASSERT(e == ERR_OK && bound.port == FAKE_PORT);
}

static inline struct sock *fake_connect(struct fake *f)
{
    struct sock *peer = mem_env_connect(&f->m, FAKE_PORT, NULL);
    ASSERT(peer != NULL);
    mem_env_run_until_idle(&f->m);
    return peer;
}

static inline void fake_run(struct fake *f)
{
    mem_env_run_until_idle(&f->m);
}

/* As most tests begin: the usual options, one loop, one peer. */
static inline struct sock *fake_open(struct fake *f)
{
    fake_init(f);
    fake_start(f, 1);
    return fake_connect(f);
}

static inline const struct net_stats *fake_stats(const struct fake *f)
{
    return net_server_stats(f->server);
}

/* Takes the nth request out of those held. */
static inline struct net_request *fake_take(struct fake *f, int index)
{
    ASSERT(index < f->held_count);
    struct net_request *req = f->held[index];
    f->held_count--;
    memmove(&f->held[index], &f->held[index + 1],
            (size_t)(f->held_count - index) * sizeof(f->held[0]));
    return req;
}

static inline void fake_stop(struct fake *f)
{
    net_server_close(f->server, &f->done);
    fake_run(f);
    ASSERT(f->is_done);
    while (f->held_count > 0)
        net_request_answer_none(fake_take(f, 0));
    fake_run(f);
    net_server_free(f->server);
    mem_env_deinit(&f->m);
}

/* As most tests end: the peer goes first. */
static inline void fake_end(struct fake *f, struct sock *peer)
{
    sock_close(peer);
    fake_run(f);
    fake_stop(f);
}

/* Length, key and text as one frame; returns its size. */
static inline size_t fake_frame(uint8_t *out, uint16_t key, const char *text)
{
    size_t len = strlen(text);
    bytes_store_u32(out, (uint32_t)(len + 2));
    bytes_store_u16(out + 4, key);
    memcpy(out + 6, text, len);
    return len + 6;
}

static inline void fake_say(struct sock *peer, uint16_t key, const char *text)
{
    uint8_t frame[512];
    mem_sock_say(peer, frame, fake_frame(frame, key, text));
}

/* The beginning of a frame: its length and so many bytes of it. */
static inline void fake_say_part(struct sock *peer, uint32_t size, size_t len)
{
    uint8_t header[4];
    uint8_t *body = mem_alloc(len);
    bytes_store_u32(header, size);
    mem_sock_say(peer, header, 4);
    mem_sock_say(peer, body, len);
    mem_free(body);
}

static inline void fake_say_zeros(struct sock *peer, size_t len)
{
    uint8_t *body = mem_alloc(len);
    mem_sock_say(peer, body, len);
    mem_free(body);
}

/* Has the server closed this connection? Drops what is unread. */
static inline bool fake_is_closed(struct sock *peer)
{
    uint8_t bytes[4096];
    size_t got;
    enum err e;
    while ((e = sock_recv(peer, bytes, sizeof(bytes), &got)) == ERR_OK) {
    }
    return e == ERR_CLOSED;
}

#endif
