// SPDX-License-Identifier: Apache-2.0
/*
 * sim_test: the simulated world itself: what a crash takes and what it may not take,
 * order of jobs and bytes, and that one seed is one run.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/sim_env.h"
#include "env/sim_net.h"

enum { SEEDS = 300, FILE_BYTES = 20000 };

static struct sim_env *machine(struct sim *sim, struct sim_disk *disk, const char *ip)
{
    return sim_env_new(sim,
                       &(struct sim_env_options){
                           .ip = ip, .disk = disk, .workers = disk != NULL ? 3 : 0, .loops = 1});
}

static enum err put(struct env_file *file, const void *data, size_t len, int64_t pos)
{
    struct iovec iov = {(void *)(uintptr_t)data, len};
    return env_file_write(file, &iov, 1, pos);
}

/* ---- disk */

struct disk_run {
    struct sim *sim;
    struct sim_disk *disk;
    struct sim_env *before;
    struct sim_env *after;
};

static struct disk_run disk_begin(uint64_t seed)
{
    struct disk_run run = {.sim = sim_new(seed), .disk = sim_disk_new()};
    run.before = machine(run.sim, run.disk, "10.0.0.1");
    return run;
}

static void disk_crash(struct disk_run *run, enum sim_death how)
{
    sim_env_die(run->before, how);
    run->after = machine(run->sim, run->disk, "10.0.0.1");
}

static void disk_end(struct disk_run *run)
{
    sim_free(run->sim);
    sim_disk_free(run->disk);
}

/* Pages of 'a' are synced; pages of 'b' behind and over them are not. */
TEST(sim_power_cut_takes_only_what_was_not_synced)
{
    static uint8_t data[FILE_BYTES];
    static uint8_t back[FILE_BYTES * 2];
    int whole = 0, gone = 0, torn = 0, zeros = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk_run run = disk_begin(seed);
        struct env_file *file;
        struct env *env = &run.before->env;
        CHECK(env_file_open(env, "f", ENV_READ | ENV_WRITE | ENV_CREATE, &file) == ERR_OK);
        CHECK(env_dir_sync(env, "") == ERR_OK);
        memset(data, 'a', sizeof(data));
        CHECK(put(file, data, FILE_BYTES, 0) == ERR_OK);
        CHECK(env_file_sync(file) == ERR_OK);
        memset(data, 'b', sizeof(data));
        CHECK(put(file, data, FILE_BYTES, FILE_BYTES) == ERR_OK);
        disk_crash(&run, SIM_DEATH_POWER_CUT);
        env_file_unref(file); /* of a dead process: harmless */

        env = &run.after->env;
        CHECK(env_file_open(env, "f", ENV_READ, &file) == ERR_OK);
        size_t got = 0;
        CHECK(env_file_read(file, back, sizeof(back), 0, ENV_WAIT, &got) == ERR_OK);
        CHECK(got >= FILE_BYTES);
        for (size_t i = 0; i < FILE_BYTES; i++)
            CHECK(back[i] == 'a');
        size_t kept = 0, empty = 0;
        for (size_t i = FILE_BYTES; i < got; i++) {
            kept += back[i] == 'b';
            empty += back[i] == 0;
        }
        CHECK_EQUAL(kept + empty, got - FILE_BYTES);
        whole += kept == FILE_BYTES;
        gone += got == FILE_BYTES;
        torn += kept > 0 && empty > 0;
        zeros += kept == 0 && empty > 0;
        env_file_unref(file);
        disk_end(&run);
    }
    CHECK(whole > 0 && gone > 0 && torn > 0);
    CHECK(whole + gone + torn + zeros <= SEEDS);
}

