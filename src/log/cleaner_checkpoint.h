// SPDX-License-Identifier: Apache-2.0
/*
 * cleaner_checkpoint: Kafka's cleaner-offset-checkpoint of one log directory: up to where
 * each compacted partition was compacted together.
 *
 * Thread: its owner's; loading and log_file_replace of the text block, on a worker or at start.
 * Crash:  an old file means that a round is done again.
 */
#ifndef LOG_CLEANER_CHECKPOINT_H
#define LOG_CLEANER_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "env/env.h"

struct cleaner_checkpoint {
    struct map entries;
    uint64_t hash_seed;
    bool is_dirty; /* the file says something else */
};

void cleaner_checkpoint_init(struct cleaner_checkpoint *c, struct env *env);
void cleaner_checkpoint_deinit(struct cleaner_checkpoint *c);

/* Blocks. A file that cannot be read to its end counts as empty: ERR_CORRUPT; that there is none is
 * fine. */
enum err cleaner_checkpoint_load(struct cleaner_checkpoint *c, struct env *env, const char *dir)
    MUST_USE;

/* 0: nothing is known. */
int64_t cleaner_checkpoint_of(const struct cleaner_checkpoint *c, const char *topic, int32_t index);
void cleaner_checkpoint_set(struct cleaner_checkpoint *c, const char *topic, int32_t index,
                            int64_t offset);
void cleaner_checkpoint_drop(struct cleaner_checkpoint *c, const char *topic, int32_t index);

/* The file's text. */
void cleaner_checkpoint_text(const struct cleaner_checkpoint *c, struct strbuf *out);

/* Blocks; durable when it returns. */
enum err cleaner_checkpoint_write(struct env *env, const char *dir, const struct strbuf *text)
    MUST_USE;

#endif
