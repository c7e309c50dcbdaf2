// SPDX-License-Identifier: Apache-2.0
/* fetch_session: see fetch_session.h. The cache's monitor covers its map, its list and which
 * sessions are in use; what is inside a session in use needs none. Thread: see fetch_session.h. */
#include "broker/fetch_session.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/monitor.h"

enum {
    EPOCH_FULL = 0,         /* a new session, if there is room */
    EPOCH_SESSIONLESS = -1, /* none; an old one is closed */
    EVICTION_MS = 120000,
};

struct fetch_sessions {
    struct env *env;
    struct monitor monitor;
    struct map by_id;
    struct list by_use;
    uint32_t slots;
    uint64_t items; /* sum of what the sessions are charged */
    uint64_t evicted;
    uint64_t seed;
};

struct fetch_sessions *fetch_sessions_new(struct env *env, uint32_t slots)
{
    struct fetch_sessions *sessions = mem_alloc(sizeof(*sessions));
    sessions->env = env;
    sessions->slots = slots;
    monitor_init(&sessions->monitor, MONITOR_SESSIONS);
    map_init(&sessions->by_id);
    list_init(&sessions->by_use);
    env_random(env, &sessions->seed, sizeof(sessions->seed));
    return sessions;
}

static void item_free(struct fetch_item *item)
{
    mem_free(item->topic);
    mem_free(item);
}

static void session_free(struct fetch_session *session)
{
    for (struct list *node; (node = list_pop_front(&session->order)) != NULL;)
        item_free(container_of(node, struct fetch_item, link));
    map_deinit(&session->items);
    mem_free(session);
}

void fetch_sessions_free(struct fetch_sessions *sessions)
{
    if (sessions == NULL)
        return;
    for (struct list *node; (node = list_pop_front(&sessions->by_use)) != NULL;) {
        struct fetch_session *session = container_of(node, struct fetch_session, link);
        ASSERT(!session->is_in_use && session->charged == session->item_count);
        sessions->items -= session->charged;
        session_free(session);
    }
    ASSERT(sessions->items == 0);
    map_deinit(&sessions->by_id);
    monitor_deinit(&sessions->monitor);
    mem_free(sessions);
}

uint32_t fetch_sessions_count(struct fetch_sessions *sessions)
{
    monitor_enter(&sessions->monitor);
    uint32_t count = (uint32_t)sessions->by_id.count;
    monitor_leave(&sessions->monitor);
    return count;
}

uint64_t fetch_sessions_evicted(struct fetch_sessions *sessions)
{
    monitor_enter(&sessions->monitor);
    uint64_t evicted = sessions->evicted;
    monitor_leave(&sessions->monitor);
    return evicted;
}

/* ---- the cache. [monitor] */

static struct fetch_session *cache_find(struct fetch_sessions *sessions, int32_t id)
{
    struct map_node *node = map_first(&sessions->by_id, hash_u64((uint64_t)id));
    while (node != NULL && container_of(node, struct fetch_session, node)->id != id)
        node = map_next_same(node);
    return node != NULL ? container_of(node, struct fetch_session, node) : NULL;
}

/* False: all sessions together would have too many. */
static bool cache_charge(struct fetch_sessions *sessions, struct fetch_session *session,
                         uint32_t count)
{
    if (count > LIMIT_FETCH_SESSION_PARTITIONS - sessions->items)
        return false;
    sessions->items += count;
    session->charged += count;
    return true;
}

/* From now on it is charged so many. */
static void cache_settle(struct fetch_sessions *sessions, struct fetch_session *session,
                         uint32_t count)
{
    ASSERT(session->charged >= count && sessions->items >= session->charged);
    sessions->items -= session->charged - count;
    session->charged = count;
}

/* Freed now, or by fetch_session_end when it is in use. */
static void cache_drop(struct fetch_sessions *sessions, struct fetch_session *session)
{
    map_remove(&sessions->by_id, &session->node);
    list_remove(&session->link);
    session->is_closed = true;
    if (session->is_in_use)
        return;
    cache_settle(sessions, session, 0);
    session_free(session);
}

/* Is there a slot for a session of this size, by pushing out a stale or smaller one if need be? */
static bool cache_make_room(struct fetch_sessions *sessions, uint32_t item_count, int64_t now_ms)
{
    if (sessions->by_id.count < sessions->slots)
        return true;
    struct fetch_session *victim = NULL;
    LIST_FOR_EACH (node, &sessions->by_use) {
        struct fetch_session *session = container_of(node, struct fetch_session, link);
        if (session->is_in_use)
            continue;
        bool is_stale = now_ms - session->used_ms > EVICTION_MS;
        bool is_smaller =
            session->item_count < item_count && now_ms - session->created_ms > EVICTION_MS;
        if (is_stale || is_smaller) {
            victim = session;
            break;
        }
    }
    if (victim == NULL)
        return false;
    cache_drop(sessions, victim);
    sessions->evicted++;
    return true;
}

