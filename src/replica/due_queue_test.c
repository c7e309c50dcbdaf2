// SPDX-License-Identifier: Apache-2.0
/* due_queue_test: who is taken, when, and once. Thread: the test's. */
#include "replica/due_queue.h"

#include "base/prng.h"
#include "base/testing.h"

enum { PLACES = 50 };

struct fixture {
    struct due_queue queue;
    struct due_place places[PLACES];
    int taken[PLACES];
    int order[PLACES * 2];
    int count;
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.count = 0};
    due_queue_init(&f->queue);
    for (int i = 0; i < PLACES; i++)
        due_place_init(&f->places[i]);
}

static bool wants_round(struct fixture *f)
{
    bool wants = false;
    (void)due_queue_next(&f->queue, &wants);
    return wants;
}

static void fixture_deinit(struct fixture *f)
{
    for (int i = 0; i < PLACES; i++)
        due_queue_close(&f->queue, &f->places[i]);
    due_queue_deinit(&f->queue);
}

static void note(void *arg, struct due_place *place)
{
    struct fixture *f = arg;
    int i = (int)(place - f->places);
    CHECK(i >= 0 && i < PLACES);
    f->taken[i]++;
    f->order[f->count++] = i;
}

static int take_all(struct fixture *f, int64_t now_ms, bool in_round)
{
    f->count = 0;
    if (in_round)
        due_queue_begin_round(&f->queue);
    while (due_queue_take(&f->queue, now_ms, in_round, note, f)) {
    }
    return f->count;
}

TEST(an_exact_date_comes_once_at_its_time)
{
    struct fixture f;
    fixture_init(&f);
    bool wants = true;
    CHECK_EQUAL(due_queue_next(&f.queue, &wants), DUE_NEVER);
    CHECK(!wants);
    CHECK(due_queue_exact(&f.queue, &f.places[0], 500));
    CHECK(!due_queue_exact(&f.queue, &f.places[1], 700)); /* not the earliest: no news */
    CHECK(due_queue_exact(&f.queue, &f.places[2], 300));
    CHECK(!due_queue_exact(&f.queue, &f.places[3], DUE_NEVER));
    CHECK_EQUAL(due_queue_next(&f.queue, &wants), 300);
    CHECK_EQUAL(take_all(&f, 299, true), 0);
    CHECK_EQUAL(take_all(&f, 500, false), 2);
    CHECK(f.order[0] == 2 && f.order[1] == 0);
    CHECK_EQUAL(take_all(&f, 500, false), 0);
    CHECK_EQUAL(due_queue_next(&f.queue, &wants), 700);
    fixture_deinit(&f);
}

TEST(of_two_dates_the_earlier_stands)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(due_queue_exact(&f.queue, &f.places[0], 500));
    CHECK(!due_queue_exact(&f.queue, &f.places[0], 800));
    CHECK_EQUAL(take_all(&f, 600, false), 1);
    CHECK(due_queue_exact(&f.queue, &f.places[0], 800));
    CHECK(due_queue_exact(&f.queue, &f.places[0], 700));
    CHECK_EQUAL(take_all(&f, 699, false), 0);
    CHECK_EQUAL(take_all(&f, 10000, false), 1);
    fixture_deinit(&f);
}

TEST(dates_for_rounds_wait_for_a_round)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(due_queue_round(&f.queue, &f.places[0], 100)); /* the first: there will be a round */
    CHECK(!due_queue_round(&f.queue, &f.places[1], DUE_NEXT_ROUND));
    CHECK(!due_queue_round(&f.queue, &f.places[1], DUE_NEXT_ROUND));
    CHECK(!due_queue_round(&f.queue, &f.places[2], 5000));
    bool wants = false;
    CHECK_EQUAL(due_queue_next(&f.queue, &wants), DUE_NEVER);
    CHECK(wants);
    CHECK_EQUAL(take_all(&f, 1000, false), 0);
    CHECK_EQUAL(take_all(&f, 1000, true), 2);
    CHECK(f.taken[0] == 1 && f.taken[1] == 1 && f.taken[2] == 0);
    CHECK_EQUAL(take_all(&f, 5000, true), 1);
    CHECK(!wants_round(&f));
    fixture_deinit(&f);
}

/* Else a round over many that are busy would never end. */
TEST(who_comes_while_a_round_goes_on_waits_for_the_next)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 3; i++)
        (void)due_queue_round(&f.queue, &f.places[i], DUE_NEXT_ROUND);
    due_queue_begin_round(&f.queue);
    int visits = 0;
    while (due_queue_take(&f.queue, 0, true, note, &f) && visits < 10) {
        int seen = f.order[visits++];
        (void)due_queue_round(&f.queue, &f.places[seen], DUE_NEXT_ROUND);
    }
    CHECK_EQUAL(visits, 3);
    CHECK(wants_round(&f));
    CHECK_EQUAL(take_all(&f, 0, true), 3);
    fixture_deinit(&f);
}

TEST(what_is_closed_takes_no_more_dates)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(due_queue_exact(&f.queue, &f.places[0], 100));
    CHECK(due_queue_round(&f.queue, &f.places[0], 100));
    CHECK(!due_queue_round(&f.queue, &f.places[0], DUE_NEXT_ROUND));
    due_queue_close(&f.queue, &f.places[0]);
    CHECK(!due_queue_exact(&f.queue, &f.places[0], 50));
    CHECK(!due_queue_round(&f.queue, &f.places[0], DUE_NEXT_ROUND));
    CHECK(!due_queue_round(&f.queue, &f.places[0], 50));
    CHECK(!wants_round(&f));
    CHECK_EQUAL(take_all(&f, 1000, true), 0);
    fixture_deinit(&f);
}

/* Whatever was set, each is taken once for each kind, not before its date. */
TEST(nobody_is_forgotten)
{
    struct fixture f;
    struct prng prng;
    prng_seed(&prng, 5);
    for (int round = 0; round < 200; round++) {
        int64_t exact[PLACES];
        int64_t rounds[PLACES];
        fixture_init(&f);
        for (int i = 0; i < PLACES; i++) {
            exact[i] = rounds[i] = DUE_NEVER;
            for (uint64_t n = prng_below(&prng, 4); n > 0; n--) {
                int64_t at = (int64_t)prng_below(&prng, 1000);
                if (prng_below(&prng, 2) == 0) {
                    (void)due_queue_exact(&f.queue, &f.places[i], at);
                    exact[i] = MIN(exact[i], at);
                } else {
                    (void)due_queue_round(&f.queue, &f.places[i], at);
                    rounds[i] = MIN(rounds[i], at);
                }
            }
        }
        for (int64_t now = 0; now < 1000; now += 100)
            (void)take_all(&f, now, now % 200 == 0);
        for (int i = 0; i < PLACES; i++)
            CHECK_EQUAL(f.taken[i], (exact[i] <= 900) + (rounds[i] <= 800));
        fixture_deinit(&f);
    }
}
