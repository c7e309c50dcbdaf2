// SPDX-License-Identifier: Apache-2.0
/*
 * handle_fetch: records for consumers (API 1).
 *
 *   1. The session says which partitions are meant (fetch_session.h).
 *   2. Each partition is asked where the bytes lie; the page cache must answer.
 *   3. Where it does not, a worker asks the disk, a partition at a time.
 *   4. Too little found, no error, time left: the fetch parks on its partitions and a timer,
 *      and begins again at 2 when one of them wakes it.
 *   5. The answer: buffers, and file ranges for the records, which net/cold.c reads piece by piece
 *      where the page cache does not have them.
 *
 * The first batch is sent whole even when it is larger than the limits (KIP-74).
 *
 * Thread: the request's reactor; read_on_disk on a worker.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/state.h"
#include "broker/broker_private.h"
#include "broker/fetch_op.h"
#include "broker/handlers.h"
#include "metadata/image.h"

enum {
    FETCH_ARENA_BASE_BYTES = 64 * 1024,
    FETCH_ARENA_PART_BYTES = 768,
};

static const char *const fetch_step_names[] = {"reading", "on disk", "parked", "done"};
static const uint32_t fetch_edges[] = {
    [FETCH_READING] = STATE_EDGE(FETCH_ON_DISK) | STATE_EDGE(FETCH_PARKED) | STATE_EDGE(FETCH_DONE),
    [FETCH_ON_DISK] = STATE_EDGE(FETCH_PARKED) | STATE_EDGE(FETCH_DONE),
    [FETCH_PARKED] = STATE_EDGE(FETCH_READING) | STATE_EDGE(FETCH_DONE),
    [FETCH_DONE] = 0,
};
static const struct state_table fetch_states = {"fetch", fetch_step_names, fetch_edges, 4};

static void fetch_read(struct fetch_op *op);

/* ---- life */

static void release_found(struct fetch_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++)
        log_range_release(&op->parts[i].result.range);
    op->found_bytes = 0;
    op->found_files = 0;
}

static void fetch_op_free(struct watcher *watcher)
{
    struct fetch_op *op = container_of(watcher, struct fetch_op, watcher);
    ASSERT(op->rq == NULL);
    for (uint32_t i = 0; i < op->part_count; i++)
        partition_unref(op->parts[i].partition);
    arena_deinit(&op->arena);
    mem_free(op->parts);
    mem_free(op);
}

/* Takes the op out of service and gives its request back for the answer, after which neither is
 * touched: the caller answers, then drops what was found with fetch_drop. */
static struct request *fetch_finish(struct fetch_op *op)
{
    struct request *rq = op->rq;
    state_move(&fetch_states, &op->step, FETCH_DONE);
    loop_timer_stop(rq->net->loop, &op->timer);
    fetch_session_end(rq->broker->fetch_sessions, op->session);
    op->session = NULL;
    op->rq = NULL;
    return rq;
}

static void fetch_drop(struct fetch_op *op)
{
    ASSERT(op->step == FETCH_DONE);
    release_found(op);
    watcher_unref(&op->watcher);
}

static void fetch_reply(struct fetch_op *op)
{
    bool is_filled = fetch_op_fill_response(op);
    struct request *rq = fetch_finish(op);
    if (is_filled)
        request_reply(rq); /* takes references of its own to the files it sends */
    else
        request_close_no_memory(rq);
    fetch_drop(op);
}

/* ---- parking */

static void unpark(struct fetch_op *op, enum fetch_step to)
{
    state_move(&fetch_states, &op->step, to);
    list_remove(&op->parked_link);
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (op->parts[i].partition != NULL)
            partition_watch_remove(op->parts[i].partition, &op->parts[i].watch);
    }
}

static void fetch_woken(struct watcher *watcher)
{
    struct fetch_op *op = container_of(watcher, struct fetch_op, watcher);
    if (op->step != FETCH_PARKED)
        return; /* answered meanwhile, or another wake was first */
    unpark(op, FETCH_READING);
    fetch_read(op);
}

static void fetch_expired(struct loop_timer *timer)
{
    struct fetch_op *op = container_of(timer, struct fetch_op, timer);
    if (op->step != FETCH_PARKED)
        return; /* on disk: it sees the deadline when it is back */
    unpark(op, FETCH_READING);
    op->bytes_min = 0;
    fetch_read(op);
}

void fetch_op_abandon(struct fetch_op *op)
{
    ASSERT(op->step == FETCH_PARKED);
    unpark(op, FETCH_READING);
    net_request_answer_none(fetch_finish(op)->net);
    fetch_drop(op);
}

