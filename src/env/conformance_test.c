// SPDX-License-Identifier: Apache-2.0
/* conformance_test: the same expectations of an in-memory env and of a real one, with the kernel's
 * files and with files in memory. Thread: main, and the workers of the real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/testing.h"
#include "env/logger_file.h"
#include "env/mem_env.h"
#include "env/real_env.h"

enum kind { MEM, REAL, REAL_MEMORY, KIND_COUNT };

struct world {
    enum kind kind;
    struct env *env;
    struct loop *loop;
    struct mem_env m;
    struct logger_file *log;
    struct real_env *real;
    struct real_loop *real_loop;
    bool is_done;
    char dir[256];
    char path[512];
};

static void world_init(struct world *w, enum kind kind)
{
    memset(w, 0, sizeof(*w));
    w->kind = kind;
    if (kind == MEM) {
        mem_env_init(&w->m);
        w->env = &w->m.env;
        w->loop = mem_env_loop(&w->m, 0);
        snprintf(w->dir, sizeof(w->dir), "data");
        CHECK_EQUAL(env_dir_make(w->env, w->dir), ERR_OK);
        return;
    }
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof(w->dir), "%s/klamm-env-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (kind == REAL)
        CHECK(mkdtemp(w->dir) != NULL);
    else
        snprintf(w->dir, sizeof(w->dir), "/data");
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &w->log), ERR_OK);
    struct real_env_options options = {
        .workers = 3, .logger = logger_file_logger(w->log), .in_memory = kind == REAL_MEMORY};
    CHECK_EQUAL(real_env_new(&options, &w->real), ERR_OK);
    CHECK_EQUAL(real_loop_new(w->real, &w->real_loop), ERR_OK);
    w->env = real_env_env(w->real);
    if (kind == REAL_MEMORY)
        CHECK_EQUAL(env_dir_make(w->env, w->dir), ERR_OK);
    w->loop = real_loop_loop(w->real_loop);
}

struct removal {
    struct world *w;
    const char *dir;
};

static void remove_entry(void *arg, const char *name, bool is_dir)
{
    const struct removal *r = arg;
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    enum err e = is_dir ? env_dir_remove(r->w->env, path) : env_path_unlink(r->w->env, path);
    CHECK_EQUAL(e, ERR_OK);
}

static void world_deinit(struct world *w)
{
    struct removal r = {w, w->dir};
    CHECK_EQUAL(env_dir_list(w->env, w->dir, remove_entry, &r), ERR_OK);
    CHECK_EQUAL(env_dir_remove(w->env, w->dir), ERR_OK);
    if (w->kind == MEM) {
        mem_env_deinit(&w->m);
        return;
    }
    real_loop_free(w->real_loop);
    real_env_free(w->real);
    logger_file_close(w->log);
}

static const char *at(struct world *w, const char *name)
{
    snprintf(w->path, sizeof(w->path), "%s/%s", w->dir, name);
    return w->path;
}

static void world_done(struct world *w)
{
    w->is_done = true;
    if (w->kind != MEM)
        real_loop_stop(w->real_loop);
}

/* Runs the loop until a callback calls world_done. */
static void world_run(struct world *w)
{
    w->is_done = false;
    if (w->kind != MEM) {
        real_loop_run(w->real_loop);
        return;
    }
    for (int ms = 0; !w->is_done; ms++) {
        CHECK(ms < 100000);
        mem_env_run_until_idle(&w->m);
        if (!w->is_done)
            mem_env_advance_ms(&w->m, 1);
    }
}

static void each_kind(void (*run)(struct world *w))
{
    for (enum kind kind = MEM; kind < KIND_COUNT; kind++) {
        struct world w;
        world_init(&w, kind);
        run(&w);
        world_deinit(&w);
    }
}

static void put(struct env_file *file, const char *text, int64_t pos)
{
    char copy[256];
    size_t len = strlen(text);
    memcpy(copy, text, len);
    struct iovec iov = {copy, len};
    CHECK_EQUAL(env_file_write(file, &iov, 1, pos), ERR_OK);
}

