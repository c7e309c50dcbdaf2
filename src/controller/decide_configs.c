// SPDX-License-Identifier: Apache-2.0
/*
 * decide_configs: IncrementalAlterConfigs and AlterConfigs, for topics, single brokers, all
 * brokers (""), and groups. Each resource is changed as a whole or not at all.
 *
 * Thread: any.
 */
#include <string.h>

#include "base/assert.h"
#include "base/strbuf.h"
#include "controller/decide_private.h"
#include "metadata/config_dynamic.h"
#include "metadata/config_group.h"
#include "metadata/topic_name.h"
#include "wire/alter_configs.h"
#include "wire/codec.h"
#include "wire/incremental_alter_configs.h"

enum alter_op { ALTER_SET = 0, ALTER_DELETE = 1, ALTER_APPEND = 2, ALTER_SUBTRACT = 3 };

struct alteration;

/* What is special to a type of resource. */
struct alter_kind {
    const struct config_def *defs;
    int (*find)(const char *name, size_t len);
    enum err (*put)(struct config_set *set, const char *name, size_t name_len, const char *text,
                    size_t len, struct strbuf *why);
    struct verdict (*begin)(struct alteration *a); /* fills a->now */
    enum kerr bad_config;
};

/* One resource in either form of the request. */
struct alteration {
    struct decision *d;
    struct arena *arena;
    int8_t type;
    const struct alter_kind *kind; /* NULL: of this type nothing can be changed */
    struct wire_str name;
    bool starts_empty;        /* what is not named loses its value */
    struct config_set now;    /* what it has */
    struct config_set wanted; /* what it shall have in the end */
};

static bool is_topic(const struct alteration *a)
{
    return a->type == RESOURCE_TOPIC;
}

static int find_key(const struct alteration *a, struct wire_str name)
{
    return a->kind->find(name.data, (size_t)MAX(name.len, 0));
}

#define NO_MEMORY verdict_of(KERR_UNKNOWN_SERVER_ERROR, "out of memory")

static struct verdict bad_config(struct alteration *a, enum err e, struct strbuf *why)
{
    if (e == ERR_NO_MEMORY)
        return NO_MEMORY;
    return verdict_printf(a->arena, a->kind->bad_config, "%s", strbuf_text(why));
}

static struct verdict set_value(struct alteration *a, struct wire_str name, const char *text,
                                size_t len)
{
    struct strbuf why;
    strbuf_init(&why);
    enum err e = a->kind->put(&a->wanted, name.data, (size_t)name.len, text, len, &why);
    struct verdict v = e == ERR_OK ? VERDICT_GOOD : bad_config(a, e, &why);
    strbuf_deinit(&why);
    return v;
}

static void add_word(struct strbuf *list, struct wire_str word)
{
    if (list->len > 0)
        strbuf_putc(list, ',');
    strbuf_add(list, word.data, (size_t)word.len);
}

static bool next_word(const char *list, size_t *pos, struct wire_str *word)
{
    size_t len = 0;
    if (!config_list_next(list, pos, &word->data, &len))
        return false;
    word->len = (int32_t)len;
    return true;
}

/* `now` and behind it the words of `change` that it lacks. False: the arena is full. */
static bool append_words(struct name_table *seen, const char *now, const char *change,
                         struct strbuf *out)
{
    size_t pos = 0;
    struct wire_str word;
    while (next_word(now, &pos, &word)) {
        add_word(out, word);
        if (name_table_add(seen, word) == NULL)
            return false;
    }
    pos = 0;
    while (next_word(change, &pos, &word)) {
        struct name_entry *entry = name_table_add(seen, word);
        if (entry == NULL)
            return false;
        if (entry->count == 1)
            add_word(out, word);
    }
    return true;
}

/* `now` without the words of `change`. False: the arena is full. */
static bool subtract_words(struct name_table *gone, const char *now, const char *change,
                           struct strbuf *out)
{
    size_t pos = 0;
    struct wire_str word;
    while (next_word(change, &pos, &word)) {
        if (name_table_add(gone, word) == NULL)
            return false;
    }
    pos = 0;
    while (next_word(now, &pos, &word)) {
        if (name_table_find(gone, word) == NULL)
            add_word(out, word);
    }
    return true;
}

/* What the list is now, by whoever has set it; a broker's own value, or the default of the key. */
static const char *list_now(struct alteration *a, int key)
{
    const char *own = config_set_get(&a->wanted, key);
    if (own != NULL)
        return own;
    if (!is_topic(a))
        return config_broker_defs[key].default_text != NULL ? config_broker_defs[key].default_text
                                                            : "";
    struct config_described now;
    if (config_topic_describe(NULL, a->d->layers, key, a->arena, &now) != ERR_OK)
        return "";
    return now.text != NULL ? now.text : "";
}

