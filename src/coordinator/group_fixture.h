// SPDX-License-Identifier: Apache-2.0
/*
 * group_fixture: a shard over a log in memory, and calls of it that keep their answers. For tests
 * of this folder.
 *
 *     struct group_fixture f;
 *     fixture_init(&f, NULL);
 *     struct fixture_call *call = fixture_join(&f, &(struct join_args){.member = ""});
 *     CHECK_EQUAL(call->done, 0);          // parked, or waits for a write
 *     mem_env_advance_ms(&f.m, 3000);
 *     CHECK_EQUAL(call->done, 1);
 *     CHECK_EQUAL(call->join->error_code, KERR_NONE);
 *     fixture_deinit(&f);                  // stops the shard; every call was answered once
 *
 * The log commits what it is given in the loop's next turn, or, with f.by_hand, when it is told to.
 *
 * Thread: main.
 */
#ifndef COORDINATOR_GROUP_FIXTURE_H
#define COORDINATOR_GROUP_FIXTURE_H

#include "base/testing.h"
#include "coordinator/group_private.h"
#include "env/mem_env.h"
#include "wire/delete_groups.h"
#include "wire/describe_groups.h"
#include "wire/heartbeat.h"
#include "wire/join_group.h"
#include "wire/leave_group.h"
#include "wire/list_groups.h"
#include "wire/offset_commit.h"
#include "wire/offset_delete.h"
#include "wire/offset_fetch.h"
#include "wire/sync_group.h"

enum { FIXTURE_UNDER_WAY_MAX = 64, FIXTURE_ID_SIZE = 96, FIXTURE_START_MS = 3000 };

/* One request and its answer. Lives until fixture_deinit, or until it is
 * done and fixture_forget_calls is called. */
struct fixture_call {
    struct group_op op;
    struct list link;
    struct arena arena;
    int done;
    void *request;
    union { /* one of these is the response */
        void *response;
        struct join_group_response *join;
        struct sync_group_response *sync;
        struct heartbeat_response *heartbeat;
        struct leave_group_response *leave;
        struct offset_commit_response *commit;
        struct offset_fetch_response_group *fetch;
        struct offset_delete_response *delete_offsets;
        struct describe_groups_response_described_group *describe;
        struct list_groups_response *list;
        struct delete_groups_response_deletable_group_result *deleted;
    };
};

struct fixture_batch {
    uint8_t *data;
    size_t len;
    struct shard_write *write; /* NULL: committed */
};

struct group_fixture {
    struct mem_env m;
    struct loop *loop;
    struct group_shard *shard;
    struct group_stats stats;
    struct list calls;

    /* The log: batches in order, those under way with their write. */
    struct fixture_batch *batches;
    size_t batch_count;
    size_t batch_capacity;
    int loads; /* begun so far */
    bool is_loading;
    bool by_hand;      /* writes wait for fixture_commit and its like */
    bool load_by_hand; /* loading waits for fixture_load */
    struct loop_task commit_task, load_task;
    bool commit_posted;
    int stopped; /* how often group_shard_stop has called back */
};

/* The settings of tests: sessions of 6 to 1800 s, a first delay of 3 s, 1000 members, metadata of
 * 100 bytes, 7 days of retention looked at every 10 minutes, batches of 1 MiB. */
struct group_settings fixture_settings(void);

/* Its shard is loaded and active. NULL: the settings above. */
void fixture_init(struct group_fixture *f, const struct group_settings *settings);
void fixture_deinit(struct group_fixture *f);

/* Stops the shard; f->stopped counts when that is done. */
void fixture_stop(struct group_fixture *f);

/* Frees the calls that are done. */
void fixture_forget_calls(struct group_fixture *f);

/* ---- the log */

size_t fixture_under_way(const struct group_fixture *f);
/* The nth write that is under way, from 0. An error: it is not in the log. */
void fixture_complete(struct group_fixture *f, size_t nth, enum kerr error);
/* Commits all that is under way, in order. */
void fixture_commit(struct group_fixture *f);
/* Replays what is committed and tells that it is loaded. */
void fixture_load(struct group_fixture *f);
/* One more batch, committed, of one record. `value` NULL: it takes back. */
void fixture_add_record(struct group_fixture *f, struct record_bytes key,
                        struct record_bytes value);

/* The text of what is in the shard, and of a fresh one that replays the log; mem_free it. */
char *fixture_dump(const struct group_fixture *f);
char *fixture_replayed_dump(struct group_fixture *f);
/* CHECKs that they are equal. Nothing may be under way, every group has to be empty or stable. */
void fixture_check_replay(struct group_fixture *f);
/* Whether it may be called. */
bool fixture_is_at_rest(const struct group_fixture *f);
/* The counters that move are what a walk over all groups gives. */
void fixture_check_stats(const struct group_fixture *f);
/* All groups keep their invariants. */
void fixture_check_groups(const struct group_fixture *f);

