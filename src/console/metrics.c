// SPDX-License-Identifier: Apache-2.0
/*
 * metrics: see metrics.h. Everything is read once into a snapshot; then the table's rows are
 * written in their order. Topic names need no escaping: Kafka's rules for them allow none of
 * the characters that would.
 *
 * Thread: the console's loop.
 */
#include "console/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metric_table.h"
#include "broker/broker.h"
#include "broker/broker_stats.h"
#include "console/topic_sums.h"
#include "wire/api.h"
#include "wire/kerr.h"

struct partition_row {
    struct partition *partition; /* one reference */
    struct partition_offsets at;
};

struct page {
    struct env *env;
    struct broker *broker;
    struct strbuf *out;
    struct broker_gauges gauges;
    struct env_process_stats process;
    const struct net_stats *net;
    const struct broker_stats *stats;
    const struct log_stats *log;
    const struct scrub_stats *scrub;
    const struct journal_stats *journal;
    struct file_cache_stats files;
    const struct cleaner_stats *cleaner; /* NULL: there is none */
    const struct group_stats *groups;
    const char *topic;          /* whose rows are wanted; NULL: all */
    uint64_t segments;          /* of all partitions */
    uint64_t unsynced;          /* partitions */
    uint64_t serving;           /* partitions */
    uint64_t failed;            /* since they were opened */
    struct topic_sums topics;   /* of all of them, or the one that is wanted */
    bool leaves_rows_out;       /* there are too many */
    struct partition_row *rows; /* by topic and index */
    size_t row_count;
    size_t row_capacity;
};

/* ---- collecting */

static void collect_row(void *arg, struct partition *p)
{
    struct page *page = arg;
    struct partition_offsets at;
    struct partition_traffic traffic;
    partition_offsets(p, &at);
    page->serving += at.error == KERR_NONE;
    page->failed += at.error != KERR_NONE;
    page->segments += at.segment_count;
    page->unsynced += at.durable < at.written;
    if (page->topic != NULL && strcmp(partition_topic(p), page->topic) != 0)
        return;
    partition_traffic(p, &traffic);
    topic_sums_add(&page->topics, p, &traffic);
    if (page->leaves_rows_out)
        return;
    if (page->row_count == page->row_capacity) {
        page->row_capacity = page->row_capacity > 0 ? page->row_capacity * 2 : 64;
        page->rows = mem_realloc(page->rows, page->row_capacity * sizeof(struct partition_row));
    }
    struct partition_row *row = &page->rows[page->row_count++];
    row->partition = partition_ref(p);
    row->at = at;
}

static int compare_rows(const void *a, const void *b)
{
    const struct partition *x = ((const struct partition_row *)a)->partition;
    const struct partition *y = ((const struct partition_row *)b)->partition;
    int topics = strcmp(partition_topic(x), partition_topic(y));
    if (topics != 0)
        return topics;
    return partition_index(x) < partition_index(y) ? -1 : partition_index(x) > partition_index(y);
}

static void page_init(struct page *page, struct env *env, struct broker *broker, const char *topic,
                      struct strbuf *out)
{
    *page = (struct page){.env = env, .broker = broker, .topic = topic, .out = out};
    broker_gauges(broker, &page->gauges);
    env_process_stats(env, &page->process);
    page->net = broker_net_stats(broker);
    page->stats = broker_stats(broker);
    page->groups = broker_group_stats(broker);
    page->log = replica_set_log_stats(broker_replicas(broker));
    page->scrub = replica_set_scrub_stats(broker_replicas(broker));
    page->journal = broker_journal_stats(broker);
    replica_set_file_stats(broker_replicas(broker), &page->files);
    topic_sums_init(&page->topics);
    page->leaves_rows_out =
        topic == NULL && page->gauges.replicas.partitions > LIMIT_METRIC_PARTITIONS;
    page->cleaner = replica_set_cleaner_stats(broker_replicas(broker));
    replica_set_each(broker_replicas(broker), collect_row, page);
    topic_sums_sort(&page->topics);
    if (page->row_count > 0)
        qsort(page->rows, page->row_count, sizeof(page->rows[0]), compare_rows);
}

