// SPDX-License-Identifier: Apache-2.0
/* move_test: a whole broker in memory whose partitions move between two log directories: all that
 * was acknowledged is there before, meanwhile and afterwards, whatever fails. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "broker/broker_fixture.h"
#include "broker/broker_private.h"
#include "log/log_place.h"
#include "replica/replica_set_move.h"
#include "wire/kerr.h"
#include "wire/produce.h"

enum { PRODUCE = 0, PRODUCE_VERSION = 12, RECORDS = 40, DIRS = 2 };

static const char *const dir_names[DIRS] = {"data", "other"};

struct moving {
    struct broker_fixture f;
    int64_t acked; /* offsets below it are */
    uint32_t number;
};

static void begin_with(struct moving *t, const char *const *sets)
{
    *t = (struct moving){0};
    fixture_start(&t->f, sets);
    fixture_create(&t->f, "t", 1);
}

static void begin(struct moving *t)
{
    static const char *const sets[] = {"log.dirs=data,other", "log.index.size.max.bytes=64",
                                       "klamm.journal.bytes=262144",
                                       "klamm.journal.after.commits=3", NULL};
    begin_with(t, sets);
}

static struct partition *partition_of(struct moving *t)
{
    struct image *image = image_slot_get(&t->f.broker->image);
    enum kerr error;
    struct partition *p = broker_partition(t->f.broker, image_topic(image, "t", 1), 0, &error);
    image_unref(image);
    return p;
}

/* The number of the directory in which it is; -1: it is not open. */
static int dir_of(struct moving *t)
{
    struct partition *p = partition_of(t);
    if (p == NULL)
        return -1;
    int dir = partition_dir(p) == t->f.broker->dirs[1];
    partition_unref(p);
    return dir;
}

static enum kerr say(struct moving *t)
{
    char value[2000];
    memset(value, 'a' + (int)(t->number % 26), sizeof(value));
    snprintf(value, sizeof(value), "%u", t->number++);
    struct record record = {.timestamp = env_wall_ms(&t->f.m.env),
                            .value = {(const uint8_t *)value, sizeof(value)}};
    (void)fixture_say_produce(t->f.peer, &record, -1);
    mem_env_run_until_idle(&t->f.m);
    const struct produce_response *response =
        fixture_receive(&t->f, t->f.peer, PRODUCE, PRODUCE_VERSION);
    CHECK(response != NULL);
    const struct produce_response_partition_produce_response *row =
        &response->responses.items[0].partition_responses.items[0];
    if (row->error_code == KERR_NONE) {
        CHECK(row->base_offset >= t->acked);
        t->acked = row->base_offset + 1;
    }
    return (enum kerr)row->error_code;
}

static void say_many(struct moving *t)
{
    for (int i = 0; i < RECORDS; i++)
        CHECK_EQUAL(say(t), KERR_NONE);
}

/* Every batch up to the acknowledged end, read as a consumer does. */
static void check_all(struct moving *t)
{
    struct partition *p = partition_of(t);
    CHECK(p != NULL);
    int64_t offset = 0;
    while (offset < t->acked) {
        struct partition_read read = partition_read_from(offset, 1 << 20);
        struct partition_read_result result;
        CHECK_EQUAL(partition_read(p, &read, ENV_WAIT, &result), ERR_OK);
        CHECK_EQUAL(result.error, KERR_NONE);
        CHECK(result.range.len >= BATCH_HEADER_BYTES);
        uint8_t head[BATCH_HEADER_BYTES];
        struct batch_header header;
        size_t got = 0;
        CHECK_EQUAL(log_range_read(&result.range, head, sizeof(head), &got), ERR_OK);
        CHECK(batch_header_read(head, got, &header));
        CHECK_EQUAL(header.base_offset, offset);
        offset = batch_last_offset(&header) + 1;
        log_range_release(&result.range);
    }
    partition_unref(p);
}

struct asking {
    struct loop_task task;
    struct moving *t;
    struct replica_move_request request;
    enum kerr result;
    bool is_done;
};

static void ask_on_loop(struct loop_task *task)
{
    struct asking *asking = container_of(task, struct asking, task);
    asking->result = replica_set_move(asking->t->f.broker->replicas, &asking->request);
    asking->is_done = true;
}

static enum kerr ask(struct moving *t, const char *topic, const char *dir)
{
    struct image *image = image_slot_get(&t->f.broker->image);
    const struct topic_image *found = image_topic(image, topic, strlen(topic));
    struct asking asking = {
        .task = {.run = ask_on_loop}, .t = t, .request = {.topic = topic, .dir = dir}};
    if (found != NULL)
        asking.request.topic_id = topic_id(found);
    image_unref(image);
    loop_post(t->f.broker->loop, &asking.task);
    while (!asking.is_done)
        mem_env_run_loops(&t->f.m);
    return asking.result;
}

