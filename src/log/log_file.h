// SPDX-License-Identifier: Apache-2.0
/*
 * log_file: the names of the files in a partition's directory, and small files read
 * and replaced as a whole. Does not know what is in them: docs/formats.md does.
 *
 * Thread: any; what takes an env blocks.
 * Crash: log_file_replace leaves the old content or the new one, never a part.
 */
#ifndef LOG_LOG_FILE_H
#define LOG_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "env/env.h"

enum { LOG_NAME_SIZE = 48, LOG_PATH_SIZE = 4096, LOG_OFFSET_DIGITS = 20 };

enum { LOG_DIR_NAME_MAX = 255 }; /* bytes that file systems take */

/* In the order in which they are written behind the records: see segment.h. */
enum log_file_kind {
    LOG_FILE_LOG,
    LOG_FILE_INDEX,
    LOG_FILE_TIMEINDEX,
    LOG_FILE_TXNINDEX,
    LOG_FILE_SNAPSHOT,
    LOG_FILE_KIND_COUNT
};

/* What a suffix behind the kind says. */
enum log_file_stage {
    LOG_STAGE_LIVE,
    LOG_STAGE_DELETED, /* .deleted: waits to be unlinked */
    LOG_STAGE_CLEANED, /* .cleaned: a compaction that did not end */
    LOG_STAGE_SWAP,    /* .swap: a compaction that ended, not yet in place */
};

struct log_file_name {
    int64_t offset;
    enum log_file_kind kind;
    enum log_file_stage stage;
};

/* False: not the name of a segment's file. */
bool log_file_name_parse(const char *text, struct log_file_name *out);

/* "00000000000000000042.log"; returns `out`. */
char *log_file_name_format(char out[LOG_NAME_SIZE], const struct log_file_name *name);

/* "dir/name"; false when it does not fit. */
bool log_file_path(char out[LOG_PATH_SIZE], const char *dir, const char *name);

/* "topic-N.ID" and the suffix, with a new id, beside the partition's directory `dir`: what it is
 * renamed to. Of a topic whose name leaves no room for that the end is cut off, as Kafka does.
 * False: the path does not fit. */
bool log_file_suffixed(struct env *env, const char *dir, const char *suffix,
                       char out[LOG_PATH_SIZE]);

/* The whole file in mem_try'ed memory (mem_free it), with a NUL behind it that does not count.
 * ERR_TOO_LARGE: more than size_max. */
enum err log_file_read(struct env *env, const char *dir, const char *name, size_t size_max,
                       uint8_t **out, size_t *size) MUST_USE;

/* Is it certain that there is no such file? */
bool log_file_is_missing(struct env *env, const char *dir, const char *name);

/* Writes "name.tmp", syncs it and renames it over `name`. The name is durable only after
 * env_dir_sync(dir). */
enum err log_file_replace(struct env *env, const char *dir, const char *name, const void *data,
                          size_t size) MUST_USE;

/* As log_file_replace, durable when it returns. */
enum err log_file_replace_durably(struct env *env, const char *dir, const char *name,
                                  const void *data, size_t size) MUST_USE;

/* Unlinks it; that it is not there is fine. */
enum err log_file_remove(struct env *env, const char *dir, const char *name) MUST_USE;

/* Makes the name of `path` durable in its directory. */
enum err log_file_sync_parent(struct env *env, const char *path) MUST_USE;

/* Unlinks the plain files in the directory, then the directory. Directories in it are left, and
 * then it is too (ERR_EXISTS). */
enum err log_file_remove_dir(struct env *env, const char *path) MUST_USE;

#endif
