// SPDX-License-Identifier: Apache-2.0
/*
 * config_group: the configs of one group (KIP-848, KIP-932, KIP-1071): its own values, then the
 * broker's keys that stand in for them, then the defaults. They belong to a group id, whether there
 * is such a group or not, and whichever group.version is finalised, as in Kafka.
 *
 * No group reads them yet: they are kept and shown.
 *
 * Thread: any, while nobody changes the sets.
 */
#ifndef METADATA_CONFIG_GROUP_H
#define METADATA_CONFIG_GROUP_H

#include "metadata/config_topic.h"
#include "metadata/image.h"

/* What is set for a group id. `set` must be empty and is the caller's. ERR_NO_MEMORY leaves it
 * empty. */
enum err config_group_of_image(const struct image *image, const char *group_id, size_t len,
                               struct config_set *set) MUST_USE;

/* As config_topic_put. */
enum err config_group_put(struct config_set *set, const char *name, size_t name_len,
                          const char *text, size_t len, struct strbuf *why) MUST_USE;

/* Do the values go together, and with the broker's bounds for them? Each has passed config_check.
 * ERR_INVALID: `why` has gained one line. */
enum err config_group_check(const struct config_set *set, const struct config_layers *layers,
                            struct strbuf *why) MUST_USE;

/* As config_topic_describe. */
enum err config_group_describe(const struct config_set *set, const struct config_layers *layers,
                               int group_key, struct arena *arena, struct config_described *out)
    MUST_USE;

#endif
