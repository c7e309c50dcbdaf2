// SPDX-License-Identifier: Apache-2.0
/* cold_test: answers whose bytes the page cache does not have, in memory: there a file range that
 * is sent while it is cold is an ASSERT. Thread: one. */
#include "base/testing.h"
#include "net/net_fake.h"

enum { FILE_BYTES = 700000, FRAME_BYTES = 4 + FILE_BYTES + 6 };

static uint8_t pattern(size_t pos)
{
    return (uint8_t)(pos * 7 + pos / 256);
}

static struct env_file *make_file(struct fake *f)
{
    struct env_file *file = NULL;
    uint8_t *data = mem_alloc(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++)
        data[i] = pattern(i);
    CHECK_EQUAL(env_file_open(&f->m.env, "log", ENV_READ | ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    struct iovec iov = {data, FILE_BYTES};
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    mem_free(data);
    return file;
}

/* Asks, and gets an answer of "one", the file, "two". */
static void answer_with(struct fake *f, struct sock *peer, struct env_file *file)
{
    fake_say(peer, 0, "x");
    mem_env_run_loops(&f->m);
    struct net_request *req = fake_take(f, 0);
    net_request_add_bytes(req, "one", 3);
    net_request_add_file(req, file, 0, FILE_BYTES);
    net_request_add_bytes(req, "two", 3);
    net_request_answer(req);
}

static void check_frame(const uint8_t *frame)
{
    CHECK_EQUAL(bytes_load_u32(frame), FRAME_BYTES - 4);
    CHECK(memcmp(frame + 4, "one", 3) == 0);
    for (size_t i = 0; i < FILE_BYTES; i++)
        ASSERT(frame[7 + i] == pattern(i));
    CHECK(memcmp(frame + 7 + FILE_BYTES, "two", 3) == 0);
}

struct cold_run {
    struct fake f;
    struct env_file *file;
    struct sock *peer;
};

static void cold_begin(struct cold_run *run)
{
    fake_init(&run->f);
    run->f.holds = true;
    fake_start(&run->f, 1);
    run->file = make_file(&run->f);
    run->peer = fake_connect(&run->f);
    run->f.m.is_cold = true;
}

TEST(cold_ranges_are_read_by_workers_and_arrive_whole)
{
    struct cold_run run;
    uint8_t *frame = mem_alloc(FRAME_BYTES);
    cold_begin(&run);
    size_t rooms[] = {1000, 100000, 200000, 1 << 20};
    for (size_t i = 0; i < ARRAY_COUNT(rooms) * 2; i++) {
        mem_sock_set_room(run.peer, rooms[i / 2]);
        uint64_t reads = atomic_load(&fake_stats(&run.f)->cold_reads);
        answer_with(&run.f, run.peer, run.file);
        size_t done = 0, got = 0;
        for (int turns = 0; done < FRAME_BYTES; turns++) {
            /* Each second time round memory is there for a while in between. */
            run.f.m.is_cold = i % 2 == 0 || turns % 3 != 0;
            fake_run(&run.f);
            run.f.m.is_cold = true;
            CHECK_EQUAL(sock_recv(run.peer, frame + done, FRAME_BYTES - done, &got), ERR_OK);
            done += got;
        }
        check_frame(frame);
        CHECK(i % 2 == 1 || atomic_load(&fake_stats(&run.f)->cold_reads) >= reads + 6);
        CHECK_EQUAL(fake_stats(&run.f)->memory_bytes, 0);
    }
    env_file_unref(run.file);
    mem_free(frame);
    fake_end(&run.f, run.peer);
}

/* One reads nothing while others do: turns go round, piece by piece. */
TEST(cold_connections_take_turns)
{
    struct cold_run run;
    cold_begin(&run);
    struct sock *other = fake_connect(&run.f);
    mem_sock_set_room(run.peer, FRAME_BYTES);
    mem_sock_set_room(other, FRAME_BYTES);
    answer_with(&run.f, run.peer, run.file);
    answer_with(&run.f, other, run.file);
    mem_env_run_loops(&run.f.m);
    size_t before = mem_sock_unread(run.peer), other_before = mem_sock_unread(other);
    for (int i = 0; i < 6; i++) {
        mem_env_run_loops(&run.f.m);
        CHECK(mem_env_run_one_job_step(&run.f.m));
        mem_env_run_loops(&run.f.m);
        size_t has = mem_sock_unread(run.peer), other_has = mem_sock_unread(other);
        CHECK((has > before) == (i % 2 == 0));
        CHECK((other_has > other_before) == (i % 2 == 1));
        before = has;
        other_before = other_has;
    }
    env_file_unref(run.file);
    sock_close(other);
    fake_end(&run.f, run.peer);
}

TEST(a_cold_read_that_fails_closes_only_its_connection)
{
    struct cold_run run;
    cold_begin(&run);
    struct sock *other = fake_connect(&run.f);
    answer_with(&run.f, run.peer, run.file);
    mem_env_run_loops(&run.f.m);
    run.f.m.fail_at = 1;
    fake_run(&run.f);
    CHECK(fake_is_closed(run.peer));
    CHECK_EQUAL(fake_stats(&run.f)->closed[NET_CLOSED_BROKER], 1);
    mem_sock_set_room(other, FRAME_BYTES);
    answer_with(&run.f, other, run.file);
    fake_run(&run.f);
    CHECK_EQUAL(mem_sock_unread(other), FRAME_BYTES);
    env_file_unref(run.file);
    sock_close(run.peer);
    fake_end(&run.f, other);
}

/* The peer leaves, or the server closes, while a worker reads: what came back is given back, and
 * the server is not done before. */
TEST(a_cold_read_outlives_its_connection)
{
    for (int closes = 0; closes < 2; closes++) {
        struct cold_run run;
        cold_begin(&run);
        answer_with(&run.f, run.peer, run.file);
        mem_env_run_loops(&run.f.m);
        env_file_unref(run.file);
        if (closes == 0) {
            fake_end(&run.f, run.peer);
            continue;
        }
        net_server_close(run.f.server, &run.f.done);
        mem_env_run_loops(&run.f.m);
        CHECK(!run.f.is_done);
        fake_run(&run.f);
        CHECK(run.f.is_done);
        sock_close(run.peer);
        net_server_free(run.f.server);
        mem_env_deinit(&run.f.m);
    }
}
