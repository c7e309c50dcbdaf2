// SPDX-License-Identifier: Apache-2.0
/*
 * log_dir: one entry of log.dirs: its lock, meta.properties, checkpoints, and the
 * partitions found in it. Kafka's file names and formats, so that its tools read
 * them; directly in the directory only plain files of our own.
 *
 * Thread: open, close and checkpoint block: at start, at stop and on a worker.
 * Crash: every file is written beside and renamed over, then the directory synced.
 */
#ifndef LOG_LOG_DIR_H
#define LOG_LOG_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "env/env.h"
#include "log/disk_room.h"

struct journal;
struct journal_options;
struct log_dir;

/* From meta.properties (version 1): node.id, cluster.id, directory.id. */
struct log_dir_identity {
    bool is_new; /* the directory was empty: nothing is written until log_dir_format */
    int32_t node_id;
    char cluster_id[64];
    struct uuid directory_id;
};

/* Makes the directory when missing, takes the lock (.lock, an OFD lock that Java's conflicts with)
 * and reads meta.properties. On failure one clear line in *why: "log directory X is in use by
 * another process", "X belongs to cluster A, not B"... A directory with files but without
 * meta.properties is refused unless it holds nothing but our own or lost+found. */
enum err log_dir_open(struct env *env, const char *path, struct strbuf *why, struct log_dir **out)
    MUST_USE;

/* Opens its journal, by these options (dir, identity and the clean mark are filled in here); of a
 * directory that is formatted, before it is marked dirty. Errors as journal_open. */
enum err log_dir_open_journal(struct log_dir *dir, const struct journal_options *options) MUST_USE;

/* NULL: it was not opened. */
struct journal *log_dir_journal(const struct log_dir *dir);

/* In the place of one whose disk failed: it has a path and nothing else, and nothing may be asked
 * of it. log_dir_fail makes such a one of one that is open. */
struct log_dir *log_dir_new_failed(struct env *env, const char *path);
void log_dir_fail(struct log_dir *dir);
bool log_dir_has_failed(const struct log_dir *dir);

/* ERR_NOT_FOUND, of something in it: is it gone itself? Then ERR_IO. Others as they are. Blocks. */
enum err log_dir_judge(const struct log_dir *dir, enum err e) MUST_USE;

/* Releases the lock, frees the journal. Accepts NULL. */
void log_dir_close(struct log_dir *dir);

const char *log_dir_path(const struct log_dir *dir);

/* What its disk has left. Thread: any. */
struct disk_room *log_dir_room(struct log_dir *dir);
const struct log_dir_identity *log_dir_identity(const struct log_dir *dir);

/* Writes meta.properties of a new directory; durable when it returns. */
enum err log_dir_format(struct log_dir *dir, int32_t node_id, const char *cluster_id,
                        struct uuid directory_id) MUST_USE;

/* Was .kafka_cleanshutdown there at open? (Removed by the first call of log_dir_mark_dirty.) */
bool log_dir_was_clean(const struct log_dir *dir);
enum err log_dir_mark_dirty(struct log_dir *dir) MUST_USE;
enum err log_dir_mark_clean(struct log_dir *dir) MUST_USE;

struct log_dir_checkpoint {
    int64_t recovery_point;
    int64_t log_start;
    int64_t high_watermark;
};

/* What three of the checkpoint files say about one partition; zeros when nothing. */
struct log_dir_checkpoint log_dir_checkpoint_of(const struct log_dir *dir, const char *topic,
                                                int32_t partition);

/* Sets the values to be written at the next log_dir_checkpoint_write. Thread: any, without a
 * monitor. */
void log_dir_checkpoint_set(struct log_dir *dir, const char *topic, int32_t partition,
                            const struct log_dir_checkpoint *values);
/* The same with the fourth, the cleaner's: all below this offset was compacted together. */
int64_t log_dir_checkpoint_clean_end(const struct log_dir *dir, const char *topic,
                                     int32_t partition);
void log_dir_checkpoint_set_clean_end(struct log_dir *dir, const char *topic, int32_t partition,
                                      int64_t clean_end);
/* Of all four. */
void log_dir_checkpoint_drop(struct log_dir *dir, const char *topic, int32_t partition);
/* Drops those of which `keeps` says no: at a start, of partitions that are not here. */
void log_dir_checkpoint_keep_only(struct log_dir *dir,
                                  bool (*keeps)(void *arg, const char *topic, int32_t partition),
                                  void *arg);
/* It was dropped, and the files may name it still: after a crash a partition made now under this
 * name would be taken for the one that is gone. Until the next log_dir_checkpoint_write. */
bool log_dir_checkpoint_is_stale(const struct log_dir *dir, const char *topic, int32_t partition);
/* Writes those files that do not say already what is to be said. */
enum err log_dir_checkpoint_write(struct log_dir *dir) MUST_USE;
/* `changed` is called, on any thread, with the first value that changes after each writing. NULL:
 * nobody any more. */
void log_dir_watch_checkpoints(struct log_dir *dir, void (*changed)(void *arg), void *arg);

/* Calls `each` for every "topic-partition" directory found (not -delete, -future, -stray ones). */
enum err log_dir_list(struct log_dir *dir,
                      void (*each)(void *arg, const char *topic, int32_t partition), void *arg)
    MUST_USE;

/* Calls `each` for every "topic-partition.<id>-future": a copy that moves a partition here, and did
 * not end (KIP-113). */
#define LOG_DIR_FUTURE_SUFFIX "-future"
enum err log_dir_list_futures(struct log_dir *dir,
                              void (*each)(void *arg, const char *name, const char *topic,
                                           int32_t partition),
                              void *arg) MUST_USE;

/* Renames a partition directory that the metadata does not know to "...-stray", never deletes it;
 * drops its checkpoint values. ERR_NOT_FOUND: there is none. */
enum err log_dir_set_aside(struct log_dir *dir, const char *topic, int32_t partition) MUST_USE;

/* Finishes deletions that a crash interrupted ("-delete" directories, .deleted files). */
enum err log_dir_sweep(struct log_dir *dir) MUST_USE;

/* "dir/topic-partition"; false when it does not fit. */
bool log_dir_partition_path(const struct log_dir *dir, const char *topic, int32_t partition,
                            char *out, size_t size);

/* ---- for those who look at a directory without opening it */

/* What the text of meta.properties says. ERR_CORRUPT: *why says what is wrong; out is untouched. */
enum err log_dir_parse_meta(char *text, struct strbuf *why, struct log_dir_identity *out) MUST_USE;

/* "topic-partition": false when the name is of no partition. */
bool log_dir_parse_partition(const char *name, char *topic, size_t size, int32_t *partition);

#endif
