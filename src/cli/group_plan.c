// SPDX-License-Identifier: Apache-2.0
/* group_plan: see group_plan.h. Thread: main. */
#include "cli/group_plan.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/kerr.h"

/* ---- rows */

static void add_row(struct group_plan *plan, struct wire_str topic, int32_t partition, int64_t to)
{
    if (plan->count == plan->capacity) {
        plan->capacity = MAX(plan->capacity * 2, 16);
        plan->rows = mem_realloc(plan->rows, (size_t)plan->capacity * sizeof(*plan->rows));
    }
    plan->rows[plan->count++] = (struct group_plan_row){
        .topic = topic, .partition = partition, .from = OFFSET_UNKNOWN, .to = to};
}

static int by_partition(const void *a, const void *b)
{
    const struct group_plan_row *x = a, *y = b;
    int order = wire_str_compare(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

void group_plan_finish(struct group_plan *plan, const struct group_offsets *committed)
{
    if (plan->count == 0)
        return;
    qsort(plan->rows, (size_t)plan->count, sizeof(*plan->rows), by_partition);
    int32_t kept = 0;
    for (int32_t i = 1; i < plan->count; i++) {
        if (by_partition(&plan->rows[kept], &plan->rows[i]) != 0)
            plan->rows[++kept] = plan->rows[i];
    }
    plan->count = kept + 1;
    for (int32_t i = 0; i < plan->count; i++) {
        const struct group_offset *row =
            group_offsets_find(committed, plan->rows[i].topic, plan->rows[i].partition);
        if (row != NULL)
            plan->rows[i].from = row->committed_offset;
    }
}

void group_plan_deinit(struct group_plan *plan)
{
    mem_free(plan->rows);
    *plan = (struct group_plan){0};
}

bool group_plan_is_topic_start(const struct group_plan *plan, int32_t row)
{
    ASSERT(row < plan->count);
    return row == 0 || !wire_str_equal(plan->rows[row].topic, plan->rows[row - 1].topic);
}

struct group_plan_row *group_plan_find(const struct group_plan *plan, struct wire_str topic,
                                       int32_t partition)
{
    struct group_plan_row key = {.topic = topic, .partition = partition};
    if (plan->count == 0 || topic.len < 0)
        return NULL;
    return bsearch(&key, plan->rows, (size_t)plan->count, sizeof(key), by_partition);
}

/* ---- goals */

static int64_t goal_of(const struct offset_goal *goal, const struct partition_view *view)
{
    switch (goal->kind) {
    case GOAL_BEGINNING:
        break;
    case GOAL_END:
        return view->end_offset;
    case GOAL_OFFSET:
        return goal->number;
    case GOAL_TIME: /* nothing is that new: the end */
        return view->found_offset >= 0 ? view->found_offset : view->end_offset;
    }
    return view->begin_offset;
}

static bool add_partition(struct group_plan *plan, struct wire_str topic,
                          const struct offset_goal *goal, const struct partition_view *view)
{
    int32_t number = view->partition->partition_index;
    int64_t to = goal_of(goal, view);
    if (view->begin_offset < 0 || view->end_offset < 0 || !topic_view_is_told(view)) {
        cli_complain(
            "partition %d of topic \"%.*s\" has no leader, or its leader does not tell its "
            "offsets",
            number, ADMIN_STR(topic));
        return false;
    }
    if (to < view->begin_offset || to > view->end_offset) {
        cli_complain("partition %d of topic \"%.*s\" has offsets %lld to %lld: there is no %lld",
                     number, ADMIN_STR(topic), (long long)view->begin_offset,
                     (long long)view->end_offset, (long long)to);
        return false;
    }
    add_row(plan, topic, number, to);
    return true;
}

static bool add_chosen(struct group_plan *plan, const struct partition_choice *choice,
                       const struct offset_goal *goal, const struct topic_view *view)
{
    struct wire_str topic = wire_str_of(choice->topic);
    bool is_good = true;
    for (int32_t i = 0; choice->count == 0 && i < view->count; i++)
        is_good &= add_partition(plan, topic, goal, &view->partitions[i]);
    for (int32_t i = 0; i < choice->count; i++) {
        const struct partition_view *p = topic_view_find(view, choice->partitions[i]);
        if (p == NULL) {
            admin_complain_partition(choice->topic, view->count, choice->partitions[i]);
            is_good = false;
        } else {
            is_good &= add_partition(plan, topic, goal, p);
        }
    }
    return is_good;
}

bool group_plan_add(struct admin *a, struct group_plan *plan, const struct partition_choice *choice,
                    const struct offset_goal *goal)
{
    struct metadata_request_topic name = {.name = wire_str_of(choice->topic)};
    struct admin_topics topics = {.names = {&name, 1}};
    struct client_result result;
    if (!admin_metadata(a, &topics, &result))
        return false;
    const struct metadata_response *response = result.body;
    const struct metadata_response_topic *topic = response->topics.items;
    int16_t error =
        response->topics.count == 1 ? topic->error_code : (int16_t)KERR_UNKNOWN_SERVER_ERROR;
    bool is_good = error == KERR_NONE;
    if (is_good) {
        struct topic_view view;
        topic_view_init(&view, topic);
        is_good = topic_view_ask_offsets(a, &view, 1) &&
                  (goal->kind != GOAL_TIME || topic_view_ask_time(a, &view, goal->number)) &&
                  add_chosen(plan, choice, goal, &view);
        topic_view_deinit(&view);
    } else {
        admin_complain(a, wire_str_of(choice->topic), error, wire_str_of(NULL));
    }
    client_result_deinit(&result);
    return is_good;
}
