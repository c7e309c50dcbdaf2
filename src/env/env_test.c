// SPDX-License-Identifier: Apache-2.0
/* env_test: what is special to one kind of env: the logger, mem's failures, real's threads and
 * signals. Thread: main and those it starts. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/logger_file.h"
#include "env/mem_env.h"
#include "env/monitor.h"
#include "env/real_env.h"
#include "env/real_peer.h"
#include "env/real_private.h"

/* ---- logger */

TEST(a_log_line_is_one_safe_line)
{
    struct mem_env m;
    mem_env_init(&m);
    log_info(&m.env, "from %s", "a\nb\x1b[31m\x7f\tc");
    CHECK_TEXT(m.last_line, "from a\\x0ab\\x1b[31m\\x7f\tc");
    m.logger.level = LOG_INFO;
    log_debug(&m.env, "not seen");
    CHECK_EQUAL(m.log_lines[LOG_DEBUG], 0);
    CHECK_EQUAL(m.log_lines[LOG_INFO], 1);
    mem_env_deinit(&m);
}

static char long_line[4096];

static void keep_line(struct logger *logger, enum log_level level, const char *line)
{
    snprintf(long_line, sizeof(long_line), "%s", line);
}

/* Its lines belong to root, as those of all programs. */
TEST(each_area_has_a_level_of_its_own_or_roots)
{
    struct mem_env m;
    mem_env_init(&m);
    logger_set_level(&m.logger, LOG_AREA_ROOT, LOG_WARN);
    for (int area = 0; area < LOG_AREA_COUNT; area++)
        CHECK_EQUAL(logger_level(&m.logger, (enum log_area)area), LOG_WARN);
    logger_set_level(&m.logger, LOG_AREA_NET, LOG_DEBUG);
    logger_set_level(&m.logger, LOG_AREA_LOG, LOG_ERROR); /* not taken for root's */
    CHECK_EQUAL(logger_level(&m.logger, LOG_AREA_NET), LOG_DEBUG);
    CHECK_EQUAL(logger_level(&m.logger, LOG_AREA_LOG), LOG_ERROR);
    CHECK_EQUAL(logger_level(&m.logger, LOG_AREA_STORE), LOG_WARN);
    log_info(&m.env, "not seen");
    CHECK_EQUAL(m.log_lines[LOG_INFO], 0);
    logger_follow_root(&m.logger, LOG_AREA_NET);
    logger_set_level(&m.logger, LOG_AREA_ROOT, LOG_INFO);
    CHECK_EQUAL(logger_level(&m.logger, LOG_AREA_NET), LOG_INFO);
    CHECK_EQUAL(logger_level(&m.logger, LOG_AREA_LOG), LOG_ERROR);
    log_info(&m.env, "seen");
    CHECK_EQUAL(m.log_lines[LOG_INFO], 1);
    CHECK_TEXT(log_area_name(LOG_AREA_ROOT), "root");
    mem_env_deinit(&m);
}

