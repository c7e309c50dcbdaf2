// SPDX-License-Identifier: Apache-2.0
/* segment_behind_test: bytes that wait for their file, by themselves and in a log.
 * Thread: the test's. */
#include "log/segment_behind.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/testing.h"
#include "log/log_fixture.h"
#include "log/partition_log_private.h"
#include "log/segment_behind_private.h"

/* ---- a segment alone */

struct alone {
    struct mem_env m;
    struct file_cache *files;
    struct log_home *home;
    struct segment *seg;
    uint32_t log_bytes; /* held or written so far */
    uint32_t index_bytes;
};

static void alone_init(struct alone *a)
{
    *a = (struct alone){0};
    mem_env_init(&a->m);
    CHECK_EQUAL(env_dir_make(&a->m.env, "t-0"), ERR_OK);
    a->files = file_cache_new(8);
    a->home = log_home_new(&a->m.env, a->files, "t-0");
    a->seg = segment_new(a->home, 0, 0);
    CHECK_EQUAL(segment_create(a->seg), ERR_OK);
}

static void alone_deinit(struct alone *a)
{
    segment_unref(a->seg);
    log_home_unref(a->home);
    file_cache_unref(a->files); /* ASSERTs that all memory was given back */
    mem_env_deinit(&a->m);
}

/* `size` bytes that tell their place, and an index entry for every 100. */
static bool hold(struct alone *a, uint32_t size, size_t max, bool *begins)
{
    uint8_t *bytes = mem_alloc(size);
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((a->log_bytes + i) % 251);
    uint8_t entry[INDEX_ENTRY_BYTES];
    memset(entry, (int)(a->index_bytes / INDEX_ENTRY_BYTES), sizeof(entry));
    struct iovec parts[2] = {{bytes, size / 2}, {bytes + size / 2, size - size / 2}};
    struct iovec index = {entry, size >= 100 ? sizeof(entry) : 0};
    struct segment_bytes all[SEGMENT_FILES] = {
        [LOG_FILE_LOG] = {parts, 2, a->log_bytes}, [LOG_FILE_INDEX] = {&index, 1, a->index_bytes}};
    bool is_held = segment_hold(a->seg, all, max, begins);
    if (is_held) {
        a->log_bytes += size;
        a->index_bytes += (uint32_t)index.iov_len;
    }
    mem_free(bytes);
    return is_held;
}

static void check_files(struct alone *a)
{
    size_t size = 0;
    const uint8_t *bytes = mem_env_file_bytes(&a->m, "t-0/00000000000000000000.log", &size);
    CHECK_EQUAL(size, a->log_bytes);
    for (size_t i = 0; i < size; i++)
        CHECK_EQUAL(bytes[i], i % 251);
    bytes = mem_env_file_bytes(&a->m, "t-0/00000000000000000000.index", &size);
    CHECK_EQUAL(size, a->index_bytes);
    for (size_t i = 0; i < size; i++)
        CHECK_EQUAL(bytes[i], i / INDEX_ENTRY_BYTES);
}

TEST(what_is_held_is_written_when_a_file_is_asked_for)
{
    struct alone a;
    struct env_file *file = NULL;
    bool begins;
    alone_init(&a);
    CHECK(hold(&a, 70, 1000, &begins) && begins);
    CHECK(hold(&a, 300, 1000, &begins) && !begins);
    CHECK(segment_is_behind(a.seg));
    CHECK_EQUAL(a.m.writes, 0);
    CHECK_EQUAL(segment_file(a.seg, LOG_FILE_TIMEINDEX, ENV_NOWAIT, &file), ERR_AGAIN);
    CHECK_EQUAL(segment_file_as_is(a.seg, LOG_FILE_LOG, ENV_NOWAIT, &file), ERR_OK);
    env_file_unref(file);
    CHECK_EQUAL(segment_file(a.seg, LOG_FILE_TIMEINDEX, ENV_WAIT, &file), ERR_OK);
    env_file_unref(file);
    CHECK_EQUAL(a.m.writes, 2); /* all batches at once, all entries at once */
    CHECK(!segment_is_behind(a.seg));
    check_files(&a);
    CHECK(hold(&a, 100, 1000, &begins) && begins);
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_OK);
    check_files(&a);
    alone_deinit(&a);
}

