// SPDX-License-Identifier: Apache-2.0
/* nearest_test: how far names are from another. Thread: main. */
#include "cli/nearest.h"

#include <limits.h>
#include <string.h>

#include "base/macros.h"
#include "base/testing.h"

static int distance(const char *a, const char *b)
{
    int there = nearest_distance(wire_str_of(a), wire_str_of(b));
    CHECK_EQUAL(nearest_distance(wire_str_of(b), wire_str_of(a)), there);
    return there;
}

TEST(each_slip_of_the_fingers_counts_once)
{
    static const struct {
        const char *a, *b;
        int distance;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"orders", "orders", 0},
        {"orders", "order", 1},
        {"orders", "oorders", 1},
        {"orders", "orxers", 1},
        {"orders", "ordres", 1}, /* neighbours swapped */
        {"orders", "rodres", 2},
        {"orders", "Orders", 1},
        {"kitten", "sitting", 3},
        {"abcdef", "fedcba", 5}, /* only neighbours count as swapped */
        {"a", "b", 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        CHECK_EQUAL(distance(rows[i].a, rows[i].b), rows[i].distance);
}

TEST(what_is_too_long_or_null_is_far)
{
    char longest[NEAREST_NAME_MAX + 1], longer[NEAREST_NAME_MAX + 2];
    memset(longest, 'x', sizeof(longest) - 1);
    memset(longer, 'x', sizeof(longer) - 1);
    longest[sizeof(longest) - 1] = longer[sizeof(longer) - 1] = '\0';
    CHECK_EQUAL(distance(longest, longest), 0);
    CHECK_EQUAL(distance(longest, ""), NEAREST_NAME_MAX);
    CHECK_EQUAL(distance(longer, longest), INT_MAX);
    CHECK_EQUAL(distance(NULL, "a"), INT_MAX);
    CHECK(!nearest_is_close(wire_str_of("orders"), INT_MAX));
}

TEST(a_long_name_may_have_more_slips)
{
    CHECK(nearest_is_close(wire_str_of("a"), 1));
    CHECK(!nearest_is_close(wire_str_of("ab"), 2));
    CHECK(nearest_is_close(wire_str_of("orders"), 2));
    CHECK(!nearest_is_close(wire_str_of("orders"), 3));
}
