// SPDX-License-Identifier: Apache-2.0
/*
 * group_shard: the coordinator of the groups whose facts lie in one partition of
 * __consumer_offsets.
 *
 * One queue: requests run one at a time on the shard's loop, change the groups in memory at once
 * and write what changed; answers wait until it is committed. When a write fails, or when the
 * partition is no longer ours, everything in memory is dropped, everybody is told to look for
 * the coordinator again, and the log is replayed. So what is in memory is always what replaying
 * the log gives, plus what members are doing just now.
 *
 * It knows Kafka's records of offsets and classic groups. It does not know partitions,
 * connections, topics or the metadata image.
 *
 * Thread: the shard's loop, where nothing else is said.
 * Crash: a committed write is in the log; what was not committed nobody was told of.
 */
#ifndef COORDINATOR_GROUP_SHARD_H
#define COORDINATOR_GROUP_SHARD_H

#include <stdint.h>

#include "base/iobuf.h"
#include "base/list.h"
#include "coordinator/group_op.h"
#include "env/env.h"
#include "wire/batch.h"
#include "wire/kerr.h"

struct group;
struct group_shard;
struct group_stats;

struct group_settings {
    int32_t session_timeout_min_ms; /* group.min.session.timeout.ms */
    int32_t session_timeout_max_ms;
    int32_t initial_rebalance_delay_ms; /* KIP-134 */
    int32_t members_max;                /* group.max.size */
    int32_t offset_metadata_bytes_max;
    int64_t offsets_retention_ms;
    int64_t retention_check_ms;
    int32_t batch_bytes_max; /* of the topic: max.message.bytes */
};

/* One batch on its way into the log. Owned by the shard, untouched between append and
 * group_shard_written. */
struct shard_write {
    struct iobuf_slice bytes; /* one batch, validated by construction; the log takes the slice */
    struct batch_header header;
    enum kerr error; /* result */

    /* The shard's own. */
    struct list link;
    struct list ops;  /* done when this is committed */
    int64_t begun_ns; /* monotonic */
    bool is_finished;
    /* A write that something follows from; NULL: nothing. The group stays until then. */
    void (*committed)(struct group *group, const struct shard_write *write);
    struct group *group;
    int32_t generation;
};

/* Where a shard's facts lie. Called on the shard's loop. */
struct shard_log {
    void *arg;
    /* Exactly one group_shard_written follows, on the shard's loop, in any order. */
    void (*append)(void *arg, struct shard_write *write);
    /* Reads everything that is committed: any number of group_shard_replay on one other thread,
     * then one group_shard_loaded. */
    void (*load)(void *arg);
};

struct group_shard_options {
    struct loop *loop;
    int32_t index; /* of the partition */
    struct group_settings settings;
    struct shard_log log;
    struct group_stats *stats; /* zeroed at first; may be that of many shards, and outlives them */
};

struct group_shard *group_shard_new(const struct group_shard_options *options);
/* It was never started or is stopped. Accepts NULL. */
void group_shard_free(struct group_shard *shard);

/* The partition is ours from now on: reads the log. Until that is done requests are told that it
 * is loading. */
void group_shard_start(struct group_shard *shard);

/* The partition is no longer ours, or the broker stops: all who wait are told NOT_COORDINATOR.
 * `stopped` is called when no write is under way any more; then it may be started again or freed.
 */
void group_shard_stop(struct group_shard *shard, void (*stopped)(void *arg), void *arg);

void group_shard_submit(struct group_shard *shard, struct group_op *op);

/* The topic is gone: nobody has read any of it. Where the log is being read just now this comes
 * behind that. */
void group_shard_forget_topic(struct group_shard *shard, const char *topic);

/* ---- for the log */

/* One whole batch, in the order of the log. Thread: the one that loads. ERR_CORRUPT,
 * ERR_NO_MEMORY: loading is over. */
enum err group_shard_replay(struct group_shard *shard, const uint8_t *batch, size_t len) MUST_USE;
void group_shard_loaded(struct group_shard *shard, enum err e);
void group_shard_written(struct group_shard *shard, struct shard_write *write);

/* Thread: any. */
struct group_shard_counts {
    uint32_t groups[5]; /* by enum group_state */
    uint32_t members;
    uint32_t offsets;
    bool is_active;
};
/* Thread: the shard's loop. */
void group_shard_count(const struct group_shard *shard, struct group_shard_counts *out);

/* Everything that lies in the log, in one order and as text: two shards with the same facts give
 * the same. For tests and checkers. */
struct strbuf;
void group_shard_dump(const struct group_shard *shard, struct strbuf *out);

#endif
