// SPDX-License-Identifier: Apache-2.0
/* http_test: requests whole, cut, behind one another and broken; ends of connections; in memory.
 * Thread: main. */
#include "http/http.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"

enum { PORT = 9644, LARGE_BYTES = 400000 };

static const struct env_addr address = {.family = 4, .port = PORT};

struct fixture {
    struct mem_env m;
    struct http_server *server;
    int requests;
    char last_path[32], last_query[32];
};

/* "/" says hello, "/large" a lot, others are not there; nothing but GET and HEAD is taken. */
static void answer(void *arg, const struct http_request *request, struct http_answer *out)
{
    struct fixture *f = arg;
    f->requests++;
    snprintf(f->last_path, sizeof(f->last_path), "%s", request->path);
    snprintf(f->last_query, sizeof(f->last_query), "%s", request->query);
    if (!request->is_get)
        out->status = 405;
    else if (strcmp(request->path, "/") == 0)
        strbuf_puts(&out->body, "hello");
    else if (strcmp(request->path, "/large") == 0)
        for (int i = 0; i < LARGE_BYTES; i += 8)
            strbuf_puts(&out->body, "8 bytes\n");
    else
        out->status = 404;
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    mem_env_init(&f->m);
    f->server = http_server_new(mem_env_loop(&f->m, 0), answer, f);
    CHECK_EQUAL(http_server_listen(f->server, &address, NULL), ERR_OK);
}

static void fixture_deinit(struct fixture *f)
{
    http_server_free(f->server);
    mem_env_deinit(&f->m);
}

static struct sock *join(struct fixture *f)
{
    struct sock *peer = mem_env_connect(&f->m, PORT, NULL);
    CHECK(peer != NULL);
    mem_env_run_until_idle(&f->m);
    return peer;
}

static void say(struct fixture *f, struct sock *peer, const char *text)
{
    mem_sock_say(peer, text, strlen(text));
    mem_env_run_until_idle(&f->m);
}

/* ---- what a peer gets */

static void expect_bytes(struct sock *peer, const char *want)
{
    char got[512];
    size_t len = strlen(want), done = 0, n = 0;
    CHECK(len < sizeof(got));
    for (; done < len; done += n)
        CHECK_EQUAL(sock_recv(peer, got + done, len - done, &n), ERR_OK);
    got[done] = '\0';
    CHECK_TEXT(got, want);
}

static void expect_head(struct sock *peer, const char *status, size_t body_len, bool is_kept)
{
    struct strbuf want;
    strbuf_init(&want);
    strbuf_printf(&want,
                  "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                  "Content-Length: %zu\r\nConnection: %s\r\n\r\n",
                  status, body_len, is_kept ? "keep-alive" : "close");
    expect_bytes(peer, strbuf_text(&want));
    strbuf_deinit(&want);
}

static void expect_hello(struct sock *peer, bool is_kept)
{
    expect_head(peer, "200 OK", 5, is_kept);
    expect_bytes(peer, "hello");
}

static void expect_open(struct sock *peer)
{
    char byte;
    size_t n;
    CHECK_EQUAL(sock_recv(peer, &byte, 1, &n), ERR_AGAIN);
}

static void expect_closed(struct sock *peer)
{
    char byte;
    size_t n;
    CHECK_EQUAL(sock_recv(peer, &byte, 1, &n), ERR_CLOSED);
}

/* The server answers by itself, says so, and closes. */
static void expect_refused(struct sock *peer, int status, const char *text)
{
    struct strbuf want;
    strbuf_init(&want);
    strbuf_printf(&want,
                  "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                  "Connection: close\r\n\r\n%s\n",
                  status, text, strlen(text) + 1, text);
    expect_bytes(peer, strbuf_text(&want));
    strbuf_deinit(&want);
    expect_closed(peer);
}

