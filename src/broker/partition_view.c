// SPDX-License-Identifier: Apache-2.0
/* partition_view: see partition_view.h. Thread: the request's reactor. */
#include "broker/partition_view.h"

#include "base/assert.h"
#include "broker/broker_private.h"

/* Who is asked about. */
struct seen {
    const struct image *image;
    int32_t self;
    bool is_failed_here;
};

static bool is_there(const struct seen *seen, int32_t node_id)
{
    const struct broker_image *broker = image_broker(seen->image, node_id);
    bool is_running = broker != NULL && !broker->is_fenced;
    return is_running && !(node_id == seen->self && seen->is_failed_here);
}

static int32_t count_there(const struct seen *seen, const int32_t *nodes, int32_t count)
{
    int32_t there = 0;
    for (int32_t i = 0; i < count; i++)
        there += is_there(seen, nodes[i]) ? 1 : 0;
    return there;
}

/* Those of the nodes that are there, or those that are not. */
static bool pick(const struct seen *seen, struct arena *arena, struct wire_i32_array nodes,
                 bool is_wanted_there, struct wire_i32_array *out)
{
    int32_t *items = arena_alloc_array(arena, (size_t)nodes.count + 1, sizeof(int32_t));
    if (items == NULL)
        return false;
    int32_t count = 0;
    for (int32_t i = 0; i < nodes.count; i++) {
        if (is_there(seen, nodes.items[i]) == is_wanted_there)
            items[count++] = nodes.items[i];
    }
    *out = (struct wire_i32_array){items, count};
    return true;
}

/* The image's own array; whoever encodes the answer only reads it. */
static struct wire_i32_array borrow(const int32_t *nodes, int32_t count)
{
    return (struct wire_i32_array){(int32_t *)(uintptr_t)nodes, count};
}

bool partition_view_fill(struct request *rq, struct arena *arena, const struct topic_image *topic,
                         int32_t index, struct partition_view *out)
{
    const struct partition_image *partition = topic_partition(topic, index);
    ASSERT(partition != NULL);
    const struct partition_members *members = partition->members;
    struct seen seen = {
        .image = request_image(rq),
        .self = rq->broker->node_id,
        .is_failed_here = replica_set_has_failed(rq->broker->replicas, topic_id(topic), index),
    };
    *out = (struct partition_view){
        .leader = IMAGE_NO_NODE,
        .leader_epoch = partition->leader_epoch,
        .replicas = borrow(members->replicas, members->replica_count),
        .isr = borrow(members->isr, members->isr_count),
    };
    if (partition->leader != IMAGE_NO_NODE && is_there(&seen, partition->leader))
        out->leader = partition->leader;
    if (count_there(&seen, members->replicas, members->replica_count) == members->replica_count)
        return true;
    return pick(&seen, arena, out->replicas, false, &out->offline) &&
           (!seen.is_failed_here || pick(&seen, arena, out->isr, true, &out->isr));
}
