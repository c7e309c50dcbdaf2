// SPDX-License-Identifier: Apache-2.0
/* group_why_print: the table and the JSON of `klamm group why`. See group_why.h. Thread: main. */
#include <stdio.h>

#include "base/assert.h"
#include "cli/group_why.h"
#include "cli/table.h"
#include "wire/explanation.h"
#include "wire/kerr.h"

/* ---- the table */

static const struct table_column columns[] = {
    {"member", false},       {"client", false}, {"host", false}, {"instance", false},
    {"last request", false}, {"ago", true},     {"now", false},  {"removed in", true},
};

static void add_duration(struct table *table, int64_t ms, bool is_known)
{
    char text[CLI_DURATION_SIZE];
    table_add(table, wire_str_of(is_known ? cli_duration(ms, text) : NULL));
}

/* "JoinGroup parked for 3.2 s", "SyncGroup awaited" */
static void add_now(struct table *table, int64_t now_ms,
                    const struct describe_groups_response_explained_member *m)
{
    char name[GROUP_WHY_REQUEST_SIZE], age[CLI_DURATION_SIZE];
    struct strbuf text;
    strbuf_init(&text);
    if (m->parked_request >= 0)
        strbuf_printf(&text, "%s parked for %s", group_why_request(m->parked_request, name),
                      cli_duration(group_why_between(m->parked_ms, now_ms), age));
    else if (m->awaited_request >= 0)
        strbuf_printf(&text, "%s awaited", group_why_request(m->awaited_request, name));
    table_add(table, wire_str_of(text.len > 0 ? strbuf_text(&text) : NULL));
    strbuf_deinit(&text);
}

void group_why_print_members(const struct group_why *why)
{
    const struct describe_groups_response_explanation *x = why->group->explanation;
    struct table table;
    if (x->members.count <= 0)
        return;
    table_init(&table, columns, ARRAY_COUNT(columns));
    for (int32_t i = 0; i < x->members.count; i++) {
        const struct describe_groups_response_explained_member *m = &x->members.items[i];
        char name[GROUP_WHY_REQUEST_SIZE];
        bool has_asked = m->last_request >= 0;
        table_add(&table, m->member_id);
        table_add(&table, m->client_id);
        table_add(&table, m->client_host);
        table_add(&table, m->group_instance_id);
        table_add(&table, wire_str_of(has_asked ? group_why_request(m->last_request, name) : NULL));
        add_duration(&table, group_why_between(m->last_request_ms, x->now_ms), has_asked);
        add_now(&table, x->now_ms, m);
        add_duration(&table, group_why_between(x->now_ms, m->deadline_ms), m->deadline_ms >= 0);
    }
    putchar('\n');
    table_print(&table, 2);
    table_deinit(&table);
}

/* ---- JSON */

static const char *const event_names[GROUP_EVENT_KIND_COUNT] = {
    [GROUP_EVENT_UNKNOWN] = "unknown",
    [GROUP_EVENT_JOINED] = "joined",
    [GROUP_EVENT_CHANGED] = "changed",
    [GROUP_EVENT_LEADER_JOINED] = "leader_joined",
    [GROUP_EVENT_LEFT] = "left",
    [GROUP_EVENT_REMOVED] = "removed",
    [GROUP_EVENT_SESSION_OVER] = "session_timeout",
    [GROUP_EVENT_NOT_JOINED] = "rebalance_timeout",
    [GROUP_EVENT_NOT_SYNCED] = "sync_timeout",
    [GROUP_EVENT_REPLACED] = "static_member_replaced",
    [GROUP_EVENT_REPLACED_UNWRITTEN] = "static_member_not_written",
    [GROUP_EVENT_ASSIGNMENT_UNWRITTEN] = "assignment_not_written",
    [GROUP_EVENT_TOO_MANY] = "too_many_members_loaded",
    [GROUP_EVENT_NO_ROOM] = "group_full",
};

static const char *const wait_names[GROUP_WAIT_COUNT] = {
    [GROUP_WAIT_NONE] = NULL,         [GROUP_WAIT_FIRST_MEMBERS] = "first_members",
    [GROUP_WAIT_MEMBERS] = "members", [GROUP_WAIT_ASSIGNMENT] = "assignment",
    [GROUP_WAIT_WRITE] = "write",
};

static const char *const coordinator_names[COORDINATOR_STATE_COUNT] = {
    [COORDINATOR_IDLE] = "idle",         [COORDINATOR_LOADING] = "loading",
    [COORDINATOR_ACTIVE] = "active",     [COORDINATOR_FAILING] = "failing",
    [COORDINATOR_STOPPING] = "stopping",
};

static const char *const failure_names[COORDINATOR_FAILURE_COUNT] = {
    [COORDINATOR_NEVER_FAILED] = NULL,
    [COORDINATOR_FAILED_TO_WRITE] = "write",
    [COORDINATOR_FAILED_TO_LOAD] = "load",
    [COORDINATOR_FAILED_FOR_MEMORY] = "memory",
};

/* A number that is newer than this program stays one. */
static json_t *word_json(const char *const *names, int count, int number)
{
    if (number < 0 || number >= count)
        return json_integer(number);
    return json_out_str(wire_str_of(names[number]));
}

static json_t *name_json(struct wire_str name)
{
    return name.len > 0 ? json_out_str(name) : json_null();
}

