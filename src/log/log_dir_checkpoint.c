// SPDX-License-Identifier: Apache-2.0
/*
 * log_dir_checkpoint: what is remembered of each partition across restarts: recovery
 * point, log start, high watermark, and up to where it is compacted, in Kafka's four files.
 *
 * Thread: see log_dir.h; one log_dir_checkpoint_write at a time.
 */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/checkpoint_file.h"
#include "log/log_dir_private.h"
#include "log/log_file.h"

static const char *const file_names[CHECKPOINT_KIND_COUNT] = {
    "recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
    "replication-offset-checkpoint", "cleaner-offset-checkpoint"};

bool log_dir_name_is_own(const char *name)
{
    static const char *const others[] = {LOCK_NAME,
                                         CLEAN_SHUTDOWN_NAME,
                                         META_PROPERTIES_NAME,
                                         META_PROPERTIES_NAME ".tmp",
                                         CLEAN_SHUTDOWN_NAME ".tmp",
                                         "bootstrap.checkpoint"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (strcmp(name, others[i]) == 0)
            return true;
    }
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT; kind++) {
        size_t len = strlen(file_names[kind]);
        if (strncmp(name, file_names[kind], len) == 0 &&
            (name[len] == '\0' || strcmp(name + len, ".tmp") == 0))
            return true;
    }
    return strncmp(name, "klamm.", 6) == 0;
}

static int64_t *value_of(struct checkpoint_entry *entry, enum checkpoint_kind kind)
{
    switch (kind) {
    case RECOVERY_POINT:
        return &entry->values.recovery_point;
    case LOG_START:
        return &entry->values.log_start;
    case CLEAN_END:
        return &entry->clean_end;
    case HIGH_WATERMARK:
    case CHECKPOINT_KIND_COUNT:
        break;
    }
    return &entry->values.high_watermark;
}

/* ---- the map */

static uint64_t hash_of(const struct log_dir *dir, const char *topic, int32_t partition)
{
    return hash_bytes(dir->hash_seed, topic, strlen(topic)) ^ hash_u64((uint64_t)partition);
}

static struct checkpoint_entry *find_entry(const struct log_dir *dir, const char *topic,
                                           int32_t partition)
{
    uint64_t hash = hash_of(dir, topic, partition);
    for (struct map_node *node = map_first(&dir->checkpoints, hash); node != NULL;
         node = map_next_same(node)) {
        struct checkpoint_entry *entry = container_of(node, struct checkpoint_entry, node);
        if (entry->partition == partition && strcmp(entry->topic, topic) == 0)
            return entry;
    }
    return NULL;
}

static struct checkpoint_entry *make_entry(struct log_dir *dir, const char *topic,
                                           int32_t partition)
{
    struct checkpoint_entry *entry = find_entry(dir, topic, partition);
    if (entry != NULL)
        return entry;
    size_t size = strlen(topic) + 1;
    ASSERT(size <= CHECKPOINT_TOPIC_SIZE);
    entry = mem_alloc(sizeof(*entry) + size);
    entry->partition = partition;
    memcpy(entry->topic, topic, size);
    map_insert(&dir->checkpoints, &entry->node, hash_of(dir, topic, partition));
    return entry;
}

void log_dir_free_checkpoints(struct log_dir *dir)
{
    MAP_FOR_EACH (node, &dir->checkpoints) {
        map_remove(&dir->checkpoints, node);
        mem_free(container_of(node, struct checkpoint_entry, node));
    }
    map_deinit(&dir->checkpoints);
}

/* What is known of it, in a copy; all zeros: nothing. */
static struct checkpoint_entry look_up(const struct log_dir *dir, const char *topic,
                                       int32_t partition)
{
    struct monitor *monitor = (struct monitor *)(uintptr_t)&dir->monitor; /* locking is no change */
    monitor_enter(monitor);
    const struct checkpoint_entry *entry = find_entry(dir, topic, partition);
    struct checkpoint_entry found = {0};
    if (entry != NULL)
        found = *entry;
    monitor_leave(monitor);
    return found;
}

struct log_dir_checkpoint log_dir_checkpoint_of(const struct log_dir *dir, const char *topic,
                                                int32_t partition)
{
    return look_up(dir, topic, partition).values;
}

int64_t log_dir_checkpoint_clean_end(const struct log_dir *dir, const char *topic,
                                     int32_t partition)
{
    return look_up(dir, topic, partition).clean_end;
}

/* Who is to be told of it after leaving; NULL: nobody. */
struct change {
    void (*changed)(void *arg);
    void *arg;
};

/* [monitor] */
static struct change note_change(struct log_dir *dir)
{
    struct change change = {NULL, NULL};
    if (!dir->is_told)
        change = (struct change){dir->changed, dir->changed_arg};
    dir->is_told = true;
    return change;
}

