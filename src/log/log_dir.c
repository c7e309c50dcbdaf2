// SPDX-License-Identifier: Apache-2.0
/* log_dir: lock, identity, clean mark, the partitions found. Checkpoints are in
 * log_dir_checkpoint.c, meta.properties in log_dir_meta.c. Thread: see log_dir.h. */
#include "log/log_dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/checkpoint_file.h"
#include "log/journal.h"
#include "log/log_dir_private.h"
#include "log/log_file.h"

enum { META_BYTES_MAX = 64 << 10 };

/* ---- opening */

static enum err make_dirs(struct env *env, const char *path)
{
    char part[LOG_PATH_SIZE];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(part))
        return ERR_TOO_LARGE;
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char at = part[i];
        part[i] = '\0';
        enum err e = env_dir_make(env, part);
        if (e == ERR_OK)
            e = log_file_sync_parent(env, part);
        part[i] = at;
        /* A directory above ours may be there and not be ours to make. */
        bool is_others = at != '\0' && (e == ERR_DENIED || e == ERR_READ_ONLY);
        if (e != ERR_OK && e != ERR_EXISTS && !is_others)
            return e;
    }
    return ERR_OK;
}

static enum err take_lock(struct log_dir *dir, struct strbuf *why)
{
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, dir->path, LOCK_NAME))
        return ERR_TOO_LARGE;
    enum err e = env_file_open(dir->env, path, ENV_READ | ENV_WRITE | ENV_CREATE, &dir->lock);
    if (e == ERR_OK)
        e = env_file_lock(dir->lock);
    if (e == ERR_BUSY)
        strbuf_printf(why, "log directory %s is in use by another process", dir->path);
    return e;
}

struct dir_contents {
    bool has_foreign;
    char example[128];
};

static void look_at_name(void *arg, const char *name, bool is_dir)
{
    struct dir_contents *contents = arg;
    bool is_fine = is_dir ? strcmp(name, "lost+found") == 0 : log_dir_name_is_own(name);
    if (is_fine || contents->has_foreign)
        return;
    contents->has_foreign = true;
    snprintf(contents->example, sizeof(contents->example), "%s", name);
}

static enum err read_identity(struct log_dir *dir, struct strbuf *why)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e =
        log_file_read(dir->env, dir->path, META_PROPERTIES_NAME, META_BYTES_MAX, &data, &size);
    if (e == ERR_OK) {
        e = log_dir_parse_meta((char *)data, why, &dir->identity);
        mem_free(data);
        return e;
    }
    if (e != ERR_NOT_FOUND)
        return e;
    struct dir_contents contents = {0};
    e = env_dir_list(dir->env, dir->path, look_at_name, &contents);
    if (e == ERR_OK && contents.has_foreign) {
        strbuf_printf(why, "log directory %s holds other things (%s) and no %s", dir->path,
                      contents.example, META_PROPERTIES_NAME);
        return ERR_INVALID;
    }
    dir->identity.is_new = true;
    return e;
}

static enum err read_clean_mark(struct log_dir *dir)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e =
        log_file_read(dir->env, dir->path, CLEAN_SHUTDOWN_NAME, META_BYTES_MAX, &data, &size);
    mem_free(data);
    dir->was_clean = e == ERR_OK || e == ERR_TOO_LARGE; /* Kafka asks only whether it is there */
    dir->is_marked_clean = dir->was_clean;
    return dir->was_clean || e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err open_steps(struct log_dir *dir, struct strbuf *why)
{
    enum err e = make_dirs(dir->env, dir->path);
    if (e == ERR_OK)
        e = take_lock(dir, why);
    if (e == ERR_OK)
        e = read_identity(dir, why);
    if (e == ERR_OK)
        e = read_clean_mark(dir);
    if (e == ERR_OK)
        e = log_dir_load_checkpoints(dir);
    return e;
}

static struct log_dir *log_dir_blank(struct env *env, const char *path)
{
    struct log_dir *dir = mem_alloc(sizeof(*dir));
    dir->env = env;
    dir->path = mem_strdup(path);
    monitor_init(&dir->monitor, MONITOR_LOG_DIR);
    map_init(&dir->checkpoints);
    disk_room_init(&dir->room);
    env_random(env, &dir->hash_seed, sizeof(dir->hash_seed));
    return dir;
}

struct log_dir *log_dir_new_failed(struct env *env, const char *path)
{
    struct log_dir *dir = log_dir_blank(env, path);
    dir->has_failed = true;
    return dir;
}

