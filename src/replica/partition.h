// SPDX-License-Identifier: Apache-2.0
/*
 * partition: one partition on this broker: its log, its leadership, its high watermark,
 * and who waits for it.
 *
 * Appends are given offsets under the partition's monitor and put on disk by the
 * partition's job, of which at most one runs: it takes all that is pending, writes it,
 * syncs it where the topic wants that, and then completes those who waited. What else
 * changes the log on disk (retention, closing) is done by the same job, so a log has
 * one writer at any time.
 *
 * It does not know requests, connections or the metadata image.
 *
 * Thread: any, where nothing else is said; the monitor is held for microseconds and never
 * across I/O or a callback. Callbacks come on disk workers or on the caller's thread.
 * Crash: what was acknowledged with acks=all on a disk topic was below the durable end.
 */
#ifndef REPLICA_PARTITION_H
#define REPLICA_PARTITION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/list.h"
#include "base/uuid.h"
#include "env/env.h"
#include "env/monitor.h"
#include "log/log_dir.h"
#include "log/partition_log.h"
#include "metadata/config_topic.h"
#include "replica/due_queue.h"
#include "replica/watcher.h"
#include "wire/kerr.h"

struct partition;
struct partition_trim;

enum { PARTITION_TOPIC_NAME_SIZE = 250 };

/* What the disk work of all partitions of a set comes to. Relaxed atomics. */
struct log_stats {
    struct time_histogram append_time;
    struct time_histogram sync_time;
    _Atomic uint64_t written_bytes;
};

/* Upward calls. Any thread, no monitor held. */
struct partition_owner {
    void *arg;
    struct log_stats *stats; /* shared; outlives the partitions' jobs */
    /* A write or sync failed: the log directory must go offline. */
    void (*storage_failed)(void *arg, struct partition *p, enum err e);
    /* Something of this partition falls due at this wall time (flush.ms, unlinking). */
    void (*due)(void *arg, struct partition *p, int64_t wall_ms);
    /* The log start that this trim wants is among its directory's checkpoint values: when they are
     * on disk, or cannot be, partition_start_saved must be called once. */
    void (*save_start)(void *arg, struct partition_trim *trim);
    /* The journal of its directory has an entry of it, the first of a while. NULL: nobody asks. */
    void (*journal_used)(void *arg);
    /* It is to be looked at (partition_housekeep) in the first round after this wall time;
     * DUE_NEXT_ROUND: in the next one. */
    void (*round)(void *arg, struct partition *p, int64_t wall_ms);
};

struct partition_options {
    const char *topic;
    struct uuid topic_id;
    int32_t index;
    struct log_dir *dir;      /* borrowed for the partition's life, as all to which it moves */
    struct file_cache *files; /* its open files count there; NULL: no bound */
    const struct topic_config *config;
    int32_t leader_epoch;
    bool was_offline;     /* since it should have been opened: batches were refused meanwhile */
    bool waits_for_epoch; /* reads only, until partition_lead brings a higher one */
    const struct partition_owner *owner; /* copied */
    _Atomic int64_t *scanned;            /* as in log_open_options, and so are the others */
    uint64_t moved;
    bool (*stays_here)(void *arg, struct uuid to);
    void *stays_arg;
};

/* Opens or creates the log, and tells the owner what of it comes due. Blocks: a disk worker or
 * start. One reference. Errors as partition_log_open; *report is filled in either case. */
enum err partition_open(struct env *env, const struct partition_options *options,
                        struct log_open_report *report, struct partition **out) MUST_USE;

/* Where it stands in its owner's queue. */
struct due_place *partition_due_place(struct partition *p);
struct partition *partition_of_due_place(struct due_place *place);

struct partition *partition_ref(struct partition *p);
void partition_unref(struct partition *p); /* accepts NULL; the last one frees the log */

const char *partition_topic(const struct partition *p);
struct uuid partition_topic_id(const struct partition *p);
int32_t partition_index(const struct partition *p);
struct log_dir *partition_dir(const struct partition *p); /* where it lives just now */

void partition_set_config(struct partition *p, const struct topic_config *config);
void partition_topic_config(struct partition *p, struct topic_config *out);

/* This broker leads with this epoch from now on (a lower or equal one changes nothing). */
void partition_lead(struct partition *p, int32_t leader_epoch);

/* ---- appending */

enum partition_ack {
    PARTITION_ACK_WRITTEN,   /* acks=1 and acks=0: readable from the page cache */
    PARTITION_ACK_COMMITTED, /* acks=all: below the high watermark */
};

/* One batch on its way. Owned by the caller, untouched between partition_append and done. */
struct partition_append {
    struct log_append log; /* log.bytes and log.header are set by the caller; the slice is taken */
    enum partition_ack ack;
    struct loop *loop;   /* of the calling thread, where a small write may be done; NULL: none */
    bool spares_reserve; /* refused while its disk is nearly full: a client's */
    void (*done)(struct partition_append *append); /* exactly once; may free it. Any thread. */
    /* Results: */
    enum kerr result;
    bool found_low; /* KAFKA_STORAGE_ERROR, because of that */
    int64_t base_offset;
    int64_t log_start_offset;
    bool is_repeat;
    /* Internal: */
    struct list wait_link;
    int64_t wait_offset; /* complete when written or high watermark reach it */
};

/* Every outcome comes through append->done, refusals from within this call too:
 * NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR, OUT_OF_ORDER_SEQUENCE_NUMBER,
 * INVALID_PRODUCER_EPOCH. A repeat is answered with its original's
 * offset when that is committed. */
void partition_append(struct partition *p, struct partition_append *append, int64_t now_wall_ms);

