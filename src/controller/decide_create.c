// SPDX-License-Identifier: Apache-2.0
/*
 * decide_create: CreateTopics, and topics that make themselves.
 *
 * Steps of one topic: its name (legal, not there yet, no collision), its configs, its
 * partitions (counts, or places as the client wants them), then records and the answer's row.
 * A topic that fails leaves no record.
 *
 * Thread: any.
 */
#include <string.h>

#include "base/assert.h"
#include "base/strbuf.h"
#include "controller/decide_private.h"
#include "metadata/topic_name.h"
#include "wire/codec.h"
#include "wire/create_topics.h"

/* What is known while one request is worked on. */
struct creation {
    struct decision *d;
    struct arena *arena;
    struct placer placer;
    struct name_table asked;  /* how often each name is in the request */
    struct name_table folded; /* names that collide where they differ in "." and "_" only */
    bool folded_has_image;    /* those of the image are in it too */
    struct create_topics_response_creatable_topic_configs_array
        plain_configs;    /* of no own values */
    struct verdict whole; /* what is wrong with the request before any topic is looked at */
};

/* One topic on its way. */
struct creating {
    const struct create_topics_request_creatable_topic *row;
    struct config_set configs;
    int32_t partition_count;
    int16_t replication_factor;
    const struct wire_i32_array *places; /* by partition, when the client said so; else NULL */
};

static enum err creation_init(struct creation *c, struct decision *d, struct arena *arena)
{
    uint64_t seed = 0;
    *c = (struct creation){.d = d, .arena = arena};
    c->plain_configs.count = -1;
    d->random(d->random_arg, &seed, sizeof(seed));
    name_table_init(&c->asked, arena, seed, false);
    name_table_init(&c->folded, arena, seed, true);
    return placer_init(&c->placer, d, arena);
}

static void creation_deinit(struct creation *c)
{
    name_table_deinit(&c->asked);
    name_table_deinit(&c->folded);
}

/* ---- the name */

static bool fold_image(struct creation *c)
{
    struct topic_cursor cursor;
    const struct topic_image *topic = topic_cursor_first(&cursor, c->d->image);
    for (; topic != NULL; topic = topic_cursor_next(&cursor)) {
        if (topic_name_has_collision_chars(topic_name(topic), topic_name_len(topic)) &&
            name_table_add(&c->folded, wire_str_of(topic_name(topic))) == NULL)
            return false;
    }
    c->folded_has_image = true;
    return true;
}

static struct verdict judge_collision(struct creation *c, struct wire_str name)
{
    if (!topic_name_has_collision_chars(name.data, (size_t)name.len))
        return VERDICT_GOOD;
    if (!c->folded_has_image && !fold_image(c))
        return verdict_of(KERR_UNKNOWN_SERVER_ERROR, "out of memory");
    ASSERT(c->folded_has_image);
    struct name_entry *other = name_table_find(&c->folded, name);
    if (other == NULL)
        return VERDICT_GOOD;
    return verdict_printf(c->arena, KERR_INVALID_TOPIC_EXCEPTION,
                          "topic '%.*s' collides with topic '%.*s' in the names of metrics",
                          (int)name.len, name.data, (int)other->name.len, other->name.data);
}

static struct verdict judge_name(struct creation *c, struct wire_str name)
{
    const char *text = name.len > 0 ? name.data : "";
    const char *fault = topic_name_fault(text, (size_t)MAX(name.len, 0));
    if (fault != NULL)
        return verdict_of(KERR_INVALID_TOPIC_EXCEPTION, fault);
    if (image_topic(c->d->image, text, (size_t)name.len) != NULL)
        return verdict_printf(c->arena, KERR_TOPIC_ALREADY_EXISTS, "topic '%.*s' already exists",
                              (int)name.len, text);
    return judge_collision(c, name);
}

/* ---- the configs */

static struct verdict judge_configs(struct creation *c, struct creating *t)
{
    const struct create_topics_request_creatable_topic_config_array *configs = &t->row->configs;
    if (configs->count > LIMIT_CONFIGS_PER_TOPIC)
        return verdict_of(KERR_INVALID_CONFIG, "too many configs for one topic");
    struct strbuf why;
    strbuf_init(&why);
    enum err e = ERR_OK;
    for (int32_t i = 0; i < configs->count && e == ERR_OK; i++) {
        struct wire_str name = configs->items[i].name;
        struct wire_str value = configs->items[i].value;
        if (value.len < 0 || name.len <= 0) {
            strbuf_puts(&why, "a config without a name or a value");
            e = ERR_INVALID;
        } else {
            e = config_topic_put(&t->configs, name.data, (size_t)name.len,
                                 value.len > 0 ? value.data : "", (size_t)value.len, &why);
        }
    }
    if (e == ERR_OK)
        e = config_topic_check(&t->configs, c->d->layers, &why);
    struct verdict v = VERDICT_GOOD;
    if (e == ERR_NO_MEMORY)
        v = verdict_of(KERR_UNKNOWN_SERVER_ERROR, "out of memory");
    else if (e != ERR_OK)
        v = verdict_printf(c->arena, KERR_INVALID_CONFIG, "%s", strbuf_text(&why));
    strbuf_deinit(&why);
    return v;
}

