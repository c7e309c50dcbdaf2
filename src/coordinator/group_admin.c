// SPDX-License-Identifier: Apache-2.0
/*
 * group_admin: DescribeGroups (API 15), ListGroups (16) and DeleteGroups (42), for one group or one
 * shard.
 *
 * Thread: the shard's loop.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "coordinator/group_private.h"
#include "wire/codec.h"
#include "wire/delete_groups.h"
#include "wire/describe_groups.h"
#include "wire/list_groups.h"

enum { NOT_FOUND_IS_TOLD_SINCE = 6 };

struct wire_str group_answer_text(struct group_op *op, const char *text)
{
    if (text == NULL)
        return wire_str_of(NULL);
    size_t len = strlen(text);
    const char *copy = arena_copy_text(op->arena, text, len);
    if (copy == NULL)
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    return (struct wire_str){copy, copy != NULL ? (int32_t)len : -1};
}

static struct wire_bytes copy_bytes(struct group_op *op, const void *data, int32_t len)
{
    const char *copy = arena_copy_text(op->arena, data, (size_t)len);
    if (copy == NULL)
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    return (struct wire_bytes){(const uint8_t *)copy, copy != NULL ? len : 0};
}

/* ---- describe */

/* What members support is told of a stable group only. */
static void fill_member(struct group_op *op, const struct group_member *member,
                        struct describe_groups_response_described_group_member *row)
{
    const struct group *group = member->group;
    row->member_id = group_answer_text(op, member->id);
    row->group_instance_id = group_answer_text(op, member->instance_id);
    row->client_id = group_answer_text(op, member->client_id);
    row->client_host = group_answer_text(op, member->client_host);
    const char *protocol = group->state == GROUP_STABLE ? group->protocol : NULL;
    struct wire_bytes metadata = group_member_metadata(member, protocol);
    row->member_metadata = copy_bytes(op, metadata.data, metadata.len);
    row->member_assignment = copy_bytes(op, member->assignment.data, member->assignment.len);
}

static void fill_not_found(struct group_op *op,
                           struct describe_groups_response_described_group *response)
{
    response->group_state = wire_str_of("Dead");
    if (op->version < NOT_FOUND_IS_TOLD_SINCE)
        return;
    response->error_code = KERR_GROUP_ID_NOT_FOUND;
    response->error_message = wire_str_of("there is no such group");
}

void group_fill_described(const struct group_shard *shard, struct group_op *op)
{
    const struct wire_str *id = op->request;
    struct describe_groups_response_described_group *response = op->response;
    const struct group *group = group_shard_find(shard, *id);
    response->group_id = *id;
    if (group == NULL) {
        fill_not_found(op, response);
        return;
    }
    bool is_stable = group->state == GROUP_STABLE;
    response->group_state = wire_str_of(group_state_name(group->state));
    response->protocol_type =
        group_answer_text(op, group->protocol_type != NULL ? group->protocol_type : "");
    response->protocol_data = group_answer_text(op, is_stable ? group->protocol : "");
    if (wire_array_new(op->arena, &describe_groups_response_described_group_member_layout,
                       group->member_count, &response->members) != ERR_OK)
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    int32_t n = 0;
    for (struct list *node = group->members.next; node != &group->members && op->error == KERR_NONE;
         node = node->next)
        fill_member(op, container_of(node, struct group_member, link),
                    &response->members.items[n++]);
}

void group_op_describe(struct group_shard *shard, struct group_op *op)
{
    group_fill_described(shard, op);
    group_shard_finish(shard, op);
}

/* ---- list */

static bool is_named(struct wire_str word, const char *name)
{
    size_t len = strlen(name);
    return (size_t)word.len == len && strncasecmp(word.data, name, len) == 0;
}

static struct wire_str trimmed(struct wire_str word)
{
    while (word.len > 0 && isspace((unsigned char)word.data[0])) {
        word.data++;
        word.len--;
    }
    while (word.len > 0 && isspace((unsigned char)word.data[word.len - 1]))
        word.len--;
    return word;
}

/* Kafka passes over blanks around a state, and not around a type. */
struct group_filter group_filter_of(const struct list_groups_request *request)
{
    const struct wire_str_array *states = &request->states_filter, *types = &request->types_filter;
    struct group_filter filter = {.states = states->count <= 0 ? UINT32_MAX : 0,
                                  .has_classic = types->count <= 0};
    for (int32_t i = 0; i < states->count; i++) {
        struct wire_str word = trimmed(states->items[i]);
        for (int state = 0; state < GROUP_STATE_COUNT; state++) {
            if (is_named(word, group_state_name((enum group_state)state)))
                filter.states |= UINT32_C(1) << state;
        }
    }
    for (int32_t i = 0; i < types->count; i++)
        filter.has_classic |= is_named(types->items[i], "classic");
    return filter;
}

void group_op_list(struct group_shard *shard, struct group_op *op)
{
    const struct group_filter *filter = op->request;
    struct list_groups_response *response = op->response;
    if (!filter->has_classic) {
        group_shard_finish(shard, op);
        return;
    }
    if (wire_array_new(op->arena, &list_groups_response_listed_group_layout,
                       (int32_t)shard->groups.count, &response->groups) != ERR_OK)
        op->error = KERR_COORDINATOR_NOT_AVAILABLE;
    int32_t n = 0;
    MAP_FOR_EACH (node, &shard->groups) {
        const struct group *group = container_of(node, struct group, node);
        bool is_wanted = (filter->states & UINT32_C(1) << group->state) != 0;
        if (op->error != KERR_NONE || !is_wanted)
            continue;
        struct list_groups_response_listed_group *row = &response->groups.items[n++];
        row->group_id = group_answer_text(op, group->id);
        row->protocol_type =
            group_answer_text(op, group->protocol_type != NULL ? group->protocol_type : "");
        row->group_state = wire_str_of(group_state_name(group->state));
        row->group_type = wire_str_of("classic");
    }
    response->groups.count = n;
    group_shard_finish(shard, op);
}

/* ---- delete */

void group_op_delete(struct group_shard *shard, struct group_op *op)
{
    const struct wire_str *id = op->request;
    struct delete_groups_response_deletable_group_result *response = op->response;
    struct group *group = group_shard_find(shard, *id);
    enum kerr error = KERR_GROUP_ID_NOT_FOUND;
    response->group_id = *id;
    if (group != NULL)
        error = group->state == GROUP_EMPTY ? group_write_gone(group) : KERR_NON_EMPTY_GROUP;
    response->error_code = (int16_t)error;
    if (error == KERR_NONE)
        group_shard_remove(shard, group);
    group_shard_finish(shard, op);
}
