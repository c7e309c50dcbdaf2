// SPDX-License-Identifier: Apache-2.0
/*
 * world_groups: what a world does with its groups: members and committers start, go on while
 * faults happen, have to converge once these stop, and the coordinator has to be the same after
 * one more restart.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "check.h"
#include "world.h"

/* Longer than the longest session, and two rounds of joining with it. */
enum { CONVERGE_MAX_S = 30, INSPECT_MAX_S = 10, OUTLIVE_MARGIN_S = 3 };

uint32_t world_add_group(struct world *w, const char *name)
{
    ASSERT(w->history.groups.count < INSPECTOR_GROUPS_MAX);
    return history_add_group(&w->history, name);
}

void world_add_member(struct world *w, const struct member_options *options)
{
    ASSERT(w->groups.member_count < WORLD_CLIENTS_MAX);
    uint32_t index = w->groups.member_count++;
    w->groups.members[index].client = world_client_of_all(w);
    w->groups.members[index].options = *options;
    w->groups.members[index].options.number = index;
}

void world_add_committer(struct world *w, uint32_t group)
{
    ASSERT(w->groups.committer_count < WORLD_CLIENTS_MAX);
    uint32_t index = w->groups.committer_count++;
    w->groups.committers[index].client = world_client_of_all(w);
    w->groups.committers[index].group = group;
}

void world_groups_start(struct world *w)
{
    for (uint32_t i = 0; i < w->groups.member_count; i++)
        member_start(&w->groups.members[i].member, &w->groups.members[i].client,
                     &w->groups.members[i].options);
    for (uint32_t i = 0; i < w->groups.committer_count; i++)
        committer_start(&w->groups.committers[i].committer, &w->groups.committers[i].client,
                        w->groups.committers[i].group, w->swarm.groups.retention_max_ms);
}

void world_groups_calm(struct world *w)
{
    for (uint32_t i = 0; i < w->groups.member_count; i++)
        member_calm(&w->groups.members[i].member);
    w->groups.converge_until_ns = w->sim->now_ns + CONVERGE_MAX_S * SIM_S;
}

void world_groups_stop(struct world *w)
{
    for (uint32_t i = 0; i < w->groups.member_count; i++)
        member_stop(&w->groups.members[i].member);
    for (uint32_t i = 0; i < w->groups.committer_count; i++)
        committer_stop(&w->groups.committers[i].committer);
}

/* ---- are they done? */

static uint32_t holders_of(const struct world *w, uint32_t group, struct history_holder *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->groups.member_count; i++) {
        const struct member *m = &w->groups.members[i].member;
        if (m->options.group == group && member_is_live(m))
            out[count++] = member_holds(m);
    }
    return count;
}

static bool is_converged(const struct world *w, uint32_t group)
{
    struct history_holder holders[WORLD_CLIENTS_MAX];
    uint32_t count = holders_of(w, group, holders);
    return check_converged_is(&w->history, holders, count);
}

/* When all is calm the dead stay dead: there may be nobody left who commits. */
static bool has_committers(const struct world *w)
{
    for (uint32_t i = 0; i < w->groups.member_count; i++) {
        if (member_is_live(&w->groups.members[i].member))
            return true;
    }
    return w->groups.committer_count > 0;
}

bool world_groups_have_worked(const struct world *w)
{
    return w->history.groups.acked_commits >= w->groups.commits_wanted || !has_committers(w);
}

static bool are_converged(const struct world *w)
{
    for (uint32_t i = 0; i < w->history.groups.count; i++) {
        if (!is_converged(w, i))
            return false;
    }
    return true;
}

bool world_groups_are_done(const struct world *w)
{
    if (!world_groups_have_worked(w) || !are_converged(w))
        return false;
    for (uint32_t i = 0; i < w->groups.member_count; i++) {
        const struct member *m = &w->groups.members[i].member;
        if (member_is_live(m) && !member_is_done(m))
            return false;
    }
    return true;
}

void world_groups_watch(struct world *w)
{
    if (w->phase != WORLD_HEALING || w->groups.has_converged || w->groups.member_count == 0)
        return;
    w->groups.has_converged = are_converged(w);
    if (w->groups.has_converged || w->sim->now_ns < w->groups.converge_until_ns)
        return;
    for (uint32_t i = 0; i < w->history.groups.count; i++) {
        struct history_holder holders[WORLD_CLIENTS_MAX];
        uint32_t count = holders_of(w, i, holders);
        check_converged_at_end(&w->history, i, holders, count);
    }
}

int world_groups_describe(const struct world *w, char *out, size_t size)
{
    int len = 0;
    for (uint32_t i = 0; i < w->history.groups.count && len < (int)size; i++) {
        if (!is_converged(w, i))
            len += snprintf(out + len, size - (size_t)len, " group %u", i);
    }
    for (uint32_t i = 0; i < w->groups.member_count && len < (int)size; i++) {
        const struct member *m = &w->groups.members[i].member;
        if (member_is_live(m) && !member_is_done(m))
            len += snprintf(out + len, size - (size_t)len, " member %u", i);
    }
    return MIN(len, (int)size);
}

/* ---- the restart */

static bool is_inspected(const struct world *w)
{
    return inspector_is_done(w->groups.inspector);
}

static void inspect(struct world *w, struct inspector *in)
{
    struct client_options client = world_client_of_all(w);
    w->groups.inspector = in;
    inspector_start(in, &client);
    if (!world_run_until(w, is_inspected, INSPECT_MAX_S))
        history_fail(&w->history, "replay equals live", "the groups cannot be looked at");
    inspector_stop(in);
}

static void compare(struct world *w, const struct inspector *before, const struct inspector *after)
{
    for (uint32_t i = 0; i < w->history.groups.count; i++) {
        const struct inspected_group *live = &before->groups[i], *read = &after->groups[i];
        if (w->history.groups.items[i].expires)
            continue; /* meanwhile */
        check_replay_on_restarted(&w->history, i, strbuf_text(&live->offsets),
                                  strbuf_text(&read->offsets));
        /* A group without anything may or may not be there. */
        bool is_nothing = !live->has_members && !live->has_offsets && !read->has_members;
        if (!live->is_moving && !is_nothing)
            check_replay_on_restarted(&w->history, i, strbuf_text(&live->members),
                                      strbuf_text(&read->members));
    }
}

static bool never(const struct world *w)
{
    return false;
}

/* All members are dead by now: their sessions began anew with the restart, and end. */
static void outlive(struct world *w)
{
    const struct member_options *member = &w->swarm.groups.member;
    int64_t most_ms = member->session_timeout_ms + 2 * (int64_t)member->rebalance_timeout_ms;
    struct inspector last;
    (void)world_run_until(w, never, most_ms / 1000 + OUTLIVE_MARGIN_S);
    inspect(w, &last);
    for (uint32_t i = 0; i < w->history.groups.count; i++)
        check_converged_is_empty(&w->history, i, last.groups[i].has_members);
    inspector_deinit(&last);
}

void world_groups_restart(struct world *w)
{
    struct inspector before, after;
    inspect(w, &before);
    if (!w->history.has_failed) {
        world_restart(w);
        inspect(w, &after);
        if (!w->history.has_failed)
            compare(w, &before, &after);
        if (!w->history.has_failed)
            outlive(w);
        inspector_deinit(&after);
    }
    inspector_deinit(&before);
}
