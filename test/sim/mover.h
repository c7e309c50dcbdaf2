// SPDX-License-Identifier: Apache-2.0
/*
 * mover: a simulated operator who sends partitions from one log directory to another, calls that
 * off, limits the rate, and looks where partitions are, while others write and read them.
 *
 * Thread: one.
 */
#ifndef TEST_SIM_MOVER_H
#define TEST_SIM_MOVER_H

#include "client.h"

enum { MOVER_TOPICS_MAX = 64, MOVER_PLACES_MAX = 256 };

struct mover_options {
    unsigned dir_count;
    int64_t pause_max_ns;
    int32_t rate_percent; /* of its calls: set the rate */
    /* Of the history, beside the client's partitions: topics that may be there or not. */
    uint32_t topics[MOVER_TOPICS_MAX];
    uint32_t topic_count;
};

/* A partition in a log directory, as DescribeLogDirs said it. */
struct mover_place {
    char topic[HISTORY_NAME_SIZE];
    int32_t index;
    unsigned dir;
    bool is_future;
};

enum mover_call { MOVER_MOVES, MOVER_LOOKS, MOVER_SETS_RATE };

struct mover {
    struct client client;
    struct mover_options options;
    struct call call;
    enum mover_call kind;
    struct loop_timer pause;
    bool is_busy;
    bool asked_nowhere; /* the call names a directory that is none */
    bool is_calm;       /* it moves nothing any more */
    bool rate_is_free;  /* there is no limit, surely */
    int64_t hold_until_ns;
    struct mover_place places[MOVER_PLACES_MAX]; /* as it was last told */
    uint32_t place_count;
    bool has_looked; /* since it is calm, and nothing moved */
};

/* The path of a log directory of the simulated broker. */
const char *mover_dir_path(unsigned dir);

void mover_start(struct mover *m, const struct client_options *client,
                 const struct mover_options *options);

/* No more moves, and no limit on those that are under way. */
void mover_calm(struct mover *m);

/* It is calm, and so is the broker. */
bool mover_is_done(const struct mover *m);

void mover_stop(struct mover *m);

#endif
