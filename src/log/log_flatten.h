// SPDX-License-Identifier: Apache-2.0
/*
 * log_flatten: a log directory without its journal: what that has is written into the segments,
 * and its files are removed. Then the directory is one that any Kafka's recovery understands.
 *
 * Thread: a command's; blocks.
 * Crash:  may be repeated: the journal's files go last.
 */
#ifndef LOG_LOG_FLATTEN_H
#define LOG_LOG_FLATTEN_H

#include "log/log_dir.h"

struct log_flatten_report {
    uint32_t partitions; /* that the journal had something of */
    uint32_t unknown;    /* of those: no directory here */
    uint64_t commits;    /* that their segments had not */
    bool was_clean;      /* the last stop was: nothing was to be done */
};

/* Takes the directory's lock for the time. On failure one clear line in *why, and the journal is
 * still there: a partition that cannot be read may be one that it has records of. ERR_BUSY: a
 * broker uses it. ERR_NOT_FOUND: no log directory. */
enum err log_flatten(struct env *env, const char *path, struct strbuf *why,
                     struct log_flatten_report *report) MUST_USE;

#endif