static void page_deinit(struct page *page)
{
    for (size_t i = 0; i < page->row_count; i++)
        partition_unref(page->rows[i].partition);
    topic_sums_deinit(&page->topics);
    mem_free(page->rows);
}

/* ---- writing */

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void put_head(struct page *page, enum metric metric)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    const struct metric_def *def = &metric_defs[metric];
    strbuf_printf(page->out, "# HELP %s %s\n# TYPE %s %s\n", def->name, def->help, def->name,
                  kinds[def->kind]);
}

static void put(struct page *page, enum metric metric, double value)
{
    strbuf_printf(page->out, "%s %.17g\n", metric_defs[metric].name, value);
}

static void put_labelled(struct page *page, enum metric metric, const char *label, double value)
{
    const struct metric_def *def = &metric_defs[metric];
    ASSERT(def->label_count == 1);
    strbuf_printf(page->out, "%s{%s=\"%s\"} %.17g\n", def->name, def->labels[0], label, value);
}

static void put_histogram(struct page *page, enum metric metric, const char *label,
                          const struct time_histogram *h)
{
    const struct metric_def *def = &metric_defs[metric];
    char mark[128] = "";
    if (def->label_count > 0)
        snprintf(mark, sizeof(mark), "%s=\"%s\"", def->labels[0], label);
    const char *comma = mark[0] != '\0' ? "," : "";
    uint64_t total = 0;
    for (uint32_t i = 0; i < METRIC_BUCKETS_TIME; i++) {
        total += load(&h->buckets[i]);
        strbuf_printf(page->out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", def->name, mark, comma,
                      metric_buckets_time[i], total);
    }
    total += load(&h->buckets[METRIC_BUCKETS_TIME]);
    strbuf_printf(page->out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", def->name, mark, comma,
                  total);
    const char *open = mark[0] != '\0' ? "{" : "";
    const char *close = mark[0] != '\0' ? "}" : "";
    strbuf_printf(page->out, "%s_sum%s%s%s %.9g\n%s_count%s%s%s %" PRIu64 "\n", def->name, open,
                  mark, close, (double)load(&h->sum_ns) / 1e9, def->name, open, mark, close, total);
}

static uint64_t histogram_count(const struct time_histogram *h)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i <= METRIC_BUCKETS_TIME; i++)
        total += load(&h->buckets[i]);
    return total;
}

/* ---- rows with labels */

static void put_closed(struct page *page)
{
    for (int i = 0; i < NET_CLOSE_REASON_COUNT; i++)
        put_labelled(page, METRIC_CONNECTIONS_CLOSED_TOTAL,
                     net_close_reason_name((enum net_close_reason)i),
                     (double)load(&page->net->closed[i]));
}

static void put_refused(struct page *page)
{
    for (int i = 0; i < BROKER_REFUSAL_COUNT; i++)
        put_labelled(page, METRIC_REQUESTS_REFUSED_TOTAL,
                     broker_refusal_name((enum broker_refusal)i),
                     (double)load(&page->stats->refused[i]));
}

static double gauge(const _Atomic int64_t *value)
{
    return (double)atomic_load_explicit(value, memory_order_relaxed);
}

static void put_groups(struct page *page)
{
    for (int i = 0; i < GROUP_STATE_COUNT; i++)
        put_labelled(page, METRIC_GROUPS, group_state_name((enum group_state)i),
                     gauge(&page->groups->groups[i]));
}

static void put_group_partitions(struct page *page)
{
    static const char *const names[GROUP_PARTITION_STATE_COUNT] = {"loading", "active", "failed"};
    for (int i = 0; i < GROUP_PARTITION_STATE_COUNT; i++)
        put_labelled(page, METRIC_GROUP_PARTITIONS, names[i], gauge(&page->groups->partitions[i]));
}

