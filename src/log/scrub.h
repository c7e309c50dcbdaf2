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

struct scrub {
    struct scrub_target target;
    struct env_file *file; /* NULL: not opened yet */
    uint8_t *buffer;
    int64_t pos;
    int64_t last_offset;
};

enum scrub_result {
    SCRUB_MORE,
    SCRUB_DONE, /* the segment is read, or gone */
    SCRUB_ROT,  /* something is bad: `found` says what; go on */
};

struct scrub_find {
    enum err error; /* ERR_CORRUPT, or why it cannot be read */
    bool is_known;  /* it was found before */
    int64_t pos;
    int64_t size;   /* -1: to the end of the segment: nobody knows where it ends */
    int64_t offset; /* the first that is lost */
    char path[1024];
};

/* Takes the target. */
void scrub_begin(struct scrub *s, const struct scrub_target *take_target);

/* Reads about so many bytes more; *read_bytes tells how many. */
enum scrub_result scrub_step(struct scrub *s, struct env *env, int64_t bytes_max,
                             int64_t *read_bytes, struct scrub_find *found);

/* Harmless when it was not begun. */
void scrub_end(struct scrub *s);

#endif
