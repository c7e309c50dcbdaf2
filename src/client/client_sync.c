// SPDX-License-Identifier: Apache-2.0
/*
 * client_sync: a real loop that runs until one thing has happened. See client_sync.h.
 *
 * Thread: one.
 */
#include "client/client_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger_file.h"
#include "env/real_env.h"
#include "wire/api.h"

enum { HOST_BYTES_MAX = 256, ADDRESSES_MAX = 8, PORT_DEFAULT = 9092 };

struct sync_node {
    struct list link;
    struct client_sync *sync;
    int32_t id;
    char host[HOST_BYTES_MAX];
    uint16_t port;
    struct client_conn *conn; /* NULL: not connected */
    enum err closed_why;
};

struct client_sync {
    struct client_sync_options options;
    struct logger_file *logger;
    struct real_env *real;
    struct real_loop *loop;
    struct list nodes;
};

struct sync_call {
    struct client_call call;
    struct client_sync *sync;
    bool is_done;
    enum err error;
    struct client_result *result;
};

/* ---- connecting */

static void on_ready(void *arg)
{
    struct sync_node *node = arg;
    real_loop_stop(node->sync->loop);
}

static void on_closed(void *arg, enum err why)
{
    struct sync_node *node = arg;
    node->closed_why = why;
    real_loop_stop(node->sync->loop);
}

static void drop_conn(struct sync_node *node)
{
    struct client_conn *conn = node->conn;
    node->conn = NULL;
    client_conn_close(conn);
}

/* What happened with node `node`, for people. */
static enum err explain(const struct sync_node *node, enum err e, const char *doing,
                        struct strbuf *why)
{
    const char *text = e == ERR_CLOSED      ? "the connection was refused or broken"
                       : e == ERR_TIMEOUT   ? "no answer in time"
                       : e == ERR_CORRUPT   ? "what answers does not speak Kafka's protocol"
                       : e == ERR_TOO_LARGE ? "what answers does not speak Kafka's protocol"
                       : e == ERR_NOT_FOUND ? "no such host"
                       : e == ERR_UNSUPPORTED
                           ? "this broker does not take it, or not in a version that we have"
                           : err_text(e);
    strbuf_clear(why);
    strbuf_printf(why, "%s%s:%u: %s", doing, node->host, node->port, text);
    return e;
}

static enum err connect_to(struct sync_node *node, const struct env_addr *addr)
{
    struct client_sync *sync = node->sync;
    struct client_options options = {
        .loop = real_loop_loop(sync->loop),
        .addr = *addr,
        .client_id = sync->options.client_id,
        .version_text = sync->options.version_text,
        .timeout_ms = sync->options.timeout_ms,
        .events = {node, on_ready, on_closed},
    };
    node->closed_why = ERR_OK;
    enum err e = client_conn_new(&options, &node->conn);
    if (e != ERR_OK)
        return e;
    while (!client_conn_is_ready(node->conn) && node->closed_why == ERR_OK)
        real_loop_run(sync->loop);
    if (client_conn_is_ready(node->conn))
        return ERR_OK;
    drop_conn(node);
    return node->closed_why;
}

/* A name may stand for several addresses: the first that answers. */
static enum err connect_node(struct sync_node *node, struct strbuf *why)
{
    if (node->conn != NULL && client_conn_is_ready(node->conn))
        return ERR_OK;
    drop_conn(node);
    struct env_addr addresses[ADDRESSES_MAX];
    size_t count = ARRAY_COUNT(addresses);
    enum err e =
        env_resolve(real_env_env(node->sync->real), node->host, node->port, addresses, &count);
    if (e != ERR_OK)
        return explain(node, e, "", why);
    for (size_t i = 0; i < count; i++) {
        e = connect_to(node, &addresses[i]);
        if (e == ERR_OK)
            return ERR_OK;
    }
    return explain(node, e, "no broker at ", why);
}

/* ---- nodes */

