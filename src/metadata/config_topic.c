// SPDX-License-Identifier: Apache-2.0
/* config_topic: see config_topic.h. Thread: any. */
#include "metadata/config_topic.h"

#include "base/assert.h"
#include "metadata/config_private.h"

void config_layers_init(struct config_layers *layers)
{
    config_set_init(&layers->broker);
    config_set_init(&layers->broker_default);
    config_set_init(&layers->fixed);
}

void config_layers_deinit(struct config_layers *layers)
{
    config_set_deinit(&layers->broker);
    config_set_deinit(&layers->broker_default);
    config_set_deinit(&layers->fixed);
}

static const char *layer_get(const struct config_layers *layers, enum config_source source, int key)
{
    switch (source) {
    case CONFIG_SOURCE_BROKER:
        return config_set_get(&layers->broker, key);
    case CONFIG_SOURCE_BROKER_DEFAULT:
        return config_set_get(&layers->broker_default, key);
    case CONFIG_SOURCE_STATIC:
        return config_set_get(&layers->fixed, key);
    case CONFIG_SOURCE_DEFAULT:
        return config_broker_defs[key].default_text;
    case CONFIG_SOURCE_TOPIC:
    case CONFIG_SOURCE_GROUP:
        break;
    }
    ASSERT(source >= CONFIG_SOURCE_BROKER && source <= CONFIG_SOURCE_DEFAULT);
    return NULL;
}

const char *config_layers_get(const struct config_layers *layers, int broker_key,
                              enum config_source *source)
{
    ASSERT(broker_key >= 0 && broker_key < CONFIG_BROKER_COUNT);
    enum config_source at = CONFIG_SOURCE_BROKER;
    while (at < CONFIG_SOURCE_DEFAULT && layer_get(layers, at, broker_key) == NULL)
        at++;
    if (source != NULL)
        *source = at;
    return layer_get(layers, at, broker_key);
}

int64_t config_layers_long(const struct config_layers *layers, int broker_key)
{
    int64_t value = 0;
    const char *text = config_layers_get(layers, broker_key, NULL);
    enum err e = text != NULL ? config_parse_long(text, &value) : ERR_INVALID;
    ASSERT(e == ERR_OK); /* checked where it was set */
    return value;
}

/* The synonyms go by name first and by layer second: log.retention.ms in the file beats
 * log.retention.hours set while running. */
static struct config_found find_value(const struct config_set *topic,
                                      const struct config_layers *layers, int key)
{
    ASSERT(key >= 0 && key < CONFIG_TOPIC_COUNT);
    const struct config_def *def = &config_topic_defs[key];
    const char *own = topic == NULL ? NULL : config_set_get(topic, key);
    if (own != NULL)
        return (struct config_found){own, 1, CONFIG_SOURCE_TOPIC};
    for (int i = 0; i < def->synonym_count; i++) {
        const struct config_synonym *synonym = &def->synonyms[i];
        enum config_source source;
        const char *text = config_layers_get(layers, synonym->broker_key, &source);
        if (text != NULL && source != CONFIG_SOURCE_DEFAULT)
            return (struct config_found){text, synonym->factor, source};
    }
    return (struct config_found){def->default_text, 1, CONFIG_SOURCE_DEFAULT};
}

/* -1 stays -1 in every unit: for ever. */
static int64_t in_topic_unit(int64_t value, int64_t factor)
{
    ASSERT(factor >= 1);
    if (factor == 1)
        return value;
    if (value < 0)
        return -1;
    return value > INT64_MAX / factor ? INT64_MAX : value * factor;
}

/* ---- the struct that the rest of the broker works with */

struct view {
    const struct config_set *topic;
    const struct config_layers *layers;
};

static int64_t view_long(const struct view *v, enum config_topic_key key)
{
    struct config_found found = find_value(v->topic, v->layers, (int)key);
    ASSERT(found.text != NULL);
    int64_t value = 0;
    enum err e = config_parse_long(found.text, &value);
    ASSERT(e == ERR_OK); /* checked when it came in */
    return in_topic_unit(value, found.factor);
}

static int32_t view_int(const struct view *v, enum config_topic_key key)
{
    int64_t value = view_long(v, key);
    ASSERT(value >= INT32_MIN && value <= INT32_MAX);
    return (int32_t)value;
}

static double view_double(const struct view *v, enum config_topic_key key)
{
    double value = 0;
    enum err e = config_parse_double(find_value(v->topic, v->layers, (int)key).text, &value);
    ASSERT(e == ERR_OK);
    return value;
}

static bool view_bool(const struct view *v, enum config_topic_key key)
{
    struct config_found found = find_value(v->topic, v->layers, (int)key);
    bool value = false;
    enum err e = config_parse_bool(found.text, &value);
    ASSERT(e == ERR_OK);
    return value;
}

/* A word is a list of one. */
static bool view_has(const struct view *v, enum config_topic_key key, const char *word)
{
    return config_list_has(find_value(v->topic, v->layers, (int)key).text, word);
}