/* ---- calls. A group that is not given is "g". */

struct join_args {
    const char *group;
    const char *member; /* NULL: none, a newcomer */
    const char *instance;
    const char *type;      /* NULL: "consumer" */
    const char *protocols; /* "name,name"; NULL: "range" */
    const char *metadata;  /* of each; NULL: its name; "@topic": a subscription to it */
    const char *client;    /* NULL: "client"; '?' is a NUL */
    int32_t session_ms;    /* 0: 10,000 */
    int32_t rebalance_ms;  /* 0: 60,000 */
    int16_t version;       /* 0: 3, which needs no second step */
    const char *reason;    /* NULL: none. KIP-800 */
};
struct fixture_call *fixture_join(struct group_fixture *f, const struct join_args *args);

struct sync_args {
    const char *group;
    const char *member;
    const char *instance;
    const char *type;
    const char *protocol;
    int32_t generation;
    const char *const *assignments; /* member id, assignment, ..., NULL; NULL: none */
};
struct fixture_call *fixture_sync(struct group_fixture *f, const struct sync_args *args);

struct member_args {
    const char *group;
    const char *member;
    const char *instance;
    int32_t generation;
    const char *reason; /* of a LeaveGroup, as is what follows */
    const char *client; /* of the first one; NULL: "client" */
};
struct fixture_call *fixture_heartbeat(struct group_fixture *f, const struct member_args *args);
/* One member; the generation is not looked at. */
struct fixture_call *fixture_leave(struct group_fixture *f, const struct member_args *args);
/* Several in one call, each by member id and instance id (NULL: none). */
struct fixture_call *fixture_leave_many(struct group_fixture *f, const struct member_args *args,
                                        int32_t count);

struct commit_args {
    const char *group;
    const char *member;
    const char *instance;
    int32_t generation;
    bool is_simple;    /* generation -1 */
    const char *topic; /* NULL: "t" */
    int32_t partition;
    int32_t count; /* partitions from there on; 0: one */
    int64_t offset;
    int64_t retention_ms; /* 0: not given */
    const char *metadata; /* NULL: null */
};
struct fixture_call *fixture_commit_offsets(struct group_fixture *f,
                                            const struct commit_args *args);
/* Of the first row of a commit. */
int16_t fixture_commit_error(const struct fixture_call *call);

/* topic NULL: all. */
struct fixture_call *fixture_fetch(struct group_fixture *f, const char *group, const char *topic,
                                   int32_t partition);
/* The offset that is committed, asked of the shard; -1: none. */
int64_t fixture_committed(struct group_fixture *f, const char *group, const char *topic,
                          int32_t partition);
struct fixture_call *fixture_delete_offsets(struct group_fixture *f, const char *group,
                                            const char *topic, int32_t partition);
struct fixture_call *fixture_describe(struct group_fixture *f, const char *group);
/* The same with an explanation; also when the shard is not active. */
struct fixture_call *fixture_explain(struct group_fixture *f, const char *group);
/* Filters may be NULL. */
struct fixture_call *fixture_list(struct group_fixture *f, const char *state, const char *type);
struct fixture_call *fixture_delete(struct group_fixture *f, const char *group);

/* What a done call was told. */
int16_t fixture_join_error(const struct fixture_call *call);
int16_t fixture_sync_error(const struct fixture_call *call);
int16_t fixture_heartbeat_error(const struct fixture_call *call);
int16_t fixture_leave_error(const struct fixture_call *call, int32_t row);

/* ---- whole groups */

/* Group "g" with so many dynamic members, stable; their ids, the leader's first. Member i has the
 * assignment "a<i>". They are in generation 1. */
void fixture_form(struct group_fixture *f, int count, char ids[][FIXTURE_ID_SIZE]);
/* The same of static members "i0", "i1", ... */
void fixture_form_static(struct group_fixture *f, int count, char ids[][FIXTURE_ID_SIZE]);
/* Sync of the leader that gives member i "a<i>", then of the others; all are done and stable. */
void fixture_sync_all(struct group_fixture *f, int32_t generation, int count,
                      char ids[][FIXTURE_ID_SIZE]);
/* Member i's next JoinGroup, the same as in fixture_form. */
struct fixture_call *fixture_rejoin(struct group_fixture *f, const char *id);
void fixture_id(const struct fixture_call *joined, char out[FIXTURE_ID_SIZE]);

/* NULL: there is none. */
struct group *fixture_group(const struct group_fixture *f, const char *id);
enum group_state fixture_state(const struct group_fixture *f); /* of "g"; DEAD: there is none */

#endif
