// SPDX-License-Identifier: Apache-2.0
/*
 * client: what producers, consumers and admins share: a connection that is opened again and
 * again, and metadata of the topics they work on, asked for at each connect and compared
 * with the history.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_CLIENT_H
#define TEST_SIM_CLIENT_H

#include "connection.h"
#include "history.h"

enum { CLIENT_PARTITIONS_MAX = 64 };

/* Kafka's keys of the APIs that the clients use. */
enum {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
    API_METADATA = 3,
    API_OFFSET_COMMIT = 8,
    API_OFFSET_FETCH = 9,
    API_FIND_COORDINATOR = 10,
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_LEAVE_GROUP = 13,
    API_SYNC_GROUP = 14,
    API_DESCRIBE_GROUPS = 15,
    API_CREATE_TOPICS = 19,
    API_DELETE_TOPICS = 20,
    API_DELETE_RECORDS = 21,
    API_INIT_PRODUCER_ID = 22,
    API_ALTER_REPLICA_LOG_DIRS = 34,
    API_DESCRIBE_LOG_DIRS = 35,
    API_DELETE_GROUPS = 42,
    API_INCREMENTAL_ALTER_CONFIGS = 44,
    API_OFFSET_DELETE = 47,
};

struct client_options {
    struct history *history;
    struct sim_env *env;
    struct env_addr broker;
    uint32_t partitions[CLIENT_PARTITIONS_MAX]; /* of the history */
    uint32_t partition_count;
    int64_t backoff_max_ns; /* before it connects again */
    void *arg;
    void (*ready)(void *arg); /* connected, and the topics' metadata is known */
    void (*lost)(void *arg);
};

struct client {
    struct client_options options;
    struct connection connection;
    struct call metadata;
    struct history_floor floors[CLIENT_PARTITIONS_MAX];
    struct history_topic_view views[CLIENT_PARTITIONS_MAX]; /* of the partitions' topics */
    struct loop_timer again;
    bool is_ready;
    bool is_stopped;
};

void client_start(struct client *c, const struct client_options *options);

/* Closes and stays closed; `lost` is not called. */
void client_stop(struct client *c);

/* Closes, tells `lost`, and comes back after a while. */
void client_reconnect(struct client *c);

struct sim *client_sim(const struct client *c);

/* "topic": by name, or by id where the answer has no name. -1: not one of this client's. */
int32_t client_find_partition(const struct client *c, struct wire_str topic, struct uuid id,
                              int32_t index);

/* Starts the timer by chance within [low, high]. */
void client_later(const struct client *c, struct loop_timer *timer, int64_t low_ns,
                  int64_t high_ns);

#endif
