// SPDX-License-Identifier: Apache-2.0
/* config_group: see config_group.h. Thread: any. */
#include "metadata/config_group.h"

#include <string.h>

#include "base/assert.h"
#include "metadata/config_dynamic.h"
#include "metadata/config_private.h"

enum { NO_KEY = -1 };

/* What the broker allows of a whole number, by keys of its own. */
static const struct {
    int16_t key, min, max; /* NO_KEY: no bound of this side */
} bounds[] = {
    {CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS},
    {CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS, CONFIG_BROKER_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS,
     CONFIG_BROKER_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS},
    {CONFIG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS},
    {CONFIG_GROUP_SHARE_HEARTBEAT_INTERVAL_MS, CONFIG_BROKER_GROUP_SHARE_MIN_HEARTBEAT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_SHARE_MAX_HEARTBEAT_INTERVAL_MS},
    {CONFIG_GROUP_SHARE_SESSION_TIMEOUT_MS, CONFIG_BROKER_GROUP_SHARE_MIN_SESSION_TIMEOUT_MS,
     CONFIG_BROKER_GROUP_SHARE_MAX_SESSION_TIMEOUT_MS},
    {CONFIG_GROUP_SHARE_RECORD_LOCK_DURATION_MS,
     CONFIG_BROKER_GROUP_SHARE_MIN_RECORD_LOCK_DURATION_MS,
     CONFIG_BROKER_GROUP_SHARE_MAX_RECORD_LOCK_DURATION_MS},
    {CONFIG_GROUP_SHARE_DELIVERY_COUNT_LIMIT, CONFIG_BROKER_GROUP_SHARE_MIN_DELIVERY_COUNT_LIMIT,
     CONFIG_BROKER_GROUP_SHARE_MAX_DELIVERY_COUNT_LIMIT},
    {CONFIG_GROUP_SHARE_PARTITION_MAX_RECORD_LOCKS,
     CONFIG_BROKER_GROUP_SHARE_MIN_PARTITION_MAX_RECORD_LOCKS,
     CONFIG_BROKER_GROUP_SHARE_MAX_PARTITION_MAX_RECORD_LOCKS},
    {CONFIG_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS},
    {CONFIG_GROUP_STREAMS_HEARTBEAT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_STREAMS_MIN_HEARTBEAT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_STREAMS_MAX_HEARTBEAT_INTERVAL_MS},
    {CONFIG_GROUP_STREAMS_SESSION_TIMEOUT_MS, CONFIG_BROKER_GROUP_STREAMS_MIN_SESSION_TIMEOUT_MS,
     CONFIG_BROKER_GROUP_STREAMS_MAX_SESSION_TIMEOUT_MS},
    {CONFIG_GROUP_STREAMS_NUM_STANDBY_REPLICAS, NO_KEY,
     CONFIG_BROKER_GROUP_STREAMS_MAX_STANDBY_REPLICAS},
    {CONFIG_GROUP_STREAMS_ASSIGNMENT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
     CONFIG_BROKER_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS},
    {CONFIG_GROUP_STREAMS_TASK_OFFSET_INTERVAL_MS,
     CONFIG_BROKER_GROUP_STREAMS_MIN_TASK_OFFSET_INTERVAL_MS, NO_KEY},
    {CONFIG_GROUP_STREAMS_NUM_WARMUP_REPLICAS, NO_KEY,
     CONFIG_BROKER_GROUP_STREAMS_MAX_WARMUP_REPLICAS},
};

/* A member must be able to miss at least one heartbeat. */
static const struct {
    int session, heartbeat;
} pairs[] = {
    {CONFIG_GROUP_CONSUMER_SESSION_TIMEOUT_MS, CONFIG_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS},
    {CONFIG_GROUP_SHARE_SESSION_TIMEOUT_MS, CONFIG_GROUP_SHARE_HEARTBEAT_INTERVAL_MS},
    {CONFIG_GROUP_STREAMS_SESSION_TIMEOUT_MS, CONFIG_GROUP_STREAMS_HEARTBEAT_INTERVAL_MS},
};

/* ---- what the image says */

enum err config_group_of_image(const struct image *image, const char *group_id, size_t len,
                               struct config_set *set)
{
    return config_set_of_pairs(image_configs_of(image, RESOURCE_GROUP, group_id, len),
                               config_group_defs, config_group_find, set);
}

/* ---- what clients set */

enum err config_group_put(struct config_set *set, const char *name, size_t name_len,
                          const char *text, size_t len, struct strbuf *why)
{
    int key = config_group_find(name, name_len);
    if (key < 0)
        return config_refuse_name(name, name_len, "a config of groups", config_group_nearest, why);
    return config_set_put_checked(set, key, &config_group_defs[key], text, len, why);
}

/* In force for the group, whoever has set it. */
static struct config_found find_value(const struct config_set *set,
                                      const struct config_layers *layers, int key)
{
    ASSERT(key >= 0 && key < CONFIG_GROUP_COUNT);
    const struct config_def *def = &config_group_defs[key];
    struct config_found found = {config_set_get(set, key), 1, CONFIG_SOURCE_GROUP};
    if (found.text == NULL && def->synonym_count > 0)
        found.text = config_layers_get(layers, def->synonyms[0].broker_key, &found.source);
    if (found.text == NULL)
        found = (struct config_found){def->default_text, 1, CONFIG_SOURCE_DEFAULT};
    return found;
}