/* The older one ends last: what the newer one covered stays. */
TEST(sim_syncs_that_overlap_never_go_back)
{
    struct disk_run run = disk_begin(3);
    struct env_file *file;
    uint8_t byte = 'a';
    CHECK(env_file_open(&run.before->env, "f", ENV_READ | ENV_WRITE | ENV_CREATE, &file) == ERR_OK);
    CHECK(env_dir_sync(&run.before->env, "") == ERR_OK);
    struct sim_inode *inode = sim_disk_find(run.disk, "f");
    struct sim_sync older, newer;
    CHECK(put(file, &byte, 1, 0) == ERR_OK);
    sim_sync_begin(inode, &older);
    byte = 'b';
    CHECK(put(file, &byte, 1, 0) == ERR_OK);
    sim_sync_begin(inode, &newer);
    sim_sync_end(inode, &newer);
    sim_sync_end(inode, &older);
    sim_sync_drop(&newer);
    sim_sync_drop(&older);
    disk_crash(&run, SIM_DEATH_POWER_CUT);
    env_file_unref(file);
    size_t got = 0;
    CHECK(env_file_open(&run.after->env, "f", ENV_READ, &file) == ERR_OK);
    CHECK(env_file_read(file, &byte, 1, 0, ENV_WAIT, &got) == ERR_OK);
    CHECK(got == 1 && byte == 'b');
    env_file_unref(file);
    disk_end(&run);
}

TEST(sim_process_kill_takes_nothing)
{
    struct disk_run run = disk_begin(1);
    struct env_file *file;
    CHECK(env_file_open(&run.before->env, "f", ENV_WRITE | ENV_CREATE, &file) == ERR_OK);
    CHECK(env_file_lock(file) == ERR_OK);
    CHECK(put(file, "abc", 3, 0) == ERR_OK);
    disk_crash(&run, SIM_DEATH_KILL);
    env_file_unref(file);
    CHECK(env_file_open(&run.after->env, "f", ENV_READ, &file) == ERR_OK);
    CHECK(env_file_lock(file) == ERR_OK);
    struct env_file *other;
    CHECK(env_file_open(&run.after->env, "f", ENV_READ, &other) == ERR_OK);
    CHECK(env_file_lock(other) == ERR_BUSY);
    int64_t size = 0;
    CHECK(env_file_size(other, &size) == ERR_OK);
    CHECK_EQUAL(size, 3);
    env_file_unref(file);
    CHECK(env_file_lock(other) == ERR_OK);
    env_file_unref(other);
    disk_end(&run);
}

static bool exists(struct env *env, const char *path)
{
    struct env_file *file;
    if (env_file_open(env, path, ENV_READ, &file) != ERR_OK)
        return false;
    env_file_unref(file);
    return true;
}

static void make(struct env *env, const char *path, const char *text)
{
    struct env_file *file;
    CHECK(env_file_open(env, path, ENV_WRITE | ENV_CREATE, &file) == ERR_OK);
    CHECK(put(file, text, strlen(text), 0) == ERR_OK);
    CHECK(env_file_sync(file) == ERR_OK);
    env_file_unref(file);
}

static bool holds(struct env *env, const char *path, const char *text)
{
    struct env_file *file;
    char back[64];
    size_t got = 0;
    if (env_file_open(env, path, ENV_READ, &file) != ERR_OK)
        return false;
    CHECK(env_file_read(file, back, sizeof(back), 0, ENV_WAIT, &got) == ERR_OK);
    env_file_unref(file);
    return got == strlen(text) && memcmp(back, text, got) == 0;
}

TEST(sim_power_cut_takes_names_that_were_not_synced)
{
    int lost = 0, kept = 0, old = 0, new = 0, undeleted = 0, lost_dir = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk_run run = disk_begin(seed);
        struct env *env = &run.before->env;
        CHECK(env_dir_make(env, "d") == ERR_OK);
        CHECK(env_dir_sync(env, "") == ERR_OK);
        make(env, "d/synced", "1");
        make(env, "d/target", "old");
        make(env, "d/victim", "1");
        CHECK(env_dir_sync(env, "d") == ERR_OK);
        make(env, "d/next", "new");
        CHECK(env_path_rename(env, "d/next", "d/target") == ERR_OK);
        make(env, "d/loose", "1");
        CHECK(env_path_unlink(env, "d/victim") == ERR_OK);
        CHECK(env_dir_make(env, "e") == ERR_OK);
        make(env, "e/inner", "1");
        CHECK(env_dir_sync(env, "e") == ERR_OK);
        disk_crash(&run, SIM_DEATH_POWER_CUT);

        env = &run.after->env;
        CHECK(exists(env, "d/synced"));
        CHECK(holds(env, "d/target", "old") != holds(env, "d/target", "new"));
        old += holds(env, "d/target", "old");
        new += holds(env, "d/target", "new");
        kept += exists(env, "d/loose");
        lost += !exists(env, "d/loose");
        undeleted += exists(env, "d/victim");
        lost_dir += !exists(env, "e/inner");
        /* Changes of one directory stay in their order. */
        CHECK(!exists(env, "d/loose") || holds(env, "d/target", "new"));
        CHECK(exists(env, "d/victim") || exists(env, "d/loose"));
        disk_end(&run);
    }
    CHECK(lost > 0 && kept > 0 && old > 0 && new > 0 && undeleted > 0 && lost_dir > 0);
}