static void put_apis(struct page *page, enum metric metric)
{
    for (uint16_t i = 0; i < wire_api_count; i++) {
        const struct wire_api *api = &wire_apis[i];
        const struct time_histogram *h = &page->stats->apis[api->key];
        uint64_t count = histogram_count(h);
        if (count == 0)
            continue;
        if (metric == METRIC_REQUESTS_TOTAL)
            put_labelled(page, metric, api->name, (double)count);
        else
            put_histogram(page, metric, api->name, h);
    }
}

static void put_dirs(struct page *page, enum metric metric)
{
    for (size_t i = 0; i < broker_log_dir_count(page->broker); i++) {
        const char *path = broker_log_dir_path(page->broker, i);
        int64_t free_bytes = 0;
        int64_t total_bytes = 0;
        double value = broker_log_dir_is_offline(page->broker, i) ? 1 : 0;
        const struct disk_room *room = broker_log_dir_room(page->broker, i);
        if (metric == METRIC_LOG_DIR_FULL)
            value = disk_room_is_low(room);
        if (metric == METRIC_LOG_DIR_RESERVE_BYTES)
            value = gauge(&room->reserve_bytes);
        if (metric == METRIC_LOG_DIR_FREE_BYTES || metric == METRIC_LOG_DIR_TOTAL_BYTES) {
            if (env_disk_space(page->env, path, &free_bytes, &total_bytes) != ERR_OK)
                continue;
            value = (double)(metric == METRIC_LOG_DIR_FREE_BYTES ? free_bytes : total_bytes);
        }
        put_labelled(page, metric, path, value);
    }
}

static uint64_t topic_value(const struct partition_traffic *traffic, enum metric metric)
{
    if (metric == METRIC_TOPIC_RECORDS_IN_TOTAL)
        return traffic->records_in;
    return metric == METRIC_TOPIC_BYTES_IN_TOTAL ? traffic->bytes_in : traffic->bytes_out;
}

static void put_topics(struct page *page, enum metric metric)
{
    for (size_t i = 0; i < page->topics.count; i++) {
        const struct topic_sum *sum = page->topics.sorted[i];
        put_labelled(page, metric, partition_topic(sum->partition),
                     (double)topic_value(&sum->traffic, metric));
    }
}

static int64_t partition_value(const struct partition_row *row, enum metric metric)
{
    const struct partition_offsets *at = &row->at;
    if (metric == METRIC_PARTITION_LOG_START_OFFSET)
        return at->log_start;
    if (metric == METRIC_PARTITION_HIGH_WATERMARK)
        return at->high_watermark;
    if (metric == METRIC_PARTITION_WRITTEN_OFFSET)
        return at->written;
    if (metric == METRIC_PARTITION_DURABLE_OFFSET)
        return at->durable;
    if (metric == METRIC_PARTITION_ASSIGNED_OFFSET)
        return at->assigned;
    if (metric == METRIC_PARTITION_RECOVERY_POINT)
        return at->recovery_point;
    if (metric == METRIC_PARTITION_LOG_SIZE_BYTES)
        return at->size_bytes;
    ASSERT(metric == METRIC_PARTITION_LEADER_EPOCH);
    return at->leader_epoch;
}

static void put_partitions(struct page *page, enum metric metric)
{
    const struct metric_def *def = &metric_defs[metric];
    ASSERT(def->label_count == 2);
    for (size_t i = 0; i < page->row_count; i++)
        strbuf_printf(page->out, "%s{topic=\"%s\",partition=\"%d\"} %" PRId64 "\n", def->name,
                      partition_topic(page->rows[i].partition),
                      partition_index(page->rows[i].partition),
                      partition_value(&page->rows[i], metric));
}

/* ---- rows of one number */

