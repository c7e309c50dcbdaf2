// SPDX-License-Identifier: Apache-2.0
/*
 * offset_table: the offsets that a group has committed, by topic and partition.
 *
 * Thread: the shard's loop, or the one that loads it.
 */
#ifndef COORDINATOR_OFFSET_TABLE_H
#define COORDINATOR_OFFSET_TABLE_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "wire/message.h"

struct committed_offset {
    struct map_node node; /* of the table's offsets */
    struct list link;     /* of its topic, in the order of the first commit */
    const struct offset_topic *topic;
    int32_t partition;
    int32_t leader_epoch; /* -1: not given */
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms; /* -1: the group's retention counts */
    char *metadata;    /* never NULL */
    int32_t metadata_len;
};

struct offset_topic {
    struct map_node node; /* of the table's topics */
    struct list link;     /* of the table, in the order of the first commit */
    struct list partitions;
    struct uuid topic_id;
    bool is_read; /* while offsets expire: a member reads it */
    int32_t name_len;
    char name[];
};

struct offset_table {
    uint64_t hash_seed;
    struct list topics;
    struct map topics_by_name;
    struct map offsets;     /* by topic and partition */
    _Atomic int64_t *total; /* of many tables; NULL: nobody counts */
};

/* Names are hashed under the seed, which nobody outside may know. */
void offset_table_init(struct offset_table *table, uint64_t hash_seed);
void offset_table_deinit(struct offset_table *table);

struct offset_topic *offset_table_topic(const struct offset_table *table, struct wire_str name);
struct committed_offset *offset_table_find(const struct offset_table *table,
                                           const struct offset_topic *topic, int32_t partition);

/* What is put replaces what was there. */
struct offset_put {
    struct wire_str topic;
    struct uuid topic_id;
    int32_t partition;
    int32_t leader_epoch;
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms;
    struct wire_str metadata;
};
/* False: no memory, nothing changed. */
bool offset_table_put(struct offset_table *table, const struct offset_put *put);
/* Harmless when it is not there. */
void offset_table_remove(struct offset_table *table, struct wire_str topic, int32_t partition);

#endif
