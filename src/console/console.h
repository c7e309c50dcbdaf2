// SPDX-License-Identifier: Apache-2.0
/*
 * console: the admin listener: /healthz (the process runs), /readyz (clients are served),
 * /metrics (Prometheus text); with a clock that can be moved, POST /clock/advance?ms=N.
 *
 * Thread: the loop given to console_start.
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "base/err.h"
#include "base/strbuf.h"
#include "env/env.h"

struct broker;
struct console;
struct server_endpoint;

struct console_options {
    struct env *env;
    struct loop *loop;
    const struct server_endpoint *at; /* borrowed until console_start returns */
    struct broker *broker;            /* outlives the console; may still be starting */

    /* Moves the env's clocks ahead, for tests; an error: not so far. NULL: they are the machine's.
     */
    enum err (*skip_ms)(void *arg, int64_t ms);
    void *skip_arg;
};

/* Listens. On an error *why has one clear line. The log tells the address (port 0: a free one). */
enum err console_start(const struct console_options *options, struct strbuf *why,
                       struct console **out) MUST_USE;

/* Where it is bound: the first address. */
void console_address(const struct console *console, struct env_addr *out);

/* Closes its connections and listeners; `stopped` is posted to the loop. Once. */
void console_stop(struct console *console, void (*stopped)(void *arg), void *arg);

/* After it has stopped. Accepts NULL. */
void console_free(struct console *console);

#endif
