// SPDX-License-Identifier: Apache-2.0
/* partition_journal_test: commits that go through the journal and wait for their segment.
 * Thread: the test's. */
#include "base/testing.h"
#include "replica/partition_explain.h"
#include "replica/partition_fixture.h"
#include "replica/partition_private.h"

static void send_some(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        struct sent s;
        send_batch(f, &s, -1, -1, 2);
        mem_env_run_until_idle(&f->m);
        CHECK(s.done == 1 && s.append.result == KERR_NONE);
    }
}

/* The segment's file does not have all yet. */
static bool is_behind(struct fixture *f)
{
    size_t size = 0;
    mem_env_file_bytes(&f->m, "d/t-0/00000000000000000000.log", &size);
    return (int64_t)size < partition_log_size_bytes(f->p->log);
}

TEST(what_is_acknowledged_waits_until_a_consumer_comes)
{
    struct fixture f;
    fixture_init_journal(&f);
    int writes = f.m.writes;
    send_some(&f, 3);
    CHECK(is_behind(&f));
    CHECK_EQUAL(f.m.writes - writes, 3); /* the journal's groups */
    CHECK_EQUAL(atomic_load(&f.journal_stats.held), 3);
    struct partition_read_result result = read_at(&f, 0);
    CHECK(result.range.len > 0 && result.has_more); /* what lies before needs none of it */
    log_range_release(&result.range);
    result = read_at(&f, 5); /* and these come from memory */
    CHECK(result.range.base_offset == 4 && result.range.file == NULL && result.high_watermark == 8);
    CHECK(result.range.held.len == (size_t)result.range.len && !result.has_more && is_behind(&f));
    log_range_release(&result.range);
    struct log_time_match match;
    CHECK_EQUAL(partition_find_time(f.p, PARTITION_TIME_MAX, &match), KERR_NONE);
    CHECK(match.offset >= 0 && !is_behind(&f));
    fixture_close(&f);
}

TEST(the_journal_gets_its_half_back_when_all_is_written)
{
    struct fixture f;
    fixture_init_journal(&f);
    send_some(&f, 3);
    CHECK(is_behind(&f) && partition_log_is_journaled(f.p->log));
    journal_rotate(log_dir_journal(f.dir));
    mem_env_run_until_idle(&f.m);
    send_some(&f, 1); /* the void entry goes with a group */
    CHECK_EQUAL(partition_log_recovery_point(f.p->log), 8);
    CHECK_EQUAL(partition_log_synced(f.p->log), 8);
    fixture_close(&f);
}

TEST(without_room_for_what_waits_the_journal_keeps_it_until_there_is)
{
    struct fixture f;
    struct partition_explanation told;
    fixture_init_journal(&f);
    send_some(&f, 3);
    int64_t room = f.m.space_bytes;
    f.m.space_bytes = f.m.used_bytes;
    journal_rotate(log_dir_journal(f.dir));
    mem_env_run_until_idle(&f.m);
    CHECK(is_behind(&f) && partition_log_synced(f.p->log) == 2);
    CHECK_EQUAL(f.storage_error, ERR_OK);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], 1);
    CHECK(f.due_ms > env_wall_ms(&f.m.env)); /* its owner comes then */
    partition_explain(f.p, &told);
    CHECK(told.full_since_ms != 0);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK(is_behind(&f) && partition_log_synced(f.p->log) == 2);
    struct partition_read_result result = read_at(&f, 2);
    CHECK(result.error == KERR_NONE && result.range.held.len > 0);
    log_range_release(&result.range);
    f.m.space_bytes = room;
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK(!is_behind(&f) && partition_log_synced(f.p->log) == 8);
    partition_explain(f.p, &told);
    CHECK_EQUAL(told.full_since_ms, 0);
    send_some(&f, 2);
    CHECK_EQUAL(f.storage_error, ERR_OK);
    fixture_close(&f);
}
