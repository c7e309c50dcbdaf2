// SPDX-License-Identifier: Apache-2.0
/* sim_disk: content of files in the cache and on the platter, and power cuts; see sim_disk.h.
 * Thread: one. */
#include "env/sim_disk.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/sim.h"

static size_t sector_of(int64_t pos)
{
    return (size_t)(pos / SIM_SECTOR_BYTES);
}

static size_t sectors_in(int64_t size)
{
    return sector_of(size + SIM_SECTOR_BYTES - 1);
}

static void inode_check(const struct sim_inode *inode)
{
    ASSERT(!inode->is_dir);
    ASSERT(inode->size <= inode->capacity && inode->platter_size <= inode->capacity);
    ASSERT(inode->size_min <= inode->size);
}

static void *grow_zeroed(void *data, size_t old_size, size_t size)
{
    data = mem_realloc(data, size);
    memset((uint8_t *)data + old_size, 0, size - old_size);
    return data;
}

static void reserve(struct sim_inode *inode, int64_t size)
{
    if (size <= inode->capacity)
        return;
    int64_t capacity = MAX(inode->capacity * 2, (int64_t)SIM_PAGE_BYTES);
    while (capacity < size)
        capacity *= 2;
    size_t old = (size_t)inode->capacity;
    inode->cache = grow_zeroed(inode->cache, old, (size_t)capacity);
    inode->platter = grow_zeroed(inode->platter, old, (size_t)capacity);
    inode->dirty = grow_zeroed(inode->dirty, sector_of(inode->capacity), sector_of(capacity));
    inode->capacity = capacity;
}

size_t sim_inode_read(const struct sim_inode *inode, void *out, size_t len, int64_t pos)
{
    inode_check(inode);
    if (pos >= inode->size)
        return 0;
    size_t got = (size_t)MIN((int64_t)len, inode->size - pos);
    memcpy(out, inode->cache + pos, got);
    return got;
}

static void mark_dirty(struct sim_inode *inode, int64_t pos, int64_t end)
{
    for (size_t s = sector_of(pos); s < sectors_in(end); s++)
        inode->dirty[s] = 1;
}

enum err sim_inode_resize(struct sim_disk *disk, struct sim_inode *inode, int64_t size)
{
    inode_check(inode);
    if (size > inode->size && size - inode->size > disk->space_bytes - disk->used_bytes)
        return ERR_NO_SPACE;
    disk->used_bytes += size - inode->size;
    reserve(inode, size);
    if (size < inode->size) { /* what comes back later is zeros */
        memset(inode->cache + size, 0, (size_t)(inode->size - size));
        for (size_t s = sectors_in(size); s < sectors_in(inode->size); s++)
            inode->dirty[s] = 0;
        if (size % SIM_SECTOR_BYTES != 0)
            inode->dirty[sector_of(size)] = 1;
        inode->cuts++;
    }
    inode->size = size;
    inode->size_min = MIN(inode->size_min, size);
    inode_check(inode);
    return ERR_OK;
}

enum err sim_inode_write(struct sim_disk *disk, struct sim_inode *inode, const void *data,
                         size_t len, int64_t pos)
{
    int64_t end = pos + (int64_t)len;
    if (end > inode->size) {
        enum err e = sim_inode_resize(disk, inode, end);
        if (e != ERR_OK)
            return e;
    }
    if (len == 0)
        return ERR_OK;
    memcpy(inode->cache + pos, data, len);
    mark_dirty(inode, pos, end);
    return ERR_OK;
}

/* ---- sync */

void sim_sync_begin(struct sim_inode *inode, struct sim_sync *sync)
{
    inode_check(inode);
    *sync = (struct sim_sync){.size = inode->size, .cuts = inode->cuts, .syncs = inode->syncs};
    size_t count = sectors_in(inode->size);
    for (size_t s = 0; s < count; s++)
        sync->count += inode->dirty[s];
    if (sync->count == 0)
        return;
    sync->sectors = mem_alloc(sync->count * sizeof(*sync->sectors));
    sync->bytes = mem_alloc(sync->count * SIM_SECTOR_BYTES);
    for (size_t s = 0, n = 0; s < count; s++) {
        if (!inode->dirty[s])
            continue;
        sync->sectors[n] = s;
        memcpy(sync->bytes + n * SIM_SECTOR_BYTES, inode->cache + s * SIM_SECTOR_BYTES,
               SIM_SECTOR_BYTES);
        n++;
    }
}

