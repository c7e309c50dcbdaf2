// SPDX-License-Identifier: Apache-2.0
/*
 * stats: clock, CPU time of another process, percentiles.
 *
 * It does not know what is measured. A bench program that cannot go on ends
 * with a message: a run that is half done is no measurement.
 *
 * Thread: each object belongs to one thread.
 */
#include "stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t cpu_ticks(int pid)
{
    uint64_t user = 0;
    uint64_t system = 0;
    cpu_ticks_split(pid, &user, &system);
    return user + system;
}

void cpu_ticks_split(int pid, uint64_t *out_user, uint64_t *out_system)
{
    *out_user = *out_system = 0;
    char path[64];
    char line[1024];
    if (pid == 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = '\0';
    /* The command name may hold spaces: count fields after its last ')'. */
    const char *rest = strrchr(line, ')');
    unsigned long long user = 0;
    unsigned long long system = 0;
    if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                               &user, &system) != 2)
        return;
    *out_user = user;
    *out_system = system;
}

double cpu_seconds(uint64_t ticks)
{
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void samples_add(struct samples *s, uint64_t ns)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity == 0 ? 65536 : s->capacity * 2;
        uint64_t *grown = realloc(s->ns, capacity * sizeof *grown);
        if (grown == NULL)
            die("no memory for %zu samples", capacity);
        s->ns = grown;
        s->capacity = capacity;
    }
    s->ns[s->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

double samples_us(struct samples *s, unsigned permille)
{
    if (s->count == 0)
        return 0;
    qsort(s->ns, s->count, sizeof s->ns[0], compare);
    size_t index = s->count * permille / 1000;
    if (index >= s->count)
        index = s->count - 1;
    return (double)s->ns[index] / 1000.0;
}

void samples_clear(struct samples *s)
{
    s->count = 0;
}

void samples_free(struct samples *s)
{
    free(s->ns);
    *s = (struct samples){0};
}
