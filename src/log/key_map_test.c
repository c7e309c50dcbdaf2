// SPDX-License-Identifier: Apache-2.0
/* The key map of compaction. Thread: the test's. */
#include "log/key_map.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/testing.h"

static const uint64_t secret[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

/* Of the first inputs 0, 1, 2... bytes long, by the authors of SipHash. */
TEST(the_hash_is_siphash_2_4_with_128_bits)
{
    static const uint8_t expected[2][16] = {
        {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
         0x93},
        {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
         0x45},
    };
    uint8_t input[2] = {0, 1};
    for (size_t len = 0; len < 2; len++) {
        uint64_t hash[2];
        key_hash(secret, input, len, hash);
        CHECK(memcmp(hash, expected[len], sizeof(hash)) == 0);
    }
}

TEST(a_key_map_keeps_the_largest_offset_of_each_key)
{
    struct key_map map;
    CHECK_EQUAL(key_map_init(&map, secret, 1 << 20, 0.9, 10000), ERR_OK);
    for (int64_t i = 0; i < 10000; i++) {
        char key[32];
        int len = snprintf(key, sizeof(key), "k%d", (int)(i % 3000));
        CHECK(key_map_put(&map, key, (size_t)len, i));
    }
    CHECK_EQUAL(map.count, 3000);
    for (int64_t i = 0; i < 3000; i++) {
        char key[32];
        int len = snprintf(key, sizeof(key), "k%d", (int)i);
        CHECK_EQUAL(key_map_get(&map, key, (size_t)len), i < 1000 ? 9000 + i : 6000 + i);
    }
    CHECK_EQUAL(key_map_get(&map, "x", 1), -1);
    CHECK(key_map_put(&map, "", 0, 7)); /* an empty key is one */
    CHECK_EQUAL(key_map_get(&map, "", 0), 7);
    key_map_deinit(&map);
}

TEST(a_key_map_takes_no_more_than_it_was_given)
{
    struct key_map map;
    CHECK_EQUAL(key_map_init(&map, secret, KEY_SLOT_BYTES, 1, 5), ERR_TOO_LARGE);
    CHECK_EQUAL(key_map_init(&map, secret, 1 << 20, 0.5, 0), ERR_OK); /* none are to come */
    CHECK(!key_map_put(&map, "a", 1, 0));
    CHECK_EQUAL(key_map_get(&map, "a", 1), -1);
    key_map_deinit(&map);
    CHECK_EQUAL(key_map_init(&map, secret, (size_t)100 * KEY_SLOT_BYTES, 0.5, 1000), ERR_OK);
    CHECK_EQUAL(map.count_max, 50);
    CHECK_EQUAL(key_map_bytes(&map), 100 * KEY_SLOT_BYTES);
    key_map_deinit(&map);
    CHECK_EQUAL(key_map_init(&map, secret, 1 << 30, 0.9, 9), ERR_OK); /* a few keys, a small map */
    CHECK(key_map_bytes(&map) < 1000);
    for (uint64_t i = 0; i < 9; i++)
        CHECK(key_map_put(&map, &i, sizeof(i), (int64_t)i));
    uint64_t other = 99;
    CHECK(!key_map_put(&map, &other, sizeof(other), 1));
    uint64_t known = 5;
    CHECK(key_map_put(&map, &known, sizeof(known), 100));
    CHECK_EQUAL(key_map_get(&map, &known, sizeof(known)), 100);
    key_map_deinit(&map);
    mem_fail_at(1);
    CHECK_EQUAL(key_map_init(&map, secret, 1 << 20, 0.9, 9), ERR_NO_MEMORY);
    mem_fail_at(0);
}
