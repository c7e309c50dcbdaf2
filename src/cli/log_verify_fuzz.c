// SPDX-License-Identifier: Apache-2.0
/*
 * log_verify_fuzz: files of a log with any bytes in them, dumped and verified. The first byte says
 * of which kind they are. Half of the segments are good ones of which some bytes were changed, with
 * what follows in the input as their indexes.
 *
 * Thread: main.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "cli/log_verify.h"
#include "env/mem_env.h"
#include "log/journal_format.h"
#include "wire/batch_builder.h"
#include "wire/crc32c.h"

enum { BATCHES = 6, CHANGES_MAX = 4, SNAPSHOT_CRC_END = 6, BATCH_CRC_FROM = 21 };

int fuzz_log_verify(const uint8_t *data, size_t size);

static void put_file(struct env *env, const char *path, const void *data, size_t size)
{
    struct env_file *file = NULL;
    struct iovec iov = {(void *)(uintptr_t)data, size};
    enum err e = env_file_open(env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    if (e == ERR_OK && size > 0)
        e = env_file_write(file, &iov, 1, 0);
    ASSERT(e == ERR_OK);
    env_file_unref(file);
}

/* ---- a good segment, bent */

static void add_batch(struct batch_buffer *out, int64_t base_offset, uint8_t codec)
{
    struct batch_options options = batch_options_default();
    options.codec = (enum compress_codec)(codec % COMPRESS_COUNT);
    struct batch_builder b;
    size_t at = out->len;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    for (int i = 0; i < 3; i++) {
        static const uint8_t text[] = "some bytes of a record, some bytes of a record";
        struct record r = {.timestamp = 1000 + base_offset + i,
                           .key = {text, 4 * i},
                           .value = {text, (int32_t)sizeof(text)}};
        enum err e = batch_builder_add(&b, &r);
        ASSERT(e == ERR_OK);
    }
    enum err e = batch_builder_finish(&b, out);
    ASSERT(e == ERR_OK);
    batch_stamp(out->data + at, base_offset, 0);
    batch_builder_deinit(&b);
}

/* Changes with a checksum that fits again get further than others. */
static void bend(struct batch_buffer *log, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 < size && i / 4 < CHANGES_MAX; i += 4) {
        size_t at = bytes_load_u16(data + i) % log->len;
        log->data[at] = data[i + 2];
        struct batch_header h;
        if ((data[i + 3] & 1) == 0 || !batch_header_read(log->data, log->len, &h) ||
            h.length < BATCH_HEADER_BYTES || (size_t)h.length + BATCH_LENGTH_END > log->len)
            continue;
        bytes_store_u32(log->data + 17,
                        crc32c(0, log->data + BATCH_CRC_FROM, batch_size(&h) - BATCH_CRC_FROM));
    }
}

static void put_segment(struct env *env, const char *path, const uint8_t *data, size_t size)
{
    struct batch_buffer log;
    batch_buffer_init(&log, SIZE_MAX);
    for (int i = 0; i < BATCHES; i++)
        add_batch(&log, 3 * i, size > 0 ? (uint8_t)(data[0] + i) : 0);
    bend(&log, data, size);
    put_file(env, path, log.data, log.len);
    batch_buffer_deinit(&log);
}

/* ---- what is told */

static void on_fault(struct log_scan *s, int64_t pos, const char *text)
{
    struct verify *v = s->owner;
    ASSERT(pos >= -1 && text[0] != '\0');
    verify_say(v, &v->faults, s->path, pos, text);
}

static void on_item(struct log_scan *s, int depth, const struct log_field *fields, size_t count)
{
    struct strbuf text;
    strbuf_init(&text);
    log_print_fields(&text, fields, count);
    for (size_t i = 0; i < text.len; i++)
        ASSERT((uint8_t)text.text[i] >= 0x20 && text.text[i] != 0x7f);
    json_t *object = json_object();
    log_json_fields(object, fields, count);
    ASSERT(json_object_size(object) == count);
    json_decref(object);
    strbuf_deinit(&text);
}

