// SPDX-License-Identifier: Apache-2.0
/*
 * handle_alter_replica_log_dirs: partitions are to lie in another log directory of this broker
 * (API 34, KIP-113).
 *
 * The answer says that a move has begun, or why it has not; how it goes on DescribeLogDirs tells.
 * As in Kafka a directory is named just as DescribeLogDirs names it, and of several directories
 * that are named for one partition the last one counts; it has one row then.
 *
 * Thread: the request's reactor; move_all on the replica set's loop.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "replica/replica_set_move.h"
#include "wire/alter_replica_log_dirs.h"

/* One partition of the request. */
struct move_part {
    struct wire_str topic;
    int32_t index;
    int32_t dir; /* among those of the request */
};

/* A topic of the answer. */
struct move_topic {
    const char *name; /* NULL: no topic can have it */
    struct uuid id;
    int32_t partition_count; /* 0: there is none of this name */
};

struct move_op {
    struct request *rq;
    const char **dirs; /* by those of the request: the path of one of ours, or "" */
    struct move_part *parts;
    int32_t part_count;
    struct move_topic *topics; /* by those of the answer */
    struct loop_task task;
};

/* ---- what is asked for */

static int compare_partitions(const struct move_part *a, const struct move_part *b)
{
    int order = wire_str_compare(a->topic, b->topic);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Of several for one partition the last that was named comes last. */
static int compare_parts(const void *a, const void *b)
{
    const struct move_part *x = a, *y = b;
    int order = compare_partitions(x, y);
    return order != 0 ? order : (x->dir > y->dir) - (x->dir < y->dir);
}

/* The path of a log directory; "": it is none. */
static const char *dir_of(const struct broker *broker, struct wire_str path)
{
    for (size_t i = 0; i < broker->dir_count; i++) {
        if (wire_str_is(path, log_dir_path(broker->dirs[i])))
            return log_dir_path(broker->dirs[i]);
    }
    return "";
}

static size_t count_parts(const struct alter_replica_log_dirs_request *request)
{
    size_t count = 0;
    for (int32_t d = 0; d < request->dirs.count; d++) {
        for (int32_t t = 0; t < request->dirs.items[d].topics.count; t++)
            count += (size_t)request->dirs.items[d].topics.items[t].partitions.count;
    }
    return count;
}

static void
add_topic(struct move_op *op, int32_t dir,
          const struct alter_replica_log_dirs_request_alter_replica_log_dir_topic *topic)
{
    for (int32_t i = 0; i < topic->partitions.count; i++)
        op->parts[op->part_count++] = (struct move_part){
            .topic = topic->name, .index = topic->partitions.items[i], .dir = dir};
}

/* In order, each partition once. */
static void sort_parts(struct move_op *op)
{
    int32_t count = 0;
    if (op->part_count > 1)
        qsort(op->parts, (size_t)op->part_count, sizeof(op->parts[0]), compare_parts);
    for (int32_t i = 0; i < op->part_count; i++) {
        if (i + 1 == op->part_count || compare_partitions(&op->parts[i], &op->parts[i + 1]) != 0)
            op->parts[count++] = op->parts[i];
    }
    op->part_count = count;
}

static bool read_request(struct move_op *op)
{
    const struct alter_replica_log_dirs_request *request = op->rq->body;
    op->dirs = request_alloc(op->rq, (size_t)request->dirs.count, sizeof(op->dirs[0]));
    op->parts = request_alloc(op->rq, count_parts(request), sizeof(op->parts[0]));
    if (op->dirs == NULL || op->parts == NULL)
        return false;
    for (int32_t d = 0; d < request->dirs.count; d++) {
        const struct alter_replica_log_dirs_request_alter_replica_log_dir *dir =
            &request->dirs.items[d];
        op->dirs[d] = dir_of(op->rq->broker, dir->path);
        for (int32_t t = 0; t < dir->topics.count; t++)
            add_topic(op, d, &dir->topics.items[t]);
    }
    sort_parts(op);
    return true;
}

/* ---- the answer's form */

static bool is_new_topic(const struct move_op *op, int32_t part)
{
    return part == 0 || !wire_str_equal(op->parts[part].topic, op->parts[part - 1].topic);
}

static bool find_topic(struct request *rq, struct wire_str name, struct move_topic *out)
{
    const struct topic_image *topic =
        name.len > 0 ? image_topic(request_image(rq), name.data, (size_t)name.len) : NULL;
    if (topic != NULL) {
        out->id = topic_id(topic);
        out->partition_count = topic_partition_count(topic);
    }
    if (name.len > 0 && memchr(name.data, '\0', (size_t)name.len) != NULL)
        return true;
    out->name =
        arena_copy_text(&rq->net->arena, name.len > 0 ? name.data : "", (size_t)MAX(name.len, 0));
    return out->name != NULL;
}

/* The partitions of one topic, from `first` on. */
static bool
fill_topic(struct move_op *op, int32_t first,
           struct alter_replica_log_dirs_response_alter_replica_log_dir_topic_result *row)
{
    int32_t count = 1;
    while (first + count < op->part_count && !is_new_topic(op, first + count))
        count++;
    row->topic_name = op->parts[first].topic;
    if (wire_array_new(
            &op->rq->net->arena,
            &alter_replica_log_dirs_response_alter_replica_log_dir_partition_result_layout, count,
            &row->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++)
        row->partitions.items[i].partition_index = op->parts[first + i].index;
    return true;
}

static bool fill_topics(struct move_op *op)
{
    struct alter_replica_log_dirs_response *response = op->rq->response;
    int32_t count = 0, first = 0;
    for (int32_t i = 0; i < op->part_count; i++)
        count += is_new_topic(op, i);
    op->topics = request_alloc(op->rq, (size_t)count, sizeof(op->topics[0]));
    if (op->topics == NULL ||
        wire_array_new(&op->rq->net->arena,
                       &alter_replica_log_dirs_response_alter_replica_log_dir_topic_result_layout,
                       count, &response->results) != ERR_OK)
        return false;
    for (int32_t t = 0; t < count; t++) {
        if (!fill_topic(op, first, &response->results.items[t]) ||
            !find_topic(op->rq, op->parts[first].topic, &op->topics[t]))
            return false;
        first += response->results.items[t].partitions.count;
    }
    ASSERT(first == op->part_count);
    return true;
}

/* ---- the moves */

static enum kerr move(const struct move_op *op, const struct move_topic *topic,
                      const struct move_part *part)
{
    bool is_known = part->index >= 0 && part->index < topic->partition_count;
    struct replica_move_request request = {
        .topic = topic->name,
        .topic_id = is_known ? topic->id : (struct uuid){{0}},
        .index = part->index,
        .dir = op->dirs[part->dir],
    };
    if (topic->name == NULL)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    enum kerr error = replica_set_move(op->rq->broker->replicas, &request);
    /* As Kafka, for clients of its first versions. */
    return error == KERR_NOT_LEADER_OR_FOLLOWER ? KERR_REPLICA_NOT_AVAILABLE : error;
}

static void back(struct loop_task *task)
{
    request_reply(container_of(task, struct move_op, task)->rq);
}

static void move_all(struct loop_task *task)
{
    struct move_op *op = container_of(task, struct move_op, task);
    const struct alter_replica_log_dirs_response *response = op->rq->response;
    const struct move_part *part = op->parts;
    for (int32_t t = 0; t < response->results.count; t++) {
        const struct alter_replica_log_dirs_response_alter_replica_log_dir_topic_result *topic =
            &response->results.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++)
            topic->partitions.items[i].error_code = (int16_t)move(op, &op->topics[t], part++);
    }
    op->task = (struct loop_task){.run = back};
    loop_post(op->rq->net->loop, &op->task);
}

void handle_alter_replica_log_dirs(struct request *rq)
{
    struct move_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    op->rq = rq;
    if (!read_request(op) || !fill_topics(op)) {
        request_close_no_memory(rq);
        return;
    }
    op->task = (struct loop_task){.run = move_all};
    loop_post(rq->broker->loop, &op->task);
}