/* What was found up to here is too little: only a move of the end beyond it is news. Without
 * this a fetch that has some bytes, but not min_bytes, would wake itself for ever. */
static int64_t watch_offset(const struct fetch_op *op, const struct fetch_part *part)
{
    if (op->reader != PARTITION_READER_CONSUMER)
        return MAX(part->want.fetch_offset, part->result.hole_end);
    return MAX(part->want.fetch_offset, part->result.high_watermark);
}

static void park(struct fetch_op *op)
{
    struct request *rq = op->rq;
    release_found(op);
    state_move(&fetch_states, &op->step, FETCH_PARKED);
    list_push_back(broker_parked_list(rq), &op->parked_link);
    loop_timer_start(rq->net->loop, &op->timer, op->deadline_ns);
    /* A wake while this goes on is a task for a later turn: nothing runs in between. */
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct fetch_part *part = &op->parts[i];
        if (part->partition != NULL)
            partition_watch_add(part->partition, &part->watch, &op->watcher, watch_offset(op, part),
                                op->reader);
    }
}

/* What was found is complete: answer it, or wait for more. */
static void fetch_decide(struct fetch_op *op)
{
    bool is_enough =
        op->found_bytes >= op->bytes_min || op->has_error || op->has_more || op->part_count == 0;
    if (is_enough || env_mono_ns(op->rq->broker->env) >= op->deadline_ns ||
        !net_conn_is_open(op->rq->net->conn))
        fetch_reply(op);
    else
        park(op);
}

/* ---- reading */

/* ERR_AGAIN: the disk must be asked. */
static enum err read_part(struct fetch_op *op, struct fetch_part *part, enum env_read_mode mode)
{
    if (part->partition == NULL) {
        op->has_error = true;
        return ERR_OK;
    }
    int64_t left = op->bytes_max - MIN(op->bytes_max, op->found_bytes);
    bool is_bounded = op->found_files >= op->rq->broker->fetch_files_max;
    if (is_bounded)
        left = 0; /* each holds a descriptor until it is sent: the others come with the next */
    struct partition_read read = {
        .offset = part->want.fetch_offset,
        .bytes_max = MIN(left, (int64_t)MAX(part->want.partition_max_bytes, 0)),
        .whole_first = op->found_bytes == 0,
        .reader = op->reader,
        .current_leader_epoch = part->want.current_leader_epoch,
        .last_fetched_epoch = part->want.last_fetched_epoch,
    };
    enum err e = partition_read(part->partition, &read, mode, &part->result);
    if (e != ERR_OK)
        return e;
    if (part->result.error != KERR_NONE || part->result.diverging_epoch >= 0)
        op->has_error = true;
    op->has_more |= part->result.has_more || is_bounded;
    op->found_bytes += part->result.range.len;
    op->found_files += part->result.range.file != NULL;
    return ERR_OK;
}

static void fetch_back_from_disk(struct loop_task *task)
{
    struct fetch_op *op = container_of(task, struct fetch_op, disk_done);
    fetch_decide(op);
}

/* One partition a step, so that a fetch of many does not keep a worker. */
static bool read_on_disk(struct env_job *job)
{
    struct fetch_op *op = container_of(job, struct fetch_op, job);
    if (op->disk_index < op->part_count) {
        enum err e = read_part(op, &op->parts[op->disk_index], ENV_WAIT);
        ASSERT(e == ERR_OK); /* ENV_WAIT never says ERR_AGAIN */
        op->disk_index++;
    }
    if (op->disk_index < op->part_count)
        return true;
    loop_post(op->rq->net->loop, &op->disk_done);
    return false;
}

static void fetch_go_to_disk(struct fetch_op *op)
{
    release_found(op);
    op->has_error = false;
    op->has_more = false;
    state_move(&fetch_states, &op->step, FETCH_ON_DISK);
    op->disk_index = 0;
    op->job = (struct env_job){.run = read_on_disk, .queue = ENV_QUEUE_COLD};
    op->disk_done = (struct loop_task){.run = fetch_back_from_disk};
    broker_count_cold_read(op->rq->broker);
    env_submit(op->rq->broker->env, &op->job);
}

static void fetch_read(struct fetch_op *op)
{
    ASSERT(op->step == FETCH_READING);
    op->found_bytes = 0;
    op->found_files = 0;
    op->has_error = false;
    op->has_more = false;
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct fetch_part *part = &op->parts[i];
        log_range_release(&part->result.range);
        if (read_part(op, part, ENV_NOWAIT) == ERR_AGAIN) {
            fetch_go_to_disk(op);
            return;
        }
    }
    fetch_decide(op);
}

/* ---- beginning */

