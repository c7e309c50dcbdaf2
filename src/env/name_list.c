// SPDX-License-Identifier: Apache-2.0
/* name_list: see name_list.h. Thread: whoever owns the list. */
#include "env/name_list.h"

#include <string.h>

#include "base/assert.h"
#include "base/macros.h"
#include "base/mem.h"

/* Where the name is, or would be. */
static size_t place_of(const struct name_list *list, const char *name, bool *is_there)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *is_there = low < list->count && strcmp(list->items[low].name, name) == 0;
    return low;
}

void *name_list_get(const struct name_list *list, const char *name)
{
    bool is_there;
    size_t at = place_of(list, name, &is_there);
    return is_there ? list->items[at].value : NULL;
}

void name_list_set(struct name_list *list, const char *name, void *value)
{
    bool is_there;
    size_t at = place_of(list, name, &is_there);
    if (is_there) {
        list->items[at].value = value;
        return;
    }
    if (list->count == list->capacity) {
        list->capacity = MAX(list->capacity * 2, (size_t)8);
        list->items = mem_realloc(list->items, list->capacity * sizeof(*list->items));
    }
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof(*list->items));
    list->items[at] = (struct name_list_entry){mem_strdup(name), value};
    list->count++;
}

void name_list_drop(struct name_list *list, const char *name)
{
    bool is_there;
    size_t at = place_of(list, name, &is_there);
    if (!is_there)
        return;
    mem_free(list->items[at].name);
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof(*list->items));
}

void name_list_clear(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i].name);
    mem_free(list->items);
    *list = (struct name_list){0};
}

void name_list_copy(struct name_list *to, const struct name_list *from)
{
    name_list_clear(to);
    for (size_t i = 0; i < from->count; i++)
        name_list_set(to, from->items[i].name, from->items[i].value);
}

bool path_next_part(const char **path, char out[NAME_SIZE])
{
    for (;;) {
        while (**path == '/')
            (*path)++;
        size_t len = strcspn(*path, "/");
        if (len == 0)
            return false;
        ASSERT(len < NAME_SIZE);
        memcpy(out, *path, len);
        out[len] = '\0';
        *path += len;
        if (strcmp(out, ".") != 0)
            return true;
    }
}
