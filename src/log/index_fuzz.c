// SPDX-License-Identifier: Apache-2.0
/*
 * index_fuzz: foreign bytes as .index and .timeindex, by themselves and beside a good sealed .log
 * that is trusted: whatever an index says, every offset leads to its batch and no other.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "env/mem_env.h"
#include "log/partition_log.h"
#include "log/segment_index.h"
#include "wire/batch_builder.h"

int fuzz_index(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 4, BATCHES = 8, RECORDS = 2, NEXT_BASE = 10, END = BATCHES * RECORDS };

#define FIRST "t-0/00000000000000000000"
#define LAST  "t-0/00000000000000000010"

static void find_some(struct mem_env *m, const uint8_t *data, size_t size)
{
    struct env_file *file = NULL;
    mem_env_put_file(m, "index", data, size);
    enum err e = env_file_open(&m->env, "index", ENV_READ, &file);
    ASSERT(e == ERR_OK);
    uint32_t count = 0;
    struct index_entry last;
    e = index_examine(file, (int64_t)1 << (data[0] % 40), &count, &last);
    ASSERT(e != ERR_OK || count <= size / 8);
    struct index_entry found;
    e = index_find(file, e == ERR_OK ? count : data[1], (uint32_t)data[2] << data[3] % 24, ENV_WAIT,
                   &found);
    ASSERT(e == ERR_OK || e == ERR_NOT_FOUND || e == ERR_CORRUPT);
    struct timeindex_entry last_time;
    e = timeindex_examine(file, &count, &last_time);
    ASSERT(e != ERR_OK || count <= size / 12);
    struct timeindex_entry found_time;
    e = timeindex_find(file, e == ERR_OK ? count : data[1], (int64_t)data[2] << data[3] % 56,
                       ENV_WAIT, &found_time);
    ASSERT(e == ERR_OK || e == ERR_NOT_FOUND || e == ERR_CORRUPT);
    env_file_unref(file);
}

/* How large one batch is. */
static uint32_t put_log(struct mem_env *m, const char *name, int64_t from, int64_t to)
{
    struct batch_builder b;
    struct batch_buffer log;
    batch_builder_init(&b);
    batch_buffer_init(&log, SIZE_MAX);
    for (int64_t offset = from; offset < to; offset += RECORDS) {
        struct batch_options options = batch_options_default();
        options.base_offset = offset;
        batch_builder_start(&b, &options);
        for (int i = 0; i < RECORDS; i++) {
            struct record r = {.timestamp = 1000 + offset + i,
                               .key = {.len = -1},
                               .value = {(const uint8_t *)"some value", 10}};
            enum err e = batch_builder_add(&b, &r);
            ASSERT(e == ERR_OK);
        }
        enum err e = batch_builder_finish(&b, &log);
        ASSERT(e == ERR_OK);
    }
    mem_env_put_file(m, name, log.data, log.len);
    uint32_t batch_bytes = (uint32_t)(log.len / (size_t)((to - from) / RECORDS));
    batch_buffer_deinit(&log);
    batch_builder_deinit(&b);
    return batch_bytes;
}

/* Entries in order, as a look at the end lets pass, most of them at batches: at the wrong ones. */
static void put_orderly(struct mem_env *m, const char *name, uint32_t batch_bytes,
                        const uint8_t *data, size_t size)
{
    enum { ENTRIES_MAX = 8 };
    uint8_t out[ENTRIES_MAX * 12];
    bool is_time = strstr(name, ".timeindex") != NULL;
    size_t len = 0;
    uint64_t key = 0;
    uint32_t value = 0;
    for (size_t i = 0; i + 1 < size && i < 2 * (size_t)(data[0] % ENTRIES_MAX); i += 2) {
        key += 1 + data[i] % 4;
        value += is_time             ? data[i + 1] % 4u
                 : data[i + 1] < 200 ? data[i + 1] % 3u * batch_bytes
                                     : data[i + 1] % 128u;
        if (is_time)
            bytes_store_u64(out + len, 1000 + key);
        else
            bytes_store_u32(out + len, (uint32_t)key);
        len += is_time ? 8 : 4;
        bytes_store_u32(out + len, value);
        len += 4;
    }
    mem_env_put_file(m, name, out, len);
}

/* Some damage to nothing but an index may take a partition offline (it names what was lost); then
 * it says so. */
static void check_reads(struct partition_log *log)
{
    struct log_position end = partition_log_written(log);
    ASSERT(end.offset == END);
    for (int64_t offset = 0; offset < END; offset++) {
        struct log_view view;
        struct log_range range;
        enum err e = partition_log_view(log, offset, &end, &view);
        ASSERT(e == ERR_OK && view.segment != NULL);
        e = log_view_find(&view, offset, 1, true, ENV_WAIT, &range);
        ASSERT(e == ERR_OK && range.base_offset == offset - offset % RECORDS);
        log_range_release(&range);
        log_view_release(&view);
    }
}

int fuzz_index(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    struct mem_env m;
    mem_env_init(&m);
    m.logger.level = LOG_ERROR;
    find_some(&m, data, size);
    enum err e = env_dir_make(&m.env, "t-0");
    ASSERT(e == ERR_OK);
    uint32_t batch_bytes = put_log(&m, FIRST ".log", 0, NEXT_BASE);
    (void)put_log(&m, LAST ".log", NEXT_BASE, END);
    size_t half = size / 2;
    if ((data[0] & 2) != 0) {
        put_orderly(&m, FIRST ".index", batch_bytes, data, half);
        put_orderly(&m, FIRST ".timeindex", batch_bytes, data + half, size - half);
        put_orderly(&m, LAST ".index", batch_bytes, data + half, size - half);
    } else {
        mem_env_put_file(&m, FIRST ".index", data, half);
        mem_env_put_file(&m, FIRST ".timeindex", data + half, size - half);
        mem_env_put_file(&m, LAST ".index", data + half, size - half);
    }
    struct log_config config = {.segment_bytes = 1 << 20,
                                .segment_ms = INT64_MAX,
                                .segment_index_bytes = 1 << 20,
                                .index_interval_bytes = data[1]};
    struct log_open_options options = {
        .dir = "t-0", .recovery_point = END, .was_clean = (data[0] & 1) != 0, .config = &config};
    struct log_open_report report;
    struct partition_log *log = NULL;
    e = partition_log_open(&m.env, &options, &report, &log);
    ASSERT(e == ERR_OK);
    check_reads(log);
    partition_log_free(log);
    mem_env_deinit(&m);
    return 0;
}
