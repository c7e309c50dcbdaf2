// SPDX-License-Identifier: Apache-2.0
/* sim_fiber: ucontext stacks with a guard page below. See sim_fiber.h. Thread: one. */
#include "env/sim_fiber.h"

#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/sim.h"
#include "env/sim_sanitizer.h"

enum { FIBER_STACK_BYTES = 1 << 20, FIBER_GUARD_BYTES = 4096 };

struct sim_fiber {
    struct sim *sim;
    void (*run)(void *arg);
    void *arg;
    ucontext_t context;
    ucontext_t scheduler;
    uint8_t *stack; /* the guard page first */
    bool is_done;
    /* For the sanitizers. */
    void *own_save;
    void *scheduler_save;
    const void *scheduler_stack;
    size_t scheduler_size;
    void *own_tsan;
    void *scheduler_tsan;
};

/* makecontext hands over ints only. */
static void fiber_main(unsigned high, unsigned low)
{
    struct sim_fiber *fiber = (struct sim_fiber *)(((uintptr_t)high << 32) | (uintptr_t)low);
    sanitizer_switch_end(NULL, &fiber->scheduler_stack, &fiber->scheduler_size);
    fiber->run(fiber->arg);
    fiber->is_done = true;
    sanitizer_switch_begin(NULL, fiber->scheduler_stack, fiber->scheduler_size);
    sanitizer_fiber_switch(fiber->scheduler_tsan);
    setcontext(&fiber->scheduler);
    ASSERT(false);
}

struct sim_fiber *sim_fiber_new(struct sim *sim, void (*run)(void *arg), void *arg)
{
    struct sim_fiber *fiber = mem_alloc(sizeof(*fiber));
    fiber->sim = sim;
    fiber->run = run;
    fiber->arg = arg;
    fiber->stack = mmap(NULL, FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(fiber->stack != MAP_FAILED);
    ASSERT(mprotect(fiber->stack, FIBER_GUARD_BYTES, PROT_NONE) == 0);
    ASSERT(getcontext(&fiber->context) == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack + FIBER_GUARD_BYTES;
    fiber->context.uc_stack.ss_size = FIBER_STACK_BYTES - FIBER_GUARD_BYTES;
    fiber->own_tsan = sanitizer_fiber_new();
    uintptr_t self = (uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(self >> 32),
                (unsigned)self);
    return fiber;
}

void sim_fiber_free(struct sim_fiber *fiber)
{
    if (fiber == NULL)
        return;
    ASSERT(fiber->sim->fiber != fiber);
    munmap(fiber->stack, FIBER_STACK_BYTES);
    sanitizer_fiber_free(fiber->own_tsan);
    mem_free(fiber);
}

void sim_fiber_resume(struct sim_fiber *fiber)
{
    struct sim *sim = fiber->sim;
    ASSERT(sim->fiber == NULL && !fiber->is_done);
    sim->fiber = fiber;
    fiber->scheduler_tsan = sanitizer_fiber_current();
    sanitizer_switch_begin(&fiber->scheduler_save, fiber->context.uc_stack.ss_sp,
                           fiber->context.uc_stack.ss_size);
    sanitizer_fiber_switch(fiber->own_tsan);
    ASSERT(swapcontext(&fiber->scheduler, &fiber->context) == 0);
    sanitizer_switch_end(fiber->scheduler_save, NULL, NULL);
    sim->fiber = NULL;
}

void sim_fiber_yield(struct sim *sim)
{
    struct sim_fiber *fiber = sim->fiber;
    ASSERT(fiber != NULL);
    sanitizer_switch_begin(&fiber->own_save, fiber->scheduler_stack, fiber->scheduler_size);
    sanitizer_fiber_switch(fiber->scheduler_tsan);
    ASSERT(swapcontext(&fiber->context, &fiber->scheduler) == 0);
    sanitizer_switch_end(fiber->own_save, &fiber->scheduler_stack, &fiber->scheduler_size);
}

bool sim_fiber_is_done(const struct sim_fiber *fiber)
{
    return fiber->is_done;
}
