// SPDX-License-Identifier: Apache-2.0
/*
 * swarm: what kind of world a seed makes. Each fault is off in some worlds, so that
 * others have room, and on at very different rates in the others.
 *
 * Thread: one.
 */
#include "world.h"

#include <stdio.h>

enum { BATCH_RECORDS_MAX = 10, RECORD_OVERHEAD = 40 };

static int64_t pick(struct sim *sim, const int64_t *values, size_t count)
{
    return values[sim_draw(sim, 0, (int64_t)count - 1)];
}

#define PICK(sim, ...)                                                                             \
    pick((sim), (const int64_t[]){__VA_ARGS__},                                                    \
         sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void draw_network(struct sim *sim, struct sim_tuning *t)
{
    t->net_delay_min = PICK(sim, 1, 20 * SIM_US, 200 * SIM_US);
    t->net_delay_max = t->net_delay_min + PICK(sim, 10 * SIM_US, 300 * SIM_US, 5 * SIM_MS);
    t->net_slow_ppm = (int32_t)PICK(sim, 0, 100, 5000);
    t->net_slow_max = PICK(sim, SIM_MS, 100 * SIM_MS);
    t->net_segment_max = (int32_t)PICK(sim, 100, 1460, 1 << 20);
    t->net_window_min = (int32_t)PICK(sim, 1000, 8192, 65536);
    t->net_window_max = t->net_window_min + (int32_t)PICK(sim, 0, 4096, 1 << 20);
    t->part_percent = (int32_t)PICK(sim, 0, 5, 40);
    t->net_reset_delay_max = PICK(sim, SIM_MS, 200 * SIM_MS);
}

static void draw_disk(struct sim *sim, struct sim_tuning *t)
{
    t->disk_delay_min = PICK(sim, SIM_US, 20 * SIM_US);
    t->disk_delay_max = t->disk_delay_min + PICK(sim, SIM_US, 50 * SIM_US, 2 * SIM_MS);
    t->sync_delay_min = PICK(sim, 20 * SIM_US, 500 * SIM_US);
    t->sync_delay_max =
        t->sync_delay_min + PICK(sim, 10 * SIM_US, SIM_MS, 10 * SIM_MS, 80 * SIM_MS);
    t->disk_slow_ppm = (int32_t)PICK(sim, 0, 100, 3000);
    t->disk_slow_max = PICK(sim, 10 * SIM_MS, 500 * SIM_MS);
    t->cold_percent = (int32_t)PICK(sim, 0, 5, 50);
    t->step_delay_max = PICK(sim, 1, 10 * SIM_US, SIM_MS);
}

void swarm_draw(struct sim *sim, struct swarm *out)
{
    *out = (struct swarm){.tuning = sim_tuning_calm()};
    draw_network(sim, &out->tuning);
    draw_disk(sim, &out->tuning);
    out->tuning.turn_delay_max = PICK(sim, 1, 10 * SIM_US, 500 * SIM_US);
    out->tuning.timer_late_max = PICK(sim, 1, 50 * SIM_US, 5 * SIM_MS);
    out->log_dirs = 1;
    out->workers = (unsigned)sim_draw(sim, 2, 5);
    out->loops = (unsigned)PICK(sim, 1, 1, 2, 3);
    out->crashes = (unsigned)sim_draw(sim, 1, 6);
    out->power_cut_percent = (int32_t)PICK(sim, 100, 60, 60, 10);
    out->clean_stop_percent = (int32_t)PICK(sim, 0, 10, 30);
    out->crash_in_io_percent = (int32_t)PICK(sim, 0, 50, 100);
    out->crash_in_recovery_percent = (int32_t)PICK(sim, 0, 40, 80);
    out->has_rot = sim_percent(sim, 50);
    out->crash_aimed_percent = (int32_t)PICK(sim, 0, 0, 40, 80);
    out->reset_interval_ns = PICK(sim, 0, 20 * SIM_MS, 200 * SIM_MS, 2 * SIM_S);
    out->jump_interval_ns = PICK(sim, 0, 0, 300 * SIM_MS);
    out->backoff_max_ns = PICK(sim, SIM_MS, 10 * SIM_MS, 100 * SIM_MS);
    out->retention_check_ms = PICK(sim, 20, 100, 300000);
    out->journal_bytes = PICK(sim, 0, 262144, 262144, 262144, 1 << 20);
    out->journal_after_commits = PICK(sim, 0, 0, 10, 100);
    out->full_interval_ns = PICK(sim, 0, 0, 0, 500 * SIM_MS, 3 * SIM_S);
    out->full_max_ns = PICK(sim, SIM_MS, 50 * SIM_MS, 1 * SIM_S, 4 * SIM_S);
    out->open_files = (int32_t)PICK(sim, 0, 0, 1, 4, 12);
    out->scrub.interval_ms = PICK(sim, 0, 0, 0, 100, 1000);
    out->scrub.bytes_per_second = PICK(sim, 300000, 3000000);
    out->journal_held_bytes = PICK(sim, 0, 300, 2000, 8192, 65536);
}

void swarm_draw_groups(struct sim *sim, struct swarm_groups *out)
{
    *out = (struct swarm_groups){
        .offsets_partitions = (int32_t)PICK(sim, 1, 1, 3, 8),
        .offsets_segment_bytes = (int32_t)PICK(sim, 0, 8192, 65536),
        .initial_delay_ms = (int32_t)PICK(sim, 0, 50, 300),
        .retention_check_ms = (int32_t)PICK(sim, 20, 200, 600000),
        .retention_max_ms = (int32_t)PICK(sim, 0, 0, 100, 2000),
        .static_percent = (int32_t)PICK(sim, 0, 30, 100),
        .member =
            {
                .session_timeout_ms = (int32_t)PICK(sim, 800, 2000, 6000),
                .rebalance_timeout_ms = (int32_t)PICK(sim, 300, 1000, 4000),
                .heartbeat_ns = PICK(sim, 5 * SIM_MS, 50 * SIM_MS, 200 * SIM_MS),
                .pause_max_ns = PICK(sim, SIM_MS, 10 * SIM_MS, 30 * SIM_MS),
                .fate_mean_ns = PICK(sim, 0, 500 * SIM_MS, 3 * SIM_S),
                .away_max_ns = PICK(sim, 20 * SIM_MS, 500 * SIM_MS, 4 * SIM_S),
            },
        .disk_error_ppm = (int32_t)PICK(sim, 0, 0, 300, 2000),
        .full_interval_ns = PICK(sim, 0, 0, 500 * SIM_MS, 3 * SIM_S),
        .full_max_ns = PICK(sim, SIM_MS, 50 * SIM_MS, 1 * SIM_S),
    };
}

static const char *draw_compression(struct sim *sim)
{
    static const char *const types[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    if (sim_percent(sim, 70))
        return NULL;
    return types[sim_draw(sim, 0, (int64_t)ARRAY_COUNT(types) - 1)];
}

void world_add_random_topics(struct world *w)
{
    struct sim *sim = w->sim;
    int64_t count = sim_draw(sim, 1, 3);
    int64_t durable = sim_draw(sim, 0, 4); /* mostly all of them */
    w->record_bytes_max = (int32_t)PICK(sim, 20, 300, 3000);
    int32_t batch_bytes = BATCH_RECORDS_MAX * (w->record_bytes_max + RECORD_OVERHEAD) + 100;
    for (int64_t i = 0; i < count; i++) {
        char name[HISTORY_NAME_SIZE];
        int32_t retention_bytes = (int32_t)PICK(sim, 0, 0, 0, 10000, 100000);
        int32_t segment_bytes = (int32_t)PICK(sim, 2048, 16384, 100000, 1 << 20);
        snprintf(name, sizeof(name), "topic-%lld", (long long)i);
        world_add_topic(w, &(struct world_topic_options){
                               .name = name,
                               .partitions = (int32_t)sim_draw(sim, 1, 4),
                               .is_durable = durable != i || w->swarm.faults.under != NULL,
                               .segment_bytes = MAX(batch_bytes, segment_bytes),
                               .index_interval_bytes = (int32_t)PICK(sim, 0, 200, 4096),
                               .is_preallocated = sim_percent(sim, 20),
                               .retention_bytes = retention_bytes,
                               .segment_ms = (int32_t)PICK(sim, 0, 0, 0, 30, 1000),
                               .compression = draw_compression(sim),
                               .is_log_append_time = sim_percent(sim, 15),
                               .flush_messages = (int32_t)PICK(sim, 0, 0, 1, 30),
                               .delete_delay_ms = (int32_t)PICK(sim, 0, 50, 60000),
                           });
    }
}

void world_add_compacted_topics(struct world *w)
{
    struct sim *sim = w->sim;
    int64_t count = sim_draw(sim, 1, 2);
    w->swarm.jump_interval_ns = 0; /* tombstones go by the calendar */
    if (sim_percent(sim, 50))
        w->swarm.journal_bytes = 0; /* what is in a journal is not compacted yet */
    w->swarm.cleaner = (struct swarm_cleaner){
        .backoff_ms = PICK(sim, 1, 20, 100),
        .threads = sim_draw(sim, 1, 2),
        .bytes_per_second = PICK(sim, 1 << 30, 1 << 30, 1000000),
        .is_thorough = sim_percent(sim, 60),
    };
    w->record_bytes_max = (int32_t)PICK(sim, 20, 100, 1000);
    int32_t batch_bytes = BATCH_RECORDS_MAX * (w->record_bytes_max + RECORD_OVERHEAD) + 100;
    for (int64_t i = 0; i < count; i++) {
        char name[HISTORY_NAME_SIZE];
        int32_t segment_bytes = (int32_t)PICK(sim, 2048, 2048, 16384);
        snprintf(name, sizeof(name), "compacted-%lld", (long long)i);
        world_add_topic(w, &(struct world_topic_options){
                               .name = name,
                               .partitions = (int32_t)sim_draw(sim, 1, 2),
                               .is_durable = true,
                               .segment_bytes = MAX(batch_bytes, segment_bytes),
                               .index_interval_bytes = (int32_t)PICK(sim, 0, 200, 4096),
                               .is_preallocated = sim_percent(sim, 20),
                               .segment_ms = (int32_t)PICK(sim, 0, 0, 30, 1000),
                               .compression = draw_compression(sim),
                               .is_log_append_time = sim_percent(sim, 15),
                               .delete_delay_ms = (int32_t)PICK(sim, 0, 50, 60000),
                               .keys = (int32_t)PICK(sim, 1, 4, 20, HISTORY_KEYS_MAX),
                               .delete_retention_ms = (int32_t)PICK(sim, 300, 5000, 60000),
                               .compaction_lag_ms = (int32_t)PICK(sim, 0, 0, 0, 50),
                           });
    }
}

struct producer_options world_random_producer(struct world *w)
{
    struct sim *sim = w->sim;
    static const enum compress_codec codecs[] = {COMPRESS_NONE, COMPRESS_NONE, COMPRESS_LZ4,
                                                 COMPRESS_SNAPPY, COMPRESS_GZIP};
    return (struct producer_options){
        .acks = (int16_t)PICK(sim, -1, -1, -1, 1),
        .in_flight_max = (unsigned)sim_draw(sim, 1, PRODUCER_IN_FLIGHT_MAX),
        .batch_records_max = (unsigned)PICK(sim, 1, 3, BATCH_RECORDS_MAX),
        .record_bytes_max = (unsigned)w->record_bytes_max,
        .codec = codecs[sim_draw(sim, 0, (int64_t)ARRAY_COUNT(codecs) - 1)],
        .think_max_ns = PICK(sim, 0, 0, SIM_MS, 10 * SIM_MS),
        .delivery_timeout_ns = PICK(sim, 0, 0, 500 * SIM_MS, 5 * SIM_S),
    };
}

struct consumer_options world_random_consumer(struct world *w)
{
    struct sim *sim = w->sim;
    int32_t partition_bytes = (int32_t)PICK(sim, 1, 1000, 1 << 20);
    int32_t bytes_min = (int32_t)PICK(sim, 1, 1, 1, 5000);
    int32_t wait_ms = (int32_t)PICK(sim, 0, 10, 500);
    struct consumer_options options = {
        .has_session = sim_percent(sim, 60),
        .may_pause = sim_percent(sim, 30),
        .wait_ms = wait_ms,
        /* More than a partition may give would make each fetch take wait_ms. */
        .bytes_min = wait_ms == 0 ? 0 : MIN(bytes_min, partition_bytes),
        .bytes_max = (int32_t)PICK(sim, 1, 5000, 1 << 20),
        .partition_bytes_max = partition_bytes,
    };
    /* So would as much as an answer may have: whole batches hardly ever fill it. */
    if (options.bytes_min > 1 && options.bytes_min >= options.bytes_max)
        options.bytes_min = 1;
    return options;
}
