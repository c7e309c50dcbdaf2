// SPDX-License-Identifier: Apache-2.0
/* connection: frames, answers and versions of a simulated client; see connection.h. Thread: one. */
#include "connection.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "wire/api_versions.h"
#include "wire/message_header.h"

enum {
    API_VERSIONS = 18,
    ANSWER_ARENA_BYTES = 64 << 20,
    REQUEST_BYTES_MAX = 64 << 20,
    ANSWER_BYTES_MAX = 128 << 20,
    TIMEOUT_MS = 10000,
};

static void on_timeout(struct loop_timer *timer);

void connection_init(struct connection *c, struct sim_env *env,
                     const struct connection_events *events)
{
    *c = (struct connection){.env = env, .events = *events, .timeout_ns = TIMEOUT_MS * SIM_MS};
    c->timeout.fire = on_timeout;
    list_init(&c->calls);
}

static struct loop *loop_of(const struct connection *c)
{
    return sim_env_loop(c->env, 0);
}

/* ---- closing */

static void drop(struct connection *c)
{
    sock_close(c->sock);
    c->sock = NULL;
    c->is_ready = false;
    c->out_len = 0;
    c->in_len = 0;
    loop_timer_stop(loop_of(c), &c->timeout);
    struct list calls;
    list_init(&calls);
    list_splice_back(&calls, &c->calls);
    for (struct list *node; (node = list_pop_front(&calls)) != NULL;) {
        struct call *call = container_of(node, struct call, link);
        call->done(call, ERR_CLOSED, NULL);
    }
}

void connection_close(struct connection *c)
{
    if (c->sock != NULL)
        drop(c);
}

static void lost(struct connection *c)
{
    drop(c);
    c->events.closed(c->events.arg);
}

static void on_timeout(struct loop_timer *timer)
{
    lost(container_of(timer, struct connection, timeout));
}

static void garbage(struct connection *c, const char *what)
{
    if (c->on_garbage != NULL)
        c->on_garbage(c->on_garbage_arg, what);
    lost(c);
}

/* ---- sending */

static void want(struct connection *c)
{
    sock_want(c->sock, SOCK_READABLE | (c->out_len > 0 ? SOCK_WRITABLE : 0));
}

static void out_add(struct connection *c, const uint8_t *data, size_t len)
{
    if (c->out_len + len > c->out_capacity) {
        c->out_capacity = MAX(c->out_capacity * 2, c->out_len + len);
        c->out = mem_realloc(c->out, c->out_capacity);
    }
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
}

static void watch_timeout(struct connection *c)
{
    if (list_is_empty(&c->calls)) {
        loop_timer_stop(loop_of(c), &c->timeout);
        return;
    }
    struct call *oldest = container_of(c->calls.next, struct call, link);
    loop_timer_start(loop_of(c), &c->timeout, oldest->sent_ns + c->timeout_ns);
}

static void send_call(struct connection *c, struct call *call, const void *request)
{
    const struct wire_api *api = wire_api_find(call->api_key);
    ASSERT(api != NULL);
    struct request_header header = {
        .request_api_key = call->api_key,
        .request_api_version = call->version,
        .correlation_id = c->next_correlation_id++,
        .client_id = wire_str_of("sim"),
    };
    struct wire_writer w;
    wire_writer_init(&w, REQUEST_BYTES_MAX);
    struct wire_mark mark = wire_request_begin(&w, api, &header);
    enum err e = wire_encode(api->request, call->version, &w, request);
    ASSERT(e == ERR_OK);
    wire_write_size_end(&w, mark);
    ASSERT(w.error == ERR_OK && w.hole_count == 0);
    out_add(c, w.data, w.size);
    wire_writer_deinit(&w);
    call->correlation_id = header.correlation_id;
    call->sent_ns = env_mono_ns(&c->env->env);
    if (!call->has_no_answer) {
        list_push_back(&c->calls, &call->link);
        watch_timeout(c);
    }
    want(c);
}

void connection_call(struct connection *c, struct call *call, const void *request)
{
    ASSERT(c->is_ready);
    call->version = connection_version(c, call->api_key);
    ASSERT(call->version >= 0);
    send_call(c, call, request);
}

size_t connection_in_flight(const struct connection *c)
{
    size_t count = 0;
    LIST_FOR_EACH (node, &c->calls)
        count++;
    return count;
}

/* ---- versions */

int16_t connection_version(const struct connection *c, int16_t api_key)
{
    ASSERT(api_key >= 0 && api_key < CALL_API_COUNT);
    return c->versions[api_key];
}

void connection_limit_version(struct connection *c, int16_t api_key, int16_t min, int16_t max)
{
    int16_t version = connection_version(c, api_key);
    if (version >= 0)
        c->versions[api_key] = MIN(MAX(version, min), max);
}

static void choose_versions(struct connection *c, const struct api_versions_response *response)
{
    bool is_newest = sim_percent(c->env->sim, 50);
    for (int i = 0; i < CALL_API_COUNT; i++)
        c->versions[i] = -1;
    for (int32_t i = 0; i < response->api_keys.count; i++) {
        const struct api_versions_response_api_version *served = &response->api_keys.items[i];
        const struct wire_api *api = wire_api_find(served->api_key);
        if (api == NULL || served->api_key >= CALL_API_COUNT)
            continue;
        int16_t low = MAX(served->min_version, api->request->version_min);
        int16_t high = MIN(served->max_version, wire_api_version_max_stable(api));
        if (low > high)
            continue;
        c->versions[served->api_key] = is_newest ? high : (int16_t)sim_draw(c->env->sim, low, high);
    }
}