TEST(entries_may_wait_longer_than_their_batches)
{
    struct alone a;
    struct segment_filed filed;
    bool begins;
    alone_init(&a);
    CHECK(hold(&a, 300, 1000, &begins) && begins);
    for (int i = 1; i <= 65; i++) {
        CHECK_EQUAL(segment_settle_batches(a.seg), ERR_OK);
        CHECK_EQUAL(a.m.writes, i + (i == 65)); /* then they are half of what there is room for */
        segment_filed_look(a.seg, &filed);
        CHECK(filed.has_all_batches && filed.index_count == (i < 65 ? 0 : UINT32_MAX));
        CHECK(segment_is_behind(a.seg) == (i < 65));
        CHECK(hold(&a, 300, 1000, &begins) && begins);
    }
    segment_filed_look(a.seg, &filed);
    CHECK(!filed.has_all_batches && filed.index_count == 65);
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_OK);
    check_files(&a);
    alone_deinit(&a);
}

TEST(no_more_is_held_than_may_be)
{
    struct alone a;
    struct file_cache_stats stats;
    bool begins;
    alone_init(&a);
    CHECK(!hold(&a, 501, 500, &begins) && !segment_is_behind(a.seg));
    CHECK(hold(&a, 400, 500, &begins));
    CHECK(!hold(&a, 101, 500, &begins) && segment_is_behind(a.seg));
    CHECK(hold(&a, 90, 500, &begins));
    for (int i = 0; i < 126; i++) /* entries have a bound of their own */
        CHECK(hold(&a, 100, 1 << 20, &begins));
    CHECK(hold(&a, 100, 1 << 20, &begins));
    CHECK(!hold(&a, 100, 1 << 20, &begins));
    file_cache_stats(a.files, &stats);
    CHECK(stats.behind >= a.log_bytes && stats.behind < 8 * (int64_t)a.log_bytes);
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_OK);
    file_cache_stats(a.files, &stats);
    CHECK_EQUAL(stats.behind, 0);
    check_files(&a);
    CHECK(file_cache_take_behind(a.files, LIMIT_BEHIND_BYTES)); /* other segments' */
    CHECK(!hold(&a, 10, 500, &begins));
    file_cache_give_behind(a.files, LIMIT_BEHIND_BYTES);
    CHECK(hold(&a, 10, 500, &begins)); /* it goes with the segment */
    alone_deinit(&a);
}

TEST(without_room_what_is_held_stays_and_after_an_error_nothing_is_tried)
{
    struct alone a;
    bool begins;
    alone_init(&a);
    CHECK(hold(&a, 300, 1000, &begins));
    for (int at = 1; at <= 2; at++) {
        a.m.fail_at = at;
        a.m.fail_with = ERR_NO_SPACE;
        CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_NO_SPACE);
        CHECK(segment_is_behind(a.seg));
        CHECK(hold(&a, 100, 1000, &begins) && !begins);
    }
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_OK);
    check_files(&a);
    CHECK(hold(&a, 100, 1000, &begins));
    a.m.fail_at = 1;
    a.m.fail_with = ERR_IO;
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_IO);
    int calls = a.m.io_calls;
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_IO);
    CHECK(!hold(&a, 100, 1000, &begins));
    CHECK_EQUAL(a.m.io_calls, calls);
    alone_deinit(&a);
}

TEST(what_cannot_be_held_costs_no_memory)
{
    struct alone a;
    struct file_cache_stats stats;
    bool begins;
    alone_init(&a);
    CHECK(file_cache_take_behind(a.files, LIMIT_BEHIND_BYTES - 1024)); /* room for the batches */
    CHECK(!hold(&a, 1000, 1000, &begins));
    file_cache_stats(a.files, &stats);
    CHECK_EQUAL(stats.behind, LIMIT_BEHIND_BYTES - 1024);
    file_cache_give_behind(a.files, LIMIT_BEHIND_BYTES - 1024);
    alone_deinit(&a);
}

