// SPDX-License-Identifier: Apache-2.0
/*
 * fetch_op: one Fetch on its way: what it reads, what it found, what it waits for.
 *
 * It is a watcher of its partitions: apart from its request, because partitions may hold a
 * reference for a moment after it is answered.
 *
 * Thread: its reactor; fetch_op_job on a worker while the reactor leaves it alone.
 */
#ifndef BROKER_FETCH_OP_H
#define BROKER_FETCH_OP_H

#include "broker/fetch_session.h"
#include "broker/request.h"
#include "replica/partition.h"
#include "wire/fetch.h"

struct fetch_part {
    struct fetch_item *item; /* NULL: no session */
    struct wire_str topic;   /* as the client named it, borrowed from request or session */
    struct uuid topic_id;
    struct fetch_request_fetch_partition want;
    struct partition *partition; /* NULL: `result.error` says why; one reference */
    struct partition_read_result result;
    struct watch watch;
};

enum fetch_step {
    FETCH_READING, /* on the reactor */
    FETCH_ON_DISK, /* a worker has it */
    FETCH_PARKED,  /* waits for partitions or its timer */
    FETCH_DONE,
};

struct fetch_op {
    struct watcher watcher;
    struct request *rq; /* NULL when answered */
    struct fetch_session *session;
    enum fetch_kind kind;
    uint32_t step;
    struct arena arena; /* the answer's structs */
    struct fetch_part *parts;
    uint32_t part_count;
    int64_t bytes_max;
    int64_t bytes_min;
    int64_t deadline_ns;
    int64_t found_bytes;
    uint32_t found_files; /* ranges that hold a file */
    bool has_error;       /* a partition's error or divergence: answered at once */
    bool has_more; /* so is what ends with a segment: the rest is there, but not in this answer */
    enum partition_reader reader;
    struct loop_timer timer;
    uint32_t disk_index; /* of the part that a worker reads next */
    struct env_job job;
    struct loop_task disk_done;
    struct list parked_link; /* in the client's list while parked */
};

/* The answer of this op into its request's response struct; false: out of memory. */
bool fetch_op_fill_response(struct fetch_op *op);

/* Answers a fetch whose connection has closed. */
void fetch_op_abandon(struct fetch_op *op);

#endif