static void on_versions(struct call *call, enum err e, const void *response)
{
    struct connection *c = container_of(call, struct connection, handshake);
    if (e != ERR_OK)
        return; /* `closed` tells */
    const struct api_versions_response *versions = response;
    if (versions->error_code != 0) {
        garbage(c, "ApiVersions failed");
        return;
    }
    choose_versions(c, versions);
    c->is_ready = true;
    c->events.ready(c->events.arg);
}

static void ask_versions(struct connection *c)
{
    const struct wire_api *api = wire_api_find(API_VERSIONS);
    struct api_versions_request request;
    wire_defaults(api->request->body, &request);
    request.client_software_name = wire_str_of("klamm-sim");
    request.client_software_version = wire_str_of("1");
    c->handshake = (struct call){.api_key = API_VERSIONS, .done = on_versions};
    c->handshake.version = (int16_t)sim_draw(c->env->sim, 0, 3);
    send_call(c, &c->handshake, &request);
}

/* ---- receiving */

/* One frame. False: the connection is not what it was any more. */
static bool take_frame(struct connection *c, const uint8_t *frame, size_t len)
{
    struct wire_reader r = wire_reader_of(frame, len);
    if (list_is_empty(&c->calls)) {
        garbage(c, "an answer that nobody asked for");
        return false;
    }
    struct call *call = container_of(list_pop_front(&c->calls), struct call, link);
    const struct wire_api *api = wire_api_find(call->api_key);
    int32_t correlation_id = 0;
    enum err e = wire_response_header_read(&r, api, call->version, &correlation_id);
    struct arena arena;
    arena_init(&arena, ANSWER_ARENA_BYTES);
    void *body = arena_alloc(&arena, api->response->body->size);
    if (e == ERR_OK && correlation_id == call->correlation_id)
        e = wire_decode(api->response, call->version, &r, &arena, body);
    else
        e = ERR_CORRUPT;
    if (e != ERR_OK) {
        char what[100];
        snprintf(what, sizeof(what), "%s version %d: the answer cannot be read (%s)", api->name,
                 call->version, err_name(e));
        list_push_front(&c->calls, &call->link);
        arena_deinit(&arena);
        garbage(c, what);
        return false;
    }
    watch_timeout(c);
    struct sock *before = c->sock;
    call->done(call, ERR_OK, body);
    arena_deinit(&arena);
    return c->sock == before;
}

static bool take_frames(struct connection *c)
{
    while (c->in_len >= 4) {
        size_t len = bytes_load_u32(c->in);
        if (len > ANSWER_BYTES_MAX) {
            garbage(c, "an answer of absurd length");
            return false;
        }
        if (c->in_len < 4 + len)
            return true;
        uint8_t *frame = mem_alloc(len + 1);
        memcpy(frame, c->in + 4, len);
        c->in_len -= 4 + len;
        memmove(c->in, c->in + 4 + len, c->in_len);
        bool goes_on = take_frame(c, frame, len);
        mem_free(frame);
        if (!goes_on)
            return false;
    }
    return true;
}

/* False: closed. */
static bool receive(struct connection *c)
{
    enum { CHUNK = 65536 };
    if (c->in_capacity - c->in_len < CHUNK) {
        c->in_capacity = c->in_len + 2 * CHUNK;
        c->in = mem_realloc(c->in, c->in_capacity);
    }
    size_t got = 0;
    enum err e = sock_recv(c->sock, c->in + c->in_len, CHUNK, &got);
    if (e == ERR_AGAIN)
        return true;
    if (e != ERR_OK) {
        lost(c);
        return false;
    }
    c->in_len += got;
    return take_frames(c);
}

static void transmit(struct connection *c)
{
    size_t sent = 0;
    struct sock_part part = {.data = c->out, .len = c->out_len};
    enum err e = sock_send(c->sock, &part, 1, &sent);
    if (e == ERR_CLOSED) {
        lost(c);
        return;
    }
    if (e == ERR_OK) {
        c->out_len -= sent;
        memmove(c->out, c->out + sent, c->out_len);
    }
    want(c);
}

static void on_ready(void *arg, unsigned events)
{
    struct connection *c = arg;
    if ((events & SOCK_READABLE) != 0 && !receive(c))
        return;
    if (c->sock != NULL && (events & SOCK_WRITABLE) != 0 && c->out_len > 0)
        transmit(c);
}

static void on_connected(void *arg, unsigned events)
{
    struct connection *c = arg;
    if (sock_connect_result(c->sock) != ERR_OK) {
        lost(c);
        return;
    }
    c->sock->ready = on_ready;
    ask_versions(c);
}

void connection_open(struct connection *c, const struct env_addr *to)
{
    ASSERT(c->sock == NULL && list_is_empty(&c->calls));
    enum err e = sock_connect(loop_of(c), to, on_connected, c, &c->sock);
    ASSERT(e == ERR_OK);
}
