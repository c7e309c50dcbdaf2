// SPDX-License-Identifier: Apache-2.0
/* topic_view: see topic_view.h. Thread: main. */
#include "cli/topic_view.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/list_offsets.h"

static int by_number(const void *a, const void *b)
{
    const struct partition_view *x = a, *y = b;
    int32_t x_number = x->partition->partition_index, y_number = y->partition->partition_index;
    return (x_number > y_number) - (x_number < y_number);
}

void topic_view_init(struct topic_view *view, const struct metadata_response_topic *topic)
{
    size_t count = (size_t)MAX(topic->partitions.count, 0);
    *view = (struct topic_view){.topic = topic, .count = (int32_t)count};
    view->partitions = mem_alloc((count + 1) * sizeof(*view->partitions));
    for (size_t i = 0; i < count; i++)
        view->partitions[i] = (struct partition_view){
            .partition = &topic->partitions.items[i],
            .begin_offset = OFFSET_UNKNOWN,
            .end_offset = OFFSET_UNKNOWN,
            .found_offset = OFFSET_UNKNOWN,
            .found_time_ms = -1,
            .is_wanted = true,
        };
    qsort(view->partitions, count, sizeof(*view->partitions), by_number);
}

void topic_view_deinit(struct topic_view *view)
{
    mem_free(view->partitions);
    *view = (struct topic_view){0};
}

struct partition_view *topic_view_find(const struct topic_view *view, int32_t partition)
{
    int32_t low = 0, high = view->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (view->partitions[middle].partition->partition_index < partition)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_found =
        low < view->count && view->partitions[low].partition->partition_index == partition;
    return is_found ? &view->partitions[low] : NULL;
}

/* ---- ListOffsets to one leader */

static bool is_asked(const struct partition_view *view, int32_t leader)
{
    return view->is_wanted && view->partition->leader_id == leader;
}

static int32_t count_led(const struct topic_view *view, int32_t leader)
{
    int32_t count = 0;
    for (int32_t i = 0; i < view->count; i++)
        count += is_asked(&view->partitions[i], leader);
    return count;
}

static void fill_topic(const struct topic_view *view, int32_t leader, int64_t timestamp,
                       struct arena *arena, struct list_offsets_request_list_offsets_topic *topic)
{
    topic->name = view->topic->name;
    enum err e = wire_array_new(arena, &list_offsets_request_list_offsets_partition_layout,
                                count_led(view, leader), &topic->partitions);
    ASSERT(e == ERR_OK);
    int32_t used = 0;
    for (int32_t i = 0; i < view->count; i++) {
        if (!is_asked(&view->partitions[i], leader))
            continue;
        topic->partitions.items[used].partition_index =
            view->partitions[i].partition->partition_index;
        topic->partitions.items[used++].timestamp = timestamp;
    }
}

static void take_offset(const struct list_offsets_response_list_offsets_partition_response *row,
                        int64_t timestamp, struct partition_view *view)
{
    view->is_answered = true;
    view->error = row->error_code;
    if (row->error_code != KERR_NONE)
        return;
    if (timestamp == OFFSET_AT_BEGIN) {
        view->begin_offset = row->offset;
    } else if (timestamp == OFFSET_AT_END) {
        view->end_offset = row->offset;
    } else {
        view->found_offset = row->offset;
        view->found_time_ms = row->timestamp;
    }
}

static void take_offsets(const struct list_offsets_response *response, int64_t timestamp,
                         struct topic_view *views, int32_t count)
{
    for (int32_t i = 0; i < response->topics.count; i++) {
        const struct list_offsets_response_list_offsets_topic_response *topic =
            &response->topics.items[i];
        int32_t v = 0;
        while (v < count && !wire_str_equal(views[v].topic->name, topic->name))
            v++;
        for (int32_t j = 0; v < count && j < topic->partitions.count; j++) {
            struct partition_view *view =
                topic_view_find(&views[v], topic->partitions.items[j].partition_index);
            if (view != NULL)
                take_offset(&topic->partitions.items[j], timestamp, view);
        }
    }
}

static bool ask_leader(struct admin *a, int32_t leader, int64_t timestamp, struct topic_view *views,
                       int32_t count)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct list_offsets_request request;
    wire_defaults(&list_offsets_request_layout, &request);
    request.replica_id = -1;
    request.timeout_ms = ADMIN_TIMEOUT_MS;
    enum err e = wire_array_new(&arena, &list_offsets_request_list_offsets_topic_layout, count,
                                &request.topics);
    ASSERT(e == ERR_OK);
    int32_t used = 0;
    for (int32_t i = 0; i < count; i++) {
        if (count_led(&views[i], leader) > 0)
            fill_topic(&views[i], leader, timestamp, &arena, &request.topics.items[used++]);
    }
    request.topics.count = used;
    struct client_result result;
    bool is_answered = admin_call_node(a, leader, KEY_LIST_OFFSETS, &request, &result);
    if (is_answered) {
        take_offsets(result.body, timestamp, views, count);
        client_result_deinit(&result);
    }
    arena_deinit(&arena);
    return is_answered;
}

int32_t topic_view_next_leader(const struct topic_view *views, int32_t count, int32_t after)
{
    int32_t least = -1;
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j < views[i].count; j++) {
            int32_t leader = views[i].partitions[j].partition->leader_id;
            bool is_next = views[i].partitions[j].is_wanted && leader > after;
            if (is_next && (least < 0 || leader < least))
                least = leader;
        }
    }
    return least;
}

static void forget_answers(struct topic_view *views, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j < views[i].count; j++) {
            views[i].partitions[j].is_answered = false;
            views[i].partitions[j].error = KERR_NONE;
        }
    }
}

bool topic_view_is_told(const struct partition_view *partition)
{
    return partition->is_answered && partition->error == KERR_NONE;
}

bool topic_view_ask(struct admin *a, struct topic_view *views, int32_t count, int64_t timestamp)
{
    bool is_answered = true;
    forget_answers(views, count);
    for (int32_t leader = topic_view_next_leader(views, count, -1); leader >= 0;
         leader = topic_view_next_leader(views, count, leader))
        is_answered &= ask_leader(a, leader, timestamp, views, count);
    return is_answered;
}

bool topic_view_ask_offsets(struct admin *a, struct topic_view *views, int32_t count)
{
    return topic_view_ask(a, views, count, OFFSET_AT_BEGIN) &&
           topic_view_ask(a, views, count, OFFSET_AT_END);
}

bool topic_view_ask_time(struct admin *a, struct topic_view *view, int64_t timestamp_ms)
{
    ASSERT(timestamp_ms >= 0);
    return topic_view_ask(a, view, 1, timestamp_ms);
}
