// SPDX-License-Identifier: Apache-2.0
/* log_dir_private: what the files of log_dir share. Thread: see log_dir.h. */
#ifndef LOG_LOG_DIR_PRIVATE_H
#define LOG_LOG_DIR_PRIVATE_H

#include "base/map.h"
#include "env/monitor.h"
#include "log/log_dir.h"

#define META_PROPERTIES_NAME "meta.properties"
#define CLEAN_SHUTDOWN_NAME  ".kafka_cleanshutdown"
#define LOCK_NAME            ".lock"

enum checkpoint_kind {
    RECOVERY_POINT,
    LOG_START,
    HIGH_WATERMARK,
    CLEAN_END,
    CHECKPOINT_KIND_COUNT
};

struct log_dir {
    struct env *env;
    char *path;
    struct env_file *lock;
    struct journal *journal; /* NULL: not opened */
    struct log_dir_identity identity;
    bool has_failed; /* at the start: only its path is good for anything */
    bool was_clean;
    bool is_marked_clean; /* the file is there now */
    uint64_t hash_seed;
    struct disk_room room;
    struct monitor monitor; /* over what follows */
    struct map checkpoints; /* of struct checkpoint_entry, by topic and partition */
    size_t gone_count;      /* of those, how many is_gone */
    /* These files do not say what the map says, or are not there. All, while one is gone. */
    bool is_changed[CHECKPOINT_KIND_COUNT];
    bool is_told; /* `changed` was called since the last writing began */
    void (*changed)(void *arg);
    void *changed_arg;
};

struct checkpoint_entry {
    struct map_node node;
    struct log_dir_checkpoint values; /* zeros when it is gone */
    int64_t clean_end;                /* likewise */
    int32_t partition;
    bool is_on_disk; /* the files may name it */
    bool is_gone;    /* it was dropped, and the files may name it still */
    bool is_leaving; /* the files that are being written do not */
    char topic[];
};

/* Reads the checkpoint files; one that cannot be read counts as empty, with a warning. */
enum err log_dir_load_checkpoints(struct log_dir *dir) MUST_USE;
void log_dir_free_checkpoints(struct log_dir *dir);

/* Is this the name of a file that we or Kafka keep directly in a log directory? */
bool log_dir_name_is_own(const char *name);

#endif
