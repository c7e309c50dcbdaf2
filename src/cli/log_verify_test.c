// SPDX-License-Identifier: Apache-2.0
/* log_verify_test: what is said of good and bad files of a log. Thread: main. */
#include "cli/log_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"
#include "log/log_file.h"
#include "log/producer_state.h"
#include "wire/batch_builder.h"

#define LOG_PATH "/00000000000000000000.log"

struct fixture {
    struct mem_env m;
    struct verify v;
    struct batch_buffer log;
    int64_t positions[8]; /* of the batches */
    int count;
};

static void on_fault(struct log_scan *s, int64_t pos, const char *text)
{
    struct verify *v = s->owner;
    verify_say(v, v->is_excused ? &v->notes : &v->faults, s->path, pos, text);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.count = 0};
    mem_env_init(&f->m);
    log_scan_init(&f->v.scan, &f->m.env);
    batch_buffer_init(&f->log, SIZE_MAX);
    f->v.scan.owner = &f->v;
    f->v.scan.is_deep = true;
    f->v.scan.fault = on_fault;
}

static void forget(struct fixture *f)
{
    verify_faults_free(&f->v.faults);
    verify_faults_free(&f->v.notes);
}

static void teardown(struct fixture *f)
{
    forget(f);
    log_scan_deinit(&f->v.scan);
    batch_buffer_deinit(&f->log);
    mem_env_deinit(&f->m);
}

/* Three records at these offsets and times. */
static void add_batch(struct fixture *f, int64_t base_offset, int32_t epoch, int64_t timestamp,
                      enum compress_codec codec)
{
    struct batch_options options = batch_options_default();
    options.codec = codec;
    options.base_offset = base_offset;
    options.leader_epoch = epoch;
    struct batch_builder b;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    for (int i = 0; i < 3; i++) {
        static const uint8_t text[] = "a value, a value, a value";
        struct record r = {
            .timestamp = timestamp + i, .key = {text, i}, .value = {text, (int32_t)sizeof(text)}};
        CHECK_EQUAL(batch_builder_add(&b, &r), ERR_OK);
    }
    f->positions[f->count++] = (int64_t)f->log.len;
    CHECK_EQUAL(batch_builder_finish(&b, &f->log), ERR_OK);
    batch_builder_deinit(&b);
}

static void four_batches(struct fixture *f)
{
    static const enum compress_codec codecs[] = {COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_LZ4,
                                                 COMPRESS_ZSTD};
    for (int i = 0; i < 4; i++)
        add_batch(f, 3 * i, i / 2, 1000 + 10 * i, codecs[i]);
}

static void put(struct fixture *f, const char *path, const void *data, size_t size)
{
    struct env_file *file = NULL;
    struct iovec iov = {(void *)(uintptr_t)data, size};
    CHECK_EQUAL(env_file_open(&f->m.env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file),
                ERR_OK);
    if (size > 0)
        CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    env_file_unref(file);
}

static void put_text(struct fixture *f, const char *path, const char *text)
{
    put(f, path, text, strlen(text));
}

static struct verify_segment look_at(struct fixture *f, size_t size)
{
    struct verify_segment segment = {
        .path = LOG_PATH, .recovery_point = -1, .has_indexes = true, .is_last = true};
    put(f, LOG_PATH, f->log.data, size);
    verify_segment(&f->v, &segment);
    return segment;
}

/* The one thing that was found. */
static void check_fault(struct fixture *f, const char *path, int64_t pos, const char *part)
{
    CHECK_EQUAL(f->v.faults.count, 1);
    if (f->v.faults.count != 1)
        return;
    CHECK_TEXT(f->v.faults.items[0].path, path);
    CHECK_EQUAL(f->v.faults.items[0].pos, pos);
    CHECK(strstr(f->v.faults.items[0].text, part) != NULL);
    forget(f);
}