static void expect_large(struct fixture *f, struct sock *peer, bool is_kept)
{
    expect_head(peer, "200 OK", LARGE_BYTES, is_kept);
    for (int i = 0; i < LARGE_BYTES; i += 8) {
        if (mem_sock_unread(peer) < 8)
            mem_env_run_until_idle(&f->m); /* there is room for more now */
        expect_bytes(peer, "8 bytes\n");
    }
}

/* ---- requests */

TEST(a_request_is_answered_and_the_connection_is_kept)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    for (int i = 1; i <= 3; i++) {
        say(&f, peer, "GET / HTTP/1.1\r\nHost: k\r\n\r\n");
        CHECK_EQUAL(f.requests, i);
        expect_hello(peer, true);
        expect_open(peer);
    }
    sock_close(peer);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.m.open_socks, 1); /* the listener */
    fixture_deinit(&f);
}

TEST(path_and_query_are_told_apart)
{
    static const struct {
        const char *target, *path, *query;
    } rows[] = {
        {"/", "/", ""},
        {"/a/b?", "/a/b", ""},
        {"/metrics?name=x&y", "/metrics", "name=x&y"},
        {"/a?b?c", "/a", "b?c"},
    };
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n\r\n", rows[i].target);
        say(&f, peer, text);
        CHECK_TEXT(f.last_path, rows[i].path);
        CHECK_TEXT(f.last_query, rows[i].query);
    }
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(a_request_may_come_in_pieces)
{
    static const char text[] = "GET /?a=b HTTP/1.1\r\nHost: k\r\nAccept: */*\r\n\r\n";
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        struct fixture f;
        fixture_init(&f);
        struct sock *peer = join(&f);
        mem_sock_say(peer, text, cut);
        mem_env_run_until_idle(&f.m);
        CHECK_EQUAL(f.requests, 0);
        expect_open(peer);
        say(&f, peer, text + cut);
        expect_hello(peer, true);
        CHECK_TEXT(f.last_path, "/");
        CHECK_TEXT(f.last_query, "a=b");
        sock_close(peer);
        fixture_deinit(&f);
    }
}

TEST(requests_behind_one_another_are_answered_in_their_order)
{
    for (size_t chunk = 1; chunk < 100; chunk++) {
        struct fixture f;
        fixture_init(&f);
        struct sock *peer = join(&f);
        mem_sock_set_chunk(peer, chunk);
        say(&f, peer,
            "GET / HTTP/1.1\r\n\r\n"
            "GET /nowhere HTTP/1.1\r\n\r\n"
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
            "GET / HTTP/1.1\r\n\r\n");
        CHECK_EQUAL(f.requests, 4);
        expect_hello(peer, true);
        expect_head(peer, "404 Not Found", 0, true);
        expect_head(peer, "405 Method Not Allowed", 0, true);
        expect_hello(peer, true);
        expect_open(peer);
        sock_close(peer);
        fixture_deinit(&f);
    }
}

