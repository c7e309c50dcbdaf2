// SPDX-License-Identifier: Apache-2.0
/*
 * segment_fuzz: a partition's directory with foreign bytes in its .log, .index and .timeindex,
 * opened as after a crash or a clean stop, read by offset and time, stopped, opened
 * again. The bytes are either taken as they are, or are damages done to a good log.
 *
 * Thread: main.
 */
#include "base/assert.h"
#include "env/mem_env.h"
#include "log/partition_log.h"
#include "wire/batch_builder.h"

int fuzz_segment(const uint8_t *data, size_t size);

enum { GOOD_BATCHES = 6, HEAD_BYTES = 4 };

static const char *const names[] = {"t-0/00000000000000000000.log",
                                    "t-0/00000000000000000000.index",
                                    "t-0/00000000000000000000.timeindex"};

static void add_good_batch(struct batch_builder *b, struct batch_buffer *out, int64_t offset)
{
    struct batch_options options = batch_options_default();
    options.base_offset = offset;
    options.leader_epoch = (int32_t)(offset / 4);
    options.producer_id = offset % 3;
    options.producer_epoch = 0;
    options.base_sequence = (int32_t)offset;
    options.codec = offset % 4 == 2 ? COMPRESS_LZ4 : COMPRESS_NONE;
    batch_builder_start(b, &options);
    for (int i = 0; i < 2; i++) {
        struct record r = {.timestamp = 1000 + offset + i,
                           .key = {.len = -1},
                           .value = {(const uint8_t *)"some value", 10}};
        enum err e = batch_builder_add(b, &r);
        ASSERT(e == ERR_OK);
    }
    enum err e = batch_builder_finish(b, out);
    ASSERT(e == ERR_OK);
}

/* A good log, and three bytes of the input for each damage: a position and what to xor. */
static void put_damaged(struct mem_env *m, const uint8_t *data, size_t size)
{
    struct batch_builder b;
    struct batch_buffer log;
    batch_builder_init(&b);
    batch_buffer_init(&log, SIZE_MAX);
    for (int64_t offset = 0; offset < 2 * GOOD_BATCHES; offset += 2)
        add_good_batch(&b, &log, offset);
    for (; size >= 3; data += 3, size -= 3)
        log.data[(data[0] << 8 | data[1]) % log.len] ^= data[2];
    mem_env_put_file(m, names[0], log.data, size == 2 ? data[1] * log.len / 256 : log.len);
    batch_buffer_deinit(&log);
    batch_builder_deinit(&b);
}

static void put_files(struct mem_env *m, const uint8_t *data, size_t size)
{
    if ((data[0] & 1) != 0) {
        size_t damages = data[0] >> 2 & 7; /* few: most of the log stays good */
        put_damaged(m, data + HEAD_BYTES, MIN(size - HEAD_BYTES, 3 * damages + 2));
        return;
    }
    data += HEAD_BYTES;
    size -= HEAD_BYTES;
    size_t third = size / 4;
    mem_env_put_file(m, names[0], data + 2 * third, size - 2 * third);
    mem_env_put_file(m, names[1], data, third);
    mem_env_put_file(m, names[2], data + third, third);
}

/* Nothing is expected but that it ends. */
static void read_some(struct partition_log *log, int64_t time)
{
    struct log_position end = partition_log_written(log);
    int64_t offset = partition_log_start_offset(log);
    for (int i = 0; i < 50 && offset < end.offset; i++) {
        struct log_view view;
        struct log_range range;
        enum err e = partition_log_view(log, offset, &end, &view);
        ASSERT(e == ERR_OK);
        if (view.segment == NULL)
            break;
        e = log_view_find(&view, offset, 100, true, ENV_WAIT, &range);
        if (e == ERR_OK) {
            ASSERT(range.len == 0 || range.pos + range.len <= view.end_pos);
            log_range_release(&range);
        }
        log_view_release(&view);
        offset += i < 30 ? 1 : 1 + (end.offset - offset) / 2;
    }
    struct log_segments segments;
    struct log_time_match match;
    partition_log_segments(log, &end, &segments);
    enum err e = log_segments_find_time(&segments, time, &match);
    if (e == ERR_OK)
        e = log_segments_find_max_time(&segments, &match);
    log_segments_release(&segments);
}

int fuzz_segment(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    struct mem_env m;
    mem_env_init(&m);
    enum err e = env_dir_make(&m.env, "t-0");
    ASSERT(e == ERR_OK);
    put_files(&m, data, size);
    struct log_config config = {.segment_bytes = 1 << 20,
                                .segment_ms = INT64_MAX,
                                .segment_index_bytes = 1 << 20,
                                .index_interval_bytes = data[1],
                                .flush_messages = INT64_MAX,
                                .flush_ms = INT64_MAX,
                                .ack_disk = true};
    struct log_open_options options = {.dir = "t-0",
                                       .recovery_point = data[2] % 16,
                                       .was_clean = (data[0] & 2) != 0,
                                       .config = &config};
    struct log_open_report report;
    struct partition_log *log = NULL;
    if (partition_log_open(&m.env, &options, &report, &log) == ERR_OK) {
        int64_t end = partition_log_written(log).offset;
        read_some(log, 1000 + data[3]);
        int64_t recovery_point = 0;
        e = partition_log_close_clean(log, &recovery_point);
        ASSERT(e == ERR_OK && recovery_point == end);
        partition_log_free(log);
        log = NULL;
        options.was_clean = true;
        options.recovery_point = recovery_point;
        e = partition_log_open(&m.env, &options, &report, &log);
        ASSERT(e == ERR_OK && partition_log_written(log).offset == end);
        partition_log_free(log);
    }
    mem_env_deinit(&m);
    return 0;
}
