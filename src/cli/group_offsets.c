// SPDX-License-Identifier: Apache-2.0
/* group_offsets: see group_offsets.h. Thread: main. */
#include "cli/group_offsets.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/offset_fetch.h"

enum { OFFSET_FETCH_VERSION_MAX = 9, TOPICS_PER_CHUNK = 50 };

/* ---- rows */

static struct group_offset *add_row(struct group_offsets *offsets, struct wire_str topic,
                                    int32_t partition)
{
    if (offsets->count == offsets->capacity) {
        offsets->capacity = MAX(offsets->capacity * 2, 16);
        offsets->rows =
            mem_realloc(offsets->rows, (size_t)offsets->capacity * sizeof(*offsets->rows));
    }
    struct group_offset *row = &offsets->rows[offsets->count++];
    *row = (struct group_offset){
        .topic = topic,
        .partition = partition,
        .leader_epoch = GROUP_NO_EPOCH,
        .committed_offset = OFFSET_UNKNOWN,
        .metadata = wire_str_of(NULL),
        .member = GROUP_NO_MEMBER,
        .end_offset = OFFSET_UNKNOWN,
    };
    return row;
}

void group_offsets_add_assigned(struct group_offsets *offsets, struct wire_str topic,
                                int32_t partition, int32_t member)
{
    ASSERT(member >= 0);
    add_row(offsets, topic, partition)->member = member;
}

