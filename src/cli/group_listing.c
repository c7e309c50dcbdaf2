// SPDX-License-Identifier: Apache-2.0
/* group_listing: ListGroups of every broker. See group_view.h. Thread: main. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/group_view.h"
#include "wire/codec.h"
#include "wire/kerr.h"

enum { LIST_TRY_MS = 100 };

static int by_name(const void *a, const void *b)
{
    const struct group_listed *x = a, *y = b;
    return wire_str_compare(x->group->group_id, y->group->group_id);
}

static void take_list(struct group_listing *listing, int32_t node,
                      const struct list_groups_response *response)
{
    size_t count = (size_t)listing->count + (size_t)MAX(response->groups.count, 0);
    listing->groups = mem_realloc(listing->groups, (count + 1) * sizeof(*listing->groups));
    for (int32_t i = 0; i < response->groups.count; i++)
        listing->groups[listing->count++] = (struct group_listed){&response->groups.items[i], node};
}

/* A coordinator that is reading its groups just now knows them soon. */
static bool ask_broker(struct admin *a, int32_t node, const struct list_groups_request *request,
                       struct client_result *out)
{
    struct env *env = client_sync_env(a->sync);
    int64_t end_ns = env_mono_ns(env) + (int64_t)ADMIN_TIMEOUT_MS * 1000000;
    for (;;) {
        if (!admin_call_node(a, node, KEY_LIST_GROUPS, request, out))
            return false;
        int16_t error = ((const struct list_groups_response *)out->body)->error_code;
        if (error == KERR_NONE)
            return true;
        client_result_deinit(out);
        bool is_passing =
            error == KERR_COORDINATOR_LOAD_IN_PROGRESS || error == KERR_COORDINATOR_NOT_AVAILABLE;
        if (!is_passing || env_mono_ns(env) >= end_ns) {
            admin_complain(a, wire_str_of(NULL), error, wire_str_of(NULL));
            return false;
        }
        client_sync_wait(a->sync, LIST_TRY_MS);
    }
}

bool group_listing_ask(struct admin *a, const struct wire_str_array *states,
                       struct group_listing *out)
{
    *out = (struct group_listing){0};
    struct admin_topics none = {.names = {NULL, 0}};
    struct client_result metadata;
    if (!admin_metadata(a, &none, &metadata))
        return false;
    const struct metadata_response *response = metadata.body;
    struct list_groups_request request;
    wire_defaults(&list_groups_request_layout, &request);
    request.states_filter = *states;
    bool is_answered = true;
    out->results = mem_alloc(((size_t)response->brokers.count + 1) * sizeof(*out->results));
    for (int32_t i = 0; i < response->brokers.count; i++) {
        int32_t node = response->brokers.items[i].node_id;
        struct client_result *result = &out->results[out->result_count];
        if (ask_broker(a, node, &request, result)) {
            take_list(out, node, result->body);
            out->result_count++;
        } else {
            is_answered = false;
        }
    }
    client_result_deinit(&metadata);
    if (out->count > 0)
        qsort(out->groups, (size_t)out->count, sizeof(*out->groups), by_name);
    return is_answered;
}

void group_listing_deinit(struct group_listing *listing)
{
    for (int32_t i = 0; i < listing->result_count; i++)
        client_result_deinit(&listing->results[i]);
    mem_free(listing->results);
    mem_free(listing->groups);
    *listing = (struct group_listing){0};
}
