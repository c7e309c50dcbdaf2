// SPDX-License-Identifier: Apache-2.0
/*
 * broker_stats: what the broker counts, for the metrics page. Relaxed atomics: a page shows
 * each number as it was at some moment, not all at the same one.
 *
 * Thread: any.
 */
#ifndef BROKER_BROKER_STATS_H
#define BROKER_BROKER_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "coordinator/group_stats.h"
#include "log/journal.h"
#include "net/net.h"
#include "replica/replica_set.h"

struct broker;
struct request;

enum broker_refusal {
    BROKER_REFUSED_API, /* unknown, or not served */
    BROKER_REFUSED_VERSION,
    BROKER_REFUSED_MALFORMED,
    BROKER_REFUSED_MEMORY, /* the request's arena was too small for it */
    BROKER_REFUSAL_COUNT
};
const char *broker_refusal_name(enum broker_refusal reason);

enum { BROKER_APIS_MAX = 96 }; /* API keys */

struct broker_stats {
    struct time_histogram
        apis[BROKER_APIS_MAX]; /* from a whole request to its answer's handing over */
    _Atomic uint64_t refused[BROKER_REFUSAL_COUNT];
    _Atomic uint64_t throttled;
    _Atomic uint64_t cold_reads;
    _Atomic uint64_t batches_refused;
    _Atomic uint64_t batches_repeated;
};

/* Borrowed for the broker's life. */
const struct broker_stats *broker_stats(const struct broker *broker);
const struct net_stats *broker_net_stats(const struct broker *broker);
const struct group_stats *broker_group_stats(const struct broker *broker);
const struct journal_stats *broker_journal_stats(const struct broker *broker);
struct replica_set *broker_replicas(const struct broker *broker);

struct broker_gauges {
    struct replica_set_counts replicas;
    uint64_t topics;
    uint32_t fetch_sessions;
    uint64_t fetch_sessions_evicted;
    uint64_t memory_limit_bytes;
    int64_t metadata_offset;
    uint32_t brokers;
    bool is_controller;
    double start_time_seconds; /* when it became ready, since 1970; 0: it is not */
};
void broker_gauges(struct broker *broker, struct broker_gauges *out);

/* Log directories: paths, and whether they have failed. */
size_t broker_log_dir_count(const struct broker *broker);
const char *broker_log_dir_path(const struct broker *broker, size_t index);
const struct disk_room *broker_log_dir_room(const struct broker *broker, size_t index);
bool broker_log_dir_is_offline(const struct broker *broker, size_t index);

#endif
