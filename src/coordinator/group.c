// SPDX-License-Identifier: Apache-2.0
/* group: see group.h. Thread: the shard's loop, or the one that loads it. */
#include "coordinator/group.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "coordinator/group_private.h"
#include "coordinator/group_subscription.h"

enum { WALK_SHARE = 16 }; /* members that one check may cost, over time */

const char *group_state_name(enum group_state state)
{
    static const char *const names[GROUP_STATE_COUNT] = {
        [GROUP_EMPTY] = "Empty",   [GROUP_PREPARING] = "PreparingRebalance",
        [GROUP_DEAD] = "Dead",     [GROUP_COMPLETING] = "CompletingRebalance",
        [GROUP_STABLE] = "Stable",
    };
    ASSERT(state < GROUP_STATE_COUNT);
    return names[state];
}

/* ---- invariants */

static void member_check(const struct group *group, const struct group_member *member)
{
    ASSERT(member->group == group && !member->is_pending);
    ASSERT(member->protocols != NULL);
    ASSERT(member->join == NULL || member->join->is_parked);
    ASSERT(member->sync == NULL || member->sync->is_parked);
    ASSERT(member->join == NULL || member->sync == NULL);
}

void group_check_counts(const struct group *group)
{
    int32_t members = 0, joining = 0, awaited = 0, instances = 0;
    bool has_leader = group->leader == NULL;
    LIST_FOR_EACH (node, &group->members) {
        const struct group_member *member = container_of(node, struct group_member, link);
        ASSERT(member->group == group && !member->is_pending);
        members++;
        joining += member->join != NULL;
        awaited += member->awaits_sync;
        instances += member->instance_id != NULL;
        has_leader |= group_is_leader(group, member);
    }
    ASSERT(members == group->member_count);
    ASSERT(joining == group->joining_count);
    ASSERT(awaited == group->awaited_syncs);
    ASSERT((size_t)instances == group->by_instance.count);
    ASSERT(group->pending_count >= 0);
    ASSERT(group->by_id.count == (size_t)members + (size_t)group->pending_count);
    ASSERT(has_leader);
}

void group_check_members(const struct group *group)
{
    group_check_counts(group);
    LIST_FOR_EACH (node, &group->members) {
        const struct group_member *member = container_of(node, struct group_member, link);
        member_check(group, member);
        ASSERT(member->sync == NULL || group->state == GROUP_COMPLETING);
    }
}

/* Each member of a large group joins and syncs in each round: if all were looked at each time, a
 * round would cost the square of the size. */
static bool is_walk_due(struct group *group)
{
    uint32_t every = (uint32_t)group->member_count / WALK_SHARE;
    if (++group->checks_since_walk < every)
        return false;
    group->checks_since_walk = 0;
    return true;
}

void group_check(struct group *group)
{
    bool has_members = group->member_count > 0;
    if (group->state == GROUP_DEAD)
        return;
    if (is_walk_due(group))
        group_check_members(group);
    ASSERT(group->joining_count <= group->member_count);
    ASSERT(group->awaited_syncs <= group->member_count);
    ASSERT(heap_contains(&group->join_timer.node) == (group->state == GROUP_PREPARING));
    ASSERT(group->joining_count == 0 || group->state == GROUP_PREPARING);
    ASSERT(!group->is_initial || group->state == GROUP_PREPARING);
    ASSERT(!group->is_unwritten || group->state == GROUP_EMPTY);
    ASSERT(heap_contains(&group->sync_timer.node) == (group->awaited_syncs > 0));
    switch (group->state) {
    case GROUP_EMPTY:
        ASSERT(!has_members && group->leader == NULL);
        break;
    case GROUP_PREPARING:
        ASSERT(group->awaited_syncs == 0);
        break;
    case GROUP_COMPLETING:
        ASSERT(has_members && group->leader != NULL && group->protocol != NULL);
        break;
    case GROUP_STABLE:
        ASSERT(has_members && group->protocol != NULL);
        break;
    case GROUP_DEAD:
    case GROUP_STATE_COUNT:
        ASSERT(false);
        break;
    }
}

