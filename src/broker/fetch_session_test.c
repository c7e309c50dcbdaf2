// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of fetch sessions: KIP-227 as Kafka keeps it, and what a hostile client can make us keep.
 *
 * Thread: main.
 */
#include "broker/fetch_session.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/testing.h"
#include "env/mem_env.h"

enum { SLOTS = 2, MANY = 1000 };

struct fixture {
    struct mem_env m;
    struct fetch_sessions *sessions;
    struct fetch_request_fetch_partition *partitions;
    struct fetch_request_fetch_topic topic;
    struct fetch_request request;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    mem_env_init(&f->m);
    f->sessions = fetch_sessions_new(&f->m.env, SLOTS);
    f->partitions = mem_alloc(MANY * sizeof(f->partitions[0]));
    for (int32_t i = 0; i < MANY; i++)
        f->partitions[i].partition = i;
    f->topic = (struct fetch_request_fetch_topic){.topic = wire_str_of("t"),
                                                  .partitions = {f->partitions, 3}};
    f->request = (struct fetch_request){.topics = {&f->topic, 1}};
}

static void teardown(struct fixture *f)
{
    fetch_sessions_free(f->sessions);
    mem_free(f->partitions);
    mem_env_deinit(&f->m);
}

static struct fetch_session *begin(struct fixture *f, enum fetch_kind want)
{
    enum fetch_kind kind;
    struct fetch_session *session = NULL;
    CHECK_EQUAL(fetch_session_begin(f->sessions, &f->request, false, &kind, &session), KERR_NONE);
    CHECK_EQUAL(kind, want);
    CHECK((session == NULL) == (want == FETCH_SESSIONLESS));
    return session;
}

static void check_refused(struct fixture *f, bool uses_topic_ids, enum kerr want)
{
    enum fetch_kind kind;
    struct fetch_session *session = NULL;
    CHECK_EQUAL(fetch_session_begin(f->sessions, &f->request, uses_topic_ids, &kind, &session),
                want);
    CHECK(session == NULL);
}

/* A session with the request's partitions, and the request as its next one without any. */
static struct fetch_session *make(struct fixture *f)
{
    f->request.session_epoch = 0;
    f->request.session_id = 0;
    struct fetch_session *session = begin(f, FETCH_FULL);
    f->request.session_id = session->id;
    f->request.session_epoch = 1;
    fetch_session_end(f->sessions, session);
    return session;
}

TEST(fetch_session_goes_on_with_what_was_asked_before)
{
    struct fixture f;
    setup(&f);
    make(&f);
    f.request.topics.count = 0;
    struct fetch_session *session = begin(&f, FETCH_INCREMENTAL);
    CHECK_EQUAL(session->item_count, 3);
    fetch_session_end(f.sessions, session);
    check_refused(&f, false, KERR_INVALID_FETCH_SESSION_EPOCH); /* the epoch has moved on */
    f.request.session_epoch = 2;
    check_refused(&f, true, KERR_FETCH_SESSION_TOPIC_ID_ERROR);
    f.request.session_id++;
    check_refused(&f, false, KERR_FETCH_SESSION_ID_NOT_FOUND);
    teardown(&f);
}

TEST(fetch_session_epoch_goes_round_without_the_special_ones)
{
    struct fixture f;
    setup(&f);
    struct fetch_session *session = make(&f);
    session->epoch = INT32_MAX;
    f.request.session_epoch = INT32_MAX;
    fetch_session_end(f.sessions, begin(&f, FETCH_INCREMENTAL));
    CHECK_EQUAL(session->epoch, 1);
    teardown(&f);
}

/* As in Kafka: forgotten after added, and a session of nothing is none. */
TEST(fetch_session_ends_with_its_last_partition)
{
    struct fixture f;
    setup(&f);
    make(&f);
    int32_t indexes[] = {0, 1, 2};
    struct fetch_request_forgotten_topic forgotten = {.topic = wire_str_of("t"),
                                                      .partitions = {indexes, 2}};
    f.request.forgotten_topics_data.items = &forgotten;
    f.request.forgotten_topics_data.count = 1;
    struct fetch_session *session = begin(&f, FETCH_INCREMENTAL);
    CHECK_EQUAL(session->item_count, 1);
    fetch_session_end(f.sessions, session);
    f.request.session_epoch = 2;
    forgotten.partitions.count = 3;
    begin(&f, FETCH_SESSIONLESS);
    CHECK_EQUAL(fetch_sessions_count(f.sessions), 0);
    teardown(&f);
}

TEST(fetch_session_that_is_closed_in_use_lives_until_its_end)
{
    struct fixture f;
    setup(&f);
    make(&f);
    struct fetch_session *session = begin(&f, FETCH_INCREMENTAL);
    f.request.session_epoch = 2;
    check_refused(&f, false, KERR_INVALID_FETCH_SESSION_EPOCH);
    f.request.session_epoch = -1;
    begin(&f, FETCH_SESSIONLESS);
    CHECK_EQUAL(fetch_sessions_count(f.sessions), 0);
    CHECK_EQUAL(session->item_count, 3);
    fetch_session_end(f.sessions, session);
    teardown(&f);
}

TEST(fetch_sessions_push_out_stale_ones_only)
{
    struct fixture f;
    setup(&f);
    for (int i = 0; i < SLOTS; i++)
        make(&f);
    f.request.session_epoch = 0;
    f.request.session_id = 0;
    begin(&f, FETCH_SESSIONLESS);
    mem_env_advance_ms(&f.m, 120001);
    make(&f);
    CHECK_EQUAL(fetch_sessions_evicted(f.sessions), 1);
    CHECK_EQUAL(fetch_sessions_count(f.sessions), SLOTS);
    teardown(&f);
}

/* One long name and many partitions in a small request may not become gigabytes. */
TEST(fetch_session_keeps_no_names_longer_than_a_topic_has)
{
    struct fixture f;
    setup(&f);
    char name[LIMIT_TOPIC_NAME_BYTES + 2];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    f.topic.topic = wire_str_of(name);
    f.topic.partitions.count = MANY;
    begin(&f, FETCH_SESSIONLESS);
    f.topic.topic = wire_str_of("t");
    make(&f);
    f.topic.topic = wire_str_of(name);
    check_refused(&f, false, KERR_FETCH_SESSION_ID_NOT_FOUND);
    CHECK_EQUAL(fetch_sessions_count(f.sessions), 0);
    teardown(&f);
}

TEST(fetch_sessions_are_bounded_together)
{
    struct fixture f;
    setup(&f);
    struct fetch_request_fetch_topic *topics =
        mem_alloc(LIMIT_FETCH_SESSION_PARTITIONS / MANY * sizeof(*topics));
    f.topic.partitions.count = MANY;
    for (int i = 0; i < LIMIT_FETCH_SESSION_PARTITIONS / MANY; i++)
        topics[i] = f.topic; /* the same ones: counted when asked for, not once they are kept */
    f.request.topics.items = topics;
    f.request.topics.count = LIMIT_FETCH_SESSION_PARTITIONS / MANY;
    struct fetch_session *session = begin(&f, FETCH_FULL);
    f.request.topics.count = 1;
    begin(&f, FETCH_SESSIONLESS);
    fetch_session_end(f.sessions, session);
    CHECK_EQUAL(session->item_count, MANY);
    f.request.session_id = session->id;
    f.request.session_epoch = 1;
    fetch_session_end(f.sessions, begin(&f, FETCH_INCREMENTAL));
    make(&f);
    mem_free(topics);
    teardown(&f);
}
