// SPDX-License-Identifier: Apache-2.0
/*
 * sim_fiber: a stack of its own for what may block: a disk worker's job, a
 * broker's start. When it waits for a disk the rest of the world goes on; when its
 * machine dies it is never resumed, so a crash can be in the middle of anything.
 *
 * Thread: one.
 */
#ifndef ENV_SIM_FIBER_H
#define ENV_SIM_FIBER_H

#include <stdbool.h>

struct sim;
struct sim_fiber;

/* Does not run yet. When `run` returns it may be resumed no more. */
struct sim_fiber *sim_fiber_new(struct sim *sim, void (*run)(void *arg), void *arg);

/* Not the running one. Accepts NULL. */
void sim_fiber_free(struct sim_fiber *fiber);

/* Runs it until it yields or ends. From the scheduler only, not from another fiber. */
void sim_fiber_resume(struct sim_fiber *fiber);

/* Back to the scheduler, until somebody resumes this one. */
void sim_fiber_yield(struct sim *sim);

bool sim_fiber_is_done(const struct sim_fiber *fiber);

#endif
