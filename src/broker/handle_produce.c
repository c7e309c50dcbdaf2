// SPDX-License-Identifier: Apache-2.0
/*
 * handle_produce: records of producers (API 0). See produce_op.h for the steps.
 *
 * Batches of one connection are appended in the order of their requests, though a large
 * compressed one is checked on a worker while later ones are ready: they wait behind it.
 *
 * How it can fail: a part is refused (the others go on); the time is up before the disk is
 * done (REQUEST_TIMED_OUT; the record may be kept all the same, as with Kafka); with acks=0
 * any error closes the connection, since there is no answer to put it in.
 *
 * Thread: the request's reactor; part_done on disk workers.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "broker/broker_private.h"
#include "broker/conn_state.h"
#include "broker/handlers.h"
#include "broker/produce_op.h"
#include "metadata/image.h"
#include "metadata/topic_name.h"

enum { PREPARE_GRACE_NS = 10 * 1000000 }; /* not appended yet: look again */

/* ---- the end */

static void op_free(struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        partition_unref(op->parts[i].partition);
        iobuf_slice_release(&op->parts[i].append.log.bytes);
        mem_free(op->parts[i].record_errors);
    }
    mem_free(op->parts);
    mem_free(op);
}

static enum kerr part_result(const struct produce_part *part)
{
    if (!atomic_load_explicit(&part->is_done, memory_order_acquire))
        return KERR_REQUEST_TIMED_OUT;
    return part->error != KERR_NONE ? part->error : part->append.result;
}

static bool fill_record_errors(struct request *rq, const struct produce_part *part,
                               struct produce_response_partition_produce_response *out)
{
    if (part->record_error_count == 0)
        return true;
    if (wire_array_new(&rq->net->arena, &produce_response_batch_index_and_error_message_layout,
                       part->record_error_count, &out->record_errors) != ERR_OK)
        return false;
    for (int32_t i = 0; i < part->record_error_count; i++) {
        out->record_errors.items[i].batch_index = part->record_errors[i].index;
        out->record_errors.items[i].batch_index_error_message =
            wire_str_of(batch_record_error_text(part->record_errors[i].verdict));
    }
    return true;
}

static bool fill_part(struct request *rq, const struct produce_part *part,
                      struct produce_response_partition_produce_response *out)
{
    enum kerr error = part_result(part);
    out->error_code = (int16_t)error;
    out->base_offset = -1;
    if (error == KERR_NONE) {
        out->base_offset = part->append.base_offset;
        out->log_append_time_ms = part->append_time_ms;
        out->log_start_offset = part->append.log_start_offset;
        return true;
    }
    const char *reason = part->reason;
    if (reason == NULL && error == KERR_KAFKA_STORAGE_ERROR && part->append.found_low)
        reason = "the disk of this partition's log directory is nearly full";
    out->error_message = wire_str_of(reason != NULL ? reason : kerr_message(error));
    return fill_record_errors(rq, part, out);
}

static bool fill_response(struct produce_op *op)
{
    struct request *rq = op->rq;
    const struct produce_request *request = rq->body;
    struct produce_response *response = rq->response;
    struct arena *arena = &rq->net->arena;
    const struct produce_part *part = op->parts;
    response->throttle_time_ms = (int32_t)rq->throttle_ms;
    if (wire_array_new(arena, &produce_response_topic_produce_response_layout,
                       request->topic_data.count, &response->responses) != ERR_OK)
        return false;
    for (int32_t t = 0; t < request->topic_data.count; t++) {
        const struct produce_request_topic_produce_data *in = &request->topic_data.items[t];
        struct produce_response_topic_produce_response *out = &response->responses.items[t];
        out->name = in->name;
        out->topic_id = in->topic_id;
        if (wire_array_new(arena, &produce_response_partition_produce_response_layout,
                           in->partition_data.count, &out->partition_responses) != ERR_OK)
            return false;
        for (int32_t i = 0; i < in->partition_data.count; i++, part++) {
            out->partition_responses.items[i].index = in->partition_data.items[i].index;
            if (!fill_part(rq, part, &out->partition_responses.items[i]))
                return false;
        }
    }
    return true;
}

static bool has_any_error(const struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (part_result(&op->parts[i]) != KERR_NONE)
            return true;
    }
    return false;
}

