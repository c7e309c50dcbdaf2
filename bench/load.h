// SPDX-License-Identifier: Apache-2.0
/*
 * load: what the modes of the load generator share.
 *
 * Each mode is one function in its own file; it runs its load, prints one
 * JSON line to stdout, and returns. Whatever goes wrong ends the program.
 *
 * Thread: one thread in the whole program.
 */
#ifndef KLAMM_BENCH_LOAD_H
#define KLAMM_BENCH_LOAD_H

#include "conn.h"
#include "kwire.h"

#include <stdbool.h>
#include <stdint.h>

struct load_options {
    const char *topic;
    const char *config_key; /* of the topic; NULL: none */
    const char *config_value;
    uint16_t port;
    int pid;         /* the broker's, for its CPU time; 0: not asked */
    bool is_floor;   /* the floor program: no topics to create */
    bool keep_topic; /* it exists already; do not create it */
    bool spin;       /* produce: never sleep while answers are due */
    bool rotate;     /* produce: each request goes to the next partition */
    bool check;      /* read: compute every CRC and compare offsets */
    int16_t acks;
    int conns;
    int partitions;
    int depth; /* requests in flight on each connection */
    uint32_t value_size;
    uint32_t batch_bytes;   /* 0: one record a request */
    int passes;             /* how often fetch reads everything */
    uint32_t fetch_batches; /* batches that one fetch may return */
    uint64_t bytes;         /* stop after so many of requests; 0: see seconds */
    double seconds;
    double rate;         /* records a second, end to end */
    double warm_seconds; /* before the measured period */
    char **command;      /* start: what to exec */
    int groups;
    int members;    /* of each group */
    int topics;     /* of one partition each */
    int named;      /* of them in a Metadata request; 0: all */
    int deaths;     /* of members, beside --passes leaves */
    int session_ms; /* of those that die */
};

void load_produce(const struct load_options *o);
void load_fetch(const struct load_options *o);
void load_latency(const struct load_options *o);
void load_idle(const struct load_options *o);
void load_start(const struct load_options *o);
void load_create(const struct load_options *o);
void load_delete(const struct load_options *o);
void load_commit(const struct load_options *o);
void load_rebalance(const struct load_options *o);
void load_groups(const struct load_options *o);
void load_topics(const struct load_options *o);
void load_metadata(const struct load_options *o);
void load_partitions(const struct load_options *o);

/* The batch that the options ask for. */
struct batch_shape load_shape(const struct load_options *o);

/* Creates the topic and waits until each partition takes records (an empty
 * fetch of each). Returns at once for the floor or with keep_topic. */
void load_create_topic(const struct load_options *o);

/* Waits until a Metadata answer has a leader for each of --topics topics: Kafka says "created"
 * before its brokers lead the partitions. The connection does not block from then on. */
void load_wait_until_led(const struct load_options *o, struct conn *c);

#endif