static struct verdict change_list(struct alteration *a, struct wire_str name, struct wire_str words,
                                  enum alter_op op)
{
    int key = find_key(a, name);
    bool is_good = key >= 0 && (a->type != RESOURCE_BROKER || config_broker_is_dynamic(key));
    /* Kafka takes no key of groups for a list, whatever its type says. */
    if (is_good && (a->kind->defs[key].type != CONFIG_LIST || a->type == RESOURCE_GROUP))
        return verdict_printf(a->arena, KERR_INVALID_CONFIG,
                              "%s is not a list that can be changed in part",
                              a->kind->defs[key].name);
    if (!is_good || words.len > LIMIT_CONFIG_VALUE_BYTES)
        return set_value(a, name, words.data, (size_t)words.len); /* says what is wrong */
    char *change = arena_copy_text(a->arena, words.len > 0 ? words.data : "", (size_t)words.len);
    if (change == NULL)
        return NO_MEMORY;
    ASSERT(op == ALTER_APPEND || op == ALTER_SUBTRACT);
    const char *now = list_now(a, key);
    struct strbuf list;
    struct name_table seen;
    uint64_t seed = 0;
    a->d->random(a->d->random_arg, &seed, sizeof(seed));
    strbuf_init(&list);
    name_table_init(&seen, a->arena, seed, false);
    bool is_made = op == ALTER_APPEND ? append_words(&seen, now, change, &list)
                                      : subtract_words(&seen, now, change, &list);
    struct verdict v = is_made ? set_value(a, name, strbuf_text(&list), list.len) : NO_MEMORY;
    name_table_deinit(&seen);
    strbuf_deinit(&list);
    return v;
}

static struct verdict apply_op(struct alteration *a,
                               const struct incremental_alter_configs_request_alterable_config *c)
{
    struct wire_str name = {c->name.len > 0 ? c->name.data : "", c->name.len};
    if (c->config_operation != ALTER_DELETE && c->value.len < 0)
        return verdict_of(KERR_INVALID_REQUEST, "a config without a value");
    switch (c->config_operation) {
    case ALTER_SET:
        return set_value(a, name, c->value.len > 0 ? c->value.data : "", (size_t)c->value.len);
    case ALTER_DELETE: {
        int key = find_key(a, name);
        if (key >= 0)
            config_set_remove(&a->wanted, key);
        return VERDICT_GOOD; /* nobody has set what does not exist */
    }
    case ALTER_APPEND:
    case ALTER_SUBTRACT:
        return change_list(a, name, c->value, (enum alter_op)c->config_operation);
    default:
        return verdict_of(KERR_INVALID_REQUEST, "no such operation on a config");
    }
}

/* ---- one resource */

static struct verdict begin_topic(struct alteration *a)
{
    if (a->name.len <= 0)
        return verdict_of(KERR_INVALID_REQUEST, "there are no defaults of all topics to change");
    const char *name = a->name.data;
    const char *fault = topic_name_fault(name, (size_t)a->name.len);
    if (fault != NULL)
        return verdict_of(KERR_INVALID_TOPIC_EXCEPTION, fault);
    const struct topic_image *topic = image_topic(a->d->image, name, (size_t)a->name.len);
    if (topic == NULL)
        return verdict_of(KERR_UNKNOWN_TOPIC_OR_PARTITION, NULL);
    return config_set_copy(topic_config_set(topic), &a->now) == ERR_OK ? VERDICT_GOOD : NO_MEMORY;
}

/* By its number as it is registered; "" is all of them. */
static struct verdict begin_broker(struct alteration *a)
{
    char text[CONFIG_BROKER_NAME_SIZE] = "";
    const struct broker_image *broker = image_broker_at_least(a->d->image, 0);
    while (broker != NULL && a->name.len > 0 &&
           !wire_str_is(a->name, config_broker_name(broker->node_id, text)))
        broker = broker->node_id < INT32_MAX
                     ? image_broker_at_least(a->d->image, broker->node_id + 1)
                     : NULL;
    if (broker == NULL)
        return verdict_of(KERR_INVALID_REQUEST, "no broker of this number is registered");
    enum err e = config_broker_of_image(a->d->image, a->name.len > 0 ? text : "", &a->now);
    return e == ERR_OK ? VERDICT_GOOD : NO_MEMORY;
}

/* By its id, whether there is such a group or not. */
static struct verdict begin_group(struct alteration *a)
{
    if (a->name.len <= 0)
        return verdict_of(KERR_INVALID_REQUEST, "there are no defaults of all groups to change");
    if (memchr(a->name.data, '\0', (size_t)a->name.len) != NULL)
        return verdict_of(KERR_INVALID_REQUEST, "a group id with a NUL has no configs");
    enum err e = config_group_of_image(a->d->image, a->name.data, (size_t)a->name.len, &a->now);
    return e == ERR_OK ? VERDICT_GOOD : NO_MEMORY;
}