/* ---- texts and bytes */

static char *copy_of(const void *data, int32_t len)
{
    ASSERT(len >= 0);
    char *copy = mem_try_zeroed((size_t)len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, data, (size_t)len);
    return copy;
}

bool group_text_set(char **to, struct wire_str text)
{
    char *copy = NULL;
    if (!wire_str_is_null(text)) {
        copy = copy_of(text.data, text.len);
        if (copy == NULL)
            return false;
    }
    mem_free(*to);
    *to = copy;
    return true;
}

bool group_bytes_set(struct group_bytes *to, struct wire_bytes bytes)
{
    struct group_bytes copy = {0};
    if (bytes.len > 0) {
        copy = (struct group_bytes){(uint8_t *)copy_of(bytes.data, bytes.len), bytes.len};
        if (copy.data == NULL)
            return false;
    }
    group_bytes_free(to);
    *to = copy;
    return true;
}

void group_bytes_free(struct group_bytes *bytes)
{
    mem_free(bytes->data);
    *bytes = (struct group_bytes){0};
}

/* ---- life */

struct group *group_new(struct group_shard *shard, struct wire_str id)
{
    ASSERT(id.len >= 0);
    struct group *group = mem_try_zeroed(sizeof(*group) + (size_t)id.len + 1);
    if (group == NULL)
        return NULL;
    group->shard = shard;
    group->state = GROUP_EMPTY;
    group->previous_state = GROUP_EMPTY;
    group->id_len = (uint32_t)id.len;
    if (id.len > 0)
        memcpy(group->id, id.data, (size_t)id.len);
    list_init(&group->members);
    map_init(&group->by_id);
    map_init(&group->by_instance);
    group->hash_seed = shard->hash_seed;
    offset_table_init(&group->offsets, shard->hash_seed);
    group->offsets.total = &shard->stats->offsets;
    group_stats_move(&shard->stats->groups[GROUP_EMPTY], 1);
    return group;
}

static void member_free(struct group_member *member)
{
    ASSERT(member->join == NULL && member->sync == NULL);
    mem_free(member->id);
    mem_free(member->instance_id);
    mem_free(member->client_id);
    mem_free(member->client_host);
    mem_free(member->protocols);
    group_bytes_free(&member->assignment);
    group_bytes_free(&member->next_assignment);
    mem_free(member);
}

void group_free(struct group *group)
{
    ASSERT(group->write_count == 0);
    group_stats_move(&group->shard->stats->groups[group->state], -1);
    MAP_FOR_EACH (node, &group->by_id) {
        map_remove(&group->by_id, node);
        member_free(container_of(node, struct group_member, by_id));
    }
    map_deinit(&group->by_id);
    map_deinit(&group->by_instance);
    offset_table_deinit(&group->offsets);
    group_event_unref(group->begun);
    group_event_unref(group->gone);
    mem_free(group->protocol_type);
    mem_free(group->protocol);
    mem_free(group->leader);
    mem_free(group);
}

static void change_state(struct group *group, enum group_state state)
{
    group_stats_move(&group->shard->stats->groups[group->state], -1);
    group_stats_move(&group->shard->stats->groups[state], 1);
    group->state = state;
}

void group_set_state(struct group *group, enum group_state state, int64_t now_wall_ms)
{
    static const bool is_allowed[GROUP_STATE_COUNT][GROUP_STATE_COUNT] = {
        [GROUP_EMPTY] = {[GROUP_PREPARING] = true, [GROUP_DEAD] = true},
        [GROUP_PREPARING] = {[GROUP_COMPLETING] = true, [GROUP_EMPTY] = true, [GROUP_DEAD] = true},
        [GROUP_COMPLETING] = {[GROUP_STABLE] = true, [GROUP_PREPARING] = true, [GROUP_DEAD] = true},
        [GROUP_STABLE] = {[GROUP_PREPARING] = true, [GROUP_DEAD] = true},
    };
    ASSERT(is_allowed[group->state][state]);
    if (group->state == GROUP_COMPLETING && state == GROUP_STABLE)
        group_stats_add(&group->shard->stats->rebalances, 1);
    group->previous_state = group->state;
    change_state(group, state);
    group->state_since_ms = now_wall_ms;
}

