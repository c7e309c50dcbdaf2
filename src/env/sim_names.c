// SPDX-License-Identifier: Apache-2.0
/* sim_names: directories of the simulated disk; see sim_disk.h. Thread: one. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/sim_disk.h"

enum { SIM_PATH_PART_SIZE = 300 };

/* ---- one directory's names */

/* Where the name is, or would be. */
static size_t names_place(const struct sim_names *names, const char *name, bool *is_there)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(names->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *is_there = low < names->count && strcmp(names->items[low].name, name) == 0;
    return low;
}

static struct sim_inode *names_get(const struct sim_names *names, const char *name)
{
    bool is_there;
    size_t at = names_place(names, name, &is_there);
    return is_there ? names->items[at].inode : NULL;
}

static void names_set(struct sim_names *names, const char *name, struct sim_inode *inode)
{
    bool is_there;
    size_t at = names_place(names, name, &is_there);
    if (is_there) {
        names->items[at].inode = inode;
        return;
    }
    if (names->count == names->capacity) {
        names->capacity = MAX(names->capacity * 2, (size_t)8);
        names->items = mem_realloc(names->items, names->capacity * sizeof(*names->items));
    }
    memmove(&names->items[at + 1], &names->items[at], (names->count - at) * sizeof(*names->items));
    names->items[at] = (struct sim_entry){mem_strdup(name), inode};
    names->count++;
}

static void names_drop(struct sim_names *names, const char *name)
{
    bool is_there;
    size_t at = names_place(names, name, &is_there);
    if (!is_there)
        return;
    mem_free(names->items[at].name);
    names->count--;
    memmove(&names->items[at], &names->items[at + 1], (names->count - at) * sizeof(*names->items));
}

static void names_clear(struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i].name);
    mem_free(names->items);
    *names = (struct sim_names){0};
}

static void names_copy(struct sim_names *to, const struct sim_names *from)
{
    names_clear(to);
    for (size_t i = 0; i < from->count; i++)
        names_set(to, from->items[i].name, from->items[i].inode);
}

static void names_apply(struct sim_names *names, const struct sim_name_op *op)
{
    switch (op->change) {
    case SIM_NAME_SET:
        names_set(names, op->name, op->inode);
        break;
    case SIM_NAME_DROP:
        names_drop(names, op->name);
        break;
    case SIM_NAME_MOVE:
        names_drop(names, op->name);
        names_set(names, op->to, op->inode);
        break;
    }
}

static void forget_ops(struct sim_inode *dir)
{
    for (size_t i = 0; i < dir->op_count; i++) {
        mem_free(dir->ops[i].name);
        mem_free(dir->ops[i].to);
    }
    dir->op_count = 0;
}

/* Seen at once, kept after the next sync of the directory. */
static void change(struct sim_inode *dir, enum sim_name_change what, const char *name,
                   const char *to, struct sim_inode *inode)
{
    ASSERT(dir->is_dir);
    if (dir->op_count == dir->op_capacity) {
        dir->op_capacity = MAX(dir->op_capacity * 2, (size_t)8);
        dir->ops = mem_realloc(dir->ops, dir->op_capacity * sizeof(*dir->ops));
    }
    struct sim_name_op *op = &dir->ops[dir->op_count++];
    *op = (struct sim_name_op){what, mem_strdup(name), to != NULL ? mem_strdup(to) : NULL, inode};
    names_apply(&dir->names, op);
}

void sim_names_cut(struct sim_inode *dir, size_t count)
{
    ASSERT(count <= dir->op_count);
    for (size_t i = 0; i < count; i++)
        names_apply(&dir->kept, &dir->ops[i]);
    forget_ops(dir);
    names_copy(&dir->names, &dir->kept);
}

void sim_names_free(struct sim_inode *dir)
{
    forget_ops(dir);
    mem_free(dir->ops);
    names_clear(&dir->names);
    names_clear(&dir->kept);
}

/* ---- paths */

/* Takes the next part off the front of *path; false at its end. */
static bool next_part(const char **path, char out[SIM_PATH_PART_SIZE])
{
    for (;;) {
        while (**path == '/')
            (*path)++;
        size_t len = strcspn(*path, "/");
        if (len == 0)
            return false;
        ASSERT(len < SIM_PATH_PART_SIZE);
        memcpy(out, *path, len);
        out[len] = '\0';
        *path += len;
        if (strcmp(out, ".") != 0)
            return true;
    }
}

/* The directory that holds (or would hold) the last part, which goes to `last`. NULL: there is
 * no such directory, or the path is the root's. */
static struct sim_inode *find_parent(struct sim_disk *disk, const char *path,
                                     char last[SIM_PATH_PART_SIZE])
{
    char part[SIM_PATH_PART_SIZE];
    struct sim_inode *dir = disk->root;
    if (!next_part(&path, last))
        return NULL;
    while (next_part(&path, part)) {
        dir = names_get(&dir->names, last);
        if (dir == NULL || !dir->is_dir)
            return NULL;
        memcpy(last, part, sizeof(part));
    }
    return dir;
}

