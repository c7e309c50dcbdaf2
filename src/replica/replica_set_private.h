// SPDX-License-Identifier: Apache-2.0
/* replica_set_private: shared by replica_set*.c only. Thread: see replica_set.h. */
#ifndef REPLICA_REPLICA_SET_PRIVATE_H
#define REPLICA_REPLICA_SET_PRIVATE_H

#include "base/map.h"
#include "replica/opening_progress.h"
#include "replica/partition_explain.h"
#include "replica/replica_cleaner.h"
#include "replica/replica_set.h"
#include "replica/replica_set_reopen.h"
#include "replica/replica_set_room.h"

/* A partition's place in the set. */
struct replica {
    struct map_node node; /* in the set, by topic id and index */
    struct list link;     /* in the list of the update under way */
    struct replica_set *set;
    struct partition *partition;   /* NULL: could not be opened */
    struct replica_reopen *reopen; /* is tried again; NULL: it is not. The loop's */
    struct uuid topic_id;
    int32_t index;
    size_t dir;        /* SIZE_MAX: none is in service */
    bool is_placed;    /* its directory was chosen just now */
    bool has_waited;   /* until its directory's checkpoints forgot another one of this name */
    uint32_t given_up; /* directories whose disk failed as it was to be made there */
    char *topic;
    /* While it is opened or closed: */
    struct env_job job;
    struct opening opening;
    struct topic_config config;
    int32_t leader_epoch;
    struct log_open_report *report; /* [monitor] NULL: nothing to tell of its opening */
    enum err error;
    int64_t opened_ms;             /* [monitor] wall time; 0: not yet */
    struct replica_move *move;     /* on the loop; NULL: it stays where it is */
    struct cleaner_entry *cleaned; /* on the loop; NULL: not compacted */
    char *uncleanable;             /* [monitor] why it is compacted no more; NULL: it is not so */
    int64_t uncleanable_ms;        /* [monitor] since when */
};

/* An update, or the closing of all, under way. On the loop. */
struct follow {
    struct image *after;
    struct list to_open;    /* replica.link; waiting for a place or for the first phase */
    struct list to_close;   /* replica.link; out of the table */
    struct list stale;      /* replica.link; wait until the checkpoints forget their namesakes */
    struct list stale_now;  /* for the ones that are being written */
    uint32_t to_open_count; /* at the begin */
    uint32_t opening;
    uint32_t opening_max; /* at a time */
    uint32_t closing;
    bool is_first;    /* what is not found was somewhere before */
    bool is_stopping; /* close all, cleanly */
    enum err error;
    void (*done)(void *arg);
    void (*closed)(void *arg, enum err e);
    void *arg;
};

