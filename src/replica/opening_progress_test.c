// SPDX-License-Identifier: Apache-2.0
/* opening_progress_test: which lines people get. Thread: main. */
#include "replica/opening_progress.h"

#include <stdio.h>
#include <string.h>

#include "base/testing.h"
#include "env/logger.h"
#include "env/mem_env.h"

struct lines {
    struct mem_env m;
    struct logger logger;
    char last[256];
    int count;
    struct opening_progress progress;
};

static void keep_line(struct logger *logger, enum log_level level, const char *line)
{
    struct lines *lines = container_of(logger, struct lines, logger);
    CHECK_EQUAL(level, LOG_INFO);
    snprintf(lines->last, sizeof(lines->last), "%s", line);
    lines->count++;
}

static void lines_init(struct lines *lines)
{
    memset(lines, 0, sizeof(*lines));
    mem_env_init(&lines->m);
    lines->logger.level = LOG_INFO;
    lines->logger.write = keep_line;
    lines->m.env.logger = &lines->logger;
}

TEST(a_long_opening_tells_how_far_it_is)
{
    struct lines lines;
    struct opening openings[7];
    lines_init(&lines);
    struct opening_progress *p = &lines.progress;
    opening_progress_begin(p, &lines.m.env, mem_env_loop(&lines.m, 0), 7);
    for (int32_t i = 0; i < 7; i++)
        openings[i] = (struct opening){.topic = "big", .index = i};
    for (int32_t i = 0; i < 2; i++)
        opening_progress_started(p, &openings[i]);
    mem_env_advance_ms(&lines.m, 2999);
    CHECK_EQUAL(lines.count, 0);
    atomic_fetch_add(&p->scanned, 1234567890);
    mem_env_advance_ms(&lines.m, 1);
    CHECK_TEXT(lines.last, "opening partitions: 0 of 7 in 3 s, 1234 MB read by recovery, "
                           "at big-0 big-1");
    opening_progress_finished(p, &openings[0], true);
    opening_progress_finished(p, &openings[1], false);
    for (int32_t i = 2; i < 7; i++)
        opening_progress_started(p, &openings[i]);
    mem_env_advance_ms(&lines.m, 3000);
    CHECK_EQUAL(lines.count, 2);
    CHECK_TEXT(lines.last, "opening partitions: 2 of 7 in 6 s, 1234 MB read by recovery, "
                           "at big-2 big-3 big-4 big-5 ...");
    for (int32_t i = 2; i < 7; i++)
        opening_progress_finished(p, &openings[i], true);
    opening_progress_end(p);
    CHECK_TEXT(lines.last, "opened 6 partitions in 6000 ms, 1234 MB read by recovery, 1 offline");
    opening_progress_end(p);
    mem_env_advance_ms(&lines.m, 10000);
    CHECK_EQUAL(lines.count, 3);
    mem_env_deinit(&lines.m);
}

TEST(a_short_opening_speaks_only_of_recovery)
{
    struct lines lines;
    struct opening opening = {.topic = "t", .index = 0};
    lines_init(&lines);
    for (int has_read = 0; has_read < 2; has_read++) {
        opening_progress_begin(&lines.progress, &lines.m.env, mem_env_loop(&lines.m, 0), 1);
        opening_progress_started(&lines.progress, &opening);
        atomic_fetch_add(&lines.progress.scanned, has_read);
        opening_progress_finished(&lines.progress, &opening, true);
        opening_progress_end(&lines.progress);
        CHECK_EQUAL(lines.count, has_read);
    }
    CHECK_TEXT(lines.last, "opened 1 partitions in 0 ms, 0 MB read by recovery, 0 offline");
    mem_env_deinit(&lines.m);
}

TEST(one_that_is_tried_again_counts_once)
{
    struct lines lines;
    struct opening opening = {.topic = "t", .index = 0};
    lines_init(&lines);
    opening_progress_begin(&lines.progress, &lines.m.env, mem_env_loop(&lines.m, 0), 1);
    opening_progress_started(&lines.progress, &opening);
    opening_progress_postponed(&lines.progress, &opening);
    mem_env_advance_ms(&lines.m, 3000);
    CHECK_TEXT(lines.last, "opening partitions: 0 of 1 in 3 s, 0 MB read by recovery");
    opening_progress_started(&lines.progress, &opening);
    opening_progress_finished(&lines.progress, &opening, true);
    opening_progress_end(&lines.progress);
    CHECK_TEXT(lines.last, "opened 1 partitions in 3000 ms, 0 MB read by recovery, 0 offline");
    mem_env_deinit(&lines.m);
}
