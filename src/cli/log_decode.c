// SPDX-License-Identifier: Apache-2.0
/*
 * log_decode: keys and values of topics whose records have a form that we know: the offsets of
 * groups (schema/records/consumer_offsets.rec) and Kafka's own metadata (kraft.rec).
 *
 * Thread: main.
 */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/log.h"
#include "wire/codec.h"
#include "wire/codec_dump.h"
#include "wire/consumer_offsets.h"
#include "wire/kraft.h"

enum { KRAFT_FRAME_VERSION = 1 };

/* The message as JSON behind what `out` holds. */
static bool dump_message(const struct wire_message *m, int16_t version, struct wire_reader *r,
                         struct strbuf *out)
{
    struct arena arena;
    arena_init(&arena, LIMIT_GROUP_RECORD_ARENA_BYTES);
    void *message = mem_alloc(m->body->size);
    enum err e = wire_decode(m, version, r, &arena, message);
    if (e == ERR_OK)
        wire_dump(m, version, message, out);
    mem_free(message);
    arena_deinit(&arena);
    return e == ERR_OK;
}

/* An int16 says the version; of the key also which kind of record it is. */
static bool decode_offsets(const struct record *record, struct strbuf *key, struct strbuf *value)
{
    struct wire_reader k = wire_reader_of(record->key.data, (size_t)MAX(record->key.len, 0));
    struct wire_reader v = wire_reader_of(record->value.data, (size_t)MAX(record->value.len, 0));
    int16_t key_version = wire_read_i16(&k);
    if (k.failed || key_version < 0 || key_version > 2)
        return false;
    bool is_group = key_version == 2;
    if (!dump_message(is_group ? &group_metadata_key_message : &offset_commit_key_message,
                      key_version, &k, key))
        return false;
    if (record->value.len < 0) {
        strbuf_puts(value, "null");
        return true;
    }
    int16_t version = wire_read_i16(&v);
    return !v.failed &&
           dump_message(is_group ? &group_metadata_value_message : &offset_commit_value_message,
                        version, &v, value);
}

const struct wire_message *log_kraft_message(uint32_t type)
{
    static const struct wire_message *const messages[] = {
        [2] = &kraft_topic_message,
        [3] = &kraft_partition_message,
        [4] = &kraft_config_message,
        [5] = &kraft_partition_change_message,
        [9] = &kraft_remove_topic_message,
        [10] = &kraft_delegation_token_message,
        [11] = &kraft_user_scram_credential_message,
        [14] = &kraft_client_quota_message,
        [15] = &kraft_producer_ids_message,
        [18] = &kraft_access_control_entry_message,
        [19] = &kraft_remove_access_control_entry_message,
        [22] = &kraft_remove_user_scram_credential_message,
        [23] = &kraft_begin_transaction_message,
        [26] = &kraft_remove_delegation_token_message,
    };
    return type < ARRAY_COUNT(messages) ? messages[type] : NULL;
}

/* A dump may be shown to others; what is in such a one is as good as a password. */
static bool is_secret(const struct wire_message *m)
{
    return m == &kraft_user_scram_credential_message;
}

static bool decode_kraft(const struct record *record, struct strbuf *value)
{
    struct wire_reader r = wire_reader_of(record->value.data, (size_t)MAX(record->value.len, 0));
    uint32_t frame = wire_read_uvarint(&r);
    uint32_t type = wire_read_uvarint(&r);
    uint32_t version = wire_read_uvarint(&r);
    if (r.failed || frame != KRAFT_FRAME_VERSION || version > INT16_MAX)
        return false;
    const struct wire_message *m = log_kraft_message(type);
    if (m == NULL || is_secret(m)) {
        strbuf_printf(value, "{\"type\":%" PRIu32 ",\"version\":%" PRIu32 "}", type, version);
        return true;
    }
    strbuf_printf(value, "{\"type\":\"%s\",\"record\":", m->name);
    bool is_read = dump_message(m, (int16_t)version, &r, value);
    strbuf_putc(value, '}');
    return is_read;
}

bool log_decode(enum log_decoder decoder, const struct record *record, struct strbuf *key,
                struct strbuf *value)
{
    bool is_known = false;
    if (decoder == LOG_DECODE_OFFSETS)
        is_known = decode_offsets(record, key, value);
    else if (decoder == LOG_DECODE_KRAFT)
        is_known = decode_kraft(record, value);
    if (!is_known) {
        strbuf_clear(key);
        strbuf_clear(value);
    }
    return is_known;
}
