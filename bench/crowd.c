// SPDX-License-Identifier: Apache-2.0
/*
 * crowd: consumers of classic groups (see crowd.h).
 *
 *      OUT --JoinGroup--> JOINING --answer, SyncGroup--> SYNCING --answer--> STABLE
 *                            ^                              |                  |
 *                            '------- REBALANCE_IN_PROGRESS-'------------------'
 *
 * Thread: each crowd belongs to one thread.
 */
#include "crowd.h"

#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, RUN_WITHIN_SECONDS = 60, NS_PER_MS = 1000000 };

static struct group_member_id who_is(const struct consumer *c)
{
    return (struct group_member_id){c->group, c->id, c->generation};
}

static void send_frame(struct crowd *crowd, struct consumer *c, int16_t api)
{
    if (c->awaited >= 0 || c->conn.out_size > 0)
        die("a consumer has two requests in flight: %d and %d", c->awaited, api);
    c->awaited = api;
    c->heartbeat_at = 0;
    conn_send(&c->conn, crowd->epoll_fd, c->frame.data, c->frame.size);
}

void consumer_join(struct crowd *crowd, struct consumer *c)
{
    if (c->state == CONSUMER_OUT)
        c->id[0] = '\0';
    struct group_member_id who = who_is(c);
    c->frame.size = 0;
    put_join_group(&c->frame, &who, crowd->topic, c->session_ms);
    c->state = CONSUMER_JOINING;
    send_frame(crowd, c, API_JOIN_GROUP);
}

void consumer_leave(struct crowd *crowd, struct consumer *c)
{
    struct group_member_id who = who_is(c);
    c->frame.size = 0;
    put_leave_group(&c->frame, &who);
    c->state = CONSUMER_OUT;
    send_frame(crowd, c, API_LEAVE_GROUP);
}

void consumer_heartbeat(struct crowd *crowd, struct consumer *c)
{
    struct group_member_id who = who_is(c);
    c->frame.size = 0;
    put_heartbeat(&c->frame, &who);
    send_frame(crowd, c, API_HEARTBEAT);
}

static void take_joined(struct crowd *crowd, struct consumer *c, const uint8_t *frame, size_t size)
{
    struct join_answer answer;
    if (!read_join_answer(frame, size, &answer) || answer.error != 0)
        die("JoinGroup of %s: error %d", c->group, answer.error);
    memcpy(c->id, answer.member, sizeof c->id);
    c->generation = answer.generation;
    struct group_member_id who = who_is(c);
    c->frame.size = 0;
    put_sync_group(&c->frame, &who, crowd->topic, answer.is_leader ? &answer : NULL);
    crowd->rounds += answer.is_leader;
    c->state = CONSUMER_SYNCING;
    send_frame(crowd, c, API_SYNC_GROUP);
}

static void take_short(struct crowd *crowd, struct consumer *c, const uint8_t *frame, size_t size,
                       int16_t api)
{
    int16_t error = -1;
    bool is_read = read_group_answer(frame, size, &error);
    if (is_read && error == ERROR_REBALANCE && api != API_LEAVE_GROUP) {
        consumer_join(crowd, c);
        return;
    }
    if (!is_read || error != 0)
        die("API %d of %s: error %d", api, c->group, error);
    if (api == API_LEAVE_GROUP)
        return;
    c->state = CONSUMER_STABLE;
    c->heartbeat_at = now_ns() + crowd->heartbeat_ns;
}

static void take_answer(struct crowd *crowd, struct consumer *c)
{
    size_t size;
    const uint8_t *frame;
    if (!conn_receive(&c->conn) || (frame = conn_frame(&c->conn, &size)) == NULL)
        return;
    int16_t api = c->awaited;
    c->awaited = -1;
    crowd->answers++;
    if (api == API_JOIN_GROUP)
        take_joined(crowd, c, frame, size);
    else
        take_short(crowd, c, frame, size, api);
    conn_drop(&c->conn, size);
}

/* When the next heartbeat is due; UINT64_MAX: none. */
static uint64_t send_heartbeats(struct crowd *crowd)
{
    uint64_t now = now_ns(), next = UINT64_MAX;
    if (crowd->is_quiet)
        return next;
    for (int i = 0; i < crowd->count; i++) {
        struct consumer *c = &crowd->consumers[i];
        if (c->state != CONSUMER_STABLE || c->awaited >= 0 || c->heartbeat_at == 0)
            continue;
        if (c->heartbeat_at <= now)
            consumer_heartbeat(crowd, c);
        else if (c->heartbeat_at < next)
            next = c->heartbeat_at;
    }
    return next;
}

