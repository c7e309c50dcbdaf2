// SPDX-License-Identifier: Apache-2.0
/*
 * world_move: who moves partitions between log directories; and when all moves have ended, a look
 * at the broker's disk: every partition has one directory with its name, that of which the broker
 * says so, and nothing is left of the moves.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "world.h"

#define CHECKER "a partition has one place"

enum { MOVES_MAX_S = 60, LOOK_MAX_S = 10, LEAVING_S = 70, LEAVING_PERCENT = 30 };

void world_add_mover(struct world *w, const struct mover_options *options)
{
    ASSERT(w->mover_count < WORLD_CLIENTS_MAX);
    w->movers[w->mover_count].client = world_client_of_all(w);
    w->movers[w->mover_count++].options = *options;
}

void world_movers_start(struct world *w)
{
    for (uint32_t i = 0; i < w->mover_count; i++) {
        struct mover_options *options = &w->movers[i].options;
        for (uint32_t a = 0; a < w->admin_count; a++) {
            for (uint32_t k = 0; k < w->admins[a].topic_count; k++)
                options->topics[options->topic_count++] = w->admins[a].topics[k].topic;
        }
        ASSERT(options->topic_count <= MOVER_TOPICS_MAX);
        mover_start(&w->movers[i].mover, &w->movers[i].client, options);
    }
}

void world_movers_calm(struct world *w)
{
    for (uint32_t i = 0; i < w->mover_count; i++)
        mover_calm(&w->movers[i].mover);
}

bool world_movers_are_done(const struct world *w)
{
    for (uint32_t i = 0; i < w->mover_count; i++) {
        if (!mover_is_done(&w->movers[i].mover))
            return false;
    }
    return true;
}

void world_movers_stop(struct world *w)
{
    for (uint32_t i = 0; i < w->mover_count; i++)
        mover_stop(&w->movers[i].mover);
}

/* ---- the disk */

struct counting {
    const char *name;
    const char *suffix;
    uint32_t count;
};

static void count_name(void *arg, const char *name, bool is_dir)
{
    struct counting *c = arg;
    size_t len = strlen(name);
    if (c->name != NULL
            ? strcmp(name, c->name) == 0
            : len > strlen(c->suffix) && strcmp(name + len - strlen(c->suffix), c->suffix) == 0)
        c->count++;
}

/* In all log directories, or in one. */
static uint32_t count_dirs(const struct world *w, struct counting counting, int dir)
{
    for (unsigned i = 0; i < w->swarm.log_dirs; i++) {
        if (dir >= 0 && (int)i != dir)
            continue;
        enum err e = sim_disk_list(w->disk, mover_dir_path(i), count_name, &counting);
        ASSERT(e == ERR_OK);
    }
    return counting.count;
}

static uint32_t count_suffix(const struct world *w, const char *suffix)
{
    return count_dirs(w, (struct counting){.suffix = suffix}, -1);
}

static bool moves_are_over(const struct world *w)
{
    return w->process != NULL && process_state(w->process) == PROCESS_READY &&
           process_moves(w->process) == 0 && count_suffix(w, "-future") == 0;
}

static bool has_all_left(const struct world *w)
{
    return count_suffix(w, "-delete") == 0;
}

static bool has_been_told(const struct world *w)
{
    return mover_is_done(&w->looker);
}

/* Asks where all partitions are. */
static void look(struct world *w)
{
    struct client_options client = world_client_of_all(w);
    mover_start(&w->looker, &client, &w->movers[0].options);
    mover_calm(&w->looker);
    if (!world_run_until(w, has_been_told, LOOK_MAX_S))
        world_fail(w, "nobody says where partitions are", "");
    mover_stop(&w->looker);
}

static void check_partition(struct world *w, const struct history_partition *p)
{
    char name[HISTORY_NAME_SIZE + 16];
    snprintf(name, sizeof(name), "%s-%d", p->topic, p->index);
    uint32_t count = count_dirs(w, (struct counting){.name = name}, -1);
    if (count != 1)
        history_fail(&w->history, CHECKER, "%s has %u directories", name, count);
}

static bool is_lasting(const struct world *w, const struct mover_place *place)
{
    for (uint32_t i = 0; i < w->history.partition_count; i++) {
        const struct history_partition *p = &w->history.partitions[i];
        if (p->index == place->index && strcmp(p->topic, place->topic) == 0)
            return true;
    }
    return false;
}

/* What the broker has said last is what the disk says. The admins' topics may have gone since. */
static void check_told(struct world *w)
{
    const struct mover *m = &w->looker;
    uint32_t lasting = 0;
    for (uint32_t i = 0; i < m->place_count && m->place_count < MOVER_PLACES_MAX; i++) {
        const struct mover_place *place = &m->places[i];
        char name[HISTORY_NAME_SIZE + 16];
        snprintf(name, sizeof(name), "%s-%d", place->topic, place->index);
        if (!is_lasting(w, place))
            continue;
        lasting++;
        if (count_dirs(w, (struct counting){.name = name}, (int)place->dir) != 1)
            history_fail(&w->history, CHECKER, "%s is not in %s, where the broker says", name,
                         mover_dir_path(place->dir));
    }
    if (lasting != w->history.partition_count)
        history_fail(&w->history, CHECKER, "the broker says where %u of %u partitions are", lasting,
                     w->history.partition_count);
}

void world_settle_moves(struct world *w)
{
    if (w->mover_count == 0)
        return;
    if (!world_run_until(w, moves_are_over, MOVES_MAX_S))
        world_fail(w, "moves do not end", "");
    for (uint32_t i = 0; i < w->history.partition_count && !w->has_failed; i++)
        check_partition(w, &w->history.partitions[i]);
    if (!w->has_failed)
        look(w);
    if (!w->has_failed)
        check_told(w);
    if (!w->has_failed && sim_percent(w->sim, LEAVING_PERCENT) &&
        !world_run_until(w, has_all_left, LEAVING_S))
        world_fail(w, "directories that partitions have left stay", "");
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}
