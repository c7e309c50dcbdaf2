// SPDX-License-Identifier: Apache-2.0
/*
 * real_env: the env of a real process: kernel files, disk workers, epoll loops.
 *
 * Paths are the process's own (relative ones to its working directory).
 *
 * Thread: each function says so.
 */
#ifndef ENV_REAL_ENV_H
#define ENV_REAL_ENV_H

#include "env/env.h"

struct real_env;
struct real_loop;

struct real_env_options {
    unsigned workers;      /* threads for jobs, at least 1; with 2 and more, one never runs
                            * background jobs */
    struct logger *logger; /* outlives the env */
    bool in_memory;        /* files and directories are in this process's memory; an empty root */
};

/* Starts the workers; ignores SIGPIPE in this process, and lets it have as many descriptors as
 * its hard limit allows. ERR_FULL: no threads. */
enum err real_env_new(const struct real_env_options *options, struct real_env **out) MUST_USE;

struct env *real_env_env(struct real_env *real);

/* Both clocks of the env jump ahead, and what falls due by that runs: a test's week in a moment.
 * ERR_TOO_LARGE: that would be more than LIMIT_CLOCK_ADVANCE_DAYS in all. Thread: any. */
enum err real_env_skip_ms(struct real_env *real, int64_t ms) MUST_USE;

/* Runs what is submitted to its end and joins the workers. Accepts NULL. */
void real_env_free(struct real_env *real);

/* ---- loops. A loop that does not run belongs to whoever holds it: its functions may be called
 * from any one thread then. */

enum err real_loop_new(struct real_env *real, struct real_loop **out) MUST_USE;
struct loop *real_loop_loop(struct real_loop *loop);

/* Runs until real_loop_stop; what was posted before that has run when it returns. */
void real_loop_run(struct real_loop *loop);

/* Thread: any, also from within the loop. */
void real_loop_stop(struct real_loop *loop);

/* Runs the loop on a thread of its own; `name` has at most 15 characters. ERR_FULL. */
enum err real_loop_start(struct real_loop *loop, const char *name) MUST_USE;
/* Waits until it has ended: call real_loop_stop before. Harmless when not started. */
void real_loop_join(struct real_loop *loop);

/* `fn` is called on the loop for each signal `signo` (SIGTERM, SIGINT, SIGHUP). Blocks the
 * signal in the calling thread: call it before other threads are started by anything but env.
 * Once per signal and process. */
enum err real_loop_on_signal(struct real_loop *loop, int signo, void (*fn)(void *arg), void *arg)
    MUST_USE;

/* `fn` is called once on the loop when the other end of standard input is closed; what comes
 * before is read and dropped. ERR_UNSUPPORTED: it is no pipe, socket or terminal. */
enum err real_loop_on_stdin_end(struct real_loop *loop, void (*fn)(void *arg), void *arg) MUST_USE;

/* Not while it runs. Its sockets are closed, its timers forgotten. Accepts NULL. */
void real_loop_free(struct real_loop *loop);

#endif
