// SPDX-License-Identifier: Apache-2.0
/* Tests of topic_name. Thread: main. */
#include <string.h>

#include "base/testing.h"
#include "metadata/topic_name.h"

static bool is_good(const char *name)
{
    return topic_name_fault(name, strlen(name)) == NULL;
}

TEST(topic_names_that_kafka_takes)
{
    CHECK(is_good("a"));
    CHECK(is_good("..."));
    CHECK(is_good("Ab9._-"));
    CHECK(is_good("__consumer_offsets"));
    CHECK(!is_good(""));
    CHECK(!is_good("."));
    CHECK(!is_good(".."));
    CHECK(!is_good("a b"));
    CHECK(!is_good("a/b"));
    CHECK(!is_good("\xc3\xa9"));
    CHECK(topic_name_fault("a\0b", 3) != NULL);
    char name[251];
    memset(name, 'x', sizeof(name));
    CHECK(topic_name_fault(name, 249) == NULL);
    CHECK(topic_name_fault(name, 250) != NULL);
}

TEST(topic_names_collide_in_metrics)
{
    CHECK(topic_names_collide("a.b", 3, "a_b", 3));
    CHECK(topic_names_collide("a.b_c", 5, "a_b.c", 5));
    CHECK(!topic_names_collide("a.b", 3, "a-b", 3));
    CHECK(!topic_names_collide("a.b", 3, "a_bc", 4));
    CHECK(topic_name_has_collision_chars("a_b", 3));
    CHECK(!topic_name_has_collision_chars("a-b", 3));
    CHECK(topic_name_is_internal("__consumer_offsets", 18));
    CHECK(!topic_name_is_internal("__consumer_offset", 17));
}
