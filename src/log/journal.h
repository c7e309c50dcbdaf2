// SPDX-License-Identifier: Apache-2.0
/*
 * journal: small durable commits of all partitions in one log directory, made durable
 * together by one fdatasync. docs/formats.md has the files, docs/decisions/010 the figures.
 *
 * The good case: a partition's job runs on the journal's (journal_submit). It writes its
 * batches into the segment (page cache), or holds them for that, then adds them to the group that
 * is being filled (journal_add). When all jobs that waited have run, the group is written into the
 * half in use and synced; each entry's `done` is called, and the next round begins.
 *
 * A half that is full is left for the other one. Every partition with entries in it is then
 * asked to sync its segment, a few at a time; when all have, a void entry goes with the next
 * group, and the half may be filled again. Where that takes longer than filling the other half,
 * journal_add says no, and the partitions sync their segments themselves: slower, but nobody
 * waits for a half.
 *
 * It knows partitions as ids, offsets and positions, and asks them upwards by callbacks. It does
 * not know leaders, clients or configuration.
 *
 * Thread: any, where nothing else is said. Callbacks come on a disk worker, no monitor held.
 * Crash:  an entry counts when its group's sync has returned. Replay is idempotent.
 */
#ifndef LOG_JOURNAL_H
#define LOG_JOURNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "env/env.h"
#include "log/partition_log.h"

struct journal;
struct journal_client;

enum { JOURNAL_HALVES = 2 };

/* What all journals of a broker come to. Relaxed atomics. */
struct journal_stats {
    _Atomic uint64_t groups;
    _Atomic uint64_t entries;
    _Atomic uint64_t held; /* entries whose batches were not written into their segment at once */
    _Atomic uint64_t written_bytes; /* with what fills up pages */
    _Atomic uint64_t straight;      /* small commits that had to sync their segment */
    _Atomic uint64_t rotations;
    _Atomic uint64_t replayed; /* entries */
    struct time_histogram sync_time;
};

struct journal_options {
    const char *dir; /* the log directory; copied */
    struct uuid directory_id;
    int64_t bytes;          /* of both halves together; 0: there is to be none */
    uint32_t after_commits; /* so many small commits make the files; 0: the first */
    uint32_t held_bytes;    /* of a partition may wait to be written into its segment; 0: none */
    bool was_clean;         /* the last stop was clean: what is there is void */
    struct journal_stats *stats;
};

/* Reads what an unclean stop left; blocks. Files that cannot be used are told of and made anew.
 * ERR_IO, ERR_NO_MEMORY. */
enum err journal_open(struct env *env, const struct journal_options *options, struct journal **out)
    MUST_USE;

/* All clients are released; writes nothing. No job may be under way. Accepts NULL. */
void journal_free(struct journal *j);

/* For a stop, after all partitions were closed: once nothing is under way, `done` is called on a
 * worker. `clean`: they were closed cleanly: what is there becomes void, all clients are released.
 * ERR_BUSY: entries wait for partitions that could not be opened; they stay. ERR_IO. */
void journal_close(struct journal *j, bool clean, void (*done)(void *arg, enum err e), void *arg);

/* ---- who commits */

/* Which half holds entries of a client, and up to where. The journal's own. */
struct journal_cover {
    struct list link;
    struct journal_client *client;
    uint64_t generation;
    int64_t end_offset;
    bool is_asked;
};

/* Embedded in who commits: a partition. It must stay while it has covers: journal_add and
 * journal_replayed say when a cover begins, `released` when it ends. */
struct journal_client {
    struct uuid topic_id;
    int32_t partition;
    /* Sync what was written so far, soon; then journal_flushed, once. */
    void (*flush)(struct journal_client *client);
    /* Nothing of this generation will be replayed any more. */
    void (*released)(struct journal_client *client, uint64_t generation);
    /* The journal's own. */
    struct journal_cover covers[JOURNAL_HALVES];
    struct list notice_link; /* a cut or a departure waits to be written */
    int64_t cut_offset;
    uint64_t noticed_in; /* the group with the last one */
    bool is_gone;
};

void journal_client_init(struct journal_client *client);

/* One commit on its way. Owned by the caller, untouched between journal_add and done. */
struct journal_entry {
    struct journal_client *client;
    /* Exactly once. ERR_IO: the group could not be written or synced. */
    void (*done)(struct journal_entry *entry, enum err e);
    uint64_t generation; /* result of journal_add */
    struct list link;
};

