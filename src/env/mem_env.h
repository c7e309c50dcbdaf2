// SPDX-License-Identifier: Apache-2.0
/*
 * mem_env: an env for unit tests. Files are in memory, the clock stands still
 * until the test moves it, the nth I/O call fails when the test says so, and
 * sockets are pairs of queues of which the test may hold one end.
 *
 *     struct mem_env m;
 *     mem_env_init(&m);
 *     m.fail_at = 3;                   // the third I/O call from here fails
 *     ...                              // use &m.env
 *     mem_env_run_until_idle(&m);      // jobs, tasks, due timers, socket events
 *     mem_env_advance_ms(&m, 500);     // timers on the way fire at their time
 *     mem_env_deinit(&m);              // ASSERTs that no file or socket is open
 *
 * Thread: one (the test's).
 */
#ifndef ENV_MEM_ENV_H
#define ENV_MEM_ENV_H

#include "base/prng.h"
#include "env/env.h"
#include "env/logger.h"

enum { MEM_LOOPS_MAX = 4 };

struct mem_loop;

struct mem_env {
    struct env env;

    /* For the test to set. */
    int fail_at;         /* the nth file or directory call from now on fails, once; 0: none */
    int fail_more;       /* so many behind it fail, too */
    enum err fail_with;  /* with this: ERR_IO unless the test sets another */
    int sock_fail_at;    /* the nth sock_recv or sock_send from now on answers ERR_CLOSED */
    bool is_cold;        /* ENV_NOWAIT reads answer ERR_AGAIN, nothing is cached or sent */
    bool is_inline;      /* env_submit runs the job at once */
    bool is_leaky;       /* mem_env_deinit closes what is open instead of complaining */
    int64_t space_bytes; /* what the files may hold together: then ERR_NO_SPACE */

    /* For the test to look at. */
    int io_calls; /* file and directory calls so far */
    int opens;    /* of files, so far */
    int64_t read_bytes;
    int open_fds;
    int open_socks;
    int writes;
    int syncs;
    int dir_syncs;
    int log_lines[LOG_DEBUG + 1]; /* by level */
    char last_line[256];          /* of the log, cut */

    /* Its own. */
    struct logger logger;
    int64_t now_ns;
    int64_t wall_offset_ms;
    struct prng prng;
    struct list nodes; /* files and directories that have a name */
    struct list socks;
    struct list *sock_cursor;
    struct list jobs[ENV_QUEUE_COUNT];
    struct mem_loop *loops[MEM_LOOPS_MAX];
    struct mem_loop *running;
    uint16_t next_port;
    int64_t used_bytes;
};

void mem_env_init(struct mem_env *m);
void mem_env_deinit(struct mem_env *m);

/* Loop 0, 1, ...: made when first asked for. */
struct loop *mem_env_loop(struct mem_env *m, int index);

/* Runs the jobs that are submitted until none is left; returns how many steps ran. */
int mem_env_run_jobs(struct mem_env *m);

/* One job's next step; false when there is none. */
bool mem_env_run_one_job_step(struct mem_env *m);

/* What the loops have to do now: tasks, due timers, sockets, until nothing is left; no jobs. */
void mem_env_run_loops(struct mem_env *m);

/* Both, until nothing is left. */
void mem_env_run_until_idle(struct mem_env *m);

/* Moves the clock, stopping at every timer on the way; runs until idle at each stop. */
void mem_env_advance_ms(struct mem_env *m, int64_t ms);

/* The calendar jumps; monotonic time does not. */
void mem_env_jump_wall_ms(struct mem_env *m, int64_t ms);

/* The bytes of a file, or NULL; valid until the next call. For looking and for damaging. */
uint8_t *mem_env_file_bytes(struct mem_env *m, const char *path, size_t *size);

/* Writes a file anew, through the env: the directory has to be there, and it counts as I/O. */
void mem_env_put_file(struct mem_env *m, const char *path, const void *data, size_t size);

/* ---- sockets: the test's end is an ordinary struct sock that is attached to no loop; use
 * sock_send, sock_recv and sock_close on it. */

/* Connects to a listener on this port, from this address (NULL: 127.0.0.1). NULL: nobody
 * listens there. */
struct sock *mem_env_connect(struct mem_env *m, uint16_t port, const char *from_ip);

/* Says all of it, whatever the room; into the void when the other end is closed. */
void mem_sock_say(struct sock *sock, const void *data, size_t len);

/* How many bytes may lie unread at this end before the other's sends answer ERR_AGAIN. */
void mem_sock_set_room(struct sock *sock, size_t bytes);

/* The other end gets at most so many bytes with one sock_recv. */
void mem_sock_set_chunk(struct sock *sock, size_t bytes);

/* Sends no more, still reads: the other end's sock_recv answers ERR_CLOSED behind the last byte. */
void mem_sock_finish(struct sock *sock);

/* Bytes that wait to be received at this end. */
size_t mem_sock_unread(const struct sock *sock);

#endif