/* ---- the partitions */

static struct verdict judge_counts(struct creation *c, struct creating *t)
{
    t->partition_count = t->row->num_partitions;
    if (t->partition_count == -1)
        t->partition_count = (int32_t)decision_config_long(c->d, CONFIG_BROKER_NUM_PARTITIONS);
    t->replication_factor = t->row->replication_factor;
    if (t->replication_factor == -1)
        t->replication_factor =
            (int16_t)decision_config_long(c->d, CONFIG_BROKER_DEFAULT_REPLICATION_FACTOR);
    if (t->replication_factor < 1)
        return verdict_of(KERR_INVALID_REPLICATION_FACTOR,
                          "the replication factor must be above 0, or -1 for the default");
    if (t->partition_count < 1)
        return verdict_of(KERR_INVALID_PARTITIONS,
                          "the number of partitions must be above 0, or -1 for the default");
    if (t->replication_factor > c->placer.count)
        return verdict_printf(c->arena, KERR_INVALID_REPLICATION_FACTOR,
                              "a replication factor of %d needs more brokers than the %d there are",
                              t->replication_factor, c->placer.count);
    return VERDICT_GOOD;
}

/* Places by partition: every index from 0 on once, each with the same number of replicas. */
static struct verdict judge_places(struct creation *c, struct creating *t)
{
    const struct create_topics_request_creatable_replica_assignment_array *asked =
        &t->row->assignments;
    if (t->row->replication_factor != -1 || t->row->num_partitions != -1)
        return verdict_of(KERR_INVALID_REQUEST,
                          "with an assignment of replicas, the number of partitions and the "
                          "replication factor must be -1");
    struct wire_i32_array *places =
        arena_alloc_array(c->arena, (size_t)asked->count, sizeof(*places));
    if (places == NULL)
        return verdict_of(KERR_UNKNOWN_SERVER_ERROR, "out of memory");
    for (int32_t i = 0; i < asked->count; i++) {
        int32_t index = asked->items[i].partition_index;
        const struct wire_i32_array *nodes = &asked->items[i].broker_ids;
        if (index < 0 || index >= asked->count || places[index].items != NULL)
            return verdict_of(KERR_INVALID_REPLICA_ASSIGNMENT,
                              "partitions must be numbered from 0 on, each once");
        struct verdict v = placer_judge(&c->placer, c->d, c->arena, nodes);
        if (v.code != KERR_NONE)
            return v;
        if (nodes->count != asked->items[0].broker_ids.count)
            return verdict_of(KERR_INVALID_REPLICA_ASSIGNMENT,
                              "partitions with different numbers of replicas");
        places[index] = *nodes;
    }
    t->places = places;
    t->partition_count = asked->count;
    t->replication_factor = (int16_t)asked->items[0].broker_ids.count;
    return VERDICT_GOOD;
}

/* ---- records */

static enum err put_topic(struct creation *c, const struct creating *t, struct uuid id)
{
    ASSERT(t->partition_count > 0 && t->replication_factor > 0);
    ASSERT(t->places != NULL || t->replication_factor <= c->placer.count);
    ASSERT(topic_name_fault(t->row->name.data, (size_t)t->row->name.len) == NULL);
    struct metadata_record record;
    record_start(&record, METADATA_TOPIC);
    record.topic.name = t->row->name;
    record.topic.topic_id = id;
    decision_put(c->d, &record);
    int32_t *nodes = arena_alloc_array(c->arena, (size_t)t->replication_factor * 2, sizeof(*nodes));
    if (nodes == NULL)
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < t->partition_count && c->d->records.error == ERR_OK; i++) {
        struct wire_i32_array replicas = {nodes, t->replication_factor};
        if (t->places != NULL)
            replicas = t->places[i];
        else
            placer_place(&c->placer, nodes, t->replication_factor);
        placer_put_partition(&c->placer, c->d, &(struct placed_partition){id, i, replicas},
                             nodes + t->replication_factor);
    }
    static const struct config_set nothing;
    decision_put_configs(c->d, RESOURCE_TOPIC, t->row->name, &nothing, &t->configs);
    return c->d->records.error;
}

