// SPDX-License-Identifier: Apache-2.0
/* progress: see progress.h. Thread: main. */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"

#define SECOND_NS INT64_C(1000000000)

void cli_progress_init(struct cli_progress *p, struct env *env)
{
    int64_t now = env_mono_ns(env);
    *p = (struct cli_progress){.env = env, .start_ns = now, .shown_ns = now};
    p->is_terminal = isatty(STDERR_FILENO) == 1;
}

bool cli_progress_is_due(const struct cli_progress *p)
{
    return p->is_terminal && env_mono_ns(p->env) - p->shown_ns >= SECOND_NS;
}

void cli_progress_show(struct cli_progress *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, args);
    fflush(stderr);
    va_end(args);
    p->shown_ns = env_mono_ns(p->env);
    p->is_shown = true;
}

void cli_progress_clear(struct cli_progress *p)
{
    if (p->is_shown)
        fputs("\r\033[K", stderr);
    p->is_shown = false;
}

double cli_progress_seconds(const struct cli_progress *p)
{
    return (double)(env_mono_ns(p->env) - p->start_ns) / (double)SECOND_NS;
}

void cli_progress_records(struct cli_progress *p, int64_t count, int64_t bytes)
{
    if (!cli_progress_is_due(p))
        return;
    char text[CLI_COUNT_SIZE], rate[CLI_COUNT_SIZE];
    cli_progress_show(p, "%s records, %.1f MB, %s records/s", cli_count(count, text),
                      (double)bytes / 1e6,
                      cli_count((int64_t)((double)count / cli_progress_seconds(p)), rate));
}

void cli_progress_sum_up(const struct cli_progress *p, int64_t count, int64_t bytes)
{
    char text[CLI_COUNT_SIZE];
    if (p->is_terminal)
        fprintf(stderr, "%s records (%.1f MB) in %.1f s\n", cli_count(count, text),
                (double)bytes / 1e6, cli_progress_seconds(p));
}

char *cli_count(int64_t count, char out[CLI_COUNT_SIZE])
{
    char digits[CLI_COUNT_SIZE];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)count);
    int first = count < 0;
    char *at = out;
    for (int i = 0; i < len; i++) {
        if (i > first && (len - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}