/* Runs this job on the journal's own, before its next group: whoever commits there pays no waking.
 * A job that has more steps which may block goes on on another worker. False: not now (no journal
 * yet): use env_submit. */
bool journal_submit(struct journal *j, struct env_job *job);

/* Copies the commit's batches, which are written, lie in one segment and follow what is durable.
 * False: not now, or never: sync the segment. *begins_cover: one begins for the client. */
bool journal_add(struct journal *j, struct journal_entry *entry, const struct log_commit *commit,
                 bool *begins_cover);

/* So many bytes of a partition may be held (partition_log_write): only of commits that it takes,
 * which it keeps until the segment is synced (journal_flushed). Cheap. */
size_t journal_held_max(const struct journal *j);

/* The client's log will be cut at this offset: appends at or behind it are void, with the next
 * group that has room. Before: partition_log_flush, else a crash that comes between leaves holes.
 * Only when journal_is_noticed may anything be cut, or written behind it: else what was cut would
 * be put back beside what is new. The checkpoint's recovery point must not be above, either. A
 * client without entries: nothing. */
void journal_cut(struct journal *j, struct journal_client *client, int64_t end_offset);

/* The client's directory leaves this log directory and may come back: its entries are void with the
 * next group that has room. */
void journal_gone(struct journal *j, struct journal_client *client);

/* Would a replay find anything of this client, or is there something to be said of it yet? Where it
 * adds no more that ends with a change of halves (journal_rotate). */
bool journal_has_client(struct journal *j, const struct journal_client *client);

/* Is it durable what the last journal_cut or journal_gone of this client said? */
bool journal_is_noticed(struct journal *j, const struct journal_client *client);

/* The answer to `flush`: below this offset the segments are synced (INT64_MAX: the log is closed
 * and what it had is synced, or deleted). */
void journal_flushed(struct journal *j, struct journal_client *client, int64_t synced);

/* Leaves the half in use, if something is in it and the other one is void: so that what is there
 * does not have to be replayed after a crash. */
void journal_rotate(struct journal *j);

/* True: entries have come since the last rotation (cheap). */
bool journal_has_entries(const struct journal *j);

/* The log directory failed: no more commits. */
void journal_fail(struct journal *j);

/* It alone has what a partition could not sync (at a stop, with a full disk): nothing of it becomes
 * void any more. It goes on taking commits as long as there is room. */
void journal_keep_all(struct journal *j);

/* A small commit synced its segment: the files are made when there were enough of them. */
void journal_note_small(struct journal *j);

/* Does it take commits? (cheap) */
bool journal_is_ready(const struct journal *j);

/* A write or sync of its own failed, or journal_fail was called (cheap): where no commit was in the
 * group, nobody was told. */
bool journal_has_failed(const struct journal *j);

/* ---- replay */

/* Whose entries, and where they belong. */
struct journal_target {
    struct uuid topic_id;
    int32_t partition;
    const char *dir;        /* of the partition */
    int64_t recovery_point; /* below it nothing is written */
};

/* Writes what is left of a partition's entries into its segment files, before they are recovered;
 * blocks. *first_offset: the lowest that was there; -1: none, and there is nothing to tell. ERR_IO,
 * ERR_NO_SPACE, ERR_NO_MEMORY: may be repeated. */
enum err journal_replay(struct journal *j, const struct journal_target *target,
                        struct log_open_report *report, int64_t *first_offset) MUST_USE;

/* The log is open, and what was replayed synced. True: a cover began for the client (generation:
 * journal_generation). */
bool journal_replayed(struct journal *j, struct journal_client *client);

/* The generation that replayed entries count under. */
uint64_t journal_generation(const struct journal *j);

/* All partitions that are known were opened, or could not be: entries of others are void.
 * `is_known` is asked for each partition with entries left. Again, whenever one is known no more.
 */
void journal_settle(struct journal *j,
                    bool (*is_known)(void *arg, struct uuid topic_id, int32_t partition),
                    void *arg);

/* Are there entries whose partitions could not be opened yet? (cheap) */
bool journal_waits(const struct journal *j);

/* ---- flattening (klamm log flatten) */

/* Calls `each` for every partition with entries. */
void journal_each_left(struct journal *j,
                       void (*each)(void *arg, struct uuid topic_id, int32_t partition), void *arg);

/* Removes the files: nothing may be left in them. */
enum err journal_remove(struct env *env, const char *dir) MUST_USE;

#endif
