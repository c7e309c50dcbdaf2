// SPDX-License-Identifier: Apache-2.0
/*
 * handle_describe_topic_partitions: topics page by page (API 75; KIP-966).
 *
 * Topics go in the order of their names: those that were asked for, each once, or all. An answer
 * has at most so many partitions as the client or max.request.partition.size.limit says, but at
 * least one; where it ends is the next request's cursor. Names that there are not take no place.
 *
 * There are no eligible leader replicas outside the ISR in this build.
 *
 * Thread: the request's reactor.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "broker/operations.h"
#include "broker/partition_view.h"
#include "metadata/topic_name.h"
#include "wire/describe_topic_partitions.h"

enum { ANSWER_ARENA_SHARE = 8 }; /* of klamm.memory.max, while the answer is made */

struct page_op {
    struct request *rq;
    struct arena arena; /* the answer's; larger than the request's own */
    const struct describe_topic_partitions_request_cursor *cursor; /* NULL: from the start */
    struct wire_str *names; /* sorted, each once; what the page may begin with comes first */
    int32_t name_count;
    int32_t left; /* partitions that the page still takes */
    bool is_full; /* the cursor is set */
};

static int compare_names(const void *a, const void *b)
{
    const struct wire_str *x = a, *y = b;
    size_t len = (size_t)MAX(MIN(x->len, y->len), 0);
    int order = len > 0 ? memcmp(x->data, y->data, len) : 0;
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static bool end_page(struct page_op *op, struct wire_str name, int32_t index)
{
    struct describe_topic_partitions_response *response = op->rq->response;
    response->next_cursor = arena_alloc(&op->arena, sizeof(*response->next_cursor));
    if (response->next_cursor == NULL)
        return false;
    response->next_cursor->topic_name = name;
    response->next_cursor->partition_index = index;
    op->is_full = true;
    return true;
}

/* ---- one topic */

static bool fill_partition(struct page_op *op, const struct topic_image *topic, int32_t index,
                           struct describe_topic_partitions_response_partition *row)
{
    struct partition_view view;
    if (!partition_view_fill(op->rq, &op->arena, topic, index, &view))
        return false;
    *row = (struct describe_topic_partitions_response_partition){
        .partition_index = index,
        .leader_id = view.leader,
        .leader_epoch = view.leader_epoch,
        .replica_nodes = view.replicas,
        .isr_nodes = view.isr,
        .offline_replicas = view.offline,
    };
    return true;
}

static bool fill_topic(struct page_op *op, const struct topic_image *topic, int32_t first,
                       struct describe_topic_partitions_response_topic *row)
{
    int32_t count = topic_partition_count(topic);
    int32_t end = first < count ? first + MIN(count - first, op->left) : first;
    row->name = wire_str_of(topic_name(topic));
    row->topic_id = topic_id(topic);
    if (wire_array_new(&op->arena, &describe_topic_partitions_response_partition_layout,
                       end - first, &row->partitions) != ERR_OK)
        return false;
    for (int32_t i = first; i < end; i++) {
        if (!fill_partition(op, topic, i, &row->partitions.items[i - first]))
            return false;
    }
    op->left -= end - first;
    return end >= count || end_page(op, row->name, end);
}

/* `topic` NULL: there is none of this name. */
static bool add_topic(struct page_op *op, struct wire_str name, const struct topic_image *topic)
{
    struct describe_topic_partitions_response *response = op->rq->response;
    if (op->left == 0)
        return end_page(op, name, 0);
    struct describe_topic_partitions_response_topic *row =
        &response->topics.items[response->topics.count++];
    bool is_begun = op->cursor != NULL && wire_str_equal(op->cursor->topic_name, name);
    row->topic_authorized_operations = OPERATIONS_OF_TOPIC;
    row->is_internal = name.len > 0 && topic_name_is_internal(name.data, (size_t)name.len);
    if (topic != NULL)
        return fill_topic(op, topic, is_begun ? op->cursor->partition_index : 0, row);
    bool is_legal =
        topic_name_fault(name.len > 0 ? name.data : "", (size_t)MAX(name.len, 0)) == NULL;
    row->name = name;
    row->error_code = is_legal ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_INVALID_TOPIC_EXCEPTION;
    return true;
}

/* ---- which topics */

static bool fill_named(struct page_op *op)
{
    const struct image *image = request_image(op->rq);
    for (int32_t i = 0; i < op->name_count && !op->is_full; i++) {
        struct wire_str name = op->names[i];
        if (op->cursor != NULL && compare_names(&name, &op->cursor->topic_name) < 0)
            continue;
        const struct topic_image *topic =
            name.len > 0 ? image_topic(image, name.data, (size_t)name.len) : NULL;
        if (!add_topic(op, name, topic))
            return false;
    }
    return true;
}

static bool fill_all(struct page_op *op)
{
    const struct image *image = request_image(op->rq);
    struct wire_str from = op->cursor != NULL ? op->cursor->topic_name : wire_str_of("");
    const struct topic_image *topic =
        image_topic_at_least(image, from.len > 0 ? from.data : "", (size_t)MAX(from.len, 0));
    while (topic != NULL && !op->is_full) {
        if (!add_topic(op, wire_str_of(topic_name(topic)), topic))
            return false;
        topic = image_topic_after(image, topic_name(topic), topic_name_len(topic));
    }
    return true;
}

/* ---- the request */

static bool sort_names(struct page_op *op)
{
    const struct describe_topic_partitions_request *request = op->rq->body;
    int32_t count = request->topics.count;
    op->names = arena_alloc_array(&op->arena, (size_t)count + 1, sizeof(op->names[0]));
    if (op->names == NULL)
        return false;
    for (int32_t i = 0; i < count; i++)
        op->names[i] = request->topics.items[i].name;
    if (count > 1)
        qsort(op->names, (size_t)count, sizeof(op->names[0]), compare_names);
    for (int32_t i = 0; i < count; i++) {
        if (i == 0 || compare_names(&op->names[op->name_count - 1], &op->names[i]) != 0)
            op->names[op->name_count++] = op->names[i];
    }
    return true;
}

/* A cursor says where among the topics that are asked for it goes on. */
static bool is_cursor_good(const struct page_op *op)
{
    if (op->cursor == NULL)
        return true;
    if (op->cursor->partition_index < 0)
        return false;
    for (int32_t i = 0; i < op->name_count; i++) {
        if (compare_names(&op->names[i], &op->cursor->topic_name) == 0)
            return true;
    }
    return op->name_count == 0;
}

/* Every name as it was asked for. */
static void refuse(struct page_op *op)
{
    const struct describe_topic_partitions_request *request = op->rq->body;
    struct describe_topic_partitions_response *response = op->rq->response;
    for (int32_t i = 0; i < request->topics.count; i++) {
        response->topics.items[i].name = request->topics.items[i].name;
        response->topics.items[i].error_code = KERR_INVALID_REQUEST;
    }
    response->topics.count = request->topics.count;
}

static bool fill_page(struct page_op *op)
{
    const struct describe_topic_partitions_request *request = op->rq->body;
    struct describe_topic_partitions_response *response = op->rq->response;
    op->cursor = request->cursor;
    op->left = MAX(
        MIN(request->response_partition_limit, op->rq->broker->config->request_partitions_max), 1);
    if (!sort_names(op))
        return false;
    bool is_all = op->name_count == 0;
    size_t topics = image_topic_count(request_image(op->rq));
    int32_t rows = is_all ? (int32_t)MIN(topics, (size_t)op->left + 1) : request->topics.count;
    if (wire_array_new(&op->arena, &describe_topic_partitions_response_topic_layout, rows,
                       &response->topics) != ERR_OK)
        return false;
    response->topics.count = 0;
    if (!is_cursor_good(op)) {
        refuse(op);
        return true;
    }
    return is_all ? fill_all(op) : fill_named(op);
}

void handle_describe_topic_partitions(struct request *rq)
{
    struct page_op op = {.rq = rq};
    arena_init(&op.arena, (size_t)rq->broker->config->memory_bytes_max / ANSWER_ARENA_SHARE);
    if (fill_page(&op))
        request_reply(rq); /* copies all it needs */
    else
        request_close_no_memory(rq);
    arena_deinit(&op.arena);
}
