// SPDX-License-Identifier: Apache-2.0
/* group_why_text: the sentences of `klamm group why`. See group_why.h. Thread: any. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/group_view.h"
#include "cli/group_why.h"
#include "cli/table.h"
#include "wire/api.h"
#include "wire/explanation.h"
#include "wire/kerr.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000 };

enum {
    API_JOIN_GROUP = 11,
    NAMED_MAX = 3,        /* members that a sentence names; the table has all */
    SLOW_WRITE_MS = 1000, /* from here on it is worth a sentence */
    QUIET_SHARE = 2,      /* quiet: for longer than this part of its session */
};

/* What is being written. */
struct telling {
    const struct describe_groups_response_described_group *group;
    const struct describe_groups_response_explanation *x;
    struct strbuf *out;
};

/* ---- words */

char *cli_duration(int64_t ms, char out[CLI_DURATION_SIZE])
{
    ms = MAX(ms, 0);
    if (ms < MINUTE_MS)
        snprintf(out, CLI_DURATION_SIZE, "%" PRId64 ".%" PRId64 " s", ms / SECOND_MS,
                 ms % SECOND_MS / 100);
    else if (ms < HOUR_MS)
        snprintf(out, CLI_DURATION_SIZE, "%" PRId64 " min %" PRId64 " s", ms / MINUTE_MS,
                 ms % MINUTE_MS / SECOND_MS);
    else if (ms < DAY_MS)
        snprintf(out, CLI_DURATION_SIZE, "%" PRId64 " h %" PRId64 " min", ms / HOUR_MS,
                 ms % HOUR_MS / MINUTE_MS);
    else
        snprintf(out, CLI_DURATION_SIZE, "%" PRId64 " d %" PRId64 " h", ms / DAY_MS,
                 ms % DAY_MS / HOUR_MS);
    return out;
}

const char *group_why_request(int16_t api_key, char out[GROUP_WHY_REQUEST_SIZE])
{
    const struct wire_api *api = wire_api_find(api_key);
    if (api != NULL)
        return api->name;
    snprintf(out, GROUP_WHY_REQUEST_SIZE, "API %d", api_key);
    return out;
}

int64_t group_why_between(int64_t from_ms, int64_t to_ms)
{
    int64_t ms = 0;
    return __builtin_sub_overflow(to_ms, from_ms, &ms) ? INT64_MAX : MAX(ms, 0);
}

static void add_age(const struct telling *t, int64_t since_ms)
{
    char text[CLI_DURATION_SIZE];
    strbuf_puts(t->out, cli_duration(group_why_between(since_ms, t->x->now_ms), text));
}

static void add_left(const struct telling *t, int64_t until_ms)
{
    char text[CLI_DURATION_SIZE];
    strbuf_puts(t->out, cli_duration(group_why_between(t->x->now_ms, until_ms), text));
}

static void add_count(const struct telling *t, int64_t count, const char *noun)
{
    strbuf_printf(t->out, "%" PRId64 " %s%s", count, noun, count == 1 ? "" : "s");
}

/* Java shows an address without a name as "/10.0.0.5". */
static struct wire_str plain_host(struct wire_str host)
{
    return host.len > 1 && host.data[0] == '/' ? (struct wire_str){host.data + 1, host.len - 1}
                                               : host;
}

/* " (instance i0, client x, 10.0.0.5)", of those that are there. */
static void add_details(struct strbuf *out, struct wire_str instance, struct wire_str client,
                        struct wire_str host)
{
    const struct {
        const char *word;
        struct wire_str text;
    } parts[] = {{"instance ", instance}, {"client ", client}, {"", plain_host(host)}};
    const char *before = " (";
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (parts[i].text.len <= 0)
            continue;
        strbuf_puts(out, before);
        strbuf_puts(out, parts[i].word);
        table_text(out, parts[i].text);
        before = ", ";
    }
    if (*before == ',')
        strbuf_putc(out, ')');
}

