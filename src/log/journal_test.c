// SPDX-License-Identifier: Apache-2.0
/* Commits of several partitions through a journal, its halves, and what can fail. Thread: the
 * test's. */
#include "log/journal.h"

#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "log/journal_fixture.h"
#include "log/log_fixture.h"

struct place {
    struct mem_env m;
    struct bench b;
};

static void begin(struct place *s, int members)
{
    mem_env_init(&s->m);
    bench_init(&s->b, &s->m.env, s->m.jobs, members);
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    for (int i = 0; i < members; i++) /* the first makes the files */
        CHECK_EQUAL(member_put(&s->b.members[i], 1, 10), i == 0 ? WAY_STRAIGHT : WAY_JOURNAL);
    CHECK(journal_is_ready(s->b.journal));
}

/* As if killed: the next process finds what was written. */
static void again(struct place *s)
{
    bench_drop(&s->b);
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    bench_run(&s->b);
}

static void end(struct place *s)
{
    bench_drop(&s->b);
    mem_env_deinit(&s->m);
}

/* The first so many put until the half in use is another one; nobody flushes. */
static void fill_half(struct bench *b, int members)
{
    uint64_t rotations = b->stats.rotations;
    for (int i = 0; b->stats.rotations == rotations; i++) {
        CHECK(i < 1000);
        CHECK_EQUAL(member_append(&b->members[i % members], 1, 2000), ERR_OK);
        (void)member_commit(&b->members[i % members]);
        while (bench_step(b)) {
        }
    }
}

/* ---- groups */

TEST(what_several_partitions_commit_at_once_costs_one_sync)
{
    struct place s;
    begin(&s, 4);
    int syncs = s.m.syncs;
    int dir_syncs = s.m.dir_syncs;
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(member_append(&s.b.members[i], 2, 100), ERR_OK);
        CHECK_EQUAL(member_commit(&s.b.members[i]), WAY_JOURNAL);
        CHECK_EQUAL(partition_log_durable(s.b.members[i].log).offset, 1);
    }
    bench_run(&s.b);
    CHECK_EQUAL(s.m.syncs - syncs, 1);
    CHECK_EQUAL(s.m.dir_syncs, dir_syncs);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(partition_log_durable(s.b.members[i].log).offset, 3);
        CHECK(partition_log_recovery_point(s.b.members[i].log) <= 1);
    }
    end(&s);
}

static bool run_nothing(struct env_job *job)
{
    (void)job;
    return false;
}

TEST(a_job_that_is_submitted_runs_before_the_next_group)
{
    struct place s;
    begin(&s, 1);
    struct env_job job = {.run = run_nothing};
    CHECK(journal_submit(s.b.journal, &job));
    CHECK(list_is_linked(&job.link));
    bench_run(&s.b);
    CHECK(!list_is_linked(&job.link));
    end(&s);
}

TEST(a_large_commit_a_roll_and_what_follows_undurable_bytes_go_straight)
{
    struct place s;
    begin(&s, 1);
    struct member *m = &s.b.members[0];
    CHECK_EQUAL(member_put(m, 1, 70000), WAY_STRAIGHT);
    CHECK_EQUAL(member_put(m, 1, 100), WAY_JOURNAL);
    m->config.segment_bytes = 100;
    partition_log_set_config(m->log, &m->config);
    CHECK_EQUAL(member_put(m, 1, 100), WAY_STRAIGHT);
    m->config.segment_bytes = 1 << 20;
    partition_log_set_config(m->log, &m->config);
    CHECK_EQUAL(member_put(m, 1, 100), WAY_JOURNAL);
    end(&s);
}

TEST(the_files_are_made_when_there_were_enough_small_commits)
{
    struct place s;
    mem_env_init(&s.m);
    bench_init(&s.b, &s.m.env, s.m.jobs, 1);
    s.b.options.after_commits = 3;
    CHECK_EQUAL(bench_open(&s.b), ERR_OK);
    size_t size;
    for (int i = 0; i < 4; i++) {
        CHECK(mem_env_file_bytes(&s.m, "klamm.journal.0", &size) == NULL);
        CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_STRAIGHT);
    }
    CHECK(mem_env_file_bytes(&s.m, "klamm.journal.0", &size) != NULL);
    CHECK_EQUAL(size, BENCH_JOURNAL_BYTES / 2);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    end(&s);
}