/* The platter gets this size; what lies above the least size since the last sync was given back
 * to the file system and is zeros. */
static void set_platter_size(struct sim_inode *inode, int64_t size)
{
    if (inode->size_min < inode->platter_size)
        memset(inode->platter + inode->size_min, 0,
               (size_t)(inode->platter_size - inode->size_min));
    if (size < inode->platter_size)
        memset(inode->platter + size, 0, (size_t)(inode->platter_size - size));
    inode->platter_size = size;
}

static void put_sector(struct sim_inode *inode, size_t sector, const uint8_t *bytes)
{
    int64_t pos = (int64_t)sector * SIM_SECTOR_BYTES;
    if (pos < inode->platter_size)
        memcpy(inode->platter + pos, bytes,
               (size_t)MIN((int64_t)SIM_SECTOR_BYTES, inode->platter_size - pos));
}

void sim_sync_end(struct sim_inode *inode, struct sim_sync *sync)
{
    /* Cut meanwhile, or synced by another, whose bytes may be newer: take it as it is now. */
    if (sync->cuts != inode->cuts || sync->syncs != inode->syncs) {
        sim_sync_drop(sync);
        sim_sync_begin(inode, sync);
    }
    set_platter_size(inode, sync->size);
    for (size_t i = 0; i < sync->count; i++) {
        size_t sector = sync->sectors[i];
        const uint8_t *bytes = sync->bytes + i * SIM_SECTOR_BYTES;
        put_sector(inode, sector, bytes);
        if (memcmp(inode->cache + sector * SIM_SECTOR_BYTES, bytes, SIM_SECTOR_BYTES) == 0)
            inode->dirty[sector] = 0;
    }
    inode->size_min = inode->size;
    inode->syncs++;
}

void sim_sync_drop(struct sim_sync *sync)
{
    mem_free(sync->sectors);
    mem_free(sync->bytes);
    *sync = (struct sim_sync){0};
}

/* ---- power cut */

struct cut_style {
    int32_t keep_percent; /* of sectors and sizes that were on their way */
    size_t sectors_at_once;
};

/* What size is found afterwards: the synced one, the last one, or (when it grew) one of a
 * page's border in between. */
static int64_t cut_size(const struct sim_inode *inode, const struct cut_style *style,
                        struct sim *sim)
{
    if (inode->size == inode->platter_size && inode->size_min == inode->size)
        return inode->size;
    if (!sim_percent(sim, style->keep_percent))
        return inode->platter_size;
    int64_t borders = inode->size / SIM_PAGE_BYTES - inode->platter_size / SIM_PAGE_BYTES;
    if (inode->size > inode->platter_size && borders > 0 && sim_percent(sim, 50))
        return (inode->size / SIM_PAGE_BYTES - sim_draw(sim, 0, borders - 1)) * SIM_PAGE_BYTES;
    return inode->size;
}

static void cut_content(struct sim_inode *inode, const struct cut_style *style, struct sim *sim)
{
    inode_check(inode);
    int64_t size = cut_size(inode, style, sim);
    bool is_old = size == inode->platter_size && size != inode->size;
    int64_t reach = inode->size; /* dirty sectors above cannot have reached the platter */
    if (is_old) {
        sim_count(sim, SIM_FAULT_LOST_SIZE);
        if (inode->size_min < inode->platter_size)
            reach = inode->size_min / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
    } else {
        set_platter_size(inode, size);
    }
    size_t kept = 0;
    size_t lost = 0;
    bool keep = false;
    for (size_t s = 0; s < sectors_in(inode->size); s++) {
        if (s % style->sectors_at_once == 0)
            keep = sim_percent(sim, style->keep_percent);
        if (!inode->dirty[s])
            continue;
        if (keep && (int64_t)s * SIM_SECTOR_BYTES < MIN(reach, size)) {
            put_sector(inode, s, inode->cache + s * SIM_SECTOR_BYTES);
            kept++;
        } else {
            lost++;
        }
    }
    sim->faults[SIM_FAULT_LOST_SECTOR] += (int64_t)lost;
    if (lost > 0 && kept > 0)
        sim_count(sim, SIM_FAULT_TORN_FILE);
    sim_trace(sim, "cut file", inode->id, lost, (uint64_t)size);
}

