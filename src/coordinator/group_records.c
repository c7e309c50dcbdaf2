// SPDX-License-Identifier: Apache-2.0
/*
 * group_records: the facts of a group as records of __consumer_offsets, in Kafka's form
 * (schema/records/consumer_offsets.rec), and back.
 *
 * A key is an int16, the kind, and a message; a value an int16, the message's version, and the
 * message. Written are the versions that Kafka 4.4 writes: 3 of a group; 4 of a committed offset,
 * with the topic's id, or 1 when it brings its own time of expiry.
 *
 * Thread: the shard's loop; replay: the one that loads.
 */
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "base/mem.h"
#include "coordinator/group_private.h"
#include "wire/codec.h"
#include "wire/consumer_offsets.h"

enum {
    KEY_OFFSET_OLD = 0,
    KEY_OFFSET = 1,
    KEY_GROUP = 2,
    OFFSET_VALUE_VERSION = 4,
    OFFSET_VALUE_WITH_EXPIRY = 1,
    GROUP_VALUE_VERSION = 3,
};

static struct wire_str id_of(const struct group *group)
{
    return (struct wire_str){group->id, (int32_t)group->id_len};
}

/* ---- writing */

static enum err put_message(struct wire_writer *w, int16_t head, const struct wire_message *m,
                            int16_t version, const void *message)
{
    wire_writer_clear(w);
    wire_write_i16(w, head);
    return wire_encode(m, version, w, message);
}

/* The key lies in shard->key, the value in shard->value when there is one. */
static enum err add_record(struct group_shard *shard, bool has_value)
{
    struct record record = {
        .timestamp = group_shard_now_ms(shard),
        .key = {shard->key.data, (int32_t)shard->key.size},
        .value = {has_value ? shard->value.data : NULL,
                  has_value ? (int32_t)shard->value.size : -1},
    };
    if (!shard->has_records) {
        struct batch_options options = batch_options_default();
        batch_builder_start(&shard->builder, &options);
        shard->has_records = true;
    }
    return batch_builder_add(&shard->builder, &record);
}

static enum err put_group_key(struct group *group)
{
    struct group_metadata_key key = {.group = id_of(group)};
    return put_message(&group->shard->key, KEY_GROUP, &group_metadata_key_message, KEY_GROUP, &key);
}

static enum err put_offset_key(struct group *group, struct wire_str topic, int32_t partition)
{
    struct offset_commit_key key = {.group = id_of(group), .topic = topic, .partition = partition};
    return put_message(&group->shard->key, KEY_OFFSET, &offset_commit_key_message, KEY_OFFSET,
                       &key);
}

static struct wire_bytes bytes_of(const struct group_bytes *bytes)
{
    return (struct wire_bytes){bytes->data != NULL ? bytes->data : (const uint8_t *)"", bytes->len};
}

static void fill_member(struct group_metadata_value_member_metadata *row,
                        const struct group_member *member, enum group_assignment_source source)
{
    row->member_id = wire_str_of(member->id);
    row->group_instance_id = wire_str_of(member->instance_id);
    row->client_id = wire_str_of(member->client_id);
    row->client_host = wire_str_of(member->client_host);
    row->rebalance_timeout = member->rebalance_timeout_ms;
    row->session_timeout = member->session_timeout_ms;
    row->subscription = group_member_metadata(member, member->group->protocol);
    row->assignment =
        bytes_of(source == ASSIGNMENT_NEXT ? &member->next_assignment : &member->assignment);
}

