// SPDX-License-Identifier: Apache-2.0
/*
 * batch_validate: may these bytes, sent for one partition, enter its log?
 *
 * All that Kafka's leader checks on the records of a Produce (version 3 and up),
 * in its order, so that the same mistake gets the same answer. An uncompressed
 * batch is passed over once for the checksum and once for the records, where
 * only lengths are read; a compressed one is decoded in chunks (compress.h) and
 * its content is never in memory as a whole.
 *
 * Where we refuse what Kafka would store (docs/formats.md, "Record batches"): it
 * is always something that no client sends and that some client cannot read.
 *
 * Does not know partitions, producers' sequences or epochs: those come later.
 *
 * Thread: any; a scratch belongs to one thread at a time.
 * Limits: compress_decoded_bytes_max() for what one batch may hold.
 */
#ifndef WIRE_BATCH_VALIDATE_H
#define WIRE_BATCH_VALIDATE_H

#include "base/limits.h"
#include "wire/batch.h"
#include "wire/kerr.h"

enum batch_verdict {
    BATCH_OK = 0,
    BATCH_CORRUPT,       /* the bytes are not what was sent: the client may try again */
    BATCH_INVALID,       /* sent like this, and wrong */
    BATCH_TOO_LARGE,     /* over max.message.bytes */
    BATCH_BAD_TIME,      /* timestamps outside the topic's limits, or of the wrong type */
    BATCH_UNKNOWN_CODEC, /* of none, or of one that this request version may not use */
    BATCH_NO_MEMORY      /* ours: try again */
};

struct batch_rules {
    int64_t now_ms;
    int64_t timestamp_before_max_ms; /* message.timestamp.before.max.ms */
    int64_t timestamp_after_max_ms;  /* message.timestamp.after.max.ms */
    int32_t batch_bytes_max;         /* max.message.bytes */
    int32_t record_bytes_max;        /* max.decompressed.message.bytes; compressed batches */
    uint64_t decoded_bytes_max;      /* of one compressed batch; 0: compress_decoded_bytes_max() */
    bool is_compacted;               /* every record needs a key */
    bool is_log_append_time;         /* message.timestamp.type */
    bool is_zstd_allowed;            /* Produce 7 and up */
    bool is_from_client;             /* false: our own coordinators' batches */
};

/* Kafka's defaults for all that has one; now_ms is the caller's. */
struct batch_rules batch_rules_default(int64_t now_ms);

/* Kafka lists all of them; clients treat the records of a refused batch alike. */
struct batch_record_error {
    int32_t index;              /* of the record in its batch */
    enum batch_verdict verdict; /* BATCH_INVALID: no key. BATCH_BAD_TIME. */
};

struct batch_report {
    const char *reason;           /* a few words, static; NULL when BATCH_OK */
    struct batch_header header;   /* valid unless the bytes were no batch at all */
    int64_t first_timestamp;      /* of the first record, as sent */
    int64_t max_timestamp;        /* over the records, -1 when none has one */
    int32_t max_timestamp_delta;  /* offset delta of the first record that has it */
    bool is_max_timestamp_wrong;  /* the header says another: stamp max_timestamp */
    uint64_t content_bytes;       /* of the records, decoded */
    int32_t record_error_count;   /* of `record_errors`, in order of index */
    int32_t record_errors_in_all; /* may be more */
    struct batch_record_error record_errors[LIMIT_RECORD_ERRORS_PER_BATCH];
};

/*
 * Judges `len` bytes, which are to be exactly one batch. Changes nothing in them.
 * `decoder` is for compressed batches and reused from call to call; may be NULL
 * when the caller saw that the batch is not compressed.
 * On BATCH_OK the caller stamps: batch_stamp, and batch_stamp_max_timestamp with
 * now (LogAppendTime) or max_timestamp.
 */
enum batch_verdict batch_validate(const struct batch_rules *rules, const uint8_t *data, size_t len,
                                  struct compress_decoder *decoder, struct batch_report *out)
    MUST_USE;

/*
 * The cheap part of it, for bytes that another broker or our own disk holds: one
 * whole version 2 batch at the front of `data`, with a checksum that fits.
 * BATCH_OK, or BATCH_CORRUPT with *reason set. Does not look at records.
 */
enum batch_verdict batch_check(const uint8_t *data, size_t len, struct batch_header *out,
                               const char **reason) MUST_USE;

/* True: decoding is needed to judge it, so a large one belongs on a worker. Any bytes will do. */
bool batch_needs_decoding(const uint8_t *data, size_t len);

/* What a client is told; KERR_NONE for BATCH_OK. */
enum kerr batch_verdict_kerr(enum batch_verdict verdict);

/* The text for one of record_errors; a static string. */
const char *batch_record_error_text(enum batch_verdict verdict);

#endif
