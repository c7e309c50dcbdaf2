// SPDX-License-Identifier: Apache-2.0
/*
 * env: the one door to the world: time, randomness, files, disk workers, loops,
 * timers and sockets. Everything above asks an env; only src/env calls the
 * kernel. Three kinds exist: real (env/real_*.c: epoll and disk workers), mem
 * (env/mem_*.c: files in memory, the nth call fails, for unit tests) and sim
 * (env/sim_*.c: many machines in one thread from one seed).
 *
 * Two sides:
 * - Blocking calls (env_file_*, env_dir_*, env_path_*): only in disk jobs, at start
 *   and in command-line tools; never on a loop. The one exception is a read with
 *   ENV_NOWAIT, which answers ERR_AGAIN instead of waiting for a disk.
 * - Loops (loop_*, sock_*): never block. A loop is one reactor: its sockets,
 *   timers and tasks run one at a time on its thread.
 *
 * Thread: each function says so; "any" also means "at the same time".
 */
#ifndef ENV_ENV_H
#define ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/macros.h"

struct env;
struct env_file; /* an open file; counted */
struct logger;
struct loop;
struct sock;

/* ---- time and chance. Thread: any. */

int64_t env_mono_ns(struct env *env); /* never goes back; unrelated to the calendar */
int64_t env_wall_ms(struct env *env); /* since 1970, may jump */
void env_random(struct env *env, void *out, size_t len); /* fit for ids and secrets */

/* Where people are told things; see env/logger.h. Never NULL. */
struct logger *env_logger(struct env *env);

/* What the metrics page tells of this process; zeros where there is none (mem, sim). */
struct env_process_stats {
    int64_t resident_bytes;
    double cpu_seconds; /* user and system */
    int64_t open_fds;
    int64_t fds_max;
    double start_time_seconds; /* since 1970 */
    uint64_t loop_stalls;      /* brisk jobs that blocked, see loop_submit */
};

void env_process_stats(struct env *env, struct env_process_stats *out);

/* ---- files. Thread: any; they block. Paths are NUL-terminated, relative to the env's root. */

enum {
    ENV_READ = 1,
    ENV_WRITE = 2,
    ENV_CREATE = 4,    /* if it is not there; durable only after env_dir_sync of its directory */
    ENV_EXCLUSIVE = 8, /* with ENV_CREATE: ERR_EXISTS if it is there */
    ENV_TRUNCATE = 16,
};

enum env_read_mode {
    ENV_WAIT,   /* may wait for the disk */
    ENV_NOWAIT, /* ERR_AGAIN where the bytes are not in the page cache */
};

/* ERR_NOT_FOUND, ERR_EXISTS, ERR_DENIED, ERR_NO_SPACE, ERR_FULL (descriptors), ERR_IO. One
 * reference. */
enum err env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out)
    MUST_USE;
struct env_file *env_file_ref(struct env_file *file);
void env_file_unref(
    struct env_file *file); /* accepts NULL; the last one closes, which syncs nothing */

/* Reads up to `len` bytes; *got is short only at the end of the file. */
enum err env_file_read(struct env_file *file, void *out, size_t len, int64_t pos,
                       enum env_read_mode mode, size_t *got) MUST_USE;

/* Writes all of it or fails: then any part of the range may have been written.
 * ERR_NO_SPACE, ERR_IO. `iov` is used up (changed). */
enum err env_file_write(struct env_file *file, struct iovec *iov, int iov_count, int64_t pos)
    MUST_USE;

/* fdatasync: what was written to this file is on disk (its name is not: env_dir_sync). Once it has
 * failed it fails for as long as the file is open. */
enum err env_file_sync(struct env_file *file) MUST_USE;

/* Was something written that no env_file_sync of this open file covers? Did one fail? Does another
 * hold it too (which is only for whoever can tell that nobody takes one now)? */
