// SPDX-License-Identifier: Apache-2.0
/*
 * codec_value: defaults and comparison of messages in memory. See codec.h.
 *
 * Knows nothing of the encoded form.
 *
 * Thread: any.
 */
#include "wire/codec.h"

#include "base/assert.h"

static const uint8_t kind_sizes[] = {
    [WIRE_BOOL] = sizeof(bool),
    [WIRE_I8] = 1,
    [WIRE_I16] = 2,
    [WIRE_U16] = 2,
    [WIRE_I32] = 4,
    [WIRE_U32] = 4,
    [WIRE_I64] = 8,
    [WIRE_F64] = 8,
    [WIRE_UUID] = sizeof(struct uuid),
    [WIRE_STR] = sizeof(struct wire_str),
    [WIRE_BYTES] = sizeof(struct wire_bytes),
    [WIRE_RECORDS] = sizeof(struct wire_records),
};

size_t wire_value_size(const struct wire_field *f)
{
    if (f->kind == WIRE_STRUCT)
        return f->sub->size;
    ASSERT(f->kind < WIRE_STRUCT);
    return kind_sizes[f->kind];
}

void wire_defaults(const struct wire_struct *s, void *out)
{
    if (s->defaults != NULL)
        memcpy(out, s->defaults, s->size);
    else
        memset(out, 0, s->size);
}

enum err wire_array_new(struct arena *a, const struct wire_struct *s, int32_t count, void *array)
{
    ASSERT(count >= 0);
    struct wire_array made = {NULL, count};
    if (count > 0) {
        made.items = arena_alloc_array(a, (size_t)count, s->size);
        if (made.items == NULL)
            return ERR_NO_MEMORY;
    }
    if (s->defaults != NULL) {
        for (int32_t i = 0; i < count; i++)
            memcpy((uint8_t *)made.items + (size_t)i * s->size, s->defaults, s->size);
    }
    memcpy(array, &made, sizeof(made));
    return ERR_OK;
}

static bool same_bytes(const void *a, int32_t a_len, const void *b, int32_t b_len)
{
    return a_len == b_len && (a_len <= 0 || memcmp(a, b, (size_t)a_len) == 0);
}

static bool records_equal(const uint8_t *a, const uint8_t *b)
{
    struct wire_records x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    if (x.ref != NULL || y.ref != NULL)
        return x.ref == y.ref && x.data == y.data && x.len == y.len;
    return same_bytes(x.data, x.len, y.data, y.len);
}

/* One value, not an array and not behind a pointer. */
static bool value_equal(const struct wire_field *f, const uint8_t *a, const uint8_t *b)
{
    if (f->kind == WIRE_STRUCT)
        return wire_equal(f->sub, a, b);
    if (f->kind == WIRE_RECORDS)
        return records_equal(a, b);
    if (f->kind == WIRE_STR) {
        struct wire_str x, y;
        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return same_bytes(x.data, x.len, y.data, y.len);
    }
    if (f->kind == WIRE_BYTES) {
        struct wire_bytes x, y;
        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return same_bytes(x.data, x.len, y.data, y.len);
    }
    return memcmp(a, b, wire_value_size(f)) == 0;
}

static bool array_equal(const struct wire_field *f, const uint8_t *a, const uint8_t *b)
{
    struct wire_array x = wire_array_at(a), y = wire_array_at(b);
    if (x.count != y.count)
        return false;
    size_t step = wire_value_size(f);
    for (int32_t i = 0; i < x.count; i++) {
        size_t at = (size_t)i * step;
        if (!value_equal(f, (const uint8_t *)x.items + at, (const uint8_t *)y.items + at))
            return false;
    }
    return true;
}

static bool field_equal(const struct wire_field *f, const uint8_t *a, const uint8_t *b)
{
    if (f->flags & WIRE_ARRAY)
        return array_equal(f, a, b);
    if (f->flags & WIRE_POINTER) {
        const void *x, *y;
        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        if (x == NULL || y == NULL)
            return x == y;
        return wire_equal(f->sub, x, y);
    }
    return value_equal(f, a, b);
}

bool wire_equal(const struct wire_struct *s, const void *a, const void *b)
{
    for (uint16_t i = 0; i < s->field_count; i++) {
        const struct wire_field *f = &s->fields[i];
        if (!field_equal(f, (const uint8_t *)a + f->at, (const uint8_t *)b + f->at))
            return false;
    }
    return true;
}

static bool all_zero(const uint8_t *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (value[i] != 0)
            return false;
    }
    return true;
}

/* What a zeroed struct holds in this field: numbers 0, texts and arrays empty (their pointer may
 * be anything), pointers NULL. */
static bool value_is_zero(const struct wire_field *f, const uint8_t *value)
{
    if (f->flags & WIRE_ARRAY)
        return wire_array_at(value).count == 0;
    if (f->flags & WIRE_POINTER)
        return all_zero(value, sizeof(void *));
    switch ((enum wire_kind)f->kind) {
    case WIRE_STR:
        return all_zero(value + offsetof(struct wire_str, len), sizeof(int32_t));
    case WIRE_BYTES:
        return all_zero(value + offsetof(struct wire_bytes, len), sizeof(int32_t));
    case WIRE_RECORDS:
        return all_zero(value + offsetof(struct wire_records, len), sizeof(int32_t));
    case WIRE_STRUCT:
        for (uint16_t i = 0; i < f->sub->field_count; i++) {
            if (!wire_field_is_default(f->sub, &f->sub->fields[i], value))
                return false;
        }
        return true;
    case WIRE_BOOL:
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
    return all_zero(value, wire_value_size(f));
}

bool wire_field_is_default(const struct wire_struct *s, const struct wire_field *f, const void *in)
{
    const uint8_t *value = (const uint8_t *)in + f->at;
    if (s->defaults == NULL)
        return value_is_zero(f, value);
    return field_equal(f, value, (const uint8_t *)s->defaults + f->at);
}
