// SPDX-License-Identifier: Apache-2.0
/*
 * crowd: consumers of classic groups, each on a connection of its own, that do
 * what a consumer does: join, let the leader assign, send heartbeats, join
 * again when told so.
 *
 * A consumer has one request in flight. It sends heartbeats only while
 * crowd_run() waits for something: the first when the caller says, then one
 * each heartbeat_ns after an answer.
 *
 * It does not know what is measured. Errors end the program.
 *
 * Thread: each crowd belongs to one thread.
 */
#ifndef KLAMM_BENCH_CROWD_H
#define KLAMM_BENCH_CROWD_H

#include "conn.h"
#include "kwire_group.h"

enum consumer_state { CONSUMER_OUT, CONSUMER_JOINING, CONSUMER_SYNCING, CONSUMER_STABLE };

struct consumer {
    struct conn conn; /* first: epoll's datum is the connection */
    const char *group;
    enum consumer_state state;
    int16_t awaited; /* the API of the request in flight; -1: none */
    char id[MEMBER_ID_SIZE];
    int32_t generation;
    int32_t session_ms;
    uint64_t heartbeat_at; /* monotonic ns; 0: none */
    struct kbuf frame;
};

struct crowd {
    const char *topic;
    int epoll_fd;
    uint64_t heartbeat_ns;
    bool is_quiet; /* no heartbeat is sent */
    int count;
    struct consumer *consumers;
    uint64_t answers; /* all that came */
    uint64_t rounds;  /* generations that any leader assigned */
};

/* All out of any group. */
void crowd_open(struct crowd *crowd, uint16_t port, int count);
void crowd_close(struct crowd *crowd);

/* Sends JoinGroup: as somebody new when it is out. */
void consumer_join(struct crowd *crowd, struct consumer *c);
/* Sends LeaveGroup; it is out when that is answered. */
void consumer_leave(struct crowd *crowd, struct consumer *c);
/* Sends one heartbeat. */
void consumer_heartbeat(struct crowd *crowd, struct consumer *c);

/* Works until in each group of `size` consumers, one after the other in the
 * crowd, all that are not out are stable in one generation behind `generation`;
 * then until nothing is in flight. Gives the instant of the first. */
uint64_t crowd_run(struct crowd *crowd, int size, int32_t generation);
/* Works until this consumer's request is answered. */
void crowd_run_until_answered(struct crowd *crowd, const struct consumer *c);

/* The group's coordinator has loaded it; makes the offsets topic when it is not there. */
void await_coordinator(uint16_t port, const char *group);

#endif
