// SPDX-License-Identifier: Apache-2.0
/* group_why_test: the sentences about each state, each wait, each event and each failure, also
 * those that this program is too old to know. Thread: main. */
#include "cli/group_why.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/testing.h"
#include "wire/codec.h"
#include "wire/explanation.h"
#include "wire/kerr.h"

enum { NOW_MS = 1000000, JOIN = 11, HEARTBEAT = 12, SYNC = 14, MEMBERS_MAX = 8 };

/* A group "orders" that changes are made to. */
struct fixture {
    struct describe_groups_response_described_group group;
    struct describe_groups_response_explanation x;
    struct describe_groups_response_explained_member members[MEMBERS_MAX];
    struct describe_groups_response_event begun, gone;
    struct group_why why;
    struct strbuf out;
};

static void event_init(struct describe_groups_response_event *e, enum group_event_kind kind,
                       int64_t at_ms)
{
    wire_defaults(&describe_groups_response_event_layout, e);
    e->kind = (int8_t)kind;
    e->at_ms = at_ms;
    e->member_id = wire_str_of("c9");
    e->client_id = wire_str_of("x");
    e->client_host = wire_str_of("/10.0.0.5");
}

static void begin(struct fixture *f, const char *state, enum group_wait wait)
{
    *f = (struct fixture){0};
    wire_defaults(&describe_groups_response_described_group_layout, &f->group);
    wire_defaults(&describe_groups_response_explanation_layout, &f->x);
    f->group.group_id = wire_str_of("orders");
    f->group.group_state = wire_str_of(state);
    f->group.protocol_type = wire_str_of("consumer");
    f->group.explanation = &f->x;
    f->x.now_ms = NOW_MS;
    f->x.state_since_ms = NOW_MS - 12300;
    f->x.known_since_ms = NOW_MS - 200000;
    f->x.coordinator.partition = 3;
    f->x.generation_id = 5;
    f->x.wait = (int8_t)wait;
    f->x.members.items = f->members;
    f->why = (struct group_why){&f->group, 1};
    strbuf_init(&f->out);
}

static struct describe_groups_response_explained_member *add(struct fixture *f, const char *id)
{
    CHECK(f->x.members.count < MEMBERS_MAX);
    struct describe_groups_response_explained_member *m = &f->members[f->x.members.count++];
    wire_defaults(&describe_groups_response_explained_member_layout, m);
    m->member_id = wire_str_of(id);
    m->client_id = wire_str_of("x");
    m->client_host = wire_str_of("/10.0.0.5");
    m->session_timeout_ms = 45000;
    m->last_request = HEARTBEAT;
    m->last_request_ms = NOW_MS - 1500;
    m->deadline_ms = NOW_MS + 43500;
    return m;
}

static struct describe_groups_response_explained_member *add_joined(struct fixture *f,
                                                                    const char *id)
{
    struct describe_groups_response_explained_member *m = add(f, id);
    m->last_request = m->parked_request = JOIN;
    m->last_request_ms = m->parked_ms = NOW_MS - 2000;
    m->deadline_ms = -1;
    return m;
}

static void end(struct fixture *f)
{
    json_decref(group_why_json(&f->why, strbuf_text(&f->out)));
    strbuf_deinit(&f->out);
}

/* The sentences are these, and no others. */
static void check(struct fixture *f, const char *expected)
{
    strbuf_clear(&f->out);
    group_why_sentences(&f->why, &f->out);
    CHECK_TEXT(strbuf_text(&f->out), expected);
}

static void check_has(struct fixture *f, const char *expected)
{
    strbuf_clear(&f->out);
    group_why_sentences(&f->why, &f->out);
    if (strstr(strbuf_text(&f->out), expected) == NULL)
        CHECK_TEXT(strbuf_text(&f->out), expected); /* fails, and shows both */
}

/* ---- durations */

