// SPDX-License-Identifier: Apache-2.0
/* pacer: see pacer.h. Thread: see there. */
#include "base/pacer.h"

#include "base/macros.h"

enum { NS_PER_SECOND = 1000000000 };

/* A rate of nearly nothing is no reason to overflow. */
static const int64_t ns_max = (int64_t)1e18;

static int64_t bounded(double ns)
{
    return ns < (double)ns_max ? (int64_t)ns : ns_max;
}

void pacer_init(struct pacer *pacer, int64_t rate)
{
    atomic_init(&pacer->rate, MAX(rate, (int64_t)1));
    atomic_init(&pacer->paid_until_ns, 0);
}

bool pacer_set_rate(struct pacer *pacer, int64_t rate, int64_t now_ns)
{
    rate = MAX(rate, (int64_t)1);
    int64_t before = atomic_exchange(&pacer->rate, rate);
    if (before == rate)
        return false;
    int64_t until = atomic_load(&pacer->paid_until_ns);
    int64_t next;
    do {
        double owed_ns = (double)MAX(until - now_ns, (int64_t)0) * (double)before / (double)rate;
        next = now_ns + bounded(owed_ns);
    } while (!atomic_compare_exchange_weak(&pacer->paid_until_ns, &until, next));
    return true;
}

int64_t pacer_rate(const struct pacer *pacer)
{
    return atomic_load(&pacer->rate);
}

int64_t pacer_owe(struct pacer *pacer, int64_t amount, int64_t now_ns)
{
    int64_t cost_ns = bounded((double)amount * NS_PER_SECOND / (double)pacer_rate(pacer));
    int64_t until = atomic_load(&pacer->paid_until_ns);
    int64_t next;
    do
        next = MIN(MAX(until, now_ns), now_ns + ns_max) + cost_ns;
    while (!atomic_compare_exchange_weak(&pacer->paid_until_ns, &until, next));
    return next - now_ns;
}

int64_t pacer_paid_until_ns(const struct pacer *pacer)
{
    return atomic_load(&pacer->paid_until_ns);
}
