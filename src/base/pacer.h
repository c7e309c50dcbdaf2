// SPDX-License-Identifier: Apache-2.0
/*
 * pacer: work that several do at a rate that they share. Who has done some owes the time that it is
 * worth, and waits until all is paid; the rate may change meanwhile.
 *
 * Thread: any; pacer_set_rate by one at a time.
 */
#ifndef BASE_PACER_H
#define BASE_PACER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pacer {
    _Atomic int64_t rate; /* a second; at least 1 */
    _Atomic int64_t paid_until_ns;
};

/* A rate below 1 counts as 1. */
void pacer_init(struct pacer *pacer, int64_t rate);

/* What is owed is reckoned by the new rate. False: it is the old one. Times are monotonic. */
bool pacer_set_rate(struct pacer *pacer, int64_t rate, int64_t now_ns);
int64_t pacer_rate(const struct pacer *pacer);

/* So much was done: how long to wait, in nanoseconds. */
int64_t pacer_owe(struct pacer *pacer, int64_t amount, int64_t now_ns);

/* When all that was done is paid. */
int64_t pacer_paid_until_ns(const struct pacer *pacer);

#endif
