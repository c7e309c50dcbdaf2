// SPDX-License-Identifier: Apache-2.0
/*
 * log_probe: writes and reads log directories for test/log/run.sh, which compares with
 * Kafka's own code.
 *
 *   log_probe write DIR SEED     a log directory with partition t-0, closed cleanly
 *   log_probe read DIR           opens every partition found as a broker would, reads all of it,
 *                                and prints one line of facts for each
 *
 * Thread: main.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "env/logger.h"
#include "env/real_env.h"
#include "log/log_dir.h"
#include "log/partition_log.h"
#include "wire/batch_builder.h"

enum { BATCHES = 600 };

static void write_line(struct logger *logger, enum log_level level, const char *line)
{
    (void)logger;
    fprintf(stderr, "%s %s\n", log_level_name(level), line);
}

static struct logger stderr_logger = {.level = LOG_INFO, .write = write_line};

static void must(enum err e, const char *what)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "log_probe: %s: %s\n", what, err_text(e));
    exit(1);
}

static struct log_config probe_config(void)
{
    return (struct log_config){
        .segment_bytes = 200000,
        .segment_ms = 604800000,
        .segment_index_bytes = 10 << 20,
        .index_interval_bytes = 4096,
        .retention_ms = -1,
        .retention_bytes = -1,
        .flush_messages = INT64_MAX,
        .flush_ms = INT64_MAX,
        .producer_expiration_ms = 86400000,
        .cleanup_delete = true,
        .ack_disk = true,
    };
}

/* ---- writing */

struct producer {
    int64_t id;
    int16_t epoch;
    int32_t next_sequence;
};

static struct iobuf_slice make_batch(struct prng *p, struct producer *producer, int64_t now_ms)
{
    static const enum compress_codec codecs[] = {COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_SNAPPY,
                                                 COMPRESS_LZ4, COMPRESS_ZSTD};
    struct batch_options options = batch_options_default();
    options.codec = codecs[prng_below(p, ARRAY_COUNT(codecs))];
    if (producer != NULL) {
        options.producer_id = producer->id;
        options.producer_epoch = producer->epoch;
        options.base_sequence = producer->next_sequence;
    }
    struct batch_builder b;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    int32_t records = (int32_t)prng_range(p, 1, 20);
    uint8_t value[400];
    for (int32_t i = 0; i < records; i++) {
        prng_fill(p, value, sizeof(value));
        struct record r = {.timestamp = now_ms + prng_range(p, -500, 500),
                           .key = {value, prng_chance(p, 1, 2) ? 8 : -1},
                           .value = {value, (int32_t)prng_below(p, sizeof(value))}};
        must(batch_builder_add(&b, &r), "record");
    }
    if (producer != NULL)
        producer->next_sequence = batch_sequence_add(producer->next_sequence, records);
    struct batch_buffer out;
    batch_buffer_init(&out, SIZE_MAX);
    must(batch_builder_finish(&b, &out), "batch");
    struct iobuf *buf = iobuf_try_new(out.len);
    must(buf == NULL ? ERR_NO_MEMORY : ERR_OK, "memory");
    memcpy(buf->data, out.data, out.len);
    struct iobuf_slice slice = {buf, buf->data, out.len};
    batch_buffer_deinit(&out);
    batch_builder_deinit(&b);
    return slice;
}

static void append(struct partition_log *log, struct iobuf_slice bytes, int32_t epoch)
{
    struct log_append *a = mem_alloc(sizeof(*a));
    list_init(&a->link);
    a->bytes = bytes;
    must(batch_header_read(bytes.data, bytes.len, &a->header) ? ERR_OK : ERR_CORRUPT, "header");
    if (partition_log_check_producer(log, &a->header, 0).verdict != PRODUCER_NEW)
        must(ERR_CONFLICT, "producer");
    must(partition_log_assign(log, a, epoch, 0), "assign");
}

static void commit(struct partition_log *log)
{
    struct log_commit c;
    log_commit_init(&c);
    partition_log_take(log, &c, false, 0);
    must(partition_log_write(log, &c), "write");
    partition_log_publish_written(log, &c);
    if (c.sync) {
        must(partition_log_sync(log, &c), "sync");
        partition_log_publish_durable(log, &c);
    }
    for (struct list *node; (node = list_pop_front(&c.appends)) != NULL;) {
        struct log_append *a = container_of(node, struct log_append, link);
        iobuf_slice_release(&a->bytes);
        mem_free(a);
    }
}

static void fill(struct partition_log *log, struct prng *p)
{
    struct producer producers[3] = {{.id = 4000}, {.id = 4001, .epoch = 2}, {.id = 4002}};
    producers[2].next_sequence = INT32_MAX - 100; /* wraps on the way */
    for (int i = 0; i < BATCHES; i++) {
        int32_t epoch = i / 200;
        partition_log_begin_epoch(log, epoch);
        uint64_t who = prng_below(p, 4);
        append(log,
               make_batch(p, who < 3 ? &producers[who] : NULL, INT64_C(1700000000000) + 100 * i),
               epoch);
        if (prng_chance(p, 1, 4))
            commit(log);
    }
    commit(log);
}

