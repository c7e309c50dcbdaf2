// SPDX-License-Identifier: Apache-2.0
/*
 * handle_describe_log_dirs: the log directories with the partitions in them, their sizes, and the
 * room on their disks (API 35).
 *
 * Sizes are those of the segments, as Kafka counts them. A directory that failed is told with
 * KAFKA_STORAGE_ERROR and without partitions. A partition that moves to another directory stands
 * in both, in the one where it is not yet as a future key, with what is there and what it lacks;
 * no other is behind the one that is read: the lag is 0.
 *
 * Who asks for it by a tagged field of ours, and names partitions, is told how each of them is and
 * why; nobody else's answer differs.
 *
 * Thread: the request's reactor; ask_disks on a worker.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "broker/partition_reasons.h"
#include "replica/replica_set_move.h"
#include "wire/describe_log_dirs.h"

enum { ANSWER_ARENA_SHARE = 8, SPACE_SINCE = 4 };

/* A partition that is here, or one that is asked for. */
struct dir_part {
    const char *topic; /* in the arena */
    size_t topic_len;
    int32_t index;
    size_t dir;
    int64_t size_bytes;
    int64_t lag;
    bool is_future;
};

struct dirs_op {
    struct request *rq;
    struct arena arena; /* the answer's; larger than the request's own */
    struct dir_part *wanted;
    int32_t wanted_count;
    struct dir_part *parts;
    int32_t part_count;
    int32_t part_room;
    int64_t *free_bytes; /* by directory; NULL: nobody wants it */
    bool is_out_of_memory;
    struct env_job job;
    struct loop_task back;
};

/* ---- order */

static int compare_partitions(const void *a, const void *b)
{
    const struct dir_part *x = a, *y = b;
    size_t len = MIN(x->topic_len, y->topic_len);
    int order = len > 0 ? memcmp(x->topic, y->topic, len) : 0;
    if (order == 0)
        order = (x->topic_len > y->topic_len) - (x->topic_len < y->topic_len);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int compare_places(const void *a, const void *b)
{
    const struct dir_part *x = a, *y = b;
    int order = (x->dir > y->dir) - (x->dir < y->dir);
    return order != 0 ? order : compare_partitions(a, b);
}

static bool is_same_topic(const struct dir_part *a, const struct dir_part *b)
{
    return a->dir == b->dir && a->topic_len == b->topic_len &&
           memcmp(a->topic, b->topic, a->topic_len) == 0;
}

/* ---- what is asked for, and what is here */

static bool sort_wanted(struct dirs_op *op)
{
    const struct describe_log_dirs_request *request = op->rq->body;
    size_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++)
        count += (size_t)request->topics.items[t].partitions.count;
    op->wanted = arena_alloc_array(&op->arena, count + 1, sizeof(op->wanted[0]));
    if (op->wanted == NULL)
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct describe_log_dirs_request_describable_log_dir_topic *topic =
            &request->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++)
            op->wanted[op->wanted_count++] =
                (struct dir_part){.topic = topic->topic.data,
                                  .topic_len = (size_t)MAX(topic->topic.len, 0),
                                  .index = topic->partitions.items[i]};
    }
    ASSERT((size_t)op->wanted_count == count);
    if (count > 1)
        qsort(op->wanted, count, sizeof(op->wanted[0]), compare_partitions);
    op->wanted_count = 0;
    for (size_t i = 0; i < count; i++) { /* each once */
        if (i == 0 || compare_partitions(&op->wanted[i], &op->wanted[i - 1]) != 0)
            op->wanted[op->wanted_count++] = op->wanted[i];
    }
    return true;
}

/* Doubles the array; what it was stays in the arena. */
static bool make_room(struct dirs_op *op)
{
    if (op->part_count < op->part_room)
        return true;
    int32_t room = MAX(op->part_room * 2, 64);
    struct dir_part *parts = arena_alloc_array(&op->arena, (size_t)room, sizeof(*parts));
    if (parts == NULL)
        return false;
    if (op->part_count > 0)
        memcpy(parts, op->parts, (size_t)op->part_count * sizeof(*parts));
    op->parts = parts;
    op->part_room = room;
    return true;
}

static void add_part(struct dirs_op *op, struct dir_part part)
{
    if (op->is_out_of_memory)
        return;
    part.topic = arena_copy_text(&op->arena, part.topic, part.topic_len);
    op->is_out_of_memory = part.topic == NULL || !make_room(op);
    if (!op->is_out_of_memory)
        op->parts[op->part_count++] = part;
}

