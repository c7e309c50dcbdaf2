// SPDX-License-Identifier: Apache-2.0
/* env: passes each call to the env's own kind, with the checks that all kinds share. Thread: see
 * env.h. */
#include "env/env.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "env/monitor.h"

int64_t env_mono_ns(struct env *env)
{
    return env->ops->mono_ns(env);
}

int64_t env_wall_ms(struct env *env)
{
    return env->ops->wall_ms(env);
}

void env_random(struct env *env, void *out, size_t len)
{
    env->ops->random(env, out, len);
}

void env_process_stats(struct env *env, struct env_process_stats *out)
{
    *out = (struct env_process_stats){0};
    if (env->ops->process_stats != NULL)
        env->ops->process_stats(env, out);
}

struct logger *env_logger(struct env *env)
{
    ASSERT(env->logger != NULL);
    return env->logger;
}

enum err env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out)
{
    monitor_assert_none();
    return env->ops->file_open(env, path, flags, out);
}

struct env_file *env_file_ref(struct env_file *file)
{
    unsigned before = atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return file;
}

void env_file_unref(struct env_file *file)
{
    if (file == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        file->ops->close(file);
}

enum err env_file_read(struct env_file *file, void *out, size_t len, int64_t pos,
                       enum env_read_mode mode, size_t *got)
{
    ASSERT(pos >= 0);
    if (mode == ENV_WAIT)
        monitor_assert_none();
    return file->ops->read(file, out, len, pos, mode, got);
}

enum err env_file_write(struct env_file *file, struct iovec *iov, int iov_count, int64_t pos)
{
    ASSERT(pos >= 0);
    ASSERT(iov_count > 0);
    monitor_assert_none();
    enum err e = file->ops->write(file, iov, iov_count, pos);
    /* Behind it: a sync that goes on meanwhile may not cover it. A part counts, too. */
    atomic_store_explicit(&file->is_unsynced, true, memory_order_relaxed);
    return e;
}

enum err env_file_sync(struct env_file *file)
{
    monitor_assert_none();
    if (env_file_has_failed(file))
        return ERR_IO; /* the kernel told it once, and would say that all is well now */
    atomic_store_explicit(&file->is_unsynced, false, memory_order_relaxed);
    enum err e = file->ops->sync(file);
    if (e != ERR_OK) {
        atomic_store_explicit(&file->is_unsynced, true, memory_order_relaxed);
        atomic_store_explicit(&file->has_failed, true, memory_order_relaxed);
    }
    return e;
}

bool env_file_is_unsynced(const struct env_file *file)
{
    return atomic_load_explicit(&file->is_unsynced, memory_order_relaxed);
}

bool env_file_has_failed(const struct env_file *file)
{
    return atomic_load_explicit(&file->has_failed, memory_order_relaxed);
}

bool env_file_is_shared(const struct env_file *file)
{
    return atomic_load_explicit(&file->refs, memory_order_acquire) > 1;
}

enum err env_file_truncate(struct env_file *file, int64_t size)
{
    ASSERT(size >= 0);
    monitor_assert_none();
    return file->ops->truncate(file, size);
}

enum err env_file_size(struct env_file *file, int64_t *out)
{
    return file->ops->size(file, out);
}

enum err env_file_allocate(struct env_file *file, int64_t pos, int64_t len)
{
    ASSERT(pos >= 0 && len > 0);
    monitor_assert_none();
    return file->ops->allocate(file, pos, len);
}

enum err env_file_lock(struct env_file *file)
{
    return file->ops->lock(file);
}

bool env_file_is_cached(struct env_file *file, int64_t pos, int64_t len)
{
    return file->ops->is_cached(file, pos, len);
}

void env_file_forget(struct env_file *file, int64_t pos, int64_t len)
{
    ASSERT(pos >= 0 && len >= 0);
    if (file->ops->forget != NULL && len > 0)
        file->ops->forget(file, pos, len);
}

enum err env_dir_make(struct env *env, const char *path)
{
    monitor_assert_none();
    return env->ops->dir_make(env, path);
}

enum err env_dir_sync(struct env *env, const char *path)
{
    monitor_assert_none();
    return env->ops->dir_sync(env, path);
}

enum err env_dir_remove(struct env *env, const char *path)
{
    monitor_assert_none();
    return env->ops->dir_remove(env, path);
}

enum err env_dir_list(struct env *env, const char *path,
                      void (*each)(void *arg, const char *name, bool is_dir), void *arg)
{
    monitor_assert_none();
    return env->ops->dir_list(env, path, each, arg);
}

enum err env_path_unlink(struct env *env, const char *path)
{
    monitor_assert_none();
    return env->ops->path_unlink(env, path);
}

enum err env_path_rename(struct env *env, const char *from, const char *to)
{
    monitor_assert_none();
    return env->ops->path_rename(env, from, to);
}

enum err env_disk_space(struct env *env, const char *path, int64_t *free_bytes,
                        int64_t *total_bytes)
{
    return env->ops->disk_space(env, path, free_bytes, total_bytes);
}

void env_submit(struct env *env, struct env_job *job)
{
    ASSERT(job->run != NULL);
    ASSERT(job->queue < ENV_QUEUE_COUNT);
    env->ops->submit(env, job);
}

bool env_is_syncing(struct env *env)
{
    return env->ops->is_syncing == NULL || env->ops->is_syncing(env);
}

void env_pause(struct env *env, int64_t ns)
{
    ASSERT(ns > 0 && ns <= 1000000);
    monitor_assert_none();
    env->ops->pause(env, ns);
}

enum err env_resolve(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                     size_t *count)
{
    ASSERT(*count > 0);
    return env->ops->resolve(env, host, port, out, count);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    ASSERT(task->run != NULL);
    loop->ops->post(loop, task);
}

void loop_submit(struct loop *loop, struct env_job *job)
{
    ASSERT(loop_is_current(loop));
    ASSERT(job->run != NULL && !job->will_block);
    if (loop->ops->submit != NULL)
        loop->ops->submit(loop, job);
    else
        env_submit(loop->env, job);
}

struct env *loop_env(struct loop *loop)
{
    return loop->env;
}

bool loop_is_current(struct loop *loop)
{
    return loop->ops->is_current(loop);
}

int64_t loop_now_ns(struct loop *loop)
{
    return loop->ops->now_ns(loop);
}

void loop_set_turn_hook(struct loop *loop, void (*hook)(void *arg), void *arg)
{
    loop->turn_hook = hook;
    loop->turn_arg = arg;
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t at_mono_ns)
{
    ASSERT(loop_is_current(loop));
    ASSERT(timer->fire != NULL);
    loop->ops->timer_start(loop, timer, at_mono_ns);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    ASSERT(loop_is_current(loop));
    loop->ops->timer_stop(loop, timer);
}

char *env_addr_host(const struct env_addr *addr, char out[ENV_ADDR_TEXT_SIZE])
{
    ASSERT(addr->family == 4 || addr->family == 6);
    if (inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->ip, out, ENV_ADDR_TEXT_SIZE) ==
        NULL)
        out[0] = '\0';
    return out;
}