bool env_file_is_unsynced(const struct env_file *file);
bool env_file_has_failed(const struct env_file *file);
bool env_file_is_shared(const struct env_file *file);

enum err env_file_truncate(struct env_file *file, int64_t size) MUST_USE;
enum err env_file_size(struct env_file *file, int64_t *out) MUST_USE;

/* Reserves disk space and extends the file with zeros. ERR_NO_SPACE. */
enum err env_file_allocate(struct env_file *file, int64_t pos, int64_t len) MUST_USE;

/* Takes an exclusive lock on the open file, kept until it closes. ERR_BUSY: another holds it. */
enum err env_file_lock(struct env_file *file) MUST_USE;

/* Is the whole range in the page cache? A hint; does not block. Thread: any, also loops. */
bool env_file_is_cached(struct env_file *file, int64_t pos, int64_t len);

/* What the page cache has of the range is not needed any more, by us. A hint. Thread: any, blocks.
 */
void env_file_forget(struct env_file *file, int64_t pos, int64_t len);

enum err env_dir_make(struct env *env, const char *path) MUST_USE;   /* ERR_EXISTS */
enum err env_dir_sync(struct env *env, const char *path) MUST_USE;   /* names in it are durable */
enum err env_dir_remove(struct env *env, const char *path) MUST_USE; /* must be empty */
/* Calls `each` for every name but . and .., in byte order. */
enum err env_dir_list(struct env *env, const char *path,
                      void (*each)(void *arg, const char *name, bool is_dir), void *arg) MUST_USE;
enum err env_path_unlink(struct env *env, const char *path) MUST_USE;
enum err env_path_rename(struct env *env, const char *from, const char *to) MUST_USE; /* replaces */
enum err env_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                        int64_t *total_bytes) MUST_USE;

/* ---- disk workers */

enum env_queue {
    ENV_QUEUE_WRITE,      /* appends and their syncs: somebody waits */
    ENV_QUEUE_READ,       /* what else somebody waits for */
    ENV_QUEUE_COLD,       /* reads of old data: few at a time, one while others sync */
    ENV_QUEUE_BACKGROUND, /* retention, deletion, recovery: may never hold all workers */
    ENV_QUEUE_COUNT
};

/* Embedded in what it works on. Not to be touched between submit and its last step. */
struct env_job {
    /* One step, on a worker: may block. True: call me again for the next step (the
     * simulator lets time pass in between). False: done; the job may be freed or
     * submitted again, also by `run` itself before it returns. */
    bool (*run)(struct env_job *job);
    enum env_queue queue;
    bool will_block; /* set by who submits it and by `run`: the next step waits for the disk */
    struct list link;
};

/* Thread: any, also from within a job. First come first served per queue. */
void env_submit(struct env *env, struct env_job *job);

/* Blocks a job for about this long, at most a millisecond: to let more come in before a costly
 * step, or what is in the way go by. Thread: a disk worker. */
void env_pause(struct env *env, int64_t ns);

/* Were files synced a moment ago? Then a long read makes the next sync wait. Thread: any. */
bool env_is_syncing(struct env *env);

/* ---- loops */

struct loop_task {
    void (*run)(struct loop_task *task);
    struct list link;
};

struct loop_timer {
    void (*fire)(struct loop_timer *timer); /* on the loop; it is stopped when this is called */
    struct heap_node node;
};

/* Thread: any. The task runs on the loop's thread, in the order of posting per poster;
 * it must not be posted again before it has run. */
void loop_post(struct loop *loop, struct loop_task *task);

/* All below. Thread: the loop's own. */

/* As env_submit, for a job whose first step seldom blocks (a small write into the page cache). The
 * env may run steps on this loop's thread after what runs now, as long as none says
 * will_block: while the loop is busy that is much cheaper than a worker. Should one block all the
 * same, the loop goes on without it within a few milliseconds. */
void loop_submit(struct loop *loop, struct env_job *job);

