// SPDX-License-Identifier: Apache-2.0
/*
 * topic_marks: topics that a request asks about, of which some get a mark. What marks them comes
 * once (what members read may be a list of 100,000 topics), not once a topic that is asked about.
 *
 * Thread: one.
 */
#ifndef COORDINATOR_TOPIC_MARKS_H
#define COORDINATOR_TOPIC_MARKS_H

#include "base/arena.h"
#include "base/map.h"
#include "wire/message.h"

struct topic_marks {
    struct map map;
    struct arena *arena;
    uint64_t hash_seed;
    bool all; /* every topic has the mark */
};

/* Entries lie in the arena; names are borrowed. Names that clients choose are hashed under the
 * seed. */
void topic_marks_init(struct topic_marks *t, struct arena *arena, uint64_t hash_seed);
void topic_marks_deinit(struct topic_marks *t);

/* Once is enough. False: the arena is full. */
bool topic_marks_add(struct topic_marks *t, struct wire_str name);

/* Harmless when nobody asks about it. */
void topic_marks_set(struct topic_marks *t, struct wire_str name);

bool topic_marks_has(const struct topic_marks *t, struct wire_str name);

#endif