/* ---- deleting from the front */

enum { PARTITION_TRIM_ALL = -1 }; /* up to the high watermark */

/* One request to delete what lies below an offset. Owned by the caller, who keeps a reference to
 * the partition; untouched between partition_trim and done. */
struct partition_trim {
    int64_t offset;                            /* the new log start, or PARTITION_TRIM_ALL */
    void (*done)(struct partition_trim *trim); /* exactly once; may free it. Any thread. */
    /* Results: */
    enum kerr result;
    int64_t log_start; /* -1 on failure */
    /* Internal: */
    struct partition *partition;
    struct list link;
};

/* Every outcome comes through trim->done, refusals and "it is below already" from within this call:
 * NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR, POLICY_VIOLATION (cleanup.policy has no delete),
 * OFFSET_OUT_OF_RANGE (negative, or above the high watermark). The new start is durable then. */
void partition_trim(struct partition *p, struct partition_trim *trim);

/* The owner's answer to save_start. Any thread. */
void partition_start_saved(struct partition_trim *trim, enum err e);

/* ---- reading */

enum partition_reader {
    PARTITION_READER_CONSUMER, /* up to the high watermark */
    PARTITION_READER_FOLLOWER, /* up to what is written */
};

struct partition_read {
    int64_t offset;
    int64_t bytes_max;
    bool whole_first; /* the first batch whole, even when larger than bytes_max */
    enum partition_reader reader;
    int32_t current_leader_epoch; /* -1: not given. KIP-320 */
    int32_t last_fetched_epoch;   /* -1: not given. KIP-595 */
};

/* As a consumer that knows no epochs; whole batches, however large the first is. */
static inline struct partition_read partition_read_from(int64_t offset, int64_t bytes_max)
{
    return (struct partition_read){.offset = offset,
                                   .bytes_max = bytes_max,
                                   .whole_first = true,
                                   .reader = PARTITION_READER_CONSUMER,
                                   .current_leader_epoch = -1,
                                   .last_fetched_epoch = -1};
}

struct partition_read_result {
    enum kerr error;
    int64_t high_watermark;
    int64_t last_stable_offset;
    int64_t log_start_offset;
    int32_t diverging_epoch; /* -1: none */
    int64_t diverging_end_offset;
    int64_t hole_end;       /* compaction left nothing from the offset to there; -1: no hole */
    bool has_more;          /* a range, and readable segments behind the one that it is from */
    struct log_range range; /* len 0: nothing to send */
};

/* ERR_AGAIN (ENV_NOWAIT only): the disk must be asked: call again with ENV_WAIT on a worker.
 * Every other outcome is ERR_OK with result->error. Release range when done. */
enum err partition_read(struct partition *p, const struct partition_read *read,
                        enum env_read_mode mode, struct partition_read_result *result) MUST_USE;

/* Fires once when the end for this kind of reader moves past `offset`, or at once (before it
 * returns) when it already has or the partition is not readable. The watch must not be linked. */
void partition_watch_add(struct partition *p, struct watch *watch, struct watcher *watcher,
                         int64_t offset, enum partition_reader reader);
/* Harmless when it has fired. */
void partition_watch_remove(struct partition *p, struct watch *watch);

/* ---- offsets */

struct partition_offsets {
    enum kerr error; /* KERR_NONE, or why this partition serves nobody */
    int64_t log_start;
    int64_t high_watermark;
    int64_t last_stable;
    int64_t written;
    int64_t durable;
    int64_t assigned;
    int64_t recovery_point;
    int64_t size_bytes;
    uint32_t segment_count;
    int32_t leader_epoch;
    uint64_t high_watermark_lag; /* written - high watermark */
};
void partition_offsets(struct partition *p, struct partition_offsets *out);

/* Records and bytes that clients brought and took, since it was opened. */
struct partition_traffic {
    uint64_t records_in;
    uint64_t bytes_in;
    uint64_t bytes_out;
};
void partition_count_in(struct partition *p, uint64_t records, uint64_t bytes);
void partition_count_out(struct partition *p, uint64_t bytes);
void partition_traffic(const struct partition *p, struct partition_traffic *out);

/* FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR or NONE;
 * KIP-320. */
enum kerr partition_check_epoch(struct partition *p, int32_t current_leader_epoch);

/* OffsetForLeaderEpoch: -1 and -1 when there is no such epoch. */
enum kerr partition_epoch_end(struct partition *p, int32_t current_leader_epoch, int32_t epoch,
                              int32_t *found_epoch, int64_t *end_offset);

enum { PARTITION_TIME_MAX = -3 }; /* the record with the largest timestamp (KIP-734) */

/* ListOffsets by time, or PARTITION_TIME_MAX. Blocks: on a worker. */
enum kerr partition_find_time(struct partition *p, int64_t timestamp_ms,
                              struct log_time_match *out);

/* ---- housekeeping */

/* Asks the partition's job for a round: retention, flush.ms, expiry of producers, unlinking of what
 * was deleted, checkpoint values. */
void partition_housekeep(struct partition *p);

/* No new appends (NOT_LEADER_OR_FOLLOWER); pending ones end first; then the log is closed cleanly
 * (clean = true) or simply (its directory will go), watches fire, and `done` is called on a worker.
 * Called once. The partition stays as a husk that refuses everything until its last reference goes.
 */
void partition_close(struct partition *p, bool clean, void (*done)(void *arg, enum err e),
                     void *arg);

/* The log directory failed: all that wait get KAFKA_STORAGE_ERROR, and so does everything later. */
void partition_fail(struct partition *p);

#endif