struct replica_set {
    struct env *env;
    struct replica_set_options options;
    struct file_cache *files;    /* one reference */
    struct config_layers layers; /* in force by the image that is followed; `fixed` is borrowed */
    struct monitor monitor;      /* table, counts, offline marks */
    struct map table;
    uint32_t *dir_partitions; /* by directory */
    bool *dir_is_offline;
    struct log_dir_failure **dir_failures; /* by directory; NULL: it serves */
    bool has_lost_dir;                     /* one had failed at the start, or was missing */
    atomic_bool has_missing;               /* the latter, and something may be in it */
    uint32_t offline_count;
    atomic_bool has_failed; /* some partition here has; stays */
    int64_t recovered_bytes;
    int64_t cut_bytes;
    struct log_stats stats;
    struct list found;    /* struct found_dir: what the directories held at start */
    struct map found_map; /* the same by topic and index */
    uint64_t found_seed;
    struct follow follow;
    struct opening_progress progress;
    bool is_following;
    bool is_closed;
    struct loop_timer timer;
    struct due_queue due;          /* of the partitions that have something to come */
    int64_t next_round_ms;         /* monotonic: not before that */
    int64_t next_checkpoint_ms;    /* the same */
    bool round_goes_on;            /* there was more than one turn of the loop takes */
    atomic_bool wants_checkpoints; /* values have changed since the last ones were begun */
    struct loop_task due_task;
    atomic_bool due_is_posted;
    struct env_job checkpoint_job;
    bool checkpoint_is_busy;
    bool checkpoint_again; /* somebody asked meanwhile */
    struct loop_task checkpoint_task;
    enum err
        *dir_saved; /* by directory: how the last checkpoint went; while it is busy, its job's */
    struct list saving;     /* [monitor] struct partition_trim: wait for the next checkpoint */
    struct list saving_now; /* for the one that is being written */
    struct loop_task save_task;
    atomic_bool save_is_posted;
    struct loop_timer journal_timer; /* armed while a journal has entries */
    struct loop_task journal_task;
    atomic_bool journal_is_used;
    _Atomic uint32_t journals_closing;
    bool journals_are_closed;
    struct env_job idle_job; /* files that nobody uses are closed */
    struct loop_task idle_task;
    bool idle_is_busy;
    bool stop_is_written;   /* the last checkpoints and clean markers are being written */
    struct list doomed;     /* struct doomed_dir: to be removed; the first is the first to be due */
    struct list doomed_now; /* those that are being removed: the job's while it is busy */
    struct loop_timer doomed_timer;
    struct loop_task doomed_task;
    struct env_job doomed_job;
    bool doomed_is_busy;
    atomic_bool doomed_stops;
    struct replica_cleaner *cleaner; /* NULL: log.cleaner.enable=false */
    struct loop_task failed_task;
    atomic_bool failed_is_posted;
    struct replica_set_reopening reopening;
    atomic_bool waits_for_epochs; /* see replica_set_wait_for_epochs */
    struct replica_set_moves *moves;
    struct replica_set_rooms *rooms;
    struct replica_set_scrub *scrub;
    struct scrub_stats scrub_stats;
};

/* [monitor] NULL: none. */
struct replica *replica_set_lookup(const struct replica_set *set, struct uuid topic_id,
                                   int32_t index);

/* Remembers at which partition the directory failed. The first one counts. */
void replica_set_note_dir_failure(struct replica_set *set, size_t dir, struct partition *p);
/* The same, where it was at something else. */
void replica_set_note_dir_error(struct replica_set *set, size_t dir, enum err e, const char *what);

/* Remembers why it is compacted no more, for who asks; NULL: that is over. */
void replica_note_uncleanable(struct replica *replica, const char *why);

/* For maps by topic name: clients choose the names. Once replica_set_scan has drawn the seed. */
uint64_t replica_set_name_hash(const struct replica_set *set, const char *topic, int32_t index);

/* Where a partition was at the start: replica_set_found.c. */
enum replica_place {
    REPLICA_IS_NOWHERE,
    REPLICA_IS_FOUND,
    REPLICA_IS_TORN, /* in several directories, of which one cannot be asked which counts: offline
                      */
};
enum replica_place replica_set_find_dir(const struct replica_set *set, const char *topic,
                                        int32_t index, struct uuid topic_id, size_t *dir);
/* It was another topic's by that name, and has another name now. */
void replica_set_forget_one_found(struct replica_set *set, const char *topic, int32_t index,
                                  size_t dir);
/* Renames its directory to "-stray" and says whose it is. Blocks; on a worker. */
#define REPLICA_OF_ANOTHER_TOPIC "another topic by that name"
enum err replica_set_set_aside(struct replica_set *set, size_t index, const char *topic,
                               int32_t partition, const char *whose) MUST_USE;
void replica_set_scan(struct replica_set *set);
void replica_set_forget_found(struct replica_set *set);

/* The directory for a new partition: the one in service with the fewest. SIZE_MAX: none. */
size_t replica_set_pick_dir(struct replica_set *set);

/* The directory in which it was to be made has a bad disk: it fails, and the replica is begun
 * elsewhere. On the loop. */
void replica_give_up_dir(struct replica *replica, enum err e);

/* Is any log directory out of service, or missing? Then a partition may have a copy nobody sees. */
bool replica_set_is_any_dir_offline(struct replica_set *set);

/* Opens the log of this replica. ERR_AGAIN: there is nothing of it here yet, and the directory's
 * checkpoints may tell of another topic's by its name; they are to be written first. What was found
 * of that one is set aside. On a worker; touches nothing of the set. */
