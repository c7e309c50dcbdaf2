// SPDX-License-Identifier: Apache-2.0
/* message_test: texts of messages compared. Thread: main. */
#include "wire/message.h"

#include "base/macros.h"
#include "base/testing.h"

/* In order; one of them is a part of another, and one has a zero byte. */
static const struct wire_str sorted[] = {
    {NULL, -1}, {NULL, 0}, {"a", 1}, {"a\0b", 3}, {"ab", 2}, {"b", 1}, {"\xff", 1},
};

TEST(texts_have_an_order)
{
    for (size_t i = 0; i < ARRAY_COUNT(sorted); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(sorted); j++) {
            int order = wire_str_compare(sorted[i], sorted[j]);
            CHECK((order > 0) - (order < 0) == (i > j) - (i < j));
            CHECK((order == 0) == wire_str_equal(sorted[i], sorted[j]));
        }
    }
    CHECK(wire_str_compare((struct wire_str){"", 0}, (struct wire_str){NULL, 0}) == 0);
}