TEST(a_long_log_line_is_cut)
{
    struct logger logger = {.level = LOG_INFO, .write = keep_line};
    char text[6000];
    for (int fill = 0; fill < 2; fill++) {
        memset(text, fill == 0 ? 'x' : '\n', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        logger_printf(&logger, LOG_INFO, "%s", text);
        CHECK(strlen(long_line) < LOG_TEXT_BYTES_MAX);
        CHECK(strlen(long_line) > LOG_TEXT_BYTES_MAX - 8);
        CHECK_TEXT(long_line + strlen(long_line) - 3, "...");
    }
    enum log_level level = LOG_ERROR;
    CHECK(log_level_parse("WARN", &level) && level == LOG_WARN);
    CHECK(!log_level_parse("loud", &level));
    CHECK_TEXT(log_level_name(LOG_DEBUG), "debug");
}

static void slurp(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    out[fread(out, 1, size - 1, f)] = '\0';
    fclose(f);
}

TEST(a_log_file_is_reopened_under_its_name)
{
    char path[256], moved[300], text[512];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/klamm-log-XXXXXX", tmp != NULL ? tmp : "/tmp");
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    struct logger_file *file = NULL;
    CHECK_EQUAL(logger_file_open(path, LOG_INFO, &file), ERR_OK);
    logger_printf(logger_file_logger(file), LOG_WARN, "before");
    snprintf(moved, sizeof(moved), "%s.1", path);
    CHECK_EQUAL(rename(path, moved), 0);
    logger_printf(logger_file_logger(file), LOG_INFO, "meanwhile");
    CHECK_EQUAL(logger_file_reopen(file), ERR_OK);
    logger_printf(logger_file_logger(file), LOG_INFO, "after");
    slurp(moved, text, sizeof(text));
    CHECK(strstr(text, " WARN  before\n") != NULL);
    CHECK(strstr(text, " INFO  meanwhile\n") != NULL);
    slurp(path, text, sizeof(text));
    CHECK(strlen(text) == strlen("2026-11-23 22:51:07.123 INFO  after\n"));
    logger_file_close(file);
    unlink(path);
    unlink(moved);
    CHECK_EQUAL(logger_file_open("/nowhere/at/all", LOG_INFO, &file), ERR_NOT_FOUND);
}

/* ---- mem */

/* Makes, writes, syncs and reads a file; the calls that may fail are counted by the env. */
static enum err work_with_files(struct mem_env *m, struct env_file **file)
{
    char text[] = "12345678";
    struct iovec iov = {text, 8};
    size_t got;
    enum err e = env_dir_make(&m->env, "d");
    if (e == ERR_OK)
        e = env_file_open(&m->env, "d/f", ENV_READ | ENV_WRITE | ENV_CREATE, file);
    if (e == ERR_OK)
        e = env_file_write(*file, &iov, 1, 0);
    if (e == ERR_OK)
        e = env_file_sync(*file);
    if (e == ERR_OK)
        e = env_dir_sync(&m->env, "d");
    if (e == ERR_OK)
        e = env_file_read(*file, text, 8, 0, ENV_WAIT, &got);
    return e;
}

TEST(mem_fails_the_nth_call)
{
    int fail_at = 1;
    for (enum err e = ERR_IO; e != ERR_OK; fail_at++) {
        struct mem_env m;
        struct env_file *file = NULL;
        mem_env_init(&m);
        m.fail_at = fail_at;
        m.fail_with = ERR_NO_SPACE;
        e = work_with_files(&m, &file);
        CHECK(e == ERR_OK || e == ERR_NO_SPACE);
        CHECK_EQUAL(e == ERR_OK, fail_at == 7);
        if (fail_at == 3) {
            size_t size = 0;
            CHECK(mem_env_file_bytes(&m, "d/f", &size) != NULL);
            CHECK_EQUAL(size, 4); /* half of a failed write is there */
        }
        env_file_unref(file);
        CHECK_EQUAL(m.open_fds, 0);
        mem_env_deinit(&m);
    }
    CHECK_EQUAL(fail_at, 8);
}

TEST(mem_has_a_full_disk_and_a_cold_cache)
{
    struct mem_env m;
    struct env_file *file = NULL;
    char text[] = "12345678";
    struct iovec iov = {text, 8};
    size_t got;
    mem_env_init(&m);
    CHECK_EQUAL(work_with_files(&m, &file), ERR_OK);
    m.space_bytes = 10;
    CHECK_EQUAL(env_file_write(file, &iov, 1, 3), ERR_NO_SPACE);
    CHECK_EQUAL(env_file_truncate(file, 0), ERR_OK);
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    m.is_cold = true;
    CHECK(!env_file_is_cached(file, 0, 1));
    CHECK_EQUAL(env_file_read(file, text, 8, 0, ENV_NOWAIT, &got), ERR_AGAIN);
    CHECK_EQUAL(env_file_read(file, text, 8, 0, ENV_WAIT, &got), ERR_OK);
    env_file_unref(file);
    mem_env_deinit(&m);
}

TEST(mem_clock_stands_until_moved)
{
    struct mem_env m;
    mem_env_init(&m);
    int64_t mono = env_mono_ns(&m.env), wall = env_wall_ms(&m.env);
    mem_env_advance_ms(&m, 250);
    CHECK_EQUAL(env_mono_ns(&m.env) - mono, 250000000);
    CHECK_EQUAL(env_wall_ms(&m.env) - wall, 250);
    mem_env_jump_wall_ms(&m, -1000);
    CHECK_EQUAL(env_wall_ms(&m.env) - wall, -750);
    CHECK_EQUAL(env_mono_ns(&m.env) - mono, 250000000);
    struct env_process_stats stats;
    env_process_stats(&m.env, &stats);
    CHECK_EQUAL(stats.resident_bytes, 0);
    mem_env_deinit(&m);
}

/* ---- real */

struct gate {
    struct env_job job;
    pthread_mutex_t *mutex;
    pthread_cond_t *cond;
    int *stage;
    int wait_for; /* background: until the stage is this */
};

static void raise_stage(struct gate *g, int wait_for)
{
    pthread_mutex_lock(g->mutex);
    ++*g->stage;
    pthread_cond_broadcast(g->cond);
    while (*g->stage < wait_for)
        pthread_cond_wait(g->cond, g->mutex);
    pthread_mutex_unlock(g->mutex);
}

static bool wait_at_gate(struct env_job *job)
{
    struct gate *g = container_of(job, struct gate, job);
    raise_stage(g, g->wait_for);
    return false;
}

/* The first slow job runs and waits for an append; three more are submitted, and time is
 * given to a free worker to take one by mistake; then the append comes. */
static void check_last_worker_is_free(enum env_queue queue)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 2, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    int stage = 0;
    struct gate gates[6];
    for (int i = 0; i < 6; i++) {
        gates[i] = (struct gate){.job.run = wait_at_gate,
                                 .mutex = &mutex,
                                 .cond = &cond,
                                 .stage = &stage,
                                 .wait_for = 3}; /* main, the first job, the append */
        gates[i].job.queue = i < 4 ? queue : ENV_QUEUE_WRITE;
    }
    env_submit(real_env_env(real), &gates[0].job);
    raise_stage(&gates[5], 2); /* it runs */
    for (int i = 1; i < 4; i++)
        env_submit(real_env_env(real), &gates[i].job);
    for (int i = 0; i < 1000; i++)
        sched_yield();
    pthread_mutex_lock(&mutex);
    CHECK_EQUAL(stage, 2);
    pthread_mutex_unlock(&mutex);
    env_submit(real_env_env(real), &gates[4].job);
    real_env_free(real); /* runs what is submitted to its end */
    CHECK_EQUAL(stage, 6);
    logger_file_close(log);
}

