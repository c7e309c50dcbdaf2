// SPDX-License-Identifier: Apache-2.0
/*
 * topic_name: what may be the name of a topic.
 *
 * Thread: any.
 */
#ifndef METADATA_TOPIC_NAME_H
#define METADATA_TOPIC_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

enum { TOPIC_NAME_SIZE = LIMIT_TOPIC_NAME_BYTES + 1 }; /* with the NUL */

/* NULL: the name is good. Else a few plain words that say what is wrong with it. */
const char *topic_name_fault(const char *name, size_t len);

/* A metric's name has "_" where the topic's has ".": two topics that differ only there collide. */
bool topic_name_has_collision_chars(const char *name, size_t len);
bool topic_names_collide(const char *a, size_t a_len, const char *b, size_t b_len);

/* __consumer_offsets, __transaction_state, __share_group_state. */
bool topic_name_is_internal(const char *name, size_t len);

#endif
