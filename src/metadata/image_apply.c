// SPDX-License-Identifier: Apache-2.0
/*
 * image_apply: makes an image from another one and records.
 *
 * The builder is an image with a higher edit number; what it touches it copies once and
 * then changes in place. Nobody sees it before it is whole: on any error it is dropped, and
 * the base is as it was. Records come from a disk or from another program version, so each
 * is checked against what is already known; what contradicts it is ERR_CORRUPT.
 *
 * Thread: any; the base may be in use by others.
 */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "metadata/image_private.h"
#include "metadata/topic_name.h"
#include "wire/record_set.h"

enum {
    RECORD_ARENA_KEPT_BYTES = 128 * 1024, /* above it the arena is emptied between records */
    RECORD_ARENA_BYTES = LIMIT_METADATA_RECORD_BYTES * 16 + RECORD_ARENA_KEPT_BYTES,
};

/* A topic that this edit has touched, as it was in the base. */
struct touch {
    struct uuid id;
    const struct topic_image *before; /* NULL: it was not there */
};

struct builder {
    struct image *image;
    enum image_source source;
    struct touch *touches;
    size_t touch_count;
    size_t touch_capacity;
    int64_t record_count;
    int64_t bracket_begin; /* record_count after Begin; 0: no bracket is open */
    bool has_footer;
    bool brokers_changed;
    bool configs_changed;
    bool cluster_changed;
};

static struct image *image_share(const struct image *base)
{
    struct image *image = mem_alloc(sizeof(*image));
    *image = (struct image){
        .edit = base->edit + 1,
        .position = base->position,
        .partition_count = base->partition_count,
        .next_producer_id = base->next_producer_id,
        .controller_id = base->controller_id,
        .controller_epoch = base->controller_epoch,
    };
    atomic_init(&image->refs, 1);
    memcpy(image->cluster_id, base->cluster_id, sizeof(image->cluster_id));
    image_tree_share(&base->topics_by_name, &image->topics_by_name);
    image_tree_share(&base->topics_by_id, &image->topics_by_id);
    image_tree_share(&base->brokers, &image->brokers);
    image_tree_share(&base->configs, &image->configs);
    image_tree_share(&base->features, &image->features);
    return image;
}

/* ---- texts and lists of records */

/* A text of ours has no NUL in it: it is kept NUL-terminated. */
static bool text_is_plain(struct wire_str s)
{
    return s.len >= 0 && (s.len == 0 || memchr(s.data, '\0', (size_t)s.len) == NULL);
}

static struct image_name name_of(struct wire_str s)
{
    ASSERT(s.len >= 0);
    return (struct image_name){s.len > 0 ? s.data : "", (size_t)s.len};
}

static bool nodes_are_good(struct wire_i32_array nodes)
{
    for (int32_t i = 0; i < nodes.count; i++) {
        if (nodes.items[i] < 0)
            return false;
    }
    return true;
}

/* ---- topics */

static void touch_add(struct builder *b, struct uuid id, const struct topic_image *before)
{
    if (b->touch_count == b->touch_capacity) {
        b->touch_capacity = MAX(b->touch_capacity * 2, (size_t)16);
        b->touches = mem_realloc(b->touches, b->touch_capacity * sizeof(b->touches[0]));
    }
    b->touches[b->touch_count++] = (struct touch){id, before};
}

static void topic_put(struct builder *b, struct topic_image *take_topic)
{
    struct image_name name = {take_topic->name, take_topic->name_len};
    struct uuid id = take_topic->id;
    image_item_ref(&take_topic->item);
    bool was_by_name =
        image_tree_put(&b->image->topics_by_name, b->image->edit, &name, &take_topic->item);
    bool was_by_id =
        image_tree_put(&b->image->topics_by_id, b->image->edit, &id, &take_topic->item);
    ASSERT(was_by_name == was_by_id);
}

/* The topic for changing, or NULL when there is none. */
static struct topic_image *topic_own(struct builder *b, const struct topic_image *topic)
{
    if (topic == NULL)
        return NULL;
    if (topic->edit == b->image->edit)
        return (struct topic_image *)(uintptr_t)topic; /* made by this edit: ours to change */
    touch_add(b, topic->id, topic);
    struct topic_image *copy = topic_copy(topic, b->image->edit);
    topic_put(b, copy);
    return copy;
}

