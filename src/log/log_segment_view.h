// SPDX-License-Identifier: Apache-2.0
/*
 * log_segment_view: one segment in a search over many: what of it may be read.
 *
 * Thread: any; it holds what it needs by reference.
 */
#ifndef LOG_LOG_SEGMENT_VIEW_H
#define LOG_LOG_SEGMENT_VIEW_H

#include "log/segment.h"

struct log_segment_view {
    struct segment *segment; /* one reference */
    struct segment_tail tail;
    int64_t end_pos;
    uint32_t cuts;  /* of the segment when the view was made */
    bool seeks_end; /* end_pos is only a bound; batches at or behind the limit do not count */
};

#endif