TEST(without_room_on_the_disk_there_is_no_journal)
{
    struct place s;
    mem_env_init(&s.m);
    bench_init(&s.b, &s.m.env, s.m.jobs, 1);
    CHECK_EQUAL(bench_open(&s.b), ERR_OK);
    s.m.space_bytes = s.m.used_bytes + 5 * BENCH_JOURNAL_BYTES;
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_STRAIGHT);
    size_t size;
    CHECK(mem_env_file_bytes(&s.m, "klamm.journal.0", &size) == NULL);
    CHECK_EQUAL(s.m.log_lines[LOG_WARN], 1);
    CHECK_EQUAL(bench_close(&s.b), ERR_OK);
    end(&s);
}

/* ---- halves */

TEST(halves_wrap_and_every_partition_is_flushed_and_released)
{
    struct place s;
    begin(&s, 3);
    for (int round = 0; round < 5; round++) {
        fill_half(&s.b, s.b.member_count);
        for (int i = 0; i < 3; i++)
            CHECK(s.b.members[i].covers > 0);
        bench_run(&s.b);
        CHECK(s.b.stats.straight == 1); /* the one that made the files */
    }
    for (int i = 0; i < 3; i++) {
        CHECK(s.b.members[i].releases >= 4);
        CHECK(partition_log_recovery_point(s.b.members[i].log) > 10);
    }
    end(&s);
}

TEST(without_a_half_that_is_void_commits_go_straight_and_then_not)
{
    struct place s;
    begin(&s, 2);
    fill_half(&s.b, s.b.member_count); /* nobody flushes */
    struct member *m = &s.b.members[0];
    int straight = 0;
    for (int i = 0; i < 200 && straight < 3; i++) {
        CHECK_EQUAL(member_append(m, 1, 2000), ERR_OK);
        straight += member_commit(m) == WAY_STRAIGHT;
        while (bench_step(&s.b)) {
        }
    }
    CHECK_EQUAL(straight, 3);
    bench_run(&s.b);
    CHECK_EQUAL(member_put(m, 1, 100), WAY_JOURNAL);
    end(&s);
}

/* At the moment when a half becomes void and others wait for it. */
static void put_another(struct member *m)
{
    struct member *other = &m->bench->members[1];
    m->on_released = NULL;
    CHECK_EQUAL(member_append(other, 1, 100), ERR_OK);
    (void)member_commit(other);
}

TEST(commits_that_come_while_partitions_are_released_begin_covers_of_their_own)
{
    struct place s;
    begin(&s, 2);
    fill_half(&s.b, s.b.member_count);
    for (int straight = 0; straight < 3;) { /* the other one is full, too */
        CHECK_EQUAL(member_append(&s.b.members[0], 1, 2000), ERR_OK);
        straight += member_commit(&s.b.members[0]) == WAY_STRAIGHT;
        while (bench_step(&s.b)) {
        }
    }
    s.b.members[0].on_released = put_another;
    s.b.members[1].on_released = put_another;
    bench_run(&s.b);
    CHECK_EQUAL(member_put(&s.b.members[1], 1, 100), WAY_JOURNAL);
    CHECK(s.b.members[1].covers > 0);
    int64_t durable = s.b.members[1].durable;
    again(&s);
    CHECK_EQUAL(partition_log_written(s.b.members[1].log).offset, durable);
    end(&s);
}

