// SPDX-License-Identifier: Apache-2.0
/*
 * world_retention: the phase in which nothing happens until all that retention does not want has
 * gone; then a look at the broker's disk.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "check.h"
#include "world.h"

static bool is_never(const struct world *w)
{
    return false;
}

static int by_offset(const void *a, const void *b)
{
    const struct history_file *x = a, *y = b;
    return (x->base_offset > y->base_offset) - (x->base_offset < y->base_offset);
}

struct gathering {
    struct history_files files;
    struct sim_disk *disk;
    const char *dir;
};

static void gather(void *arg, const char *name, bool is_dir)
{
    struct gathering *g = arg;
    char path[256];
    const char *dot = strchr(name, '.');
    if (dot == NULL || is_dir)
        return;
    g->files.deleted_count += strstr(name, ".deleted") != NULL;
    if (strcmp(dot, ".log") != 0)
        return;
    ASSERT(g->files.count < HISTORY_FILES_MAX);
    snprintf(path, sizeof(path), "%s/%s", g->dir, name);
    g->files.items[g->files.count++] = (struct history_file){
        .base_offset = strtoll(name, NULL, 10), .size = sim_disk_find(g->disk, path)->size};
}

static bool find_dir(struct world *w, const struct history_partition *p, char *out, size_t size)
{
    static const char *const dirs[] = {"/data", "/data-2", "/data-3"};
    for (size_t i = 0; i < ARRAY_COUNT(dirs); i++) {
        snprintf(out, size, "%s/%s-%d", dirs[i], p->topic, p->index);
        if (sim_disk_find(w->disk, out) != NULL)
            return true;
    }
    return false;
}

static void look_at(struct world *w, uint32_t partition)
{
    char dir[200];
    struct gathering *g = mem_alloc(sizeof(*g));
    g->disk = w->disk;
    g->dir = dir;
    if (!find_dir(w, &w->history.partitions[partition], dir, sizeof(dir))) {
        history_fail(&w->history, "retention", "a partition has no directory");
    } else {
        enum err e = sim_disk_list(w->disk, dir, gather, g);
        ASSERT(e == ERR_OK);
        if (g->files.count > 1)
            qsort(g->files.items, g->files.count, sizeof(g->files.items[0]), by_offset);
        check_retention_on_files(&w->history, partition, &g->files);
    }
    mem_free(g);
}

void world_settle(struct world *w)
{
    if (w->settle_s == 0)
        return;
    (void)world_run_until(w, is_never, w->settle_s);
    for (uint32_t i = 0; i < w->history.partition_count && !w->history.has_failed; i++)
        look_at(w, i);
}
