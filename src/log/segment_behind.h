// SPDX-License-Identifier: Apache-2.0
/*
 * segment_behind: the end of a segment that its files do not have yet: batches that a
 * journal has made durable, or is about to, and their index entries. In memory they wait for more,
 * so that many small commits become one write (docs/decisions/019).
 *
 * They are held in the order and at the places where they belong. Whoever opens a file of the
 * segment writes them first (segment_file); so everybody but the writer, who puts them here, may
 * take the files for what was published. Who reads the log's end, as most consumers do, gets the
 * bytes from here (segment_held). The segment is not synced before they are written, and the
 * journal keeps its entries until it is.
 *
 * Writing can fail. Without room, or descriptors, what is held stays, can be read, and the next one
 * tries again. After any other error each call fails from then on.
 *
 * Memory is bounded for all segments together (file_cache_take_behind), and counted until the last
 * reader has let go: a peer that does not take its answer keeps no more than that.
 *
 * Thread: [writer] as in partition_log.h, one at a time; [any] may come beside. A monitor guards
 * the fields, one thread at a time writes, without it.
 * Crash:  what is held is gone; the journal is replayed.
 */
#ifndef LOG_SEGMENT_BEHIND_H
#define LOG_SEGMENT_BEHIND_H

#include "base/iobuf.h"
#include "log/segment.h"

/* Bytes for one of a segment's files. */
struct segment_bytes {
    struct iovec *iov;
    int count;
    int64_t pos;
};

/* [writer] Copies what comes next in each file; all or nothing. `max`: so many bytes of batches may
 * be held at most. *begins: no batch was held before. False: there is no room, or memory: settle,
 * or write it. */
bool segment_hold(struct segment *seg, const struct segment_bytes bytes[SEGMENT_FILES], size_t max,
                  bool *begins) MUST_USE;

/* [any] Writes what is held; batches first, index entries behind them. ENV_NOWAIT: ERR_AGAIN when
 * something is. ERR_NO_SPACE, ERR_FULL: may be repeated. ERR_STALE: the files are
 * gone, and so is what was held. ERR_IO. */
enum err segment_settle(struct segment *seg, enum env_read_mode mode) MUST_USE;

/* The same but for the index entries, while there is room for more: they can wait longer than the
 * batches that they are of, so that they cost a write less often. Blocks. */
enum err segment_settle_batches(struct segment *seg) MUST_USE;

/* [any] Is something held? (cheap) */
bool segment_is_behind(const struct segment *seg);

/* What the files have. */
struct segment_filed {
    bool has_all_batches;
    uint32_t index_count; /* so many entries of the index at most */
};

/* [any] Never blocks. */
void segment_filed_look(const struct segment *seg, struct segment_filed *out);

/* What is held of the batches, from a batch's first byte on. It may go on behind what was
 * published. */
struct segment_held {
    struct iobuf_slice bytes; /* one reference; empty: nothing is held */
    int64_t pos;              /* where they belong */
    uint32_t index_count;     /* entries that the index file has at most */
};

/* [any] Never blocks. */
void segment_held_take(const struct segment *seg, struct segment_held *out);

/* [writer] Forgets what is held at and behind these sizes of the files. It may be in the files
 * already. */
void segment_drop_behind(struct segment *seg, const int64_t sizes[SEGMENT_FILES]);

/* The last reference goes. */
void segment_behind_free(struct segment *seg);

#endif
