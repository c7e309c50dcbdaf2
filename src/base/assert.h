// SPDX-License-Identifier: Apache-2.0
/*
 * assert: our own bugs end the process, in release builds too.
 *
 * ASSERT is for facts that only a mistake of ours can break: never for what a
 * peer, a disk, a config file or an operator controls. Before it aborts it
 * prints the thread's trace ring: the last events that TRACE recorded here.
 *
 * Thread: any; each thread has a ring of its own.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stdint.h>

#define ASSERT(claim) ((claim) ? (void)0 : assert_failed(#claim, __FILE__, __LINE__, __func__))

/* Records one event in this thread's ring. `what` must be a string literal. */
#define TRACE(what, a, b) trace_record("" what, (uint64_t)(a), (uint64_t)(b))

_Noreturn void assert_failed(const char *claim, const char *file, int line, const char *function);

void trace_record(const char *what, uint64_t a, uint64_t b);

/* Prints the ring of this thread to `fd`, oldest event first. */
void trace_print(int fd);

#endif
