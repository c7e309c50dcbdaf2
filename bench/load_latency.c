// SPDX-License-Identifier: Apache-2.0
/*
 * load_latency: end to end at a fixed rate. Records fall due by a timer; a
 * producer sends what is due (several records in one batch when it already
 * has IN_FLIGHT_MAX requests out, as real clients do); a consumer long-polls.
 *
 * All latencies count from the instant at which a record fell due, so a stall
 * is charged to every record that it held up.
 *
 * Thread: one thread in the whole program; both ends share one clock.
 */
#include "load.h"

#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 5, RECORDS_MAX = 500, DRAIN_SECONDS = 20 };

struct request {
    struct kbuf frame;
    uint64_t stamps[RECORDS_MAX];
    int32_t count;
};

struct run {
    const struct load_options *o;
    int epoll_fd;
    int timer_fd;
    struct conn producer;
    struct conn consumer;
    struct request ring[IN_FLIGHT_MAX];
    int oldest;
    int in_flight;
    struct kbuf fetch;
    int64_t offset;
    uint64_t start_ns;
    uint64_t measured_from; /* records due from here on count */
    double interval_ns;
    uint64_t total; /* records of the whole run */
    uint64_t due;
    uint64_t sent;
    uint64_t received;
    uint64_t requests;
    struct samples ack;
    struct samples end_to_end;
};

static uint64_t due_at(const struct run *run, uint64_t index)
{
    return run->start_ns + (uint64_t)((double)index * run->interval_ns);
}

static void send_due(struct run *run)
{
    while (run->sent < run->due && run->in_flight < IN_FLIGHT_MAX && run->producer.out_size == 0) {
        struct request *request = &run->ring[(run->oldest + run->in_flight) % IN_FLIGHT_MAX];
        request->count = 0;
        while (run->sent < run->due && request->count < RECORDS_MAX)
            request->stamps[request->count++] = due_at(run, run->sent++);
        struct produce_spec spec = {.topic = run->o->topic,
                                    .acks = run->o->acks,
                                    .shape = {.count = request->count,
                                              .value_size = run->o->value_size,
                                              .stamps = request->stamps}};
        request->frame.size = 0;
        put_produce(&request->frame, &spec);
        run->in_flight++;
        run->requests++;
        conn_send(&run->producer, run->epoll_fd, request->frame.data, request->frame.size);
    }
}

static void take_acks(struct run *run)
{
    size_t size;
    const uint8_t *frame;
    if (!conn_receive(&run->producer))
        return;
    while ((frame = conn_frame(&run->producer, &size)) != NULL) {
        struct produce_answer answer = {0};
        if (!read_produce_answer(frame, size, &answer) || answer.error != 0)
            die("Produce: error %d", answer.error);
        const struct request *request = &run->ring[run->oldest];
        uint64_t now = now_ns();
        for (int32_t i = 0; i < request->count; i++)
            if (request->stamps[i] >= run->measured_from)
                samples_add(&run->ack, now - request->stamps[i]);
        run->oldest = (run->oldest + 1) % IN_FLIGHT_MAX;
        run->in_flight--;
        conn_drop(&run->producer, size);
    }
    send_due(run);
}

static void ask(struct run *run)
{
    struct fetch_spec spec = {.topic = run->o->topic,
                              .offset = run->offset,
                              .max_wait_ms = 500,
                              .partition_bytes_max = 1024 * 1024};
    run->fetch.size = 0;
    put_fetch(&run->fetch, &spec);
    conn_send(&run->consumer, run->epoll_fd, run->fetch.data, run->fetch.size);
}

static void take_batch(struct run *run, const uint8_t *batch, size_t size, uint64_t now)
{
    struct kreader r = {.at = batch + BATCH_HEADER_SIZE, .end = batch + size};
    int32_t count = load_i32(batch + 57);
    for (int32_t i = 0; i < count; i++) {
        get_varint(&r); /* length */
        get_i8(&r);
        get_varint(&r); /* timestamp delta */
        get_varint(&r); /* offset delta */
        get_varint(&r); /* null key */
        int32_t value_size = get_varint(&r);
        const uint8_t *value = get_bytes(&r, value_size < 8 ? 8 : (size_t)value_size);
        get_varint(&r); /* headers */
        if (r.failed)
            die("a batch that cannot be read at offset %lld", (long long)run->offset);
        uint64_t stamp = (uint64_t)load_i64(value);
        if (stamp >= run->measured_from)
            samples_add(&run->end_to_end, now - stamp);
    }
    run->received += (uint64_t)count;
    run->offset = load_i64(batch) + count;
}