TEST(commits_that_come_while_a_replay_ends_have_covers)
{
    struct place s;
    begin(&s, 2);
    struct member *m = &s.b.members[1];
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    bench_drop(&s.b);
    CHECK_EQUAL(bench_open(&s.b), ERR_OK);
    CHECK_EQUAL(m->covers, 1);
    CHECK_EQUAL(member_append(m, 1, 10), ERR_OK);
    CHECK_EQUAL(member_commit(m), WAY_STRAIGHT); /* leader epochs */
    CHECK_EQUAL(s.b.members[0].covers, 1);
    s.b.members[0].on_released = put_another; /* while the other's is still to be released */
    uint64_t entries = s.b.stats.entries;
    bench_run(&s.b);
    CHECK(m->covers == 1 || s.b.stats.entries == entries); /* whatever way it went */
    CHECK_EQUAL(member_put(m, 1, 100), WAY_JOURNAL);
    CHECK_EQUAL(m->covers, 1);
    fill_half(&s.b, s.b.member_count);
    bench_run(&s.b);
    end(&s);
}

TEST(an_old_half_is_left_when_it_is_asked_and_nothing_is_then_replayed)
{
    struct place s;
    begin(&s, 2);
    CHECK(journal_has_entries(s.b.journal));
    journal_rotate(s.b.journal);
    bench_run(&s.b);
    CHECK(!journal_has_entries(s.b.journal));
    CHECK_EQUAL(s.b.members[1].covers, 0);
    again(&s);
    CHECK_EQUAL(s.b.members[1].covers, 0);
    CHECK(!journal_is_ready(s.b.journal)); /* nothing was left */
    end(&s);
}

/* A partition that could not be closed: its last commits are in the journal alone. */
TEST(a_journal_that_shall_keep_all_has_nothing_void)
{
    struct place s;
    begin(&s, 2);
    journal_keep_all(s.b.journal);
    journal_rotate(s.b.journal);
    bench_run(&s.b);
    CHECK_EQUAL(s.b.members[1].covers, 1);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL); /* it goes on */
    CHECK_EQUAL(bench_close(&s.b), ERR_IO);
    bench_drop(&s.b);
    CHECK_EQUAL(bench_open(&s.b), ERR_OK);
    CHECK_EQUAL(s.b.members[1].covers, 1); /* it is replayed */
    bench_run(&s.b);
    CHECK_EQUAL(s.b.members[1].covers, 0);
    end(&s);
}

/* ---- cuts */

TEST(a_cut_waits_for_room_and_is_forgotten_with_the_last_entry)
{
    struct place s;
    begin(&s, 2);
    struct member *m = &s.b.members[1];
    fill_half(&s.b, 1);
    CHECK_EQUAL(m->covers, 1);
    for (int straight = 0; straight < 3;) {
        CHECK_EQUAL(member_append(&s.b.members[0], 1, 2000), ERR_OK);
        straight += member_commit(&s.b.members[0]) == WAY_STRAIGHT;
        while (bench_step(&s.b)) {
        }
    }
    journal_cut(s.b.journal, &m->client, 1);
    while (bench_step(&s.b)) {
    }
    CHECK(!journal_is_noticed(s.b.journal, &m->client));
    bench_run(&s.b); /* now there is room, and nothing more to be said */
    CHECK(journal_is_noticed(s.b.journal, &m->client));
    CHECK_EQUAL(m->covers, 0);
    CHECK_EQUAL(member_put(m, 1, 10), WAY_JOURNAL);
    again(&s);
    CHECK_EQUAL(partition_log_written(m->log).offset, 2);
    end(&s);
}

TEST(a_cut_is_durable_with_the_next_group)
{
    struct place s;
    begin(&s, 2);
    struct member *m = &s.b.members[1];
    CHECK(journal_is_noticed(s.b.journal, &m->client));
    journal_cut(s.b.journal, &m->client, 0);
    CHECK(!journal_is_noticed(s.b.journal, &m->client));
    CHECK_EQUAL(member_cut(m, 0), ERR_OK);
    CHECK(journal_is_noticed(s.b.journal, &m->client));
    again(&s);
    CHECK_EQUAL(partition_log_written(m->log).offset, 0);
    end(&s);
}

/* ---- the end */

/* Two, of which the first may have to write the leader epochs anew: then it is not small. */
static void put_until_ready(struct member *m)
{
    CHECK_EQUAL(member_put(m, 1, 10), WAY_STRAIGHT);
    CHECK(member_put(m, 1, 10) != WAY_FAILED);
    CHECK(journal_is_ready(m->bench->journal));
}

