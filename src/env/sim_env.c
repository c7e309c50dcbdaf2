// SPDX-License-Identifier: Apache-2.0
/*
 * sim_env: clock, workers and loops of a simulated process; see sim_env.h.
 *
 * A worker is a fiber that takes jobs one after another; a loop is an event that
 * fires when something came in, a little later than it could.
 *
 * Thread: one.
 */
#include "env/sim_env.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/sim_fiber.h"
#include "env/sim_net.h"

enum { SIM_FIRST_FREE_PORT = 40000 };
static const int64_t sim_wall_start_ms = INT64_C(1700000000000);

struct sim_env *sim_env_of(struct env *env)
{
    return container_of(env, struct sim_env, env);
}

/* ---- time and chance */

static int64_t op_mono_ns(struct env *env)
{
    return sim_env_of(env)->sim->now_ns + SIM_S; /* not zero at the start */
}

static int64_t op_wall_ms(struct env *env)
{
    struct sim_env *m = sim_env_of(env);
    return sim_wall_start_ms + m->sim->now_ns / SIM_MS + m->wall_offset_ms;
}

static void op_random(struct env *env, void *out, size_t len)
{
    prng_fill(&sim_env_of(env)->prng, out, len);
}

void sim_env_jump_wall_ms(struct sim_env *env, int64_t ms)
{
    env->wall_offset_ms += ms;
    sim_count(env->sim, SIM_FAULT_CLOCK_JUMP);
}

static void log_write(struct logger *logger, enum log_level level, const char *line)
{
    struct sim_env *env = container_of(logger, struct sim_env, logger);
    sim_trace_line(env->sim, log_level_name(level), env->id, line);
    if (env->sim->on_line != NULL)
        env->sim->on_line(env->sim->on_line_arg, level, line);
}

/* ---- fibers of this process */

void sim_env_sleep(struct sim_env *env, int64_t ns)
{
    struct sim *sim = env->sim;
    struct sim_event *wake = &env->main_wake;
    for (unsigned i = 0; i < env->worker_count; i++) {
        if (env->workers[i].fiber == sim->fiber)
            wake = &env->workers[i].wake;
    }
    ASSERT(wake != &env->main_wake || env->main_fiber == sim->fiber);
    sim_schedule(sim, wake, sim->now_ns + ns);
    sim_fiber_yield(sim);
}

static void main_fire(struct sim_event *event)
{
    struct sim_env *env = container_of(event, struct sim_env, main_wake);
    sim_fiber_resume(env->main_fiber);
}

static void main_fiber_run(void *arg)
{
    struct sim_env *env = arg;
    env->main_run(env->main_arg);
    env->is_main_done = true;
}

void sim_env_run_main(struct sim_env *env, void (*run)(void *arg), void *arg)
{
    ASSERT(env->main_fiber == NULL);
    env->main_run = run;
    env->main_arg = arg;
    env->main_fiber = sim_fiber_new(env->sim, main_fiber_run, env);
    sim_schedule(env->sim, &env->main_wake,
                 env->sim->now_ns + sim_draw(env->sim, 0, env->sim->tuning.step_delay_max));
}

/* ---- disk workers */

static bool is_slow(enum env_queue queue)
{
    return queue == ENV_QUEUE_BACKGROUND || queue == ENV_QUEUE_COLD;
}

/* Background work and cold reads may never hold all workers; between the queues chance decides. */
static struct env_job *take_job(struct sim_env *env)
{
    unsigned first = (unsigned)sim_draw(env->sim, 0, ENV_QUEUE_COUNT - 1);
    for (unsigned i = 0; i < ENV_QUEUE_COUNT; i++) {
        unsigned queue = (first + i) % ENV_QUEUE_COUNT;
        if (is_slow(queue) && env->slow_running > 0 && env->slow_running + 1 >= env->worker_count)
            continue;
        struct list *node = list_pop_front(&env->jobs[queue]);
        if (node != NULL)
            return container_of(node, struct env_job, link);
    }
    return NULL;
}

static void worker_run(void *arg)
{
    struct sim_worker *worker = arg;
    struct sim_env *env = worker->env;
    struct sim *sim = env->sim;
    worker->is_idle = false;
    for (;;) {
        struct env_job *job = take_job(env);
        if (job == NULL) {
            worker->is_idle = true;
            sim_fiber_yield(sim);
            worker->is_idle = false;
            continue;
        }
        bool counts = is_slow(job->queue);
        env->slow_running += counts;
        while (job->run(job))
            sim_env_sleep(env, sim_draw(sim, 0, sim->tuning.step_delay_max));
        env->slow_running -= counts;
        sim_env_sleep(env, sim_draw(sim, 0, sim->tuning.step_delay_max));
    }
}

static void worker_fire(struct sim_event *event)
{
    sim_fiber_resume(container_of(event, struct sim_worker, wake)->fiber);
}

