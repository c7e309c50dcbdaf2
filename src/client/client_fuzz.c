// SPDX-License-Identifier: Apache-2.0
/*
 * client_fuzz: what a broker may say, cut at foreign points. The first byte chooses whether a
 * true ApiVersions answer comes first, how large the pieces are and how many calls wait. Then
 * either bytes as they are, or frames with a true length and the correlation id that is due.
 *
 * Thread: main.
 */
#include "client/client_fake.h"
#include "wire/describe_groups.h"
#include "wire/list_offsets.h"
#include "wire/metadata.h"

int fuzz_client(const uint8_t *data, size_t size);

static void on_done(struct client_call *call, enum err e, const struct client_answer *answer)
{
    struct fake_call *c = container_of(call, struct fake_call, call);
    c->done++;
    ASSERT(c->done == 1);
    ASSERT((e == ERR_OK) == (answer != NULL));
}

static int make_calls(struct fake *f, int count)
{
    struct metadata_request metadata;
    struct list_offsets_request offsets;
    struct describe_groups_request groups;
    wire_defaults(&metadata_request_layout, &metadata);
    wire_defaults(&list_offsets_request_layout, &offsets);
    wire_defaults(&describe_groups_request_layout, &groups);
    groups.include_explanation = true;
    const struct {
        int16_t key;
        const void *request;
    } kinds[] = {
        {KEY_METADATA, &metadata}, {KEY_LIST_OFFSETS, &offsets}, {KEY_DESCRIBE_GROUPS, &groups}};
    int made = 0;
    for (int i = 0; i < count; i++) {
        size_t kind = (size_t)i % ARRAY_COUNT(kinds);
        f->calls[i].call.done = on_done;
        enum err e =
            client_conn_call(f->conn, &f->calls[i].call, kinds[kind].key, kinds[kind].request);
        if (e != ERR_OK)
            break;
        made++;
    }
    return made;
}

/* The connection may hang up while it is spoken to. */
static void say(struct fake *f, const void *data, size_t size)
{
    if (f->closed == 0)
        mem_sock_say(f->peer, data, size);
    mem_env_run_loops(&f->m);
}

static void say_frames(struct fake *f, const uint8_t *data, size_t size)
{
    for (uint32_t number = f->ready > 0 ? 1 : 0; size > 0; number++) {
        size_t len = MIN((size_t)data[0], size - 1);
        uint8_t head[8];
        bytes_store_u32(head, (uint32_t)len + 4);
        bytes_store_u32(head + 4, number);
        say(f, head, sizeof(head));
        say(f, data + 1, len);
        data += 1 + len;
        size -= 1 + len;
    }
}

int fuzz_client(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct fake f;
    fake_init(&f);
    uint8_t how = data[0];
    int made = 0;
    struct client_options options = fake_options(&f);
    options.response_bytes_max = 1 << 16;
    fake_connect_with(&f, &options);
    ASSERT(f.peer != NULL);
    bool heard = fake_hear(&f);
    ASSERT(heard);
    if ((how & 1) != 0) {
        fake_say_versions(&f);
        mem_env_run_loops(&f.m);
        made = make_calls(&f, how >> 5);
    }
    if ((how & 2) != 0)
        mem_sock_set_chunk(f.peer, 1 + how % 7);
    if ((how & 4) != 0)
        say(&f, data + 1, size - 1);
    else
        say_frames(&f, data + 1, size - 1);
    mem_env_advance_ms(&f.m, FAKE_TIMEOUT_MS);
    ASSERT(f.closed <= 1);
    fake_deinit(&f);
    for (int i = 0; i < made; i++)
        ASSERT(f.calls[i].done == 1);
    return 0;
}
