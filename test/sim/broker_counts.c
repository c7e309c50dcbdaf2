// SPDX-License-Identifier: Apache-2.0
/* broker_counts: see broker_counts.h. Thread: one. */
#include "broker_counts.h"

#include <string.h>

#include "base/assert.h"
#include "broker/broker_stats.h"
#include "log/partition_log_private.h"
#include "log/scrub.h"
#include "replica/cleaner_private.h"
#include "replica/partition_private.h"
#include "replica/replica_move_private.h"

void broker_count(const struct broker *broker, struct broker_counts *out)
{
    const struct journal_stats *journal = broker_journal_stats(broker);
    const struct cleaner_stats *cleaner = replica_set_cleaner_stats(broker_replicas(broker));
    int64_t moves = 0;
    struct replica_set_counts replicas;
    replica_set_counts(broker_replicas(broker), &replicas);
    LIST_FOR_EACH (node, &broker_replicas(broker)->moves->all)
        moves++;
    *out = (struct broker_counts){
        .offline = replicas.offline,
        .journal_rotations = (int64_t)atomic_load(&journal->rotations),
        .journal_replays = (int64_t)atomic_load(&journal->replayed),
        .journal_held = (int64_t)atomic_load(&journal->held),
        .compactions = cleaner != NULL ? (int64_t)atomic_load(&cleaner->rounds) : 0,
        .scrub_rounds =
            (int64_t)atomic_load(&replica_set_scrub_stats(broker_replicas(broker))->rounds),
        .moves = moves,
    };
}

bool broker_cleaned(struct broker *broker, const char *topic, int32_t index, int64_t *clean_end,
                    int64_t *log_end)
{
    const struct replica_set *set = broker_replicas(broker);
    MAP_FOR_EACH (node, &set->table) {
        const struct replica *replica = container_of(node, struct replica, node);
        if (replica->index != index || strcmp(replica->topic, topic) != 0 ||
            replica->cleaned == NULL)
            continue;
        *clean_end = replica->cleaned->first_dirty;
        *log_end = replica->partition->log->written.offset;
        return true;
    }
    return false;
}

struct rot_search {
    void (*each)(void *arg, const struct broker_rot *rot);
    void *arg;
};

static void list_rot(void *arg, struct partition *p)
{
    enum { PLACES_MAX = 100 };
    const struct rot_search *search = arg;
    struct log_rot places[PLACES_MAX];
    size_t count = partition_log_list_rot(p->log, places, PLACES_MAX);
    ASSERT(count <= PLACES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (places[i].place.error != ERR_CORRUPT)
            continue; /* the disk did not give it */
        struct broker_rot rot = {
            .topic = p->topic,
            .index = p->index,
            .segment_base = places[i].segment_base,
            .pos = places[i].place.pos,
            .end = places[i].place.end,
            .end_offset = places[i].place.end_offset,
        };
        search->each(search->arg, &rot);
    }
}

void broker_each_rot(struct broker *broker, void (*each)(void *arg, const struct broker_rot *rot),
                     void *arg)
{
    struct rot_search search = {each, arg};
    replica_set_each(broker_replicas(broker), list_rot, &search);
}

struct segment_search {
    const char *topic;
    int32_t index;
    int64_t segment_base;
    int64_t end_offset;
    bool is_scrubbed;
};

static void look_for_segment(void *arg, struct partition *p)
{
    struct segment_search *search = arg;
    if (p->index != search->index || strcmp(p->topic, search->topic) != 0 ||
        p->state != PARTITION_LEADING || search->end_offset <= p->log->log_start)
        return;
    struct scrub_target target;
    if (!partition_log_scrub_next(p->log, search->segment_base, &target))
        return;
    search->is_scrubbed = target.segment->base_offset == search->segment_base;
    segment_unref(target.segment);
}

bool broker_scrubs(struct broker *broker, const char *topic, int32_t index, int64_t segment_base,
                   int64_t end_offset)
{
    struct segment_search search = {topic, index, segment_base, end_offset, false};
    replica_set_each(broker_replicas(broker), look_for_segment, &search);
    return search.is_scrubbed;
}