static struct env_file *open_file(struct world *w, const char *name, unsigned flags)
{
    struct env_file *file = NULL;
    CHECK_EQUAL(env_file_open(w->env, at(w, name), flags, &file), ERR_OK);
    return file;
}

static int64_t size_of(struct env_file *file)
{
    int64_t size = -1;
    CHECK_EQUAL(env_file_size(file, &size), ERR_OK);
    return size;
}

/* ---- files */

static void file_by_position(struct world *w)
{
    struct env_file *file = open_file(w, "a", ENV_READ | ENV_WRITE | ENV_CREATE);
    char one[] = "one,", two[] = "two,", three[] = "three";
    struct iovec iov[] = {{one, 4}, {one, 0}, {two, 4}, {three, 5}};
    CHECK_EQUAL(env_file_write(file, iov, 4, 3), ERR_OK);
    CHECK_EQUAL(size_of(file), 16);
    char out[32];
    size_t got = 99;
    CHECK_EQUAL(env_file_read(file, out, sizeof(out), 0, ENV_WAIT, &got), ERR_OK);
    CHECK_EQUAL(got, 16);
    CHECK(memcmp(out, "\0\0\0one,two,three", 16) == 0);
    CHECK_EQUAL(env_file_read(file, out, 4, 7, ENV_NOWAIT, &got), ERR_OK);
    CHECK_EQUAL(got, 4);
    CHECK(memcmp(out, "two,", 4) == 0);
    CHECK_EQUAL(env_file_read(file, out, 4, 16, ENV_NOWAIT, &got), ERR_OK);
    CHECK_EQUAL(got, 0);
    CHECK(env_file_is_cached(file, 0, 16));
    CHECK(env_file_is_cached(file, 4000, 1));
    CHECK_EQUAL(env_file_sync(file), ERR_OK);
    env_file_unref(file);
}

TEST(files_are_read_and_written_by_position)
{
    each_kind(file_by_position);
}

static void file_sizes(struct world *w)
{
    struct env_file *file = open_file(w, "a", ENV_READ | ENV_WRITE | ENV_CREATE);
    put(file, "abcdefgh", 0);
    CHECK_EQUAL(env_file_truncate(file, 3), ERR_OK);
    CHECK_EQUAL(env_file_truncate(file, 6), ERR_OK);
    char out[8];
    size_t got;
    CHECK_EQUAL(env_file_read(file, out, 8, 0, ENV_WAIT, &got), ERR_OK);
    CHECK_EQUAL(got, 6);
    CHECK(memcmp(out, "abc\0\0\0", 6) == 0);
    CHECK_EQUAL(env_file_allocate(file, 0, 10000), ERR_OK);
    CHECK_EQUAL(size_of(file), 10000);
    CHECK_EQUAL(env_file_allocate(file, 10, 10), ERR_OK);
    CHECK_EQUAL(size_of(file), 10000);
    CHECK_EQUAL(env_file_read(file, out, 4, 9998, ENV_WAIT, &got), ERR_OK);
    CHECK_EQUAL(got, 2);
    CHECK(memcmp(out, "\0\0", 2) == 0);
    env_file_unref(file);
    file = open_file(w, "a", ENV_WRITE | ENV_TRUNCATE);
    CHECK_EQUAL(size_of(file), 0);
    env_file_unref(file);
}

TEST(files_shrink_and_grow_with_zeros)
{
    each_kind(file_sizes);
}