static const struct alter_kind *kind_of(int8_t type)
{
    static const struct alter_kind topic = {config_topic_defs, config_topic_find, config_topic_put,
                                            begin_topic, KERR_INVALID_CONFIG};
    static const struct alter_kind broker = {config_broker_defs, config_broker_find,
                                             config_broker_put, begin_broker, KERR_INVALID_REQUEST};
    static const struct alter_kind group = {config_group_defs, config_group_find, config_group_put,
                                            begin_group, KERR_INVALID_CONFIG};
    switch (type) {
    case RESOURCE_TOPIC:
        return &topic;
    case RESOURCE_BROKER:
        return &broker;
    case RESOURCE_GROUP:
        return &group;
    default:
        return NULL;
    }
}

static struct verdict alteration_begin(struct alteration *a)
{
    if (a->kind == NULL)
        return verdict_of(KERR_INVALID_REQUEST,
                          "only the configs of topics, brokers and groups can be changed");
    struct verdict v = a->kind->begin(a);
    if (v.code == KERR_NONE && !a->starts_empty && config_set_copy(&a->now, &a->wanted) != ERR_OK)
        v = NO_MEMORY;
    return v;
}

/* Of another broker what was given at its start is not known; it is judged as if it were ours. */
static enum err check_all(const struct alteration *a, struct strbuf *why)
{
    struct config_layers layers = *a->d->layers; /* borrowed as they are, but for one */
    if (is_topic(a))
        return config_topic_check(&a->wanted, &layers, why);
    if (a->type == RESOURCE_GROUP)
        return config_group_check(&a->wanted, &layers, why);
    if (a->name.len > 0)
        layers.broker = a->wanted;
    else
        layers.broker_default = a->wanted;
    return config_broker_check(a->d->layers, &layers, why);
}

static struct verdict alteration_end(struct alteration *a, bool validate_only)
{
    struct strbuf why;
    strbuf_init(&why);
    enum err e = check_all(a, &why);
    struct verdict v = e == ERR_OK ? VERDICT_GOOD : bad_config(a, e, &why);
    strbuf_deinit(&why);
    if (v.code == KERR_NONE && !validate_only)
        decision_put_configs(a->d, a->type, a->name, &a->now, &a->wanted);
    return v;
}

static struct verdict
alter_resource(struct alteration *a,
               const struct incremental_alter_configs_request_alter_configs_resource *r,
               bool validate_only)
{
    struct verdict v = alteration_begin(a);
    if (v.code == KERR_NONE && r->configs.count > LIMIT_CONFIGS_PER_TOPIC)
        v = verdict_of(KERR_INVALID_CONFIG, "too many configs for one resource");
    struct name_table seen;
    name_table_init(&seen, a->arena, 0, false); /* few names: a chain of them is short */
    for (int32_t i = 0; i < r->configs.count && v.code == KERR_NONE; i++) {
        v = apply_op(a, &r->configs.items[i]);
        if (v.code != KERR_NONE)
            break;
        struct name_entry *entry = name_table_add(&seen, r->configs.items[i].name);
        if (entry == NULL)
            v = NO_MEMORY;
        else if (entry->count > 1)
            v = verdict_of(KERR_INVALID_REQUEST, "a config is in the request more than once");
    }
    name_table_deinit(&seen);
    return v.code == KERR_NONE ? alteration_end(a, validate_only) : v;
}

/* ---- whole requests */

#define REPEATED verdict_of(KERR_INVALID_REQUEST, "the resource is in the request more than once")

struct alter_rows {
    const struct incremental_alter_configs_request *request;
    struct incremental_alter_configs_response *response;
    struct arena *arena;
    struct name_table topics; /* how often each is named */
    struct name_table brokers;
    struct name_table groups;
    bool is_replacing;
};

/* NULL: nobody counts this resource. */
static struct name_table *table_of(struct alter_rows *rows, int8_t type, struct wire_str name)
{
    if (name.len < 0 || kind_of(type) == NULL)
        return NULL;
    return type == RESOURCE_TOPIC    ? &rows->topics
           : type == RESOURCE_BROKER ? &rows->brokers
                                     : &rows->groups;
}

static bool is_repeated(struct alter_rows *rows, int8_t type, struct wire_str name)
{
    struct name_table *table = table_of(rows, type, name);
    struct name_entry *entry = table != NULL ? name_table_find(table, name) : NULL;
    return entry != NULL && entry->count > 1;
}