TEST(a_good_segment_has_no_faults)
{
    struct fixture f;
    setup(&f);
    four_batches(&f);
    struct verify_segment s = look_at(&f, f.log.len);
    CHECK(s.is_read);
    CHECK_EQUAL(f.v.faults.count, 0);
    CHECK_EQUAL(f.v.scan.batches, 4);
    CHECK_EQUAL(f.v.scan.records, 12);
    CHECK_EQUAL(s.facts.first_offset, 0);
    CHECK_EQUAL(s.facts.next_offset, 12);
    CHECK_EQUAL(s.facts.max_timestamp, 1032);
    CHECK_EQUAL(s.facts.last_epoch, 1);
    CHECK_EQUAL(s.facts.tail, LOG_TAIL_NONE);
    teardown(&f);
}

/* Every byte that a checksum or a length covers: something is found, and what follows is read. */
TEST(each_changed_byte_is_found)
{
    struct fixture f;
    setup(&f);
    four_batches(&f);
    for (size_t at = 0; at < f.log.len; at++) {
        bool is_outside = false; /* base offset and epoch: no checksum covers them */
        for (int i = 0; i < f.count; i++) {
            int64_t in_batch = (int64_t)at - f.positions[i];
            is_outside |= in_batch >= 0 && (in_batch < 8 || (in_batch >= 12 && in_batch < 16));
        }
        if (is_outside)
            continue;
        f.log.data[at] ^= 0x10;
        f.v.scan.batches = 0;
        struct verify_segment s = look_at(&f, f.log.len);
        CHECK(f.v.faults.count > 0);
        CHECK(f.v.scan.batches >= 3);
        CHECK(s.is_read);
        f.log.data[at] ^= 0x10;
        forget(&f);
    }
    teardown(&f);
}

TEST(a_torn_tail_is_told_apart_from_zeros)
{
    struct fixture f;
    setup(&f);
    four_batches(&f);
    /* The seven bytes before that are zeros: its offset is small. */
    for (int64_t size = f.positions[3] + 8; size < (int64_t)f.log.len; size++) {
        struct verify_segment s = look_at(&f, (size_t)size);
        CHECK_EQUAL(s.facts.tail, LOG_TAIL_TORN);
        CHECK_EQUAL(s.facts.end, f.positions[3]);
        check_fault(&f, LOG_PATH, f.positions[3], "no good one behind it");
    }
    size_t end = f.log.len;
    CHECK_EQUAL(batch_buffer_reserve(&f.log, 100), ERR_OK);
    memset(f.log.data + end, 0, 100);
    struct verify_segment s = look_at(&f, end + 100);
    CHECK_EQUAL(s.facts.tail, LOG_TAIL_ZEROS);
    CHECK_EQUAL(s.facts.end, end);
    CHECK_EQUAL(f.v.faults.count, 0);
    teardown(&f);
}

/* What a broker is writing, or has left when it was killed, is no fault. */
TEST(a_torn_tail_of_a_log_in_use_is_a_note)
{
    struct fixture f;
    setup(&f);
    four_batches(&f);
    f.v.home = (struct verify_home){.is_known = true, .is_in_use = true};
    look_at(&f, f.log.len - 1);
    CHECK_EQUAL(f.v.faults.count, 0);
    CHECK_EQUAL(f.v.notes.count, 1);
    forget(&f);
    f.v.home = (struct verify_home){.is_known = true};
    look_at(&f, f.log.len - 1);
    CHECK_EQUAL(f.v.faults.count, 0);
    CHECK_EQUAL(f.v.notes.count, 1);
    forget(&f);
    f.v.home = (struct verify_home){.is_known = true, .is_clean = true};
    look_at(&f, f.log.len - 1);
    check_fault(&f, LOG_PATH, f.positions[3], "no good one behind it");
    teardown(&f);
}

TEST(offsets_and_epochs_must_rise)
{
    struct fixture f;
    setup(&f);
    add_batch(&f, 0, 1, 1000, COMPRESS_NONE);
    add_batch(&f, 2, 1, 1000, COMPRESS_NONE);
    look_at(&f, f.log.len);
    check_fault(&f, LOG_PATH, f.positions[1], "a batch at offset 2 behind one that ends at 2");
    f.log.len = 0;
    f.count = 0;
    add_batch(&f, 0, 1, 1000, COMPRESS_NONE);
    add_batch(&f, 3, 0, 1000, COMPRESS_NONE);
    look_at(&f, f.log.len);
    check_fault(&f, LOG_PATH, f.positions[1], "leader epoch 0 behind one of 1");
    teardown(&f);
}

