// SPDX-License-Identifier: Apache-2.0
/* broker_stats: counting. See broker_stats.h. Thread: any. */
#include "broker/broker_stats.h"

#include "base/assert.h"
#include "broker/broker_private.h"

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

const char *broker_refusal_name(enum broker_refusal reason)
{
    switch (reason) {
    case BROKER_REFUSED_API:
        return "an API that is not served";
    case BROKER_REFUSED_VERSION:
        return "a version that is not served";
    case BROKER_REFUSED_MALFORMED:
        return "a malformed request";
    case BROKER_REFUSED_MEMORY:
        return "a request that needs more memory than its limit";
    case BROKER_REFUSAL_COUNT:
        break;
    }
    ASSERT(false);
    return "";
}

void broker_count_request(struct request *rq)
{
    ASSERT(rq->api->key >= 0 && rq->api->key < BROKER_APIS_MAX);
    int64_t ns = env_mono_ns(rq->broker->env) - rq->net->received_ns;
    time_histogram_add(&rq->broker->stats.apis[rq->api->key], ns);
    if (rq->throttle_ms > 0)
        count(&rq->broker->stats.throttled, 1);
}

void broker_count_cold_read(struct broker *broker)
{
    count(&broker->stats.cold_reads, 1);
}

void broker_count_produced(struct broker *broker, const struct produce_part *part, enum kerr result)
{
    if (result != KERR_NONE)
        count(&broker->stats.batches_refused, 1);
    else if (part->append.is_repeat)
        count(&broker->stats.batches_repeated, 1);
    else
        partition_count_in(part->partition, part->record_count, part->size_bytes);
}

const struct broker_stats *broker_stats(const struct broker *broker)
{
    return &broker->stats;
}

const struct group_stats *broker_group_stats(const struct broker *broker)
{
    return &broker->groups.stats;
}

const struct net_stats *broker_net_stats(const struct broker *broker)
{
    return net_server_stats(broker->net);
}

const struct journal_stats *broker_journal_stats(const struct broker *broker)
{
    return &broker->journal_stats;
}

struct replica_set *broker_replicas(const struct broker *broker)
{
    return broker->replicas;
}

void broker_gauges(struct broker *broker, struct broker_gauges *out)
{
    *out = (struct broker_gauges){
        .fetch_sessions = fetch_sessions_count(broker->fetch_sessions),
        .fetch_sessions_evicted = fetch_sessions_evicted(broker->fetch_sessions),
        .memory_limit_bytes = (uint64_t)broker->config->memory_bytes_max,
        .start_time_seconds = (double)atomic_load(&broker->ready_wall_ms) / 1000,
    };
    replica_set_counts(broker->replicas, &out->replicas);
    struct image *image = image_slot_get(&broker->image);
    out->topics = image_topic_count(image);
    out->metadata_offset = image_position(image);
    out->brokers = (uint32_t)image_broker_count(image);
    out->is_controller = image_controller_id(image) == broker->node_id;
    image_unref(image);
}

size_t broker_log_dir_count(const struct broker *broker)
{
    return broker->dir_count;
}

const char *broker_log_dir_path(const struct broker *broker, size_t index)
{
    ASSERT(index < broker->dir_count);
    return log_dir_path(broker->dirs[index]);
}

const struct disk_room *broker_log_dir_room(const struct broker *broker, size_t index)
{
    ASSERT(index < broker->dir_count);
    return log_dir_room(broker->dirs[index]);
}

bool broker_log_dir_is_offline(const struct broker *broker, size_t index)
{
    return replica_set_dir_is_offline(broker->replicas, index);
}
