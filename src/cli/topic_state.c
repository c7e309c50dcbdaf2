// SPDX-License-Identifier: Apache-2.0
/* topic_state: see topic_state.h. Thread: main. */
#include "cli/topic_state.h"

#include "base/assert.h"
#include "base/mem.h"
#include "cli/json_out.h"
#include "wire/codec.h"

enum { PARTITIONS_PER_REQUEST = 2000 }; /* below LIMIT_EXPLAINED_PARTITIONS */

/* A place among the partitions of all views. */
struct place {
    int32_t view;
    int32_t partition;
};

struct asking {
    struct admin *admin;
    struct topic_view *views;
    int32_t count;
    int32_t node;
    struct topic_states *out;
};

int32_t topic_state_node(const struct partition_view *partition)
{
    const struct metadata_response_partition *p = partition->partition;
    if (p->leader_id >= 0)
        return p->leader_id;
    return p->replica_nodes.count > 0 ? p->replica_nodes.items[0] : -1;
}

static bool is_asked(const struct asking *q, const struct partition_view *partition)
{
    return partition->is_wanted && topic_state_node(partition) == q->node;
}

/* ---- one request */

static int32_t take_partitions(const struct asking *q, struct place *at, int32_t room,
                               int32_t *numbers)
{
    const struct topic_view *view = &q->views[at->view];
    int32_t taken = 0;
    for (; at->partition < view->count && taken < room; at->partition++) {
        const struct partition_view *partition = &view->partitions[at->partition];
        if (is_asked(q, partition))
            numbers[taken++] = partition->partition->partition_index;
    }
    return taken;
}

/* The next of them from *at on; false: there are none. */
static bool fill_request(const struct asking *q, struct place *at, struct arena *arena,
                         struct describe_log_dirs_request *request)
{
    int32_t left = PARTITIONS_PER_REQUEST;
    wire_defaults(&describe_log_dirs_request_layout, request);
    request->include_explanation = true;
    enum err e = wire_array_new(arena, &describe_log_dirs_request_describable_log_dir_topic_layout,
                                q->count, &request->topics);
    ASSERT(e == ERR_OK);
    request->topics.count = 0;
    while (at->view < q->count && left > 0) {
        int32_t *numbers = arena_alloc_array(arena, (size_t)left, sizeof(int32_t));
        ASSERT(numbers != NULL);
        int32_t taken = take_partitions(q, at, left, numbers);
        if (taken > 0) {
            struct describe_log_dirs_request_describable_log_dir_topic *topic =
                &request->topics.items[request->topics.count++];
            topic->topic = q->views[at->view].topic->name;
            topic->partitions = (struct wire_i32_array){numbers, taken};
            left -= taken;
        }
        if (at->partition == q->views[at->view].count)
            *at = (struct place){at->view + 1, 0};
    }
    return request->topics.count > 0;
}

/* ---- its answer */

static struct topic_view *find_view(const struct asking *q, struct wire_str name)
{
    for (int32_t i = 0; i < q->count; i++) {
        if (wire_str_equal(q->views[i].topic->name, name))
            return &q->views[i];
    }
    return NULL;
}

static void take_places(const struct asking *q,
                        const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    for (int32_t i = 0; i < dir->topics.count; i++) {
        const struct describe_log_dirs_response_describe_log_dirs_topic *topic =
            &dir->topics.items[i];
        const struct topic_view *view = find_view(q, topic->name);
        for (int32_t j = 0; view != NULL && j < topic->partitions.count; j++) {
            const struct describe_log_dirs_response_describe_log_dirs_partition *row =
                &topic->partitions.items[j];
            struct partition_view *partition = topic_view_find(view, row->partition_index);
            if (partition != NULL && is_asked(q, partition))
                *(row->is_future_key ? &partition->coming : &partition->place) =
                    (struct partition_place){dir, row};
        }
    }
}

