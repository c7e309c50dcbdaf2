// SPDX-License-Identifier: Apache-2.0
/* log_cleaning: see log_cleaning.h; the order of things is that of Kafka's Cleaner. Thread: one at
 * a time. */
#include "log/log_cleaning.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "log/batch_source.h"
#include "log/clean_output.h"
#include "log/segment_walk.h"

enum {
    STEP_BYTES = 1 << 20, /* about so much is read in one step */
    WALK_BUFFER = 64 << 10,
};

enum phase { PHASE_SCAN, PHASE_MAP, PHASE_CLEAN, PHASE_DONE };

struct log_cleaning {
    struct env *env;
    struct log_clean_plan plan;
    struct log_cleaning_options options;
    enum phase phase;
    uint32_t at;  /* input that is being read */
    int64_t pos;  /* in it, while headers are looked at */
    bool is_open; /* the source is inside input `at` */
    int64_t end;  /* what lies below is compacted now */
    uint64_t dirty_records;
    uint8_t *walk_buffer;
    struct clean_txns txns;
    struct key_map map;
    struct batch_source source;
    struct batch_filter filter;
    struct clean_output output;
    uint32_t group_first;
    uint32_t group_count; /* 0: no group is begun */
    bool group_changed;
    int64_t gap_offset; /* where the first batch began that went since one stayed; */
    int32_t gap_epoch;  /* and its epoch; -1: none did */
    int32_t last_epoch; /* of the batch that was read last */
    struct segment **olds;
    struct log_swap swap;
    struct log_cleaning_stats stats;
    char why[256];
};

static void say(struct log_cleaning *c, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct log_cleaning *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->why, sizeof(c->why), format, args);
    va_end(args);
}

static void say_corrupt(struct log_cleaning *c, int64_t pos)
{
    say(c, "%020" PRId64 ".log is damaged at position %" PRId64,
        c->plan.inputs[c->at].segment->base_offset, pos);
}

/* ---- 1. headers */

static enum err learn(struct log_cleaning *c, const struct batch_header *header,
                      struct env_file *file, int64_t pos)
{
    enum clean_marker marker = CLEAN_MARKER_OTHER;
    if (batch_is_control(header)) {
        size_t size = batch_size(header);
        uint8_t *data = mem_try(size);
        size_t got = 0;
        enum err e =
            data == NULL ? ERR_NO_MEMORY : env_file_read(file, data, size, pos, ENV_WAIT, &got);
        if (e == ERR_OK && (got < size || batch_crc(data, size) != header->crc))
            e = ERR_CORRUPT;
        if (e == ERR_OK)
            e = batch_filter_marker(&c->filter.reader, header, data, &marker);
        mem_free(data);
        if (e != ERR_OK)
            return e;
    }
    return clean_txns_learn(&c->txns, header, marker);
}

static enum err scan_segment(struct log_cleaning *c, struct env_file *file)
{
    const struct clean_input *input = &c->plan.inputs[c->at];
    struct segment_walk walk;
    segment_walk_init(&walk, file, c->pos, input->tail.size, ENV_WAIT);
    segment_walk_use(&walk, c->walk_buffer, WALK_BUFFER);
    int64_t step_end = c->pos + 16 * (int64_t)STEP_BYTES; /* mostly headers only */
    enum err e = ERR_OK;
    while (e == ERR_OK && c->pos < step_end) {
        struct batch_header header;
        int64_t pos;
        e = segment_walk_next(&walk, &header, &pos);
        if (e == ERR_OK && header.base_offset >= c->plan.end)
            e = ERR_NOT_FOUND; /* a transaction that is open begins there */
        if (e == ERR_OK)
            e = learn(c, &header, file, pos);
        if (e != ERR_OK)
            break;
        if (batch_last_offset(&header) >= c->plan.first_dirty)
            c->dirty_records += (uint64_t)header.record_count;
        c->pos = walk.pos;
    }
    if (e == ERR_CORRUPT)
        say_corrupt(c, c->pos);
    return e;
}

/* All headers are known. */
static enum err begin_map(struct log_cleaning *c)
{
    uint64_t secret[2];
    env_random(c->env, secret, sizeof(secret));
    c->end = clean_txns_stable_end(&c->txns, c->plan.end);
    enum err e = key_map_init(&c->map, secret, c->options.map_bytes_max, c->options.map_load,
                              c->dirty_records);
    if (e != ERR_OK)
        return e;
    c->stats.map_bytes = key_map_bytes(&c->map);
    clean_txns_begin(&c->txns, c->plan.first_dirty);
    c->phase = PHASE_MAP;
    c->at = 0;
    c->plan.end = c->end;
    return ERR_OK;
}