void group_load_state(struct group *group, enum group_state state)
{
    ASSERT(group->shard->is_loading && group->state != GROUP_DEAD);
    group->previous_state = GROUP_EMPTY;
    change_state(group, state);
}

/* ---- members */

static uint64_t hash_of(const struct group *group, struct wire_str text)
{
    return hash_bytes(group->hash_seed, text.data, (size_t)text.len);
}

static void index_member(struct group *group, struct group_member *member)
{
    map_insert(&group->by_id, &member->by_id, hash_of(group, wire_str_of(member->id)));
    if (member->instance_id != NULL)
        map_insert(&group->by_instance, &member->by_instance,
                   hash_of(group, wire_str_of(member->instance_id)));
}

struct group_member *group_add_member(struct group *group, const struct group_member_options *o)
{
    ASSERT(group_member_find(group, o->id) == NULL);
    ASSERT(!o->is_pending || wire_str_is_null(o->instance_id)); /* KIP-345: it has its id at once */
    struct group_member *member = mem_try_zeroed(sizeof(*member));
    if (member == NULL)
        return NULL;
    if (!group_text_set(&member->id, o->id) ||
        !group_text_set(&member->instance_id, o->instance_id) ||
        !group_text_set(&member->client_id, o->client_id) ||
        !group_text_set(&member->client_host, o->client_host)) {
        member_free(member);
        return NULL;
    }
    list_init(&member->link);
    member->group = group;
    member->session_timeout_ms = o->session_timeout_ms;
    member->rebalance_timeout_ms = o->rebalance_timeout_ms;
    member->is_pending = o->is_pending;
    index_member(group, member);
    if (o->is_pending) {
        group->pending_count++;
    } else {
        list_push_back(&group->members, &member->link);
        group->member_count++;
    }
    return member;
}

static void next_leader(struct group *group)
{
    mem_free(group->leader);
    group->leader = NULL;
    if (list_is_empty(&group->members))
        return;
    struct group_member *first = container_of(group->members.next, struct group_member, link);
    group->leader = mem_strdup(first->id);
}

void group_remove_member(struct group *group, struct group_member *member)
{
    ASSERT(member->group == group && member->join == NULL && member->sync == NULL);
    bool was_leader = group_is_leader(group, member);
    map_remove(&group->by_id, &member->by_id);
    if (member->instance_id != NULL)
        map_remove(&group->by_instance, &member->by_instance);
    if (member->awaits_sync)
        group->awaited_syncs--;
    if (member->is_pending) {
        group->pending_count--;
    } else {
        list_remove(&member->link);
        group->member_count--;
    }
    ASSERT(group->pending_count >= 0 && group->member_count >= 0 && group->awaited_syncs >= 0);
    member_free(member);
    if (was_leader)
        next_leader(group);
}

struct group_member *group_member_find(const struct group *group, struct wire_str id)
{
    if (id.len < 0)
        return NULL;
    for (struct map_node *node = map_first(&group->by_id, hash_of(group, id)); node != NULL;
         node = map_next_same(node)) {
        struct group_member *member = container_of(node, struct group_member, by_id);
        if (wire_str_is(id, member->id))
            return member;
    }
    return NULL;
}

struct group_member *group_static_member_find(const struct group *group, struct wire_str instance)
{
    if (instance.len < 0)
        return NULL;
    for (struct map_node *node = map_first(&group->by_instance, hash_of(group, instance));
         node != NULL; node = map_next_same(node)) {
        struct group_member *member = container_of(node, struct group_member, by_instance);
        if (wire_str_is(instance, member->instance_id))
            return member;
    }
    return NULL;
}

bool group_is_leader(const struct group *group, const struct group_member *member)
{
    return group->leader != NULL && strcmp(group->leader, member->id) == 0;
}

