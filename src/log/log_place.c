// SPDX-License-Identifier: Apache-2.0
/* log_place: see log_place.h. Thread: any; blocks. */
#include "log/log_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/log_file.h"
#include "log/partition_metadata.h"

enum { METADATA_BYTES_MAX = 4096, MOVED_BYTES_MAX = 32, LEAVING_BYTES_MAX = 64 };

enum err log_place_read_topic_id(struct env *env, const char *dir, struct uuid *out)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e =
        log_file_read(env, dir, LOG_PARTITION_METADATA_NAME, METADATA_BYTES_MAX, &data, &size);
    if (e == ERR_OK && !log_partition_metadata_parse((char *)data, out))
        e = ERR_CORRUPT;
    mem_free(data);
    return e;
}

enum err log_place_read_moved(struct env *env, const char *dir, uint64_t *out)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(env, dir, LOG_MOVED_NAME, MOVED_BYTES_MAX, &data, &size);
    *out = e == ERR_OK ? strtoull((const char *)data, NULL, 10) : 0;
    mem_free(data);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err log_place_read(struct env *env, const char *dir, struct log_place *out)
{
    *out = (struct log_place){0};
    enum err e = log_place_read_topic_id(env, dir, &out->topic_id);
    return e == ERR_OK || e == ERR_NOT_FOUND ? log_place_read_moved(env, dir, &out->moved) : e;
}

enum err log_place_write_moved(struct env *env, const char *dir, uint64_t moved)
{
    char text[MOVED_BYTES_MAX];
    int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", moved);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    return log_file_replace(env, dir, LOG_MOVED_NAME, text, (size_t)len);
}

enum err log_place_write_leaving(struct env *env, const char *dir, struct uuid to)
{
    char id[UUID_TEXT_SIZE];
    char text[LEAVING_BYTES_MAX];
    int len = snprintf(text, sizeof(text), "%s\n", uuid_format(to, id));
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    return log_file_replace_durably(env, dir, LOG_LEAVING_NAME, text, (size_t)len);
}

enum err log_place_remove_leaving(struct env *env, const char *dir)
{
    enum err e = log_file_remove(env, dir, LOG_LEAVING_NAME);
    return e == ERR_OK ? env_dir_sync(env, dir) : e;
}

enum err log_place_read_leaving(struct env *env, const char *dir, struct uuid *to)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(env, dir, LOG_LEAVING_NAME, LEAVING_BYTES_MAX, &data, &size);
    if (e == ERR_OK) {
        char *end = strchr((char *)data, '\n');
        if (end != NULL)
            *end = '\0';
        if (!uuid_parse((const char *)data, to))
            e = ERR_CORRUPT;
    }
    mem_free(data);
    return e;
}
