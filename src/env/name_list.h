// SPDX-License-Identifier: Apache-2.0
/*
 * name_list: the names of one directory, in byte order, each with what it stands for; and the
 * parts of a path. For file systems that are not the kernel's.
 *
 * Thread: whoever owns the list.
 */
#ifndef ENV_NAME_LIST_H
#define ENV_NAME_LIST_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_SIZE = 300 }; /* of a part of a path, with its NUL */

struct name_list_entry {
    char *name; /* the list's */
    void *value;
};

struct name_list {
    struct name_list_entry *items;
    size_t count;
    size_t capacity;
};

/* NULL: there is no such name. */
void *name_list_get(const struct name_list *list, const char *name);

/* Puts the name there, or gives it another value. */
void name_list_set(struct name_list *list, const char *name, void *value);

/* Harmless when it is not there. */
void name_list_drop(struct name_list *list, const char *name);

/* Frees the names; the values are their owner's. */
void name_list_clear(struct name_list *list);

/* `to` has the names and values of `from` and no others. */
void name_list_copy(struct name_list *to, const struct name_list *from);

/* Takes the next part off the front of *path; false at its end. Slashes at the front and "." count
 * for nothing. A part must be shorter than NAME_SIZE. */
bool path_next_part(const char **path, char out[NAME_SIZE]);

#endif
