// SPDX-License-Identifier: Apache-2.0
/* group_fixture: see group_fixture.h: the calls. Thread: main. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "coordinator/group_fixture.h"
#include "wire/codec.h"

/* What a request points to is freed with the call; mem_fail_at does not count it. */
struct kept {
    struct list link;
};

struct whole_call {
    struct fixture_call call;
    struct list kept;
};

static void *keep(struct fixture_call *call, size_t size)
{
    struct kept *kept = mem_alloc(sizeof(*kept) + size);
    list_push_back(&container_of(call, struct whole_call, call)->kept, &kept->link);
    return kept + 1;
}

static struct wire_str text(struct fixture_call *call, const char *from)
{
    if (from == NULL)
        return wire_str_of(NULL);
    size_t len = strlen(from);
    char *copy = keep(call, len + 1);
    memcpy(copy, from, len);
    return (struct wire_str){copy, (int32_t)len};
}

static struct wire_str text_or(struct fixture_call *call, const char *from, const char *otherwise)
{
    return text(call, from != NULL ? from : otherwise);
}

static void on_done(struct group_op *op)
{
    struct fixture_call *call = container_of(op, struct fixture_call, op);
    CHECK_EQUAL(call->done, 0);
    CHECK(!list_is_linked(&op->link));
    call->done++;
}

/* The request and the response have these layouts; NULL: a wire_str. */
static struct fixture_call *call_new(struct group_fixture *f, group_op_fn *run,
                                     const struct wire_struct *request,
                                     const struct wire_struct *response)
{
    struct whole_call *whole = mem_alloc(sizeof(*whole));
    struct fixture_call *call = &whole->call;
    list_init(&whole->kept);
    list_push_back(&f->calls, &call->link);
    arena_init(&call->arena, LIMIT_GROUP_ANSWER_BYTES);
    call->request = keep(call, request != NULL ? request->size : sizeof(struct wire_str));
    call->response = keep(call, response->size);
    if (request != NULL)
        wire_defaults(request, call->request);
    wire_defaults(response, call->response);
    call->op = (struct group_op){
        .run = run,
        .done = on_done,
        .request = call->request,
        .response = call->response,
        .arena = &call->arena,
        .version = 3,
        .client_id = wire_str_of("client"),
        .client_host = "/127.0.0.1",
    };
    return call;
}

static struct fixture_call *submit(struct group_fixture *f, struct fixture_call *call)
{
    group_shard_submit(f->shard, &call->op);
    return call;
}

void fixture_forget_calls(struct group_fixture *f)
{
    LIST_FOR_EACH_SAFE (link, &f->calls) {
        struct fixture_call *call = container_of(link, struct fixture_call, link);
        struct whole_call *whole = container_of(call, struct whole_call, call);
        if (call->done == 0)
            continue;
        list_remove(link);
        for (struct list *kept; (kept = list_pop_front(&whole->kept)) != NULL;)
            mem_free(container_of(kept, struct kept, link));
        arena_deinit(&call->arena);
        mem_free(whole);
    }
}

/* ---- members */

/* What Kafka's consumers say when they read one topic. */
static struct wire_bytes subscription(struct fixture_call *call, const char *topic)
{
    size_t len = strlen(topic);
    uint8_t *bytes = keep(call, 8 + len + 4);
    bytes[5] = 1;
    bytes[7] = (uint8_t)len;
    memcpy(bytes + 8, topic, len);
    memset(bytes + 8 + len, 0xff, 4);
    return (struct wire_bytes){bytes, (int32_t)len + 12};
}

static struct wire_bytes metadata_of(struct fixture_call *call, const char *metadata)
{
    if (metadata[0] == '@')
        return subscription(call, metadata + 1);
    struct wire_str copy = text(call, metadata);
    return (struct wire_bytes){(const uint8_t *)copy.data, copy.len};
}

