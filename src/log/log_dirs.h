// SPDX-License-Identifier: Apache-2.0
/*
 * log_dirs: what the log directories of a broker say of each other. Each has a list of all of
 * them, so that a start notices when one is not there: its disk is not mounted, or it was left out
 * of log.dirs.
 *
 * Thread: any; blocks.
 * Crash: each list is the old one or the new one.
 */
#ifndef LOG_LOG_DIRS_H
#define LOG_LOG_DIRS_H

#include "base/strbuf.h"
#include "base/uuid.h"
#include "env/env.h"

#define LOG_DIRS_NAME "klamm.log.dirs"

/* One of them, as it was when the list was written. */
struct log_dirs_entry {
    struct uuid id; /* directory.id */
    char *path;
};

struct log_dirs {
    struct log_dirs_entry *entries;
    size_t count;
};

void log_dirs_add(struct log_dirs *list, struct uuid id, const char *path);
const struct log_dirs_entry *log_dirs_find(const struct log_dirs *list, struct uuid id);
void log_dirs_free(struct log_dirs *list); /* empty afterwards */

/* The list in this log directory; `out` is empty before, and is to be freed whatever comes back.
 * ERR_NOT_FOUND: it has none. ERR_CORRUPT: it makes no sense, and nothing of it is taken. */
enum err log_dirs_read(struct env *env, const char *dir, struct log_dirs *out) MUST_USE;

/* The same of a text that is NUL-terminated; it is changed. False: it makes no sense. */
bool log_dirs_parse(char *text, size_t size, struct log_dirs *out);

/* Adds those of the list in this log directory that are not in `list` yet. That it has none, or
 * that it makes no sense, is fine. */
enum err log_dirs_add_known(struct env *env, const char *dir, struct log_dirs *list) MUST_USE;

/* Durable when it returns; nothing is written where the list says so already. */
enum err log_dirs_write(struct env *env, const char *dir, const struct log_dirs *list) MUST_USE;

#endif