static void file_names(struct world *w)
{
    struct env_file *file = NULL, *again = NULL;
    CHECK_EQUAL(env_file_open(w->env, at(w, "a"), ENV_READ, &file), ERR_NOT_FOUND);
    CHECK_EQUAL(env_file_open(w->env, at(w, "no/a"), ENV_WRITE | ENV_CREATE, &file), ERR_NOT_FOUND);
    file = open_file(w, "a", ENV_READ | ENV_WRITE | ENV_CREATE | ENV_EXCLUSIVE);
    CHECK_EQUAL(env_file_open(w->env, at(w, "a"), ENV_WRITE | ENV_CREATE | ENV_EXCLUSIVE, &again),
                ERR_EXISTS);
    CHECK(again == NULL);
    put(file, "first", 0);
    again = open_file(w, "b", ENV_READ | ENV_WRITE | ENV_CREATE);
    put(again, "second!", 0);
    char from[512];
    snprintf(from, sizeof(from), "%s", at(w, "b"));
    CHECK_EQUAL(env_path_rename(w->env, from, at(w, "a")), ERR_OK);
    CHECK_EQUAL(env_path_rename(w->env, from, at(w, "a")), ERR_NOT_FOUND);
    CHECK_EQUAL(size_of(file), 5); /* replaced, and still open */
    env_file_unref(file);
    file = open_file(w, "a", ENV_READ);
    CHECK_EQUAL(size_of(file), 7);
    env_file_unref(again);
    CHECK_EQUAL(env_path_unlink(w->env, at(w, "a")), ERR_OK);
    CHECK_EQUAL(env_path_unlink(w->env, at(w, "a")), ERR_NOT_FOUND);
    char out[8];
    size_t got;
    CHECK_EQUAL(env_file_read(file, out, 8, 0, ENV_WAIT, &got), ERR_OK);
    CHECK_EQUAL(got, 7);
    struct env_file *same = env_file_ref(file);
    env_file_unref(file);
    CHECK_EQUAL(size_of(same), 7);
    env_file_unref(same);
}

TEST(files_have_names_until_they_are_removed)
{
    each_kind(file_names);
}

enum { NAMES_SIZE = 256 };

static void collect(void *arg, const char *name, bool is_dir)
{
    char *names = arg;
    size_t len = strlen(names);
    snprintf(names + len, NAMES_SIZE - len, is_dir ? "%s/ " : "%s ", name);
}

static void directories(struct world *w)
{
    CHECK_EQUAL(env_dir_make(w->env, at(w, "t-1")), ERR_OK);
    CHECK_EQUAL(env_dir_make(w->env, at(w, "t-1")), ERR_EXISTS);
    CHECK_EQUAL(env_dir_make(w->env, at(w, "x/y")), ERR_NOT_FOUND);
    env_file_unref(open_file(w, "t-1/b", ENV_WRITE | ENV_CREATE));
    env_file_unref(open_file(w, "t-10", ENV_WRITE | ENV_CREATE));
    env_file_unref(open_file(w, "T", ENV_WRITE | ENV_CREATE));
    env_file_unref(open_file(w, "a", ENV_WRITE | ENV_CREATE));
    char names[NAMES_SIZE] = "";
    CHECK_EQUAL(env_dir_list(w->env, w->dir, collect, names), ERR_OK);
    CHECK_TEXT(names, "T a t-1/ t-10 ");
    CHECK_EQUAL(env_dir_remove(w->env, at(w, "t-1")), ERR_EXISTS);
    CHECK_EQUAL(env_dir_sync(w->env, at(w, "t-1")), ERR_OK);
    CHECK_EQUAL(env_dir_sync(w->env, at(w, "t-2")), ERR_NOT_FOUND);
    char from[512];
    snprintf(from, sizeof(from), "%s", at(w, "t-1"));
    CHECK_EQUAL(env_path_rename(w->env, from, at(w, "t-1.abc-delete")), ERR_OK);
    names[0] = '\0';
    CHECK_EQUAL(env_dir_list(w->env, at(w, "t-1.abc-delete"), collect, names), ERR_OK);
    CHECK_TEXT(names, "b ");
    CHECK_EQUAL(env_dir_list(w->env, from, collect, names), ERR_NOT_FOUND);
    CHECK_EQUAL(env_path_unlink(w->env, at(w, "t-1.abc-delete/b")), ERR_OK);
    CHECK_EQUAL(env_dir_remove(w->env, at(w, "t-1.abc-delete")), ERR_OK);
    int64_t free_bytes = -1, total_bytes = -1;
    CHECK_EQUAL(env_disk_space(w->env, w->dir, &free_bytes, &total_bytes), ERR_OK);
    CHECK(free_bytes >= 0 && free_bytes <= total_bytes);
}

