// SPDX-License-Identifier: Apache-2.0
/* record_set: see record_set.h. Thread: any. */
#include "wire/record_set.h"

#include "base/assert.h"

static uint32_t type_of(const void *record)
{
    uint32_t type;
    memcpy(&type, record, sizeof(type));
    return type;
}

const struct wire_message *wire_record_message(const struct wire_record_set *set, uint32_t type)
{
    return type < set->message_count ? set->messages[type] : NULL;
}

void wire_record_init(const struct wire_record_set *set, uint32_t type, void *record)
{
    const struct wire_message *m = wire_record_message(set, type);
    ASSERT(m != NULL);
    memset(record, 0, set->size);
    memcpy(record, &type, sizeof(type));
    wire_defaults(m->body, (uint8_t *)record + set->body_at);
}

enum err wire_record_encode(const struct wire_record_set *set, struct wire_writer *w,
                            const void *record)
{
    const struct wire_message *m = wire_record_message(set, type_of(record));
    ASSERT(m != NULL);
    wire_write_uvarint(w, type_of(record));
    wire_write_uvarint(w, (uint32_t)m->version_max);
    return wire_encode(m, m->version_max, w, (const uint8_t *)record + set->body_at);
}

enum err wire_record_decode(const struct wire_record_set *set, struct wire_reader *r,
                            struct arena *a, void *record)
{
    uint32_t type = wire_read_uvarint(r);
    uint32_t version = wire_read_uvarint(r);
    if (r->failed)
        return ERR_CORRUPT;
    const struct wire_message *m = wire_record_message(set, type);
    if (m == NULL || version > (uint32_t)m->version_max)
        return ERR_UNSUPPORTED;
    memset(record, 0, set->size);
    memcpy(record, &type, sizeof(type));
    return wire_decode_part(m, (int16_t)version, r, a, (uint8_t *)record + set->body_at);
}

bool wire_record_equal(const struct wire_record_set *set, const void *a, const void *b)
{
    const struct wire_message *m = wire_record_message(set, type_of(a));
    ASSERT(m != NULL);
    if (type_of(a) != type_of(b))
        return false;
    return wire_equal(m->body, (const uint8_t *)a + set->body_at,
                      (const uint8_t *)b + set->body_at);
}
