// SPDX-License-Identifier: Apache-2.0
/* log_names: see log_names.h. Thread: the one that opens. */
#include "log/log_names.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/log_place.h"
#include "log/segment_walk.h"

void log_names_deinit(struct log_names *names)
{
    mem_free(names->items);
    *names = (struct log_names){0};
}

static void add_name(void *arg, const char *text, bool is_dir)
{
    struct log_names *names = arg;
    struct log_file_name name;
    names->is_leaving = names->is_leaving || strcmp(text, LOG_LEAVING_NAME) == 0;
    if (is_dir || !log_file_name_parse(text, &name))
        return;
    if (names->count == names->capacity) {
        names->capacity = MAX(2 * names->capacity, (size_t)8);
        names->items = mem_realloc(names->items, names->capacity * sizeof(*names->items));
    }
    ASSERT(names->count == 0 || names->items[names->count - 1].offset <= name.offset);
    names->items[names->count++] = name;
    ASSERT(names->count <= names->capacity);
}

enum err log_names_list(struct log_names *names, struct log_home *home)
{
    names->count = 0;
    return env_dir_list(home->env, home->dir, add_name, names);
}

bool log_names_has(const struct log_names *names, enum log_file_kind kind, int64_t offset)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct log_file_name *name = &names->items[i];
        if (name->offset == offset && name->kind == kind && name->stage == LOG_STAGE_LIVE)
            return true;
    }
    return false;
}

static enum err unlink_name(struct log_names *names, const struct log_home *home,
                            const struct log_file_name *name)
{
    char text[LOG_NAME_SIZE];
    names->is_changed = true;
    return log_file_remove(home->env, home->dir, log_file_name_format(text, name));
}

/* ---- what deletion left */

/* Only what has the suffix: what lies before such a segment may have been put in its place by a
 * compaction. */
static enum err finish_deletions(struct log_names *names, const struct log_home *home)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct log_file_name *name = &names->items[i];
        enum err e = name->stage == LOG_STAGE_DELETED ? unlink_name(names, home, name) : ERR_OK;
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

/* ---- what compaction left, as Kafka does: .cleaned files are a try that did not end, and so are
 * .swap files at or behind one (Kafka splits a segment into several, and renames the last first);
 * other .swap files take the place of what they were made from. So a round of ours begins no swap
 * while a .cleaned file of another is there (clean_output_remove_left). */

static enum err end_of_swap(const struct log_home *home, int64_t offset, uint8_t *buffer,
                            size_t capacity, int64_t *out)
{
    struct log_file_name name = {.offset = offset, .kind = LOG_FILE_LOG, .stage = LOG_STAGE_SWAP};
    char text[LOG_NAME_SIZE];
    char path[LOG_PATH_SIZE];
    if (!log_file_path(path, home->dir, log_file_name_format(text, &name)))
        return ERR_TOO_LARGE;
    struct env_file *file = NULL;
    int64_t size = 0;
    enum err e = env_file_open(home->env, path, ENV_READ, &file);
    if (e == ERR_OK)
        e = env_file_size(file, &size);
    *out = offset + 1;
    if (e == ERR_OK) {
        struct segment_walk walk;
        struct batch_header header;
        int64_t pos;
        segment_walk_init(&walk, file, 0, size, ENV_WAIT);
        segment_walk_use(&walk, buffer, capacity);
        while ((e = segment_walk_next(&walk, &header, &pos)) == ERR_OK)
            *out = MAX(*out, batch_last_offset(&header) + 1);
        e = e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
    }
    env_file_unref(file);
    return e;
}

/* The .swap files were synced before they got this name, so all of a .log is there. It gets its
 * place last: until then all of this is done again after a crash. */
static enum err finish_swap(struct log_names *names, struct log_home *home, int64_t offset,
                            uint8_t *buffer, size_t capacity)
{
    int64_t end = offset;
    ASSERT(offset >= 0);
    names->is_changed = true;
    enum err e = end_of_swap(home, offset, buffer, capacity, &end);
    for (size_t i = 0; i < names->count && e == ERR_OK; i++) {
        const struct log_file_name *name = &names->items[i];
        if (name->stage == LOG_STAGE_LIVE && name->offset >= offset && name->offset < end)
            e = unlink_name(names, home, name);
    }
    struct segment *seg = segment_new(home, offset, 0);
    if (e == ERR_OK)
        e = env_dir_sync(home->env, home->dir);
    if (e == ERR_OK)
        e = segment_rename(seg, LOG_FILE_TXNINDEX, LOG_STAGE_SWAP, LOG_STAGE_LIVE);
    if (e == ERR_OK)
        e = segment_rename(seg, LOG_FILE_LOG, LOG_STAGE_SWAP, LOG_STAGE_LIVE);
    segment_unref(seg);
    return e;
}

static enum err finish_compactions(struct log_names *names, struct log_home *home, uint8_t *buffer,
                                   size_t capacity)
{
    int64_t cleaned_from = INT64_MAX;
    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].stage == LOG_STAGE_CLEANED)
            cleaned_from = MIN(cleaned_from, names->items[i].offset);
    }
    for (size_t i = 0; i < names->count; i++) {
        struct log_file_name name = names->items[i];
        if (name.stage != LOG_STAGE_SWAP && name.stage != LOG_STAGE_CLEANED)
            continue;
        bool is_whole = name.stage == LOG_STAGE_SWAP && name.offset < cleaned_from;
        enum err e = ERR_OK;
        if (is_whole && name.kind == LOG_FILE_LOG)
            e = finish_swap(names, home, name.offset, buffer, capacity);
        else if (!is_whole || name.kind != LOG_FILE_TXNINDEX) /* that goes with its .log */
            e = unlink_name(names, home, &name);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err drop_orphans(struct log_names *names, const struct log_home *home)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct log_file_name *name = &names->items[i];
        if (name->kind == LOG_FILE_LOG || name->kind == LOG_FILE_SNAPSHOT ||
            log_names_has(names, LOG_FILE_LOG, name->offset))
            continue;
        enum err e = unlink_name(names, home, name);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err log_names_load(struct log_names *names, struct log_home *home, uint8_t *buffer,
                        size_t capacity)
{
    *names = (struct log_names){0};
    enum err e = log_names_list(names, home);
    if (e == ERR_OK)
        e = finish_deletions(names, home);
    if (e == ERR_OK && names->is_changed)
        e = log_names_list(names, home);
    if (e == ERR_OK)
        e = finish_compactions(names, home, buffer, capacity);
    if (e == ERR_OK && names->is_changed)
        e = log_names_list(names, home);
    if (e == ERR_OK)
        e = drop_orphans(names, home);
    if (e == ERR_OK && names->is_changed)
        e = log_names_list(names, home);
    if (e != ERR_OK)
        log_names_deinit(names);
    return e;
}
