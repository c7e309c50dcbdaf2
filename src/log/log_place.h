// SPDX-License-Identifier: Apache-2.0
/*
 * log_place: what a partition's directory says of its place. A crash amid a move, or a log
 * directory that was out of service for a while, may leave a partition, or two topics of one name,
 * in more than one log directory: partition.metadata and LOG_MOVED_NAME tell which counts, and
 * LOG_LEAVING_NAME that there may be a newer one where nobody can look now.
 *
 * Thread: any; blocks.
 * Crash: each file is the old one or the new one.
 */
#ifndef LOG_LOG_PLACE_H
#define LOG_LOG_PLACE_H

#include "base/uuid.h"
#include "env/env.h"

/* A decimal number: of two directories of one partition the higher one counts. */
#define LOG_MOVED_NAME "klamm.moved"
/* The id of the log directory to which the partition goes, or went. */
#define LOG_LEAVING_NAME "klamm.leaving"

struct log_place {
    struct uuid topic_id; /* zero: it does not say */
    uint64_t moved;       /* 0: the partition was made here */
};

/* What partition.metadata says. ERR_NOT_FOUND: there is none. ERR_CORRUPT: it makes no sense. Else
 * errors as log_file_read. */
enum err log_place_read_topic_id(struct env *env, const char *dir, struct uuid *out) MUST_USE;

/* What LOG_MOVED_NAME says; 0: there is none. Errors as log_file_read. */
enum err log_place_read_moved(struct env *env, const char *dir, uint64_t *out) MUST_USE;

/* Both; that there is no partition.metadata is fine. */
enum err log_place_read(struct env *env, const char *dir, struct log_place *out) MUST_USE;

/* The name is durable once the directory is synced. */
enum err log_place_write_moved(struct env *env, const char *dir, uint64_t moved) MUST_USE;

/* Durable when they return. */
enum err log_place_write_leaving(struct env *env, const char *dir, struct uuid to) MUST_USE;
enum err log_place_remove_leaving(struct env *env, const char *dir) MUST_USE;

/* ERR_NOT_FOUND: it stays. ERR_CORRUPT: nobody can tell where it goes. */
enum err log_place_read_leaving(struct env *env, const char *dir, struct uuid *to) MUST_USE;

#endif