struct sim_inode *sim_disk_find(struct sim_disk *disk, const char *path)
{
    char part[SIM_PATH_PART_SIZE];
    struct sim_inode *at = disk->root;
    while (at != NULL && next_part(&path, part))
        at = at->is_dir ? names_get(&at->names, part) : NULL;
    return at;
}

static struct sim_inode *inode_new(struct sim_disk *disk, bool is_dir)
{
    struct sim_inode *inode = mem_alloc(sizeof(*inode));
    inode->id = ++disk->next_id;
    inode->is_dir = is_dir;
    list_push_back(&disk->inodes, &inode->link);
    return inode;
}

struct sim_disk *sim_disk_new(void)
{
    struct sim_disk *disk = mem_alloc(sizeof(*disk));
    list_init(&disk->inodes);
    disk->space_bytes = INT64_MAX;
    disk->root = inode_new(disk, true);
    return disk;
}

enum err sim_disk_open(struct sim_disk *disk, const char *path, bool create, bool exclusive,
                       struct sim_inode **out)
{
    char name[SIM_PATH_PART_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    if (dir == NULL)
        return ERR_NOT_FOUND;
    struct sim_inode *inode = names_get(&dir->names, name);
    if (inode != NULL && inode->is_dir)
        return ERR_INVALID;
    if (inode != NULL && create && exclusive)
        return ERR_EXISTS;
    if (inode == NULL && !create)
        return ERR_NOT_FOUND;
    if (inode == NULL) {
        inode = inode_new(disk, false);
        change(dir, SIM_NAME_SET, name, NULL, inode);
    }
    *out = inode;
    return ERR_OK;
}

enum err sim_disk_make_dir(struct sim_disk *disk, const char *path)
{
    char name[SIM_PATH_PART_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    if (dir == NULL)
        return sim_disk_find(disk, path) == disk->root ? ERR_EXISTS : ERR_NOT_FOUND;
    if (names_get(&dir->names, name) != NULL)
        return ERR_EXISTS;
    change(dir, SIM_NAME_SET, name, NULL, inode_new(disk, true));
    return ERR_OK;
}

enum err sim_disk_remove_dir(struct sim_disk *disk, const char *path)
{
    char name[SIM_PATH_PART_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    struct sim_inode *inode = dir != NULL ? names_get(&dir->names, name) : NULL;
    if (inode == NULL)
        return ERR_NOT_FOUND;
    if (!inode->is_dir || inode->names.count > 0)
        return ERR_INVALID;
    change(dir, SIM_NAME_DROP, name, NULL, NULL);
    return ERR_OK;
}

enum err sim_disk_unlink(struct sim_disk *disk, const char *path)
{
    char name[SIM_PATH_PART_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    struct sim_inode *inode = dir != NULL ? names_get(&dir->names, name) : NULL;
    if (inode == NULL)
        return ERR_NOT_FOUND;
    if (inode->is_dir)
        return ERR_INVALID;
    change(dir, SIM_NAME_DROP, name, NULL, NULL);
    return ERR_OK;
}

enum err sim_disk_rename(struct sim_disk *disk, const char *from, const char *to)
{
    char name[SIM_PATH_PART_SIZE];
    char new_name[SIM_PATH_PART_SIZE];
    struct sim_inode *dir = find_parent(disk, from, name);
    struct sim_inode *new_dir = find_parent(disk, to, new_name);
    struct sim_inode *inode = dir != NULL ? names_get(&dir->names, name) : NULL;
    if (inode == NULL || new_dir == NULL)
        return ERR_NOT_FOUND;
    if (dir != new_dir)
        return ERR_UNSUPPORTED;
    struct sim_inode *old = names_get(&dir->names, new_name);
    if (old != NULL && (old->is_dir != inode->is_dir || old->names.count > 0))
        return ERR_EXISTS;
    if (old != inode)
        change(dir, SIM_NAME_MOVE, name, new_name, inode);
    return ERR_OK;
}

enum err sim_disk_sync_dir(struct sim_disk *disk, const char *path)
{
    struct sim_inode *dir = sim_disk_find(disk, path);
    if (dir == NULL || !dir->is_dir)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < dir->op_count; i++)
        names_apply(&dir->kept, &dir->ops[i]);
    forget_ops(dir);
    return ERR_OK;
}

enum err sim_disk_list(struct sim_disk *disk, const char *path,
                       void (*each)(void *arg, const char *name, bool is_dir), void *arg)
{
    struct sim_inode *dir = sim_disk_find(disk, path);
    if (dir == NULL || !dir->is_dir)
        return ERR_NOT_FOUND;
    struct sim_names copy = {0}; /* `each` may change the directory */
    names_copy(&copy, &dir->names);
    for (size_t i = 0; i < copy.count; i++)
        each(arg, copy.items[i].name, copy.items[i].inode->is_dir);
    names_clear(&copy);
    return ERR_OK;
}
