// SPDX-License-Identifier: Apache-2.0
/* budget_test: memory of frames in flight: lines, fairness, hostile announcements. Thread: main. */
#include "base/testing.h"

#include "base/limits.h"
#include "net/budget.h"
#include "net/net_fake.h"

enum { MIB = 1024 * 1024 };

/* ---- the budget alone */

struct waits {
    struct net_waiter waiter;
    char *trace;
    char name;
};

static void note_granted(struct net_waiter *waiter)
{
    struct waits *w = container_of(waiter, struct waits, waiter);
    size_t len = strlen(w->trace);
    w->trace[len] = w->name;
    w->trace[len + 1] = '\0';
}

TEST(memory_is_granted_in_line)
{
    struct mem_env m;
    struct net_budget b;
    _Atomic int64_t waiting = 0;
    char trace[8] = "";
    struct waits w[4];
    mem_env_init(&m);
    net_budget_init(&b, 8 * MIB, mem_env_loop(&m, 0), &waiting);
    CHECK(net_budget_try_reserve(&b, 1 * MIB));
    CHECK(net_budget_try_reserve(&b, 5 * MIB));
    CHECK(!net_budget_try_reserve(&b, 3 * MIB)); /* large: three quarters of it are full */
    CHECK(net_budget_try_reserve(&b, 2 * MIB));
    CHECK(!net_budget_try_reserve(&b, 20000));
    CHECK(net_budget_try_reserve(&b, LIMIT_FRAME_SMALL_BYTES)); /* its own reserve */
    static const int64_t sizes[] = {2 * MIB, 20000, 1 * MIB, 30000};
    for (int i = 0; i < 4; i++) {
        w[i] =
            (struct waits){.waiter.granted = note_granted, .trace = trace, .name = (char)('a' + i)};
        net_budget_wait(&b, &w[i].waiter, sizes[i]);
    }
    CHECK_EQUAL(waiting, 4);
    CHECK(net_budget_is_crowded(&b));
    net_budget_release(&b, 1 * MIB);
    mem_env_run_until_idle(&m);
    CHECK_TEXT(trace, ""); /* the first needs more; those behind it do not overtake */
    CHECK(!net_budget_try_reserve(&b, 20000));
    CHECK(net_budget_cancel(&b, &w[2].waiter));
    net_budget_release(&b, 5 * MIB);
    mem_env_run_until_idle(&m);
    CHECK_TEXT(trace, "abd");
    CHECK(!net_budget_cancel(&b, &w[3].waiter));
    CHECK_EQUAL(waiting, 0);
    net_budget_release(&b, 4 * MIB + 50000 + LIMIT_FRAME_SMALL_BYTES);
    net_budget_charge(&b, 100 * MIB); /* what is here already is never refused */
    CHECK(!net_budget_try_reserve(&b, 1));
    net_budget_release(&b, 100 * MIB);
    mem_env_run_until_idle(&m);
    net_budget_deinit(&b);
    mem_env_deinit(&m);
}

/* ---- connections and the budget */

static void expect_echo(struct fake *f, struct sock *peer, uint32_t size)
{
    uint8_t bytes[4096];
    size_t n, done = 0;
    fake_run(f);
    for (; done < size + 4; done += n) {
        CHECK_EQUAL(sock_recv(peer, bytes, MIN(sizeof(bytes), size + 4 - done), &n), ERR_OK);
        fake_run(f);
    }
}