static struct sync_node *find_node(struct client_sync *sync, int32_t id)
{
    LIST_FOR_EACH (link, &sync->nodes) {
        struct sync_node *node = container_of(link, struct sync_node, link);
        if (node->id == id)
            return node;
    }
    return NULL;
}

static struct sync_node *new_node(struct client_sync *sync, int32_t id, const char *host,
                                  size_t host_len)
{
    ASSERT(host_len < HOST_BYTES_MAX);
    struct sync_node *node = mem_alloc(sizeof(*node));
    node->sync = sync;
    node->id = id;
    memcpy(node->host, host, host_len);
    list_push_back(&sync->nodes, &node->link);
    return node;
}

static void free_node(struct sync_node *node)
{
    if (node == NULL)
        return;
    drop_conn(node);
    list_remove(&node->link);
    mem_free(node);
}

void client_sync_add_node(struct client_sync *sync, int32_t node, struct wire_str host,
                          int32_t port)
{
    if (find_node(sync, node) != NULL || node < 0)
        return;
    if (host.len <= 0 || host.len >= HOST_BYTES_MAX || port <= 0 || port > UINT16_MAX)
        return; /* asking it will say that nobody told of it */
    new_node(sync, node, host.data, (size_t)host.len)->port = (uint16_t)port;
}

/* One "host:port", "[v6]:port", "host". */
static struct sync_node *parse_address(struct client_sync *sync, const char *text, size_t len)
{
    size_t host_at = 0, host_len = len;
    unsigned long port = PORT_DEFAULT;
    const char *colon = memrchr(text, ':', len);
    const char *bracket = memrchr(text, ']', len);
    if (colon != NULL && (bracket == NULL || bracket < colon)) {
        char digits[8] = {0}, *end = NULL;
        size_t digit_count = len - (size_t)(colon + 1 - text);
        if (digit_count == 0 || digit_count >= sizeof(digits))
            return NULL;
        memcpy(digits, colon + 1, digit_count);
        port = strtoul(digits, &end, 10);
        if (*end != '\0' || digits[0] == '-' || port == 0 || port > UINT16_MAX)
            return NULL;
        host_len = (size_t)(colon - text);
    }
    if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
        host_at = 1;
        host_len -= 2;
    }
    if (host_len == 0 || host_len >= HOST_BYTES_MAX)
        return NULL;
    struct sync_node *node = new_node(sync, CLIENT_ANY_NODE, text + host_at, host_len);
    node->port = (uint16_t)port;
    return node;
}

/* Keeps the one that answers; all failures are told when none does. */
static enum err connect_bootstrap(struct client_sync *sync, const char *list, struct strbuf *why)
{
    struct strbuf one;
    strbuf_init(&one);
    enum err e = ERR_INVALID;
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ",");
        struct sync_node *node = parse_address(sync, at, len);
        if (node != NULL) {
            e = connect_node(node, &one);
        } else {
            strbuf_clear(&one);
            strbuf_printf(&one, "\"%.*s\" is not host:port", (int)MIN(len, (size_t)100), at);
            e = ERR_INVALID;
        }
        if (e == ERR_OK || e == ERR_INVALID) {
            strbuf_clear(why);
            strbuf_puts(why, strbuf_text(&one));
            break;
        }
        strbuf_printf(why, "%s%s", why->len > 0 ? "; " : "", strbuf_text(&one));
        free_node(node);
        at += len + (at[len] == ',');
    }
    if (*list == '\0')
        strbuf_puts(why, "the bootstrap address is empty");
    strbuf_deinit(&one);
    return e;
}

/* ---- life */

static enum err start_world(struct client_sync *sync)
{
    enum err e = logger_file_open(NULL, LOG_ERROR, &sync->logger);
    if (e != ERR_OK)
        return e;
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(sync->logger)};
    e = real_env_new(&options, &sync->real);
    return e == ERR_OK ? real_loop_new(sync->real, &sync->loop) : e;
}

