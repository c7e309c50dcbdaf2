// SPDX-License-Identifier: Apache-2.0
/*
 * decide: what is to become of a request that changes the cluster: (image, request, time,
 * chance, config) -> records and an answer. Nothing else goes in and nothing else comes out.
 *
 * Requests and answers are the generated structs of wire; the answer is in the arena of the
 * request. A decision that is made twice (another controller was quicker) gives a whole new
 * answer. Who may ask is for the caller to know.
 *
 * Thread: any.
 * Limits: LIMIT_TOPICS_PER_CREATE, LIMIT_PARTITIONS_PER_CREATE, LIMIT_CONFIGS_PER_TOPIC,
 *         LIMIT_CONFIG_VALUE_BYTES, and the size of one log entry.
 */
#ifndef CONTROLLER_DECIDE_H
#define CONTROLLER_DECIDE_H

#include "base/arena.h"
#include "metadata/config_topic.h"
#include "metadata/image.h"
#include "wire/kerr.h"
#include "wire/metadata_records.h"
#include "wire/writer.h"

struct alter_configs_request;
struct alter_configs_response;
struct create_partitions_request;
struct create_partitions_response;
struct create_topics_request;
struct create_topics_response;
struct delete_topics_request;
struct delete_topics_response;
struct incremental_alter_configs_request;
struct incremental_alter_configs_response;

struct decision {
    /* What it is made from. */
    const struct image *image;
    const struct config_layers *layers; /* the broker's configuration */
    int64_t now_ms;
    void (*random)(void *arg, void *out, size_t len);
    void *random_arg;
    /* What comes out: one log entry, which will have the index image_position + 1. */
    struct wire_writer records;
    uint32_t record_count;
};

/* `entry_bytes_max` bounds the records; above it decide_* fails with ERR_TOO_LARGE. The other
 * inputs are set by the caller. */
void decision_init(struct decision *d, uint32_t entry_bytes_max);
void decision_deinit(struct decision *d);

/* All decide_* functions: ERR_OK: the answer is whole, whatever it says; records may be none.
 * ERR_NO_MEMORY, ERR_TOO_LARGE: no answer and no records; tell the client as a whole. */

/* CreateTopics. Names in the answer are borrowed from the request. `now`, ids and places come from
 * the decision's inputs. */
enum err decide_create_topics(struct decision *d, const struct create_topics_request *request,
                              struct arena *arena, struct create_topics_response *response)
    MUST_USE;

/* Metadata asked for a topic that is not there, or a group's log is needed: with the defaults
 * (-1) or the given counts. *result: KERR_NONE also when it exists already. */
struct auto_topic {
    const char *name;
    size_t name_len;
    int32_t partition_count;    /* -1: num.partitions */
    int16_t replication_factor; /* -1: default.replication.factor */
    struct config_pairs configs;
};

enum err decide_auto_topic(struct decision *d, const struct auto_topic *topic, enum kerr *result)
    MUST_USE;

/* DeleteTopics, by name (request->topic_names or topics[].name) or by id. */
enum err decide_delete_topics(struct decision *d, const struct delete_topics_request *request,
                              struct arena *arena, struct delete_topics_response *response)
    MUST_USE;

/* CreatePartitions: one row for each name. */
enum err decide_create_partitions(struct decision *d,
                                  const struct create_partitions_request *request,
                                  struct arena *arena, struct create_partitions_response *response)
    MUST_USE;

/* IncrementalAlterConfigs and the older AlterConfigs (which replaces all); of topics and brokers,
 * of all brokers (""), and of groups. Other resources: INVALID_REQUEST. */
enum err decide_incremental_alter_configs(struct decision *d,
                                          const struct incremental_alter_configs_request *request,
                                          struct arena *arena,
                                          struct incremental_alter_configs_response *response)
    MUST_USE;
enum err decide_alter_configs(struct decision *d, const struct alter_configs_request *request,
                              struct arena *arena, struct alter_configs_response *response)
    MUST_USE;

/* A broker has come up: it is registered with a new epoch, its leader epochs rise, and, where it
 * is the first of a cluster, the cluster gets its id. */
struct broker_start {
    const char *cluster_id; /* used when the cluster has none yet; NULL or "": made from chance */
    int32_t node_id;
    struct uuid incarnation_id;
    const char *rack; /* NULL: none */
    const struct uuid *log_dirs;
    int32_t log_dir_count;
    const struct listener_image *listeners;
    int32_t listener_count;
    bool is_controller; /* it holds the controller's lease too */
};

enum err decide_broker_start(struct decision *d, const struct broker_start *start) MUST_USE;

enum { PRODUCER_ID_BLOCK = 1000 };

/* The next block of producer ids: *first ... *first + PRODUCER_ID_BLOCK - 1.
 * ERR_FULL: 2^63 of them are used up. */
enum err decide_producer_ids(struct decision *d, int32_t node_id, int64_t *first) MUST_USE;

#endif
