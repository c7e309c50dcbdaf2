// SPDX-License-Identifier: Apache-2.0
/* mem_env: clock, chance, jobs and the order in which things run. See mem_env.h.
 * Thread: the test's. */
#include "env/mem_env.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/mem_private.h"
#include "env/monitor.h"

enum err mem_env_count_io(struct mem_env *m)
{
    m->io_calls++;
    if (m->fail_at == 0 || --m->fail_at > 0)
        return ERR_OK;
    if (m->fail_more > 0) {
        m->fail_more--;
        m->fail_at = 1;
    }
    return m->fail_with;
}

static int64_t mono_ns(struct env *env)
{
    return mem_env_of(env)->now_ns;
}

static int64_t wall_ms(struct env *env)
{
    const struct mem_env *m = mem_env_of(env);
    return m->now_ns / 1000000 + m->wall_offset_ms;
}

static void fill_random(struct env *env, void *out, size_t len)
{
    prng_fill(&mem_env_of(env)->prng, out, len);
}

static void run_inline(struct env_job *job)
{
    while (job->run(job)) {
    }
}

static void submit(struct env *env, struct env_job *job)
{
    struct mem_env *m = mem_env_of(env);
    if (m->is_inline) {
        run_inline(job);
        return;
    }
    list_push_back(&m->jobs[job->queue], &job->link);
}

/* Literals and "localhost"; "" is 0.0.0.0. */
static enum err resolve(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                        size_t *count)
{
    struct env_addr addr = {.family = 4, .port = port};
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (host[0] != '\0') {
        if (sscanf(host, "%3u.%3u.%3u.%3u", &a, &b, &c, &d) != 4 || (a | b | c | d) > 255)
            return ERR_NOT_FOUND;
    }
    addr.ip[0] = (uint8_t)a;
    addr.ip[1] = (uint8_t)b;
    addr.ip[2] = (uint8_t)c;
    addr.ip[3] = (uint8_t)d;
    out[0] = addr;
    *count = 1;
    return ERR_OK;
}

static void write_line(struct logger *logger, enum log_level level, const char *line)
{
    struct mem_env *m = container_of(logger, struct mem_env, logger);
    m->log_lines[level]++;
    snprintf(m->last_line, sizeof(m->last_line), "%s", line);
}

/* The clock stands still here. */
static void mem_pause(struct env *env, int64_t ns)
{
}

static const struct env_ops ops = {
    .mono_ns = mono_ns,
    .wall_ms = wall_ms,
    .random = fill_random,
    .file_open = mem_file_open,
    .dir_make = mem_dir_make,
    .dir_sync = mem_dir_sync,
    .dir_remove = mem_dir_remove,
    .dir_list = mem_dir_list,
    .path_unlink = mem_path_unlink,
    .path_rename = mem_path_rename,
    .disk_space = mem_disk_space,
    .pause = mem_pause,
    .submit = submit,
    .resolve = resolve,
};

void mem_env_init(struct mem_env *m)
{
    memset(m, 0, sizeof(*m));
    m->env.ops = &ops;
    m->env.logger = &m->logger;
    m->logger.level = LOG_DEBUG;
    m->logger.write = write_line;
    m->fail_with = ERR_IO;
    m->space_bytes = INT64_MAX;
    m->now_ns = INT64_C(1000000000000); /* not zero, so that forgotten times show */
    m->wall_offset_ms = INT64_C(1760000000000);
    m->next_port = 20000;
    prng_seed(&m->prng, 1);
    list_init(&m->nodes);
    list_init(&m->socks);
    for (int i = 0; i < ENV_QUEUE_COUNT; i++)
        list_init(&m->jobs[i]);
}

void mem_env_deinit(struct mem_env *m)
{
    if (!m->is_leaky) {
        ASSERT(m->open_fds == 0);
        ASSERT(m->open_socks == 0);
        for (int i = 0; i < ENV_QUEUE_COUNT; i++)
            ASSERT(list_is_empty(&m->jobs[i]));
    }
    mem_sock_free_all(m);
    mem_file_free_all(m);
    for (int i = 0; i < MEM_LOOPS_MAX; i++)
        mem_loop_free(m->loops[i]);
}

bool mem_env_run_one_job_step(struct mem_env *m)
{
    for (int i = 0; i < ENV_QUEUE_COUNT; i++) {
        struct list *link = list_pop_front(&m->jobs[i]);
        if (link == NULL)
            continue;
        struct env_job *job = container_of(link, struct env_job, link);
        if (job->run(job))
            list_push_back(&m->jobs[i], &job->link);
        monitor_assert_none();
        return true;
    }
    return false;
}

int mem_env_run_jobs(struct mem_env *m)
{
    int steps = 0;
    while (mem_env_run_one_job_step(m))
        steps++;
    return steps;
}

static bool turn_loops(struct mem_env *m)
{
    bool was_busy = false;
    for (int i = 0; i < MEM_LOOPS_MAX; i++) {
        if (m->loops[i] != NULL && mem_loop_turn(m->loops[i]))
            was_busy = true;
    }
    return was_busy;
}

void mem_env_run_loops(struct mem_env *m)
{
    ASSERT(m->running == NULL);
    while (turn_loops(m)) {
    }
}

void mem_env_run_until_idle(struct mem_env *m)
{
    do {
        mem_env_run_loops(m);
    } while (mem_env_run_jobs(m) > 0);
}

static int64_t next_stop(const struct mem_env *m, int64_t end_ns)
{
    for (int i = 0; i < MEM_LOOPS_MAX; i++) {
        int64_t at;
        if (m->loops[i] != NULL && mem_loop_next_timer(m->loops[i], &at) && at < end_ns)
            end_ns = at;
    }
    return end_ns;
}

void mem_env_advance_ms(struct mem_env *m, int64_t ms)
{
    ASSERT(ms >= 0);
    int64_t end_ns = m->now_ns + ms * 1000000;
    mem_env_run_until_idle(m);
    while (m->now_ns < end_ns) {
        int64_t stop = next_stop(m, end_ns);
        ASSERT(stop > m->now_ns);
        m->now_ns = stop;
        mem_env_run_until_idle(m);
    }
}

void mem_env_jump_wall_ms(struct mem_env *m, int64_t ms)
{
    m->wall_offset_ms += ms;
}
