// SPDX-License-Identifier: Apache-2.0
/*
 * group: a classic consumer group in memory: its members, what they support, its state.
 *
 *              members join            all are here (or the time is up)
 *      EMPTY ----------> PREPARING --------------------------> COMPLETING
 *        ^                ^  |  ^                                  | the leader's assignment
 *        |   nobody left  |  |  '---- somebody joins, leaves, dies | is committed
 *        '----------------|--'                                     v
 *                         '------------------------------------ STABLE
 *
 * The names of the states for people are Kafka's: Empty, PreparingRebalance, CompletingRebalance,
 * Stable, Dead. This file keeps the books; who may do what when is group_join.c's and its
 * neighbours' business, and only these know the log.
 *
 * Thread: the shard's loop, or the one that loads it.
 */
#ifndef COORDINATOR_GROUP_H
#define COORDINATOR_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "coordinator/group_event.h"
#include "coordinator/group_op.h"
#include "coordinator/offset_table.h"
#include "env/env.h"
#include "wire/join_group.h"

struct group_shard;

enum group_state {
    GROUP_EMPTY,
    GROUP_PREPARING,
    GROUP_COMPLETING,
    GROUP_STABLE,
    GROUP_DEAD, /* removed; the memory stays while a write speaks of it */
    GROUP_STATE_COUNT
};

const char *group_state_name(enum group_state state);

/* Bytes of our own. */
struct group_bytes {
    uint8_t *data; /* NULL when there are none */
    int32_t len;
};

struct group_protocol {
    struct wire_str name;
    struct wire_bytes metadata;
};

/* What a member supports, in its order of preference. One block of memory. */
struct group_protocols {
    int32_t count;
    struct group_protocol items[];
};

struct group_member {
    struct map_node by_id;
    struct map_node by_instance; /* in the map when it has an instance id */
    struct list link;            /* of group->members, in the order of joining; not when pending */
    struct group *group;
    char *id;
    char *instance_id; /* NULL: dynamic. KIP-345 */
    char *client_id;
    char *client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    struct group_protocols *protocols; /* NULL when pending */
    struct group_bytes assignment;
    struct group_bytes next_assignment; /* on its way into the log */
    struct group_op *join;              /* parked; NULL: none */
    struct group_op *sync;
    bool is_pending;   /* was given its id and has not come back with it. KIP-394 */
    bool is_new;       /* has not had an answer to its join yet */
    bool awaits_sync;  /* of this generation its SyncGroup has not come */
    uint8_t asked_api; /* its last request; 0: none since it was loaded */
    int64_t asked_ns;  /* monotonic: when that came */
    int64_t expire_ns; /* monotonic: when it is given up; the timer may fire earlier */
    struct loop_timer timer;
};

struct group {
    struct map_node node; /* of the shard's groups */
    struct group_shard *shard;
    enum group_state state;
    enum group_state previous_state;
    int64_t state_since_ms; /* wall time */
    int64_t known_since_ms; /* wall time: since it was made, or loaded */
    int32_t generation;
    char *protocol_type; /* NULL: not known yet */
    char *protocol;      /* NULL: none chosen */
    char *leader;        /* a member id; NULL: none */
    struct list members;
    uint64_t hash_seed; /* the shard's */
    struct map by_id;   /* pending members too */
    struct map by_instance;
    int32_t member_count; /* without pending ones */
    int32_t pending_count;
    int32_t joining_count; /* members whose JoinGroup is parked */
    int32_t awaited_syncs;
    bool has_new_member; /* since the initial delay began */
    int32_t initial_delay_ms;
    int32_t initial_left_ms;
    bool is_initial; /* the join timer is that of the first rebalance */
    struct loop_timer join_timer;
    struct loop_timer sync_timer;
    struct loop_timer expiry_timer;
    struct offset_table offsets;
    bool has_record;   /* the log has a GroupMetadata record of it */
    bool is_unwritten; /* it became empty, and that could not be written yet */
    bool is_loaded;    /* it was read from the log, not made since */
    uint32_t write_count;
    uint32_t rebalance_count;   /* begun since known_since_ms */
    struct group_event *begun;  /* why the last of them began; NULL: none has, or no memory */
    struct group_event *gone;   /* the member that went last; NULL: none has, or no memory */
    uint32_t checks_since_walk; /* group_check() */
    uint32_t id_len;
    char id[];
};

