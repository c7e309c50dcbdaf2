// SPDX-License-Identifier: Apache-2.0
/*
 * log_copy: the files of an open log, copied into another directory while the log goes on.
 *
 * The good case: it is given what the log has (log_copy_take), copies that in pieces
 * (log_copy_step), is given what has come since, and so on, until little is missing. Then the
 * log's writer stands still, the rest is copied, and log_copy_seal makes all of it durable. Sealed
 * segments are synced as they end; what retention took out meanwhile is taken out here at the end.
 *
 * The bytes are copied as they are: rot is neither looked for nor healed.
 *
 * Thread: whoever owns it, on a worker; blocks. log_copy_end_offset and log_copy_bytes: any.
 * Crash:  until it is sealed and its directory renamed it counts for nothing.
 */
#ifndef LOG_LOG_COPY_H
#define LOG_LOG_COPY_H

#include "log/partition_log.h"

enum { LOG_COPY_PIECE_BYTES = 1 << 20 };

struct log_copy;

/* Touches no file. `files`: where its open files are counted; NULL: nowhere. */
struct log_copy *log_copy_new(struct env *env, struct file_cache *files, const char *dir);
void log_copy_free(struct log_copy *copy); /* accepts NULL; leaves the directory */

const char *log_copy_dir(const struct log_copy *copy);

/* Makes the directory anew, durably: it tells the next start what was meant. First of all. Errors
 * as log_copy_step. */
enum err log_copy_begin(struct log_copy *copy) MUST_USE;

/* What there is to be copied: partition_log_copy_source. Takes the references. */
void log_copy_take(struct log_copy *copy, struct log_segments *take_source);

/* Copies at most so many bytes, at most LOG_COPY_PIECE_BYTES, and tells how many.
 * ERR_NOT_FOUND: all that was given is copied. ERR_NO_SPACE, ERR_FULL,
 * ERR_NO_MEMORY: may be repeated. ERR_IO, ERR_CORRUPT (a source that is too short, a directory
 * that has gone): it is over. */
enum err log_copy_step(struct log_copy *copy, int64_t bytes_max, int64_t *bytes) MUST_USE;

/* After a failure: was it where the log is, not where it goes? */
bool log_copy_blames_source(const struct log_copy *copy);

/* All is copied: the rest of the files, with this text as leader-epoch-checkpoint, and a sync of
 * everything. Errors as log_copy_step. */
enum err log_copy_seal(struct log_copy *copy, const char *epochs_text, size_t epochs_size) MUST_USE;

/* The first offset that is not there; the bytes of records that are. */
int64_t log_copy_end_offset(const struct log_copy *copy);
int64_t log_copy_bytes(const struct log_copy *copy);

#endif
