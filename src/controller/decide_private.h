// SPDX-License-Identifier: Apache-2.0
/*
 * decide_private: what the files decide_*.c share.
 *
 * Thread: any.
 */
#ifndef CONTROLLER_DECIDE_PRIVATE_H
#define CONTROLLER_DECIDE_PRIVATE_H

#include "base/limits.h"
#include "base/map.h"
#include "controller/decide.h"
#include "wire/record_set.h"

/* What one item of a request is told. */
struct verdict {
    enum kerr code;
    const char *message; /* NULL: the code's own; lives in the arena or is static */
};

static inline struct verdict verdict_of(enum kerr code, const char *message)
{
    return (struct verdict){code, message};
}

#define VERDICT_GOOD ((struct verdict){KERR_NONE, NULL})

/* As an error_message field: null when all is well. */
struct wire_str verdict_text(struct verdict v);

/* A message in the arena; the code's own when the arena is full. */
struct verdict verdict_printf(struct arena *arena, enum kerr code, const char *format, ...)
    PRINTF_LIKE(3, 4);

void record_start(struct metadata_record *record, enum metadata_record_type type);

/* Writes a record into the decision; errors stay in d->records.error. */
void decision_put(struct decision *d, const struct metadata_record *record);

/* ERR_OK, or why the records cannot be used; they are gone then. */
enum err decision_end(struct decision *d) MUST_USE;

/* A random id that no topic has and that does not begin with '-' (tools take that for an option).
 */
struct uuid decision_new_id(struct decision *d);

/* The value of a whole-number key of the broker. */
int64_t decision_config_long(const struct decision *d, int broker_key);
bool decision_config_bool(const struct decision *d, int broker_key);

/* Writes Config records of a topic, broker or group that lead from `old` to `wanted`, key by key.
 */
void decision_put_configs(struct decision *d, int8_t resource_type, struct wire_str name,
                          const struct config_set *old, const struct config_set *wanted);

/* ---- names seen in this request (and elsewhere): a map in the arena */

struct name_entry {
    struct map_node node;
    struct wire_str name;
    int count;
};

struct name_table {
    struct map map;
    struct arena *arena;
    uint64_t seed;
    bool folds_dots; /* "." and "_" are the same */
};

void name_table_init(struct name_table *t, struct arena *arena, uint64_t seed, bool folds_dots);
void name_table_deinit(struct name_table *t);
/* NULL: not there. */
struct name_entry *name_table_find(const struct name_table *t, struct wire_str name);
/* Counts one more; NULL: the arena is full. The name is borrowed. */
struct name_entry *name_table_add(struct name_table *t, struct wire_str name);

/* ---- places for replicas */

struct placer {
    const int32_t *nodes; /* brokers that are there, by rising id */
    int32_t count;
    int32_t next; /* whose turn it is to lead */
};

/* ERR_NO_MEMORY: the arena is full. */
enum err placer_init(struct placer *p, struct decision *d, struct arena *arena) MUST_USE;
/* Fills `replicas`: the next leader, and those behind it. `count` is at most p->count. */
void placer_place(struct placer *p, int32_t *replicas, int16_t count);
bool placer_has(const struct placer *p, int32_t node_id);

/* Places that a client chose for one partition: registered brokers, each once, one of them running.
 */
struct verdict placer_judge(const struct placer *p, const struct decision *d, struct arena *arena,
                            const struct wire_i32_array *nodes);

struct placed_partition {
    struct uuid topic_id;
    int32_t index;
    struct wire_i32_array replicas;
};

/* The record of a new partition: its ISR are those that run, the first of them leads. `isr` has
 * room for all replicas. */
void placer_put_partition(const struct placer *p, struct decision *d,
                          const struct placed_partition *partition, int32_t *isr);

#endif