TEST(old_messages_are_called_so)
{
    struct fixture f;
    setup(&f);
    uint8_t message[34] = {0};
    bytes_store_u32(message + 8, sizeof(message) - 12);
    message[16] = 1;
    CHECK_EQUAL(batch_buffer_add(&f.log, message, sizeof(message)), ERR_OK);
    message[7] = 1;
    CHECK_EQUAL(batch_buffer_add(&f.log, message, sizeof(message)), ERR_OK);
    add_batch(&f, 2, 0, 1000, COMPRESS_NONE);
    look_at(&f, f.log.len);
    check_fault(&f, LOG_PATH, 0, "old format: 2 messages of version 1");
    CHECK_EQUAL(f.v.scan.batches, 1);
    teardown(&f);
}

/* ---- indexes */

static void entry(uint8_t *out, uint32_t offset, int64_t pos)
{
    bytes_store_u32(out, offset);
    bytes_store_u32(out + 4, (uint32_t)pos);
}

TEST(an_index_leads_to_batches)
{
    static const char path[] = "/00000000000000000000.index";
    struct fixture f;
    uint8_t index[3 * 8] = {0};
    setup(&f);
    four_batches(&f);
    entry(index, 5, f.positions[1]);
    entry(index + 8, 11, f.positions[3]); /* then zeros: preallocated */
    put(&f, path, index, sizeof(index));
    look_at(&f, f.log.len);
    CHECK_EQUAL(f.v.faults.count, 0);
    entry(index + 8, 11, f.positions[3] + 1);
    put(&f, path, index, 16);
    look_at(&f, f.log.len);
    check_fault(&f, path, 8, "behind the last batch");
    entry(index, 5, f.positions[1] - 1);
    put(&f, path, index, 8);
    look_at(&f, f.log.len);
    check_fault(&f, path, 0, "where no batch begins");
    entry(index, 4, f.positions[1]);
    put(&f, path, index, 8);
    look_at(&f, f.log.len);
    check_fault(&f, path, 0, "whose last is 5");
    entry(index, 8, f.positions[1]); /* of an append of two batches */
    put(&f, path, index, 8);
    look_at(&f, f.log.len);
    CHECK_EQUAL(f.v.faults.count, 0);
    entry(index, 6, f.positions[1]);
    put(&f, path, index, 8);
    look_at(&f, f.log.len);
    check_fault(&f, path, 0, "where no batch ends");
    entry(index, 12, f.positions[3]);
    put(&f, path, index, 8);
    look_at(&f, f.log.len);
    check_fault(&f, path, 0, "where no batch ends");
    entry(index, 5, f.positions[1]);
    put(&f, path, index, 9);
    look_at(&f, f.log.len);
    check_fault(&f, path, 8, "no whole entry");
    memset(index, 0, sizeof(index));
    entry(index + 16, 5, f.positions[1]);
    put(&f, path, index, sizeof(index));
    look_at(&f, f.log.len);
    check_fault(&f, path, 16, "behind zeros");
    teardown(&f);
}

static void time_entry(uint8_t *out, int64_t timestamp, uint32_t offset)
{
    bytes_store_u64(out, (uint64_t)timestamp);
    bytes_store_u32(out + 8, offset);
}

TEST(a_time_index_has_the_largest_times)
{
    static const char path[] = "/00000000000000000000.timeindex";
    struct fixture f;
    uint8_t index[2 * 12];
    setup(&f);
    four_batches(&f);
    time_entry(index, 1012, 5);
    time_entry(index + 12, 1032, 11);
    put(&f, path, index, sizeof(index));
    look_at(&f, f.log.len);
    CHECK_EQUAL(f.v.faults.count, 0);
    time_entry(index + 12, 1031, 11);
    put(&f, path, index, sizeof(index));
    look_at(&f, f.log.len);
    check_fault(&f, path, 12, "where the largest is 1032");
    time_entry(index + 12, 1032, 12);
    put(&f, path, index, sizeof(index));
    look_at(&f, f.log.len);
    check_fault(&f, path, 12, "behind the last batch");
    time_entry(index + 12, 1012, 5);
    put(&f, path, index, sizeof(index));
    look_at(&f, f.log.len);
    check_fault(&f, path, 12, "does not rise");
    teardown(&f);
}