/* A file cut and filled again must not show, above the cut, bytes from before it once the new
 * size is durable. */
TEST(sim_cut_and_regrown_file_shows_no_old_bytes)
{
    uint8_t data[8192];
    uint8_t back[8192];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk_run run = disk_begin(seed);
        struct env *env = &run.before->env;
        struct env_file *file;
        CHECK(env_file_open(env, "f", ENV_WRITE | ENV_CREATE, &file) == ERR_OK);
        CHECK(env_dir_sync(env, "") == ERR_OK);
        memset(data, 'a', sizeof(data));
        CHECK(put(file, data, sizeof(data), 0) == ERR_OK);
        CHECK(env_file_sync(file) == ERR_OK);
        CHECK(env_file_truncate(file, 1000) == ERR_OK);
        CHECK(env_file_sync(file) == ERR_OK);
        memset(data, 'b', sizeof(data));
        CHECK(put(file, data, 2000, 1000) == ERR_OK);
        disk_crash(&run, SIM_DEATH_POWER_CUT);
        env_file_unref(file);
        CHECK(env_file_open(&run.after->env, "f", ENV_READ, &file) == ERR_OK);
        size_t got = 0;
        CHECK(env_file_read(file, back, sizeof(back), 0, ENV_WAIT, &got) == ERR_OK);
        CHECK(got >= 1000 && got <= 3000);
        for (size_t i = 0; i < got; i++)
            CHECK(i < 1000 ? back[i] == 'a' : back[i] == 'b' || back[i] == 0);
        env_file_unref(file);
        disk_end(&run);
    }
}

TEST(sim_disk_that_is_full_says_so)
{
    struct disk_run run = disk_begin(1);
    run.disk->space_bytes = 100;
    struct env_file *file;
    uint8_t data[80] = {0};
    CHECK(env_file_open(&run.before->env, "f", ENV_WRITE | ENV_CREATE, &file) == ERR_OK);
    CHECK(put(file, data, 80, 0) == ERR_OK);
    CHECK(put(file, data, 80, 80) == ERR_NO_SPACE);
    CHECK(env_file_allocate(file, 0, 101) == ERR_NO_SPACE);
    CHECK(put(file, data, 20, 80) == ERR_OK);
    env_file_unref(file);
    disk_end(&run);
}

TEST(sim_disk_faults_hit_only_what_they_are_for)
{
    struct disk_run run = disk_begin(1);
    struct env *env = &run.before->env;
    struct env_file *bad, *good;
    uint8_t data[80] = {0};
    int64_t size = 0;
    CHECK(env_dir_make(env, "bad-0") == ERR_OK);
    CHECK(env_file_open(env, "bad-0/f", ENV_WRITE | ENV_CREATE, &bad) == ERR_OK);
    CHECK(env_file_open(env, "good", ENV_WRITE | ENV_CREATE, &good) == ERR_OK);
    CHECK(put(bad, data, 80, 0) == ERR_OK);
    run.sim->tuning.disk_faults_under = "bad";
    run.sim->tuning.disk_full_under = "bad";
    run.sim->tuning.disk_is_full = true;
    CHECK(put(bad, data, 80, 40) == ERR_NO_SPACE);
    CHECK(env_file_allocate(bad, 0, 1000) == ERR_NO_SPACE);
    CHECK(put(bad, data, 80, 0) == ERR_OK); /* it does not grow */
    CHECK(env_file_truncate(bad, 10) == ERR_OK);
    CHECK(put(good, data, 80, 0) == ERR_OK);
    CHECK_EQUAL(run.sim->faults[SIM_FAULT_DISK_FULL], 2);
    run.sim->tuning.disk_is_full = false;
    CHECK(put(bad, data, 80, 40) == ERR_OK);
    run.sim->tuning.disk_error_ppm = 1000000;
    CHECK(put(bad, data, 80, 120) == ERR_IO);
    CHECK(env_file_sync(bad) == ERR_IO);
    CHECK(env_file_size(bad, &size) == ERR_OK);
    CHECK(size >= 120 && size <= 200); /* a part of it may have been written */
    CHECK(put(good, data, 80, 80) == ERR_OK);
    CHECK(env_file_sync(good) == ERR_OK);
    CHECK_EQUAL(run.sim->faults[SIM_FAULT_DISK_ERROR], 2);
    env_file_unref(bad);
    env_file_unref(good);
    disk_end(&run);
}

