// SPDX-License-Identifier: Apache-2.0
/*
 * journal_format: header pages, groups and entries of a journal, as bytes; see docs/formats.md.
 * Knows no files.
 *
 * Thread: any.
 */
#ifndef LOG_JOURNAL_FORMAT_H
#define LOG_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

enum {
    JOURNAL_PAGE_BYTES = 4096,
    JOURNAL_GROUP_HEADER_BYTES = 40,
    JOURNAL_ENTRY_HEADER_BYTES = 64,
};

/* A header page. */
struct journal_file_header {
    struct uuid directory_id;
    uint32_t half;
    int64_t size;
};

void journal_file_header_write(const struct journal_file_header *header,
                               uint8_t out[JOURNAL_PAGE_BYTES]);
/* False: not a header, or damaged. */
bool journal_file_header_read(const uint8_t page[JOURNAL_PAGE_BYTES],
                              struct journal_file_header *out);

struct journal_group_header {
    uint32_t size; /* with this header and all entries, without what fills the page */
    uint32_t count;
    uint64_t generation;
    uint64_t number;
    uint64_t salt;
};

/* Writes the header in front of the entries, and its checksum: `data` is the whole group. */
void journal_group_seal(const struct journal_group_header *header, uint8_t *data);

/* What the first JOURNAL_GROUP_HEADER_BYTES say; false: no group. The checksum is another matter.
 */
bool journal_group_read(const uint8_t *data, struct journal_group_header *out);
bool journal_group_is_whole(const uint8_t *data, uint32_t size);

enum journal_kind {
    JOURNAL_APPEND = 1,
    JOURNAL_CUT = 2,
    JOURNAL_VOID = 3,
    JOURNAL_GONE = 4,
};

struct journal_item {
    enum journal_kind kind;
    uint32_t size; /* of the bytes behind */
    int32_t partition;
    int32_t leader_epoch;
    struct uuid topic_id;
    int64_t first; /* offset; of a void entry the generation */
    int64_t end_offset;
    int64_t segment_base;
    int64_t pos;
};

void journal_item_write(const struct journal_item *item, uint8_t *out);

/* The next entry at `data`, of which `left` bytes are there. False: none that is valid. */
bool journal_item_read(const uint8_t *data, size_t left, struct journal_item *out);

/* Up to the next page. */
static inline int64_t journal_padded(int64_t size)
{
    return (size + JOURNAL_PAGE_BYTES - 1) / JOURNAL_PAGE_BYTES * JOURNAL_PAGE_BYTES;
}

#endif
