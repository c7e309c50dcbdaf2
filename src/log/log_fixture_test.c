// SPDX-License-Identifier: Apache-2.0
/* log_fixture: see log_fixture.h. Thread: the test's. */
#include "log/log_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/testing.h"
#include "wire/batch_builder.h"

struct log_config fixture_config(void)
{
    return (struct log_config){
        .segment_bytes = 1 << 30,
        .segment_ms = 604800000,
        .segment_index_bytes = 10 << 20,
        .index_interval_bytes = 4096,
        .retention_ms = 604800000,
        .retention_bytes = -1,
        .flush_messages = INT64_MAX,
        .flush_ms = INT64_MAX,
        .file_delete_delay_ms = 60000,
        .producer_expiration_ms = 86400000,
        .cleanup_delete = true,
        .ack_disk = true,
    };
}

struct iobuf_slice fixture_bytes(const struct fixture_batch *batch)
{
    struct batch_options options = batch_options_default();
    options.producer_id = batch->producer_id;
    options.producer_epoch = batch->producer_id >= 0 ? batch->epoch : -1;
    options.base_sequence = batch->producer_id >= 0 ? batch->sequence : -1;
    options.codec = batch->codec;
    struct batch_builder b;
    batch_builder_init(&b);
    batch_builder_start(&b, &options);
    uint8_t *payload = mem_alloc(batch->payload + 1);
    memset(payload, 'v', batch->payload);
    for (int32_t i = 0; i < batch->records; i++) {
        struct record r = {.timestamp = batch->timestamp_ms + (batch->times_fall ? -i : i),
                           .key = {.len = -1},
                           .value = {payload, (int32_t)batch->payload}};
        enum err e = batch_builder_add(&b, &r);
        ASSERT(e == ERR_OK);
    }
    struct batch_buffer out;
    batch_buffer_init(&out, SIZE_MAX);
    enum err e = batch_builder_finish(&b, &out);
    ASSERT(e == ERR_OK);
    struct iobuf *buf = iobuf_try_new(out.len);
    ASSERT(buf != NULL);
    memcpy(buf->data, out.data, out.len);
    struct iobuf_slice slice = {buf, buf->data, out.len};
    batch_buffer_deinit(&out);
    batch_builder_deinit(&b);
    mem_free(payload);
    return slice;
}

void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.config = fixture_config(), .leader_epoch = 7};
    mem_env_init(&f->m);
}

void fixture_deinit(struct fixture *f)
{
    fixture_free(f);
    mem_env_deinit(&f->m);
}

enum err fixture_open(struct fixture *f)
{
    struct log_open_options options = {
        .dir = "t-0",
        .topic_id = {{1, 2, 3}},
        .recovery_point = f->recovery_point,
        .log_start = f->log_start,
        .was_clean = f->was_clean,
        .jitter_seed = 1,
        .config = &f->config,
    };
    return partition_log_open(&f->m.env, &options, &f->report, &f->log);
}

void fixture_free(struct fixture *f)
{
    partition_log_free(f->log);
    f->log = NULL;
}

enum err fixture_append(struct fixture *f, const struct fixture_batch *batch)
{
    struct log_append *append = mem_alloc(sizeof(*append));
    list_init(&append->link);
    append->bytes = fixture_bytes(batch);
    append->wants_sync = partition_log_config(f->log)->ack_disk;
    bool is_whole = batch_header_read(append->bytes.data, append->bytes.len, &append->header);
    ASSERT(is_whole);
    enum err e = partition_log_assign(f->log, append, f->leader_epoch, env_wall_ms(&f->m.env));
    if (e != ERR_OK) {
        iobuf_slice_release(&append->bytes);
        mem_free(append);
    }
    return e;
}

void fixture_free_appends(struct list *appends)
{
    for (struct list *node; (node = list_pop_front(appends)) != NULL;) {
        struct log_append *append = container_of(node, struct log_append, link);
        iobuf_slice_release(&append->bytes);
        mem_free(append);
    }
}

enum err fixture_commit(struct fixture *f, bool force_sync)
{
    struct log_commit commit;
    log_commit_init(&commit);
    partition_log_take(f->log, &commit, force_sync, env_wall_ms(&f->m.env));
    commit.held_max = partition_log_may_hold(f->log, &commit) ? f->held_max : 0;
    enum err e = partition_log_write(f->log, &commit);
    if (e == ERR_OK) {
        partition_log_publish_written(f->log, &commit);
        fixture_free_appends(&commit.appends);
        if (commit.is_held)
            partition_log_publish_journaled(f->log, &commit, FIXTURE_GENERATION);
        else if (commit.sync)
            e = partition_log_sync(f->log, &commit);
        if (commit.sync && !commit.is_held && e == ERR_OK)
            partition_log_publish_durable(f->log, &commit);
    }
    if (e != ERR_OK)
        partition_log_fail(f->log, &commit);
    fixture_free_appends(&commit.appends);
    return e;
}

void fixture_fill(struct fixture *f, int batches, int32_t records, size_t payload)
{
    for (int i = 0; i < batches; i++) {
        struct fixture_batch batch = {.records = records,
                                      .payload = payload,
                                      .timestamp_ms = env_wall_ms(&f->m.env),
                                      .producer_id = -1};
        CHECK_EQUAL(fixture_append(f, &batch), ERR_OK);
        CHECK_EQUAL(fixture_commit(f, false), ERR_OK);
    }
}

int64_t fixture_read(struct fixture *f, int64_t offset)
{
    struct log_position limit = partition_log_written(f->log);
    struct log_view view;
    if (partition_log_view(f->log, offset, &limit, &view) != ERR_OK)
        return -2;
    if (view.segment == NULL)
        return -1;
    struct log_range range;
    enum err e = log_view_find(&view, offset, 1, true, ENV_WAIT, &range);
    int64_t base_offset = e == ERR_OK ? range.base_offset : -2;
    if (e == ERR_OK && range.next_offset >= 0)
        log_view_remember(&view, &range);
    if (e == ERR_OK)
        log_range_release(&range);
    log_view_release(&view);
    return base_offset;
}

uint8_t *fixture_file(struct fixture *f, const char *name, size_t *size)
{
    char path[128];
    snprintf(path, sizeof(path), "t-0/%s", name);
    return mem_env_file_bytes(&f->m, path, size);
}
