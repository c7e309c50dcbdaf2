// SPDX-License-Identifier: Apache-2.0
/* What is remembered of producers: kafka.md 33 to 37. Thread: the test's. */
#include "log/producer_state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"

static struct batch_header batch_of(int64_t id, int16_t epoch, int32_t sequence, int32_t records,
                                    int64_t offset)
{
    return (struct batch_header){.base_offset = offset,
                                 .magic = BATCH_MAGIC,
                                 .length = 100,
                                 .last_offset_delta = records - 1,
                                 .record_count = records,
                                 .max_timestamp = 1000 + offset,
                                 .producer_id = id,
                                 .producer_epoch = epoch,
                                 .base_sequence = sequence};
}

static void add(struct producer_state *state, struct batch_header batch)
{
    CHECK_EQUAL(producer_state_add(state, &batch, 5, NULL), ERR_OK);
}

static enum producer_verdict verdict(const struct producer_state *state, struct batch_header batch)
{
    return producer_state_check(state, &batch).verdict;
}

TEST(an_unknown_producer_may_begin_anywhere)
{
    struct producer_state known;
    producer_state_init(&known);
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 77, 3, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&known, batch_of(-1, -1, -1, 3, 0)), PRODUCER_NEW);
    add(&known, batch_of(1, 0, 77, 3, 100));
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 80, 1, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 81, 1, 0)), PRODUCER_OUT_OF_ORDER);
    /* Kafka 4.4 does not tell "from before" from "out of order", nor do we: it may never have come.
     */
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 70, 7, 0)), PRODUCER_OUT_OF_ORDER);
    producer_state_deinit(&known);
}

TEST(the_last_five_are_known_again)
{
    struct producer_state known;
    producer_state_init(&known);
    for (int i = 0; i < 6; i++)
        add(&known, batch_of(1, 0, 10 * i, 10, 1000 + 10 * i));
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 0, 10, 0)), PRODUCER_OUT_OF_ORDER);
    for (int i = 1; i < 6; i++) {
        struct batch_header repeat = batch_of(1, 0, 10 * i, 10, 0);
        struct producer_check check = producer_state_check(&known, &repeat);
        CHECK_EQUAL(check.verdict, PRODUCER_REPEAT);
        CHECK_EQUAL(check.first_offset, 1000 + 10 * i);
        CHECK_EQUAL(check.last_offset, 1009 + 10 * i);
        CHECK_EQUAL(check.timestamp_ms, -1);
    }
    /* The same begin with another length is no repeat. */
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 50, 9, 0)), PRODUCER_OUT_OF_ORDER);
    producer_state_deinit(&known);
}

TEST(epochs_fence_and_begin_at_zero)
{
    struct producer_state known;
    producer_state_init(&known);
    add(&known, batch_of(1, 3, 0, 10, 100));
    CHECK_EQUAL(verdict(&known, batch_of(1, 2, 10, 1, 0)), PRODUCER_FENCED);
    CHECK_EQUAL(verdict(&known, batch_of(1, 2, 0, 10, 0)), PRODUCER_FENCED);
    CHECK_EQUAL(verdict(&known, batch_of(1, 4, 10, 1, 0)), PRODUCER_OUT_OF_ORDER);
    CHECK_EQUAL(verdict(&known, batch_of(1, 4, 0, 10, 0)), PRODUCER_NEW); /* no repeat: new epoch */
    add(&known, batch_of(1, 4, 0, 2, 110));
    CHECK_EQUAL(verdict(&known, batch_of(1, 3, 0, 10, 0)), PRODUCER_FENCED);
    CHECK_EQUAL(verdict(&known, batch_of(1, 4, 2, 2, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&known, batch_of(1, 4, 0, 2, 0)), PRODUCER_REPEAT);
    producer_state_deinit(&known);
}

TEST(sequences_wrap_to_zero)
{
    struct producer_state known;
    producer_state_init(&known);
    add(&known, batch_of(1, 0, INT32_MAX - 1, 2, 100)); /* ends at 2^31-1 */
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 0, 1, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&known, batch_of(1, 0, 1, 1, 0)), PRODUCER_OUT_OF_ORDER);
    add(&known, batch_of(1, 0, 0, 1, 102));
    add(&known, batch_of(2, 0, INT32_MAX, 3, 103)); /* 2^31-1, 0, 1 */
    CHECK_EQUAL(verdict(&known, batch_of(2, 0, 2, 1, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&known, batch_of(2, 0, INT32_MAX, 3, 0)), PRODUCER_REPEAT);
    producer_state_deinit(&known);
}

