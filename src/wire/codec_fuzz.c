// SPDX-License-Identifier: Apache-2.0
/*
 * codec_fuzz: foreign bytes through the decoder of every message.
 *
 * The first three bytes choose API, direction and version. The rest is the
 * message, or (bit 1 of the second byte) eight bytes of seed for a valid random
 * message and edits to it: two bytes of position and the byte to put there. What
 * can be decoded must encode again, and come back equal from that.
 *
 * Thread: any.
 */
#include "base/assert.h"
#include "wire/api.h"
#include "wire/codec.h"
#include "wire/codec_dump.h"
#include "wire/codec_random.h"
#include "wire/message_header.h"
#include "wire/metadata_records.h"
#include "wire/record_set.h"

#include <stdalign.h>

enum { ARENA_BYTES = 1 << 20, MESSAGE_BYTES = 1024 };

int fuzz_codec(const uint8_t *data, size_t size);

struct any_message {
    alignas(max_align_t) uint8_t bytes[MESSAGE_BYTES];
};

static void check_again(const struct wire_message *m, int16_t version, struct arena *arena,
                        const struct any_message *message)
{
    struct any_message again;
    struct wire_writer w;
    wire_writer_init(&w, ARENA_BYTES * 4);
    enum err e = wire_encode(m, version, &w, message->bytes);
    ASSERT(e == ERR_OK);
    uint32_t size = 0;
    e = wire_encoded_size(m, version, message->bytes, &size);
    ASSERT(e == ERR_OK);
    ASSERT(size == w.size);
    struct wire_reader r = wire_reader_of(w.data, w.size);
    e = wire_decode(m, version, &r, arena, again.bytes);
    ASSERT(e == ERR_OK);
    ASSERT(wire_equal(m->body, message->bytes, again.bytes));
    struct strbuf text;
    strbuf_init(&text);
    wire_dump(m, version, again.bytes, &text);
    ASSERT(text.len > 0);
    strbuf_deinit(&text);
    wire_writer_deinit(&w);
}

static void fuzz_message(const struct wire_message *m, int16_t version, const uint8_t *data,
                         size_t size)
{
    struct any_message message;
    struct arena arena, second;
    ASSERT(m->body->size <= sizeof(message.bytes));
    arena_init(&arena, ARENA_BYTES);
    arena_init(&second, ARENA_BYTES * 2);
    struct wire_reader r = wire_reader_of(data, size);
    enum err e = wire_decode(m, version, &r, &arena, message.bytes);
    ASSERT(arena.used_bytes <= ARENA_BYTES);
    if (e == ERR_OK)
        check_again(m, version, &second, &message);
    else
        ASSERT(e == ERR_CORRUPT || e == ERR_NO_MEMORY);
    arena_deinit(&second);
    arena_deinit(&arena);
}

/* Random bytes alone seldom get past the first array. */
static void fuzz_edited(const struct wire_message *m, int16_t version, const uint8_t *data,
                        size_t size)
{
    if (size < 8)
        return;
    struct prng p;
    struct arena arena;
    struct wire_writer w;
    struct any_message message;
    prng_seed(&p, bytes_load_u64(data));
    arena_init(&arena, ARENA_BYTES);
    wire_writer_init(&w, ARENA_BYTES);
    enum err e = wire_random(m, version, &p, &arena, message.bytes);
    if (e == ERR_OK)
        e = wire_encode(m, version, &w, message.bytes);
    ASSERT(e == ERR_OK);
    for (size_t i = 8; i + 3 <= size && w.size > 0; i += 3)
        w.data[bytes_load_u16(data + i) % w.size] = data[i + 2];
    fuzz_message(m, version, w.data, w.size);
    wire_writer_deinit(&w);
    arena_deinit(&arena);
}

static void fuzz_records(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct metadata_record record;
    arena_init(&arena, ARENA_BYTES);
    struct wire_reader r = wire_reader_of(data, size);
    while (wire_left(&r) > 0) {
        enum err e = wire_record_decode(&metadata_record_set, &r, &arena, &record);
        if (e != ERR_OK)
            break;
    }
    arena_deinit(&arena);
}

int fuzz_codec(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct request_header header;
    const struct wire_api *api;
    struct wire_reader r = wire_reader_of(data, size);
    if (wire_request_header_read(&r, &header, &api) == ERR_OK)
        ASSERT(wire_api_find(header.request_api_key) == api);
    fuzz_records(data, size);

    const struct wire_message *m;
    api = &wire_apis[data[0] % wire_api_count];
    m = data[1] % 2 == 0 ? api->request : api->response;
    int versions = m->version_max - m->version_min + 1;
    int16_t version = (int16_t)(m->version_min + data[2] % versions);
    if (data[1] & 2)
        fuzz_edited(m, version, data + 3, size - 3);
    else
        fuzz_message(m, version, data + 3, size - 3);
    return 0;
}
