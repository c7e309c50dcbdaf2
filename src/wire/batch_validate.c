// SPDX-License-Identifier: Apache-2.0
/*
 * batch_validate: see batch_validate.h.
 *
 * In order: what the bytes are (one whole batch of version 2), whether they are
 * as they were sent (size, checksum), what the header claims, and then record by
 * record whether that is true. A record that is only against the topic's rules
 * (no key, a timestamp out of range) does not end the pass: all of them are listed.
 *
 * Thread: any.
 */
#include "wire/batch_validate.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/record.h"

enum {
    AT_LENGTH = 8,
    AT_MAGIC = 16,
    AT_ATTRIBUTES = 21,
    LEGACY_LENGTH_MIN = 14, /* what any batch version ever had behind its length */
    NO_TIMESTAMP = -1,
    NO_PRODUCER_ID = -1,
};

static enum batch_verdict check_bytes(const uint8_t *data, size_t len, struct batch_report *out);
static enum batch_verdict check_header(const struct batch_rules *rules, struct batch_report *out);
static enum batch_verdict check_records(const struct batch_rules *rules, const uint8_t *data,
                                        struct compress_decoder *decoder, struct batch_report *out);

static enum batch_verdict refuse(struct batch_report *out, enum batch_verdict verdict,
                                 const char *reason)
{
    ASSERT(verdict != BATCH_OK);
    out->reason = reason;
    return verdict;
}

struct batch_rules batch_rules_default(int64_t now_ms)
{
    return (struct batch_rules){
        .now_ms = now_ms,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600 * 1000,
        .batch_bytes_max = 1024 * 1024 + BATCH_LENGTH_END,
        .record_bytes_max = 2147483639,
        .is_zstd_allowed = true,
        .is_from_client = true,
    };
}

enum batch_verdict batch_validate(const struct batch_rules *rules, const uint8_t *data, size_t len,
                                  struct compress_decoder *decoder, struct batch_report *out)
{
    ASSERT(rules->batch_bytes_max >= 0 && rules->record_bytes_max >= 0);
    *out = (struct batch_report){.first_timestamp = NO_TIMESTAMP, .max_timestamp = NO_TIMESTAMP};
    enum batch_verdict verdict = check_bytes(data, len, out);
    if (verdict != BATCH_OK)
        return verdict;
    const struct batch_header *h = &out->header;
    if (batch_codec(h) == COMPRESS_ZSTD && !rules->is_zstd_allowed)
        return refuse(out, BATCH_UNKNOWN_CODEC, "zstd needs Produce version 7");
    if (len > batch_size(h))
        return refuse(out, BATCH_INVALID, "bytes behind the one batch that is allowed");
    if (rules->is_from_client && h->base_offset != 0)
        return refuse(out, BATCH_INVALID, "a base offset other than 0");
    if (batch_size(h) > (size_t)rules->batch_bytes_max)
        return refuse(out, BATCH_TOO_LARGE, "the batch is over max.message.bytes");
    if (batch_crc(data, len) != h->crc)
        return refuse(out, BATCH_CORRUPT, "the checksum does not fit");
    verdict = check_header(rules, out);
    if (verdict != BATCH_OK)
        return verdict;
    verdict = check_records(rules, data, decoder, out);
    out->is_max_timestamp_wrong = out->max_timestamp != h->max_timestamp;
    return verdict;
}

enum batch_verdict batch_check(const uint8_t *data, size_t len, struct batch_header *out,
                               const char **reason)
{
    struct batch_walk walk = {.pos = data, .left = len};
    const uint8_t *batch = NULL;
    *reason = NULL;
    if (batch_next(&walk, out, &batch) != ERR_OK) {
        *reason = "not a whole batch of version 2";
        return BATCH_CORRUPT;
    }
    if (batch_crc(batch, batch_size(out)) != out->crc) {
        *reason = "the checksum does not fit";
        return BATCH_CORRUPT;
    }
    return BATCH_OK;
}

bool batch_needs_decoding(const uint8_t *data, size_t len)
{
    return len >= BATCH_HEADER_BYTES &&
           (bytes_load_u16(data + AT_ATTRIBUTES) & BATCH_CODEC_MASK) != COMPRESS_NONE;
}

