// SPDX-License-Identifier: Apache-2.0
/*
 * fetch_session: what a consumer asked for last time, so that it need not say it again
 * (incremental fetch sessions, KIP-227).
 *
 * A session belongs to one Fetch at a time: between fetch_session_begin and
 * fetch_session_end its partitions are touched by that Fetch's reactor only. The cache
 * has a fixed number of slots; a new session may push out one that was not used for two
 * minutes, or a smaller one that old.
 *
 * Limits: LIMIT_FETCH_SESSION_PARTITIONS in all sessions together; what has a longer name than a
 * topic can have is in none. Who does not fit is served without a session.
 *
 * Thread: begin and end: any. A session in use: the reactor that began it.
 */
#ifndef BROKER_FETCH_SESSION_H
#define BROKER_FETCH_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "env/env.h"
#include "wire/fetch.h"
#include "wire/kerr.h"

struct fetch_sessions; /* the cache */

/* One partition that a session reads. */
struct fetch_item {
    struct map_node node; /* in the session, by topic and index */
    struct list link;     /* in the session's order of service */
    struct uuid topic_id; /* zero when the client speaks in names */
    char *topic;          /* "" when the client speaks in ids; owned */
    struct fetch_request_fetch_partition want;
    int64_t sent_high_watermark; /* what the client was told last; -1: nothing */
    int64_t sent_log_start;
    bool sent_error;
};

struct fetch_session {
    struct map_node node; /* in the cache, by id */
    struct list link;     /* in the cache, least recently used first */
    struct map items;
    struct list order; /* of fetch_item; who got data goes to the end */
    uint32_t item_count;
    uint32_t charged; /* [cache] what it counts for in the cache: at least item_count */
    int32_t id;
    int32_t epoch; /* what the next request must say */
    bool uses_topic_ids;
    bool is_in_use;
    bool is_closed;     /* dropped from the cache while in use */
    int64_t created_ms; /* monotonic */
    int64_t used_ms;
};

struct fetch_sessions *fetch_sessions_new(struct env *env, uint32_t slots);
void fetch_sessions_free(struct fetch_sessions *sessions); /* accepts NULL; none in use */

uint32_t fetch_sessions_count(struct fetch_sessions *sessions); /* Thread: any */
uint64_t fetch_sessions_evicted(struct fetch_sessions *sessions);

/* What the Fetch is to be answered with. */
enum fetch_kind {
    FETCH_SESSIONLESS, /* all partitions of the request; nothing is kept, or nothing any more */
    FETCH_FULL,        /* a new session was made; all its partitions */
    FETCH_INCREMENTAL, /* the session's partitions, only what changed */
};

/* Finds or makes the session that this request is about and applies the request to it. With
 * FETCH_SESSIONLESS *out is NULL. Errors (nothing is in use then): FETCH_SESSION_ID_NOT_FOUND,
 * INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR, UNKNOWN_SERVER_ERROR (memory). */
enum kerr fetch_session_begin(struct fetch_sessions *sessions, const struct fetch_request *request,
                              bool uses_topic_ids, enum fetch_kind *kind,
                              struct fetch_session **out);

/* Gives the session back; Its epoch has moved on at begin. Accepts NULL. */
void fetch_session_end(struct fetch_sessions *sessions, struct fetch_session *session);

/* This partition got records: others are served before it next time. */
void fetch_session_rotate(struct fetch_session *session, struct fetch_item *item);

#endif