static enum err apply_topic(struct builder *b, const struct topic_record *r)
{
    struct image_name name = name_of(r->name);
    if (topic_name_fault(name.text, name.len) != NULL || uuid_is_zero(r->topic_id))
        return ERR_CORRUPT;
    if (image_topic(b->image, name.text, name.len) != NULL ||
        image_topic_by_id(b->image, r->topic_id) != NULL)
        return ERR_CORRUPT;
    touch_add(b, r->topic_id, NULL);
    topic_put(b, topic_new(name, r->topic_id, b->image->edit));
    return ERR_OK;
}

static enum err apply_remove_topic(struct builder *b, const struct remove_topic_record *r)
{
    const struct topic_image *topic = image_topic_by_id(b->image, r->topic_id);
    if (topic == NULL)
        return ERR_CORRUPT;
    if (topic->edit != b->image->edit)
        touch_add(b, topic->id, topic);
    b->image->partition_count -= topic->partition_count;
    image_item_ref((struct image_item *)(uintptr_t)&topic->item); /* its name is the key */
    struct image_name name = {topic->name, topic->name_len};
    bool was_by_name = image_tree_remove(&b->image->topics_by_name, b->image->edit, &name);
    bool was_by_id = image_tree_remove(&b->image->topics_by_id, b->image->edit, &r->topic_id);
    ASSERT(was_by_name && was_by_id);
    image_item_unref((struct image_item *)(uintptr_t)&topic->item);
    return ERR_OK;
}

static enum err apply_partition(struct builder *b, const struct partition_record *r)
{
    const struct topic_image *known = image_topic_by_id(b->image, r->topic_id);
    if (known == NULL || r->index < 0 || r->index > known->partition_count ||
        r->index == INT32_MAX || r->replicas.count < 1 || r->leader < IMAGE_NO_NODE ||
        r->leader_epoch < 0 || r->partition_epoch < 0 || !nodes_are_good(r->replicas) ||
        !nodes_are_good(r->isr))
        return ERR_CORRUPT;
    if (r->directories.count != 0 && r->directories.count != r->replicas.count)
        return ERR_CORRUPT;
    struct partition_members members = {
        .replicas = r->replicas.items,
        .isr = r->isr.items,
        .directories = r->directories.items,
        .replica_count = r->replicas.count,
        .isr_count = r->isr.count,
        .directory_count = r->directories.count,
    };
    struct partition_image values = {
        .leader = r->leader,
        .leader_epoch = r->leader_epoch,
        .partition_epoch = r->partition_epoch,
        .members = &members,
    };
    struct topic_image *topic = topic_own(b, known);
    if (r->index == topic->partition_count) {
        topic_append_partition(topic, &values);
        b->image->partition_count++;
        return ERR_OK;
    }
    struct partition_image *partition = topic_change_partition(topic, r->index);
    partition_set_members(partition, &members);
    values.members = partition->members;
    *partition = values;
    return ERR_OK;
}

/* What the record leaves unsaid stays; directories go with a change of the replicas. */
static void change_members(struct partition_image *partition,
                           const struct partition_change_record *r)
{
    struct partition_members members = *partition->members;
    if (r->replicas.count >= 0) {
        members.replicas = r->replicas.items;
        members.replica_count = r->replicas.count;
        members.directory_count = 0;
    }
    if (r->isr.count >= 0) {
        members.isr = r->isr.items;
        members.isr_count = r->isr.count;
    }
    if (r->directories.count >= 0) {
        members.directories = r->directories.items;
        members.directory_count = r->directories.count;
    }
    partition_set_members(partition, &members);
}

static enum err apply_partition_change(struct builder *b, const struct partition_change_record *r)
{
    const struct topic_image *known = image_topic_by_id(b->image, r->topic_id);
    const struct partition_image *now = known != NULL ? topic_partition(known, r->index) : NULL;
    if (now == NULL || r->partition_epoch <= now->partition_epoch)
        return ERR_CORRUPT;
    if (r->replicas.count == 0 || !nodes_are_good(r->replicas) || !nodes_are_good(r->isr) ||
        r->leader < -2 || r->leader_epoch < -2 || r->leader_epoch == -1)
        return ERR_CORRUPT;
    if (r->leader_epoch != -2 && r->leader_epoch < now->leader_epoch)
        return ERR_CORRUPT;
    int32_t replica_count =
        r->replicas.count >= 0 ? r->replicas.count : now->members->replica_count;
    if (r->directories.count > 0 && r->directories.count != replica_count)
        return ERR_CORRUPT;
    struct topic_image *topic = topic_own(b, known);
    struct partition_image *partition = topic_change_partition(topic, r->index);
    partition->partition_epoch = r->partition_epoch;
    if (r->leader != -2)
        partition->leader = r->leader;
    if (r->leader_epoch != -2)
        partition->leader_epoch = r->leader_epoch;
    if (r->replicas.count >= 0 || r->isr.count >= 0 || r->directories.count >= 0)
        change_members(partition, r);
    return ERR_OK;
}

