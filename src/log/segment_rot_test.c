// SPDX-License-Identifier: Apache-2.0
/* segment_rot_test: which bytes may be read beside those that are damaged, and what is told of
 * them. Thread: main. */
#include "base/macros.h"
#include "base/testing.h"
#include "log/segment.h"

/* The batch of this number, of 100 bytes and one offset. */
static struct segment_rot place(int64_t number)
{
    return (struct segment_rot){.pos = 100 * number,
                                .end = 100 * number + 100,
                                .offset = number,
                                .end_offset = number + 1,
                                .found_ms = 1000 - number,
                                .error = ERR_CORRUPT};
}

static void mark(struct segment *seg, int64_t number)
{
    struct segment_rot rot = place(number);
    segment_mark_rot(seg, &rot);
}

TEST(what_is_damaged_cannot_be_read_and_all_else_can)
{
    struct segment seg = {0};
    mark(&seg, 5);
    mark(&seg, 2);
    CHECK_EQUAL(segment_sound_bytes(&seg, 0, 1000), 200);
    CHECK_EQUAL(segment_sound_bytes(&seg, 0, 50), 50);
    CHECK_EQUAL(segment_sound_bytes(&seg, 200, 1), 0);
    CHECK_EQUAL(segment_sound_bytes(&seg, 300, 1000), 200);
    CHECK_EQUAL(segment_sound_bytes(&seg, 599, 1), 0);
    CHECK_EQUAL(segment_sound_bytes(&seg, 600, 1000), 1000);
    segment_forget_rot(&seg);
    CHECK_EQUAL(segment_sound_bytes(&seg, 200, 1000), 1000);
}

TEST(damaged_places_are_listed_by_position_as_they_were_found_first)
{
    static const int64_t order[] = {5, 9, 2, 7, 5, 2};
    static const int64_t sorted[] = {2, 5, 7, 9};
    struct segment seg = {0};
    for (size_t i = 0; i < ARRAY_COUNT(order); i++)
        mark(&seg, order[i]);
    for (size_t max = 0; max <= 5; max++) {
        struct segment_rot places[5] = {{0}};
        CHECK_EQUAL(segment_list_rot(&seg, places, max), 4);
        for (size_t i = 0; i < MIN(max, ARRAY_COUNT(sorted)); i++) {
            CHECK_EQUAL(places[i].pos, 100 * sorted[i]);
            CHECK_EQUAL(places[i].end_offset, sorted[i] + 1);
            CHECK_EQUAL(places[i].found_ms, 1000 - sorted[i]);
        }
    }
    segment_forget_rot(&seg);
}

TEST(too_many_damaged_places_become_one)
{
    struct segment_rot places[SEGMENT_ROT_MAX + 1];
    struct segment seg = {0};
    for (int64_t i = 0; i < SEGMENT_ROT_MAX + 10; i++)
        mark(&seg, 2 * i);
    CHECK_EQUAL(segment_list_rot(&seg, places, ARRAY_COUNT(places)), SEGMENT_ROT_MAX);
    const struct segment_rot *last = &places[SEGMENT_ROT_MAX - 1];
    CHECK_EQUAL(last->pos, 100 * 2 * (SEGMENT_ROT_MAX - 1));
    CHECK_EQUAL(last->end_offset, 2 * (SEGMENT_ROT_MAX + 9) + 1);
    CHECK_EQUAL(segment_sound_bytes(&seg, last->end, 1000), 1000);
    CHECK_EQUAL(segment_sound_bytes(&seg, last->end - 1, 1), 0);
    segment_forget_rot(&seg);
}
