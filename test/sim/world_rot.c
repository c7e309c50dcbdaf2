// SPDX-License-Identifier: Apache-2.0
/*
 * world_rot: bits change on the disk while the broker is off, in what was synced, below the
 * recovery point mostly. What may happen to a partition whose files they are in: its log says so
 * (offline, cut, missing offsets), or whoever reads is told by an error, or sees it himself by a
 * checksum that does not fit, a hole in the offsets or an overlap (a batch's base offset is covered
 * by no checksum in Kafka's format). What may not: that a record is another one than before and
 * nothing shows it, that the end is gone and nobody was told, or that any other partition is
 * touched.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "env/logger.h"
#include "world.h"

enum { FLIPS_MAX = 10, TRIES = 20, PATH_BYTES = 400, LOG_PERCENT = 60 };

#define CHECKER "rot is told"

static void on_line(void *arg, int level, const char *line)
{
    struct world *w = arg;
    for (uint32_t i = 0; i < w->history.partition_count && level <= LOG_WARN; i++) {
        struct history_partition *p = &w->history.partitions[i];
        char name[HISTORY_NAME_SIZE + 16];
        snprintf(name, sizeof(name), "%s-%d", p->topic, p->index);
        const char *at = strstr(line, name);
        if (at != NULL && (at[strlen(name)] == ':' || at[strlen(name)] == ' '))
            p->is_reported = true;
    }
}

struct sim_inode *world_dir_of(const struct world *w, const struct history_partition *p)
{
    static const char *const dirs[] = {"data", "data-2", "data-3"};
    struct sim_inode *found = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(dirs) && found == NULL; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof(path), "%s/%s-%d", dirs[i], p->topic, p->index);
        found = sim_disk_find(w->disk, path);
    }
    return found;
}

bool world_is_log(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

/* Any, or the newest segment, of which some may lie above the recovery point. */
static const struct name_list_entry *pick_file(struct sim *sim, const struct name_list *names)
{
    const struct name_list_entry *newest = NULL;
    bool wants_newest = sim_percent(sim, 50);
    for (size_t i = 0; i < names->count && wants_newest; i++) {
        const struct name_list_entry *entry = &names->items[i];
        if (world_is_log(entry->name) && (newest == NULL || strcmp(entry->name, newest->name) > 0))
            newest = entry;
    }
    return newest != NULL ? newest : &names->items[sim_draw(sim, 0, (int64_t)names->count - 1)];
}

static void flip_one(struct world *w)
{
    struct history *h = &w->history;
    bool wants_log = sim_percent(w->sim, LOG_PERCENT);
    for (int i = 0; i < TRIES; i++) {
        struct history_partition *p =
            &h->partitions[sim_draw(w->sim, 0, (int64_t)h->partition_count - 1)];
        const struct sim_inode *dir = world_dir_of(w, p);
        if (dir == NULL || dir->names.count == 0)
            continue;
        const struct name_list_entry *entry = pick_file(w->sim, &dir->names);
        struct sim_inode *file = entry->value;
        if (file->is_dir || world_is_log(entry->name) != wants_log || !sim_inode_flip(file, w->sim))
            continue;
        p->is_rotten = true;
        return;
    }
}

static void judge(struct world *w)
{
    for (uint32_t i = 0; i < w->history.partition_count; i++) {
        const struct consumer_partition *part = &w->auditor.partitions[i];
        const struct history_partition *p = &w->history.partitions[part->partition];
        if (p->audit_end < 0 || part->is_given_up || part->end >= p->audit_end)
            continue;
        if (!p->is_rotten)
            history_fail(&w->history, CHECKER,
                         "%s-%d ended at %lld and ends at %lld, and no bit of it changed", p->topic,
                         p->index, (long long)p->audit_end, (long long)part->end);
        else if (!p->is_reported)
            history_fail(&w->history, CHECKER,
                         "%s-%d ended at %lld and ends at %lld, and nobody says so", p->topic,
                         p->index, (long long)p->audit_end, (long long)part->end);
    }
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}

void world_rot(struct world *w)
{
    ASSERT(w->process == NULL);
    if (w->history.partition_count == 0 || !w->swarm.has_rot)
        return;
    w->history.is_auditing = false;
    w->sim->on_line = on_line;
    w->sim->on_line_arg = w;
    for (int64_t flips = sim_draw(w->sim, 1, FLIPS_MAX); flips > 0; flips--)
        flip_one(w);
    if (world_start_broker(w) && world_read_all(w))
        judge(w);
}