TEST(head_gets_the_head_of_what_get_gets)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    say(&f, peer, "HEAD / HTTP/1.1\r\n\r\nHEAD /nowhere HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    expect_head(peer, "200 OK", 5, true);
    expect_head(peer, "404 Not Found", 0, true);
    expect_hello(peer, true);
    expect_open(peer);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(bodies_are_dropped)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        char text[128];
        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                 methods[i]);
        say(&f, peer, text);
        say(&f, peer, "12\r\nGET / HTTP/1.1\r\n\r\n\r\n");
        expect_open(peer);
        say(&f, peer, "0\r\n\r\n");
        expect_head(peer, "405 Method Not Allowed", 0, true);
        expect_open(peer);
    }
    say(&f, peer, "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde");
    expect_hello(peer, true);
    CHECK_EQUAL(f.requests, ARRAY_COUNT(methods) + 1);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(the_client_says_whether_the_connection_is_kept)
{
    static const struct {
        const char *version, *field;
        bool is_kept;
    } rows[] = {
        {"1.1", "", true},
        {"1.1", "Connection: keep-alive\r\n", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.0", "", false},
        {"1.0", "Connection: keep-alive\r\n", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fixture f;
        fixture_init(&f);
        struct sock *peer = join(&f);
        char text[128];
        snprintf(text, sizeof(text), "GET / HTTP/%s\r\n%s\r\nGET / HTTP/1.1\r\n\r\n",
                 rows[i].version, rows[i].field);
        say(&f, peer, text);
        expect_hello(peer, rows[i].is_kept);
        if (rows[i].is_kept) {
            expect_hello(peer, true);
            expect_open(peer);
        } else {
            expect_closed(peer);
        }
        CHECK_EQUAL(f.requests, rows[i].is_kept ? 2 : 1);
        sock_close(peer);
        fixture_deinit(&f);
    }
}

TEST(a_client_that_sends_no_more_still_gets_its_answers)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    mem_sock_set_room(peer, SIZE_MAX);
    mem_sock_say(peer, "GET /large HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 41);
    mem_sock_finish(peer);
    mem_env_run_until_idle(&f.m);
    expect_large(&f, peer, true);
    mem_env_run_until_idle(&f.m);
    expect_hello(peer, true);
    mem_env_run_until_idle(&f.m);
    expect_closed(peer);
    sock_close(peer);
    fixture_deinit(&f);
}

/* ---- what is refused */

static void check_refused(const char *request, size_t len, int status, const char *text)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    mem_sock_say(peer, request, len);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.requests, 0);
    expect_refused(peer, status, text);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(what_is_no_request_is_refused)
{
    static const char *const texts[] = {
        "hello\r\n\r\n",
        "\x16\x03\x01\x02",
        "GET\r\n\r\n",
        "GET / HTTP/x\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "CONNECT other:80 HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        check_refused(texts[i], strlen(texts[i]), 400, "Bad Request");
    check_refused("\0\0\0\x1a\0\x12\0\0\0\0\0\0\0\1k", 15, 400, "Bad Request"); /* Kafka's */
}

TEST(an_offer_of_another_protocol_is_ignored)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    say(&f, peer,
        "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
        "GET / HTTP/1.1\r\n\r\n");
    expect_hello(peer, true);
    expect_hello(peer, true);
    expect_open(peer);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(what_follows_garbage_is_not_looked_at)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    say(&f, peer, "GET / HTTP/1.1\r\n\r\ngarbage\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    expect_hello(peer, true);
    expect_refused(peer, 400, "Bad Request");
    CHECK_EQUAL(f.requests, 1);
    sock_close(peer);
    fixture_deinit(&f);
}

/* A request with so many bytes in its middle. */
struct sized {
    const char *before, *after;
    size_t bytes;
};

/* Status 0: it is taken. */
static void check_size(const struct sized *sized, int status, const char *text)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    struct strbuf request;
    strbuf_init(&request);
    strbuf_puts(&request, sized->before);
    for (size_t i = 0; i < sized->bytes; i++)
        strbuf_puts(&request, "x");
    strbuf_puts(&request, sized->after);
    say(&f, peer, strbuf_text(&request));
    strbuf_deinit(&request);
    CHECK_EQUAL(f.requests, status == 0 ? 1 : 0);
    if (status == 0)
        expect_head(peer, text, 0, true);
    else
        expect_refused(peer, status, text);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(heads_are_bounded)
{
    static const char start[] = "GET /x HTTP/1.1\r\nA: ";
    static const size_t around = sizeof(start) - 1 + 4;
    struct sized fields = {start, "\r\n\r\n", LIMIT_HTTP_HEAD_BYTES - around};
    check_size(&fields, 0, "404 Not Found");
    fields.bytes += 4097; /* the read of 4096 bytes in which it ends is not counted */
    check_size(&fields, 431, "Request Header Fields Too Large");
    fields.bytes = 1000000;
    check_size(&fields, 431, "Request Header Fields Too Large");

    struct sized target = {"GET /", " HTTP/1.1\r\n\r\n", LIMIT_HTTP_HEAD_BYTES - 100};
    check_size(&target, 0, "404 Not Found");
    target.bytes = LIMIT_HTTP_HEAD_BYTES;
    check_size(&target, 431, "Request Header Fields Too Large");
}

TEST(bodies_are_bounded)
{
    char head[128];
    snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n",
             LIMIT_HTTP_BODY_BYTES);
    struct sized body = {head, "", LIMIT_HTTP_BODY_BYTES};
    check_size(&body, 0, "405 Method Not Allowed");
    snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n",
             LIMIT_HTTP_BODY_BYTES + 1);
    body.bytes++;
    check_size(&body, 413, "Content Too Large");

    struct sized chunk = {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n",
                          "\r\n0\r\n\r\n", 0x10000};
    check_size(&chunk, 0, "405 Method Not Allowed");
    chunk.after = "\r\n1\r\nx\r\n0\r\n\r\n"; /* the sum counts */
    check_size(&chunk, 413, "Content Too Large");
}