/* ---- brokers */

static enum err apply_register_broker(struct builder *b, const struct register_broker_record *r,
                                      struct arena *a)
{
    if (r->node_id < 0 || (r->rack.len >= 0 && !text_is_plain(r->rack)))
        return ERR_CORRUPT;
    struct listener_image *listeners =
        arena_alloc_array(a, (size_t)r->listeners.count + 1, sizeof(*listeners));
    if (listeners == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < r->listeners.count; i++) {
        const struct register_broker_record_listener *from = &r->listeners.items[i];
        if (!text_is_plain(from->name) || !text_is_plain(from->host))
            return ERR_CORRUPT;
        listeners[i].name = arena_copy_text(a, name_of(from->name).text, (size_t)from->name.len);
        listeners[i].host = arena_copy_text(a, name_of(from->host).text, (size_t)from->host.len);
        listeners[i].port = from->port;
        listeners[i].security_protocol = from->security_protocol;
        if (listeners[i].name == NULL || listeners[i].host == NULL)
            return ERR_NO_MEMORY;
    }
    struct broker_image broker = {
        .node_id = r->node_id,
        .epoch = -1,
        .incarnation_id = r->incarnation_id,
        .is_fenced = true,
        .log_dirs = r->log_dirs.items,
        .log_dir_count = r->log_dirs.count,
        .listeners = listeners,
        .listener_count = r->listeners.count,
    };
    if (r->rack.len >= 0) {
        broker.rack = arena_copy_text(a, name_of(r->rack).text, (size_t)r->rack.len);
        if (broker.rack == NULL)
            return ERR_NO_MEMORY;
    }
    image_tree_put(&b->image->brokers, b->image->edit, &r->node_id,
                   &broker_item_new(&broker)->item);
    b->brokers_changed = true;
    return ERR_OK;
}

static bool topic_is_led_by(const struct topic_image *topic, int32_t node_id)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        if (topic_partition(topic, i)->leader == node_id)
            return true;
    }
    return false;
}

static enum err raise_leader_epochs(struct topic_image *topic, int32_t node_id)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        if (topic_partition(topic, i)->leader != node_id)
            continue;
        struct partition_image *partition = topic_change_partition(topic, i);
        if (partition->leader_epoch == INT32_MAX || partition->partition_epoch == INT32_MAX)
            return ERR_CORRUPT;
        partition->leader_epoch++;
        partition->partition_epoch++;
    }
    return ERR_OK;
}

/* One record for all partitions that the node leads. Goes by name, because the tree changes below
 * the walk when a topic is touched for the first time. */
static enum err apply_broker_start(struct builder *b, const struct broker_start_record *r)
{
    const struct broker_image *broker = image_broker(b->image, r->node_id);
    if (broker == NULL || r->epoch < 0)
        return ERR_CORRUPT;
    struct broker_image started = *broker;
    started.epoch = r->epoch;
    started.is_fenced = false;
    image_tree_put(&b->image->brokers, b->image->edit, &r->node_id,
                   &broker_item_new(&started)->item);
    b->brokers_changed = true;

    const struct topic_image *topic = image_topic_at_least(b->image, "", 0);
    while (topic != NULL) {
        if (topic_is_led_by(topic, r->node_id)) {
            struct topic_image *own = topic_own(b, topic);
            enum err e = raise_leader_epochs(own, r->node_id);
            if (e != ERR_OK)
                return e;
            topic = own;
        }
        topic = image_topic_after(b->image, topic->name, topic->name_len);
    }
    return ERR_OK;
}

/* ---- configs and the rest */

static enum err apply_topic_config(struct builder *b, struct image_name topic_name,
                                   struct image_name key, const struct image_name *value)
{
    struct topic_image *topic =
        topic_own(b, image_topic(b->image, topic_name.text, topic_name.len));
    if (topic == NULL)
        return ERR_CORRUPT;
    struct config_block *old = topic->configs;
    topic->configs = config_block_with(old, key, value);
    config_block_unref(old);
    return ERR_OK;
}

