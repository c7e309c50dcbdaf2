// SPDX-License-Identifier: Apache-2.0
/*
 * partition_log: the records of one partition on this broker's disk: segments,
 * indexes, producer state, leader epochs, and the first three of the four offsets:
 *
 *   assigned  the next batch gets this offset
 *   written   what lies below can be read from the page cache, or from memory (segment_behind.h)
 *   durable   what lies below survives a power cut (fdatasync returned)
 *
 * The fourth, the high watermark, belongs to replica/. This module knows batches,
 * not leaders, clients or requests. Bytes on disk: docs/formats.md.
 *
 * Thread: two kinds of functions, marked at each.
 *   [lock]   under the monitor of the partition that owns the log; never blocks.
 *   [writer] on a disk worker, without the monitor, at most one such call per log
 *            at a time (the owner sees to that). Blocks. It gives its results as
 *            values; the owner enters the monitor and publishes them.
 *   [any]    on views, which hold what they need by reference.
 *
 * Crash:   below `durable` everything survives; above, a tail may be torn, and
 *          partition_log_open cuts it at the first bad batch.
 */
#ifndef LOG_PARTITION_LOG_H
#define LOG_PARTITION_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/iobuf.h"
#include "base/list.h"
#include "base/uuid.h"
#include "env/env.h"
#include "log/producer_state.h"
#include "log/segment_tail.h"
#include "wire/batch.h"

struct journal;
struct file_cache;
struct partition_log;
struct segment;
struct log_roll;
struct log_segment_view;

/* What the log needs of the topic's configuration; a copy is kept and may be replaced. */
struct log_config {
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int64_t segment_index_bytes;
    int64_t index_interval_bytes;
    int64_t retention_ms;    /* -1: for ever */
    int64_t retention_bytes; /* -1: no bound */
    int64_t flush_messages;
    int64_t flush_ms;
    int64_t file_delete_delay_ms;
    int64_t producer_expiration_ms;
    int64_t min_compaction_lag_ms;
    int64_t max_compaction_lag_ms;
    int64_t delete_retention_ms;
    double min_cleanable_ratio;
    bool cleanup_delete;
    bool cleanup_compact;
    bool preallocate;
    bool ack_disk; /* klamm.ack=disk: every commit ends with fdatasync */
};

/* An offset and where it lies. */
struct log_position {
    int64_t offset;
    int64_t segment_base; /* base offset of the segment that holds it */
    int64_t pos;          /* bytes from that segment's start */
};

/* Where the bytes begin that the last segment's files do not have yet (log/segment_behind.h). */
struct log_held {
    struct log_position at; /* offset -1: they have all */
    uint32_t index_count;   /* entries that the index file has at most */
};

struct log_open_options {
    const char *dir; /* path of "topic-partition"; copied */
    struct uuid topic_id;
    int64_t recovery_point;  /* segments below it were synced; 0: scan all */
    int64_t log_start;       /* from the checkpoint; 0: the first segment's base */
    bool was_clean;          /* the last stop was clean: nothing to scan */
    struct journal *journal; /* of the log directory, borrowed: replayed first; NULL: none */
    int32_t partition;       /* by which it knows this one */
    uint32_t jitter_seed;
    const struct log_config *config;
    _Atomic int64_t *scanned; /* counts what is scanned while it goes on; NULL: nobody asks */
    struct file_cache *files; /* where its open files are counted; NULL: nowhere, no bound */
    uint64_t moved;           /* of a directory that is made now: see LOG_MOVED_NAME */
    /* It was to go to the log directory with this id, and that is not said to be over: may it be
     * served here all the same? NULL: yes, and it stays said. On the thread that opens. */
    bool (*stays_here)(void *arg, struct uuid to);
    void *stays_arg;
};

/* What opening found, for one line of the log and for metrics. */
struct log_open_report {
    int64_t scanned_bytes;
    int64_t cut_bytes; /* torn tail removed */
    uint64_t replayed; /* commits that the journal had and the segments had not */
    bool found_rot;    /* a valid batch lay behind a bad one: kept in a side file */
    bool cut_below_recovery_point;
    int64_t missing_offsets; /* between trusted segments, where nothing compacts */
    char detail[256];        /* file and position of what was bad; "" when all was well */
};

/* Creates the directory, partition.metadata and the first segment when they are not there, else
 * recovers. The names are durable when it returns. Blocks; on a worker or at start.
 * ERR_CORRUPT: a bad batch below the recovery point; report->detail says where.
 * ERR_CONFLICT: partition.metadata holds another topic id.
 * ERR_STALE: there may be a newer one elsewhere (stays_here). */
