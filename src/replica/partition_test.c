// SPDX-License-Identifier: Apache-2.0
/* partition_test: one partition in a world of memory: commits, repeats, waiting, failing disks,
 * reading, closing. Thread: main. */
#include "replica/partition.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/testing.h"
#include "replica/partition_explain.h"
#include "replica/partition_fixture.h"

TEST(an_append_is_acknowledged_when_it_is_durable)
{
    struct fixture f;
    struct sent a, b;
    fixture_init(&f);
    send_batch(&f, &a, -1, -1, 3);
    send_batch(&f, &b, -1, -1, 2);
    CHECK_EQUAL(a.done, 0);
    int syncs = f.m.syncs;
    mem_env_run_until_idle(&f.m);
    CHECK(f.m.syncs > syncs);
    CHECK(a.done == 1 && b.done == 1);
    CHECK(a.append.result == KERR_NONE && b.append.result == KERR_NONE);
    CHECK_EQUAL(a.append.base_offset, 0);
    CHECK_EQUAL(b.append.base_offset, 3);
    struct partition_offsets at;
    partition_offsets(f.p, &at);
    CHECK(at.assigned == 5 && at.written == 5 && at.durable == 5 && at.high_watermark == 5);
    fixture_close(&f);
}

TEST(many_pending_appends_share_one_sync)
{
    enum { COUNT = 100 };
    struct fixture f;
    static struct sent sent[COUNT];
    fixture_init(&f);
    int syncs = f.m.syncs;
    for (int i = 0; i < COUNT; i++)
        send_batch(&f, &sent[i], -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    for (int i = 0; i < COUNT; i++)
        CHECK(sent[i].done == 1 && sent[i].append.base_offset == i);
    CHECK(f.m.syncs - syncs <= 4);
    fixture_close(&f);
}

TEST(written_comes_before_durable)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    send_batch(&f, &a, -1, -1, 1); /* this one writes the leader epoch file, too */
    mem_env_run_until_idle(&f.m);
    send_batch(&f, &a, -1, -1, 1);
    CHECK(mem_env_run_one_job_step(&f.m));
    CHECK_EQUAL(a.done, 0);
    struct partition_offsets at;
    partition_offsets(f.p, &at);
    CHECK(at.written == 2 && at.durable == 1 && at.high_watermark == 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(a.done, 1);
    fixture_close(&f);
}

TEST(a_sync_that_is_under_way_can_be_told)
{
    struct fixture f;
    struct sent a;
    struct partition_explanation told = {.dir = 0};
    fixture_init(&f);
    partition_explain(f.p, &told);
    CHECK(told.synced_ms == 0 && told.unsynced_since_ms == -1 && told.failure.error == ERR_OK);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    send_batch(&f, &a, -1, -1, 1);
    CHECK(mem_env_run_one_job_step(&f.m));
    int64_t written_ms = env_wall_ms(&f.m.env);
    mem_env_jump_wall_ms(&f.m, 5000);
    partition_explain(f.p, &told);
    CHECK_EQUAL(told.condition, PARTITION_IS_SERVING);
    CHECK_EQUAL(told.unsynced_since_ms, written_ms);
    CHECK_EQUAL(told.sync_began_ms, written_ms);
    CHECK_EQUAL(told.at.written, 2);
    CHECK_EQUAL(told.at.recovery_point, 1);
    mem_env_run_until_idle(&f.m);
    partition_explain(f.p, &told);
    CHECK(told.unsynced_since_ms == -1 && told.sync_began_ms == 0);
    CHECK_EQUAL(told.synced_ms, written_ms + 5000);
    CHECK_EQUAL(told.at.recovery_point, 2);
    fixture_close(&f);
}

TEST(a_cache_topic_is_not_synced_for_an_ack)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.ack_disk = false;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m); /* the first one writes the leader epoch file, too */
    int syncs = f.m.syncs;
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK(a.done == 1 && a.append.result == KERR_NONE);
    CHECK_EQUAL(f.m.syncs, syncs);
    fixture_close(&f);
}