TEST(after_a_clean_stop_nothing_is_replayed_and_the_files_are_used_again)
{
    struct place s;
    begin(&s, 3);
    CHECK_EQUAL(bench_close(&s.b), ERR_OK);
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(s.b.members[i].covers, 0);
    bench_drop(&s.b);
    for (int clean = 0; clean < 2; clean++) { /* also if the mark was lost */
        s.b.options.was_clean = clean == 1;
        CHECK_EQUAL(bench_open(&s.b), ERR_OK);
        for (int i = 0; i < 3; i++)
            CHECK_EQUAL(s.b.members[i].covers, 0);
        bench_drop(&s.b);
    }
    CHECK_EQUAL(bench_open(&s.b), ERR_OK);
    put_until_ready(&s.b.members[0]);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    s.b.options.was_clean = false;
    again(&s);
    CHECK_EQUAL(s.b.stats.replayed, 0); /* it was all there */
    CHECK_EQUAL(partition_log_written(s.b.members[0].log).offset, 4);
    end(&s);
}

TEST(another_size_means_other_files_after_a_clean_stop_only)
{
    struct place s;
    size_t size;
    begin(&s, 1);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    s.b.options.bytes = 2 * BENCH_JOURNAL_BYTES;
    again(&s); /* replayed, and used on as they are */
    CHECK(journal_is_ready(s.b.journal));
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_STRAIGHT); /* leader epochs */
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    CHECK(mem_env_file_bytes(&s.m, "klamm.journal.1", &size) != NULL);
    CHECK_EQUAL(size, BENCH_JOURNAL_BYTES / 2);
    CHECK_EQUAL(bench_close(&s.b), ERR_OK);
    s.b.options.was_clean = true;
    again(&s);
    put_until_ready(&s.b.members[0]);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_JOURNAL);
    CHECK(mem_env_file_bytes(&s.m, "klamm.journal.1", &size) != NULL);
    CHECK_EQUAL(size, BENCH_JOURNAL_BYTES);
    s.b.options.was_clean = false;
    s.b.options.bytes = 0;
    again(&s); /* replayed, and then there is none */
    CHECK_EQUAL(partition_log_written(s.b.members[0].log).offset, 7);
    CHECK_EQUAL(member_put(&s.b.members[0], 1, 10), WAY_STRAIGHT);
    again(&s);
    CHECK(mem_env_file_bytes(&s.m, "klamm.journal.1", &size) == NULL);
    end(&s);
}

static void on_closed(void *arg, enum err e)
{
    struct bench *b = arg;
    b->is_close_done = true;
    b->close_error = e;
}

TEST(a_stop_while_the_files_are_made_waits_for_them)
{
    for (int fails = 0; fails < 2; fails++) {
        struct place s;
        mem_env_init(&s.m);
        bench_init(&s.b, &s.m.env, s.m.jobs, 1);
        CHECK_EQUAL(bench_open(&s.b), ERR_OK);
        CHECK_EQUAL(member_append(&s.b.members[0], 1, 10), ERR_OK);
        CHECK_EQUAL(member_commit(&s.b.members[0]), WAY_STRAIGHT);
        struct list making;
        list_init(&making);
        list_splice_back(&making, &s.m.jobs[ENV_QUEUE_BACKGROUND]);
        CHECK(!list_is_empty(&making));
        if (fails == 1)
            journal_fail(s.b.journal);
        journal_close(s.b.journal, fails == 0, on_closed, &s.b);
        bench_run(&s.b);
        CHECK(!s.b.is_close_done);
        list_splice_back(&s.m.jobs[ENV_QUEUE_BACKGROUND], &making);
        bench_run(&s.b);
        CHECK(s.b.is_close_done);
        CHECK_EQUAL(s.b.close_error, ERR_OK);
        end(&s);
    }
}

/* ---- what can fail */

static void check_failed(struct place *s, struct member *m)
{
    CHECK(m->is_failed);
    CHECK(!journal_is_ready(s->b.journal));
    CHECK(partition_log_durable(m->log).offset < partition_log_written(m->log).offset);
}