TEST(directories_list_in_byte_order_and_move_whole)
{
    each_kind(directories);
}

static void locks(struct world *w)
{
    struct env_file *a = open_file(w, ".lock", ENV_WRITE | ENV_CREATE);
    struct env_file *b = open_file(w, ".lock", ENV_WRITE);
    CHECK_EQUAL(env_file_lock(a), ERR_OK);
    CHECK_EQUAL(env_file_lock(a), ERR_OK);
    CHECK_EQUAL(env_file_lock(b), ERR_BUSY);
    env_file_unref(a);
    CHECK_EQUAL(env_file_lock(b), ERR_OK);
    env_file_unref(b);
}

TEST(a_locked_file_is_busy_until_it_closes)
{
    each_kind(locks);
}

/* ---- loops */

struct numbered {
    struct loop_timer timer;
    struct loop_task task;
    struct env_job job;
    struct world *w;
    char name;
    char *trace;
    int steps;
    bool is_last;
};

static void note(struct numbered *n)
{
    size_t len = strlen(n->trace);
    n->trace[len] = n->name;
    n->trace[len + 1] = '\0';
    if (n->is_last)
        world_done(n->w);
}

static void timer_fired(struct loop_timer *timer)
{
    struct numbered *n = container_of(timer, struct numbered, timer);
    CHECK(loop_is_current(n->w->loop));
    CHECK(!heap_contains(&timer->node));
    note(n);
}

static void timers(struct world *w)
{
    char trace[16] = "";
    struct numbered n[6] = {0};
    int64_t now = loop_now_ns(w->loop);
    static const int after_ms[] = {3, 1, 2, 2, 1, 4};
    for (int i = 0; i < 6; i++) {
        n[i] = (struct numbered){.timer.fire = timer_fired,
                                 .w = w,
                                 .name = (char)('a' + i),
                                 .trace = trace,
                                 .is_last = i == 0};
        loop_timer_start(w->loop, &n[i].timer, now + after_ms[i] * 1000000);
    }
    loop_timer_stop(w->loop, &n[4].timer);
    loop_timer_stop(w->loop, &n[4].timer);
    loop_timer_start(w->loop, &n[5].timer, now - 5);
    world_run(w);
    CHECK_TEXT(trace, "fbcda");
    CHECK(loop_now_ns(w->loop) >= now + 3000000);
}

TEST(timers_fire_in_order_of_time_then_of_starting)
{
    each_kind(timers);
}

static void task_ran(struct loop_task *task)
{
    struct numbered *n = container_of(task, struct numbered, task);
    CHECK(loop_is_current(n->w->loop));
    note(n);
}

static bool job_step(struct env_job *job)
{
    struct numbered *n = container_of(job, struct numbered, job);
    if (--n->steps > 0)
        return true;
    loop_post(n->w->loop, &n->task);
    return false;
}

static void posts(struct world *w)
{
    char trace[16] = "", from_jobs[16] = "";
    struct numbered n[4], by_job = {.task.run = task_ran,
                                    .job.run = job_step,
                                    .job.queue = ENV_QUEUE_WRITE,
                                    .w = w,
                                    .name = 'j',
                                    .trace = from_jobs,
                                    .steps = 3,
                                    .is_last = true};
    for (int i = 0; i < 4; i++) {
        n[i] = (struct numbered){
            .task.run = task_ran, .w = w, .name = (char)('a' + i), .trace = trace};
        loop_post(w->loop, &n[i].task);
    }
    env_submit(w->env, &by_job.job);
    world_run(w);
    CHECK_TEXT(trace, "abcd");
    CHECK_TEXT(from_jobs, "j");
    CHECK_EQUAL(by_job.steps, 0);
}

TEST(tasks_run_in_order_of_posting_and_jobs_step_until_done)
{
    each_kind(posts);
}

static void count_turn(void *arg)
{
    ++*(int *)arg;
}