TEST(background_jobs_never_hold_the_last_worker)
{
    check_last_worker_is_free(ENV_QUEUE_BACKGROUND);
}

TEST(cold_reads_never_hold_the_last_worker)
{
    check_last_worker_is_free(ENV_QUEUE_COLD);
}

enum { BURST_WORKERS = 4, BURSTS = 50 };

struct burst {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int stage;
    struct gate gates[BURST_WORKERS + 1]; /* the last one is main's */
};

/* Jobs whose first step blocks until all of them run: each must find a worker of its own. */
TEST(a_job_does_not_wait_behind_those_that_block)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = BURST_WORKERS, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    struct burst *bursts = mem_alloc(BURSTS * sizeof(bursts[0]));
    for (int n = 0; n < BURSTS; n++) {
        struct burst *b = &bursts[n];
        int count = 2 + n % (BURST_WORKERS - 1);
        pthread_mutex_init(&b->mutex, NULL);
        pthread_cond_init(&b->cond, NULL);
        for (int i = 0; i <= BURST_WORKERS; i++)
            b->gates[i] = (struct gate){.job = {.run = wait_at_gate, .queue = ENV_QUEUE_READ},
                                        .mutex = &b->mutex,
                                        .cond = &b->cond,
                                        .stage = &b->stage,
                                        .wait_for = count + 2}; /* the jobs, and main twice */
        env_submit(real_env_env(real), &b->gates[0].job);
        raise_stage(&b->gates[BURST_WORKERS], 2); /* the first one runs, and blocks */
        for (int i = 1; i < count; i++)
            env_submit(real_env_env(real), &b->gates[i].job);
        raise_stage(&b->gates[BURST_WORKERS], count + 2);
    }
    real_env_free(real);
    mem_free(bursts);
    logger_file_close(log);
}

enum { POSTERS = 3, POSTS_EACH = 2000 };

struct poster {
    pthread_t thread;
    struct loop *loop;
    struct counted {
        struct loop_task task;
        struct poster *poster;
        int number;
    } tasks[POSTS_EACH];
    int next;
    int *finished;
    struct real_loop *real_loop;
};

static void count_task(struct loop_task *task)
{
    struct counted *c = container_of(task, struct counted, task);
    CHECK_EQUAL(c->number, c->poster->next);
    c->poster->next++;
    if (c->poster->next == POSTS_EACH && ++*c->poster->finished == POSTERS)
        real_loop_stop(c->poster->real_loop);
}