static void add_member(const struct telling *t,
                       const struct describe_groups_response_explained_member *m)
{
    table_text(t->out, m->member_id);
    add_details(t->out, m->group_instance_id, m->client_id, m->client_host);
}

/* ---- events */

/* "consumer-9 (client x, 10.0.0.5) and 2 others" */
static void add_subject(const struct telling *t, const struct describe_groups_response_event *e)
{
    if (e->member_id.len > 0)
        table_text(t->out, e->member_id);
    else
        strbuf_puts(t->out, "a member");
    add_details(t->out, e->group_instance_id, e->client_id, e->client_host);
    if (e->others_count > 0) {
        strbuf_puts(t->out, " and ");
        add_count(t, e->others_count, "other");
    }
}

struct event_words {
    const char *before, *after; /* the subject */
};

static struct event_words words_of(const struct describe_groups_response_event *e)
{
    static const struct event_words words[GROUP_EVENT_KIND_COUNT] = {
        [GROUP_EVENT_JOINED] = {"", " joined"},
        [GROUP_EVENT_CHANGED] = {"", " joined again with another subscription or assignor"},
        [GROUP_EVENT_LEADER_JOINED] = {"the leader, ", ", asked for a new assignment"},
        [GROUP_EVENT_LEFT] = {"", " left"},
        [GROUP_EVENT_REMOVED] = {"", " went by a LeaveGroup of"},
        [GROUP_EVENT_SESSION_OVER] = {"", " went because nothing was heard of it for its session "
                                          "timeout"},
        [GROUP_EVENT_NOT_JOINED] = {"", " went for not joining again within the rebalance timeout"},
        [GROUP_EVENT_NOT_SYNCED] = {"", " went for sending no SyncGroup within the rebalance "
                                        "timeout"},
        [GROUP_EVENT_REPLACED] = {"", " took the place that its instance id had"},
        [GROUP_EVENT_REPLACED_UNWRITTEN] = {"", " took the place that its instance id had, and "
                                                "that could not be written to the log"},
        [GROUP_EVENT_ASSIGNMENT_UNWRITTEN] = {"the assignment of the leader, ",
                                              ", could not be written to the log"},
        [GROUP_EVENT_NO_ROOM] = {"", " was turned away: slow to join again, and the group has "
                                     "group.max.size members"},
    };
    bool is_known = e->kind >= 0 && e->kind < GROUP_EVENT_KIND_COUNT;
    return is_known && words[e->kind].after != NULL ? words[e->kind] : (struct event_words){0};
}

static void add_event(const struct telling *t, const struct describe_groups_response_event *e)
{
    struct event_words words = words_of(e);
    if (e->kind == GROUP_EVENT_TOO_MANY) {
        strbuf_puts(t->out, "more members were loaded than group.max.size allows");
    } else if (words.after == NULL) {
        strbuf_printf(t->out,
                      "of something that this klamm is too old to know (kind %d): ", e->kind);
        add_subject(t, e);
    } else {
        strbuf_puts(t->out, words.before);
        add_subject(t, e);
        strbuf_puts(t->out, words.after);
    }
    if (e->kind == GROUP_EVENT_REMOVED) {
        strbuf_puts(t->out, e->by_client_id.len > 0 ? " " : " another client");
        table_text(t->out, e->by_client_id);
        add_details(t->out, wire_str_of(NULL), wire_str_of(NULL), e->by_client_host);
    }
    if (e->reason.len > 0) {
        strbuf_puts(t->out, " (\"");
        table_text(t->out, e->reason);
        strbuf_puts(t->out, "\")");
    }
}

/* ---- what is known of before */

static const char *beginning(const struct telling *t)
{
    return t->x->is_loaded ? "the coordinator read the group from its log" : "the group was made";
}

static bool is_passing_state(const struct telling *t)
{
    return t->x->wait != GROUP_WAIT_NONE;
}

