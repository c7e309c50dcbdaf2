// SPDX-License-Identifier: Apache-2.0
/*
 * partition_private: the inside of a partition, for the files partition*.c only.
 *
 * Thread: fields are under `monitor`, except those marked [job] (the partition's
 * job, while is_job_busy) and [fixed] (set before anybody else sees it).
 */
#ifndef REPLICA_PARTITION_PRIVATE_H
#define REPLICA_PARTITION_PRIVATE_H

#include "log/journal.h"
#include "replica/partition.h"
#include "replica/refused_batches.h"

struct partition_failure;

enum partition_state {
    PARTITION_LEADING,
    PARTITION_CLOSING, /* the job ends what is pending and closes the log */
    PARTITION_CLOSED,
    PARTITION_OFFLINE, /* its directory failed */
    PARTITION_STATE_COUNT
};

/* What the job does next. */
enum partition_step {
    PARTITION_STEP_NEXT,  /* look what is to be done; write what is pending */
    PARTITION_STEP_WRITE, /* these wait for the disk: a commit that begins a segment, or is large */
    PARTITION_STEP_SYNC,
    PARTITION_STEP_FLUSH, /* for the journal */
    PARTITION_STEP_HOUSE,
    PARTITION_STEP_SWAP,
    PARTITION_STEP_SWITCH,
    PARTITION_STEP_CLOSE,
};

struct partition {
    struct monitor monitor;
    atomic_uint refs;
    struct env *env;               /* [fixed] */
    struct partition_owner owner;  /* [fixed] */
    _Atomic(struct log_dir *) dir; /* changed by the job, under the monitor */
    char *topic;                   /* [fixed] */
    struct uuid topic_id;          /* [fixed] */
    int32_t index;                 /* [fixed] */
    struct topic_config config;
    _Atomic uint64_t records_in;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;

    uint32_t state;
    bool is_touched; /* something changed since it was last looked at: its owner knows */
    int32_t leader_epoch;
    int32_t append_epoch_min;  /* with a lower one it takes no appends */
    struct partition_log *log; /* [fixed] until the last reference goes */
    struct log_position high_watermark;

    struct list wait_written;   /* partition_append.wait_link, by wait_offset */
    struct list wait_committed; /* the same */
    struct list watches;        /* struct watch of consumers: high watermark */
    struct list watches_follower;
    struct list trims; /* partition_trim.link, not yet with the owner */
    struct refused_batches refused;
    struct partition_swap *swap;         /* a compacted segment wants its place; NULL: none */
    struct partition_switch *dir_switch; /* it is to live in another directory; NULL: none */
    int64_t saving_start;                /* the highest that the owner was given to save; 0: none */

    struct env_job job;
    bool is_job_busy;
    enum partition_step step;   /* [job] */
    struct log_commit commit;   /* [job] */
    struct journal *journal;    /* of its log directory; NULL: none. As `dir` */
    atomic_bool leaves_journal; /* nothing is added to it any more */
    struct journal_client journal_client;
    struct journal_entry journal_entry; /* [job] of the commit */
    bool is_journaling;                 /* [job] the commit is in the journal */
    bool goes_to_journal;               /* the job is best run there */
    bool is_parked;                     /* the job waits for the journal's word */
    bool has_journal_result;            /* it came before the job was parked */
    enum err journal_result;
    bool wants_flush;       /* the journal asked */
    bool flush_lacks_room;  /* it was asked, and housekeeping shall try again */
    bool is_disk_full;      /* [job] the last write found no room */
    uint32_t pending_syncs; /* appends that wait to be taken and for a sync */
    uint32_t commit_syncs;  /* [job] the same, in the commit */
    uint32_t gather_for;    /* [job] so many may come back after the last commit; 0: go at once */
    int64_t sync_ns;        /* [job] how long the last sync took */
    struct list retired;    /* [job] segments whose names go one day */
    struct partition_failure *failure; /* the last one; NULL: none. partition_explain.h */
    _Atomic int64_t sync_began_ms;     /* these three as there; relaxed */
    _Atomic int64_t synced_ms;
    _Atomic int64_t full_since_ms;
    int64_t retired_due_ms; /* [job] wall time of the first; INT64_MAX: none */
    int64_t flush_due_ms;   /* [job] as the owner was told last */
    struct due_place due;   /* its owner's */
    bool wants_housekeeping;
    bool is_retiring_twice; /* its last segment goes once another has begun */
    bool wants_close;
    bool close_is_clean;
    void (*close_done)(void *arg, enum err e);
    void *close_arg;
};

