// SPDX-License-Identifier: Apache-2.0
/* group_words_test: --topic and --to of `klamm group`. Thread: main. */
#include "cli/group_words.h"

#include "base/macros.h"
#include "base/testing.h"

TEST(partitions_may_be_chosen)
{
    struct arena arena;
    struct partition_choice choice;
    arena_init(&arena, SIZE_MAX);
    CHECK(partition_choice_parse("orders", &arena, &choice));
    CHECK_TEXT(choice.topic, "orders");
    CHECK_EQUAL(choice.count, 0);
    CHECK(partition_choice_parse("a.b_c-d:0,7,2147483647", &arena, &choice));
    CHECK_TEXT(choice.topic, "a.b_c-d");
    CHECK_EQUAL(choice.count, 3);
    CHECK_EQUAL(choice.partitions[0], 0);
    CHECK_EQUAL(choice.partitions[1], 7);
    CHECK_EQUAL(choice.partitions[2], INT32_MAX);
    arena_deinit(&arena);
}

TEST(wrong_choices_are_refused)
{
    static const char *const wrong[] = {"",     ":",      ":1",   "t:",    "t:,",          "t:1,",
                                        "t:,1", "t:1,,2", "t:x",  "t:-1",  "t:2147483648", "t:1:2",
                                        "t: 1", "t:+1",   "t:1 ", "t:1-2", "t:99999999999"};
    struct arena arena;
    struct partition_choice choice = {.count = 9};
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        CHECK(!partition_choice_parse(wrong[i], &arena, &choice));
    CHECK_EQUAL(choice.count, 9);
    arena_deinit(&arena);
}

TEST(goals_are_words_offsets_and_times)
{
    static const struct {
        const char *text;
        enum offset_goal_kind kind;
        int64_t number;
    } good[] = {
        {"beginning", GOAL_BEGINNING, 0},
        {"end", GOAL_END, 0},
        {"0", GOAL_OFFSET, 0},
        {"9223372036854775807", GOAL_OFFSET, INT64_MAX},
        {"2026", GOAL_OFFSET, 2026},
        {"@0", GOAL_TIME, 0},
        {"@1700000000123", GOAL_TIME, 1700000000123},
        {"1970-01-01", GOAL_TIME, 0},
        {"1970-01-02T00:00", GOAL_TIME, 86400000},
        {"2000-02-29", GOAL_TIME, 951782400000},
        {"2023-11-14T22:13:20Z", GOAL_TIME, 1700000000000},
        {"2023-11-14T22:13:20.5", GOAL_TIME, 1700000000500},
        {"2023-11-14T22:13:20.123Z", GOAL_TIME, 1700000000123},
        {"2024-12-31T23:59:59", GOAL_TIME, 1735689599000},
        {"9999-12-31T23:59:59.999Z", GOAL_TIME, 253402300799999},
    };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct offset_goal goal;
        CHECK(offset_goal_parse(good[i].text, &goal));
        CHECK_EQUAL(goal.kind, good[i].kind);
        CHECK_EQUAL(goal.number, good[i].number);
    }
}

TEST(wrong_goals_are_refused)
{
    static const char *const wrong[] = {
        "",
        "begin",
        "End",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1x",
        "@",
        "@-1",
        "@x",
        "@ 1",
        "9223372036854775808",
        "1969-12-31",
        "2026-00-01",
        "2026-13-01",
        "2026-01-00",
        "2026-01-32",
        "2026-02-29",
        "1900-02-29",
        "2100-02-29",
        "2026-1-1",
        "2026-01-01T",
        "2026-01-01T24:00",
        "2026-01-01T10",
        "2026-01-01T10:60",
        "2026-01-01T10:00:60",
        "2026-01-01T10:00:00.",
        "2026-01-01T10:00:00.1234",
        "2026-01-01T10:00:00ZZ",
        "2026-01-01 10:00",
        "2026-01-01Z",
        "2026-01-01T10:00:00+01:00",
    };
    struct offset_goal goal = {.number = 9};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        CHECK(!offset_goal_parse(wrong[i], &goal));
    CHECK_EQUAL(goal.number, 9);
}