static void take_answer(const struct asking *q, const struct topic_state_answer *answer)
{
    const struct describe_log_dirs_response *response = answer->result.body;
    struct topic_view *view = NULL;
    for (int32_t i = 0; i < response->results.count; i++)
        take_places(q, &response->results.items[i]);
    if (response->explanation == NULL) {
        q->out->has_plain = true;
        return;
    }
    for (int32_t i = 0; i < response->explanation->partitions.count; i++) {
        const struct describe_log_dirs_response_explained_partition *row =
            &response->explanation->partitions.items[i];
        if (view == NULL || !wire_str_equal(view->topic->name, row->topic_name))
            view = find_view(q, row->topic_name);
        struct partition_view *partition =
            view != NULL ? topic_view_find(view, row->partition_index) : NULL;
        if (partition == NULL)
            continue;
        partition->state = row;
        partition->told_by = response;
        partition->told_node = answer->node;
    }
}

static bool call(struct asking *q, const struct describe_log_dirs_request *request)
{
    struct topic_states *out = q->out;
    struct topic_state_answer answer = {.node = q->node};
    if (!admin_call_node(q->admin, q->node, KEY_DESCRIBE_LOG_DIRS, request, &answer.result)) {
        out->has_silent = true;
        return false;
    }
    out->answers = mem_realloc(out->answers, (size_t)(out->count + 1) * sizeof(answer));
    out->answers[out->count++] = answer;
    take_answer(q, &answer);
    return true;
}

static void ask_node(struct asking *q)
{
    struct place at = {0, 0};
    bool goes_on = true;
    while (goes_on) {
        struct describe_log_dirs_request request;
        struct arena arena;
        arena_init(&arena, SIZE_MAX);
        goes_on = fill_request(q, &at, &arena, &request) && call(q, &request);
        arena_deinit(&arena);
    }
}

static int32_t next_node(const struct asking *q, int32_t after)
{
    int32_t least = -1;
    for (int32_t i = 0; i < q->count; i++) {
        for (int32_t j = 0; j < q->views[i].count; j++) {
            int32_t node = topic_state_node(&q->views[i].partitions[j]);
            if (q->views[i].partitions[j].is_wanted && node > after && (least < 0 || node < least))
                least = node;
        }
    }
    return least;
}

static bool knows_the_api(struct admin *a, int32_t node)
{
    struct strbuf why;
    int16_t version = 0;
    strbuf_init(&why);
    enum err e = client_sync_version(a->sync, node, KEY_DESCRIBE_LOG_DIRS, &why, &version);
    strbuf_deinit(&why);
    return e == ERR_OK;
}

/* What an earlier answer said: it may be gone. */
static void forget(struct topic_view *views, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = 0; j < views[i].count; j++) {
            struct partition_view *partition = &views[i].partitions[j];
            partition->state = NULL;
            partition->told_by = NULL;
            partition->place = partition->coming = (struct partition_place){0};
        }
    }
}

void topic_states_ask(struct admin *a, struct topic_view *views, int32_t count, bool is_quiet,
                      struct topic_states *out)
{
    struct asking q = {.admin = a, .views = views, .count = count, .out = out};
    *out = (struct topic_states){0};
    forget(views, count);
    for (q.node = next_node(&q, -1); q.node >= 0; q.node = next_node(&q, q.node)) {
        if (!is_quiet || knows_the_api(a, q.node))
            ask_node(&q);
    }
}

void topic_states_deinit(struct topic_states *states)
{
    for (int32_t i = 0; i < states->count; i++)
        client_result_deinit(&states->answers[i].result);
    mem_free(states->answers);
    *states = (struct topic_states){0};
}

const struct describe_log_dirs_response_describe_log_dirs_result *
topic_state_dir(const struct partition_view *partition)
{
    ASSERT(partition->state != NULL);
    int32_t dir = partition->state->dir;
    const struct describe_log_dirs_response *response = partition->told_by;
    return dir >= 0 && dir < response->results.count ? &response->results.items[dir] : NULL;
}

json_t *topic_state_place_json(const struct partition_place *place)
{
    if (place->row == NULL)
        return json_null();
    json_t *object = json_object();
    json_out_set(object, "path", json_out_str(place->dir->log_dir));
    json_out_set(object, "size_bytes", json_integer(place->row->partition_size));
    json_out_set(object, "offset_lag", json_out_number(place->row->offset_lag));
    return object;
}
