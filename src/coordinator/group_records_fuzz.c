// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: any bytes as what lies in __consumer_offsets: as one batch, as keys and values of
 * records, and as fields of records that are whole but for a byte. What was loaded keeps its
 * invariants while its timers run, and is dumped.
 *
 * Thread: any.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "coordinator/group_private.h"
#include "env/mem_env.h"
#include "wire/codec.h"
#include "wire/consumer_offsets.h"

int fuzz_group_records(const uint8_t *data, size_t size);

enum { WRITES_MAX = 64, MEMBERS_MAX = 4, RECORDS_MAX = 24, MESSAGE_BYTES_MAX = 4096 };

struct fuzz {
    struct group_stats stats;
    struct mem_env m;
    struct loop *loop;
    struct group_shard *shard;
    struct shard_write *writes[WRITES_MAX];
    int write_count;
    struct loop_task commit;
    bool is_stopped;
};

/* ---- a shard */

static void commit(struct loop_task *task)
{
    struct fuzz *f = container_of(task, struct fuzz, commit);
    int count = f->write_count;
    f->write_count = 0;
    for (int i = 0; i < count; i++)
        group_shard_written(f->shard, f->writes[i]);
}

static void append(void *arg, struct shard_write *write)
{
    struct fuzz *f = arg;
    iobuf_slice_release(&write->bytes);
    ASSERT(f->write_count < WRITES_MAX);
    f->writes[f->write_count++] = write;
    f->commit.run = commit;
    if (f->write_count == 1)
        loop_post(f->loop, &f->commit);
}

static void load(void *arg)
{
}

static void stopped(void *arg)
{
    ((struct fuzz *)arg)->is_stopped = true;
}

static void start(struct fuzz *f)
{
    *f = (struct fuzz){0};
    mem_env_init(&f->m);
    f->loop = mem_env_loop(&f->m, 0);
    struct group_shard_options options = {
        .loop = f->loop,
        .settings = {.session_timeout_max_ms = 1800000,
                     .initial_rebalance_delay_ms = 3000,
                     .members_max = 2,
                     .offset_metadata_bytes_max = 100,
                     .offsets_retention_ms = 600000,
                     .retention_check_ms = 60000,
                     .batch_bytes_max = 1 << 20},
        .log = {.arg = f, .append = append, .load = load},
        .stats = &f->stats,
    };
    f->shard = group_shard_new(&options);
    group_shard_start(f->shard);
}

static void finish(struct fuzz *f, enum err e)
{
    struct strbuf text;
    strbuf_init(&text);
    group_shard_loaded(f->shard, e);
    if (e == ERR_OK) {
        group_shard_dump(f->shard, &text);
        mem_env_advance_ms(&f->m, 700000);
        MAP_FOR_EACH (node, &f->shard->groups) {
            group_check_members(container_of(node, struct group, node));
            group_check(container_of(node, struct group, node));
        }
        group_shard_dump(f->shard, &text);
    }
    strbuf_deinit(&text);
    group_shard_stop(f->shard, stopped, f);
    mem_env_run_until_idle(&f->m);
    ASSERT(f->is_stopped);
    group_shard_free(f->shard);
    mem_env_deinit(&f->m);
}

static void replay_batch(const uint8_t *data, size_t size)
{
    struct fuzz f;
    start(&f);
    finish(&f, group_shard_replay(f.shard, data, size));
}

/* ---- records from bytes */

struct recipe {
    const uint8_t *at;
    size_t left;
    bool damages; /* some of the records; in every second input none */
};

static uint8_t take(struct recipe *r)
{
    if (r->left == 0)
        return 0;
    r->left--;
    return *r->at++;
}

/* Few different ones, so that they meet again. */
static struct wire_str take_text(struct recipe *r, bool may_be_null)
{
    static const char *const texts[] = {"", "a", "b", "consumer", "range"};
    uint8_t which = take(r) % 8;
    if (which == 7 && may_be_null)
        return wire_str_of(NULL);
    return which < 5 ? wire_str_of(texts[which]) : (struct wire_str){"x\0y", which - 4};
}

static struct wire_bytes take_bytes(struct recipe *r)
{
    size_t len = take(r) % 32;
    len = len < r->left ? len : r->left;
    struct wire_bytes bytes = {len > 0 ? r->at : (const uint8_t *)"", (int32_t)len};
    r->at += len;
    r->left -= len;
    return bytes;
}

static int64_t take_number(struct recipe *r)
{
    static const int64_t numbers[] = {-1, 0, 1, 5000, 1000000, INT64_MAX, INT64_MIN, 1760000000000};
    return numbers[take(r) % 8];
}

