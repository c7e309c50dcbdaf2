// SPDX-License-Identifier: Apache-2.0
/*
 * runner: runs seeds, each in a process of its own and some at a time, and adds up.
 * An ASSERT of the broker ends one seed, not the run.
 *
 * Thread: main.
 */
#ifndef TEST_SIM_RUNNER_H
#define TEST_SIM_RUNNER_H

#include "world.h"

struct runner_seed {
    uint64_t seed;
    const struct workload *workload; /* NULL: the seed chooses */
};

struct runner_options {
    const struct runner_seed *seeds;
    size_t seed_count;
    unsigned jobs;
    bool is_verbose;
    bool is_twice;        /* each seed two times: the trace hashes have to be equal */
    bool stops_at_first;  /* after the first failure */
    bool wants_all_kinds; /* a kind of fault that never fired fails the run */
    size_t trace_lines;
    const char *program; /* for the command that repeats a failure */
};

/* How many seeds failed, and one more when the run as a whole did. */
int runner_run(const struct runner_options *options);

#endif