static enum err apply_config(struct builder *b, const struct config_record *r)
{
    if (!text_is_plain(r->resource_name) || !text_is_plain(r->key) || r->key.len == 0 ||
        (r->value.len >= 0 && !text_is_plain(r->value)))
        return ERR_CORRUPT;
    struct image_name key = name_of(r->key);
    struct image_name value = {NULL, 0};
    if (r->value.len >= 0)
        value = name_of(r->value);
    const struct image_name *set = r->value.len >= 0 ? &value : NULL;
    if (r->resource_type == RESOURCE_TOPIC)
        return apply_topic_config(b, name_of(r->resource_name), key, set);

    struct resource_key resource = {r->resource_type, name_of(r->resource_name)};
    struct image_item *item = image_tree_find(&b->image->configs, &resource);
    struct config_block *old =
        item != NULL ? container_of(item, struct resource_item, item)->configs : NULL;
    struct config_block *block = config_block_with(old, key, set);
    b->configs_changed = b->configs_changed || r->resource_type == RESOURCE_BROKER;
    if (block != NULL)
        image_tree_put(&b->image->configs, b->image->edit, &resource,
                       &resource_item_new(&resource, block)->item);
    else if (item != NULL)
        image_tree_remove(&b->image->configs, b->image->edit, &resource);
    return ERR_OK;
}

static enum err apply_feature(struct builder *b, const struct feature_level_record *r)
{
    if (!text_is_plain(r->name) || r->name.len == 0 || r->level < 0)
        return ERR_CORRUPT;
    struct image_name name = name_of(r->name);
    b->cluster_changed = true;
    if (r->level > 0)
        image_tree_put(&b->image->features, b->image->edit, &name,
                       &feature_item_new(name, r->level)->item);
    else
        image_tree_remove(&b->image->features, b->image->edit, &name);
    return ERR_OK;
}

static enum err apply_cluster_id(struct builder *b, const struct cluster_id_record *r)
{
    if (!text_is_plain(r->cluster_id) || r->cluster_id.len == 0 ||
        r->cluster_id.len >= IMAGE_CLUSTER_ID_SIZE || b->image->cluster_id[0] != '\0')
        return ERR_CORRUPT;
    memcpy(b->image->cluster_id, r->cluster_id.data, (size_t)r->cluster_id.len);
    b->cluster_changed = true;
    return ERR_OK;
}

static enum err apply_controller(struct builder *b, const struct controller_record *r)
{
    if (r->node_id < 0 || r->epoch <= b->image->controller_epoch)
        return ERR_CORRUPT;
    b->image->controller_id = r->node_id;
    b->image->controller_epoch = r->epoch;
    b->cluster_changed = true;
    return ERR_OK;
}

static enum err apply_producer_ids(struct builder *b, const struct producer_ids_record *r)
{
    if (r->next_producer_id < b->image->next_producer_id)
        return ERR_CORRUPT;
    b->image->next_producer_id = r->next_producer_id;
    return ERR_OK;
}

static enum err apply_begin(struct builder *b)
{
    if (b->bracket_begin != 0)
        return ERR_CORRUPT;
    b->bracket_begin = b->record_count;
    return ERR_OK;
}

static enum err apply_end(struct builder *b, const struct end_record *r)
{
    if (b->bracket_begin == 0 || b->record_count - b->bracket_begin - 1 != r->record_count)
        return ERR_CORRUPT;
    b->bracket_begin = 0;
    return ERR_OK;
}

static enum err apply_snapshot_header(struct builder *b, const struct snapshot_header_record *r)
{
    if (b->source != IMAGE_FROM_SNAPSHOT || b->record_count != 1 || r->position < 0)
        return ERR_CORRUPT;
    b->image->position = r->position;
    return ERR_OK;
}

static enum err apply_snapshot_footer(struct builder *b, const struct snapshot_footer_record *r)
{
    if (b->source != IMAGE_FROM_SNAPSHOT || r->record_count != b->record_count)
        return ERR_CORRUPT;
    b->has_footer = true;
    return ERR_OK;
}

/* ---- the way through the records */

