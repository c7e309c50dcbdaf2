// SPDX-License-Identifier: Apache-2.0
/*
 * decide_delete: DeleteTopics. A topic that is asked for twice, in whatever way, is not
 * deleted, and has one row that says so; but a name twice does not hinder its id, nor an id
 * twice its name: as Kafka does it.
 *
 * Thread: any.
 */
#include "base/assert.h"
#include "controller/decide_private.h"
#include "wire/codec.h"
#include "wire/delete_topics.h"

enum { DONE = 0 }; /* the count of what has its row */

struct deletion {
    struct decision *d;
    struct arena *arena;
    const struct delete_topics_request *request;
    struct name_table names; /* as given */
    struct name_table ids;   /* the sixteen bytes as a name */
    struct verdict whole;    /* what is wrong with the request as such */
};

/* One row of the request in either form. */
struct wanted {
    struct wire_str name; /* null: by id */
    struct uuid id;
};

static int32_t wanted_count(const struct deletion *del)
{
    return del->request->topics.count + del->request->topic_names.count;
}

static struct wanted wanted_at(const struct deletion *del, int32_t i)
{
    const struct delete_topics_request *r = del->request;
    if (i >= r->topics.count)
        return (struct wanted){.name = r->topic_names.items[i - r->topics.count]};
    return (struct wanted){r->topics.items[i].name, r->topics.items[i].topic_id};
}

static struct wire_str id_as_name(const struct uuid *id)
{
    return (struct wire_str){(const char *)id->bytes, (int32_t)sizeof(id->bytes)};
}

static bool is_given_once(const struct name_table *table, struct wire_str name)
{
    struct name_entry *entry = name_table_find(table, name);
    return entry != NULL && entry->count == 1;
}