enum err client_sync_open(const struct client_sync_options *options, struct strbuf *why,
                          struct client_sync **out)
{
    struct client_sync *sync = mem_alloc(sizeof(*sync));
    sync->options = *options;
    list_init(&sync->nodes);
    enum err e = start_world(sync);
    if (e == ERR_OK)
        e = connect_bootstrap(sync, options->bootstrap, why);
    else
        strbuf_puts(why, "threads or descriptors cannot be had");
    if (e == ERR_OK) {
        *out = sync;
        return ERR_OK;
    }
    client_sync_close(sync);
    return e;
}

void client_sync_close(struct client_sync *sync)
{
    if (sync == NULL)
        return;
    while (!list_is_empty(&sync->nodes))
        free_node(container_of(sync->nodes.next, struct sync_node, link));
    real_loop_free(sync->loop);
    real_env_free(sync->real);
    logger_file_close(sync->logger);
    mem_free(sync);
}

struct env *client_sync_env(struct client_sync *sync)
{
    return real_env_env(sync->real);
}

/* ---- asking */

static enum err reach(struct client_sync *sync, int32_t id, struct strbuf *why,
                      struct sync_node **out)
{
    struct sync_node *node = find_node(sync, id);
    if (node == NULL) {
        strbuf_clear(why);
        strbuf_printf(why, "no broker has told where node %d is", id);
        return ERR_NOT_FOUND;
    }
    enum err e = connect_node(node, why);
    if (e == ERR_OK)
        *out = node;
    return e;
}

enum err client_sync_version(struct client_sync *sync, int32_t node_id, int16_t api_key,
                             struct strbuf *why, int16_t *out)
{
    struct sync_node *node = NULL;
    enum err e = reach(sync, node_id, why, &node);
    if (e == ERR_OK)
        *out = client_conn_version(node->conn, api_key);
    return e;
}

/* The arena and the frame change hands; what points into them stays where it is. */
static void on_answer(struct client_call *call, enum err e, const struct client_answer *answer)
{
    struct sync_call *c = container_of(call, struct sync_call, call);
    c->is_done = true;
    c->error = e;
    if (e == ERR_OK) {
        *c->result = (struct client_result){answer->version, answer->body, *answer->arena,
                                            iobuf_ref(answer->frame)};
        answer->arena->chunks = NULL;
        answer->arena->used_bytes = 0;
    }
    real_loop_stop(c->sync->loop);
}

enum err client_sync_call(struct client_sync *sync, const struct client_request *request,
                          struct strbuf *why, struct client_result *out)
{
    struct sync_node *node = NULL;
    enum err e = reach(sync, request->node, why, &node);
    if (e != ERR_OK)
        return e;
    struct sync_call c = {.sync = sync, .result = out};
    c.call.done = on_answer;
    c.call.timeout_ms = request->timeout_ms;
    c.call.version_max = request->version_max;
    e = client_conn_call(node->conn, &c.call, request->api_key, request->body);
    if (e == ERR_OK) {
        while (!c.is_done)
            real_loop_run(sync->loop);
        e = c.error;
    }
    if (e == ERR_OK)
        return ERR_OK;
    char doing[64];
    const struct wire_api *api = wire_api_find(request->api_key);
    snprintf(doing, sizeof(doing), "%s of ", api != NULL ? api->name : "request");
    return explain(node, e, doing, why);
}

void client_result_deinit(struct client_result *result)
{
    arena_deinit(&result->arena);
    iobuf_unref(result->frame);
    *result = (struct client_result){0};
}

/* ---- waiting */

struct sync_wait {
    struct loop_timer timer;
    struct client_sync *sync;
    bool is_over;
};

static void on_over(struct loop_timer *timer)
{
    struct sync_wait *wait = container_of(timer, struct sync_wait, timer);
    wait->is_over = true;
    real_loop_stop(wait->sync->loop);
}

void client_sync_wait(struct client_sync *sync, int64_t ms)
{
    struct sync_wait wait = {.timer.fire = on_over, .sync = sync};
    loop_timer_start(real_loop_loop(sync->loop), &wait.timer,
                     env_mono_ns(client_sync_env(sync)) + ms * 1000000);
    while (!wait.is_over)
        real_loop_run(sync->loop);
}
