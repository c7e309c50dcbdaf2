// SPDX-License-Identifier: Apache-2.0
/* group_assignment_test: good assignments, and every way to be a bad one. Thread: main. */
#include "cli/group_assignment.h"

#include "base/testing.h"

/* Version 1: "t" with 0 and 7, "uu" with none; three bytes of user data. */
static const uint8_t good[] = {0, 1, 0,   0,   0,   2,          /* version, topics */
                               0, 1, 't', 0,   0,   0,   2,     /* name, partitions */
                               0, 0, 0,   0,   0,   0,   0,  7, /**/
                               0, 2, 'u', 'u', 0,   0,   0,  0, /**/
                               0, 0, 0,   3,   'x', 'y', 'z'};  /* user data */
enum { USER_DATA_SIZE = 7 };

static enum err parse(const uint8_t *data, size_t size, struct arena *arena,
                      struct group_assignment *out)
{
    return group_assignment_parse((struct wire_bytes){data, (int32_t)size}, arena, out);
}

TEST(an_assignment_is_read_in_all_versions)
{
    uint8_t bytes[sizeof(good)];
    memcpy(bytes, good, sizeof(good));
    for (uint8_t version = 0; version <= 4; version++) {
        struct arena arena;
        struct group_assignment a;
        arena_init(&arena, 1 << 20);
        bytes[1] = version;
        CHECK_EQUAL(parse(bytes, sizeof(bytes), &arena, &a), ERR_OK);
        CHECK_EQUAL(a.count, 2);
        CHECK(wire_str_is(a.topics[0].name, "t"));
        CHECK_EQUAL(a.topics[0].partitions.count, 2);
        CHECK_EQUAL(a.topics[0].partitions.items[0], 0);
        CHECK_EQUAL(a.topics[0].partitions.items[1], 7);
        CHECK(wire_str_is(a.topics[1].name, "uu"));
        CHECK_EQUAL(a.topics[1].partitions.count, 0);
        arena_deinit(&arena);
    }
}

TEST(an_assignment_of_nothing)
{
    static const uint8_t none[] = {0, 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    struct arena arena;
    struct group_assignment a = {.count = 9};
    arena_init(&arena, 1 << 20);
    CHECK_EQUAL(parse(NULL, 0, &arena, &a), ERR_OK);
    CHECK_EQUAL(a.count, 0);
    CHECK_EQUAL(group_assignment_parse((struct wire_bytes){NULL, -1}, &arena, &a), ERR_OK);
    CHECK_EQUAL(parse(none, sizeof(none), &arena, &a), ERR_OK);
    CHECK_EQUAL(a.count, 0);
    arena_deinit(&arena);
}

TEST(an_assignment_cut_anywhere_is_refused)
{
    for (size_t size = 1; size < sizeof(good); size++) {
        struct arena arena;
        struct group_assignment a = {.count = 9};
        arena_init(&arena, 1 << 20);
        bool is_before_user_data = size == sizeof(good) - USER_DATA_SIZE;
        CHECK_EQUAL(parse(good, size, &arena, &a), is_before_user_data ? ERR_OK : ERR_CORRUPT);
        CHECK_EQUAL(a.count, is_before_user_data ? 2 : 9);
        arena_deinit(&arena);
    }
}

TEST(hostile_assignments_are_refused)
{
    static const struct {
        uint8_t bytes[20];
        size_t size;
    } bad[] = {
        {{0xff, 0xff, 0, 0, 0, 0}, 6},                               /* version -1 */
        {{0, 0, 0xff, 0xff, 0xff, 0xff}, 6},                         /* null for topics */
        {{0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0}, 12},      /* too many topics */
        {{0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0}, 12},            /* null for a name */
        {{0, 0, 0, 0, 0, 1, 0, 1, 't', 0x40, 0, 0, 0}, 13},          /* too many partitions */
        {{0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff}, 13}, /* null for partitions */
        {{0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, 17}, /* number -1 */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct arena arena;
        struct group_assignment a = {.count = 9};
        arena_init(&arena, 1 << 20);
        CHECK_EQUAL(parse(bad[i].bytes, bad[i].size, &arena, &a), ERR_CORRUPT);
        CHECK_EQUAL(a.count, 9);
        arena_deinit(&arena);
    }
}

TEST(an_assignment_above_the_arena_is_refused)
{
    struct arena arena;
    struct group_assignment a = {.count = 9};
    arena_init(&arena, 16);
    CHECK_EQUAL(parse(good, sizeof(good), &arena, &a), ERR_NO_MEMORY);
    CHECK_EQUAL(a.count, 9);
    arena_deinit(&arena);
}