TEST(flush_ms_is_kept_by_the_owners_timer)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.ack_disk = false;
    f.config.flush_ms = 500;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.due_ms, env_wall_ms(&f.m.env) + 500);
    mem_env_advance_ms(&f.m, 300);
    partition_housekeep(f.p); /* for another partition: not due yet, and told again */
    f.due_ms = 0;
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.due_ms, env_wall_ms(&f.m.env) + 200);
    struct partition_offsets offsets;
    partition_offsets(f.p, &offsets);
    CHECK_EQUAL(offsets.durable, 0);
    mem_env_advance_ms(&f.m, 200);
    f.due_ms = 0;
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    partition_offsets(f.p, &offsets);
    CHECK_EQUAL(offsets.durable, 1);
    CHECK_EQUAL(f.due_ms, 0); /* nothing is left to be done */
    fixture_close(&f);
}

TEST(a_shorter_flush_ms_counts_for_what_is_written_already)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.ack_disk = false;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.due_ms, 0);
    int64_t now_ms = env_wall_ms(&f.m.env);
    f.config.flush_ms = 200;
    partition_set_config(f.p, &f.config);
    CHECK_EQUAL(f.due_ms, now_ms + 200);
    mem_env_advance_ms(&f.m, 200);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    struct partition_offsets offsets;
    partition_offsets(f.p, &offsets);
    CHECK_EQUAL(offsets.durable, 1);
    fixture_close(&f);
}

static void count_deleted(void *arg, const char *name, bool is_dir)
{
    *(int *)arg += strstr(name, ".log.deleted") != NULL;
}

static int deleted_files(struct fixture *f)
{
    int count = 0;
    partition_housekeep(f->p);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(env_dir_list(&f->m.env, "d/t-0", count_deleted, &count), ERR_OK);
    return count;
}

/* Each for itself, also where file.delete.delay.ms is another one by then. */
TEST(files_go_when_their_delay_is_over)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.retention_ms = 1000;
    f.config.file_delete_delay_ms = 60000;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    mem_env_advance_ms(&f.m, 1001);
    CHECK_EQUAL(deleted_files(&f), 1);
    CHECK_EQUAL(f.due_ms, env_wall_ms(&f.m.env) + 60000);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    mem_env_advance_ms(&f.m, 30000);
    CHECK_EQUAL(deleted_files(&f), 2);
    mem_env_advance_ms(&f.m, 29999);
    CHECK_EQUAL(deleted_files(&f), 2);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(deleted_files(&f), 1);
    f.config.file_delete_delay_ms = 0;
    partition_set_config(f.p, &f.config);
    CHECK_EQUAL(deleted_files(&f), 1);
    mem_env_advance_ms(&f.m, 30000);
    CHECK_EQUAL(deleted_files(&f), 0);
    fixture_close(&f);
}

TEST(all_that_is_too_old_goes_in_one_round)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.retention_ms = 1000;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, -1, -1, 3);
    mem_env_run_until_idle(&f.m);
    mem_env_advance_ms(&f.m, 1001);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    struct partition_offsets offsets;
    partition_offsets(f.p, &offsets);
    CHECK_EQUAL(offsets.log_start, 3);
    CHECK_EQUAL(offsets.durable, 3);
    fixture_close(&f);
}

TEST(a_round_that_cannot_begin_a_segment_ends)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.retention_ms = 1000;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, -1, -1, 3);
    mem_env_run_until_idle(&f.m);
    mem_env_advance_ms(&f.m, 1001);
    f.m.space_bytes = 0;
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    struct partition_offsets offsets;
    partition_offsets(f.p, &offsets);
    CHECK_EQUAL(offsets.log_start, 0);
    f.m.space_bytes = INT64_MAX;
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    partition_offsets(f.p, &offsets);
    CHECK_EQUAL(offsets.log_start, 3);
    fixture_close(&f);
}

