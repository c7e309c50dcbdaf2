// SPDX-License-Identifier: Apache-2.0
/*
 * image_topic: one topic of an image: its pages of partitions, and who their replicas are.
 *
 * A page holds up to 64 partitions and is shared by all images in which none of them
 * differs. Partitions that stand beside each other and have the same members share one
 * list of them: on a single node that is all of them.
 *
 * Thread: see image_private.h.
 */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "metadata/image_private.h"

/* ---- members */

struct members_block {
    _Atomic uint32_t refs;
    struct partition_members view;
};

static struct members_block *members_block_of(const struct partition_members *members)
{
    const char *view = (const char *)members;
    return (struct members_block *)(uintptr_t)(view - offsetof(struct members_block, view));
}

static const struct partition_members *members_new(const struct partition_members *from)
{
    ASSERT(from->replica_count >= 0 && from->isr_count >= 0 && from->directory_count >= 0);
    size_t ids_size = (size_t)(from->replica_count + from->isr_count) * sizeof(int32_t);
    size_t directories_size = (size_t)from->directory_count * sizeof(struct uuid);
    struct members_block *block = mem_alloc(sizeof(*block) + ids_size + directories_size);
    atomic_init(&block->refs, 1);
    int32_t *ids = (int32_t *)(block + 1);
    struct uuid *directories = (struct uuid *)(ids + from->replica_count + from->isr_count);
    block->view = *from;
    block->view.replicas = ids;
    block->view.isr = ids + from->replica_count;
    block->view.directories = directories;
    for (int32_t i = 0; i < from->replica_count; i++)
        ids[i] = from->replicas[i];
    for (int32_t i = 0; i < from->isr_count; i++)
        ids[from->replica_count + i] = from->isr[i];
    for (int32_t i = 0; i < from->directory_count; i++)
        directories[i] = from->directories[i];
    return &block->view;
}

static const struct partition_members *members_ref(const struct partition_members *members)
{
    struct members_block *block = members_block_of(members);
    uint32_t before = atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return members;
}

static void members_unref(const struct partition_members *members)
{
    struct members_block *block = members_block_of(members);
    uint32_t before = atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before == 1)
        mem_free(block);
}

bool partition_members_equal(const struct partition_members *a, const struct partition_members *b)
{
    if (a == b)
        return true;
    if (a->replica_count != b->replica_count || a->isr_count != b->isr_count ||
        a->directory_count != b->directory_count)
        return false;
    for (int32_t i = 0; i < a->replica_count; i++) {
        if (a->replicas[i] != b->replicas[i])
            return false;
    }
    for (int32_t i = 0; i < a->isr_count; i++) {
        if (a->isr[i] != b->isr[i])
            return false;
    }
    for (int32_t i = 0; i < a->directory_count; i++) {
        if (!uuid_equals(a->directories[i], b->directories[i]))
            return false;
    }
    return true;
}

bool partition_equals(const struct partition_image *a, const struct partition_image *b)
{
    return a->leader == b->leader && a->leader_epoch == b->leader_epoch &&
           a->partition_epoch == b->partition_epoch &&
           partition_members_equal(a->members, b->members);
}

void partition_set_members(struct partition_image *partition, const struct partition_members *view)
{
    const struct partition_members *old = partition->members;
    partition->members = members_new(view);
    members_unref(old);
}

bool partition_has_replica(const struct partition_image *partition, int32_t node_id)
{
    for (int32_t i = 0; i < partition->members->replica_count; i++) {
        if (partition->members->replicas[i] == node_id)
            return true;
    }
    return false;
}

/* ---- pages */

static struct partition_page *page_new(uint16_t capacity, uint64_t edit)
{
    ASSERT(capacity > 0 && capacity <= IMAGE_PAGE_PARTITIONS);
    struct partition_page *page = mem_alloc(sizeof(*page) + capacity * sizeof(page->partitions[0]));
    atomic_init(&page->refs, 1);
    page->capacity = capacity;
    page->edit = edit;
    return page;
}

