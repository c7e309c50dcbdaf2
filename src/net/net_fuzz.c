// SPDX-License-Identifier: Apache-2.0
/*
 * net_fuzz: foreign bytes cut at foreign points through a connection in memory. The input is a
 * script: each step says bytes, answers a request, reads an answer or lets time pass.
 *
 * Thread: main.
 */
#include "base/limits.h"
#include "net/net_fake.h"

enum {
    OP_ANSWER,
    OP_WAIT,
    OP_READ,
    OP_SAY_FRAME, /* a true length, and some of that many bytes */
    OP_SAY,       /* and 5, 6, 7: bytes as they are */
    FUZZ_HELD_MAX = 32,
};

int fuzz_net(const uint8_t *data, size_t size);

static void read_some(struct sock *peer)
{
    uint8_t bytes[1024];
    size_t got;
    if (sock_recv(peer, bytes, sizeof(bytes), &got) == ERR_OK)
        ASSERT(got > 0);
}

static void answer_one(struct fake *f, unsigned how)
{
    if (f->held_count == 0)
        return;
    struct net_request *req = fake_take(f, (int)(how % (unsigned)f->held_count));
    if (how % 7 == 0)
        net_request_answer_none(req);
    else if (how % 11 == 0)
        net_request_answer_close(req);
    else
        fake_echo(req);
}

int fuzz_net(const uint8_t *data, size_t size)
{
    struct fake f;
    fake_init(&f);
    f.m.logger.level = LOG_ERROR;
    f.holds = size > 0 && (data[0] & 0x80) != 0;
    f.options.in_flight_max = FUZZ_HELD_MAX;
    f.options.memory_bytes_max = 1 << 20;
    f.options.frame_bytes_max = 1 << 19;
    f.options.unsent_bytes_max = 4096;
    fake_start(&f, 2);
    struct sock *peers[2] = {fake_connect(&f), fake_connect(&f)};
    mem_sock_set_room(peers[1], 100);
    for (size_t pos = 0; pos < size;) {
        unsigned op = data[pos] & 7, n = data[pos] >> 3;
        struct sock *peer = peers[n & 1];
        pos++;
        if (op == OP_ANSWER) {
            answer_one(&f, n);
        } else if (op == OP_WAIT) {
            mem_env_advance_ms(&f.m, n * 1000);
        } else if (op == OP_READ) {
            read_some(peer);
        } else if (op == OP_SAY_FRAME) {
            fake_say_part(peer, 1u << (n >> 1), (size_t)n * n * n);
        } else {
            n = (unsigned)MIN((size_t)n, size - pos);
            mem_sock_say(peer, data + pos, n);
            pos += n;
        }
        fake_run(&f);
        ASSERT(net_server_stats(f.server)->requests_in_flight == f.held_count);
        ASSERT(net_server_stats(f.server)->memory_bytes <=
               (int64_t)f.options.memory_bytes_max + LIMIT_SMALL_FRAMES_RESERVE_BYTES + (1 << 17));
    }
    sock_close(peers[0]);
    sock_close(peers[1]);
    fake_run(&f);
    /* A connection that is held back hears of the end once its requests are answered. */
    while (f.held_count > 0) {
        fake_echo(fake_take(&f, 0));
        fake_run(&f);
    }
    ASSERT(net_server_stats(f.server)->open == 0);
    fake_stop(&f);
    return 0;
}
