// SPDX-License-Identifier: Apache-2.0
/*
 * config_set: values by key, as texts: the overrides of one topic, or what one
 * source says about the broker's keys. The keys are numbers of one table
 * (enum config_topic_key or enum config_broker_key); the set does not know which.
 *
 * Values may come from peers, so adding one may fail.
 *
 * Thread: whoever owns it; any number of readers while nobody changes it.
 */
#ifndef METADATA_CONFIG_SET_H
#define METADATA_CONFIG_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "metadata/config.h"

struct config_entry {
    int key;
    char *text; /* owned by the set */
};

struct config_set {
    struct config_entry *entries; /* by rising key */
    int count;
    int capacity;
};

void config_set_init(struct config_set *set);
void config_set_deinit(struct config_set *set);

/* Adds or replaces a copy of `text`. ERR_NO_MEMORY leaves the set as it was. */
enum err config_set_put(struct config_set *set, int key, const char *text, size_t len) MUST_USE;

/* The same for a value of a client's, which config_check judges first. ERR_INVALID: `why` has
 * gained a line that says what is wrong with it. */
enum err config_set_put_checked(struct config_set *set, int key, const struct config_def *def,
                                const char *text, size_t len, struct strbuf *why) MUST_USE;

/* No such key: nothing happens. */
void config_set_remove(struct config_set *set, int key);

/* NULL: the key has no value here. Valid until the set changes. */
const char *config_set_get(const struct config_set *set, int key);

/* Makes `copy`, which must be empty, the same as `set`. ERR_NO_MEMORY leaves it empty. */
enum err config_set_copy(const struct config_set *set, struct config_set *copy) MUST_USE;

#endif
