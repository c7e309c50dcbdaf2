// SPDX-License-Identifier: Apache-2.0
/*
 * inspector: a simulated administrator that writes down, once, what the coordinator says of every
 * group: its members, what they read and have, and what is committed.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_INSPECTOR_H
#define TEST_SIM_INSPECTOR_H

#include "base/strbuf.h"
#include "client.h"
#include "offsets_call.h"

enum { INSPECTOR_GROUPS_MAX = 8 };

struct inspected_group {
    struct strbuf members;
    struct strbuf offsets;
    bool is_moving; /* a rebalance is under way: its members say nothing */
    bool has_members;
    bool has_offsets;
};

struct inspector {
    struct client client;
    struct inspected_group groups[INSPECTOR_GROUPS_MAX];
    uint32_t at; /* the next group */
    bool has_described;
    bool is_busy;
    struct call call;
    struct offsets_call offsets;
    struct loop_timer pause;
};

void inspector_start(struct inspector *in, const struct client_options *client);
bool inspector_is_done(const struct inspector *in);
void inspector_stop(struct inspector *in);
void inspector_deinit(struct inspector *in);

#endif