TEST(a_repeat_waits_until_its_original_is_durable)
{
    struct fixture f;
    struct sent original, repeat;
    fixture_init(&f);
    send_batch(&f, &original, 7, 0, 2);
    CHECK(mem_env_run_one_job_step(&f.m)); /* written, not synced */
    send_batch(&f, &repeat, 7, 0, 2);
    CHECK_EQUAL(repeat.done, 0);
    mem_env_run_until_idle(&f.m);
    CHECK(repeat.done == 1 && repeat.append.result == KERR_NONE && repeat.append.is_repeat);
    CHECK_EQUAL(repeat.append.base_offset, original.append.base_offset);
    send_batch(&f, &repeat, 7, 0, 2);
    CHECK_EQUAL(repeat.done, 1); /* committed long since: at once */
    struct partition_offsets at;
    partition_offsets(f.p, &at);
    CHECK_EQUAL(at.assigned, 2);
    fixture_close(&f);
}

TEST(sequences_out_of_order_are_refused)
{
    struct fixture f;
    struct sent a, b;
    fixture_init(&f);
    send_batch(&f, &a, 7, 0, 1);
    send_batch(&f, &b, 7, 1, 1);
    mem_env_run_until_idle(&f.m);
    struct sent gap;
    send_batch(&f, &gap, 7, 5, 1);
    CHECK(gap.done == 1 && gap.append.result == KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_EQUAL(gap.append.base_offset, -1);
    fixture_close(&f);
}

TEST(a_full_disk_gives_offsets_back_and_goes_on)
{
    struct fixture f;
    struct sent a, b;
    fixture_init(&f);
    send_batch(&f, &a, 7, 0, 1);
    mem_env_run_until_idle(&f.m);
    f.m.fail_at = 1;
    f.m.fail_with = ERR_NO_SPACE;
    send_batch(&f, &a, 7, 1, 1);
    send_batch(&f, &b, 7, 2, 1);
    mem_env_run_until_idle(&f.m);
    CHECK(a.done == 1 && a.append.result == KERR_KAFKA_STORAGE_ERROR);
    CHECK(b.done == 1 && b.append.result == KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(f.storage_error, ERR_OK);
    CHECK_EQUAL(f.m.log_lines[LOG_ERROR], 1);
    send_batch(&f, &a, 7, 1, 1); /* the producer tries again with the same sequence */
    mem_env_run_until_idle(&f.m);
    CHECK(a.done == 1 && a.append.result == KERR_NONE);
    CHECK_EQUAL(a.append.base_offset, 1);
    fixture_close(&f);
}

TEST(a_failed_sync_takes_the_partition_offline)
{
    struct fixture f;
    struct sent a, b;
    fixture_init(&f);
    send_batch(&f, &a, -1, -1, 1);
    CHECK(mem_env_run_one_job_step(&f.m));
    f.m.fail_at = 1;
    mem_env_run_until_idle(&f.m);
    CHECK(a.done == 1 && a.append.result == KERR_KAFKA_STORAGE_ERROR);
    CHECK_EQUAL(f.storage_error, ERR_IO);
    send_batch(&f, &b, -1, -1, 1);
    CHECK(b.done == 1 && b.append.result == KERR_KAFKA_STORAGE_ERROR);
    fixture_close(&f);
}

/* ---- reading */

TEST(consumers_read_below_the_high_watermark_only)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    send_batch(&f, &a, -1, -1, 2);
    CHECK(mem_env_run_one_job_step(&f.m)); /* written, not durable */
    struct partition_read_result r = read_at(&f, 0);
    CHECK(r.error == KERR_NONE && r.range.file == NULL && r.range.len == 0);
    mem_env_run_until_idle(&f.m);
    r = read_at(&f, 0);
    CHECK(r.error == KERR_NONE && r.range.len > 0 && r.high_watermark == 2);
    log_range_release(&r.range);
    r = read_at(&f, 1); /* the middle of a batch: the whole batch */
    CHECK(r.range.len > 0 && r.range.base_offset == 0);
    log_range_release(&r.range);
    CHECK(read_at(&f, 2).error == KERR_NONE);
    CHECK(read_at(&f, 3).error == KERR_OFFSET_OUT_OF_RANGE);
    CHECK(read_at(&f, -1).error == KERR_OFFSET_OUT_OF_RANGE);
    fixture_close(&f);
}

TEST(a_reader_who_goes_on_reads_one_header_a_batch)
{
    enum { BATCHES = 60 }; /* more than are remembered as recent */
    struct fixture f;
    struct sent sent[BATCHES];
    fixture_init(&f);
    for (int i = 0; i < BATCHES; i++)
        send_batch(&f, &sent[i], -1, -1, 2);
    mem_env_run_until_idle(&f.m);
    struct partition_read read = partition_read_from(0, 1);
    for (; read.offset < 20; read.offset += 2) {
        struct partition_read_result r;
        int calls = f.m.io_calls;
        CHECK(partition_read(f.p, &read, ENV_NOWAIT, &r) == ERR_OK);
        CHECK_EQUAL(r.range.base_offset, read.offset);
        CHECK(read.offset == 0 || f.m.io_calls == calls + 1);
        log_range_release(&r.range);
    }
    fixture_close(&f);
}

TEST(a_cold_read_asks_for_a_worker)
{
    struct fixture f;
    struct sent sent[3];
    fixture_init(&f);
    for (int i = 0; i < 3; i++)
        send_batch(&f, &sent[i], -1, -1, 2);
    mem_env_run_until_idle(&f.m);
    f.m.is_cold = true;
    struct partition_read read = partition_read_from(0, 100);
    struct partition_read_result r = {0};
    enum err e = partition_read(f.p, &read, ENV_NOWAIT, &r);
    if (e == ERR_OK)
        log_range_release(&r.range); /* it was in the ring of recent batches */
    else
        CHECK_EQUAL(e, ERR_AGAIN);
    CHECK(partition_read(f.p, &read, ENV_WAIT, &r) == ERR_OK);
    CHECK(r.error == KERR_NONE && r.range.len > 0);
    log_range_release(&r.range);
    fixture_close(&f);
}

struct waiting {
    struct watcher watcher;
    struct watch watch;
    int runs;
    int frees;
};

static void waiting_run(struct watcher *w)
{
    container_of(w, struct waiting, watcher)->runs++;
}

static void waiting_free(struct watcher *w)
{
    container_of(w, struct waiting, watcher)->frees++;
}

static void waiting_init(struct waiting *w, struct fixture *f)
{
    memset(w, 0, sizeof(*w));
    watcher_init(&w->watcher, f->loop, waiting_run, waiting_free);
    list_init(&w->watch.link);
}

TEST(a_watch_fires_once_when_the_high_watermark_moves)
{
    struct fixture f;
    struct sent a;
    struct waiting w;
    fixture_init(&f);
    waiting_init(&w, &f);
    partition_watch_add(f.p, &w.watch, &w.watcher, 0, PARTITION_READER_CONSUMER);
    send_batch(&f, &a, -1, -1, 1);
    CHECK(mem_env_run_one_job_step(&f.m));
    mem_env_run_loops(&f.m);
    CHECK_EQUAL(w.runs, 0); /* written is not enough for a consumer */
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(w.runs, 1);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(w.runs, 1);
    watcher_unref(&w.watcher);
    CHECK_EQUAL(w.frees, 1);
    fixture_close(&f);
}

TEST(a_watch_for_what_is_there_fires_at_once)
{
    struct fixture f;
    struct sent a;
    struct waiting w;
    fixture_init(&f);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    waiting_init(&w, &f);
    partition_watch_add(f.p, &w.watch, &w.watcher, 0, PARTITION_READER_CONSUMER);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(w.runs, 1);
    partition_watch_add(f.p, &w.watch, &w.watcher, 1, PARTITION_READER_CONSUMER);
    partition_watch_remove(f.p, &w.watch);
    watcher_unref(&w.watcher);
    CHECK_EQUAL(w.frees, 1);
    fixture_close(&f);
}

/* Or a reader that waits for much would be woken for each little that comes. */
TEST(a_watch_for_more_than_came_stays)
{
    struct fixture f;
    struct sent a, b;
    struct waiting w;
    fixture_init(&f);
    waiting_init(&w, &f);
    partition_watch_add(f.p, &w.watch, &w.watcher, 1, PARTITION_READER_CONSUMER);
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(w.runs, 0);
    send_batch(&f, &b, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(w.runs, 1);
    watcher_unref(&w.watcher);
    CHECK_EQUAL(w.frees, 1);
    fixture_close(&f);
}

TEST(more_watches_than_one_round_takes_all_fire)
{
    enum { COUNT = 200 };
    static struct waiting w[COUNT];
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    for (int i = 0; i < COUNT; i++) {
        waiting_init(&w[i], &f);
        partition_watch_add(f.p, &w[i].watch, &w[i].watcher, 0, PARTITION_READER_CONSUMER);
    }
    send_batch(&f, &a, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQUAL(w[i].runs, 1);
        watcher_unref(&w[i].watcher);
        CHECK_EQUAL(w[i].frees, 1);
    }
    fixture_close(&f);
}

TEST(closing_wakes_readers_and_refuses_appends)
{
    struct fixture f;
    struct sent a, b;
    struct waiting w;
    fixture_init(&f);
    waiting_init(&w, &f);
    partition_watch_add(f.p, &w.watch, &w.watcher, 0, PARTITION_READER_CONSUMER);
    send_batch(&f, &a, -1, -1, 1);
    partition_close(f.p, true, fixture_on_closed, &f);
    send_batch(&f, &b, -1, -1, 1);
    CHECK(b.done == 1 && b.append.result == KERR_NOT_LEADER_OR_FOLLOWER);
    mem_env_run_until_idle(&f.m);
    CHECK(a.done == 1 && a.append.result == KERR_NONE); /* it came before */
    CHECK_EQUAL(w.runs, 1);
    CHECK(f.closed == 1 && f.closed_with == ERR_OK);
    watcher_unref(&w.watcher);
    partition_unref(f.p);
    f.p = NULL;
    fixture_close(&f);
}

TEST(epochs_are_checked_and_rise)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    send_batch(&f, &a, -1, -1, 4);
    mem_env_run_until_idle(&f.m);
    partition_lead(f.p, 3);
    CHECK(partition_check_epoch(f.p, 2) == KERR_FENCED_LEADER_EPOCH);
    CHECK(partition_check_epoch(f.p, 3) == KERR_NONE);
    CHECK(partition_check_epoch(f.p, 4) == KERR_UNKNOWN_LEADER_EPOCH);
    CHECK(partition_check_epoch(f.p, -1) == KERR_NONE);
    int32_t epoch;
    int64_t end;
    CHECK(partition_epoch_end(f.p, -1, 0, &epoch, &end) == KERR_NONE);
    CHECK(epoch == 0 && end == 4);
    fixture_close(&f);
}

static struct partition_read_result read_after(struct fixture *f, int64_t offset,
                                               int32_t last_fetched_epoch)
{
    struct partition_read read = partition_read_from(offset, 1 << 20);
    read.last_fetched_epoch = last_fetched_epoch;
    struct partition_read_result result;
    CHECK(partition_read(f->p, &read, ENV_NOWAIT, &result) == ERR_OK);
    log_range_release(&result.range);
    return result;
}

TEST(a_reader_from_another_history_is_told)
{
    struct fixture f;
    struct sent a;
    struct sent b;
    fixture_init(&f);
    partition_lead(f.p, 2);
    send_batch(&f, &a, -1, -1, 4);
    mem_env_run_until_idle(&f.m);
    partition_lead(f.p, 5);
    send_batch(&f, &b, -1, -1, 4);
    mem_env_run_until_idle(&f.m);
    struct partition_read_result r = read_after(&f, 4, 2);
    CHECK(r.error == KERR_NONE && r.diverging_epoch == -1 && r.high_watermark == 8);
    r = read_after(&f, 6, 2); /* what it has of epoch 2 behind 4 is not ours */
    CHECK(r.error == KERR_NONE && r.diverging_epoch == 2 && r.diverging_end_offset == 4);
    r = read_after(&f, 6, 3);
    CHECK(r.error == KERR_NONE && r.diverging_epoch == 2 && r.diverging_end_offset == 4);
    r = read_after(&f, 6, 9); /* an epoch that was never here: there is no way back to tell */
    CHECK(r.error == KERR_OFFSET_OUT_OF_RANGE && r.diverging_epoch == -1);
    CHECK(r.high_watermark == -1 && r.last_stable_offset == -1 && r.log_start_offset == -1);
    fixture_close(&f);
}

/* Fails the 1st, then the 2nd, then the 3rd ... I/O call until a run needs none. Whatever fails,
 * every append is answered once, and what was acknowledged is below the high watermark. */
TEST(every_append_is_answered_whatever_fails)
{
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct fixture f;
        struct sent s[4];
        fixture_init(&f);
        f.m.fail_at = fail_at;
        f.m.fail_with = fail_at % 2 == 0 ? ERR_NO_SPACE : ERR_IO;
        for (int i = 0; i < 4; i++) {
            send_batch(&f, &s[i], 7, i, 1);
            mem_env_run_one_job_step(&f.m);
        }
        mem_env_run_until_idle(&f.m);
        failed = f.m.fail_at == 0;
        struct partition_offsets at;
        partition_offsets(f.p, &at);
        for (int i = 0; i < 4; i++) {
            CHECK_EQUAL(s[i].done, 1);
            CHECK(s[i].append.result != KERR_NONE || s[i].append.base_offset < at.high_watermark);
        }
        f.m.fail_at = 0;
        fixture_close(&f);
    }
}

