// SPDX-License-Identifier: Apache-2.0
/* refused_batches_test: what may come behind a batch that was refused. Thread: main. */
#include "replica/refused_batches.h"

#include "base/testing.h"
#include "wire/batch.h"

static struct batch_header batch(int64_t producer_id, int16_t epoch, int32_t sequence)
{
    return (struct batch_header){
        .producer_id = producer_id, .producer_epoch = epoch, .base_sequence = sequence};
}

static void note(struct refused_batches *r, int64_t id, int16_t epoch, int32_t sequence)
{
    struct batch_header b = batch(id, epoch, sequence);
    refused_batches_note(r, &b, 0);
}

static bool allows(struct refused_batches *r, int64_t id, int16_t epoch, int32_t sequence)
{
    struct batch_header b = batch(id, epoch, sequence);
    return refused_batches_allow(r, &b, id >= 0, 1000);
}

TEST(only_the_first_that_was_refused_may_come)
{
    struct refused_batches r = {0};
    CHECK(allows(&r, 7, 0, 5));
    note(&r, 7, 0, 0);
    note(&r, 7, 0, 5); /* behind it, on its way already */
    CHECK(!allows(&r, 7, 0, 5));
    CHECK(!allows(&r, 7, 0, 9));
    note(&r, 7, 0, INT32_MAX); /* it waited for the disk when the others were refused */
    CHECK(!allows(&r, 7, 0, 0));
    CHECK(allows(&r, 7, 0, INT32_MAX));
    note(&r, 7, 1, 0);
    note(&r, 7, 0, 0);
    CHECK(allows(&r, 7, 0, 0));
    CHECK(allows(&r, 7, 1, 0)); /* it began anew */
    CHECK(allows(&r, 8, 0, 5));
    CHECK(allows(&r, -1, -1, -1));
    struct batch_header first = batch(7, 0, 0);
    refused_batches_drop(&r, &first);
    CHECK(allows(&r, 7, 0, 5));
    CHECK(r.items == NULL);
}

TEST(a_new_epoch_takes_the_place_of_the_old)
{
    struct refused_batches r = {0};
    note(&r, 7, 0, 10);
    note(&r, 7, 1, 0);
    CHECK_EQUAL(r.count, 1);
    CHECK(!allows(&r, 7, 1, 3));
    refused_batches_deinit(&r);
}

TEST(refused_batches_are_bounded_in_number_and_time)
{
    struct refused_batches r = {0};
    for (int i = 0; i <= REFUSED_BATCHES_MAX; i++)
        note(&r, i, 0, 0);
    note(&r, -1, -1, -1);
    CHECK_EQUAL(r.count, REFUSED_BATCHES_MAX);
    CHECK(allows(&r, 0, 0, 5));
    CHECK(!allows(&r, REFUSED_BATCHES_MAX, 0, 5));
    struct batch_header late = batch(REFUSED_BATCHES_MAX, 0, 5);
    CHECK(refused_batches_allow(&r, &late, true, REFUSED_BATCHES_MS + 1));
    refused_batches_deinit(&r);
}

TEST(after_a_time_offline_nobody_unknown_begins_in_the_middle)
{
    struct refused_batches r = {0};
    refused_batches_strict(&r, 0);
    CHECK(!allows(&r, 7, 0, 5));
    CHECK(allows(&r, 7, 0, 0));
    CHECK(allows(&r, -1, -1, -1));
    struct batch_header b = batch(7, 0, 5);
    CHECK(refused_batches_allow(&r, &b, false, 1000));
    CHECK(refused_batches_allow(&r, &b, true, REFUSED_BATCHES_MS));
}
