// SPDX-License-Identifier: Apache-2.0
/*
 * broker_counts: what a broker says of itself that shows whether a world met what it was made for.
 * In a file of its own: the broker's headers have names that the clients of a world have too.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_BROKER_COUNTS_H
#define TEST_SIM_BROKER_COUNTS_H

#include <stdint.h>

struct broker;

struct broker_counts {
    int64_t journal_rotations;
    int64_t journal_replays;
    int64_t compactions;
};

/* Also of one whose machine is dead. */
void broker_count(const struct broker *broker, struct broker_counts *out);

#endif
