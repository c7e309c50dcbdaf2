// SPDX-License-Identifier: Apache-2.0
/* clean_output: see clean_output.h. Thread: whoever owns it. */
#include "log/clean_output.h"

#include "base/assert.h"
#include "base/mem.h"
#include "log/log_names.h"
#include "wire/batch_rewrite.h"

void clean_output_init(struct clean_output *out, size_t flush_bytes, int64_t index_interval_bytes)
{
    *out = (struct clean_output){.flush_bytes = flush_bytes,
                                 .index_interval_bytes = index_interval_bytes};
    batch_buffer_init(&out->log, SIZE_MAX);
    batch_buffer_init(&out->index, SIZE_MAX);
    batch_buffer_init(&out->timeindex, SIZE_MAX);
    batch_buffer_init(&out->txnindex, SIZE_MAX);
}

void clean_output_deinit(struct clean_output *out)
{
    enum err ignored = clean_output_drop(out);
    (void)ignored; /* found and removed by the next round, or at the next open */
    batch_buffer_deinit(&out->log);
    batch_buffer_deinit(&out->index);
    batch_buffer_deinit(&out->timeindex);
    batch_buffer_deinit(&out->txnindex);
}

static void forget(struct clean_output *out)
{
    env_file_unref(out->file);
    segment_unref(out->segment);
    out->file = NULL;
    out->segment = NULL;
    out->flushed = 0;
    out->log.len = 0;
    out->index.len = 0;
    out->timeindex.len = 0;
    out->txnindex.len = 0;
}

enum err clean_output_drop(struct clean_output *out)
{
    if (out->segment == NULL)
        return ERR_OK;
    enum err e = segment_unlink_all(out->segment, LOG_STAGE_CLEANED);
    forget(out);
    return e;
}

enum err clean_output_remove_left(struct log_home *home)
{
    struct log_names names = {0};
    enum err e = log_names_list(&names, home);
    for (size_t i = 0; i < names.count && e == ERR_OK; i++) {
        char text[LOG_NAME_SIZE];
        if (names.items[i].stage == LOG_STAGE_CLEANED)
            e = log_file_remove(home->env, home->dir, log_file_name_format(text, &names.items[i]));
    }
    log_names_deinit(&names);
    return e;
}

enum err clean_output_begin(struct clean_output *out, struct log_home *home, int64_t base_offset,
                            int64_t created_ms)
{
    ASSERT(out->segment == NULL);
    out->segment = segment_new(home, base_offset, created_ms);
    segment_set_stage(out->segment, LOG_STAGE_CLEANED);
    enum err e = ERR_OK;
    for (int kind = LOG_FILE_LOG; kind < SEGMENT_FILES && e == ERR_OK; kind++) {
        struct env_file *file = NULL;
        e = segment_file_make(out->segment, (enum log_file_kind)kind, true, &file);
        if (e == ERR_OK && kind == LOG_FILE_LOG)
            out->file = env_file_ref(file);
        env_file_unref(file);
    }
    return e;
}

static enum err flush_log(struct clean_output *out)
{
    if (out->log.len == 0)
        return ERR_OK;
    struct iovec iov = {out->log.data, out->log.len};
    enum err e = env_file_write(out->file, &iov, 1, out->flushed);
    if (e != ERR_OK)
        return e;
    out->flushed += (int64_t)out->log.len;
    out->bytes_written += (int64_t)out->log.len;
    out->log.len = 0;
    return ERR_OK;
}

static enum err add_entry(struct clean_output *out, const struct segment_entry *entry)
{
    uint8_t bytes[TIMEINDEX_ENTRY_BYTES];
    enum err e = ERR_OK;
    if (entry->has_index) {
        segment_entry_write_index(entry, bytes);
        e = batch_buffer_add(&out->index, bytes, INDEX_ENTRY_BYTES);
    }
    if (e == ERR_OK && entry->has_time) {
        segment_entry_write_time(entry, bytes);
        e = batch_buffer_add(&out->timeindex, bytes, TIMEINDEX_ENTRY_BYTES);
    }
    return e;
}

