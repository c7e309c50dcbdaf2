// SPDX-License-Identifier: Apache-2.0
/* net_test: frames, order, limits, ends; in memory. Thread: main. */
#include "base/testing.h"

#include "base/limits.h"
#include "net/net_fake.h"

/* The next answer is exactly this key and text. */
static void expect(struct sock *peer, uint16_t key, const char *text)
{
    uint8_t want[512], got[512];
    size_t len = fake_frame(want, key, text), done = 0, n;
    while (done < len) {
        CHECK_EQUAL(sock_recv(peer, got + done, len - done, &n), ERR_OK);
        done += n;
    }
    CHECK(memcmp(want, got, len) == 0);
}

static void expect_nothing(struct sock *peer)
{
    CHECK_EQUAL(mem_sock_unread(peer), 0);
}

/* ---- frames and order */

TEST(frames_arrive_however_they_are_cut)
{
    for (size_t chunk = 1; chunk < 40; chunk++) {
        struct fake f;
        struct sock *peer = fake_open(&f);
        mem_sock_set_chunk(peer, chunk);
        fake_say(peer, 0, "");
        fake_say(peer, 3, "metadata");
        fake_say(peer, 1, "a fetch, a bit longer than the others are");
        fake_say(peer, 0, "x");
        fake_run(&f);
        expect(peer, 0, "");
        expect(peer, 3, "metadata");
        expect(peer, 1, "a fetch, a bit longer than the others are");
        expect(peer, 0, "x");
        expect_nothing(peer);
        CHECK_EQUAL(f.requests, 4);
        CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
        sock_close(peer);
        fake_run(&f);
        CHECK_EQUAL(f.closed, 1);
        CHECK_EQUAL(f.users_freed, 1);
        CHECK_EQUAL(fake_stats(&f)->open, 0);
        CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_BY_PEER], 1);
        fake_stop(&f);
    }
}

static void echo_of_size(uint32_t size, size_t chunk)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    uint8_t *frame = mem_alloc(size + 4), *got = mem_alloc(size + 4);
    struct prng p;
    prng_seed(&p, size);
    prng_fill(&p, frame, size + 4);
    bytes_store_u32(frame, size);
    mem_sock_set_chunk(peer, chunk);
    mem_sock_set_room(peer, (size_t)size * 2 + 100);
    for (int i = 0; i < 2; i++)
        mem_sock_say(peer, frame, size + 4);
    fake_run(&f);
    for (int i = 0; i < 2; i++) {
        size_t n, done = 0;
        for (; done < size + 4; done += n)
            CHECK_EQUAL(sock_recv(peer, got + done, size + 4 - done, &n), ERR_OK);
        CHECK(memcmp(frame, got, size + 4) == 0);
    }
    expect_nothing(peer);
    CHECK_EQUAL(fake_stats(&f)->bytes_in, (size + 4) * 2);
    CHECK_EQUAL(fake_stats(&f)->bytes_out, (size + 4) * 2);
    mem_free(frame);
    mem_free(got);
    fake_end(&f, peer);
}

TEST(frames_of_all_sizes_come_back_whole)
{
    static const uint32_t sizes[] = {2,     4095,  4096,  4100,  16383,  16384,
                                     16385, 65531, 65532, 65536, 131072, 3000000};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        echo_of_size(sizes[i], SIZE_MAX);
        echo_of_size(sizes[i], 1000);
        echo_of_size(sizes[i], 65535);
    }
}

TEST(answers_leave_in_the_order_of_the_requests)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    f.holds = true;
    fake_say(peer, 0, "one");
    fake_say(peer, 1, "two");
    fake_say(peer, 0, "three");
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 3);
    CHECK_EQUAL(f.held[0]->listener, 3);
    fake_echo(fake_take(&f, 2));
    fake_echo(fake_take(&f, 1));
    fake_run(&f);
    expect_nothing(peer);
    CHECK_EQUAL(fake_stats(&f)->requests_in_flight, 1);
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    expect(peer, 0, "one");
    expect(peer, 1, "two");
    expect(peer, 0, "three");
    fake_end(&f, peer);
}

TEST(a_request_that_may_not_overlap_waits_and_is_waited_for)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    f.holds = true;
    fake_say(peer, 0, "p1");
    fake_say(peer, 0, "p2");
    fake_say(peer, 3, "metadata");
    fake_say(peer, 0, "p3");
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 2);
    fake_echo(fake_take(&f, 1));
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 1);
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 1);
    CHECK(memcmp(f.held[0]->payload + 2, "metadata", 8) == 0);
    expect(peer, 0, "p1");
    expect(peer, 0, "p2");
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 1);
    expect(peer, 3, "metadata");
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    expect(peer, 0, "p3");
    CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
    fake_end(&f, peer);
}

