// SPDX-License-Identifier: Apache-2.0
/* A directory that a killed broker left, made plain: with each call failing in turn, what was
 * acknowledged is in the segments or still in the journal. Thread: the test's. */
#include "log/log_flatten.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"
#include "log/journal_fixture.h"

enum { MEMBERS = 3, COMMITS = 2 };

struct place {
    struct mem_env m;
    struct bench b;
    uint8_t *kept[MEMBERS]; /* each segment as it was acknowledged */
    size_t sizes[MEMBERS];
};

static char *segment_of(int member, char out[64])
{
    snprintf(out, 64, "d/t-%d/00000000000000000000.log", member);
    return out;
}

static void format(struct place *s)
{
    struct log_dir *dir = NULL;
    struct strbuf why;
    strbuf_init(&why);
    CHECK_EQUAL(log_dir_open(&s->m.env, "d", &why, &dir), ERR_OK);
    CHECK_EQUAL(log_dir_format(dir, 1, "cluster", s->b.options.directory_id), ERR_OK);
    log_dir_close(dir);
    strbuf_deinit(&why);
}

/* What the segments have of it was not synced, and the power went. */
static void lose_segment(struct place *s, int member)
{
    char path[64];
    uint8_t *bytes = mem_env_file_bytes(&s->m, segment_of(member, path), &s->sizes[member]);
    CHECK(bytes != NULL);
    s->kept[member] = mem_alloc(s->sizes[member]);
    memcpy(s->kept[member], bytes, s->sizes[member]);
    memset(bytes, 0, s->sizes[member]);
}

static void begin(struct place *s)
{
    mem_env_init(&s->m);
    bench_init(&s->b, &s->m.env, s->m.jobs, MEMBERS);
    s->b.options.dir = "d";
    format(s);
    for (int i = 0; i < MEMBERS; i++)
        snprintf(s->b.members[i].dir, sizeof(s->b.members[i].dir), "d/t-%d", i);
    for (int i = 1; i < MEMBERS; i++) /* of one topic, as the directories' names say */
        s->b.members[i].topic_id = s->b.members[0].topic_id;
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    CHECK_EQUAL(member_put(&s->b.members[0], 1, 10), WAY_STRAIGHT);
    for (int i = 1; i < MEMBERS * COMMITS; i++)
        CHECK_EQUAL(member_put(&s->b.members[i % MEMBERS], 1, 100), WAY_JOURNAL);
    bench_drop(&s->b);
    for (int i = 1; i < MEMBERS; i++)
        lose_segment(s, i);
}

static void end(struct place *s)
{
    for (int i = 1; i < MEMBERS; i++)
        mem_free(s->kept[i]);
    mem_env_deinit(&s->m);
}

static enum err flatten(struct place *s, struct log_flatten_report *report, char *why_out)
{
    struct strbuf why;
    strbuf_init(&why);
    enum err e = log_flatten(&s->m.env, "d", &why, report);
    snprintf(why_out, 256, "%s", strbuf_text(&why));
    strbuf_deinit(&why);
    CHECK_EQUAL(s->m.open_fds, 0);
    return e;
}

static bool has_journal(struct place *s)
{
    size_t size;
    return mem_env_file_bytes(&s->m, "d/klamm.journal.0", &size) != NULL &&
           mem_env_file_bytes(&s->m, "d/klamm.journal.1", &size) != NULL;
}

static void check_segments(struct place *s)
{
    for (int i = 1; i < MEMBERS; i++) {
        char path[64];
        size_t size = 0;
        const uint8_t *bytes = mem_env_file_bytes(&s->m, segment_of(i, path), &size);
        CHECK(bytes != NULL && size >= s->sizes[i]);
        CHECK(memcmp(bytes, s->kept[i], s->sizes[i]) == 0);
    }
}

static bool flatten_at(int fail_at, enum err with)
{
    struct place s;
    struct log_flatten_report report = {0};
    char why[256];
    begin(&s);
    s.m.fail_at = fail_at;
    s.m.fail_with = with;
    enum err e = flatten(&s, &report, why);
    bool is_through = s.m.fail_at > 0;
    s.m.fail_at = 0;
    if (e != ERR_OK) {
        CHECK(why[0] != '\0');
        CHECK_EQUAL(flatten(&s, &report, why), ERR_OK); /* it may be repeated */
    }
    CHECK_EQUAL(report.unknown, 0);
    CHECK(!has_journal(&s));
    check_segments(&s);
    end(&s);
    return is_through;
}

TEST(a_flatten_that_ends_well_has_all_that_was_acknowledged)
{
    static const enum err errors[] = {ERR_IO, ERR_FULL, ERR_NO_SPACE};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        int fail_at = 1;
        while (!flatten_at(fail_at, errors[i]))
            fail_at++;
        CHECK(fail_at > 50);
    }
}

TEST(flatten_keeps_the_journal_where_nobody_can_tell_whose_a_directory_is)
{
    struct place s;
    struct log_flatten_report report = {0};
    char why[256];
    begin(&s);
    mem_env_put_file(&s.m, "d/t-1/partition.metadata", "version: 0\n", 11);
    CHECK_EQUAL(flatten(&s, &report, why), ERR_CORRUPT);
    CHECK(strstr(why, "d/t-1/partition.metadata") != NULL);
    CHECK(has_journal(&s));
    end(&s);
}

TEST(flatten_counts_partitions_that_are_not_here)
{
    struct place s;
    struct log_flatten_report report = {0};
    char why[256];
    begin(&s);
    CHECK_EQUAL(env_path_rename(&s.m.env, "d/t-1", "d/t-1.x-stray"), ERR_OK);
    CHECK_EQUAL(env_dir_make(&s.m.env, "d/t-7"), ERR_OK); /* one without a name for its topic */
    CHECK_EQUAL(flatten(&s, &report, why), ERR_OK);
    CHECK_EQUAL(report.partitions, 3);
    CHECK_EQUAL(report.unknown, 1);
    CHECK(!has_journal(&s));
    end(&s);
}
