// SPDX-License-Identifier: Apache-2.0
/* real_private: what the real_*.c files share. Thread: see each file. */
#ifndef ENV_REAL_PRIVATE_H
#define ENV_REAL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "env/name_list.h"
#include "env/real_env.h"

/* real_file.c */
enum err real_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out);
int real_file_fd(const struct env_file *file);
/* Its bytes are memory: nothing to wait for, nothing to reserve. */
void real_file_set_memory(struct env_file *file);

/* real_dir.c */
enum err real_dir_make(struct env *env, const char *path);
enum err real_dir_sync(struct env *env, const char *path);
enum err real_dir_remove(struct env *env, const char *path);
enum err real_dir_list(struct env *env, const char *path,
                       void (*each)(void *arg, const char *name, bool is_dir), void *arg);
enum err real_path_unlink(struct env *env, const char *path);
enum err real_path_rename(struct env *env, const char *from, const char *to);
enum err real_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                         int64_t *total_bytes);

/* real_memory.c: the same without a disk */
struct memory_node;

struct real_memory {
    pthread_mutex_t mutex;
    struct memory_node *root;
};

enum err real_memory_new(struct real_memory **out);
void real_memory_free(struct real_memory *memory); /* accepts NULL */
enum err real_memory_open(struct env *env, const char *path, unsigned flags, struct env_file **out);
enum err real_memory_dir_make(struct env *env, const char *path);
enum err real_memory_dir_sync(struct env *env, const char *path);
enum err real_memory_dir_remove(struct env *env, const char *path);
enum err real_memory_dir_list(struct env *env, const char *path,
                              void (*each)(void *arg, const char *name, bool is_dir), void *arg);
enum err real_memory_path_unlink(struct env *env, const char *path);
enum err real_memory_path_rename(struct env *env, const char *from, const char *to);
enum err real_memory_space(struct env *env, const char *path, int64_t *free_bytes,
                           int64_t *total_bytes);

/* real_disk.c */
struct real_disk {
    pthread_mutex_t mutex;
    pthread_cond_t is_work;
    struct list waiting;    /* jobs that somebody waits for: appends, reads */
    struct list cold;       /* reads of old data, a step at a time */
    struct list background; /* jobs that nobody waits for */
    const _Atomic int64_t *synced_ns;
    unsigned worker_count;
    unsigned waiting_count;    /* of `waiting` */
    uint64_t taken_count;      /* from `waiting`, ever */
    unsigned idle_count;       /* workers that wait for work */
    unsigned woken_count;      /* of those, signalled and not yet awake */
    unsigned brisk_count;      /* workers in the first step of an append or read */
    bool is_watched;           /* an idle worker looks every millisecond */
    unsigned background_count; /* workers in a background job */
    unsigned cold_count;       /* in a cold read */
    unsigned cold_passed;      /* so many jobs were taken before a cold read that waits */
    bool is_stopping;
    pthread_t *workers;
};

struct real_loop;

/* `synced_ns` tells when a file was last synced: then cold reads are held back. */
enum err real_disk_start(struct real_disk *disk, unsigned worker_count,
                         const _Atomic int64_t *synced_ns);
void real_disk_stop(struct real_disk *disk);
void real_disk_submit(struct real_disk *disk, struct env_job *job);

/* real_env.c */
enum { REAL_SYNCED_RECENTLY_NS = 100000000 };

struct real_env {
    struct env env;
    struct real_disk disk;
    struct real_memory *memory; /* NULL: files are the kernel's */
    int64_t start_wall_ms;
    _Atomic int64_t skipped_ms;   /* by which both clocks run ahead of the kernel's */
    _Atomic int64_t synced_ns;    /* when a file was last synced; 0: never */
    _Atomic int64_t read_ns;      /* when a worker's read of a file last ended */
    _Atomic int64_t reading;      /* workers in such a read */
    _Atomic uint64_t loop_stalls; /* loops that were taken over, see real_stand_in.c */

    pthread_mutex_t loops_mutex;
    struct list loops; /* struct real_loop */