TEST(requests_in_flight_are_bounded)
{
    struct fake f;
    fake_init(&f);
    f.holds = true;
    f.options.in_flight_max = 4;
    fake_start(&f, 1);
    struct sock *peer = fake_connect(&f);
    for (int i = 0; i < 10; i++)
        fake_say(peer, 0, "x");
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 4);
    fake_echo(fake_take(&f, 3)); /* answered, and not yet sent: still in flight */
    fake_run(&f);
    CHECK_EQUAL(f.requests, 4);
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    CHECK_EQUAL(f.requests, 5);
    while (f.held_count > 0) {
        fake_echo(fake_take(&f, 0));
        fake_run(&f);
    }
    CHECK_EQUAL(f.requests, 10);
    for (int i = 0; i < 10; i++)
        expect(peer, 0, "x");
    fake_end(&f, peer);
}

TEST(a_request_may_have_no_answer_or_close)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    f.holds = true;
    fake_say(peer, 0, "acks=0");
    fake_say(peer, 0, "one");
    fake_say(peer, 0, "bad");
    fake_say(peer, 0, "lost");
    fake_run(&f);
    net_request_answer_close(fake_take(&f, 2));
    fake_say(peer, 0, "not taken any more");
    fake_run(&f);
    CHECK_EQUAL(f.requests, 4);
    net_request_answer_none(fake_take(&f, 0));
    fake_run(&f);
    CHECK_EQUAL(f.closed, 0);
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    expect(peer, 0, "one");
    CHECK(fake_is_closed(peer));
    CHECK_EQUAL(f.closed, 1);
    CHECK_EQUAL(f.users_freed, 0); /* a request of it is still here */
    fake_echo(fake_take(&f, 0));
    CHECK_EQUAL(f.users_freed, 1);
    CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
    sock_close(peer);
    fake_stop(&f);
}

TEST(a_muted_connection_is_not_listened_to_for_a_while)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    f.holds = true;
    fake_say(peer, 0, "one");
    fake_run(&f);
    struct net_request *req = fake_take(&f, 0);
    net_conn_mute(req->conn, env_mono_ns(&f.m.env) + 50 * 1000000);
    fake_echo(req);
    fake_say(peer, 0, "two");
    fake_say(peer, 0, "three");
    mem_env_advance_ms(&f.m, 49);
    expect(peer, 0, "one");
    CHECK_EQUAL(f.requests, 1);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(f.requests, 3);
    fake_end(&f, peer);
}

/* ---- answers */

TEST(an_answer_has_bytes_slices_given_memory_and_file_ranges)
{
    struct fake f;
    struct env_file *file = NULL;
    fake_init(&f);
    f.holds = true;
    fake_start(&f, 1);
    CHECK_EQUAL(env_file_open(&f.m.env, "log", ENV_READ | ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    char text[] = "0123456789";
    struct iovec iov = {text, 10};
    CHECK_EQUAL(env_file_write(file, &iov, 1, 0), ERR_OK);
    struct sock *peer = fake_connect(&f);
    for (size_t room = 1; room < 60; room++) {
        mem_sock_set_room(peer, room);
        fake_say(peer, 0, "slice");
        fake_run(&f);
        struct net_request *req = fake_take(&f, 0);
        char *heap = mem_alloc(8);
        memcpy(heap, "ABCDEFGH", 8);
        net_request_give(req, heap, 8);
        CHECK(fake_stats(&f)->memory_bytes > 8);
        net_request_add_bytes(req, heap, 4);
        net_request_add_file(req, file, 3, 4);
        net_request_add_bytes(req, heap + 4, 4);
        for (int i = 0; i < 3; i++)
            net_request_add_slice(req, iobuf_slice(req->frame, req->payload + 2, 5));
        net_request_add_bytes(req, "", 0);
        net_request_drop_frame(req); /* the slices hold it */
        net_request_answer(req);
        fake_run(&f);
        uint8_t got[64];
        size_t done = 0, n;
        while (done < 31) {
            CHECK_EQUAL(sock_recv(peer, got + done, sizeof(got) - done, &n), ERR_OK);
            done += n;
            fake_run(&f);
        }
        CHECK_EQUAL(done, 31);
        CHECK(memcmp(got,
                     "\0\0\0\x1b"
                     "ABCD3456EFGHsliceslicesliceX",
                     31) == 0);
        CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
    }
    env_file_unref(file);
    fake_end(&f, peer);
}

TEST(a_file_that_ends_too_early_closes)
{
    struct fake f;
    struct env_file *file = NULL;
    fake_init(&f);
    f.holds = true;
    fake_start(&f, 1);
    CHECK_EQUAL(env_file_open(&f.m.env, "log", ENV_READ | ENV_WRITE | ENV_CREATE, &file), ERR_OK);
    CHECK_EQUAL(env_file_truncate(file, 10), ERR_OK);
    struct sock *peer = fake_connect(&f);
    fake_say(peer, 0, "x");
    fake_run(&f);
    struct net_request *req = fake_take(&f, 0);
    net_request_add_file(req, file, 5, 6);
    env_file_unref(file);
    net_request_answer(req);
    fake_run(&f);
    CHECK(fake_is_closed(peer));
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_BROKER], 1);
    sock_close(peer);
    fake_stop(&f);
}

