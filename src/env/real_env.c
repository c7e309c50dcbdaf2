// SPDX-License-Identifier: Apache-2.0
/* real_env: the parts of a real env put together; clock, chance, threads. Thread: any. */
#include "env/real_env.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

enum { THREAD_STACK_BYTES = 1024 * 1024 };

bool real_was_within(const _Atomic int64_t *noted_ns, int64_t within_ns)
{
    int64_t at = atomic_load_explicit(noted_ns, memory_order_relaxed);
    return at != 0 && real_mono_ns() - at <= within_ns;
}

int64_t real_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t skipped_ms(const struct real_env *real)
{
    return atomic_load_explicit(&real->skipped_ms, memory_order_relaxed);
}

int64_t real_env_now_ns(const struct real_env *real)
{
    return real_mono_ns() + skipped_ms(real) * 1000000;
}

static int64_t mono_ns(struct env *env)
{
    return real_env_now_ns(container_of(env, struct real_env, env));
}

static bool is_syncing(struct env *env)
{
    const struct real_env *real = container_of(env, struct real_env, env);
    return real_was_within(&real->synced_ns, REAL_SYNCED_RECENTLY_NS);
}

static int64_t wall_ms(struct env *env)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 +
           skipped_ms(container_of(env, struct real_env, env));
}

static void fill_random(struct env *env, void *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = getrandom((char *)out + done, len - done, 0);
        ASSERT(n > 0 || errno == EINTR);
        if (n > 0)
            done += (size_t)n;
    }
}

static void submit(struct env *env, struct env_job *job)
{
    real_disk_submit(&container_of(env, struct real_env, env)->disk, job);
}

enum err real_thread_start(pthread_t *out, const char *name, void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (failed != 0)
        return ERR_FULL;
    pthread_setname_np(*out, name);
    return ERR_OK;
}

static void pause_job(struct env *env, int64_t ns)
{
    struct timespec wait = {.tv_nsec = ns};
    nanosleep(&wait, NULL); /* woken early by a signal: that is as well */
}

static const struct env_ops ops = {
    .mono_ns = mono_ns,
    .wall_ms = wall_ms,
    .random = fill_random,
    .file_open = real_file_open,
    .dir_make = real_dir_make,
    .dir_sync = real_dir_sync,
    .dir_remove = real_dir_remove,
    .dir_list = real_dir_list,
    .path_unlink = real_path_unlink,
    .path_rename = real_path_rename,
    .disk_space = real_disk_space,
    .submit = submit,
    .pause = pause_job,
    .resolve = real_resolve,
    .is_syncing = is_syncing,
    .process_stats = real_process_stats,
};

static const struct env_ops memory_ops = {
    .mono_ns = mono_ns,
    .wall_ms = wall_ms,
    .random = fill_random,
    .file_open = real_memory_open,
    .dir_make = real_memory_dir_make,
    .dir_sync = real_memory_dir_sync,
    .dir_remove = real_memory_dir_remove,
    .dir_list = real_memory_dir_list,
    .path_unlink = real_memory_path_unlink,
    .path_rename = real_memory_path_rename,
    .disk_space = real_memory_space,
    .submit = submit,
    .pause = pause_job,
    .resolve = real_resolve,
    .is_syncing = is_syncing,
    .process_stats = real_process_stats,
};

/* The soft limit is for programs that call select(2), which this one does not. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* if not: as many as it was started with */
}

enum err real_env_new(const struct real_env_options *options, struct real_env **out)
{
    ASSERT(options->workers >= 1);
    ASSERT(options->logger != NULL);
    /* sendfile has no flag against the signal; a gone peer is an error here, not an end. */
    signal(SIGPIPE, SIG_IGN);
    raise_fd_limit();
    struct real_env *real = mem_alloc(sizeof(*real));
    real->env.ops = options->in_memory ? &memory_ops : &ops;
    real->env.logger = options->logger;
    real->start_wall_ms = wall_ms(&real->env);
    list_init(&real->loops);
    enum err e = ERR_OK;
    pthread_mutex_init(&real->loops_mutex, NULL); /* which cannot fail, as real_loop has it */
    real_spare_take(real);
    if (options->in_memory)
        e = real_memory_new(&real->memory);
    if (e == ERR_OK)
        e = real_disk_start(&real->disk, options->workers, &real->synced_ns);
    if (e != ERR_OK) {
        real_memory_free(real->memory);
        real_spare_drop(real);
        pthread_mutex_destroy(&real->loops_mutex);
        mem_free(real);
        return e;
    }
    *out = real;
    return ERR_OK;
}

enum err real_env_skip_ms(struct real_env *real, int64_t ms)
{
    static const int64_t most_ms = (int64_t)LIMIT_CLOCK_ADVANCE_DAYS * 24 * 3600 * 1000;
    ASSERT(ms >= 0);
    int64_t before = skipped_ms(real);
    do {
        if (ms > most_ms - before)
            return ERR_TOO_LARGE;
    } while (!atomic_compare_exchange_weak(&real->skipped_ms, &before, before + ms));
    pthread_mutex_lock(&real->loops_mutex);
    LIST_FOR_EACH (link, &real->loops) {
        real_loop_wake(container_of(link, struct real_loop, link));
    }
    pthread_mutex_unlock(&real->loops_mutex);
    return ERR_OK;
}

struct env *real_env_env(struct real_env *real)
{
    return &real->env;
}

void real_env_free(struct real_env *real)
{
    if (real == NULL)
        return;
    real_disk_stop(&real->disk);
    ASSERT(list_is_empty(&real->loops));
    real_memory_free(real->memory);
    real_spare_drop(real);
    pthread_mutex_destroy(&real->loops_mutex);
    mem_free(real);
}