static int64_t view_segment_bytes(const struct view *v)
{
    int key = CONFIG_TOPIC_INTERNAL_SEGMENT_BYTES;
    bool is_set = find_value(v->topic, v->layers, key).text != NULL;
    return view_long(v, is_set ? CONFIG_TOPIC_INTERNAL_SEGMENT_BYTES : CONFIG_TOPIC_SEGMENT_BYTES);
}

static enum topic_compression view_compression(const struct view *v)
{
    static const char *const words[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (view_has(v, CONFIG_TOPIC_COMPRESSION_TYPE, words[i]))
            return (enum topic_compression)i;
    }
    return TOPIC_COMPRESSION_PRODUCER;
}

void config_topic_compute(const struct config_set *topic, const struct config_layers *layers,
                          struct topic_config *out)
{
    struct view v = {topic, layers};
    bool log_append = view_has(&v, CONFIG_TOPIC_MESSAGE_TIMESTAMP_TYPE, "LogAppendTime");
    *out = (struct topic_config){
        .retention_ms = MAX(view_long(&v, CONFIG_TOPIC_RETENTION_MS), -1),
        .retention_bytes = MAX(view_long(&v, CONFIG_TOPIC_RETENTION_BYTES), -1),
        .segment_bytes = view_segment_bytes(&v),
        .segment_ms = view_long(&v, CONFIG_TOPIC_SEGMENT_MS),
        .segment_jitter_ms = view_long(&v, CONFIG_TOPIC_SEGMENT_JITTER_MS),
        .index_interval_bytes = view_long(&v, CONFIG_TOPIC_INDEX_INTERVAL_BYTES),
        .segment_index_bytes = view_long(&v, CONFIG_TOPIC_SEGMENT_INDEX_BYTES),
        .max_message_bytes = view_long(&v, CONFIG_TOPIC_MAX_MESSAGE_BYTES),
        .max_decompressed_bytes = view_long(&v, CONFIG_TOPIC_MAX_DECOMPRESSED_MESSAGE_BYTES),
        .flush_messages = view_long(&v, CONFIG_TOPIC_FLUSH_MESSAGES),
        .flush_ms = view_long(&v, CONFIG_TOPIC_FLUSH_MS),
        .file_delete_delay_ms = view_long(&v, CONFIG_TOPIC_FILE_DELETE_DELAY_MS),
        .timestamp_before_max_ms = view_long(&v, CONFIG_TOPIC_MESSAGE_TIMESTAMP_BEFORE_MAX_MS),
        .timestamp_after_max_ms = view_long(&v, CONFIG_TOPIC_MESSAGE_TIMESTAMP_AFTER_MAX_MS),
        .min_compaction_lag_ms = view_long(&v, CONFIG_TOPIC_MIN_COMPACTION_LAG_MS),
        .max_compaction_lag_ms = view_long(&v, CONFIG_TOPIC_MAX_COMPACTION_LAG_MS),
        .delete_retention_ms = view_long(&v, CONFIG_TOPIC_DELETE_RETENTION_MS),
        .min_cleanable_ratio = view_double(&v, CONFIG_TOPIC_MIN_CLEANABLE_DIRTY_RATIO),
        .producer_expiration_ms =
            config_layers_long(layers, CONFIG_BROKER_PRODUCER_ID_EXPIRATION_MS),
        .min_insync_replicas = view_int(&v, CONFIG_TOPIC_MIN_INSYNC_REPLICAS),
        .gzip_level = view_int(&v, CONFIG_TOPIC_COMPRESSION_GZIP_LEVEL),
        .lz4_level = view_int(&v, CONFIG_TOPIC_COMPRESSION_LZ4_LEVEL),
        .zstd_level = view_int(&v, CONFIG_TOPIC_COMPRESSION_ZSTD_LEVEL),
        .timestamp_type = log_append ? TOPIC_LOG_APPEND_TIME : TOPIC_CREATE_TIME,
        .compression = view_compression(&v),
        .cleanup_delete = view_has(&v, CONFIG_TOPIC_CLEANUP_POLICY, "delete"),
        .cleanup_compact = view_has(&v, CONFIG_TOPIC_CLEANUP_POLICY, "compact"),
        .preallocate = view_bool(&v, CONFIG_TOPIC_PREALLOCATE),
        .ack_disk = view_has(&v, CONFIG_TOPIC_KLAMM_ACK, "disk"),
    };
    ASSERT(out->segment_bytes > 0);
    ASSERT(out->min_insync_replicas >= 1);
}

void config_topic_compute_internal(const struct config_set *topic,
                                   const struct config_layers *layers, struct topic_config *out)
{
    config_topic_compute(topic, layers, out);
    out->ack_disk = true;
}

/* ---- what clients set */

