// SPDX-License-Identifier: Apache-2.0
/*
 * decide: what all decisions share, and those that need no request: the start of a broker,
 * producer ids. See decide.h.
 *
 * Thread: any.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "controller/decide_private.h"
#include "metadata/topic_name.h"

void decision_init(struct decision *d, uint32_t entry_bytes_max)
{
    *d = (struct decision){0};
    wire_writer_init(&d->records, entry_bytes_max);
}

void decision_deinit(struct decision *d)
{
    wire_writer_deinit(&d->records);
}

/* ---- verdicts */

struct wire_str verdict_text(struct verdict v)
{
    if (v.code == KERR_NONE)
        return wire_str_of(NULL);
    return wire_str_of(v.message != NULL ? v.message : kerr_message(v.code));
}

struct verdict verdict_printf(struct arena *arena, enum kerr code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ASSERT(len >= 0);
    return verdict_of(code, arena_copy_text(arena, text, strlen(text)));
}

/* ---- records */

void record_start(struct metadata_record *record, enum metadata_record_type type)
{
    wire_record_init(&metadata_record_set, type, record);
}

void decision_put(struct decision *d, const struct metadata_record *record)
{
    uint32_t before = d->records.size;
    ASSERT(!d->records.is_counting && d->records.hole_count == 0);
    enum err e = wire_record_encode(&metadata_record_set, &d->records, record);
    if (e != ERR_OK && d->records.error == ERR_OK)
        wire_writer_fail(&d->records, e);
    if (d->records.error == ERR_OK && d->records.size - before > LIMIT_METADATA_RECORD_BYTES)
        wire_writer_fail(&d->records, ERR_TOO_LARGE);
    d->record_count++;
}

enum err decision_end(struct decision *d)
{
    enum err e = d->records.error;
    if (e != ERR_OK) {
        wire_writer_clear(&d->records);
        d->record_count = 0;
    }
    return e;
}

struct uuid decision_new_id(struct decision *d)
{
    for (;;) {
        uint8_t random[16];
        char text[UUID_TEXT_SIZE];
        d->random(d->random_arg, random, sizeof(random));
        struct uuid id = uuid_from_random(random);
        if (uuid_format(id, text)[0] != '-' && image_topic_by_id(d->image, id) == NULL)
            return id;
    }
}

int64_t decision_config_long(const struct decision *d, int broker_key)
{
    const char *text = config_layers_get(d->layers, broker_key, NULL);
    int64_t value = 0;
    enum err e = text != NULL ? config_parse_long(text, &value) : ERR_INVALID;
    ASSERT(e == ERR_OK); /* the layers hold checked values only */
    return value;
}

bool decision_config_bool(const struct decision *d, int broker_key)
{
    const char *text = config_layers_get(d->layers, broker_key, NULL);
    bool value = false;
    enum err e = text != NULL ? config_parse_bool(text, &value) : ERR_INVALID;
    ASSERT(e == ERR_OK);
    return value;
}

void decision_put_configs(struct decision *d, int8_t resource_type, struct wire_str name,
                          const struct config_set *old, const struct config_set *wanted)
{
    const struct config_def *defs = config_broker_defs;
    int count = (int)CONFIG_BROKER_COUNT;
    ASSERT(resource_type == RESOURCE_BROKER || name.len > 0);
    if (resource_type == RESOURCE_TOPIC) {
        defs = config_topic_defs;
        count = (int)CONFIG_TOPIC_COUNT;
    } else if (resource_type == RESOURCE_GROUP) {
        defs = config_group_defs;
        count = (int)CONFIG_GROUP_COUNT;
    }
    for (int key = 0; key < count; key++) {
        const char *before = config_set_get(old, key);
        const char *after = config_set_get(wanted, key);
        if (before != NULL && after != NULL ? strcmp(before, after) == 0 : before == after)
            continue;
        struct metadata_record record;
        record_start(&record, METADATA_CONFIG);
        record.config.resource_type = resource_type;
        record.config.resource_name = name;
        record.config.key = wire_str_of(defs[key].name);
        record.config.value = wire_str_of(after);
        decision_put(d, &record);
    }
}

/* ---- the start of a broker */