static void tell_rebalances(const struct telling *t)
{
    const struct describe_groups_response_explanation *x = t->x;
    if (x->begun != NULL) {
        strbuf_puts(t->out,
                    is_passing_state(t) ? "The rebalance began " : "The last rebalance began ");
        add_age(t, x->begun->at_ms);
        strbuf_puts(t->out, " ago when ");
        add_event(t, x->begun);
        if (wire_str_is(t->group->group_state, "Stable")) {
            char took[CLI_DURATION_SIZE];
            strbuf_printf(
                t->out, ", and took %s",
                cli_duration(group_why_between(x->begun->at_ms, x->state_since_ms), took));
        }
        strbuf_puts(t->out, ".\n");
    }
    if (x->rebalance_count > 0) {
        add_count(t, x->rebalance_count, "rebalance");
        strbuf_printf(t->out, "%s begun since %s ", x->rebalance_count == 1 ? " has" : " have",
                      beginning(t));
        add_age(t, x->known_since_ms);
        strbuf_puts(t->out, " ago.\n");
    } else if (x->is_loaded) {
        strbuf_printf(t->out, "No rebalance has begun since %s ", beginning(t));
        add_age(t, x->known_since_ms);
        strbuf_puts(t->out, " ago; why earlier ones began is not kept.\n");
    }
}

/* Said of an empty group, and where it is news besides what began the rebalance. */
static void tell_gone(const struct telling *t)
{
    const struct describe_groups_response_explanation *x = t->x;
    bool is_empty = wire_str_is(t->group->group_state, "Empty");
    if (x->gone == NULL || (!is_empty && x->begun != NULL && x->gone->at_ms <= x->begun->at_ms))
        return;
    strbuf_puts(t->out, "The last to go: ");
    add_event(t, x->gone);
    strbuf_puts(t->out, ", ");
    add_age(t, x->gone->at_ms);
    strbuf_puts(t->out, " ago.\n");
}

/* ---- members that are waited for */

static void add_last_request(const struct telling *t,
                             const struct describe_groups_response_explained_member *m)
{
    char name[GROUP_WHY_REQUEST_SIZE];
    if (m->is_pending) {
        strbuf_puts(t->out, ", which was given this id ");
        add_age(t, m->last_request_ms);
        strbuf_puts(t->out, " ago and has not come back with it");
    } else if (m->last_request < 0) {
        strbuf_puts(t->out, ", which has sent nothing since ");
        strbuf_puts(t->out, beginning(t));
    } else {
        const char *request = group_why_request(m->last_request, name);
        strbuf_printf(t->out, ", whose last request was %s %s ",
                      *request == 'O' || *request == 'A' ? "an" : "a", request);
        add_age(t, m->last_request_ms);
        strbuf_puts(t->out, " ago");
    }
}

static void add_deadline(const struct telling *t,
                         const struct describe_groups_response_explained_member *m)
{
    if (m->deadline_ms < 0)
        return;
    strbuf_puts(t->out, m->is_pending ? "; the id is forgotten in " : "; it is removed in ");
    add_left(t, m->deadline_ms);
    strbuf_puts(t->out, " at the latest");
}

static int by_silence(const void *a, const void *b)
{
    const struct describe_groups_response_explained_member *const *x = a, *const *y = b;
    return ((*x)->last_request_ms > (*y)->last_request_ms) -
           ((*x)->last_request_ms < (*y)->last_request_ms);
}

typedef bool member_wanted_fn(const struct telling *t,
                              const struct describe_groups_response_explained_member *m);

/* Those that are wanted, the most silent first. */
struct member_choice {
    const struct describe_groups_response_explained_member **items; /* mem_free */
    int32_t count;
};

static struct member_choice choose(const struct telling *t, member_wanted_fn *wanted)
{
    int32_t all = MAX(t->x->members.count, 0);
    struct member_choice choice = {mem_alloc(((size_t)all + 1) * sizeof(choice.items[0])), 0};
    for (int32_t i = 0; i < all; i++) {
        if (wanted(t, &t->x->members.items[i]))
            choice.items[choice.count++] = &t->x->members.items[i];
    }
    qsort(choice.items, (size_t)choice.count, sizeof(choice.items[0]), by_silence);
    return choice;
}

