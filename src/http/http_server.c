// SPDX-License-Identifier: Apache-2.0
/* http_server: listeners and connections. See http.h. Thread: its loop. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "http/http.h"
#include "http/http_private.h"

enum { LISTENERS_MAX = 8 };

struct http_server {
    struct loop *loop;
    http_handler_fn *handler;
    void *arg;
    struct sock *listeners[LISTENERS_MAX];
    int listener_count;
    struct list conns; /* least recently active first */
    uint32_t conn_count;
    struct loop_timer timer;
};

struct http_conn {
    struct http_server *server;
    struct list link;
    struct sock *sock;
    struct http_input input;
    struct strbuf output;
    size_t sent;
    int64_t active_ns;
    bool is_last; /* closes when the output is sent */
};

static void conn_free(struct http_conn *conn)
{
    list_remove(&conn->link);
    conn->server->conn_count--;
    sock_close(conn->sock);
    http_input_deinit(&conn->input);
    strbuf_deinit(&conn->output);
    mem_free(conn);
}

static void conn_touch(struct http_conn *conn)
{
    conn->active_ns = loop_now_ns(conn->server->loop);
    list_remove(&conn->link);
    list_push_back(&conn->server->conns, &conn->link);
}

static const char *status_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

static void conn_answer(struct http_conn *conn, const struct http_answer *answer, bool is_head)
{
    strbuf_printf(&conn->output,
                  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                  "Connection: %s\r\n\r\n",
                  answer->status, status_text(answer->status), answer->content_type,
                  answer->body.len, conn->is_last ? "close" : "keep-alive");
    if (!is_head)
        strbuf_add(&conn->output, strbuf_text(&answer->body), answer->body.len);
}

static void conn_refuse(struct http_conn *conn, int status)
{
    struct http_answer answer = {.status = status, .content_type = "text/plain"};
    strbuf_init(&answer.body);
    strbuf_printf(&answer.body, "%s\n", status_text(status));
    conn->is_last = true;
    conn_answer(conn, &answer, false);
    strbuf_deinit(&answer.body);
}

static void conn_serve(struct http_conn *conn)
{
    struct http_input *input = &conn->input;
    struct http_request request = {.path = http_input_path(input),
                                   .query = http_input_query(input),
                                   .is_get = http_input_is_get(input),
                                   .is_post = http_input_is_post(input)};
    struct http_answer answer = {.status = 200, .content_type = "text/plain; charset=utf-8"};
    strbuf_init(&answer.body);
    conn->is_last = !http_input_keeps_alive(input);
    conn->server->handler(conn->server->arg, &request, &answer);
    conn_answer(conn, &answer, http_input_is_head(input));
    strbuf_deinit(&answer.body);
}

/* False: the connection is gone. */
static bool conn_flush(struct http_conn *conn)
{
    while (conn->sent < conn->output.len) {
        struct sock_part part = {.data = (const uint8_t *)conn->output.text + conn->sent,
                                 .len = conn->output.len - conn->sent};
        size_t sent = 0;
        enum err e = sock_send(conn->sock, &part, 1, &sent);
        if (e == ERR_AGAIN) {
            sock_want(conn->sock, SOCK_WRITABLE);
            return true;
        }
        if (e != ERR_OK) {
            conn_free(conn);
            return false;
        }
        conn->sent += sent;
    }
    strbuf_clear(&conn->output);
    conn->sent = 0;
    if (conn->is_last) {
        conn_free(conn);
        return false;
    }
    sock_want(conn->sock, SOCK_READABLE);
    return true;
}