static void put_cluster_id(struct decision *d, const char *cluster_id)
{
    char text[UUID_TEXT_SIZE];
    if (cluster_id == NULL || cluster_id[0] == '\0')
        cluster_id = uuid_format(decision_new_id(d), text);
    struct metadata_record record;
    record_start(&record, METADATA_CLUSTER_ID);
    record.cluster_id.cluster_id = wire_str_of(cluster_id);
    decision_put(d, &record);
}

static void put_registration(struct decision *d, const struct broker_start *start)
{
    struct register_broker_record_listener *listeners =
        mem_alloc(((size_t)start->listener_count + 1) * sizeof(*listeners));
    for (int32_t i = 0; i < start->listener_count; i++) {
        const struct listener_image *from = &start->listeners[i];
        listeners[i] = (struct register_broker_record_listener){
            .name = wire_str_of(from->name),
            .host = wire_str_of(from->host),
            .port = from->port,
            .security_protocol = from->security_protocol,
        };
    }
    struct metadata_record record;
    record_start(&record, METADATA_REGISTER_BROKER);
    record.register_broker.node_id = start->node_id;
    record.register_broker.incarnation_id = start->incarnation_id;
    record.register_broker.log_dirs.items = (struct uuid *)(uintptr_t)start->log_dirs;
    record.register_broker.log_dirs.count = start->log_dir_count;
    record.register_broker.listeners.items = listeners;
    record.register_broker.listeners.count = start->listener_count;
    record.register_broker.rack = wire_str_of(start->rack);
    decision_put(d, &record);
    mem_free(listeners);
}

enum err decide_broker_start(struct decision *d, const struct broker_start *start)
{
    ASSERT(start->node_id >= 0);
    ASSERT(start->listener_count >= 0 && start->log_dir_count >= 0);
    ASSERT(d->record_count == 0);
    struct metadata_record record;
    if (image_cluster_id(d->image)[0] == '\0')
        put_cluster_id(d, start->cluster_id);
    put_registration(d, start);
    record_start(&record, METADATA_BROKER_START);
    record.broker_start.node_id = start->node_id;
    record.broker_start.epoch = image_position(d->image) + 1;
    decision_put(d, &record);
    if (start->is_controller) {
        record_start(&record, METADATA_CONTROLLER);
        record.controller.node_id = start->node_id;
        record.controller.epoch = image_controller_epoch(d->image) + 1;
        decision_put(d, &record);
    }
    return decision_end(d);
}

/* ---- producer ids */

enum err decide_producer_ids(struct decision *d, int32_t node_id, int64_t *first)
{
    int64_t next = image_next_producer_id(d->image);
    ASSERT(node_id >= 0 && next >= 0);
    if (next > INT64_MAX - PRODUCER_ID_BLOCK)
        return ERR_FULL;
    struct metadata_record record;
    record_start(&record, METADATA_PRODUCER_IDS);
    record.producer_ids.next_producer_id = next + PRODUCER_ID_BLOCK;
    record.producer_ids.node_id = node_id;
    decision_put(d, &record);
    enum err e = decision_end(d);
    if (e == ERR_OK)
        *first = next;
    return e;
}

/* ---- names */

void name_table_init(struct name_table *t, struct arena *arena, uint64_t seed, bool folds_dots)
{
    map_init(&t->map);
    t->arena = arena;
    t->seed = seed;
    t->folds_dots = folds_dots;
}

void name_table_deinit(struct name_table *t)
{
    map_deinit(&t->map);
}

static uint64_t name_hash(const struct name_table *t, struct wire_str name)
{
    char folded[LIMIT_TOPIC_NAME_BYTES];
    if (!t->folds_dots)
        return hash_bytes(t->seed, name.data, (size_t)name.len);
    ASSERT(name.len <= LIMIT_TOPIC_NAME_BYTES);
    for (int32_t i = 0; i < name.len; i++)
        folded[i] = name.data[i] == '.' ? '_' : name.data[i];
    return hash_bytes(t->seed, folded, (size_t)name.len);
}

static bool names_match(const struct name_table *t, struct wire_str a, struct wire_str b)
{
    if (!t->folds_dots)
        return wire_str_equal(a, b);
    return topic_names_collide(a.data, (size_t)a.len, b.data, (size_t)b.len);
}

