// SPDX-License-Identifier: Apache-2.0
/*
 * client_conn: a connection's life, its calls, and what it sends.
 *
 * A call is written to the socket at once when there is room. What fails within the caller's call
 * is told from a task, so that no callback runs inside client_conn_call.
 *
 * A callback may close the connection: every function that calls one holds a reference and looks
 * at the state afterwards.
 *
 * Thread: the connection's loop.
 */
#include "client/client_conn.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/state.h"
#include "client/client_private.h"
#include "wire/codec.h"
#include "wire/message_header.h"

enum { TIMEOUT_MS_DEFAULT = 30000, OUTPUT_KEPT_BYTES = 64 * 1024 };

static const char *const state_names[] = {"connecting", "asking", "ready", "closed"};

static const uint32_t state_edges[] = {
    [CLIENT_CONNECTING] = STATE_EDGE(CLIENT_ASKING) | STATE_EDGE(CLIENT_CLOSED),
    [CLIENT_ASKING] = STATE_EDGE(CLIENT_READY) | STATE_EDGE(CLIENT_CLOSED),
    [CLIENT_READY] = STATE_EDGE(CLIENT_CLOSED),
    [CLIENT_CLOSED] = 0,
};

static const struct state_table states = {"client connection", state_names, state_edges,
                                          CLIENT_STATE_COUNT};

static void on_connected(void *arg, unsigned events);
static void on_ready(void *arg, unsigned events);
static void on_call_timeout(struct loop_timer *timer);
static void on_failure(struct loop_task *task);

void client_conn_check(const struct client_conn *conn)
{
    ASSERT(conn->refs > 0);
    ASSERT((conn->sock == NULL) == (conn->state == CLIENT_CLOSED));
    ASSERT(conn->out.sent <= conn->out.len && conn->out.len <= conn->out.capacity);
    ASSERT(conn->state != CLIENT_CLOSED || conn->out.len == 0);
    ASSERT(conn->in.frame == NULL || conn->in.frame_used < conn->in.frame->size);
    ASSERT(conn->in.head_used <= CLIENT_FRAME_HEAD_BYTES);
}

/* ---- life */

enum err client_conn_new(const struct client_options *options, struct client_conn **out)
{
    ASSERT(options->events.ready != NULL && options->events.closed != NULL);
    ASSERT(options->client_id != NULL && options->version_text != NULL);
    struct client_conn *conn = mem_alloc(sizeof(*conn));
    conn->options = *options;
    conn->refs = 1;
    conn->failure.run = on_failure;
    list_init(&conn->calls);
    if (conn->options.timeout_ms == 0)
        conn->options.timeout_ms = TIMEOUT_MS_DEFAULT;
    if (conn->options.response_bytes_max == 0)
        conn->options.response_bytes_max = LIMIT_CLIENT_RESPONSE_BYTES;
    if (conn->options.request_bytes_max == 0)
        conn->options.request_bytes_max = LIMIT_CLIENT_REQUEST_BYTES;
    enum err e = sock_connect(options->loop, &options->addr, on_connected, conn, &conn->sock);
    if (e != ERR_OK) {
        mem_free(conn);
        return e;
    }
    /* The handshake's clock covers connecting too: its call is made as soon as that is done. */
    conn->handshake.conn = conn;
    conn->handshake.timer.fire = on_call_timeout;
    loop_timer_start(options->loop, &conn->handshake.timer,
                     env_mono_ns(loop_env(options->loop)) + conn->options.timeout_ms * 1000000);
    client_conn_check(conn);
    *out = conn;
    return ERR_OK;
}

void client_conn_ref(struct client_conn *conn)
{
    ASSERT(conn->refs > 0);
    conn->refs++;
}

void client_conn_unref(struct client_conn *conn)
{
    client_conn_check(conn);
    if (--conn->refs > 0)
        return;
    ASSERT(conn->is_disowned && conn->sock == NULL);
    ASSERT(list_is_empty(&conn->calls));
    mem_free(conn->versions);
    mem_free(conn);
}