/* Who tries again at once where the disk is nearly full would only spin. */
static bool has_low_part(const struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        const struct produce_part *part = &op->parts[i];
        if (part_result(part) == KERR_KAFKA_STORAGE_ERROR && part->error == KERR_NONE &&
            part->append.found_low)
            return true;
    }
    return false;
}

static void op_answer(struct produce_op *op)
{
    struct request *rq = op->rq;
    loop_timer_stop(op->loop, &op->timer);
    for (uint32_t i = 0; i < op->part_count; i++)
        broker_count_produced(rq->broker, &op->parts[i], part_result(&op->parts[i]));
    if (has_low_part(op))
        rq->throttle_ms = LIMIT_DISK_FULL_THROTTLE_MS;
    bool is_filled = op->acks == 0 || fill_response(op);
    bool has_error = op->acks == 0 && has_any_error(op);
    op->rq = NULL;
    if (!is_filled)
        request_close_no_memory(rq);
    else if (has_error)
        request_close(rq, "a batch sent with acks=0 was refused");
    else if (op->acks == 0)
        request_reply_none(rq);
    else
        request_reply(rq);
}

/* Every part is done. On the reactor. */
static void op_complete(struct produce_op *op)
{
    if (op->rq != NULL)
        op_answer(op);
    op_free(op);
}

static void op_completed_task(struct loop_task *task)
{
    op_complete(container_of(task, struct produce_op, task));
}

/* Any thread. The last one hands the op back to its reactor. */
static void op_release(struct produce_op *op)
{
    unsigned before = atomic_fetch_sub_explicit(&op->remaining, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        loop_post(op->loop, &op->task);
}

static void part_done(struct partition_append *append)
{
    struct produce_part *part = container_of(append, struct produce_part, append);
    atomic_store_explicit(&part->is_done, true, memory_order_release);
    op_release(part->op);
}

static void op_expired(struct loop_timer *timer)
{
    struct produce_op *op = container_of(timer, struct produce_op, timer);
    /* A worker has it, or it waits in its turn behind such a one. While it is in the order it is
     * not answered: its request is what keeps the connection's state, and with it the order. */
    if (list_is_linked(&op->order))
        loop_timer_start(op->loop, timer, loop_now_ns(op->loop) + PREPARE_GRACE_NS);
    else
        op_answer(op); /* what is not done says REQUEST_TIMED_OUT; the op stays until it is */
}

/* ---- appending, in order */

static void op_append(struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        if (part->error != KERR_NONE) {
            part_done(&part->append);
            continue;
        }
        part->append.ack = op->acks == -1 ? PARTITION_ACK_COMMITTED : PARTITION_ACK_WRITTEN;
        part->append.loop = op->loop;
        part->append.done = part_done;
        partition_append(part->partition, &part->append, op->now_ms);
    }
    unsigned before = atomic_fetch_sub_explicit(&op->remaining, 1, memory_order_acq_rel);
    if (before == 1)
        op_complete(op); /* all refused, or already done: no need for a task */
}

static void append_what_is_prepared(struct conn_state *state)
{
    while (!list_is_empty(&state->produce)) {
        struct produce_op *op = container_of(state->produce.next, struct produce_op, order);
        if (!op->is_prepared)
            return;
        list_remove(&op->order);
        bool is_last = list_is_empty(&state->produce);
        /* May answer, and with the last answer of a closed connection `state` goes; those that
         * are in the order still are not answered. */
        op_append(op);
        if (is_last)
            return;
    }
}

/* ---- preparing */

static void op_prepared(struct loop_task *task)
{
    struct produce_op *op = container_of(task, struct produce_op, task);
    op->is_prepared = true;
    op->task = (struct loop_task){.run = op_completed_task};
    append_what_is_prepared(conn_state_of(op->rq->broker, op->rq->net->conn));
}

static bool prepare_on_worker(struct env_job *job)
{
    struct produce_op *op = container_of(job, struct produce_op, job);
    struct produce_tools tools = {0};
    for (uint32_t i = 0; i < op->part_count; i++)
        produce_part_prepare(&op->parts[i], &tools);
    produce_tools_deinit(&tools);
    loop_post(op->loop, &op->task);
    return false;
}