enum err partition_log_open(struct env *env, const struct log_open_options *options,
                            struct log_open_report *report, struct partition_log **out) MUST_USE;

/* Closes files; syncs nothing. Nothing may be pending. Accepts NULL. */
void partition_log_free(struct partition_log *log);

/* [writer] Clean stop: writes all indexes and a producer snapshot, syncs; then *recovery_point may
 * be checkpointed and the next open with was_clean scans nothing. */
enum err partition_log_close_clean(struct partition_log *log, int64_t *recovery_point) MUST_USE;

/* [lock] */
void partition_log_set_config(struct partition_log *log, const struct log_config *config);
const struct log_config *partition_log_config(const struct partition_log *log);

/* ---- appending */

/* [lock] What the producer state says to a client's batch before it gets an offset: see
 * producer_state.h. What is replayed or replicated is not asked. */
struct producer_check partition_log_check_producer(const struct partition_log *log,
                                                   const struct batch_header *batch,
                                                   int64_t now_ms);

/* One batch on its way to disk. Embedded in what waits for it; owned by the caller, untouched by
 * the caller between assign and completion. */
struct log_append {
    struct list link;
    struct iobuf_slice bytes;   /* one batch; stamped in place by assign; released at completion */
    struct batch_header header; /* as stamped */
    int64_t first_offset;
    int64_t last_offset;
    bool wants_sync; /* somebody waits for `durable` (acks=all on a disk topic) */

    /* The log's own. */
    int64_t segment_base; /* where the batch will lie */
    int64_t pos;
    struct log_roll *roll; /* a segment begins with this batch; NULL: it does not */
    struct producer_undo undo;
};

/* [lock] Gives the batch its offsets (header.base_offset, leader epoch; CRC untouched), remembers
 * the producer's sequence, and puts it at the end of the pending list. ERR_NO_MEMORY: nothing
 * changed. `append->bytes` and `append->header` are set by the caller (a validated batch). */
enum err partition_log_assign(struct partition_log *log, struct log_append *append,
                              int32_t leader_epoch, int64_t now_ms) MUST_USE;

/* [lock] Is there something for the writer to do (pending appends, or unsynced bytes that are due)?
 */
bool partition_log_has_pending(const struct partition_log *log);

/* One commit: what the writer takes, writes and syncs. */
struct log_commit {
    struct list appends;         /* of struct log_append, in offset order */
    bool sync;                   /* fdatasync is wanted */
    struct log_position written; /* results: the new ends */
    struct log_position durable;
    int64_t written_bytes;

    /* The log's own. */
    struct log_config config; /* as it was when the commit was taken: the writer's */
    struct list new_segments; /* rolled during the write, published under the lock */
    struct segment_tail
        sealed_tail;              /* of the segment that was the last when the commit was taken */
    struct log_roll *roll_at_end; /* a roll behind the last append; NULL: none */
    char *epochs_text;            /* what leader-epoch-checkpoint shall say; NULL: as it is */
    size_t epochs_size;
    int64_t end_offset; /* behind the last append */
    int64_t taken_ms;
    size_t held_max; /* set by the owner: with this commit so many bytes may be held; 0: write it */
    bool is_held;    /* result of partition_log_write */
    struct log_held held;
    struct segment_tail tail_before; /* of the last segment, should what is held be taken back */
    uint32_t generation;
    bool is_taken;
    bool is_published;
    bool follows_durable; /* all that lies before its first batch is durable */
};

/* Empty; before each use. */
void log_commit_init(struct log_commit *commit);

/* [lock] Moves pending appends (up to a bound of bytes and buffers) into the commit and decides
 * whether it syncs: any append wants it, flush.messages or flush.ms is due, or `force_sync`. */
void partition_log_take(struct partition_log *log, struct log_commit *commit, bool force_sync,
                        int64_t now_ms);

/* [writer] Rolls where needed and writes the commit's batches and index entries, or holds them with
 * those that are held already, where held_max allows it. On an error nothing of this commit counts:
 * call partition_log_fail. ERR_NO_SPACE or ERR_IO. */
enum err partition_log_write(struct partition_log *log, struct log_commit *commit) MUST_USE;

/* [writer] After partition_log_write, where the journal did not take the commit after all: what is
 * held of it, too, is written. Errors as there: nothing of this commit counts. */
enum err partition_log_unhold(struct partition_log *log, struct log_commit *commit) MUST_USE;

/* [lock] `written` moves; readers may see the bytes. */
void partition_log_publish_written(struct partition_log *log, struct log_commit *commit);