TEST(durations_are_as_exact_as_they_are_short)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {-5, "0.0 s"},
        {INT64_MIN, "0.0 s"},
        {99, "0.0 s"},
        {12349, "12.3 s"},
        {59999, "59.9 s"},
        {60000, "1 min 0 s"},
        {3599999, "59 min 59 s"},
        {3600000, "1 h 0 min"},
        {86399999, "23 h 59 min"},
        {86400000, "1 d 0 h"},
        {INT64_MAX, "106751991167 d 7 h"},
    };
    char text[CLI_DURATION_SIZE];
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        CHECK_TEXT(cli_duration(rows[i].ms, text), rows[i].text);
    CHECK_EQUAL(group_why_between(INT64_MIN, INT64_MAX), INT64_MAX);
    CHECK_EQUAL(group_why_between(5, 3), 0);
}

/* ---- waits */

TEST(a_round_names_whom_it_waits_for)
{
    struct fixture f;
    begin(&f, "PreparingRebalance", GROUP_WAIT_MEMBERS);
    add_joined(&f, "c1");
    add_joined(&f, "c2");
    struct describe_groups_response_explained_member *late = add(&f, "c7");
    late->last_request_ms = NOW_MS - 9800;
    late->awaited_request = JOIN;
    late->deadline_ms = NOW_MS + 35200;
    f.x.wait_end_ms = NOW_MS + 47700;
    f.x.begun = &f.begun;
    f.x.gone = &f.begun;
    f.x.rebalance_count = 2;
    event_init(&f.begun, GROUP_EVENT_LEFT, NOW_MS - 12300);
    f.begun.reason = wire_str_of("the consumer is being closed");
    check(&f, "orders is PreparingRebalance for 12.3 s: 2 of 3 members have joined; the round ends "
              "in 47.7 s at the latest.\n"
              "It waits for c7 (client x, 10.0.0.5), whose last request was a Heartbeat 9.8 s ago; "
              "it is removed in 35.2 s at the latest.\n"
              "The rebalance began 12.3 s ago when c9 (client x, 10.0.0.5) left (\"the consumer is "
              "being closed\").\n"
              "2 rebalances have begun since the group was made 3 min 20 s ago.\n");
    end(&f);
}

TEST(of_many_the_most_silent_are_named)
{
    struct fixture f;
    static const char *const ids[] = {"c1", "c2", "c3", "c4", "c5"};
    begin(&f, "PreparingRebalance", GROUP_WAIT_MEMBERS);
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        struct describe_groups_response_explained_member *m = add(&f, ids[i]);
        m->awaited_request = JOIN;
        m->last_request_ms = NOW_MS - 1000 * (int64_t)i;
    }
    f.members[2].last_request = -1; /* loaded, and silent since */
    f.members[2].last_request_ms = -1;
    f.x.is_loaded = true;
    check_has(&f, "It waits for c3 (client x, 10.0.0.5), which has sent nothing since the "
                  "coordinator read the group from its log; it is removed in 43.5 s at the "
                  "latest.\nIt waits for c5 ");
    check_has(&f, "It waits for 2 others: see the table.\n");
    end(&f);
}

TEST(an_id_that_was_given_is_waited_for)
{
    struct fixture f;
    begin(&f, "PreparingRebalance", GROUP_WAIT_MEMBERS);
    struct describe_groups_response_explained_member *m = add(&f, "c8");
    m->is_pending = true;
    m->last_request = m->awaited_request = JOIN;
    check_has(&f, "0 of 0 members have joined.\n");
    check_has(&f, "It waits for c8 (client x, 10.0.0.5), which was given this id 1.5 s ago and has "
                  "not come back with it; the id is forgotten in 43.5 s at the latest.\n");
    end(&f);
}

TEST(a_first_round_says_when_it_ends)
{
    struct fixture f;
    begin(&f, "PreparingRebalance", GROUP_WAIT_FIRST_MEMBERS);
    add_joined(&f, "c1");
    f.x.wait_end_ms = NOW_MS + 2000;
    check(&f, "orders is PreparingRebalance for 12.3 s: 1 member so far, and more may come: the "
              "first round ends in 2.0 s if nobody else joins (group.initial.rebalance.delay.ms)."
              "\n");
    end(&f);
}