static void op_submit(struct env *env, struct env_job *job)
{
    struct sim_env *m = sim_env_of(env);
    ASSERT(m->worker_count > 0);
    list_push_back(&m->jobs[job->queue], &job->link);
    for (unsigned i = 0; i < m->worker_count; i++) {
        struct sim_worker *worker = &m->workers[i];
        if (worker->is_idle && !heap_contains(&worker->wake.node)) {
            sim_schedule(m->sim, &worker->wake,
                         m->sim->now_ns + sim_draw(m->sim, 0, m->sim->tuning.step_delay_max));
            return;
        }
    }
}

/* ---- loops */

static struct sim_loop *loop_of(struct loop *loop)
{
    return container_of(loop, struct sim_loop, loop);
}

void sim_loop_kick(struct sim_loop *loop, int64_t at_ns)
{
    at_ns = MAX(at_ns, loop->env->sim->now_ns);
    if (loop->env->is_dead || at_ns >= loop->turn_at_ns)
        return;
    loop->turn_at_ns = at_ns;
    sim_schedule(loop->env->sim, &loop->turn, at_ns);
}

void sim_loop_kick_soon(struct sim_loop *loop)
{
    struct sim *sim = loop->env->sim;
    sim_loop_kick(loop, sim->now_ns + sim_draw(sim, 0, sim->tuning.turn_delay_max));
}

static void run_tasks(struct sim_loop *loop)
{
    struct list due; /* those posted from here on wait for the next turn */
    list_init(&due);
    list_splice_back(&due, &loop->tasks);
    for (struct list *node; (node = list_pop_front(&due)) != NULL;) {
        struct loop_task *task = container_of(node, struct loop_task, link);
        task->run(task);
    }
}

static void run_timers(struct sim_loop *loop)
{
    int64_t now_ns = op_mono_ns(&loop->env->env);
    for (struct heap_node *node; (node = heap_min(&loop->timers)) != NULL && node->key <= now_ns;) {
        heap_remove(&loop->timers, node);
        struct loop_timer *timer = container_of(node, struct loop_timer, node);
        timer->fire(timer);
    }
}

static void kick_for_timers(struct sim_loop *loop)
{
    struct sim *sim = loop->env->sim;
    struct heap_node *node = heap_min(&loop->timers);
    if (node != NULL)
        sim_loop_kick(loop, node->key - SIM_S + sim_draw(sim, 0, sim->tuning.timer_late_max));
}

static void turn_fire(struct sim_event *event)
{
    struct sim_loop *loop = container_of(event, struct sim_loop, turn);
    struct sim_env *env = loop->env;
    loop->turn_at_ns = INT64_MAX;
    loop->now_ns = op_mono_ns(&env->env);
    env->running_loop = loop;
    if (loop->loop.turn_hook != NULL)
        loop->loop.turn_hook(loop->loop.turn_arg);
    unsigned first = (unsigned)sim_draw(env->sim, 0, 2);
    for (unsigned i = 0; i < 3; i++) {
        switch ((first + i) % 3) {
        case 0:
            run_tasks(loop);
            break;
        case 1:
            run_timers(loop);
            break;
        default:
            sim_net_run_ready(loop);
            break;
        }
    }
    env->running_loop = NULL;
    if (!list_is_empty(&loop->tasks) || sim_net_has_ready(loop))
        sim_loop_kick_soon(loop);
    kick_for_timers(loop);
}

static void op_post(struct loop *loop, struct loop_task *task)
{
    list_push_back(&loop_of(loop)->tasks, &task->link);
    sim_loop_kick_soon(loop_of(loop));
}

/* One thread plays them all; but a worker is on no loop, nor is one loop's turn on another. */
static bool op_is_current(struct loop *loop)
{
    struct sim_env *env = loop_of(loop)->env;
    if (env->sim->fiber != NULL && env->sim->fiber != env->main_fiber)
        return false;
    return env->running_loop == NULL || env->running_loop == loop_of(loop);
}

static int64_t op_loop_now_ns(struct loop *loop)
{
    struct sim_loop *l = loop_of(loop);
    return l->env->running_loop == l ? l->now_ns : op_mono_ns(&l->env->env);
}

static void op_timer_start(struct loop *loop, struct loop_timer *timer, int64_t at_mono_ns)
{
    struct sim_loop *l = loop_of(loop);
    heap_remove(&l->timers, &timer->node);
    heap_insert(&l->timers, &timer->node, at_mono_ns);
    kick_for_timers(l);
}

static void op_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    heap_remove(&loop_of(loop)->timers, &timer->node);
}

static const struct loop_ops loop_ops = {
    .post = op_post,
    .is_current = op_is_current,
    .now_ns = op_loop_now_ns,
    .timer_start = op_timer_start,
    .timer_stop = op_timer_stop,
    .listen = sim_net_listen,
    .connect = sim_net_connect,
};

struct loop *sim_env_loop(struct sim_env *env, unsigned index)
{
    ASSERT(index < env->loop_count);
    return &env->loops[index].loop;
}

/* ---- the process */

static bool parse_ip(const char *text, struct env_addr *out)
{
    *out = (struct env_addr){.family = 4};
    return inet_pton(AF_INET, text, out->ip) == 1;
}

