// SPDX-License-Identifier: Apache-2.0
/*
 * consumer: a simulated consumer: finds the start, then fetches for ever, with or without a
 * fetch session, and tells the history every record that it sees.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_CONSUMER_H
#define TEST_SIM_CONSUMER_H

#include "client.h"
#include "wire/batch_reader.h"

struct consumer_options {
    bool has_session;
    bool may_pause;   /* leaves partitions out for a while */
    unsigned rereads; /* of compacted partitions: so often it goes back to the start */
    bool is_auditor;  /* reads up to the end that it is told, once */
    int32_t wait_ms;
    int32_t bytes_min;
    int32_t bytes_max;
    int32_t partition_bytes_max;
};

struct consumer_partition {
    uint32_t partition;    /* of the history */
    int64_t position;      /* -1: to be asked */
    int64_t batch_end;     /* behind the batch that was read last */
    int64_t lost_position; /* was out of range: the log has to begin behind it; -1: none */
    uint32_t lost_starts;
    int64_t end; /* of an auditor: -1: to be asked */
    bool is_paused;
    bool is_given_up; /* it is rotten, and that was to be seen */
    bool is_in_session;
    int64_t session_position; /* that the session knows */
    struct history_floor floor;
    bool has_pass; /* of a compacted one: it began at the start, and has not come to the end */
    struct history_pass pass;
    unsigned rereads_left;
};

struct consumer {
    struct client client;
    struct consumer_options options;
    struct consumer_partition partitions[CLIENT_PARTITIONS_MAX];
    int32_t session_id;
    int32_t session_epoch;
    bool is_busy; /* a call is under way */
    bool is_asking_end;
    struct call list_call;
    struct call fetch_call;
    struct loop_timer pause;
    struct batch_reader reader;
};

void consumer_start(struct consumer *c, const struct client_options *client,
                    const struct consumer_options *options);

/* An auditor: everything was read. Others: all that anybody was told of was read. */
bool consumer_is_done(const struct consumer *c);

void consumer_stop(struct consumer *c);

#endif