/* ---- the answer */

static enum err describe_configs(struct creation *c, const struct config_set *own,
                                 struct create_topics_response_creatable_topic_configs_array *out)
{
    struct create_topics_response_creatable_topic_configs_array rows = {NULL, 0};
    enum err e = wire_array_new(c->arena, &create_topics_response_creatable_topic_configs_layout,
                                CONFIG_TOPIC_COUNT, &rows);
    if (e != ERR_OK)
        return e;
    int32_t count = 0;
    for (int key = 0; key < CONFIG_TOPIC_COUNT; key++) {
        if (config_topic_defs[key].is_internal && config_set_get(own, key) == NULL)
            continue;
        struct config_described described;
        e = config_topic_describe(own, c->d->layers, key, c->arena, &described);
        if (e != ERR_OK)
            return e;
        const char *text = described.text;
        if (text != NULL && described.source == CONFIG_SOURCE_TOPIC) /* `own` goes away */
            text = arena_copy_text(c->arena, text, strlen(text));
        if (text == NULL && described.text != NULL)
            return ERR_NO_MEMORY;
        rows.items[count++] = (struct create_topics_response_creatable_topic_configs){
            .name = wire_str_of(described.def->name),
            .value = wire_str_of(text),
            .config_source = (int8_t)described.source,
            .is_sensitive = config_is_sensitive(described.def),
        };
    }
    ASSERT(count <= rows.count);
    rows.count = count;
    *out = rows;
    return ERR_OK;
}

static enum err fill_row(struct creation *c, const struct creating *t,
                         struct create_topics_response_creatable_topic_result *out)
{
    out->num_partitions = t->partition_count;
    out->replication_factor = t->replication_factor;
    if (t->configs.count > 0)
        return describe_configs(c, &t->configs, &out->configs);
    if (c->plain_configs.count < 0) { /* the same for all topics without values of their own */
        enum err e = describe_configs(c, &t->configs, &c->plain_configs);
        if (e != ERR_OK)
            return e;
    }
    out->configs = c->plain_configs;
    return ERR_OK;
}

/* ---- one topic */

static struct verdict judge_topic(struct creation *c, struct creating *t)
{
    struct verdict v = judge_name(c, t->row->name);
    if (v.code == KERR_NONE)
        v = judge_configs(c, t);
    if (v.code == KERR_NONE)
        v = t->row->assignments.count > 0 ? judge_places(c, t) : judge_counts(c, t);
    return v;
}

/* ERR_OK: *v tells. */
static enum err create_topic(struct creation *c, struct creating *t, bool validate_only,
                             struct create_topics_response_creatable_topic_result *out,
                             struct verdict *v)
{
    *v = judge_topic(c, t);
    if (v->code != KERR_NONE)
        return ERR_OK;
    struct uuid id = decision_new_id(c->d);
    enum err e = validate_only ? ERR_OK : put_topic(c, t, id);
    if (e == ERR_OK &&
        topic_name_has_collision_chars(t->row->name.data, (size_t)t->row->name.len) &&
        name_table_add(&c->folded, t->row->name) == NULL)
        e = ERR_NO_MEMORY;
    if (e != ERR_OK || out == NULL)
        return e;
    out->topic_id = id;
    return fill_row(c, t, out);
}

static int64_t partitions_asked(struct creation *c, const struct create_topics_request *request)
{
    int64_t total = 0;
    for (int32_t i = 0; i < request->topics.count; i++) {
        int64_t own = request->topics.items[i].num_partitions;
        if (own == -1)
            own = decision_config_long(c->d, CONFIG_BROKER_NUM_PARTITIONS);
        if (request->topics.items[i].assignments.count > 0)
            own = request->topics.items[i].assignments.count;
        total += MAX(own, 0);
    }
    return total;
}

static struct verdict judge_request(struct creation *c, const struct create_topics_request *request)
{
    if (request->topics.count > LIMIT_TOPICS_PER_CREATE)
        return verdict_of(KERR_POLICY_VIOLATION, "too many topics in one request");
    if (partitions_asked(c, request) > LIMIT_PARTITIONS_PER_CREATE)
        return verdict_of(KERR_POLICY_VIOLATION, "too many partitions in one request");
    return VERDICT_GOOD;
}

static void row_say(struct create_topics_response_creatable_topic_result *out, struct wire_str name,
                    struct verdict v)
{
    out->name = name;
    out->error_code = (int16_t)v.code;
    out->error_message = verdict_text(v);
}