TEST(an_answer_can_be_taken_back_and_made_anew)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    f.holds = true;
    fake_say(peer, 0, "x");
    fake_run(&f);
    struct net_request *req = fake_take(&f, 0);
    for (int i = 0; i < 20; i++)
        net_request_add_slice(req, iobuf_slice(req->frame, req->payload, 2));
    net_request_give(req, mem_alloc(10), 10);
    net_request_clear_answer(req);
    net_request_add_bytes(req, "\0\0again", 7);
    net_request_answer(req);
    fake_run(&f);
    expect(peer, 0, "again");
    fake_end(&f, peer);
}

TEST(answers_after_the_end_are_only_released)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    f.holds = true;
    for (int i = 0; i < 4; i++)
        fake_say(peer, 0, "x");
    fake_run(&f);
    fake_echo(fake_take(&f, 2)); /* answered, waits for the others */
    sock_close(peer);
    fake_run(&f);
    CHECK_EQUAL(f.closed, 1);
    fake_echo(fake_take(&f, 0));
    net_request_answer_close(fake_take(&f, 0));
    CHECK_EQUAL(f.users_freed, 0);
    net_request_answer_none(fake_take(&f, 0));
    CHECK_EQUAL(f.users_freed, 1);
    CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
    CHECK_EQUAL(fake_stats(&f)->requests_in_flight, 0);
    fake_stop(&f);
}

/* ---- back-pressure */

TEST(who_does_not_read_is_not_listened_to)
{
    struct fake f;
    fake_init(&f);
    f.options.unsent_bytes_max = 1000;
    fake_start(&f, 1);
    struct sock *peer = fake_connect(&f);
    mem_sock_set_room(peer, 100);
    char text[101];
    memset(text, 'x', 100);
    text[100] = '\0';
    for (int i = 0; i < 50; i++) {
        text[0] = (char)('A' + i);
        fake_say(peer, 0, text);
    }
    fake_run(&f);
    CHECK(f.requests >= 10 && f.requests < 15);
    CHECK_EQUAL(mem_sock_unread(peer), 100);
    for (int i = 0; i < 50; i++) {
        text[0] = (char)('A' + i);
        uint8_t want[512], got[512];
        size_t len = fake_frame(want, 0, text), done = 0, n;
        while (done < len) {
            CHECK_EQUAL(sock_recv(peer, got + done, len - done, &n), ERR_OK);
            done += n;
            fake_run(&f);
        }
        CHECK(memcmp(want, got, len) == 0);
    }
    CHECK_EQUAL(f.requests, 50);
    fake_end(&f, peer);
}

TEST(who_never_reads_is_closed)
{
    struct fake f;
    struct sock *peer = fake_open(&f);
    mem_sock_set_room(peer, 10);
    fake_say(peer, 0, "more than ten bytes");
    uint8_t byte;
    size_t n;
    for (int minute = 0; minute < 12; minute++) { /* a byte a minute is progress here */
        mem_env_advance_ms(&f.m, 60000);
        CHECK_EQUAL(sock_recv(peer, &byte, 1, &n), ERR_OK);
    }
    fake_run(&f);
    mem_env_advance_ms(&f.m, 590000);
    CHECK_EQUAL(fake_stats(&f)->open, 1);
    mem_env_advance_ms(&f.m, 30000);
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_STALLED], 1);
    sock_close(peer);
    fake_stop(&f);
}

/* ---- bad input */

