// SPDX-License-Identifier: Apache-2.0
/*
 * batch: the header of a version 2 record batch, and batches that lie one
 * behind another, as on the wire, in a segment and in a fetched range.
 *
 *   pos  size  field
 *     0     8  base offset            set by the leader, outside the checksum
 *     8     4  length                 of all that follows this field
 *    12     4  partition leader epoch set by the leader, outside the checksum
 *    16     1  magic                  2
 *    17     4  CRC-32C                of all that follows this field
 *    21     2  attributes             see enum batch_attribute
 *    23     4  last offset delta
 *    27     8  base timestamp         ms; with a delete horizon: that horizon
 *    35     8  max timestamp          ms
 *    43     8  producer id            -1: none
 *    51     2  producer epoch
 *    53     4  base sequence
 *    57     4  record count
 *    61        records, compressed as a whole when the attributes say so
 *
 * All numbers are big-endian. This module does not look into the records; it
 * does not know clients, topics or files.
 *
 * Thread: any.
 */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/compress.h"

enum {
    BATCH_MAGIC = 2,
    BATCH_HEADER_BYTES = 61,
    BATCH_LENGTH_END = 12, /* the batch's size is this plus the length field */
    BATCH_MAGIC_END = 17,  /* as much is needed to know what a batch is */
};

enum batch_attribute {
    BATCH_CODEC_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08, /* max timestamp is the time of all records */
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,
    BATCH_ATTRIBUTES_KNOWN = 0x7f,
};

struct batch_header {
    int64_t base_offset;
    int32_t length;
    int32_t leader_epoch;
    int8_t magic;
    uint32_t crc;
    uint16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};

/* Decodes the header as it is, checking nothing but that it is there.
 * False: fewer than BATCH_HEADER_BYTES; *out is untouched. */
bool batch_header_read(const uint8_t *data, size_t len, struct batch_header *out) MUST_USE;

/* Writes all of the header, its crc field too. */
void batch_header_write(uint8_t *data, const struct batch_header *h);

/* Bytes of the whole batch. Only after its length was checked (batch_next does). */
size_t batch_size(const struct batch_header *h);

int64_t batch_last_offset(const struct batch_header *h);

/* Not checked to be a codec that exists: compare with COMPRESS_COUNT. */
enum compress_codec batch_codec(const struct batch_header *h);

bool batch_is_transactional(const struct batch_header *h);
bool batch_is_control(const struct batch_header *h);
bool batch_is_log_append_time(const struct batch_header *h);

/* CRC-32C over a whole batch of `len` >= BATCH_HEADER_BYTES; compare with its crc field. */
uint32_t batch_crc(const uint8_t *data, size_t len);

/* ---- one behind another */

struct batch_walk {
    const uint8_t *pos;
    size_t left;
};

/*
 * Takes the next batch off the front: its header into *header, its first byte
 * into *batch (batch_size() bytes from there lie in the buffer). The checksum is
 * not computed.
 * ERR_NOT_FOUND: exactly at the end. ERR_AGAIN: cut short, the buffer ends inside
 * the batch. ERR_CORRUPT: not a version 2 batch, or a length that none can have.
 * On failure nothing moved.
 */
enum err batch_next(struct batch_walk *walk, struct batch_header *header, const uint8_t **batch)
    MUST_USE;

/* ---- what a leader writes into a batch that it was given */

/* Base offset and leader epoch; the checksum does not cover them. */
void batch_stamp(uint8_t *data, int64_t base_offset, int32_t leader_epoch);

/*
 * Sets max timestamp and timestamp type, and the checksum anew if that changed
 * anything. For LogAppendTime, and when a producer's max timestamp is not that of
 * its records. True: something changed. `len` is the whole batch's size.
 */
bool batch_stamp_max_timestamp(uint8_t *data, size_t len, bool is_log_append_time,
                               int64_t timestamp_ms);

/* The sequence `count` records behind `sequence`: after 2^31-1 comes 0. */
int32_t batch_sequence_add(int32_t sequence, int32_t count);

#endif
