// SPDX-License-Identifier: Apache-2.0
/*
 * record_out: a record as a line of text or of JSON, into a buffer.
 *
 * A format is text with tokens: %t topic, %p partition, %o offset, %T timestamp in ms, %k key,
 * %v value, %h headers (a=b,c=d), %K and %V length of key and value (-1: null), %% itself; \n \t \r
 * \0 \\. Each record ends with a newline.
 *
 * Thread: any.
 */
#ifndef CLI_RECORD_OUT_H
#define CLI_RECORD_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct record_header {
    const char *key;
    const void *value; /* NULL: null */
    size_t value_len;
};

struct record_fields {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    const void *key;      /* NULL: null */
    size_t key_len;
    const void *value; /* NULL: null */
    size_t value_len;
    const struct record_header *headers;
    size_t header_count;
};

/* NULL: fine; else the place where `format` cannot be understood. */
const char *record_out_check(const char *format);

/* `format` has been checked. Null keys and values print as nothing. */
void record_out_text(const char *format, const struct record_fields *record, struct strbuf *out);

/* One object on one line: topic, partition, offset, timestamp, key, value, headers. Bytes that are
 * no UTF-8 stand in base64 under key_base64, value_base64. */
void record_out_json(const struct record_fields *record, struct strbuf *out);

#endif