/* ---- jobs and deaths in the middle of them */

struct writer_job {
    struct env_job job;
    struct env *env;
    int steps;
    int done;
    struct env_file *file;
};

/* Each step appends one byte and syncs it. */
static bool write_step(struct env_job *job)
{
    struct writer_job *w = container_of(job, struct writer_job, job);
    if (w->file == NULL) {
        CHECK(env_file_open(w->env, "f", ENV_READ | ENV_WRITE | ENV_CREATE, &w->file) == ERR_OK);
        CHECK(env_dir_sync(w->env, "") == ERR_OK);
    }
    CHECK(put(w->file, "x", 1, w->done) == ERR_OK);
    CHECK(env_file_sync(w->file) == ERR_OK);
    w->done++;
    return w->done < w->steps;
}

TEST(sim_death_in_each_operation_keeps_what_was_synced)
{
    bool has_died = true;
    int last_done = 0;
    for (int64_t nth = 1; has_died; nth++) {
        struct disk_run run = disk_begin((uint64_t)nth);
        struct writer_job w = {.job = {.run = write_step}, .env = &run.before->env, .steps = 5};
        sim_env_die_at_io(run.before, nth, SIM_DEATH_POWER_CUT);
        env_submit(&run.before->env, &w.job);
        sim_run(run.sim, SIM_S);
        has_died = run.before->is_dead;
        CHECK(has_died == (w.done < w.steps));
        CHECK(w.done >= last_done);
        last_done = w.done;
        if (has_died) {
            struct sim_env *after = machine(run.sim, run.disk, "10.0.0.1");
            struct env_file *file;
            int64_t size = 0;
            if (env_file_open(&after->env, "f", ENV_READ, &file) == ERR_OK) {
                CHECK(env_file_size(file, &size) == ERR_OK);
                env_file_unref(file);
            }
            CHECK(size >= w.done && size <= w.done + 1);
            CHECK_EQUAL(run.sim->faults[SIM_FAULT_CRASH_IN_IO], 1);
        } else {
            env_file_unref(w.file);
            CHECK_EQUAL(run.before->open_files, 0);
        }
        disk_end(&run);
    }
    CHECK_EQUAL(last_done, 5);
}

struct order_job {
    struct env_job job;
    int *next;
    int index;
    int left;
    int *running;
    int *running_max;
};

static bool order_step(struct env_job *job)
{
    struct order_job *o = container_of(job, struct order_job, job);
    if (o->index >= 0) {
        CHECK_EQUAL(*o->next, o->index);
        (*o->next)++;
        o->index = -1;
        (*o->running)++;
        *o->running_max = MAX(*o->running_max, *o->running);
    }
    if (--o->left > 0)
        return true;
    (*o->running)--;
    return false;
}

