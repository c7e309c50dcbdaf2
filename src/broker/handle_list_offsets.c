// SPDX-License-Identifier: Apache-2.0
/*
 * handle_list_offsets: the first, the last, or an offset by time (API 2).
 *
 * The ends of a log are known at once. A search by time, or for the largest timestamp, reads
 * the disk: if the request has one, all its searches are done by one job on a worker, then the
 * answer is given on the reactor.
 *
 * There is no tiered storage: the earliest local offset is the log's start, nothing is
 * tiered (-1), and what would be uploaded first is not known (-1).
 *
 * Thread: the request's reactor; search_on_disk on a worker.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "wire/list_offsets.h"

enum {
    TIME_LATEST = -1,
    TIME_EARLIEST = -2,
    TIME_EARLIEST_LOCAL = -4,
    TIME_LATEST_TIERED = -5,
    TIME_EARLIEST_PENDING_UPLOAD = -6,
    CONSUMER = -1,
    READ_UNCOMMITTED = 0,
    READ_COMMITTED = 1,
    EPOCH_SINCE = 4,
};

/* One partition of the request. */
struct list_part {
    struct wire_str topic;
    const struct list_offsets_request_list_offsets_partition *asked;
    struct list_offsets_response_list_offsets_partition_response *row;
};

/* One whose answer needs the disk. */
struct offset_search {
    struct partition *partition; /* one reference */
    int64_t timestamp;
    struct list_offsets_response_list_offsets_partition_response *row;
};

struct list_op {
    struct request *rq;
    struct list_part *parts; /* by topic and index */
    int32_t part_count;
    struct offset_search *searches;
    int32_t search_count;
    int32_t search_index; /* of the next that a worker does */
    struct env_job job;
    struct loop_task back;
};

static void row_fail(struct list_offsets_response_list_offsets_partition_response *row,
                     enum kerr error)
{
    row->error_code = (int16_t)error;
    row->timestamp = -1;
    row->offset = -1;
    row->leader_epoch = -1;
}

/* Before version 4 an answer has no epoch, and one that is set could not be encoded. */
static void row_fill(const struct request *rq,
                     struct list_offsets_response_list_offsets_partition_response *row,
                     struct log_time_match found)
{
    row->timestamp = found.timestamp_ms;
    row->offset = found.offset;
    if (rq->version >= EPOCH_SINCE)
        row->leader_epoch = found.leader_epoch;
}

/* ---- on disk */

/* One search a step, so that a request with many does not keep a worker. */
static bool search_on_disk(struct env_job *job)
{
    struct list_op *op = container_of(job, struct list_op, job);
    ASSERT(op->search_index < op->search_count);
    struct offset_search *search = &op->searches[op->search_index++];
    struct log_time_match match = {.offset = -1, .timestamp_ms = -1, .leader_epoch = -1};
    enum kerr error = partition_find_time(search->partition, search->timestamp, &match);
    if (error != KERR_NONE)
        row_fail(search->row, error);
    else if (match.offset >= 0)
        row_fill(op->rq, search->row, match);
    if (op->search_index < op->search_count)
        return true;
    loop_post(op->rq->net->loop, &op->back);
    return false;
}

static void drop_searches(struct list_op *op)
{
    for (int32_t i = 0; i < op->search_count; i++)
        partition_unref(op->searches[i].partition);
    op->search_count = 0;
}

/* Before version 4 there is no place for the leader epoch in the answer. */
static void list_op_reply(struct list_op *op)
{
    for (int32_t i = 0; op->rq->version < 4 && i < op->part_count; i++)
        op->parts[i].row->leader_epoch = -1;
    request_reply(op->rq);
}

static void back_from_disk(struct loop_task *task)
{
    struct list_op *op = container_of(task, struct list_op, back);
    drop_searches(op);
    list_op_reply(op);
}

/* ---- at once */

/* The epoch in which the record at `offset` was written: the least one that ends behind it.
 * Epochs end in rising order, so halving finds it. -1: no epoch has reached this offset. */
