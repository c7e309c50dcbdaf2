// SPDX-License-Identifier: Apache-2.0
/*
 * handle_delete_records: the first records of partitions go (API 21): their log start moves up.
 *
 * Each partition is trimmed by itself; the answer leaves when the last new start is on disk. A
 * partition that is named twice has two rows, and loses what the larger offset says. timeout_ms
 * is not looked at: a trim is at most one sync and one checkpoint, and where the disk hangs the
 * outcome is not known. The files of what lies wholly below go by housekeeping.
 *
 * Thread: the request's reactor; trim_done on any.
 */
#include "base/assert.h"
#include "broker/broker_private.h"
#include "broker/handlers.h"
#include "metadata/topic_name.h"
#include "wire/delete_records.h"

enum { NO_LOW_WATERMARK = -1 };

struct trim_op;

/* One partition of the request. */
struct trim_part {
    struct partition_trim trim;
    struct trim_op *op;
    struct partition *partition; /* one reference; NULL: the row tells why */
    struct delete_records_response_delete_records_partition_result *row;
};

struct trim_op {
    struct request *rq;
    struct trim_part *parts;
    int32_t part_count;
    atomic_uint remaining; /* trims under way, and one while they are begun */
    struct loop_task back;
};

static void row_say(struct delete_records_response_delete_records_partition_result *row,
                    enum kerr error, int64_t low_watermark)
{
    ASSERT((error == KERR_NONE) == (low_watermark >= 0));
    row->error_code = (int16_t)error;
    row->low_watermark = low_watermark;
}

/* ---- the end */

static void trims_back(struct loop_task *task)
{
    struct trim_op *op = container_of(task, struct trim_op, back);
    for (int32_t i = 0; i < op->part_count; i++) {
        struct trim_part *part = &op->parts[i];
        if (part->partition == NULL)
            continue;
        row_say(part->row, part->trim.result, part->trim.log_start);
        partition_unref(part->partition);
    }
    request_reply(op->rq);
}

static void one_less(struct trim_op *op)
{
    struct loop *loop = op->rq->net->loop;
    if (atomic_fetch_sub(&op->remaining, 1) == 1)
        loop_post(loop, &op->back);
}

static void trim_done(struct partition_trim *trim)
{
    one_less(container_of(trim, struct trim_part, trim)->op);
}

/* ---- the begin */

/* One reference, or NULL and *error. */
static struct partition *find(struct request *rq, struct wire_str name, int32_t index,
                              enum kerr *error)
{
    *error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    const struct topic_image *topic =
        name.len > 0 ? image_topic(request_image(rq), name.data, (size_t)name.len) : NULL;
    if (topic == NULL)
        return NULL;
    struct partition *partition = broker_partition(rq->broker, topic, index, error);
    if (partition != NULL && topic_name_is_internal(topic_name(topic), topic_name_len(topic))) {
        partition_unref(partition);
        *error = KERR_INVALID_TOPIC_EXCEPTION;
        return NULL;
    }
    return partition;
}

static bool add_topic(struct trim_op *op,
                      const struct delete_records_request_delete_records_topic *asked,
                      struct delete_records_response_delete_records_topic_result *out)
{
    out->name = asked->name;
    if (wire_array_new(&op->rq->net->arena,
                       &delete_records_response_delete_records_partition_result_layout,
                       asked->partitions.count, &out->partitions) != ERR_OK)
        return false;
    for (int32_t i = 0; i < asked->partitions.count; i++) {
        struct trim_part *part = &op->parts[op->part_count++];
        part->op = op;
        part->row = &out->partitions.items[i];
        part->row->partition_index = asked->partitions.items[i].partition_index;
        part->trim.offset = asked->partitions.items[i].offset;
        part->trim.done = trim_done;
    }
    return true;
}

/* As in Kafka, a topic without partitions is left out of the answer. */
static bool add_topics(struct trim_op *op)
{
    const struct delete_records_request *request = op->rq->body;
    struct delete_records_response *response = op->rq->response;
    if (wire_array_new(&op->rq->net->arena,
                       &delete_records_response_delete_records_topic_result_layout,
                       request->topics.count, &response->topics) != ERR_OK)
        return false;
    int32_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++) {
        if (request->topics.items[t].partitions.count > 0 &&
            !add_topic(op, &request->topics.items[t], &response->topics.items[count++]))
            return false;
    }
    response->topics.count = count;
    return true;
}

static struct trim_op *trim_op_new(struct request *rq)
{
    const struct delete_records_request *request = rq->body;
    size_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++)
        count += (size_t)request->topics.items[t].partitions.count;
    struct trim_op *op = request_alloc(rq, 1, sizeof(*op));
    if (op == NULL)
        return NULL;
    op->rq = rq;
    op->back = (struct loop_task){.run = trims_back};
    op->parts = request_alloc(rq, count, sizeof(op->parts[0]));
    return op->parts != NULL && add_topics(op) ? op : NULL;
}

/* Names are looked up before the first trim begins: rq->response is not touched meanwhile. */
static void find_all(struct trim_op *op)
{
    const struct delete_records_response *response = op->rq->response;
    int32_t at = 0;
    for (int32_t t = 0; t < response->topics.count; t++) {
        for (int32_t i = 0; i < response->topics.items[t].partitions.count; i++) {
            struct trim_part *part = &op->parts[at++];
            enum kerr error = KERR_NONE;
            part->partition =
                find(op->rq, response->topics.items[t].name, part->row->partition_index, &error);
            if (part->partition == NULL)
                row_say(part->row, error, NO_LOW_WATERMARK);
        }
    }
    ASSERT(at == op->part_count);
}

void handle_delete_records(struct request *rq)
{
    struct trim_op *op = trim_op_new(rq);
    if (op == NULL) {
        request_close_no_memory(rq);
        return;
    }
    find_all(op);
    atomic_init(&op->remaining, 1);
    for (int32_t i = 0; i < op->part_count; i++) {
        if (op->parts[i].partition == NULL)
            continue;
        atomic_fetch_add(&op->remaining, 1);
        partition_trim(op->parts[i].partition, &op->parts[i].trim);
    }
    one_less(op);
}