enum err config_topic_check(const struct config_set *topic, const struct config_layers *layers,
                            struct strbuf *why)
{
    struct view v = {topic, layers};
    int64_t lag_min_ms = view_long(&v, CONFIG_TOPIC_MIN_COMPACTION_LAG_MS);
    int64_t lag_max_ms = view_long(&v, CONFIG_TOPIC_MAX_COMPACTION_LAG_MS);
    if (lag_min_ms > lag_max_ms) {
        strbuf_printf(why, "min.compaction.lag.ms=%lld is above max.compaction.lag.ms=%lld",
                      (long long)lag_min_ms, (long long)lag_max_ms);
        return ERR_INVALID;
    }
    if (view_bool(&v, CONFIG_TOPIC_REMOTE_STORAGE_ENABLE)) {
        strbuf_puts(why,
                    "remote.storage.enable=true needs tiered storage, which this broker lacks");
        return ERR_INVALID;
    }
    return ERR_OK;
}

enum err config_topic_put(struct config_set *topic, const char *name, size_t name_len,
                          const char *text, size_t len, struct strbuf *why)
{
    int key = config_topic_find(name, name_len);
    if (key < 0)
        return config_refuse_name(name, name_len, "a topic config", config_topic_nearest, why);
    return config_set_put_checked(topic, key, &config_topic_defs[key], text, len, why);
}

/* ---- what clients are shown */

void config_described_add(struct config_described *out, const char *name, const char *text,
                          enum config_source source)
{
    ASSERT(out->synonym_count < CONFIG_SYNONYMS_MAX);
    out->synonyms[out->synonym_count++] = (struct config_described_synonym){name, text, source};
}

/* Each layer's value of a broker key. Where the strongest key has no value the defaults
 * of the weaker ones are left out, as in Kafka. */
void config_described_add_layers(struct config_described *out, const struct config_layers *layers,
                                 int key, bool with_default)
{
    const struct config_def *def = &config_broker_defs[key];
    enum config_source last = with_default ? CONFIG_SOURCE_DEFAULT : CONFIG_SOURCE_STATIC;
    for (enum config_source at = CONFIG_SOURCE_BROKER; at <= last; at++) {
        const char *text = layer_get(layers, at, key);
        if (text != NULL)
            config_described_add(out, def->name, config_is_sensitive(def) ? NULL : text, at);
    }
}

enum err config_show(const struct config_def *def, const struct config_found *found,
                     struct arena *arena, const char **out)
{
    *out = NULL;
    if (found->text == NULL || config_is_sensitive(def))
        return ERR_OK;
    struct strbuf shown;
    strbuf_init(&shown);
    int64_t whole = 0;
    if (found->factor != 1 && config_parse_long(found->text, &whole) == ERR_OK)
        strbuf_printf(&shown, "%lld", (long long)in_topic_unit(whole, found->factor));
    else
        config_canonical(def, found->text, &shown);
    *out = arena_copy_text(arena, strbuf_text(&shown), shown.len);
    strbuf_deinit(&shown);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err config_topic_describe(const struct config_set *topic, const struct config_layers *layers,
                               int topic_key, struct arena *arena, struct config_described *out)
{
    const struct config_def *def = &config_topic_defs[topic_key];
    struct config_found found = find_value(topic, layers, topic_key);
    struct config_described described = {.def = def, .source = found.source};
    enum err e = config_show(def, &found, arena, &described.text);
    if (e != ERR_OK)
        return e;
    if (found.source == CONFIG_SOURCE_TOPIC)
        config_described_add(&described, def->name, described.text, CONFIG_SOURCE_TOPIC);
    bool is_first_set = def->synonym_count > 0 &&
                        config_layers_get(layers, def->synonyms[0].broker_key, NULL) != NULL;
    for (int i = 0; i < def->synonym_count; i++)
        config_described_add_layers(&described, layers, def->synonyms[i].broker_key, is_first_set);
    *out = described;
    return ERR_OK;
}

/* The keys that would have a say if this one had no value: log.retention.hours for
 * log.retention.ms. */
static void add_weaker_synonyms(const struct config_layers *layers, int broker_key,
                                struct config_described *out)
{
    for (int key = 0; key < CONFIG_TOPIC_COUNT; key++) {
        const struct config_def *def = &config_topic_defs[key];
        bool is_weaker = false;
        for (int i = 0; i < def->synonym_count; i++) {
            if (is_weaker)
                config_described_add_layers(out, layers, def->synonyms[i].broker_key, true);
            is_weaker |= def->synonyms[i].broker_key == broker_key;
        }
    }
}

enum err config_broker_describe(const struct config_layers *layers, int broker_key,
                                struct arena *arena, struct config_described *out)
{
    const struct config_def *def = &config_broker_defs[broker_key];
    struct config_found found = {.factor = 1};
    found.text = config_layers_get(layers, broker_key, &found.source);
    struct config_described described = {.def = def, .source = found.source};
    enum err e = config_show(def, &found, arena, &described.text);
    if (e != ERR_OK)
        return e;
    config_described_add_layers(&described, layers, broker_key, !def->is_dynamic_only);
    if (found.text != NULL)
        add_weaker_synonyms(layers, broker_key, &described);
    *out = described;
    return ERR_OK;
}