static void expect_refused(const void *bytes, size_t len, const char *word)
{
    struct fake f;
    fake_init(&f);
    fake_start(&f, 1);
    struct sock *good = fake_connect(&f);
    for (int i = 0; i < 5; i++) {
        struct sock *peer = fake_connect(&f);
        mem_sock_say(peer, bytes, len);
        fake_run(&f);
        CHECK(fake_is_closed(peer));
        sock_close(peer);
    }
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_BAD_FRAME], 5);
    CHECK_EQUAL(f.m.log_lines[LOG_WARN], 1);
    CHECK_EQUAL(f.requests, 0);
    mem_env_advance_ms(&f.m, 20000);
    struct sock *late = fake_connect(&f);
    f.m.logger.level = LOG_WARN;
    mem_sock_say(late, bytes, len);
    fake_run(&f);
    CHECK(strstr(f.m.last_line, word) != NULL);
    CHECK(strstr(f.m.last_line, "4 more") != NULL);
    sock_close(late);
    fake_say(good, 0, "still here");
    fake_run(&f);
    expect(good, 0, "still here");
    sock_close(good);
    fake_run(&f);
    fake_stop(&f);
}

TEST(what_is_no_frame_closes_only_its_connection)
{
    expect_refused("\0\0\0\0....", 8, " 0 bytes");
    expect_refused("\xff\xff\xff\xff....", 8, " -1 bytes");
    expect_refused("\x80\0\0\0", 4, " -2147483648 bytes");
    expect_refused("\x06\x40\0\x01", 4, " 104857601 bytes");
    expect_refused("\x16\x03\x01\x02\x00\x01", 6, "TLS");
    expect_refused("GET / HTTP/1.1\r\n", 16, "HTTP");
    expect_refused("SSH-2.0-x\r\n", 11, "SSH");
}

TEST(a_byte_a_minute_is_closed)
{
    struct fake f;
    fake_init(&f);
    fake_start(&f, 1);
    struct sock *slow = fake_connect(&f), *header = fake_connect(&f), *fine = fake_connect(&f);
    fake_say_part(slow, 100, 10);
    mem_sock_say(header, "\0\0", 2);
    fake_say_part(fine, 300000, 5000);
    mem_env_advance_ms(&f.m, 29000);
    mem_sock_say(slow, "x", 1);
    mem_sock_say(header, "\x01", 1);
    CHECK_EQUAL(fake_stats(&f)->open, 3);
    for (int i = 0; i < 10; i++) {
        fake_say_zeros(fine, 2000);
        mem_sock_say(slow, "x", 1);
        mem_env_advance_ms(&f.m, 20000);
    }
    CHECK_EQUAL(fake_stats(&f)->open, 1);
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_STALLED], 2);
    fake_say_zeros(fine, 300000 - 5000 - 20000);
    fake_run(&f);
    CHECK_EQUAL(f.requests, 1);
    sock_close(slow);
    sock_close(header);
    sock_close(fine);
    fake_run(&f);
    fake_stop(&f);
}

TEST(idle_connections_are_closed_in_time)
{
    struct fake f;
    fake_init(&f);
    fake_start(&f, 1);
    struct sock *quiet = fake_connect(&f), *busy = fake_connect(&f), *waits = fake_connect(&f);
    f.holds = true;
    fake_say(waits, 3, "a long poll");
    fake_run(&f);
    f.holds = false;
    for (int i = 0; i < 4; i++) {
        mem_env_advance_ms(&f.m, 299000);
        fake_say(busy, 3, "ping");
        fake_run(&f);
        expect(busy, 3, "ping");
    }
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_IDLE], 1);
    CHECK(fake_is_closed(quiet));
    fake_echo(fake_take(&f, 0));
    mem_env_advance_ms(&f.m, 599999);
    CHECK_EQUAL(fake_stats(&f)->open, 2);
    mem_env_advance_ms(&f.m, 1);
    CHECK_EQUAL(fake_stats(&f)->open, 0);
    sock_close(quiet);
    sock_close(busy);
    sock_close(waits);
    fake_stop(&f);
}

/* ---- limits of connections */

TEST(connections_are_limited_in_all_and_per_address)
{
    struct fake f;
    fake_init(&f);
    f.options.connections_max = 3;
    f.options.connections_per_ip_max = 2;
    fake_start(&f, 2);
    struct sock *peers[5];
    static const char *const from[] = {"10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"};
    for (int i = 0; i < 5; i++) {
        peers[i] = mem_env_connect(&f.m, FAKE_PORT, from[i]);
        fake_run(&f);
        CHECK_EQUAL(fake_is_closed(peers[i]), i == 2 || i == 4);
    }
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_LIMIT], 2);
    CHECK_EQUAL(fake_stats(&f)->accepted, 5);
    sock_close(peers[0]);
    fake_run(&f);
    struct sock *again = mem_env_connect(&f.m, FAKE_PORT, "10.0.0.1");
    fake_run(&f);
    CHECK(!fake_is_closed(again));
    for (int i = 1; i < 5; i++)
        sock_close(peers[i]);
    sock_close(again);
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->open, 0);
    fake_stop(&f);
}