struct name_entry *name_table_find(const struct name_table *t, struct wire_str name)
{
    for (struct map_node *node = map_first(&t->map, name_hash(t, name)); node != NULL;
         node = map_next_same(node)) {
        struct name_entry *entry = container_of(node, struct name_entry, node);
        if (names_match(t, entry->name, name))
            return entry;
    }
    return NULL;
}

struct name_entry *name_table_add(struct name_table *t, struct wire_str name)
{
    struct name_entry *entry = name_table_find(t, name);
    if (entry == NULL) {
        entry = arena_alloc(t->arena, sizeof(*entry));
        if (entry == NULL)
            return NULL;
        entry->name = name;
        map_insert(&t->map, &entry->node, name_hash(t, name));
    }
    entry->count++;
    return entry;
}

/* ---- places */

enum err placer_init(struct placer *p, struct decision *d, struct arena *arena)
{
    size_t known = image_broker_count(d->image);
    int32_t *nodes = arena_alloc_array(arena, known + 1, sizeof(*nodes));
    if (nodes == NULL)
        return ERR_NO_MEMORY;
    int32_t count = 0;
    const struct broker_image *broker = image_broker_at_least(d->image, 0);
    while (broker != NULL) {
        if (!broker->is_fenced)
            nodes[count++] = broker->node_id;
        if (broker->node_id == INT32_MAX)
            break;
        broker = image_broker_at_least(d->image, broker->node_id + 1);
    }
    uint32_t random = 0;
    if (count > 1) /* topics of one partition shall not all be led by the same broker */
        d->random(d->random_arg, &random, sizeof(random));
    ASSERT((size_t)count <= known);
    *p = (struct placer){nodes, count, count > 0 ? (int32_t)(random % (uint32_t)count) : 0};
    return ERR_OK;
}

void placer_place(struct placer *p, int32_t *replicas, int16_t count)
{
    ASSERT(count >= 1 && count <= p->count);
    for (int16_t i = 0; i < count; i++)
        replicas[i] = p->nodes[(p->next + i) % p->count];
    p->next = (p->next + 1) % p->count;
}

bool placer_has(const struct placer *p, int32_t node_id)
{
    for (int32_t i = 0; i < p->count; i++) {
        if (p->nodes[i] == node_id)
            return true;
    }
    return false;
}

struct verdict placer_judge(const struct placer *p, const struct decision *d, struct arena *arena,
                            const struct wire_i32_array *nodes)
{
    int32_t alive = 0;
    if (nodes->count < 1)
        return verdict_of(KERR_INVALID_REPLICA_ASSIGNMENT, "a partition without replicas");
    if (nodes->count > p->count + (int32_t)image_broker_count(d->image))
        return verdict_of(KERR_INVALID_REPLICA_ASSIGNMENT,
                          "a partition with more replicas than brokers");
    for (int32_t i = 0; i < nodes->count; i++) {
        for (int32_t j = 0; j < i; j++) {
            if (nodes->items[i] == nodes->items[j])
                return verdict_of(KERR_INVALID_REPLICA_ASSIGNMENT,
                                  "a partition with two replicas on one broker");
        }
        if (image_broker(d->image, nodes->items[i]) == NULL)
            return verdict_printf(arena, KERR_INVALID_REPLICA_ASSIGNMENT,
                                  "a replica on broker %d, which is not registered",
                                  nodes->items[i]);
        alive += placer_has(p, nodes->items[i]) ? 1 : 0;
    }
    if (alive == 0)
        return verdict_of(KERR_INVALID_REPLICA_ASSIGNMENT,
                          "a partition none of whose brokers is running");
    return VERDICT_GOOD;
}

void placer_put_partition(const struct placer *p, struct decision *d,
                          const struct placed_partition *partition, int32_t *isr)
{
    struct metadata_record record;
    record_start(&record, METADATA_PARTITION);
    record.partition.topic_id = partition->topic_id;
    record.partition.index = partition->index;
    record.partition.replicas = partition->replicas;
    record.partition.isr.items = isr;
    for (int32_t i = 0; i < partition->replicas.count; i++) {
        if (placer_has(p, partition->replicas.items[i]))
            isr[record.partition.isr.count++] = partition->replicas.items[i];
    }
    ASSERT(record.partition.isr.count > 0);
    record.partition.leader = isr[0];
    decision_put(d, &record);
}