static int64_t whole(const char *text)
{
    int64_t value = 0;
    enum err e = text != NULL ? config_parse_long(text, &value) : ERR_INVALID;
    ASSERT(e == ERR_OK); /* checked when it came in */
    return value;
}

static enum err check_bounds(const struct config_set *set, const struct config_layers *layers,
                             struct strbuf *why)
{
    for (size_t i = 0; i < ARRAY_COUNT(bounds); i++) {
        const char *text = config_set_get(set, bounds[i].key);
        if (text == NULL)
            continue;
        int16_t sides[] = {bounds[i].min, bounds[i].max};
        for (int side = 0; side < 2; side++) {
            if (sides[side] == NO_KEY)
                continue;
            int64_t bound = whole(config_layers_get(layers, sides[side], NULL));
            if (side == 0 ? whole(text) >= bound : whole(text) <= bound)
                continue;
            strbuf_printf(why, "%s=%lld is %s %s=%lld", config_group_defs[bounds[i].key].name,
                          (long long)whole(text), side == 0 ? "below" : "above",
                          config_broker_defs[sides[side]].name, (long long)bound);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static enum err check_pairs(const struct config_set *set, const struct config_layers *layers,
                            struct strbuf *why)
{
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        bool is_set = config_set_get(set, pairs[i].session) != NULL ||
                      config_set_get(set, pairs[i].heartbeat) != NULL;
        int64_t session_ms = whole(find_value(set, layers, pairs[i].session).text);
        int64_t heartbeat_ms = whole(find_value(set, layers, pairs[i].heartbeat).text);
        if (!is_set || session_ms > heartbeat_ms)
            continue;
        strbuf_printf(why, "%s=%lld is not above %s=%lld", config_group_defs[pairs[i].session].name,
                      (long long)session_ms, config_group_defs[pairs[i].heartbeat].name,
                      (long long)heartbeat_ms);
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err check_assignor(const struct config_set *set, const struct config_layers *layers,
                               struct strbuf *why)
{
    const char *name = config_set_get(set, CONFIG_GROUP_STREAMS_ASSIGNOR_NAME);
    const char *known = config_layers_get(layers, CONFIG_BROKER_GROUP_STREAMS_ASSIGNORS, NULL);
    if (name == NULL)
        return ERR_OK;
    struct strbuf shown;
    strbuf_init(&shown);
    config_canonical(&config_group_defs[CONFIG_GROUP_STREAMS_ASSIGNOR_NAME], name, &shown);
    bool is_known = config_list_has(known, strbuf_text(&shown));
    if (!is_known)
        strbuf_printf(why, "streams.assignor.name=%.120s is none of group.streams.assignors=%s",
                      strbuf_text(&shown), known);
    strbuf_deinit(&shown);
    return is_known ? ERR_OK : ERR_INVALID;
}

/* Kafka takes no tag twice. */
static enum err check_tags(const struct config_set *set, struct strbuf *why)
{
    const char *text = config_set_get(set, CONFIG_GROUP_STREAMS_RACK_AWARE_ASSIGNMENT_TAGS);
    if (text == NULL || !config_list_has_repeat(text))
        return ERR_OK;
    strbuf_puts(why, "streams.rack.aware.assignment.tags has a tag twice");
    return ERR_INVALID;
}

static enum err check_dead_letters(const struct config_set *set, struct strbuf *why)
{
    const char *text = config_set_get(set, CONFIG_GROUP_ERRORS_DEADLETTERQUEUE_TOPIC_NAME);
    if (text == NULL || strncmp(text + strspn(text, " \t\r\n\f\v"), "__", 2) != 0)
        return ERR_OK;
    strbuf_puts(why, "errors.deadletterqueue.topic.name must not begin with __");
    return ERR_INVALID;
}

enum err config_group_check(const struct config_set *set, const struct config_layers *layers,
                            struct strbuf *why)
{
    enum err e = check_bounds(set, layers, why);
    if (e == ERR_OK)
        e = check_pairs(set, layers, why);
    if (e == ERR_OK)
        e = check_assignor(set, layers, why);
    if (e == ERR_OK)
        e = check_tags(set, why);
    return e == ERR_OK ? check_dead_letters(set, why) : e;
}

/* ---- what clients are shown */

enum err config_group_describe(const struct config_set *set, const struct config_layers *layers,
                               int group_key, struct arena *arena, struct config_described *out)
{
    const struct config_def *def = &config_group_defs[group_key];
    struct config_found found = find_value(set, layers, group_key);
    struct config_described described = {.def = def, .source = found.source};
    enum err e = config_show(def, &found, arena, &described.text);
    if (e != ERR_OK)
        return e;
    if (found.source == CONFIG_SOURCE_GROUP)
        config_described_add(&described, def->name, described.text, CONFIG_SOURCE_GROUP);
    if (def->synonym_count > 0)
        config_described_add_layers(&described, layers, def->synonyms[0].broker_key, true);
    else if (def->default_text != NULL)
        config_described_add(&described, def->name, def->default_text, CONFIG_SOURCE_DEFAULT);
    *out = described;
    return ERR_OK;
}