/* ---- trims */

struct trimmed {
    struct partition_trim trim;
    int done;
};

static void on_trimmed(struct partition_trim *trim)
{
    container_of(trim, struct trimmed, trim)->done++;
}

static void trim_to(struct fixture *f, struct trimmed *t, int64_t offset)
{
    memset(t, 0, sizeof(*t));
    t->trim = (struct partition_trim){.offset = offset, .done = on_trimmed};
    partition_trim(f->p, &t->trim);
}

static void send_ten(struct fixture *f)
{
    struct sent s[10];
    for (int i = 0; i < 10; i++)
        send_batch(f, &s[i], -1, -1, 1);
    mem_env_run_until_idle(&f->m);
    CHECK_EQUAL(s[9].done, 1);
}

static struct partition_offsets offsets_now(struct fixture *f)
{
    struct partition_offsets at;
    partition_offsets(f->p, &at);
    return at;
}

TEST(a_trim_shows_when_it_is_saved)
{
    struct fixture f;
    struct trimmed t;
    fixture_init(&f);
    send_ten(&f);
    trim_to(&f, &t, 3);
    mem_env_run_until_idle(&f.m);
    CHECK(f.saving == &t.trim && t.done == 0);
    CHECK_EQUAL(offsets_now(&f).log_start, 0);
    CHECK_EQUAL(log_dir_checkpoint_of(f.dir, "t", 0).log_start, 3);
    partition_housekeep(f.p); /* does not take it back */
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(log_dir_checkpoint_of(f.dir, "t", 0).log_start, 3);
    partition_start_saved(f.saving, ERR_OK);
    CHECK(t.done == 1 && t.trim.result == KERR_NONE && t.trim.log_start == 3);
    CHECK_EQUAL(offsets_now(&f).log_start, 3);
    CHECK(read_at(&f, 2).error == KERR_OFFSET_OUT_OF_RANGE);
    struct partition_read_result r = read_at(&f, 3);
    CHECK(r.error == KERR_NONE && r.log_start_offset == 3);
    log_range_release(&r.range);
    trim_to(&f, &t, 1); /* it is there already */
    CHECK(t.done == 1 && t.trim.result == KERR_NONE && t.trim.log_start == 3);
    fixture_close(&f);
}