enum err clean_output_add(struct clean_output *out, const struct batch_header *header,
                          const uint8_t *data)
{
    struct segment *seg = out->segment;
    size_t size = batch_size(header);
    if (!segment_tail_has_room(&seg->tail, seg->base_offset, batch_last_offset(header),
                               (int64_t)size))
        return ERR_TOO_LARGE;
    enum err e = batch_buffer_add(&out->log, data, size);
    if (e != ERR_OK)
        return e;
    struct segment_entry entry;
    segment_tail_step(&seg->tail, seg->base_offset, header, out->index_interval_bytes, &entry);
    e = add_entry(out, &entry);
    return e == ERR_OK && out->log.len >= out->flush_bytes ? flush_log(out) : e;
}

enum err clean_output_add_aborted(struct clean_output *out, const struct aborted_txn *txn)
{
    uint8_t bytes[TXNINDEX_ENTRY_BYTES];
    aborted_txn_write(txn, bytes);
    return batch_buffer_add(&out->txnindex, bytes, sizeof(bytes));
}

static enum err write_whole(struct clean_output *out, struct env_file *file,
                            struct batch_buffer *bytes)
{
    struct iovec iov = {bytes->data, bytes->len};
    enum err e = bytes->len > 0 ? env_file_write(file, &iov, 1, 0) : ERR_OK;
    out->bytes_written += (int64_t)bytes->len;
    return e == ERR_OK ? env_file_sync(file) : e;
}

static enum err write_index(struct clean_output *out, enum log_file_kind kind,
                            struct batch_buffer *bytes)
{
    struct env_file *file = NULL;
    enum err e = segment_file(out->segment, kind, ENV_WAIT, &file);
    if (e == ERR_OK)
        e = write_whole(out, file, bytes);
    env_file_unref(file);
    return e;
}

static enum err write_txnindex(struct clean_output *out)
{
    if (out->txnindex.len == 0)
        return ERR_OK;
    struct log_home *home = out->segment->home;
    struct log_file_name name = {
        .offset = out->segment->base_offset, .kind = LOG_FILE_TXNINDEX, .stage = LOG_STAGE_CLEANED};
    char text[LOG_NAME_SIZE];
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, home->dir, log_file_name_format(text, &name)))
        return ERR_TOO_LARGE;
    struct env_file *file = NULL;
    enum err e = env_file_open(home->env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    if (e == ERR_OK)
        e = write_whole(out, file, &out->txnindex);
    env_file_unref(file);
    return e;
}

static enum err fill_up(struct clean_output *out, const struct clean_gap *gap)
{
    int64_t next_offset = out->segment->tail.next_offset;
    ASSERT(next_offset <= gap->end_offset);
    if (next_offset == gap->end_offset)
        return ERR_OK;
    ASSERT(gap->first_offset >= next_offset);
    uint8_t bytes[BATCH_HEADER_BYTES];
    struct batch_header filler;
    batch_write_filler(gap->first_offset, gap->end_offset - 1, gap->leader_epoch, bytes, &filler);
    return clean_output_add(out, &filler, bytes);
}

enum err clean_output_finish(struct clean_output *out, const struct clean_gap *gap,
                             struct segment **segment)
{
    struct segment *seg = out->segment;
    struct segment_entry entry;
    enum err e = fill_up(out, gap);
    if (e == ERR_OK && segment_tail_seal(&seg->tail, seg->base_offset, &entry))
        e = add_entry(out, &entry);
    if (e == ERR_OK)
        e = flush_log(out);
    if (e == ERR_OK)
        e = env_file_sync(out->file);
    if (e == ERR_OK)
        e = write_index(out, LOG_FILE_INDEX, &out->index);
    if (e == ERR_OK)
        e = write_index(out, LOG_FILE_TIMEINDEX, &out->timeindex);
    if (e == ERR_OK)
        e = write_txnindex(out);
    if (e == ERR_OK)
        e = env_dir_sync(seg->home->env, seg->home->dir);
    if (e != ERR_OK)
        return e;
    ASSERT(out->flushed == seg->tail.size && seg->tail.next_offset == gap->end_offset);
    segment_tail_check(&seg->tail, seg->base_offset);
    *segment = segment_ref(seg);
    forget(out);
    return ERR_OK;
}