static void tell_change(const struct change *change)
{
    if (change->changed != NULL)
        change->changed(change->arg);
}

/* [monitor] A partition of zeros has no line, and no entry. True: it is another value now. */
static bool set_value(struct log_dir *dir, const char *topic, int32_t partition,
                      enum checkpoint_kind kind, int64_t value)
{
    ASSERT(partition >= 0 && value >= 0);
    struct checkpoint_entry *entry = find_entry(dir, topic, partition);
    if (value == (entry != NULL ? *value_of(entry, kind) : 0))
        return false;
    entry = make_entry(dir, topic, partition);
    *value_of(entry, kind) = value;
    dir->gone_count -= entry->is_gone;
    entry->is_gone = entry->is_leaving = false;
    dir->is_changed[kind] = true;
    return true;
}

void log_dir_checkpoint_set(struct log_dir *dir, const char *topic, int32_t partition,
                            const struct log_dir_checkpoint *values)
{
    struct change change = {NULL, NULL};
    monitor_enter(&dir->monitor);
    bool is_new = set_value(dir, topic, partition, RECOVERY_POINT, values->recovery_point);
    is_new |= set_value(dir, topic, partition, LOG_START, values->log_start);
    is_new |= set_value(dir, topic, partition, HIGH_WATERMARK, values->high_watermark);
    if (is_new)
        change = note_change(dir);
    monitor_leave(&dir->monitor);
    tell_change(&change);
}

void log_dir_checkpoint_set_clean_end(struct log_dir *dir, const char *topic, int32_t partition,
                                      int64_t clean_end)
{
    struct change change = {NULL, NULL};
    monitor_enter(&dir->monitor);
    if (set_value(dir, topic, partition, CLEAN_END, clean_end))
        change = note_change(dir);
    monitor_leave(&dir->monitor);
    tell_change(&change);
}

static void free_entry(struct log_dir *dir, struct checkpoint_entry *entry)
{
    map_remove(&dir->checkpoints, &entry->node);
    mem_free(entry);
}

/* [monitor] */
static void all_changed(struct log_dir *dir)
{
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT; kind++)
        dir->is_changed[kind] = true;
}

/* [monitor] What the files name stays as a mark until they are written. */
static struct change drop_entry(struct log_dir *dir, struct checkpoint_entry *entry)
{
    struct change change = {NULL, NULL};
    if (entry->is_gone)
        return change;
    if (!entry->is_on_disk) {
        free_entry(dir, entry);
        return change;
    }
    entry->values = (struct log_dir_checkpoint){0};
    entry->clean_end = 0;
    entry->is_gone = true;
    dir->gone_count++;
    all_changed(dir);
    return note_change(dir);
}

void log_dir_checkpoint_drop(struct log_dir *dir, const char *topic, int32_t partition)
{
    struct change change = {NULL, NULL};
    monitor_enter(&dir->monitor);
    struct checkpoint_entry *entry = find_entry(dir, topic, partition);
    if (entry != NULL)
        change = drop_entry(dir, entry);
    monitor_leave(&dir->monitor);
    tell_change(&change);
}

void log_dir_checkpoint_keep_only(struct log_dir *dir,
                                  bool (*keeps)(void *arg, const char *topic, int32_t partition),
                                  void *arg)
{
    struct change change = {NULL, NULL};
    monitor_enter(&dir->monitor);
    MAP_FOR_EACH (node, &dir->checkpoints) {
        struct checkpoint_entry *entry = container_of(node, struct checkpoint_entry, node);
        if (keeps(arg, entry->topic, entry->partition))
            continue;
        struct change one = drop_entry(dir, entry);
        if (one.changed != NULL)
            change = one;
    }
    monitor_leave(&dir->monitor);
    tell_change(&change);
}

bool log_dir_checkpoint_is_stale(const struct log_dir *dir, const char *topic, int32_t partition)
{
    return look_up(dir, topic, partition).is_gone && !CANARY(INHERIT_CHECKPOINT);
}

void log_dir_watch_checkpoints(struct log_dir *dir, void (*changed)(void *arg), void *arg)
{
    monitor_enter(&dir->monitor);
    dir->changed = changed;
    dir->changed_arg = arg;
    dir->is_told = false;
    monitor_leave(&dir->monitor);
}

/* ---- the files */

static enum err parse_file(struct log_dir *dir, enum checkpoint_kind kind, const uint8_t *data,
                           size_t size)
{
    struct checkpoint_reader r;
    checkpoint_reader_init(&r, data, size);
    while (checkpoint_reader_next(&r)) {
        char topic[CHECKPOINT_TOPIC_SIZE];
        checkpoint_read_word(&r, topic, sizeof(topic));
        int32_t partition = (int32_t)checkpoint_read_number(&r, 0, INT32_MAX);
        int64_t offset = checkpoint_read_number(&r, 0, INT64_MAX);
        checkpoint_read_line_end(&r);
        if (r.is_bad)
            break;
        struct checkpoint_entry *entry = make_entry(dir, topic, partition);
        *value_of(entry, kind) = offset;
        entry->is_on_disk = true;
    }
    return checkpoint_reader_finish(&r);
}

