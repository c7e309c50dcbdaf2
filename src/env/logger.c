// SPDX-License-Identifier: Apache-2.0
/* logger: makes one safe line of a message and hands it to the sink. Thread: any. */
#include "env/logger.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Copies what fits, with control bytes and DEL as \xHH; bytes from 0x80 on are left alone
 * (UTF-8). Never ends within an escape. */
static void escape(char *out, size_t size, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        bool is_plain = (c >= 0x20 && c != 0x7f) || c == '\t';
        if (used + (is_plain ? 1 : 4) >= size)
            break;
        if (is_plain) {
            out[used++] = (char)c;
            continue;
        }
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = digits[c >> 4];
        out[used++] = digits[c & 15];
    }
    out[used] = '\0';
}

void logger_printf(struct logger *logger, enum log_level level, const char *format, ...)
{
    ASSERT((size_t)level < sizeof(level_names) / sizeof(level_names[0]));
    char text[LOG_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        return; /* an encoding error: nothing sensible to say */
    char line[LOG_TEXT_BYTES_MAX];
    escape(line, sizeof(line), text);
    bool is_cut = (size_t)len >= sizeof(text) || strlen(line) + 8 > sizeof(line);
    if (is_cut && strlen(line) >= 4)
        memcpy(line + strlen(line) - 3, "...", 3);
    logger->write(logger, level, line);
}

void logger_set_level(struct logger *logger, enum log_area area, enum log_level level)
{
    if (area == LOG_AREA_ROOT)
        atomic_store(&logger->level, (int)level);
    else
        atomic_store(&logger->areas[area], (int)level + 1);
}

void logger_follow_root(struct logger *logger, enum log_area area)
{
    ASSERT(area != LOG_AREA_ROOT);
    atomic_store(&logger->areas[area], LOG_FOLLOWS_ROOT);
}

const char *log_area_name(enum log_area area)
{
    static const char *const names[LOG_AREA_COUNT] = {
        [LOG_AREA_ROOT] = "root",
        [LOG_AREA_BROKER] = "broker",
        [LOG_AREA_CLI] = "cli",
        [LOG_AREA_CONSOLE] = "console",
        [LOG_AREA_CONTROLLER] = "controller",
        [LOG_AREA_COORDINATOR] = "coordinator",
        [LOG_AREA_ENV] = "env",
        [LOG_AREA_LOG] = "log",
        [LOG_AREA_NET] = "net",
        [LOG_AREA_REPLICA] = "replica",
        [LOG_AREA_STORE] = "store",
    };
    ASSERT(area < LOG_AREA_COUNT);
    return names[area];
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (int i = 0; i <= LOG_DEBUG; i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    ASSERT((size_t)level < sizeof(level_names) / sizeof(level_names[0]));
    return level_names[level];
}