/* Literals only; "" is this machine. */
static enum err op_resolve(struct env *env, const char *host, uint16_t port, struct env_addr *out,
                           size_t *count)
{
    struct env_addr addr = sim_env_of(env)->addr;
    if (host[0] == '\0')
        addr = (struct env_addr){.family = 4};
    else if (strcmp(host, "localhost") != 0 && !parse_ip(host, &addr))
        return ERR_NOT_FOUND;
    addr.port = port;
    out[0] = addr;
    *count = 1;
    return ERR_OK;
}

static void sim_pause(struct env *env, int64_t ns)
{
    sim_env_sleep(sim_env_of(env), ns);
}

static const struct env_ops env_ops = {
    .mono_ns = op_mono_ns,
    .wall_ms = op_wall_ms,
    .random = op_random,
    .file_open = sim_file_open,
    .dir_make = sim_dir_make,
    .dir_sync = sim_dir_sync,
    .dir_remove = sim_dir_remove,
    .dir_list = sim_dir_list,
    .path_unlink = sim_path_unlink,
    .path_rename = sim_path_rename,
    .disk_space = sim_disk_space,
    .pause = sim_pause,
    .submit = op_submit,
    .resolve = op_resolve,
};

struct sim_env *sim_env_new(struct sim *sim, const struct sim_env_options *options)
{
    ASSERT(options->workers <= SIM_WORKERS_MAX && options->loops <= SIM_LOOPS_MAX);
    struct sim_env *env = mem_alloc(sizeof(*env));
    env->env = (struct env){.ops = &env_ops, .logger = &env->logger};
    env->sim = sim;
    env->id = ++sim->next_id;
    env->disk = options->disk;
    env->logger.level = LOG_INFO;
    env->logger.write = log_write;
    env->next_port = SIM_FIRST_FREE_PORT;
    env->main_wake = (struct sim_event){.fire = main_fire, .owner = env};
    ASSERT(parse_ip(options->ip, &env->addr));
    prng_seed(&env->prng, prng_u64(&sim->prng));
    list_init(&env->files);
    list_init(&env->socks);
    for (int i = 0; i < ENV_QUEUE_COUNT; i++)
        list_init(&env->jobs[i]);
    env->worker_count = options->workers;
    for (unsigned i = 0; i < options->workers; i++) {
        struct sim_worker *worker = &env->workers[i];
        worker->env = env;
        worker->wake = (struct sim_event){.fire = worker_fire, .owner = env};
        worker->is_idle = true;
        worker->fiber = sim_fiber_new(sim, worker_run, worker);
    }
    env->loop_count = options->loops;
    for (unsigned i = 0; i < options->loops; i++) {
        struct sim_loop *loop = &env->loops[i];
        loop->env = env;
        loop->loop = (struct loop){.ops = &loop_ops, .env = &env->env};
        loop->turn = (struct sim_event){.fire = turn_fire, .owner = env};
        loop->turn_at_ns = INT64_MAX;
        list_init(&loop->tasks);
        list_init(&loop->socks);
        heap_init(&loop->timers);
    }
    list_push_back(&sim->envs, &env->link);
    return env;
}

void sim_env_free(struct sim_env *env)
{
    sim_cancel(env->sim, &env->main_wake);
    sim_fiber_free(env->main_fiber);
    for (unsigned i = 0; i < env->worker_count; i++) {
        sim_cancel(env->sim, &env->workers[i].wake);
        sim_fiber_free(env->workers[i].fiber);
    }
    for (unsigned i = 0; i < env->loop_count; i++) {
        sim_cancel(env->sim, &env->loops[i].turn);
        heap_deinit(&env->loops[i].timers);
    }
    sim_net_free_socks(env);
    sim_files_free(env);
    mem_free(env);
}

void sim_env_die(struct sim_env *env, enum sim_death how)
{
    if (env->is_dead)
        return;
    sim_trace(env->sim, "dies", env->id, how, (uint64_t)env->io_count);
    env->is_dead = true;
    sim_net_cut_machine(env);
    if (how == SIM_DEATH_POWER_CUT) {
        sim_count(env->sim, SIM_FAULT_POWER_CUT);
        if (env->disk != NULL)
            sim_disk_power_cut(env->disk, env->sim);
    } else {
        if (how == SIM_DEATH_KILL)
            sim_count(env->sim, SIM_FAULT_PROCESS_KILL);
        if (env->disk != NULL)
            sim_disk_drop_locks(env->disk);
    }
}

void sim_env_die_at_io(struct sim_env *env, int64_t nth, enum sim_death how)
{
    ASSERT(nth > 0);
    env->die_at_io = env->io_count + nth;
    env->die_how = how;
}

void sim_env_die_amid(struct sim_env *env, enum sim_aim aim, enum sim_death how)
{
    ASSERT(aim != SIM_AIM_NONE);
    env->die_aim = aim;
    env->die_how = how;
}

void sim_env_spare(struct sim_env *env)
{
    env->die_at_io = 0;
    env->die_aim = SIM_AIM_NONE;
}