TEST(a_group_that_cannot_be_written_or_synced_fails_each_of_its_commits_once)
{
    for (int nth = 1; nth <= 2; nth++) {
        struct place s;
        begin(&s, 3);
        for (int i = 0; i < 3; i++) {
            s.b.members[i].done_calls = 0;
            CHECK_EQUAL(member_append(&s.b.members[i], 1, 100), ERR_OK);
            CHECK_EQUAL(member_commit(&s.b.members[i]), WAY_JOURNAL);
        }
        s.m.fail_at = nth;
        bench_run(&s.b);
        for (int i = 0; i < 3; i++) {
            CHECK_EQUAL(s.b.members[i].done_calls, 1);
            check_failed(&s, &s.b.members[i]);
        }
        CHECK(bench_close(&s.b) != ERR_OK);
        end(&s);
    }
}

/* Opens, commits until a half was left and cleaned, cuts, closes, opens again. True: nothing
 * failed. What was reported durable is there afterwards in any case. */
static bool live(struct place *s, bool *is_clean)
{
    struct bench *b = &s->b;
    *is_clean = false;
    if (bench_open(b) != ERR_OK)
        return false;
    for (int i = 0; i < 45; i++) {
        struct member *m = &b->members[i % 2];
        if (m->is_failed)
            return false;
        if (member_put(m, 1, 2000) == WAY_FAILED)
            return false;
    }
    bench_run(b);
    if (b->members[1].is_failed || member_cut(&b->members[1], 10) != ERR_OK)
        return false;
    bench_run(b);
    *is_clean = bench_close(b) == ERR_OK;
    return *is_clean;
}

/* What a killed process left. */
static void begin_killed(struct place *s)
{
    mem_env_init(&s->m);
    bench_init(&s->b, &s->m.env, s->m.jobs, 2);
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    for (int i = 0; i < 4; i++)
        CHECK(member_put(&s->b.members[i % 2], 1, 100) != WAY_FAILED);
    bench_drop(&s->b);
}

/* Nothing is open, what was durable is there. */
static void end_killed(struct place *s)
{
    int64_t durable[2];
    for (int i = 0; i < 2; i++)
        durable[i] = s->b.members[i].durable;
    bench_drop(&s->b);
    CHECK_EQUAL(s->m.open_fds, 0);
    CHECK_EQUAL(bench_open(&s->b), ERR_OK);
    bench_run(&s->b);
    for (int i = 0; i < 2; i++) {
        CHECK(partition_log_written(s->b.members[i].log).offset >= durable[i]);
        CHECK_TEXT(s->b.members[i].report.detail, "");
        CHECK_EQUAL(member_put(&s->b.members[i], 1, 10) == WAY_FAILED, 0);
    }
    end(s);
}

TEST(a_journal_survives_each_io_failure)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct place s;
        bool is_clean;
        begin_killed(&s);
        s.m.fail_at = n;
        failed = !live(&s, &is_clean) || s.m.log_lines[LOG_WARN] > 0 || s.m.fail_at == 0;
        s.m.fail_at = 0;
        end_killed(&s);
    }
}

TEST(opening_a_journal_survives_each_failed_allocation)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct place s;
        begin_killed(&s);
        mem_fail_at(n);
        failed = bench_open(&s.b) != ERR_OK;
        mem_fail_at(0);
        end_killed(&s);
    }
}

TEST(making_a_journal_survives_each_failed_allocation)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        struct place s;
        mem_env_init(&s.m);
        bench_init(&s.b, &s.m.env, s.m.jobs, 2);
        CHECK_EQUAL(bench_open(&s.b), ERR_OK);
        CHECK_EQUAL(member_append(&s.b.members[0], 1, 10), ERR_OK);
        CHECK_EQUAL(member_commit(&s.b.members[0]), WAY_STRAIGHT);
        mem_fail_at(n);
        bench_run(&s.b);
        mem_fail_at(0);
        failed = !journal_is_ready(s.b.journal);
        CHECK_EQUAL(s.m.log_lines[LOG_WARN], failed);
        end_killed(&s);
    }
}