static int32_t cache_new_id(struct fetch_sessions *sessions)
{
    int32_t id;
    do {
        env_random(sessions->env, &id, sizeof(id));
        id &= INT32_MAX;
    } while (id == 0 || cache_find(sessions, id) != NULL);
    return id;
}

/* ---- the partitions of one session */

static uint64_t item_hash(const struct fetch_sessions *sessions, struct wire_str topic,
                          struct uuid topic_id, int32_t index)
{
    uint64_t hash = hash_bytes(sessions->seed, topic_id.bytes, sizeof(topic_id.bytes));
    if (topic.len > 0)
        hash = hash_bytes(hash, topic.data, (size_t)topic.len);
    return hash_u64(hash + (uint64_t)(uint32_t)index);
}

static struct fetch_item *item_find(const struct fetch_session *session, uint64_t hash,
                                    struct wire_str topic, struct uuid topic_id, int32_t index)
{
    struct map_node *node = map_first(&session->items, hash);
    for (; node != NULL; node = map_next_same(node)) {
        struct fetch_item *item = container_of(node, struct fetch_item, node);
        if (item->want.partition == index && uuid_equals(item->topic_id, topic_id) &&
            (topic.len < 0 ? item->topic[0] == '\0' : wire_str_is(topic, item->topic)))
            return item;
    }
    return NULL;
}

static struct fetch_item *item_add(struct fetch_session *session, uint64_t hash,
                                   struct wire_str topic, struct uuid topic_id)
{
    size_t len = topic.len > 0 ? (size_t)topic.len : 0;
    struct fetch_item *item = mem_try(sizeof(*item));
    char *name = mem_try(len + 1);
    if (item == NULL || name == NULL) {
        mem_free(item);
        mem_free(name);
        return NULL;
    }
    if (len > 0)
        memcpy(name, topic.data, len);
    name[len] = '\0';
    *item = (struct fetch_item){
        .topic = name, .topic_id = topic_id, .sent_high_watermark = -1, .sent_log_start = -1};
    map_insert(&session->items, &item->node, hash);
    list_push_back(&session->order, &item->link);
    session->item_count++;
    return item;
}

static void item_remove(struct fetch_session *session, struct fetch_item *item)
{
    map_remove(&session->items, &item->node);
    list_remove(&item->link);
    session->item_count--;
    item_free(item);
}

static bool session_add_topics(const struct fetch_sessions *sessions, struct fetch_session *session,
                               const struct fetch_request *request)
{
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct fetch_request_fetch_topic *topic = &request->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            const struct fetch_request_fetch_partition *want = &topic->partitions.items[i];
            uint64_t hash = item_hash(sessions, topic->topic, topic->topic_id, want->partition);
            struct fetch_item *item =
                item_find(session, hash, topic->topic, topic->topic_id, want->partition);
            if (item == NULL)
                item = item_add(session, hash, topic->topic, topic->topic_id);
            if (item == NULL)
                return false;
            item->want = *want;
        }
    }
    return true;
}

static void session_forget_topics(const struct fetch_sessions *sessions,
                                  struct fetch_session *session,
                                  const struct fetch_request *request)
{
    for (int32_t t = 0; t < request->forgotten_topics_data.count; t++) {
        const struct fetch_request_forgotten_topic *topic =
            &request->forgotten_topics_data.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            int32_t index = topic->partitions.items[i];
            uint64_t hash = item_hash(sessions, topic->topic, topic->topic_id, index);
            struct fetch_item *item =
                item_find(session, hash, topic->topic, topic->topic_id, index);
            if (item != NULL)
                item_remove(session, item);
        }
    }
}

static struct fetch_session *session_new(int64_t now_ms)
{
    struct fetch_session *session = mem_alloc(sizeof(*session));
    session->epoch = 1;
    session->created_ms = now_ms;
    session->used_ms = now_ms;
    session->is_in_use = true;
    map_init(&session->items);
    list_init(&session->order);
    list_init(&session->link);
    return session;
}

/* ---- one Fetch */

static uint32_t partitions_of(const struct fetch_request *request)
{
    uint64_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++)
        count += (uint64_t)MAX(request->topics.items[t].partitions.count, 0);
    return (uint32_t)MIN(count, (uint64_t)UINT32_MAX);
}

/* Every partition keeps the name of its topic. */
static bool is_keepable(const struct fetch_request *request)
{
    for (int32_t t = 0; t < request->topics.count; t++) {
        if (request->topics.items[t].topic.len > LIMIT_TOPIC_NAME_BYTES)
            return false;
    }
    return true;
}

/* A client that closes a session, or begins anew, names the old one. */
static void close_old(struct fetch_sessions *sessions, int32_t id)
{
    struct fetch_session *old = id != 0 ? cache_find(sessions, id) : NULL;
    if (old != NULL)
        cache_drop(sessions, old);
}

