// SPDX-License-Identifier: Apache-2.0
/*
 * group_why_fuzz: what a broker may explain: bytes as an answer of DescribeGroups, or, for half of
 * the inputs, a random answer that makes sense with some bytes changed. Whatever it is there are
 * sentences and JSON, and no byte in the sentences that a terminal would obey.
 *
 * Thread: main.
 */
#include <ctype.h>
#include <string.h>

#include "base/assert.h"
#include "cli/group_why.h"
#include "wire/codec.h"
#include "wire/codec_random.h"
#include "wire/explanation.h"

enum { ARENA_BYTES = 1 << 22, VERSION = 6, CHANGES_MAX = 8 };

int fuzz_group_why(const uint8_t *data, size_t size);

static void check(const struct describe_groups_response_described_group *group)
{
    struct group_why why = {group, 1};
    struct strbuf text;
    strbuf_init(&text);
    group_why_sentences(&why, &text);
    size_t sentences = text.len;
    ASSERT(sentences > 0 && text.text[sentences - 1] == '\n');
    group_why_refused(&why, &text);
    for (size_t i = 0; i < text.len; i++)
        ASSERT(!iscntrl((unsigned char)text.text[i]) || (text.text[i] == '\n' && i < sentences));
    json_t *json = group_why_json(&why, "text");
    ASSERT(json_object_size(json) >= 6);
    json_decref(json);
    strbuf_deinit(&text);
}

static void bend_event(struct describe_groups_response_event *e, uint8_t how)
{
    struct wire_str *const texts[] = {
        &e->member_id, &e->group_instance_id, &e->client_id,     &e->client_host,
        &e->reason,    &e->by_client_id,      &e->by_client_host};
    e->kind = (int8_t)(how % (GROUP_EVENT_KIND_COUNT + 1));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if ((how >> i & 1) != 0)
            *texts[i] = wire_str_of("\x1b[2J\n");
    }
}

/* What random numbers seldom hit: kinds, waits and states that there are; texts that a terminal
 * would obey. */
static void bend(struct describe_groups_response_described_group *group, uint8_t how)
{
    static const char *const states[] = {"Empty", "Stable", "PreparingRebalance", "\x1b"};
    struct describe_groups_response_explanation *x = group->explanation;
    group->group_state = wire_str_of(states[how % ARRAY_COUNT(states)]);
    x->wait = (int8_t)(how % (GROUP_WAIT_COUNT + 1));
    x->coordinator.state = (int8_t)(how % (COORDINATOR_STATE_COUNT + 1));
    x->coordinator.failure = (int8_t)(how % (COORDINATOR_FAILURE_COUNT + 1));
    if (x->begun != NULL)
        bend_event(x->begun, how);
    if (x->gone != NULL)
        bend_event(x->gone, (uint8_t)~how);
    if (x->members.count > 0)
        x->members.items[0].client_id = wire_str_of("\x1b[2J");
}

static enum err decode(const uint8_t *data, size_t size, struct arena *arena,
                       struct describe_groups_response *out)
{
    struct wire_reader r = wire_reader_of(data, size);
    return wire_decode(&describe_groups_response_message, VERSION, &r, arena, out);
}

/* The first bytes choose the answer, each three of those behind a byte of it and what that becomes.
 * Only a few: most answers are to make sense. */
static enum err decode_random(const uint8_t *data, size_t size, struct arena *arena,
                              struct describe_groups_response *out, struct wire_writer *w)
{
    struct prng prng;
    uint64_t seed = 0;
    size_t seed_size = MIN(size, sizeof(seed));
    memcpy(&seed, data, seed_size);
    prng_seed(&prng, seed);
    enum err e = wire_random(&describe_groups_response_message, VERSION, &prng, arena, out);
    if (e == ERR_OK)
        e = wire_encode(&describe_groups_response_message, VERSION, w, out);
    if (e != ERR_OK)
        return e;
    size_t end = MIN(size, seed_size + 3 * (seed % CHANGES_MAX));
    for (size_t at = seed_size; at + 3 <= end; at += 3)
        w->data[(data[at] << 8 | data[at + 1]) % w->size] = data[at + 2];
    return decode(w->data, w->size, arena, out);
}

int fuzz_group_why(const uint8_t *data, size_t size)
{
    struct describe_groups_response response;
    struct arena arena;
    struct wire_writer w;
    if (size < 1)
        return 0;
    arena_init(&arena, ARENA_BYTES);
    wire_writer_init(&w, ARENA_BYTES);
    enum err e = (data[0] & 1) != 0 ? decode_random(data + 1, size - 1, &arena, &response, &w)
                                    : decode(data + 1, size - 1, &arena, &response);
    for (int32_t i = 0; e == ERR_OK && i < response.groups.count; i++) {
        struct describe_groups_response_described_group *group = &response.groups.items[i];
        if (group->explanation == NULL)
            continue;
        check(group);
        bend(group, data[size - 1]);
        check(group);
    }
    wire_writer_deinit(&w);
    arena_deinit(&arena);
    return 0;
}
