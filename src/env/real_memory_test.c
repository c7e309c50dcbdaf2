// SPDX-License-Identifier: Apache-2.0
/* real_memory_test: a real env without a disk, its clock that is moved, and the end of standard
 * input. What it shares with the other kinds is in conformance_test.c. Thread: main, and the
 * workers. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/testing.h"
#include "env/logger_file.h"
#include "env/real_env.h"

struct world {
    struct logger_file *log;
    struct real_env *real;
    struct real_loop *loop;
    struct env *env;
    int calls;
};

static void world_init(struct world *w)
{
    *w = (struct world){0};
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &w->log), ERR_OK);
    struct real_env_options options = {
        .workers = 1, .logger = logger_file_logger(w->log), .in_memory = true};
    CHECK_EQUAL(real_env_new(&options, &w->real), ERR_OK);
    CHECK_EQUAL(real_loop_new(w->real, &w->loop), ERR_OK);
    w->env = real_env_env(w->real);
}

static void world_deinit(struct world *w)
{
    real_loop_free(w->loop);
    real_env_free(w->real);
    logger_file_close(w->log);
}

static void put(struct world *w, const char *path, char *text)
{
    struct env_file *file = NULL;
    CHECK_EQUAL(env_file_open(w->env, path, ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    struct iovec iov = {text, strlen(text)};
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    env_file_unref(file);
}

static void check_holds(struct world *w, const char *path, const char *text)
{
    struct env_file *file = NULL;
    char out[64];
    size_t got = 0;
    CHECK_EQUAL(env_file_open(w->env, path, ENV_READ, &file), ERR_OK);
    CHECK_EQUAL(env_file_read(file, out, sizeof(out), 0, ENV_WAIT, &got), ERR_OK);
    CHECK_EQUAL(got, strlen(text));
    CHECK(memcmp(out, text, got) == 0);
    env_file_unref(file);
}

static int64_t count_fds(struct world *w)
{
    struct env_process_stats stats;
    env_process_stats(w->env, &stats);
    return stats.open_fds;
}

TEST(a_directory_moves_with_what_is_in_it)
{
    struct world w;
    char one[] = "one", two[] = "two";
    world_init(&w);
    CHECK_EQUAL(env_dir_make(w.env, "/data"), ERR_OK);
    CHECK_EQUAL(env_dir_make(w.env, "data/t-0"), ERR_OK);
    CHECK_EQUAL(env_dir_make(w.env, "data/other"), ERR_OK);
    put(&w, "./data/t-0/a", one);
    put(&w, "/data/b", two);
    CHECK_EQUAL(env_path_rename(w.env, "data/t-0", "data/other/t"), ERR_OK);
    check_holds(&w, "data/other/t/a", "one");
    CHECK_EQUAL(env_path_rename(w.env, "data/b", "data/other/t/a"), ERR_OK);
    check_holds(&w, "data/other/t/a", "two");
    CHECK_EQUAL(env_path_rename(w.env, "data/other/t/a", "data/other"), ERR_EXISTS);
    CHECK_EQUAL(env_path_rename(w.env, "data/other/t/a", "data/none/a"), ERR_NOT_FOUND);
    CHECK_EQUAL(env_path_unlink(w.env, "data/other"), ERR_INVALID);
    CHECK_EQUAL(env_dir_remove(w.env, "data/other"), ERR_EXISTS);
    world_deinit(&w);
}

TEST(names_that_no_kernel_takes_are_not_found)
{
    struct world w;
    struct env_file *file = NULL;
    char path[1000];
    world_init(&w);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    CHECK_EQUAL(env_file_open(w.env, path, ENV_WRITE | ENV_CREATE, &file), ERR_NOT_FOUND);
    CHECK_EQUAL(env_dir_make(w.env, path), ERR_NOT_FOUND);
    CHECK_EQUAL(env_dir_make(w.env, "/"), ERR_EXISTS);
    world_deinit(&w);
}

TEST(a_file_in_memory_costs_a_descriptor_as_long_as_it_has_a_name)
{
    struct world w;
    char text[] = "text";
    world_init(&w);
    int64_t before = count_fds(&w);
    put(&w, "a", text);
    put(&w, "b", text);
    CHECK_EQUAL(count_fds(&w), before + 2);
    CHECK_EQUAL(env_path_rename(w.env, "a", "b"), ERR_OK);
    CHECK_EQUAL(count_fds(&w), before + 1);
    CHECK_EQUAL(env_path_unlink(w.env, "b"), ERR_OK);
    CHECK_EQUAL(count_fds(&w), before);
    world_deinit(&w);
}

TEST(reserving_in_memory_takes_none)
{
    struct world w;
    struct env_file *file = NULL;
    struct env_process_stats before, after;
    world_init(&w);
    CHECK_EQUAL(env_file_open(w.env, "a", ENV_READ | ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    env_process_stats(w.env, &before);
    CHECK_EQUAL(env_file_allocate(file, 0, (int64_t)1 << 40), ERR_OK); /* more than there is */
    env_process_stats(w.env, &after);
    CHECK(after.resident_bytes < before.resident_bytes + (1 << 24));
    env_file_unref(file);
    world_deinit(&w);
}