char *env_addr_text(const struct env_addr *addr, char out[ENV_ADDR_TEXT_SIZE])
{
    char host[ENV_ADDR_TEXT_SIZE];
    const char *format = addr->family == 4 ? "%.45s:%u" : "[%.45s]:%u";
    snprintf(out, ENV_ADDR_TEXT_SIZE, format, env_addr_host(addr, host), addr->port);
    return out;
}

bool env_addr_is_any(const struct env_addr *addr)
{
    static const uint8_t zero[16];
    return memcmp(addr->ip, zero, addr->family == 4 ? 4 : 16) == 0;
}

enum err sock_listen(struct loop *loop, const struct env_addr *addr, sock_ready_fn *ready,
                     void *arg, struct sock **out)
{
    struct sock *sock = NULL;
    enum err e = loop->ops->listen(loop, addr, &sock);
    if (e != ERR_OK)
        return e;
    sock->ready = ready;
    sock->ready_arg = arg;
    *out = sock;
    return ERR_OK;
}

enum err sock_accept(struct sock *listener, struct sock **out)
{
    return listener->ops->accept(listener, out);
}

enum err sock_connect(struct loop *loop, const struct env_addr *to, sock_ready_fn *ready, void *arg,
                      struct sock **out)
{
    ASSERT(loop_is_current(loop));
    struct sock *sock = NULL;
    enum err e = loop->ops->connect(loop, to, &sock);
    if (e != ERR_OK)
        return e;
    sock->ready = ready;
    sock->ready_arg = arg;
    *out = sock;
    return ERR_OK;
}

enum err sock_connect_result(struct sock *sock)
{
    return sock->ops->connect_result(sock);
}

void sock_attach(struct sock *sock, struct loop *loop, sock_ready_fn *ready, void *arg)
{
    ASSERT(sock->loop == NULL);
    ASSERT(loop_is_current(loop));
    sock->loop = loop;
    sock->ready = ready;
    sock->ready_arg = arg;
    sock->ops->attach(sock, loop);
}

void sock_want(struct sock *sock, unsigned events)
{
    ASSERT(loop_is_current(sock->loop));
    sock->ops->want(sock, events);
}

enum err sock_recv(struct sock *sock, void *out, size_t len, size_t *got)
{
    ASSERT(len > 0);
    return sock->ops->recv(sock, out, len, got);
}

enum err sock_send(struct sock *sock, const struct sock_part *parts, size_t count, size_t *sent)
{
    ASSERT(count > 0);
    return sock->ops->send(sock, parts, count, sent);
}

void sock_close(struct sock *sock)
{
    if (sock == NULL)
        return;
    ASSERT(sock->loop == NULL || loop_is_current(sock->loop));
    sock->ops->close(sock);
}

void sock_local(struct sock *sock, struct env_addr *out)
{
    sock->ops->local(sock, out);
}

void sock_peer(struct sock *sock, struct env_addr *out)
{
    sock->ops->peer(sock, out);
}
