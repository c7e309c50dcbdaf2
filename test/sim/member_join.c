// SPDX-License-Identifier: Apache-2.0
/*
 * member_join: how a simulated member gets into the next generation of its group, and out of the
 * group; see member.h.
 *
 * Thread: one.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "member.h"
#include "wire/find_coordinator.h"
#include "wire/join_group.h"
#include "wire/leave_group.h"
#include "wire/sync_group.h"

enum {
    KEYS_SINCE = 4, /* FindCoordinator asks for several */
    TYPE_SINCE = 7, /* JoinGroup says the protocol type */
    ID_REQUIRED_SINCE = 4,
    MEMBERS_SINCE = 3, /* LeaveGroup names several */
    IDS_BYTES_MAX = 1 << 16,
    BYTES_MAX = 4096,
    REVISION_PERCENT = 10,
};

static const char protocol_type[] = "consumer";
static const char *const protocols[MEMBER_PROTOCOLS] = {"range", "sticky"};

/* ---- FindCoordinator */

static void on_found(struct call *call, enum err e, const void *response)
{
    struct member *m = container_of(call, struct member, call);
    if (!member_answered(m, e))
        return;
    const struct find_coordinator_response *answer = response;
    struct find_coordinator_response_coordinator one = {
        .key = member_group_name(m), .error_code = answer->error_code, .port = answer->port};
    if (call->version >= KEYS_SINCE && answer->coordinators.count == 1)
        one = answer->coordinators.items[0];
    if (!wire_str_equal(one.key, member_group_name(m)))
        history_fail(member_history(m), "members", "FindCoordinator answered for another group");
    if (member_takes(m, "FindCoordinator", one.error_code)) {
        m->needs_coordinator = false;
        if (one.port != m->client_options.broker.port)
            history_fail(member_history(m), "members", "the coordinator has port %d", one.port);
    }
    member_step_later(m);
}

void member_find_coordinator(struct member *m)
{
    struct find_coordinator_request request;
    struct wire_str key = member_group_name(m);
    wire_defaults(wire_api_find(API_FIND_COORDINATOR)->request->body, &request);
    if (connection_version(&m->client.connection, API_FIND_COORDINATOR) >= KEYS_SINCE) {
        request.coordinator_keys.items = &key;
        request.coordinator_keys.count = 1;
    } else {
        request.key = key;
    }
    member_call(m, API_FIND_COORDINATOR, &request, on_found);
}

/* ---- JoinGroup */

static bool is_self(const struct member *m, const struct join_group_response_member *row)
{
    return wire_str_is(row->member_id, m->id);
}

/* A leader is told of everybody, once, with what he said last. */
static bool take_member(struct member *m, const struct join_group_response_member *row)
{
    struct member_metadata metadata;
    if (row->member_id.len <= 0 || !member_metadata_read(row->metadata, &metadata) ||
        metadata.group != m->options.group)
        return false;
    if (is_self(m, row) &&
        (metadata.owner != m->metadata.owner || metadata.revision != m->metadata.revision))
        return false;
    for (uint32_t i = 0; i < m->member_count; i++) {
        if (m->owners[i] == metadata.owner)
            return false;
    }
    m->owners[m->member_count++] = metadata.owner;
    wire_write_raw(&m->ids, row->member_id.data, (uint32_t)row->member_id.len);
    wire_write_raw(&m->ids, "", 1);
    return true;
}

static void take_members(struct member *m, const struct join_group_response *answer)
{
    bool has_self = false, is_good = answer->members.count <= GROUP_PARTITIONS_MAX;
    m->member_count = 0;
    wire_writer_clear(&m->ids);
    for (int32_t i = 0; is_good && i < answer->members.count; i++) {
        has_self |= is_self(m, &answer->members.items[i]);
        is_good = take_member(m, &answer->members.items[i]);
    }
    if (!is_good || !has_self)
        history_fail(
            member_history(m), "a leader knows everybody",
            "group %s, generation %d: what the leader was told of member %u of %d is wrong",
            member_history(m)->groups.items[m->options.group].name, m->generation, m->member_count,
            answer->members.count);
}

static void set_text(char *to, size_t size, struct wire_str text)
{
    snprintf(to, size, "%.*s", MAX(text.len, 0), text.len > 0 ? text.data : "");
}