enum err group_record(struct group *group, enum group_assignment_source source)
{
    struct group_shard *shard = group->shard;
    int32_t count = source == ASSIGNMENT_NONE ? 0 : group->member_count;
    struct group_metadata_value_member_metadata *rows =
        mem_try_zeroed((size_t)count * sizeof(rows[0]) + 1);
    if (rows == NULL)
        return ERR_NO_MEMORY;
    int32_t n = 0;
    for (struct list *node = group->members.next; n < count; node = node->next)
        fill_member(&rows[n++], container_of(node, struct group_member, link), source);
    struct group_metadata_value value = {
        .protocol_type = wire_str_of(group->protocol_type != NULL ? group->protocol_type : ""),
        .generation = group->generation,
        .protocol = wire_str_of(group->protocol),
        .leader = wire_str_of(count > 0 ? group->leader : NULL),
        .current_state_timestamp = group->state_since_ms,
        .members = {rows, count},
    };
    enum err e = put_group_key(group);
    if (e == ERR_OK)
        e = put_message(&shard->value, GROUP_VALUE_VERSION, &group_metadata_value_message,
                        GROUP_VALUE_VERSION, &value);
    if (e == ERR_OK)
        e = add_record(shard, true);
    mem_free(rows);
    return e;
}

enum err group_record_gone(struct group *group)
{
    enum err e = put_group_key(group);
    return e == ERR_OK ? add_record(group->shard, false) : e;
}

enum err group_record_offset(struct group *group, const struct offset_put *put)
{
    struct group_shard *shard = group->shard;
    struct offset_commit_value value = {
        .offset = put->offset,
        .leader_epoch = put->leader_epoch,
        .metadata = put->metadata,
        .commit_timestamp = put->commit_ms,
        .expire_timestamp = put->expire_ms,
        .topic_id = put->topic_id,
    };
    int16_t version = put->expire_ms >= 0 ? OFFSET_VALUE_WITH_EXPIRY : OFFSET_VALUE_VERSION;
    enum err e = put_offset_key(group, put->topic, put->partition);
    if (e == ERR_OK)
        e = put_message(&shard->value, version, &offset_commit_value_message, version, &value);
    return e == ERR_OK ? add_record(shard, true) : e;
}

enum err group_record_offset_gone(struct group *group, struct wire_str topic, int32_t partition)
{
    if (CANARY(LOST_TOMBSTONE))
        return ERR_OK;
    enum err e = put_offset_key(group, topic, partition);
    return e == ERR_OK ? add_record(group->shard, false) : e;
}

/* ---- replay */

static enum err read_value(const struct record *record, const struct wire_message *m,
                           struct arena *arena, void *out)
{
    struct wire_reader r = wire_reader_of(record->value.data, (size_t)record->value.len);
    int16_t version = wire_read_i16(&r);
    return r.failed ? ERR_CORRUPT : wire_decode(m, version, &r, arena, out);
}

static struct group *find_or_make(struct group_shard *shard, struct wire_str id)
{
    struct group *group = group_shard_find(shard, id);
    return group != NULL ? group : group_shard_make(shard, id);
}

static enum err replay_offset(struct group_shard *shard, const struct offset_commit_key *key,
                              const struct record *record, struct arena *arena)
{
    if (record->value.len < 0) {
        struct group *group = group_shard_find(shard, key->group);
        if (group != NULL)
            offset_table_remove(&group->offsets, key->topic, key->partition);
        return ERR_OK;
    }
    struct offset_commit_value value = {0};
    enum err e = read_value(record, &offset_commit_value_message, arena, &value);
    if (e != ERR_OK)
        return e;
    struct group *group = find_or_make(shard, key->group);
    struct offset_put put = {
        .topic = key->topic,
        .topic_id = value.topic_id,
        .partition = key->partition,
        .leader_epoch = value.leader_epoch,
        .offset = value.offset,
        .commit_ms = value.commit_timestamp,
        .expire_ms = value.expire_timestamp,
        .metadata = value.metadata,
    };
    return group != NULL && offset_table_put(&group->offsets, &put) ? ERR_OK : ERR_NO_MEMORY;
}

/* What the log said of the group before does not count any more; its offsets do. */
static void forget_members(struct group *group)
{
    MAP_FOR_EACH (node, &group->by_id)
        group_remove_member(group, container_of(node, struct group_member, by_id));
    ASSERT(group->member_count == 0);
    ASSERT(group->leader == NULL);
    group_load_state(group, GROUP_EMPTY);
    group->has_record = false;
}

/* Ids are texts with a NUL at the end here. Nobody writes one with another. */
static bool has_nul(struct wire_str id)
{
    return id.len > 0 && memchr(id.data, 0, (size_t)id.len) != NULL;
}

