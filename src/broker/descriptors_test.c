// SPDX-License-Identifier: Apache-2.0
/* descriptors_test: how few and how many are shared out. Thread: the test's. */
#include "broker/descriptors.h"

#include "base/testing.h"

TEST(a_quarter_is_for_segments_and_a_reserve_is_left)
{
    struct descriptors d = descriptors_share(256, 0);
    CHECK_EQUAL(d.files, 64);
    CHECK_EQUAL(d.connections, 128);
    CHECK_EQUAL(d.fetch_files, 16);
    d = descriptors_share(20000, 0);
    CHECK_EQUAL(d.files, 5000);
    CHECK_EQUAL(d.connections, 20000 - 5000 - 192);
    d = descriptors_share(1 << 30, 0);
    CHECK_EQUAL(d.files, DESCRIPTORS_FILES_MAX);
    CHECK_EQUAL(d.fetch_files, DESCRIPTORS_FETCH_FILES_MAX);
}

TEST(what_is_wanted_never_starves_connections)
{
    struct descriptors d = descriptors_share(1024, 100);
    CHECK_EQUAL(d.files, 100);
    CHECK_EQUAL(d.connections, 1024 - 192 - 100);
    d = descriptors_share(1024, 5000);
    CHECK_EQUAL(d.files, 1024 - 2 * 192);
    CHECK_EQUAL(d.connections, 192);
    for (int64_t max = 1; max < 3000; max++) {
        d = descriptors_share(max, max % 7 * 100);
        CHECK(d.files >= DESCRIPTORS_FILES_MIN && d.connections > 0);
        if (max >= 64)
            CHECK((int64_t)d.files + d.connections < max);
    }
}

TEST(without_a_known_bound_connections_are_free)
{
    struct descriptors d = descriptors_share(0, 0);
    CHECK_EQUAL(d.files, DESCRIPTORS_FILES_UNKNOWN);
    CHECK_EQUAL(d.connections, UINT32_MAX);
    CHECK_EQUAL(descriptors_share(0, 12).files, 12);
}
