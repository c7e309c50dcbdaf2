// SPDX-License-Identifier: Apache-2.0
/*
 * segment: one .log file with its .index and .timeindex, counted. Opened when first
 * needed, closed again by the cache of open files; nothing is mapped or kept in memory.
 *
 * This module knows files, batch headers and index entries. It does not know
 * which part of a segment may be read: its callers say so.
 *
 * Thread: the tail under the lock of the partition that owns it, everything else any.
 * Crash:  see docs/formats.md: the indexes can always be made again from the .log.
 */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "env/env.h"
#include "log/file_cache.h"
#include "log/log_file.h"
#include "log/segment_tail.h"
#include "wire/batch.h"

/* Where the files of one log are; shared by its segments, which may outlive the log. */
struct log_home {
    struct env *env;
    struct file_cache *files; /* one reference; NULL: no bound on open files */
    atomic_uint refs;
    char dir[];
};

struct log_home *log_home_new(struct env *env, struct file_cache *files, const char *dir);
struct log_home *log_home_ref(struct log_home *home);
void log_home_unref(struct log_home *home); /* accepts NULL */

enum {
    SEGMENT_FILES = FILE_SLOTS, /* LOG_FILE_LOG to LOG_FILE_TIMEINDEX */
    SEGMENT_RESUMES = 4,
    SEGMENT_ROT_MAX = 16,
};

/* Where a reader goes on who got everything before `offset`: the end of a batch that was found
 * before. pos 0: none. */
struct segment_resume {
    int64_t offset;
    uint32_t pos;
    uint32_t cuts; /* of the segment when it was found: after a cut there may be no border here */
};

/* Bytes that the scrub found to be damaged. */
struct segment_rot {
    int64_t pos;
    int64_t end;
    int64_t offset; /* from this to end_offset records are lost */
    int64_t end_offset;
    int64_t found_ms; /* wall time */
    enum err error;   /* ERR_CORRUPT, or why it cannot be read */
};

struct segment_rot_node;
struct segment_behind;

struct segment {
    struct list link; /* of those retired, or new and not published */
    struct log_home *home;
    int64_t base_offset;
    int64_t created_ms;        /* or first seen, where that is not known */
    int64_t unlink_ms;         /* of one that is retired: when its files go */
    struct segment_tail tail;  /* [lock] */
    struct list unsynced_link; /* [writer] sealed, not synced yet; holds a reference */
    atomic_uint refs;
    atomic_uint cuts; /* how often it was truncated or replaced: views from before are stale */
    atomic_int stage; /* enum log_file_stage: the names that its files have, or have had just now */
    struct segment_resume resumes[SEGMENT_RESUMES]; /* [lock] */
    uint8_t resume_next;                            /* [lock] the one to be replaced next */
    struct file_slots files;
    _Atomic(struct segment_rot_node *) rot;  /* NULL: none is known; grows at the front */
    _Atomic(struct segment_behind *) behind; /* NULL: all was written at once (segment_behind.h) */
};

/* One reference; touches no file. */
struct segment *segment_new(struct log_home *home, int64_t base_offset, int64_t now_ms);
struct segment *segment_ref(struct segment *seg);
void segment_unref(struct segment *seg); /* accepts NULL */

/* Before its files are made, or after they were renamed. Compaction only. */
void segment_set_stage(struct segment *seg, enum log_file_stage stage);

/* The open file with a reference of its own, opened when it was not (then ENV_NOWAIT says ERR_AGAIN
 * instead). Also under its .deleted name; ERR_STALE: neither is there. ERR_FULL: no descriptors.
 * What is behind is written first (segment_behind.h; ENV_NOWAIT: ERR_AGAIN), with that call's
 * errors. */
enum err segment_file(struct segment *seg, enum log_file_kind kind, enum env_read_mode mode,
                      struct env_file **out) MUST_USE;

/* The same for who needs nothing of what may be behind. */
enum err segment_file_as_is(struct segment *seg, enum log_file_kind kind, enum env_read_mode mode,
                            struct env_file **out) MUST_USE;

/* The same, made when it is not there; blocks. `empties`: and cut to nothing when it is. */
enum err segment_file_make(struct segment *seg, enum log_file_kind kind, bool empties,
                           struct env_file **out) MUST_USE;

/* Creates the three files or empties those that are there. Blocks; the names are not durable yet.
 * On failure some may be there: segment_unlink_all. */
enum err segment_create(struct segment *seg) MUST_USE;

/* Readers get nothing of this range from now on. At most SEGMENT_ROT_MAX are kept apart; further
 * ones widen the newest. By one thread at a time. */
void segment_mark_rot(struct segment *seg, const struct segment_rot *rot);
/* Is the batch at `pos` damaged? Then where what is sound begins again, and with which offset. */
bool segment_is_rot(const struct segment *seg, int64_t pos, int64_t *end, int64_t *end_offset);
/* The places by their position, at most `max` of them; how many there are. */
size_t segment_list_rot(const struct segment *seg, struct segment_rot *out, size_t max);
/* How many of `len` bytes from a batch's begin may be read; 0: it is damaged itself. */
int64_t segment_sound_bytes(const struct segment *seg, int64_t pos, int64_t len);
void segment_forget_rot(struct segment *seg); /* nobody reads any more */

/* Closes what is open; readers keep what they hold. */
void segment_close_files(struct segment *seg);

/* Renames one file, or all from LOG_FILE_LOG to LOG_FILE_SNAPSHOT; those that are not there are
 * fine. */
enum err segment_rename(const struct segment *seg, enum log_file_kind kind,
                        enum log_file_stage from, enum log_file_stage to) MUST_USE;
enum err segment_rename_all(const struct segment *seg, enum log_file_stage from,
                            enum log_file_stage to) MUST_USE;
/* Unlinks all files of this stage. */
enum err segment_unlink_all(const struct segment *seg, enum log_file_stage stage) MUST_USE;

/* Where a batch lies. */
struct segment_place {
    int64_t pos;
    int64_t size;
    int64_t base_offset;
    int64_t last_offset;
};

/* The first batch that ends at or behind the offset, looking below `end_pos`, by the first
 * `index_count` entries of the index, all of which are in the files. An index that leads astray is
 * left aside.
 * ERR_NOT_FOUND: no batch goes so far (then out->pos is end_pos). ERR_AGAIN, ERR_CORRUPT,
 * ERR_STALE, ERR_IO. */
enum err segment_locate(struct segment *seg, int64_t offset, uint32_t index_count, int64_t end_pos,
                        enum env_read_mode mode, struct segment_place *out) MUST_USE;

/* The same without an index, where a batch is known to begin at `pos` whose predecessors all end
 * before the offset. */
enum err segment_locate_from(struct segment *seg, int64_t offset, int64_t pos, int64_t end_pos,
                             enum env_read_mode mode, struct segment_place *out) MUST_USE;

/* [lock] The border at this offset, if some reader came to it lately; 0: not known. */
int64_t segment_resume_find(const struct segment *seg, int64_t offset);

/* [lock] Remembers the border in the place of the oldest one. */
void segment_resume_add(struct segment *seg, const struct segment_resume *border);

/* The largest timestamp for retention: of a batch, else when the segment was made. */
int64_t segment_newest_ms(const struct segment_tail *tail, int64_t created_ms);

#endif
