// SPDX-License-Identifier: Apache-2.0
/* group_history: see group_history.h. Thread: one. */
#include "group_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "check.h"
#include "history.h"

enum { COMMIT_NONE = -1 };

void history_groups_deinit(struct history *h)
{
    for (uint32_t i = 0; i < h->groups.count; i++)
        mem_free(h->groups.items[i].generations);
    mem_free(h->groups.items);
    mem_free(h->groups.commits);
    h->groups = (struct history_groups){0};
}

uint32_t history_add_group(struct history *h, const char *name)
{
    struct history_groups *groups = &h->groups;
    groups->items = mem_realloc(groups->items, (groups->count + 1) * sizeof(*groups->items));
    struct history_group *group = &groups->items[groups->count];
    *group = (struct history_group){.written_generation = -1, .formed_generation = -1};
    snprintf(group->name, sizeof(group->name), "%s", name);
    return groups->count++;
}

void history_groups_broker_starts(struct history *h)
{
    h->groups.clock++;
    for (uint32_t i = 0; i < h->groups.commit_count; i++) {
        struct history_commit *commit = &h->groups.commits[i];
        if (commit->end == COMMIT_NOT_ENDED)
            commit->end = h->groups.clock;
    }
}

/* ---- generations */

struct history_group_view history_group_view(const struct history *h, uint32_t group)
{
    const struct history_group *g = &h->groups.items[group];
    bool is_same_life = g->formed_starts == h->starts && !h->groups.may_reload;
    return (struct history_group_view){
        .is_kept = g->is_kept,
        .generation =
            is_same_life ? MAX(g->written_generation, g->formed_generation) : g->written_generation,
        .starts = h->starts,
    };
}

/* An empty group without offsets may be forgotten, and begins again with its next member. */
void history_generation_told(struct history *h, uint32_t group,
                             const struct history_group_view *view, int32_t generation,
                             bool is_written)
{
    struct history_group *g = &h->groups.items[group];
    if (!view->is_kept)
        return;
    check_generation_on_told(h, group, view, generation);
    if (is_written)
        g->written_generation = MAX(g->written_generation, generation);
    if (view->starts != h->starts)
        return;
    if (g->formed_starts != h->starts)
        g->formed_generation = -1;
    g->formed_starts = h->starts;
    g->formed_generation = MAX(g->formed_generation, generation);
}

static struct history_generation *generation_of(struct history_group *g, int32_t generation,
                                                uint32_t nonce)
{
    for (uint32_t i = g->generation_count; i > 0; i--) {
        if (g->generations[i - 1].generation == generation)
            return &g->generations[i - 1];
    }
    g->generations =
        mem_realloc(g->generations, (g->generation_count + 1) * sizeof(*g->generations));
    struct history_generation *new = &g->generations[g->generation_count++];
    *new = (struct history_generation){.generation = generation, .nonce = nonce};
    return new;
}

void history_assigned(struct history *h, uint32_t group, const struct history_group_view *view,
                      const struct history_assignment *assignment)
{
    struct history_group *g = &h->groups.items[group];
    history_generation_told(h, group, view, assignment->generation, true);
    if (!view->is_kept)
        return;
    struct history_generation *told = generation_of(g, assignment->generation, assignment->nonce);
    check_owner_on_assigned(h, group, told, assignment);
    for (uint32_t i = 0; i < assignment->count; i++)
        told->owners[assignment->partitions[i]] = assignment->owner + 1;
}

/* ---- commits */

uint32_t history_commit_sent(struct history *h, const struct history_new_commit *options)
{
    struct history_groups *groups = &h->groups;
    ASSERT(options->group < groups->count && options->partition < GROUP_PARTITIONS_MAX);
    if (groups->commit_count == groups->commit_capacity) {
        groups->commit_capacity = MAX(groups->commit_capacity * 2, 256u);
        groups->commits =
            mem_realloc(groups->commits, groups->commit_capacity * sizeof(*groups->commits));
    }
    groups->commits[groups->commit_count] = (struct history_commit){
        .group = options->group,
        .partition = options->partition,
        .is_deletion = options->is_deletion,
        .expires = options->expires,
        .offset = options->offset,
        .leader_epoch = options->leader_epoch,
        .begin = ++groups->clock,
        .end = COMMIT_NOT_ENDED,
    };
    groups->items[options->group].expires |= options->expires;
    return groups->commit_count++;
}

void history_commit_text(uint32_t commit, char out[COMMIT_TEXT_SIZE])
{
    snprintf(out, COMMIT_TEXT_SIZE, "c%u", commit);
}

static void ended(struct history *h, struct history_commit *commit)
{
    h->groups.clock++;
    if (commit->end == COMMIT_NOT_ENDED)
        commit->end = h->groups.clock;
}

static void is_known_done(struct history *h, const struct history_commit *commit)
{
    struct history_group *g = &h->groups.items[commit->group];
    g->floors[commit->partition] = MAX(g->floors[commit->partition], commit->begin);
}

void history_commit_acked(struct history *h, uint32_t number)
{
    struct history_commit *commit = &h->groups.commits[number];
    ASSERT(commit->state == COMMIT_SENT);
    commit->state = COMMIT_ACKED;
    ended(h, commit);
    is_known_done(h, commit);
    if (!commit->is_deletion && !commit->expires)
        h->groups.items[commit->group].is_kept = true;
}

void history_commit_unknown(struct history *h, uint32_t number)
{
    ASSERT(h->groups.commits[number].state == COMMIT_SENT);
    h->groups.commits[number].state = COMMIT_UNKNOWN;
}

void history_commit_refused(struct history *h, uint32_t number)
{
    struct history_commit *commit = &h->groups.commits[number];
    ASSERT(commit->state == COMMIT_SENT);
    commit->state = COMMIT_REFUSED;
    ended(h, commit);
}

struct history_committed_view history_committed_view(const struct history *h, uint32_t group,
                                                     uint32_t partition)
{
    return (struct history_committed_view){h->groups.items[group].floors[partition],
                                           h->groups.clock};
}

/* What was over when this was asked is gone, and stays so. */
static void seen_gone(struct history *h, const struct history_committed *seen)
{
    h->groups.clock++;
    for (uint32_t i = 0; i < h->groups.commit_count; i++) {
        struct history_commit *commit = &h->groups.commits[i];
        if (commit->group == seen->group && commit->partition == seen->partition &&
            commit->end <= seen->view.asked && commit->gone == 0)
            commit->gone = h->groups.clock;
    }
}

/* Which commit this metadata is of; -1: none that was ever sent. */
static int64_t recognise(const struct history *h, const struct history_committed *seen)
{
    char text[COMMIT_TEXT_SIZE];
    if (seen->metadata_len < 2 || seen->metadata_len >= sizeof(text) || seen->metadata[0] != 'c')
        return COMMIT_NONE;
    memcpy(text, seen->metadata, seen->metadata_len);
    text[seen->metadata_len] = '\0';
    char *end;
    unsigned long number = strtoul(text + 1, &end, 10);
    return *end == '\0' && number < h->groups.commit_count ? (int64_t)number : COMMIT_NONE;
}

void history_committed_seen(struct history *h, const struct history_committed *seen)
{
    int64_t number = seen->is_none ? COMMIT_NONE : recognise(h, seen);
    check_committed_on_seen(h, seen, number);
    if (seen->is_none)
        seen_gone(h, seen);
    if (number == COMMIT_NONE || h->has_failed)
        return;
    struct history_commit *commit = &h->groups.commits[number];
    ended(h, commit);
    is_known_done(h, commit);
}
