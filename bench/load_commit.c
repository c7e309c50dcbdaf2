// SPDX-License-Identifier: Apache-2.0
/*
 * load_commit: OffsetCommit of one partition, a closed loop with one request in
 * flight on each of --conns connections, for --groups groups of one member.
 *
 * Connection i commits for the groups i, i + conns, i + 2 conns... in turn;
 * with fewer groups than connections several commit for the same group, as
 * its only member, which no real consumer does: there it is the commits of one
 * group that are many.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "crowd.h"
#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, SESSION_MS = 1800000 };

struct committer {
    struct conn conn; /* first: epoll's datum is the connection */
    int next;         /* group */
    uint64_t sent_at;
    bool is_waiting;
};

struct run {
    const struct load_options *o;
    struct committer *committers;
    struct kbuf *frames; /* one of each group */
    int epoll_fd;
    bool is_over;
    int in_flight;
    struct samples latency;
};

static const uint8_t *call(struct conn *c, struct kbuf *request, size_t *size)
{
    const uint8_t *frame = conn_call(c, request->data, request->size, size);
    request->size = 0;
    return frame;
}

/* A member of its own for the group, and the frame of its commits. */
static void prepare_group(const struct load_options *o, struct conn *c, int number,
                          struct kbuf *commit)
{
    char name[64];
    struct kbuf request = {0};
    struct join_answer joined = {0};
    int16_t error = -1;
    size_t size;
    snprintf(name, sizeof name, "%s-group-%d", o->topic, number);
    struct group_member_id who = {name, "", -1};
    put_join_group(&request, &who, o->topic, SESSION_MS);
    const uint8_t *frame = call(c, &request, &size);
    if (!read_join_answer(frame, size, &joined) || joined.error != 0)
        die("JoinGroup of %s: error %d", name, joined.error);
    who.member = joined.member;
    who.generation = joined.generation;
    put_sync_group(&request, &who, o->topic, &joined);
    conn_drop(c, size);
    frame = call(c, &request, &size);
    if (!read_group_answer(frame, size, &error) || error != 0)
        die("SyncGroup of %s: error %d", name, error);
    conn_drop(c, size);
    put_offset_commit(commit, &who, o->topic, 1000000 + number);
    kbuf_free(&request);
}

static void prepare(struct run *run)
{
    const struct load_options *o = run->o;
    struct conn c;
    run->frames = calloc((size_t)o->groups, sizeof run->frames[0]);
    run->committers = calloc((size_t)o->conns, sizeof run->committers[0]);
    if (run->frames == NULL || run->committers == NULL)
        die("no memory for %d groups", o->groups);
    conn_open(&c, o->port);
    for (int g = 0; g < o->groups; g++)
        prepare_group(o, &c, g, &run->frames[g]);
    conn_close(&c);
    for (int i = 0; i < o->conns; i++) {
        conn_open(&run->committers[i].conn, o->port);
        conn_watch(&run->committers[i].conn, run->epoll_fd);
        run->committers[i].next = i % o->groups;
    }
}

static void send_next(struct run *run, struct committer *c)
{
    if (run->is_over || c->is_waiting)
        return;
    const struct kbuf *frame = &run->frames[c->next];
    int first = (int)(c - run->committers) % run->o->groups;
    c->next = c->next + run->o->conns < run->o->groups ? c->next + run->o->conns : first;
    c->is_waiting = true;
    run->in_flight++;
    c->sent_at = now_ns();
    conn_send(&c->conn, run->epoll_fd, frame->data, frame->size);
}

static void take_answer(struct run *run, struct committer *c)
{
    size_t size;
    int16_t error = -1;
    const uint8_t *frame;
    if (!conn_receive(&c->conn) || (frame = conn_frame(&c->conn, &size)) == NULL)
        return;
    if (!read_offset_commit_answer(frame, size, &error) || error != 0)
        die("OffsetCommit: error %d", error);
    samples_add(&run->latency, now_ns() - c->sent_at);
    conn_drop(&c->conn, size);
    c->is_waiting = false;
    run->in_flight--;
}

static void turn(struct run *run)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(run->epoll_fd, events, EVENTS_MAX, 1000);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct committer *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            conn_send_rest(&c->conn, run->epoll_fd);
        if (events[i].events & ~(unsigned)EPOLLOUT)
            take_answer(run, c);
        send_next(run, c);
    }
}

static void run_for(struct run *run, double seconds)
{
    uint64_t deadline = now_ns() + (uint64_t)(seconds * 1e9);
    run->is_over = false;
    for (int i = 0; i < run->o->conns; i++)
        send_next(run, &run->committers[i]);
    while (now_ns() < deadline)
        turn(run);
    run->is_over = true;
    while (run->in_flight > 0)
        turn(run);
}

void load_commit(const struct load_options *o)
{
    struct run run = {.o = o, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    load_create_topic(o);
    await_coordinator(o->port, o->topic);
    prepare(&run);
    run_for(&run, o->warm_seconds);
    samples_clear(&run.latency);

    uint64_t ticks = cpu_ticks(o->pid);
    uint64_t start = now_ns();
    run_for(&run, o->seconds);
    double seconds = (double)(now_ns() - start) / 1e9;
    double cpu = cpu_seconds(cpu_ticks(o->pid) - ticks);
    printf("{\"mode\":\"commit\",\"groups\":%d,\"conns\":%d,\"requests\":%zu,\"seconds\":%.6f,"
           "\"cpu_s\":%.2f,\"requests_per_s\":%.1f,",
           o->groups, o->conns, run.latency.count, seconds, cpu,
           (double)run.latency.count / seconds);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f}\n", samples_us(&run.latency, 500),
           samples_us(&run.latency, 990));
    for (int i = 0; i < o->conns; i++)
        conn_close(&run.committers[i].conn);
    for (int g = 0; g < o->groups; g++)
        kbuf_free(&run.frames[g]);
    free(run.committers);
    free(run.frames);
    samples_free(&run.latency);
    close(run.epoll_fd);
}
