// SPDX-License-Identifier: Apache-2.0
/*
 * config_dynamic: the broker's configuration where it may be set while it runs: which keys, what
 * was set by the image, and whether a new value is good.
 *
 * Such are the keys that stand in for a topic's own values, where a change reaches every partition
 * at once, and some of the broker's own, the log cleaner's among them. What else Kafka lets be
 * changed is fixed at the start here.
 *
 * Thread: any.
 */
#ifndef METADATA_CONFIG_DYNAMIC_H
#define METADATA_CONFIG_DYNAMIC_H

#include "metadata/config_topic.h"
#include "metadata/image.h"

bool config_broker_is_dynamic(int broker_key);

/* The image's name of a broker's configs: its number. */
enum { CONFIG_BROKER_NAME_SIZE = 16 };
const char *config_broker_name(int32_t node_id, char text[CONFIG_BROKER_NAME_SIZE]);

/* The values by key numbers, in an empty set, without those that this program does not know or
 * would not take. `find` gives a key's number in `defs`, or -1. ERR_NO_MEMORY leaves it empty. */
enum err config_set_of_pairs(struct config_pairs pairs, const struct config_def *defs,
                             int (*find)(const char *name, size_t len), struct config_set *set)
    MUST_USE;

/* What is set for one broker, or for all ("") while they run. `set` must be empty and is the
 * caller's. ERR_NO_MEMORY leaves it empty. */
enum err config_broker_of_image(const struct image *image, const char *name, struct config_set *set)
    MUST_USE;

/* All that holds for one broker: what the image says, above what it was started with, which is
 * borrowed. Given back with config_layers_release. ERR_NO_MEMORY: *out is untouched. */
enum err config_layers_of_image(const struct image *image, int32_t node_id,
                                const struct config_set *fixed, struct config_layers *out) MUST_USE;
void config_layers_release(struct config_layers *layers);

/* As config_topic_put, for a key of the broker that may be set while it runs. */
enum err config_broker_put(struct config_set *set, const char *name, size_t name_len,
                           const char *text, size_t len, struct strbuf *why) MUST_USE;

/* Do all values go together, and may they follow those of `now`? ERR_INVALID: `why` has gained one
 * line. */
enum err config_broker_check(const struct config_layers *now, const struct config_layers *layers,
                             struct strbuf *why) MUST_USE;

/* The part of it that says whether the log cleaner's threads have memory enough. */
enum err config_cleaner_check(const struct config_layers *layers, struct strbuf *why) MUST_USE;

#endif