/* Counts names and ids; the bytes of an id stand in the request. */
static enum err count_all(struct deletion *del)
{
    const struct delete_topics_request *r = del->request;
    for (int32_t i = 0; i < wanted_count(del); i++) {
        struct wanted w = wanted_at(del, i);
        bool by_id = w.name.len < 0;
        if (by_id == uuid_is_zero(w.id))
            continue; /* both, or neither */
        struct name_entry *entry =
            by_id ? name_table_add(&del->ids, id_as_name(&r->topics.items[i].topic_id))
                  : name_table_add(&del->names, w.name);
        if (entry == NULL)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* ---- rows */

static enum err row_say(struct deletion *del,
                        struct delete_topics_response_deletable_topic_result *row,
                        const struct topic_image *topic, struct verdict v)
{
    row->error_code = (int16_t)v.code;
    row->error_message = verdict_text(v);
    if (topic == NULL)
        return ERR_OK;
    /* The image may be gone when the answer is sent. */
    row->name.len = (int32_t)topic_name_len(topic);
    row->name.data = arena_copy_text(del->arena, topic_name(topic), topic_name_len(topic));
    row->topic_id = topic_id(topic);
    return row->name.data != NULL ? ERR_OK : ERR_NO_MEMORY;
}

static enum err row_delete(struct deletion *del,
                           struct delete_topics_response_deletable_topic_result *row,
                           const struct topic_image *topic)
{
    if (del->whole.code != KERR_NONE)
        return row_say(del, row, NULL, del->whole);
    ASSERT(image_topic_by_id(del->d->image, topic_id(topic)) == topic);
    struct metadata_record record;
    record_start(&record, METADATA_REMOVE_TOPIC);
    record.remove_topic.topic_id = topic_id(topic);
    decision_put(del->d, &record);
    return row_say(del, row, topic, VERDICT_GOOD);
}

static enum err row_by_name(struct deletion *del,
                            struct delete_topics_response_deletable_topic_result *row,
                            struct name_entry *entry)
{
    int count = entry->count;
    entry->count = DONE;
    if (count > 1)
        return row_say(
            del, row, NULL,
            verdict_of(KERR_INVALID_REQUEST, "the name is in the request more than once"));
    const struct topic_image *topic = image_topic(
        del->d->image, entry->name.len > 0 ? entry->name.data : "", (size_t)entry->name.len);
    if (topic == NULL)
        return row_say(del, row, NULL, verdict_of(KERR_UNKNOWN_TOPIC_OR_PARTITION, NULL));
    struct uuid id = topic_id(topic);
    struct name_entry *by_id = name_table_find(&del->ids, id_as_name(&id));
    if (by_id != NULL && by_id->count == 1) {
        by_id->count = DONE;
        return row_say(
            del, row, topic,
            verdict_of(KERR_INVALID_REQUEST, "the topic is in the request by name and by id"));
    }
    return row_delete(del, row, topic);
}

/* *is_said: false when another row speaks for this one. */
static enum err row_by_id(struct deletion *del,
                          struct delete_topics_response_deletable_topic_result *row,
                          struct name_entry *entry, bool *is_said)
{
    int count = entry->count;
    struct uuid id = row->topic_id;
    ASSERT(count > 0 && row->name.len < 0);
    entry->count = DONE;
    if (count > 1)
        return row_say(del, row, NULL,
                       verdict_of(KERR_INVALID_REQUEST, "the id is in the request more than once"));
    const struct topic_image *topic = image_topic_by_id(del->d->image, id);
    if (topic == NULL)
        return row_say(del, row, NULL, verdict_of(KERR_UNKNOWN_TOPIC_ID, NULL));
    if (is_given_once(&del->names, wire_str_of(topic_name(topic)))) {
        entry->count = 1; /* the name's row comes and speaks for both */
        *is_said = false;
        return ERR_OK;
    }
    return row_delete(del, row, topic);
}

static enum err row_fill(struct deletion *del, int32_t i,
                         struct delete_topics_response_deletable_topic_result *row, bool *is_said)
{
    struct wanted w = wanted_at(del, i);
    bool by_id = w.name.len < 0;
    wire_defaults(&delete_topics_response_deletable_topic_result_layout, row);
    row->name = w.name;
    row->topic_id = w.id;
    *is_said = true;
    if (!by_id && !uuid_is_zero(w.id))
        return row_say(del, row, NULL,
                       verdict_of(KERR_INVALID_REQUEST, "a topic is given by name and by id"));
    if (by_id && uuid_is_zero(w.id))
        return row_say(
            del, row, NULL,
            verdict_of(KERR_INVALID_REQUEST, "a topic is given neither by name nor by id"));
    struct name_entry *entry = by_id ? name_table_find(&del->ids, id_as_name(&w.id))
                                     : name_table_find(&del->names, w.name);
    if (entry->count == DONE) {
        *is_said = false;
        return ERR_OK;
    }
    return by_id ? row_by_id(del, row, entry, is_said) : row_by_name(del, row, entry);
}

static enum err fill_rows(struct deletion *del, struct delete_topics_response *response)
{
    int32_t count = 0;
    for (int32_t i = 0; i < wanted_count(del); i++) {
        bool is_said = false;
        enum err e = row_fill(del, i, &response->responses.items[count], &is_said);
        if (e != ERR_OK)
            return e;
        count += is_said ? 1 : 0;
    }
    response->responses.count = count;
    return ERR_OK;
}

enum err decide_delete_topics(struct decision *d, const struct delete_topics_request *request,
                              struct arena *arena, struct delete_topics_response *response)
{
    wire_defaults(&delete_topics_response_layout, response);
    struct deletion del = {.d = d, .arena = arena, .request = request};
    enum err e = wire_array_new(arena, &delete_topics_response_deletable_topic_result_layout,
                                wanted_count(&del), &response->responses);
    if (e != ERR_OK)
        return e;
    uint64_t seed = 0;
    d->random(d->random_arg, &seed, sizeof(seed));
    name_table_init(&del.names, arena, seed, false);
    name_table_init(&del.ids, arena, seed, false);
    if (wanted_count(&del) > LIMIT_TOPICS_PER_CREATE)
        del.whole = verdict_of(KERR_POLICY_VIOLATION, "too many topics in one request");
    if (!decision_config_bool(d, CONFIG_BROKER_DELETE_TOPIC_ENABLE))
        del.whole = verdict_of(KERR_TOPIC_DELETION_DISABLED, NULL);
    e = count_all(&del);
    if (e == ERR_OK)
        e = fill_rows(&del, response);
    if (e != ERR_OK && d->records.error == ERR_OK)
        wire_writer_fail(&d->records, e);
    enum err ended = decision_end(d);
    name_table_deinit(&del.names);
    name_table_deinit(&del.ids);
    return e == ERR_OK ? ended : e;
}