TEST(who_does_not_fit_waits_and_others_go_on)
{
    struct fake f;
    fake_init(&f);
    f.options.memory_bytes_max = 4 * MIB;
    f.holds = true;
    fake_start(&f, 2);
    struct sock *peer[5];
    for (int i = 0; i < 5; i++)
        peer[i] = fake_connect(&f);
    fake_say_part(peer[0], 2 * MIB, 2 * MIB);
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 1);
    fake_say_part(peer[1], 3 * MIB - 10000, 3 * MIB - 10000); /* large: has to wait */
    fake_run(&f);
    fake_say_part(peer[2], 2 * MIB + 1000, 2 * MIB + 1000); /* large: stands behind it */
    fake_run(&f);
    fake_say_part(peer[3], 1 * MIB, 1 * MIB); /* ordinary */
    fake_run(&f);
    fake_say_part(peer[4], 1000, 1000);
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 3);
    CHECK_EQUAL(f.held[1]->payload_len, 1 * MIB);
    CHECK_EQUAL(f.held[2]->payload_len, 1000);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 2);
    CHECK(fake_stats(&f)->memory_bytes < 4 * MIB);
    for (int i = 0; i < 2; i++)
        fake_echo(fake_take(&f, 0));
    expect_echo(&f, peer[0], 2 * MIB);
    expect_echo(&f, peer[3], 1 * MIB);
    CHECK_EQUAL(f.held_count, 2);
    CHECK_EQUAL(f.held[1]->payload_len, 3 * MIB - 10000);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 1);
    fake_echo(fake_take(&f, 1));
    expect_echo(&f, peer[1], 3 * MIB - 10000);
    CHECK_EQUAL(f.held[1]->payload_len, 2 * MIB + 1000);
    fake_echo(fake_take(&f, 1));
    expect_echo(&f, peer[2], 2 * MIB + 1000);
    CHECK_EQUAL(f.held_count, 1);
    fake_echo(fake_take(&f, 0));
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
    for (int i = 0; i < 5; i++)
        sock_close(peer[i]);
    fake_run(&f);
    fake_stop(&f);
}

TEST(slices_keep_the_memory_of_a_frame_charged)
{
    struct fake f;
    fake_init(&f);
    f.options.memory_bytes_max = 4 * MIB;
    f.holds = true;
    fake_start(&f, 1);
    struct sock *a = fake_connect(&f), *b = fake_connect(&f);
    fake_say_part(a, 3 * MIB - 10000, 3 * MIB - 10000);
    fake_run(&f);
    struct net_request *req = fake_take(&f, 0);
    struct iobuf_slice slice = iobuf_slice(req->frame, req->payload, 100);
    net_request_answer_none(req);
    fake_say_part(b, 3 * MIB - 10000, 3 * MIB - 10000);
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 0);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 1);
    iobuf_slice_release(&slice);
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 1);
    net_request_answer_none(fake_take(&f, 0));
    sock_close(a);
    sock_close(b);
    fake_run(&f);
    fake_stop(&f);
}

TEST(a_waiting_connection_that_closes_leaves_the_line)
{
    struct fake f;
    fake_init(&f);
    f.options.memory_bytes_max = 4 * MIB;
    f.holds = true;
    fake_start(&f, 2);
    struct sock *a = fake_connect(&f), *b = fake_connect(&f), *c = fake_connect(&f);
    fake_say_part(a, 3 * MIB - 10000, 3 * MIB - 10000);
    fake_run(&f);
    fake_say_part(b, 3 * MIB - 10000, 10000);
    fake_run(&f);
    fake_say_part(c, 2 * MIB + 1, 10000);
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 2);
    /* Both at once: memory comes back and the one it is granted to is closed by the server. */
    net_request_answer_none(fake_take(&f, 0));
    net_server_close(f.server, &f.done);
    fake_run(&f);
    CHECK(f.is_done);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 0);
    CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
    sock_close(a);
    sock_close(b);
    sock_close(c);
    net_server_free(f.server);
    mem_env_deinit(&f.m);
}

TEST(unread_answers_do_not_hold_memory_that_others_wait_for)
{
    struct fake f;
    fake_init(&f);
    f.options.memory_bytes_max = 4 * MIB;
    f.holds = true;
    fake_start(&f, 1);
    struct sock *deaf = fake_connect(&f), *waits = fake_connect(&f);
    mem_sock_set_room(deaf, 1000);
    fake_say(deaf, 0, "much, please");
    fake_run(&f);
    struct net_request *req = fake_take(&f, 0);
    uint8_t *much = mem_alloc(3 * MIB);
    net_request_give(req, much, 3 * MIB);
    net_request_add_bytes(req, much, 3 * MIB);
    net_request_answer(req);
    mem_env_advance_ms(&f.m, 60000); /* nobody waits: it may take its time */
    CHECK_EQUAL(fake_stats(&f)->open, 2);
    fake_say_part(waits, 2 * MIB, 2 * MIB);
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 0);
    mem_env_advance_ms(&f.m, 5000);
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_STALLED], 1);
    CHECK_EQUAL(f.held_count, 1);
    net_request_answer_none(fake_take(&f, 0));
    sock_close(deaf);
    sock_close(waits);
    fake_run(&f);
    fake_stop(&f);
}

