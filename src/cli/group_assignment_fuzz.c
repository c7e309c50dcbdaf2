// SPDX-License-Identifier: Apache-2.0
/*
 * group_assignment_fuzz: what a member may say that it has. Half of the inputs are given a version
 * and a count of topics that pass, so that what is behind them is reached.
 *
 * Thread: main.
 */
#include "base/assert.h"
#include "cli/group_assignment.h"

enum { ARENA_BYTES = 1 << 20, HEAD_BYTES = 6, BYTES_MAX = 4096 };

int fuzz_group_assignment(const uint8_t *data, size_t size);

static void check(struct wire_bytes bytes, const struct group_assignment *a)
{
    int64_t held = 0;
    for (int32_t i = 0; i < a->count; i++) {
        const struct group_assignment_topic *topic = &a->topics[i];
        ASSERT(topic->name.len >= 0);
        ASSERT(topic->name.len == 0 ||
               ((const uint8_t *)topic->name.data >= bytes.data &&
                (const uint8_t *)topic->name.data + topic->name.len <= bytes.data + bytes.len));
        for (int32_t p = 0; p < topic->partitions.count; p++)
            ASSERT(topic->partitions.items[p] >= 0);
        held += 6 + topic->name.len + (int64_t)topic->partitions.count * 4;
    }
    ASSERT(held <= bytes.len);
}

int fuzz_group_assignment(const uint8_t *data, size_t size)
{
    uint8_t copy[BYTES_MAX];
    if (size < HEAD_BYTES + 1 || size > sizeof(copy))
        return 0;
    memcpy(copy, data, size);
    if ((data[size - 1] & 1) != 0) {
        static const uint8_t head[] = {0, 1, 0, 0, 0};
        memcpy(copy, head, sizeof(head));
        copy[sizeof(head)] %= 8;
    }
    struct arena arena;
    struct group_assignment a = {NULL, -1};
    struct wire_bytes bytes = {copy, (int32_t)size};
    arena_init(&arena, ARENA_BYTES);
    enum err e = group_assignment_parse(bytes, &arena, &a);
    ASSERT(arena.used_bytes <= ARENA_BYTES);
    ASSERT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_NO_MEMORY);
    if (e == ERR_OK)
        check(bytes, &a);
    else
        ASSERT(a.count == -1);
    arena_deinit(&arena);
    return 0;
}