static double process_value(const struct page *page, enum metric metric)
{
    const struct env_process_stats *process = &page->process;
    if (metric == METRIC_PROCESS_START_TIME_SECONDS)
        return process->start_time_seconds;
    if (metric == METRIC_PROCESS_CPU_SECONDS_TOTAL)
        return process->cpu_seconds;
    if (metric == METRIC_PROCESS_RESIDENT_MEMORY_BYTES)
        return (double)process->resident_bytes;
    return (double)(metric == METRIC_PROCESS_OPEN_FDS ? process->open_fds : process->fds_max);
}

static double files_value(const struct page *page, enum metric metric)
{
    const struct file_cache_stats *files = &page->files;
    if (metric == METRIC_LOG_FILES_OPEN)
        return files->open;
    if (metric == METRIC_LOG_FILES_MAX)
        return files->open_max;
    if (metric == METRIC_LOG_FILES_OPENED_TOTAL)
        return (double)files->opened;
    return (double)(metric == METRIC_LOG_FILES_EVICTED_TOTAL ? files->evicted : files->exhausted);
}

static double cleaner_value(const struct page *page, enum metric metric)
{
    const struct cleaner_stats *stats = page->cleaner;
    int64_t last_end_ms = atomic_load_explicit(&stats->last_end_ms, memory_order_relaxed);
    switch (metric) {
    case METRIC_CLEANER_PARTITIONS:
        return (double)load(&stats->partitions);
    case METRIC_CLEANER_UNCLEANABLE_PARTITIONS:
        return (double)load(&stats->uncleanable);
    case METRIC_CLEANER_MAX_DIRTY_RATIO:
        return atomic_load_explicit(&stats->dirty_max_ppm, memory_order_relaxed) / 1e6;
    case METRIC_CLEANER_ROUNDS_TOTAL:
        return (double)load(&stats->rounds);
    case METRIC_CLEANER_READ_BYTES_TOTAL:
        return (double)load(&stats->read_bytes);
    case METRIC_CLEANER_WRITTEN_BYTES_TOTAL:
        return (double)load(&stats->written_bytes);
    case METRIC_CLEANER_FREED_BYTES_TOTAL:
        return (double)load(&stats->freed_bytes);
    case METRIC_CLEANER_MAP_BYTES:
        return (double)load(&stats->map_bytes);
    default:
        return last_end_ms > 0 ? (double)(env_wall_ms(page->env) - last_end_ms) / 1000 : 0;
    }
}

