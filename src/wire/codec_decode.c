// SPDX-License-Identifier: Apache-2.0
/*
 * codec_decode: the reading half of the codec. See codec.h.
 *
 * A struct is filled with its defaults first; then the fields of the version are
 * read over them. Recursion is along the tables.
 *
 * Thread: any.
 */
#include "wire/codec.h"

#include "base/assert.h"

struct decoding {
    struct wire_reader *r;
    struct arena *arena;
    int16_t version;
    bool flexible;
    bool no_memory;
};

static void decode_struct(struct decoding *d, const struct wire_struct *s, uint8_t *out);

static void out_of_memory(struct decoding *d)
{
    d->no_memory = true;
    wire_fail(d->r);
}

static bool is_compact(const struct decoding *d, const struct wire_field *f)
{
    return d->flexible && !(f->flags & WIRE_PLAIN);
}

#define AT(type) (*(type *)(void *)out)

/* A value that has no size in front and holds nothing. */
static void decode_fixed(struct decoding *d, enum wire_kind kind, uint8_t *out)
{
    struct wire_reader *r = d->r;
    switch (kind) {
    case WIRE_BOOL:
        AT(bool) = wire_read_bool(r);
        break;
    case WIRE_I8:
        *out = wire_read_u8(r);
        break;
    case WIRE_I16:
    case WIRE_U16:
        AT(uint16_t) = wire_read_u16(r);
        break;
    case WIRE_I32:
    case WIRE_U32:
        AT(uint32_t) = wire_read_u32(r);
        break;
    case WIRE_I64:
    case WIRE_F64:
        AT(uint64_t) = wire_read_u64(r);
        break;
    case WIRE_UUID:
        AT(struct uuid) = wire_read_uuid(r);
        break;
    case WIRE_STR:
    case WIRE_BYTES:
    case WIRE_RECORDS:
    case WIRE_STRUCT:
        ASSERT(false);
    }
}

/* One value: a field that is no array, or an item. `out` holds defaults already. */
static void decode_value(struct decoding *d, const struct wire_field *f, bool may_be_null,
                         uint8_t *out)
{
    if (f->kind == WIRE_STR) {
        AT(struct wire_str) = wire_read_str(d->r, is_compact(d, f), may_be_null);
    } else if (f->kind == WIRE_BYTES) {
        AT(struct wire_bytes) = wire_read_bytes(d->r, is_compact(d, f), may_be_null);
    } else if (f->kind == WIRE_RECORDS) {
        struct wire_bytes b = wire_read_bytes(d->r, is_compact(d, f), may_be_null);
        AT(struct wire_records) = (struct wire_records){b.data, b.len, NULL};
    } else if (f->kind == WIRE_STRUCT) {
        decode_struct(d, f->sub, out);
    } else {
        decode_fixed(d, (enum wire_kind)f->kind, out);
    }
}

static uint32_t item_size_min(const struct decoding *d, const struct wire_field *f)
{
    switch ((enum wire_kind)f->kind) {
    case WIRE_STRUCT:
        return f->sub->size_min[d->version];
    case WIRE_STR:
        return is_compact(d, f) ? 1 : 2;
    case WIRE_BYTES:
    case WIRE_RECORDS:
        return is_compact(d, f) ? 1 : 4;
    case WIRE_BOOL:
        return 1;
    case WIRE_I8:
    case WIRE_I16:
    case WIRE_U16:
    case WIRE_I32:
    case WIRE_U32:
    case WIRE_I64:
    case WIRE_F64:
    case WIRE_UUID:
        break;
    }
    return (uint32_t)wire_value_size(f);
}

