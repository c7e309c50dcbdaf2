// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set: all partitions of this broker: opened, led and deleted as the metadata
 * image says, found by topic id and index, kept in order by one timer.
 *
 * An update is followed in two phases: first what is gone is closed and its directory
 * renamed away, then what is new is opened; so a topic that was deleted and made again
 * never meets its old files. Partitions open in parallel on disk workers. One that cannot
 * be opened is offline; the others serve. Where it was for want of room or descriptors, it is tried
 * again by itself (replica_set_reopen.h).
 *
 * Thread: follow, close and the timer: the loop given to replica_set_new. Finding: any.
 */
#ifndef REPLICA_REPLICA_SET_H
#define REPLICA_REPLICA_SET_H

#include "log/file_cache.h"
#include "log/log_dir.h"
#include "log/log_dirs.h"
#include "metadata/config_topic.h"
#include "metadata/image.h"
#include "replica/partition.h"
#include "replica/replica_cleaner.h"
#include "replica/replica_set_scrub.h"

struct replica_set;

struct replica_set_options {
    struct loop *loop;
    struct log_dir *const *dirs; /* borrowed */
    size_t dir_count;
    const struct log_dirs *missing; /* borrowed: log directories that should be here; may be NULL */
    int32_t node_id;
    const struct config_layers *layers; /* borrowed: what the broker was started with */
    int64_t retention_check_ms;         /* between two rounds of upkeep, at most */
    int64_t checkpoint_ms; /* the same; and the least between two writings of checkpoints */
    int64_t reserve_bytes; /* see disk_room.h */
    int64_t scrub_bytes_per_second;     /* 0: never */
    int64_t scrub_interval_ms;          /* from the begin of a round to the next */
    uint32_t opening_max;               /* partitions that are opened at a time */
    uint32_t files_max;                 /* files of segments that stay open */
    void (*all_dirs_failed)(void *arg); /* no directory is left to serve from; on the loop */
    /* A partition that was offline since it was to be opened serves now; on the loop. May be NULL.
     */
    void (*partition_reopened)(void *arg);
    void *arg;
};

struct replica_set *replica_set_new(struct env *env, const struct replica_set_options *options);

/* Nothing may be under way. Accepts NULL. Partitions still referenced elsewhere outlive it. */
void replica_set_free(struct replica_set *set);

/* The broker's configuration by the image followed last. Borrowed until the next is followed.
 * Thread: the loop. */
const struct config_layers *replica_set_layers(const struct replica_set *set);

/* What is opened from now on (or not, any more) takes no appends before its leader epoch rises: the
 * start of this broker is not in the metadata yet. Thread: the loop. */
void replica_set_wait_for_epochs(struct replica_set *set, bool should_wait);

/* Follows the step from one image to the next; `done` is called on the loop when every new
 * partition takes records (or is offline) and what is gone is renamed away. One at a time. The
 * image is held until then. */
void replica_set_follow(struct replica_set *set, struct image *after,
                        const struct image_delta *delta, void (*done)(void *arg), void *arg);

/* After the first update: directories of partitions that the metadata does not know are renamed to
 * "-stray". Blocks; on a worker or at start. Returns how many. */
uint32_t replica_set_set_strays_aside(struct replica_set *set, const struct image *image);

/* Nothing of what options.missing names is lacked. Thread: any. */
void replica_set_forget_missing(struct replica_set *set);

/* One reference or NULL; then *error says why: UNKNOWN_TOPIC_OR_PARTITION (no such index),
 * KAFKA_STORAGE_ERROR (its directory failed), NOT_LEADER_OR_FOLLOWER (not here, or not yet). */
struct partition *replica_set_find(struct replica_set *set, struct uuid topic_id, int32_t index,
                                   enum kerr *error);

/* Is this partition here and cannot serve, because its log directory failed or its log could not be
 * opened? Quick while nothing has failed. */
bool replica_set_has_failed(struct replica_set *set, struct uuid topic_id, int32_t index);

/* After the first update: what the journals have of partitions that the metadata does not know is
 * void. Later updates see to it themselves. Thread: any. */
void replica_set_settle_journals(struct replica_set *set);

/* Closes all partitions cleanly, writes checkpoints and the clean markers; `done` on the loop. */
void replica_set_close(struct replica_set *set, void (*done)(void *arg, enum err e), void *arg);

/* Calls `each` with every partition, with no monitor held. */
void replica_set_each(struct replica_set *set, void (*each)(void *arg, struct partition *p),
                      void *arg);

struct replica_set_counts {
    uint32_t partitions;
    uint32_t offline;
    int64_t recovered_bytes;
    int64_t cut_bytes;
};
void replica_set_counts(struct replica_set *set, struct replica_set_counts *out);

/* Borrowed for the set's life. */
const struct scrub_stats *replica_set_scrub_stats(const struct replica_set *set);
const struct log_stats *replica_set_log_stats(const struct replica_set *set);

/* The open files of its partitions' segments. Thread: any. */
void replica_set_file_stats(struct replica_set *set, struct file_cache_stats *out);

/* NULL: log.cleaner.enable=false. Borrowed for the set's life. */
const struct cleaner_stats *replica_set_cleaner_stats(const struct replica_set *set);

bool replica_set_dir_is_offline(struct replica_set *set, size_t index);

#endif
