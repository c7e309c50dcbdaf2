// SPDX-License-Identifier: Apache-2.0
/*
 * logger: lines for people, with a level: "2026-11-23 22:51:07.123 INFO  text".
 *
 * Each folder of the source that logs is an area with a level of its own, which is root's until
 * somebody sets it, and may be changed at any time: a line that is not wanted costs two loads.
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

/* Whose line it is: CMakeLists.txt gives each layer's files the area of its name; lines of programs
 * are root's. */
enum log_area {
    LOG_AREA_ROOT,
    LOG_AREA_BROKER,
    LOG_AREA_CLI,
    LOG_AREA_CONSOLE,
    LOG_AREA_CONTROLLER,
    LOG_AREA_COORDINATOR,
    LOG_AREA_ENV,
    LOG_AREA_LOG,
    LOG_AREA_NET,
    LOG_AREA_REPLICA,
    LOG_AREA_STORE,
    LOG_AREA_COUNT
};
#ifndef LOG_AREA
#define LOG_AREA LOG_AREA_ROOT
#endif

enum { LOG_FOLLOWS_ROOT = 0 };

struct logger {
    _Atomic int level;                 /* root's; lines above it are dropped */
    _Atomic int areas[LOG_AREA_COUNT]; /* a level + 1, or LOG_FOLLOWS_ROOT */
    /* One text, escaped and cut, without a newline. Thread: any. */
    void (*write)(struct logger *logger, enum log_level level, const char *line);
};

static inline int logger_level(struct logger *logger, enum log_area area)
{
    int own = atomic_load_explicit(&logger->areas[area], memory_order_relaxed);
    return own != LOG_FOLLOWS_ROOT ? own - 1
                                   : atomic_load_explicit(&logger->level, memory_order_relaxed);
}

/* In force at once. Thread: any. */
void logger_set_level(struct logger *logger, enum log_area area, enum log_level level);
/* The area's level is root's again; not of root. Thread: any. */
void logger_follow_root(struct logger *logger, enum log_area area);

/* "root", "net". */
const char *log_area_name(enum log_area area);

/* Writes the line whatever the levels are. */
void logger_printf(struct logger *logger, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "error", "warn", "info", "debug"; false when it is none of them. */
bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level level);

#define LOG_AT(env, level_, ...)                                                                   \
    ((int)(level_) <= logger_level(env_logger(env), LOG_AREA)                                      \
         ? logger_printf(env_logger(env), (level_), __VA_ARGS__)                                   \
         : (void)0)
#define log_error(env, ...) LOG_AT(env, LOG_ERROR, __VA_ARGS__)
#define log_warn(env, ...)  LOG_AT(env, LOG_WARN, __VA_ARGS__)
#define log_info(env, ...)  LOG_AT(env, LOG_INFO, __VA_ARGS__)
#define log_debug(env, ...) LOG_AT(env, LOG_DEBUG, __VA_ARGS__)

#endif
