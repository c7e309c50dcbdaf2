// SPDX-License-Identifier: Apache-2.0
/*
 * log_names: the segment files found in a partition's directory, and the clearing away
 * of what a crash left half done there (deletions, compactions).
 *
 * Thread: the one that opens; blocks.
 * Crash:  may be repeated after any step.
 */
#ifndef LOG_LOG_NAMES_H
#define LOG_LOG_NAMES_H

#include <stddef.h>

#include "log/segment.h"

struct log_names {
    struct log_file_name *items; /* in the order of offsets */
    size_t count;
    size_t capacity;
    bool is_changed; /* names were unlinked or renamed: the directory needs a sync */
    bool is_leaving; /* LOG_LEAVING_NAME is among them */
};

void log_names_deinit(struct log_names *names);

/* Lists the directory, clears it up, and leaves in *names the live files: every index has its
 * .log. */
enum err log_names_load(struct log_names *names, struct log_home *home, uint8_t *buffer,
                        size_t capacity) MUST_USE;

/* Lists it and clears up nothing: for a log that is open. */
enum err log_names_list(struct log_names *names, struct log_home *home) MUST_USE;

/* Is a file of this kind and offset among the names? */
bool log_names_has(const struct log_names *names, enum log_file_kind kind, int64_t offset);

#endif