/* [writer] fdatasync of every segment that the commit touched and of the directory after a roll. */
enum err partition_log_sync(struct partition_log *log, struct log_commit *commit) MUST_USE;

/* [lock] `durable` moves, unless the log was truncated since (a generation is compared). */
void partition_log_publish_durable(struct partition_log *log, struct log_commit *commit);

/* [writer] For housekeeping where commits do not sync: the segments that were sealed and not synced
 * yet, and the directory. *durable is where they end; offset -1: there was none. ERR_IO: as after a
 * failed partition_log_sync. */
enum err partition_log_sync_sealed(struct partition_log *log, struct log_position *durable)
    MUST_USE;

/* [lock] Does this commit wait for no disk, as far as one can tell: no segment begins in it, no
 * file is replaced, and it is small. */
bool partition_log_commit_is_brief(const struct log_commit *commit);

/* [writer] Before or after partition_log_write: may the journal make it durable? It is brief, wants
 * a sync, lies in one segment whose name is durable, and follows what is durable. */
bool partition_log_may_journal(const struct partition_log *log, const struct log_commit *commit);

/* [writer] Before partition_log_write: may its batches be held until the journal has them? Not
 * where somebody is answered, or may read, when they are written: that survives the end of a
 * process. */
bool partition_log_may_hold(const struct partition_log *log, const struct log_commit *commit);

/* [lock] The journal made the commit durable; its half has this generation. The recovery point
 * stays where it is until the segment is synced, and the generation released. */
void partition_log_publish_journaled(struct partition_log *log, struct log_commit *commit,
                                     uint64_t generation);

/* [lock] Nothing of this generation will be replayed any more. */
void partition_log_journal_released(struct partition_log *log, uint64_t generation);

/* [lock] Would a journal replay something of it? */
bool partition_log_is_journaled(const struct partition_log *log);

/* [writer] Syncs all that was written; *durable as of partition_log_sync_sealed. For the journal.
 * ERR_NO_SPACE, ERR_FULL: there is no room for what was held; it may be repeated. Else ERR_IO. */
enum err partition_log_flush(struct partition_log *log, struct log_position *durable) MUST_USE;

/* [lock] What partition_log_sync_sealed or partition_log_flush gave: `durable` moves, when it is
 * above, and so does the recovery point. */
void partition_log_publish_sealed(struct partition_log *log, const struct log_position *durable);

/* [lock] A write failed: gives back the offsets and producer state of this commit and of everything
 * pending behind it, and moves those pending to the end of commit->appends, so that the owner fails
 * them all. With `written` published before (a sync failed) nothing is given back. */
void partition_log_fail(struct partition_log *log, struct log_commit *commit);

/* What the disk did not do when it was asked last, also where that was tried again (a full disk).
 */
enum log_step {
    LOG_STEP_WRITE,
    LOG_STEP_SYNC,
    LOG_STEP_DELETE,
    LOG_STEP_JOURNAL, /* of the log directory; no log notes it */
};

struct log_fault {
    enum log_step step;
    enum err error;
    struct log_position at; /* segment_base, and pos there, -1: not known */
};

/* [writer] What failed last; false: nothing has since the last call. */
bool partition_log_take_fault(struct partition_log *log, struct log_fault *out);

/* ---- what is there. [lock] */

/* Since when written is above durable; -1: it is not. Wall time. */
int64_t partition_log_unsynced_since_ms(const struct partition_log *log);

int64_t partition_log_start_offset(const struct partition_log *log);
int64_t partition_log_assigned(const struct partition_log *log); /* the log end offset to be */
struct log_position partition_log_written(const struct partition_log *log);
struct log_position partition_log_durable(const struct partition_log *log);
int64_t partition_log_size_bytes(const struct partition_log *log);
uint32_t partition_log_segment_count(const struct partition_log *log);
/* Below it the segment files are synced, and no journal will write into them: whoever replaces or
 * re-reads sealed segments keeps below it. */
int64_t partition_log_recovery_point(const struct partition_log *log);
int64_t
partition_log_synced(const struct partition_log *log); /* below it the segments are synced */

/* [lock] Moves the log start up (DeleteRecords, retention); segments wholly below it become
 * deletable. Lower or equal: no change. */
void partition_log_raise_start(struct partition_log *log, int64_t offset);

/* ---- leader epochs (leader-epoch-checkpoint; KIP-101). */

/* [lock] The epoch begins at the assigned offset; written to its file by the next [writer] call. A
 * lower or equal epoch: no change. */
void partition_log_begin_epoch(struct partition_log *log, int32_t epoch);

/* [lock] The end offset of the largest epoch <= `epoch` (the start of the next one, or the assigned
 * offset for the last). *found_epoch = -1 and *end_offset = -1 when there is none. */