/* ---- small files */

static void look_at_text(struct fixture *f, const char *path, const char *text)
{
    put_text(f, path, text);
    verify_other(&f->v, path, log_kind_of(log_path_name(path)));
}

TEST(checkpoints_are_read_to_their_end)
{
    struct fixture f;
    setup(&f);
    look_at_text(&f, "/leader-epoch-checkpoint", "0\n2\n1 0\n3 9\n");
    look_at_text(&f, "/replication-offset-checkpoint", "0\n1\nt 0 17\n");
    look_at_text(&f, "/partition.metadata", "version: 0\ntopic_id: AAAAAAAAQACAAAAAAAAAAA");
    look_at_text(&f, "/meta.properties", "version=1\nnode.id=1\ncluster.id=c\n");
    CHECK_EQUAL(f.v.faults.count, 0);
    look_at_text(&f, "/leader-epoch-checkpoint", "0\n2\n1 9\n3 9\n");
    check_fault(&f, "/leader-epoch-checkpoint", 8, "behind epoch 1 at 9");
    look_at_text(&f, "/leader-epoch-checkpoint", "0\n2\n1 9\n");
    check_fault(&f, "/leader-epoch-checkpoint", 8, "no line");
    look_at_text(&f, "/replication-offset-checkpoint", "0\n1\nt 0 x\n");
    check_fault(&f, "/replication-offset-checkpoint", 8, "no line");
    look_at_text(&f, "/partition.metadata", "version: 0\n");
    check_fault(&f, "/partition.metadata", 0, "not \"version: 0\"");
    look_at_text(&f, "/meta.properties", "version=0\n");
    check_fault(&f, "/meta.properties", -1, "version 0, not 1");
    teardown(&f);
}

TEST(a_snapshot_has_a_checksum_and_knows_its_offset)
{
    static const char path[] = "/00000000000000000007.snapshot";
    /* One producer whose last offset is 6; made with the code that writes them. */
    struct fixture f;
    struct producer_state known;
    uint8_t bytes[64];
    setup(&f);
    producer_state_init(&known);
    struct batch_header header = {
        .base_offset = 4, .last_offset_delta = 2, .producer_id = 9, .record_count = 3};
    CHECK_EQUAL(producer_state_add(&known, &header, 0, NULL), ERR_OK);
    size_t size = producer_snapshot_size(&known);
    CHECK(size <= sizeof(bytes));
    producer_snapshot_write(&known, bytes, size);
    put(&f, path, bytes, size);
    verify_other(&f.v, path, LOG_KIND_SNAPSHOT);
    CHECK_EQUAL(f.v.faults.count, 0);
    put(&f, "/00000000000000000006.snapshot", bytes, size);
    verify_other(&f.v, "/00000000000000000006.snapshot", LOG_KIND_SNAPSHOT);
    check_fault(&f, "/00000000000000000006.snapshot", 10, "behind the snapshot's own");
    bytes[size - 1] ^= 1;
    put(&f, path, bytes, size);
    verify_other(&f.v, path, LOG_KIND_SNAPSHOT);
    CHECK(f.v.faults.count > 0);
    CHECK_EQUAL(f.v.faults.items[0].pos, 2);
    producer_state_deinit(&known);
    teardown(&f);
}

/* ---- segments that are not there */