static void on_record(struct log_scan *s, const struct log_batch *b, const struct record *r)
{
    struct strbuf key, value;
    strbuf_init(&key);
    strbuf_init(&value);
    const struct log_field fields[] = {log_bytes("key", r->key.data, r->key.len),
                                       log_bytes("value", r->value.data, r->value.len)};
    on_item(s, 1, fields, ARRAY_COUNT(fields));
    (void)log_decode(LOG_DECODE_OFFSETS, r, &key, &value);
    (void)log_decode(LOG_DECODE_KRAFT, r, &key, &value);
    strbuf_deinit(&key);
    strbuf_deinit(&value);
}

static void fuzz_segment(struct verify *v, const uint8_t *data, size_t size, bool is_good)
{
    struct env *env = v->scan.env;
    struct verify_segment segment = {.path = "/00000000000000000000.log",
                                     .recovery_point = -1,
                                     .has_indexes = true,
                                     .is_last = true};
    if (is_good)
        put_segment(env, segment.path, data, size);
    else
        put_file(env, segment.path, data, size);
    put_file(env, "/00000000000000000000.index", data, size);
    put_file(env, "/00000000000000000000.timeindex", data, size);
    v->scan.record = on_record;
    verify_segment(v, &segment);
    v->scan.record = NULL;
    ASSERT(segment.is_read && segment.facts.end <= segment.facts.size);
}

/* A header page, then a group that is whole, of these bytes. */
static void put_journal(struct env *env, const char *path, const uint8_t *data, size_t size)
{
    size_t bytes = JOURNAL_GROUP_HEADER_BYTES + size;
    size_t total = JOURNAL_PAGE_BYTES + (size_t)journal_padded((int64_t)bytes);
    uint8_t *file = mem_alloc(total);
    struct journal_file_header header = {.size = (int64_t)total};
    struct journal_group_header group = {
        .size = (uint32_t)bytes, .count = 1 + data[0], .generation = 1};
    journal_file_header_write(&header, file);
    memcpy(file + JOURNAL_PAGE_BYTES + JOURNAL_GROUP_HEADER_BYTES, data, size);
    journal_group_seal(&group, file + JOURNAL_PAGE_BYTES);
    put_file(env, path, file, total);
    mem_free(file);
}

/* Random bytes have no good checksum; with one they are looked at further. */
static void fuzz_other(struct verify *v, const char *path, const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_alloc(size + 1);
    memcpy(copy, data, size);
    enum log_kind kind = log_kind_of(log_path_name(path));
    if (kind == LOG_KIND_SNAPSHOT && size > SNAPSHOT_CRC_END) {
        bytes_store_u16(copy, 1);
        bytes_store_u32(copy + 2, crc32c(0, copy + SNAPSHOT_CRC_END, size - SNAPSHOT_CRC_END));
    }
    if (kind == LOG_KIND_JOURNAL && size >= JOURNAL_ENTRY_HEADER_BYTES) {
        put_journal(v->scan.env, path, copy, size);
    } else {
        put_file(v->scan.env, path, copy, size);
    }
    v->scan.item = on_item;
    verify_other(v, path, kind);
    v->scan.item = NULL;
    mem_free(copy);
}

int fuzz_log_verify(const uint8_t *data, size_t size)
{
    static const char *const others[] = {"/00000000000000000007.index",
                                         "/00000000000000000007.timeindex",
                                         "/00000000000000000007.txnindex",
                                         "/00000000000000000007.snapshot",
                                         "/leader-epoch-checkpoint",
                                         "/replication-offset-checkpoint",
                                         "/partition.metadata",
                                         "/meta.properties",
                                         "/klamm.metadata",
                                         "/klamm.metadata.snapshot",
                                         "/klamm.journal.0",
                                         "/klamm.log.dirs"};
    if (size == 0)
        return 0;
    struct mem_env m;
    struct verify v = {0};
    mem_env_init(&m);
    log_scan_init(&v.scan, &m.env);
    v.scan.owner = &v;
    v.scan.is_deep = true;
    v.scan.fault = on_fault;
    size_t choice = data[0] % (ARRAY_COUNT(others) + 4);
    if (choice < ARRAY_COUNT(others))
        fuzz_other(&v, others[choice], data + 1, size - 1);
    else
        fuzz_segment(&v, data + 1, size - 1, choice % 2 == 0);
    verify_faults_free(&v.faults);
    verify_faults_free(&v.notes);
    log_scan_deinit(&v.scan);
    mem_env_deinit(&m);
    return 0;
}
