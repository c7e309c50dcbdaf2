// SPDX-License-Identifier: Apache-2.0
/* offsets_call: see offsets_call.h. Thread: one. */
#include "offsets_call.h"

#include <stdio.h>

#include "base/assert.h"
#include "wire/offset_commit.h"
#include "wire/offset_delete.h"
#include "wire/offset_fetch.h"

enum {
    NO_GENERATION = -1,
    GROUPS_SINCE = 8, /* OffsetFetch asks for several */
    ERROR_SINCE = 2,
    COMMITS_EPOCH_SINCE = 6,
    FETCHES_EPOCH_SINCE = 5,
    EPOCH_MAX = 9,
    RETENTION_SINCE = 2,
    RETENTION_UNTIL = 4,
};

static struct history *history_of(const struct offsets_call *oc)
{
    return oc->client->options.history;
}

static const struct history_partition *partition_of(const struct offsets_call *oc, uint32_t row)
{
    return &history_of(oc)->partitions[oc->rows[row].partition];
}

static struct uuid id_of(const struct offsets_call *oc, uint32_t row)
{
    return history_of(oc)->topics[partition_of(oc, row)->topic_index].id;
}

static struct wire_str group_name(const struct offsets_call *oc)
{
    return wire_str_of(history_of(oc)->groups.items[oc->group].name);
}

/* Does this row begin another topic? */
static bool is_next_topic(const struct offsets_call *oc, uint32_t row)
{
    return row == 0 || partition_of(oc, row)->topic_index != partition_of(oc, row - 1)->topic_index;
}

static void begin(struct offsets_call *oc, int16_t api_key,
                  void (*done)(struct call *call, enum err e, const void *response))
{
    oc->call = (struct call){.api_key = api_key, .done = done};
    oc->view = history_group_view(history_of(oc), oc->group);
    for (uint32_t i = 0; i < oc->row_count; i++)
        oc->rows[i].is_answered = false;
}

/* NULL, and a failure: nobody asked for that row. */
static struct offsets_row *find_row(struct offsets_call *oc, struct wire_str topic, struct uuid id,
                                    int32_t index)
{
    int32_t partition = client_find_partition(oc->client, topic, id, index);
    for (uint32_t i = 0; i < oc->row_count; i++) {
        struct offsets_row *row = &oc->rows[i];
        if ((int32_t)row->partition != partition || row->is_answered)
            continue;
        row->is_answered = true;
        return row;
    }
    history_fail(history_of(oc), "members", "API %d answered for another partition",
                 oc->call.api_key);
    return NULL;
}

static void expect_all_answered(const struct offsets_call *oc)
{
    for (uint32_t i = 0; i < oc->row_count; i++) {
        if (!oc->rows[i].is_answered)
            history_fail(history_of(oc), "members", "API %d did not answer for partition %u",
                         oc->call.api_key, oc->rows[i].partition);
    }
}

enum kerr offsets_first_error(const struct offsets_call *oc)
{
    for (uint32_t i = 0; i < oc->row_count; i++) {
        if (oc->rows[i].error != KERR_NONE)
            return oc->rows[i].error;
    }
    return KERR_NONE;
}

bool offsets_is_refusal(enum kerr error)
{
    return error == KERR_UNKNOWN_MEMBER_ID || error == KERR_ILLEGAL_GENERATION ||
           error == KERR_REBALANCE_IN_PROGRESS || error == KERR_FENCED_INSTANCE_ID ||
           error == KERR_COORDINATOR_LOAD_IN_PROGRESS || error == KERR_GROUP_ID_NOT_FOUND;
}

/* ---- commits and deletions */

static bool has_retention(const struct offsets_call *oc)
{
    int16_t version = connection_version(&oc->client->connection, API_OFFSET_COMMIT);
    return oc->retention_ms > 0 && version >= RETENTION_SINCE && version <= RETENTION_UNTIL;
}