TEST(what_is_taken_back_is_forgotten_and_no_more)
{
    struct alone a;
    bool begins;
    alone_init(&a);
    CHECK(hold(&a, 200, 1000, &begins));
    CHECK(hold(&a, 300, 1000, &begins));
    int64_t sizes[SEGMENT_FILES] = {200, INDEX_ENTRY_BYTES, 0};
    segment_drop_behind(a.seg, sizes);
    a.log_bytes = 200;
    a.index_bytes = INDEX_ENTRY_BYTES;
    CHECK(hold(&a, 120, 1000, &begins) && !begins);
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_OK);
    check_files(&a);
    CHECK(hold(&a, 120, 1000, &begins));
    int64_t before[SEGMENT_FILES] = {100, 0, 0};
    segment_drop_behind(a.seg, before);
    CHECK(!segment_is_behind(a.seg));
    alone_deinit(&a);
}

TEST(a_segment_whose_files_are_gone_holds_nothing)
{
    struct alone a;
    bool begins;
    alone_init(&a);
    CHECK(hold(&a, 200, 1000, &begins));
    segment_close_files(a.seg);
    CHECK_EQUAL(segment_unlink_all(a.seg, LOG_STAGE_LIVE), ERR_OK);
    CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_STALE);
    CHECK(!segment_is_behind(a.seg));
    alone_deinit(&a);
}

TEST(without_memory_nothing_is_held)
{
    bool is_held = false;
    for (int n = 1; !is_held; n++) {
        struct alone a;
        bool begins;
        alone_init(&a);
        mem_fail_at(n);
        is_held = hold(&a, 200, 1000, &begins);
        mem_fail_at(0);
        CHECK(is_held == (n > 3)); /* what holds, and the bytes of two files */
        CHECK_EQUAL(segment_settle(a.seg, ENV_WAIT), ERR_OK);
        check_files(&a);
        alone_deinit(&a);
    }
}

/* ---- in a log */

static void log_begin(struct fixture *f)
{
    fixture_init(f);
    f->config.index_interval_bytes = 200;
    f->held_max = 4000;
    CHECK_EQUAL(fixture_open(f), ERR_OK);
}

/* After a stop of the process: what a flush had put there is there. */
static void log_again(struct fixture *f, int64_t end)
{
    fixture_free(f);
    CHECK_EQUAL(fixture_open(f), ERR_OK);
    CHECK_EQUAL(partition_log_written(f->log).offset, end);
    CHECK_EQUAL(f->report.cut_bytes, 0);
    for (int64_t offset = 0; offset < end; offset++)
        CHECK_EQUAL(fixture_read(f, offset), offset - offset % 2);
}

/* A commit that the test carries out itself: of what is pending, and one batch of two records. */
static void take_another(struct fixture *f, struct log_commit *commit)
{
    struct fixture_batch batch = {.records = 2, .payload = 100, .producer_id = -1};
    CHECK_EQUAL(fixture_append(f, &batch), ERR_OK);
    log_commit_init(commit);
    partition_log_take(f->log, commit, false, 0);
}

static void give_back(struct fixture *f, struct log_commit *commit)
{
    partition_log_fail(f->log, commit);
    fixture_free_appends(&commit->appends);
}

static size_t log_file_bytes(struct fixture *f)
{
    size_t size = 0;
    fixture_file(f, "00000000000000000000.log", &size);
    return size;
}

static enum err find(struct fixture *f, int64_t offset, enum env_read_mode mode,
                     struct log_view *was)
{
    struct log_position limit = partition_log_written(f->log);
    struct log_view view;
    struct log_range range;
    CHECK_EQUAL(partition_log_view(f->log, offset, &limit, &view), ERR_OK);
    enum err e = log_view_find(&view, offset, 1 << 20, true, mode, &range);
    if (e == ERR_OK) {
        CHECK(range.base_offset <= offset && range.pos + range.len <= view.end_pos);
        CHECK((range.file == NULL) == (range.held.len > 0) && range.len > 0);
        log_range_release(&range);
    }
    *was = view;
    log_view_release(&view);
    return e;
}

