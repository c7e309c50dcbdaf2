// SPDX-License-Identifier: Apache-2.0
/*
 * group_view: asking coordinators. See group_view.h.
 *
 * In rounds: FindCoordinator for those whose coordinator is not known, then the question to each
 * coordinator. Who got a passing error is looked for again in the next round.
 *
 * Thread: main.
 */
#include "cli/group_view.h"

#include "base/assert.h"
#include "base/mem.h"
#include "cli/table.h"
#include "wire/codec.h"
#include "wire/find_coordinator.h"
#include "wire/kerr.h"

enum {
    KEYS_PER_REQUEST = 200,
    KEYS_SINCE = 4, /* before: one key in a request */
    KEY_TYPE_GROUP = 0,
    GROUP_TRY_MS = 100,
    DESCRIBED_PER_REQUEST = 50,
    NOT_FOUND_IS_TOLD_SINCE = 6,
};

struct group_target *group_targets_of(const struct cli_words *words, int32_t *count)
{
    struct group_target *targets = mem_alloc(((size_t)words->count + 1) * sizeof(*targets));
    int32_t used = 0;
    for (int i = 0; i < words->count; i++) {
        struct wire_str name = wire_str_of(words->items[i]);
        int32_t same = 0;
        while (same < used && !wire_str_equal(targets[same].name, name))
            same++;
        if (same == used)
            targets[used++] = (struct group_target){.name = name, .coordinator = GROUP_NOWHERE};
    }
    *count = used;
    return targets;
}

void group_name_add(struct strbuf *text, struct wire_str name)
{
    table_text(text, name.len > 0 ? name : wire_str_of("\"\""));
}

int group_complain(struct admin *a, struct wire_str name, int16_t error_code,
                   struct wire_str message)
{
    return admin_complain_of(a, "group", name, error_code, message);
}

/* ---- portions */

bool group_is_passing(int16_t error)
{
    return error == KERR_COORDINATOR_NOT_AVAILABLE || error == KERR_COORDINATOR_LOAD_IN_PROGRESS ||
           error == KERR_NOT_COORDINATOR;
}

static struct group_target *find_in(const struct group_portion *portion, struct wire_str name)
{
    for (int32_t i = 0; i < portion->count; i++) {
        if (wire_str_equal(portion->targets[i]->name, name))
            return portion->targets[i];
    }
    return NULL;
}

struct group_target *group_portion_answer(const struct group_portion *portion, struct wire_str name,
                                          int16_t error)
{
    struct group_target *target = find_in(portion, name);
    if (target == NULL || target->state != GROUP_WAITING)
        return NULL;
    target->error = error;
    if (group_is_passing(error)) {
        target->coordinator = GROUP_NOWHERE;
        return NULL;
    }
    target->state = GROUP_ANSWERED;
    return target;
}

static void fail_all(const struct group_portion *portion)
{
    for (int32_t i = 0; i < portion->count; i++) {
        if (portion->targets[i]->state == GROUP_WAITING)
            portion->targets[i]->state = GROUP_FAILED;
    }
}

/* Those that wait and are at `coordinator`, from `*at` on, at most `max`. */
struct gathering {
    struct group_target *targets;
    int32_t count;
    struct group_target **found; /* room for all */
};

static struct group_portion gather(const struct gathering *g, int32_t coordinator, int32_t max,
                                   int32_t *at)
{
    struct group_portion portion = {g->found, 0};
    for (; *at < g->count && portion.count < max; (*at)++) {
        struct group_target *target = &g->targets[*at];
        if (target->state == GROUP_WAITING && target->coordinator == coordinator)
            portion.targets[portion.count++] = target;
    }
    return portion;
}

/* ---- FindCoordinator */

static void take_coordinator(struct admin *a, const struct group_portion *portion,
                             const struct find_coordinator_response_coordinator *row)
{
    struct group_target *target = find_in(portion, row->key);
    if (target == NULL)
        return;
    target->error = row->error_code;
    if (row->error_code == KERR_NONE && row->node_id >= 0) {
        client_sync_add_node(a->sync, row->node_id, row->host, row->port);
        target->coordinator = row->node_id;
    } else if (row->error_code == KERR_NONE) {
        target->error = KERR_COORDINATOR_NOT_AVAILABLE;
    } else if (!group_is_passing(row->error_code)) {
        group_complain(a, target->name, row->error_code, row->error_message);
        target->state = GROUP_FAILED;
    }
}

