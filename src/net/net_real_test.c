// SPDX-License-Identifier: Apache-2.0
/*
 * net_real_test: a server on two real reactors with four disk workers; peers are plain
 * blocking sockets on threads of their own. The broker answers some requests at once and
 * others from a worker by way of the reactor, so this is also the run for TSan.
 *
 * Thread: main, reactors, workers, peers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/testing.h"
#include "env/logger_file.h"
#include "env/real_env.h"
#include "env/real_peer.h"
#include "net/net.h"

enum { LOOPS = 2, PEERS = 6, ROUNDS = 200, FRAME_MAX = 150000 };

struct broker {
    struct real_env *real;
    struct real_loop *loops[LOOPS];
    struct net_server *server;
    struct env_file *file; /* FRAME_MAX bytes of a known pattern */
    struct loop_task done;
    struct env_addr addr;
};

/* An append, say: it runs on a worker and is answered on the reactor. */
struct work {
    struct env_job job;
    struct net_request *req;
    struct iobuf_slice slice;
};

static void answer_work(struct loop_task *task)
{
    struct net_request *req = container_of(task, struct net_request, task);
    struct work *work = req->user;
    net_request_add_slice(req, work->slice);
    mem_free(work);
    net_request_answer(req);
}

static bool run_work(struct env_job *job)
{
    struct work *work = container_of(job, struct work, job);
    ASSERT(work->slice.len > 0);
    work->req->task.run = answer_work;
    loop_post(work->req->loop, &work->req->task);
    return false;
}

/* By the key: 0 echoes from a worker, 1 answers with a range of the file, others echo here. */
static void on_request(void *arg, struct net_request *req)
{
    struct broker *b = arg;
    uint16_t key = bytes_load_u16(req->payload);
    if (key == 1) {
        net_request_add_bytes(req, req->payload, 2);
        net_request_add_file(req, b->file, 2, req->payload_len - 2);
        net_request_answer(req);
        return;
    }
    if (key != 0) {
        net_request_add_bytes(req, req->payload, req->payload_len);
        net_request_answer(req);
        return;
    }
    struct work *work = mem_alloc(sizeof(*work));
    work->job = (struct env_job){.run = run_work, .queue = ENV_QUEUE_WRITE};
    work->slice = iobuf_slice(req->frame, req->payload, req->payload_len);
    work->req = req;
    req->user = work;
    net_request_drop_frame(req);
    env_submit(real_env_env(b->real), &work->job);
}

static bool may_overlap(void *arg, const uint8_t *start, size_t len)
{
    return len >= 2 && bytes_load_u16(start) <= 1;
}

static uint8_t pattern(size_t pos)
{
    return (uint8_t)(pos * 7 + pos / 256);
}

static void all_closed(struct loop_task *task)
{
    struct broker *b = container_of(task, struct broker, done);
    if (atomic_load(&net_server_stats(b->server)->requests_in_flight) > 0) {
        loop_post(real_loop_loop(b->loops[0]), task); /* a worker has not answered yet */
        return;
    }
    for (int i = 0; i < LOOPS; i++)
        real_loop_stop(b->loops[i]);
}

/* ---- peers */

struct peer {
    struct real_peer_thread *thread;
    const struct broker *b;
    uint64_t seed;
    bool is_fine;
};

struct asked {
    uint16_t key;
    uint32_t size;
    uint8_t fill;
};

static bool ask(int fd, struct prng *p, uint8_t *frame, struct asked *asked)
{
    asked->key = (uint16_t)prng_below(p, 4);
    asked->size =
        (uint32_t)(prng_chance(p, 1, 4) ? prng_below(p, FRAME_MAX - 2) : prng_below(p, 300)) + 2;
    asked->fill = (uint8_t)prng_below(p, 256);
    bytes_store_u32(frame, asked->size);
    memset(frame + 4, asked->fill, asked->size);
    bytes_store_u16(frame + 4, asked->key);
    return real_peer_send(fd, frame, asked->size + 4);
}

static bool hear(int fd, uint8_t *frame, const struct asked *asked)
{
    if (!real_peer_read(fd, frame, 6) || bytes_load_u32(frame) != asked->size ||
        bytes_load_u16(frame + 4) != asked->key || !real_peer_read(fd, frame + 6, asked->size - 2))
        return false;
    for (size_t i = 2; i < asked->size; i++) {
        if (frame[4 + i] != (asked->key == 1 ? pattern(i) : asked->fill))
            return false;
    }
    return true;
}

