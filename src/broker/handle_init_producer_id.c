// SPDX-License-Identifier: Apache-2.0
/*
 * handle_init_producer_id: an id for an idempotent producer (API 22).
 *
 * Without a transactional id it always gets a new id with epoch 0, also when it names the one it
 * has (version 3 on): nothing else is known of such producers, and a new id is as good as a new
 * epoch. Transactions are not served: a transactional id is refused for good.
 *
 * Thread: the request's reactor; the controller's loop has the request while it waits.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/init_producer_id.h"

enum { NO_PRODUCER = -1 };

struct init_op {
    struct request *rq;
    struct producer_id_wish wish;
    struct loop_task there; /* to the controller's loop */
    struct loop_task back;  /* to the reactor */
};

static void reply(struct request *rq, enum kerr error, int64_t id)
{
    struct init_producer_id_response *response = rq->response;
    ASSERT((error == KERR_NONE) == (id >= 0));
    response->error_code = (int16_t)error;
    response->producer_id = id;
    response->producer_epoch = error == KERR_NONE ? 0 : -1;
    request_reply(rq);
}

/* A failure is told as "still loading", which every client asks again after. */
static void init_back(struct loop_task *task)
{
    struct init_op *op = container_of(task, struct init_op, back);
    if (op->wish.error == ERR_OK)
        reply(op->rq, KERR_NONE, op->wish.id);
    else
        reply(op->rq, KERR_COORDINATOR_LOAD_IN_PROGRESS, NO_PRODUCER);
}

static void init_granted(struct producer_id_wish *wish)
{
    struct init_op *op = container_of(wish, struct init_op, wish);
    loop_post(op->rq->net->loop, &op->back);
}

static void init_there(struct loop_task *task)
{
    struct init_op *op = container_of(task, struct init_op, there);
    producer_ids_ask(&op->rq->broker->producer_ids, &op->wish);
}

void handle_init_producer_id(struct request *rq)
{
    const struct init_producer_id_request *request = rq->body;
    if (!wire_str_is_null(request->transactional_id)) {
        bool is_empty = request->transactional_id.len == 0;
        reply(rq, is_empty ? KERR_INVALID_REQUEST : KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
              NO_PRODUCER);
        return;
    }
    if ((request->producer_id == NO_PRODUCER) != (request->producer_epoch == NO_PRODUCER)) {
        reply(rq, KERR_INVALID_REQUEST, NO_PRODUCER);
        return;
    }
    struct init_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    op->rq = rq;
    op->wish.done = init_granted;
    op->there.run = init_there;
    op->back.run = init_back;
    loop_post(rq->broker->loop, &op->there);
}
