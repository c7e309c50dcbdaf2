// SPDX-License-Identifier: Apache-2.0
/*
 * offsets_call: one OffsetCommit, OffsetFetch or OffsetDelete of a simulated client, in whatever
 * version its connection has, and what the history is to know of it.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_OFFSETS_CALL_H
#define TEST_SIM_OFFSETS_CALL_H

#include "client.h"
#include "wire/kerr.h"

struct offsets_row {
    uint32_t partition; /* of the history */
    int64_t offset;     /* to commit; or what was fetched, -1: nothing is committed */
    enum kerr error;    /* of the answer */
    /* What was fetched with it; the text is the answer's, for as long as done() runs. */
    int32_t leader_epoch;
    struct wire_str metadata;
    uint32_t commit; /* of the history */
    struct history_committed_view view;
    bool is_answered;
};

/* On whose behalf. Borrowed during the call that sends. */
struct offsets_who {
    int32_t generation; /* -1: no member */
    struct wire_str member_id;
    struct wire_str instance_id;
};

struct offsets_call {
    struct client *client;
    uint32_t group;                                 /* of the history */
    struct offsets_row rows[CLIENT_PARTITIONS_MAX]; /* in the order of the history */
    uint32_t row_count;
    int32_t retention_ms; /* of commits in versions that have it; 0: the broker's */
    void *arg;
    /* ERR_CLOSED: no answer came. `error`: of the call as a whole. */
    void (*done)(void *arg, enum err e, enum kerr error);

    struct call call;
    int32_t generation;
    struct history_group_view view;
};

void offsets_commit(struct offsets_call *oc, const struct offsets_who *who);
void offsets_fetch(struct offsets_call *oc);
void offsets_delete(struct offsets_call *oc);

/* The first error of a row; KERR_NONE: there is none. */
enum kerr offsets_first_error(const struct offsets_call *oc);

/* The broker did not do it, and that is what it says. */
bool offsets_is_refusal(enum kerr error);

#endif
