// SPDX-License-Identifier: Apache-2.0
/*
 * real_stand_in_test: brisk jobs on a loop, and the loop going on when one of them blocks. A loop
 * that does not go on makes a test hang: nothing here depends on how fast things are.
 *
 * Thread: main, the loops' two, and the workers of a real env.
 */
#include <pthread.h>

#include "base/testing.h"
#include "env/logger_file.h"
#include "env/real_private.h"

enum { JOBS_MAX = 1 << 20 };

struct rig {
    struct logger_file *log;
    struct real_env *real;
    struct real_loop *real_loop;
    struct loop *loop;

    struct loop_task submit; /* hands the job to the loop */
    struct env_job job;
    struct loop_task ran; /* after each job */
    struct loop_task open_gate;

    int submitted;
    int steps_left;
    int brisk_count;   /* jobs whose first step ran on the loop's thread */
    int blocked_count; /* of those, that waited at the gate */
    int blocks_wanted; /* stop after so many */
    bool does_block;   /* this job, when it runs on the loop's thread */
    bool is_through_gate;
    bool is_held_to_the_end; /* the gate is opened by a worker, after the loop was told to stop */
    struct env_job opener;
    int pauses; /* since the loop was told to stop */

    pthread_t loop_thread; /* set before each job is submitted */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool is_open;
    bool is_told_to_stop;
};

static void rig_init(struct rig *r)
{
    *r = (struct rig){0};
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &r->log), ERR_OK);
    struct real_env_options options = {.workers = 2, .logger = logger_file_logger(r->log)};
    CHECK_EQUAL(real_env_new(&options, &r->real), ERR_OK);
    CHECK_EQUAL(real_loop_new(r->real, &r->real_loop), ERR_OK);
    r->loop = real_loop_loop(r->real_loop);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->cond, NULL);
}

static void rig_deinit(struct rig *r)
{
    real_loop_free(r->real_loop);
    real_env_free(r->real);
    logger_file_close(r->log);
    pthread_cond_destroy(&r->cond);
    pthread_mutex_destroy(&r->mutex);
}

static uint64_t stalls(struct rig *r)
{
    struct env_process_stats stats;
    env_process_stats(real_env_env(r->real), &stats);
    return stats.loop_stalls;
}

static void wait_at_gate(struct rig *r)
{
    pthread_mutex_lock(&r->mutex);
    while (!r->is_open)
        pthread_cond_wait(&r->cond, &r->mutex);
    r->is_open = false;
    pthread_mutex_unlock(&r->mutex);
}

static void open_gate(struct rig *r)
{
    pthread_mutex_lock(&r->mutex);
    r->is_open = true;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->mutex);
}

static void open_gate_task(struct loop_task *task)
{
    struct rig *r = container_of(task, struct rig, open_gate);
    CHECK(!pthread_equal(r->loop_thread, pthread_self())); /* that one is at the gate */
    if (!r->is_held_to_the_end) {
        open_gate(r);
        return;
    }
    real_loop_stop(r->real_loop);
    pthread_mutex_lock(&r->mutex);
    r->is_told_to_stop = true;
    pthread_mutex_unlock(&r->mutex);
}

static bool is_told_to_stop(struct rig *r)
{
    pthread_mutex_lock(&r->mutex);
    bool is_told = r->is_told_to_stop;
    pthread_mutex_unlock(&r->mutex);
    return is_told;
}

/* On a worker, some time after the loop was told to stop. */
static bool open_gate_late(struct env_job *job)
{
    struct rig *r = container_of(job, struct rig, opener);
    env_pause(real_env_env(r->real), 1000000);
    if (!is_told_to_stop(r) || ++r->pauses < 30)
        return true;
    open_gate(r);
    return false;
}

/* Three steps, the second of which says that it blocks. */
static bool run_job(struct env_job *job)
{
    struct rig *r = container_of(job, struct rig, job);
    bool is_on_loop_thread = pthread_equal(r->loop_thread, pthread_self());
    CHECK(!real_is_on_loop()); /* files may be used */
    if (r->steps_left == 3 && is_on_loop_thread) {
        r->brisk_count++;
        if (r->does_block) {
            r->blocked_count++;
            loop_post(r->loop, &r->open_gate);
            wait_at_gate(r);
            r->is_through_gate = true;
        }
    }
    if (job->will_block)
        CHECK(!is_on_loop_thread || r->does_block); /* a worker's, also when the loop was lost */
    job->will_block = r->steps_left == 3;
    if (--r->steps_left > 0)
        return true;
    job->will_block = false;
    if (!r->is_held_to_the_end || r->blocked_count == 0)
        loop_post(r->loop, &r->ran);
    return false;
}

static void submit_task(struct loop_task *task)
{
    struct rig *r = container_of(task, struct rig, submit);
    CHECK(loop_is_current(r->loop) && real_is_on_loop());
    CHECK(++r->submitted < JOBS_MAX);
    r->loop_thread = pthread_self();
    r->steps_left = 3;
    r->does_block = r->brisk_count > 3 * (r->blocked_count + 1);
    loop_submit(r->loop, &r->job);
}

static void after_job(struct loop_task *task)
{
    struct rig *r = container_of(task, struct rig, ran);
    CHECK_EQUAL(r->steps_left, 0);
    if (r->blocked_count >= r->blocks_wanted && r->brisk_count > 3)
        real_loop_stop(r->real_loop);
    else
        loop_post(r->loop, &r->submit);
}

static void run(struct rig *r, int blocks_wanted)
{
    r->blocks_wanted = blocks_wanted;
    r->submit = (struct loop_task){.run = submit_task};
    r->ran = (struct loop_task){.run = after_job};
    r->open_gate = (struct loop_task){.run = open_gate_task};
    r->job = (struct env_job){.run = run_job, .queue = ENV_QUEUE_WRITE};
    loop_post(r->loop, &r->submit);
    real_loop_run(r->real_loop);
}

TEST(jobs_close_together_run_on_the_loop)
{
    struct rig r;
    rig_init(&r);
    run(&r, 0);
    CHECK(r.brisk_count > 0);
    CHECK(r.submitted > r.brisk_count); /* the first ones found nobody who looks */
    rig_deinit(&r);
}

/* Twice, so that each of the two threads has been the one that blocks, and the loop goes on. */
TEST(a_loop_goes_on_when_a_brisk_job_blocks)
{
    struct rig r;
    rig_init(&r);
    run(&r, 2);
    CHECK_EQUAL(r.blocked_count, 2);
    CHECK(stalls(&r) >= 2);
    rig_deinit(&r);
}

/* Whoever called real_loop_run gets it back only when nothing of the loop runs any more. */
TEST(a_loop_ends_after_the_job_that_blocked_it)
{
    struct rig r;
    rig_init(&r);
    r.is_held_to_the_end = true;
    r.opener = (struct env_job){.run = open_gate_late, .queue = ENV_QUEUE_READ};
    env_submit(real_env_env(r.real), &r.opener);
    run(&r, 1);
    CHECK_EQUAL(r.blocked_count, 1);
    CHECK(r.is_through_gate);
    rig_deinit(&r);
}

/* The same loop again, as commands do. */
TEST(a_loop_runs_again_after_it_was_taken_over)
{
    struct rig r;
    rig_init(&r);
    run(&r, 1);
    int before = r.submitted;
    r.brisk_count = 0;
    r.blocked_count = 0;
    run(&r, 0);
    CHECK(r.submitted > before);
    rig_deinit(&r);
}