void log_dir_fail(struct log_dir *dir)
{
    dir->has_failed = true;
}

enum err log_dir_judge(const struct log_dir *dir, enum err e)
{
    bool is_gone =
        e == ERR_NOT_FOUND && log_file_is_missing(dir->env, dir->path, META_PROPERTIES_NAME);
    return is_gone ? ERR_IO : e;
}

bool log_dir_has_failed(const struct log_dir *dir)
{
    return dir->has_failed;
}

enum err log_dir_open(struct env *env, const char *path, struct strbuf *why, struct log_dir **out)
{
    struct log_dir *dir = log_dir_blank(env, path);
    size_t said = why->len;
    enum err e = open_steps(dir, why);
    if (e != ERR_OK) {
        if (why->len == said)
            strbuf_printf(why, "log directory %s cannot be opened: %s", path, err_text(e));
        log_dir_close(dir);
        return e;
    }
    *out = dir;
    return ERR_OK;
}

void log_dir_close(struct log_dir *dir)
{
    if (dir == NULL)
        return;
    journal_free(dir->journal);
    env_file_unref(dir->lock);
    log_dir_free_checkpoints(dir);
    monitor_deinit(&dir->monitor);
    mem_free(dir->path);
    mem_free(dir);
}

const char *log_dir_path(const struct log_dir *dir)
{
    return dir->path;
}

struct disk_room *log_dir_room(struct log_dir *dir)
{
    return &dir->room;
}

const struct log_dir_identity *log_dir_identity(const struct log_dir *dir)
{
    return &dir->identity;
}

/* ---- the journal */

enum err log_dir_open_journal(struct log_dir *dir, const struct journal_options *options)
{
    ASSERT(dir->journal == NULL && !dir->identity.is_new);
    struct journal_options own = *options;
    own.dir = dir->path;
    own.directory_id = dir->identity.directory_id;
    own.was_clean = dir->was_clean;
    return journal_open(dir->env, &own, &dir->journal);
}

struct journal *log_dir_journal(const struct log_dir *dir)
{
    return dir->journal;
}

/* ---- the clean mark */

bool log_dir_was_clean(const struct log_dir *dir)
{
    return dir->was_clean;
}

enum err log_dir_mark_dirty(struct log_dir *dir)
{
    ASSERT(dir->lock != NULL);
    if (!dir->is_marked_clean) /* who was killed here may have left names that no sync covers */
        return env_dir_sync(dir->env, dir->path);
    enum err e = log_file_remove(dir->env, dir->path, CLEAN_SHUTDOWN_NAME);
    if (e == ERR_OK)
        e = env_dir_sync(dir->env, dir->path);
    if (e == ERR_OK)
        dir->is_marked_clean = false;
    return e;
}

enum err log_dir_mark_clean(struct log_dir *dir)
{
    static const char content[] = "{\"version\":0,\"brokerEpoch\":-1}";
    enum err e = log_file_replace_durably(dir->env, dir->path, CLEAN_SHUTDOWN_NAME, content,
                                          sizeof(content) - 1);
    if (e == ERR_OK)
        dir->is_marked_clean = true;
    return e;
}

/* ---- partitions */

bool log_dir_partition_path(const struct log_dir *dir, const char *topic, int32_t partition,
                            char *out, size_t size)
{
    ASSERT(partition >= 0);
    int len = snprintf(out, size, "%s/%s-%" PRId32, dir->path, topic, partition);
    return len > 0 && (size_t)len < size;
}

/* A topic's name of Kafka's, so that nobody's own directories are taken for partitions. */
static bool is_topic_name(const char *text, size_t len)
{
    if (len == 0 || len >= CHECKPOINT_TOPIC_SIZE)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

bool log_dir_parse_partition(const char *name, char *topic, size_t size, int32_t *partition)
{
    const char *dash = strrchr(name, '-');
    if (dash == NULL || dash[1] == '\0' || !is_topic_name(name, (size_t)(dash - name)))
        return false;
    int64_t number = 0;
    for (const char *p = dash + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || number > INT32_MAX / 10)
            return false;
        number = number * 10 + (*p - '0');
    }
    if (number > INT32_MAX || (dash[1] == '0' && dash[2] != '\0'))
        return false;
    size_t len = (size_t)(dash - name);
    if (len >= size)
        return false;
    memcpy(topic, name, len);
    topic[len] = '\0';
    *partition = (int32_t)number;
    return true;
}

