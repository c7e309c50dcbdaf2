// SPDX-License-Identifier: Apache-2.0
/* leader_epochs: see leader_epochs.h. Thread: whoever owns it. */
#include "log/leader_epochs.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"
#include "log/checkpoint_file.h"

void leader_epochs_init(struct leader_epochs *epochs)
{
    *epochs = (struct leader_epochs){0};
}

void leader_epochs_deinit(struct leader_epochs *epochs)
{
    mem_free(epochs->entries);
    *epochs = (struct leader_epochs){0};
}

void leader_epochs_check(const struct leader_epochs *epochs)
{
    ASSERT(epochs->count <= epochs->capacity);
    for (uint32_t i = 1; i < epochs->count; i++) {
        ASSERT(epochs->entries[i - 1].epoch < epochs->entries[i].epoch);
        ASSERT(epochs->entries[i - 1].start_offset < epochs->entries[i].start_offset);
    }
}

static void push(struct leader_epochs *epochs, int32_t epoch, int64_t start_offset)
{
    if (epochs->count == epochs->capacity) {
        epochs->capacity = MAX(2 * epochs->capacity, 2u);
        epochs->entries = mem_realloc(epochs->entries, epochs->capacity * sizeof(*epochs->entries));
    }
    epochs->entries[epochs->count++] =
        (struct leader_epoch){.start_offset = start_offset, .epoch = epoch};
}

void leader_epochs_begin(struct leader_epochs *epochs, int32_t epoch, int64_t start_offset)
{
    ASSERT(start_offset >= 0);
    if (epoch < 0 || epoch <= leader_epochs_last(epochs))
        return;
    leader_epochs_cut_end(epochs, start_offset);
    push(epochs, epoch, start_offset);
    epochs->is_dirty = true;
    ASSERT(leader_epochs_last(epochs) == epoch);
}

int32_t leader_epochs_last(const struct leader_epochs *epochs)
{
    return epochs->count == 0 ? -1 : epochs->entries[epochs->count - 1].epoch;
}

/* How many entries have an epoch <= this one. */
static uint32_t count_up_to(const struct leader_epochs *epochs, int32_t epoch)
{
    uint32_t n = epochs->count;
    while (n > 0 && epochs->entries[n - 1].epoch > epoch)
        n--;
    return n;
}

void leader_epochs_end_of(const struct leader_epochs *epochs, int32_t epoch, int64_t log_end,
                          int32_t *found_epoch, int64_t *end_offset)
{
    *found_epoch = -1;
    *end_offset = -1;
    if (epoch < 0 || epochs->count == 0 || epoch > leader_epochs_last(epochs))
        return;
    uint32_t n = count_up_to(epochs, epoch);
    *found_epoch = n == 0 ? epoch : epochs->entries[n - 1].epoch;
    *end_offset = n == epochs->count ? log_end : epochs->entries[n].start_offset;
    ASSERT(*found_epoch <= epoch);
}

void leader_epochs_cut_end(struct leader_epochs *epochs, int64_t log_end)
{
    while (epochs->count > 0 && epochs->entries[epochs->count - 1].start_offset >= log_end) {
        epochs->count--;
        epochs->is_dirty = true;
    }
}

void leader_epochs_lower(struct leader_epochs *epochs, int64_t log_end)
{
    if (epochs->count == 0 || epochs->entries[epochs->count - 1].start_offset <= log_end)
        return;
    ASSERT(log_end >= 0);
    int32_t epoch = leader_epochs_last(epochs);
    leader_epochs_cut_end(epochs, log_end);
    push(epochs, epoch, log_end);
}

void leader_epochs_cut_start(struct leader_epochs *epochs, int64_t log_start)
{
    uint32_t gone = 0;
    while (gone + 1 < epochs->count && epochs->entries[gone + 1].start_offset <= log_start)
        gone++;
    if (epochs->count == 0 || epochs->entries[gone].start_offset > log_start)
        return;
    if (gone == 0 && epochs->entries[0].start_offset == log_start)
        return;
    for (uint32_t i = gone; i < epochs->count; i++)
        epochs->entries[i - gone] = epochs->entries[i];
    epochs->count -= gone;
    epochs->entries[0].start_offset = log_start;
    epochs->is_dirty = true;
    leader_epochs_check(epochs);
}

void leader_epochs_write(struct leader_epochs *epochs, struct strbuf *out)
{
    leader_epochs_check(epochs);
    checkpoint_write_head(out, epochs->count);
    for (uint32_t i = 0; i < epochs->count; i++)
        strbuf_printf(out, "%" PRId32 " %" PRId64 "\n", epochs->entries[i].epoch,
                      epochs->entries[i].start_offset);
    epochs->is_dirty = false;
}

enum err leader_epochs_read(struct leader_epochs *epochs, const void *data, size_t size)
{
    struct leader_epochs read;
    leader_epochs_init(&read);
    struct checkpoint_reader r;
    checkpoint_reader_init(&r, data, size);
    while (checkpoint_reader_next(&r)) {
        int32_t epoch = (int32_t)checkpoint_read_number(&r, 0, INT32_MAX);
        int64_t start = checkpoint_read_number(&r, 0, INT64_MAX);
        checkpoint_read_line_end(&r);
        const struct leader_epoch *last = read.count > 0 ? &read.entries[read.count - 1] : NULL;
        if (last != NULL && (epoch <= last->epoch || start <= last->start_offset))
            r.is_bad = true;
        if (!r.is_bad)
            push(&read, epoch, start);
    }
    enum err e = checkpoint_reader_finish(&r);
    if (e != ERR_OK) {
        leader_epochs_deinit(&read);
        return e;
    }
    leader_epochs_deinit(epochs);
    *epochs = read;
    leader_epochs_check(epochs);
    return ERR_OK;
}