static void *post_many(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        p->tasks[i] = (struct counted){.task.run = count_task, .poster = p, .number = i};
        loop_post(p->loop, &p->tasks[i].task);
    }
    return NULL;
}

static void bump(void *arg)
{
    ++*(int *)arg;
}

static void on_hangup(void *arg)
{
    real_loop_stop(arg);
}

TEST(posts_of_many_threads_keep_their_order)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    struct real_loop *loop = NULL;
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    CHECK_EQUAL(real_loop_new(real, &loop), ERR_OK);
    int finished = 0, turns = 0;
    loop_set_turn_hook(real_loop_loop(loop), bump, &turns);
    struct poster *posters = mem_alloc(POSTERS * sizeof(posters[0]));
    for (int i = 0; i < POSTERS; i++) {
        posters[i].loop = real_loop_loop(loop);
        posters[i].real_loop = loop;
        posters[i].finished = &finished;
        CHECK_EQUAL(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
    }
    CHECK_EQUAL(real_loop_start(loop, "klamm-test"), ERR_OK);
    real_loop_join(loop);
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        CHECK_EQUAL(posters[i].next, POSTS_EACH);
    }
    CHECK(turns > 0);
    mem_free(posters);
    real_loop_free(loop);
    real_env_free(real);
    logger_file_close(log);
}

TEST(a_signal_is_an_event_of_the_loop)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    struct real_loop *loop = NULL;
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    CHECK_EQUAL(real_loop_new(real, &loop), ERR_OK);
    CHECK_EQUAL(real_loop_on_signal(loop, SIGHUP, on_hangup, loop), ERR_OK);
    CHECK_EQUAL(kill(getpid(), SIGHUP), 0);
    real_loop_run(loop);
    struct env_process_stats stats;
    env_process_stats(real_env_env(real), &stats);
    CHECK(stats.resident_bytes > 0 && stats.cpu_seconds > 0);
    CHECK(stats.open_fds > 3 && stats.fds_max >= stats.open_fds);
    CHECK(stats.start_time_seconds > 1e9);
    real_loop_free(loop);
    real_env_free(real);
    logger_file_close(log);
}

struct dual {
    struct sock *listener;
    struct real_loop *loop;
    struct env_addr peer;
    char congestion[16];
};

static void dual_accepts(void *arg, unsigned events)
{
    struct dual *d = arg;
    struct sock *sock = NULL;
    CHECK_EQUAL(sock_accept(d->listener, &sock), ERR_OK);
    sock_peer(sock, &d->peer);
    socklen_t len = sizeof(d->congestion);
    CHECK_EQUAL(getsockopt(real_sock_fd(sock), IPPROTO_TCP, TCP_CONGESTION, d->congestion, &len),
                0);
    sock_close(sock);
    real_loop_stop(d->loop);
}

TEST(a_listener_for_any_address_shows_ipv4_peers_as_such)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    struct dual d = {0};
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    CHECK_EQUAL(real_loop_new(real, &d.loop), ERR_OK);
    struct env_addr any, bound;
    size_t count = 1;
    CHECK_EQUAL(env_resolve(real_env_env(real), "", 0, &any, &count), ERR_OK);
    CHECK(env_addr_is_any(&any));
    CHECK_EQUAL(sock_listen(real_loop_loop(d.loop), &any, dual_accepts, &d, &d.listener), ERR_OK);
    sock_local(d.listener, &bound);
    int fd = real_peer_dial(bound.port);
    CHECK(fd >= 0);
    real_loop_run(d.loop);
    char host[ENV_ADDR_TEXT_SIZE];
    CHECK_TEXT(env_addr_host(&d.peer, host), "127.0.0.1");
    CHECK_TEXT(d.congestion, "reno"); /* not paced within the machine, whatever the default */
    real_peer_close(fd);
    sock_close(d.listener);
    CHECK_EQUAL(env_resolve(real_env_env(real), "no.such.host.invalid", 1, &any, &count),
                ERR_NOT_FOUND);
    real_loop_free(d.loop);
    real_env_free(real);
    logger_file_close(log);
}

struct sender {
    struct sock *listener;
    struct sock *sock;
    struct real_loop *loop;
    struct env_file *file;
};