/* ---- slow peers and many of them */

TEST(a_connection_without_a_new_byte_is_closed)
{
    static const char *const said[] = {"", "GET / HT",
                                       "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"};
    for (size_t i = 0; i < ARRAY_COUNT(said); i++) {
        struct fixture f;
        fixture_init(&f);
        struct sock *peer = join(&f);
        mem_env_advance_ms(&f.m, LIMIT_HTTP_IDLE_MS / 2);
        say(&f, peer, said[i]);
        mem_env_advance_ms(&f.m, LIMIT_HTTP_IDLE_MS / 2 - 1);
        expect_open(peer);
        mem_env_advance_ms(&f.m, 1);
        if (said[i][0] != '\0') {
            expect_open(peer); /* it had said something at half time */
            mem_env_advance_ms(&f.m, LIMIT_HTTP_IDLE_MS / 2);
        }
        expect_closed(peer);
        CHECK_EQUAL(f.requests, 0);
        sock_close(peer);
        fixture_deinit(&f);
    }
}

TEST(each_connection_has_its_own_time)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *first = join(&f);
    mem_env_advance_ms(&f.m, 1000);
    struct sock *second = join(&f);
    mem_env_advance_ms(&f.m, 1000);
    say(&f, first, "GET / HTTP/1.1\r\n\r\n");
    expect_hello(first, true);
    mem_env_advance_ms(&f.m, LIMIT_HTTP_IDLE_MS - 1000);
    expect_closed(second);
    expect_open(first);
    mem_env_advance_ms(&f.m, 1000);
    expect_closed(first);
    sock_close(first);
    sock_close(second);
    fixture_deinit(&f);
}

TEST(an_answer_waits_for_room)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    mem_sock_set_room(peer, 1000);
    say(&f, peer, "GET /large HTTP/1.1\r\n\r\n");
    CHECK_EQUAL(mem_sock_unread(peer), 1000);
    say(&f, peer, "GET / HTTP/1.1\r\n\r\n");
    CHECK_EQUAL(f.requests, 1); /* not before the first is on its way */
    expect_large(&f, peer, true);
    mem_env_run_until_idle(&f.m);
    expect_hello(peer, true);
    CHECK_EQUAL(f.requests, 2);
    expect_open(peer);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(who_does_not_read_is_closed)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    mem_sock_set_room(peer, 1000);
    say(&f, peer, "GET /large HTTP/1.1\r\n\r\n");
    mem_env_advance_ms(&f.m, LIMIT_HTTP_IDLE_MS);
    CHECK_EQUAL(f.m.open_socks, 2); /* the listener and the peer's own end */
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(answers_that_nobody_reads_are_bounded)
{
    enum { SERVED = LIMIT_HTTP_UNSENT_BYTES / LARGE_BYTES + 1 };
    struct fixture f;
    fixture_init(&f);
    struct sock *peer = join(&f);
    mem_sock_set_room(peer, 0);
    for (int i = 0; i < 20; i++)
        mem_sock_say(peer, "GET /large HTTP/1.1\r\n\r\n", 23);
    mem_env_run_until_idle(&f.m);
    CHECK_EQUAL(f.requests, SERVED);
    mem_sock_set_room(peer, SIZE_MAX);
    mem_env_run_until_idle(&f.m);
    for (int i = 0; i < SERVED; i++)
        expect_large(&f, peer, true);
    expect_closed(peer);
    CHECK_EQUAL(f.requests, SERVED);
    sock_close(peer);
    fixture_deinit(&f);
}

