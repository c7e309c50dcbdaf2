// SPDX-License-Identifier: Apache-2.0
/*
 * load_rebalance: one classic group of --conns members, and how long it takes
 * from a member's leave, join and death until all members have their
 * assignment of the next generation.
 *
 * A leave and a join count from the instant the request is sent. All other
 * members send a heartbeat 1 ms later, and every 5 ms from then on until they
 * are told to join again: what is measured is the broker, not how seldom
 * consumers ask. A death counts from the last heartbeat, less the session
 * timeout; heartbeats of the others start a little before that is over.
 *
 * Thread: one thread in the whole program.
 */
#include "load.h"

#include "crowd.h"
#include "stats.h"

#include <stdio.h>
#include <time.h>

enum {
    NS_PER_MS = 1000000,
    HINT_MS = 1,
    HEARTBEAT_MS = 5,
    EARLY_MS = 20,
    LONG_SESSION_MS = 600000,
};

struct run {
    const struct load_options *o;
    struct crowd crowd;
    struct samples joins, leaves, deaths;
};

/* The others ask at these instants, spread over one period of heartbeats when `spread`. */
static void plan_heartbeats(struct run *run, const struct consumer *but, uint64_t at, bool spread)
{
    struct crowd *crowd = &run->crowd;
    for (int i = 0; i < crowd->count; i++) {
        uint64_t shift = crowd->heartbeat_ns * (uint64_t)i / (uint64_t)crowd->count;
        if (&crowd->consumers[i] != but)
            crowd->consumers[i].heartbeat_at = at + (spread ? shift : 0);
    }
}

static uint64_t settle(struct run *run, int32_t generation)
{
    return crowd_run(&run->crowd, run->crowd.count, generation);
}

static void leave(struct run *run, struct consumer *c)
{
    int32_t generation = c->generation;
    uint64_t start = now_ns();
    plan_heartbeats(run, c, start + HINT_MS * NS_PER_MS, false);
    consumer_leave(&run->crowd, c);
    samples_add(&run->leaves, settle(run, generation) - start);
}

static void join(struct run *run, struct consumer *c, int32_t session_ms)
{
    uint64_t start = now_ns();
    c->session_ms = session_ms;
    plan_heartbeats(run, c, start + HINT_MS * NS_PER_MS, false);
    int32_t generation = run->crowd.consumers[c == run->crowd.consumers].generation;
    consumer_join(&run->crowd, c);
    samples_add(&run->joins, settle(run, generation) - start);
}

/* It says one last thing, and then nothing. */
static void die_silently(struct run *run, struct consumer *c)
{
    uint64_t session_ns = (uint64_t)c->session_ms * NS_PER_MS;
    int32_t generation = c->generation;
    uint64_t start = now_ns();
    plan_heartbeats(run, c, start + session_ns - EARLY_MS * NS_PER_MS, true);
    consumer_heartbeat(&run->crowd, c);
    crowd_run_until_answered(&run->crowd, c);
    if (c->state != CONSUMER_STABLE)
        die("the group rebalances before anybody died");
    c->state = CONSUMER_OUT;
    uint64_t took = settle(run, generation) - start;
    if (took < session_ns)
        die("the group was stable %llu us before the session timeout",
            (unsigned long long)(session_ns - took) / 1000);
    samples_add(&run->deaths, took - session_ns);
}

static void print_times(const char *name, struct samples *s)
{
    printf("\"%ss\":%zu,\"%s_p50_us\":%.1f,\"%s_p99_us\":%.1f,", name, s->count, name,
           samples_us(s, 500), name, samples_us(s, 990));
}

void load_rebalance(const struct load_options *o)
{
    struct run run = {.o = o};
    struct crowd *crowd = &run.crowd;
    char group[64];
    if (o->conns < 2)
        die("rebalance wants --conns of 2 or more");
    snprintf(group, sizeof group, "%s-group", o->topic);
    *crowd = (struct crowd){.topic = o->topic, .heartbeat_ns = HEARTBEAT_MS * NS_PER_MS};
    await_coordinator(o->port, group);
    crowd_open(crowd, o->port, o->conns);

    uint64_t start = now_ns();
    for (int i = 0; i < crowd->count; i++) {
        crowd->consumers[i].group = group;
        crowd->consumers[i].session_ms = LONG_SESSION_MS;
        consumer_join(crowd, &crowd->consumers[i]);
    }
    double formed_ms = (double)(settle(&run, -1) - start) / 1e6;

    uint64_t ticks = cpu_ticks(o->pid);
    crowd->answers = 0;
    crowd->rounds = 0;
    for (int i = 0; i < o->passes; i++) {
        struct consumer *c = &crowd->consumers[i % crowd->count];
        leave(&run, c);
        join(&run, c, LONG_SESSION_MS);
    }
    double cpu = cpu_seconds(cpu_ticks(o->pid) - ticks);
    uint64_t rounds = crowd->rounds, answers = crowd->answers;
    for (int i = 0; i < o->deaths; i++) {
        struct consumer *c = &crowd->consumers[(o->passes + i) % crowd->count];
        leave(&run, c);
        join(&run, c, o->session_ms);
        die_silently(&run, c);
        join(&run, c, LONG_SESSION_MS);
    }
    plan_heartbeats(&run, NULL, 0, false);   /* none */
    for (int i = 0; i < crowd->count; i++) { /* nobody is left to expire */
        consumer_leave(crowd, &crowd->consumers[i]);
        crowd_run_until_answered(crowd, &crowd->consumers[i]);
    }
    printf("{\"mode\":\"rebalance\",\"members\":%d,\"formed_ms\":%.2f,\"rounds\":%llu,"
           "\"requests\":%llu,\"cpu_s\":%.2f,",
           o->conns, formed_ms, (unsigned long long)rounds, (unsigned long long)answers, cpu);
    print_times("leave", &run.leaves);
    print_times("join", &run.joins);
    print_times("death", &run.deaths);
    printf("\"session_ms\":%d}\n", o->session_ms);
    samples_free(&run.leaves);
    samples_free(&run.joins);
    samples_free(&run.deaths);
    crowd_close(crowd);
}
