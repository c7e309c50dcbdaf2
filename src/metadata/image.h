// SPDX-License-Identifier: Apache-2.0
/*
 * image: all that the cluster knows, as it was after one entry of the metadata log.
 *
 * An image never changes. Applying records to one gives another, which shares with the
 * first all that the records did not touch: a change of one partition costs its page of
 * 64, its topic and a few tree nodes. What a lookup returns is borrowed from the image
 * and lives as long as it.
 *
 * It does not know where records come from, nor who decides them.
 *
 * Thread: any; ref and unref too.
 * Limits: one record's decoded form takes at most LIMIT_METADATA_RECORD_BYTES * 16.
 */
#ifndef METADATA_IMAGE_H
#define METADATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "metadata/config_set.h"
#include "metadata/image_tree.h"
#include "wire/metadata_records.h"

struct image;
struct topic_image;
struct wire_writer;

enum { IMAGE_NO_NODE = -1 };

/* Kafka's numbers of resource types. */
enum {
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
    RESOURCE_BROKER_LOGGER = 8, /* never in an image */
    RESOURCE_CLIENT_METRICS = 16,
    RESOURCE_GROUP = 32,
};

/* ---- life */

/* Nothing is known, position 0. One reference. */
struct image *image_new_empty(void);
struct image *image_ref(struct image *image);
void image_unref(struct image *image); /* accepts NULL */

/* ---- the cluster */

int64_t image_position(const struct image *image);       /* index of the last applied log entry */
const char *image_cluster_id(const struct image *image); /* "" before the first record */
int32_t image_controller_id(const struct image *image);  /* IMAGE_NO_NODE: none yet */
int32_t image_controller_epoch(const struct image *image);
int64_t image_next_producer_id(const struct image *image);

/* The level of a finalised feature, 0 when it has none. */
int16_t image_feature(const struct image *image, const char *name);

struct feature_image {
    const char *name;
    int16_t level;
};

size_t image_feature_count(const struct image *image);
/* In order of names. */
struct feature_image image_feature_at(const struct image *image, size_t index);

/* ---- brokers */

struct listener_image {
    const char *name;
    const char *host;
    uint16_t port;
    int16_t security_protocol;
};

struct broker_image {
    int32_t node_id;
    int64_t epoch; /* -1: registered, never started */
    struct uuid incarnation_id;
    bool is_fenced;   /* registered, but not started since */
    const char *rack; /* NULL: none */
    const struct uuid *log_dirs;
    int32_t log_dir_count;
    const struct listener_image *listeners;
    int32_t listener_count;
};

size_t image_broker_count(const struct image *image);
/* NULL: no such node. */
const struct broker_image *image_broker(const struct image *image, int32_t node_id);
/* The broker with the least node id >= the given one; NULL: none. Walk: at_least(0), then
 * at_least(broker->node_id + 1). */
const struct broker_image *image_broker_at_least(const struct image *image, int32_t node_id);
/* NULL: it has no listener of this name. */
const struct listener_image *broker_listener(const struct broker_image *broker, const char *name);

/* ---- configs: what somebody has set; defaults are config's business */

struct config_pair {
    const char *key;
    const char *value;
};

/* Sorted by key. */
struct config_pairs {
    const struct config_pair *items;
    size_t count;
};

struct config_pairs topic_configs(const struct topic_image *topic);
/* The same by key numbers, without those that this program does not know. Never NULL. */
const struct config_set *topic_config_set(const struct topic_image *topic);
/* Of anything but topics. A broker's name is its node id in decimal, "" is the default of all. */
struct config_pairs image_configs(const struct image *image, int8_t resource_type,
                                  const char *name);
/* The same for a name that need not end in a NUL. */
struct config_pairs image_configs_of(const struct image *image, int8_t resource_type,
                                     const char *name, size_t len);

/* Walks the names of one type that have any configs, in byte order; not topics. A name ends in a
 * NUL and lives as long as the image. */
struct resource_cursor {
    struct image_tree_cursor tree; /* internal */
    int8_t type;
};

const char *resource_cursor_first(struct resource_cursor *cursor, const struct image *image,
                                  int8_t resource_type);
const char *resource_cursor_next(struct resource_cursor *cursor); /* NULL: no more */

/* The value set for `key`, or NULL. */
const char *config_pairs_find(struct config_pairs pairs, const char *key);

/* ---- topics */

