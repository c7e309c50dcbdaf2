// SPDX-License-Identifier: Apache-2.0
/*
 * real_memory: a real process's files without a disk: names in a tree of its own, contents in
 * anonymous memory that the kernel lends under a descriptor (memfd_create), so that everything
 * done with an open file, sendfile too, is what it is with a kernel's file. All is gone when the
 * process ends, however it ends.
 *
 * A file costs one descriptor as long as it has a name, and one more each time it is open.
 *
 * Thread: any; the tree is under a mutex.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/real_errno.h"
#include "env/real_private.h"

struct memory_node {
    bool is_dir;
    int fd;                 /* of a file */
    struct name_list names; /* of a directory; values: struct memory_node */
};

static struct real_memory *memory_of(struct env *env)
{
    return container_of(env, struct real_env, env)->memory;
}

/* ---- nodes */

static struct memory_node *node_new(bool is_dir, int fd)
{
    struct memory_node *node = mem_alloc(sizeof(*node));
    node->is_dir = is_dir;
    node->fd = fd;
    return node;
}

/* What is open of it lives on. A directory's names are freed with it. */
static void node_free(struct memory_node *node)
{
    for (size_t i = 0; i < node->names.count; i++)
        node_free(node->names.items[i].value);
    name_list_clear(&node->names);
    if (!node->is_dir)
        close(node->fd);
    mem_free(node);
}

enum err real_memory_new(struct real_memory **out)
{
    struct real_memory *memory = mem_alloc(sizeof(*memory));
    memory->root = node_new(true, -1);
    if (pthread_mutex_init(&memory->mutex, NULL) != 0) {
        node_free(memory->root);
        mem_free(memory);
        return ERR_FULL;
    }
    *out = memory;
    return ERR_OK;
}

void real_memory_free(struct real_memory *memory)
{
    if (memory == NULL)
        return;
    node_free(memory->root);
    pthread_mutex_destroy(&memory->mutex);
    mem_free(memory);
}

/* ---- paths; all under the mutex */

/* Kernels refuse such names too. */
static bool has_long_part(const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len >= NAME_SIZE)
            return true;
        path += len + (path[len] == '/');
    }
    return false;
}

static struct memory_node *child_of(const struct memory_node *dir, const char *name)
{
    return dir != NULL && dir->is_dir ? name_list_get(&dir->names, name) : NULL;
}

/* NULL: there is no such path. */
static struct memory_node *find(struct real_memory *memory, const char *path)
{
    char part[NAME_SIZE];
    struct memory_node *at = memory->root;
    if (has_long_part(path))
        return NULL;
    while (at != NULL && path_next_part(&path, part))
        at = child_of(at, part);
    return at;
}

/* The directory that holds, or would hold, the last part, which goes to `last`. NULL: there is no
 * such directory, or the path is the root's. */
static struct memory_node *find_parent(struct real_memory *memory, const char *path,
                                       char last[NAME_SIZE])
{
    char part[NAME_SIZE];
    struct memory_node *dir = memory->root;
    if (has_long_part(path) || !path_next_part(&path, last))
        return NULL;
    while (dir != NULL && path_next_part(&path, part)) {
        dir = child_of(dir, last);
        memcpy(last, part, sizeof(part));
    }
    return dir != NULL && dir->is_dir ? dir : NULL;
}

/* ---- files */

/* The node of the path, made where the flags want it. */
static enum err find_or_create(struct real_memory *memory, const char *path, unsigned flags,
                               struct memory_node **out)
{
    char name[NAME_SIZE];
    struct memory_node *dir = find_parent(memory, path, name);
    struct memory_node *node = child_of(dir, name);
    if (dir == NULL || (node == NULL && (flags & ENV_CREATE) == 0))
        return ERR_NOT_FOUND;
    if (node != NULL && node->is_dir)
        return ERR_INVALID;
    if (node != NULL && (flags & ENV_CREATE) != 0 && (flags & ENV_EXCLUSIVE) != 0)
        return ERR_EXISTS;
    if (node == NULL) {
        int fd = memfd_create("klamm", MFD_CLOEXEC);
        if (fd < 0)
            return real_errno(errno);
        node = node_new(false, fd);
        name_list_set(&dir->names, name, node);
    }
    *out = node;
    return ERR_OK;
}

/* Through its entry in /proc: each opening has its own lock and its own rights, as with a path. */
enum err real_memory_open(struct env *env, const char *path, unsigned flags, struct env_file **out)
{
    struct real_memory *memory = memory_of(env);
    struct memory_node *node = NULL;
    struct env_file *file = NULL;
    pthread_mutex_lock(&memory->mutex);
    enum err e = find_or_create(memory, path, flags, &node);
    if (e == ERR_OK) {
        char entry[64];
        snprintf(entry, sizeof(entry), "/proc/self/fd/%d", node->fd);
        unsigned rest = flags & ~(unsigned)(ENV_CREATE | ENV_EXCLUSIVE);
        e = real_file_open(env, entry, rest, &file);
    }
    pthread_mutex_unlock(&memory->mutex);
    if (e != ERR_OK)
        return e;
    real_file_set_memory(file);
    *out = file;
    return ERR_OK;
}

