// SPDX-License-Identifier: Apache-2.0
/*
 * clean_txns: what compaction must know of the transactions in a log: which batches belong
 * to one that was aborted (their records go), and which markers have no records left
 * (they may go, after a while).
 *
 * The log itself tells it: first all headers are learned, from the log's begin on; an abort
 * marker makes all of its producer's transactional batches since the marker before it
 * aborted ones. No .txnindex is needed, but one is made of what is found.
 *
 * Thread: whoever owns it.
 */
#ifndef LOG_CLEAN_TXNS_H
#define LOG_CLEAN_TXNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "wire/batch.h"

enum clean_marker {
    CLEAN_MARKER_NONE, /* a control batch without a record: compaction left it */
    CLEAN_MARKER_ABORT,
    CLEAN_MARKER_COMMIT,
    CLEAN_MARKER_OTHER,
};

/* As in a .txnindex. */
struct aborted_txn {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset; /* of its marker */
    int64_t last_stable_offset;
};

enum { TXNINDEX_ENTRY_BYTES = 34 };

void aborted_txn_write(const struct aborted_txn *txn, uint8_t out[TXNINDEX_ENTRY_BYTES]);

struct clean_txns {
    struct map open; /* of struct clean_txn, by producer id: while learning, those without a marker;
                        later those whose marker is still to come */
    struct aborted_txn *aborted;
    size_t aborted_count;
    size_t aborted_capacity;
    size_t next; /* of `aborted`, by first offset: not begun yet */
    int64_t from;
};

void clean_txns_init(struct clean_txns *t);
void clean_txns_deinit(struct clean_txns *t);

/* ---- first: learning. Batches in the order of offsets. ERR_NO_MEMORY. */
enum err clean_txns_learn(struct clean_txns *t, const struct batch_header *batch,
                          enum clean_marker marker) MUST_USE;

/* Below it every transaction has its marker among what was learned; at most `end`. */
int64_t clean_txns_stable_end(const struct clean_txns *t, int64_t end);

/* ---- then, as often as wanted: telling, from the batch at `from` on. */
void clean_txns_begin(struct clean_txns *t, int64_t from);

/* Is this batch, no control batch, of an aborted transaction? ERR_NO_MEMORY. */
enum err clean_txns_data(struct clean_txns *t, const struct batch_header *batch, bool *is_aborted)
    MUST_USE;

/* Has this marker no batches left? *aborted: what it ended, where there still were batches of it;
 * else NULL. ERR_NO_MEMORY. */
enum err clean_txns_marker(struct clean_txns *t, const struct batch_header *batch,
                           enum clean_marker marker, bool *is_spent,
                           const struct aborted_txn **aborted) MUST_USE;

#endif