static void take_partition(void *arg, struct partition *p)
{
    struct dirs_op *op = arg;
    const struct broker *broker = op->rq->broker;
    struct partition_offsets offsets;
    partition_offsets(p, &offsets);
    struct dir_part part = {
        .topic = partition_topic(p),
        .topic_len = strlen(partition_topic(p)),
        .index = partition_index(p),
        .size_bytes = offsets.size_bytes,
    };
    while (part.dir < broker->dir_count && broker->dirs[part.dir] != partition_dir(p))
        part.dir++;
    ASSERT(part.dir < broker->dir_count);
    add_part(op, part);
}

static bool is_asked_for(const struct dirs_op *op, const struct dir_part *part)
{
    const struct describe_log_dirs_request *request = op->rq->body;
    return request->topics.count < 0 ||
           (op->wanted_count > 0 && bsearch(part, op->wanted, (size_t)op->wanted_count,
                                            sizeof(*part), compare_partitions) != NULL);
}

static void take_move(void *arg, const struct replica_move_view *move)
{
    struct dirs_op *op = arg;
    struct dir_part part = {
        .topic = move->topic,
        .topic_len = strlen(move->topic),
        .index = move->index,
        .dir = move->to,
        .size_bytes = move->size_bytes,
        .lag = move->lag,
        .is_future = true,
    };
    ASSERT(part.dir < op->rq->broker->dir_count);
    if (is_asked_for(op, &part))
        add_part(op, part);
}

/* The topic's id; false: there is none of this name. */
static bool find_topic(const struct dirs_op *op, const struct dir_part *part, struct uuid *out)
{
    const struct topic_image *topic =
        part->topic_len > 0 ? image_topic(request_image(op->rq), part->topic, part->topic_len)
                            : NULL;
    if (topic != NULL)
        *out = topic_id(topic);
    return topic != NULL;
}

static void take_wanted(struct dirs_op *op)
{
    for (int32_t i = 0; i < op->wanted_count && !op->is_out_of_memory; i++) {
        struct uuid id;
        enum kerr error;
        if (!find_topic(op, &op->wanted[i], &id))
            continue;
        struct partition *p =
            replica_set_find(op->rq->broker->replicas, id, op->wanted[i].index, &error);
        if (p != NULL)
            take_partition(op, p);
        partition_unref(p);
    }
}

/* ---- explanations */

/* False: no memory. */
static bool explain_wanted(struct dirs_op *op)
{
    struct broker *broker = op->rq->broker;
    struct describe_log_dirs_response *response = op->rq->response;
    struct describe_log_dirs_response_explanation *out = arena_alloc(&op->arena, sizeof(*out));
    op->free_bytes = arena_alloc_array(&op->arena, broker->dir_count, sizeof(int64_t));
    if (out == NULL || op->free_bytes == NULL)
        return false;
    wire_defaults(&describe_log_dirs_response_explanation_layout, out);
    out->now_ms = env_wall_ms(broker->env);
    if (wire_array_new(&op->arena, &describe_log_dirs_response_explained_partition_layout,
                       op->wanted_count, &out->partitions) != ERR_OK)
        return false;
    out->partitions.count = 0;
    for (int32_t i = 0; i < op->wanted_count; i++) {
        struct partition_explanation facts;
        struct uuid id;
        const struct dir_part *part = &op->wanted[i];
        if (!find_topic(op, part, &id) ||
            !replica_set_explain(broker->replicas, id, part->index, &facts))
            continue;
        struct partition_reasons_input in = {
            .broker = broker,
            .topic = {part->topic, (int32_t)part->topic_len},
            .index = part->index,
            .facts = &facts,
            .now_ms = out->now_ms,
        };
        if (!partition_reasons_fill(&in, &op->arena,
                                    &out->partitions.items[out->partitions.count++]))
            return false;
    }
    response->explanation = out;
    return true;
}

/* ---- the answer */

/* The partitions of one topic in one directory: from `first` up to `end`. */
static bool fill_topic(struct dirs_op *op, int32_t first, int32_t end,
                       struct describe_log_dirs_response_describe_log_dirs_topic *row)
{
    row->name = (struct wire_str){op->parts[first].topic, (int32_t)op->parts[first].topic_len};
    if (wire_array_new(&op->arena, &describe_log_dirs_response_describe_log_dirs_partition_layout,
                       end - first, &row->partitions) != ERR_OK)
        return false;
    for (int32_t i = first; i < end; i++) {
        row->partitions.items[i - first] =
            (struct describe_log_dirs_response_describe_log_dirs_partition){
                .partition_index = op->parts[i].index,
                .partition_size = op->parts[i].size_bytes,
                .offset_lag = op->parts[i].lag,
                .is_future_key = op->parts[i].is_future,
            };
    }
    return true;
}

/* The next topic's first partition behind `first`. */
static int32_t topic_end(const struct dirs_op *op, int32_t first)
{
    int32_t end = first + 1;
    while (end < op->part_count && is_same_topic(&op->parts[first], &op->parts[end]))
        end++;
    return end;
}