static int32_t epoch_of(struct partition *partition, int64_t offset, int32_t last_epoch)
{
    int32_t low = 0, high = last_epoch, found = -1;
    while (low <= high) {
        int32_t middle = low + (high - low) / 2;
        int32_t epoch = -1;
        int64_t end = -1;
        if (partition_epoch_end(partition, -1, middle, &epoch, &end) != KERR_NONE)
            return -1;
        if (epoch < 0 || end <= offset) {
            low = middle + 1;
        } else {
            found = epoch;
            high = middle - 1;
        }
    }
    return found;
}

/* Of the newest epoch that the log knows. */
static int32_t last_epoch_of(struct partition *partition, int32_t leader_epoch)
{
    int32_t epoch = -1;
    int64_t end = -1;
    if (partition_epoch_end(partition, -1, leader_epoch, &epoch, &end) != KERR_NONE)
        return -1;
    return epoch;
}

static int64_t latest_for(const struct request *rq, const struct partition_offsets *offsets)
{
    const struct list_offsets_request *request = rq->body;
    if (request->replica_id != CONSUMER)
        return offsets->written;
    return request->isolation_level == READ_COMMITTED ? offsets->last_stable
                                                      : offsets->high_watermark;
}

/* The offsets that have a name of their own. */
static enum kerr fill_named(struct request *rq, struct partition *partition, int64_t name,
                            struct list_offsets_response_list_offsets_partition_response *row)
{
    struct partition_offsets offsets;
    partition_offsets(partition, &offsets);
    if (offsets.error != KERR_NONE)
        return offsets.error;
    struct log_time_match found = {.offset = -1, .timestamp_ms = -1, .leader_epoch = -1};
    if (name == TIME_LATEST) {
        found.offset = latest_for(rq, &offsets);
        found.leader_epoch = last_epoch_of(partition, offsets.leader_epoch);
    } else if (name == TIME_EARLIEST || name == TIME_EARLIEST_LOCAL) {
        found.offset = offsets.log_start;
        found.leader_epoch = epoch_of(partition, offsets.log_start, offsets.leader_epoch);
        if (found.leader_epoch < 0)
            found.leader_epoch = last_epoch_of(partition, offsets.leader_epoch);
    }
    row_fill(rq, row, found);
    return KERR_NONE;
}

/* Each special time has the version that knows it; older clients cannot mean it. */
static bool is_time_known(int64_t timestamp, int16_t version)
{
    static const int16_t since[] = {
        [-TIME_LATEST] = 1,         [-TIME_EARLIEST] = 1,      [-PARTITION_TIME_MAX] = 7,
        [-TIME_EARLIEST_LOCAL] = 8, [-TIME_LATEST_TIERED] = 9, [-TIME_EARLIEST_PENDING_UPLOAD] = 11,
    };
    if (timestamp >= 0)
        return true;
    return timestamp >= TIME_EARLIEST_PENDING_UPLOAD && version >= since[-timestamp];
}

/* Fills the row, or remembers that the disk has to be asked. */
static enum kerr fill_row(struct list_op *op, const struct list_part *part)
{
    const struct list_offsets_request_list_offsets_partition *asked = part->asked;
    struct request *rq = op->rq;
    if (!is_time_known(asked->timestamp, rq->version))
        return KERR_UNSUPPORTED_VERSION;
    enum kerr error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    const struct topic_image *topic =
        image_topic(request_image(rq), part->topic.data, (size_t)MAX(part->topic.len, 0));
    struct partition *partition =
        topic != NULL ? broker_partition(rq->broker, topic, asked->partition_index, &error) : NULL;
    if (partition == NULL)
        return error;
    error = partition_check_epoch(partition, asked->current_leader_epoch);
    bool needs_disk = asked->timestamp >= 0 || asked->timestamp == PARTITION_TIME_MAX;
    if (error == KERR_NONE && needs_disk) {
        op->searches[op->search_count++] =
            (struct offset_search){partition, asked->timestamp, part->row};
        return KERR_NONE;
    }
    if (error == KERR_NONE)
        error = fill_named(rq, partition, asked->timestamp, part->row);
    partition_unref(partition);
    return error;
}

