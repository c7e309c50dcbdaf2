// SPDX-License-Identifier: Apache-2.0
/* pacer_test: what is owed adds up, is paid by time, and is reckoned anew. Thread: main. */
#include "base/pacer.h"

#include "base/testing.h"

enum { MS = 1000000 };

TEST(what_is_done_is_owed_and_paid_by_time)
{
    struct pacer pacer;
    pacer_init(&pacer, 1000);
    CHECK_EQUAL(pacer_owe(&pacer, 10, 5 * MS), 10 * MS);
    CHECK_EQUAL(pacer_owe(&pacer, 20, 5 * MS), 30 * MS); /* of another worker, at the same time */
    CHECK_EQUAL(pacer_paid_until_ns(&pacer), 35 * MS);
    CHECK_EQUAL(pacer_owe(&pacer, 1, 30 * MS), 6 * MS);
    CHECK_EQUAL(pacer_owe(&pacer, 1, 100 * MS), 1 * MS); /* what was not used is not saved */
}

TEST(another_rate_reckons_anew_what_is_owed)
{
    struct pacer pacer;
    pacer_init(&pacer, 1000);
    CHECK_EQUAL(pacer_owe(&pacer, 100, 0), 100 * MS);
    CHECK(!pacer_set_rate(&pacer, 1000, 20 * MS));
    CHECK(pacer_set_rate(&pacer, 4000, 20 * MS));
    CHECK_EQUAL(pacer_paid_until_ns(&pacer), 40 * MS);
    CHECK(pacer_set_rate(&pacer, 2000, 30 * MS));
    CHECK_EQUAL(pacer_paid_until_ns(&pacer), 50 * MS);
    CHECK(pacer_set_rate(&pacer, 1, 60 * MS)); /* nothing is owed any more */
    CHECK_EQUAL(pacer_paid_until_ns(&pacer), 60 * MS);
}

TEST(a_rate_of_nothing_and_one_without_bound_do_not_overflow)
{
    struct pacer pacer;
    pacer_init(&pacer, 0);
    CHECK_EQUAL(pacer_rate(&pacer), 1);
    for (int i = 0; i < 20; i++)
        CHECK(pacer_owe(&pacer, INT64_MAX, INT64_MAX / 4) > 0);
    CHECK(pacer_set_rate(&pacer, INT64_MAX, INT64_MAX / 4));
    CHECK(pacer_owe(&pacer, 1 << 20, INT64_MAX / 4) < 2);
}