TEST(one_connection_too_many_closes_the_oldest_idle_one)
{
    struct fixture f;
    struct sock *peers[LIMIT_HTTP_CONNECTIONS + 1];
    fixture_init(&f);
    for (int i = 0; i < LIMIT_HTTP_CONNECTIONS; i++)
        peers[i] = join(&f);
    say(&f, peers[0], "GET / HTTP/1.1\r\n\r\n");
    expect_hello(peers[0], true);
    peers[LIMIT_HTTP_CONNECTIONS] = join(&f);
    expect_closed(peers[1]);
    for (int i = 0; i <= LIMIT_HTTP_CONNECTIONS; i++) {
        if (i != 1)
            expect_open(peers[i]);
        sock_close(peers[i]);
    }
    fixture_deinit(&f);
}

/* ---- the server's own ends */

TEST(a_server_that_is_freed_closes_everything)
{
    struct fixture f;
    fixture_init(&f);
    struct sock *idle = join(&f), *half = join(&f), *slow = join(&f);
    mem_sock_set_room(slow, 10);
    say(&f, half, "GET / HT");
    say(&f, slow, "GET /large HTTP/1.1\r\n\r\n");
    http_server_free(f.server);
    CHECK_EQUAL(f.m.open_socks, 3); /* the peers' ends */
    expect_closed(idle);
    expect_closed(half);
    sock_close(idle);
    sock_close(half);
    sock_close(slow);
    mem_env_advance_ms(&f.m, LIMIT_HTTP_IDLE_MS); /* no timer is left */
    mem_env_deinit(&f.m);
    http_server_free(NULL);
}

TEST(listeners_are_bounded_and_the_port_is_told)
{
    struct fixture f;
    fixture_init(&f);
    struct env_addr bound, any = {.family = 4};
    enum err e = http_server_listen(f.server, &any, &bound);
    CHECK_EQUAL(e, ERR_OK);
    CHECK(bound.port != 0);
    struct sock *peer = mem_env_connect(&f.m, bound.port, NULL);
    CHECK(peer != NULL);
    say(&f, peer, "GET / HTTP/1.1\r\n\r\n");
    expect_hello(peer, true);
    for (int i = 2; e == ERR_OK; i++) {
        e = http_server_listen(f.server, &any, NULL);
        CHECK(i < 100);
    }
    CHECK_EQUAL(e, ERR_FULL);
    sock_close(peer);
    fixture_deinit(&f);
}

/* Fails the 1st, then the 2nd ... receive or send until a run needs none. */
TEST(a_failing_connection_is_closed_and_others_are_served)
{
    bool failed = true;
    for (int fail_at = 1; failed; fail_at++) {
        struct fixture f;
        fixture_init(&f);
        struct sock *peer = join(&f);
        f.m.sock_fail_at = fail_at;
        say(&f, peer, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n");
        failed = f.m.sock_fail_at == 0;
        f.m.sock_fail_at = 0;
        CHECK_EQUAL(f.m.open_socks, 2); /* closed in both cases */
        CHECK(failed || f.requests == 2);
        struct sock *other = join(&f);
        say(&f, other, "GET / HTTP/1.1\r\n\r\n");
        expect_hello(other, true);
        sock_close(other);
        sock_close(peer);
        fixture_deinit(&f);
    }
}