TEST(a_reader_of_what_is_filed_waits_for_nothing_that_is_held)
{
    struct fixture f;
    struct log_view view;
    log_begin(&f);
    f.held_max = 0;
    fixture_fill(&f, 10, 2, 100);
    f.held_max = 4000;
    fixture_fill(&f, 5, 2, 100);
    int writes = f.m.writes;
    size_t filed = log_file_bytes(&f);
    CHECK_EQUAL(find(&f, 3, ENV_NOWAIT, &view), ERR_OK);
    CHECK_EQUAL(find(&f, 19, ENV_NOWAIT, &view), ERR_OK);
    CHECK(view.is_filed && !view.is_last);
    CHECK_EQUAL(view.end_offset, 20);
    CHECK_EQUAL(view.end_pos, (int64_t)filed);
    CHECK_EQUAL(find(&f, 20, ENV_NOWAIT, &view), ERR_OK);
    CHECK(!view.is_filed && view.is_last);
    CHECK_EQUAL(f.m.writes, writes);
    CHECK_EQUAL(log_file_bytes(&f), filed);
    struct log_position durable;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    CHECK_EQUAL(log_file_bytes(&f), partition_log_size_bytes(f.log));
    log_again(&f, 30);
    fixture_deinit(&f);
}

static enum err find_below(struct fixture *f, int64_t offset, const struct log_position *limit,
                           int64_t bytes_max, bool whole_first, struct log_range *out)
{
    struct log_view view;
    CHECK_EQUAL(partition_log_view(f->log, offset, limit, &view), ERR_OK);
    enum err e = log_view_find(&view, offset, bytes_max, whole_first, ENV_NOWAIT, out);
    log_view_release(&view);
    return e;
}

TEST(a_reader_of_what_is_held_gets_what_it_asked_for)
{
    struct fixture f;
    struct log_range range;
    log_begin(&f);
    fixture_fill(&f, 6, 2, 100);
    struct log_position end = partition_log_written(f.log);
    CHECK_EQUAL(find_below(&f, 5, &end, 1 << 20, true, &range), ERR_OK);
    CHECK(range.base_offset == 4 && range.held.len > 0);
    int64_t batch = range.first_batch_bytes;
    CHECK_EQUAL(range.len, 4 * batch);
    CHECK_EQUAL(range.pos, 2 * batch);
    log_range_release(&range);
    CHECK_EQUAL(find_below(&f, 5, &end, 2 * batch + 1, false, &range), ERR_OK);
    CHECK_EQUAL(range.len, 2 * batch + 1);
    log_range_release(&range);
    CHECK_EQUAL(find_below(&f, 5, &end, 1, true, &range), ERR_OK);
    CHECK_EQUAL(range.len, batch);
    log_range_release(&range);
    CHECK_EQUAL(find_below(&f, 5, &end, 1, false, &range), ERR_OK);
    CHECK(range.len == 0 && range.held.buf == NULL);
    /* A limit whose place nobody knows, on a border and inside a batch. */
    struct log_position limit = {.offset = 8, .segment_base = -1, .pos = -1};
    CHECK_EQUAL(find_below(&f, 5, &limit, 1 << 20, true, &range), ERR_OK);
    CHECK_EQUAL(range.len, 2 * batch);
    log_range_release(&range);
    limit.offset = 7;
    CHECK_EQUAL(find_below(&f, 5, &limit, 1 << 20, true, &range), ERR_OK);
    CHECK_EQUAL(range.len, batch);
    log_range_release(&range);
    limit.offset = 5;
    CHECK_EQUAL(find_below(&f, 4, &limit, 1 << 20, true, &range), ERR_OK);
    CHECK(range.len == 0 && !range.is_hole);
    fixture_deinit(&f);
}

TEST(what_a_reader_got_stays_when_it_is_written_or_moved)
{
    struct fixture f;
    struct log_range range;
    log_begin(&f);
    fixture_fill(&f, 3, 2, 100);
    struct log_position end = partition_log_written(f.log);
    CHECK_EQUAL(find_below(&f, 4, &end, 1 << 20, true, &range), ERR_OK);
    CHECK(range.held.len > 0);
    fixture_fill(&f, 8, 2, 100); /* needs a larger buffer */
    struct log_position durable;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    size_t size = 0;
    const uint8_t *bytes = fixture_file(&f, "00000000000000000000.log", &size);
    CHECK((size_t)range.pos + range.held.len <= size);
    CHECK(memcmp(bytes + range.pos, range.held.data, range.held.len) == 0);
    log_range_release(&range);
    fixture_deinit(&f);
}