struct env *loop_env(struct loop *loop);
bool loop_is_current(struct loop *loop); /* Thread: any */
int64_t loop_now_ns(struct loop *loop);  /* monotonic time, read once a turn */

/* Called once at the start of every turn of the loop, before its events. NULL: none. */
void loop_set_turn_hook(struct loop *loop, void (*hook)(void *arg), void *arg);

/* Starts or moves the timer. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t at_mono_ns);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer); /* harmless when not started */

/* ---- sockets */

enum { ENV_ADDR_TEXT_SIZE = 64 };

struct env_addr {
    uint8_t family; /* 4 or 6 */
    uint8_t ip[16]; /* network order; IPv4 uses the first four */
    uint16_t port;
};

/* "1.2.3.4" or "::1", without the port; returns `out`. Thread: any. */
char *env_addr_host(const struct env_addr *addr, char out[ENV_ADDR_TEXT_SIZE]);
/* "1.2.3.4:9092" or "[::1]:9092". */
char *env_addr_text(const struct env_addr *addr, char out[ENV_ADDR_TEXT_SIZE]);
bool env_addr_is_any(const struct env_addr *addr); /* 0.0.0.0 or :: */

/* Resolves a host name or literal; "" means every address of this machine. Blocks; at
 * start and in tools only. *count in: room, out: found (at least 1). ERR_NOT_FOUND. */
enum err env_resolve(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                     size_t *count) MUST_USE;

enum { SOCK_READABLE = 1, SOCK_WRITABLE = 2 };

typedef void sock_ready_fn(void *arg, unsigned events);

/* A part of what is sent: bytes, or a range of a file (data == NULL). */
struct sock_part {
    const uint8_t *data;
    size_t len;
    struct env_file *file;
    int64_t pos;
};

/* Binds and listens. Port 0: the kernel chooses, see sock_local. ERR_BUSY: taken, ERR_DENIED,
 * ERR_NOT_FOUND: not an address of this machine. `ready` is called when somebody connects. */
enum err sock_listen(struct loop *loop, const struct env_addr *addr, sock_ready_fn *ready,
                     void *arg, struct sock **out) MUST_USE;

/* The next connection, attached to no loop yet. ERR_AGAIN: none. ERR_FULL: no descriptors. */
enum err sock_accept(struct sock *listener, struct sock **out) MUST_USE;

/* Begins to connect; SOCK_WRITABLE comes when it is decided, then sock_connect_result tells. */
enum err sock_connect(struct loop *loop, const struct env_addr *to, sock_ready_fn *ready, void *arg,
                      struct sock **out) MUST_USE;
enum err sock_connect_result(struct sock *sock) MUST_USE; /* ERR_OK, ERR_CLOSED (refused), ... */

/* Gives an accepted socket to the loop whose thread calls this; readable is wanted. */
void sock_attach(struct sock *sock, struct loop *loop, sock_ready_fn *ready, void *arg);

/* Which events are wanted (level-triggered). */
void sock_want(struct sock *sock, unsigned events);

/* ERR_AGAIN: nothing now. ERR_CLOSED: the peer has finished or reset. */
enum err sock_recv(struct sock *sock, void *out, size_t len, size_t *got) MUST_USE;

/* Sends as much as fits; *sent may be less than asked, also with ERR_OK. ERR_AGAIN: nothing
 * fits now. ERR_CLOSED: the peer is gone. ERR_IO: a file range could not be read. A range must be
 * in the page cache, or the loop waits for the disk: ask env_file_is_cached just before (mem and
 * sim insist on it). */
enum err sock_send(struct sock *sock, const struct sock_part *parts, size_t count, size_t *sent)
    MUST_USE;

/* Accepts NULL. No events after it returns. Thread: its loop's, or any while unattached. */
void sock_close(struct sock *sock);

void sock_local(struct sock *sock, struct env_addr *out);
void sock_peer(struct sock *sock, struct env_addr *out);