/* ---- names */

enum err real_memory_dir_make(struct env *env, const char *path)
{
    struct real_memory *memory = memory_of(env);
    char name[NAME_SIZE];
    enum err e = ERR_OK;
    pthread_mutex_lock(&memory->mutex);
    struct memory_node *dir = find_parent(memory, path, name);
    if (find(memory, path) != NULL)
        e = ERR_EXISTS;
    else if (dir == NULL)
        e = ERR_NOT_FOUND;
    else
        name_list_set(&dir->names, name, node_new(true, -1));
    pthread_mutex_unlock(&memory->mutex);
    return e;
}

enum err real_memory_dir_sync(struct env *env, const char *path)
{
    struct real_memory *memory = memory_of(env);
    pthread_mutex_lock(&memory->mutex);
    const struct memory_node *node = find(memory, path);
    enum err e = node != NULL && node->is_dir ? ERR_OK : ERR_NOT_FOUND;
    pthread_mutex_unlock(&memory->mutex);
    return e;
}

static enum err remove_name(struct env *env, const char *path, bool is_dir)
{
    struct real_memory *memory = memory_of(env);
    char name[NAME_SIZE];
    enum err e = ERR_OK;
    pthread_mutex_lock(&memory->mutex);
    struct memory_node *dir = find_parent(memory, path, name);
    struct memory_node *node = child_of(dir, name);
    if (node == NULL)
        e = ERR_NOT_FOUND;
    else if (node->is_dir != is_dir)
        e = ERR_INVALID;
    else if (node->names.count > 0)
        e = ERR_EXISTS;
    else
        name_list_drop(&dir->names, name);
    pthread_mutex_unlock(&memory->mutex);
    if (e == ERR_OK)
        node_free(node); /* gives back its memory, which takes its time */
    return e;
}

enum err real_memory_dir_remove(struct env *env, const char *path)
{
    return remove_name(env, path, true);
}

enum err real_memory_path_unlink(struct env *env, const char *path)
{
    return remove_name(env, path, false);
}

enum err real_memory_path_rename(struct env *env, const char *from, const char *to)
{
    struct real_memory *memory = memory_of(env);
    char old_name[NAME_SIZE], new_name[NAME_SIZE];
    struct memory_node *replaced = NULL;
    enum err e = ERR_OK;
    pthread_mutex_lock(&memory->mutex);
    struct memory_node *old_dir = find_parent(memory, from, old_name);
    struct memory_node *new_dir = find_parent(memory, to, new_name);
    struct memory_node *node = child_of(old_dir, old_name);
    if (node == NULL || new_dir == NULL) {
        e = ERR_NOT_FOUND;
        goto out;
    }
    replaced = child_of(new_dir, new_name);
    if (replaced == node || (replaced != NULL && (replaced->is_dir || node->is_dir))) {
        e = replaced == node ? ERR_OK : ERR_EXISTS;
        replaced = NULL;
        goto out;
    }
    name_list_drop(&old_dir->names, old_name);
    name_list_set(&new_dir->names, new_name, node);
out:
    pthread_mutex_unlock(&memory->mutex);
    if (replaced != NULL)
        node_free(replaced);
    return e;
}

struct listed {
    char *name;
    bool is_dir;
};

enum err real_memory_dir_list(struct env *env, const char *path,
                              void (*each)(void *arg, const char *name, bool is_dir), void *arg)
{
    struct real_memory *memory = memory_of(env);
    pthread_mutex_lock(&memory->mutex);
    const struct memory_node *dir = find(memory, path);
    if (dir == NULL || !dir->is_dir) {
        pthread_mutex_unlock(&memory->mutex);
        return ERR_NOT_FOUND;
    }
    size_t count = dir->names.count;
    struct listed *items = mem_alloc((count + 1) * sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        const struct memory_node *node = dir->names.items[i].value;
        items[i] = (struct listed){mem_strdup(dir->names.items[i].name), node->is_dir};
    }
    pthread_mutex_unlock(&memory->mutex); /* `each` may change the directory */
    for (size_t i = 0; i < count; i++) {
        each(arg, items[i].name, items[i].is_dir);
        mem_free(items[i].name);
    }
    mem_free(items);
    return ERR_OK;
}

enum err real_memory_space(struct env *env, const char *path, int64_t *free_bytes,
                           int64_t *total_bytes)
{
    struct sysinfo info;
    if (sysinfo(&info) != 0)
        return real_errno(errno);
    *free_bytes = (int64_t)(info.freeram + info.bufferram) * info.mem_unit;
    *total_bytes = (int64_t)info.totalram * info.mem_unit;
    return ERR_OK;
}