void partition_log_epoch_end(const struct partition_log *log, int32_t epoch, int32_t *found_epoch,
                             int64_t *end_offset);
int32_t partition_log_last_epoch(const struct partition_log *log); /* -1: none */

/* ---- reading */

/* A reader's hold on one segment: it stays readable though retention deletes its name. */
struct log_view {
    struct segment *segment;  /* one reference */
    int64_t end_pos;          /* readable bytes of this segment */
    int64_t end_offset;       /* the first offset that is not readable through this view */
    bool is_last;             /* no readable segment behind this one */
    struct log_position hint; /* of the wanted offset, if known from recent appends; pos -1: not */

    /* The log's own. */
    int64_t hint_bytes; /* of the batch at `hint`, which then holds the wanted offset; else 0 */
    int64_t resume_pos; /* where the wanted offset's batch begins, if a reader came there; else 0 */
    uint32_t index_count; /* entries of the segment's index that may be used */
    uint32_t cuts;        /* of the segment when the view was made */
    bool may_have_hole;   /* sealed: compaction may have taken its last batches */
    bool seeks_end;       /* end_pos is only a bound: the end lies where end_offset begins */
    bool is_filed;        /* what is held lies behind it: the files have all */
};

/* [lock] The segment that holds `offset`, readable below `limit` (a high watermark or the written
 * end). ERR_RANGE: below the log start or above `limit`. At exactly `limit`: ERR_OK with an empty
 * view (segment NULL). */
enum err partition_log_view(struct partition_log *log, int64_t offset,
                            const struct log_position *limit, struct log_view *out) MUST_USE;
void log_view_release(struct log_view *view);

/* [lock] Where an offset lies for use as `limit`: only for offsets that are batch borders between
 * durable and written or that were seen recently; otherwise pos = -1 and the reader searches. */
struct log_position partition_log_locate(const struct partition_log *log, int64_t offset);

struct log_range {
    struct env_file *file;   /* one reference; NULL: */
    struct iobuf_slice held; /* the bytes themselves, which the file does not have yet; the same */
    int64_t pos;
    int64_t len;
    int64_t first_batch_bytes;
    int64_t base_offset; /* of the first batch */
    int64_t next_offset; /* where its reader goes on, when the search told and the range is just
                          * that batch: worth log_view_remember; else -1 */
    bool is_hole;        /* len 0: compaction left nothing from the offset to view->end_offset */
};

/* [any] The bytes from the batch that holds `offset`: at most bytes_max, but with `whole_first` at
 * least the whole first batch. The range may end inside a batch. An empty range (len 0): the first
 * batch does not fit. ENV_NOWAIT: ERR_AGAIN when a disk would have to be asked: try again on a
 * worker. ERR_CORRUPT: what is there is no batch. ERR_STALE: the log was cut or its files were
 * deleted since the view was made: make a new one. */
enum err log_view_find(const struct log_view *view, int64_t offset, int64_t bytes_max,
                       bool whole_first, enum env_read_mode mode, struct log_range *out) MUST_USE;
void log_range_release(struct log_range *range);

/* [any], blocks: its first bytes, at most `len`; *got are there. */
enum err log_range_read(const struct log_range *range, uint8_t *out, size_t len, size_t *got)
    MUST_USE;

/* [any] How many bytes at its begin are batches without records, which compaction leaves, and where
 * the offsets go on behind them; 0: none. Mode and errors as log_view_find. */
enum err log_range_empty_part(const struct log_range *range, enum env_read_mode mode,
                              int64_t *bytes, int64_t *next_offset) MUST_USE;

/* [lock] Who asks for range->next_offset soon needs no index. */
void log_view_remember(const struct log_view *view, const struct log_range *range);

/* ---- by time (ListOffsets). */

struct log_time_match {
    int64_t offset; /* -1: none */
    int64_t timestamp_ms;
    int32_t leader_epoch;
};

/* [lock] References to all segments from the log start on, for searching without the lock. */
struct log_segments {
    struct log_segment_view *items; /* mem_alloc'ed */
    uint32_t count;
    int64_t log_start;
    struct log_position limit;
};
void partition_log_segments(struct partition_log *log, const struct log_position *limit,
                            struct log_segments *out);
void log_segments_release(struct log_segments *segments);

/* [lock] All segments, for log_segments_end. */
void partition_log_hold_segments(struct partition_log *log, struct log_segments *out);

/* [writer], the last call: closes their files, and forgets what they hold: under these names there
 * may be another log soon. Readers keep what they have; whoever needs a file opens it. */