TEST(memory_granted_to_a_connection_that_ends_is_given_back)
{
    struct fake f;
    fake_init(&f);
    f.options.memory_bytes_max = 4 * MIB;
    f.holds = true;
    fake_start(&f, 2);
    struct sock *a = fake_connect(&f), *b = fake_connect(&f);
    fake_say_part(a, 3 * MIB - 10000, 3 * MIB - 10000);
    fake_say(b, 0, "one");
    fake_say(b, 0, "two");
    fake_run(&f);
    CHECK_EQUAL(f.held_count, 3);
    fake_say_part(b, 3 * MIB - 10000, 10000);
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 1);
    struct net_request *first = f.held[0], *one = f.held[1], *two = f.held[2];
    f.held_count = 0;
    if (first->payload_len < 100) { /* whoever came first */
        struct net_request *large = two;
        two = one;
        one = first;
        first = large;
    }
    net_request_answer_close(two);
    net_request_answer_none(first);
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->memory_waiting, 0);
    CHECK_EQUAL(f.held_count, 0);
    fake_echo(one);
    fake_run(&f);
    CHECK_EQUAL(fake_stats(&f)->open, 1);
    sock_close(a);
    sock_close(b);
    fake_run(&f);
    fake_stop(&f); /* would complain */
}

TEST(a_thousand_huge_announcements_hold_nothing_up)
{
    enum { HOSTILE = 1000 };
    static struct sock *hostile[HOSTILE];
    for (size_t body = 0; body <= 5000; body += 5000) {
        struct fake f;
        fake_init(&f);
        fake_start(&f, 2);
        struct sock *good = fake_connect(&f);
        for (int i = 0; i < HOSTILE; i++) {
            hostile[i] = fake_connect(&f);
            fake_say_part(hostile[i], 100 * MIB, body);
        }
        fake_run(&f);
        /* What bodies came is kept; nothing is held for what did not. */
        if (body == 0)
            CHECK(fake_stats(&f)->memory_bytes < 100 * 1000);
        CHECK(fake_stats(&f)->memory_bytes <= (int64_t)f.options.memory_bytes_max);
        fake_say_part(good, 1 * MIB + 200, 1 * MIB + 200);
        mem_sock_set_room(good, 2 * MIB);
        fake_run(&f);
        CHECK_EQUAL(f.requests, 1);
        expect_echo(&f, good, 1 * MIB + 200);
        /* Those that hold memory and do not move are closed; then the next ones, and so on. */
        mem_env_advance_ms(&f.m, 31000);
        uint64_t closed = fake_stats(&f)->closed[NET_CLOSED_STALLED];
        if (body == 0)
            CHECK_EQUAL(closed, HOSTILE);
        else
            CHECK(closed > 2);
        CHECK(!fake_is_closed(good));
        for (int i = 0; i < HOSTILE; i++)
            sock_close(hostile[i]);
        sock_close(good);
        fake_run(&f);
        CHECK_EQUAL(fake_stats(&f)->memory_bytes, 0);
        fake_stop(&f);
    }
}

TEST(frames_larger_than_the_budget_allows_are_refused)
{
    struct fake f;
    fake_init(&f);
    f.options.memory_bytes_max = 4 * MIB;
    fake_start(&f, 1);
    struct sock *peer = fake_connect(&f);
    fake_say_part(peer, 3 * MIB, 1);
    fake_run(&f);
    CHECK(fake_is_closed(peer));
    CHECK_EQUAL(fake_stats(&f)->closed[NET_CLOSED_BAD_FRAME], 1);
    sock_close(peer);
    fake_stop(&f);
}