static void take_joined(struct member *m, const struct join_group_response *answer)
{
    struct history *h = member_history(m);
    history_generation_told(h, m->options.group, &m->view, answer->generation_id, false);
    if (m->call.version >= ID_REQUIRED_SINCE && !m->options.is_static && m->id[0] == '\0')
        history_fail(h, "members", "JoinGroup took one without an id, in version %d",
                     m->call.version);
    m->generation = answer->generation_id;
    set_text(m->id, sizeof(m->id), answer->member_id);
    set_text(m->protocol, sizeof(m->protocol), answer->protocol_name);
    if (m->id[0] == '\0' || answer->leader.len <= 0 ||
        (strcmp(m->protocol, protocols[0]) != 0 && strcmp(m->protocol, protocols[1]) != 0) ||
        (m->call.version >= TYPE_SINCE && !wire_str_is(answer->protocol_type, protocol_type)))
        history_fail(h, "members", "JoinGroup said yes, and \"%s\", \"%s\"", m->id, m->protocol);
    m->is_leader = wire_str_is(answer->leader, m->id);
    m->has_to_assign = m->is_leader && !answer->skip_assignment;
    m->member_count = 0;
    if (m->is_leader)
        take_members(m, answer);
    else if (answer->members.count != 0)
        history_fail(h, "members", "one who does not lead was told of the others");
    m->state = MEMBER_SYNCS;
}

static void on_joined(struct call *call, enum err e, const void *response)
{
    struct member *m = container_of(call, struct member, call);
    if (!member_answered(m, e))
        return;
    const struct join_group_response *answer = response;
    if (answer->error_code == KERR_MEMBER_ID_REQUIRED) {
        if (call->version < ID_REQUIRED_SINCE || m->options.is_static || m->id[0] != '\0' ||
            answer->member_id.len <= 0)
            history_fail(member_history(m), "members", "JoinGroup wants an id in its version %d",
                         call->version);
        set_text(m->id, sizeof(m->id), answer->member_id);
    } else if (member_takes(m, "JoinGroup", answer->error_code)) {
        take_joined(m, answer);
    }
    member_step_later(m);
}

void member_join(struct member *m)
{
    struct history *h = member_history(m);
    struct sim *sim = member_sim(m);
    if (m->id[0] == '\0' && !m->options.is_static)
        m->metadata.owner = m->options.number << 16 | ++m->incarnation;
    if (sim_percent(sim, REVISION_PERCENT))
        m->metadata.revision++;
    struct wire_writer bytes;
    wire_writer_init(&bytes, BYTES_MAX);
    member_metadata_write(h, &m->metadata, &bytes);
    ASSERT(bytes.error == ERR_OK);
    struct join_group_request_protocol rows[MEMBER_PROTOCOLS];
    int first = sim_percent(sim, 50) ? 1 : 0;
    for (int i = 0; i < MEMBER_PROTOCOLS; i++) {
        rows[i].name = wire_str_of(protocols[(first + i) % MEMBER_PROTOCOLS]);
        rows[i].metadata = (struct wire_bytes){bytes.data, (int32_t)bytes.size};
    }
    struct join_group_request request;
    wire_defaults(wire_api_find(API_JOIN_GROUP)->request->body, &request);
    request.group_id = member_group_name(m);
    request.session_timeout_ms = m->options.session_timeout_ms;
    request.rebalance_timeout_ms = m->options.rebalance_timeout_ms;
    request.member_id = wire_str_of(m->id);
    request.group_instance_id = member_instance(m);
    request.protocol_type = wire_str_of(protocol_type);
    request.protocols.items = rows;
    request.protocols.count = MEMBER_PROTOCOLS;
    member_call(m, API_JOIN_GROUP, &request, on_joined);
    wire_writer_deinit(&bytes);
}

/* ---- SyncGroup */