static void find_partition(struct fetch_op *op, struct fetch_part *part)
{
    const struct image *image = request_image(op->rq);
    bool by_id = op->rq->version >= 13;
    const struct topic_image *topic =
        by_id ? image_topic_by_id(image, part->topic_id)
              : image_topic(image, part->topic.data, (size_t)MAX(part->topic.len, 0));
    part->result = (struct partition_read_result){
        .error = by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION,
        .high_watermark = -1,
        .last_stable_offset = -1,
        .log_start_offset = -1,
        .diverging_epoch = -1,
    };
    list_init(&part->watch.link);
    if (topic == NULL)
        return;
    part->partition =
        broker_partition(op->rq->broker, topic, part->want.partition, &part->result.error);
}

static void parts_arena_init(struct fetch_op *op, uint64_t count)
{
    arena_init(&op->arena, FETCH_ARENA_BASE_BYTES + (size_t)count * FETCH_ARENA_PART_BYTES);
}

static bool parts_from_session(struct fetch_op *op)
{
    uint32_t count = op->session->item_count; /* LIMIT_FETCH_SESSION_PARTITIONS in all sessions */
    parts_arena_init(op, count);
    op->parts = mem_try((size_t)count * sizeof(struct fetch_part));
    if (op->parts == NULL)
        return false;
    memset(op->parts, 0, (size_t)count * sizeof(struct fetch_part));
    LIST_FOR_EACH (node, &op->session->order) {
        struct fetch_item *item = container_of(node, struct fetch_item, link);
        struct fetch_part *part = &op->parts[op->part_count++];
        part->item = item;
        part->topic = wire_str_of(item->topic);
        part->topic_id = item->topic_id;
        part->want = item->want;
        find_partition(op, part);
    }
    return true;
}

static bool parts_from_request(struct fetch_op *op, const struct fetch_request *request)
{
    uint64_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++)
        count += (uint64_t)MAX(request->topics.items[t].partitions.count, 0);
    parts_arena_init(op, count);
    op->parts = request_try(op->rq, count, sizeof(struct fetch_part));
    if (op->parts == NULL)
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct fetch_request_fetch_topic *topic = &request->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct fetch_part *part = &op->parts[op->part_count++];
            part->topic = topic->topic;
            part->topic_id = topic->topic_id;
            part->want = topic->partitions.items[i];
            find_partition(op, part);
        }
    }
    return true;
}

static struct fetch_op *fetch_op_new(struct request *rq, const struct fetch_request *request)
{
    struct fetch_op *op = mem_try(sizeof(*op));
    if (op == NULL)
        return NULL;
    *op = (struct fetch_op){.rq = rq, .step = FETCH_READING};
    watcher_init(&op->watcher, rq->net->loop, fetch_woken, fetch_op_free);
    list_init(&op->parked_link);
    op->timer = (struct loop_timer){.fire = fetch_expired};
    op->reader = PARTITION_READER_CONSUMER;
    op->bytes_max = MIN((int64_t)MAX(request->max_bytes, 0), broker_fetch_bytes_max(rq->broker));
    op->bytes_min = MIN((int64_t)request->min_bytes, op->bytes_max);
    int64_t wait_ns = (int64_t)MAX(request->max_wait_ms, 0) * 1000000;
    op->deadline_ns = env_mono_ns(rq->broker->env) + wait_ns;
    return op;
}

static void reply_error(struct request *rq, enum kerr error)
{
    struct fetch_response *response = rq->response;
    response->error_code = (int16_t)error;
    response->session_id = 0;
    request_reply(rq);
}

/* Followers prove who they are before they may read beyond the high watermark. */
static bool is_consumer(const struct request *rq, const struct fetch_request *request)
{
    int32_t replica = rq->version >= 15 ? request->replica_state.replica_id : request->replica_id;
    return replica < 0;
}

void handle_fetch(struct request *rq)
{
    const struct fetch_request *request = rq->body;
    if (!is_consumer(rq, request)) {
        reply_error(rq, KERR_CLUSTER_AUTHORIZATION_FAILED);
        return;
    }
    struct fetch_op *op = fetch_op_new(rq, request);
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    enum kerr error = fetch_session_begin(rq->broker->fetch_sessions, request, rq->version >= 13,
                                          &op->kind, &op->session);
    if (error != KERR_NONE) {
        reply_error(fetch_finish(op), error);
        fetch_drop(op);
        return;
    }
    bool is_ready = op->session != NULL ? parts_from_session(op) : parts_from_request(op, request);
    if (!is_ready) {
        request_close_no_memory(fetch_finish(op));
        fetch_drop(op);
        return;
    }
    fetch_read(op);
}
