// SPDX-License-Identifier: Apache-2.0
/*
 * log_import: topics of a stopped Apache Kafka, taken over into the log directories of a stopped
 * Klamm. What the files log_import_*.c share.
 *
 * The steps: what lies in the source's directories; what its own metadata says of it; what is to be
 * done, and what speaks against it (nothing is written until all that is judged); the partitions
 * are copied under names that the next start of a broker would sweep away, synced, renamed; then
 * one entry of the metadata log makes the topics.
 *
 * Thread: main; blocks.
 * Crash: before the last step no topic is there. Copies that have their names already, but no
 * topic, are set aside by the next start, or by the next import.
 */
#ifndef CLI_LOG_IMPORT_H
#define CLI_LOG_IMPORT_H

#include "base/map.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "cli/log_verify.h"
#include "cli/options.h"
#include "log/log_dir.h"
#include "metadata/config_set.h"
#include "metadata/image.h"
#include "store/store_disk.h"

struct import_partition {
    int32_t index;
    int32_t leader_epoch; /* by Kafka's metadata or the epoch checkpoint; -1 */
    size_t source;        /* of import.sources; SIZE_MAX: it is not here */
    bool is_assigned;     /* Kafka's metadata has it */
    bool is_replica;      /* and by it the source's broker has it */
    bool has_transactions;
    int64_t bytes;
    struct verify_marks marks;
    size_t target; /* of import.targets */
    char *staged;  /* path, while it is copied under a name of its own; NULL */
    bool is_placed;
};

struct import_config {
    char *key;
    char *value;
};

struct import_topic {
    char *name;
    struct uuid id;
    struct import_partition *partitions; /* by index, without gaps */
    int32_t partition_count;
    struct import_config *configs; /* as Kafka's metadata has them */
    size_t config_count;
    struct config_set values; /* as they are taken over */
    bool is_known;            /* Kafka's metadata has it */
    bool is_removed;
    bool is_chosen;
};

struct import_source {
    const char *path;
    struct log_dir_identity identity;
    struct env_file *lock; /* NULL: it has none, or it cannot be written */
    struct verify_home home;
};

struct import_target {
    const char *path;
    struct log_dir *dir; /* NULL: it is not there yet, and this is a dry run */
    int64_t partitions;
    int64_t bytes; /* to come */
};

struct import {
    struct verify verify; /* reads, and gathers faults */
    struct env *env;
    /* How it was called. */
    struct cli_words source_paths;
    struct cli_words target_paths;
    struct cli_words topics;     /* none: all */
    struct cli_words configs;    /* "topic:key=value" */
    struct cli_words partitions; /* "topic:number" */
    const char *kraft_path;      /* of __cluster_metadata-0; NULL: looked for */
    bool allows_missing;
    bool allows_unclean;
    bool allows_transactions;
    bool is_dry_run;
    bool is_json;
    /* What was found. */
    struct import_source *sources;
    size_t source_count;
    struct import_topic *all;
    size_t topic_count;
    size_t topic_capacity;
    size_t chosen_count; /* of topics */
    size_t found;        /* the one that was looked up last */
    int64_t next_producer_id;
    bool has_kraft;
    bool is_clean; /* all sources */
    struct import_target *targets;
    size_t target_count;
    struct store_disk store;
    bool has_store;
    bool was_clean; /* the targets */
    struct image *image;
    int32_t node_id;
    int64_t bytes; /* to copy */
    int64_t copied;
    int refusals;
    bool is_silent;       /* tests */
    bool is_killed;       /* tests: after a failure nothing is cleared away */
    struct map leftovers; /* of log_import_leftover.c */
    json_t *left_out;
};

/* Something speaks against it: a line; nothing will be done. */
void import_refuse(struct import *im, const char *format, ...) PRINTF_LIKE(2, 3);
/* Something is left out, or not as it was: a line. */
void import_leave_out(struct import *im, const char *format, ...) PRINTF_LIKE(2, 3);

/* NULL: no such topic. */
struct import_topic *import_topic_find(struct import *im, const char *name, size_t len);
struct import_topic *import_topic_by_id(struct import *im, struct uuid id);
struct import_topic *import_topic_add(struct import *im, const char *name, size_t len);
/* The partition, and those before it, are there from now on. NULL: no index that there can be. */
struct import_partition *import_partition_at(struct import_topic *topic, int32_t index);

/* The directories and what lies in them. */
void import_read_sources(struct import *im);
/* What Kafka's metadata says. */
void import_read_kraft(struct import *im);

/* What it says of things that are not taken over. Each is told once, as it is in the end, when all
 * is read. */
struct kraft_config;
struct kraft_client_quota;
struct kraft_access_control_entry;
void import_leave_config(struct import *im, const struct kraft_config *record);
void import_leave_quota(struct import *im, const struct kraft_client_quota *record);
void import_leave_scram_user(struct import *im, struct wire_str name, int8_t mechanism,
                             bool is_there);
void import_leave_acl(struct import *im, const struct kraft_access_control_entry *record);
void import_forget_acl(struct import *im, struct uuid id);
/* `owner` NULL: it is gone. */
void import_leave_token(struct import *im, struct wire_str id, const struct wire_str *owner);
/* What a record of __consumer_offsets says of a group, of one of the kinds that came after the
 * classic one. */
void import_leave_group(struct import *im, const struct record *record);
void import_leftovers_tell(struct import *im);
void import_leftovers_free(struct import *im);

/* What is to be done; refusals where that cannot be. */
void import_open_targets(struct import *im);
void import_plan(struct import *im);
/* Reads every batch that is to be taken over. */
void import_check_records(struct import *im);

/* Copies, and makes the topics. On failure everything is as before, and a line said why. */
enum err import_execute(struct import *im) MUST_USE;

/* All of the above in their order, up to the first that finds something against it. */
enum err import_run(struct import *im) MUST_USE;

void import_init(struct import *im, struct env *env);
void import_deinit(struct import *im);

#endif
