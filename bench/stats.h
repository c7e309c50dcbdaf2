// SPDX-License-Identifier: Apache-2.0
/*
 * stats: what the bench programs measure with: the monotonic clock, the CPU
 * time of another process, and a bag of samples with percentiles.
 *
 * It does not know what is measured.
 *
 * Thread: each object belongs to one thread.
 */
#ifndef KLAMM_BENCH_STATS_H
#define KLAMM_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint64_t *ns;
    size_t count;
    size_t capacity;
};

uint64_t now_ns(void);

/* User plus system time of all threads of a process, in clock ticks (10 ms
 * here); 0 when the process is gone or pid is 0. */
uint64_t cpu_ticks(int pid);
/* The two by themselves. */
void cpu_ticks_split(int pid, uint64_t *out_user, uint64_t *out_system);
double cpu_seconds(uint64_t ticks);

void samples_add(struct samples *s, uint64_t ns);
/* Sorts; permille 500 is the median. 0 without samples. In microseconds. */
double samples_us(struct samples *s, unsigned permille);
/* Drops what was gathered and keeps the memory. */
void samples_clear(struct samples *s);
void samples_free(struct samples *s);

/* Says why on stderr and ends the program with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