/* NULL: no memory. */
struct group *group_new(struct group_shard *shard, struct wire_str id);
/* Nothing may be parked; timers are stopped. */
void group_free(struct group *group);

/* Counts are those of the lists, the leader is a member. Walks over all members: once a request
 * or record, not once a member of it. */
void group_check_counts(const struct group *group);
/* And who may be parked in which state. */
void group_check_members(const struct group *group);
/* What holds whenever no request or timer is being worked on: which timers run in which state. The
 * members of a large group are looked at in some of the calls only, so that one costs the same in a
 * group of any size. */
void group_check(struct group *group);

void group_set_state(struct group *group, enum group_state state, int64_t now_wall_ms);
/* As the log says, whatever it was before. */
void group_load_state(struct group *group, enum group_state state);

/* ---- members */

struct group_member_options {
    struct wire_str id;
    struct wire_str instance_id; /* null: dynamic */
    struct wire_str client_id;
    struct wire_str client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    bool is_pending;
};

/* NULL: no memory. The member is in the group, without protocols. */
struct group_member *group_add_member(struct group *group, const struct group_member_options *o);
/* Takes it out and frees it: nothing of it may be parked. A leader's place goes to the member that
 * joined first of those who are left. */
void group_remove_member(struct group *group, struct group_member *member);

struct group_member *group_member_find(const struct group *group, struct wire_str id);
struct group_member *group_static_member_find(const struct group *group, struct wire_str instance);
bool group_is_leader(const struct group *group, const struct group_member *member);

/* KERR_NONE, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID; *member only with KERR_NONE. */
enum kerr group_check_member(const struct group *group, struct wire_str id,
                             struct wire_str instance_id, struct group_member **member);

/* The same member under another id, supporting this. False: no memory, nothing changed. */
bool group_member_replace(struct group_member *member, struct wire_str id,
                          const struct join_group_request_protocol_array *protocols);

/* False: no memory, nothing changed. */
bool group_member_set_protocols(struct group_member *member,
                                const struct join_group_request_protocol_array *protocols);
bool group_member_supports_the_same(const struct group_member *member,
                                    const struct join_group_request_protocol_array *protocols);
/* Of the chosen protocol; empty when there is none. */
struct wire_bytes group_member_metadata(const struct group_member *member, const char *protocol);

/* ---- the group's choice */

/* May somebody with these join? Not with more than 32: nobody has so many. Walks over all members.
 */
bool group_takes_protocols(const struct group *group, struct wire_str type,
                           const struct join_group_request_protocol_array *protocols);
/* The protocol that most members like best among those that all support; NULL: there is none. */
const char *group_vote(const struct group *group);

/* The next generation: chooses the protocol, moves to COMPLETING or, without members, EMPTY. False:
 * no memory. */
bool group_next_generation(struct group *group, int64_t now_wall_ms);

/* All are here: every member joins just now, and nobody has an id that he has not used yet. */
bool group_is_complete(const struct group *group);

/* The leader is one that joins just now. False: there is none such. */
bool group_elect_joined_leader(struct group *group);

int32_t group_rebalance_timeout_ms(const struct group *group);

/* Is it one of Kafka's consumers (and not, say, Connect)? */
bool group_is_of_consumers(const struct group *group);
/* Tells all topics that members read, some perhaps many times. False: it cannot be known, or not of
 * all members: any topic may be read. */
bool group_walk_topics(const struct group *group, void (*each)(void *arg, struct wire_str topic),
                       void *arg);

/* ---- texts and bytes. Accept NULL; false: no memory, *to as it was. */
bool group_text_set(char **to, struct wire_str text);
bool group_bytes_set(struct group_bytes *to, struct wire_bytes bytes);
void group_bytes_free(struct group_bytes *bytes);

#endif
