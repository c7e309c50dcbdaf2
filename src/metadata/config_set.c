// SPDX-License-Identifier: Apache-2.0
/* config_set: see config_set.h. Thread: whoever owns it. */
#include "metadata/config_set.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

void config_set_init(struct config_set *set)
{
    *set = (struct config_set){0};
}

void config_set_deinit(struct config_set *set)
{
    for (int i = 0; i < set->count; i++)
        mem_free(set->entries[i].text);
    mem_free(set->entries);
    config_set_init(set);
}

/* The first entry whose key is not below `key`. */
static int lower_bound(const struct config_set *set, int key)
{
    int low = 0, high = set->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (set->entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    ASSERT(low == set->count || set->entries[low].key >= key);
    return low;
}

static bool has_at(const struct config_set *set, int at, int key)
{
    return at < set->count && set->entries[at].key == key;
}

static enum err grow(struct config_set *set)
{
    if (set->count < set->capacity)
        return ERR_OK;
    int capacity = set->capacity == 0 ? 4 : set->capacity * 2;
    struct config_entry *moved =
        mem_try_realloc(set->entries, (size_t)capacity * sizeof(set->entries[0]));
    if (moved == NULL)
        return ERR_NO_MEMORY;
    set->entries = moved;
    set->capacity = capacity;
    return ERR_OK;
}

enum err config_set_put(struct config_set *set, int key, const char *text, size_t len)
{
    ASSERT(key >= 0);
    ASSERT(set->count <= set->capacity);
    char *copy = mem_try(len + 1);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, text, len);
    copy[len] = '\0';

    int at = lower_bound(set, key);
    if (has_at(set, at, key)) {
        mem_free(set->entries[at].text);
        set->entries[at].text = copy;
        return ERR_OK;
    }
    if (grow(set) != ERR_OK) {
        mem_free(copy);
        return ERR_NO_MEMORY;
    }
    struct config_entry *gap = &set->entries[at];
    memmove(gap + 1, gap, (size_t)(set->count - at) * sizeof(*gap));
    *gap = (struct config_entry){.key = key, .text = copy};
    set->count++;
    ASSERT(at == 0 || set->entries[at - 1].key < key);
    return ERR_OK;
}

enum err config_set_put_checked(struct config_set *set, int key, const struct config_def *def,
                                const char *text, size_t len, struct strbuf *why)
{
    if (len > LIMIT_CONFIG_VALUE_BYTES || memchr(text, '\0', len) != NULL) {
        strbuf_printf(why, "%s: the value is too long or has a NUL in it", def->name);
        return ERR_INVALID;
    }
    struct config_set checked; /* gives the value its NUL */
    config_set_init(&checked);
    enum err e = config_set_put(&checked, key, text, len);
    if (e == ERR_OK)
        e = config_check(def, config_set_get(&checked, key), why);
    if (e == ERR_OK)
        e = config_set_put(set, key, text, len);
    config_set_deinit(&checked);
    return e;
}

void config_set_remove(struct config_set *set, int key)
{
    int at = lower_bound(set, key);
    if (!has_at(set, at, key))
        return;
    struct config_entry *entry = &set->entries[at];
    mem_free(entry->text);
    memmove(entry, entry + 1, (size_t)(set->count - at - 1) * sizeof(*entry));
    set->count--;
    ASSERT(config_set_get(set, key) == NULL);
}

const char *config_set_get(const struct config_set *set, int key)
{
    int at = lower_bound(set, key);
    return has_at(set, at, key) ? set->entries[at].text : NULL;
}

enum err config_set_copy(const struct config_set *set, struct config_set *copy)
{
    ASSERT(copy->count == 0);
    for (int i = 0; i < set->count; i++) {
        const struct config_entry *entry = &set->entries[i];
        if (config_set_put(copy, entry->key, entry->text, strlen(entry->text)) != ERR_OK) {
            config_set_deinit(copy);
            return ERR_NO_MEMORY;
        }
    }
    ASSERT(copy->count == set->count);
    return ERR_OK;
}
