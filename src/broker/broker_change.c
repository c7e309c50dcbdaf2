// SPDX-License-Identifier: Apache-2.0
/*
 * broker_change: takes a request's change to the controller and its answer back to the
 * request's reactor, whose image then has the change in it (read your own writes).
 *
 * Thread: submit: the request's reactor; in between the controller's loop has the request.
 */
#include "base/assert.h"
#include "broker/broker_private.h"

static enum err change_decide(struct change *change, struct decision *d)
{
    struct broker_change *bc = container_of(change, struct broker_change, change);
    return bc->decide(bc, d);
}

static void change_back(struct loop_task *task)
{
    struct broker_change *bc = container_of(task, struct broker_change, task);
    bc->finish(bc, bc->change.error);
}

static void change_done(struct change *change)
{
    struct broker_change *bc = container_of(change, struct broker_change, change);
    loop_post(bc->rq->net->loop, &bc->task);
}

void broker_submit_change(struct broker_change *bc)
{
    ASSERT(bc->decide != NULL && bc->finish != NULL);
    bc->change = (struct change){.decide = change_decide, .done = change_done};
    bc->task = (struct loop_task){.run = change_back};
    controller_submit(bc->rq->broker->controller, &bc->change);
}

struct plain_change {
    struct broker_change base;
    bool (*fill_failure)(struct request *rq, enum err e);
};

static void plain_finish(struct broker_change *bc, enum err e)
{
    const struct plain_change *plain = container_of(bc, struct plain_change, base);
    if (e == ERR_OK || plain->fill_failure(bc->rq, e))
        request_reply(bc->rq);
    else
        request_close_no_memory(bc->rq);
}

void broker_change_start(struct request *rq,
                         enum err (*decide)(struct broker_change *bc, struct decision *d),
                         bool (*fill_failure)(struct request *rq, enum err e))
{
    struct plain_change *plain = request_alloc(rq, 1, sizeof(*plain));
    if (plain == NULL) {
        request_close_no_memory(rq);
        return;
    }
    plain->base.rq = rq;
    plain->base.decide = decide;
    plain->base.finish = plain_finish;
    plain->fill_failure = fill_failure;
    broker_submit_change(&plain->base);
}

/* A change that was refused as a whole is too large for one entry of the metadata log; where the
 * store failed the client may try again later, perhaps after a restart of the broker. */
enum kerr broker_change_error(enum err e)
{
    if (e == ERR_OK)
        return KERR_NONE;
    if (e == ERR_TOO_LARGE)
        return KERR_POLICY_VIOLATION;
    if (e == ERR_CLOSED)
        return KERR_NOT_CONTROLLER;
    return kerr_from_err(e);
}
