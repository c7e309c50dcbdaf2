// SPDX-License-Identifier: Apache-2.0
/*
 * sim_disk: a disk that forgets. Every file has what the page cache says and what
 * the platter says; every directory has the names that processes see and those
 * that a power cut leaves.
 *
 *   write, truncate, allocate  change the cache; sectors of 512 bytes become dirty
 *   sync of a file             dirty sectors and the size reach the platter, no name does
 *   sync of a directory        its names reach the platter, no content does
 *   power cut                  of the dirty sectors any subset has reached the platter; a
 *                              changed size has or has not (then what was appended is gone); of
 *                              a directory's changes since its sync the first few have
 *
 * A directory's changes reach the platter in their order (as with a file system that has a
 * journal), but each directory goes by itself. A size that grew without its sectors leaves
 * zeros. It does not know time: env/sim_file.c makes it slow.
 *
 * Thread: one.
 */
#ifndef ENV_SIM_DISK_H
#define ENV_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/macros.h"
#include "env/name_list.h"

struct sim;

enum { SIM_SECTOR_BYTES = 512, SIM_PAGE_BYTES = 4096 };

struct sim_inode;

enum sim_name_change { SIM_NAME_SET, SIM_NAME_DROP, SIM_NAME_MOVE };

struct sim_name_op {
    enum sim_name_change change;
    char *name;
    char *to; /* of a move */
    struct sim_inode *inode;
};

struct sim_inode {
    struct list link; /* of the disk's */
    uint64_t id;
    bool is_dir;
    bool is_reached;   /* while a crash looks for what still has a name */
    const void *owner; /* who holds the lock */

    /* A file. */
    uint8_t *cache;
    uint8_t *platter;
    uint8_t *dirty; /* one byte a sector */
    int64_t size;
    int64_t platter_size;
    int64_t size_min; /* the least it had since it was synced */
    int64_t capacity; /* of the three above, in bytes of content */
    uint32_t cuts;    /* truncations so far */
    uint32_t syncs;   /* that have ended */

    /* A directory. */
    struct name_list names; /* values: struct sim_inode */
    struct name_list kept;  /* on the platter */
    struct sim_name_op *ops;
    size_t op_count;
    size_t op_capacity;
};

struct sim_disk {
    struct list inodes;
    struct sim_inode *root;
    uint64_t next_id;
    int64_t used_bytes; /* sizes of all files that were made, unlinked ones too */
    int64_t space_bytes;
};

struct sim_disk *sim_disk_new(void);
void sim_disk_free(struct sim_disk *disk); /* accepts NULL */

/* ---- names (sim_names.c). Slashes at the front and "." count for nothing. */

/* The inode of a path, NULL when there is none. */
struct sim_inode *sim_disk_find(struct sim_disk *disk, const char *path);

/* With `create`, ERR_EXISTS when it is there and `exclusive`. */
enum err sim_disk_open(struct sim_disk *disk, const char *path, bool create, bool exclusive,
                       struct sim_inode **out) MUST_USE;
enum err sim_disk_make_dir(struct sim_disk *disk, const char *path) MUST_USE;
enum err sim_disk_remove_dir(struct sim_disk *disk, const char *path) MUST_USE;
enum err sim_disk_unlink(struct sim_disk *disk, const char *path) MUST_USE;
/* Within one directory only; ERR_UNSUPPORTED else. */
enum err sim_disk_rename(struct sim_disk *disk, const char *from, const char *to) MUST_USE;
enum err sim_disk_sync_dir(struct sim_disk *disk, const char *path) MUST_USE;
enum err sim_disk_list(struct sim_disk *disk, const char *path,
                       void (*each)(void *arg, const char *name, bool is_dir), void *arg) MUST_USE;

/* The first `count` unsynced changes of this directory reach the platter, the rest is gone. */
void sim_names_cut(struct sim_inode *dir, size_t count);
void sim_names_free(struct sim_inode *dir);

/* ---- content (sim_disk.c) */

size_t sim_inode_read(const struct sim_inode *inode, void *out, size_t len, int64_t pos);

/* ERR_NO_SPACE: nothing written. */
enum err sim_inode_write(struct sim_disk *disk, struct sim_inode *inode, const void *data,
                         size_t len, int64_t pos) MUST_USE;
enum err sim_inode_resize(struct sim_disk *disk, struct sim_inode *inode, int64_t size) MUST_USE;

/* What a sync that begins now will have put on the platter when it ends. */
struct sim_sync {
    int64_t size;
    uint32_t cuts;
    uint32_t syncs;
    size_t count;
    size_t *sectors;
    uint8_t *bytes; /* SIM_SECTOR_BYTES each */
};

void sim_sync_begin(struct sim_inode *inode, struct sim_sync *sync);
void sim_sync_end(struct sim_inode *inode, struct sim_sync *sync);
void sim_sync_drop(struct sim_sync *sync);

/* ---- a power cut. Draws from the sim's chance and counts what was lost; nothing else of the disk
 * may be in use any more. */
void sim_disk_power_cut(struct sim_disk *disk, struct sim *sim);

/* One bit below the size that was synced changes, where nobody asked for it. False: there is none.
 */
bool sim_inode_flip(struct sim_inode *inode, struct sim *sim);
/* The same in this byte. */
bool sim_inode_flip_at(struct sim_inode *inode, int64_t pos, struct sim *sim);

/* Locks die with the process that held them. */
void sim_disk_drop_locks(struct sim_disk *disk);

#endif
