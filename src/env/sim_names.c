// SPDX-License-Identifier: Apache-2.0
/* sim_names: directories of the simulated disk; see sim_disk.h. Thread: one. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/sim_disk.h"

static void names_apply(struct name_list *names, const struct sim_name_op *op)
{
    switch (op->change) {
    case SIM_NAME_SET:
        name_list_set(names, op->name, op->inode);
        break;
    case SIM_NAME_DROP:
        name_list_drop(names, op->name);
        break;
    case SIM_NAME_MOVE:
        name_list_drop(names, op->name);
        name_list_set(names, op->to, op->inode);
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
    name_list_copy(&dir->names, &dir->kept);
}

void sim_names_free(struct sim_inode *dir)
{
    forget_ops(dir);
    mem_free(dir->ops);
    name_list_clear(&dir->names);
    name_list_clear(&dir->kept);
}

/* ---- paths */

/* The directory that holds (or would hold) the last part, which goes to `last`. NULL: there is
 * no such directory, or the path is the root's. */
static struct sim_inode *find_parent(struct sim_disk *disk, const char *path, char last[NAME_SIZE])
{
    char part[NAME_SIZE];
    struct sim_inode *dir = disk->root;
    if (!path_next_part(&path, last))
        return NULL;
    while (path_next_part(&path, part)) {
        dir = name_list_get(&dir->names, last);
        if (dir == NULL || !dir->is_dir)
            return NULL;
        memcpy(last, part, sizeof(part));
    }
    return dir;
}

struct sim_inode *sim_disk_find(struct sim_disk *disk, const char *path)
{
    char part[NAME_SIZE];
    struct sim_inode *at = disk->root;
    while (at != NULL && path_next_part(&path, part))
        at = at->is_dir ? name_list_get(&at->names, part) : NULL;
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
    char name[NAME_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    if (dir == NULL)
        return ERR_NOT_FOUND;
    struct sim_inode *inode = name_list_get(&dir->names, name);
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
    char name[NAME_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    if (dir == NULL)
        return sim_disk_find(disk, path) == disk->root ? ERR_EXISTS : ERR_NOT_FOUND;
    if (name_list_get(&dir->names, name) != NULL)
        return ERR_EXISTS;
    change(dir, SIM_NAME_SET, name, NULL, inode_new(disk, true));
    return ERR_OK;
}

enum err sim_disk_remove_dir(struct sim_disk *disk, const char *path)
{
    char name[NAME_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    struct sim_inode *inode = dir != NULL ? name_list_get(&dir->names, name) : NULL;
    if (inode == NULL)
        return ERR_NOT_FOUND;
    if (!inode->is_dir || inode->names.count > 0)
        return ERR_INVALID;
    change(dir, SIM_NAME_DROP, name, NULL, NULL);
    return ERR_OK;
}

enum err sim_disk_unlink(struct sim_disk *disk, const char *path)
{
    char name[NAME_SIZE];
    struct sim_inode *dir = find_parent(disk, path, name);
    struct sim_inode *inode = dir != NULL ? name_list_get(&dir->names, name) : NULL;
    if (inode == NULL)
        return ERR_NOT_FOUND;
    if (inode->is_dir)
        return ERR_INVALID;
    change(dir, SIM_NAME_DROP, name, NULL, NULL);
    return ERR_OK;
}

enum err sim_disk_rename(struct sim_disk *disk, const char *from, const char *to)
{
    char name[NAME_SIZE];
    char new_name[NAME_SIZE];
    struct sim_inode *dir = find_parent(disk, from, name);
    struct sim_inode *new_dir = find_parent(disk, to, new_name);
    struct sim_inode *inode = dir != NULL ? name_list_get(&dir->names, name) : NULL;
    if (inode == NULL || new_dir == NULL)
        return ERR_NOT_FOUND;
    if (dir != new_dir)
        return ERR_UNSUPPORTED;
    struct sim_inode *old = name_list_get(&dir->names, new_name);
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
    struct name_list copy = {0}; /* `each` may change the directory */
    name_list_copy(&copy, &dir->names);
    for (size_t i = 0; i < copy.count; i++)
        each(arg, copy.items[i].name, ((const struct sim_inode *)copy.items[i].value)->is_dir);
    name_list_clear(&copy);
    return ERR_OK;
}