/* ---- what an env is made of: implemented by real, mem and sim */

struct env_file_ops {
    void (*close)(struct env_file *file);
    enum err (*read)(struct env_file *file, void *out, size_t len, int64_t pos,
                     enum env_read_mode mode, size_t *got);
    enum err (*write)(struct env_file *file, struct iovec *iov, int iov_count, int64_t pos);
    enum err (*sync)(struct env_file *file);
    enum err (*truncate)(struct env_file *file, int64_t size);
    enum err (*size)(struct env_file *file, int64_t *out);
    enum err (*allocate)(struct env_file *file, int64_t pos, int64_t len);
    enum err (*lock)(struct env_file *file);
    bool (*is_cached)(struct env_file *file, int64_t pos, int64_t len);
    void (*forget)(struct env_file *file, int64_t pos, int64_t len); /* may be NULL */
};

struct env_file {
    const struct env_file_ops *ops;
    _Atomic unsigned refs;
    _Atomic bool is_unsynced; /* set after a write, cleared before a sync */
    _Atomic bool has_failed;  /* a sync did */
};

struct env_ops {
    int64_t (*mono_ns)(struct env *env);
    int64_t (*wall_ms)(struct env *env);
    void (*random)(struct env *env, void *out, size_t len);
    enum err (*file_open)(struct env *env, const char *path, unsigned flags, struct env_file **out);
    enum err (*dir_make)(struct env *env, const char *path);
    enum err (*dir_sync)(struct env *env, const char *path);
    enum err (*dir_remove)(struct env *env, const char *path);
    enum err (*dir_list)(struct env *env, const char *path,
                         void (*each)(void *arg, const char *name, bool is_dir), void *arg);
    enum err (*path_unlink)(struct env *env, const char *path);
    enum err (*path_rename)(struct env *env, const char *from, const char *to);
    enum err (*disk_space)(struct env *env, const char *path, int64_t *free_bytes,
                           int64_t *total_bytes);
    void (*submit)(struct env *env, struct env_job *job);
    void (*pause)(struct env *env, int64_t ns);
    enum err (*resolve)(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                        size_t *count);
    bool (*is_syncing)(struct env *env);                                   /* NULL: always */
    void (*process_stats)(struct env *env, struct env_process_stats *out); /* may be NULL */
};

struct env {
    const struct env_ops *ops;
    struct logger *logger;
};

struct loop_ops {
    void (*post)(struct loop *loop, struct loop_task *task);
    bool (*is_current)(struct loop *loop);
    int64_t (*now_ns)(struct loop *loop);
    void (*submit)(struct loop *loop, struct env_job *job); /* NULL: env_submit */
    void (*timer_start)(struct loop *loop, struct loop_timer *timer, int64_t at_mono_ns);
    void (*timer_stop)(struct loop *loop, struct loop_timer *timer);
    enum err (*listen)(struct loop *loop, const struct env_addr *addr, struct sock **out);
    enum err (*connect)(struct loop *loop, const struct env_addr *to, struct sock **out);
};

struct loop {
    const struct loop_ops *ops;
    struct env *env;
    void (*turn_hook)(void *arg);
    void *turn_arg;
};

struct sock_ops {
    enum err (*accept)(struct sock *listener, struct sock **out);
    enum err (*connect_result)(struct sock *sock);
    void (*attach)(struct sock *sock, struct loop *loop);
    void (*want)(struct sock *sock, unsigned events);
    enum err (*recv)(struct sock *sock, void *out, size_t len, size_t *got);
    enum err (*send)(struct sock *sock, const struct sock_part *parts, size_t count, size_t *sent);
    void (*close)(struct sock *sock);
    void (*local)(struct sock *sock, struct env_addr *out);
    void (*peer)(struct sock *sock, struct env_addr *out);
};

struct sock {
    const struct sock_ops *ops;
    struct loop *loop;
    sock_ready_fn *ready;
    void *ready_arg;
};

#endif