static void send_row(struct offsets_call *oc, uint32_t i, bool is_deletion)
{
    bool has_epoch =
        connection_version(&oc->client->connection, API_OFFSET_COMMIT) >= COMMITS_EPOCH_SINCE;
    struct offsets_row *row = &oc->rows[i];
    row->commit = history_commit_sent(
        history_of(oc),
        &(struct history_new_commit){
            .group = oc->group,
            .partition = row->partition,
            .is_deletion = is_deletion,
            .expires = !is_deletion && has_retention(oc),
            .offset = row->offset,
            .leader_epoch = has_epoch && sim_percent(client_sim(oc->client), 50)
                                ? (int32_t)sim_draw(client_sim(oc->client), 0, EPOCH_MAX)
                                : -1,
        });
}

static void end_row(struct offsets_call *oc, struct offsets_row *row, enum kerr error)
{
    struct history *h = history_of(oc);
    row->error = error;
    if (error == KERR_NONE)
        history_commit_acked(h, row->commit);
    else if (offsets_is_refusal(error))
        history_commit_refused(h, row->commit);
    else
        history_commit_unknown(h, row->commit);
}

static void end_unanswered(struct offsets_call *oc)
{
    for (uint32_t i = 0; i < oc->row_count; i++) {
        if (!oc->rows[i].is_answered)
            history_commit_unknown(history_of(oc), oc->rows[i].commit);
    }
}

static void end_changes(struct offsets_call *oc, enum err e)
{
    struct history *h = history_of(oc);
    if (e == ERR_OK)
        expect_all_answered(oc);
    end_unanswered(oc);
    bool is_acked = e == ERR_OK && offsets_first_error(oc) == KERR_NONE;
    if (is_acked && oc->generation != NO_GENERATION)
        history_generation_told(h, oc->group, &oc->view, oc->generation, false);
    if (is_acked) {
        h->acked_operations++;
        h->groups.acked_commits++;
    }
    oc->done(oc->arg, e, e == ERR_OK ? offsets_first_error(oc) : KERR_NONE);
}

static void on_committed(struct call *call, enum err e, const void *response)
{
    struct offsets_call *oc = container_of(call, struct offsets_call, call);
    const struct offset_commit_response *answer = response;
    for (int32_t t = 0; e == ERR_OK && t < answer->topics.count; t++) {
        const struct offset_commit_response_topic *topic = &answer->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct offsets_row *row = find_row(oc, topic->name, topic->topic_id,
                                               topic->partitions.items[i].partition_index);
            if (row != NULL)
                end_row(oc, row, (enum kerr)topic->partitions.items[i].error_code);
        }
    }
    end_changes(oc, e);
}

void offsets_commit(struct offsets_call *oc, const struct offsets_who *who)
{
    ASSERT(oc->row_count > 0);
    struct offset_commit_request request;
    struct offset_commit_request_topic topics[CLIENT_PARTITIONS_MAX];
    struct offset_commit_request_partition parts[CLIENT_PARTITIONS_MAX];
    char texts[CLIENT_PARTITIONS_MAX][COMMIT_TEXT_SIZE];
    wire_defaults(wire_api_find(API_OFFSET_COMMIT)->request->body, &request);
    begin(oc, API_OFFSET_COMMIT, on_committed);
    oc->generation = who->generation;
    request.group_id = group_name(oc);
    request.generation_id_or_member_epoch = who->generation;
    request.member_id = who->member_id;
    request.group_instance_id = who->instance_id;
    if (has_retention(oc))
        request.retention_time_ms = oc->retention_ms;
    request.topics.items = topics;
    request.topics.count = 0;
    for (uint32_t i = 0; i < oc->row_count; i++) {
        if (is_next_topic(oc, i))
            topics[request.topics.count++] = (struct offset_commit_request_topic){
                .name = wire_str_of(partition_of(oc, i)->topic),
                .topic_id = id_of(oc, i),
                .partitions = {.items = &parts[i]},
            };
        send_row(oc, i, false);
        history_commit_text(oc->rows[i].commit, texts[i]);
        topics[request.topics.count - 1].partitions.count++;
        parts[i] = (struct offset_commit_request_partition){
            .partition_index = partition_of(oc, i)->index,
            .committed_offset = oc->rows[i].offset,
            .committed_leader_epoch =
                history_of(oc)->groups.commits[oc->rows[i].commit].leader_epoch,
            .committed_metadata = wire_str_of(texts[i]),
        };
    }
    connection_call(&oc->client->connection, &oc->call, &request);
}