/* ---- what is asked */

static int compare_parts(const void *a, const void *b)
{
    const struct list_part *x = a, *y = b;
    size_t len = (size_t)MAX(MIN(x->topic.len, y->topic.len), 0);
    int order = len > 0 ? memcmp(x->topic.data, y->topic.data, len) : 0;
    if (order != 0)
        return order;
    if (x->topic.len != y->topic.len)
        return x->topic.len < y->topic.len ? -1 : 1;
    int32_t i = x->asked->partition_index, j = y->asked->partition_index;
    return (i > j) - (i < j);
}

static bool is_double(const struct list_op *op, int32_t i)
{
    const struct list_part *part = &op->parts[i];
    return (i > 0 && compare_parts(part - 1, part) == 0) ||
           (i + 1 < op->part_count && compare_parts(part, part + 1) == 0);
}

static int64_t count_parts(const struct list_offsets_request *request)
{
    int64_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++)
        count += request->topics.items[t].partitions.count;
    return count;
}

static bool add_topic(struct list_op *op,
                      const struct list_offsets_request_list_offsets_topic *topic,
                      struct list_offsets_response_list_offsets_topic_response *out)
{
    out->name = topic->name;
    if (wire_array_new(&op->rq->net->arena,
                       &list_offsets_response_list_offsets_partition_response_layout,
                       topic->partitions.count, &out->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < topic->partitions.count; i++) {
        out->partitions.items[i].partition_index = topic->partitions.items[i].partition_index;
        op->parts[op->part_count++] =
            (struct list_part){topic->name, &topic->partitions.items[i], &out->partitions.items[i]};
    }
    return true;
}

/* The op with a row for every partition. NULL: no memory. */
static struct list_op *list_op_new(struct request *rq)
{
    const struct list_offsets_request *request = rq->body;
    struct list_offsets_response *response = rq->response;
    size_t count = (size_t)count_parts(request);
    struct list_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL)
        return NULL;
    op->rq = rq;
    op->parts = request_alloc(rq, count, sizeof(op->parts[0]));
    op->searches = request_alloc(rq, count, sizeof(op->searches[0]));
    if (op->parts == NULL || op->searches == NULL ||
        wire_array_new(&rq->net->arena, &list_offsets_response_list_offsets_topic_response_layout,
                       request->topics.count, &response->topics) != ERR_OK)
        return NULL;
    for (int32_t t = 0; t < request->topics.count; t++) {
        if (!add_topic(op, &request->topics.items[t], &response->topics.items[t]))
            return NULL;
    }
    return op;
}

void handle_list_offsets(struct request *rq)
{
    struct list_op *op = list_op_new(rq);
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    if (op->part_count > 1)
        qsort(op->parts, (size_t)op->part_count, sizeof(op->parts[0]), compare_parts);
    const struct list_offsets_request *request = rq->body;
    bool is_known =
        request->isolation_level == READ_UNCOMMITTED || request->isolation_level == READ_COMMITTED;
    for (int32_t i = 0; i < op->part_count; i++) {
        enum kerr error = !is_known          ? KERR_UNKNOWN_SERVER_ERROR
                          : is_double(op, i) ? KERR_INVALID_REQUEST
                                             : fill_row(op, &op->parts[i]);
        if (error != KERR_NONE)
            row_fail(op->parts[i].row, error);
    }
    if (op->search_count == 0) {
        list_op_reply(op);
        return;
    }
    op->job = (struct env_job){.run = search_on_disk, .queue = ENV_QUEUE_COLD};
    op->back = (struct loop_task){.run = back_from_disk};
    env_submit(rq->broker->env, &op->job);
}