/* False: the connection is gone. */
static bool conn_take(struct http_conn *conn, const char *data, size_t len)
{
    while (len > 0 && !conn->is_last) {
        /* Requests behind one another are small, their answers are not. */
        if (conn->output.len > LIMIT_HTTP_UNSENT_BYTES) {
            conn->is_last = true;
            break;
        }
        size_t used = 0;
        enum http_input_state state = http_input_feed(&conn->input, data, len, &used);
        data += used;
        len -= used;
        if (state == HTTP_INPUT_MORE)
            break;
        if (state == HTTP_INPUT_WHOLE)
            conn_serve(conn);
        else
            conn_refuse(conn, http_input_refusal(state));
        http_input_reset(&conn->input);
    }
    return conn->output.len == 0 || conn_flush(conn);
}

static void conn_ready(void *arg, unsigned events)
{
    struct http_conn *conn = arg;
    conn_touch(conn);
    if (conn->output.len > 0) {
        if ((events & SOCK_WRITABLE) != 0)
            conn_flush(conn);
        return;
    }
    char buffer[4096];
    for (;;) {
        size_t got = 0;
        enum err e = sock_recv(conn->sock, buffer, sizeof(buffer), &got);
        if (e == ERR_AGAIN)
            return;
        if (e != ERR_OK) {
            conn_free(conn);
            return;
        }
        if (!conn_take(conn, buffer, got) || conn->output.len > 0)
            return;
    }
}

static void drop_oldest(struct http_server *server)
{
    ASSERT(!list_is_empty(&server->conns));
    conn_free(container_of(server->conns.next, struct http_conn, link));
}

static void server_arm(struct http_server *server)
{
    if (list_is_empty(&server->conns)) {
        loop_timer_stop(server->loop, &server->timer);
        return;
    }
    struct http_conn *oldest = container_of(server->conns.next, struct http_conn, link);
    loop_timer_start(server->loop, &server->timer,
                     oldest->active_ns + (int64_t)LIMIT_HTTP_IDLE_MS * 1000000);
}

static void server_expire(struct loop_timer *timer)
{
    struct http_server *server = container_of(timer, struct http_server, timer);
    int64_t limit_ns = loop_now_ns(server->loop) - (int64_t)LIMIT_HTTP_IDLE_MS * 1000000;
    while (!list_is_empty(&server->conns) &&
           container_of(server->conns.next, struct http_conn, link)->active_ns <= limit_ns)
        drop_oldest(server);
    server_arm(server);
}

static void server_accept(void *arg, unsigned events)
{
    struct http_server *server = arg;
    struct sock *sock;
    for (int i = 0; i < server->listener_count; i++) {
        while (sock_accept(server->listeners[i], &sock) == ERR_OK) {
            if (server->conn_count >= LIMIT_HTTP_CONNECTIONS)
                drop_oldest(server);
            struct http_conn *conn = mem_alloc(sizeof(*conn));
            conn->server = server;
            conn->sock = sock;
            list_init(&conn->link);
            http_input_init(&conn->input);
            server->conn_count++;
            conn_touch(conn);
            sock_attach(sock, server->loop, conn_ready, conn);
        }
    }
    server_arm(server);
}

struct http_server *http_server_new(struct loop *loop, http_handler_fn *handler, void *arg)
{
    struct http_server *server = mem_alloc(sizeof(*server));
    server->loop = loop;
    server->handler = handler;
    server->arg = arg;
    server->timer = (struct loop_timer){.fire = server_expire};
    list_init(&server->conns);
    return server;
}

enum err http_server_listen(struct http_server *server, const struct env_addr *addr,
                            struct env_addr *bound)
{
    if (server->listener_count == LISTENERS_MAX)
        return ERR_FULL;
    struct sock **slot = &server->listeners[server->listener_count];
    enum err e = sock_listen(server->loop, addr, server_accept, server, slot);
    if (e != ERR_OK)
        return e;
    server->listener_count++;
    if (bound != NULL)
        sock_local(*slot, bound);
    return ERR_OK;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    loop_timer_stop(server->loop, &server->timer);
    for (int i = 0; i < server->listener_count; i++)
        sock_close(server->listeners[i]);
    while (!list_is_empty(&server->conns))
        drop_oldest(server);
    mem_free(server);
}
