// SPDX-License-Identifier: Apache-2.0
/*
 * broker_counts: what a broker says of itself that shows whether a world met what it was made for.
 * In a file of its own: the broker's headers have names that the clients of a world have too.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_BROKER_COUNTS_H
#define TEST_SIM_BROKER_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct broker;

struct broker_counts {
    int64_t journal_rotations;
    int64_t journal_replays;
    int64_t journal_held;
    int64_t compactions;
    int64_t scrub_rounds;
    int64_t moves;   /* that are under way */
    int64_t offline; /* partitions that could not be opened */
};

/* Also of one whose machine is dead. */
void broker_count(const struct broker *broker, struct broker_counts *out);

/* How far a partition was compacted, and its log's end. False: it is not here, or not compacted. */
bool broker_cleaned(struct broker *broker, const char *topic, int32_t index, int64_t *clean_end,
                    int64_t *log_end);

/* A place of which the broker says that its checksum does not fit. */
struct broker_rot {
    const char *topic;
    int32_t index;
    int64_t segment_base;
    int64_t pos;
    int64_t end;
    int64_t end_offset;
};

void broker_each_rot(struct broker *broker, void (*each)(void *arg, const struct broker_rot *rot),
                     void *arg);

/* Does the scrub read this segment, and are there records in it below this offset? */
bool broker_scrubs(struct broker *broker, const char *topic, int32_t index, int64_t segment_base,
                   int64_t end_offset);

#endif