static bool is_corked(const struct sender *s)
{
    int value = 1;
    socklen_t len = sizeof(value);
    CHECK_EQUAL(getsockopt(real_sock_fd(s->sock), IPPROTO_TCP, TCP_CORK, &value, &len), 0);
    return value != 0;
}

static void sender_accepts(void *arg, unsigned events)
{
    struct sender *s = arg;
    size_t sent = 0;
    struct sock_part parts[] = {
        {.data = (const uint8_t *)"header ", .len = 7},
        {.file = s->file, .pos = 0, .len = 8},
        {.data = (const uint8_t *)"!", .len = 1},
    };
    struct sock_part behind_the_end[] = {{.file = s->file, .pos = 100, .len = 4}, parts[2]};
    CHECK_EQUAL(sock_accept(s->listener, &s->sock), ERR_OK);
    CHECK_EQUAL(sock_send(s->sock, parts, 3, &sent), ERR_OK);
    CHECK_EQUAL(sent, 16);
    CHECK(!is_corked(s));
    CHECK_EQUAL(sock_send(s->sock, behind_the_end, 2, &sent), ERR_IO);
    CHECK(!is_corked(s));
    real_loop_stop(s->loop);
}

TEST(bytes_behind_a_file_range_share_its_packet)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    struct sender s = {0};
    char got[16], text[] = "contents", path[] = "/tmp/klamm-env-XXXXXX";
    struct iovec iov = {text, 8};
    close(mkstemp(path));
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    CHECK_EQUAL(real_loop_new(real, &s.loop), ERR_OK);
    struct env *env = real_env_env(real);
    CHECK_EQUAL(env_file_open(env, path, ENV_READ | ENV_WRITE, &s.file), ERR_OK);
    CHECK_EQUAL(env_file_write(s.file, &iov, 1, 0), ERR_OK);
    struct env_addr addr;
    size_t count = 1;
    CHECK_EQUAL(env_resolve(env, "127.0.0.1", 0, &addr, &count), ERR_OK);
    CHECK_EQUAL(sock_listen(real_loop_loop(s.loop), &addr, sender_accepts, &s, &s.listener),
                ERR_OK);
    sock_local(s.listener, &addr);
    int fd = real_peer_dial(addr.port);
    real_loop_run(s.loop);
    CHECK(real_peer_read(fd, got, 16));
    CHECK(memcmp(got, "header contents!", 16) == 0);
    CHECK_EQUAL(real_peer_packets(fd), 1);
    real_peer_close(fd);
    sock_close(s.sock);
    sock_close(s.listener);
    env_file_unref(s.file);
    CHECK_EQUAL(env_path_unlink(env, path), ERR_OK);
    real_loop_free(s.loop);
    real_env_free(real);
    logger_file_close(log);
}

TEST(a_hole_is_not_cached_and_what_lies_behind_the_end_is_no_hole)
{
    struct logger_file *log = NULL;
    struct real_env *real = NULL;
    struct env_file *file = NULL;
    char text[] = "contents", path[] = "/tmp/klamm-env-XXXXXX";
    struct iovec iov = {text, 8};
    close(mkstemp(path));
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    struct real_env_options options = {.workers = 1, .logger = logger_file_logger(log)};
    CHECK_EQUAL(real_env_new(&options, &real), ERR_OK);
    CHECK_EQUAL(env_file_open(real_env_env(real), path, ENV_READ | ENV_WRITE, &file), ERR_OK);
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    CHECK(env_file_is_cached(file, 0, 8));
    CHECK(env_file_is_cached(file, 0, 1 << 20));
    CHECK(env_file_is_cached(file, 1 << 20, 8));
    CHECK_EQUAL(env_file_truncate(file, 1 << 21), ERR_OK);
    CHECK(env_file_is_cached(file, 0, 8));
    CHECK(!env_file_is_cached(file, 0, 1 << 20));
    CHECK(!env_file_is_cached(file, 1 << 20, 8));
    env_file_unref(file);
    CHECK_EQUAL(env_path_unlink(real_env_env(real), path), ERR_OK);
    real_env_free(real);
    logger_file_close(log);
}

/* ---- monitors */

TEST(a_monitor_is_entered_and_left)
{
    struct monitor m;
    monitor_init(&m, MONITOR_TABLE);
    monitor_assert_none();
    monitor_enter(&m);
    monitor_assert_held(&m);
    monitor_leave(&m);
    monitor_assert_none();
    monitor_deinit(&m);
}
