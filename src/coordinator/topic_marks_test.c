// SPDX-License-Identifier: Apache-2.0
/* topic_marks_test: marks of topics, once and again, and where the arena is full. Thread: main. */
#include "coordinator/topic_marks.h"

#include "base/testing.h"

TEST(topics_that_are_marked_have_the_mark_and_no_others)
{
    struct arena arena;
    struct topic_marks t;
    arena_init(&arena, 1 << 16);
    topic_marks_init(&t, &arena, 7);
    CHECK(topic_marks_add(&t, wire_str_of("a")));
    CHECK(topic_marks_add(&t, wire_str_of("b")));
    CHECK(topic_marks_add(&t, wire_str_of("a")));
    CHECK(topic_marks_add(&t, wire_str_of("")));
    topic_marks_set(&t, wire_str_of("a"));
    topic_marks_set(&t, wire_str_of("c")); /* nobody asks about it */
    CHECK(topic_marks_has(&t, wire_str_of("a")));
    CHECK(!topic_marks_has(&t, wire_str_of("b")));
    CHECK(!topic_marks_has(&t, wire_str_of("c")));
    CHECK(!topic_marks_has(&t, wire_str_of("")));
    t.all = true;
    CHECK(topic_marks_has(&t, wire_str_of("b")));
    CHECK(topic_marks_has(&t, wire_str_of("c")));
    topic_marks_deinit(&t);
    arena_deinit(&arena);
}

TEST(topic_marks_say_when_the_arena_is_full)
{
    struct arena arena;
    struct topic_marks t;
    arena_init(&arena, 10);
    topic_marks_init(&t, &arena, 7);
    CHECK(!topic_marks_add(&t, wire_str_of("a")));
    topic_marks_set(&t, wire_str_of("a"));
    CHECK(!topic_marks_has(&t, wire_str_of("a")));
    topic_marks_deinit(&t);
    arena_deinit(&arena);
}