static void turn_hook(struct world *w)
{
    int turns = 0;
    char trace[16] = "";
    struct numbered n = {
        .task.run = task_ran, .w = w, .name = 'a', .trace = trace, .is_last = true};
    loop_set_turn_hook(w->loop, count_turn, &turns);
    loop_post(w->loop, &n.task);
    world_run(w);
    CHECK(turns >= 1);
    loop_set_turn_hook(w->loop, NULL, NULL);
}

TEST(the_turn_hook_is_called)
{
    each_kind(turn_hook);
}

/* ---- sockets */

enum { BIG_BYTES = 8 * 1024 * 1024 };

struct talk {
    struct world *w;
    struct sock *listener;
    struct sock *server;
    struct sock *client;
    struct env_file *file;
    char got[64];
    size_t got_len;
    uint8_t *big;
    size_t big_sent;
    size_t big_got;
    bool was_blocked;
    bool saw_close;
    enum err connect_result;
};

static void listen_any_port(struct talk *t, sock_ready_fn *on_connect, struct env_addr *bound)
{
    struct env_addr addr;
    size_t count = 1;
    CHECK_EQUAL(env_resolve(t->w->env, "127.0.0.1", 0, &addr, &count), ERR_OK);
    CHECK_EQUAL(sock_listen(t->w->loop, &addr, on_connect, t, &t->listener), ERR_OK);
    sock_local(t->listener, bound);
    CHECK(bound->port != 0);
}

static void server_answers(void *arg, unsigned events)
{
    struct talk *t = arg;
    char in[16];
    size_t got = 0, sent = 0;
    enum err e = sock_recv(t->server, in, sizeof(in), &got);
    if (e == ERR_CLOSED) {
        t->saw_close = true;
        sock_close(t->server);
        t->server = NULL;
        world_done(t->w);
        return;
    }
    CHECK_EQUAL(e, ERR_OK);
    CHECK_EQUAL(got, 5);
    struct sock_part parts[] = {
        {.data = (const uint8_t *)in, .len = got},
        {.file = t->file, .pos = 2, .len = 4},
        {.file = t->file, .pos = 0, .len = 1},
        {.data = (const uint8_t *)"!", .len = 1},
    };
    CHECK_EQUAL(sock_send(t->server, parts, 4, &sent), ERR_OK);
    CHECK_EQUAL(sent, 11);
}

static void server_accepts(void *arg, unsigned events)
{
    struct talk *t = arg;
    CHECK_EQUAL(events, SOCK_READABLE);
    CHECK_EQUAL(sock_accept(t->listener, &t->server), ERR_OK);
    sock_attach(t->server, t->w->loop, server_answers, t);
    struct sock *none = NULL;
    CHECK_EQUAL(sock_accept(t->listener, &none), ERR_AGAIN);
}

static void client_talks(void *arg, unsigned events)
{
    struct talk *t = arg;
    size_t n = 0;
    if ((events & SOCK_WRITABLE) != 0) {
        CHECK_EQUAL(sock_connect_result(t->client), ERR_OK);
        struct sock_part hello = {.data = (const uint8_t *)"hello", .len = 5};
        CHECK_EQUAL(sock_send(t->client, &hello, 1, &n), ERR_OK);
        CHECK_EQUAL(n, 5);
        sock_want(t->client, SOCK_READABLE);
        return;
    }
    CHECK_EQUAL(sock_recv(t->client, t->got + t->got_len, sizeof(t->got) - t->got_len, &n), ERR_OK);
    t->got_len += n;
    if (t->got_len < 11)
        return;
    CHECK(memcmp(t->got, "hellocdefa!", 11) == 0);
    size_t unused;
    CHECK_EQUAL(sock_recv(t->client, t->got, 1, &unused), ERR_AGAIN);
    sock_close(t->client);
    t->client = NULL;
}

