// SPDX-License-Identifier: Apache-2.0
/* console: the pages of the admin listener. See console.h. Thread: its loop. */
#include "console/console.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "console/metrics.h"
#include "env/logger.h"
#include "http/http.h"

struct console {
    struct env *env;
    struct loop *loop;
    struct broker *broker;
    enum err (*skip_ms)(void *arg, int64_t ms);
    void *skip_arg;
    struct http_server *server;
    struct env_addr bound;
    struct loop_task stop_task;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static void answer_ready(struct console *console, struct http_answer *answer)
{
    bool is_ready = broker_is_ready(console->broker);
    answer->status = is_ready ? 200 : 503;
    strbuf_puts(&answer->body, is_ready ? "ready\n" : "not ready\n");
}

/* "ms=604800000" -> 604800000; -1: something else. */
static int64_t parse_ms(const char *query)
{
    static const char name[] = "ms=";
    const char *digits = query + sizeof(name) - 1;
    char *end = NULL;
    if (strncmp(query, name, sizeof(name) - 1) != 0 || digits[0] < '0' || digits[0] > '9')
        return -1;
    long long ms = strtoll(digits, &end, 10);
    return *end == '\0' ? ms : -1;
}

/* "topic=t" -> "t", since no name of a topic needs an escape; NULL: all. */
static const char *parse_topic(const char *query)
{
    static const char name[] = "topic=";
    return strncmp(query, name, sizeof(name) - 1) == 0 ? query + sizeof(name) - 1 : NULL;
}

static void answer_advance(struct console *console, const struct http_request *request,
                           struct http_answer *answer)
{
    int64_t ms = parse_ms(request->query);
    if (!request->is_post) {
        answer->status = 405;
        strbuf_puts(&answer->body, "only POST\n");
    } else if (ms < 0 || console->skip_ms(console->skip_arg, ms) != ERR_OK) {
        answer->status = 400;
        strbuf_printf(&answer->body, "/clock/advance?ms=N; no more than %d days in all\n",
                      LIMIT_CLOCK_ADVANCE_DAYS);
    } else {
        log_info(console->env, "the clock was moved ahead by %lld ms", (long long)ms);
        strbuf_printf(&answer->body, "%lld\n", (long long)env_wall_ms(console->env));
    }
}

static void console_page(void *arg, const struct http_request *request, struct http_answer *answer)
{
    struct console *console = arg;
    if (console->skip_ms != NULL && strcmp(request->path, "/clock/advance") == 0) {
        answer_advance(console, request, answer);
    } else if (!request->is_get) {
        answer->status = 405;
        strbuf_puts(&answer->body, "only GET and HEAD\n");
    } else if (strcmp(request->path, "/healthz") == 0) {
        strbuf_puts(&answer->body, "ok\n");
    } else if (strcmp(request->path, "/readyz") == 0) {
        answer_ready(console, answer);
    } else if (strcmp(request->path, "/metrics") == 0) {
        answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_write(console->env, console->broker, parse_topic(request->query), &answer->body);
    } else {
        answer->status = 404;
        strbuf_puts(&answer->body, "here are /healthz, /readyz and /metrics\n");
    }
}

static enum err console_listen(struct console *console, const struct server_endpoint *at,
                               struct strbuf *why)
{
    struct env_addr addrs[8];
    size_t count = ARRAY_COUNT(addrs);
    enum err e = env_resolve(console->env, at->host, at->port, addrs, &count);
    if (e != ERR_OK) {
        strbuf_printf(why, "klamm.admin.listener: the host %s is not known", at->host);
        return e;
    }
    for (size_t i = 0; i < count; i++) {
        char text[ENV_ADDR_TEXT_SIZE];
        if (i > 0)
            addrs[i].port = console->bound.port;
        e = http_server_listen(console->server, &addrs[i], i == 0 ? &console->bound : NULL);
        if (e != ERR_OK) {
            strbuf_printf(why, "klamm.admin.listener cannot listen on %s: %s",
                          env_addr_text(&addrs[i], text),
                          e == ERR_BUSY ? "another process has this port" : err_text(e));
            return e;
        }
    }
    return ERR_OK;
}

enum err console_start(const struct console_options *options, struct strbuf *why,
                       struct console **out)
{
    struct console *console = mem_alloc(sizeof(*console));
    console->env = options->env;
    console->loop = options->loop;
    console->broker = options->broker;
    console->skip_ms = options->skip_ms;
    console->skip_arg = options->skip_arg;
    console->server = http_server_new(options->loop, console_page, console);
    enum err e = console_listen(console, options->at, why);
    if (e != ERR_OK) {
        console_free(console);
        return e;
    }
    char text[ENV_ADDR_TEXT_SIZE];
    log_info(console->env, "health and metrics on http://%s", env_addr_text(&console->bound, text));
    *out = console;
    return ERR_OK;
}

void console_address(const struct console *console, struct env_addr *out)
{
    *out = console->bound;
}

static void console_stopped(struct loop_task *task)
{
    struct console *console = container_of(task, struct console, stop_task);
    console->stopped(console->stopped_arg);
}

void console_stop(struct console *console, void (*stopped)(void *arg), void *arg)
{
    http_server_free(console->server);
    console->server = NULL;
    console->stopped = stopped;
    console->stopped_arg = arg;
    console->stop_task = (struct loop_task){.run = console_stopped};
    loop_post(console->loop, &console->stop_task);
}

void console_free(struct console *console)
{
    if (console == NULL)
        return;
    http_server_free(console->server);
    mem_free(console);
}