static void take_records(struct run *run)
{
    size_t size;
    const uint8_t *frame;
    if (!conn_receive(&run->consumer) || (frame = conn_frame(&run->consumer, &size)) == NULL)
        return;
    struct fetch_answer answer = {0};
    if (!read_fetch_answer(frame, size, &answer) || answer.error != 0)
        die("Fetch: error %d", answer.error);
    uint64_t now = now_ns();
    size_t at = 0;
    while (answer.records_size - at > BATCH_HEADER_SIZE) {
        const uint8_t *batch = answer.records + at;
        size_t batch_bytes = (size_t)load_i32(batch + 8) + 12;
        if (batch_bytes > answer.records_size - at)
            break;
        take_batch(run, batch, batch_bytes, now);
        at += batch_bytes;
    }
    conn_drop(&run->consumer, size);
    ask(run);
}

static void take_timer(struct run *run)
{
    uint64_t expired;
    if (read(run->timer_fd, &expired, sizeof expired) != sizeof expired)
        return;
    uint64_t now = now_ns();
    while (run->due < run->total && due_at(run, run->due) <= now)
        run->due++;
    send_due(run);
}

static void turn(struct run *run)
{
    struct epoll_event events[8];
    int n = epoll_wait(run->epoll_fd, events, 8, 1000);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        void *who = events[i].data.ptr;
        bool can_write = (events[i].events & EPOLLOUT) != 0;
        bool can_read = (events[i].events & ~(unsigned)EPOLLOUT) != 0;
        if (who == &run->timer_fd)
            take_timer(run);
        if (who == &run->producer && can_write)
            conn_send_rest(&run->producer, run->epoll_fd);
        if (who == &run->producer && can_read)
            take_acks(run);
        if (who == &run->consumer && can_write)
            conn_send_rest(&run->consumer, run->epoll_fd);
        if (who == &run->consumer && can_read)
            take_records(run);
    }
}

static void open_run(struct run *run)
{
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &run->timer_fd};
    if (run->timer_fd < 0 || epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->timer_fd, &event) != 0)
        die("timer: %s", strerror(errno));
    conn_open(&run->producer, run->o->port);
    conn_watch(&run->producer, run->epoll_fd);
    conn_open(&run->consumer, run->o->port);
    conn_watch(&run->consumer, run->epoll_fd);
    ask(run);

    long step = (long)(run->interval_ns / 2); /* due at most half an interval late */
    struct itimerspec every = {.it_interval = {step / 1000000000, step % 1000000000},
                               .it_value = {0, 1}};
    run->start_ns = now_ns();
    run->measured_from = run->start_ns + (uint64_t)(run->o->warm_seconds * 1e9);
    if (timerfd_settime(run->timer_fd, 0, &every, NULL) != 0)
        die("timer: %s", strerror(errno));
}

static void close_run(struct run *run)
{
    conn_close(&run->producer);
    conn_close(&run->consumer);
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        kbuf_free(&run->ring[i].frame);
    kbuf_free(&run->fetch);
    samples_free(&run->ack);
    samples_free(&run->end_to_end);
    close(run->timer_fd);
    close(run->epoll_fd);
}

void load_latency(const struct load_options *o)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        die("no memory");
    run->o = o;
    run->interval_ns = 1e9 / o->rate;
    run->total = (uint64_t)(o->rate * (o->warm_seconds + o->seconds));
    load_create_topic(o);
    open_run(run);

    while (now_ns() < run->measured_from)
        turn(run);
    uint64_t ticks = cpu_ticks(o->pid);
    uint64_t deadline = run->measured_from + (uint64_t)((o->seconds + DRAIN_SECONDS) * 1e9);
    while (run->received < run->total) {
        if (now_ns() > deadline)
            die("%llu of %llu records came through", (unsigned long long)run->received,
                (unsigned long long)run->total);
        turn(run);
    }
    double seconds = (double)(now_ns() - run->measured_from) / 1e9;
    double cpu = cpu_seconds(cpu_ticks(o->pid) - ticks);

    printf("{\"mode\":\"latency\",\"rate\":%.0f,\"acks\":%d,\"records\":%zu,\"seconds\":%.3f,"
           "\"cpu_s\":%.2f,\"records_per_request\":%.2f,",
           o->rate, o->acks, run->end_to_end.count, seconds, cpu,
           (double)run->total / (double)run->requests);
    printf("\"ack_p50_us\":%.1f,\"ack_p99_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f}\n",
           samples_us(&run->ack, 500), samples_us(&run->ack, 990),
           samples_us(&run->end_to_end, 500), samples_us(&run->end_to_end, 990),
           samples_us(&run->end_to_end, 1000));
    close_run(run);
    free(run);
}