static void page_unref(struct partition_page *page)
{
    uint32_t before = atomic_fetch_sub_explicit(&page->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    for (uint16_t i = 0; i < page->count; i++)
        members_unref(page->partitions[i].members);
    mem_free(page);
}

/* Gives up the reference to `page` for one to a page that this edit may change and that has room
 * for `capacity` partitions. */
static struct partition_page *page_own(struct partition_page *page, uint16_t capacity,
                                       uint64_t edit)
{
    if (page->edit == edit && page->capacity >= capacity)
        return page;
    struct partition_page *copy = page_new((uint16_t)MAX(capacity, page->count), edit);
    copy->count = page->count;
    for (uint16_t i = 0; i < page->count; i++) {
        copy->partitions[i] = page->partitions[i];
        members_ref(copy->partitions[i].members);
    }
    page_unref(page);
    return copy;
}

/* ---- topics */

static void topic_free(struct image_item *item)
{
    struct topic_image *topic = container_of(item, struct topic_image, item);
    for (uint32_t i = 0; i < topic->page_count; i++)
        page_unref(topic->pages[i]);
    mem_free(topic->pages);
    config_block_unref(topic->configs);
    mem_free(topic);
}

struct topic_image *topic_new(struct image_name name, struct uuid id, uint64_t edit)
{
    struct topic_image *topic = mem_alloc(sizeof(*topic) + name.len + 1);
    image_item_init(&topic->item, topic_free);
    topic->edit = edit;
    topic->id = id;
    topic->name_len = name.len;
    memcpy(topic->name, name.text, name.len);
    return topic;
}

struct topic_image *topic_copy(const struct topic_image *topic, uint64_t edit)
{
    ASSERT(topic->edit < edit);
    struct image_name name = {topic->name, topic->name_len};
    struct topic_image *copy = topic_new(name, topic->id, edit);
    copy->partition_count = topic->partition_count;
    copy->page_count = topic->page_count;
    copy->page_capacity = topic->page_count;
    copy->configs = config_block_ref(topic->configs);
    if (topic->page_count > 0)
        copy->pages = mem_alloc(topic->page_count * sizeof(topic->pages[0]));
    for (uint32_t i = 0; i < topic->page_count; i++) {
        copy->pages[i] = topic->pages[i];
        atomic_fetch_add_explicit(&copy->pages[i]->refs, 1, memory_order_relaxed);
    }
    return copy;
}

int topic_name_compare(const struct image_item *item, const void *key)
{
    const struct topic_image *topic = (const struct topic_image *)(const void *)item;
    return image_name_compare(topic->name, topic->name_len, key);
}

int topic_id_compare(const struct image_item *item, const void *key)
{
    const struct topic_image *topic = (const struct topic_image *)(const void *)item;
    return memcmp(&topic->id, key, sizeof(topic->id));
}

static struct partition_page *topic_add_page(struct topic_image *topic)
{
    if (topic->page_count == topic->page_capacity) {
        topic->page_capacity = topic->page_capacity == 0 ? 1 : topic->page_capacity * 2;
        topic->pages = mem_realloc(topic->pages, topic->page_capacity * sizeof(topic->pages[0]));
    }
    struct partition_page *page = page_new(1, topic->edit);
    topic->pages[topic->page_count++] = page;
    return page;
}

void topic_append_partition(struct topic_image *topic, const struct partition_image *values)
{
    uint32_t at = (uint32_t)topic->partition_count % IMAGE_PAGE_PARTITIONS;
    struct partition_page *page;
    if (at == 0) {
        page = topic_add_page(topic);
    } else {
        struct partition_page **slot = &topic->pages[topic->page_count - 1];
        uint16_t capacity = (*slot)->capacity;
        if (at == capacity || (*slot)->edit != topic->edit)
            capacity = (uint16_t)MIN(IMAGE_PAGE_PARTITIONS, MAX(at * 2, capacity));
        page = *slot = page_own(*slot, capacity, topic->edit);
    }
    ASSERT(page->count == at && page->capacity > at);
    struct partition_image *partition = &page->partitions[at];
    *partition = *values;
    const struct partition_members *beside = at > 0 ? page->partitions[at - 1].members : NULL;
    if (beside != NULL && partition_members_equal(beside, values->members))
        partition->members = members_ref(beside);
    else
        partition->members = members_new(values->members);
    page->count++;
    topic->partition_count++;
}

struct partition_image *topic_change_partition(struct topic_image *topic, int32_t index)
{
    ASSERT(index >= 0 && index < topic->partition_count);
    struct partition_page **slot = &topic->pages[index / IMAGE_PAGE_PARTITIONS];
    *slot = page_own(*slot, (*slot)->count, topic->edit);
    return &(*slot)->partitions[index % IMAGE_PAGE_PARTITIONS];
}

const struct partition_image *topic_partition(const struct topic_image *topic, int32_t index)
{
    if (index < 0 || index >= topic->partition_count)
        return NULL;
    return &topic->pages[index / IMAGE_PAGE_PARTITIONS]->partitions[index % IMAGE_PAGE_PARTITIONS];
}

const char *topic_name(const struct topic_image *topic)
{
    return topic->name;
}

size_t topic_name_len(const struct topic_image *topic)
{
    return topic->name_len;
}

struct uuid topic_id(const struct topic_image *topic)
{
    return topic->id;
}

int32_t topic_partition_count(const struct topic_image *topic)
{
    return topic->partition_count;
}

struct config_pairs topic_configs(const struct topic_image *topic)
{
    if (topic->configs == NULL)
        return (struct config_pairs){NULL, 0};
    return (struct config_pairs){topic->configs->pairs, topic->configs->count};
}

const struct config_set *topic_config_set(const struct topic_image *topic)
{
    static const struct config_set nothing;
    return topic->configs != NULL ? &topic->configs->set : &nothing;
}