static void op_prepare(struct produce_op *op)
{
    struct request *rq = op->rq;
    struct conn_state *state = conn_state_of(rq->broker, rq->net->conn);
    list_push_back(&state->produce, &op->order);
    if (op->needs_worker) {
        op->task = (struct loop_task){.run = op_prepared};
        op->job = (struct env_job){.run = prepare_on_worker, .queue = ENV_QUEUE_READ};
        env_submit(op->env, &op->job);
        return;
    }
    for (uint32_t i = 0; i < op->part_count; i++)
        produce_part_prepare(&op->parts[i], &rq->reactor->tools);
    op->is_prepared = true;
    op->task = (struct loop_task){.run = op_completed_task};
    append_what_is_prepared(state);
}

/* ---- beginning */

/* Kafka's name for tools that may write where nobody else does. */
#define ADMIN_CLIENT_ID "__admin_client"

static void part_begin(struct produce_op *op, struct produce_part *part,
                       const struct topic_image *topic,
                       const struct produce_request_partition_produce_data *in)
{
    bool by_id = op->rq->version >= 13;
    part->op = op;
    part->records = in->records;
    part->append_time_ms = -1;
    atomic_init(&part->is_done, false);
    list_init(&part->append.wait_link);
    list_init(&part->append.log.link);
    if (topic == NULL) {
        part->error = by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    if (topic_name_is_internal(topic_name(topic), topic_name_len(topic)) &&
        !wire_str_is(op->rq->header.client_id, ADMIN_CLIENT_ID)) {
        part->error = KERR_INVALID_TOPIC_EXCEPTION;
        part->reason = "clients do not write to internal topics";
        return;
    }
    part->partition = broker_partition(op->rq->broker, topic, in->index, &part->error);
    part->append.spares_reserve = !topic_name_is_internal(topic_name(topic), topic_name_len(topic));
    if (part->partition != NULL && in->records.len <= 0) {
        part->error = KERR_INVALID_RECORD;
        part->reason = "no records";
    }
    if (!wire_str_is_null(((const struct produce_request *)op->rq->body)->transactional_id)) {
        part->error = KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        part->reason = "transactions are not served";
    }
    op->needs_worker |= part->error == KERR_NONE && produce_part_is_heavy(part);
}

static uint64_t count_parts(const struct produce_request *request)
{
    uint64_t count = 0;
    for (int32_t t = 0; t < request->topic_data.count; t++)
        count += (uint64_t)MAX(request->topic_data.items[t].partition_data.count, 0);
    return count;
}

static struct produce_op *op_new(struct request *rq, const struct produce_request *request)
{
    uint64_t count = count_parts(request);
    struct produce_op *op = mem_try(sizeof(*op));
    struct produce_part *parts = request_try(rq, count, sizeof(*parts));
    if (op == NULL || parts == NULL) {
        mem_free(op);
        mem_free(parts);
        return NULL;
    }
    *op = (struct produce_op){
        .rq = rq,
        .parts = parts,
        .part_count = (uint32_t)count,
        .acks = request->acks,
        .is_zstd_allowed = rq->version >= 7,
        .now_ms = env_wall_ms(rq->broker->env),
        .loop = rq->net->loop,
        .env = rq->broker->env,
        .timer = {.fire = op_expired},
    };
    list_init(&op->order);
    atomic_init(&op->remaining, op->part_count + 1);
    return op;
}

static void parts_begin(struct produce_op *op, const struct produce_request *request)
{
    const struct image *image = request_image(op->rq);
    struct produce_part *part = op->parts;
    for (int32_t t = 0; t < request->topic_data.count; t++) {
        const struct produce_request_topic_produce_data *in = &request->topic_data.items[t];
        const struct topic_image *topic =
            op->rq->version >= 13 ? image_topic_by_id(image, in->topic_id)
                                  : image_topic(image, in->name.data, (size_t)MAX(in->name.len, 0));
        for (int32_t i = 0; i < in->partition_data.count; i++)
            part_begin(op, part++, topic, &in->partition_data.items[i]);
    }
}

/* acks other than -1, 0 and 1: every partition says so. */
static void refuse_acks(struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (op->parts[i].error == KERR_NONE)
            op->parts[i].error = KERR_INVALID_REQUIRED_ACKS;
    }
}

void handle_produce(struct request *rq)
{
    const struct produce_request *request = rq->body;
    struct produce_op *op = op_new(rq, request);
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    parts_begin(op, request);
    if (request->acks < -1 || request->acks > 1)
        refuse_acks(op);
    if (request->acks != 0)
        loop_timer_start(op->loop, &op->timer,
                         loop_now_ns(op->loop) + (int64_t)MAX(request->timeout_ms, 0) * 1000000);
    op_prepare(op);
}