/* ---- the clock */

struct week {
    struct loop_timer timer;
    struct world *w;
};

static void week_is_over(struct loop_timer *timer)
{
    struct week *week = container_of(timer, struct week, timer);
    week->w->calls++;
    real_loop_stop(week->w->loop);
}

static const int64_t week_ms = (int64_t)7 * 24 * 3600 * 1000;

static void *skip_a_week(void *arg)
{
    CHECK_EQUAL(real_env_skip_ms(arg, week_ms), ERR_OK);
    return NULL;
}

TEST(a_timer_of_a_week_fires_when_a_week_is_skipped)
{
    struct world w;
    world_init(&w);
    int64_t wall_ms = env_wall_ms(w.env), mono_ns = env_mono_ns(w.env);
    struct week week = {.timer = {.fire = week_is_over}, .w = &w};
    loop_timer_start(real_loop_loop(w.loop), &week.timer, mono_ns + week_ms * 1000000);
    CHECK_EQUAL(real_loop_start(w.loop, "week"), ERR_OK);
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, skip_a_week, w.real), 0);
    pthread_join(thread, NULL);
    real_loop_join(w.loop);
    CHECK_EQUAL(w.calls, 1);
    CHECK(env_wall_ms(w.env) >= wall_ms + week_ms);
    CHECK(env_mono_ns(w.env) >= mono_ns + week_ms * 1000000);
    world_deinit(&w);
}

TEST(the_clock_cannot_be_moved_out_of_its_range)
{
    struct world w;
    world_init(&w);
    int64_t most_ms = (int64_t)LIMIT_CLOCK_ADVANCE_DAYS * 24 * 3600 * 1000;
    CHECK_EQUAL(real_env_skip_ms(w.real, most_ms - 5), ERR_OK);
    CHECK_EQUAL(real_env_skip_ms(w.real, 6), ERR_TOO_LARGE);
    CHECK_EQUAL(real_env_skip_ms(w.real, 5), ERR_OK);
    CHECK_EQUAL(real_env_skip_ms(w.real, 1), ERR_TOO_LARGE);
    CHECK_EQUAL(real_env_skip_ms(w.real, INT64_MAX), ERR_TOO_LARGE);
    world_deinit(&w);
}

/* ---- standard input */

static void input_ended(void *arg)
{
    struct world *w = arg;
    w->calls++;
    real_loop_stop(w->loop);
}

TEST(the_end_of_standard_input_is_an_event)
{
    struct world w;
    int ends[2];
    int kept = dup(STDIN_FILENO);
    CHECK_EQUAL(pipe(ends), 0);
    CHECK(dup2(ends[0], STDIN_FILENO) >= 0);
    close(ends[0]);
    world_init(&w);
    CHECK_EQUAL(real_loop_on_stdin_end(w.loop, input_ended, &w), ERR_OK);
    CHECK_EQUAL(write(ends[1], "said before", 11), 11);
    close(ends[1]);
    real_loop_run(w.loop);
    CHECK_EQUAL(w.calls, 1);
    world_deinit(&w);
    if (kept >= 0) {
        CHECK(dup2(kept, STDIN_FILENO) >= 0);
        close(kept);
    }
}

TEST(a_file_as_standard_input_has_no_such_end)
{
    struct world w;
    int kept = dup(STDIN_FILENO);
    FILE *file = tmpfile();
    CHECK(file != NULL && dup2(fileno(file), STDIN_FILENO) >= 0);
    world_init(&w);
    CHECK_EQUAL(real_loop_on_stdin_end(w.loop, input_ended, &w), ERR_UNSUPPORTED);
    world_deinit(&w);
    fclose(file);
    if (kept >= 0) {
        CHECK(dup2(kept, STDIN_FILENO) >= 0);
        close(kept);
    }
}