/* "It waits for M, whose ...; it is removed in ...", a line for each of the first few. Returns how
 * many are wanted. */
static int32_t tell_members(const struct telling *t, const char *verb, member_wanted_fn *wanted)
{
    struct member_choice choice = choose(t, wanted);
    for (int32_t i = 0; i < MIN(choice.count, NAMED_MAX); i++) {
        strbuf_puts(t->out, verb);
        add_member(t, choice.items[i]);
        add_last_request(t, choice.items[i]);
        add_deadline(t, choice.items[i]);
        strbuf_puts(t->out, ".\n");
    }
    if (choice.count > NAMED_MAX) {
        strbuf_puts(t->out, verb);
        add_count(t, choice.count - NAMED_MAX, "other");
        strbuf_puts(t->out, ": see the table.\n");
    }
    mem_free(choice.items);
    return choice.count;
}

static bool is_join_awaited(const struct telling *t,
                            const struct describe_groups_response_explained_member *m)
{
    return m->awaited_request == API_JOIN_GROUP;
}

static bool is_sync_awaited(const struct telling *t,
                            const struct describe_groups_response_explained_member *m)
{
    return m->awaited_request >= 0 && m->awaited_request != API_JOIN_GROUP;
}

static bool is_pending(const struct telling *t,
                       const struct describe_groups_response_explained_member *m)
{
    return m->is_pending;
}

static bool is_leader(const struct telling *t,
                      const struct describe_groups_response_explained_member *m)
{
    return wire_str_equal(m->member_id, t->x->leader);
}

static int64_t silence_ms(const struct telling *t,
                          const struct describe_groups_response_explained_member *m)
{
    return group_why_between(MAX(m->last_request_ms, t->x->known_since_ms), t->x->now_ms);
}

static bool is_quiet(const struct telling *t,
                     const struct describe_groups_response_explained_member *m)
{
    return !m->is_pending && m->parked_request < 0 &&
           silence_ms(t, m) > m->session_timeout_ms / QUIET_SHARE;
}

/* ---- states */

static void add_state(const struct telling *t)
{
    group_name_add(t->out, t->group->group_id);
    strbuf_puts(t->out, " is ");
    table_text(t->out, t->group->group_state);
    if (t->x->state_since_ms >= 0) {
        strbuf_puts(t->out, " for ");
        add_age(t, t->x->state_since_ms);
    }
    strbuf_puts(t->out, ": ");
}

static int64_t member_count(const struct telling *t, bool is_joined)
{
    int64_t count = 0;
    for (int32_t i = 0; i < t->x->members.count; i++) {
        const struct describe_groups_response_explained_member *m = &t->x->members.items[i];
        count += !m->is_pending && (!is_joined || m->parked_request == API_JOIN_GROUP);
    }
    return count;
}

static void tell_first_members(const struct telling *t)
{
    add_count(t, member_count(t, false), "member");
    strbuf_puts(t->out, " so far, and more may come: the first round ends in ");
    add_left(t, t->x->wait_end_ms);
    strbuf_puts(t->out, " if nobody else joins (group.initial.rebalance.delay.ms).\n");
    tell_members(t, "A client may join as ", is_pending);
}

static void tell_members_awaited(const struct telling *t)
{
    strbuf_printf(t->out, "%" PRId64 " of ", member_count(t, true));
    add_count(t, member_count(t, false), "member");
    strbuf_puts(t->out, " have joined");
    if (t->x->wait_end_ms >= 0) {
        strbuf_puts(t->out, "; the round ends in ");
        add_left(t, t->x->wait_end_ms);
        strbuf_puts(t->out, " at the latest");
    }
    strbuf_puts(t->out, ".\n");
    tell_members(t, "It waits for ", is_join_awaited);
}

static void add_generation(const struct telling *t)
{
    add_count(t, member_count(t, false), "member");
    strbuf_printf(t->out, " in generation %d", t->x->generation_id);
}

