// SPDX-License-Identifier: Apache-2.0
/*
 * partition_view: a partition as clients are told of it: what the image says, less what is not
 * there now: brokers that do not run, and replicas of this broker whose log directory failed.
 *
 * Lists point into the image where nothing is missing, else into the arena.
 *
 * Thread: the request's reactor.
 */
#ifndef BROKER_PARTITION_VIEW_H
#define BROKER_PARTITION_VIEW_H

#include "base/arena.h"
#include "broker/request.h"
#include "metadata/image.h"

struct partition_view {
    int32_t leader; /* IMAGE_NO_NODE: none that serves */
    int32_t leader_epoch;
    struct wire_i32_array replicas;
    struct wire_i32_array isr;
    struct wire_i32_array offline;
};

/* False: the arena is full. */
bool partition_view_fill(struct request *rq, struct arena *arena, const struct topic_image *topic,
                         int32_t index, struct partition_view *out);

#endif
