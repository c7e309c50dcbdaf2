// SPDX-License-Identifier: Apache-2.0
/*
 * produce_op: one Produce on its way: a part for each partition, answered when all parts are
 * done or its time is up, and kept until the last part is done.
 *
 *   prepare  every batch is checked and stamped; large compressed ones on a worker
 *   append   in the order in which the connection's requests came
 *   wait     until each part is as safe as the producer asked for
 *   answer
 *
 * Thread: its reactor; produce_part_prepare also on a worker, while the reactor leaves the op
 * alone; part results are written by disk workers before `remaining` goes down.
 */
#ifndef BROKER_PRODUCE_OP_H
#define BROKER_PRODUCE_OP_H

#include <stdatomic.h>

#include "broker/request.h"
#include "replica/partition.h"
#include "wire/batch_builder.h"
#include "wire/batch_validate.h"
#include "wire/produce.h"

struct produce_op;

struct produce_part {
    struct partition_append append;
    struct produce_op *op;
    struct partition *partition; /* one reference; NULL: `error` says why */
    struct wire_records records;
    enum kerr error;                          /* KERR_NONE until something is wrong with it */
    const char *reason;                       /* static, or NULL */
    int64_t append_time_ms;                   /* -1 unless the topic uses LogAppendTime */
    struct batch_record_error *record_errors; /* mem_alloc'ed; NULL: none */
    int32_t record_error_count;
    uint32_t record_count;
    uint32_t size_bytes;
    atomic_bool is_done;
};

struct produce_op {
    struct request *rq; /* NULL once answered */
    struct list order;  /* in conn_state.produce until appended */
    struct produce_part *parts;
    uint32_t part_count;
    int16_t acks;
    bool is_prepared;
    bool needs_worker;
    bool is_zstd_allowed;
    int64_t now_ms;
    atomic_uint remaining; /* parts not done, and one for the op itself while it is appending */
    struct loop *loop;
    struct loop_timer timer;
    struct loop_task task;
    struct env_job job;
    struct env *env;
};

/* What a worker or a reactor keeps to decode and encode with; members are made when needed. */
struct produce_tools {
    struct compress_decoder *decoder;
    struct batch_recoder recoder;
};
void produce_tools_deinit(struct produce_tools *tools);

/* Checks and stamps the batch; on failure part->error is set. May decode: see batch_needs_decoding.
 */
void produce_part_prepare(struct produce_part *part, struct produce_tools *tools);

/* Is decoding this part too much work for a reactor? */
bool produce_part_is_heavy(const struct produce_part *part);

#endif
