// SPDX-License-Identifier: Apache-2.0
/*
 * image_private: what an image is made of, for the files image*.c only.
 *
 * Thread: whatever hangs off an image that somebody else can see is constant, but for
 * reference counts. What carries the number of the running edit is that edit's own.
 */
#ifndef METADATA_IMAGE_PRIVATE_H
#define METADATA_IMAGE_PRIVATE_H

#include "metadata/image.h"
#include "metadata/image_tree.h"

enum { IMAGE_PAGE_PARTITIONS = 64, IMAGE_CLUSTER_ID_SIZE = 256 };

struct image {
    _Atomic uint32_t refs;
    uint64_t edit;
    int64_t position;
    int64_t partition_count;
    int64_t next_producer_id;
    int32_t controller_id;
    int32_t controller_epoch;
    char cluster_id[IMAGE_CLUSTER_ID_SIZE];
    struct image_tree topics_by_name; /* struct topic_image */
    struct image_tree topics_by_id;   /* the same ones */
    struct image_tree brokers;        /* struct broker_item */
    struct image_tree configs;        /* struct resource_item */
    struct image_tree features;       /* struct feature_item */
};

/* A text as a key. */
struct image_name {
    const char *text;
    size_t len;
};

int image_name_compare(const char *text, size_t len, const struct image_name *key);

/* ---- configs: a block never changes and is counted */

struct config_block {
    _Atomic uint32_t refs;
    size_t count;
    struct config_pair *pairs; /* sorted by key; texts are in the block too */
    struct config_set set;     /* the topic keys among them */
};

/* What `old` (or NULL) becomes when `key` gets a value, or with NULL loses its own.
 * NULL: nothing is left. */
struct config_block *config_block_with(const struct config_block *old, struct image_name key,
                                       const struct image_name *value);
struct config_block *config_block_ref(struct config_block *block); /* accepts NULL */
void config_block_unref(struct config_block *block);               /* accepts NULL */
bool config_block_equals(const struct config_block *a, const struct config_block *b);

struct resource_key {
    int8_t type;
    struct image_name name;
};

struct resource_item {
    struct image_item item;
    struct config_block *configs;
    int8_t type;
    size_t name_len;
    char name[];
};

struct resource_item *resource_item_new(const struct resource_key *key,
                                        struct config_block *take_configs);
image_tree_compare resource_item_compare;

/* ---- brokers and features */

struct broker_item {
    struct image_item item;
    struct broker_image broker; /* texts and lists are in the same block */
};

/* A copy of all that the view points at. */
struct broker_item *broker_item_new(const struct broker_image *view);
image_tree_compare broker_item_compare; /* the key is an int32_t */
bool broker_equals(const struct broker_image *a, const struct broker_image *b);

struct feature_item {
    struct image_item item;
    int16_t level;
    size_t name_len;
    char name[];
};

struct feature_item *feature_item_new(struct image_name name, int16_t level);
image_tree_compare feature_item_compare;

/* ---- topics */

struct partition_page {
    _Atomic uint32_t refs;
    uint16_t count;
    uint16_t capacity;
    uint64_t edit;
    struct partition_image partitions[];
};

struct topic_image {
    struct image_item item;
    uint64_t edit;
    struct uuid id;
    int32_t partition_count;
    uint32_t page_count;
    uint32_t page_capacity;
    struct partition_page **pages;
    struct config_block *configs;
    size_t name_len;
    char name[];
};

struct topic_image *topic_new(struct image_name name, struct uuid id, uint64_t edit);
/* Another one, which this edit may change. */
struct topic_image *topic_copy(const struct topic_image *topic, uint64_t edit);
image_tree_compare topic_name_compare;
image_tree_compare topic_id_compare; /* the key is a struct uuid */

/* The topic must be of the running edit, that is topic->edit. */
void topic_append_partition(struct topic_image *topic, const struct partition_image *values);
struct partition_image *topic_change_partition(struct topic_image *topic, int32_t index);
/* Gives the partition (from topic_change_partition) other members, copied from `view`. */
void partition_set_members(struct partition_image *partition, const struct partition_members *view);
bool partition_members_equal(const struct partition_members *a, const struct partition_members *b);
bool partition_equals(const struct partition_image *a, const struct partition_image *b);

/* ---- from records */

enum image_source {
    IMAGE_FROM_LOG,
    IMAGE_FROM_SNAPSHOT, /* the position comes from its header */
};

struct image_build {
    const struct image_entry *entries;
    size_t count;
    enum image_source source;
};

enum err image_build(const struct image *base, const struct image_build *build,
                     struct image_delta *delta, struct strbuf *why, struct image **out) MUST_USE;

void image_delta_add(struct image_delta *delta, const struct topic_image *before,
                     const struct topic_image *after);

#endif