enum err replica_open(struct replica *replica, const struct topic_config *config,
                      int32_t leader_epoch, struct log_open_report *report, struct partition **out)
    MUST_USE;

/* A replica that was to be closed, and had to wait for a worker that tried to open it, or for its
 * move to end. On the loop. */
void replica_set_close_now(struct replica_set *set, struct replica *replica);

/* What the cleaner had of it is given back: it is closed now. On the loop. */
void replica_set_close_released(struct replica_set *set, struct replica *replica);

/* The next step of the update under way, and its end. On the loop. */
void replica_set_follow_step(struct replica_set *set);
void replica_set_follow_end(struct replica_set *set);

/* All partitions are closed: checkpoints and clean markers, then the end. On the loop. */
void replica_set_finish_stop(struct replica_set *set);

/* Nothing there is tried any more; `what` could not be written. Any thread, no monitor held. */
void replica_set_dir_failed(struct replica_set *set, size_t index, enum err e, const char *what);

/* Upward calls of partitions. */
void replica_storage_failed(void *arg, struct partition *p, enum err e);
void replica_due(void *arg, struct partition *p, int64_t wall_ms);
void replica_save_start(void *arg, struct partition_trim *trim);
void replica_round(void *arg, struct partition *p, int64_t wall_ms);
void replica_checkpoints_changed(void *arg);

/* Journals; in replica_set_journals.c. A partition has entries in one: they shall not grow old
 * there. */
void replica_journal_used(void *arg);
void replica_set_journals_init(struct replica_set *set);
/* All partitions are closed: closes the journals, then comes back to replica_set_finish_stop. */
void replica_set_close_journals(struct replica_set *set);

/* Directories of partitions that are gone: replica_set_doomed.c. The first blocks; the others on
 * the loop. */
struct doomed_dir;
struct doomed_dir *replica_set_doomed_new(struct env *env, const char *path);
void replica_set_doomed_add(struct replica_set *set, struct doomed_dir *take_doomed);
void replica_set_doomed_hurry(struct replica_set *set); /* room is needed: they go now */
void replica_set_doomed_arm(struct replica_set *set);   /* the delay is another one now */
void replica_set_doomed_stop(struct replica_set *set);
void replica_set_doomed_free(struct replica_set *set);

/* Moves between directories: replica_set_move.c and replica_set_placing.c, on the loop. The replica
 * is to be closed, and out of the table; `removes`: what was copied goes. False:
 * replica_set_close_now follows. */
bool replica_move_release(struct replica *replica, bool removes);
/* A cleaner's round of some replica has ended. */
void replica_set_moves_cleaned(struct replica_set *set);
/* Around the writing of checkpoints: is one wanted, one begins, it was written (set->dir_saved). */
bool replica_set_moves_are_announced(const struct replica_set *set);
void replica_set_moves_saving(struct replica_set *set);
void replica_set_moves_saved(struct replica_set *set);
void replica_set_moves_follow(struct replica_set *set); /* the configuration is another one */
/* Where this new partition was asked to be made; SIZE_MAX: anywhere. */
size_t replica_set_take_preferred_dir(struct replica_set *set, const char *topic, int32_t index);
void replica_set_prefer_dir(struct replica_set *set, const char *topic, int32_t index, size_t dir);
/* At the start; blocks: a copy that did not end. */
void replica_set_found_copy(struct replica_set *set, size_t dir, const char *name,
                            const char *topic, int32_t index);
/* The first update was followed: copies that were found begin anew, or go; those of partitions that
 * are tried again (replica_set_reopen.h) wait for this. */
void replica_set_moves_resume(struct replica_set *set, const struct image *image);
void replica_set_moves_reopened(struct replica_set *set, struct replica *replica);
struct replica_set_moves *replica_set_moves_new(void);
void replica_set_moves_free(struct replica_set_moves *moves);

/* The checkpoints are to be written now. On the loop. */
void replica_set_checkpoint_now(struct replica_set *set);

void replica_set_timer_start(struct replica_set *set);
void replica_set_timer_stop(struct replica_set *set);

#endif
