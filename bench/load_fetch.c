// SPDX-License-Identifier: Apache-2.0
/*
 * load_fetch: reads back, over --conns connections, what load_produce wrote
 * with the same options; connection i reads partition i, --passes times.
 *
 * A fetch asks for a whole number of batches, so no broker is charged for a
 * partial batch that would be sent twice. With --seconds it stops then, wherever
 * it is.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

struct consumer {
    struct conn conn; /* first: epoll's datum is the connection */
    struct kbuf frame;
    int64_t offset;
    int64_t end; /* high watermark as the last answer said */
    int32_t partition;
};

struct run {
    const struct load_options *o;
    struct batch_shape shape;
    size_t batch_bytes;
    struct consumer *consumers;
    int epoll_fd;
    int done;
    uint64_t bytes;
    uint64_t requests;
    uint64_t deadline; /* 0: none */
    bool is_over;
};

static void ask(struct run *run, struct consumer *c)
{
    struct fetch_spec spec = {.topic = run->o->topic,
                              .partition = c->partition,
                              .offset = c->offset,
                              .max_wait_ms = 500,
                              .partition_bytes_max =
                                  (int32_t)(run->batch_bytes * run->o->fetch_batches)};
    c->frame.size = 0;
    put_fetch(&c->frame, &spec);
    conn_send(&c->conn, run->epoll_fd, c->frame.data, c->frame.size);
    run->requests++;
}

/* --check: each batch is whole, continues the offsets, and has its CRC. */
static void check_batches(const struct run *run, const struct consumer *c, const uint8_t *records,
                          size_t whole)
{
    int64_t offset = c->offset;
    for (size_t at = 0; at < whole; at += run->batch_bytes) {
        const uint8_t *batch = records + at;
        if (load_i64(batch) != offset)
            die("partition %d: offset %lld where %lld was due", c->partition,
                (long long)load_i64(batch), (long long)offset);
        if ((size_t)load_i32(batch + 8) + 12 != run->batch_bytes)
            die("partition %d: a batch of another size", c->partition);
        if (batch_crc(batch, run->batch_bytes) != (uint32_t)load_i32(batch + 17))
            die("partition %d: bad CRC at offset %lld", c->partition, (long long)offset);
        offset += run->shape.count;
    }
}

static void take_answer(struct run *run, struct consumer *c)
{
    size_t size;
    const uint8_t *frame = conn_frame(&c->conn, &size);
    if (frame == NULL)
        return;
    struct fetch_answer answer = {0};
    if (!read_fetch_answer(frame, size, &answer) || answer.error != 0)
        die("Fetch: error %d", answer.error);
    size_t batches = answer.records_size / run->batch_bytes;
    if (run->o->check)
        check_batches(run, c, answer.records, batches * run->batch_bytes);
    c->end = answer.high_watermark;
    c->offset += (int64_t)batches * run->shape.count;
    run->bytes += batches * run->batch_bytes;
    conn_drop(&c->conn, size);
    if (c->offset < c->end) {
        ask(run, c);
    } else {
        c->offset = 0;
        run->done++;
    }
}

static void read_all(struct run *run)
{
    struct epoll_event events[EVENTS_MAX];
    run->done = 0;
    for (int i = 0; i < run->o->conns; i++)
        ask(run, &run->consumers[i]);
    while (run->done < run->o->conns && !run->is_over) {
        run->is_over = run->deadline != 0 && now_ns() >= run->deadline;
        int n = epoll_wait(run->epoll_fd, events, EVENTS_MAX, 1000);
        if (n < 0 && errno != EINTR)
            die("epoll_wait: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            struct consumer *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                conn_send_rest(&c->conn, run->epoll_fd);
            if ((events[i].events & ~(unsigned)EPOLLOUT) && conn_receive(&c->conn)) {
                take_answer(run, c);
                conn_sleep_until_much(&c->conn);
            }
        }
    }
}

void load_fetch(const struct load_options *o)
{
    struct run run = {.o = o, .shape = load_shape(o), .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    run.batch_bytes = batch_size(&run.shape);
    run.consumers = calloc((size_t)o->conns, sizeof *run.consumers);
    if (run.consumers == NULL)
        die("no memory for %d connections", o->conns);
    for (int i = 0; i < o->conns; i++) {
        run.consumers[i].partition = i;
        conn_open(&run.consumers[i].conn, o->port);
        conn_watch(&run.consumers[i].conn, run.epoll_fd);
    }

    uint64_t ticks = cpu_ticks(o->pid);
    uint64_t start = now_ns();
    if (o->seconds > 0)
        run.deadline = start + (uint64_t)(o->seconds * 1e9);
    for (int pass = 0; pass < o->passes && !run.is_over; pass++)
        read_all(&run);
    double seconds = (double)(now_ns() - start) / 1e9;
    double cpu = cpu_seconds(cpu_ticks(o->pid) - ticks);
    uint64_t due = o->bytes / run.batch_bytes * run.batch_bytes * (uint64_t)o->passes;
    if (o->bytes > 0 && run.bytes != due && !run.is_over)
        die("read %llu bytes where %llu were due", (unsigned long long)run.bytes,
            (unsigned long long)due);

    printf("{\"mode\":\"fetch\",\"conns\":%d,\"requests\":%llu,\"bytes\":%llu,\"checked\":%s,"
           "\"seconds\":%.6f,\"cpu_s\":%.2f,\"bytes_per_s\":%.0f}\n",
           o->conns, (unsigned long long)run.requests, (unsigned long long)run.bytes,
           o->check ? "true" : "false", seconds, cpu, (double)run.bytes / seconds);
    for (int i = 0; i < o->conns; i++) {
        conn_close(&run.consumers[i].conn);
        kbuf_free(&run.consumers[i].frame);
    }
    free(run.consumers);
    close(run.epoll_fd);
}