static int by_partition(const void *a, const void *b)
{
    const struct group_offset *x = a, *y = b;
    int order = wire_str_compare(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* One row may come from the offsets, others from assignments. */
static void merge(struct group_offset *into, const struct group_offset *row)
{
    if (into->member == GROUP_NO_MEMBER)
        into->member = row->member;
    if (into->problem == NULL)
        into->problem = row->problem;
    if (into->committed_offset != OFFSET_UNKNOWN)
        return;
    into->committed_offset = row->committed_offset;
    into->leader_epoch = row->leader_epoch;
    into->metadata = row->metadata;
}

void group_offsets_sort(struct group_offsets *offsets)
{
    if (offsets->count == 0)
        return;
    qsort(offsets->rows, (size_t)offsets->count, sizeof(*offsets->rows), by_partition);
    int32_t kept = 0;
    for (int32_t i = 1; i < offsets->count; i++) {
        if (by_partition(&offsets->rows[kept], &offsets->rows[i]) == 0)
            merge(&offsets->rows[kept], &offsets->rows[i]);
        else
            offsets->rows[++kept] = offsets->rows[i];
    }
    offsets->count = kept + 1;
}

const struct group_offset *group_offsets_find(const struct group_offsets *offsets,
                                              struct wire_str topic, int32_t partition)
{
    struct group_offset key = {.topic = topic, .partition = partition};
    if (offsets->count == 0)
        return NULL;
    return bsearch(&key, offsets->rows, (size_t)offsets->count, sizeof(key), by_partition);
}

int64_t group_offset_lag(const struct group_offset *row)
{
    bool is_known = row->committed_offset >= 0 && row->end_offset >= row->committed_offset;
    return is_known ? row->end_offset - row->committed_offset : OFFSET_UNKNOWN;
}

/* ---- OffsetFetch */

struct fetch {
    struct admin *admin;
    struct group_offsets *offsets;
};

static const void *fill_fetch(void *arg, struct arena *arena, const struct group_portion *portion)
{
    struct offset_fetch_request *request = arena_alloc(arena, sizeof(*request));
    ASSERT(request != NULL && portion->count == 1);
    wire_defaults(&offset_fetch_request_layout, request);
    enum err e = wire_array_new(arena, &offset_fetch_request_group_layout, 1, &request->groups);
    ASSERT(e == ERR_OK);
    request->groups.items[0].group_id = portion->targets[0]->name;
    request->groups.items[0].topics.items = NULL;
    request->groups.items[0].topics.count = -1; /* all */
    return request;
}

static void take_topic(struct group_offsets *offsets,
                       const struct offset_fetch_response_topics *topic)
{
    for (int32_t i = 0; i < topic->partitions.count; i++) {
        const struct offset_fetch_response_partitions *from = &topic->partitions.items[i];
        bool is_known = kerr_is_known(from->error_code);
        struct group_offset *row = add_row(offsets, topic->name, from->partition_index);
        row->committed_offset = MAX(from->committed_offset, OFFSET_UNKNOWN);
        row->leader_epoch = from->committed_leader_epoch;
        row->metadata = from->metadata;
        if (from->error_code != KERR_NONE)
            row->problem = is_known ? kerr_name((enum kerr)from->error_code)
                                    : "the coordinator does not tell its offset";
    }
}

static void take_fetch(void *arg, struct client_result *result, const struct group_portion *portion)
{
    struct fetch *f = arg;
    const struct offset_fetch_response *response = result->body;
    for (int32_t i = 0; i < response->groups.count; i++) {
        const struct offset_fetch_response_group *group = &response->groups.items[i];
        if (group_portion_answer(portion, group->group_id, group->error_code) == NULL)
            continue;
        if (group->error_code != KERR_NONE) {
            group_complain(f->admin, group->group_id, group->error_code, wire_str_of(NULL));
            return;
        }
        for (int32_t t = 0; t < group->topics.count; t++)
            take_topic(f->offsets, &group->topics.items[t]);
        f->offsets->fetched = *result;
        *result = (struct client_result){0};
        return;
    }
}

bool group_offsets_fetch(struct admin *a, struct group_target *group, struct group_offsets *out)
{
    *out = (struct group_offsets){0};
    struct fetch fetch = {a, out};
    struct group_ask ask = {
        .api_key = KEY_OFFSET_FETCH,
        .version_max = OFFSET_FETCH_VERSION_MAX,
        .step = 1,
        .fill = fill_fetch,
        .take = take_fetch,
        .arg = &fetch,
    };
    bool is_answered = group_ask(a, &ask, group, 1);
    group_offsets_sort(out);
    return is_answered && group->error == KERR_NONE;
}

void group_offsets_deinit(struct group_offsets *offsets)
{
    client_result_deinit(&offsets->fetched);
    mem_free(offsets->rows);
    *offsets = (struct group_offsets){0};
}

/* ---- where partitions end */

static const struct metadata_response_topic *find_topic(const struct metadata_response *response,
                                                        struct wire_str name,
                                                        struct topic_view *views,
                                                        struct topic_view **view)
{
    *view = NULL;
    for (int32_t i = 0; i < response->topics.count; i++) {
        if (!wire_str_equal(response->topics.items[i].name, name))
            continue;
        *view = &views[i];
        return &response->topics.items[i];
    }
    return NULL;
}

static const char *problem_of_topic(const struct metadata_response_topic *topic)
{
    if (topic == NULL || topic->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
        return "no such topic";
    if (topic->error_code == KERR_NONE)
        return NULL;
    return kerr_is_known(topic->error_code) ? kerr_name((enum kerr)topic->error_code)
                                            : "the topic cannot be read";
}

static const char *problem_of_partition(const struct partition_view *p)
{
    if (p == NULL)
        return "no such partition";
    if (p->partition->leader_id < 0)
        return "no leader";
    return p->end_offset < 0 ? "its leader does not tell its end" : NULL;
}

static void set_end(struct group_offset *row, const struct metadata_response_topic *topic,
                    const struct topic_view *view)
{
    const char *problem = problem_of_topic(topic);
    if (problem == NULL) {
        const struct partition_view *p = topic_view_find(view, row->partition);
        problem = problem_of_partition(p);
        if (problem == NULL)
            row->end_offset = p->end_offset;
    }
    if (problem == NULL && row->committed_offset > row->end_offset)
        problem = "committed beyond the end";
    if (row->problem == NULL)
        row->problem = problem;
}

/* Topics of rows from `first` on, as many as fit; returns behind the last row of them. */
static int32_t gather_topics(const struct group_offsets *offsets, int32_t first,
                             struct metadata_request_topic_array *topics)
{
    int32_t at = first;
    for (; at < offsets->count; at++) {
        struct wire_str name = offsets->rows[at].topic;
        bool is_new = at == first || !wire_str_equal(name, offsets->rows[at - 1].topic);
        if (is_new && topics->count == TOPICS_PER_CHUNK)
            break;
        if (is_new)
            topics->items[topics->count++].name = name;
    }
    return at;
}

static bool ask_chunk(struct admin *a, const struct admin_topics *topics, struct group_offset *rows,
                      int32_t count)
{
    struct client_result result;
    if (!admin_metadata(a, topics, &result))
        return false;
    const struct metadata_response *response = result.body;
    int32_t topic_count = MAX(response->topics.count, 0);
    struct topic_view *views = mem_alloc(((size_t)topic_count + 1) * sizeof(*views));
    for (int32_t i = 0; i < topic_count; i++)
        topic_view_init(&views[i], &response->topics.items[i]);
    bool is_answered = topic_view_ask_offsets(a, views, topic_count);
    for (int32_t i = 0; i < count; i++) {
        struct topic_view *view = NULL;
        const struct metadata_response_topic *topic =
            find_topic(response, rows[i].topic, views, &view);
        set_end(&rows[i], topic, view);
    }
    for (int32_t i = 0; i < topic_count; i++)
        topic_view_deinit(&views[i]);
    mem_free(views);
    client_result_deinit(&result);
    return is_answered;
}

bool group_offsets_ask_ends(struct admin *a, struct group_offsets *offsets)
{
    bool is_answered = true;
    for (int32_t first = 0; first < offsets->count;) {
        struct metadata_request_topic items[TOPICS_PER_CHUNK] = {0};
        struct admin_topics topics = {.names = {items, 0}};
        int32_t end = gather_topics(offsets, first, &topics.names);
        is_answered &= ask_chunk(a, &topics, &offsets->rows[first], end - first);
        first = end;
    }
    return is_answered;
}