enum kerr group_check_member(const struct group *group, struct wire_str id,
                             struct wire_str instance_id, struct group_member **member)
{
    if (!wire_str_is_null(instance_id)) {
        const struct group_member *owner = group_static_member_find(group, instance_id);
        if (owner == NULL)
            return KERR_UNKNOWN_MEMBER_ID;
        if (!wire_str_is(id, owner->id))
            return KERR_FENCED_INSTANCE_ID;
    }
    struct group_member *found = group_member_find(group, id);
    if (found == NULL || found->is_pending)
        return KERR_UNKNOWN_MEMBER_ID;
    *member = found;
    return KERR_NONE;
}

/* ---- protocols */

bool group_member_set_protocols(struct group_member *member,
                                const struct join_group_request_protocol_array *protocols)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < protocols->count; i++)
        bytes +=
            (size_t)protocols->items[i].name.len + 1 + (size_t)protocols->items[i].metadata.len;
    struct group_protocols *own =
        mem_try_zeroed(sizeof(*own) + (size_t)protocols->count * sizeof(own->items[0]) + bytes);
    if (own == NULL)
        return false;
    own->count = protocols->count;
    char *at = (char *)&own->items[own->count];
    for (int32_t i = 0; i < own->count; i++) {
        struct wire_str name = protocols->items[i].name;
        struct wire_bytes metadata = protocols->items[i].metadata;
        if (name.len > 0)
            memcpy(at, name.data, (size_t)name.len);
        own->items[i].name = (struct wire_str){at, name.len};
        at += name.len + 1; /* the memory came zeroed: a NUL stands behind each name */
        if (metadata.len > 0)
            memcpy(at, metadata.data, (size_t)metadata.len);
        own->items[i].metadata = (struct wire_bytes){(const uint8_t *)at, metadata.len};
        at += metadata.len;
    }
    mem_free(member->protocols);
    member->protocols = own;
    return true;
}

bool group_member_replace(struct group_member *member, struct wire_str id,
                          const struct join_group_request_protocol_array *protocols)
{
    struct group *group = member->group;
    bool was_leader = group_is_leader(group, member);
    char *copy = NULL;
    if (!group_text_set(&copy, id))
        return false;
    if (!group_member_set_protocols(member, protocols)) {
        mem_free(copy);
        return false;
    }
    map_remove(&group->by_id, &member->by_id);
    mem_free(member->id);
    member->id = copy;
    map_insert(&group->by_id, &member->by_id, hash_of(group, wire_str_of(copy)));
    if (was_leader) {
        mem_free(group->leader);
        group->leader = mem_strdup(copy);
    }
    group_check_counts(group);
    return true;
}

bool group_member_supports_the_same(const struct group_member *member,
                                    const struct join_group_request_protocol_array *protocols)
{
    const struct group_protocols *own = member->protocols;
    if (own->count != protocols->count)
        return false;
    for (int32_t i = 0; i < own->count; i++) {
        const struct join_group_request_protocol *other = &protocols->items[i];
        struct wire_bytes metadata = own->items[i].metadata;
        if (!wire_str_equal(own->items[i].name, other->name) ||
            metadata.len != other->metadata.len ||
            (metadata.len > 0 &&
             memcmp(metadata.data, other->metadata.data, (size_t)metadata.len) != 0))
            return false;
    }
    return true;
}

static const struct group_protocol *protocol_of(const struct group_member *member,
                                                struct wire_str name)
{
    for (int32_t i = 0; i < member->protocols->count; i++) {
        if (wire_str_equal(member->protocols->items[i].name, name))
            return &member->protocols->items[i];
    }
    return NULL;
}

struct wire_bytes group_member_metadata(const struct group_member *member, const char *protocol)
{
    const struct group_protocol *own =
        protocol != NULL ? protocol_of(member, wire_str_of(protocol)) : NULL;
    return own != NULL ? own->metadata : (struct wire_bytes){(const uint8_t *)"", 0};
}

static bool all_support(const struct group *group, struct wire_str name)
{
    LIST_FOR_EACH (node, &group->members) {
        if (protocol_of(container_of(node, struct group_member, link), name) == NULL)
            return false;
    }
    return true;
}

enum { PROTOCOLS_MAX = 32 };