static void on_deleted(struct call *call, enum err e, const void *response)
{
    struct offsets_call *oc = container_of(call, struct offsets_call, call);
    const struct offset_delete_response *answer = response;
    if (e == ERR_OK && answer->error_code != KERR_NONE) {
        for (uint32_t i = 0; i < oc->row_count; i++) {
            oc->rows[i].is_answered = true;
            end_row(oc, &oc->rows[i], (enum kerr)answer->error_code);
        }
    }
    for (int32_t t = 0; e == ERR_OK && t < answer->topics.count; t++) {
        const struct offset_delete_response_topic *topic = &answer->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct offsets_row *row = find_row(oc, topic->name, (struct uuid){{0}},
                                               topic->partitions.items[i].partition_index);
            if (row != NULL)
                end_row(oc, row, (enum kerr)topic->partitions.items[i].error_code);
        }
    }
    end_changes(oc, e);
}

void offsets_delete(struct offsets_call *oc)
{
    ASSERT(oc->row_count > 0);
    struct offset_delete_request request;
    struct offset_delete_request_topic topics[CLIENT_PARTITIONS_MAX];
    struct offset_delete_request_partition parts[CLIENT_PARTITIONS_MAX];
    wire_defaults(wire_api_find(API_OFFSET_DELETE)->request->body, &request);
    begin(oc, API_OFFSET_DELETE, on_deleted);
    oc->generation = NO_GENERATION;
    request.group_id = group_name(oc);
    request.topics.items = topics;
    request.topics.count = 0;
    for (uint32_t i = 0; i < oc->row_count; i++) {
        if (is_next_topic(oc, i))
            topics[request.topics.count++] = (struct offset_delete_request_topic){
                .name = wire_str_of(partition_of(oc, i)->topic),
                .partitions = {.items = &parts[i]},
            };
        send_row(oc, i, true);
        topics[request.topics.count - 1].partitions.count++;
        parts[i].partition_index = partition_of(oc, i)->index;
    }
    connection_call(&oc->client->connection, &oc->call, &request);
}

/* ---- what is committed */

static void take_fetched(struct offsets_call *oc, struct offsets_row *row, enum kerr error,
                         const struct offset_fetch_response_partitions *answer)
{
    row->error = error;
    if (error != KERR_NONE)
        return;
    row->offset = answer->committed_offset;
    row->leader_epoch = answer->committed_leader_epoch;
    row->metadata = answer->metadata;
    history_committed_seen(
        history_of(oc),
        &(struct history_committed){
            .group = oc->group,
            .partition = row->partition,
            .view = row->view,
            .is_none = answer->committed_offset == -1,
            .offset = answer->committed_offset,
            .leader_epoch = answer->committed_leader_epoch,
            .has_epoch = oc->call.version >= FETCHES_EPOCH_SINCE,
            .metadata = answer->metadata.data,
            .metadata_len = answer->metadata.len > 0 ? (size_t)answer->metadata.len : 0,
        });
}

static void take_old_topics(struct offsets_call *oc, const struct offset_fetch_response *answer)
{
    for (int32_t t = 0; t < answer->topics.count; t++) {
        const struct offset_fetch_response_topic *topic = &answer->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            const struct offset_fetch_response_partition *part = &topic->partitions.items[i];
            struct offset_fetch_response_partitions same = {
                .committed_offset = part->committed_offset,
                .committed_leader_epoch = part->committed_leader_epoch,
                .metadata = part->metadata,
            };
            struct offsets_row *row =
                find_row(oc, topic->name, (struct uuid){{0}}, part->partition_index);
            if (row != NULL)
                take_fetched(oc, row, (enum kerr)part->error_code, &same);
        }
    }
}