static void on_synced(struct call *call, enum err e, const void *response)
{
    struct member *m = container_of(call, struct member, call);
    if (!member_answered(m, e))
        return;
    struct history *h = member_history(m);
    const struct sync_group_response *answer = response;
    if (!member_takes(m, "SyncGroup", answer->error_code)) {
        member_step_later(m);
        return;
    }
    struct member_assignment *a = &m->assignment;
    if (!member_assignment_read(answer->assignment, a) || a->owner != m->metadata.owner ||
        a->generation != m->generation) {
        history_fail(h, "a member gets what its leader gave it",
                     "group %s, member %x, generation %d: %d bytes that are for %x, %d",
                     h->groups.items[m->options.group].name, m->metadata.owner, m->generation,
                     answer->assignment.len, a->owner, a->generation);
        return;
    }
    history_assigned(
        h, m->options.group, &m->view,
        &(struct history_assignment){m->generation, a->nonce, a->owner, a->partitions, a->count});
    m->state = a->count > 0 ? MEMBER_RESUMES : MEMBER_WORKS;
    member_step_later(m);
}

/* By chance, so that no two decisions are the same. */
static void decide(struct member *m, struct member_assignment *out)
{
    const struct history *h = member_history(m);
    uint32_t nonce = (uint32_t)sim_draw(member_sim(m), 0, INT32_MAX);
    for (uint32_t i = 0; i < m->member_count; i++)
        out[i] = (struct member_assignment){
            .nonce = nonce, .generation = m->generation, .owner = m->owners[i]};
    for (uint32_t p = 0; p < h->partition_count; p++) {
        struct member_assignment *to = &out[sim_draw(member_sim(m), 0, m->member_count - 1)];
        to->partitions[to->count++] = p;
    }
}

void member_sync(struct member *m)
{
    struct sync_group_request request;
    struct member_assignment assignments[GROUP_PARTITIONS_MAX];
    struct sync_group_request_assignment rows[GROUP_PARTITIONS_MAX];
    struct wire_writer bytes[GROUP_PARTITIONS_MAX];
    wire_defaults(wire_api_find(API_SYNC_GROUP)->request->body, &request);
    request.group_id = member_group_name(m);
    request.generation_id = m->generation;
    request.member_id = wire_str_of(m->id);
    request.group_instance_id = member_instance(m);
    request.protocol_type = wire_str_of(protocol_type);
    request.protocol_name = wire_str_of(m->protocol);
    uint32_t count = m->has_to_assign ? m->member_count : 0;
    const char *id = (const char *)m->ids.data;
    if (count > 0)
        decide(m, assignments);
    for (uint32_t i = 0; i < count; i++) {
        wire_writer_init(&bytes[i], BYTES_MAX);
        member_assignment_write(&assignments[i], &bytes[i]);
        rows[i].member_id = wire_str_of(id);
        rows[i].assignment = (struct wire_bytes){bytes[i].data, (int32_t)bytes[i].size};
        id += strlen(id) + 1;
    }
    request.assignments.items = rows;
    request.assignments.count = (int32_t)count;
    member_call(m, API_SYNC_GROUP, &request, on_synced);
    for (uint32_t i = 0; i < count; i++)
        wire_writer_deinit(&bytes[i]);
}

/* ---- LeaveGroup */

static void on_left(struct call *call, enum err e, const void *response)
{
    struct member *m = container_of(call, struct member, call);
    if (!member_answered(m, e))
        return;
    const struct leave_group_response *answer = response;
    int16_t error = answer->error_code;
    if (error == KERR_NONE && call->version >= MEMBERS_SINCE) {
        if (answer->members.count != 1)
            history_fail(member_history(m), "members", "LeaveGroup answered for others");
        else
            error = answer->members.items[0].error_code;
    }
    (void)member_takes(m, "LeaveGroup", error);
    member_go_away(m);
}

void member_leave(struct member *m)
{
    struct leave_group_request request;
    struct leave_group_request_member_identity who;
    wire_defaults(wire_api_find(API_LEAVE_GROUP)->request->body, &request);
    wire_defaults(&leave_group_request_member_identity_layout, &who);
    /* As an administrator would do it: by the instance alone. */
    bool by_instance = m->options.is_static && sim_percent(member_sim(m), 50);
    who.member_id = wire_str_of(by_instance ? "" : m->id);
    who.group_instance_id = member_instance(m);
    request.group_id = member_group_name(m);
    if (connection_version(&m->client.connection, API_LEAVE_GROUP) >= MEMBERS_SINCE) {
        request.members.items = &who;
        request.members.count = 1;
    } else {
        request.member_id = who.member_id;
    }
    member_call(m, API_LEAVE_GROUP, &request, on_left);
}
