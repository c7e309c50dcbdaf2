// SPDX-License-Identifier: Apache-2.0
/*
 * load_produce: a closed loop of Produce requests, --depth of them in flight
 * on each connection. Serves the throughput rows (large batches) as well as
 * the one-record rows.
 *
 * The same frame goes out again and again on a connection: the batch is what
 * the broker sees as new, and its checksum does not cover what changes. With
 * --rotate only the partition in it changes: requests go round all partitions,
 * whichever connection they are on.
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

struct producer {
    struct conn conn; /* first: epoll's datum is the connection */
    struct kbuf frame;
    size_t partition_pos; /* in the frame */
    uint64_t *sent_at;    /* ring of --depth */
    int sent_index;
    int in_flight;
};

struct run {
    const struct load_options *o;
    struct producer *producers;
    int epoll_fd;
    bool is_over;  /* nothing new is sent */
    uint64_t sent; /* requests, since the last mark */
    uint64_t answered;
    uint64_t sent_max;
    struct samples latency;
    size_t frame_bytes;
    int next_partition; /* with --rotate */
};

static void send_more(struct run *run, struct producer *p)
{
    while (!run->is_over && p->conn.out_size == 0 && p->in_flight < run->o->depth) {
        if (run->sent_max > 0 && run->sent == run->sent_max)
            return;
        run->sent++;
        p->sent_at[(p->sent_index + p->in_flight) % run->o->depth] = now_ns();
        p->in_flight++;
        if (run->o->rotate) {
            store_i32(p->frame.data + p->partition_pos, run->next_partition);
            run->next_partition = (run->next_partition + 1) % run->o->partitions;
        }
        conn_send(&p->conn, run->epoll_fd, p->frame.data, p->frame.size);
    }
}

static void take_answers(struct run *run, struct producer *p)
{
    size_t size;
    const uint8_t *frame;
    if (!conn_receive(&p->conn))
        return;
    while ((frame = conn_frame(&p->conn, &size)) != NULL) {
        struct produce_answer answer = {0};
        if (!read_produce_answer(frame, size, &answer) || answer.error != 0)
            die("Produce: error %d", answer.error);
        samples_add(&run->latency, now_ns() - p->sent_at[p->sent_index]);
        p->sent_index = (p->sent_index + 1) % run->o->depth;
        p->in_flight--;
        run->answered++;
        conn_drop(&p->conn, size);
    }
}

static void turn(struct run *run)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(run->epoll_fd, events, EVENTS_MAX, run->o->spin ? 0 : 1000);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct producer *p = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            conn_send_rest(&p->conn, run->epoll_fd);
        if (events[i].events & ~(unsigned)EPOLLOUT)
            take_answers(run, p);
        send_more(run, p);
    }
}

static void open_producers(struct run *run)
{
    const struct load_options *o = run->o;
    run->producers = calloc((size_t)o->conns, sizeof *run->producers);
    if (run->producers == NULL)
        die("no memory for %d connections", o->conns);
    for (int i = 0; i < o->conns; i++) {
        struct producer *p = &run->producers[i];
        struct produce_spec spec = {.topic = o->topic,
                                    .partition = i % o->partitions,
                                    .acks = o->acks,
                                    .shape = load_shape(o)};
        conn_open(&p->conn, o->port);
        conn_watch(&p->conn, run->epoll_fd);
        p->partition_pos = put_produce(&p->frame, &spec);
        p->sent_at = calloc((size_t)o->depth, sizeof *p->sent_at);
        if (p->sent_at == NULL)
            die("no memory for a depth of %d", o->depth);
        run->frame_bytes = p->frame.size;
    }
}

/* Keeps all connections busy until sent_max or the deadline (0: none). */
static void run_until(struct run *run, uint64_t deadline)
{
    for (int i = 0; i < run->o->conns; i++)
        send_more(run, &run->producers[i]);
    while (deadline == 0 ? run->answered < run->sent_max : now_ns() < deadline)
        turn(run);
}

static void drain(struct run *run)
{
    run->is_over = true;
    while (run->answered < run->sent)
        turn(run);
    run->is_over = false;
}

static void restart_counts(struct run *run)
{
    run->sent = 0;
    run->answered = 0;
    samples_clear(&run->latency);
}

static void close_producers(struct run *run)
{
    for (int i = 0; i < run->o->conns; i++) {
        conn_close(&run->producers[i].conn);
        kbuf_free(&run->producers[i].frame);
        free(run->producers[i].sent_at);
    }
    free(run->producers);
    samples_free(&run->latency);
    close(run->epoll_fd);
}

void load_produce(const struct load_options *o)
{
    struct run run = {.o = o, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    struct batch_shape shape = load_shape(o);
    load_create_topic(o);
    open_producers(&run);
    if (o->warm_seconds > 0) {
        run_until(&run, now_ns() + (uint64_t)(o->warm_seconds * 1e9));
        drain(&run);
        restart_counts(&run);
    }

    run.sent_max = o->bytes / batch_size(&shape);
    if (o->bytes > 0 && run.sent_max < (uint64_t)o->conns)
        die("--bytes is less than one request for each connection");
    uint64_t user, user_before, system, system_before;
    cpu_ticks_split(o->pid, &user_before, &system_before);
    uint64_t own_ticks = cpu_ticks(getpid());
    uint64_t start = now_ns();
    run_until(&run, o->bytes > 0 ? 0 : start + (uint64_t)(o->seconds * 1e9));
    drain(&run);
    double seconds = (double)(now_ns() - start) / 1e9;
    cpu_ticks_split(o->pid, &user, &system);
    double cpu = cpu_seconds(user + system - user_before - system_before);
    double load_cpu = cpu_seconds(cpu_ticks(getpid()) - own_ticks);

    uint64_t bytes = run.answered * batch_size(&shape);
    printf("{\"mode\":\"produce\",\"conns\":%d,\"depth\":%d,\"acks\":%d,\"requests\":%llu,"
           "\"records\":%llu,\"bytes\":%llu,\"batch_bytes\":%zu,\"seconds\":%.6f,\"cpu_s\":%.2f,",
           o->conns, o->depth, o->acks, (unsigned long long)run.answered,
           (unsigned long long)run.answered * (unsigned long long)shape.count,
           (unsigned long long)bytes, batch_size(&shape), seconds, cpu);
    printf("\"system_s\":%.2f,\"load_cpu_s\":%.2f,\"requests_per_s\":%.1f,\"bytes_per_s\":%.0f,"
           "\"p50_us\":%.1f,"
           "\"p99_us\":%.1f}\n",
           cpu_seconds(system - system_before), load_cpu, (double)run.answered / seconds,
           (double)bytes / seconds, samples_us(&run.latency, 500), samples_us(&run.latency, 990));
    close_producers(&run);
}