TEST(a_missing_assignment_is_the_leaders)
{
    struct fixture f;
    begin(&f, "CompletingRebalance", GROUP_WAIT_ASSIGNMENT);
    struct describe_groups_response_explained_member *leader = add(&f, "c1");
    add(&f, "c2")->parked_request = SYNC;
    leader->group_instance_id = wire_str_of("i1");
    leader->last_request = 8;
    leader->awaited_request = SYNC;
    f.x.leader = wire_str_of("c1");
    check(&f,
          "orders is CompletingRebalance for 12.3 s: 2 members in generation 5 have joined, and "
          "their leader has not sent the assignment yet.\n"
          "It waits for c1 (instance i1, client x, 10.0.0.5), whose last request was an "
          "OffsetCommit 1.5 s ago; it is removed in 43.5 s at the latest.\n");
    f.x.wait = GROUP_WAIT_WRITE;
    f.x.coordinator.write_count = 2;
    f.x.coordinator.oldest_write_ms = NOW_MS - 4000;
    check(&f,
          "orders is CompletingRebalance for 12.3 s: 2 members in generation 5 have joined, and "
          "their assignment is being written to the log of the coordinator.\n"
          "The coordinator's log is slow: __consumer_offsets-3 of broker 1 has 2 writes under "
          "way, the first for 4.0 s.\n");
    end(&f);
}

/* ---- stable */

TEST(a_stable_group_says_how_it_became_so_and_who_is_quiet)
{
    struct fixture f;
    begin(&f, "Stable", GROUP_WAIT_NONE);
    add(&f, "c1");
    add(&f, "c2")->last_request_ms = NOW_MS - 2900;
    f.x.leader = wire_str_of("c1");
    f.x.protocol_name = wire_str_of("range");
    f.x.begun = &f.begun;
    f.x.rebalance_count = 1;
    event_init(&f.begun, GROUP_EVENT_JOINED, NOW_MS - 15500);
    check(&f, "orders is Stable for 12.3 s: 2 members in generation 5, protocol range, led by c1.\n"
              "All members were heard of within the last 2.9 s.\n"
              "The last rebalance began 15.5 s ago when c9 (client x, 10.0.0.5) joined, and took "
              "3.2 s.\n"
              "1 rebalance has begun since the group was made 3 min 20 s ago.\n");
    f.members[1].last_request_ms = NOW_MS - 30000; /* more than half its session */
    f.members[1].deadline_ms = NOW_MS + 15000;
    check_has(&f, "\nNothing is heard of c2 (client x, 10.0.0.5), whose last request was a "
                  "Heartbeat 30.0 s ago; it is removed in 15.0 s at the latest.\n");
    f.members[0].awaited_request = SYNC;
    check_has(&f, "\nNo SyncGroup has come from c1 (client x, 10.0.0.5), whose");
    f.x.gone = &f.gone; /* one who did not join again went after the rebalance began */
    event_init(&f.gone, GROUP_EVENT_NOT_JOINED, NOW_MS - 12300);
    f.gone.others_count = 2;
    check_has(&f, "\nThe last to go: c9 (client x, 10.0.0.5) and 2 others went for not joining "
                  "again within the rebalance timeout, 12.3 s ago.\n");
    end(&f);
}

TEST(a_loaded_group_says_what_is_not_known)
{
    struct fixture f;
    begin(&f, "Stable", GROUP_WAIT_NONE);
    f.x.is_loaded = true;
    struct describe_groups_response_explained_member *m = add(&f, "c1");
    m->last_request = -1;
    m->last_request_ms = -1;
    f.x.known_since_ms = NOW_MS - 4000;
    check(&f, "orders is Stable for 12.3 s: 1 member in generation 5.\n"
              "All members were heard of within the last 4.0 s.\n"
              "No rebalance has begun since the coordinator read the group from its log 4.0 s ago; "
              "why earlier ones began is not kept.\n");
    end(&f);
}

/* ---- empty */