/* From now on the cache is what the platter has. */
static void settle(struct sim_disk *disk, struct sim_inode *inode)
{
    disk->used_bytes += inode->platter_size - inode->size;
    if (inode->capacity > 0) {
        memcpy(inode->cache, inode->platter, (size_t)inode->capacity);
        memset(inode->dirty, 0, sector_of(inode->capacity));
    }
    inode->size = inode->platter_size;
    inode->size_min = inode->size;
    inode->cuts++;
}

static void inode_free(struct sim_disk *disk, struct sim_inode *inode)
{
    disk->used_bytes -= inode->size;
    list_remove(&inode->link);
    sim_names_free(inode);
    mem_free(inode->cache);
    mem_free(inode->platter);
    mem_free(inode->dirty);
    mem_free(inode);
}

/* Frees what no name leads to. */
static void collect(struct sim_disk *disk)
{
    LIST_FOR_EACH (node, &disk->inodes)
        container_of(node, struct sim_inode, link)->is_reached = false;
    disk->root->is_reached = true;
    for (bool is_new = true; is_new;) { /* one round a level of directories */
        is_new = false;
        LIST_FOR_EACH (node, &disk->inodes) {
            struct sim_inode *dir = container_of(node, struct sim_inode, link);
            for (size_t i = 0; dir->is_reached && i < dir->names.count; i++) {
                struct sim_inode *inode = dir->names.items[i].value;
                is_new = is_new || !inode->is_reached;
                inode->is_reached = true;
            }
        }
    }
    LIST_FOR_EACH_SAFE (node, &disk->inodes) {
        struct sim_inode *inode = container_of(node, struct sim_inode, link);
        if (!inode->is_reached)
            inode_free(disk, inode);
    }
}

void sim_disk_power_cut(struct sim_disk *disk, struct sim *sim)
{
    static const int32_t keeps[] = {0, 0, 100, 50, 90, 10};
    struct cut_style style = {
        .keep_percent = keeps[sim_draw(sim, 0, (int64_t)ARRAY_COUNT(keeps) - 1)],
        .sectors_at_once = sim_percent(sim, 50) ? 1 : SIM_PAGE_BYTES / SIM_SECTOR_BYTES,
    };
    LIST_FOR_EACH (node, &disk->inodes) {
        struct sim_inode *inode = container_of(node, struct sim_inode, link);
        if (!inode->is_dir) {
            cut_content(inode, &style, sim);
            settle(disk, inode);
            continue;
        }
        size_t ops = inode->op_count;
        size_t kept = ops;
        if (ops > 0 && !sim_percent(sim, style.keep_percent))
            kept = (size_t)sim_draw(sim, 0, (int64_t)ops);
        for (size_t i = kept; i < ops; i++)
            sim_count(sim, SIM_FAULT_LOST_NAME);
        sim_names_cut(inode, kept);
    }
    sim_disk_drop_locks(disk);
    collect(disk);
}

bool sim_inode_flip(struct sim_inode *inode, struct sim *sim)
{
    inode_check(inode);
    int64_t size = MIN(inode->size, inode->platter_size);
    if (size == 0)
        return false;
    return sim_inode_flip_at(inode, sim_draw(sim, 0, size - 1), sim);
}

bool sim_inode_flip_at(struct sim_inode *inode, int64_t pos, struct sim *sim)
{
    if (pos >= MIN(inode->size, inode->platter_size))
        return false;
    uint8_t bit = (uint8_t)(1u << sim_draw(sim, 0, 7));
    inode->cache[pos] ^= bit;
    inode->platter[pos] ^= bit;
    sim_count(sim, SIM_FAULT_BIT_FLIP);
    sim_trace(sim, "flip", inode->id, (uint64_t)pos, bit);
    return true;
}

void sim_disk_drop_locks(struct sim_disk *disk)
{
    LIST_FOR_EACH (node, &disk->inodes)
        container_of(node, struct sim_inode, link)->owner = NULL;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (disk == NULL)
        return;
    while (!list_is_empty(&disk->inodes))
        inode_free(disk, container_of(disk->inodes.next, struct sim_inode, link));
    mem_free(disk);
}