static double plain_value(const struct page *page, enum metric metric)
{
    const struct broker_gauges *gauges = &page->gauges;
    switch (metric) {
    case METRIC_START_TIME_SECONDS:
        return gauges->start_time_seconds;
    case METRIC_REACTOR_STALLS_TOTAL:
        return (double)page->process.loop_stalls;
    case METRIC_CONNECTIONS:
        return (double)atomic_load(&page->net->open);
    case METRIC_CONNECTIONS_ACCEPTED_TOTAL:
        return (double)load(&page->net->accepted);
    case METRIC_BYTES_RECEIVED_TOTAL:
        return (double)load(&page->net->bytes_in);
    case METRIC_BYTES_SENT_TOTAL:
        return (double)load(&page->net->bytes_out);
    case METRIC_THROTTLED_REQUESTS_TOTAL:
        return (double)load(&page->stats->throttled);
    case METRIC_REQUESTS_IN_FLIGHT:
        return (double)atomic_load(&page->net->requests_in_flight);
    case METRIC_FETCH_SESSIONS:
        return gauges->fetch_sessions;
    case METRIC_FETCH_SESSIONS_EVICTED_TOTAL:
        return (double)gauges->fetch_sessions_evicted;
    case METRIC_MEMORY_RESERVED_BYTES:
        return (double)atomic_load(&page->net->memory_bytes);
    case METRIC_MEMORY_WAITING:
        return (double)atomic_load(&page->net->memory_waiting);
    case METRIC_MEMORY_LIMIT_BYTES:
        return (double)gauges->memory_limit_bytes;
    case METRIC_BATCHES_REFUSED_TOTAL:
        return (double)load(&page->stats->batches_refused);
    case METRIC_DUPLICATE_BATCHES_TOTAL:
        return (double)load(&page->stats->batches_repeated);
    case METRIC_TOPICS:
        return (double)gauges->topics;
    case METRIC_PARTITIONS:
        return gauges->replicas.partitions;
    case METRIC_PARTITIONS_LED:
        return (double)gauges->replicas.partitions - gauges->replicas.offline -
               (double)page->failed;
    case METRIC_PARTITIONS_OFFLINE:
        return gauges->replicas.offline + (double)page->failed;
    case METRIC_PARTITIONS_UNDER_REPLICATED:
    case METRIC_PARTITIONS_UNDER_MIN_ISR:
        return 0; /* one broker: its replica is the only one */
    case METRIC_PARTITIONS_AT_MIN_ISR:
        return (double)page->serving;
    case METRIC_SCRUB_BYTES_TOTAL:
        return (double)load(&page->scrub->bytes);
    case METRIC_SCRUB_DAMAGED_TOTAL:
        return (double)load(&page->scrub->rot);
    case METRIC_SCRUB_ROUNDS_TOTAL:
        return (double)load(&page->scrub->rounds);
    case METRIC_LOG_SYNCS_TOTAL:
        return (double)histogram_count(&page->log->sync_time);
    case METRIC_LOG_WRITTEN_BYTES_TOTAL:
        return (double)load(&page->log->written_bytes);
    case METRIC_JOURNAL_GROUPS_TOTAL:
        return (double)load(&page->journal->groups);
    case METRIC_JOURNAL_ENTRIES_TOTAL:
        return (double)load(&page->journal->entries);
    case METRIC_JOURNAL_HELD_TOTAL:
        return (double)load(&page->journal->held);
    case METRIC_JOURNAL_HELD_BYTES:
        return (double)page->files.behind;
    case METRIC_JOURNAL_WRITTEN_BYTES_TOTAL:
        return (double)load(&page->journal->written_bytes);
    case METRIC_JOURNAL_STRAIGHT_TOTAL:
        return (double)load(&page->journal->straight);
    case METRIC_JOURNAL_ROTATIONS_TOTAL:
        return (double)load(&page->journal->rotations);
    case METRIC_JOURNAL_REPLAYED_TOTAL:
        return (double)load(&page->journal->replayed);
    case METRIC_LOG_COLD_READS_TOTAL:
        return (double)(load(&page->stats->cold_reads) + load(&page->net->cold_reads));
    case METRIC_LOG_SEGMENTS:
        return (double)page->segments;
    case METRIC_PARTITIONS_UNSYNCED:
        return (double)page->unsynced;
    case METRIC_PARTITION_ROWS_LEFT_OUT:
        return page->leaves_rows_out;
    case METRIC_LOG_FILES_OPEN:
    case METRIC_LOG_FILES_MAX:
    case METRIC_LOG_FILES_OPENED_TOTAL:
    case METRIC_LOG_FILES_EVICTED_TOTAL:
    case METRIC_LOG_FILES_EXHAUSTED_TOTAL:
        return files_value(page, metric);
    case METRIC_LOG_RECOVERED_BYTES_TOTAL:
        return (double)gauges->replicas.recovered_bytes;
    case METRIC_LOG_TRUNCATED_BYTES_TOTAL:
        return (double)gauges->replicas.cut_bytes;
    case METRIC_CLEANER_PARTITIONS:
    case METRIC_CLEANER_UNCLEANABLE_PARTITIONS:
    case METRIC_CLEANER_MAX_DIRTY_RATIO:
    case METRIC_CLEANER_ROUNDS_TOTAL:
    case METRIC_CLEANER_READ_BYTES_TOTAL:
    case METRIC_CLEANER_WRITTEN_BYTES_TOTAL:
    case METRIC_CLEANER_FREED_BYTES_TOTAL:
    case METRIC_CLEANER_MAP_BYTES:
    case METRIC_CLEANER_SECONDS_SINCE_LAST_ROUND:
        return page->cleaner != NULL ? cleaner_value(page, metric) : 0;
    case METRIC_GROUP_OFFSETS:
        return gauge(&page->groups->offsets);
    case METRIC_GROUP_OFFSETS_COMMITTED_TOTAL:
        return (double)load(&page->groups->offsets_committed);
    case METRIC_GROUP_OFFSETS_EXPIRED_TOTAL:
        return (double)load(&page->groups->offsets_expired);
    case METRIC_GROUP_OFFSETS_DELETED_TOTAL:
        return (double)load(&page->groups->offsets_deleted);
    case METRIC_GROUP_REBALANCES_TOTAL:
        return (double)load(&page->groups->rebalances);
    case METRIC_CONTROLLER:
        return gauges->is_controller;
    case METRIC_BROKERS:
        return gauges->brokers;
    case METRIC_METADATA_OFFSET:
        return (double)gauges->metadata_offset;
    default:
        return process_value(page, metric);
    }
}

