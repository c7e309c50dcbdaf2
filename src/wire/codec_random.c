// SPDX-License-Identifier: Apache-2.0
/* codec_random: see codec_random.h. Recursion is along the tables. Thread: any. */
#include "wire/codec_random.h"

#include "wire/codec.h"

enum { ITEMS_MAX = 4, BYTES_MAX = 40, LONG_BYTES_MAX = 400 };

struct filling {
    struct prng *p;
    struct arena *arena;
    int16_t version;
    int depth;
    bool no_memory;
};

static void fill_struct(struct filling *fill, const struct wire_struct *s, uint8_t *out);

#define AT(type) (*(type *)(void *)out)

static void *take(struct filling *fill, size_t count, size_t size)
{
    void *p = arena_alloc_array(fill->arena, count, size);
    if (p == NULL)
        fill->no_memory = true;
    return p;
}

/* Most are short; some pass the one-byte varint, and few are empty. */
static int32_t random_length(struct prng *p)
{
    if (prng_chance(p, 1, 8))
        return 0;
    return (int32_t)prng_below(p, prng_chance(p, 1, 12) ? LONG_BYTES_MAX : BYTES_MAX);
}

/* Edges come up more often than chance has it. */
static uint64_t random_number(struct prng *p)
{
    static const uint64_t edges[] = {0, 1, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN};
    if (prng_chance(p, 1, 4))
        return edges[prng_below(p, sizeof(edges) / sizeof(edges[0]))];
    if (prng_chance(p, 1, 2))
        return prng_below(p, 1000);
    return prng_u64(p);
}

static struct wire_str random_str(struct filling *fill)
{
    static const char pieces[][4] = {"a", "Z", "9", ".", "_", "\xc3\xa9", "\xe2\x82\xac"};
    int32_t wanted = random_length(fill->p);
    char *text = wanted > 0 ? take(fill, (size_t)wanted + 3, 1) : NULL;
    int32_t len = 0;
    while (text != NULL && len < wanted) {
        const char *piece = pieces[prng_below(fill->p, sizeof(pieces) / sizeof(pieces[0]))];
        memcpy(text + len, piece, strlen(piece));
        len += (int32_t)strlen(piece);
    }
    return (struct wire_str){text, len};
}

static struct wire_bytes random_bytes(struct filling *fill)
{
    int32_t len = random_length(fill->p);
    uint8_t *data = len > 0 ? take(fill, (size_t)len, 1) : NULL;
    if (data == NULL)
        return (struct wire_bytes){NULL, 0};
    prng_fill(fill->p, data, (size_t)len);
    return (struct wire_bytes){data, len};
}

static void fill_number(struct filling *fill, enum wire_kind kind, uint8_t *out)
{
    uint64_t number = random_number(fill->p);
    if (kind == WIRE_BOOL)
        AT(bool) = number & 1;
    else if (kind == WIRE_I8)
        *out = (uint8_t)number;
    else if (kind == WIRE_I16 || kind == WIRE_U16)
        AT(uint16_t) = (uint16_t)number;
    else if (kind == WIRE_I32 || kind == WIRE_U32)
        AT(uint32_t) = (uint32_t)number;
    else if (kind == WIRE_I64)
        AT(uint64_t) = number;
    else if (kind == WIRE_F64)
        AT(double) = (double)(int64_t)number / 1024; /* never NaN */
}

static void fill_value(struct filling *fill, const struct wire_field *f, uint8_t *out)
{
    if (f->kind == WIRE_STR) {
        AT(struct wire_str) = random_str(fill);
    } else if (f->kind == WIRE_BYTES) {
        AT(struct wire_bytes) = random_bytes(fill);
    } else if (f->kind == WIRE_RECORDS) {
        struct wire_bytes b = random_bytes(fill);
        AT(struct wire_records) = (struct wire_records){b.data, b.len, NULL};
    } else if (f->kind == WIRE_UUID) {
        prng_fill(fill->p, out, sizeof(struct uuid));
    } else if (f->kind == WIRE_STRUCT) {
        fill_struct(fill, f->sub, out);
    } else {
        fill_number(fill, (enum wire_kind)f->kind, out);
    }
}

static void fill_null(const struct wire_field *f, uint8_t *out)
{
    if (f->flags & WIRE_ARRAY)
        AT(struct wire_array) = (struct wire_array){NULL, -1};
    else if (f->flags & WIRE_POINTER)
        AT(void *) = NULL;
    else if (f->kind == WIRE_STR)
        AT(struct wire_str) = (struct wire_str){NULL, -1};
    else if (f->kind == WIRE_BYTES)
        AT(struct wire_bytes) = (struct wire_bytes){NULL, -1};
    else if (f->kind == WIRE_RECORDS)
        AT(struct wire_records) = (struct wire_records){NULL, -1, NULL};
}

static void fill_array(struct filling *fill, const struct wire_field *f, uint8_t *out)
{
    uint64_t most = fill->depth > 2 ? 2 : ITEMS_MAX;
    int32_t count = (int32_t)prng_below(fill->p, most + 1);
    size_t step = wire_value_size(f);
    struct wire_array array = {count > 0 ? take(fill, (size_t)count, step) : NULL, count};
    if (array.items == NULL)
        array.count = 0;
    uint8_t *item = array.items;
    for (int32_t i = 0; i < array.count; i++, item += step)
        fill_value(fill, f, item);
    AT(struct wire_array) = array;
}

static void fill_field(struct filling *fill, const struct wire_field *f, uint8_t *out)
{
    if (wire_field_may_be_null(f, fill->version) && prng_chance(fill->p, 1, 4)) {
        fill_null(f, out);
    } else if (f->flags & WIRE_ARRAY) {
        fill_array(fill, f, out);
    } else if (f->flags & WIRE_POINTER) {
        uint8_t *made = take(fill, 1, f->sub->size);
        if (made != NULL)
            fill_struct(fill, f->sub, made);
        AT(void *) = made;
    } else {
        fill_value(fill, f, out);
    }
}

static void fill_struct(struct filling *fill, const struct wire_struct *s, uint8_t *out)
{
    wire_defaults(s, out);
    fill->depth++;
    for (uint16_t i = 0; i < s->field_count && !fill->no_memory; i++) {
        const struct wire_field *f = &s->fields[i];
        bool left_out = f->tag != WIRE_NO_TAG && prng_chance(fill->p, 1, 3);
        if (wire_field_is_in(f, fill->version) && !left_out)
            fill_field(fill, f, out + f->at);
    }
    fill->depth--;
}

enum err wire_random(const struct wire_message *m, int16_t version, struct prng *p, struct arena *a,
                     void *out)
{
    struct filling fill = {.p = p, .arena = a, .version = version};
    fill_struct(&fill, m->body, out);
    return fill.no_memory ? ERR_NO_MEMORY : ERR_OK;
}