TEST(an_empty_group_says_who_went_last_and_when_offsets_expire)
{
    struct fixture f;
    begin(&f, "Empty", GROUP_WAIT_NONE);
    f.x.gone = &f.gone;
    f.x.begun = &f.gone;
    f.x.offset_count = 12;
    f.x.first_expiry_ms = f.x.last_expiry_ms = NOW_MS + INT64_C(7) * 86400000 - 12300;
    event_init(&f.gone, GROUP_EVENT_SESSION_OVER, NOW_MS - 12300);
    check(&f, "orders is Empty for 12.3 s: it has no members.\n"
              "The last to go: c9 (client x, 10.0.0.5) went because nothing was heard of it for "
              "its session timeout, 12.3 s ago.\n"
              "12 committed offsets of it expire in 6 d 23 h.\n"
              "The last rebalance began 12.3 s ago when c9 (client x, 10.0.0.5) went because "
              "nothing was heard of it for its session timeout.\n");
    f.x.last_expiry_ms += INT64_C(86400000);
    f.x.is_unwritten = true;
    check_has(&f, "expire in 6 d 23 h, the last in 7 d 23 h.\nThat it is empty could not be "
                  "written to the log of the coordinator yet.\n");
    f.x.offset_count = 0;
    check_has(&f, "It has no committed offsets either: it is forgotten");
    f.group.protocol_type = wire_str_of("");
    check_has(&f, "it has no members and never had any: offsets are committed by clients that do "
                  "not join it.\n");
    end(&f);
}

/* ---- events */

TEST(each_event_has_its_words)
{
    static const struct {
        enum group_event_kind kind;
        const char *words;
    } rows[] = {
        {GROUP_EVENT_JOINED, "when c9 (client x, 10.0.0.5) joined (\"why\").\n"},
        {GROUP_EVENT_CHANGED, ") joined again with another subscription or assignor (\"why\").\n"},
        {GROUP_EVENT_LEADER_JOINED,
         "when the leader, c9 (client x, 10.0.0.5), asked for a new assignment (\"why\").\n"},
        {GROUP_EVENT_LEFT, ") left (\"why\").\n"},
        {GROUP_EVENT_REMOVED, ") went by a LeaveGroup of ops (10.0.0.9) (\"why\").\n"},
        {GROUP_EVENT_SESSION_OVER, ") went because nothing was heard of it"},
        {GROUP_EVENT_NOT_JOINED, ") went for not joining again"},
        {GROUP_EVENT_NOT_SYNCED, ") went for sending no SyncGroup"},
        {GROUP_EVENT_REPLACED, ") took the place that its instance id had (\"why\").\n"},
        {GROUP_EVENT_REPLACED_UNWRITTEN, "had, and that could not be written to the log"},
        {GROUP_EVENT_ASSIGNMENT_UNWRITTEN,
         "when the assignment of the leader, c9 (client x, 10.0.0.5), could not be written"},
        {GROUP_EVENT_TOO_MANY, "when more members were loaded than group.max.size allows"},
        {GROUP_EVENT_NO_ROOM, ") was turned away: slow to join again"},
        {GROUP_EVENT_UNKNOWN, "when of something that this klamm is too old to know (kind 0): c9"},
        {GROUP_EVENT_KIND_COUNT, "(kind 14): c9 (client x, 10.0.0.5) (\"why\").\n"},
        {(enum group_event_kind) - 1, "(kind -1): c9"},
    };
    CHECK_EQUAL(ARRAY_COUNT(rows), GROUP_EVENT_KIND_COUNT + 2); /* all are here */
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fixture f;
        begin(&f, "PreparingRebalance", GROUP_WAIT_MEMBERS);
        f.x.begun = &f.begun;
        event_init(&f.begun, rows[i].kind, NOW_MS - 12300);
        f.begun.reason = wire_str_of("why");
        f.begun.by_client_id = wire_str_of("ops");
        f.begun.by_client_host = wire_str_of("/10.0.0.9");
        check_has(&f, rows[i].words);
        end(&f);
    }
}

