// SPDX-License-Identifier: Apache-2.0
/* clean_fixture: see clean_fixture.h. Thread: the test's. */
#include "log/clean_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/batch_reader.h"

static struct record_bytes text_bytes(char *out, size_t size, const char *format, int number)
{
    int len = snprintf(out, size, format, number);
    ASSERT(len > 0 && (size_t)len < size);
    return (struct record_bytes){(const uint8_t *)out, len};
}

static void add_marker(struct batch_builder *b, const struct clean_batch *batch)
{
    uint8_t key[4] = {0, 0, 0, (uint8_t)batch->marker};
    static const uint8_t value[6] = {0};
    struct record r = {
        .timestamp = batch->timestamp_ms, .key = {key, 4}, .value = {value, sizeof(value)}};
    enum err e = batch_builder_add(b, &r);
    ASSERT(e == ERR_OK);
}

struct iobuf_slice clean_bytes(const struct clean_batch *batch)
{
    struct batch_builder b;
    batch_builder_init(&b);
    batch_builder_start(&b, &batch->options);
    if (batch->count == 0)
        add_marker(&b, batch);
    for (int i = 0; i < batch->count; i++) {
        char key[16];
        char value[64];
        struct record r = {.timestamp = batch->timestamp_ms + i, .value = {NULL, -1}};
        r.key = text_bytes(key, sizeof(key), "key-%d", batch->records[i].key);
        if (batch->records[i].value != CLEAN_TOMBSTONE)
            r.value = text_bytes(value, sizeof(value), "a value with some text in it %d",
                                 batch->records[i].value);
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
    return slice;
}

static enum err commit(struct clean_env *c)
{
    struct log_commit commit;
    log_commit_init(&commit);
    partition_log_take(c->log, &commit, true, c->now_ms);
    enum err e = partition_log_write(c->log, &commit);
    if (e == ERR_OK) {
        partition_log_publish_written(c->log, &commit);
        fixture_free_appends(&commit.appends);
        e = partition_log_sync(c->log, &commit);
        if (e == ERR_OK)
            partition_log_publish_durable(c->log, &commit);
    }
    if (e != ERR_OK)
        partition_log_fail(c->log, &commit);
    fixture_free_appends(&commit.appends);
    return e;
}

/* A replica has control batches too: the undo of the producer state is for clients' only. */
enum err clean_append(struct clean_env *c, const struct clean_batch *batch, int32_t leader_epoch)
{
    struct log_append *append = mem_alloc(sizeof(*append));
    list_init(&append->link);
    append->bytes = clean_bytes(batch);
    bool is_whole = batch_header_read(append->bytes.data, append->bytes.len, &append->header);
    ASSERT(is_whole);
    enum err e = partition_log_assign(c->log, append, leader_epoch, c->now_ms);
    if (e != ERR_OK) {
        iobuf_slice_release(&append->bytes);
        mem_free(append);
        return e;
    }
    return commit(c);
}

void clean_put(struct clean_env *c, struct clean_model *model, int key, int value)
{
    ASSERT(model->count < CLEAN_RECORDS_MAX);
    struct clean_record record = {partition_log_assigned(c->log), key, value};
    struct clean_batch batch = {.options = batch_options_default(),
                                .records = &record,
                                .count = 1,
                                .timestamp_ms = c->now_ms};
    enum err e = clean_append(c, &batch, 7);
    ASSERT(e == ERR_OK);
    model->records[model->count++] = record;
}

static enum err swap(struct clean_env *c, struct log_cleaning *cleaning)
{
    struct log_swap *swap = log_cleaning_swap(cleaning);
    if (!partition_log_swap_is_valid(c->log, swap))
        return ERR_STALE;
    enum err e = partition_log_swap_begin(c->log, swap);
    if (e != ERR_OK)
        return e;
    partition_log_swap_publish(c->log, swap);
    if (c->in_swap != NULL)
        c->in_swap(c);
    e = partition_log_swap_finish(c->log, swap);
    partition_log_unlink_retired(c->env, &swap->retired);
    if (e == ERR_OK)
        log_cleaning_swapped(cleaning);
    return e;
}

static enum err run_steps(struct clean_env *c, struct log_cleaning *cleaning)
{
    for (;;) {
        enum log_cleaning_next next;
        enum err e = log_cleaning_step(cleaning, &next);
        if (e == ERR_OK && next == CLEANING_SWAP)
            e = swap(c, cleaning);
        if (e == ERR_OK && next == CLEANING_DONE)
            c->first_dirty = log_cleaning_end(cleaning);
        if (e != ERR_OK || next == CLEANING_DONE)
            return e;
    }
}

enum err clean_run(struct clean_env *c)
{
    struct log_clean_query query = {.first_dirty = c->first_dirty,
                                    .high_watermark = partition_log_durable(c->log).offset,
                                    .now_ms = c->now_ms};
    struct log_cleanable cleanable;
    partition_log_cleanable(c->log, &query, &cleanable);
    enum err e = log_cleanable_find_oldest(&cleanable);
    if (e != ERR_OK)
        return e;
    if (cleanable.dirty_bytes == 0)
        return ERR_NOT_FOUND;
    struct log_clean_plan plan;
    e = partition_log_plan_cleaning(c->log, &cleanable, &query, &plan);
    if (e != ERR_OK)
        return e;
    struct log_cleaning_options options = {.map_bytes_max =
                                               c->map_bytes != 0 ? c->map_bytes : 1 << 20,
                                           .map_load = 0.9,
                                           .io_bytes = 512};
    struct log_cleaning *cleaning = NULL;
    e = log_cleaning_new(c->env, &plan, &options, &cleaning);
    if (e != ERR_OK)
        return e;
    e = run_steps(c, cleaning);
    c->stats = *log_cleaning_stats(cleaning);
    snprintf(c->why, sizeof(c->why), "%s", log_cleaning_why(cleaning));
    log_cleaning_free(cleaning);
    return e;
}

/* ---- reading */

static enum err take_records(struct batch_reader *reader, struct clean_model *out)
{
    struct record record;
    enum err e;
    while ((e = batch_reader_next(reader, &record)) == ERR_OK) {
        char text[80];
        if (out->count == CLEAN_RECORDS_MAX || record.key.len >= (int)sizeof(text) ||
            record.value.len >= (int)sizeof(text))
            return ERR_FULL;
        struct clean_record *r = &out->records[out->count++];
        r->offset = reader->header.base_offset + record.offset_delta;
        r->value = CLEAN_TOMBSTONE;
        snprintf(text, sizeof(text), "%.*s", record.key.len, (const char *)record.key.data);
        if (sscanf(text, "key-%d", &r->key) != 1)
            return ERR_CORRUPT;
        if (record.value.len >= 0) {
            snprintf(text, sizeof(text), "%.*s", record.value.len, (const char *)record.value.data);
            if (sscanf(text, "a value with some text in it %d", &r->value) != 1)
                return ERR_CORRUPT;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err read_batch(const struct log_range *range, struct clean_model *out,
                           int64_t *next_offset)
{
    uint8_t *data = mem_alloc((size_t)range->len);
    size_t got = 0;
    struct batch_reader reader;
    batch_reader_init(&reader, 1 << 20);
    enum err e = env_file_read(range->file, data, (size_t)range->len, range->pos, ENV_WAIT, &got);
    struct batch_walk walk = {data, got};
    struct batch_header header;
    const uint8_t *batch;
    if (e == ERR_OK)
        e = batch_next(&walk, &header, &batch);
    if (e == ERR_OK && (batch_crc(batch, batch_size(&header)) != header.crc ||
                        batch_last_offset(&header) < *next_offset))
        e = ERR_CORRUPT;
    if (e == ERR_OK)
        e = batch_reader_start(&reader, batch, batch_size(&header));
    if (e == ERR_OK && !batch_is_control(&header))
        e = take_records(&reader, out);
    if (e == ERR_OK)
        *next_offset = batch_last_offset(&header) + 1;
    batch_reader_deinit(&reader);
    mem_free(data);
    return e;
}

enum err clean_read(struct clean_env *c, int64_t from, struct clean_model *out)
{
    out->count = 0;
    struct log_position limit = partition_log_written(c->log);
    while (from < limit.offset) {
        struct log_view view;
        struct log_range range;
        enum err e = partition_log_view(c->log, from, &limit, &view);
        if (e != ERR_OK)
            return e;
        e = log_view_find(&view, from, 1, true, ENV_WAIT, &range);
        if (e == ERR_OK && range.is_hole)
            from = view.end_offset;
        else if (e == ERR_OK)
            e = read_batch(&range, out, &from);
        if (e == ERR_OK)
            log_range_release(&range);
        log_view_release(&view);
        if (e != ERR_OK)
            return e;
    }
    for (int i = 1; i < out->count; i++) {
        if (out->records[i].offset <= out->records[i - 1].offset)
            return ERR_CORRUPT;
    }
    return ERR_OK;
}

static bool is_last(const struct clean_model *model, int index, int64_t end)
{
    for (int i = index + 1; i < model->count && model->records[i].offset < end; i++) {
        if (model->records[i].key == model->records[index].key)
            return false;
    }
    return true;
}

bool clean_matches(const struct clean_model *model, const struct clean_model *found, int64_t end,
                   bool has_tombstones)
{
    int at = 0;
    for (int i = 0; i < model->count; i++) {
        const struct clean_record *r = &model->records[i];
        bool stays = r->offset >= end ||
                     (is_last(model, i, end) && (has_tombstones || r->value != CLEAN_TOMBSTONE));
        if (!stays)
            continue;
        if (at == found->count || memcmp(&found->records[at], r, sizeof(*r)) != 0)
            return false;
        at++;
    }
    return at == found->count;
}