TEST(a_marker_ends_the_transaction)
{
    struct producer_state known;
    producer_state_init(&known);
    struct batch_header batch = batch_of(1, 0, 0, 5, 100);
    batch.attributes = BATCH_TRANSACTIONAL;
    add(&known, batch);
    add(&known, batch_of(1, 0, 5, 5, 105));
    CHECK_EQUAL(producer_state_find(&known, 1)->txn_first_offset, 100);
    producer_state_expire(&known, INT64_MAX / 2, 1); /* not while it is open */
    CHECK(producer_state_find(&known, 1) != NULL);
    batch = batch_of(1, 1, -1, 1, 110); /* and raises the epoch (KIP-890) */
    batch.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    add(&known, batch);
    CHECK_EQUAL(producer_state_find(&known, 1)->txn_first_offset, -1);
    CHECK_EQUAL(producer_entry_last_sequence(producer_state_find(&known, 1)), -1);
    CHECK_EQUAL(verdict(&known, batch_of(1, 1, 0, 1, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&known, batch_of(1, 1, 10, 1, 0)), PRODUCER_OUT_OF_ORDER);
    producer_state_expire(&known, 5 + 1000, 1000);
    CHECK(producer_state_find(&known, 1) == NULL);
    producer_state_deinit(&known);
}

TEST(log_append_time_is_told_to_a_repeat)
{
    struct producer_state known;
    producer_state_init(&known);
    struct batch_header batch = batch_of(1, 0, 0, 5, 100);
    batch.attributes = BATCH_LOG_APPEND_TIME;
    add(&known, batch);
    CHECK_EQUAL(producer_state_check(&known, &batch).timestamp_ms, 1100);
    producer_state_deinit(&known);
}

static uint8_t *snapshot_of(const struct producer_state *state, size_t *size)
{
    *size = producer_snapshot_size(state);
    uint8_t *data = mem_alloc(*size);
    producer_snapshot_write(state, data, *size);
    return data;
}

/* Random changes of a few producers, undone in reverse order, must leave what was there. */
TEST(undoing_gives_the_state_before)
{
    enum { STEPS = 12 };
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct prng p;
        prng_seed(&p, seed);
        struct producer_state known;
        producer_state_init(&known);
        int64_t offset = 0;
        for (int i = 0; i < 8; i++)
            add(&known, batch_of((int64_t)prng_below(&p, 3), (int16_t)prng_below(&p, 2),
                                 (int32_t)prng_below(&p, 5), 2, offset += 2));
        struct producer_entry before[4];
        size_t count = 0;
        MAP_FOR_EACH (node, &known.by_id)
            before[count++] = *container_of(node, struct producer_entry, node);
        struct producer_undo undos[STEPS];
        for (int i = 0; i < STEPS; i++) {
            struct batch_header batch =
                batch_of((int64_t)prng_below(&p, 4), (int16_t)(2 + prng_below(&p, 3)),
                         (int32_t)prng_below(&p, 5), 2, offset += 2);
            CHECK_EQUAL(producer_state_add(&known, &batch, 9, &undos[i]), ERR_OK);
        }
        for (int i = STEPS; i-- > 0;)
            producer_state_undo(&known, &undos[i]);
        CHECK_EQUAL(known.by_id.count, count);
        for (size_t i = 0; i < count; i++) {
            const struct producer_entry *now = producer_state_find(&known, before[i].producer_id);
            CHECK(now != NULL);
            CHECK_EQUAL(now->epoch, before[i].epoch);
            CHECK_EQUAL(now->count, before[i].count);
            CHECK_EQUAL(now->next, before[i].next);
            CHECK_EQUAL(now->pending, 0);
            CHECK_EQUAL(now->seen_ms, before[i].seen_ms);
            for (int k = 0; k < PRODUCER_BATCHES_KEPT; k++) {
                CHECK_EQUAL(now->batches[k].last_offset, before[i].batches[k].last_offset);
                CHECK_EQUAL(now->batches[k].last_sequence, before[i].batches[k].last_sequence);
                CHECK_EQUAL(now->batches[k].epoch, before[i].batches[k].epoch);
            }
        }
        producer_state_deinit(&known);
    }
}