/* Between a reader's look at the log and its search it was written. */
TEST(what_was_held_a_moment_ago_is_found_in_the_file)
{
    struct fixture f;
    struct log_view view;
    struct log_range range;
    log_begin(&f);
    fixture_fill(&f, 5, 2, 100);
    struct log_position end = partition_log_written(f.log);
    CHECK_EQUAL(partition_log_view(f.log, 4, &end, &view), ERR_OK);
    CHECK_EQUAL(segment_settle(f.log->active, ENV_WAIT), ERR_OK);
    fixture_fill(&f, 5, 2, 100);
    CHECK(segment_is_behind(f.log->active));
    CHECK_EQUAL(log_view_find(&view, 4, 1 << 20, true, ENV_WAIT, &range), ERR_OK);
    CHECK(range.file != NULL && range.base_offset == 4);
    CHECK_EQUAL(range.pos + range.len, end.pos);
    log_range_release(&range);
    log_view_release(&view);
    fixture_deinit(&f);
}

TEST(small_commits_become_one_write)
{
    struct fixture f;
    log_begin(&f);
    int writes = f.m.writes;
    fixture_fill(&f, 40, 2, 100); /* some 280 bytes each */
    CHECK(f.m.writes - writes <= 5);
    CHECK(log_file_bytes(&f) < (size_t)partition_log_size_bytes(f.log));
    struct log_position durable;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    CHECK_EQUAL(durable.offset, 80);
    partition_log_publish_sealed(f.log, &durable);
    CHECK_EQUAL(f.log->held.at.offset, -1);
    CHECK_EQUAL(log_file_bytes(&f), partition_log_size_bytes(f.log));
    log_again(&f, 80);
    fixture_deinit(&f);
}

TEST(a_large_commit_and_a_roll_write_first_what_is_held)
{
    struct fixture f;
    log_begin(&f);
    f.config.segment_bytes = 9000;
    partition_log_set_config(f.log, &f.config);
    fixture_fill(&f, 3, 2, 100);
    fixture_fill(&f, 1, 2, 2500); /* more than may be held */
    CHECK(!segment_is_behind(f.log->active));
    fixture_fill(&f, 3, 2, 100);
    CHECK(segment_is_behind(f.log->active));
    CHECK_EQUAL(f.log->held.at.offset, 8);
    fixture_fill(&f, 10, 2, 600);
    CHECK(partition_log_segment_count(f.log) > 1);
    struct log_position durable;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    log_again(&f, 34);
    fixture_deinit(&f);
}

TEST(what_is_answered_before_it_is_durable_is_written_at_once)
{
    struct fixture f;
    struct log_commit commit;
    struct fixture_batch batch = {.records = 2, .payload = 100, .producer_id = -1};
    log_begin(&f);
    fixture_fill(&f, 2, 2, 100);
    for (int acks_one = 0; acks_one < 2; acks_one++) {
        CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
        take_another(&f, &commit);
        container_of(commit.appends.next, struct log_append, link)->wants_sync = acks_one == 0;
        CHECK(partition_log_may_journal(f.log, &commit));
        CHECK(partition_log_may_hold(f.log, &commit) == (acks_one == 0));
        give_back(&f, &commit);
    }
    f.config.ack_disk = false; /* its consumers see what is written */
    f.config.flush_messages = 1;
    partition_log_set_config(f.log, &f.config);
    fixture_fill(&f, 1, 2, 100);
    CHECK(!segment_is_behind(f.log->active));
    fixture_deinit(&f);
}

