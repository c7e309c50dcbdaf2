// SPDX-License-Identifier: Apache-2.0
/*
 * progress: one line on stderr that is written over while work goes on, once a second, and only
 * for people: when stderr is a terminal.
 *
 * Thread: main.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct env;

enum { CLI_COUNT_SIZE = 32 };

struct cli_progress {
    struct env *env;
    int64_t start_ns;
    int64_t shown_ns;
    bool is_terminal;
    bool is_shown; /* a line stands there */
};

void cli_progress_init(struct cli_progress *p, struct env *env);

/* Is it time for a line? */
bool cli_progress_is_due(const struct cli_progress *p);
void cli_progress_show(struct cli_progress *p, const char *format, ...) PRINTF_LIKE(2, 3);

/* Wipes the line: before anything else is said, and at the end. */
void cli_progress_clear(struct cli_progress *p);

double cli_progress_seconds(const struct cli_progress *p);

/* Of records so far, when it is time for a line; and at the end, for people alone. */
void cli_progress_records(struct cli_progress *p, int64_t count, int64_t bytes);
void cli_progress_sum_up(const struct cli_progress *p, int64_t count, int64_t bytes);

/* "1,234,567"; returns `out`. */
char *cli_count(int64_t count, char out[CLI_COUNT_SIZE]);

#endif
