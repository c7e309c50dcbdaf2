// SPDX-License-Identifier: Apache-2.0
/* segment_index: see segment_index.h. Thread: any. */
#include "log/segment_index.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/macros.h"
#include "log/segment_tail.h"

enum { READ_BYTES = 4096 };

/* What the two kinds have in common: an entry begins with its key, big-endian, 4 or 8 bytes. */
struct index_shape {
    uint32_t entry_bytes;
    bool has_long_key;
};

/* A file to be searched. */
struct index_source {
    struct env_file *file;
    const struct index_shape *shape;
    enum env_read_mode mode;
};

static const struct index_shape offset_shape = {INDEX_ENTRY_BYTES, false};
static const struct index_shape time_shape = {TIMEINDEX_ENTRY_BYTES, true};

static int64_t key_of(const struct index_shape *shape, const uint8_t *entry)
{
    return shape->has_long_key ? (int64_t)bytes_load_u64(entry) : (int64_t)bytes_load_u32(entry);
}

static enum err read_entries(const struct index_source *source, uint32_t first, uint32_t count,
                             uint8_t *out)
{
    size_t len = (size_t)count * source->shape->entry_bytes;
    ASSERT(len <= READ_BYTES);
    size_t got = 0;
    enum err e = env_file_read(source->file, out, len, (int64_t)first * source->shape->entry_bytes,
                               source->mode, &got);
    if (e != ERR_OK)
        return e;
    return got < len ? ERR_CORRUPT : ERR_OK;
}

/* How many of the `count` entries in memory have a key <= the wanted one. */
static uint32_t count_not_above(const struct index_shape *shape, const uint8_t *entries,
                                uint32_t count, int64_t key)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key_of(shape, entries + (size_t)middle * shape->entry_bytes) <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/*
 * Entries before `low` are known not to be above the key, those from `high` on to be above. Each
 * step reads one block: the last one first, then the one in the middle of what is left.
 */
static enum err find_last(const struct index_source *source, uint32_t count, int64_t key,
                          uint8_t *entry)
{
    const struct index_shape *shape = source->shape;
    ASSERT(count <= INT32_MAX);
    uint8_t block[READ_BYTES];
    uint32_t per_block = READ_BYTES / shape->entry_bytes;
    uint32_t low = 0;
    uint32_t high = count;
    bool found = false;
    uint32_t first = high - MIN(high, per_block);
    while (low < high) {
        uint32_t n = MIN(per_block, high - first);
        enum err e = read_entries(source, first, n, block);
        if (e != ERR_OK)
            return e;
        uint32_t below = count_not_above(shape, block, n, key);
        if (below > 0) {
            memcpy(entry, block + (size_t)(below - 1) * shape->entry_bytes, shape->entry_bytes);
            found = true;
            low = first + below;
        }
        if (below < n)
            high = first + below;
        uint32_t middle = low + (high - low) / 2;
        first = MAX(low, middle - MIN(middle, per_block / 2));
    }
    return found ? ERR_OK : ERR_NOT_FOUND;
}

static struct index_entry decode_index(const uint8_t *entry)
{
    return (struct index_entry){bytes_load_u32(entry), bytes_load_u32(entry + 4)};
}

static struct timeindex_entry decode_time(const uint8_t *entry)
{
    return (struct timeindex_entry){(int64_t)bytes_load_u64(entry), bytes_load_u32(entry + 8)};
}

enum err index_find(struct env_file *file, uint32_t count, uint32_t relative_offset,
                    enum env_read_mode mode, struct index_entry *out)
{
    uint8_t entry[INDEX_ENTRY_BYTES];
    struct index_source source = {file, &offset_shape, mode};
    enum err e = find_last(&source, count, relative_offset, entry);
    if (e == ERR_OK)
        *out = decode_index(entry);
    return e;
}

enum err timeindex_find(struct env_file *file, uint32_t count, int64_t timestamp,
                        enum env_read_mode mode, struct timeindex_entry *out)
{
    uint8_t entry[TIMEINDEX_ENTRY_BYTES];
    struct index_source source = {file, &time_shape, mode};
    enum err e = find_last(&source, count, timestamp, entry);
    if (e == ERR_OK)
        *out = decode_time(entry);
    return e;
}

