// SPDX-License-Identifier: Apache-2.0
/* broker_counts: see broker_counts.h. Thread: one. */
#include "broker_counts.h"

#include "broker/broker_stats.h"
#include "replica/replica_set.h"

void broker_count(const struct broker *broker, struct broker_counts *out)
{
    const struct journal_stats *journal = broker_journal_stats(broker);
    const struct cleaner_stats *cleaner = replica_set_cleaner_stats(broker_replicas(broker));
    *out = (struct broker_counts){
        .journal_rotations = (int64_t)atomic_load(&journal->rotations),
        .journal_replays = (int64_t)atomic_load(&journal->replayed),
        .compactions = cleaner != NULL ? (int64_t)atomic_load(&cleaner->rounds) : 0,
    };
}