void log_segments_end(const struct log_segments *segments);

/* [any], blocks: the first record at or after the time (inside compressed batches too, bounded
 * decode), or the record with the largest timestamp. ERR_STALE: see log_view_find. */
enum err log_segments_find_time(const struct log_segments *segments, int64_t timestamp_ms,
                                struct log_time_match *out) MUST_USE;
enum err log_segments_find_max_time(const struct log_segments *segments, struct log_time_match *out)
    MUST_USE;

/* ---- housekeeping */

/* [lock] Takes segments that retention (time, size, log start) no longer wants out of the log; the
 * active one only after a roll, which it asks for. Returns how many; then
 * partition_log_delete_segments. The log start moves with them. High watermark: never delete above
 * it. `needs_room`: the active one goes also when nothing but the log start speaks against it; else
 * it stays, as with Kafka: who deletes all records now and then would get a segment each time. */
uint32_t partition_log_retire(struct partition_log *log, int64_t now_ms, int64_t high_watermark,
                              bool needs_room, struct list *retired);

/* [lock] Will another segment begin with the next write, or without one? */
bool partition_log_wants_roll(const struct partition_log *log);

/* [writer] Renames them to .deleted, writes the checkpoint-relevant facts; the files are unlinked
 * by partition_log_unlink_retired after file.delete.delay.ms. */
enum err partition_log_delete_segments(struct partition_log *log, struct list *retired) MUST_USE;
void partition_log_unlink_retired(struct env *env, struct list *retired); /* blocks; frees them */

/* When partition_log_unlink_due, which blocks, takes these; it tells when the next are due,
 * INT64_MAX: none is left. Wall time. */
void partition_log_retired_at(struct list *retired, int64_t unlink_ms);
int64_t partition_log_unlink_due(struct list *retired, int64_t now_ms) MUST_USE;

/* [lock] When does something fall due (flush.ms, roll by time)? Monotonic-free wall ms; INT64_MAX:
 * never. */
int64_t partition_log_next_due_ms(const struct partition_log *log);

/* [lock] From when on housekeeping may have something to retire or to expire, unless something is
 * appended before; INT64_MIN: now, INT64_MAX: never. */
int64_t partition_log_upkeep_due_ms(const struct partition_log *log, int64_t now_ms);

/* Cutting off the end (followers; KIP-101) takes three steps, since finding the place and cutting
 * the files block. From the first to the last nothing may be pending and no other [writer] call may
 * run. Zero it before use. */
struct log_truncation {
    struct log_position end; /* the new end: the batch border at or below what was asked */

    /* The log's own. */
    bool is_needed;
    struct segment_tail tail;
    struct producer_state producers; /* as they were there; later those that are dropped */
    struct list removed;
};

/* [writer] Finds the place. Changes nothing but snapshots that are of no use any more.
 * ERR_RANGE: below the log start. ERR_NO_MEMORY, ERR_IO, ERR_CORRUPT. */
enum err partition_log_truncate_find(struct partition_log *log, int64_t offset,
                                     struct log_truncation *cut) MUST_USE;

/* [lock] All that is behind the new end is gone for readers; views from before become ERR_STALE.
 * Raises the generation: a sync that is on its way counts for nothing. */
void partition_log_truncate_publish(struct partition_log *log, struct log_truncation *cut);

/* [writer] Cuts the files; the cut is durable when it returns. ERR_IO: the log takes no more
 * writes. Frees what the truncation holds, also on failure. */
enum err partition_log_truncate_finish(struct partition_log *log, struct log_truncation *cut)
    MUST_USE;

/* Renames the whole directory of a log that was freed to "<name>.<uuid>-delete", durably: it is
 * gone for everybody, and what is in it goes when log_file_remove_dir is called for it, or at the
 * next start. `renamed` is LOG_PATH_SIZE large; "" when there was none. Blocks. */
enum err partition_log_doom_dir(struct env *env, const char *dir, char *renamed) MUST_USE;

/* ---- producers, for DescribeProducers and tests. [lock] */
struct producer_info {
    int64_t producer_id;
    int16_t epoch;
    int32_t last_sequence;
    int64_t last_timestamp_ms;
    int64_t current_txn_first_offset; /* -1 */
};
uint32_t partition_log_producer_count(const struct partition_log *log);
/* Fills at most `room` entries, returns how many. */
uint32_t partition_log_producers(const struct partition_log *log, struct producer_info *out,
                                 uint32_t room);
/* [lock] Forgets producers idle for producer_expiration_ms. */
void partition_log_expire_producers(struct partition_log *log, int64_t now_ms);

#endif
