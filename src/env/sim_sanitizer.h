// SPDX-License-Identifier: Apache-2.0
/*
 * sim_sanitizer: tells the address and thread sanitizers that the stack is changed;
 * nothing in other builds. Thread: one.
 */
#ifndef ENV_SIM_SANITIZER_H
#define ENV_SIM_SANITIZER_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>

static inline void sanitizer_switch_begin(void **save, const void *stack, size_t size)
{
    __sanitizer_start_switch_fiber(save, stack, size);
}

static inline void sanitizer_switch_end(void *save, const void **old_stack, size_t *old_size)
{
    __sanitizer_finish_switch_fiber(save, old_stack, old_size);
}
#else
static inline void sanitizer_switch_begin(void **save, const void *stack, size_t size)
{
}

static inline void sanitizer_switch_end(void *save, const void **old_stack, size_t *old_size)
{
}
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>

static inline void *sanitizer_fiber_new(void)
{
    return __tsan_create_fiber(0);
}

static inline void sanitizer_fiber_free(void *fiber)
{
    __tsan_destroy_fiber(fiber);
}

static inline void *sanitizer_fiber_current(void)
{
    return __tsan_get_current_fiber();
}

static inline void sanitizer_fiber_switch(void *fiber)
{
    __tsan_switch_to_fiber(fiber, 0);
}
#else
static inline void *sanitizer_fiber_new(void)
{
    return NULL;
}

static inline void sanitizer_fiber_free(void *fiber)
{
}

static inline void *sanitizer_fiber_current(void)
{
    return NULL;
}

static inline void sanitizer_fiber_switch(void *fiber)
{
}
#endif

#endif
