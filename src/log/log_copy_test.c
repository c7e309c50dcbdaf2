// SPDX-License-Identifier: Apache-2.0
/* The files of a log are copied while retention takes some of them out. Thread: the test's. */
#include "log/log_copy.h"

#include <string.h>

#include "base/mem.h"
#include "base/testing.h"
#include "log/log_file.h"
#include "log/log_fixture.h"
#include "log/log_move.h"

enum { BATCHES = 12, RETIRED = 3 };

static void copy_all(struct fixture *f, struct log_copy *copy)
{
    struct log_segments source;
    int64_t bytes = 0;
    partition_log_copy_source(f->log, &source);
    log_copy_take(copy, &source);
    enum err e = ERR_OK;
    while (e == ERR_OK)
        e = log_copy_step(copy, LOG_COPY_PIECE_BYTES, &bytes);
    CHECK_EQUAL(e, ERR_NOT_FOUND);
}

/* The first segments go when they have been copied already. */
static void retire_some(struct fixture *f, struct list *retired)
{
    list_init(retired);
    partition_log_raise_start(f->log, RETIRED);
    CHECK_EQUAL(partition_log_retire(f->log, env_wall_ms(&f->m.env),
                                     partition_log_written(f->log).offset, false, retired),
                RETIRED);
    CHECK_EQUAL(partition_log_delete_segments(f->log, retired), ERR_OK);
}

static void count_logs(void *arg, const char *name, bool is_dir)
{
    struct log_file_name parsed;
    if (log_file_name_parse(name, &parsed) && parsed.kind == LOG_FILE_LOG)
        (*(int *)arg)++;
}

static bool seal_survives_a_failure(int fail_at)
{
    struct fixture f;
    struct list retired;
    fixture_init(&f);
    f.config.segment_bytes = 200; /* one batch each */
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, BATCHES, 1, 100);
    struct log_copy *copy = log_copy_new(&f.m.env, NULL, "t-0-future");
    CHECK_EQUAL(log_copy_begin(copy), ERR_OK);
    copy_all(&f, copy);
    retire_some(&f, &retired);
    copy_all(&f, copy);
    f.m.fail_at = fail_at;
    bool is_sealed = log_copy_seal(copy, "0\n0\n", 4) == ERR_OK;
    f.m.fail_at = 0;
    int logs = 0;
    CHECK_EQUAL(env_dir_list(&f.m.env, "t-0-future", count_logs, &logs), ERR_OK);
    CHECK(is_sealed ? logs == BATCHES - RETIRED : logs >= BATCHES - RETIRED);
    CHECK_EQUAL(log_copy_end_offset(copy), BATCHES);
    log_copy_free(copy);
    partition_log_unlink_retired(&f.m.env, &retired);
    fixture_free(&f);
    fixture_deinit(&f);
    return is_sealed;
}

/* Also while it takes out again what retention took out. */
TEST(a_copy_is_sealed_or_freed_whichever_call_fails)
{
    int fail_at = 1;
    while (!seal_survives_a_failure(fail_at))
        fail_at++;
    CHECK(fail_at > RETIRED);
}

TEST(a_copy_whose_directory_somebody_removes_is_over)
{
    struct fixture f;
    struct log_segments source;
    int64_t bytes = 0;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, 1, 1, 100);
    struct log_copy *copy = log_copy_new(&f.m.env, NULL, "t-0-future");
    CHECK_EQUAL(log_copy_begin(copy), ERR_OK);
    CHECK_EQUAL(log_file_remove_dir(&f.m.env, "t-0-future"), ERR_OK);
    partition_log_copy_source(f.log, &source);
    log_copy_take(copy, &source);
    CHECK_EQUAL(log_copy_step(copy, LOG_COPY_PIECE_BYTES, &bytes), ERR_CORRUPT);
    log_copy_free(copy);
    fixture_free(&f);
    fixture_deinit(&f);
}

TEST(what_recovery_set_aside_is_copied_too)
{
    static const char name[] = "00000000000000000000-61.rot";
    struct fixture f;
    fixture_init(&f);
    CHECK_EQUAL(fixture_open(&f), ERR_OK);
    fixture_fill(&f, BATCHES, 1, 100);
    CHECK_EQUAL(log_file_replace(&f.m.env, "t-0", name, "rot", 3), ERR_OK);
    struct log_copy *copy = log_copy_new(&f.m.env, NULL, "t-0-future");
    CHECK_EQUAL(log_copy_begin(copy), ERR_OK);
    copy_all(&f, copy);
    log_copy_free(copy);
    uint8_t *data = NULL;
    size_t size = 0;
    CHECK_EQUAL(log_file_read(&f.m.env, "t-0-future", name, 100, &data, &size), ERR_OK);
    CHECK(size == 3 && memcmp(data, "rot", 3) == 0);
    mem_free(data);
    fixture_free(&f);
    fixture_deinit(&f);
}
