// SPDX-License-Identifier: Apache-2.0
/*
 * decide_delete: DeleteTopics. A topic that is named twice, in whatever way, is not deleted:
 * each of its rows says so.
 *
 * Thread: any.
 */
#include "base/assert.h"
#include "controller/decide_private.h"
#include "wire/codec.h"
#include "wire/delete_topics.h"

/* One row of the request in either form. */
struct wanted {
    struct wire_str name; /* null: by id */
    struct uuid id;
    const struct topic_image *topic; /* NULL: not found */
};

static struct wanted wanted_at(const struct decision *d, const struct delete_topics_request *r,
                               int32_t i)
{
    struct wanted w = {.name = wire_str_of(NULL)};
    if (i < r->topics.count) {
        w.name = r->topics.items[i].name;
        w.id = r->topics.items[i].topic_id;
    } else {
        w.name = r->topic_names.items[i - r->topics.count];
    }
    if (w.name.len >= 0)
        w.topic = image_topic(d->image, w.name.len > 0 ? w.name.data : "", (size_t)w.name.len);
    else
        w.topic = image_topic_by_id(d->image, w.id);
    return w;
}

static struct verdict judge(const struct wanted *w, const struct name_table *asked)
{
    if (w->name.len >= 0 && !uuid_is_zero(w->id))
        return verdict_of(KERR_INVALID_REQUEST, "a topic is given by name and by id");
    if (w->name.len < 0 && uuid_is_zero(w->id))
        return verdict_of(KERR_INVALID_REQUEST, "a topic is given neither by name nor by id");
    if (w->topic == NULL)
        return verdict_of(w->name.len < 0 ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION,
                          NULL);
    struct wire_str name = wire_str_of(topic_name(w->topic));
    if (name_table_find(asked, name)->count > 1)
        return verdict_of(KERR_INVALID_REQUEST, "the topic is in the request more than once");
    return VERDICT_GOOD;
}

static enum err judge_all(struct decision *d, const struct delete_topics_request *request,
                          const struct name_table *asked, struct delete_topics_response *response)
{
    bool is_enabled = decision_config_bool(d, CONFIG_BROKER_DELETE_TOPIC_ENABLE);
    bool is_too_much = response->responses.count > LIMIT_TOPICS_PER_CREATE;
    for (int32_t i = 0; i < response->responses.count; i++) {
        struct wanted w = wanted_at(d, request, i);
        struct delete_topics_response_deletable_topic_result *out = &response->responses.items[i];
        struct verdict v = judge(&w, asked);
        if (!is_enabled)
            v = verdict_of(KERR_TOPIC_DELETION_DISABLED, NULL);
        else if (is_too_much)
            v = verdict_of(KERR_POLICY_VIOLATION, "too many topics in one request");
        out->name = w.name;
        out->topic_id = w.id;
        out->error_code = (int16_t)v.code;
        out->error_message = verdict_text(v);
        if (v.code != KERR_NONE)
            continue;
        out->name = wire_str_of(topic_name(w.topic));
        out->topic_id = topic_id(w.topic);
        struct metadata_record record;
        record_start(&record, METADATA_REMOVE_TOPIC);
        record.remove_topic.topic_id = out->topic_id;
        decision_put(d, &record);
    }
    return decision_end(d);
}

/* Names that were found come from an image that may be gone when the answer is sent. */
static enum err keep_names(struct delete_topics_response *response, struct arena *arena)
{
    for (int32_t i = 0; i < response->responses.count; i++) {
        struct wire_str *name = &response->responses.items[i].name;
        if (name->len <= 0)
            continue;
        name->data = arena_copy_text(arena, name->data, (size_t)name->len);
        if (name->data == NULL)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

enum err decide_delete_topics(struct decision *d, const struct delete_topics_request *request,
                              struct arena *arena, struct delete_topics_response *response)
{
    wire_defaults(&delete_topics_response_layout, response);
    int32_t count = request->topics.count + request->topic_names.count;
    enum err e = wire_array_new(arena, &delete_topics_response_deletable_topic_result_layout, count,
                                &response->responses);
    if (e != ERR_OK)
        return e;
    uint64_t seed = 0;
    d->random(d->random_arg, &seed, sizeof(seed));
    struct name_table asked;
    name_table_init(&asked, arena, seed, false);
    for (int32_t i = 0; i < count && e == ERR_OK; i++) {
        struct wanted w = wanted_at(d, request, i);
        if (w.topic != NULL && name_table_add(&asked, wire_str_of(topic_name(w.topic))) == NULL)
            e = ERR_NO_MEMORY;
    }
    if (e == ERR_OK)
        e = judge_all(d, request, &asked, response);
    if (e == ERR_OK)
        e = keep_names(response, arena);
    name_table_deinit(&asked);
    return e;
}
