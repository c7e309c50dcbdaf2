// SPDX-License-Identifier: Apache-2.0
/*
 * recent_batches: where the last batches of a log lie, so that readers near its end
 * need no index. All of one segment, one behind another without a hole between them.
 *
 * Thread: whoever owns it (the partition's monitor).
 */
#ifndef LOG_RECENT_BATCHES_H
#define LOG_RECENT_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { RECENT_BATCHES = 32 };

struct recent_batch {
    int64_t offset;
    uint32_t pos;
    uint32_t size;
    int32_t last_offset_delta;
};

/* Grows with what is appended: a log that took one record does not pay for 32. */
struct recent_batches {
    int64_t segment_base;
    uint32_t count;
    uint32_t next;
    uint32_t capacity;
    struct recent_batch items[]; /* a ring */
};

/* Forgets what it knew when the batch does not follow the last one in the same segment. Makes
 * *recent when it is NULL, and larger; mem_free frees it. */
void recent_batches_add(struct recent_batches **recent, int64_t segment_base,
                        const struct recent_batch *batch);
void recent_batches_clear(struct recent_batches *recent);

/* The first known batch that ends at or behind the offset, if the one before it is known too or it
 * holds the offset itself. NULL: not known. */
const struct recent_batch *recent_batches_find(const struct recent_batches *recent, int64_t offset);

#endif