TEST(limits_of_connections_hold_for_who_comes_after)
{
    struct fake f;
    fake_init(&f);
    fake_start(&f, 2);
    struct sock *peers[6];
    for (int i = 0; i < 6; i++) {
        if (i == 2)
            net_server_set_limits(f.server, 100, 3);
        else if (i == 4)
            net_server_set_limits(f.server, 3, 100);
        else if (i == 5)
            net_server_set_limits(f.server, 4, 4);
        peers[i] = mem_env_connect(&f.m, FAKE_PORT, "10.0.0.1");
        fake_run(&f);
        CHECK_EQUAL(fake_is_closed(peers[i]), i == 3 || i == 4);
    }
    for (int i = 0; i < 6; i++)
        sock_close(peers[i]);
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->open, 0);
    fake_stop(&f);
}

/* ---- the end of a server */

TEST(closing_sends_what_is_ready_and_lets_the_rest_be_answered)
{
    struct fake f;
    fake_init(&f);
    f.holds = true;
    fake_start(&f, 2);
    struct sock *a = fake_connect(&f), *b = fake_connect(&f);
    fake_say(a, 0, "one");
    fake_say(a, 0, "two");
    fake_say(b, 0, "three");
    fake_say(b, 0, "four");
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 4);
    CHECK(f.held[0]->loop != f.held[2]->loop);
    net_server_close(f.server, &f.done);
    fake_echo(fake_take(&f, 0)); /* on its way when the closing begins */
    fake_echo(fake_take(&f, 1));
    fake_run(&f);
    CHECK(f.is_done);
    expect(a, 0, "one");
    expect(b, 0, "three");
    CHECK(fake_is_closed(a));
    CHECK(fake_is_closed(b));
    CHECK(mem_env_connect(&f.m, FAKE_PORT, NULL) == NULL);
    CHECK_EQUAL(fake_stats(&f)->requests_in_flight, 2);
    while (f.held_count > 0)
        fake_echo(fake_take(&f, 0));
    CHECK_EQUAL(f.users_freed, 2);
    sock_close(a);
    sock_close(b);
    net_server_free(f.server);
    mem_env_deinit(&f.m);
}

/* ---- failures */

/* Three frames of different kinds; what arrives is whole and in order, whatever fails. */
static bool talk(struct fake *f)
{
    static const uint32_t sizes[] = {100, 20000, 50};
    struct sock *peer = mem_env_connect(&f->m, FAKE_PORT, NULL);
    mem_env_run_until_idle(&f->m);
    bool is_whole = true;
    mem_sock_set_chunk(peer, 7000);
    for (int i = 0; i < 3 && is_whole; i++) {
        if (fake_stats(f)->open == 0)
            break;
        fake_say_part(peer, sizes[i], sizes[i]);
        fake_run(f);
        is_whole = mem_sock_unread(peer) == sizes[i] + 4;
        uint8_t bytes[20100];
        size_t n;
        if (is_whole)
            is_whole = sock_recv(peer, bytes, sizeof(bytes), &n) == ERR_OK;
    }
    is_whole = is_whole && f->requests == 3;
    sock_close(peer);
    fake_run(f);
    CHECK_EQUAL(fake_stats(f)->open, 0);
    CHECK_EQUAL(fake_stats(f)->memory_bytes, 0);
    CHECK_EQUAL(fake_stats(f)->requests_in_flight, 0);
    return is_whole;
}

TEST(each_failure_costs_one_connection_at_most)
{
    for (int kind = 0; kind < 2; kind++) {
        bool is_whole = false;
        int n = 1;
        for (; !is_whole; n++) {
            struct fake f;
            CHECK(n < 1000);
            fake_init(&f);
            fake_start(&f, 1);
            if (kind == 0)
                mem_fail_at(n);
            else
                f.m.sock_fail_at = n;
            is_whole = talk(&f);
            mem_fail_at(0);
            f.m.sock_fail_at = 0;
            if (!is_whole)
                CHECK_EQUAL(
                    fake_stats(&f)->closed[kind == 0 ? NET_CLOSED_MEMORY : NET_CLOSED_BY_PEER] +
                        fake_stats(&f)->closed[NET_CLOSED_LIMIT],
                    1);
            CHECK_EQUAL(f.m.open_socks, 1);
            fake_stop(&f);
        }
        CHECK(n > 6);
    }
}
