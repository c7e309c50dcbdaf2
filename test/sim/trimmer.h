// SPDX-License-Identifier: Apache-2.0
/*
 * trimmer: a simulated administrator who deletes records from the front of partitions, again and
 * again, while others write and read them. Never beyond what it was told of the high watermark,
 * but for now and then, when it has to be refused.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_TRIMMER_H
#define TEST_SIM_TRIMMER_H

#include "client.h"

struct trimmer {
    struct client client;
    struct call call;
    struct loop_timer pause;
    bool is_busy;
    uint32_t partition; /* of the history, that the call is about */
    int64_t offset;
    struct history_floor floor; /* when it left */
};

void trimmer_start(struct trimmer *t, const struct client_options *client);
void trimmer_stop(struct trimmer *t);

#endif
