// SPDX-License-Identifier: Apache-2.0
/* real_env: the parts of a real env put together; clock, chance, threads. Thread: any. */
#include "env/real_env.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

enum { THREAD_STACK_BYTES = 1024 * 1024 };

int64_t real_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t mono_ns(struct env *env)
{
    return real_mono_ns();
}

static int64_t wall_ms(struct env *env)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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
    .process_stats = real_process_stats,
};

enum err real_env_new(const struct real_env_options *options, struct real_env **out)
{
    ASSERT(options->workers >= 1);
    ASSERT(options->logger != NULL);
    /* sendfile has no flag against the signal; a gone peer is an error here, not an end. */
    signal(SIGPIPE, SIG_IGN);
    struct real_env *real = mem_alloc(sizeof(*real));
    real->env.ops = &ops;
    real->env.logger = options->logger;
    real->start_wall_ms = wall_ms(&real->env);
    enum err e = real_disk_start(&real->disk, options->workers);
    if (e != ERR_OK) {
        mem_free(real);
        return e;
    }
    *out = real;
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
    mem_free(real);
}