    pthread_mutex_t spare_mutex;
    int spare_fd; /* given up to sync a directory where there is no other; -1: it is gone */
};

/* real_dir.c: the descriptor that is kept for syncing directories. */
void real_spare_take(struct real_env *real);
void real_spare_drop(struct real_env *real);

/* Time for loops, jobs and timers: what env_mono_ns says. */
int64_t real_env_now_ns(const struct real_env *real);
/* The kernel's. */
int64_t real_mono_ns(void);
/* Was this noted (real_mono_ns) at most so long ago? 0: never. */
bool real_was_within(const _Atomic int64_t *noted_ns, int64_t within_ns);

/* Starts a thread with a small stack and all signals blocked. */
enum err real_thread_start(pthread_t *out, const char *name, void *(*run)(void *arg), void *arg);

/* real_stand_in.c */
struct real_stand_in {
    /* Of the loop's thread. */
    struct list jobs; /* brisk ones, for the end of this turn */
    int64_t last_submit_ns;
    int64_t rest_until_ns;

    _Atomic uint64_t passage; /* odd: the loop's thread is at a brisk job */
    atomic_bool is_watching;

    /* Under the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_wanted;
    bool is_over; /* the loop does not run */
    bool has_thread;
    pthread_t thread;
};

void real_stand_in_init(struct real_stand_in *s);
void real_stand_in_deinit(struct real_stand_in *s);

/* On the loop's thread. */
void real_stand_in_submit(struct real_loop *loop, struct env_job *job);
/* At the end of a turn. False: another thread has the loop now; this one must not touch it. */
bool real_stand_in_run_jobs(struct real_loop *loop);
/* The loop has ended: who waits goes home. */
void real_stand_in_end(struct real_loop *loop);

/* On a thread that has not the loop. True: it has it now. False: the loop has ended. */
bool real_stand_in_wait(struct real_loop *loop);

/* real_loop.c */
struct real_loop {
    struct loop loop;
    struct real_env *real;
    struct list link; /* of the env's loops */
    int epoll_fd;
    int event_fd; /* wakes epoll_wait */
    int64_t now_ns;
    struct heap timers;
    struct list dead;    /* socks closed in this turn: freed at its end */
    struct list signals; /* struct real_signal */
    struct list socks;   /* attached */
    struct real_stdin *stdin_end;
    bool has_thread;
    pthread_t thread;

    /* Under the mutex. */
    pthread_mutex_t mutex;
    struct list tasks;
    bool is_asleep; /* in, or about to enter, epoll_wait: the next poster wakes it */

    atomic_bool is_stopping;
    atomic_bool is_running;
    _Atomic pthread_t owner; /* valid while is_running */
    _Atomic pid_t owner_tid;

    struct real_stand_in stand_in;
};

/* This thread has the loop from here on; this thread has none. */
void real_loop_enter_thread(struct real_loop *loop);
void real_loop_leave_thread(void);

/* Ends its sleep, so that it looks at the clock anew. Thread: any. */
void real_loop_wake(struct real_loop *loop);

/* The second thread of a loop: a thread's main function. */
void *real_loop_stand_in(void *loop);

/* Is this thread running a loop now? Then it must not wait for a disk. */
bool real_is_on_loop(void);

/* What epoll's data points to: the first member of whatever is registered. */
struct real_source {
    void (*on_events)(struct real_source *source, uint32_t events);
};

/* real_sock.c */
enum err real_sock_listen(struct loop *loop, const struct env_addr *addr, struct sock **out);
enum err real_sock_connect(struct loop *loop, const struct env_addr *to, struct sock **out);
int real_sock_fd(struct sock *sock); /* for tests */
void real_sock_free_dead(struct real_loop *loop);
void real_sock_close_all(struct real_loop *loop);

/* real_resolve.c */
enum err real_resolve(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                      size_t *count);

/* real_stdin.c */
struct real_stdin;
void real_stdin_free(struct real_loop *loop);

/* real_signal.c */
void real_signal_close_all(struct real_loop *loop);

/* real_stats.c */
void real_process_stats(struct env *env, struct env_process_stats *out);

#endif
