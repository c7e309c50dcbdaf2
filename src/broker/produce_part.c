// SPDX-License-Identifier: Apache-2.0
/*
 * produce_part: is this batch fit for its topic, and what has the leader to write into it?
 *
 * The bytes stay the producer's unless the topic asks for another codec; then a new batch is
 * made here.
 *
 * Thread: a reactor, or the worker that prepares the op.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "broker/produce_op.h"

void produce_tools_deinit(struct produce_tools *tools)
{
    compress_decoder_free(tools->decoder);
    batch_recoder_deinit(&tools->recoder);
    *tools = (struct produce_tools){0};
}

static bool must_recompress(const struct topic_config *config, const uint8_t *data, size_t len)
{
    struct batch_header header;
    if (config->compression == TOPIC_COMPRESSION_PRODUCER || !batch_header_read(data, len, &header))
        return false;
    return (int)batch_codec(&header) != (int)config->compression;
}

bool produce_part_is_heavy(const struct produce_part *part)
{
    if (part->partition == NULL || part->records.len <= LIMIT_INLINE_DECODE_BYTES)
        return false;
    struct topic_config config;
    partition_topic_config(part->partition, &config);
    size_t len = (size_t)part->records.len;
    return batch_needs_decoding(part->records.data, len) ||
           must_recompress(&config, part->records.data, len);
}

static void part_refuse(struct produce_part *part, enum kerr error, const char *reason)
{
    ASSERT(error != KERR_NONE);
    part->error = error;
    part->reason = reason;
}

/* The records that were wrong by themselves (Produce 8+ names them). */
static void keep_record_errors(struct produce_part *part, const struct batch_report *report)
{
    if (report->record_error_count == 0)
        return;
    size_t size = (size_t)report->record_error_count * sizeof(report->record_errors[0]);
    part->record_errors = mem_try(size);
    if (part->record_errors == NULL)
        return;
    memcpy(part->record_errors, report->record_errors, size);
    part->record_error_count = report->record_error_count;
}

static struct batch_rules rules_of(const struct produce_part *part,
                                   const struct topic_config *config)
{
    return (struct batch_rules){
        .now_ms = part->op->now_ms,
        .timestamp_before_max_ms = config->timestamp_before_max_ms,
        .timestamp_after_max_ms = config->timestamp_after_max_ms,
        .batch_bytes_max = (int32_t)MIN(config->max_message_bytes, (int64_t)INT32_MAX),
        .record_bytes_max = (int32_t)MIN(config->max_decompressed_bytes, (int64_t)INT32_MAX),
        .is_compacted = config->cleanup_compact,
        .is_log_append_time = config->timestamp_type == TOPIC_LOG_APPEND_TIME,
        .is_zstd_allowed = part->op->is_zstd_allowed,
        .is_from_client = true,
    };
}

static int codec_level(const struct topic_config *config)
{
    switch (config->compression) {
    case TOPIC_COMPRESSION_GZIP:
        return config->gzip_level;
    case TOPIC_COMPRESSION_LZ4:
        return config->lz4_level;
    case TOPIC_COMPRESSION_ZSTD:
        return config->zstd_level;
    case TOPIC_COMPRESSION_PRODUCER:
    case TOPIC_COMPRESSION_NONE:
    case TOPIC_COMPRESSION_SNAPPY:
        break;
    }
    return COMPRESS_LEVEL_DEFAULT;
}

static enum kerr recompress_kerr(enum err e)
{
    if (e == ERR_TOO_LARGE)
        return KERR_MESSAGE_TOO_LARGE;
    return e == ERR_CORRUPT ? KERR_INVALID_RECORD : KERR_REQUEST_TIMED_OUT; /* memory: try again */
}

/* The same records under the topic's codec, in a buffer of their own. */
static void part_recompress(struct produce_part *part, const struct topic_config *config,
                            struct produce_tools *tools)
{
    struct batch_target target = {.codec = (enum compress_codec)config->compression,
                                  .level = codec_level(config)};
    struct batch_buffer out;
    batch_buffer_init(&out, (size_t)MIN(config->max_message_bytes, (int64_t)INT32_MAX));
    struct iobuf_slice *bytes = &part->append.log.bytes;
    enum err e = batch_recompress(&tools->recoder, bytes->data, bytes->len, &target, &out);
    struct iobuf *buf = e == ERR_OK ? iobuf_try_new(out.len) : NULL;
    if (buf == NULL) {
        part_refuse(part, recompress_kerr(e), "the batch could not be put under the topic's codec");
    } else {
        memcpy(buf->data, out.data, out.len);
        iobuf_slice_release(bytes);
        *bytes = iobuf_slice(buf, buf->data, out.len);
        iobuf_unref(buf);
    }
    batch_buffer_deinit(&out);
}

/* The batch was found valid: the leader's marks on it. */
static void part_stamp(struct produce_part *part, const struct topic_config *config,
                       const struct batch_report *report)
{
    struct iobuf_slice *bytes = &part->append.log.bytes;
    if (config->timestamp_type == TOPIC_LOG_APPEND_TIME) {
        part->append_time_ms = part->op->now_ms;
        batch_stamp_max_timestamp(bytes->data, bytes->len, true, part->append_time_ms);
    } else if (report->is_max_timestamp_wrong) {
        batch_stamp_max_timestamp(bytes->data, bytes->len, false, report->max_timestamp);
    }
    bool is_read = batch_header_read(bytes->data, bytes->len, &part->append.log.header);
    ASSERT(is_read);
}

static void part_take(struct produce_part *part)
{
    struct iobuf *frame = part->op->rq->net->frame;
    part->append.log.bytes = iobuf_slice(frame, part->records.data, (size_t)part->records.len);
}

void produce_part_prepare(struct produce_part *part, struct produce_tools *tools)
{
    if (part->error != KERR_NONE)
        return;
    struct topic_config config;
    partition_topic_config(part->partition, &config);
    /* min.insync.replicas asks for no more than the partition has replicas (Kafka 4 does the same):
     * with this broker as the only one it is always met. */
    if (tools->decoder == NULL)
        tools->decoder = compress_decoder_new();
    part_take(part);
    const struct iobuf_slice *bytes = &part->append.log.bytes;
    struct batch_rules rules = rules_of(part, &config);
    struct batch_report report;
    enum batch_verdict verdict =
        batch_validate(&rules, bytes->data, bytes->len, tools->decoder, &report);
    if (verdict != BATCH_OK) {
        keep_record_errors(part, &report);
        part_refuse(part, batch_verdict_kerr(verdict), report.reason);
        return;
    }
    if (batch_is_transactional(&report.header)) {
        part_refuse(part, KERR_INVALID_TXN_STATE, "transactions are not served");
        return;
    }
    if (must_recompress(&config, bytes->data, bytes->len))
        part_recompress(part, &config, tools);
    if (part->error == KERR_NONE && (int64_t)part->append.log.bytes.len > config.segment_bytes)
        part_refuse(part, KERR_RECORD_LIST_TOO_LARGE, NULL);
    if (part->error == KERR_NONE)
        part_stamp(part, &config, &report);
    part->record_count = (uint32_t)report.header.record_count;
    part->size_bytes = (uint32_t)part->append.log.bytes.len;
}