static void set_protocols(struct fixture_call *call, struct join_group_request *request,
                          const struct join_args *args)
{
    const char *names = text_or(call, args->protocols, "range").data;
    int32_t count = 0;
    for (const char *at = names; *at != '\0'; at++)
        count += at == names || *at == ',';
    request->protocols.items = keep(call, (size_t)count * sizeof(request->protocols.items[0]) + 1);
    request->protocols.count = count;
    for (int32_t i = 0; i < count; i++) {
        size_t len = strcspn(names, ",");
        struct wire_str name = {names, (int32_t)len};
        request->protocols.items[i].name = name;
        request->protocols.items[i].metadata =
            args->metadata != NULL ? metadata_of(call, args->metadata)
                                   : (struct wire_bytes){(const uint8_t *)name.data, name.len};
        names += len + 1;
    }
}

static struct wire_str client_id(struct fixture_call *call, const char *from)
{
    struct wire_str id = text_or(call, from, "client");
    char *copy = keep(call, (size_t)id.len + 1);
    for (int32_t i = 0; i < id.len; i++)
        copy[i] = id.data[i] == '?' ? '\0' : id.data[i];
    return (struct wire_str){copy, id.len};
}

struct fixture_call *fixture_join(struct group_fixture *f, const struct join_args *args)
{
    struct fixture_call *call =
        call_new(f, group_op_join, &join_group_request_layout, &join_group_response_layout);
    struct join_group_request *request = call->request;
    request->group_id = text_or(call, args->group, "g");
    request->member_id = text_or(call, args->member, "");
    request->group_instance_id = text(call, args->instance);
    request->protocol_type = text_or(call, args->type, "consumer");
    request->session_timeout_ms = args->session_ms != 0 ? args->session_ms : 10000;
    request->rebalance_timeout_ms = args->rebalance_ms != 0 ? args->rebalance_ms : 60000;
    request->reason = text(call, args->reason);
    set_protocols(call, request, args);
    call->op.version = args->version != 0 ? args->version : 3;
    call->op.client_id = client_id(call, args->client);
    return submit(f, call);
}

struct fixture_call *fixture_sync(struct group_fixture *f, const struct sync_args *args)
{
    struct fixture_call *call =
        call_new(f, group_op_sync, &sync_group_request_layout, &sync_group_response_layout);
    struct sync_group_request *request = call->request;
    request->group_id = text_or(call, args->group, "g");
    request->member_id = text(call, args->member);
    request->group_instance_id = text(call, args->instance);
    request->protocol_type = text(call, args->type);
    request->protocol_name = text(call, args->protocol);
    request->generation_id = args->generation;
    int32_t count = 0;
    while (args->assignments != NULL && args->assignments[2 * count] != NULL)
        count++;
    request->assignments.items =
        keep(call, (size_t)count * sizeof(request->assignments.items[0]) + 1);
    request->assignments.count = count;
    for (int32_t i = 0; i < count; i++) {
        struct wire_str assignment = text(call, args->assignments[2 * i + 1]);
        request->assignments.items[i].member_id = text(call, args->assignments[2 * i]);
        request->assignments.items[i].assignment =
            (struct wire_bytes){(const uint8_t *)assignment.data, assignment.len};
    }
    return submit(f, call);
}

struct fixture_call *fixture_heartbeat(struct group_fixture *f, const struct member_args *args)
{
    struct fixture_call *call =
        call_new(f, group_op_heartbeat, &heartbeat_request_layout, &heartbeat_response_layout);
    struct heartbeat_request *request = call->request;
    request->group_id = text_or(call, args->group, "g");
    request->member_id = text_or(call, args->member, "");
    request->group_instance_id = text(call, args->instance);
    request->generation_id = args->generation;
    return submit(f, call);
}

struct fixture_call *fixture_leave(struct group_fixture *f, const struct member_args *args)
{
    return fixture_leave_many(f, args, 1);
}

