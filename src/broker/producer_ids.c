// SPDX-License-Identifier: Apache-2.0
/* producer_ids: see producer_ids.h. Thread: the controller's loop. */
#include "broker/producer_ids.h"

#include "base/assert.h"
#include "base/macros.h"

void producer_ids_init(struct producer_ids *ids, struct controller *controller, int32_t node_id)
{
    *ids = (struct producer_ids){.node_id = node_id, .controller = controller};
    list_init(&ids->waiting);
}

static enum err fill_decide(struct change *change, struct decision *d)
{
    struct producer_ids *ids = container_of(change, struct producer_ids, fill);
    return decide_producer_ids(d, ids->node_id, &ids->fill_first);
}

static void fill_done(struct change *change);

static void start_filling(struct producer_ids *ids)
{
    ASSERT(!ids->is_filling && ids->next == ids->end);
    ids->is_filling = true;
    ids->fill = (struct change){.decide = fill_decide, .done = fill_done};
    controller_submit(ids->controller, &ids->fill);
}

static void grant(struct producer_ids *ids, struct producer_id_wish *wish)
{
    ASSERT(ids->next < ids->end);
    wish->id = ids->next++;
    wish->error = ERR_OK;
    wish->done(wish);
}

static void refuse_waiting(struct producer_ids *ids, enum err e)
{
    /* Those who ask again from within `done` wait for the next block, not here. */
    struct list refused;
    list_init(&refused);
    for (struct list *node; (node = list_pop_front(&ids->waiting)) != NULL;)
        list_push_back(&refused, node);
    for (struct list *node; (node = list_pop_front(&refused)) != NULL;) {
        struct producer_id_wish *wish = container_of(node, struct producer_id_wish, link);
        wish->id = -1;
        wish->error = e;
        wish->done(wish);
    }
}

static void fill_done(struct change *change)
{
    struct producer_ids *ids = container_of(change, struct producer_ids, fill);
    ASSERT(ids->is_filling);
    ids->is_filling = false;
    if (change->error != ERR_OK) {
        refuse_waiting(ids, change->error);
        return;
    }
    ASSERT(ids->fill_first >= ids->end); /* blocks rise */
    ids->next = ids->fill_first;
    ids->end = ids->fill_first + PRODUCER_ID_BLOCK;
    while (ids->next < ids->end && !list_is_empty(&ids->waiting))
        grant(ids, container_of(list_pop_front(&ids->waiting), struct producer_id_wish, link));
    if (!list_is_empty(&ids->waiting) && !ids->is_filling)
        start_filling(ids);
}

void producer_ids_ask(struct producer_ids *ids, struct producer_id_wish *wish)
{
    if (ids->next < ids->end) {
        grant(ids, wish);
        return;
    }
    list_push_back(&ids->waiting, &wish->link);
    if (!ids->is_filling)
        start_filling(ids);
}