enum kerr batch_verdict_kerr(enum batch_verdict verdict)
{
    switch (verdict) {
    case BATCH_OK:
        return KERR_NONE;
    case BATCH_CORRUPT:
        return KERR_CORRUPT_MESSAGE;
    case BATCH_INVALID:
        return KERR_INVALID_RECORD;
    case BATCH_TOO_LARGE:
        return KERR_MESSAGE_TOO_LARGE;
    case BATCH_BAD_TIME:
        return KERR_INVALID_TIMESTAMP;
    case BATCH_UNKNOWN_CODEC:
        return KERR_UNSUPPORTED_COMPRESSION_TYPE;
    case BATCH_NO_MEMORY:
        return kerr_from_err(ERR_NO_MEMORY);
    }
    return KERR_UNKNOWN_SERVER_ERROR;
}

const char *batch_record_error_text(enum batch_verdict verdict)
{
    return verdict == BATCH_BAD_TIME ? "the timestamp is outside what the topic allows"
                                     : "a compacted topic takes no record without a key";
}

/* Reads the header. Kafka answers these with one of two codes, depending on how far it
 * got; a producer repeats what is CORRUPT, so that is worth keeping. */
static enum batch_verdict check_bytes(const uint8_t *data, size_t len, struct batch_report *out)
{
    if (len < BATCH_LENGTH_END)
        return refuse(out, BATCH_INVALID, "no batch");
    int32_t length = (int32_t)bytes_load_u32(data + AT_LENGTH);
    if (length < LEGACY_LENGTH_MIN)
        return refuse(out, BATCH_CORRUPT, "a batch length that none can have");
    if (len < BATCH_MAGIC_END)
        return refuse(out, BATCH_INVALID, "no batch");
    if (data[AT_MAGIC] > BATCH_MAGIC)
        return refuse(out, BATCH_CORRUPT, "no such batch version");
    if ((size_t)length > len - BATCH_LENGTH_END)
        return refuse(out, BATCH_INVALID, "the batch is cut short");
    if (data[AT_MAGIC] != BATCH_MAGIC)
        return refuse(out, BATCH_INVALID, "a batch version that only old brokers took");
    if (length < BATCH_HEADER_BYTES - BATCH_LENGTH_END)
        return refuse(out, BATCH_CORRUPT, "a batch length that none can have");
    bool is_read = batch_header_read(data, len, &out->header);
    ASSERT(is_read);
    return BATCH_OK;
}

static enum batch_verdict check_header(const struct batch_rules *rules, struct batch_report *out)
{
    const struct batch_header *h = &out->header;
    if ((h->attributes & BATCH_CODEC_MASK) >= COMPRESS_COUNT)
        return refuse(out, BATCH_UNKNOWN_CODEC, "no such codec");
    if (h->last_offset_delta < 0)
        return refuse(out, BATCH_INVALID, "a negative offset range");
    if (h->record_count < 1)
        return refuse(out, BATCH_INVALID, "no records");
    if (h->record_count - 1 != h->last_offset_delta)
        return refuse(out, BATCH_INVALID, "the offset range is not the record count");
    if ((h->attributes & ~(unsigned)BATCH_ATTRIBUTES_KNOWN) != 0)
        return refuse(out, BATCH_INVALID, "attributes that do not exist");
    if (!rules->is_from_client)
        return BATCH_OK;
    if (batch_is_control(h))
        return refuse(out, BATCH_INVALID, "clients write no control records");
    if (h->producer_id > NO_PRODUCER_ID && h->base_sequence < 0)
        return refuse(out, BATCH_INVALID, "a producer id without a sequence");
    if ((h->attributes & BATCH_DELETE_HORIZON) != 0)
        return refuse(out, BATCH_INVALID, "clients set no delete horizon");
    return BATCH_OK;
}

/* ---- records */

static bool time_is_allowed(const struct batch_rules *rules, const struct batch_header *h,
                            int64_t timestamp)
{
    int64_t age_ms;
    if (batch_is_log_append_time(h))
        return !rules->is_from_client; /* it is ours to say */
    if (rules->is_log_append_time || timestamp == NO_TIMESTAMP)
        return true;
    if (__builtin_sub_overflow(rules->now_ms, timestamp, &age_ms))
        return false;
    if (age_ms >= 0)
        return age_ms <= rules->timestamp_before_max_ms;
    return age_ms >= -rules->timestamp_after_max_ms;
}