static void write_dir(struct env *env, const char *path, uint64_t seed)
{
    struct prng p;
    prng_seed(&p, seed);
    struct strbuf why;
    strbuf_init(&why);
    struct log_dir *dir;
    enum err e = log_dir_open(env, path, &why, &dir);
    must(e, strbuf_text(&why));
    uint8_t random[16];
    env_random(env, random, sizeof(random));
    must(log_dir_format(dir, 1, "probe-cluster", uuid_from_random(random)), "format");
    char partition[4096];
    must(log_dir_partition_path(dir, "t", 0, partition, sizeof(partition)) ? ERR_OK : ERR_RANGE,
         "path");
    struct log_config config = probe_config();
    struct log_open_options options = {
        .dir = partition, .topic_id = uuid_from_random(random), .config = &config};
    struct log_open_report report;
    struct partition_log *log;
    must(partition_log_open(env, &options, &report, &log), "open");
    fill(log, &p);
    struct log_dir_checkpoint values = {.high_watermark = partition_log_durable(log).offset};
    must(partition_log_close_clean(log, &values.recovery_point), "close");
    log_dir_checkpoint_set(dir, "t", 0, &values);
    must(log_dir_checkpoint_write(dir), "checkpoint");
    must(log_dir_mark_clean(dir), "mark");
    printf("%" PRId64 " records, %u segments, %u producers\n", values.high_watermark,
           partition_log_segment_count(log), partition_log_producer_count(log));
    partition_log_free(log);
    log_dir_close(dir);
    strbuf_deinit(&why);
}

/* ---- reading */

struct reading {
    struct env *env;
    struct log_dir *dir;
};

struct facts {
    int64_t batches;
    int64_t records;
};

/* All batches from the log start on, by fetches of at most 64 KiB. */
static struct facts read_all(struct partition_log *log)
{
    struct facts facts = {0};
    struct log_position end = partition_log_written(log);
    int64_t offset = partition_log_start_offset(log);
    while (offset < end.offset) {
        struct log_view view;
        struct log_range range;
        must(partition_log_view(log, offset, &end, &view), "view");
        must(log_view_find(&view, offset, 65536, true, ENV_WAIT, &range), "find");
        uint8_t *bytes = mem_alloc((size_t)range.len);
        size_t got;
        must(env_file_read(range.file, bytes, (size_t)range.len, range.pos, ENV_WAIT, &got),
             "read");
        struct batch_walk walk = {bytes, got};
        struct batch_header header;
        const uint8_t *batch;
        while (batch_next(&walk, &header, &batch) == ERR_OK) {
            must(batch_last_offset(&header) < offset ? ERR_CORRUPT : ERR_OK, "order");
            must(batch_crc(batch, batch_size(&header)) != header.crc ? ERR_CORRUPT : ERR_OK, "crc");
            offset = batch_last_offset(&header) + 1;
            facts.batches++;
            facts.records += header.record_count;
        }
        mem_free(bytes);
        log_range_release(&range);
        log_view_release(&view);
    }
    return facts;
}

static void read_partition(void *arg, const char *topic, int32_t partition)
{
    struct reading *reading = arg;
    char path[4096];
    must(log_dir_partition_path(reading->dir, topic, partition, path, sizeof(path)) ? ERR_OK
                                                                                    : ERR_RANGE,
         "path");
    struct log_dir_checkpoint at = log_dir_checkpoint_of(reading->dir, topic, partition);
    struct log_config config = probe_config();
    struct log_open_options options = {.dir = path,
                                       .recovery_point = at.recovery_point,
                                       .log_start = at.log_start,
                                       .was_clean = log_dir_was_clean(reading->dir),
                                       .config = &config};
    struct log_open_report report;
    struct partition_log *log;
    enum err e = partition_log_open(reading->env, &options, &report, &log);
    if (e != ERR_OK)
        fprintf(stderr, "%s\n", report.detail);
    must(e, path);
    struct facts facts = read_all(log);
    struct producer_info producers[64];
    uint32_t count = partition_log_producers(log, producers, 64);
    printf("%s-%d start=%" PRId64 " end=%" PRId64 " segments=%u batches=%" PRId64
           " records=%" PRId64 " epoch=%d scanned=%" PRId64 " cut=%" PRId64 " detail=%s producers=",
           topic, partition, partition_log_start_offset(log), partition_log_written(log).offset,
           partition_log_segment_count(log), facts.batches, facts.records,
           partition_log_last_epoch(log), report.scanned_bytes, report.cut_bytes, report.detail);
    for (uint32_t i = 0; i < count; i++)
        printf("%s%" PRId64 ":%d:%d", i > 0 ? "," : "", producers[i].producer_id,
               producers[i].epoch, producers[i].last_sequence);
    printf("\n");
    partition_log_free(log);
}

static void read_dir(struct env *env, const char *path)
{
    struct strbuf why;
    strbuf_init(&why);
    struct reading reading = {.env = env};
    enum err e = log_dir_open(env, path, &why, &reading.dir);
    must(e, strbuf_text(&why));
    printf("node=%d cluster=%s clean=%d\n", log_dir_identity(reading.dir)->node_id,
           log_dir_identity(reading.dir)->cluster_id, log_dir_was_clean(reading.dir));
    must(log_dir_list(reading.dir, read_partition, &reading), "list");
    log_dir_close(reading.dir);
    strbuf_deinit(&why);
}

int main(int argc, char **argv)
{
    struct real_env *real;
    struct real_env_options options = {.workers = 1, .logger = &stderr_logger};
    must(real_env_new(&options, &real), "env");
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        write_dir(real_env_env(real), argv[2], strtoull(argv[3], NULL, 10));
    else if (argc == 3 && strcmp(argv[1], "read") == 0)
        read_dir(real_env_env(real), argv[2]);
    else
        return 2;
    real_env_free(real);
    return 0;
}
