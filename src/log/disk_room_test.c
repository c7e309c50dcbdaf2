// SPDX-License-Identifier: Apache-2.0
/* disk_room_test: when the disk is asked, and what follows from the answer. Thread: main. */
#include "log/disk_room.h"

#include "base/testing.h"
#include "env/mem_env.h"

enum { RESERVE = 40000, TOTAL = 1000000 };

struct room_fixture {
    struct mem_env m;
    struct disk_room room;
    int looks_wanted;
};

static void count_want(void *arg, struct disk_room *room)
{
    struct room_fixture *f = arg;
    CHECK(room == &f->room);
    f->looks_wanted++;
}

static void start(struct room_fixture *f, int64_t reserve)
{
    *f = (struct room_fixture){0};
    mem_env_init(&f->m);
    f->m.space_bytes = TOTAL;
    disk_room_init(&f->room);
    disk_room_set_owner(&f->room, reserve, count_want, f);
}

static enum disk_room_change look(struct room_fixture *f, int64_t free_bytes)
{
    f->m.used_bytes = TOTAL - free_bytes;
    enum disk_room_change change = disk_room_look(&f->room, &f->m.env, "a");
    (void)!disk_room_look_is_over(&f->room);
    f->m.used_bytes = 0;
    return change;
}

static void wrote(struct room_fixture *f, int64_t bytes, enum err e)
{
    disk_room_wrote(&f->room, env_mono_ns(&f->m.env), bytes, e);
}

TEST(the_reserve_is_a_part_of_the_disk_within_bounds)
{
    const int64_t mib = 1024 * 1024;
    CHECK_EQUAL(disk_room_reserve_of(-1, 100000 * mib), 256 * mib);
    CHECK_EQUAL(disk_room_reserve_of(-1, 10000 * mib), 100 * mib);
    CHECK_EQUAL(disk_room_reserve_of(-1, 50 * mib), mib);
    CHECK_EQUAL(disk_room_reserve_of(-1, 2 * mib), 2 * mib / 10);
    CHECK_EQUAL(disk_room_reserve_of(-1, 0), 0);
    CHECK_EQUAL(disk_room_reserve_of(0, 100000 * mib), 0);
    CHECK_EQUAL(disk_room_reserve_of(7, 100000 * mib), 7);
}

TEST(a_directory_is_low_below_its_reserve_and_back_well_above_it)
{
    struct room_fixture f;
    start(&f, RESERVE);
    CHECK_EQUAL(look(&f, RESERVE), DISK_ROOM_AS_BEFORE);
    CHECK(!disk_room_is_low(&f.room));
    CHECK_EQUAL(look(&f, RESERVE - 1), DISK_ROOM_IS_LOW_NOW);
    CHECK(disk_room_is_low(&f.room));
    CHECK_EQUAL(look(&f, 0), DISK_ROOM_AS_BEFORE);
    CHECK_EQUAL(look(&f, RESERVE), DISK_ROOM_AS_BEFORE);
    CHECK(disk_room_is_low(&f.room)); /* one record more would bring it back to where it was */
    CHECK_EQUAL(look(&f, 124999), DISK_ROOM_AS_BEFORE);
    CHECK_EQUAL(look(&f, 125000), DISK_ROOM_IS_BACK);
    CHECK(!disk_room_is_low(&f.room));
    mem_env_deinit(&f.m);
}

TEST(the_disk_is_asked_after_a_part_of_the_room_or_a_second_of_writing)
{
    struct room_fixture f;
    start(&f, RESERVE);
    f.m.space_bytes = INT64_C(1) << 40;
    CHECK_EQUAL(disk_room_look(&f.room, &f.m.env, "a"), DISK_ROOM_AS_BEFORE);
    CHECK(!disk_room_look_is_over(&f.room));
    for (int i = 0; i < 1000; i++)
        wrote(&f, 1000000, ERR_OK);
    CHECK_EQUAL(f.looks_wanted, 0);
    wrote(&f, INT64_C(1) << 38, ERR_OK);
    CHECK_EQUAL(f.looks_wanted, 1);
    wrote(&f, INT64_C(1) << 38, ERR_OK);
    CHECK_EQUAL(f.looks_wanted, 1); /* one at a time */
    CHECK_EQUAL(disk_room_look(&f.room, &f.m.env, "a"), DISK_ROOM_AS_BEFORE);
    CHECK(!disk_room_look_is_over(&f.room));
    mem_env_advance_ms(&f.m, 999);
    wrote(&f, 1, ERR_OK);
    CHECK_EQUAL(f.looks_wanted, 1);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(f.looks_wanted, 1); /* time alone asks for nothing */
    wrote(&f, 1, ERR_OK);
    CHECK_EQUAL(f.looks_wanted, 2);
    mem_env_deinit(&f.m);
}

TEST(a_write_that_found_no_room_is_believed_where_little_is_free)
{
    struct room_fixture f;
    start(&f, 0);
    CHECK_EQUAL(look(&f, 5000), DISK_ROOM_AS_BEFORE);
    wrote(&f, 0, ERR_NO_SPACE);
    CHECK_EQUAL(f.looks_wanted, 1);
    CHECK_EQUAL(look(&f, 5000), DISK_ROOM_IS_LOW_NOW);
    CHECK_EQUAL(look(&f, 5000), DISK_ROOM_AS_BEFORE);
    CHECK_EQUAL(look(&f, 500000), DISK_ROOM_IS_BACK);
    wrote(&f, 0, ERR_NO_SPACE); /* a quota, or one very large file: not the disk */
    CHECK_EQUAL(look(&f, 500000), DISK_ROOM_AS_BEFORE);
    CHECK(!disk_room_is_low(&f.room));
    mem_env_deinit(&f.m);
}

TEST(what_a_write_found_during_a_look_is_looked_at_again)
{
    struct room_fixture f;
    start(&f, 0);
    wrote(&f, 0, ERR_NO_SPACE);
    CHECK_EQUAL(f.looks_wanted, 1);
    CHECK_EQUAL(disk_room_look(&f.room, &f.m.env, "a"), DISK_ROOM_AS_BEFORE);
    wrote(&f, 0, ERR_NO_SPACE);
    CHECK_EQUAL(f.looks_wanted, 1);
    CHECK(disk_room_look_is_over(&f.room));
    CHECK_EQUAL(disk_room_look(&f.room, &f.m.env, "a"), DISK_ROOM_AS_BEFORE);
    CHECK(!disk_room_look_is_over(&f.room));
    mem_env_deinit(&f.m);
}

TEST(a_disk_that_cannot_tell_changes_nothing)
{
    struct room_fixture f;
    start(&f, RESERVE);
    CHECK_EQUAL(look(&f, 10), DISK_ROOM_IS_LOW_NOW);
    f.m.fail_at = 1;
    CHECK_EQUAL(look(&f, TOTAL), DISK_ROOM_AS_BEFORE);
    CHECK(disk_room_is_low(&f.room));
    f.m.space_bytes = 0; /* a file system that knows no size */
    CHECK_EQUAL(disk_room_look(&f.room, &f.m.env, "a"), DISK_ROOM_AS_BEFORE);
    CHECK(!disk_room_look_is_over(&f.room));
    CHECK(disk_room_is_low(&f.room));
    mem_env_deinit(&f.m);
}
