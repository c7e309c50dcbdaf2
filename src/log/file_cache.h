// SPDX-License-Identifier: Apache-2.0
/*
 * file_cache: the open files of segments, of all logs that share one cache, and their
 * bound. A segment keeps its files open as long as it is in use now and then; when
 * another needs room the one that was used longest ago is closed (a clock: what was
 * touched since the hand came by gets another round).
 *
 * Whoever took a file has a reference, and what is held by somebody is not closed, so there
 * are at most as many open files as the bound says, plus those that are held right now.
 *
 * A .log with bytes that no fdatasync covers is synced before the cache closes it: with
 * its last descriptor the kernel may forget that writing them back failed, and a later
 * sync would say that all is well. When that sync fails the file stays open, and the next one
 * who syncs it is told (env_file_sync).
 *
 * Thread: any. Finding an open file takes a few instructions under the segment's own mark;
 * opening and closing go through the cache's monitor, which is never held over I/O. What
 * opens or makes room blocks.
 * Crash: closing syncs nothing but what is said above.
 */
#ifndef LOG_FILE_CACHE_H
#define LOG_FILE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "env/env.h"

enum { FILE_SLOTS = 3 };

/* The files of one segment; slot 0 is the one whose bytes must not be lost. Embedded. */
struct file_slots {
    struct list link;       /* [the cache's monitor] in the clock's ring while something is open */
    atomic_flag is_busy;    /* held for a few instructions, never over a call that blocks */
    atomic_bool is_touched; /* used since the hand came by */
    struct env_file *files[FILE_SLOTS]; /* NULL: not open */
};

void file_slots_init(struct file_slots *slots);

struct file_cache;

/* What is open, and what happened since the start. */
struct file_cache_stats {
    uint32_t open;      /* files in the cache */
    uint32_t open_max;  /* the bound */
    uint64_t opened;    /* files that were opened */
    uint64_t evicted;   /* files that were closed to make room */
    uint64_t exhausted; /* how often the system had no descriptor left */
    int64_t behind;     /* bytes of memory for what is to be written later (segment_behind.h) */
};

/* Counted; one reference. The bound is at least 1. */
struct file_cache *file_cache_new(uint32_t open_max);
struct file_cache *file_cache_ref(struct file_cache *cache);
void file_cache_unref(struct file_cache *cache); /* accepts NULL; empty by then */

void file_cache_stats(struct file_cache *cache, struct file_cache_stats *out);

/* All below take a NULL cache for "no bound". */

/* The open file with a reference of its own. Never blocks: ERR_AGAIN when it is not open. */
enum err file_cache_peek(struct file_slots *slots, int slot, struct env_file **out) MUST_USE;

/* The file, opened by `open` (which is not asked to truncate: another may be quicker). When the
 * system has no descriptor left the cache gives some back and it is tried again. Blocks. */
struct file_opening {
    enum err (*open)(const void *arg, struct env_file **out);
    const void *arg;
};
enum err file_cache_open(struct file_cache *cache, struct file_slots *slots, int slot,
                         const struct file_opening *opening, struct env_file **out) MUST_USE;

/* Closes all of the segment's without a sync; who holds one keeps it. */
void file_cache_close(struct file_cache *cache, struct file_slots *slots);

/* Closes what was not touched since the last call; false: nothing is open any more. Blocks. */
bool file_cache_close_idle(struct file_cache *cache);

/* Is something open? */
bool file_cache_is_used(struct file_cache *cache);

/* Memory for bytes that are to be written to some file of the cache later: false, and nothing is
 * taken, when that would be more than LIMIT_BEHIND_BYTES for all. What was taken is given back.
 * Cheap. */
bool file_cache_take_behind(struct file_cache *cache, size_t bytes) MUST_USE;
void file_cache_give_behind(struct file_cache *cache, size_t bytes);

#endif