/* One that is no member counts for nothing: the next round elects another. */
static bool set_leader(struct group *group, struct wire_str leader)
{
    bool is_member = group_member_find(group, leader) != NULL;
    return group_text_set(&group->leader, is_member ? leader : wire_str_of(NULL));
}

static enum err replay_member(struct group *group, int16_t version,
                              const struct group_metadata_value *value,
                              const struct group_metadata_value_member_metadata *row)
{
    if (group_member_find(group, row->member_id) != NULL ||
        group_static_member_find(group, row->group_instance_id) != NULL ||
        has_nul(row->member_id) || has_nul(row->group_instance_id) ||
        wire_str_is_null(value->protocol))
        return ERR_CORRUPT;
    struct group_member_options options = {
        .id = row->member_id,
        .instance_id = row->group_instance_id,
        .client_id = row->client_id,
        .client_host = row->client_host,
        .session_timeout_ms = row->session_timeout,
        .rebalance_timeout_ms = version == 0 ? row->session_timeout : row->rebalance_timeout,
    };
    struct join_group_request_protocol protocol = {value->protocol, row->subscription};
    struct join_group_request_protocol_array protocols = {&protocol, 1};
    struct group_member *member = group_add_member(group, &options);
    if (member == NULL || !group_member_set_protocols(member, &protocols) ||
        !group_bytes_set(&member->assignment, row->assignment))
        return ERR_NO_MEMORY;
    return ERR_OK;
}

static enum err replay_group(struct group_shard *shard, const struct group_metadata_key *key,
                             const struct record *record, struct arena *arena)
{
    if (record->value.len < 0) {
        struct group *group = group_shard_find(shard, key->group);
        if (group != NULL)
            forget_members(group);
        return ERR_OK;
    }
    struct group_metadata_value value = {0};
    enum err e = read_value(record, &group_metadata_value_message, arena, &value);
    if (e != ERR_OK)
        return e;
    int16_t version = (int16_t)(record->value.data[0] << 8 | record->value.data[1]);
    struct group *group = find_or_make(shard, key->group);
    if (group == NULL)
        return ERR_NO_MEMORY;
    forget_members(group);
    struct wire_str type = value.protocol_type.len > 0 ? value.protocol_type : wire_str_of(NULL);
    if (!group_text_set(&group->protocol_type, type) ||
        !group_text_set(&group->protocol, value.protocol))
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < value.members.count && e == ERR_OK; i++)
        e = replay_member(group, version, &value, &value.members.items[i]);
    if (e == ERR_OK && !set_leader(group, value.leader))
        e = ERR_NO_MEMORY;
    group->generation = value.generation;
    group_load_state(group, group->member_count > 0 ? GROUP_STABLE : GROUP_EMPTY);
    if (value.current_state_timestamp >= 0)
        group->state_since_ms = value.current_state_timestamp;
    group->has_record = true;
    if (e == ERR_OK)
        group_check_counts(group);
    return e;
}

enum err group_records_replay(struct group_shard *shard, const struct record *record)
{
    if (record->key.len < 2)
        return ERR_CORRUPT;
    struct arena arena;
    arena_init(&arena, LIMIT_GROUP_RECORD_ARENA_BYTES);
    struct wire_reader r = wire_reader_of(record->key.data, (size_t)record->key.len);
    struct offset_commit_key offset_key = {0};
    struct group_metadata_key group_key = {0};
    enum err e;
    int16_t kind = wire_read_i16(&r);
    switch (kind) {
    case KEY_OFFSET_OLD:
    case KEY_OFFSET:
        e = wire_decode(&offset_commit_key_message, kind, &r, &arena, &offset_key);
        if (e == ERR_OK)
            e = replay_offset(shard, &offset_key, record, &arena);
        break;
    case KEY_GROUP:
        e = wire_decode(&group_metadata_key_message, kind, &r, &arena, &group_key);
        if (e == ERR_OK)
            e = replay_group(shard, &group_key, record, &arena);
        break;
    default:
        shard->unknown_records++;
        e = ERR_OK;
        break;
    }
    arena_deinit(&arena);
    return e;
}
