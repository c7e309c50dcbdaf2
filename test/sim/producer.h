// SPDX-License-Identifier: Apache-2.0
/*
 * producer: a simulated producer: batches with sequences, several in flight, retries until
 * acknowledged or given up.
 *
 * It behaves as Kafka's own does where the broker's promises depend on it: the batches of
 * a partition are sent in order; a lost connection sends all that is unanswered again
 * with the same sequences; an idempotent producer that gives up, or whose state the broker
 * has lost, begins anew with a new producer id.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_PRODUCER_H
#define TEST_SIM_PRODUCER_H

#include "client.h"
#include "wire/batch_builder.h"

enum { PRODUCER_IN_FLIGHT_MAX = 5 };

struct producer_options {
    bool is_idempotent; /* acks must be -1 */
    int16_t acks;
    unsigned in_flight_max; /* calls; at most 5 for an idempotent one */
    unsigned batches;       /* per partition */
    unsigned batch_records_max;
    unsigned record_bytes_max;
    enum compress_codec codec;
    int64_t think_max_ns;        /* between batches; 0: none */
    int64_t delivery_timeout_ns; /* 0: never gives up */
};

enum batch_state { BATCH_QUEUED, BATCH_SENT };

struct producer_batch {
    struct list link;
    enum batch_state state;
    bool was_sent;
    uint32_t first_record; /* of the history */
    int32_t count;
    int32_t sequence;
    uint32_t ordinal; /* the broker remembers five: none goes five ahead of the oldest */
    int64_t created_ns;
    int64_t timestamp_ms;
};

struct producer_partition {
    uint32_t partition; /* of the history */
    unsigned left;      /* batches to make */
    uint32_t next_number;
    uint32_t next_ordinal;
    int32_t next_sequence;
    bool is_known; /* something of this instance is acknowledged: the broker has a state of it */
    struct list batches; /* not yet acknowledged, oldest first */
};

struct producer;

struct producer_call {
    struct call call;
    struct producer *producer;
    bool is_used;
    uint32_t count;
    struct producer_batch *batches[CLIENT_PARTITIONS_MAX]; /* NULL: given up meanwhile */
    uint32_t partitions[CLIENT_PARTITIONS_MAX];            /* index in producer->partitions */
};

struct producer {
    struct client client;
    struct producer_options options;
    uint32_t index; /* in the history */
    int32_t instance;
    int64_t producer_id; /* -1: none yet */
    int16_t producer_epoch;
    bool is_asking_id;
    struct call init_call;
    struct producer_partition partitions[CLIENT_PARTITIONS_MAX];
    struct producer_call calls[PRODUCER_IN_FLIGHT_MAX];
    struct batch_builder builder;
    struct loop_timer pause; /* thinking, or backing off */
    bool is_pausing;
    struct loop_timer deadline;
    int64_t last_ack_took_ns; /* of the last call that was answered */
};

void producer_start(struct producer *p, uint32_t index, const struct client_options *client,
                    const struct producer_options *options);

/* So many more batches for each partition. */
void producer_add_batches(struct producer *p, unsigned batches);

/* All batches are acknowledged or given up. */
bool producer_is_done(const struct producer *p);

void producer_stop(struct producer *p);

#endif