static void turn(struct crowd *crowd)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t next = send_heartbeats(crowd), now = now_ns();
    uint64_t wait_ms = next == UINT64_MAX ? 1000 : next <= now ? 0 : (next - now) / NS_PER_MS + 1;
    int n = epoll_wait(crowd->epoll_fd, events, EVENTS_MAX, (int)wait_ms);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct consumer *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            conn_send_rest(&c->conn, crowd->epoll_fd);
        if (events[i].events & ~(unsigned)EPOLLOUT)
            take_answer(crowd, c);
    }
}

static bool is_settled(const struct consumer *first, int count, int32_t generation)
{
    int32_t theirs = -1;
    for (int i = 0; i < count; i++) {
        const struct consumer *c = &first[i];
        if (c->awaited >= 0 && c->awaited != API_HEARTBEAT)
            return false;
        if (c->state == CONSUMER_OUT)
            continue;
        if (c->state != CONSUMER_STABLE || c->generation <= generation ||
            (theirs >= 0 && c->generation != theirs))
            return false;
        theirs = c->generation;
    }
    return true;
}

uint64_t crowd_run(struct crowd *crowd, int size, int32_t generation)
{
    uint64_t deadline = now_ns() + RUN_WITHIN_SECONDS * 1000000000ull;
    for (int first = 0; first + size <= crowd->count;) {
        if (is_settled(&crowd->consumers[first], size, generation)) {
            first += size;
            continue;
        }
        first = 0;
        turn(crowd);
        if (now_ns() > deadline)
            die("group %s is not stable after %d s", crowd->consumers[first].group,
                RUN_WITHIN_SECONDS);
    }
    uint64_t settled_at = now_ns();
    crowd->is_quiet = true;
    for (int i = 0; i < crowd->count; i++)
        crowd_run_until_answered(crowd, &crowd->consumers[i]);
    crowd->is_quiet = false;
    return settled_at;
}

void crowd_run_until_answered(struct crowd *crowd, const struct consumer *c)
{
    while (c->awaited >= 0)
        turn(crowd);
}

void crowd_open(struct crowd *crowd, uint16_t port, int count)
{
    crowd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    crowd->count = count;
    crowd->consumers = calloc((size_t)count, sizeof crowd->consumers[0]);
    if (crowd->epoll_fd < 0 || crowd->consumers == NULL)
        die("no crowd of %d", count);
    for (int i = 0; i < count; i++) {
        struct consumer *c = &crowd->consumers[i];
        conn_open(&c->conn, port);
        conn_watch(&c->conn, crowd->epoll_fd);
        c->awaited = -1;
    }
}

void crowd_close(struct crowd *crowd)
{
    for (int i = 0; i < crowd->count; i++) {
        conn_close(&crowd->consumers[i].conn);
        kbuf_free(&crowd->consumers[i].frame);
    }
    free(crowd->consumers);
    close(crowd->epoll_fd);
}

void await_coordinator(uint16_t port, const char *group)
{
    struct conn c;
    struct kbuf request = {0};
    int16_t error = -1;
    uint64_t deadline = now_ns() + RUN_WITHIN_SECONDS * 1000000000ull;
    conn_open(&c, port);
    put_find_coordinator(&request, group);
    while (error != 0) {
        size_t size;
        const uint8_t *frame = conn_call(&c, request.data, request.size, &size);
        if (!read_group_answer(frame, size, &error) || now_ns() > deadline)
            die("FindCoordinator of %s: error %d", group, error);
        conn_drop(&c, size);
        if (error == 0) { /* it may still be reading the log */
            struct group_member_id nobody = {group, "", -1};
            struct kbuf probe = {0};
            put_leave_group(&probe, &nobody);
            frame = conn_call(&c, probe.data, probe.size, &size);
            int16_t answer = -1;
            if (!read_group_answer(frame, size, &answer))
                die("LeaveGroup of %s is not answered well", group);
            conn_drop(&c, size);
            kbuf_free(&probe);
            if (answer >= ERROR_COORDINATOR_LOADING && answer <= ERROR_NOT_COORDINATOR)
                error = answer;
        }
        if (error != 0)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    kbuf_free(&request);
    conn_close(&c);
}