static void decode_array(struct decoding *d, const struct wire_field *f, uint8_t *out)
{
    bool may_be_null = wire_field_may_be_null(f, d->version);
    int32_t count = wire_read_count(d->r, is_compact(d, f), may_be_null, item_size_min(d, f));
    struct wire_array array = {NULL, count};
    if (count > 0) {
        size_t step = wire_value_size(f);
        uint8_t *item = arena_alloc_array(d->arena, (size_t)count, step);
        if (item == NULL) {
            out_of_memory(d);
            return;
        }
        array.items = item;
        const void *defaults = f->kind == WIRE_STRUCT ? f->sub->defaults : NULL;
        for (int32_t i = 0; i < count && !d->r->failed; i++, item += step) {
            if (defaults != NULL)
                memcpy(item, defaults, step);
            decode_value(d, f, false, item);
        }
    }
    memcpy(out, &array, sizeof(array));
}

/* A struct that may be null: a byte says whether it is there. */
static void decode_pointer(struct decoding *d, const struct wire_field *f, uint8_t *out)
{
    uint8_t *made = NULL;
    bool may_be_null = wire_field_may_be_null(f, d->version);
    if (!may_be_null || wire_read_i8(d->r) >= 0) {
        made = arena_alloc(d->arena, f->sub->size);
        if (made == NULL) {
            out_of_memory(d);
            return;
        }
        wire_defaults(f->sub, made);
        decode_struct(d, f->sub, made);
    }
    memcpy(out, &made, sizeof(made));
}

static void decode_field(struct decoding *d, const struct wire_field *f, uint8_t *out)
{
    if (f->flags & WIRE_ARRAY)
        decode_array(d, f, out);
    else if (f->flags & WIRE_POINTER)
        decode_pointer(d, f, out);
    else
        decode_value(d, f, wire_field_may_be_null(f, d->version), out);
}

static const struct wire_field *find_tagged(const struct decoding *d, const struct wire_struct *s,
                                            uint32_t tag)
{
    for (uint16_t i = s->plain_count; i < s->field_count; i++) {
        const struct wire_field *f = &s->fields[i];
        if ((uint32_t)f->tag == tag && wire_field_is_in(f, d->version))
            return f;
    }
    return NULL;
}

/* A known field must take exactly the size that stands in front of it. */
static void decode_tagged(struct decoding *d, const struct wire_struct *s, uint8_t *out)
{
    struct wire_reader *r = d->r;
    for (uint32_t left = wire_read_uvarint(r); left > 0 && !r->failed; left--) {
        uint32_t tag = wire_read_uvarint(r);
        uint32_t size = wire_read_uvarint(r);
        const struct wire_field *f = find_tagged(d, s, tag);
        if (f == NULL || r->failed || size > wire_left(r)) {
            wire_skip(r, size);
            continue;
        }
        const uint8_t *end = r->end;
        r->end = r->pos + size;
        decode_field(d, f, out + f->at);
        if (r->failed || r->pos != r->end)
            wire_fail(r);
        else
            r->end = end;
    }
}

static void decode_struct(struct decoding *d, const struct wire_struct *s, uint8_t *out)
{
    for (uint16_t i = 0; i < s->plain_count; i++) {
        const struct wire_field *f = &s->fields[i];
        if (wire_field_is_in(f, d->version))
            decode_field(d, f, out + f->at);
    }
    if (d->flexible)
        decode_tagged(d, s, out);
}

enum err wire_decode_part(const struct wire_message *m, int16_t version, struct wire_reader *r,
                          struct arena *a, void *out)
{
    if (!wire_message_has_version(m, version))
        return ERR_UNSUPPORTED;
    struct decoding d = {
        .r = r,
        .arena = a,
        .version = version,
        .flexible = wire_message_is_flexible(m, version),
    };
    wire_defaults(m->body, out);
    decode_struct(&d, m->body, out);
    if (d.no_memory)
        return ERR_NO_MEMORY;
    return r->failed ? ERR_CORRUPT : ERR_OK;
}

enum err wire_decode(const struct wire_message *m, int16_t version, struct wire_reader *r,
                     struct arena *a, void *out)
{
    enum err e = wire_decode_part(m, version, r, a, out);
    if (e == ERR_OK && wire_left(r) > 0)
        return ERR_CORRUPT;
    return e;
}
