// SPDX-License-Identifier: Apache-2.0
/*
 * logger: lines for people, with a level: "2026-11-23 22:51:07.123 INFO  text".
 *
 * Leaf code returns errors; the loop, the handlers and main log them, once, with
 * the partition or peer named. A line never carries record contents or secrets;
 * bytes from peers are escaped: a control byte becomes \\xHH, so a line stays one.
 * The text is cut at LOG_TEXT_BYTES_MAX; the sink puts time and level in front.
 *
 * Thread: any; a line is written in one call.
 */
#ifndef ENV_LOGGER_H
#define ENV_LOGGER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/macros.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum { LOG_TEXT_BYTES_MAX = 2048 };

struct logger {
    _Atomic int level; /* lines above it are dropped */
    /* One text, escaped and cut, without a newline. Thread: any. */
    void (*write)(struct logger *logger, enum log_level level, const char *line);
};

void logger_printf(struct logger *logger, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "error", "warn", "info", "debug"; false when it is none of them. */
bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level level);

#define LOG_AT(env, level_, ...)                                                                   \
    ((int)(level_) <= env_logger(env)->level                                                       \
         ? logger_printf(env_logger(env), (level_), __VA_ARGS__)                                   \
         : (void)0)
#define log_error(env, ...) LOG_AT(env, LOG_ERROR, __VA_ARGS__)
#define log_warn(env, ...)  LOG_AT(env, LOG_WARN, __VA_ARGS__)
#define log_info(env, ...)  LOG_AT(env, LOG_INFO, __VA_ARGS__)
#define log_debug(env, ...) LOG_AT(env, LOG_DEBUG, __VA_ARGS__)

#endif