TEST(what_clients_say_cannot_move_the_cursor)
{
    struct fixture f;
    begin(&f, "PreparingRebalance", GROUP_WAIT_MEMBERS);
    f.group.group_id = wire_str_of("o\x1b[2J");
    add(&f, "c\x1b")->awaited_request = JOIN;
    f.x.begun = &f.begun;
    event_init(&f.begun, GROUP_EVENT_REMOVED, NOW_MS);
    f.begun.group_instance_id = f.begun.client_id = f.begun.client_host = wire_str_of("\x1b");
    f.begun.by_client_id = f.begun.by_client_host = wire_str_of("\x1b");
    f.begun.reason = wire_str_of("\x1b\n\r");
    check_has(&f, "o?[2J is ");
    check_has(&f, "It waits for c? (");
    check_has(&f, "when c9 (instance ?, client ?, ?) went by a LeaveGroup of ? (?) (\"???\")");
    end(&f);
}

TEST(a_wait_of_a_newer_broker_is_said_to_be_one)
{
    struct fixture f;
    begin(&f, "Pondering", (enum group_wait)9);
    check_has(&f, "it waits for something that this klamm is too old to know (9).\n");
    end(&f);
}

/* ---- the coordinator */

TEST(a_coordinator_that_failed_once_is_named)
{
    struct fixture f;
    begin(&f, "Stable", GROUP_WAIT_NONE);
    f.x.coordinator.failure = COORDINATOR_FAILED_TO_WRITE;
    f.x.coordinator.failure_ms = NOW_MS - 3000;
    f.x.coordinator.failure_text = wire_str_of("KAFKA_STORAGE_ERROR");
    check_has(&f, "The coordinator's log, __consumer_offsets-3 of broker 1, has failed since the "
                  "broker started: a write failed 3.0 s ago (KAFKA_STORAGE_ERROR); the groups were "
                  "read from it again.\n");
    end(&f);
}

TEST(a_coordinator_that_does_not_serve_says_why)
{
    static const struct {
        int8_t state;
        const char *words;
    } rows[] = {
        {COORDINATOR_IDLE, "is not open there: its log directory may be offline (for 2.0 s)"},
        {COORDINATOR_LOADING, "is being read (for 2.0 s)"},
        {COORDINATOR_ACTIVE, "serves, and has no memory for the answer (for 2.0 s)"},
        {COORDINATOR_FAILING, "does not serve (for 2.0 s)"},
        {COORDINATOR_STOPPING, "is being closed (for 2.0 s)"},
        {COORDINATOR_STATE_COUNT, "is in a state of its own (for 2.0 s)"},
        {-1, "is in a state of its own (for 2.0 s)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fixture f;
        begin(&f, "", GROUP_WAIT_NONE);
        f.group.error_code = KERR_COORDINATOR_LOAD_IN_PROGRESS;
        f.x.coordinator.state = rows[i].state;
        f.x.coordinator.state_since_ms = NOW_MS - 2000;
        group_why_refused(&f.why, &f.out);
        CHECK(strncmp(strbuf_text(&f.out),
                      "group \"orders\": its coordinator, __consumer_offsets-3 of broker 1, ",
                      67) == 0);
        CHECK(strstr(strbuf_text(&f.out), rows[i].words) != NULL);
        end(&f);
    }
}

TEST(a_coordinator_that_cannot_read_its_log_says_when_it_tries_again)
{
    struct fixture f;
    begin(&f, "", GROUP_WAIT_NONE);
    f.group.error_code = KERR_COORDINATOR_LOAD_IN_PROGRESS;
    f.x.coordinator.state = COORDINATOR_FAILING;
    f.x.coordinator.state_since_ms = f.x.coordinator.failure_ms = NOW_MS - 4000;
    f.x.coordinator.failure = COORDINATOR_FAILED_TO_LOAD;
    f.x.coordinator.failure_text = wire_str_of("input/output error");
    f.x.coordinator.retry_ms = NOW_MS + 6000;
    group_why_refused(&f.why, &f.out);
    CHECK_TEXT(
        strbuf_text(&f.out),
        "group \"orders\": its coordinator, __consumer_offsets-3 of broker 1, does not serve "
        "(for 4.0 s): it could not be read 4.0 s ago (input/output error); it is tried again "
        "in 6.0 s");
    end(&f);
}