TEST(sim_jobs_of_a_queue_begin_in_order_and_overlap)
{
    enum { COUNT = 50 };
    struct disk_run run = disk_begin(9);
    struct order_job jobs[ENV_QUEUE_COUNT][COUNT];
    int next[ENV_QUEUE_COUNT] = {0}, running[ENV_QUEUE_COUNT] = {0}, most[ENV_QUEUE_COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        for (int q = 0; q < ENV_QUEUE_COUNT; q++) {
            int kind = q == ENV_QUEUE_COLD ? ENV_QUEUE_BACKGROUND : q; /* counted together */
            jobs[q][i] = (struct order_job){.job = {.run = order_step, .queue = (enum env_queue)q},
                                            .next = &next[q],
                                            .index = i,
                                            .left = 1 + i % 4,
                                            .running = &running[kind],
                                            .running_max = &most[kind]};
            env_submit(&run.before->env, &jobs[q][i].job);
        }
    }
    sim_run(run.sim, SIM_S);
    for (int q = 0; q < ENV_QUEUE_COUNT; q++) {
        CHECK_EQUAL(next[q], COUNT);
        CHECK_EQUAL(running[q], 0);
    }
    CHECK_EQUAL(most[ENV_QUEUE_BACKGROUND], 2); /* of three workers */
    CHECK_EQUAL(most[ENV_QUEUE_WRITE], 3);
    disk_end(&run);
}

/* ---- loops */

struct timed {
    struct loop_timer timer;
    struct loop_task task;
    struct loop *loop;
    int64_t at_ns;
    int *fired;
    int order;
};

static void timed_fire(struct loop_timer *timer)
{
    struct timed *t = container_of(timer, struct timed, timer);
    CHECK(loop_is_current(t->loop));
    CHECK(loop_now_ns(t->loop) >= t->at_ns);
    CHECK(loop_now_ns(t->loop) < t->at_ns + 2 * SIM_MS);
    (*t->fired)++;
}

static void timed_run(struct loop_task *task)
{
    struct timed *t = container_of(task, struct timed, task);
    CHECK_EQUAL(*t->fired, t->order);
    (*t->fired)++;
}

TEST(sim_timers_are_never_early_and_tasks_keep_their_order)
{
    enum { COUNT = 20 };
    struct sim *sim = sim_new(3);
    struct sim_env *env = machine(sim, NULL, "10.0.0.1");
    struct loop *loop = sim_env_loop(env, 0);
    struct timed timers[COUNT];
    struct timed tasks[COUNT];
    int fired = 0, run = 0;
    for (int i = 0; i < COUNT; i++) {
        timers[i] = (struct timed){.timer = {.fire = timed_fire}, .loop = loop, .fired = &fired};
        timers[i].at_ns = env_mono_ns(&env->env) + (COUNT - i) * SIM_MS;
        loop_timer_start(loop, &timers[i].timer, timers[i].at_ns);
        tasks[i] = (struct timed){.task = {.run = timed_run}, .fired = &run, .order = i};
        loop_post(loop, &tasks[i].task);
    }
    loop_timer_stop(loop, &timers[4].timer);
    sim_run(sim, SIM_S);
    CHECK_EQUAL(fired, COUNT - 1);
    CHECK_EQUAL(run, COUNT);
    sim_free(sim);
}

/* ---- network: a client sends numbered bytes, the server sends them back */

enum { ECHO_BYTES = 5000 };

struct echo {
    struct loop *loop;
    struct sock *listener;
    struct sock *server;
    struct sock *client;
    uint8_t kept[64];
    size_t kept_len;
    size_t sent;
    size_t got;
    bool is_closed;
    enum err connected;
};

static void echo_server_ready(void *arg, unsigned events)
{
    struct echo *e = arg;
    enum err r;
    if (e->kept_len == 0) {
        r = sock_recv(e->server, e->kept, sizeof(e->kept), &e->kept_len);
        if (r == ERR_CLOSED) {
            sock_close(e->server);
            e->server = NULL;
        }
        if (r != ERR_OK)
            return;
    }
    size_t sent = 0;
    struct sock_part part = {.data = e->kept, .len = e->kept_len};
    r = sock_send(e->server, &part, 1, &sent);
    if (r == ERR_CLOSED) {
        sock_close(e->server);
        e->server = NULL;
        return;
    }
    if (r != ERR_OK)
        sent = 0;
    memmove(e->kept, e->kept + sent, e->kept_len - sent);
    e->kept_len -= sent;
    sock_want(e->server, e->kept_len > 0 ? SOCK_WRITABLE : SOCK_READABLE);
}

static void echo_accept(void *arg, unsigned events)
{
    struct echo *e = arg;
    CHECK(sock_accept(e->listener, &e->server) == ERR_OK);
    sock_attach(e->server, e->loop, echo_server_ready, e);
}