static enum err apply_record(struct builder *b, const struct metadata_record *r, struct arena *a)
{
    switch ((enum metadata_record_type)r->type) {
    case METADATA_CLUSTER_ID:
        return apply_cluster_id(b, &r->cluster_id);
    case METADATA_FEATURE_LEVEL:
        return apply_feature(b, &r->feature_level);
    case METADATA_REGISTER_BROKER:
        return apply_register_broker(b, &r->register_broker, a);
    case METADATA_BROKER_START:
        return apply_broker_start(b, &r->broker_start);
    case METADATA_TOPIC:
        return apply_topic(b, &r->topic);
    case METADATA_PARTITION:
        return apply_partition(b, &r->partition);
    case METADATA_PARTITION_CHANGE:
        return apply_partition_change(b, &r->partition_change);
    case METADATA_REMOVE_TOPIC:
        return apply_remove_topic(b, &r->remove_topic);
    case METADATA_CONFIG:
        return apply_config(b, &r->config);
    case METADATA_PRODUCER_IDS:
        return apply_producer_ids(b, &r->producer_ids);
    case METADATA_BEGIN:
        return apply_begin(b);
    case METADATA_END:
        return apply_end(b, &r->end);
    case METADATA_SNAPSHOT_HEADER:
        return apply_snapshot_header(b, &r->snapshot_header);
    case METADATA_SNAPSHOT_FOOTER:
        return apply_snapshot_footer(b, &r->snapshot_footer);
    case METADATA_CONTROLLER:
        return apply_controller(b, &r->controller);
    }
    return ERR_UNSUPPORTED;
}

static enum err apply_entry(struct builder *b, const struct image_entry *entry, struct strbuf *why)
{
    struct wire_reader reader = wire_reader_of(entry->data, entry->size);
    struct arena arena;
    arena_init(&arena, RECORD_ARENA_BYTES);
    enum err e = ERR_OK;
    struct metadata_record record = {0};
    while (e == ERR_OK && wire_left(&reader) > 0) {
        size_t pos = entry->size - wire_left(&reader);
        b->record_count++;
        e = b->has_footer ? ERR_CORRUPT
                          : wire_record_decode(&metadata_record_set, &reader, &arena, &record);
        if (e == ERR_OK)
            e = apply_record(b, &record, &arena);
        if (e != ERR_OK && why != NULL)
            strbuf_printf(why, "metadata record of type %u at byte %zu of entry %lld: %s",
                          (unsigned)record.type, pos, (long long)b->image->position, err_text(e));
        if (arena.used_bytes > RECORD_ARENA_KEPT_BYTES)
            arena_deinit(&arena);
    }
    arena_deinit(&arena);
    return e;
}

static enum err apply_entries(struct builder *b, const struct image_build *build,
                              struct strbuf *why)
{
    for (size_t i = 0; i < build->count; i++) {
        if (b->source == IMAGE_FROM_LOG)
            b->image->position++;
        enum err e = apply_entry(b, &build->entries[i], why);
        if (e != ERR_OK)
            return e;
    }
    bool is_whole = b->bracket_begin == 0 && (b->source == IMAGE_FROM_LOG || b->has_footer);
    if (!is_whole && why != NULL)
        strbuf_printf(why, "metadata records end in the middle of what belongs together");
    return is_whole ? ERR_OK : ERR_CORRUPT;
}

static void fill_delta(const struct builder *b, struct image_delta *delta)
{
    for (size_t i = 0; i < b->touch_count; i++) {
        const struct touch *touch = &b->touches[i];
        const struct topic_image *after = image_topic_by_id(b->image, touch->id);
        if (touch->before != NULL || after != NULL)
            image_delta_add(delta, touch->before, after);
    }
    delta->brokers_changed |= b->brokers_changed;
    delta->configs_changed |= b->configs_changed;
    delta->cluster_changed |= b->cluster_changed;
}

enum err image_build(const struct image *base, const struct image_build *build,
                     struct image_delta *delta, struct strbuf *why, struct image **out)
{
    struct builder b = {.image = image_share(base), .source = build->source};
    enum err e = apply_entries(&b, build, why);
    if (e == ERR_OK) {
        if (delta != NULL)
            fill_delta(&b, delta);
        ASSERT(b.image->topics_by_name.count == b.image->topics_by_id.count);
        *out = b.image;
        b.image = NULL; /* handed over */
    }
    mem_free(b.touches);
    image_unref(b.image);
    return e;
}

enum err image_apply(const struct image *base, const struct image_entry *entries, size_t count,
                     struct image_delta *delta, struct strbuf *why, struct image **out)
{
    struct image_build build = {entries, count, IMAGE_FROM_LOG};
    return image_build(base, &build, delta, why, out);
}
