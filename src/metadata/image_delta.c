// SPDX-License-Identifier: Apache-2.0
/* image_delta: what is different between two images. See image.h. Thread: its owner's. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metadata/image_private.h"

void image_delta_init(struct image_delta *delta)
{
    *delta = (struct image_delta){0};
}

void image_delta_deinit(struct image_delta *delta)
{
    mem_free(delta->topics);
    image_delta_init(delta);
}

void image_delta_add(struct image_delta *delta, const struct topic_image *before,
                     const struct topic_image *after)
{
    ASSERT(before != NULL || after != NULL);
    ASSERT(before != after);
    if (delta->topic_count == delta->topic_capacity) {
        delta->topic_capacity = MAX(delta->topic_capacity * 2, (size_t)8);
        delta->topics =
            mem_realloc(delta->topics, delta->topic_capacity * sizeof(delta->topics[0]));
    }
    delta->topics[delta->topic_count++] = (struct topic_delta){before, after};
}

static const struct topic_image *topic_of(struct image_item *item)
{
    return item != NULL ? container_of(item, struct topic_image, item) : NULL;
}

static bool facts_differ(const struct image *a, const struct image *b)
{
    return a->controller_id != b->controller_id || a->controller_epoch != b->controller_epoch ||
           a->features.root != b->features.root || strcmp(a->cluster_id, b->cluster_id) != 0;
}

void image_delta_between(struct image_delta *delta, const struct image *before,
                         const struct image *after)
{
    struct image_tree_cursor at_before, at_after;
    const struct topic_image *old =
        topic_of(image_tree_seek(&before->topics_by_id, NULL, &at_before));
    const struct topic_image *new =
        topic_of(image_tree_seek(&after->topics_by_id, NULL, &at_after));
    while (old != NULL || new != NULL) {
        int order = old == NULL   ? 1
                    : new == NULL ? -1
                                  : memcmp(&old->id, &new->id, sizeof(old->id));
        if (old != new)
            image_delta_add(delta, order <= 0 ? old : NULL, order >= 0 ? new : NULL);
        if (order <= 0)
            old = topic_of(image_tree_next(&at_before));
        if (order >= 0)
            new = topic_of(image_tree_next(&at_after));
    }
    delta->brokers_changed |= before->brokers.root != after->brokers.root;
    delta->configs_changed |= before->configs.root != after->configs.root;
    delta->cluster_changed |= facts_differ(before, after);
}

/* Both topics have this page, and it is the same one. */
static bool is_page_shared(const struct topic_delta *delta, int32_t index)
{
    uint32_t page = (uint32_t)index / IMAGE_PAGE_PARTITIONS;
    return page < delta->before->page_count && page < delta->after->page_count &&
           delta->before->pages[page] == delta->after->pages[page];
}

int32_t topic_delta_next_partition(const struct topic_delta *delta, int32_t index)
{
    ASSERT(index >= 0);
    int32_t before_count = delta->before != NULL ? delta->before->partition_count : 0;
    int32_t after_count = delta->after != NULL ? delta->after->partition_count : 0;
    int32_t both = MIN(before_count, after_count);
    while (index < both) {
        if (is_page_shared(delta, index)) {
            index += IMAGE_PAGE_PARTITIONS - index % IMAGE_PAGE_PARTITIONS;
            continue;
        }
        if (!partition_equals(topic_partition(delta->before, index),
                              topic_partition(delta->after, index)))
            return index;
        index++;
    }
    /* A shared page may have carried us beyond the last partition. */
    return index < MAX(before_count, after_count) ? index : -1;
}

bool topic_delta_configs_changed(const struct topic_delta *delta)
{
    const struct config_block *before = delta->before != NULL ? delta->before->configs : NULL;
    const struct config_block *after = delta->after != NULL ? delta->after->configs : NULL;
    return !config_block_equals(before, after);
}
