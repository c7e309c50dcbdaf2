// SPDX-License-Identifier: Apache-2.0
/* committer: see committer.h. Thread: one. */
#include "committer.h"

#include "base/assert.h"
#include "wire/delete_groups.h"
#include "wire/find_coordinator.h"

enum { PAUSE_MAX_MS = 30, KEYS_SINCE = 4, ROW_PERCENT = 40 };

static struct history *history_of(const struct committer *c)
{
    return c->client.options.history;
}

static void step_later(struct committer *c)
{
    client_later(&c->client, &c->pause, 0, PAUSE_MAX_MS * SIM_MS);
}

static void judge(struct committer *c, enum kerr error)
{
    switch (error) {
    case KERR_NONE:
    case KERR_GROUP_ID_NOT_FOUND: /* deleted, or never there */
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_NOT_COORDINATOR:
        return;
    default:
        history_fail(history_of(c), "committers", "API %d answered %s", c->offsets.call.api_key,
                     kerr_name(error));
    }
}

static void on_done(void *arg, enum err e, enum kerr error)
{
    struct committer *c = arg;
    c->is_busy = false;
    if (e != ERR_OK)
        return;
    judge(c, error);
    step_later(c);
}

/* Some partitions, at least one. */
static void draw_rows(struct committer *c, bool all)
{
    struct sim *sim = client_sim(&c->client);
    uint32_t count = c->client.options.partition_count;
    uint32_t sure = (uint32_t)sim_draw(sim, 0, count - 1);
    c->offsets.row_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (all || i == sure || sim_percent(sim, ROW_PERCENT))
            c->offsets.rows[c->offsets.row_count++] = (struct offsets_row){
                .partition = c->client.options.partitions[i], .offset = ++c->offset};
    }
}

/* ---- deleting the group */

static void on_group_deleted(struct call *call, enum err e, const void *response)
{
    struct committer *c = container_of(call, struct committer, call);
    struct history *h = history_of(c);
    const struct delete_groups_response *answer = response;
    enum kerr error = KERR_NONE;
    if (e == ERR_OK && answer->results.count == 1)
        error = (enum kerr)answer->results.items[0].error_code;
    else if (e == ERR_OK)
        history_fail(h, "committers", "DeleteGroups answered for other groups");
    for (uint32_t i = 0; i < c->offsets.row_count; i++) {
        if (e == ERR_OK && error == KERR_NONE)
            history_commit_acked(h, c->offsets.rows[i].commit);
        else if (e == ERR_OK && offsets_is_refusal(error))
            history_commit_refused(h, c->offsets.rows[i].commit);
        else
            history_commit_unknown(h, c->offsets.rows[i].commit);
    }
    on_done(c, e, error);
}

static void delete_group(struct committer *c)
{
    struct delete_groups_request request;
    struct wire_str name = wire_str_of(history_of(c)->groups.items[c->group].name);
    wire_defaults(wire_api_find(API_DELETE_GROUPS)->request->body, &request);
    request.groups_names.items = &name;
    request.groups_names.count = 1;
    draw_rows(c, true);
    for (uint32_t i = 0; i < c->offsets.row_count; i++)
        c->offsets.rows[i].commit = history_commit_sent(
            history_of(c), &(struct history_new_commit){.group = c->group,
                                                        .partition = c->offsets.rows[i].partition,
                                                        .is_deletion = true});
    c->call = (struct call){.api_key = API_DELETE_GROUPS, .done = on_group_deleted};
    connection_call(&c->client.connection, &c->call, &request);
}

/* ---- the coordinator: asking for it makes the topic */

static void on_found(struct call *call, enum err e, const void *response)
{
    struct committer *c = container_of(call, struct committer, call);
    const struct find_coordinator_response *answer = response;
    enum kerr error = KERR_COORDINATOR_NOT_AVAILABLE;
    if (e == ERR_OK && call->version < KEYS_SINCE)
        error = (enum kerr)answer->error_code;
    else if (e == ERR_OK && answer->coordinators.count == 1)
        error = (enum kerr)answer->coordinators.items[0].error_code;
    c->is_made = error == KERR_NONE;
    on_done(c, e, error);
}

static void find(struct committer *c)
{
    struct find_coordinator_request request;
    struct wire_str name = wire_str_of(history_of(c)->groups.items[c->group].name);
    wire_defaults(wire_api_find(API_FIND_COORDINATOR)->request->body, &request);
    request.key = name;
    if (connection_version(&c->client.connection, API_FIND_COORDINATOR) >= KEYS_SINCE) {
        request.key = wire_str_of("");
        request.coordinator_keys.items = &name;
        request.coordinator_keys.count = 1;
    }
    c->call = (struct call){.api_key = API_FIND_COORDINATOR, .done = on_found};
    connection_call(&c->client.connection, &c->call, &request);
}

/* ---- steps */

static void step(struct committer *c)
{
    static const struct offsets_who nobody = {
        .generation = -1, .member_id = {"", 0}, .instance_id = {NULL, -1}};
    if (!c->client.is_ready || c->is_busy)
        return;
    c->is_busy = true;
    int64_t drawn = sim_draw(client_sim(&c->client), 0, 99);
    if (!c->is_made) {
        find(c);
    } else if (drawn < 3) {
        delete_group(c);
    } else {
        draw_rows(c, drawn % 5 == 0);
        c->offsets.retention_ms = 0;
        if (c->retention_max_ms > 0 && drawn % 3 == 0)
            c->offsets.retention_ms =
                (int32_t)sim_draw(client_sim(&c->client), 1, c->retention_max_ms);
        if (drawn < 15)
            offsets_delete(&c->offsets);
        else if (drawn < 65)
            offsets_commit(&c->offsets, &nobody);
        else
            offsets_fetch(&c->offsets);
    }
}

static void on_pause_over(struct loop_timer *timer)
{
    step(container_of(timer, struct committer, pause));
}

static void on_ready(void *arg)
{
    struct committer *c = arg;
    if (c->retention_max_ms > 0) /* the versions that know a retention */
        connection_limit_version(&c->client.connection, API_OFFSET_COMMIT, 2, 4);
    step(c);
}

static void on_lost(void *arg)
{
}

void committer_start(struct committer *c, const struct client_options *client, uint32_t group,
                     int32_t retention_max_ms)
{
    ASSERT(client->partition_count > 0);
    *c = (struct committer){
        .group = group, .retention_max_ms = retention_max_ms, .pause = {.fire = on_pause_over}};
    c->offsets =
        (struct offsets_call){.client = &c->client, .group = group, .arg = c, .done = on_done};
    struct client_options own = *client;
    own.arg = c;
    own.ready = on_ready;
    own.lost = on_lost;
    client_start(&c->client, &own);
}

void committer_stop(struct committer *c)
{
    loop_timer_stop(sim_env_loop(c->client.options.env, 0), &c->pause);
    client_stop(&c->client);
}