/* A log directory whose checkpoints say that `t-0` ended at 12 when they were written. */
static void a_log_dir(struct fixture *f, bool is_clean)
{
    setup(f);
    CHECK_EQUAL(env_dir_make(&f->m.env, "/d"), ERR_OK);
    CHECK_EQUAL(env_dir_make(&f->m.env, "/d/t-0"), ERR_OK);
    put_text(f, "/d/meta.properties", "version=1\nnode.id=1\ncluster.id=c\n");
    put_text(f, "/d/recovery-point-offset-checkpoint", "0\n1\nt 0 12\n");
    put_text(f, "/d/replication-offset-checkpoint", "0\n1\nt 0 12\n");
    put_text(f, "/d/t-0/leader-epoch-checkpoint", "0\n1\n0 0\n");
    if (is_clean)
        put_text(f, "/d/.kafka_cleanshutdown", "");
}

/* Two batches each, from offset 0 and from 6 on. */
static void put_segment(struct fixture *f, int64_t base_offset)
{
    char path[LOG_PATH_SIZE];
    f->log.len = 0;
    f->count = 0;
    add_batch(f, base_offset, 0, 1000, COMPRESS_NONE);
    add_batch(f, base_offset + 3, 0, 1000, COMPRESS_NONE);
    snprintf(path, sizeof(path), "/d/t-0/%020" PRId64 ".log", base_offset);
    put(f, path, f->log.data, f->log.len);
}

static void look_at_partition(struct fixture *f)
{
    verify_home_free(&f->v.home);
    verify_home_read(&f->v, "/d");
    verify_partition(&f->v, "/d/t-0");
}

static void end_log_dir(struct fixture *f)
{
    verify_home_free(&f->v.home);
    teardown(f);
}

TEST(a_log_that_lost_all_its_segments_is_not_empty)
{
    static const char recovery_points[] = "/d/recovery-point-offset-checkpoint";
    for (int is_clean = 0; is_clean < 2; is_clean++) {
        struct fixture f;
        a_log_dir(&f, is_clean);
        look_at_partition(&f);
        CHECK_EQUAL(f.v.faults.count, 2);
        for (size_t i = 0; i < f.v.faults.count; i++) {
            CHECK_TEXT(f.v.faults.items[i].path, "/d/t-0");
            CHECK(strstr(f.v.faults.items[i].text, "12 by its checkpoint, and there is no "
                                                   "segment") != NULL);
        }
        forget(&f);
        put_text(&f, recovery_points, ""); /* nothing was synced yet, and consumers had it */
        look_at_partition(&f);
        check_fault(&f, "/d/t-0", -1, "the high watermark is 12");
        put_text(&f, "/d/replication-offset-checkpoint", "0\n1\nt 0 0\n");
        look_at_partition(&f);
        CHECK_EQUAL(f.v.faults.count, 0); /* one that was just made */
        end_log_dir(&f);
    }
}

/* A log that was emptied still has a last segment, named by its begin. */
TEST(an_emptied_log_has_not_lost_anything)
{
    struct fixture f;
    a_log_dir(&f, true);
    put_text(&f, "/d/log-start-offset-checkpoint", "0\n1\nt 0 12\n");
    put_text(&f, "/d/t-0/00000000000000000012.log", "");
    look_at_partition(&f);
    CHECK_EQUAL(f.v.faults.count, 0);
    end_log_dir(&f);
}

/* After a crash a log may end before its high watermark, and never before its recovery point. */
TEST(the_end_of_a_killed_log_is_lost_only_below_its_recovery_point)
{
    struct fixture f;
    a_log_dir(&f, false);
    put_segment(&f, 0);
    look_at_partition(&f);
    check_fault(&f, "/d/t-0", -1,
                "the recovery point is 12 by its checkpoint, and the log ends at 6");
    put_text(&f, "/d/recovery-point-offset-checkpoint", "0\n1\nt 0 6\n");
    look_at_partition(&f);
    CHECK_EQUAL(f.v.faults.count, 0);
    end_log_dir(&f);
}

