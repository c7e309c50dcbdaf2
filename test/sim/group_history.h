// SPDX-License-Identifier: Apache-2.0
/*
 * group_history: what the simulated members of groups have committed, were told and hold: the part
 * of the history that is about groups.
 *
 * Every commit of one partition's offset is numbered, and carries its number as metadata, so that
 * an offset that is fetched names the commit it is from. A deletion is a commit of nothing.
 *
 * What is later than what is counted by a clock of the history's own: it moves with every commit
 * that leaves and every answer. A commit begins when it leaves, and ends when it can have no effect
 * any more that it has not had: with its answer, or with the process that it was sent to.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_GROUP_HISTORY_H
#define TEST_SIM_GROUP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history;

enum { GROUP_NAME_SIZE = 32, GROUP_PARTITIONS_MAX = 64, COMMIT_TEXT_SIZE = 16 };

#define COMMIT_NOT_ENDED UINT64_MAX

enum commit_state {
    COMMIT_SENT,    /* nobody knows yet */
    COMMIT_ACKED,   /* it was done */
    COMMIT_UNKNOWN, /* its answer was lost: it was done, or not, or will be */
    COMMIT_REFUSED, /* the broker said that it was not done */
};

struct history_commit {
    uint32_t group;
    uint32_t partition; /* of the history */
    bool is_deletion;
    bool expires; /* it may be gone at any time */
    int64_t offset;
    int32_t leader_epoch;
    enum commit_state state;
    uint64_t begin;
    uint64_t end;
    uint64_t gone; /* it was seen to be gone; 0: never */
};

/* What the members of one generation were told. */
struct history_generation {
    int32_t generation;
    uint32_t nonce;                        /* of the leader's decision */
    uint32_t owners[GROUP_PARTITIONS_MAX]; /* plus 1; 0: nobody was told to */
};

struct history_group {
    char name[GROUP_NAME_SIZE];
    bool is_kept;               /* it has an offset that stays: it is never forgotten itself */
    bool expires;               /* offsets that do not stay */
    int32_t written_generation; /* some member has its assignment: it is in the log */
    int32_t formed_generation;  /* some member has joined it, in that life of the broker */
    uint32_t formed_starts;
    struct history_generation *generations;
    uint32_t generation_count;
    /* When the last commit began that is known to be done. */
    uint64_t floors[GROUP_PARTITIONS_MAX];
};

struct history_groups {
    struct history_group *items;
    uint32_t count;
    struct history_commit *commits;
    uint32_t commit_count;
    uint32_t commit_capacity;
    uint64_t clock;
    int64_t acked_commits;
    bool may_reload; /* writes fail: what the log never had may go at any time */
};

void history_groups_deinit(struct history *h);

uint32_t history_add_group(struct history *h, const char *name);

/* Commits that were on their way to an older process are over. */
void history_groups_broker_starts(struct history *h);

/* ---- generations */

/* What is known when a request leaves. */
struct history_group_view {
    bool is_kept;
    int32_t generation; /* an answer cannot be of an older one */
    uint32_t starts;
};

struct history_group_view history_group_view(const struct history *h, uint32_t group);

/* The broker has answered that this is the group's generation. `is_written`: and that its
 * assignment is in the log. */
void history_generation_told(struct history *h, uint32_t group,
                             const struct history_group_view *view, int32_t generation,
                             bool is_written);

/* A member was given this. `owner` stays when a static member comes back. */
struct history_assignment {
    int32_t generation;
    uint32_t nonce;
    uint32_t owner;
    const uint32_t *partitions; /* of the history */
    uint32_t count;
};

void history_assigned(struct history *h, uint32_t group, const struct history_group_view *view,
                      const struct history_assignment *assignment);

/* What a live member holds in the end. */
struct history_holder {
    int32_t generation;    /* -1: none */
    uint64_t partitions;   /* bits */
    uint32_t member_count; /* that a leader was told of; 0: it does not lead */
};

/* ---- commits */

struct history_new_commit {
    uint32_t group;
    uint32_t partition;
    bool is_deletion;
    bool expires;
    int64_t offset;
    int32_t leader_epoch;
};

/* It leaves. Its number. */
uint32_t history_commit_sent(struct history *h, const struct history_new_commit *options);
void history_commit_text(uint32_t commit, char out[COMMIT_TEXT_SIZE]);

void history_commit_acked(struct history *h, uint32_t commit);
void history_commit_unknown(struct history *h, uint32_t commit);
void history_commit_refused(struct history *h, uint32_t commit);

/* To be asked when a request leaves that will tell what is committed. */
struct history_committed_view {
    uint64_t floor; /* the last commit that is known to be done began then */
    uint64_t asked;
};

struct history_committed_view history_committed_view(const struct history *h, uint32_t group,
                                                     uint32_t partition);

struct history_committed {
    uint32_t group;
    uint32_t partition;
    struct history_committed_view view;
    bool is_none;
    int64_t offset;
    int32_t leader_epoch; /* only when has_epoch */
    bool has_epoch;
    const char *metadata;
    size_t metadata_len;
};

/* This was told as committed. */
void history_committed_seen(struct history *h, const struct history_committed *seen);

#endif