static enum err scan_step(struct log_cleaning *c)
{
    if (c->at == c->plan.count)
        return begin_map(c);
    struct env_file *file = NULL;
    int64_t from = c->pos;
    enum err e = segment_file(c->plan.inputs[c->at].segment, LOG_FILE_LOG, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = scan_segment(c, file);
    env_file_unref(file);
    c->stats.bytes_read += MIN(c->pos - from, (int64_t)STEP_BYTES);
    if (e == ERR_NOT_FOUND) {
        c->at++;
        c->pos = 0;
        e = ERR_OK;
    }
    return e;
}

/* ---- reading whole batches, in both of the other passes */

static enum err next_batch(struct log_cleaning *c, struct batch_header *header,
                           const uint8_t **data)
{
    const struct clean_input *input = &c->plan.inputs[c->at];
    enum err e = ERR_OK;
    if (!c->is_open)
        e = batch_source_open(&c->source, input->segment, input->tail.size, input->next_base);
    c->is_open = e == ERR_OK;
    if (e == ERR_OK)
        e = batch_source_next(&c->source, header, data);
    if (e == ERR_CORRUPT)
        say_corrupt(c, c->source.pos);
    return e;
}

static void leave_input(struct log_cleaning *c)
{
    c->is_open = false;
    segment_close_files(c->plan.inputs[c->at].segment);
    c->at++;
}

/* ---- 2. the map */

static enum err begin_clean(struct log_cleaning *c)
{
    if (c->end <= c->plan.first_dirty) {
        c->phase = PHASE_DONE; /* all of it waits for a transaction to end */
        c->end = c->plan.first_dirty;
        return ERR_OK;
    }
    enum err e = clean_output_remove_left(c->plan.home);
    if (e != ERR_OK)
        return e;
    clean_txns_begin(&c->txns, 0);
    clean_producers_sort(&c->plan.producers);
    c->filter.map = &c->map;
    c->filter.txns = &c->txns;
    c->filter.producers = &c->plan.producers;
    c->filter.end = c->end;
    c->filter.now_ms = c->plan.now_ms;
    c->filter.delete_retention_ms = c->plan.config.delete_retention_ms;
    c->phase = PHASE_CLEAN;
    c->is_open = false;
    c->at = 0;
    return ERR_OK;
}

/* ERR_FULL: no room for this batch's keys. */
static enum err map_batch(struct log_cleaning *c, const struct batch_header *header,
                          const uint8_t *data)
{
    bool is_aborted = false;
    enum err e;
    if (batch_is_control(header)) {
        enum clean_marker marker;
        bool is_spent;
        const struct aborted_txn *aborted;
        e = batch_filter_marker(&c->filter.reader, header, data, &marker);
        return e == ERR_OK ? clean_txns_marker(&c->txns, header, marker, &is_spent, &aborted) : e;
    }
    e = clean_txns_data(&c->txns, header, &is_aborted);
    if (e != ERR_OK || is_aborted)
        return e;
    e = batch_reader_start(&c->filter.reader, data, batch_size(header));
    while (e == ERR_OK) {
        struct record record;
        e = batch_reader_next(&c->filter.reader, &record);
        if (e == ERR_NOT_FOUND)
            return ERR_OK;
        int64_t offset = header->base_offset + record.offset_delta;
        if (e != ERR_OK || record.key.len < 0 || offset < c->plan.first_dirty)
            continue;
        if (!key_map_put(&c->map, record.key.data, (size_t)record.key.len, offset))
            e = ERR_FULL;
    }
    return e;
}

/* The rest is for the next time; without any progress there would never be one. */
static enum err map_is_full(struct log_cleaning *c, int64_t base_offset)
{
    if (base_offset <= c->plan.first_dirty) {
        say(c,
            "the keys of the batch at offset %" PRId64
            " do not fit into the cleaner's map of %zu keys: log.cleaner.dedupe.buffer.size",
            base_offset, c->map.count_max);
        return ERR_FULL;
    }
    c->end = base_offset;
    return begin_clean(c);
}

static enum err map_step(struct log_cleaning *c)
{
    int64_t step_end = c->source.bytes_read + STEP_BYTES;
    while (c->source.bytes_read < step_end) {
        if (c->at == c->plan.count || c->plan.inputs[c->at].segment->base_offset >= c->end)
            return begin_clean(c);
        if (c->plan.inputs[c->at].next_base <= c->plan.first_dirty) {
            c->at++;
            continue;
        }
        struct batch_header header;
        const uint8_t *data;
        int64_t pos = c->source.pos;
        enum err e = next_batch(c, &header, &data);
        if (e == ERR_OK && header.base_offset >= c->end)
            return begin_clean(c);
        bool is_dirty = e == ERR_OK && batch_last_offset(&header) >= c->plan.first_dirty;
        if (is_dirty)
            e = map_batch(c, &header, data);
        if (is_dirty && e == ERR_FULL) /* else there is no descriptor just now */
            return map_is_full(c, header.base_offset);
        if (is_dirty && e == ERR_CORRUPT)
            say_corrupt(c, pos);
        if (e == ERR_NOT_FOUND)
            leave_input(c);
        else if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* ---- 3. writing anew */

/* As many segments as fit into one, by bytes, by entries of the indexes, and by offsets. */
static uint32_t count_group(const struct log_cleaning *c, uint32_t first)
{
    const struct clean_input *inputs = c->plan.inputs;
    const struct log_config *config = &c->plan.config;
    int64_t size = 0;
    int64_t index_bytes = 0;
    int64_t time_bytes = 0;
    uint32_t count = 0;
    for (uint32_t i = first; i < c->plan.count; i++, count++) {
        const struct segment_tail *tail = &inputs[i].tail;
        if (inputs[i].segment->base_offset >= c->end)
            break;
        size += tail->size;
        index_bytes += (int64_t)tail->index_count * INDEX_ENTRY_BYTES;
        time_bytes += (int64_t)tail->time_count * TIMEINDEX_ENTRY_BYTES;
        int64_t span = inputs[i].next_base - 1 - inputs[first].segment->base_offset;
        bool fits = size <= config->segment_bytes && index_bytes <= config->segment_index_bytes &&
                    time_bytes <= config->segment_index_bytes && span <= INT32_MAX;
        if (count > 0 && !fits)
            break;
    }
    return count;
}

static enum err begin_group(struct log_cleaning *c)
{
    c->group_first = c->at;
    c->group_count = count_group(c, c->at);
    ASSERT(c->group_count > 0);
    c->group_changed = c->group_count > 1;
    c->gap_epoch = -1;
    const struct clean_input *last = &c->plan.inputs[c->at + c->group_count - 1];
    return clean_output_begin(&c->output, c->plan.home, c->plan.inputs[c->at].segment->base_offset,
                              last->segment->created_ms);
}

static enum err clean_batch(struct log_cleaning *c, struct batch_header *header,
                            const uint8_t *data, int64_t pos)
{
    enum batch_fate fate;
    bool ends_segment = batch_last_offset(header) + 1 == c->plan.inputs[c->at].next_base;
    c->last_epoch = MAX(c->last_epoch, header->leader_epoch);
    enum err e = batch_filter_run(&c->filter, header, &data, &fate);
    if (CANARY(CLEAN_BORDER) && ends_segment && fate != BATCH_STAYS)
        fate = BATCH_GOES;
    if (e == ERR_CORRUPT)
        say_corrupt(c, pos);
    c->group_changed |= fate != BATCH_STAYS;
    if (fate != BATCH_GOES)
        c->gap_epoch = -1;
    else if (c->gap_epoch < 0) {
        c->gap_epoch = header->leader_epoch;
        c->gap_offset = header->base_offset;
    }
    if (e == ERR_OK && c->filter.aborted != NULL)
        e = clean_output_add_aborted(&c->output, c->filter.aborted);
    if (e == ERR_OK && fate != BATCH_GOES)
        e = clean_output_add(&c->output, header, data);
    if (e == ERR_TOO_LARGE)
        say(c, "%020" PRId64 ".log would outgrow 2^31 bytes", c->output.segment->base_offset);
    return e;
}

/* Nothing would change: the segment stays as it is. What is left of the try would speak against the
 * next group's at an open. */
static enum err pass_over_group(struct log_cleaning *c)
{
    c->group_count = 0;
    return clean_output_drop(&c->output);
}

static enum err end_group(struct log_cleaning *c, enum log_cleaning_next *next)
{
    const struct clean_input *first = &c->plan.inputs[c->group_first];
    int64_t end_offset = first[c->group_count - 1].next_base;
    bool fills = c->output.segment->tail.next_offset < end_offset;
    if (!c->group_changed && !fills)
        return pass_over_group(c);
    struct segment *made = NULL;
    /* No epoch may seem to begin earlier than it did. */
    struct clean_gap gap = {c->output.segment->tail.next_offset, end_offset, c->last_epoch};
    if (c->gap_epoch >= 0)
        gap = (struct clean_gap){c->gap_offset, end_offset, c->gap_epoch};
    enum err e = clean_output_finish(&c->output, &gap, &made);
    if (e != ERR_OK)
        return e;
    for (uint32_t i = 0; i < c->group_count; i++) {
        c->olds[i] = first[i].segment;
        c->stats.bytes_before += first[i].tail.size;
    }
    c->stats.bytes_after += made->tail.size;
    c->swap = (struct log_swap){.made = made,
                                .olds = c->olds,
                                .old_count = c->group_count,
                                .end_offset = end_offset,
                                .generation = c->plan.generation};
    *next = CLEANING_SWAP;
    return ERR_OK;
}

static enum err clean_step(struct log_cleaning *c, enum log_cleaning_next *next)
{
    int64_t step_end = c->source.bytes_read + STEP_BYTES;
    while (c->source.bytes_read < step_end) {
        if (c->group_count > 0 && c->at == c->group_first + c->group_count)
            return end_group(c, next);
        if (c->at == c->plan.count || c->plan.inputs[c->at].segment->base_offset >= c->end) {
            c->phase = PHASE_DONE;
            return ERR_OK;
        }
        enum err e = c->group_count == 0 ? begin_group(c) : ERR_OK;
        if (e != ERR_OK)
            return e;
        struct batch_header header;
        const uint8_t *data;
        int64_t pos = c->is_open ? c->source.pos : 0;
        e = next_batch(c, &header, &data);
        if (e == ERR_OK)
            e = clean_batch(c, &header, data, pos);
        if (e == ERR_NOT_FOUND)
            leave_input(c);
        else if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* ---- all */

enum err log_cleaning_step(struct log_cleaning *c, enum log_cleaning_next *next)
{
    ASSERT(c->swap.made == NULL);
    *next = CLEANING_MORE;
    enum err e = ERR_OK;
    int64_t read_before = c->source.bytes_read;
    switch (c->phase) {
    case PHASE_SCAN:
        e = scan_step(c);
        break;
    case PHASE_MAP:
        e = map_step(c);
        break;
    case PHASE_CLEAN:
        e = clean_step(c, next);
        break;
    case PHASE_DONE:
        break;
    }
    c->stats.bytes_read += c->source.bytes_read - read_before;
    c->stats.bytes_written = c->output.bytes_written;
    c->stats.records_read = c->filter.records_read;
    c->stats.records_kept = c->filter.records_kept;
    if (e == ERR_OK && c->phase == PHASE_DONE)
        *next = CLEANING_DONE;
    return e;
}

enum err log_cleaning_new(struct env *env, struct log_clean_plan *take_plan,
                          const struct log_cleaning_options *options, struct log_cleaning **out)
{
    struct log_cleaning *c = mem_alloc(sizeof(*c));
    c->env = env;
    c->plan = *take_plan;
    *take_plan = (struct log_clean_plan){0};
    c->options = *options;
    c->end = c->plan.end;
    c->last_epoch = -1;
    c->gap_epoch = -1;
    clean_txns_init(&c->txns);
    batch_filter_init(&c->filter);
    clean_output_init(&c->output, options->io_bytes, c->plan.config.index_interval_bytes);
    c->olds = mem_alloc(c->plan.count * sizeof(*c->olds));
    c->walk_buffer = mem_try(WALK_BUFFER);
    enum err e = c->walk_buffer != NULL ? ERR_OK : ERR_NO_MEMORY;
    if (e == ERR_OK)
        e = batch_source_init(&c->source, MAX(options->io_bytes, (size_t)BATCH_HEADER_BYTES));
    if (e != ERR_OK) {
        log_cleaning_free(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void log_cleaning_free(struct log_cleaning *c)
{
    if (c == NULL)
        return;
    if (c->swap.made != NULL && !c->swap.is_published) {
        enum err ignored = segment_unlink_all(c->swap.made, LOG_STAGE_CLEANED);
        (void)ignored; /* found and removed by the next round, or at the next open */
    }
    segment_unref(c->swap.made);
    clean_output_deinit(&c->output);
    batch_filter_deinit(&c->filter);
    batch_source_deinit(&c->source);
    key_map_deinit(&c->map);
    clean_txns_deinit(&c->txns);
    mem_free(c->walk_buffer);
    mem_free(c->olds);
    log_clean_plan_free(&c->plan);
    mem_free(c);
}

struct log_swap *log_cleaning_swap(struct log_cleaning *c)
{
    ASSERT(c->swap.made != NULL);
    return &c->swap;
}

void log_cleaning_swapped(struct log_cleaning *c)
{
    ASSERT(c->swap.is_published && list_is_empty(&c->swap.retired));
    segment_unref(c->swap.made);
    c->swap = (struct log_swap){0};
    c->group_count = 0;
}

int64_t log_cleaning_end(const struct log_cleaning *c)
{
    ASSERT(c->phase == PHASE_DONE);
    return c->end;
}

const struct log_cleaning_stats *log_cleaning_stats(const struct log_cleaning *c)
{
    return &c->stats;
}

const char *log_cleaning_why(const struct log_cleaning *c)
{
    return c->why;
}
