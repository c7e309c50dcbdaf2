// SPDX-License-Identifier: Apache-2.0
/*
 * logger_file: log lines to a file or to stderr, each in one write(2):
 * "2026-11-23 22:51:07.123 INFO  text", time in UTC.
 *
 * Rotation: somebody renames the file, then logger_file_reopen makes it anew.
 * Lines written meanwhile go to the one or the other, none is lost.
 *
 * Thread: any, open and close apart.
 */
#ifndef ENV_LOGGER_FILE_H
#define ENV_LOGGER_FILE_H

#include "env/logger.h"

struct logger_file;

/* NULL: stderr. Appends; the file is created with mode 0640. ERR_DENIED, ERR_NOT_FOUND, ... */
enum err logger_file_open(const char *path, enum log_level level, struct logger_file **out)
    MUST_USE;

struct logger *logger_file_logger(struct logger_file *file);

/* On failure the old file goes on. Does nothing for stderr. */
enum err logger_file_reopen(struct logger_file *file) MUST_USE;

/* Accepts NULL. */
void logger_file_close(struct logger_file *file);

#endif