static void put_row(struct page *page, enum metric metric)
{
    put_head(page, metric);
    switch (metric) {
    case METRIC_BUILD_INFO:
        put_labelled(page, metric, KLAMM_VERSION, 1);
        break;
    case METRIC_CONNECTIONS_CLOSED_TOTAL:
        put_closed(page);
        break;
    case METRIC_REQUESTS_REFUSED_TOTAL:
        put_refused(page);
        break;
    case METRIC_REQUESTS_TOTAL:
    case METRIC_REQUEST_SECONDS:
        put_apis(page, metric);
        break;
    case METRIC_TOPIC_RECORDS_IN_TOTAL:
    case METRIC_TOPIC_BYTES_IN_TOTAL:
    case METRIC_TOPIC_BYTES_OUT_TOTAL:
        put_topics(page, metric);
        break;
    case METRIC_PARTITION_LOG_START_OFFSET:
    case METRIC_PARTITION_HIGH_WATERMARK:
    case METRIC_PARTITION_WRITTEN_OFFSET:
    case METRIC_PARTITION_DURABLE_OFFSET:
    case METRIC_PARTITION_ASSIGNED_OFFSET:
    case METRIC_PARTITION_RECOVERY_POINT:
    case METRIC_PARTITION_LOG_SIZE_BYTES:
    case METRIC_PARTITION_LEADER_EPOCH:
        put_partitions(page, metric);
        break;
    case METRIC_GROUPS:
        put_groups(page);
        break;
    case METRIC_GROUP_PARTITIONS:
        put_group_partitions(page);
        break;
    case METRIC_GROUP_LOAD_SECONDS:
        put_histogram(page, metric, "", &page->groups->load_time);
        break;
    case METRIC_LOG_APPEND_SECONDS:
        put_histogram(page, metric, "", &page->log->append_time);
        break;
    case METRIC_LOG_SYNC_SECONDS:
        put_histogram(page, metric, "", &page->log->sync_time);
        break;
    case METRIC_JOURNAL_SYNC_SECONDS:
        put_histogram(page, metric, "", &page->journal->sync_time);
        break;
    case METRIC_LOG_DIR_FREE_BYTES:
    case METRIC_LOG_DIR_TOTAL_BYTES:
    case METRIC_LOG_DIR_RESERVE_BYTES:
    case METRIC_LOG_DIR_FULL:
    case METRIC_LOG_DIR_OFFLINE:
        put_dirs(page, metric);
        break;
    default:
        put(page, metric, plain_value(page, metric));
        break;
    }
}

void metrics_write(struct env *env, struct broker *broker, const char *topic, struct strbuf *out)
{
    struct page page;
    page_init(&page, env, broker, topic, out);
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        put_row(&page, (enum metric)metric);
    page_deinit(&page);
}
