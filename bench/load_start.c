// SPDX-License-Identifier: Apache-2.0
/*
 * load_start: runs a broker's command line and measures from just before the
 * exec to the first acknowledged record (acks=all on a new topic). Then it ends
 * the broker by SIGTERM.
 *
 * It tries again at each step, as a client would: connection refused, topic
 * not created yet, partition not led yet.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TOPIC_EXISTS = 36, WITHIN_SECONDS = 170, STOP_WITHIN_SECONDS = 60 };

struct attempt {
    const struct load_options *o;
    uint64_t deadline;
    pid_t child;
};

static void wait_a_little(const struct attempt *a)
{
    if (now_ns() > a->deadline)
        die("no acknowledged record within %d s", WITHIN_SECONDS);
    if (waitpid(a->child, NULL, WNOHANG) == a->child)
        die("the broker ended: %s", a->o->command[0]);
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void connect_when_open(const struct attempt *a, struct conn *c)
{
    int fd;
    while ((fd = connect_loopback(a->o->port, 0)) < 0)
        wait_a_little(a);
    *c = (struct conn){.fd = fd};
}

static void create_when_served(const struct attempt *a, struct conn *c)
{
    struct kbuf request = {0};
    struct topic_spec topic = {.name = a->o->topic, .partitions = 1};
    put_create_topic(&request, &topic);
    for (;;) {
        size_t size;
        int16_t error = -1;
        const uint8_t *frame = conn_call(c, request.data, request.size, &size);
        bool is_read = read_create_topic_answer(frame, size, &error);
        conn_drop(c, size);
        if (is_read && (error == 0 || error == TOPIC_EXISTS))
            break;
        wait_a_little(a);
    }
    kbuf_free(&request);
}

static void produce_when_led(const struct attempt *a, struct conn *c)
{
    struct kbuf request = {0};
    struct produce_spec spec = {
        .topic = a->o->topic, .acks = a->o->acks, .shape = load_shape(a->o)};
    put_produce(&request, &spec);
    for (;;) {
        size_t size;
        struct produce_answer answer = {.error = -1};
        const uint8_t *frame = conn_call(c, request.data, request.size, &size);
        bool is_read = read_produce_answer(frame, size, &answer);
        conn_drop(c, size);
        if (is_read && answer.error == 0)
            break;
        wait_a_little(a);
    }
    kbuf_free(&request);
}

/* How long the clean stop took. */
static double stop(pid_t child)
{
    uint64_t start = now_ns();
    kill(child, SIGTERM);
    while (waitpid(child, NULL, WNOHANG) == 0) {
        if (now_ns() - start > STOP_WITHIN_SECONDS * 1000000000ull)
            kill(child, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return (double)(now_ns() - start) / 1e6;
}

void load_start(const struct load_options *o)
{
    if (o->command[0] == NULL)
        die("start wants -- COMMAND...");
    uint64_t start = now_ns();
    struct attempt a = {
        .o = o, .deadline = start + WITHIN_SECONDS * 1000000000ull, .child = fork()};
    if (a.child < 0)
        die("fork: %s", strerror(errno));
    if (a.child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);   /* when this program gives up */
        dup2(STDERR_FILENO, STDOUT_FILENO); /* our own output is one JSON line */
        execvp(o->command[0], o->command);
        fprintf(stderr, "bench: %s: %s\n", o->command[0], strerror(errno));
        _exit(127);
    }
    struct conn c;
    connect_when_open(&a, &c);
    double connected_ms = (double)(now_ns() - start) / 1e6;
    if (!o->keep_topic)
        create_when_served(&a, &c);
    double created_ms = (double)(now_ns() - start) / 1e6;
    produce_when_led(&a, &c);
    double acked_ms = (double)(now_ns() - start) / 1e6;
    if (o->topics > 0)
        load_wait_until_led(o, &c);
    double led_ms = (double)(now_ns() - start) / 1e6;
    double cpu = cpu_seconds(cpu_ticks((int)a.child));
    conn_close(&c);
    double stop_ms = stop(a.child);
    printf("{\"mode\":\"start\",\"connected_ms\":%.2f,\"created_ms\":%.2f,\"acked_ms\":%.2f,"
           "\"led_ms\":%.2f,\"cpu_s\":%.2f,\"stop_ms\":%.1f}\n",
           connected_ms, created_ms, acked_ms, led_ms, cpu, stop_ms);
}