TEST(a_trim_is_refused_where_it_makes_no_sense)
{
    struct fixture f;
    struct trimmed t;
    fixture_init(&f);
    f.saves_at_once = true;
    send_ten(&f);
    static const int64_t bad[] = {11, -2, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        trim_to(&f, &t, bad[i]);
        CHECK(t.done == 1 && t.trim.result == KERR_OFFSET_OUT_OF_RANGE && t.trim.log_start == -1);
    }
    f.config.cleanup_compact = true;
    partition_set_config(f.p, &f.config);
    trim_to(&f, &t, 1);
    mem_env_run_until_idle(&f.m);
    CHECK(t.done == 1 && t.trim.result == KERR_NONE && t.trim.log_start == 1); /* both policies */
    f.config.cleanup_delete = false;
    partition_set_config(f.p, &f.config);
    trim_to(&f, &t, PARTITION_TRIM_ALL);
    CHECK(t.done == 1 && t.trim.result == KERR_POLICY_VIOLATION && t.trim.log_start == -1);
    partition_fail(f.p);
    trim_to(&f, &t, 2);
    CHECK(t.done == 1 && t.trim.result == KERR_KAFKA_STORAGE_ERROR);
    fixture_close(&f);
}

/* Else a power cut could leave an end below the start, and the start would not be believed. */
TEST(a_trim_waits_until_all_below_it_is_durable)
{
    struct fixture f;
    struct trimmed t, all;
    fixture_init(&f);
    f.config.ack_disk = false;
    partition_set_config(f.p, &f.config);
    send_ten(&f);
    CHECK(offsets_now(&f).durable < 10);
    trim_to(&f, &t, 7);
    trim_to(&f, &all, PARTITION_TRIM_ALL);
    CHECK(f.saving == NULL);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(offsets_now(&f).durable, 10);
    CHECK(f.saving == &all.trim);
    partition_start_saved(&t.trim, ERR_OK);
    partition_start_saved(&all.trim, ERR_OK);
    CHECK(t.trim.log_start == 7 && all.trim.log_start == 10);
    fixture_close(&f);
}

