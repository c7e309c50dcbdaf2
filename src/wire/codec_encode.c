// SPDX-License-Identifier: Apache-2.0
/*
 * codec_encode: the writing half of the codec. See codec.h.
 *
 * Recursion is along the tables. Errors stick to the writer.
 *
 * Thread: any.
 */
#include "wire/codec.h"

#include "base/assert.h"

struct encoding {
    struct wire_writer *w;
    int16_t version;
    bool flexible;
};

static void encode_struct(struct encoding *e, const struct wire_struct *s, const uint8_t *in);

#define AT(type) (*(const type *)(const void *)in)

static bool is_compact(const struct encoding *e, const struct wire_field *f)
{
    return e->flexible && !(f->flags & WIRE_PLAIN);
}

static void refuse_null(struct encoding *e, int32_t len, bool may_be_null)
{
    if (len < 0 && !may_be_null)
        wire_writer_fail(e->w, ERR_INVALID);
}

static void encode_value(struct encoding *e, const struct wire_field *f, bool may_be_null,
                         const uint8_t *in)
{
    struct wire_writer *w = e->w;
    switch ((enum wire_kind)f->kind) {
    case WIRE_BOOL:
        wire_write_u8(w, AT(bool));
        break;
    case WIRE_I8:
        wire_write_u8(w, *in);
        break;
    case WIRE_I16:
    case WIRE_U16:
        wire_write_u16(w, AT(uint16_t));
        break;
    case WIRE_I32:
    case WIRE_U32:
        wire_write_u32(w, AT(uint32_t));
        break;
    case WIRE_I64:
    case WIRE_F64:
        wire_write_u64(w, AT(uint64_t));
        break;
    case WIRE_UUID:
        wire_write_raw(w, in, sizeof(struct uuid));
        break;
    case WIRE_STR:
        refuse_null(e, AT(struct wire_str).len, may_be_null);
        wire_write_str(w, AT(struct wire_str), is_compact(e, f));
        break;
    case WIRE_BYTES:
        refuse_null(e, AT(struct wire_bytes).len, may_be_null);
        wire_write_bytes(w, AT(struct wire_bytes), is_compact(e, f));
        break;
    case WIRE_RECORDS:
        refuse_null(e, AT(struct wire_records).len, may_be_null);
        wire_write_records(w, AT(struct wire_records), is_compact(e, f));
        break;
    case WIRE_STRUCT:
        encode_struct(e, f->sub, in);
        break;
    }
}

static void encode_array(struct encoding *e, const struct wire_field *f, const uint8_t *in)
{
    struct wire_array array = wire_array_at(in);
    refuse_null(e, array.count, wire_field_may_be_null(f, e->version));
    wire_write_count(e->w, array.count, is_compact(e, f));
    size_t step = wire_value_size(f);
    const uint8_t *item = array.items;
    for (int32_t i = 0; i < array.count && e->w->error == ERR_OK; i++, item += step)
        encode_value(e, f, false, item);
}

static void encode_pointer(struct encoding *e, const struct wire_field *f, const uint8_t *in)
{
    const uint8_t *value;
    memcpy(&value, in, sizeof(value));
    if (wire_field_may_be_null(f, e->version)) {
        wire_write_i8(e->w, value != NULL ? 1 : -1);
    } else if (value == NULL) {
        wire_writer_fail(e->w, ERR_INVALID);
    }
    if (value != NULL)
        encode_struct(e, f->sub, value);
}

static void encode_field(struct encoding *e, const struct wire_field *f, const uint8_t *in)
{
    if (f->flags & WIRE_ARRAY)
        encode_array(e, f, in);
    else if (f->flags & WIRE_POINTER)
        encode_pointer(e, f, in);
    else
        encode_value(e, f, wire_field_may_be_null(f, e->version), in);
}

/* A value that this version cannot carry: lost if it may be, else an error. */
static void check_absent(struct encoding *e, const struct wire_struct *s,
                         const struct wire_field *f, const uint8_t *in)
{
    if (!(f->flags & WIRE_IGNORABLE) && !wire_field_is_default(s, f, in))
        wire_writer_fail(e->w, ERR_UNSUPPORTED);
}

static uint32_t count_tagged(struct encoding *e, const struct wire_struct *s, const uint8_t *in)
{
    uint32_t count = 0;
    for (uint16_t i = s->plain_count; i < s->field_count; i++) {
        const struct wire_field *f = &s->fields[i];
        if (!wire_field_is_in(f, e->version))
            check_absent(e, s, f, in);
        else if (!wire_field_is_default(s, f, in))
            count++;
    }
    return count;
}

/* Only what differs from its default is written. */
static void encode_tagged(struct encoding *e, const struct wire_struct *s, const uint8_t *in)
{
    uint32_t count = count_tagged(e, s, in);
    if (!e->flexible) {
        ASSERT(count == 0);
        return;
    }
    wire_write_uvarint(e->w, count);
    for (uint16_t i = s->plain_count; i < s->field_count && count > 0; i++) {
        const struct wire_field *f = &s->fields[i];
        if (!wire_field_is_in(f, e->version) || wire_field_is_default(s, f, in))
            continue;
        wire_write_uvarint(e->w, (uint32_t)f->tag);
        uint32_t pos = e->w->size;
        encode_field(e, f, in + f->at);
        wire_write_uvarint_size_before(e->w, pos);
        count--;
    }
}

static void encode_struct(struct encoding *e, const struct wire_struct *s, const uint8_t *in)
{
    for (uint16_t i = 0; i < s->plain_count; i++) {
        const struct wire_field *f = &s->fields[i];
        if (wire_field_is_in(f, e->version))
            encode_field(e, f, in + f->at);
        else
            check_absent(e, s, f, in);
    }
    encode_tagged(e, s, in);
}

enum err wire_encode(const struct wire_message *m, int16_t version, struct wire_writer *w,
                     const void *in)
{
    if (!wire_message_has_version(m, version))
        return ERR_UNSUPPORTED;
    struct encoding e = {w, version, wire_message_is_flexible(m, version)};
    encode_struct(&e, m->body, in);
    return w->error;
}

enum err wire_encoded_size(const struct wire_message *m, int16_t version, const void *in,
                           uint32_t *out)
{
    struct wire_writer w;
    wire_writer_init_counting(&w);
    enum err e = wire_encode(m, version, &w, in);
    if (e == ERR_OK)
        *out = wire_writer_total(&w);
    return e;
}