struct partition_members {
    const int32_t *replicas; /* the preferred leader first */
    const int32_t *isr;
    const struct uuid *directories; /* as many as replicas, or none */
    int32_t replica_count;
    int32_t isr_count;
    int32_t directory_count;
};

struct partition_image {
    int32_t leader; /* IMAGE_NO_NODE: none */
    int32_t leader_epoch;
    int32_t partition_epoch;
    const struct partition_members *members;
};

size_t image_topic_count(const struct image *image);
int64_t image_partition_count(const struct image *image); /* of all topics */

/* NULL: no such topic. */
const struct topic_image *image_topic(const struct image *image, const char *name, size_t len);
const struct topic_image *image_topic_by_id(const struct image *image, struct uuid id);

/* The first topic in byte order of names whose name is >= the given one (also > it, with
 * image_topic_after); NULL: none. */
const struct topic_image *image_topic_at_least(const struct image *image, const char *name,
                                               size_t len);
const struct topic_image *image_topic_after(const struct image *image, const char *name,
                                            size_t len);

/* Walks all topics in byte order of names: a step costs nothing much. */
struct topic_cursor {
    struct image_tree_cursor tree; /* internal */
};

const struct topic_image *topic_cursor_first(struct topic_cursor *cursor,
                                             const struct image *image);
const struct topic_image *topic_cursor_next(struct topic_cursor *cursor); /* NULL: no more */

const char *topic_name(const struct topic_image *topic); /* NUL-terminated */
size_t topic_name_len(const struct topic_image *topic);
struct uuid topic_id(const struct topic_image *topic);
int32_t topic_partition_count(const struct topic_image *topic);
/* NULL: no such partition (a negative index too). */
const struct partition_image *topic_partition(const struct topic_image *topic, int32_t index);

bool partition_has_replica(const struct partition_image *partition, int32_t node_id);

/* ---- changes */

/* One topic as it was and as it is. Borrowed from the two images. */
struct topic_delta {
    const struct topic_image *before; /* NULL: it is new */
    const struct topic_image *after;  /* NULL: it is gone */
};

/* What is different between an image and the one made from it. */
struct image_delta {
    struct topic_delta *topics; /* each topic id once, in order of the first change */
    size_t topic_count;
    size_t topic_capacity;
    bool brokers_changed;
    bool configs_changed; /* of brokers, or of all of them */
    bool cluster_changed; /* cluster id, controller, features */
};

void image_delta_init(struct image_delta *delta);
void image_delta_deinit(struct image_delta *delta);

/* What is different between any two images. Looks at every topic: image_apply tells the same with
 * less work when one was made from the other. */
void image_delta_between(struct image_delta *delta, const struct image *before,
                         const struct image *after);

/* The first partition with an index >= `index` that is new, gone or different; -1: none.
 * Quick: pages that both share are not looked at. */
int32_t topic_delta_next_partition(const struct topic_delta *delta, int32_t index);
bool topic_delta_configs_changed(const struct topic_delta *delta);

/* One entry of the metadata log: encoded records, one behind the other. */
struct image_entry {
    const uint8_t *data;
    size_t size;
};

/* Applies entries, the first of which has the index image_position(base) + 1. All or nothing.
 * *out has one reference and is the caller's; `delta` (initialised by the caller, or NULL)
 * gets what changed. ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NO_MEMORY: the records cannot be
 * followed; then *out is untouched and `why` (or NULL) has gained a line that says which. */
enum err image_apply(const struct image *base, const struct image_entry *entries, size_t count,
                     struct image_delta *delta, struct strbuf *why, struct image **out) MUST_USE;

/* ---- snapshots and checks */

/* Writes the image as records. `put` is given chunks of encoded records of at most about
 * `chunk_bytes` (a larger record goes alone); it stops at the first error, which is returned. */
enum err image_snapshot(const struct image *image, int64_t now_ms, uint32_t chunk_bytes,
                        enum err (*put)(void *arg, const uint8_t *data, size_t size), void *arg)
    MUST_USE;

/* Applies all chunks of a snapshot to nothing. Errors as image_apply. */
enum err image_from_snapshot(const struct image_entry *chunks, size_t count, struct strbuf *why,
                             struct image **out) MUST_USE;

/* Do both say the same, position included? Looks at everything. */
bool image_equals(const struct image *a, const struct image *b);

/* ASSERTs what must hold between the parts of an image; for tests and checkers. */
void image_check(const struct image *image);

#endif
