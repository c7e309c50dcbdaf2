// SPDX-License-Identifier: Apache-2.0
/*
 * load_metadata: creates --topics topics of one partition, a few hundred a
 * request; and asks for the metadata of all of them, or of --named of them, in
 * a closed loop on one connection.
 *
 * Every answer must tell of as many led partitions as were asked for.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "kwire_group.h"
#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { TOPICS_PER_REQUEST = 500, FRAMES = 64, READY_WITHIN_SECONDS = 600 };

struct asked {
    struct metadata_answer answer;
    size_t size;
    uint64_t took_ns; /* until the whole answer was here, not read */
};

/* It sleeps until much of the answer is there (see conn.h), which works with epoll only: a recv
 * that blocks is not woken for less than the low water, be it all that is missing. */
static struct asked ask(struct conn *c, int epoll_fd, const struct kbuf *request)
{
    struct asked asked;
    struct epoll_event event;
    const uint8_t *frame;
    uint64_t start = now_ns();
    conn_send(c, epoll_fd, request->data, request->size);
    while ((frame = conn_frame(c, &asked.size)) == NULL) {
        conn_sleep_until_much(c);
        if (epoll_wait(epoll_fd, &event, 1, -1) < 0 && errno != EINTR)
            die("epoll_wait: %s", strerror(errno));
        conn_send_rest(c, epoll_fd);
        conn_receive(c);
    }
    asked.took_ns = now_ns() - start;
    if (!read_metadata_answer(frame, asked.size, &asked.answer))
        die("Metadata is not answered well (%zu bytes)", asked.size);
    conn_drop(c, asked.size);
    return asked;
}

static int watch(struct conn *c)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1: %s", strerror(errno));
    conn_watch(c, epoll_fd);
    return epoll_fd;
}

void load_wait_until_led(const struct load_options *o, struct conn *c)
{
    struct kbuf request = {0};
    uint64_t deadline = now_ns() + READY_WITHIN_SECONDS * 1000000000ull;
    put_metadata_all(&request);
    int epoll_fd = watch(c);
    while (ask(c, epoll_fd, &request).answer.led < o->topics) {
        if (now_ns() > deadline)
            die("%d topics are not led after %d s", o->topics, READY_WITHIN_SECONDS);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    close(epoll_fd);
    kbuf_free(&request);
}

void load_topics(const struct load_options *o)
{
    struct conn c;
    struct kbuf request = {0};
    conn_open(&c, o->port);
    uint64_t ticks = cpu_ticks(o->pid);
    uint64_t start = now_ns();
    for (int first = 0; first < o->topics; first += TOPICS_PER_REQUEST) {
        int left = o->topics - first;
        int count = left < TOPICS_PER_REQUEST ? left : TOPICS_PER_REQUEST;
        size_t size;
        int16_t error = -1;
        int32_t answered = 0;
        request.size = 0;
        put_create_topics(&request, first, count);
        const uint8_t *frame = conn_call(&c, request.data, request.size, &size);
        if (!read_create_topics_answer(frame, size, &error, &answered) || error != 0 ||
            answered != count)
            die("CreateTopics %d to %d: error %d", first, first + count - 1, error);
        conn_drop(&c, size);
    }
    load_wait_until_led(o, &c);
    double seconds = (double)(now_ns() - start) / 1e9;
    double cpu = cpu_seconds(cpu_ticks(o->pid) - ticks);
    printf("{\"mode\":\"topics\",\"topics\":%d,\"seconds\":%.3f,\"cpu_s\":%.2f}\n", o->topics,
           seconds, cpu);
    kbuf_free(&request);
    conn_close(&c);
}

/* Different names in each of the frames, far from each other in any order of names. */
static void make_frames(const struct load_options *o, struct kbuf *frames)
{
    enum { NAMED_MAX = 1000, STEP = 7919 };
    int numbers[NAMED_MAX];
    if (o->named > NAMED_MAX)
        die("--named is %d at most", NAMED_MAX);
    for (int f = 0, at = 0; f < FRAMES; f++) {
        for (int i = 0; i < o->named; i++, at = (at + STEP) % o->topics)
            numbers[i] = at;
        if (o->named == 0)
            put_metadata_all(&frames[f]);
        else
            put_metadata_of(&frames[f], numbers, o->named);
    }
}

struct run {
    const struct load_options *o;
    struct conn conn;
    int epoll_fd;
    struct kbuf frames[FRAMES];
    struct samples latency;
    size_t answer_size; /* of the last */
};

/* At least once. */
static void ask_for(struct run *run, double seconds)
{
    const struct load_options *o = run->o;
    int wanted = o->named > 0 ? o->named : o->topics;
    uint64_t deadline = now_ns() + (uint64_t)(seconds * 1e9);
    samples_clear(&run->latency);
    do {
        const struct kbuf *frame = &run->frames[run->latency.count % FRAMES];
        struct asked asked = ask(&run->conn, run->epoll_fd, frame);
        if (asked.answer.error != 0 || asked.answer.led < wanted)
            die("Metadata: error %d, %d of %d led", asked.answer.error, asked.answer.led, wanted);
        samples_add(&run->latency, asked.took_ns);
        run->answer_size = asked.size;
    } while (now_ns() < deadline);
}

void load_metadata(const struct load_options *o)
{
    struct run run = {.o = o};
    if (o->topics == 0)
        die("metadata wants --topics");
    make_frames(o, run.frames);
    conn_open(&run.conn, o->port);
    run.epoll_fd = watch(&run.conn);
    ask_for(&run, o->warm_seconds);

    uint64_t ticks = cpu_ticks(o->pid);
    uint64_t start = now_ns();
    ask_for(&run, o->seconds);
    double seconds = (double)(now_ns() - start) / 1e9;
    double cpu = cpu_seconds(cpu_ticks(o->pid) - ticks);
    printf("{\"mode\":\"metadata\",\"topics\":%d,\"named\":%d,\"requests\":%zu,"
           "\"seconds\":%.6f,\"cpu_s\":%.2f,\"answer_bytes\":%zu,",
           o->topics, o->named, run.latency.count, seconds, cpu, run.answer_size);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f}\n", samples_us(&run.latency, 500),
           samples_us(&run.latency, 990));
    for (int f = 0; f < FRAMES; f++)
        kbuf_free(&run.frames[f]);
    samples_free(&run.latency);
    conn_close(&run.conn);
    close(run.epoll_fd);
}