/* What was read before the bad line may be true and may not. */
static void forget_kind(struct log_dir *dir, enum checkpoint_kind kind)
{
    MAP_FOR_EACH (node, &dir->checkpoints) {
        struct checkpoint_entry *entry = container_of(node, struct checkpoint_entry, node);
        *value_of(entry, kind) = 0;
    }
}

enum err log_dir_load_checkpoints(struct log_dir *dir)
{
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT; kind++) {
        uint8_t *data = NULL;
        size_t size = 0;
        enum err e = log_file_read(dir->env, dir->path, file_names[kind],
                                   LIMIT_CHECKPOINT_FILE_BYTES, &data, &size);
        if (e != ERR_OK) /* it is not as it should be: the next writing makes it anew */
            dir->is_changed[kind] = true;
        if (e == ERR_NOT_FOUND)
            continue;
        if (e == ERR_OK)
            e = parse_file(dir, (enum checkpoint_kind)kind, data, size);
        mem_free(data);
        if (e != ERR_OK && e != ERR_CORRUPT && e != ERR_TOO_LARGE)
            return e;
        if (e != ERR_OK) {
            dir->is_changed[kind] = true;
            forget_kind(dir, (enum checkpoint_kind)kind);
            log_warn(dir->env, "%s/%s cannot be read and counts as empty", dir->path,
                     file_names[kind]);
        }
    }
    return ERR_OK;
}

/* [monitor] */
static void write_text(struct log_dir *dir, enum checkpoint_kind kind, struct strbuf *out)
{
    size_t count = 0;
    MAP_FOR_EACH (node, &dir->checkpoints) {
        struct checkpoint_entry *entry = container_of(node, struct checkpoint_entry, node);
        count += *value_of(entry, kind) > 0;
    }
    checkpoint_write_head(out, count);
    MAP_FOR_EACH (node, &dir->checkpoints) {
        struct checkpoint_entry *entry = container_of(node, struct checkpoint_entry, node);
        int64_t value = *value_of(entry, kind);
        entry->is_leaving = entry->is_gone;
        if (value <= 0)
            continue;
        entry->is_on_disk = true;
        strbuf_printf(out, "%s %" PRId32 " %" PRId64 "\n", entry->topic, entry->partition, value);
    }
}

/* [monitor] The files were written without them. */
static void forget_gone(struct log_dir *dir)
{
    if (dir->gone_count == 0)
        return;
    MAP_FOR_EACH (node, &dir->checkpoints) {
        struct checkpoint_entry *entry = container_of(node, struct checkpoint_entry, node);
        if (!entry->is_leaving)
            continue;
        dir->gone_count--;
        free_entry(dir, entry);
    }
}

/* [monitor] The texts of the files that are to be written; the others stay empty. */
static bool take_texts(struct log_dir *dir, struct strbuf texts[CHECKPOINT_KIND_COUNT])
{
    bool any = false;
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT; kind++) {
        strbuf_init(&texts[kind]);
        if (dir->is_changed[kind])
            write_text(dir, (enum checkpoint_kind)kind, &texts[kind]);
        any |= dir->is_changed[kind];
        dir->is_changed[kind] = false;
    }
    dir->is_told = false;
    return any;
}

/* [monitor] */
static void write_failed(struct log_dir *dir, struct strbuf texts[CHECKPOINT_KIND_COUNT])
{
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT; kind++)
        dir->is_changed[kind] |= texts[kind].len > 0;
}

enum err log_dir_checkpoint_write(struct log_dir *dir)
{
    struct strbuf texts[CHECKPOINT_KIND_COUNT];
    monitor_enter(&dir->monitor);
    bool any = take_texts(dir, texts);
    monitor_leave(&dir->monitor);
    enum err e = ERR_OK;
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT && e == ERR_OK; kind++) {
        if (texts[kind].len > 0)
            e = log_file_replace(dir->env, dir->path, file_names[kind], strbuf_text(&texts[kind]),
                                 texts[kind].len);
    }
    if (e == ERR_OK && any)
        e = env_dir_sync(dir->env, dir->path);
    monitor_enter(&dir->monitor);
    if (e == ERR_OK)
        forget_gone(dir);
    else
        write_failed(dir, texts);
    monitor_leave(&dir->monitor);
    for (int kind = 0; kind < CHECKPOINT_KIND_COUNT; kind++)
        strbuf_deinit(&texts[kind]);
    return e;
}
