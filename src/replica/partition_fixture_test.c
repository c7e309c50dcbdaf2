// SPDX-License-Identifier: Apache-2.0
/* partition_fixture: see partition_fixture.h. Thread: the test's. */
#include "replica/partition_fixture.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/testing.h"
#include "log/log_dir.h"
#include "wire/batch_builder.h"

static void on_storage_failed(void *arg, struct partition *p, enum err e)
{
    ((struct fixture *)arg)->storage_error = e;
}

static void on_due(void *arg, struct partition *p, int64_t wall_ms)
{
    ((struct fixture *)arg)->due_ms = wall_ms;
}

static void on_round(void *arg, struct partition *p, int64_t wall_ms)
{
    struct fixture *f = arg;
    f->round_ms = wall_ms;
    f->rounds++;
}

static void on_save_start(void *arg, struct partition_trim *trim)
{
    struct fixture *f = arg;
    f->saving = trim;
    if (f->saves_at_once)
        partition_start_saved(trim, log_dir_checkpoint_write(f->dir));
}

void fixture_on_closed(void *arg, enum err e)
{
    struct fixture *f = arg;
    f->closed_with = e;
    f->closed++;
}

static void on_journal_closed(void *arg, enum err e)
{
    CHECK_EQUAL(e, ERR_OK);
    ((struct fixture *)arg)->journal_is_closed = true;
}

static struct topic_config default_config(void)
{
    struct config_layers layers;
    config_layers_init(&layers);
    struct topic_config config;
    config_topic_compute(NULL, &layers, &config);
    config_layers_deinit(&layers);
    return config;
}

enum err fixture_open_partition(struct fixture *f, int32_t leader_epoch)
{
    struct partition_owner owner = {f,    &f->stats, on_storage_failed, on_due, on_save_start,
                                    NULL, on_round};
    struct partition_options options = {
        .topic = "t",
        .topic_id = {{1, 2, 3}},
        .dir = f->dir,
        .config = &f->config,
        .leader_epoch = leader_epoch,
        .owner = &owner,
    };
    struct log_open_report report;
    return partition_open(&f->m.env, &options, &report, &f->p);
}

static void init_dir(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    mem_env_init(&f->m);
    f->loop = mem_env_loop(&f->m, 0);
    f->config = default_config();
    struct strbuf why;
    strbuf_init(&why);
    CHECK(log_dir_open(&f->m.env, "d", &why, &f->dir) == ERR_OK);
    CHECK(log_dir_format(f->dir, 1, "cluster", (struct uuid){{9}}) == ERR_OK);
    strbuf_deinit(&why);
}

void fixture_init(struct fixture *f)
{
    init_dir(f);
    CHECK(fixture_open_partition(f, 0) == ERR_OK);
}

void fixture_init_journal(struct fixture *f)
{
    init_dir(f);
    struct journal_options options = {
        .bytes = LIMIT_JOURNAL_BYTES_MIN, .held_bytes = 2000, .stats = &f->journal_stats};
    CHECK(log_dir_open_journal(f->dir, &options) == ERR_OK);
    CHECK(fixture_open_partition(f, 0) == ERR_OK);
    for (int i = 0; i < 2; i++) { /* the first writes the epochs, the other makes the journal */
        struct sent s;
        send_batch(f, &s, -1, -1, 1);
        mem_env_run_until_idle(&f->m);
        CHECK_EQUAL(s.done, 1);
    }
    CHECK(journal_is_ready(log_dir_journal(f->dir)));
}

void fixture_close(struct fixture *f)
{
    if (f->p != NULL) {
        partition_close(f->p, true, fixture_on_closed, f);
        mem_env_run_until_idle(&f->m);
        CHECK_EQUAL(f->closed, 1);
        partition_unref(f->p);
    }
    if (log_dir_journal(f->dir) != NULL) {
        journal_close(log_dir_journal(f->dir), true, on_journal_closed, f);
        mem_env_run_until_idle(&f->m);
        CHECK(f->journal_is_closed);
    }
    log_dir_close(f->dir);
    mem_env_deinit(&f->m);
}

static void on_done(struct partition_append *append)
{
    container_of(append, struct sent, append)->done++;
}

void send_batch(struct fixture *f, struct sent *s, int64_t producer, int32_t sequence, int count)
{
    struct batch_builder b;
    struct batch_options options = batch_options_default();
    options.producer_id = producer;
    options.producer_epoch = producer >= 0 ? 0 : -1;
    options.base_sequence = sequence;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    for (int i = 0; i < count; i++) {
        struct record r = {.timestamp = env_wall_ms(&f->m.env),
                           .key = {NULL, -1},
                           .value = {(const uint8_t *)"value", 5}};
        CHECK(batch_builder_add(&b, &r) == ERR_OK);
    }
    struct batch_buffer out;
    batch_buffer_init(&out, 1 << 20);
    CHECK(batch_builder_finish(&b, &out) == ERR_OK);
    struct iobuf *buf = iobuf_try_new(out.len);
    memcpy(buf->data, out.data, out.len);
    memset(s, 0, sizeof(*s));
    s->append.log.bytes = iobuf_slice(buf, buf->data, out.len);
    iobuf_unref(buf);
    CHECK(batch_header_read(buf->data, out.len, &s->append.log.header));
    batch_buffer_deinit(&out);
    batch_builder_deinit(&b);
    s->append.ack = PARTITION_ACK_COMMITTED;
    s->append.done = on_done;
    list_init(&s->append.wait_link);
    list_init(&s->append.log.link);
    partition_append(f->p, &s->append, env_wall_ms(&f->m.env));
}

struct partition_read_result read_at(struct fixture *f, int64_t offset)
{
    struct partition_read read = partition_read_from(offset, 1 << 20);
    struct partition_read_result result;
    enum err e = partition_read(f->p, &read, ENV_NOWAIT, &result);
    CHECK(e == ERR_OK);
    return result;
}
