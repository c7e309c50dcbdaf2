// SPDX-License-Identifier: Apache-2.0
/*
 * scrub: reads sealed, synced segments again and compares checksums, a piece at a time.
 *
 * What it finds is marked in the segment: readers get what lies before and behind it, and
 * ERR_CORRUPT for the batch itself. A batch that is bad is read twice, the second time not from the
 * page cache. Its own handle to the file is opened and closed here, and what was not in the page
 * cache before it is not kept there.
 *
 * Thread: partition_log_scrub_next under the partition's monitor; scrub_*: whoever owns it; blocks.
 */
#ifndef LOG_SCRUB_H
#define LOG_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "log/partition_log.h"
#include "log/segment.h"

/* A segment to be read. */
struct scrub_target {
    struct segment *segment; /* one reference */
    int64_t end;             /* bytes */
    int64_t next_offset;     /* where to ask for the next */
    uint32_t cuts;
};

/* [lock] The first segment at or behind the offset that is sealed, and synced itself. */
bool partition_log_scrub_next(const struct partition_log *log, int64_t from_offset,
                              struct scrub_target *out);

/* [lock] Is it still the log's? Else its file may be another's by now: nothing of it counts. */
bool partition_log_scrub_is_current(const struct partition_log *log,
                                    const struct scrub_target *target);

/* A place that is known to be damaged. */
struct log_rot {
    int64_t segment_base;
    struct segment_rot place;
};

/* [lock] Those of the log whose records have not been deleted, by offset, at most `max` of them;
 * how many there are. */
size_t partition_log_list_rot(const struct partition_log *log, struct log_rot *out, size_t max);

struct scrub {
    struct env *env;
    struct scrub_target target;
    struct env_file *file; /* NULL: not opened yet */
    uint8_t *buffer;
    int64_t pos;
    int64_t last_offset; /* of the last sound batch */
    int64_t lost_end;    /* what is damaged goes up to here */
};

enum scrub_result {
    SCRUB_MORE,
    SCRUB_DONE, /* the segment is read, or gone */
    SCRUB_ROT,  /* something is bad: `found` says what; go on */
};

struct scrub_find {
    struct segment_rot rot;
    bool is_known;  /* it was found before */
    bool is_to_end; /* nobody knows where it ends: the rest of the segment goes with it */
    char path[1024];
};

/* Takes the target. */
void scrub_begin(struct scrub *s, struct env *env, const struct scrub_target *take_target);

/* Reads about so many bytes more; *read_bytes tells how many. */
enum scrub_result scrub_step(struct scrub *s, int64_t bytes_max, int64_t *read_bytes,
                             struct scrub_find *found);

/* Harmless when it was not begun. */
void scrub_end(struct scrub *s);

#endif