static void finish_call(struct client_conn *conn, struct client_call *call, enum err e)
{
    loop_timer_stop(conn->options.loop, &call->timer);
    if (call != &conn->handshake)
        call->done(call, e, NULL);
}

/* The first call is done with `why`, which may be its own timeout; those behind it with ERR_CLOSED:
 * whether the broker did what they asked is not known. */
static void fail_calls(struct client_conn *conn, enum err why)
{
    struct list calls;
    list_init(&calls);
    list_splice_back(&calls, &conn->calls);
    for (struct list *node; (node = list_pop_front(&calls)) != NULL; why = ERR_CLOSED)
        finish_call(conn, container_of(node, struct client_call, link), why);
}

void client_conn_end(struct client_conn *conn, enum err why)
{
    if (conn->state == CLIENT_CLOSED)
        return;
    client_conn_ref(conn);
    state_move(&states, &conn->state, CLIENT_CLOSED);
    sock_close(conn->sock);
    conn->sock = NULL;
    loop_timer_stop(conn->options.loop, &conn->handshake.timer);
    mem_free(conn->out.data);
    conn->out = (struct client_output){0};
    client_input_deinit(&conn->in);
    fail_calls(conn, why);
    if (!conn->is_disowned)
        conn->options.events.closed(conn->options.events.arg, why);
    client_conn_unref(conn);
}

void client_conn_close(struct client_conn *conn)
{
    if (conn == NULL)
        return;
    ASSERT(!conn->is_disowned);
    conn->is_disowned = true;
    client_conn_end(conn, ERR_CLOSED);
    client_conn_unref(conn);
}

bool client_conn_is_ready(const struct client_conn *conn)
{
    return conn->state == CLIENT_READY;
}

size_t client_conn_in_flight(const struct client_conn *conn)
{
    size_t count = 0;
    LIST_FOR_EACH (node, &conn->calls)
        count++;
    return count;
}

void client_conn_become_ready(struct client_conn *conn)
{
    ASSERT(conn->versions != NULL);
    state_move(&states, &conn->state, CLIENT_READY);
    loop_timer_stop(conn->options.loop, &conn->handshake.timer);
    conn->options.events.ready(conn->options.events.arg);
}

/* ---- failing later */

static void on_failure(struct loop_task *task)
{
    struct client_conn *conn = container_of(task, struct client_conn, failure);
    client_conn_end(conn, conn->failure_error);
    client_conn_unref(conn);
}

static void fail_later(struct client_conn *conn, enum err why)
{
    if (conn->is_failing)
        return;
    conn->is_failing = true;
    conn->failure_error = why;
    client_conn_ref(conn);
    loop_post(conn->options.loop, &conn->failure);
}

/* Answers come in order: one that is late holds up all the others, so all of them end. */
static void on_call_timeout(struct loop_timer *timer)
{
    struct client_call *late = container_of(timer, struct client_call, timer);
    struct client_conn *conn = late->conn;
    client_conn_ref(conn);
    if (late != &conn->handshake) {
        list_remove(&late->link);
        list_push_front(&conn->calls, &late->link); /* the one that is told of the time-out */
    }
    client_conn_end(conn, ERR_TIMEOUT);
    client_conn_unref(conn);
}

/* ---- sending */

static void want(struct client_conn *conn)
{
    bool has_more = conn->out.sent < conn->out.len;
    sock_want(conn->sock, SOCK_READABLE | (has_more ? SOCK_WRITABLE : 0));
}

/* Sends what fits. ERR_CLOSED and the like: the connection is broken. */
static enum err transmit(struct client_conn *conn)
{
    struct client_output *out = &conn->out;
    size_t sent = 0;
    struct sock_part part = {.data = out->data + out->sent, .len = out->len - out->sent};
    enum err e = part.len > 0 ? sock_send(conn->sock, &part, 1, &sent) : ERR_OK;
    if (e != ERR_OK && e != ERR_AGAIN)
        return e;
    out->sent += e == ERR_OK ? sent : 0;
    if (out->sent == out->len) {
        out->sent = out->len = 0;
        if (out->capacity > OUTPUT_KEPT_BYTES) {
            mem_free(out->data);
            *out = (struct client_output){0};
        }
    }
    want(conn);
    return ERR_OK;
}