static void take_coordinators(struct admin *a, const struct group_portion *portion,
                              const struct client_result *result)
{
    const struct find_coordinator_response *response = result->body;
    if (result->version < KEYS_SINCE) {
        struct find_coordinator_response_coordinator row = {
            .key = portion->targets[0]->name,
            .node_id = response->node_id,
            .host = response->host,
            .port = response->port,
            .error_code = response->error_code,
            .error_message = response->error_message,
        };
        take_coordinator(a, portion, &row);
        return;
    }
    for (int32_t i = 0; i < response->coordinators.count; i++)
        take_coordinator(a, portion, &response->coordinators.items[i]);
}

static bool find_portion(struct admin *a, const struct group_portion *portion, bool has_keys)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct find_coordinator_request request;
    wire_defaults(&find_coordinator_request_layout, &request);
    request.key_type = KEY_TYPE_GROUP;
    if (has_keys) {
        struct wire_str *keys = arena_alloc_array(&arena, (size_t)portion->count, sizeof(*keys));
        ASSERT(keys != NULL);
        for (int32_t i = 0; i < portion->count; i++)
            keys[i] = portion->targets[i]->name;
        request.coordinator_keys = (struct wire_str_array){keys, portion->count};
    } else {
        ASSERT(portion->count == 1);
        request.key = portion->targets[0]->name;
    }
    struct client_result result;
    bool is_answered = admin_call(a, KEY_FIND_COORDINATOR, &request, &result);
    if (is_answered) {
        take_coordinators(a, portion, &result);
        client_result_deinit(&result);
    }
    arena_deinit(&arena);
    return is_answered;
}

/* When the broker does not answer it is said once. */
static void find_coordinators(struct admin *a, const struct gathering *g)
{
    int16_t version = 0;
    int32_t at = 0;
    struct group_portion portion = gather(g, GROUP_NOWHERE, g->count, &at);
    if (portion.count == 0)
        return;
    if (client_sync_version(a->sync, CLIENT_ANY_NODE, KEY_FIND_COORDINATOR, &a->why, &version) !=
        ERR_OK) {
        cli_complain("%s", strbuf_text(&a->why));
        fail_all(&portion);
        return;
    }
    bool has_keys = version >= KEYS_SINCE, is_answered = true;
    for (at = 0; at < g->count && is_answered;) {
        portion = gather(g, GROUP_NOWHERE, has_keys ? KEYS_PER_REQUEST : 1, &at);
        is_answered = portion.count == 0 || find_portion(a, &portion, has_keys);
    }
    at = 0;
    portion = gather(g, GROUP_NOWHERE, g->count, &at);
    if (!is_answered)
        fail_all(&portion);
}

/* ---- the question */

/* A group that the answer does not have would be asked for ever. */
static void check_answered(struct admin *a, const struct group_portion *portion)
{
    for (int32_t i = 0; i < portion->count; i++) {
        struct group_target *target = portion->targets[i];
        if (target->state != GROUP_WAITING || target->coordinator == GROUP_NOWHERE)
            continue;
        target->state = GROUP_FAILED;
        group_complain(a, target->name, KERR_UNKNOWN_SERVER_ERROR,
                       wire_str_of("the broker's answer does not have it"));
    }
}

static void ask_portion(struct admin *a, const struct group_ask *ask,
                        const struct group_portion *portion)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct client_request call = {
        .node = portion->targets[0]->coordinator,
        .api_key = ask->api_key,
        .version_max = ask->version_max,
        .body = ask->fill(ask->arg, &arena, portion),
        .timeout_ms = 2 * ADMIN_TIMEOUT_MS, /* the broker gives up earlier, and says so */
    };
    struct client_result result;
    if (admin_call_as(a, &call, &result)) {
        ask->take(ask->arg, &result, portion);
        client_result_deinit(&result);
        check_answered(a, portion);
    } else {
        fail_all(portion);
    }
    arena_deinit(&arena);
}

/* The least coordinator above `after`; GROUP_NOWHERE: none. */
static int32_t next_coordinator(const struct gathering *g, int32_t after)
{
    int32_t least = GROUP_NOWHERE;
    for (int32_t i = 0; i < g->count; i++) {
        int32_t node = g->targets[i].coordinator;
        if (g->targets[i].state == GROUP_WAITING && node > after &&
            (least == GROUP_NOWHERE || node < least))
            least = node;
    }
    return least;
}

