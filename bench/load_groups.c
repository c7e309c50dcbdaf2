// SPDX-License-Identifier: Apache-2.0
/*
 * load_groups: makes --groups groups of --members members over --conns
 * connections, then holds them, silent, while whoever runs this looks at the
 * broker's memory and CPU time; and finds them again after a restart.
 *
 *   1. The groups are made, as many at a time as there are connections for.
 *      One line is printed.
 *   2. A line of standard input says that the broker was started anew, on the
 *      same port: when it was executed, in nanoseconds of the monotonic clock.
 *   3. ListGroups is sent until all shards have loaded and all groups are there.
 *      Then every member sends a heartbeat of its generation, which must be
 *      taken. Another line is printed.
 *
 * Members have a session timeout of half an hour.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "crowd.h"
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SESSION_MS = 1800000, HEARTBEAT_MS = 5, RELOAD_WITHIN_SECONDS = 60, GROUP_NAME_SIZE = 32 };

struct kept_member {
    char id[MEMBER_ID_SIZE];
    int32_t generation;
};

struct run {
    const struct load_options *o;
    char (*names)[GROUP_NAME_SIZE];
    struct kept_member *kept; /* the members of each group, group by group */
};

/* As many groups as the crowd is enough for, from the number `first` on. */
static void make_groups(struct run *run, struct crowd *crowd, int first)
{
    int members = run->o->members;
    for (int i = 0; i < crowd->count; i++) {
        struct consumer *c = &crowd->consumers[i];
        c->group = run->names[first + i / members];
        c->state = CONSUMER_OUT;
        c->session_ms = SESSION_MS;
        consumer_join(crowd, c);
    }
    crowd_run(crowd, members, -1);
    for (int i = 0; i < crowd->count; i++) {
        struct kept_member *kept = &run->kept[first * members + i];
        memcpy(kept->id, crowd->consumers[i].id, sizeof kept->id);
        kept->generation = crowd->consumers[i].generation;
    }
}

static double make_all(struct run *run)
{
    const struct load_options *o = run->o;
    int at_once = o->conns / o->members;
    int left = o->groups % (at_once > 0 ? at_once : 1);
    struct crowd crowd = {.topic = o->topic, .heartbeat_ns = HEARTBEAT_MS * 1000000ull};
    if (at_once == 0 || left != 0)
        die("--groups must be a multiple of the %d that --conns are enough for", at_once);
    await_coordinator(o->port, run->names[0]);
    crowd_open(&crowd, o->port, at_once * o->members);
    uint64_t start = now_ns();
    for (int first = 0; first < o->groups; first += at_once)
        make_groups(run, &crowd, first);
    double seconds = (double)(now_ns() - start) / 1e9;
    crowd_close(&crowd);
    return seconds;
}

/* ---- after the restart */

static void connect_when_open(const struct run *run, struct conn *c)
{
    uint64_t deadline = now_ns() + RELOAD_WITHIN_SECONDS * 1000000000ull;
    while ((c->fd = connect_loopback(run->o->port, 0)) < 0) {
        if (now_ns() > deadline)
            die("the broker does not listen after %d s", RELOAD_WITHIN_SECONDS);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

static void list_until_loaded(const struct run *run, struct conn *c)
{
    struct kbuf request = {0};
    uint64_t deadline = now_ns() + RELOAD_WITHIN_SECONDS * 1000000000ull;
    put_list_groups(&request);
    for (;;) {
        int16_t error = -1;
        int32_t count = 0;
        size_t size;
        const uint8_t *frame = conn_call(c, request.data, request.size, &size);
        if (!read_list_groups_answer(frame, size, &error, &count))
            die("ListGroups is not answered well");
        conn_drop(c, size);
        if (error == 0 && count >= run->o->groups)
            break;
        if (now_ns() > deadline)
            die("%d of %d groups after %d s: error %d", count, run->o->groups,
                RELOAD_WITHIN_SECONDS, error);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kbuf_free(&request);
}

/* Many at a time on one connection: answers come in order. */
static double hear_all(const struct run *run, struct conn *c)
{
    enum { AT_ONCE = 100 };
    int total = run->o->groups * run->o->members;
    struct kbuf requests = {0};
    uint64_t start = now_ns();
    for (int first = 0; first < total; first += AT_ONCE) {
        int end = first + AT_ONCE < total ? first + AT_ONCE : total;
        requests.size = 0;
        for (int i = first; i < end; i++) {
            struct group_member_id who = {run->names[i / run->o->members], run->kept[i].id,
                                          run->kept[i].generation};
            put_heartbeat(&requests, &who);
        }
        for (int i = first; i < end; i++) {
            int16_t error = -1;
            size_t size;
            size_t sent = i == first ? requests.size : 0;
            const uint8_t *frame = conn_call(c, requests.data, sent, &size);
            if (!read_group_answer(frame, size, &error) || error != 0)
                die("member %d of %s is not known any more: error %d", i % run->o->members,
                    run->names[i / run->o->members], error);
            conn_drop(c, size);
        }
    }
    kbuf_free(&requests);
    return (double)(now_ns() - start) / 1e9;
}

static void find_again(const struct run *run, uint64_t executed_at)
{
    struct conn c = {0};
    connect_when_open(run, &c);
    double open_ms = (double)(now_ns() - executed_at) / 1e6;
    list_until_loaded(run, &c);
    double loaded_ms = (double)(now_ns() - executed_at) / 1e6;
    double seconds = hear_all(run, &c);
    conn_close(&c);
    printf("{\"mode\":\"groups\",\"open_ms\":%.2f,\"loaded_ms\":%.2f,"
           "\"heartbeats_per_s\":%.0f}\n",
           open_ms, loaded_ms, run->o->groups * run->o->members / seconds);
    fflush(stdout);
}

void load_groups(const struct load_options *o)
{
    struct run run = {.o = o};
    size_t members = (size_t)o->groups * (size_t)o->members;
    run.names = calloc((size_t)o->groups, sizeof run.names[0]);
    run.kept = calloc(members, sizeof run.kept[0]);
    if (run.names == NULL || run.kept == NULL)
        die("no memory for %zu members", members);
    for (int g = 0; g < o->groups; g++)
        snprintf(run.names[g], GROUP_NAME_SIZE, "bench-group-%06d", g);
    double seconds = make_all(&run);
    printf("{\"mode\":\"groups\",\"groups\":%d,\"members\":%zu,\"seconds\":%.3f}\n", o->groups,
           members, seconds);
    fflush(stdout);
    char line[64];
    if (fgets(line, sizeof line, stdin) != NULL)
        find_again(&run, strtoull(line, NULL, 10));
    free(run.names);
    free(run.kept);
}