/* Asks a few at a time, hears the answers in order; now and then leaves without hearing. */
static void peer_run(void *arg)
{
    struct peer *peer = arg;
    struct prng p;
    struct asked asked[4];
    uint8_t *frame = mem_alloc(FRAME_MAX + 4);
    prng_seed(&p, peer->seed);
    int fd = real_peer_dial(peer->b->addr.port);
    bool is_fine = fd >= 0;
    for (int round = 0; round < ROUNDS && is_fine; round++) {
        int count = (int)prng_below(&p, 4) + 1;
        for (int i = 0; i < count && is_fine; i++)
            is_fine = ask(fd, &p, frame, &asked[i]);
        if (is_fine && prng_chance(&p, 1, 10)) {
            real_peer_close(fd);
            fd = real_peer_dial(peer->b->addr.port);
            is_fine = fd >= 0;
            continue;
        }
        for (int i = 0; i < count && is_fine; i++)
            is_fine = hear(fd, frame, &asked[i]);
    }
    real_peer_close(fd);
    mem_free(frame);
    peer->is_fine = is_fine;
}

/* ---- the run */

static void write_pattern(struct broker *b, const char *path)
{
    uint8_t *bytes = mem_alloc(FRAME_MAX);
    for (size_t i = 0; i < FRAME_MAX; i++)
        bytes[i] = pattern(i);
    struct iovec iov = {bytes, FRAME_MAX};
    CHECK_EQUAL(env_file_open(real_env_env(b->real), path, ENV_READ | ENV_WRITE, &b->file), ERR_OK);
    CHECK_EQUAL(env_file_write(b->file, &iov, 1, 0), ERR_OK);
    mem_free(bytes);
}

static void start(struct broker *b, struct logger *logger, const char *path)
{
    struct real_env_options env_options = {.workers = 4, .logger = logger};
    struct net_options options = net_options_default();
    struct net_callbacks callbacks = {b, on_request, may_overlap, NULL};
    struct loop *loops[LOOPS];
    options.memory_bytes_max = 1 << 19; /* so that some have to wait */
    CHECK_EQUAL(real_env_new(&env_options, &b->real), ERR_OK);
    for (int i = 0; i < LOOPS; i++) {
        CHECK_EQUAL(real_loop_new(b->real, &b->loops[i]), ERR_OK);
        loops[i] = real_loop_loop(b->loops[i]);
    }
    write_pattern(b, path);
    net_server_new(real_env_env(b->real), loops, LOOPS, &options, &callbacks, &b->server);
    struct env_addr any = {.family = 4, .ip = {127, 0, 0, 1}};
    CHECK_EQUAL(net_server_listen(b->server, 0, &any, &b->addr), ERR_OK);
    b->done.run = all_closed;
    for (int i = 0; i < LOOPS; i++)
        CHECK_EQUAL(real_loop_start(b->loops[i], "klamm-reactor"), ERR_OK);
}

struct closing {
    struct loop_task task;
    struct broker *b;
};

static void begin_close(struct loop_task *task)
{
    struct broker *b = container_of(task, struct closing, task)->b;
    net_server_close(b->server, &b->done);
}

TEST(two_reactors_serve_many_peers)
{
    struct logger_file *log = NULL;
    struct broker b = {0};
    struct peer peers[PEERS];
    char path[256];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/klamm-net-XXXXXX", tmp != NULL ? tmp : "/tmp");
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQUAL(logger_file_open(NULL, LOG_WARN, &log), ERR_OK);
    start(&b, logger_file_logger(log), path);
    for (int i = 0; i < PEERS; i++) {
        peers[i] = (struct peer){.b = &b, .seed = (uint64_t)i + 1};
        peers[i].thread = real_peer_start(peer_run, &peers[i]);
    }
    int stays = real_peer_dial(b.addr.port); /* open to the end */
    CHECK(stays >= 0);
    for (int i = 0; i < PEERS; i++) {
        real_peer_join(peers[i].thread);
        CHECK(peers[i].is_fine);
    }
    struct closing closing = {.task.run = begin_close, .b = &b};
    loop_post(real_loop_loop(b.loops[0]), &closing.task);
    for (int i = 0; i < LOOPS; i++)
        real_loop_join(b.loops[i]);
    const struct net_stats *stats = net_server_stats(b.server);
    CHECK_EQUAL(stats->open, 0);
    CHECK(stats->accepted > PEERS);
    CHECK(stats->requests >= PEERS * ROUNDS);
    struct real_env *real = b.real;
    real_peer_close(stays);
    env_file_unref(b.file);
    CHECK_EQUAL(stats->requests_in_flight, 0);
    net_server_free(b.server);
    for (int i = 0; i < LOOPS; i++)
        real_loop_free(b.loops[i]);
    real_env_free(real);
    logger_file_close(log);
    unlink(path);
}