static void note_record_error(struct batch_report *out, int32_t index, enum batch_verdict verdict)
{
    out->record_errors_in_all++;
    if (out->record_error_count == LIMIT_RECORD_ERRORS_PER_BATCH)
        return;
    out->record_errors[out->record_error_count++] =
        (struct batch_record_error){.index = index, .verdict = verdict};
}

/* BATCH_OK, or what is wrong with this record by its topic's rules. */
static enum batch_verdict judge_record(const struct batch_rules *rules, struct batch_report *out,
                                       int32_t index, const struct record_brief *r)
{
    int64_t timestamp =
        (int64_t)((uint64_t)out->header.base_timestamp + (uint64_t)r->timestamp_delta);
    if (index == 0)
        out->first_timestamp = timestamp;
    if (timestamp > out->max_timestamp) {
        out->max_timestamp = timestamp;
        out->max_timestamp_delta = index;
    }
    out->content_bytes += (uint64_t)r->body_size;
    if (rules->is_compacted && !r->has_key)
        return BATCH_INVALID;
    return time_is_allowed(rules, &out->header, timestamp) ? BATCH_OK : BATCH_BAD_TIME;
}

/* The batch as a whole is broken, so what was said about single records does not count. */
static enum batch_verdict refuse_broken(struct batch_report *out, enum batch_verdict verdict,
                                        const char *why)
{
    out->record_error_count = 0;
    out->record_errors_in_all = 0;
    return refuse(out, verdict, why);
}

static enum batch_verdict refuse_source(struct batch_report *out, const struct record_source *s,
                                        const char *why)
{
    if (s->err == ERR_NO_MEMORY)
        return refuse_broken(out, BATCH_NO_MEMORY, "no memory to decode the batch");
    if (s->err == ERR_TOO_LARGE)
        return refuse_broken(out, BATCH_INVALID, "the compressed batch holds too much");
    return refuse_broken(out, BATCH_INVALID, why);
}

static enum batch_verdict walk_records(const struct batch_rules *rules, struct record_source *s,
                                       int32_t record_bytes_max, struct batch_report *out)
{
    enum batch_verdict verdict = BATCH_OK;
    for (int32_t i = 0; i < out->header.record_count; i++) {
        struct record_brief r;
        const char *why = NULL;
        if (!record_skip(s, record_bytes_max, &r, &why))
            return refuse_source(out, s, why);
        if (r.offset_delta != i)
            return refuse_broken(out, BATCH_INVALID, "offset deltas do not count from 0");
        enum batch_verdict mine = judge_record(rules, out, i, &r);
        if (mine != BATCH_OK) {
            note_record_error(out, i, mine);
            verdict = verdict == BATCH_BAD_TIME ? BATCH_BAD_TIME : mine;
        }
    }
    if (!record_source_is_at_end(s))
        return refuse_source(out, s,
                             s->err == ERR_OK ? "bytes behind the last record"
                                              : "a compressed batch with a broken end");
    if (verdict == BATCH_BAD_TIME)
        return refuse(out, verdict, "timestamps that the topic does not allow");
    if (verdict == BATCH_INVALID)
        return refuse(out, verdict, "records without a key in a compacted topic");
    return BATCH_OK;
}

static enum batch_verdict check_records(const struct batch_rules *rules, const uint8_t *data,
                                        struct compress_decoder *decoder, struct batch_report *out)
{
    const struct batch_header *h = &out->header;
    const uint8_t *body = data + BATCH_HEADER_BYTES;
    size_t body_size = batch_size(h) - BATCH_HEADER_BYTES;
    struct record_source s;
    if (batch_codec(h) == COMPRESS_NONE) {
        record_source_init(&s, body, body_size);
        return walk_records(rules, &s, INT32_MAX, out);
    }
    ASSERT(decoder != NULL);
    uint64_t limit = rules->decoded_bytes_max != 0 ? rules->decoded_bytes_max
                                                   : compress_decoded_bytes_max(body_size);
    enum err e = compress_decoder_start(decoder, batch_codec(h), body, body_size, limit);
    record_source_init_decoder(&s, decoder);
    s.err = e;
    if (e != ERR_OK)
        return refuse_source(out, &s, "compressed bytes that do not begin as they should");
    return walk_records(rules, &s, rules->record_bytes_max, out);
}