/* *at moves past the directory's partitions. */
static bool fill_topics(struct dirs_op *op, size_t dir, int32_t *at,
                        struct describe_log_dirs_response_describe_log_dirs_result *row)
{
    int32_t count = 0;
    for (int32_t i = *at; i < op->part_count && op->parts[i].dir == dir; i = topic_end(op, i))
        count++;
    if (wire_array_new(&op->arena, &describe_log_dirs_response_describe_log_dirs_topic_layout,
                       count, &row->topics) != ERR_OK)
        return false;
    for (int32_t t = 0; t < count; t++) {
        int32_t end = topic_end(op, *at);
        if (!fill_topic(op, *at, end, &row->topics.items[t]))
            return false;
        *at = end;
    }
    return true;
}

static bool fill_dirs(struct dirs_op *op)
{
    struct broker *broker = op->rq->broker;
    struct describe_log_dirs_response *response = op->rq->response;
    if (op->part_count > 1)
        qsort(op->parts, (size_t)op->part_count, sizeof(op->parts[0]), compare_places);
    if (wire_array_new(&op->arena, &describe_log_dirs_response_describe_log_dirs_result_layout,
                       (int32_t)broker->dir_count, &response->results) != ERR_OK)
        return false;
    int32_t at = 0;
    for (size_t i = 0; i < broker->dir_count; i++) {
        struct describe_log_dirs_response_describe_log_dirs_result *row =
            &response->results.items[i];
        row->log_dir = wire_str_of(log_dir_path(broker->dirs[i]));
        if (!fill_topics(op, i, &at, row))
            return false;
        if (replica_set_dir_is_offline(broker->replicas, i)) {
            row->error_code = KERR_KAFKA_STORAGE_ERROR;
            row->topics.count = 0;
        }
    }
    ASSERT(at == op->part_count);
    return true;
}

/* ---- the disks */

/* Where the disk cannot tell, the fields stay -1. Before their version they must. */
static bool ask_disks(struct env_job *job)
{
    struct dirs_op *op = container_of(job, struct dirs_op, job);
    struct describe_log_dirs_response *response = op->rq->response;
    for (int32_t i = 0; i < response->results.count; i++) {
        struct describe_log_dirs_response_describe_log_dirs_result *row =
            &response->results.items[i];
        int64_t free_bytes = -1, total_bytes = -1;
        const char *path = log_dir_path(op->rq->broker->dirs[i]);
        if (row->error_code != KERR_NONE ||
            env_disk_space(op->rq->broker->env, path, &free_bytes, &total_bytes) != ERR_OK)
            free_bytes = total_bytes = -1;
        row->usable_bytes = free_bytes;
        row->total_bytes = total_bytes;
        if (op->free_bytes != NULL)
            op->free_bytes[i] = free_bytes;
    }
    if (response->explanation != NULL)
        partition_reasons_finish(response->explanation, op->free_bytes, op->rq->broker->dir_count);
    loop_post(op->rq->net->loop, &op->back);
    return false;
}

static void dirs_op_end(struct dirs_op *op, bool is_filled)
{
    struct arena arena = op->arena; /* op goes with the request */
    if (is_filled)
        request_reply(op->rq); /* copies all it needs */
    else
        request_close_no_memory(op->rq);
    arena_deinit(&arena);
}

static void back_from_disks(struct loop_task *task)
{
    dirs_op_end(container_of(task, struct dirs_op, back), true);
}

void handle_describe_log_dirs(struct request *rq)
{
    struct dirs_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    op->rq = rq;
    arena_init(&op->arena, (size_t)rq->broker->config->memory_bytes_max / ANSWER_ARENA_SHARE);
    op->is_out_of_memory = !sort_wanted(op);
    const struct describe_log_dirs_request *request = rq->body;
    if (!op->is_out_of_memory && request->topics.count < 0)
        replica_set_each(rq->broker->replicas, take_partition, op);
    else if (!op->is_out_of_memory)
        take_wanted(op);
    /* Behind them: what has arrived meanwhile is not told twice. */
    replica_set_each_move(rq->broker->replicas, take_move, op);
    bool is_explained = request->include_explanation && request->topics.count >= 0 &&
                        op->wanted_count <= LIMIT_EXPLAINED_PARTITIONS;
    if (op->is_out_of_memory || (is_explained && !explain_wanted(op)) || !fill_dirs(op)) {
        dirs_op_end(op, false);
        return;
    }
    if (rq->version < SPACE_SINCE) {
        dirs_op_end(op, true);
        return;
    }
    op->job = (struct env_job){.run = ask_disks, .queue = ENV_QUEUE_READ};
    op->back = (struct loop_task){.run = back_from_disks};
    env_submit(rq->broker->env, &op->job);
}