static void take_topics(struct offsets_call *oc, const struct offset_fetch_response_group *answer)
{
    for (int32_t t = 0; t < answer->topics.count; t++) {
        const struct offset_fetch_response_topics *topic = &answer->topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            const struct offset_fetch_response_partitions *part = &topic->partitions.items[i];
            struct offsets_row *row =
                find_row(oc, topic->name, topic->topic_id, part->partition_index);
            if (row != NULL)
                take_fetched(oc, row, (enum kerr)part->error_code, part);
        }
    }
}

static void on_fetched(struct call *call, enum err e, const void *response)
{
    struct offsets_call *oc = container_of(call, struct offsets_call, call);
    const struct offset_fetch_response *answer = response;
    enum kerr error = KERR_NONE;
    if (e == ERR_OK && call->version >= GROUPS_SINCE) {
        if (answer->groups.count != 1 ||
            !wire_str_equal(answer->groups.items[0].group_id, group_name(oc))) {
            history_fail(history_of(oc), "members", "OffsetFetch answered for another group");
            return;
        }
        error = (enum kerr)answer->groups.items[0].error_code;
        if (error == KERR_NONE)
            take_topics(oc, &answer->groups.items[0]);
    } else if (e == ERR_OK) {
        error = call->version >= ERROR_SINCE ? (enum kerr)answer->error_code : KERR_NONE;
        if (error == KERR_NONE)
            take_old_topics(oc, answer);
    }
    if (e == ERR_OK && error == KERR_NONE) {
        expect_all_answered(oc);
        error = offsets_first_error(oc);
    }
    oc->done(oc->arg, e, error);
}

void offsets_fetch(struct offsets_call *oc)
{
    ASSERT(oc->row_count > 0);
    struct offset_fetch_request request;
    struct offset_fetch_request_group group;
    struct offset_fetch_request_topic old_topics[CLIENT_PARTITIONS_MAX];
    struct offset_fetch_request_topics topics[CLIENT_PARTITIONS_MAX];
    int32_t indexes[CLIENT_PARTITIONS_MAX];
    wire_defaults(wire_api_find(API_OFFSET_FETCH)->request->body, &request);
    wire_defaults(&offset_fetch_request_group_layout, &group);
    begin(oc, API_OFFSET_FETCH, on_fetched);
    int32_t count = 0;
    for (uint32_t i = 0; i < oc->row_count; i++) {
        oc->rows[i].view = history_committed_view(history_of(oc), oc->group, oc->rows[i].partition);
        if (is_next_topic(oc, i)) {
            struct wire_str name = wire_str_of(partition_of(oc, i)->topic);
            topics[count] = (struct offset_fetch_request_topics){
                .name = name, .topic_id = id_of(oc, i), .partition_indexes = {&indexes[i], 0}};
            count++;
        }
        topics[count - 1].partition_indexes.count++;
        indexes[i] = partition_of(oc, i)->index;
    }
    for (int32_t i = 0; i < count; i++) {
        old_topics[i].name = topics[i].name;
        old_topics[i].partition_indexes = topics[i].partition_indexes;
    }
    if (connection_version(&oc->client->connection, API_OFFSET_FETCH) >= GROUPS_SINCE) {
        group.group_id = group_name(oc);
        group.topics.items = topics;
        group.topics.count = count;
        request.groups.items = &group;
        request.groups.count = 1;
    } else {
        request.group_id = group_name(oc);
        request.topics.items = old_topics;
        request.topics.count = count;
    }
    request.require_stable = false;
    connection_call(&oc->client->connection, &oc->call, &request);
}
