// SPDX-License-Identifier: Apache-2.0
/*
 * journal_private: what the files of journal share.
 *
 * Thread: fields are under `monitor`, except those marked [job] (the journal's job, while
 * is_job_busy) and [fixed].
 */
#ifndef LOG_JOURNAL_PRIVATE_H
#define LOG_JOURNAL_PRIVATE_H

#include "base/limits.h"
#include "base/map.h"
#include "env/monitor.h"
#include "log/journal.h"
#include "log/journal_format.h"
#include "log/log_file.h"

enum journal_state {
    JOURNAL_OFF,       /* klamm.journal.bytes=0 */
    JOURNAL_ABSENT,    /* no files that are open: made when there is something to do */
    JOURNAL_MAKING,    /* a job makes them */
    JOURNAL_REPLAYING, /* entries wait for their partitions to be opened */
    JOURNAL_READY,
    JOURNAL_FAILED, /* a write or sync failed, or the directory did: never again */
};

struct journal_half {
    struct env_file *file;
    int64_t size;
    uint64_t generation; /* of what is in it; 0: nothing that counts */
    uint64_t salt;
    int64_t pos; /* where the next group goes */
    uint64_t next_number;
    bool is_void;         /* nothing in it would be replayed */
    bool has_entries;     /* something was added that a replay would need */
    struct list unsynced; /* of journal_cover: their segments are not synced up to there */
    struct list synced;   /* theirs are; they wait for the void entry */
};

/* A group that is filled, or on its way to the disk. */
struct journal_group {
    uint8_t *data;
    size_t size; /* 0: empty */
    uint32_t count;
    unsigned half;
    uint64_t generation;
    int64_t pos;         /* once it is taken */
    uint64_t number;     /* the same */
    uint64_t voids;      /* the generation that its void entry names; 0: none */
    uint64_t taken;      /* journal.groups_taken, with it */
    struct list entries; /* of journal_entry.link */
};

struct journal {
    struct env *env;                /* [fixed] */
    struct journal_options options; /* [fixed] */
    char *dir;                      /* [fixed] */
    int64_t group_bytes;            /* at most so much in one group; [fixed] once it is ready */
    struct monitor monitor;
    _Atomic int state; /* enum journal_state; changed under the monitor */
    atomic_bool has_entries;
    _Atomic uint32_t small_commits;

    struct list jobs;    /* env_job.link: they run before the next group */
    struct list notices; /* journal_client.notice_link */
    struct journal_group fill;
    struct journal_group group; /* [job] */
    struct journal_half halves[JOURNAL_HALVES];
    unsigned current;
    uint64_t generation;
    uint64_t cleaning;      /* the generation that shall become void; 0: none */
    uint32_t asked;         /* flushes of it under way */
    uint64_t void_due;      /* all of it is synced: a void entry goes with the next group */
    uint64_t groups_taken;  /* by this process */
    uint64_t groups_synced; /* the same */
    bool replay_has_ended;  /* its void entry is due, or written */
    bool is_making;         /* make_job is on its way */
    bool keeps_all;         /* nothing becomes void any more */
    bool wants_rotation;
    bool wants_close;
    bool close_is_clean;
    void (*close_done)(void *arg, enum err e);
    void *close_arg;
    bool is_job_busy;
    struct env_job job;
    struct env_job make_job;

    /* What an unclean stop left: struct journal_left, by partition. */
    struct map left;
    size_t left_told;   /* so many of them are known, and could not be opened, as it was logged */
    uint64_t hash_seed; /* [fixed] */
};

/* One append entry that may have to be replayed. */
struct journal_piece {
    unsigned half;
    int64_t file_pos;
    uint32_t size;
    int64_t segment_base;
    int64_t pos;
    int64_t first_offset;
    int64_t end_offset; /* what is at or behind it is void */
};

struct journal_left {
    struct map_node node;
    struct uuid topic_id;
    int32_t partition;
    struct journal_piece *pieces; /* in the order in which they were written */
    size_t count;
    size_t capacity;
};

/* [monitor] */
static inline void journal_set_state(struct journal *j, enum journal_state state)
{
    atomic_store_explicit(&j->state, (int)state, memory_order_release);
}

static inline enum journal_state journal_state(const struct journal *j)
{
    return (enum journal_state)atomic_load_explicit(&j->state, memory_order_acquire);
}

/* "klamm.journal.0" */
bool journal_path(const char *dir, unsigned half, char out[LOG_PATH_SIZE]);

/* Opens the files that are there and have valid headers; blocks. ERR_NOT_FOUND: not both of them.
 */
enum err journal_open_files(struct journal *j) MUST_USE;
void journal_close_files(struct journal *j);

/* Reads both halves, and sets generations and positions. `keeps`: what is to be replayed goes into
 * j->left; while partitions may be opened it must not. Blocks. */
enum err journal_scan(struct journal *j, bool keeps) MUST_USE;
void journal_forget_left(struct journal *j);

/* [monitor] NULL: none. It stays until journal_replayed. */
struct journal_left *journal_left_find(const struct journal *j, struct uuid topic_id,
                                       int32_t partition);

/* Makes the files, or takes those that are there and void; on a worker. */
bool journal_make(struct env_job *job);

/* [monitor] The job is to run; true: the caller submits it after leaving. */
bool journal_claim_job(struct journal *j);
bool journal_run(struct env_job *job);

/* [monitor] The other half, which is void, is filled from now on; the group is empty. */
void journal_rotate_now(struct journal *j);

/* [monitor] A group may be filled, with `bytes` more: begins one, in the other half where this one
 * is full and that one is void. */
bool journal_has_room(struct journal *j, size_t bytes);

/* [monitor] Adds an entry's head; its bytes are the caller's to copy behind it: the place is
 * returned. */
uint8_t *journal_put(struct journal *j, const struct journal_item *item);

/* [monitor] Cuts and departures go into the group, as far as there is room. */
void journal_put_notices(struct journal *j);

/* Pops and releases; no monitor held. */
void journal_release(struct journal *j, struct list *covers);

/* The buffers of groups. ERR_NO_MEMORY. */
enum err journal_make_buffers(struct journal *j) MUST_USE;

#endif
