// SPDX-License-Identifier: Apache-2.0
/*
 * producer_ids: ids for idempotent producers, each handed out once in the life of the cluster.
 *
 * A broker takes blocks of PRODUCER_ID_BLOCK ids from the metadata log and hands out of the
 * block that it holds in memory. A block counts only once its record is committed, so an id
 * that anybody was told is never in a later block; what a stop or crash leaves of a block is lost.
 *
 * Thread: the controller's loop, where nothing else is said.
 */
#ifndef BROKER_PRODUCER_IDS_H
#define BROKER_PRODUCER_IDS_H

#include "base/list.h"
#include "controller/controller.h"

struct producer_ids {
    int32_t node_id;
    int64_t next;
    int64_t end; /* next == end: nothing is left */
    struct controller *controller;
    struct list waiting; /* producer_id_wish.link, while `fill` is under way */
    struct change fill;
    int64_t fill_first;
    bool is_filling;
};

/* Somebody wants an id. Owned by the caller, untouched between producer_ids_ask and done. */
struct producer_id_wish {
    void (*done)(struct producer_id_wish *wish); /* exactly once; may free it */
    int64_t id;                                  /* results: -1 when there is an error */
    enum err error;
    struct list link; /* internal */
};

/* Thread: start. */
void producer_ids_init(struct producer_ids *ids, struct controller *controller, int32_t node_id);

/* `done` may come from within this call. */
void producer_ids_ask(struct producer_ids *ids, struct producer_id_wish *wish);

#endif