TEST(an_index_needs_its_segment)
{
    static const char *const names[] = {
        "/d/t-0/00000000000000000003.index",
        "/d/t-0/00000000000000000003.timeindex",
        "/d/t-0/00000000000000000003.txnindex",
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct fixture f;
        a_log_dir(&f, true);
        put_segment(&f, 0);
        put_segment(&f, 6);
        put_text(&f, names[i], "");
        look_at_partition(&f);
        check_fault(&f, names[i], -1, "an index without its .log");
        CHECK_EQUAL(env_path_unlink(&f.m.env, "/d/.kafka_cleanshutdown"), ERR_OK);
        look_at_partition(&f);
        check_fault(&f, names[i], -1, "an index without its .log");
        end_log_dir(&f);
    }
}

/* The name of a segment goes before those of its indexes, and comes after them. */
TEST(an_index_without_its_segment_may_be_left_by_a_crash)
{
    static const char *const beside[] = {"/d/t-0/00000000000000000003.log.deleted",
                                         "/d/t-0/00000000000000000003.log.swap",
                                         "/d/t-0/00000000000000000003.log.cleaned"};
    static const char index[] = "/d/t-0/00000000000000000003.index";
    for (size_t i = 0; i < ARRAY_COUNT(beside); i++) {
        struct fixture f;
        a_log_dir(&f, false);
        put_segment(&f, 0);
        put_segment(&f, 6);
        put_text(&f, index, "");
        put_text(&f, beside[i], "");
        look_at_partition(&f);
        CHECK_EQUAL(f.v.faults.count, 0);
        CHECK(f.v.notes.count > 0);
        if (f.v.notes.count > 0)
            CHECK_TEXT(f.v.notes.items[f.v.notes.count - 1].path, index);
        forget(&f);
        put_text(&f, "/d/.kafka_cleanshutdown", "");
        look_at_partition(&f);
        check_fault(&f, index, -1, "an index without its .log");
        end_log_dir(&f);
    }
    struct fixture f; /* behind the end: a segment that was begun */
    a_log_dir(&f, false);
    put_segment(&f, 0);
    put_segment(&f, 6);
    put_text(&f, "/d/t-0/00000000000000000012.index", "");
    look_at_partition(&f);
    CHECK_EQUAL(f.v.faults.count, 0);
    end_log_dir(&f);
}

/* Kafka keeps them where no segment begins. */
TEST(a_snapshot_needs_no_segment)
{
    struct fixture f;
    struct producer_state known;
    uint8_t bytes[64];
    a_log_dir(&f, true);
    put_segment(&f, 0);
    put_segment(&f, 6);
    producer_state_init(&known);
    size_t size = producer_snapshot_size(&known);
    CHECK(size <= sizeof(bytes));
    producer_snapshot_write(&known, bytes, size);
    producer_state_deinit(&known);
    put(&f, "/d/t-0/00000000000000000003.snapshot", bytes, size);
    put(&f, "/d/t-0/00000000000000000012.snapshot", bytes, size);
    look_at_partition(&f);
    CHECK_EQUAL(f.v.faults.count, 0);
    end_log_dir(&f);
}

/* ---- every call may fail: then it is told, and nothing leaks */

TEST(each_failed_read_is_told)
{
    struct fixture f;
    uint8_t index[8];
    bool failed = true;
    setup(&f);
    four_batches(&f);
    entry(index, 5, f.positions[1]);
    put(&f, LOG_PATH, f.log.data, f.log.len);
    put(&f, "/00000000000000000000.index", index, sizeof(index));
    for (int n = 1; failed; n++) {
        struct verify_segment segment = {
            .path = LOG_PATH, .recovery_point = -1, .has_indexes = true, .is_last = true};
        f.m.fail_at = n;
        f.m.fail_with = ERR_IO;
        verify_segment(&f.v, &segment);
        failed = f.m.fail_at == 0;
        CHECK_EQUAL(f.v.faults.count > 0, failed);
        CHECK_EQUAL(f.m.open_fds, 0);
        f.m.fail_at = 0;
        forget(&f);
    }
    for (int n = 1; n < 4; n++) {
        mem_fail_at(n);
        struct verify_segment segment = {.path = LOG_PATH, .recovery_point = -1, .is_last = true};
        verify_segment(&f.v, &segment);
        mem_fail_at(0);
        CHECK_EQUAL(f.m.open_fds, 0);
        forget(&f);
    }
    teardown(&f);
}
