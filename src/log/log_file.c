// SPDX-License-Identifier: Apache-2.0
/* log_file: see log_file.h. Thread: any; what takes an env blocks. */
#include "log/log_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/uuid.h"

static const char *const kind_suffix[LOG_FILE_KIND_COUNT] = {".log", ".index", ".timeindex",
                                                             ".txnindex", ".snapshot"};
static const char *const stage_suffix[] = {"", ".deleted", ".cleaned", ".swap"};

static bool parse_offset(const char *text, int64_t *out)
{
    uint64_t value = 0;
    for (int i = 0; i < LOG_OFFSET_DIGITS; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = (int64_t)value;
    return true;
}

bool log_file_name_parse(const char *text, struct log_file_name *out)
{
    struct log_file_name name;
    if (strlen(text) <= LOG_OFFSET_DIGITS || !parse_offset(text, &name.offset))
        return false;
    const char *rest = text + LOG_OFFSET_DIGITS;
    for (int kind = 0; kind < LOG_FILE_KIND_COUNT; kind++) {
        size_t len = strlen(kind_suffix[kind]);
        if (strncmp(rest, kind_suffix[kind], len) != 0)
            continue;
        for (size_t stage = 0; stage < ARRAY_COUNT(stage_suffix); stage++) {
            if (strcmp(rest + len, stage_suffix[stage]) != 0)
                continue;
            name.kind = (enum log_file_kind)kind;
            name.stage = (enum log_file_stage)stage;
            *out = name;
            return true;
        }
    }
    return false;
}

char *log_file_name_format(char out[LOG_NAME_SIZE], const struct log_file_name *name)
{
    ASSERT(name->offset >= 0);
    ASSERT(name->kind < LOG_FILE_KIND_COUNT);
    ASSERT(name->stage < ARRAY_COUNT(stage_suffix));
    int len = snprintf(out, LOG_NAME_SIZE, "%0*" PRId64 "%s%s", LOG_OFFSET_DIGITS, name->offset,
                       kind_suffix[name->kind], stage_suffix[name->stage]);
    ASSERT(len > 0 && len < LOG_NAME_SIZE);
    return out;
}

bool log_file_path(char out[LOG_PATH_SIZE], const char *dir, const char *name)
{
    int len = snprintf(out, LOG_PATH_SIZE, "%s/%s", dir, name);
    return len > 0 && len < LOG_PATH_SIZE;
}

static enum err read_open_file(struct env_file *file, size_t size_max, uint8_t **out, size_t *size)
{
    int64_t file_size;
    enum err e = env_file_size(file, &file_size);
    if (e != ERR_OK)
        return e;
    if (file_size < 0 || (uint64_t)file_size > size_max)
        return ERR_TOO_LARGE;
    uint8_t *data = mem_try((size_t)file_size + 1);
    if (data == NULL)
        return ERR_NO_MEMORY;
    size_t got = 0;
    if (file_size > 0)
        e = env_file_read(file, data, (size_t)file_size, 0, ENV_WAIT, &got);
    if (e != ERR_OK) {
        mem_free(data);
        return e;
    }
    data[got] = '\0';
    *out = data;
    *size = got;
    return ERR_OK;
}

bool log_file_suffixed(struct env *env, const char *dir, const char *suffix,
                       char out[LOG_PATH_SIZE])
{
    uint8_t random[16];
    char id[UUID_TEXT_SIZE];
    env_random(env, random, sizeof(random));
    uuid_format(uuid_from_random(random), id);
    const char *slash = strrchr(dir, '/');
    const char *topic = slash != NULL ? slash + 1 : dir;
    const char *partition = strrchr(topic, '-'); /* "-N" */
    if (partition == NULL)
        partition = topic + strlen(topic);
    size_t rest = strlen(partition) + 1 + strlen(id) + strlen(suffix);
    size_t topic_len = MIN((size_t)(partition - topic), LOG_DIR_NAME_MAX - rest);
    int len = snprintf(out, LOG_PATH_SIZE, "%.*s%.*s%s.%s%s", (int)(topic - dir), dir,
                       (int)topic_len, topic, partition, id, suffix);
    return len > 0 && len < LOG_PATH_SIZE;
}

enum err log_file_read(struct env *env, const char *dir, const char *name, size_t size_max,
                       uint8_t **out, size_t *size)
{
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, dir, name))
        return ERR_TOO_LARGE;
    struct env_file *file = NULL;
    enum err e = env_file_open(env, path, ENV_READ, &file);
    if (e != ERR_OK)
        return e;
    e = read_open_file(file, size_max, out, size);
    env_file_unref(file);
    return e;
}

static enum err write_and_sync(struct env *env, const char *path, const void *data, size_t size)
{
    struct env_file *file = NULL;
    enum err e = env_file_open(env, path, ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &file);
    if (e != ERR_OK)
        return e;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    if (size > 0)
        e = env_file_write(file, &iov, 1, 0);
    if (e == ERR_OK)
        e = env_file_sync(file);
    env_file_unref(file);
    return e;
}

bool log_file_is_missing(struct env *env, const char *dir, const char *name)
{
    char path[LOG_PATH_SIZE];
    struct env_file *file = NULL;
    if (!log_file_path(path, dir, name))
        return false;
    enum err e = env_file_open(env, path, ENV_READ, &file);
    env_file_unref(file);
    return e == ERR_NOT_FOUND;
}

enum err log_file_replace(struct env *env, const char *dir, const char *name, const void *data,
                          size_t size)
{
    char path[LOG_PATH_SIZE];
    char beside[LOG_PATH_SIZE];
    char beside_name[LOG_NAME_SIZE + 32];
    int len = snprintf(beside_name, sizeof(beside_name), "%s.tmp", name);
    ASSERT(len > 0 && (size_t)len < sizeof(beside_name));
    if (!log_file_path(path, dir, name) || !log_file_path(beside, dir, beside_name))
        return ERR_TOO_LARGE;
    enum err e = write_and_sync(env, beside, data, size);
    return e == ERR_OK ? env_path_rename(env, beside, path) : e;
}

enum err log_file_replace_durably(struct env *env, const char *dir, const char *name,
                                  const void *data, size_t size)
{
    enum err e = log_file_replace(env, dir, name, data, size);
    return e == ERR_OK ? env_dir_sync(env, dir) : e;
}

enum err log_file_remove(struct env *env, const char *dir, const char *name)
{
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, dir, name))
        return ERR_TOO_LARGE;
    enum err e = env_path_unlink(env, path);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err log_file_sync_parent(struct env *env, const char *path)
{
    char parent[LOG_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    int len = slash == NULL   ? snprintf(parent, sizeof(parent), ".")
              : slash == path ? snprintf(parent, sizeof(parent), "/")
                              : snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    return len > 0 && len < LOG_PATH_SIZE ? env_dir_sync(env, parent) : ERR_TOO_LARGE;
}

/* The names are gathered first: a directory is not changed while it is being listed. */
struct name_list {
    char **names;
    size_t count;
};

static void gather_name(void *arg, const char *name, bool is_dir)
{
    struct name_list *list = arg;
    if (is_dir)
        return;
    list->names = mem_realloc(list->names, (list->count + 1) * sizeof(*list->names));
    list->names[list->count++] = mem_strdup(name);
}

enum err log_file_remove_dir(struct env *env, const char *path)
{
    struct name_list list = {0};
    enum err e = env_dir_list(env, path, gather_name, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (e == ERR_OK)
            e = log_file_remove(env, path, list.names[i]);
        mem_free(list.names[i]);
    }
    mem_free(list.names);
    return e == ERR_OK ? env_dir_remove(env, path) : e;
}
