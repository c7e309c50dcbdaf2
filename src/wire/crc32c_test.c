// SPDX-License-Identifier: Apache-2.0
/* crc32c_test: known answers, and the fast way against the plain one. Thread: main. */
#include "wire/crc32c.h"

#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"

/* The four vectors of RFC 3720, appendix B.4, and the customary check value. */
TEST(crc32c_gives_the_known_answers)
{
    uint8_t bytes[32];
    CHECK_EQUAL(crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_EQUAL(crc32c_plain(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    CHECK_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    CHECK_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(31 - i);
    CHECK_EQUAL(crc32c(0, bytes, sizeof(bytes)), 0x113fdb5c);
    CHECK_EQUAL(crc32c(0, NULL, 0), 0);
}

/* Sizes around every lane size, at every alignment; exact allocations, so that a
 * sanitizer sees a read past the end. */
TEST(crc32c_is_the_same_both_ways)
{
    struct prng p;
    prng_seed(&p, 11);
    static const size_t around[] = {8,        64 * 3,   512 * 3,
                                    4096 * 3, 8192 * 3, 4096 * 6 + 512 * 3 + 192};
    for (size_t a = 0; a < sizeof(around) / sizeof(around[0]); a++) {
        for (size_t size = around[a] - 8; size <= around[a] + 9; size++) {
            size_t skip = size % 8;
            uint8_t *bytes = mem_alloc(size + skip);
            prng_fill(&p, bytes, size + skip);
            CHECK_EQUAL(crc32c(7, bytes + skip, size), crc32c_plain(7, bytes + skip, size));
            mem_free(bytes);
        }
    }
}

TEST(crc32c_goes_on_from_a_part)
{
    static uint8_t bytes[40000];
    struct prng p;
    prng_seed(&p, 12);
    prng_fill(&p, bytes, sizeof(bytes));
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut < sizeof(bytes); cut += 997)
        CHECK_EQUAL(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
}