bool group_takes_protocols(const struct group *group, struct wire_str type,
                           const struct join_group_request_protocol_array *protocols)
{
    if (protocols->count > PROTOCOLS_MAX)
        return false; /* each of them is looked for in everybody's list */
    if (group->state == GROUP_EMPTY)
        return type.len > 0 && protocols->count > 0;
    if (group->protocol_type == NULL || !wire_str_is(type, group->protocol_type))
        return false;
    for (int32_t i = 0; i < protocols->count; i++) {
        if (all_support(group, protocols->items[i].name))
            return true;
    }
    return false;
}

/* What all support is in the first member's list. */
struct ballot {
    const struct group_protocols *candidates;
    int32_t count;
    bool is_eligible[PROTOCOLS_MAX];
    int32_t votes[PROTOCOLS_MAX];
};

static void ballot_take_vote(struct ballot *b, const struct group_member *member)
{
    for (int32_t i = 0; i < member->protocols->count; i++) {
        for (int32_t c = 0; c < b->count; c++) {
            if (!b->is_eligible[c] ||
                !wire_str_equal(b->candidates->items[c].name, member->protocols->items[i].name))
                continue;
            b->votes[c]++;
            return;
        }
    }
}

const char *group_vote(const struct group *group)
{
    if (list_is_empty(&group->members))
        return NULL;
    struct ballot b = {.candidates =
                           container_of(group->members.next, struct group_member, link)->protocols};
    ASSERT(b.candidates->count <= PROTOCOLS_MAX); /* group_takes_protocols */
    b.count = b.candidates->count;
    for (int32_t c = 0; c < b.count; c++)
        b.is_eligible[c] = all_support(group, b.candidates->items[c].name);
    LIST_FOR_EACH (node, &group->members)
        ballot_take_vote(&b, container_of(node, struct group_member, link));
    int32_t best = 0;
    for (int32_t c = 1; c < b.count; c++)
        best = b.votes[c] > b.votes[best] ? c : best;
    return b.count > 0 && b.votes[best] > 0 ? b.candidates->items[best].name.data : NULL;
}

/* ---- the group */

bool group_next_generation(struct group *group, int64_t now_wall_ms)
{
    bool is_empty = list_is_empty(&group->members);
    const char *vote = group_vote(group);
    ASSERT(is_empty || vote != NULL); /* group_takes_protocols saw to it that there is one */
    if (!group_text_set(&group->protocol, wire_str_of(vote)))
        return false;
    group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
    group_set_state(group, is_empty ? GROUP_EMPTY : GROUP_COMPLETING, now_wall_ms);
    return true;
}

bool group_is_complete(const struct group *group)
{
    return group->joining_count == group->member_count && group->pending_count == 0;
}

bool group_elect_joined_leader(struct group *group)
{
    if (group->leader != NULL) {
        const struct group_member *leader = group_member_find(group, wire_str_of(group->leader));
        if (leader != NULL && leader->join != NULL)
            return true;
    }
    LIST_FOR_EACH (node, &group->members) {
        const struct group_member *member = container_of(node, struct group_member, link);
        if (member->join == NULL)
            continue;
        mem_free(group->leader);
        group->leader = mem_strdup(member->id);
        return true;
    }
    return false;
}

int32_t group_rebalance_timeout_ms(const struct group *group)
{
    int32_t longest = 0;
    LIST_FOR_EACH (node, &group->members)
        longest = MAX(longest, container_of(node, struct group_member, link)->rebalance_timeout_ms);
    return longest;
}

bool group_is_of_consumers(const struct group *group)
{
    return group->protocol_type != NULL && strcmp(group->protocol_type, "consumer") == 0;
}

bool group_walk_topics(const struct group *group, void (*each)(void *arg, struct wire_str topic),
                       void *arg)
{
    if (group->protocol == NULL) /* not chosen yet: what they read is not known */
        return group->member_count == 0 || !group_is_of_consumers(group);
    LIST_FOR_EACH (node, &group->members) {
        const struct group_member *member = container_of(node, struct group_member, link);
        if (!group_subscription_walk(group_member_metadata(member, group->protocol), each, arg))
            return false;
    }
    return true;
}
