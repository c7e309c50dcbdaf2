// SPDX-License-Identifier: Apache-2.0
/* groups_test: which partition a group belongs to: Java's String.hashCode over UTF-16, Utils.abs,
 * modulo. The expected numbers were computed by that definition. Thread: main. */
#include "broker/groups.h"

#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"

enum { LARGE_PRIME = 1000000007 };

static int32_t of(const char *text, int32_t count)
{
    return groups_partition_of(wire_str_of(text), count);
}

TEST(groups_are_where_kafka_looks_for_them)
{
    static const struct {
        const char *id;
        int32_t in[3]; /* of 3, of 50, of LARGE_PRIME */
    } rows[] = {
        {"", {0, 0, 0}},
        {"a", {1, 47, 97}},
        {"group", {2, 47, 98629247}},
        {"console-consumer-12345", {0, 6, 158455506}},
        {"my.group_1", {2, 7, 745467857}}, /* its hash is negative */
        {"Zz", {2, 12, 2912}},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxx",
         {2, 46, 680682489}},
        {"gr\xc3\xbcn", {0, 49, 3185949}}, /* two, three and four bytes a character */
        {"\xd0\xb3\xd1\x80\xd1\x83\xd0\xbf\xd0\xbf\xd0\xb0", {1, 8, 749938451}},
        {"\xe6\x97\xa5\xe6\x9c\xac", {0, 47, 835047}},
        {"\xe2\x82\xac", {0, 14, 8364}},
        {"\xef\xbf\xbf", {0, 35, 65535}},
        {"\xf0\x9f\x98\x80", {1, 49, 1772899}}, /* two units in UTF-16 */
        {"a\xf0\x9f\x98\x80"
         "b",
         {1, 44, 57849694}},
        {"\xf4\x8f\xbf\xbf", {1, 32, 1803232}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CHECK_EQUAL(of(rows[i].id, 1), 0);
        CHECK_EQUAL(of(rows[i].id, 3), rows[i].in[0]);
        CHECK_EQUAL(of(rows[i].id, 50), rows[i].in[1]);
        CHECK_EQUAL(of(rows[i].id, LARGE_PRIME), rows[i].in[2]);
    }
}

TEST(the_least_hash_of_all_is_zero)
{
    CHECK_EQUAL(of("polygenelubricants", 50), 0); /* -2^31, which abs cannot turn round */
    CHECK_EQUAL(of("polygenelubricants", LARGE_PRIME), 0);
}

TEST(a_null_id_is_in_the_first_partition)
{
    CHECK_EQUAL(of(NULL, 50), 0);
}

TEST(bytes_that_are_no_text_count_as_in_java)
{
    static const struct {
        const char *id;
        int32_t in;
    } rows[] = {
        {"\xc3"
         "A",
         2031588}, /* one replacement, and what follows is read */
        {"\xe2\x82"
         "A",
         2031588},                      /* the same: one for as much as could begin a character */
        {"a\xe2\x82", 68540},           /* cut at the end */
        {"\xf0\x9f\x98", 65533},        /* the same */
        {"\x80", 65533},                /* nothing begins so */
        {"\xc0\x80", 2097056},          /* too long a form: one for each byte */
        {"\xe0\x80\x80", 65074269},     /* the same */
        {"\xf0\x80\x80\x80", 17367858}, /* the same */
        {"\xf4\x90\x80\x80", 17367858}, /* behind the last character there is */
        {"\xf5\x80", 2097056},          /* the same */
        {"\xed\xa0\x80", 65533},        /* half a pair is one */
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        CHECK_EQUAL(of(rows[i].id, LARGE_PRIME), rows[i].in);
}

TEST(bytes_that_are_no_text_have_a_place_too)
{
    struct prng prng;
    prng_seed(&prng, 7);
    for (int i = 0; i < 20000; i++) {
        /* A copy of its own, so that reading behind it is seen. */
        size_t len = prng_below(&prng, 9);
        char *copy = mem_alloc(len > 0 ? len : 1);
        prng_fill(&prng, copy, len);
        for (size_t at = 0; at < len; at++)
            copy[at] = (char)(prng_chance(&prng, 1, 2) ? copy[at] | 0xc0 : copy[at]);
        struct wire_str id = {copy, (int32_t)len};
        int32_t partition = groups_partition_of(id, 50);
        CHECK(partition >= 0 && partition < 50);
        CHECK_EQUAL(groups_partition_of(id, 50), partition);
        mem_free(copy);
    }
}