/* Holds two commits, then a third cannot be written: it is given back, the others stay. */
TEST(a_full_disk_gives_back_what_comes_and_keeps_what_is_held)
{
    struct fixture f;
    struct fixture_batch large = {.records = 2, .payload = 2500, .producer_id = -1};
    log_begin(&f);
    fixture_fill(&f, 1, 2, 100);
    fixture_fill(&f, 2, 2, 100);
    for (int at = 1; at <= 3; at++) { /* writing what is held: batches, index, and the commit */
        CHECK_EQUAL(fixture_append(&f, &large), ERR_OK);
        f.m.fail_at = at;
        f.m.fail_with = ERR_NO_SPACE;
        CHECK_EQUAL(fixture_commit(&f, false), ERR_NO_SPACE);
        CHECK_EQUAL(f.m.fail_at, 0);
        CHECK_EQUAL(partition_log_written(f.log).offset, 6);
        CHECK_EQUAL(partition_log_assigned(f.log), 6);
    }
    for (int64_t offset = 0; offset < 6; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    fixture_fill(&f, 4, 2, 100);
    struct log_position durable;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    log_again(&f, 14);
    fixture_deinit(&f);
}

TEST(a_commit_that_the_journal_refuses_is_written_or_given_back)
{
    struct fixture f;
    struct log_commit commit;
    log_begin(&f);
    fixture_fill(&f, 2, 2, 100);
    for (int at = 2; at >= 0; at--) {
        take_another(&f, &commit);
        commit.held_max = 4000;
        CHECK_EQUAL(partition_log_write(f.log, &commit), ERR_OK);
        CHECK(commit.is_held);
        f.m.fail_at = at;
        f.m.fail_with = ERR_NO_SPACE;
        CHECK_EQUAL(partition_log_unhold(f.log, &commit), at > 0 ? ERR_NO_SPACE : ERR_OK);
        if (at > 0)
            partition_log_fail(f.log, &commit);
        else
            partition_log_publish_written(f.log, &commit);
        fixture_free_appends(&commit.appends);
        CHECK_EQUAL(partition_log_assigned(f.log), at > 0 ? 4 : 6);
        CHECK(segment_is_behind(f.log->active) == (at > 0));
    }
    log_again(&f, 6);
    fixture_deinit(&f);
}

TEST(a_flush_without_room_may_be_repeated)
{
    struct fixture f;
    struct log_position durable;
    struct log_fault fault;
    log_begin(&f);
    fixture_fill(&f, 3, 2, 100);
    f.m.fail_at = 1;
    f.m.fail_with = ERR_NO_SPACE;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_NO_SPACE);
    CHECK(partition_log_take_fault(f.log, &fault) && fault.step == LOG_STEP_WRITE);
    CHECK_EQUAL(fault.at.pos, 0);
    fixture_fill(&f, 3, 2, 100);
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    CHECK_EQUAL(durable.offset, 12);
    log_again(&f, 12);
    fixture_fill(&f, 2, 2, 100);
    f.m.fail_at = 1;
    f.m.fail_with = ERR_IO;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_IO);
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_IO); /* for good */
    fixture_deinit(&f);
}

/* ---- beside others */

static struct env_ops hooked;
static const struct env_ops *plain;
static struct fixture *hooked_fixture;

static void hook_opens(struct fixture *f,
                       enum err (*open)(struct env *, const char *, unsigned, struct env_file **))
{
    plain = f->m.env.ops;
    hooked = *plain;
    hooked.file_open = open;
    hooked_fixture = f;
    f->m.env.ops = &hooked;
}

static enum err open_fails(struct env *env, const char *path, unsigned flags, struct env_file **out)
{
    return ERR_FULL;
}

/* As if the writer held two more commits while a reader is about to write. */
static enum err open_and_hold(struct env *env, const char *path, unsigned flags,
                              struct env_file **out)
{
    env->ops = plain;
    fixture_fill(hooked_fixture, 2, 2, 100);
    return plain->file_open(env, path, flags, out);
}

TEST(what_is_held_while_others_write_stays_held)
{
    struct fixture f;
    struct log_range range;
    log_begin(&f);
    fixture_fill(&f, 6, 2, 100);
    segment_close_files(f.log->active);
    hook_opens(&f, open_and_hold);
    CHECK_EQUAL(segment_settle(f.log->active, ENV_WAIT), ERR_OK);
    CHECK(segment_is_behind(f.log->active));
    CHECK_EQUAL(partition_log_written(f.log).offset, 16);
    for (int64_t offset = 0; offset < 16; offset++)
        CHECK_EQUAL(fixture_read(&f, offset), offset - offset % 2);
    /* A limit whose place nobody knows, where what is held begins now, and a reader before it. */
    struct log_position limit = {.offset = 12, .segment_base = -1, .pos = -1};
    CHECK_EQUAL(find_below(&f, 4, &limit, 1 << 20, true, &range), ERR_OK);
    CHECK(range.file != NULL && range.base_offset == 4 && range.len == 4 * range.first_batch_bytes);
    log_range_release(&range);
    struct log_position durable;
    CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
    log_again(&f, 16);
    fixture_deinit(&f);
}

