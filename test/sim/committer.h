// SPDX-License-Identifier: Apache-2.0
/*
 * committer: a simulated client that keeps offsets in a group without being a member: commits,
 * deletes some of them or the whole group, and looks what is there. A group has one committer.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_COMMITTER_H
#define TEST_SIM_COMMITTER_H

#include "client.h"
#include "offsets_call.h"

struct committer {
    struct client client;
    uint32_t group;           /* of the history */
    int32_t retention_max_ms; /* some of its commits do not stay; 0: all do */
    int64_t offset;           /* goes up */
    bool is_busy;
    bool is_made; /* the coordinator was found */
    struct call call;
    struct offsets_call offsets;
    struct loop_timer pause;
};

void committer_start(struct committer *c, const struct client_options *client, uint32_t group,
                     int32_t retention_max_ms);
void committer_stop(struct committer *c);

#endif
