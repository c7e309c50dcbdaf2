// SPDX-License-Identifier: Apache-2.0
/* inspector: see inspector.h. Thread: one. */
#include "inspector.h"

#include "base/assert.h"
#include "wire/describe_groups.h"

enum { PAUSE_MAX_MS = 10, INSTANCES_SINCE = 4, EPOCHS_SINCE = 5 };

static void step(struct inspector *in);

static struct history *history_of(const struct inspector *in)
{
    return in->client.options.history;
}

static void step_later(struct inspector *in)
{
    client_later(&in->client, &in->pause, 0, PAUSE_MAX_MS * SIM_MS);
}

bool inspector_is_done(const struct inspector *in)
{
    return in->at == history_of(in)->groups.count;
}

/* ---- members */

static void put_bytes(struct strbuf *out, struct wire_bytes bytes)
{
    for (int32_t i = 0; i < bytes.len; i++)
        strbuf_printf(out, "%02x", bytes.data[i]);
}

static void put_group(struct inspected_group *to,
                      const struct describe_groups_response_described_group *group)
{
    to->is_moving = !wire_str_is(group->group_state, "Stable") &&
                    !wire_str_is(group->group_state, "Empty") &&
                    !wire_str_is(group->group_state, "Dead");
    to->has_members = group->members.count > 0;
    strbuf_printf(&to->members, "%.*s %.*s", group->group_state.len, group->group_state.data,
                  group->protocol_data.len, group->protocol_data.data);
    for (int32_t i = 0; i < group->members.count; i++) {
        const struct describe_groups_response_described_group_member *m = &group->members.items[i];
        strbuf_printf(&to->members, " [%.*s %.*s %.*s %.*s ", m->member_id.len, m->member_id.data,
                      MAX(m->group_instance_id.len, 0), m->group_instance_id.data, m->client_id.len,
                      m->client_id.data, m->client_host.len, m->client_host.data);
        put_bytes(&to->members, m->member_metadata);
        strbuf_putc(&to->members, ' ');
        put_bytes(&to->members, m->member_assignment);
        strbuf_putc(&to->members, ']');
    }
}

static void on_described(struct call *call, enum err e, const void *response)
{
    struct inspector *in = container_of(call, struct inspector, call);
    in->is_busy = false;
    if (e != ERR_OK)
        return;
    const struct describe_groups_response *answer = response;
    enum kerr error =
        answer->groups.count == 1 ? (enum kerr)answer->groups.items[0].error_code : KERR_NONE;
    if (answer->groups.count != 1) {
        history_fail(history_of(in), "inspectors", "DescribeGroups answered for other groups");
    } else if (error == KERR_NONE || error == KERR_GROUP_ID_NOT_FOUND) {
        put_group(&in->groups[in->at], &answer->groups.items[0]);
        in->has_described = true;
    } else if (!kerr_is_retriable(error)) {
        history_fail(history_of(in), "inspectors", "DescribeGroups answered %s", kerr_name(error));
    }
    step_later(in);
}

static void describe(struct inspector *in)
{
    struct describe_groups_request request;
    struct wire_str name = wire_str_of(history_of(in)->groups.items[in->at].name);
    wire_defaults(wire_api_find(API_DESCRIBE_GROUPS)->request->body, &request);
    request.groups.items = &name;
    request.groups.count = 1;
    in->call = (struct call){.api_key = API_DESCRIBE_GROUPS, .done = on_described};
    connection_call(&in->client.connection, &in->call, &request);
}

/* ---- offsets */

static void on_offsets(void *arg, enum err e, enum kerr error)
{
    struct inspector *in = arg;
    struct inspected_group *group = &in->groups[in->at];
    in->is_busy = false;
    if (e != ERR_OK)
        return;
    if (error == KERR_NONE) {
        for (uint32_t i = 0; i < in->offsets.row_count; i++) {
            const struct offsets_row *row = &in->offsets.rows[i];
            group->has_offsets |= row->offset >= 0;
            strbuf_printf(&group->offsets, " [%lld %d %.*s]", (long long)row->offset,
                          row->leader_epoch, MAX(row->metadata.len, 0), row->metadata.data);
        }
        in->at++;
        in->has_described = false;
    } else if (!kerr_is_retriable(error)) {
        history_fail(history_of(in), "inspectors", "OffsetFetch answered %s", kerr_name(error));
    }
    step_later(in);
}

static void ask_offsets(struct inspector *in)
{
    in->offsets = (struct offsets_call){
        .client = &in->client, .group = in->at, .arg = in, .done = on_offsets};
    for (uint32_t i = 0; i < in->client.options.partition_count; i++)
        in->offsets.rows[in->offsets.row_count++].partition = in->client.options.partitions[i];
    offsets_fetch(&in->offsets);
}

/* ---- steps */

static void step(struct inspector *in)
{
    if (!in->client.is_ready || in->is_busy || inspector_is_done(in))
        return;
    in->is_busy = true;
    if (in->has_described)
        ask_offsets(in);
    else
        describe(in);
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct inspector, pause));
}

static void on_ready(void *arg)
{
    struct inspector *in = arg;
    connection_limit_version(&in->client.connection, API_DESCRIBE_GROUPS, INSTANCES_SINCE,
                             INT16_MAX);
    connection_limit_version(&in->client.connection, API_OFFSET_FETCH, EPOCHS_SINCE, INT16_MAX);
    step(in);
}

static void on_lost(void *arg)
{
}

void inspector_start(struct inspector *in, const struct client_options *client)
{
    ASSERT(client->history->groups.count <= INSPECTOR_GROUPS_MAX);
    *in = (struct inspector){.pause = {.fire = on_pause_over}};
    for (int i = 0; i < INSPECTOR_GROUPS_MAX; i++) {
        strbuf_init(&in->groups[i].members);
        strbuf_init(&in->groups[i].offsets);
    }
    struct client_options own = *client;
    own.arg = in;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&in->client, &own);
}

void inspector_stop(struct inspector *in)
{
    loop_timer_stop(sim_env_loop(in->client.options.env, 0), &in->pause);
    client_stop(&in->client);
}

void inspector_deinit(struct inspector *in)
{
    for (int i = 0; i < INSPECTOR_GROUPS_MAX; i++) {
        strbuf_deinit(&in->groups[i].members);
        strbuf_deinit(&in->groups[i].offsets);
    }
}
