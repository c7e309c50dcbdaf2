// SPDX-License-Identifier: Apache-2.0
/*
 * assert: see assert.h. The ring is thread-local so that recording an event
 * costs no lock; it is diagnostics only and never read by logic. Thread: any.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRACE_EVENTS = 64 };

struct trace_event {
    const char *what;
    uint64_t a;
    uint64_t b;
};

static _Thread_local struct trace_event trace_ring[TRACE_EVENTS];
static _Thread_local uint32_t trace_next;

void trace_record(const char *what, uint64_t a, uint64_t b)
{
    struct trace_event *event = &trace_ring[trace_next++ % TRACE_EVENTS];
    event->what = what;
    event->a = a;
    event->b = b;
}

void trace_print(int fd)
{
    for (uint32_t i = 0; i < TRACE_EVENTS; i++) {
        const struct trace_event *event = &trace_ring[(trace_next + i) % TRACE_EVENTS];
        if (event->what != NULL)
            dprintf(fd, "  trace: %s %llu %llu\n", event->what, (unsigned long long)event->a,
                    (unsigned long long)event->b);
    }
}

_Noreturn void assert_failed(const char *claim, const char *file, int line, const char *function)
{
    dprintf(2, "klamm: assertion failed: %s (%s:%d, %s)\n", claim, file, line, function);
    trace_print(2);
    abort();
}