static void tell_assignment_awaited(const struct telling *t)
{
    add_generation(t);
    strbuf_puts(t->out, " have joined, and their leader has not sent the assignment yet.\n");
    tell_members(t, "It waits for ", is_leader);
}

static void tell_write_awaited(const struct telling *t)
{
    add_generation(t);
    strbuf_puts(t->out, " have joined, and their assignment is being written to the log of the "
                        "coordinator.\n");
}

static void tell_quiet(const struct telling *t)
{
    int64_t longest_ms = 0;
    if (tell_members(t, "Nothing is heard of ", is_quiet) > 0)
        return;
    for (int32_t i = 0; i < t->x->members.count; i++) {
        const struct describe_groups_response_explained_member *m = &t->x->members.items[i];
        longest_ms = MAX(longest_ms, m->is_pending ? 0 : silence_ms(t, m));
    }
    char text[CLI_DURATION_SIZE];
    if (member_count(t, false) > 0)
        strbuf_printf(t->out, "All members were heard of within the last %s.\n",
                      cli_duration(longest_ms, text));
}

static void tell_stable(const struct telling *t)
{
    add_generation(t);
    if (t->x->protocol_name.len > 0) {
        strbuf_puts(t->out, ", protocol ");
        table_text(t->out, t->x->protocol_name);
    }
    if (t->x->leader.len > 0) {
        strbuf_puts(t->out, ", led by ");
        table_text(t->out, t->x->leader);
    }
    strbuf_puts(t->out, ".\n");
    tell_quiet(t);
    tell_members(t, "No SyncGroup has come from ", is_sync_awaited);
    tell_members(t, "A client may join as ", is_pending);
}

static void tell_offsets(const struct telling *t)
{
    const struct describe_groups_response_explanation *x = t->x;
    if (x->offset_count == 0) {
        strbuf_puts(t->out, "It has no committed offsets either: it is forgotten when the "
                            "coordinator next looks at it.\n");
        return;
    }
    add_count(t, x->offset_count, "committed offset");
    if (x->first_expiry_ms < 0) {
        strbuf_puts(t->out, " of it are kept.\n");
        return;
    }
    strbuf_puts(t->out, x->offset_count == 1 ? " of it expires in " : " of it expire in ");
    add_left(t, x->first_expiry_ms);
    if (x->last_expiry_ms > x->first_expiry_ms) {
        strbuf_puts(t->out, ", the last in ");
        add_left(t, x->last_expiry_ms);
    }
    strbuf_puts(t->out, ".\n");
}

static void tell_empty(const struct telling *t)
{
    bool had_members = t->group->protocol_type.len > 0;
    strbuf_puts(t->out, had_members ? "it has no members.\n"
                                    : "it has no members and never had any: offsets are committed "
                                      "by clients that do not join it.\n");
    tell_gone(t);
    tell_members(t, "A client may join as ", is_pending);
    tell_offsets(t);
    if (t->x->is_unwritten)
        strbuf_puts(t->out, "That it is empty could not be written to the log of the coordinator "
                            "yet.\n");
}

static void tell_state(const struct telling *t)
{
    add_state(t);
    switch (t->x->wait) {
    case GROUP_WAIT_FIRST_MEMBERS:
        tell_first_members(t);
        break;
    case GROUP_WAIT_MEMBERS:
        tell_members_awaited(t);
        break;
    case GROUP_WAIT_ASSIGNMENT:
        tell_assignment_awaited(t);
        break;
    case GROUP_WAIT_WRITE:
        tell_write_awaited(t);
        break;
    case GROUP_WAIT_NONE:
        if (wire_str_is(t->group->group_state, "Empty"))
            tell_empty(t);
        else
            tell_stable(t);
        break;
    default:
        strbuf_printf(t->out, "it waits for something that this klamm is too old to know (%d).\n",
                      t->x->wait);
        break;
    }
}

/* ---- the coordinator */

