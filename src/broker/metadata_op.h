// SPDX-License-Identifier: Apache-2.0
/*
 * metadata_op: a Metadata request on its way: which topics it asks for, each once, and those of
 * them that are being made for it.
 *
 * Thread: the request's reactor; auto_topic_op.change: see broker_change.
 */
#ifndef BROKER_METADATA_OP_H
#define BROKER_METADATA_OP_H

#include "base/arena.h"
#include "base/map.h"
#include "broker/broker_private.h"
#include "wire/metadata.h"

/* One topic that was asked for, by name or by id. */
struct metadata_asked {
    struct map_node node;
    struct wire_str name; /* null: by id */
    struct uuid id;       /* zero: by name */
    enum kerr error;      /* why there is nothing to tell */
};

struct metadata_op {
    struct request *rq;
    struct arena arena; /* the answer's; larger than the request's own */
    struct metadata_asked *asked;
    int32_t asked_count;
    bool is_all;
    int32_t making; /* topics that are being made */
};

/* One topic that is made because somebody asked for it. */
struct metadata_auto_topic {
    struct broker_change change;
    struct metadata_op *op;
    struct metadata_asked *asked;
    enum kerr result;
};

/* ---- metadata_response.c */

/* Fills rq->response from the image of now. False: over the arena's limit. */
bool metadata_fill_response(struct metadata_op *op);

#endif