static int32_t take_small(struct recipe *r)
{
    static const int32_t numbers[] = {-1, 0, 1, 3000, 60000, INT32_MAX, INT32_MIN, 7};
    return numbers[take(r) % 8];
}

static enum err write_offset(struct recipe *r, struct wire_writer *key, struct wire_writer *value)
{
    struct offset_commit_key k = {
        .group = take_text(r, false), .topic = take_text(r, false), .partition = take(r) % 3};
    struct offset_commit_value v = {.offset = take_number(r),
                                    .leader_epoch = -1,
                                    .metadata = take_text(r, false),
                                    .commit_timestamp = take_number(r),
                                    .expire_timestamp = take_number(r)};
    int16_t version = take(r) % 5;
    wire_write_i16(key, 1);
    wire_write_i16(value, version);
    enum err e = wire_encode(&offset_commit_key_message, 1, key, &k);
    return e == ERR_OK ? wire_encode(&offset_commit_value_message, version, value, &v) : e;
}

static enum err write_group(struct recipe *r, struct wire_writer *key, struct wire_writer *value)
{
    struct group_metadata_value_member_metadata rows[MEMBERS_MAX];
    struct group_metadata_key k = {.group = take_text(r, false)};
    struct group_metadata_value v = {.protocol_type = take_text(r, false),
                                     .generation = take_small(r),
                                     .protocol = take_text(r, true),
                                     .leader = take_text(r, true),
                                     .current_state_timestamp = take_number(r),
                                     .members = {rows, take(r) % MEMBERS_MAX}};
    int16_t version = take(r) % 5;
    for (int32_t i = 0; i < v.members.count; i++)
        rows[i] = (struct group_metadata_value_member_metadata){
            .member_id = take_text(r, false),
            .group_instance_id = version >= 3 ? take_text(r, true) : wire_str_of(NULL),
            .client_id = take_text(r, false),
            .client_host = take_text(r, false),
            .rebalance_timeout = take_small(r),
            .session_timeout = take_small(r),
            .subscription = take_bytes(r),
            .assignment = take_bytes(r),
        };
    wire_write_i16(key, 2);
    wire_write_i16(value, version);
    enum err e = wire_encode(&group_metadata_key_message, 2, key, &k);
    return e == ERR_OK ? wire_encode(&group_metadata_value_message, version, value, &v) : e;
}

static void damage(struct recipe *r, struct wire_writer *w)
{
    uint8_t how = r->damages ? take(r) : 3;
    if (how % 4 == 0 && w->size > 0)
        w->data[take(r) % w->size] ^= take(r);
    else if (how % 32 == 1)
        w->size -= w->size > 0;
}

static void add_record(struct recipe *r, struct batch_builder *b)
{
    struct wire_writer key, value;
    wire_writer_init(&key, MESSAGE_BYTES_MAX);
    wire_writer_init(&value, MESSAGE_BYTES_MAX);
    struct record record = {.key = {NULL, -1}, .value = {NULL, -1}};
    uint8_t kind = take(r) % 8;
    enum err e = ERR_OK;
    if (kind == 0) {
        struct wire_bytes k = take_bytes(r), v = take_bytes(r);
        record.key = (struct record_bytes){k.data, k.len};
        record.value = (struct record_bytes){v.data, v.len};
    } else {
        e = kind < 4 ? write_offset(r, &key, &value) : write_group(r, &key, &value);
        damage(r, &key);
        damage(r, &value);
        record.key = (struct record_bytes){key.data, (int32_t)key.size};
        if (take(r) % 8 != 0)
            record.value = (struct record_bytes){value.data, (int32_t)value.size};
    }
    if (e == ERR_OK)
        e = batch_builder_add(b, &record);
    ASSERT(e == ERR_OK || e == ERR_UNSUPPORTED || e == ERR_INVALID);
    wire_writer_deinit(&key);
    wire_writer_deinit(&value);
}

static void replay_records(const uint8_t *data, size_t size)
{
    struct recipe r = {data, size, false};
    struct batch_builder b;
    struct batch_options options = batch_options_default();
    struct batch_buffer out;
    batch_builder_init(&b);
    batch_buffer_init(&out, 1 << 20);
    batch_builder_start(&b, &options);
    r.damages = take(&r) % 2 == 0;
    for (int i = 0; i < RECORDS_MAX && r.left > 0; i++)
        add_record(&r, &b);
    if (b.record_count > 0 && batch_builder_finish(&b, &out) == ERR_OK)
        replay_batch(out.data, out.len);
    batch_buffer_deinit(&out);
    batch_builder_deinit(&b);
}

int fuzz_group_records(const uint8_t *data, size_t size)
{
    replay_batch(data, size);
    replay_records(data, size);
    return 0;
}
