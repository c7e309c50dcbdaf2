// SPDX-License-Identifier: Apache-2.0
/* runner: forks a child for each seed, reads its result from a pipe; see runner.h. Thread: main. */
#include "runner.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

enum { JOBS_MAX = 64, OPERATIONS_MIN = 1000, TAIL_BYTES = 20000 };

struct child {
    pid_t pid; /* 0: free */
    int pipe_fd;
    FILE *log;
    const struct runner_seed *seed;
    const struct workload *workload;
};

struct totals {
    size_t done;
    size_t failed;
    size_t counted;
    int64_t operations;
    int64_t records;
    int64_t crashes;
    int64_t events;
    int64_t virtual_ms;
    int64_t faults[SIM_FAULT_COUNT];
};

static const struct workload *workload_of(const struct runner_seed *seed)
{
    if (seed->workload != NULL)
        return seed->workload;
    size_t count = 0;
    while (workload_at(count) != NULL)
        count++;
    return workload_at((size_t)(seed->seed % count));
}

static void run_child(const struct runner_options *o, const struct child *child, int out_fd)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (child->log != NULL)
        dup2(fileno(child->log), STDERR_FILENO);
    struct world_result result;
    struct world_result second;
    world_run(child->seed->seed, child->workload, o->is_verbose, o->trace_lines, &result);
    if (o->is_twice && !result.has_failed) {
        world_run(child->seed->seed, child->workload, false, o->trace_lines, &second);
        if (second.hash != result.hash) {
            result.has_failed = true;
            snprintf(result.failure, sizeof(result.failure),
                     "the same seed ran twice with different traces: %016" PRIx64
                     " and %016" PRIx64,
                     result.hash, second.hash);
        }
    }
    ssize_t n = write(out_fd, &result, sizeof(result));
    _exit(n == (ssize_t)sizeof(result) ? 0 : 3);
}

static void start_child(const struct runner_options *o, struct child *child,
                        const struct runner_seed *seed)
{
    int fds[2];
    ASSERT(pipe(fds) == 0);
    *child = (struct child){.seed = seed, .workload = workload_of(seed), .pipe_fd = fds[0]};
    child->log = o->is_verbose ? NULL : tmpfile();
    fflush(stdout);
    child->pid = fork();
    ASSERT(child->pid >= 0);
    if (child->pid == 0) {
        close(fds[0]);
        run_child(o, child, fds[1]);
    }
    close(fds[1]);
}

/* ---- results */

static void print_log(FILE *log)
{
    if (log == NULL)
        return;
    fseek(log, 0, SEEK_END);
    long size = ftell(log);
    long from = MAX(0L, size - TAIL_BYTES);
    fseek(log, from, SEEK_SET);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), log)) > 0;)
        fwrite(chunk, 1, n, stdout);
}

static void report_failure(const struct runner_options *o, const struct child *child,
                           const char *what)
{
    printf("\nFAILED seed %" PRIu64 " (%s)\n  %s\n", child->seed->seed, child->workload->name,
           what);
    print_log(child->log);
    printf("  repeat: %s --seed %" PRIu64 " --workload %s\n", o->program, child->seed->seed,
           child->workload->name);
}

static bool add_result(const struct child *child, const struct world_result *r, struct totals *t)
{
    bool counts = r->acked_operations >= OPERATIONS_MIN && r->crashes >= 1;
    t->counted += counts;
    t->operations += r->acked_operations;
    t->records += r->records_read;
    t->crashes += r->crashes;
    t->events += r->event_count;
    t->virtual_ms += r->virtual_ms;
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        t->faults[i] += r->faults[i];
    printf("seed %-12" PRIu64 " %-16s %016" PRIx64 "  %6" PRId64 " acks %3" PRId64
           " crashes %8" PRId64 " events %7.1f s%s\n",
           child->seed->seed, child->workload->name, r->hash, r->acked_operations, r->crashes,
           r->event_count, (double)r->virtual_ms / 1000, counts ? "" : "  (does not count)");
    return counts;
}

/* True: the seed failed. */
static bool finish_child(const struct runner_options *o, struct child *child, struct totals *t)
{
    struct world_result result;
    size_t got = 0;
    for (ssize_t n; got < sizeof(result); got += (size_t)n) {
        n = read(child->pipe_fd, (char *)&result + got, sizeof(result) - got);
        if (n <= 0)
            break;
    }
    int status = 0;
    waitpid(child->pid, &status, 0);
    close(child->pipe_fd);
    bool has_failed = true;
    char what[100];
    if (got != sizeof(result)) {
        snprintf(what, sizeof(what), "the process ended by %s %d",
                 WIFSIGNALED(status) ? "signal" : "exit",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        report_failure(o, child, what);
    } else if (result.has_failed) {
        report_failure(o, child, result.failure);
    } else if (!add_result(child, &result, t)) {
        report_failure(o, child, "too few acknowledged operations, or no crash");
    } else {
        has_failed = false;
    }
    fflush(stdout);
    t->done++;
    t->failed += has_failed;
    if (child->log != NULL)
        fclose(child->log);
    *child = (struct child){0};
    return has_failed;
}

/* The first child that has something to say, or has ended. */
static struct child *wait_for_one(struct child *children, unsigned jobs)
{
    struct pollfd fds[JOBS_MAX];
    for (unsigned i = 0; i < jobs; i++)
        fds[i] = (struct pollfd){.fd = children[i].pid != 0 ? children[i].pipe_fd : -1,
                                 .events = POLLIN};
    while (poll(fds, jobs, -1) < 0)
        ;
    for (unsigned i = 0; i < jobs; i++) {
        if (fds[i].revents != 0)
            return &children[i];
    }
    ASSERT(false);
    return NULL;
}

static int print_totals(const struct runner_options *o, const struct totals *t, double seconds)
{
    int failures = 0;
    printf("\nsimulator: %zu seeds in %.1f s, %zu failed, %zu counted; %" PRId64
           " acknowledged operations, %" PRId64 " records read, %" PRId64 " crashes, %" PRId64
           " events, %.0f s of virtual time\n",
           t->done, seconds, t->failed, t->counted, t->operations, t->records, t->crashes,
           t->events, (double)t->virtual_ms / 1000);
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        printf("  %-17s %10" PRId64 "\n", sim_fault_name((enum sim_fault)i), t->faults[i]);
        if (o->wants_all_kinds && t->faults[i] == 0 && t->failed == 0) {
            printf("FAILED: no seed had this kind of fault: %s\n",
                   sim_fault_name((enum sim_fault)i));
            failures = 1;
        }
    }
    return failures;
}

int runner_run(const struct runner_options *o)
{
    ASSERT(o->jobs >= 1 && o->jobs <= JOBS_MAX);
    struct child children[JOBS_MAX] = {0};
    struct totals totals = {0};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    size_t next = 0;
    unsigned running = 0;
    bool stops = false;
    while (running > 0 || (next < o->seed_count && !stops)) {
        for (unsigned i = 0; i < o->jobs && next < o->seed_count && !stops; i++) {
            if (children[i].pid != 0)
                continue;
            start_child(o, &children[i], &o->seeds[next++]);
            running++;
        }
        if (finish_child(o, wait_for_one(children, o->jobs), &totals) && o->stops_at_first)
            stops = true;
        running--;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    int failures = print_totals(o, &totals, seconds);
    return (int)totals.failed + failures;
}