static void echo(struct world *w)
{
    struct talk t = {.w = w};
    struct env_addr bound, peer;
    char text[ENV_ADDR_TEXT_SIZE];
    t.file = open_file(w, "a", ENV_READ | ENV_WRITE | ENV_CREATE);
    put(t.file, "abcdefgh", 0);
    listen_any_port(&t, server_accepts, &bound);
    CHECK_EQUAL(sock_connect(w->loop, &bound, client_talks, &t, &t.client), ERR_OK);
    sock_peer(t.client, &peer);
    CHECK_EQUAL(peer.port, bound.port);
    CHECK_TEXT(env_addr_host(&peer, text), "127.0.0.1");
    world_run(w);
    CHECK(t.saw_close);
    sock_close(t.listener);
    env_file_unref(t.file);
}

TEST(an_answer_of_bytes_and_file_ranges_arrives_whole)
{
    each_kind(echo);
}

/* As much as fits now. */
static void send_big(struct talk *t)
{
    while (t->big_sent < BIG_BYTES) {
        size_t n = 0, half = (BIG_BYTES - t->big_sent) / 2;
        struct sock_part parts[] = {
            {.data = t->big + t->big_sent, .len = half},
            {.data = t->big + t->big_sent + half, .len = BIG_BYTES - t->big_sent - half},
        };
        enum err e = sock_send(t->server, parts, 2, &n);
        if (e == ERR_AGAIN) {
            t->was_blocked = true;
            sock_want(t->server, SOCK_WRITABLE);
            return;
        }
        CHECK_EQUAL(e, ERR_OK);
        t->big_sent += n;
    }
    sock_close(t->server);
    t->server = NULL;
}

static void server_is_writable(void *arg, unsigned events)
{
    if (events == SOCK_WRITABLE)
        send_big(arg);
}

static void server_accepts_and_sends(void *arg, unsigned events)
{
    struct talk *t = arg;
    CHECK_EQUAL(sock_accept(t->listener, &t->server), ERR_OK);
    sock_attach(t->server, t->w->loop, server_is_writable, t);
    send_big(t);
}

static void client_reads_all(void *arg, unsigned events)
{
    struct talk *t = arg;
    uint8_t chunk[16384];
    size_t n = 0;
    if ((events & SOCK_WRITABLE) != 0) {
        sock_want(t->client, SOCK_READABLE);
        return;
    }
    enum err e = sock_recv(t->client, chunk, sizeof(chunk), &n);
    if (e == ERR_CLOSED) {
        sock_close(t->client);
        t->client = NULL;
        world_done(t->w);
        return;
    }
    CHECK_EQUAL(e, ERR_OK);
    CHECK(memcmp(chunk, t->big + t->big_got, n) == 0);
    t->big_got += n;
}

static void back_pressure(struct world *w)
{
    struct talk t = {.w = w, .big = mem_alloc(BIG_BYTES)};
    struct env_addr bound;
    struct prng p;
    prng_seed(&p, 7);
    prng_fill(&p, t.big, BIG_BYTES);
    listen_any_port(&t, server_accepts_and_sends, &bound);
    CHECK_EQUAL(sock_connect(w->loop, &bound, client_reads_all, &t, &t.client), ERR_OK);
    world_run(w);
    CHECK_EQUAL(t.big_got, BIG_BYTES);
    CHECK(t.was_blocked);
    sock_close(t.listener);
    mem_free(t.big);
}

TEST(a_slow_reader_gets_every_byte)
{
    each_kind(back_pressure);
}

static void client_is_refused(void *arg, unsigned events)
{
    struct talk *t = arg;
    CHECK((events & SOCK_WRITABLE) != 0);
    t->connect_result = sock_connect_result(t->client);
    sock_close(t->client);
    world_done(t->w);
}

static void refused(struct world *w)
{
    struct talk t = {.w = w};
    struct env_addr bound;
    listen_any_port(&t, server_accepts, &bound);
    struct sock *second = NULL;
    CHECK_EQUAL(sock_listen(w->loop, &bound, server_accepts, &t, &second), ERR_BUSY);
    sock_close(t.listener);
    CHECK_EQUAL(sock_connect(w->loop, &bound, client_is_refused, &t, &t.client), ERR_OK);
    world_run(w);
    CHECK_EQUAL(t.connect_result, ERR_CLOSED);
}

TEST(nobody_listening_is_refused_and_a_taken_port_is_busy)
{
    each_kind(refused);
}