/* The cache closed its files, and the system has no descriptor: a commit is given back, no more. */
TEST(without_descriptors_a_commit_is_given_back_and_the_next_one_goes_on)
{
    for (int held = 0; held < 2; held++) {
        struct fixture f;
        struct log_commit commit;
        struct log_position durable;
        log_begin(&f);
        fixture_fill(&f, 3, 2, 100);
        segment_close_files(f.log->active);
        take_another(&f, &commit);
        commit.held_max = held > 0 ? 4000 : 0;
        if (held > 0)
            CHECK_EQUAL(partition_log_write(f.log, &commit), ERR_OK);
        hook_opens(&f, open_fails);
        CHECK_EQUAL(held > 0 ? partition_log_unhold(f.log, &commit)
                             : partition_log_write(f.log, &commit),
                    ERR_FULL);
        give_back(&f, &commit);
        CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_FULL);
        f.m.env.ops = plain;
        CHECK(f.log->needs_cut && !f.log->is_broken);
        fixture_fill(&f, 1, 2, 100);
        CHECK(!f.log->needs_cut);
        CHECK_EQUAL(partition_log_flush(f.log, &durable), ERR_OK);
        log_again(&f, 8);
        fixture_deinit(&f);
    }
}

/* A search by time that began before its topic was deleted, and made again at the same place. */
TEST(a_late_search_writes_nothing_into_another_topic)
{
    struct fixture f;
    struct log_segments search, all;
    struct log_time_match match;
    char renamed[LOG_PATH_SIZE];
    log_begin(&f);
    fixture_fill(&f, 5, 2, 100);
    CHECK(segment_is_behind(f.log->active));
    struct log_position end = partition_log_written(f.log);
    partition_log_segments(f.log, &end, &search);
    partition_log_hold_segments(f.log, &all);
    log_segments_end(&all);
    log_segments_release(&all);
    fixture_free(&f);
    CHECK_EQUAL(partition_log_doom_dir(&f.m.env, "t-0", renamed), ERR_OK);
    f.held_max = 0;
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 3, 2, 77);
    size_t size = log_file_bytes(&f);
    (void)!log_segments_find_time(&search, 0, &match);
    log_segments_release(&search);
    CHECK_EQUAL(log_file_bytes(&f), size);
    log_again(&f, 6);
    fixture_deinit(&f);
}

/* Whatever call fails: nothing that was held is lost but with the log itself. */
TEST(what_is_held_survives_each_io_failure)
{
    for (int at = 1;; at++) {
        struct fixture f;
        struct log_position durable;
        struct fixture_batch batch = {.records = 2, .payload = 600, .producer_id = -1};
        log_begin(&f);
        f.config.segment_bytes = 6000;
        partition_log_set_config(f.log, &f.config);
        f.m.fail_at = at;
        f.m.fail_with = at % 2 == 0 ? ERR_IO : ERR_NO_SPACE;
        bool is_lost = false;
        for (int i = 0; i < 8 && !is_lost; i++) {
            CHECK_EQUAL(fixture_append(&f, &batch), ERR_OK);
            enum err e = fixture_commit(&f, false);
            CHECK(e == ERR_OK || f.m.fail_at == 0);
            is_lost = e != ERR_OK && e != ERR_NO_SPACE;
        }
        bool is_over = f.m.fail_at > 0;
        f.m.fail_at = 0;
        int64_t end = partition_log_written(f.log).offset;
        if (!is_lost && partition_log_flush(f.log, &durable) == ERR_OK) {
            CHECK_EQUAL(durable.offset, end);
            log_again(&f, end);
        }
        fixture_deinit(&f);
        if (is_over)
            break;
    }
}
