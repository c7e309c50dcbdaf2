// SPDX-License-Identifier: Apache-2.0
/*
 * config_topic: what is in force for one topic: its own values, then the
 * broker's keys that stand in for them (log.retention.ms before
 * log.retention.minutes before log.retention.hours), then the defaults.
 *
 * All values that come in here have passed config_check.
 *
 * Thread: any, while nobody changes the sets.
 */
#ifndef METADATA_CONFIG_TOPIC_H
#define METADATA_CONFIG_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "metadata/config.h"
#include "metadata/config_set.h"

/* The numbers are those of DescribeConfigs. */
enum config_source {
    CONFIG_SOURCE_TOPIC = 1,
    CONFIG_SOURCE_BROKER = 2,         /* set for one broker while running */
    CONFIG_SOURCE_BROKER_DEFAULT = 3, /* set for all brokers while running */
    CONFIG_SOURCE_STATIC = 4,         /* file, environment, command line */
    CONFIG_SOURCE_DEFAULT = 5,
    CONFIG_SOURCE_GROUP = 8,
};

/* What is said about the broker's keys, strongest first. */
struct config_layers {
    struct config_set broker;
    struct config_set broker_default;
    struct config_set fixed;
};

void config_layers_init(struct config_layers *layers);
void config_layers_deinit(struct config_layers *layers);

/* The value of a broker key and where it comes from; NULL and CONFIG_SOURCE_DEFAULT when it has
 * neither a value nor a default. `source` may be NULL. */
const char *config_layers_get(const struct config_layers *layers, int broker_key,
                              enum config_source *source);

/* The number in force of a key that is a number and has a default. */
int64_t config_layers_long(const struct config_layers *layers, int broker_key);

enum topic_timestamp_type {
    TOPIC_CREATE_TIME = 0,
    TOPIC_LOG_APPEND_TIME = 1,
};

/* PRODUCER: as the batch comes. The others are the numbers in a batch's attributes. */
enum topic_compression {
    TOPIC_COMPRESSION_PRODUCER = -1,
    TOPIC_COMPRESSION_NONE = 0,
    TOPIC_COMPRESSION_GZIP = 1,
    TOPIC_COMPRESSION_SNAPPY = 2,
    TOPIC_COMPRESSION_LZ4 = 3,
    TOPIC_COMPRESSION_ZSTD = 4,
};

/* Offsets, sizes and times in force; -1 in retention_* means for ever. */
struct topic_config {
    int64_t retention_ms;
    int64_t retention_bytes;
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int64_t index_interval_bytes;
    int64_t segment_index_bytes;
    int64_t max_message_bytes;
    int64_t max_decompressed_bytes;
    int64_t flush_messages;
    int64_t flush_ms;
    int64_t file_delete_delay_ms;
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    int64_t min_compaction_lag_ms;
    int64_t max_compaction_lag_ms;
    int64_t delete_retention_ms;
    double min_cleanable_ratio;
    int64_t producer_expiration_ms; /* of the broker: producer.id.expiration.ms */
    int32_t min_insync_replicas;
    int32_t gzip_level;
    int32_t lz4_level;
    int32_t zstd_level;
    enum topic_timestamp_type timestamp_type;
    enum topic_compression compression;
    bool cleanup_delete;
    bool cleanup_compact;
    bool preallocate;
    bool ack_disk; /* acks=all waits for the disk */
};

/* `topic` may be NULL: no values of its own. */
void config_topic_compute(const struct config_set *topic, const struct config_layers *layers,
                          struct topic_config *out);

/* The same for a topic of our own (__consumer_offsets and the like): always ack_disk. */
void config_topic_compute_internal(const struct config_set *topic,
                                   const struct config_layers *layers, struct topic_config *out);

/* Do the values of one topic go together? Each has passed config_check. ERR_INVALID: `why` has
 * gained one line. */
enum err config_topic_check(const struct config_set *topic, const struct config_layers *layers,
                            struct strbuf *why) MUST_USE;

/* Checks one name and value as a client sent them and adds them to the set. ERR_INVALID: the name
 * or the value is not valid and `why` has gained one line; ERR_NO_MEMORY. */
enum err config_topic_put(struct config_set *topic, const char *name, size_t name_len,
                          const char *text, size_t len, struct strbuf *why) MUST_USE;

struct config_described_synonym {
    const char *name;
    const char *text;
    enum config_source source;
};

enum { CONFIG_SYNONYMS_MAX = 12 };

/* One key as DescribeConfigs shows it. */
struct config_described {
    const struct config_def *def;
    const char *text; /* NULL: no value (internal.segment.bytes) or not shown (a password) */
    enum config_source source;
    int synonym_count; /* the value in force is the first, the default the last */
    struct config_described_synonym synonyms[CONFIG_SYNONYMS_MAX];
};

/* Texts live in the arena or as long as the sets. ERR_NO_MEMORY: the arena is full. */
enum err config_topic_describe(const struct config_set *topic, const struct config_layers *layers,
                               int topic_key, struct arena *arena, struct config_described *out)
    MUST_USE;

/* The same for a key of the broker. */
enum err config_broker_describe(const struct config_layers *layers, int broker_key,
                                struct arena *arena, struct config_described *out) MUST_USE;

#endif