TEST(a_trim_takes_out_the_segments_below_it)
{
    struct fixture f;
    struct trimmed t;
    fixture_init(&f);
    f.saves_at_once = true;
    f.config.segment_bytes = 200;
    partition_set_config(f.p, &f.config);
    send_ten(&f);
    struct partition_offsets before = offsets_now(&f);
    CHECK(before.segment_count > 3);
    trim_to(&f, &t, 9);
    mem_env_run_until_idle(&f.m);
    CHECK(t.done == 1 && t.trim.log_start == 9);
    CHECK(offsets_now(&f).segment_count < before.segment_count);
    CHECK(offsets_now(&f).size_bytes < before.size_bytes);
    CHECK_EQUAL(offsets_now(&f).log_start, 9);
    fixture_close(&f);
}

TEST(a_trim_that_cannot_be_saved_changes_nothing)
{
    struct fixture f;
    struct trimmed t;
    fixture_init(&f);
    send_ten(&f);
    trim_to(&f, &t, 3);
    mem_env_run_until_idle(&f.m);
    partition_start_saved(f.saving, ERR_NO_SPACE);
    CHECK(t.done == 1 && t.trim.result == KERR_KAFKA_STORAGE_ERROR && t.trim.log_start == -1);
    CHECK_EQUAL(offsets_now(&f).log_start, 0);
    trim_to(&f, &t, 4);
    mem_env_run_until_idle(&f.m);
    CHECK(f.saving == &t.trim && t.done == 0);
    partition_fail(f.p); /* in the hands of the owner: its answer ends it */
    CHECK_EQUAL(t.done, 0);
    partition_start_saved(f.saving, ERR_OK);
    CHECK(t.done == 1 && t.trim.result == KERR_KAFKA_STORAGE_ERROR && t.trim.log_start == -1);
    fixture_close(&f);
}

