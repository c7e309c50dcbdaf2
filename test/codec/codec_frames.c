// SPDX-License-Identifier: Apache-2.0
/*
 * codec_frames: the C side of the comparison with Kafka's own serializers.
 *
 *   codec_frames facts            one line per API: versions, header versions
 *   codec_frames write SEED N     N random messages of every API, direction and version to stdout
 *   codec_frames check            messages from stdin: decoded, encoded again, compared
 *
 * A message is: key (2 bytes), direction (1: 0 request, 1 response, 2 request header,
 * 3 response header), version (2), size (4), bytes, size (4), bytes. The second form is
 * what an encoder should make of the first; `write` leaves it empty: the same.
 *
 * Thread: main.
 */
#include "base/mem.h"
#include "wire/codec.h"
#include "wire/codec_dump.h"
#include "wire/codec_random.h"
#include "wire/message_header.h"

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 16 << 20, MESSAGE_BYTES = 1024, DIRECTION_COUNT = 4 };

struct any_message {
    alignas(max_align_t) uint8_t bytes[MESSAGE_BYTES];
};

static const struct wire_message *message_of(int16_t key, int direction)
{
    const struct wire_api *api = wire_api_find(key);
    if (direction == 2)
        return &request_header_message;
    if (direction == 3)
        return &response_header_message;
    if (api == NULL)
        return NULL;
    return direction == 0 ? api->request : api->response;
}

static int print_facts(void)
{
    for (uint16_t i = 0; i < wire_api_count; i++) {
        const struct wire_api *api = &wire_apis[i];
        printf("%d %s %d %d %d %d", api->key, api->name, api->request->version_min,
               api->request->version_max, api->announce_min, wire_api_version_max_stable(api));
        for (int16_t v = api->request->version_min; v <= api->request->version_max; v++)
            printf(" %d/%d", wire_api_request_header_version(api, v),
                   wire_api_response_header_version(api, v));
        printf("\n");
    }
    return 0;
}

static int write_message(struct prng *p, int16_t key, int direction, int16_t version)
{
    const struct wire_message *m = message_of(key, direction);
    struct any_message message;
    struct arena arena;
    struct wire_writer w;
    arena_init(&arena, ARENA_BYTES);
    wire_writer_init(&w, ARENA_BYTES);
    enum err e = wire_random(m, version, p, &arena, message.bytes);
    wire_write_i16(&w, key);
    wire_write_u8(&w, (uint8_t)direction);
    wire_write_i16(&w, version);
    struct wire_mark mark = wire_write_size_begin(&w);
    if (e == ERR_OK)
        e = wire_encode(m, version, &w, message.bytes);
    wire_write_size_end(&w, mark);
    wire_write_u32(&w, 0);
    if (e == ERR_OK && fwrite(w.data, 1, w.size, stdout) != w.size)
        e = ERR_IO;
    if (e != ERR_OK)
        fprintf(stderr, "codec_frames: %s v%d: %s\n", m->name, version, err_text(e));
    wire_writer_deinit(&w);
    arena_deinit(&arena);
    return e == ERR_OK ? 0 : 1;
}

static int write_all(uint64_t seed, int rounds)
{
    struct prng p;
    int failed = 0;
    uint64_t count = 0;
    prng_seed(&p, seed);
    for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
        for (uint16_t i = 0; i < (direction < 2 ? wire_api_count : 1); i++) {
            const struct wire_message *m = message_of(wire_apis[i].key, direction);
            for (int16_t v = m->version_min; v <= m->version_max; v++) {
                for (int round = 0; round < rounds; round++, count++)
                    failed += write_message(&p, wire_apis[i].key, direction, v);
            }
        }
    }
    fprintf(stderr, "codec_frames: %" PRIu64 " messages written, seed %" PRIu64 "\n", count, seed);
    return failed != 0 ? 1 : fflush(stdout) != 0;
}

/* ---- check */

struct frame {
    int16_t key;
    int direction;
    int16_t version;
    uint8_t *bytes[2];
    uint32_t size[2];
};

static bool read_exactly(void *out, size_t size)
{
    return fread(out, 1, size, stdin) == size;
}

/* False at the end of the input; a torn frame has a NULL in bytes. */
static bool read_frame(struct frame *f)
{
    uint8_t head[5], length[4];
    *f = (struct frame){0};
    if (!read_exactly(head, sizeof(head)))
        return false;
    f->key = (int16_t)bytes_load_u16(head);
    f->direction = head[2];
    f->version = (int16_t)bytes_load_u16(head + 3);
    for (int i = 0; i < 2; i++) {
        if (!read_exactly(length, sizeof(length)))
            return true;
        f->size[i] = bytes_load_u32(length);
        uint8_t *bytes = mem_alloc(f->size[i] > 0 ? f->size[i] : 1);
        if (!read_exactly(bytes, f->size[i])) {
            mem_free(bytes);
            return true;
        }
        f->bytes[i] = bytes;
    }
    return true;
}

/* Reads one form of the frame and writes it again; that must be its second form.
 * ERR_CONFLICT: it is not. */
static enum err check_form(const struct frame *f, int form, const struct wire_message *m,
                           struct arena *arena)
{
    struct any_message message;
    struct wire_reader r = wire_reader_of(f->bytes[form], f->size[form]);
    enum err e = wire_decode(m, f->version, &r, arena, message.bytes);
    if (e != ERR_OK)
        return e;
    struct wire_writer w;
    wire_writer_init(&w, ARENA_BYTES);
    e = wire_encode(m, f->version, &w, message.bytes);
    if (e == ERR_OK &&
        (w.size != f->size[1] || (w.size > 0 && memcmp(w.data, f->bytes[1], w.size) != 0)))
        e = ERR_CONFLICT;
    if (e == ERR_CONFLICT) {
        struct strbuf text;
        strbuf_init(&text);
        wire_dump(m, f->version, message.bytes, &text);
        fprintf(stderr, "%s\n", strbuf_text(&text));
        strbuf_deinit(&text);
    }
    wire_writer_deinit(&w);
    return e;
}

static bool check_frame(const struct frame *f)
{
    const struct wire_message *m = message_of(f->key, f->direction);
    if (m == NULL || f->bytes[0] == NULL || f->bytes[1] == NULL) {
        fprintf(stderr, "codec_frames: key %d: unknown or torn\n", f->key);
        return false;
    }
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    enum err e = ERR_OK;
    for (int form = 0; form < 2 && e == ERR_OK; form++)
        e = check_form(f, form, m, &arena);
    if (e != ERR_OK)
        fprintf(stderr, "codec_frames: %s v%d: %s\n", m->name, f->version, err_name(e));
    arena_deinit(&arena);
    return e == ERR_OK;
}

static int check_all(void)
{
    struct frame f;
    uint64_t count = 0, failed = 0;
    while (failed < 10 && read_frame(&f)) {
        count++;
        failed += check_frame(&f) ? 0 : 1;
        mem_free(f.bytes[0]);
        mem_free(f.bytes[1]);
    }
    printf("codec: %" PRIu64 " messages of Kafka's read and written again by us, %" PRIu64
           " failed\n",
           count, failed);
    return failed != 0 || count == 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "facts") == 0)
        return print_facts();
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_all(strtoull(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return check_all();
    fprintf(stderr, "usage: codec_frames facts | write SEED N | check\n");
    return 2;
}
