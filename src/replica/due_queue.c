// SPDX-License-Identifier: Apache-2.0
/* due_queue: see due_queue.h. Thread: any. */
#include "replica/due_queue.h"

#include "base/assert.h"
#include "base/macros.h"

void due_queue_init(struct due_queue *queue)
{
    monitor_init(&queue->monitor, MONITOR_TABLE);
    heap_init(&queue->exact);
    heap_init(&queue->dated);
    list_init(&queue->next);
    list_init(&queue->this_time);
}

static bool has_rounds(const struct due_queue *queue)
{
    return queue->dated.count > 0 || !list_is_empty(&queue->next) ||
           !list_is_empty(&queue->this_time);
}

void due_queue_deinit(struct due_queue *queue)
{
    ASSERT(queue->exact.count == 0 && !has_rounds(queue));
    heap_deinit(&queue->exact);
    heap_deinit(&queue->dated);
    monitor_deinit(&queue->monitor);
}

void due_place_init(struct due_place *place)
{
    *place = (struct due_place){.is_closed = false};
    list_init(&place->link);
}

/* [monitor] True: the date is a new one, and the heap's earliest. */
static bool lower(struct heap *heap, struct heap_node *node, int64_t wall_ms)
{
    if (heap_contains(node) && node->key <= wall_ms)
        return false;
    heap_remove(heap, node);
    heap_insert(heap, node, wall_ms);
    return heap_min(heap) == node;
}

bool due_queue_exact(struct due_queue *queue, struct due_place *place, int64_t wall_ms)
{
    if (wall_ms == DUE_NEVER)
        return false;
    monitor_enter(&queue->monitor);
    bool is_news = !place->is_closed && lower(&queue->exact, &place->exact, wall_ms);
    monitor_leave(&queue->monitor);
    return is_news;
}

bool due_queue_round(struct due_queue *queue, struct due_place *place, int64_t wall_ms)
{
    if (wall_ms == DUE_NEVER)
        return false;
    monitor_enter(&queue->monitor);
    bool is_news = !place->is_closed && !has_rounds(queue);
    if (!place->is_closed && wall_ms != DUE_NEXT_ROUND)
        (void)lower(&queue->dated, &place->dated, wall_ms);
    else if (!place->is_closed && !list_is_linked(&place->link))
        list_push_back(&queue->next, &place->link);
    monitor_leave(&queue->monitor);
    return is_news;
}

void due_queue_close(struct due_queue *queue, struct due_place *place)
{
    monitor_enter(&queue->monitor);
    heap_remove(&queue->exact, &place->exact);
    heap_remove(&queue->dated, &place->dated);
    list_remove(&place->link);
    place->is_closed = true;
    monitor_leave(&queue->monitor);
}

void due_queue_begin_round(struct due_queue *queue)
{
    monitor_enter(&queue->monitor);
    list_splice_back(&queue->this_time, &queue->next);
    monitor_leave(&queue->monitor);
}

/* [monitor] The first of the heap, taken out, when its date has come; NULL: it has not. */
static struct heap_node *pop_due(struct heap *heap, int64_t now_ms)
{
    struct heap_node *node = heap_min(heap);
    if (node == NULL || node->key > now_ms)
        return NULL;
    heap_remove(heap, node);
    return node;
}

/* [monitor] NULL: nobody. */
static struct due_place *pop_place(struct due_queue *queue, int64_t now_ms, bool in_round)
{
    struct heap_node *node = pop_due(&queue->exact, now_ms);
    if (node != NULL)
        return container_of(node, struct due_place, exact);
    if (!in_round)
        return NULL;
    struct list *link = list_pop_front(&queue->this_time);
    if (link != NULL)
        return container_of(link, struct due_place, link);
    node = pop_due(&queue->dated, now_ms);
    return node != NULL ? container_of(node, struct due_place, dated) : NULL;
}

bool due_queue_take(struct due_queue *queue, int64_t now_ms, bool in_round,
                    void (*take)(void *arg, struct due_place *place), void *arg)
{
    monitor_enter(&queue->monitor);
    struct due_place *place = pop_place(queue, now_ms, in_round);
    ASSERT(place == NULL || !place->is_closed);
    if (place != NULL)
        take(arg, place);
    monitor_leave(&queue->monitor);
    return place != NULL;
}

int64_t due_queue_next(struct due_queue *queue, bool *wants_round)
{
    monitor_enter(&queue->monitor);
    const struct heap_node *node = heap_min(&queue->exact);
    int64_t next_ms = node != NULL ? node->key : DUE_NEVER;
    *wants_round = has_rounds(queue);
    monitor_leave(&queue->monitor);
    return next_ms;
}