static enum err output_add(struct client_output *out, const uint8_t *data, size_t len)
{
    if (len > out->capacity - out->len) {
        size_t capacity = MAX(out->capacity * 2, out->len + len);
        uint8_t *grown = mem_try_realloc(out->data, capacity);
        if (grown == NULL)
            return ERR_NO_MEMORY;
        out->data = grown;
        out->capacity = capacity;
    }
    memcpy(out->data + out->len, data, len);
    out->len += len;
    return ERR_OK;
}

static enum err encode(struct client_conn *conn, const struct wire_api *api,
                       const struct request_header *header, const void *request)
{
    struct wire_writer w;
    wire_writer_init(&w, conn->options.request_bytes_max);
    struct wire_mark mark = wire_request_begin(&w, api, header);
    enum err e = wire_encode(api->request, header->request_api_version, &w, request);
    if (e == ERR_OK) {
        wire_write_size_end(&w, mark);
        e = w.error;
    }
    ASSERT(w.hole_count == 0); /* records of a request are bytes, not references */
    if (e == ERR_OK)
        e = output_add(&conn->out, w.data, w.size);
    wire_writer_deinit(&w);
    return e;
}

enum err client_conn_send(struct client_conn *conn, struct client_call *call, int16_t version,
                          const void *request)
{
    const struct wire_api *api = call->api;
    struct request_header header = {
        .request_api_key = api->key,
        .request_api_version = version,
        .correlation_id = conn->next_correlation_id,
        .client_id = wire_str_of(conn->options.client_id),
    };
    enum err e = encode(conn, api, &header, request);
    if (e != ERR_OK)
        return e;
    conn->next_correlation_id =
        conn->next_correlation_id == INT32_MAX ? 0 : conn->next_correlation_id + 1;
    call->conn = conn;
    call->version = version;
    call->correlation_id = header.correlation_id;
    list_push_back(&conn->calls, &call->link);
    e = transmit(conn);
    if (e != ERR_OK)
        fail_later(conn, e);
    client_conn_check(conn);
    return ERR_OK;
}

enum err client_conn_call(struct client_conn *conn, struct client_call *call, int16_t api_key,
                          const void *request)
{
    client_conn_check(conn);
    ASSERT(call->done != NULL);
    if (conn->state != CLIENT_READY || conn->is_failing)
        return ERR_CLOSED;
    int16_t version = client_conn_version(conn, api_key);
    if (version < 0)
        return ERR_UNSUPPORTED;
    ASSERT(call->version_max >= 0);
    if (call->version_max > 0)
        version = MIN(version, call->version_max);
    call->api = wire_api_find(api_key);
    enum err e = client_conn_send(conn, call, version, request);
    if (e != ERR_OK)
        return e;
    int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : conn->options.timeout_ms;
    call->timer = (struct loop_timer){.fire = on_call_timeout};
    loop_timer_start(conn->options.loop, &call->timer,
                     env_mono_ns(loop_env(conn->options.loop)) + timeout_ms * 1000000);
    return ERR_OK;
}

/* ---- events */

static void on_connected(void *arg, unsigned events)
{
    struct client_conn *conn = arg;
    ASSERT(conn->state == CLIENT_CONNECTING);
    enum err e = sock_connect_result(conn->sock);
    if (e != ERR_OK) {
        client_conn_end(conn, e);
        return;
    }
    state_move(&states, &conn->state, CLIENT_ASKING);
    conn->sock->ready = on_ready;
    want(conn);
    client_versions_ask(conn);
}

static void on_ready(void *arg, unsigned events)
{
    struct client_conn *conn = arg;
    client_conn_ref(conn);
    if ((events & SOCK_READABLE) == 0 || client_input_receive(conn)) {
        enum err e = (events & SOCK_WRITABLE) != 0 ? transmit(conn) : ERR_OK;
        if (e != ERR_OK)
            client_conn_end(conn, e);
    }
    client_conn_unref(conn);
}
