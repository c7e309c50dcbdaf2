// SPDX-License-Identifier: Apache-2.0
/* workload_groups: consumers in groups, and others that keep offsets there. Thread: one. */
#include <stdio.h>

#include "world.h"

enum { BATCHES = 600, COMMITS = 600, RECORD_BYTES = 100, SEGMENT_BYTES = 1 << 20 };

static void add_topics(struct world *w)
{
    int64_t count = sim_draw(w->sim, 1, 2);
    w->record_bytes_max = RECORD_BYTES;
    for (int64_t i = 0; i < count; i++) {
        char name[HISTORY_NAME_SIZE];
        snprintf(name, sizeof(name), "topic-%lld", (long long)i);
        world_add_topic(w, &(struct world_topic_options){
                               .name = name,
                               .partitions = (int32_t)sim_draw(w->sim, 1, 4),
                               .is_durable = true, /* a committed offset stays in range */
                               .segment_bytes = SEGMENT_BYTES,
                           });
    }
}

static void add_members(struct world *w, uint32_t group, const struct swarm_groups *drawn)
{
    int64_t count = sim_draw(w->sim, 1, 4);
    for (int64_t i = 0; i < count; i++) {
        struct member_options options = drawn->member;
        options.group = group;
        options.is_static = sim_percent(w->sim, drawn->static_percent);
        world_add_member(w, &options);
    }
}

static void set_up(struct world *w)
{
    swarm_draw_groups(w->sim, &w->swarm.groups);
    w->swarm.log_dirs = (unsigned)sim_draw(w->sim, 1, 3);
    w->history.groups.may_reload = w->swarm.groups.disk_error_ppm > 0 ||
                                   w->swarm.groups.full_interval_ns > 0 ||
                                   w->swarm.full_interval_ns > 0;
    add_topics(w);
    if (w->swarm.groups.offsets_segment_bytes > 0)
        world_add_offsets_topic(w, w->swarm.groups.offsets_partitions,
                                w->swarm.groups.offsets_segment_bytes);
    int64_t producers = sim_draw(w->sim, 1, 2);
    for (int64_t i = 0; i < producers; i++) {
        struct producer_options options = world_random_producer(w);
        options.acks = -1;
        options.batches = (unsigned)(BATCHES / producers / w->history.partition_count + 1);
        world_add_producer(w, &options);
    }
    int64_t groups = sim_draw(w->sim, 1, 3);
    for (int64_t i = 0; i < groups; i++) {
        char name[GROUP_NAME_SIZE];
        snprintf(name, sizeof(name), "group-%lld", (long long)i);
        add_members(w, world_add_group(w, name), &w->swarm.groups);
    }
    if (sim_percent(w->sim, 70))
        world_add_committer(w, world_add_group(w, "offsets"));
    w->groups.commits_wanted = COMMITS;
}

const struct workload workload_groups = {"groups", set_up};