static void echo_client_ready(void *arg, unsigned events)
{
    struct echo *e = arg;
    if (e->connected == ERR_AGAIN)
        e->connected = sock_connect_result(e->client);
    if (e->connected != ERR_OK)
        e->is_closed = true;
    uint8_t bytes[100];
    if ((events & SOCK_READABLE) != 0) {
        size_t got = 0;
        enum err r = sock_recv(e->client, bytes, sizeof(bytes), &got);
        e->is_closed = r == ERR_CLOSED;
        for (size_t i = 0; r == ERR_OK && i < got; i++)
            CHECK_EQUAL(bytes[i], (uint8_t)((e->got + i) * 7));
        e->got += got;
    }
    if ((events & SOCK_WRITABLE) != 0 && !e->is_closed && e->sent < ECHO_BYTES) {
        size_t n = MIN(sizeof(bytes), ECHO_BYTES - e->sent);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)((e->sent + i) * 7);
        struct sock_part part = {.data = bytes, .len = n};
        size_t sent = 0;
        enum err r = sock_send(e->client, &part, 1, &sent);
        e->is_closed = e->is_closed || r == ERR_CLOSED;
        e->sent += r == ERR_OK ? sent : 0;
    }
    if (e->is_closed || e->got == ECHO_BYTES) {
        sock_close(e->client);
        e->client = NULL;
        return;
    }
    sock_want(e->client, SOCK_READABLE | (e->sent < ECHO_BYTES ? SOCK_WRITABLE : 0));
}

static uint64_t echo_run(uint64_t seed, struct echo *e, bool with_reset, bool with_listener)
{
    struct sim *sim = sim_new(seed);
    sim->tuning.net_segment_max = 50;
    sim->tuning.net_window_min = 10;
    sim->tuning.net_window_max = 400;
    sim->tuning.part_percent = 30;
    sim->tuning.net_reset_delay_max = SIM_MS;
    struct sim_env *a = machine(sim, NULL, "10.0.0.1");
    struct sim_env *b = machine(sim, NULL, "10.0.0.2");
    *e = (struct echo){.loop = sim_env_loop(a, 0), .connected = ERR_AGAIN};
    struct env_addr addr = {.family = 4, .port = 9092};
    if (with_listener)
        CHECK(sock_listen(e->loop, &addr, echo_accept, e, &e->listener) == ERR_OK);
    addr = a->addr;
    addr.port = 9092;
    CHECK(sock_connect(sim_env_loop(b, 0), &addr, echo_client_ready, e, &e->client) == ERR_OK);
    if (with_reset) {
        sim_run(sim, SIM_MS);
        CHECK(sim_net_reset_one(sim));
    }
    sim_run(sim, 10 * SIM_S);
    CHECK(e->client == NULL && e->server == NULL);
    uint64_t hash = sim->hash;
    if (with_listener && !with_reset) {
        CHECK(sim->faults[SIM_FAULT_BACK_PRESSURE] > 0);
        CHECK(sim->faults[SIM_FAULT_PART_SENT] > 0);
    }
    CHECK(with_listener || sim->faults[SIM_FAULT_REFUSED] == 1);
    sim_free(sim);
    return hash;
}

TEST(sim_net_keeps_bytes_in_order_with_little_room)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct echo e;
        echo_run(seed, &e, false, true);
        CHECK_EQUAL(e.sent, ECHO_BYTES);
        CHECK_EQUAL(e.got, ECHO_BYTES);
    }
}

TEST(sim_net_reset_reaches_both_ends)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct echo e;
        echo_run(seed, &e, true, true);
        CHECK(e.is_closed && e.got < ECHO_BYTES);
    }
}

TEST(sim_net_refuses_where_nobody_listens)
{
    struct echo e;
    echo_run(1, &e, false, false);
    CHECK_EQUAL(e.connected, ERR_CLOSED);
}

TEST(sim_one_seed_is_one_run)
{
    struct echo e;
    uint64_t first = echo_run(42, &e, false, true);
    CHECK(first == echo_run(42, &e, false, true));
    CHECK(first != echo_run(43, &e, false, true));
}
