// SPDX-License-Identifier: Apache-2.0
/*
 * partition_log_private: what the files of partition_log share.
 *
 * A log has three faces of its end. `layout` is how the last segment will be filled
 * once all that is pending is written: it decides at assign time where a batch lies
 * and when a segment is rolled, so the writer has only to carry that out. The
 * writer's own tail is how far it is. The tail in the last published segment is what
 * readers may use.
 *
 * Thread: fields marked [lock] and [writer] as functions are in partition_log.h.
 */
#ifndef LOG_PARTITION_LOG_PRIVATE_H
#define LOG_PARTITION_LOG_PRIVATE_H

#include "base/limits.h"
#include "base/prng.h"
#include "log/leader_epochs.h"
#include "log/partition_log.h"
#include "log/recent_batches.h"
#include "log/segment.h"

/* A segment begins here: decided when the batch got its place, done by the writer. */
struct log_roll {
    int64_t base_offset;
    int64_t created_ms;
    size_t snapshot_size;
    uint8_t snapshot[]; /* of the producers as they are at base_offset */
};

/* The last segment as it will be. */
struct log_layout {
    int64_t base_offset;
    int64_t created_ms;
    int64_t jitter_ms; /* taken off segment.ms */
    struct segment_tail tail;
};

/* What a journal would replay: from this offset on. */
struct log_journaled {
    uint64_t generation; /* 0: nothing */
    int64_t first_offset;
};

struct partition_log {
    struct env *env;
    struct log_home *home;

    /* [lock] */
    struct log_config config;
    struct segment **segments; /* by base offset; one reference each; never empty */
    uint32_t segment_count;
    uint32_t segment_capacity;
    uint32_t generation; /* rises with every truncation */
    int64_t log_start;
    int64_t size_bytes;
    struct log_position written;
    struct log_position durable; /* in the segments or in the journal */
    int64_t synced;              /* in the segments */
    struct log_journaled journaled[2];
    struct log_held held;
    struct log_layout layout;
    struct list pending; /* of struct log_append */
    struct leader_epochs epochs;
    struct producer_state producers;
    struct recent_batches *recent; /* NULL until something was written */
    struct prng jitter;
    int64_t sync_claimed;      /* a commit that was taken syncs up to here */
    int64_t first_unsynced_ms; /* since when written is above durable */
    bool is_taken;             /* a commit was taken and neither published nor failed */
    bool wants_roll;

    /* [writer] */
    struct segment *active; /* one reference */
    struct segment_tail active_tail;
    struct log_held writer_held; /* `held`, with what is not published yet */
    struct list unsynced;        /* sealed segments whose bytes may not be on disk */
    bool active_is_unsynced;
    bool dir_is_unsynced;
    bool needs_cut;          /* what a failed write left could not be cut off yet */
    bool was_taken_back;     /* a write failed since the last sync: it may still be on the disk */
    bool is_broken;          /* a write or a sync failed: nothing is tried again */
    struct log_fault *fault; /* what failed last; NULL: nothing, or it was taken */
    bool is_as_stopped;      /* a clean stop finds nothing to do: nothing was written since one */
};

static const struct log_held log_nothing_held = {.at = {-1, -1, -1}, .index_count = UINT32_MAX};

/* [lock] */
void partition_log_check(const struct partition_log *log);

static inline struct segment *log_last_segment(const struct partition_log *log)
{
    return log->segments[log->segment_count - 1];
}

/* [lock] The segment that holds the offset, or would: the last with a base at or below it. */
uint32_t log_segment_index(const struct partition_log *log, int64_t offset);

/* [lock] Takes the reference. */
void log_push_segment(struct partition_log *log, struct segment *take_seg);

/* [lock] The layout becomes what the last published segment is. */
void log_reset_layout(struct partition_log *log);

/* [lock] The roll that the next batch (NULL: none) needs before it, in *out; NULL in *out: none.
 * ERR_NO_MEMORY. */
enum err log_plan_roll(struct partition_log *log, const struct batch_header *batch, int64_t now_ms,
                       struct log_roll **out) MUST_USE;

/* [lock] The layout goes on in the new segment. */
void log_apply_roll(struct partition_log *log, const struct log_roll *roll);

/* Blocks. Where the topic wants it: the whole size of a new segment's .log. */
enum err log_preallocate(const struct log_config *config, struct segment *seg) MUST_USE;

/* [writer] What partition_log_take_fault gives. */
void log_fault_note(struct partition_log *log, enum log_step step, enum err e,
                    const struct log_position *at);
/* [writer] The same for a sync, by what is not synced yet; ERR_OK: nothing. Returns `e`. */
enum err log_fault_note_sync(struct partition_log *log, enum err e) MUST_USE;

/* [writer] leader-epoch-checkpoint, when the epochs changed; the directory is left to be synced. */
enum err log_write_epochs(struct partition_log *log) MUST_USE;

/* Blocks. The snapshot of the producers at this offset, written but not synced. */
enum err log_write_snapshot(const struct partition_log *log, int64_t offset, const void *data,
                            size_t size) MUST_USE;

#endif