struct dir_names {
    char **names;
    size_t count;
};

static void gather_dir(void *arg, const char *name, bool is_dir)
{
    struct dir_names *list = arg;
    if (!is_dir)
        return;
    list->names = mem_realloc(list->names, (list->count + 1) * sizeof(*list->names));
    list->names[list->count++] = mem_strdup(name);
}

static void dir_names_free(struct dir_names *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->names[i]);
    mem_free(list->names);
}

enum err log_dir_list(struct log_dir *dir,
                      void (*each)(void *arg, const char *topic, int32_t partition), void *arg)
{
    struct dir_names list = {0};
    enum err e = env_dir_list(dir->env, dir->path, gather_dir, &list);
    for (size_t i = 0; i < list.count && e == ERR_OK; i++) {
        char topic[CHECKPOINT_TOPIC_SIZE];
        int32_t partition;
        if (log_dir_parse_partition(list.names[i], topic, sizeof(topic), &partition))
            each(arg, topic, partition);
    }
    dir_names_free(&list);
    return e;
}

enum { OWN_NAME_SIZE = CHECKPOINT_TOPIC_SIZE + 16 };

/* The part of the name before ".<id>" and the suffix. */
static bool parse_suffixed(const char *name, const char *suffix, char own[OWN_NAME_SIZE])
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);
    const char *dot = strrchr(name, '.');
    if (len <= suffix_len || strcmp(name + len - suffix_len, suffix) != 0 || dot == NULL ||
        dot - name >= OWN_NAME_SIZE)
        return false;
    memcpy(own, name, (size_t)(dot - name));
    own[dot - name] = '\0';
    return true;
}

static bool parse_future(const char *name, char *topic, size_t size, int32_t *partition)
{
    char own[OWN_NAME_SIZE];
    return parse_suffixed(name, LOG_DIR_FUTURE_SUFFIX, own) &&
           log_dir_parse_partition(own, topic, size, partition);
}

enum err log_dir_list_futures(struct log_dir *dir,
                              void (*each)(void *arg, const char *name, const char *topic,
                                           int32_t partition),
                              void *arg)
{
    struct dir_names list = {0};
    enum err e = env_dir_list(dir->env, dir->path, gather_dir, &list);
    for (size_t i = 0; i < list.count && e == ERR_OK; i++) {
        char topic[CHECKPOINT_TOPIC_SIZE];
        int32_t partition;
        if (parse_future(list.names[i], topic, sizeof(topic), &partition))
            each(arg, list.names[i], topic, partition);
    }
    dir_names_free(&list);
    return e;
}

enum err log_dir_set_aside(struct log_dir *dir, const char *topic, int32_t partition)
{
    ASSERT(dir->lock != NULL);
    char from[LOG_PATH_SIZE];
    char to[LOG_PATH_SIZE];
    if (!log_dir_partition_path(dir, topic, partition, from, sizeof(from)) ||
        !log_file_suffixed(dir->env, from, "-stray", to))
        return ERR_TOO_LARGE;
    enum err e = env_path_rename(dir->env, from, to);
    if (e != ERR_OK)
        return e;
    log_dir_checkpoint_drop(dir, topic, partition);
    return env_dir_sync(dir->env, dir->path);
}

/* "topic-partition.id-delete", as deletion names it, or "import.id-delete". Others are not ours. */
static bool is_doomed_name(const char *name)
{
    char own[OWN_NAME_SIZE];
    char topic[CHECKPOINT_TOPIC_SIZE];
    int32_t partition;
    return parse_suffixed(name, "-delete", own) &&
           (strcmp(own, "import") == 0 ||
            log_dir_parse_partition(own, topic, sizeof(topic), &partition));
}

enum err log_dir_sweep(struct log_dir *dir)
{
    struct dir_names list = {0};
    enum err e = env_dir_list(dir->env, dir->path, gather_dir, &list);
    for (size_t i = 0; i < list.count && e == ERR_OK; i++) {
        char path[LOG_PATH_SIZE];
        if (!is_doomed_name(list.names[i]))
            continue;
        e = log_file_path(path, dir->path, list.names[i]) ? log_file_remove_dir(dir->env, path)
                                                          : ERR_TOO_LARGE;
        if (e == ERR_EXISTS)
            e = ERR_OK; /* somebody put directories into it: not ours to remove */
    }
    dir_names_free(&list);
    return e;
}