struct fixture_call *fixture_leave_many(struct group_fixture *f, const struct member_args *args,
                                        int32_t count)
{
    struct fixture_call *call =
        call_new(f, group_op_leave, &leave_group_request_layout, &leave_group_response_layout);
    struct leave_group_request *request = call->request;
    request->group_id = text_or(call, args[0].group, "g");
    request->members.items = keep(call, (size_t)count * sizeof(request->members.items[0]));
    request->members.count = count;
    for (int32_t i = 0; i < count; i++) {
        request->members.items[i].member_id = text_or(call, args[i].member, "");
        request->members.items[i].group_instance_id = text(call, args[i].instance);
        request->members.items[i].reason = text(call, args[i].reason);
    }
    call->op.client_id = client_id(call, args[0].client);
    return submit(f, call);
}

static int16_t told(const struct fixture_call *call, int16_t error_code)
{
    CHECK_EQUAL(call->done, 1);
    return call->op.error != KERR_NONE ? (int16_t)call->op.error : error_code;
}

int16_t fixture_join_error(const struct fixture_call *call)
{
    return told(call, call->join->error_code);
}

int16_t fixture_sync_error(const struct fixture_call *call)
{
    return told(call, call->sync->error_code);
}

int16_t fixture_heartbeat_error(const struct fixture_call *call)
{
    return told(call, call->heartbeat->error_code);
}

int16_t fixture_leave_error(const struct fixture_call *call, int32_t row)
{
    CHECK(call->op.error != KERR_NONE || row < call->leave->members.count);
    return told(call, call->op.error != KERR_NONE ? 0 : call->leave->members.items[row].error_code);
}

/* ---- offsets */

struct fixture_call *fixture_commit_offsets(struct group_fixture *f, const struct commit_args *args)
{
    struct fixture_call *call = call_new(f, group_op_commit_offsets, &offset_commit_request_layout,
                                         &offset_commit_response_layout);
    struct offset_commit_request *request = call->request;
    struct offset_commit_response *response = call->response;
    int32_t count = args->count > 0 ? args->count : 1;
    request->group_id = text_or(call, args->group, "g");
    request->member_id = text_or(call, args->member, "");
    request->group_instance_id = text(call, args->instance);
    request->generation_id_or_member_epoch = args->is_simple ? -1 : args->generation;
    request->retention_time_ms = args->retention_ms != 0 ? args->retention_ms : -1;
    struct offset_commit_request_topic *topic = keep(call, sizeof(*topic));
    struct offset_commit_response_topic *out = keep(call, sizeof(*out));
    request->topics.items = topic;
    request->topics.count = 1;
    response->topics.items = out;
    response->topics.count = 1;
    topic->name = text_or(call, args->topic, "t");
    topic->partitions.items = keep(call, (size_t)count * sizeof(topic->partitions.items[0]));
    topic->partitions.count = count;
    out->partitions.items = keep(call, (size_t)count * sizeof(out->partitions.items[0]));
    out->partitions.count = count;
    for (int32_t i = 0; i < count; i++) {
        topic->partitions.items[i] = (struct offset_commit_request_partition){
            .partition_index = args->partition + i,
            .committed_offset = args->offset,
            .committed_leader_epoch = -1,
            .committed_metadata = text(call, args->metadata),
        };
        out->partitions.items[i].partition_index = args->partition + i;
    }
    return submit(f, call);
}

int16_t fixture_commit_error(const struct fixture_call *call)
{
    return told(call, call->commit->topics.items[0].partitions.items[0].error_code);
}