static enum err create_row(struct creation *c, const struct create_topics_request *request,
                           int32_t i, struct create_topics_response_creatable_topic_result *out)
{
    struct creating t = {.row = &request->topics.items[i]};
    struct verdict v = c->whole;
    enum err e = ERR_OK;
    config_set_init(&t.configs);
    if (v.code == KERR_NONE)
        e = create_topic(c, &t, request->validate_only, out, &v);
    config_set_deinit(&t.configs);
    row_say(out, t.row->name, v);
    return e;
}

/* Names that are there more than once: one row for each. */
static int32_t refuse_repeated(struct creation *c, const struct create_topics_request *request,
                               int32_t count, struct create_topics_response *response)
{
    for (int32_t i = 0; i < request->topics.count; i++) {
        struct wire_str name = request->topics.items[i].name;
        struct name_entry *entry = name_table_find(&c->asked, name);
        if (entry->count > 1)
            row_say(&response->topics.items[count++], name,
                    verdict_of(KERR_INVALID_REQUEST, "the topic is in the request more than once"));
        if (entry->count > 1)
            entry->count = 0; /* said */
    }
    return count;
}

static enum err create_rows(struct creation *c, const struct create_topics_request *request,
                            struct create_topics_response *response)
{
    for (int32_t i = 0; i < request->topics.count; i++) {
        if (name_table_add(&c->asked, request->topics.items[i].name) == NULL)
            return ERR_NO_MEMORY;
    }
    c->whole = judge_request(c, request);
    int32_t count = 0;
    for (int32_t i = 0; i < request->topics.count; i++) {
        if (name_table_find(&c->asked, request->topics.items[i].name)->count > 1)
            continue;
        enum err e = create_row(c, request, i, &response->topics.items[count]);
        if (e != ERR_OK)
            return e;
        count++;
    }
    response->topics.count = refuse_repeated(c, request, count, response);
    ASSERT(response->topics.count <= request->topics.count);
    return ERR_OK;
}

enum err decide_create_topics(struct decision *d, const struct create_topics_request *request,
                              struct arena *arena, struct create_topics_response *response)
{
    wire_defaults(&create_topics_response_layout, response);
    struct creation c;
    enum err e = creation_init(&c, d, arena);
    if (e == ERR_OK)
        e = wire_array_new(arena, &create_topics_response_creatable_topic_result_layout,
                           request->topics.count, &response->topics);
    if (e == ERR_OK)
        e = create_rows(&c, request, response);
    if (e != ERR_OK && d->records.error == ERR_OK)
        wire_writer_fail(&d->records, e);
    enum err ended = decision_end(d);
    creation_deinit(&c);
    return e == ERR_OK ? ended : e;
}

/* ---- topics that make themselves */

static enum err auto_row(struct arena *arena, const struct auto_topic *topic,
                         struct create_topics_request_creatable_topic *row)
{
    wire_defaults(&create_topics_request_creatable_topic_layout, row);
    row->name = (struct wire_str){topic->name, (int32_t)MIN(topic->name_len, (size_t)INT16_MAX)};
    row->num_partitions = topic->partition_count;
    row->replication_factor = topic->replication_factor;
    enum err e = wire_array_new(arena, &create_topics_request_creatable_topic_config_layout,
                                (int32_t)topic->configs.count, &row->configs);
    for (size_t i = 0; i < topic->configs.count && e == ERR_OK; i++) {
        row->configs.items[i].name = wire_str_of(topic->configs.items[i].key);
        row->configs.items[i].value = wire_str_of(topic->configs.items[i].value);
    }
    return e;
}

enum err decide_auto_topic(struct decision *d, const struct auto_topic *topic, enum kerr *result)
{
    if (image_topic(d->image, topic->name, topic->name_len) != NULL) {
        *result = KERR_NONE;
        return ERR_OK;
    }
    struct arena arena;
    arena_init(&arena, LIMIT_REQUEST_ARENA_BASE_BYTES * 8);
    struct creation c = {0};
    struct create_topics_request_creatable_topic row;
    struct verdict v = VERDICT_GOOD;
    enum err e = creation_init(&c, d, &arena);
    if (e == ERR_OK)
        e = auto_row(&arena, topic, &row);
    if (e == ERR_OK) {
        struct creating t = {.row = &row};
        config_set_init(&t.configs);
        e = create_topic(&c, &t, false, NULL, &v);
        config_set_deinit(&t.configs);
    }
    if (e != ERR_OK && d->records.error == ERR_OK)
        wire_writer_fail(&d->records, e);
    enum err ended = decision_end(d);
    creation_deinit(&c);
    arena_deinit(&arena);
    if (e == ERR_OK)
        e = ended;
    if (e == ERR_OK)
        *result = v.code;
    return e;
}
