// SPDX-License-Identifier: Apache-2.0
/* cleaner_checkpoint: see cleaner_checkpoint.h. Thread: its owner's. */
#include "log/cleaner_checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/checkpoint_file.h"
#include "log/log_file.h"

static const char file_name[] = "cleaner-offset-checkpoint";

struct cleaned_offset {
    struct map_node node;
    int64_t offset;
    int32_t index;
    char topic[];
};

void cleaner_checkpoint_init(struct cleaner_checkpoint *c, struct env *env)
{
    *c = (struct cleaner_checkpoint){0};
    map_init(&c->entries);
    env_random(env, &c->hash_seed, sizeof(c->hash_seed));
}

static void forget_all(struct cleaner_checkpoint *c)
{
    MAP_FOR_EACH (node, &c->entries) {
        struct cleaned_offset *entry = container_of(node, struct cleaned_offset, node);
        map_remove(&c->entries, node);
        mem_free(entry);
    }
}

void cleaner_checkpoint_deinit(struct cleaner_checkpoint *c)
{
    forget_all(c);
    map_deinit(&c->entries);
}

static uint64_t hash_of(const struct cleaner_checkpoint *c, const char *topic, int32_t index)
{
    return hash_bytes(c->hash_seed, topic, strlen(topic)) ^ hash_u64((uint64_t)index);
}

static struct cleaned_offset *find(const struct cleaner_checkpoint *c, const char *topic,
                                   int32_t index)
{
    struct map_node *node = map_first(&c->entries, hash_of(c, topic, index));
    for (; node != NULL; node = map_next_same(node)) {
        struct cleaned_offset *entry = container_of(node, struct cleaned_offset, node);
        if (entry->index == index && strcmp(entry->topic, topic) == 0)
            return entry;
    }
    return NULL;
}

int64_t cleaner_checkpoint_of(const struct cleaner_checkpoint *c, const char *topic, int32_t index)
{
    const struct cleaned_offset *entry = find(c, topic, index);
    return entry != NULL ? entry->offset : 0;
}

void cleaner_checkpoint_set(struct cleaner_checkpoint *c, const char *topic, int32_t index,
                            int64_t offset)
{
    ASSERT(index >= 0 && offset >= 0);
    struct cleaned_offset *entry = find(c, topic, index);
    if (entry == NULL) {
        size_t size = strlen(topic) + 1;
        entry = mem_alloc(sizeof(*entry) + size);
        entry->index = index;
        memcpy(entry->topic, topic, size);
        map_insert(&c->entries, &entry->node, hash_of(c, topic, index));
    }
    c->is_dirty = c->is_dirty || entry->offset != offset;
    entry->offset = offset;
}

void cleaner_checkpoint_drop(struct cleaner_checkpoint *c, const char *topic, int32_t index)
{
    struct cleaned_offset *entry = find(c, topic, index);
    if (entry == NULL)
        return;
    map_remove(&c->entries, &entry->node);
    mem_free(entry);
    c->is_dirty = true;
}

static enum err parse(struct cleaner_checkpoint *c, const uint8_t *data, size_t size)
{
    struct checkpoint_reader r;
    checkpoint_reader_init(&r, data, size);
    while (checkpoint_reader_next(&r)) {
        char topic[CHECKPOINT_TOPIC_SIZE];
        checkpoint_read_word(&r, topic, sizeof(topic));
        int32_t index = (int32_t)checkpoint_read_number(&r, 0, INT32_MAX);
        int64_t offset = checkpoint_read_number(&r, 0, INT64_MAX);
        checkpoint_read_line_end(&r);
        if (!r.is_bad)
            cleaner_checkpoint_set(c, topic, index, offset);
    }
    return checkpoint_reader_finish(&r);
}

enum err cleaner_checkpoint_load(struct cleaner_checkpoint *c, struct env *env, const char *dir)
{
    uint8_t *data = NULL;
    size_t size = 0;
    enum err e = log_file_read(env, dir, file_name, LIMIT_CHECKPOINT_FILE_BYTES, &data, &size);
    if (e == ERR_OK)
        e = parse(c, data, size);
    mem_free(data);
    if (e != ERR_OK)
        forget_all(c); /* what was read before the bad line may be true and may not */
    c->is_dirty = false;
    return e == ERR_NOT_FOUND ? ERR_OK : e == ERR_TOO_LARGE ? ERR_CORRUPT : e;
}

void cleaner_checkpoint_text(const struct cleaner_checkpoint *c, struct strbuf *out)
{
    checkpoint_write_head(out, c->entries.count);
    MAP_FOR_EACH (node, &c->entries) {
        const struct cleaned_offset *entry = container_of(node, struct cleaned_offset, node);
        strbuf_printf(out, "%s %" PRId32 " %" PRId64 "\n", entry->topic, entry->index,
                      entry->offset);
    }
}

enum err cleaner_checkpoint_write(struct env *env, const char *dir, const struct strbuf *text)
{
    return log_file_replace_durably(env, dir, file_name, strbuf_text(text), text->len);
}
