// SPDX-License-Identifier: Apache-2.0
/* broker_counts: see broker_counts.h. Thread: one. */
#include "broker_counts.h"

#include "broker/broker_stats.h"

void broker_count(const struct broker *broker, struct broker_counts *out)
{
    const struct journal_stats *journal = broker_journal_stats(broker);
    *out = (struct broker_counts){
        .journal_rotations = (int64_t)atomic_load(&journal->rotations),
        .journal_replays = (int64_t)atomic_load(&journal->replayed),
    };
}