TEST(what_is_pending_does_not_expire)
{
    struct producer_state known;
    producer_state_init(&known);
    struct batch_header batch = batch_of(1, 0, 0, 1, 0);
    struct producer_undo undo;
    CHECK_EQUAL(producer_state_add(&known, &batch, 10, &undo), ERR_OK);
    producer_state_expire(&known, 100, 1);
    CHECK(producer_state_find(&known, 1) != NULL);
    producer_state_keep(&undo);
    producer_state_expire(&known, 100, 91);
    CHECK(producer_state_find(&known, 1) != NULL);
    producer_state_expire(&known, 100, 90);
    CHECK(producer_state_find(&known, 1) == NULL);
    producer_state_deinit(&known);
}

TEST(a_snapshot_keeps_what_may_be_repeated)
{
    struct producer_state known;
    struct producer_state read;
    producer_state_init(&known);
    producer_state_init(&read);
    for (int i = 0; i < 7; i++)
        add(&known, batch_of(i % 3, 1, 10 * (i / 3), 10, 100 + 10 * i));
    size_t size;
    uint8_t *data = snapshot_of(&known, &size);
    CHECK_EQUAL(size, 10 + 7 * 46); /* an entry for each batch */
    CHECK_EQUAL(producer_snapshot_read(&read, data, size, 77), ERR_OK);
    CHECK_EQUAL(read.by_id.count, 3);
    CHECK_EQUAL(verdict(&read, batch_of(0, 1, 20, 10, 0)), PRODUCER_REPEAT);
    CHECK_EQUAL(verdict(&read, batch_of(0, 1, 0, 10, 0)), PRODUCER_REPEAT);
    CHECK_EQUAL(verdict(&read, batch_of(0, 1, 30, 10, 0)), PRODUCER_NEW);
    CHECK_EQUAL(verdict(&read, batch_of(1, 1, 20, 10, 0)), PRODUCER_NEW);
    size_t again_size;
    uint8_t *again = snapshot_of(&read, &again_size);
    CHECK_EQUAL(again_size, size);
    producer_state_deinit(&read);
    producer_state_init(&read);
    for (size_t i = 0; i < size; i++) { /* any one bit */
        data[i] ^= (uint8_t)(1 << i % 8);
        CHECK(producer_snapshot_read(&read, data, size, 0) != ERR_OK);
        CHECK_EQUAL(read.by_id.count, 0);
        data[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < size; n++)
        CHECK(producer_snapshot_read(&read, data, n, 0) != ERR_OK);
    for (int n = 1; n <= 3; n++) {
        mem_fail_at(n);
        CHECK_EQUAL(producer_snapshot_read(&read, data, size, 0), ERR_NO_MEMORY);
        mem_fail_at(0);
        CHECK_EQUAL(read.by_id.count, 0);
    }
    mem_free(data);
    mem_free(again);
    producer_state_deinit(&known);
    producer_state_deinit(&read);
}