static json_t *request_json(int16_t api_key)
{
    char name[GROUP_WHY_REQUEST_SIZE];
    return api_key < 0 ? json_null() : json_out_str(wire_str_of(group_why_request(api_key, name)));
}

static json_t *event_json(const struct describe_groups_response_event *e)
{
    if (e == NULL)
        return json_null();
    json_t *object = json_object();
    json_out_set(object, "kind", word_json(event_names, GROUP_EVENT_KIND_COUNT, e->kind));
    json_out_set(object, "at_ms", json_out_number(e->at_ms));
    json_out_set(object, "member", json_out_str(e->member_id));
    json_out_set(object, "instance", json_out_str(e->group_instance_id));
    json_out_set(object, "client_id", json_out_str(e->client_id));
    json_out_set(object, "host", json_out_str(e->client_host));
    json_out_set(object, "others", json_integer(e->others_count));
    json_out_set(object, "reason", json_out_str(e->reason));
    json_out_set(object, "by_client_id", json_out_str(e->by_client_id));
    json_out_set(object, "by_host", json_out_str(e->by_client_host));
    return object;
}

static json_t *coordinator_json(const struct group_why *why)
{
    const struct describe_groups_response_explained_coordinator *c =
        &why->group->explanation->coordinator;
    json_t *object = json_object();
    json_out_set(object, "broker", json_integer(why->node));
    json_out_set(object, "partition", json_integer(c->partition));
    json_out_set(object, "state", word_json(coordinator_names, COORDINATOR_STATE_COUNT, c->state));
    json_out_set(object, "state_since_ms", json_out_number(c->state_since_ms));
    json_out_set(object, "writes", json_integer(c->write_count));
    json_out_set(object, "oldest_write_ms", json_out_number(c->oldest_write_ms));
    json_out_set(object, "failure",
                 word_json(failure_names, COORDINATOR_FAILURE_COUNT, c->failure));
    json_out_set(object, "failure_ms", json_out_number(c->failure_ms));
    json_out_set(object, "failure_text", json_out_str(c->failure_text));
    json_out_set(object, "retry_ms", json_out_number(c->retry_ms));
    return object;
}

static json_t *member_json(const struct describe_groups_response_explained_member *m)
{
    json_t *object = json_object();
    json_out_set(object, "member", json_out_str(m->member_id));
    json_out_set(object, "instance", json_out_str(m->group_instance_id));
    json_out_set(object, "client_id", json_out_str(m->client_id));
    json_out_set(object, "host", json_out_str(m->client_host));
    json_out_set(object, "is_pending", json_boolean(m->is_pending));
    json_out_set(object, "session_timeout_ms", json_integer(m->session_timeout_ms));
    json_out_set(object, "rebalance_timeout_ms", json_integer(m->rebalance_timeout_ms));
    json_out_set(object, "last_request", request_json(m->last_request));
    json_out_set(object, "last_request_ms", json_out_number(m->last_request_ms));
    json_out_set(object, "parked_request", request_json(m->parked_request));
    json_out_set(object, "parked_ms", json_out_number(m->parked_ms));
    json_out_set(object, "awaited_request", request_json(m->awaited_request));
    json_out_set(object, "deadline_ms", json_out_number(m->deadline_ms));
    return object;
}

static json_t *members_json(const struct describe_groups_response_explanation *x)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < x->members.count; i++)
        json_out_append(array, member_json(&x->members.items[i]));
    return array;
}

static void set_group(json_t *object, const struct group_why *why)
{
    const struct describe_groups_response_explanation *x = why->group->explanation;
    json_out_set(object, "state_since_ms", json_out_number(x->state_since_ms));
    json_out_set(object, "known_since_ms", json_out_number(x->known_since_ms));
    json_out_set(object, "is_loaded", json_boolean(x->is_loaded));
    json_out_set(object, "generation", json_out_number(x->generation_id));
    json_out_set(object, "protocol_type", name_json(why->group->protocol_type));
    json_out_set(object, "protocol", name_json(x->protocol_name));
    json_out_set(object, "leader", name_json(x->leader));
    json_out_set(object, "rebalances", json_integer(x->rebalance_count));
    json_out_set(object, "begun", event_json(x->begun));
    json_out_set(object, "gone", event_json(x->gone));
    json_out_set(object, "wait", word_json(wait_names, GROUP_WAIT_COUNT, x->wait));
    json_out_set(object, "wait_end_ms", json_out_number(x->wait_end_ms));
    json_out_set(object, "is_unwritten", json_boolean(x->is_unwritten));
    json_out_set(object, "offsets", json_integer(x->offset_count));
    json_out_set(object, "first_expiry_ms", json_out_number(x->first_expiry_ms));
    json_out_set(object, "last_expiry_ms", json_out_number(x->last_expiry_ms));
    json_out_set(object, "members", members_json(x));
}

json_t *group_why_json(const struct group_why *why, const char *text)
{
    int16_t error = why->group->error_code;
    bool is_refused = error != KERR_NONE;
    json_t *object = json_object();
    json_out_set(object, "name", json_out_str(why->group->group_id));
    json_out_set(object, "state", is_refused ? json_null() : json_out_str(why->group->group_state));
    json_out_set(object, "error", json_out_error(error));
    json_out_set(object, "text", json_out_str(wire_str_of(text)));
    json_out_set(object, "now_ms", json_out_number(why->group->explanation->now_ms));
    json_out_set(object, "coordinator", coordinator_json(why));
    if (!is_refused)
        set_group(object, why);
    return object;
}
