// SPDX-License-Identifier: Apache-2.0
/*
 * group_private: the inside of a shard, for the files of this folder only.
 *
 * Thread: the shard's loop; while it loads, the thread that loads has the groups.
 */
#ifndef COORDINATOR_GROUP_PRIVATE_H
#define COORDINATOR_GROUP_PRIVATE_H

#include "coordinator/group.h"
#include "coordinator/group_shard.h"
#include "coordinator/group_stats.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"
#include "wire/writer.h"

enum shard_state {
    SHARD_IDLE,
    SHARD_LOADING,
    SHARD_ACTIVE,
    SHARD_FAILING,  /* a write failed: when none is under way any more the log is read again */
    SHARD_STOPPING, /* the same, and then it is idle */
    SHARD_STATE_COUNT
};

struct group_shard {
    struct loop *loop;
    struct env *env;
    int32_t index;
    struct group_settings settings;
    struct shard_log log;
    struct group_stats *stats;
    enum shard_state state;
    int64_t state_since_ms;           /* wall time */
    enum coordinator_failure failure; /* the last one */
    int64_t failure_ms;               /* wall time */
    const char *failure_text;         /* a literal */
    uint64_t hash_seed; /* of all maps by names that clients choose; nobody knows it */
    struct map groups;
    struct list writes; /* under way, in the order of the log */

    /* The batch that is being made. */
    struct batch_builder builder;
    struct wire_writer key;
    struct wire_writer value;
    bool has_records;

    /* Loading. */
    bool is_loading; /* set and cleared by the loop while nobody loads */
    int64_t load_began_ns;
    struct batch_reader reader;
    uint64_t unknown_records; /* of kinds of group that are not built */
    struct loop_timer reload_timer;
    struct list forgotten; /* struct forgotten_topic: went while the log was being read */
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* ---- group_shard.c */

int64_t group_shard_now_ms(const struct group_shard *shard); /* wall time */

struct group *group_shard_find(const struct group_shard *shard, struct wire_str id);
/* A new empty group; NULL: no memory. */
struct group *group_shard_make(struct group_shard *shard, struct wire_str id);
/* Out of the map, dead; parked requests are answered before. Its memory goes when no write speaks
 * of it any more. */
void group_shard_remove(struct group_shard *shard, struct group *group);

/* What was recorded since the last write goes on its way. NULL: no memory, or too large (*error):
 * then nothing was written. Without records: NULL and KERR_NONE. */
struct shard_write *group_shard_write(struct group_shard *shard, enum kerr *error);
/* What is in memory cannot follow what was written: the log is read again. No group is left. */
void group_shard_give_up(struct group_shard *shard, enum kerr error);
/* Forgets what was recorded. */
void group_shard_forget_records(struct group_shard *shard);

/* Answers once everything written so far is committed. */
void group_shard_finish(struct group_shard *shard, struct group_op *op);
/* The same with an error in place of a response. */
void group_shard_refuse(struct group_shard *shard, struct group_op *op, enum kerr error);

/* ---- group_records.c: records into the shard's batch, and back. ERR_NO_MEMORY, ERR_TOO_LARGE. */

enum group_assignment_source { ASSIGNMENT_CURRENT, ASSIGNMENT_NEXT, ASSIGNMENT_NONE };

enum err group_record(struct group *group, enum group_assignment_source source) MUST_USE;
enum err group_record_gone(struct group *group) MUST_USE;
enum err group_record_offset(struct group *group, const struct offset_put *put) MUST_USE;
enum err group_record_offset_gone(struct group *group, struct wire_str topic, int32_t partition)
    MUST_USE;

/* One record of the log. ERR_CORRUPT, ERR_UNSUPPORTED (a later version), ERR_NO_MEMORY. */
enum err group_records_replay(struct group_shard *shard, const struct record *record) MUST_USE;

/* ---- group_admin.c */

/* A copy that lives as long as the answer; null for NULL. No memory: op->error says so. */
struct wire_str group_answer_text(struct group_op *op, const char *text);
/* What DescribeGroups tells; op->error: no memory. */
void group_fill_described(const struct group_shard *shard, struct group_op *op);

/* ---- group_rebalance.c */

/* Requests of members, by their numbers in the protocol. */
enum group_api {
    GROUP_API_OFFSET_COMMIT = 8,
    GROUP_API_JOIN = 11,
    GROUP_API_HEARTBEAT = 12,
    GROUP_API_SYNC = 14,
};

/* Why a rebalance begins, or a member goes. */
struct group_cause {
    enum group_event_kind kind;
    const struct group_member *member; /* NULL: no certain one */
    const struct group_op *op;         /* the JoinGroup or LeaveGroup that did it; NULL: none did */
    struct wire_str reason;            /* what that gave */
};

/* Somebody came or changed: a new round of joining begins or, where one is under way, may be
 * complete now. */
void group_rebalance(struct group *group, const struct group_cause *cause);
/* The same when somebody went: group->gone says why. */
void group_rebalance_gone(struct group *group);
/* A round of joining that is under way may be complete now. */
void group_rebalance_maybe_complete(struct group *group);
/* It is out at expire_ns if nothing is heard of it until then; else it waits for us. */
bool group_member_may_be_given_up(const struct group_member *member);
/* A request of the member has come: this API's. */
void group_member_asked(struct group_member *member, enum group_api api);
/* The member's time begins anew. */
void group_member_renew(struct group_member *member);
void group_member_expect(struct group_member *member, int64_t within_ms);
/* Out of the group, with answers to what it has parked; then rebalances where that is due. */
void group_member_gone(struct group_member *member, enum group_event_kind kind);
/* The same without the rebalance. */
void group_member_take_out(struct group_member *member);
/* It is about to go: becomes group->gone. `before`: so many went just now for the same reason. */
void group_note_gone(const struct group_cause *cause, int32_t before);
/* Timers of a group that was read from the log. */
void group_rebalance_loaded(struct group *group);
void group_stop_timers(struct group *group);
/* The SyncGroup of this member has come. */
void group_member_synced(struct group_member *member);
void group_answer_sync(struct group_member *member, enum kerr error); /* one that waits */
/* All who wait for their assignment are told this; no error: what they have now. */
void group_answer_syncs(struct group *group, enum kerr error);

/* ---- group_join.c */

/* Fills in an answer for a member of the current generation. False: no memory. */
bool group_fill_joined(const struct group *group, const struct group_member *member,
                       struct group_op *op, bool may_skip_assignment);
void group_fill_join_error(struct group_op *op, enum kerr error, struct wire_str member_id);

/* ---- group_expiry.c */

/* False: no memory, nothing changed. */
bool group_forget_topic(struct group *group, struct wire_str topic);

/* When the first and the last offset of it is forgotten; -1: not as things are. Walks over all
 * offsets. */
struct group_expiry {
    int64_t first_ms, last_ms;
};
struct group_expiry group_expiry_of(const struct group *group);

/* The group may have become worth forgetting: looks again when that is due. */
void group_expiry_plan(struct group *group);
/* The same when something may be due earlier than all that was there. */
void group_expiry_plan_anew(struct group *group);
/* Writes that offsets, and where it is empty then the group itself, are gone. */
enum kerr group_write_gone(struct group *group);

#endif