static void ask_coordinators(struct admin *a, const struct group_ask *ask,
                             const struct gathering *g)
{
    for (int32_t node = next_coordinator(g, -1); node != GROUP_NOWHERE;
         node = next_coordinator(g, node)) {
        for (int32_t at = 0; at < g->count;) {
            struct group_portion portion = gather(g, node, ask->step, &at);
            if (portion.count > 0)
                ask_portion(a, ask, &portion);
        }
    }
}

/* ---- rounds */

static bool has_waiting(const struct gathering *g)
{
    for (int32_t i = 0; i < g->count; i++) {
        if (g->targets[i].state == GROUP_WAITING)
            return true;
    }
    return false;
}

static bool finish(struct admin *a, const struct gathering *g)
{
    bool is_answered = true;
    for (int32_t i = 0; i < g->count; i++) {
        struct group_target *target = &g->targets[i];
        if (target->state == GROUP_WAITING) {
            target->state = GROUP_FAILED;
            group_complain(a, target->name, target->error, wire_str_of(NULL));
        }
        is_answered &= target->state == GROUP_ANSWERED;
    }
    return is_answered;
}

bool group_ask(struct admin *a, const struct group_ask *ask, struct group_target *targets,
               int32_t count)
{
    ASSERT(ask->step > 0);
    struct gathering g = {targets, count, mem_alloc(((size_t)count + 1) * sizeof(*g.found))};
    struct env *env = client_sync_env(a->sync);
    int64_t end_ns = env_mono_ns(env) + (int64_t)ADMIN_TIMEOUT_MS * 1000000;
    for (int32_t i = 0; i < count; i++) {
        targets[i].state = GROUP_WAITING;
        targets[i].error = KERR_NONE;
    }
    for (bool goes_on = count > 0; goes_on;) {
        find_coordinators(a, &g);
        ask_coordinators(a, ask, &g);
        goes_on = has_waiting(&g) && env_mono_ns(env) < end_ns;
        if (goes_on)
            client_sync_wait(a->sync, GROUP_TRY_MS);
    }
    bool is_answered = finish(a, &g);
    mem_free(g.found);
    return is_answered;
}

/* ---- DescribeGroups */

static const void *fill_describe(void *arg, struct arena *arena,
                                 const struct group_portion *portion)
{
    struct describe_groups_request *request = arena_alloc(arena, sizeof(*request));
    struct wire_str *names = arena_alloc_array(arena, (size_t)portion->count, sizeof(*names));
    ASSERT(request != NULL && names != NULL);
    wire_defaults(&describe_groups_request_layout, request);
    for (int32_t i = 0; i < portion->count; i++)
        names[i] = portion->targets[i]->name;
    request->groups = (struct wire_str_array){names, portion->count};
    return request;
}

static void take_described(void *arg, struct client_result *result,
                           const struct group_portion *portion)
{
    struct group_description *d = arg;
    const struct describe_groups_response *response = result->body;
    bool is_kept = false;
    for (int32_t i = 0; i < response->groups.count; i++) {
        const struct describe_groups_response_described_group *group = &response->groups.items[i];
        int16_t error = group->error_code;
        if (error == KERR_NONE && result->version < NOT_FOUND_IS_TOLD_SINCE &&
            wire_str_is(group->group_state, "Dead"))
            error = KERR_GROUP_ID_NOT_FOUND;
        struct group_target *target = group_portion_answer(portion, group->group_id, error);
        if (target == NULL)
            continue;
        d->groups[target - d->first] = group;
        is_kept = true;
    }
    if (is_kept) {
        d->results[d->result_count++] = *result;
        *result = (struct client_result){0};
    }
}

bool group_description_ask(struct admin *a, struct group_target *targets, int32_t count,
                           struct group_description *out)
{
    *out = (struct group_description){
        .groups = mem_alloc(((size_t)count + 1) * sizeof(*out->groups)),
        .results = mem_alloc(((size_t)count + 1) * sizeof(*out->results)), /* one has a group */
        .first = targets,
    };
    struct group_ask ask = {
        .api_key = KEY_DESCRIBE_GROUPS,
        .step = DESCRIBED_PER_REQUEST,
        .fill = fill_describe,
        .take = take_described,
        .arg = out,
    };
    return group_ask(a, &ask, targets, count);
}

void group_description_deinit(struct group_description *d)
{
    for (int32_t i = 0; i < d->result_count; i++)
        client_result_deinit(&d->results[i]);
    mem_free(d->results);
    mem_free(d->groups);
    *d = (struct group_description){0};
}
