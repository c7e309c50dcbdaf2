// SPDX-License-Identifier: Apache-2.0
/*
 * group_why_fuzz: what a broker may explain: bytes as an answer of DescribeGroups, or, for half of
 * the inputs, a random answer that makes sense. Whatever it is there are sentences and JSON, and
 * no byte in the sentences that a terminal would obey.
 *
 * Thread: main.
 */
#include <ctype.h>
#include <string.h>

#include "base/assert.h"
#include "cli/group_why.h"
#include "wire/codec.h"
#include "wire/codec_random.h"

enum { ARENA_BYTES = 1 << 22, VERSION = 6 };

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

static enum err make_random(const uint8_t *data, size_t size, struct arena *arena,
                            struct describe_groups_response *out)
{
    struct prng prng;
    uint64_t seed = 0;
    memcpy(&seed, data, MIN(size, sizeof(seed)));
    prng_seed(&prng, seed);
    return wire_random(&describe_groups_response_message, VERSION, &prng, arena, out);
}

int fuzz_group_why(const uint8_t *data, size_t size)
{
    struct describe_groups_response response;
    struct arena arena;
    if (size < 1)
        return 0;
    arena_init(&arena, ARENA_BYTES);
    struct wire_reader r = wire_reader_of(data + 1, size - 1);
    enum err e = (data[0] & 1) != 0 ? make_random(data + 1, size - 1, &arena, &response)
                                    : wire_decode(&describe_groups_response_message, VERSION, &r,
                                                  &arena, &response);
    for (int32_t i = 0; e == ERR_OK && i < response.groups.count; i++) {
        if (response.groups.items[i].explanation != NULL)
            check(&response.groups.items[i]);
    }
    arena_deinit(&arena);
    return 0;
}
