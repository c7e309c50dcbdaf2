// SPDX-License-Identifier: Apache-2.0
/* writer: growth, holes and lengths. See writer.h. Thread: the writer's owner. */
#include "wire/writer.h"

#include "base/assert.h"
#include "base/mem.h"

enum { CAPACITY_MIN = 256, HOLES_MIN = 8, STR_BYTES_MAX = INT16_MAX };

void wire_writer_init(struct wire_writer *w, uint32_t size_max)
{
    ASSERT(size_max > 0 && size_max <= INT32_MAX);
    *w = (struct wire_writer){.size_max = size_max};
}

void wire_writer_init_counting(struct wire_writer *w)
{
    *w = (struct wire_writer){.size_max = INT32_MAX, .is_counting = true};
}

void wire_writer_deinit(struct wire_writer *w)
{
    mem_free(w->data);
    mem_free(w->holes);
    *w = (struct wire_writer){.size_max = w->size_max};
}

void wire_writer_clear(struct wire_writer *w)
{
    w->size = 0;
    w->hole_bytes = 0;
    w->hole_count = 0;
    w->error = ERR_OK;
    if (w->is_counting)
        wire_writer_init_counting(w);
}

uint8_t *wire_writer_take(struct wire_writer *w, uint32_t *size)
{
    ASSERT(w->error == ERR_OK);
    ASSERT(!w->is_counting);
    uint8_t *data = w->data;
    *size = w->size;
    w->data = NULL;
    w->capacity = 0;
    wire_writer_clear(w);
    return data;
}

void wire_writer_fail(struct wire_writer *w, enum err e)
{
    ASSERT(e != ERR_OK);
    if (w->error == ERR_OK)
        w->error = e;
    /* No room and no way to get any: every later write comes to wire_writer_grow. */
    w->capacity = w->size;
}

uint8_t *wire_writer_grow(struct wire_writer *w, uint32_t size)
{
    if (w->error != ERR_OK)
        return NULL;
    if (size > w->size_max - wire_writer_total(w)) {
        wire_writer_fail(w, ERR_TOO_LARGE);
        return NULL;
    }
    if (w->is_counting) {
        w->size += size;
        w->capacity = w->size; /* stays without room, so that each write comes here */
        return NULL;
    }
    uint32_t wanted = w->size + size;
    uint32_t capacity = w->capacity < CAPACITY_MIN ? CAPACITY_MIN : w->capacity;
    while (capacity < wanted)
        capacity = capacity > UINT32_MAX / 2 ? wanted : capacity * 2;
    capacity = MIN(capacity, w->size_max - w->hole_bytes);
    uint8_t *data = mem_try_realloc(w->data, capacity);
    if (data == NULL) {
        wire_writer_fail(w, ERR_NO_MEMORY);
        return NULL;
    }
    w->data = data;
    w->capacity = capacity;
    w->size = wanted;
    return data + wanted - size;
}

void wire_write_raw(struct wire_writer *w, const void *data, uint32_t size)
{
    if (size == 0)
        return;
    uint8_t *p = wire_writer_space(w, size);
    if (p != NULL)
        memcpy(p, data, size);
}

void wire_write_uvarlong(struct wire_writer *w, uint64_t v)
{
    uint8_t bytes[10];
    uint32_t size = 0;
    while (v >= 0x80) {
        bytes[size++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[size++] = (uint8_t)v;
    wire_write_raw(w, bytes, size);
}

void wire_write_str(struct wire_writer *w, struct wire_str s, bool compact)
{
    if (s.len < -1 || s.len > STR_BYTES_MAX) {
        wire_writer_fail(w, ERR_INVALID);
        return;
    }
    if (compact)
        wire_write_uvarint(w, (uint32_t)(s.len + 1));
    else
        wire_write_i16(w, (int16_t)s.len);
    if (s.len > 0)
        wire_write_raw(w, s.data, (uint32_t)s.len);
}

void wire_write_count(struct wire_writer *w, int32_t count, bool compact)
{
    if (count < -1 || count == INT32_MAX)
        wire_writer_fail(w, ERR_INVALID);
    else if (compact)
        wire_write_uvarint(w, (uint32_t)count + 1);
    else
        wire_write_i32(w, count);
}

void wire_write_bytes(struct wire_writer *w, struct wire_bytes b, bool compact)
{
    wire_write_count(w, b.len, compact);
    if (b.len > 0)
        wire_write_raw(w, b.data, (uint32_t)b.len);
}

static void add_hole(struct wire_writer *w, const struct wire_records *records)
{
    if ((uint32_t)records->len > w->size_max - wire_writer_total(w)) {
        wire_writer_fail(w, ERR_TOO_LARGE);
        return;
    }
    if (!w->is_counting) {
        if (w->hole_count == w->hole_capacity) {
            uint32_t capacity = w->hole_capacity > 0 ? w->hole_capacity * 2 : HOLES_MIN;
            void *holes = mem_try_realloc(w->holes, capacity * sizeof(*w->holes));
            if (holes == NULL) {
                wire_writer_fail(w, ERR_NO_MEMORY);
                return;
            }
            w->holes = holes;
            w->hole_capacity = capacity;
        }
        w->holes[w->hole_count++] =
            (struct wire_hole){w->size, records->len, records->ref, records->data};
    }
    w->hole_bytes += (uint32_t)records->len;
    w->capacity = MIN(w->capacity, w->size_max - w->hole_bytes);
}

void wire_write_records(struct wire_writer *w, struct wire_records records, bool compact)
{
    wire_write_count(w, records.len, compact);
    if (records.len <= 0 || w->error != ERR_OK)
        return;
    if (records.ref != NULL)
        add_hole(w, &records);
    else
        wire_write_raw(w, records.data, (uint32_t)records.len);
}

struct wire_mark wire_write_size_begin(struct wire_writer *w)
{
    struct wire_mark mark = {w->size, w->hole_bytes};
    wire_write_u32(w, 0);
    return mark;
}

void wire_write_size_end(struct wire_writer *w, struct wire_mark mark)
{
    if (w->error != ERR_OK || w->is_counting)
        return;
    ASSERT(mark.pos + 4 <= w->size);
    uint32_t size = w->size - mark.pos - 4 + (w->hole_bytes - mark.hole_bytes);
    bytes_store_u32(w->data + mark.pos, size);
}

void wire_write_uvarint_size_before(struct wire_writer *w, uint32_t pos)
{
    if (w->error != ERR_OK)
        return;
    ASSERT(pos <= w->size);
    ASSERT(w->hole_count == 0 || w->holes[w->hole_count - 1].pos <= pos);
    uint32_t size = w->size - pos;
    wire_write_uvarint(w, size);
    if (w->is_counting || w->error != ERR_OK)
        return;
    uint8_t length[10];
    uint32_t length_size = w->size - pos - size;
    ASSERT(length_size <= sizeof(length));
    memcpy(length, w->data + pos + size, length_size);
    memmove(w->data + pos + length_size, w->data + pos, size);
    memcpy(w->data + pos, length, length_size);
}
