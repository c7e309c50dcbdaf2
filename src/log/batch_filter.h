// SPDX-License-Identifier: Apache-2.0
/*
 * batch_filter: which records of a batch compaction keeps, by Kafka's rules: the last value
 * of each key; a tombstone until its batch's delete horizon (KIP-534); nothing of an
 * aborted transaction; a marker until its transaction has no batches left and its
 * own horizon has passed; and of every producer at least its newest batches, empty if need be:
 * all that it may send again, where Kafka keeps the last.
 *
 * Knows one batch at a time, no files.
 *
 * Thread: whoever owns it.
 */
#ifndef LOG_BATCH_FILTER_H
#define LOG_BATCH_FILTER_H

#include "log/clean_txns.h"
#include "log/key_map.h"
#include "log/producer_state.h"
#include "wire/batch_reader.h"
#include "wire/batch_rewrite.h"

enum clean_keep {
    CLEAN_KEEP_BATCHES, /* those that are listed */
    CLEAN_KEEP_MARKER,  /* no batch of its epoch is known: the marker with that epoch */
    CLEAN_KEEP_ALL,     /* all that is known of it may still be taken back */
};

/* What has to stay of one producer. */
struct clean_producer {
    int64_t producer_id;
    int64_t last_offsets[PRODUCER_BATCHES_KEPT]; /* of batches */
    int16_t epoch;
    uint8_t count;
    enum clean_keep keep;
};

struct clean_producers {
    struct clean_producer *items; /* by producer id */
    size_t count;
};

/* What the state says of batches below `committed`. ERR_NO_MEMORY. */
enum err clean_producers_take(const struct producer_state *state, int64_t committed,
                              struct clean_producers *out) MUST_USE;
void clean_producers_sort(struct clean_producers *producers); /* before it is used */
void clean_producers_free(struct clean_producers *producers);

struct batch_filter {
    /* Set by the owner. */
    const struct key_map *map;
    struct clean_txns *txns;
    const struct clean_producers *producers;
    int64_t end; /* records from here on are not looked at */
    int64_t now_ms;
    int64_t delete_retention_ms;

    /* Results. */
    uint64_t records_read;
    uint64_t records_kept;
    const struct aborted_txn *aborted; /* of the batch that was filtered last; NULL: none */

    struct batch_reader reader;
    struct batch_rewriter rewriter;
    struct batch_buffer out;
};

void batch_filter_init(struct batch_filter *f);
void batch_filter_deinit(struct batch_filter *f);

enum batch_fate {
    BATCH_STAYS,   /* as it is */
    BATCH_GOES,    /* nothing of it stays */
    BATCH_CHANGES, /* *header and *data are what takes its place, until the next call */
};

/* ERR_CORRUPT: its records cannot be read. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err batch_filter_run(struct batch_filter *f, struct batch_header *header, const uint8_t **data,
                          enum batch_fate *fate) MUST_USE;

/* The marker in a control batch. */
enum err batch_filter_marker(struct batch_reader *reader, const struct batch_header *header,
                             const uint8_t *data, enum clean_marker *out) MUST_USE;

#endif