static enum kerr begin_full(struct fetch_sessions *sessions, const struct fetch_request *request,
                            bool uses_topic_ids, enum fetch_kind *kind, struct fetch_session **out)
{
    int64_t now_ms = env_mono_ns(sessions->env) / 1000000;
    uint32_t count = partitions_of(request);
    *kind = FETCH_SESSIONLESS;
    *out = NULL;
    struct fetch_session *session = session_new(now_ms);
    monitor_enter(&sessions->monitor);
    close_old(sessions, request->session_id);
    bool has_room = count > 0 && is_keepable(request) && cache_charge(sessions, session, count) &&
                    cache_make_room(sessions, count, now_ms);
    monitor_leave(&sessions->monitor);
    session->uses_topic_ids = uses_topic_ids;
    bool is_made = has_room && session_add_topics(sessions, session, request);
    monitor_enter(&sessions->monitor);
    if (is_made) {
        session->id = cache_new_id(sessions);
        map_insert(&sessions->by_id, &session->node, hash_u64((uint64_t)session->id));
        list_push_back(&sessions->by_use, &session->link);
    } else {
        cache_settle(sessions, session, 0);
    }
    monitor_leave(&sessions->monitor);
    if (!is_made) {
        session_free(session);
        return KERR_NONE; /* no place or memory to keep it: served without a session */
    }
    *kind = FETCH_FULL;
    *out = session;
    return KERR_NONE;
}

/* [monitor] Takes the session that the request goes on with into use. */
static enum kerr take_into_use(struct fetch_sessions *sessions, const struct fetch_request *request,
                               bool uses_topic_ids, struct fetch_session **out)
{
    struct fetch_session *session = cache_find(sessions, request->session_id);
    if (session == NULL)
        return KERR_FETCH_SESSION_ID_NOT_FOUND;
    if (session->epoch != request->session_epoch || session->is_in_use)
        return KERR_INVALID_FETCH_SESSION_EPOCH;
    if (session->uses_topic_ids != uses_topic_ids)
        return KERR_FETCH_SESSION_TOPIC_ID_ERROR;
    if (!is_keepable(request) || !cache_charge(sessions, session, partitions_of(request))) {
        cache_drop(sessions, session);
        return KERR_FETCH_SESSION_ID_NOT_FOUND; /* the client begins anew and gets none */
    }
    session->is_in_use = true;
    session->used_ms = env_mono_ns(sessions->env) / 1000000;
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    list_remove(&session->link);
    list_push_back(&sessions->by_use, &session->link);
    *out = session;
    return KERR_NONE;
}

static void session_close(struct fetch_sessions *sessions, struct fetch_session *session)
{
    monitor_enter(&sessions->monitor);
    if (!session->is_closed)
        cache_drop(sessions, session);
    monitor_leave(&sessions->monitor);
    fetch_session_end(sessions, session);
}

static enum kerr begin_incremental(struct fetch_sessions *sessions,
                                   const struct fetch_request *request, bool uses_topic_ids,
                                   enum fetch_kind *kind, struct fetch_session **out)
{
    struct fetch_session *session = NULL;
    monitor_enter(&sessions->monitor);
    enum kerr error = take_into_use(sessions, request, uses_topic_ids, &session);
    monitor_leave(&sessions->monitor);
    if (error != KERR_NONE)
        return error;
    if (!session_add_topics(sessions, session, request)) {
        fetch_session_end(sessions, session);
        return KERR_UNKNOWN_SERVER_ERROR;
    }
    session_forget_topics(sessions, session, request);
    if (session->item_count == 0) {
        session_close(sessions, session);
        *kind = FETCH_SESSIONLESS;
        return KERR_NONE;
    }
    *kind = FETCH_INCREMENTAL;
    *out = session;
    return KERR_NONE;
}

enum kerr fetch_session_begin(struct fetch_sessions *sessions, const struct fetch_request *request,
                              bool uses_topic_ids, enum fetch_kind *kind,
                              struct fetch_session **out)
{
    if (request->session_epoch == EPOCH_SESSIONLESS) {
        monitor_enter(&sessions->monitor);
        close_old(sessions, request->session_id);
        monitor_leave(&sessions->monitor);
        *kind = FETCH_SESSIONLESS;
        *out = NULL;
        return KERR_NONE;
    }
    if (request->session_epoch == EPOCH_FULL)
        return begin_full(sessions, request, uses_topic_ids, kind, out);
    return begin_incremental(sessions, request, uses_topic_ids, kind, out);
}

void fetch_session_end(struct fetch_sessions *sessions, struct fetch_session *session)
{
    if (session == NULL)
        return;
    monitor_enter(&sessions->monitor);
    ASSERT(session->is_in_use);
    session->is_in_use = false;
    bool is_closed = session->is_closed;
    cache_settle(sessions, session, is_closed ? 0 : session->item_count);
    monitor_leave(&sessions->monitor);
    if (is_closed)
        session_free(session);
}

void fetch_session_rotate(struct fetch_session *session, struct fetch_item *item)
{
    ASSERT(session->is_in_use);
    list_remove(&item->link);
    list_push_back(&session->order, &item->link);
}