struct fixture_call *fixture_fetch(struct group_fixture *f, const char *group, const char *topic,
                                   int32_t partition)
{
    struct fixture_call *call =
        call_new(f, group_op_fetch_offsets, &offset_fetch_request_group_layout,
                 &offset_fetch_response_group_layout);
    struct offset_fetch_request_group *request = call->request;
    request->group_id = text_or(call, group, "g");
    request->topics.items = NULL;
    request->topics.count = -1;
    if (topic != NULL) {
        request->topics.items = keep(call, sizeof(request->topics.items[0]));
        request->topics.count = 1;
        request->topics.items[0].name = text(call, topic);
        request->topics.items[0].partition_indexes.items = keep(call, sizeof(int32_t));
        request->topics.items[0].partition_indexes.items[0] = partition;
        request->topics.items[0].partition_indexes.count = 1;
    }
    return submit(f, call);
}

int64_t fixture_committed(struct group_fixture *f, const char *group, const char *topic,
                          int32_t partition)
{
    struct fixture_call *call = fixture_fetch(f, group, topic, partition);
    CHECK_EQUAL(call->done, 1);
    CHECK_EQUAL(call->op.error, KERR_NONE);
    return call->fetch->topics.items[0].partitions.items[0].committed_offset;
}

struct fixture_call *fixture_delete_offsets(struct group_fixture *f, const char *group,
                                            const char *topic, int32_t partition)
{
    struct fixture_call *call = call_new(f, group_op_delete_offsets, &offset_delete_request_layout,
                                         &offset_delete_response_layout);
    struct offset_delete_request *request = call->request;
    struct offset_delete_response *response = call->response;
    struct offset_delete_request_topic *asked = keep(call, sizeof(*asked));
    struct offset_delete_response_topic *out = keep(call, sizeof(*out));
    request->group_id = text_or(call, group, "g");
    request->topics.items = asked;
    request->topics.count = 1;
    response->topics.items = out;
    response->topics.count = 1;
    asked->name = text(call, topic);
    asked->partitions.items = keep(call, sizeof(asked->partitions.items[0]));
    asked->partitions.items[0].partition_index = partition;
    asked->partitions.count = 1;
    out->partitions.items = keep(call, sizeof(out->partitions.items[0]));
    out->partitions.items[0].partition_index = partition;
    out->partitions.count = 1;
    return submit(f, call);
}

/* ---- administration */

static struct fixture_call *ask_of_group(struct group_fixture *f, const char *group,
                                         group_op_fn *run, const struct wire_struct *response)
{
    struct fixture_call *call = call_new(f, run, NULL, response);
    *(struct wire_str *)call->request = text_or(call, group, "g");
    call->op.version = 6;
    return submit(f, call);
}

struct fixture_call *fixture_describe(struct group_fixture *f, const char *group)
{
    return ask_of_group(f, group, group_op_describe,
                        &describe_groups_response_described_group_layout);
}

struct fixture_call *fixture_explain(struct group_fixture *f, const char *group)
{
    struct fixture_call *call =
        call_new(f, group_op_explain, NULL, &describe_groups_response_described_group_layout);
    *(struct wire_str *)call->request = text_or(call, group, "g");
    call->op.version = 6;
    call->op.refused = group_op_explain_refused;
    return submit(f, call);
}

struct fixture_call *fixture_delete(struct group_fixture *f, const char *group)
{
    return ask_of_group(f, group, group_op_delete,
                        &delete_groups_response_deletable_group_result_layout);
}

static void set_filter(struct fixture_call *call, struct wire_str_array *filter, const char *name)
{
    if (name == NULL)
        return;
    filter->items = keep(call, sizeof(filter->items[0]));
    filter->items[0] = text(call, name);
    filter->count = 1;
}

struct fixture_call *fixture_list(struct group_fixture *f, const char *state, const char *type)
{
    struct fixture_call *call =
        call_new(f, group_op_list, &list_groups_request_layout, &list_groups_response_layout);
    struct list_groups_request *request = call->request;
    set_filter(call, &request->states_filter, state);
    set_filter(call, &request->types_filter, type);
    struct group_filter *filter = keep(call, sizeof(*filter));
    *filter = group_filter_of(request);
    call->op.request = filter;
    return submit(f, call);
}