static const char *failure_words(int8_t failure)
{
    static const char *const words[COORDINATOR_FAILURE_COUNT] = {
        [COORDINATOR_FAILED_TO_WRITE] = "a write failed",
        [COORDINATOR_FAILED_TO_LOAD] = "it could not be read",
        [COORDINATOR_FAILED_FOR_MEMORY] = "there was no memory for what was written",
    };
    bool is_known = failure > 0 && failure < COORDINATOR_FAILURE_COUNT;
    return is_known ? words[failure] : "it failed";
}

/* ": a write failed 3.0 s ago (KAFKA_STORAGE_ERROR)" */
static void add_failure(const struct telling *t)
{
    const struct describe_groups_response_explained_coordinator *c = &t->x->coordinator;
    strbuf_printf(t->out, ": %s ", failure_words(c->failure));
    add_age(t, c->failure_ms);
    strbuf_puts(t->out, " ago");
    if (c->failure_text.len > 0) {
        strbuf_puts(t->out, " (");
        table_text(t->out, c->failure_text);
        strbuf_putc(t->out, ')');
    }
}

static void add_partition(const struct telling *t, int32_t node)
{
    strbuf_printf(t->out, "__consumer_offsets-%d of broker %d", t->x->coordinator.partition, node);
}

static void tell_coordinator(const struct telling *t, int32_t node)
{
    const struct describe_groups_response_explained_coordinator *c = &t->x->coordinator;
    if (c->oldest_write_ms >= 0 &&
        group_why_between(c->oldest_write_ms, t->x->now_ms) >= SLOW_WRITE_MS) {
        strbuf_puts(t->out, "The coordinator's log is slow: ");
        add_partition(t, node);
        strbuf_printf(t->out, " has %d write%s under way, the first for ", c->write_count,
                      c->write_count == 1 ? "" : "s");
        add_age(t, c->oldest_write_ms);
        strbuf_puts(t->out, ".\n");
    }
    if (c->failure == COORDINATOR_NEVER_FAILED)
        return;
    strbuf_puts(t->out, "The coordinator's log, ");
    add_partition(t, node);
    strbuf_puts(t->out, ", has failed since the broker started");
    add_failure(t);
    strbuf_puts(t->out, "; the groups were read from it again.\n");
}

void group_why_refused(const struct group_why *why, struct strbuf *out)
{
    struct telling t = {why->group, why->group->explanation, out};
    const struct describe_groups_response_explained_coordinator *c = &t.x->coordinator;
    static const char *const words[COORDINATOR_STATE_COUNT] = {
        [COORDINATOR_IDLE] = "is not open there: its log directory may be offline",
        [COORDINATOR_LOADING] = "is being read",
        [COORDINATOR_ACTIVE] = "serves, and has no memory for the answer",
        [COORDINATOR_FAILING] = "does not serve",
        [COORDINATOR_STOPPING] = "is being closed",
    };
    bool is_known = c->state >= 0 && c->state < COORDINATOR_STATE_COUNT;
    strbuf_puts(out, "group \"");
    table_text(out, t.group->group_id);
    strbuf_puts(out, "\": its coordinator, ");
    add_partition(&t, why->node);
    strbuf_printf(out, ", %s (for ", is_known ? words[c->state] : "is in a state of its own");
    add_age(&t, c->state_since_ms);
    strbuf_putc(out, ')');
    if (c->failure != COORDINATOR_NEVER_FAILED)
        add_failure(&t);
    if (c->retry_ms >= 0) {
        strbuf_puts(out, "; it is tried again in ");
        add_left(&t, c->retry_ms);
    }
}

void group_why_sentences(const struct group_why *why, struct strbuf *out)
{
    struct telling t = {why->group, why->group->explanation, out};
    ASSERT(t.x != NULL);
    tell_state(&t);
    tell_rebalances(&t);
    if (!wire_str_is(t.group->group_state, "Empty"))
        tell_gone(&t);
    tell_coordinator(&t, why->node);
}