/* Collected under the monitor, fired after leaving it. */
struct partition_fire {
    struct list done;  /* partition_append.wait_link */
    struct list trims; /* partition_trim.link */
    struct watcher *watchers[64];
    uint32_t watcher_count;
    bool has_more; /* more watchers than fit: come again */
};

void partition_fire_init(struct partition_fire *fire);

/* [monitor] Moves who is complete into `fire`: written and high watermark as they are now. */
void partition_collect(struct partition *p, struct partition_fire *fire);

/* [monitor] Every watch (or only the followers') that has come true into `fire`: the ends have
 * moved, or it serves no more. */
void partition_wake_readers(struct partition *p, struct partition_fire *fire);
void partition_wake_followers(struct partition *p, struct partition_fire *fire);

/* [monitor] A move that the table of states allows. */
void partition_set_state(struct partition *p, enum partition_state to);

/* [monitor] Moves everybody who waits past `offset` into `fire` with this error. */
void partition_collect_failed(struct partition *p, struct partition_fire *fire, int64_t offset,
                              enum kerr error);

/* [monitor] Something changed that is to be looked at in the next round. True: the owner is to be
 * told (partition_tell_touched) after leaving. */
bool partition_touch(struct partition *p);
void partition_tell_touched(struct partition *p);

/* Leaves the monitor, fires, and comes back for watchers that did not fit. */
void partition_leave_and_fire(struct partition *p, struct partition_fire *fire);

/* [monitor] Puts the job to work unless it is; true: the caller submits after leaving. */
bool partition_job_claim(struct partition *p);
/* Takes a reference; no monitor held. `brisk_on`: this thread's loop, where the first step is but
 * a small write into the page cache; NULL: it may be anything. */
void partition_job_submit(struct partition *p, struct loop *brisk_on);

/* [monitor] The high watermark of a partition whose ISR is this broker alone. */
void partition_move_high_watermark(struct partition *p);

/* [monitor] Why it does not serve; KERR_NONE when it leads. */
enum kerr partition_refusal(const struct partition *p);

/* [monitor] Do trims wait for bytes that are not durable yet? May those that are here be saved? */
bool partition_trims_want_sync(const struct partition *p);
bool partition_trims_are_ready(const struct partition *p);
/* [job] Gives all to the owner: they are ready. */
void partition_trims_save(struct partition *p);
/* [monitor] Moves all into `fire` with this error. */
void partition_trims_fail(struct partition *p, struct partition_fire *fire, enum kerr error);

/* [job] Sets what the next checkpoint of the directory says. */
void partition_save_checkpoint(struct partition *p);

/* [job] For who asks why (partition_explain.h): what failed, by the log or, where that knows of
 * nothing, the journal; whether a write finds room; how a sync went. */
void partition_note_failure(struct partition *p, enum err e);
void partition_note_full(struct partition *p, bool is_full);
/* The same, and tells the log of the process: once, and once when it is over. */
void partition_note_disk_full(struct partition *p, bool is_full);
void partition_note_sync_begins(struct partition *p);
void partition_note_sync_ended(struct partition *p, bool is_done);

/* [job] Puts the compacted segment in place. */
void partition_swap_run(struct partition *p);

/* [job] Goes to live in another directory. */
void partition_switch_run(struct partition *p);

bool partition_job_run(struct env_job *job);

/* What the job's file and partition_journal.c share. [job] */
void partition_commit_durable(struct partition *p, uint64_t generation, bool *rests);
void partition_commit_failed(struct partition *p, enum err e);
/* [monitor] Is there something that the job should do next? */
bool partition_has_duty(const struct partition *p);

/* [job] Puts the commit, which is written and not yet published, into the journal; false: sync it.
 */
bool partition_journal_add(struct partition *p);
/* [job] So many bytes may be held, if the commit that was taken goes into the journal; 0: none. */
size_t partition_journal_held_max(const struct partition *p);
/* [job] After it was published: true when the journal has to tell the end yet, and will go on from
 * there; false: it has told, and the commit is over. */
bool partition_journal_park(struct partition *p);
/* [job] Syncs the segments, and tells the journal; later, where there is no room for what was held.
 */
void partition_journal_flush(struct partition *p);
void partition_journal_init(struct partition *p);
/* The log is open: what the journal had of it is there. */
void partition_journal_opened(struct partition *p);

void partition_check(const struct partition *p);

#endif