static void count_move(void *arg, const struct replica_move_view *move)
{
    CHECK(move->lag >= 0 && move->size_bytes >= 0);
    (*(int *)arg)++;
}

static int moves(struct moving *t)
{
    int count = 0;
    replica_set_each_move(t->f.broker->replicas, count_move, &count);
    return count;
}

static void wait_for_end(struct moving *t)
{
    for (int i = 0; i < 1000 && moves(t) > 0; i++)
        mem_env_advance_ms(&t->f.m, 10);
    CHECK_EQUAL(moves(t), 0);
    mem_env_run_until_idle(&t->f.m);
}

struct dirs_seen {
    int partitions;
    int others;
};

static void see_dir(void *arg, const char *name, bool is_dir)
{
    struct dirs_seen *seen = arg;
    if (is_dir && strcmp(name, "t-0") == 0)
        seen->partitions++;
    else if (is_dir)
        seen->others++;
}

static struct dirs_seen look(struct moving *t)
{
    struct dirs_seen seen = {0};
    for (int i = 0; i < DIRS; i++)
        CHECK_EQUAL(env_dir_list(&t->f.m.env, dir_names[i], see_dir, &seen), ERR_OK);
    return seen;
}

/* How often it was moved, as its directory says. */
static uint64_t number_in(struct moving *t, int dir)
{
    char path[64];
    struct log_place place;
    snprintf(path, sizeof(path), "%s/t-0", dir_names[dir]);
    CHECK_EQUAL(log_place_read(&t->f.m.env, path, &place), ERR_OK);
    return place.moved;
}

TEST(a_partition_moves_while_it_is_written)
{
    struct moving t;
    begin(&t);
    say_many(&t);
    int from = dir_of(&t);
    CHECK_EQUAL(ask(&t, "t", dir_names[!from]), KERR_NONE);
    CHECK_EQUAL(moves(&t), 1);
    CHECK_EQUAL(ask(&t, "t", dir_names[!from]), KERR_NONE); /* it does so already */
    for (int i = 0; i < 500 && moves(&t) > 0; i++) {
        CHECK_EQUAL(say(&t), KERR_NONE);
        mem_env_advance_ms(&t.f.m, 1);
    }
    wait_for_end(&t);
    CHECK_EQUAL(dir_of(&t), !from);
    check_all(&t);
    say_many(&t);
    check_all(&t);
    mem_env_advance_ms(&t.f.m, 120000); /* log.segment.delete.delay.ms */
    struct dirs_seen seen = look(&t);
    CHECK_EQUAL(seen.partitions, 1);
    CHECK_EQUAL(seen.others, 0);
    CHECK_EQUAL(ask(&t, "t", dir_names[from]), KERR_NONE); /* and back */
    wait_for_end(&t);
    CHECK_EQUAL(dir_of(&t), from);
    check_all(&t);
    CHECK_EQUAL(number_in(&t, from), 2);
    fixture_restart(&t.f, (const char *const[]){"log.dirs=data,other", NULL});
    CHECK_EQUAL(dir_of(&t), from);
    check_all(&t);
    say_many(&t);
    check_all(&t);
    fixture_stop(&t.f);
}

TEST(a_move_is_called_off_and_another_begins)
{
    struct moving t;
    begin(&t);
    say_many(&t);
    int from = dir_of(&t);
    CHECK_EQUAL(ask(&t, "t", dir_names[!from]), KERR_NONE);
    (void)mem_env_run_one_job_step(&t.f.m);
    (void)mem_env_run_one_job_step(&t.f.m);
    CHECK_EQUAL(ask(&t, "t", dir_names[from]), KERR_NONE);
    wait_for_end(&t);
    CHECK_EQUAL(dir_of(&t), from);
    CHECK_EQUAL(look(&t).others, 0);
    check_all(&t);
    CHECK_EQUAL(ask(&t, "t", dir_names[from]), KERR_NONE); /* it is there */
    CHECK_EQUAL(moves(&t), 0);
    fixture_stop(&t.f);
}