static enum err count_names(struct alter_rows *rows)
{
    for (int32_t i = 0; i < rows->request->resources.count; i++) {
        const struct incremental_alter_configs_request_alter_configs_resource *r =
            &rows->request->resources.items[i];
        struct name_table *table = table_of(rows, r->resource_type, r->resource_name);
        if (table != NULL && name_table_add(table, r->resource_name) == NULL)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static void alter_all(struct decision *d, struct alter_rows *rows)
{
    for (int32_t i = 0; i < rows->request->resources.count; i++) {
        const struct incremental_alter_configs_request_alter_configs_resource *r =
            &rows->request->resources.items[i];
        struct alteration a = {
            .d = d,
            .arena = rows->arena,
            .type = r->resource_type,
            .kind = kind_of(r->resource_type),
            .name = r->resource_name,
            .starts_empty = rows->is_replacing,
        };
        config_set_init(&a.now);
        config_set_init(&a.wanted);
        struct verdict v = is_repeated(rows, r->resource_type, r->resource_name)
                               ? REPEATED
                               : alter_resource(&a, r, rows->request->validate_only);
        config_set_deinit(&a.now);
        config_set_deinit(&a.wanted);
        rows->response->responses.items[i] =
            (struct incremental_alter_configs_response_alter_configs_resource_response){
                .error_code = (int16_t)v.code,
                .error_message = verdict_text(v),
                .resource_type = r->resource_type,
                .resource_name = r->resource_name,
            };
    }
}

static enum err alter_configs(struct decision *d, struct alter_rows *rows, struct arena *arena)
{
    wire_defaults(&incremental_alter_configs_response_layout, rows->response);
    enum err e = wire_array_new(
        arena, &incremental_alter_configs_response_alter_configs_resource_response_layout,
        rows->request->resources.count, &rows->response->responses);
    if (e != ERR_OK)
        return e;
    uint64_t seed = 0;
    d->random(d->random_arg, &seed, sizeof(seed));
    rows->arena = arena;
    name_table_init(&rows->topics, arena, seed, false);
    name_table_init(&rows->brokers, arena, seed, false);
    name_table_init(&rows->groups, arena, seed, false);
    e = count_names(rows);
    if (e == ERR_OK) {
        alter_all(d, rows);
        e = decision_end(d);
    }
    name_table_deinit(&rows->topics);
    name_table_deinit(&rows->brokers);
    name_table_deinit(&rows->groups);
    return e;
}

enum err decide_incremental_alter_configs(struct decision *d,
                                          const struct incremental_alter_configs_request *request,
                                          struct arena *arena,
                                          struct incremental_alter_configs_response *response)
{
    struct alter_rows rows = {.request = request, .response = response};
    return alter_configs(d, &rows, arena);
}

/* ---- the older form: a list of values to be set in place of all that there are */

static enum err as_incremental(const struct alter_configs_request *request, struct arena *arena,
                               struct incremental_alter_configs_request *out)
{
    out->validate_only = request->validate_only;
    enum err e =
        wire_array_new(arena, &incremental_alter_configs_request_alter_configs_resource_layout,
                       request->resources.count, &out->resources);
    for (int32_t i = 0; i < request->resources.count && e == ERR_OK; i++) {
        const struct alter_configs_request_alter_configs_resource *from =
            &request->resources.items[i];
        struct incremental_alter_configs_request_alter_configs_resource *to =
            &out->resources.items[i];
        to->resource_type = from->resource_type;
        to->resource_name = from->resource_name;
        e = wire_array_new(arena, &incremental_alter_configs_request_alterable_config_layout,
                           from->configs.count, &to->configs);
        for (int32_t c = 0; c < from->configs.count && e == ERR_OK; c++) {
            to->configs.items[c].name = from->configs.items[c].name;
            to->configs.items[c].value = from->configs.items[c].value;
            to->configs.items[c].config_operation = ALTER_SET;
        }
    }
    return e;
}

enum err decide_alter_configs(struct decision *d, const struct alter_configs_request *request,
                              struct arena *arena, struct alter_configs_response *response)
{
    struct incremental_alter_configs_request as_request = {0};
    struct incremental_alter_configs_response as_response = {0};
    struct alter_rows rows = {
        .request = &as_request, .response = &as_response, .is_replacing = true};
    wire_defaults(&alter_configs_response_layout, response);
    enum err e = as_incremental(request, arena, &as_request);
    if (e == ERR_OK)
        e = wire_array_new(arena, &alter_configs_response_alter_configs_resource_response_layout,
                           request->resources.count, &response->responses);
    if (e == ERR_OK)
        e = alter_configs(d, &rows, arena);
    for (int32_t i = 0; i < request->resources.count && e == ERR_OK; i++) {
        struct incremental_alter_configs_response_alter_configs_resource_response *from =
            &as_response.responses.items[i];
        response->responses.items[i] =
            (struct alter_configs_response_alter_configs_resource_response){
                .error_code = from->error_code,
                .error_message = from->error_message,
                .resource_type = from->resource_type,
                .resource_name = from->resource_name,
            };
    }
    return e;
}
