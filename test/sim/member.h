// SPDX-License-Identifier: Apache-2.0
/*
 * member: a simulated consumer that is a member of a group: looks for the coordinator, joins (by
 * KIP-394's two steps), gets its partitions or, when it leads, gives them to all by chance, goes on
 * from the committed offsets, fetches, commits and sends heartbeats.
 *
 * From time to time fate comes over it: it leaves, dies without a word and comes back later (a
 * static member under the same instance id), loses its connection, or sleeps past its session and
 * wakes up with a commit of a generation that may be long over.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_MEMBER_H
#define TEST_SIM_MEMBER_H

#include "client.h"
#include "member_bytes.h"
#include "offsets_call.h"

enum { MEMBER_ID_SIZE = 128, MEMBER_NAME_SIZE = 32, MEMBER_PROTOCOLS = 2 };

struct member_options {
    uint32_t group;  /* of the history */
    uint32_t number; /* another one for each member of the world */
    bool is_static;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    int64_t heartbeat_ns;
    int64_t pause_max_ns; /* between its requests */
    int64_t fate_mean_ns; /* between the blows of fate; 0: none */
    int64_t away_max_ns;
};

enum member_state {
    MEMBER_AWAY, /* left or dead; the nap timer brings it back, or nothing does */
    MEMBER_JOINS,
    MEMBER_SYNCS,
    MEMBER_RESUMES, /* asks what is committed */
    MEMBER_WORKS,
    MEMBER_LEAVES,
};

struct member {
    struct client client;
    struct client_options client_options;
    struct member_options options;
    enum member_state state;
    char id[MEMBER_ID_SIZE];        /* "": it has none */
    char fenced_id[MEMBER_ID_SIZE]; /* of a static member: the one before; "": none */
    char instance_id[MEMBER_NAME_SIZE];
    struct member_metadata metadata;
    uint32_t incarnation;
    int32_t generation; /* -1: none */
    char protocol[MEMBER_NAME_SIZE];

    /* Of a leader: all members, and what they get. */
    bool is_leader;
    bool has_to_assign;
    uint32_t member_count;
    struct wire_writer ids; /* one after the other, with a NUL each */
    uint32_t owners[GROUP_PARTITIONS_MAX];

    struct member_assignment assignment;
    int64_t positions[GROUP_PARTITIONS_MAX]; /* by the assignment's rows */
    int64_t committed[GROUP_PARTITIONS_MAX];

    bool is_gone; /* for good */
    bool needs_coordinator;
    bool commits_fenced; /* under way: a commit under its fenced id */
    bool commits_first;  /* before whatever comes next */
    bool is_asleep;
    bool is_busy;
    int64_t heartbeat_due_ns;
    struct call call;
    struct history_group_view view;
    struct offsets_call offsets;
    struct loop_timer pause;
    struct loop_timer nap;
    struct loop_timer fate;
};

void member_start(struct member *m, const struct client_options *client,
                  const struct member_options *options);

/* No more fate. Who is away may stay so. */
void member_calm(struct member *m);

/* It has not gone for good. */
bool member_is_live(const struct member *m);
struct history_holder member_holds(const struct member *m);

/* It has read and committed all that anybody was told of. */
bool member_is_done(const struct member *m);

/* Without a word: its session goes on. */
void member_stop(struct member *m);

/* ---- for member.c and member_join.c, where the calls are */

void member_find_coordinator(struct member *m);
void member_join(struct member *m);
void member_sync(struct member *m);
void member_leave(struct member *m);

/* A call leaves; its answer comes to `done`, which begins with member_answered. */
void member_call(struct member *m, int16_t api_key, const void *request,
                 void (*done)(struct call *call, enum err e, const void *response));
/* False: no answer came. */
bool member_answered(struct member *m, enum err e);

/* What such an answer means for the member. True: none, all is well. */
bool member_takes(struct member *m, const char *what, int16_t error);

void member_step_later(struct member *m);
/* Closes its connection; comes back when its nap is over. */
void member_go_away(struct member *m);
struct history *member_history(const struct member *m);
struct sim *member_sim(const struct member *m);
struct wire_str member_group_name(const struct member *m);
struct wire_str member_instance(const struct member *m);

#endif