static bool is_zero(const uint8_t *entry, uint32_t size)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < size; i++)
        any |= entry[i];
    return any == 0;
}

/* The entries before the zeros that fill a preallocated file up. An offset entry is never all
 * zeros: the first one lies behind a batch. A time entry is when the only timestamp is 0; it is
 * taken for a zero then, and whoever asks makes the index anew. */
static enum err count_entries(const struct index_source *source, uint32_t *count)
{
    const struct index_shape *shape = source->shape;
    int64_t size;
    enum err e = env_file_size(source->file, &size);
    if (e != ERR_OK)
        return e;
    if (size % shape->entry_bytes != 0 || size / shape->entry_bytes > INT32_MAX)
        return ERR_CORRUPT;
    uint32_t low = 0;
    uint32_t high = (uint32_t)(size / shape->entry_bytes);
    bool is_first = true; /* the last entry is looked at first: mostly there are no zeros */
    while (low < high) {
        uint8_t entry[TIMEINDEX_ENTRY_BYTES];
        uint32_t middle = is_first ? high - 1 : low + (high - low) / 2;
        is_first = false;
        e = read_entries(source, middle, 1, entry);
        if (e != ERR_OK)
            return e;
        if (is_zero(entry, shape->entry_bytes))
            high = middle;
        else
            low = middle + 1;
    }
    *count = low;
    return ERR_OK;
}

/* The last two entries are read; with one or none the missing ones are zeros. */
static enum err read_end(const struct index_source *source, uint32_t count, uint8_t *before,
                         uint8_t *last)
{
    const struct index_shape *shape = source->shape;
    memset(before, 0, shape->entry_bytes);
    memset(last, 0, shape->entry_bytes);
    uint8_t both[2 * TIMEINDEX_ENTRY_BYTES];
    uint32_t n = MIN(count, 2u);
    if (n == 0)
        return ERR_OK;
    enum err e = read_entries(source, count - n, n, both);
    if (e != ERR_OK)
        return e;
    memcpy(last, both + (size_t)(n - 1) * shape->entry_bytes, shape->entry_bytes);
    if (n == 2)
        memcpy(before, both, shape->entry_bytes);
    return ERR_OK;
}

enum err index_examine(struct env_file *file, int64_t log_size, uint32_t *count,
                       struct index_entry *last)
{
    uint32_t n = 0;
    uint8_t ends[2][INDEX_ENTRY_BYTES];
    struct index_source source = {file, &offset_shape, ENV_WAIT};
    enum err e = count_entries(&source, &n);
    if (e == ERR_OK)
        e = read_end(&source, n, ends[0], ends[1]);
    if (e != ERR_OK)
        return e;
    struct index_entry before = decode_index(ends[0]);
    struct index_entry end = decode_index(ends[1]);
    if (n > 0 && end.pos >= log_size)
        return ERR_CORRUPT;
    if (n > 1 && (end.pos <= before.pos || end.relative_offset <= before.relative_offset))
        return ERR_CORRUPT;
    if (end.relative_offset > INT32_MAX)
        return ERR_CORRUPT;
    *count = n;
    *last = end;
    return ERR_OK;
}

enum err timeindex_examine(struct env_file *file, uint32_t *count, struct timeindex_entry *last)
{
    uint32_t n = 0;
    uint8_t ends[2][TIMEINDEX_ENTRY_BYTES];
    struct index_source source = {file, &time_shape, ENV_WAIT};
    enum err e = count_entries(&source, &n);
    if (e == ERR_OK)
        e = read_end(&source, n, ends[0], ends[1]);
    if (e != ERR_OK)
        return e;
    struct timeindex_entry before = decode_time(ends[0]);
    struct timeindex_entry end = decode_time(ends[1]);
    if (n > 0 && (end.timestamp < 0 || end.relative_offset > INT32_MAX))
        return ERR_CORRUPT;
    if (n > 1 &&
        (end.timestamp <= before.timestamp || end.relative_offset < before.relative_offset))
        return ERR_CORRUPT;
    *count = n;
    *last = n > 0 ? end : (struct timeindex_entry){.timestamp = -1};
    return ERR_OK;
}