/* Fails the 1st, then the 2nd, then the 3rd ... I/O call until a run needs none, with a close
 * behind the trim: it is answered once, and the start moves only when the answer says so. */
TEST(every_trim_is_answered_whatever_fails)
{
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct fixture f;
        struct trimmed t[2];
        struct sent s;
        fixture_init(&f);
        f.saves_at_once = true;
        f.config.ack_disk = fail_at % 3 == 0;
        partition_set_config(f.p, &f.config);
        send_ten(&f);
        f.m.fail_at = fail_at;
        f.m.fail_with = fail_at % 2 == 0 ? ERR_NO_SPACE : ERR_IO;
        trim_to(&f, &t[0], 5);
        send_batch(&f, &s, -1, -1, 1);
        mem_env_run_one_job_step(&f.m);
        trim_to(&f, &t[1], PARTITION_TRIM_ALL);
        mem_env_run_until_idle(&f.m);
        failed = f.m.fail_at == 0 || fail_at < 4;
        f.m.fail_at = 0;
        for (int i = 0; i < 2; i++) {
            CHECK_EQUAL(t[i].done, 1);
            CHECK((t[i].trim.result == KERR_NONE) == (t[i].trim.log_start >= 5));
            CHECK(t[i].trim.log_start <= offsets_now(&f).log_start);
        }
        fixture_close(&f);
    }
}