TEST(a_move_that_makes_no_sense_is_refused)
{
    char long_name[240];
    struct moving t;
    begin(&t);
    memset(long_name, 'l', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    CHECK_EQUAL(ask(&t, "t", "elsewhere"), KERR_LOG_DIR_NOT_FOUND);
    CHECK_EQUAL(ask(&t, long_name, "data"), KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_EQUAL(ask(&t, "u", "other"), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_EQUAL(moves(&t), 0);
    fixture_create(&t.f, "u", 1); /* it goes where it was asked to */
    struct image *image = image_slot_get(&t.f.broker->image);
    enum kerr error;
    struct partition *u = broker_partition(t.f.broker, image_topic(image, "u", 1), 0, &error);
    image_unref(image);
    CHECK(u != NULL && partition_dir(u) == t.f.broker->dirs[1]);
    partition_unref(u);
    fixture_stop(&t.f);
}

/* A stop at every step of a move; the next start begins it anew, or finds it done. */
static bool move_survives_a_stop(int steps)
{
    struct moving t;
    begin(&t);
    say_many(&t);
    int from = dir_of(&t);
    CHECK_EQUAL(ask(&t, "t", dir_names[!from]), KERR_NONE);
    for (int i = 0; i < steps && moves(&t) > 0; i++) {
        if (!mem_env_run_one_job_step(&t.f.m))
            mem_env_advance_ms(&t.f.m, 1);
        mem_env_run_loops(&t.f.m);
    }
    bool was_through = moves(&t) == 0;
    fixture_restart(&t.f, (const char *const[]){"log.dirs=data,other", NULL});
    wait_for_end(&t);
    check_all(&t);
    if (steps > 0) /* its directory was made */
        CHECK_EQUAL(dir_of(&t), !from);
    say_many(&t);
    check_all(&t);
    mem_env_advance_ms(&t.f.m, 120000);
    CHECK_EQUAL(look(&t).partitions, 1);
    CHECK_EQUAL(look(&t).others, 0);
    fixture_stop(&t.f);
    return was_through;
}

TEST(a_move_survives_a_stop_at_every_step)
{
    int steps = 0;
    while (!move_survives_a_stop(steps))
        steps++;
    CHECK(steps > 20);
}

static bool has_file(struct moving *t, int dir, const char *name)
{
    char path[64];
    size_t size;
    snprintf(path, sizeof(path), "%s/t-0/%s", dir_names[dir], name);
    return mem_env_file_bytes(&t->f.m, path, &size) != NULL;
}

/* Where both directories have the name, the old one says where the new one is. */
static void check_said(struct moving *t, int from)
{
    if (has_file(t, from, "partition.metadata") && has_file(t, !from, "partition.metadata"))
        CHECK(has_file(t, from, LOG_LEAVING_NAME));
}

/* Each file or directory call from the begin of the move on fails once, in this way. What was
 * acknowledged is there after the next start, whichever directory failed. */
static bool move_survives_a_failure(int fail_at, enum err fail_with, int *failures)
{
    struct moving t;
    begin(&t);
    say_many(&t);
    int from = dir_of(&t);
    t.f.m.fail_at = fail_at;
    t.f.m.fail_with = fail_with;
    CHECK_EQUAL(ask(&t, "t", dir_names[!from]), KERR_NONE);
    for (int i = 0; i < 100 && moves(&t) > 0; i++) {
        if (i < 20)
            (void)say(&t);
        mem_env_advance_ms(&t.f.m, 1);
    }
    wait_for_end(&t);
    bool is_through = t.f.m.fail_at > 0;
    t.f.m.fail_at = 0;
    t.f.m.fail_with = ERR_IO;
    for (int i = 0; i < 5; i++)
        (void)say(&t);
    for (int i = 0; i < DIRS; i++)
        *failures += replica_set_dir_is_offline(t.f.broker->replicas, (size_t)i);
    check_said(&t, from);
    fixture_restart(&t.f, (const char *const[]){"log.dirs=data,other", NULL});
    wait_for_end(&t);
    check_all(&t);
    CHECK_EQUAL(say(&t), KERR_NONE);
    mem_env_advance_ms(&t.f.m, 120000);
    CHECK_EQUAL(look(&t).partitions, 1);
    fixture_stop(&t.f);
    return is_through;
}

TEST(a_move_survives_each_failing_call)
{
    int failures = 0;
    int fail_at = 1;
    while (!move_survives_a_failure(fail_at, ERR_IO, &failures))
        fail_at++;
    CHECK(fail_at > 60);
    CHECK(failures > 20);
}

TEST(a_move_survives_each_call_that_finds_no_room)
{
    static const enum err errors[] = {ERR_NO_SPACE, ERR_FULL};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        int failures = 0;
        int fail_at = 1;
        while (!move_survives_a_failure(fail_at, errors[i], &failures))
            fail_at++;
        CHECK(fail_at > 60);
    }
}

TEST(a_move_waits_for_room)
{
    struct moving t;
    begin(&t);
    say_many(&t);
    int from = dir_of(&t);
    t.f.m.space_bytes = t.f.m.used_bytes + 2048;
    CHECK_EQUAL(ask(&t, "t", dir_names[!from]), KERR_NONE);
    for (int i = 0; i < 50; i++)
        mem_env_advance_ms(&t.f.m, 100);
    CHECK_EQUAL(moves(&t), 1);
    CHECK_EQUAL(dir_of(&t), from);
    t.f.m.space_bytes = INT64_MAX;
    wait_for_end(&t);
    CHECK_EQUAL(dir_of(&t), !from);
    check_all(&t);
    fixture_stop(&t.f);
}