TEST(a_trim_ends_with_its_partition)
{
    struct fixture f;
    struct trimmed t;
    fixture_init(&f);
    send_ten(&f);
    trim_to(&f, &t, 3);
    partition_close(f.p, true, fixture_on_closed, &f);
    mem_env_run_until_idle(&f.m);
    CHECK(f.closed == 1 && f.saving == &t.trim && t.done == 0);
    CHECK_EQUAL(log_dir_checkpoint_of(f.dir, "t", 0).log_start, 3);
    partition_start_saved(f.saving, ERR_OK);
    CHECK(t.done == 1 && t.trim.result == KERR_NOT_LEADER_OR_FOLLOWER);
    partition_unref(f.p);
    f.p = NULL;
    CHECK_EQUAL(fixture_open_partition(&f, 1), ERR_OK);
    CHECK_EQUAL(offsets_now(&f).log_start, 3); /* as it was asked for, though nobody was told */
    f.closed = 0;
    fixture_close(&f);
}

TEST(a_partition_says_when_it_is_to_be_looked_at)
{
    struct fixture f;
    struct sent a;
    struct sent b;
    fixture_init(&f);
    f.config.retention_ms = 5000;
    partition_set_config(f.p, &f.config);
    CHECK_EQUAL(f.rounds, 1); /* another configuration: in the next round */
    CHECK(f.round_ms == DUE_NEXT_ROUND);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.rounds, 2);
    CHECK(f.round_ms == DUE_NEVER); /* nothing is there to be retired */
    send_batch(&f, &a, -1, -1, 1);
    send_batch(&f, &b, -1, -1, 1);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.rounds, 3); /* once for all that comes before the round */
    CHECK(f.round_ms == DUE_NEXT_ROUND);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.rounds, 4);
    CHECK_EQUAL(f.round_ms, env_wall_ms(&f.m.env) + 5001);
    mem_env_advance_ms(&f.m, 5001);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK(f.round_ms == DUE_NEVER); /* all of it is gone */
    struct partition_offsets at;
    partition_offsets(f.p, &at);
    CHECK_EQUAL(at.log_start, 2);
    fixture_close(&f);
}

TEST(producers_that_are_to_be_forgotten_have_a_date)
{
    struct fixture f;
    struct sent a;
    fixture_init(&f);
    f.config.retention_ms = -1;
    f.config.producer_expiration_ms = 700;
    partition_set_config(f.p, &f.config);
    send_batch(&f, &a, 5, 0, 1);
    mem_env_run_until_idle(&f.m);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.round_ms, env_wall_ms(&f.m.env) + 700);
    mem_env_advance_ms(&f.m, 700);
    partition_housekeep(f.p);
    mem_env_run_until_idle(&f.m);
    CHECK(f.round_ms == DUE_NEVER);
    fixture_close(&f);
}
