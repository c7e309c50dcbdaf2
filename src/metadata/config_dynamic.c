// SPDX-License-Identifier: Apache-2.0
/* config_dynamic: see config_dynamic.h. Thread: any. */
#include "metadata/config_dynamic.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/macros.h"

/* Keys of the broker's own that take effect while it runs. Of the others that Kafka lets be
 * changed, listeners and numbers of threads are settled at the start here. */
static const int own_keys[] = {
    CONFIG_BROKER_LOG_CLEANER_BACKOFF_MS,
    CONFIG_BROKER_LOG_CLEANER_DEDUPE_BUFFER_SIZE,
    CONFIG_BROKER_LOG_CLEANER_IO_BUFFER_LOAD_FACTOR,
    CONFIG_BROKER_LOG_CLEANER_IO_BUFFER_SIZE,
    CONFIG_BROKER_LOG_CLEANER_IO_MAX_BYTES_PER_SECOND,
    CONFIG_BROKER_LOG_CLEANER_THREADS,
    CONFIG_BROKER_MAX_CONNECTIONS,
    CONFIG_BROKER_MAX_CONNECTIONS_PER_IP,
    CONFIG_BROKER_PRODUCER_ID_EXPIRATION_MS,
    CONFIG_BROKER_REPLICA_ALTER_LOG_DIRS_IO_MAX_BYTES_PER_SECOND,
};

bool config_broker_is_dynamic(int broker_key)
{
    ASSERT(broker_key >= 0 && broker_key < CONFIG_BROKER_COUNT);
    if (config_broker_defs[broker_key].update == CONFIG_UPDATE_STATIC)
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(own_keys); i++) {
        if (own_keys[i] == broker_key)
            return true;
    }
    for (int key = 0; key < CONFIG_TOPIC_COUNT; key++) {
        for (int i = 0; i < config_topic_defs[key].synonym_count; i++) {
            if (config_topic_defs[key].synonyms[i].broker_key == broker_key)
                return true;
        }
    }
    return false;
}

/* ---- what the image says */

const char *config_broker_name(int32_t node_id, char text[CONFIG_BROKER_NAME_SIZE])
{
    snprintf(text, CONFIG_BROKER_NAME_SIZE, "%d", node_id);
    return text;
}

enum err config_set_of_pairs(struct config_pairs pairs, const struct config_def *defs,
                             int (*find)(const char *name, size_t len), struct config_set *set)
{
    ASSERT(set->count == 0);
    enum err e = ERR_OK;
    for (size_t i = 0; i < pairs.count && e == ERR_OK; i++) {
        const char *value = pairs.items[i].value;
        int key = find(pairs.items[i].key, strlen(pairs.items[i].key));
        if (key < 0 || config_check(&defs[key], value, NULL) != ERR_OK)
            continue; /* written by another version: it does not apply here */
        e = config_set_put(set, key, value, strlen(value));
    }
    if (e != ERR_OK)
        config_set_deinit(set);
    return e;
}

static int find_dynamic(const char *name, size_t len)
{
    int key = config_broker_find(name, len);
    return key >= 0 && config_broker_is_dynamic(key) ? key : -1;
}

enum err config_broker_of_image(const struct image *image, const char *name, struct config_set *set)
{
    return config_set_of_pairs(image_configs(image, RESOURCE_BROKER, name), config_broker_defs,
                               find_dynamic, set);
}

enum err config_layers_of_image(const struct image *image, int32_t node_id,
                                const struct config_set *fixed, struct config_layers *out)
{
    char name[CONFIG_BROKER_NAME_SIZE];
    struct config_layers layers;
    config_layers_init(&layers);
    enum err e = config_broker_of_image(image, "", &layers.broker_default);
    if (e == ERR_OK)
        e = config_broker_of_image(image, config_broker_name(node_id, name), &layers.broker);
    if (e != ERR_OK) {
        config_layers_deinit(&layers);
        return e;
    }
    layers.fixed = *fixed;
    *out = layers;
    return ERR_OK;
}

void config_layers_release(struct config_layers *layers)
{
    config_set_init(&layers->fixed); /* somebody else's */
    config_layers_deinit(layers);
}

/* ---- what clients set */

enum err config_broker_put(struct config_set *set, const char *name, size_t name_len,
                           const char *text, size_t len, struct strbuf *why)
{
    int key = config_broker_find(name, name_len);
    if (key < 0)
        return config_refuse_name(name, name_len, "a config of brokers", config_broker_nearest,
                                  why);
    const struct config_def *def = &config_broker_defs[key];
    if (!config_broker_is_dynamic(key)) {
        strbuf_printf(why, "%s cannot be changed while the broker runs", def->name);
        return ERR_INVALID;
    }
    return config_set_put_checked(set, key, def, text, len, why);
}

/* ERR_INVALID: the key has a value below this. */
static enum err check_least(const struct config_layers *layers, int key, int64_t least,
                            struct strbuf *why)
{
    const char *text = config_layers_get(layers, key, NULL);
    int64_t value = 0;
    if (text == NULL || (config_parse_long(text, &value) == ERR_OK && value >= least))
        return ERR_OK;
    strbuf_printf(why, "%s must be at least %lld", config_broker_defs[key].name, (long long)least);
    return ERR_INVALID;
}

enum err config_cleaner_check(const struct config_layers *layers, struct strbuf *why)
{
    enum { MIB = 1 << 20 };
    int64_t threads = config_layers_long(layers, CONFIG_BROKER_LOG_CLEANER_THREADS);
    int64_t size = config_layers_long(layers, CONFIG_BROKER_LOG_CLEANER_DEDUPE_BUFFER_SIZE);
    if (threads < 1 || size / threads > MIB)
        return ERR_OK;
    strbuf_printf(why,
                  "log.cleaner.dedupe.buffer.size=%lld is not more than 1 MiB for each of "
                  "log.cleaner.threads=%lld",
                  (long long)size, (long long)threads);
    return ERR_INVALID;
}

/* By the steps that Kafka allows: to half of what it is at least, to double at most. */
static enum err check_cleaner_threads(const struct config_layers *now,
                                      const struct config_layers *wanted, struct strbuf *why)
{
    bool is_enabled = true;
    enum err e = config_parse_bool(config_layers_get(now, CONFIG_BROKER_LOG_CLEANER_ENABLE, NULL),
                                   &is_enabled);
    int64_t before = config_layers_long(now, CONFIG_BROKER_LOG_CLEANER_THREADS);
    int64_t after = config_layers_long(wanted, CONFIG_BROKER_LOG_CLEANER_THREADS);
    ASSERT(e == ERR_OK);
    if (after == before || !is_enabled)
        return ERR_OK;
    if (after < 1)
        strbuf_puts(why, "log.cleaner.threads must be at least 1");
    else if (after < before / 2)
        strbuf_printf(why, "log.cleaner.threads cannot become less than half of what it is, %lld",
                      (long long)before);
    else if (after > before * 2)
        strbuf_printf(why, "log.cleaner.threads cannot become more than double of what it is, %lld",
                      (long long)before);
    else
        return ERR_OK;
    return ERR_INVALID;
}

enum err config_broker_check(const struct config_layers *now, const struct config_layers *layers,
                             struct strbuf *why)
{
    const char *retention = config_layers_get(layers, CONFIG_BROKER_LOG_RETENTION_MS, NULL);
    int64_t value = -1;
    if (retention != NULL && config_parse_long(retention, &value) == ERR_OK && value == 0) {
        strbuf_puts(why, "log.retention.ms=0 would keep nothing; -1 keeps all");
        return ERR_INVALID;
    }
    enum err e = check_least(layers, CONFIG_BROKER_LOG_ROLL_MS, 1, why);
    if (e == ERR_OK)
        e = check_least(layers, CONFIG_BROKER_LOG_ROLL_JITTER_MS, 0, why);
    /* Nobody could come in to take back a zero. */
    if (e == ERR_OK)
        e = check_least(layers, CONFIG_BROKER_MAX_CONNECTIONS, 1, why);
    if (e == ERR_OK)
        e = check_least(layers, CONFIG_BROKER_MAX_CONNECTIONS_PER_IP, 1, why);
    if (e == ERR_OK)
        e = check_cleaner_threads(now, layers, why);
    if (e == ERR_OK)
        e = config_cleaner_check(layers, why);
    return e == ERR_OK ? config_topic_check(NULL, layers, why) : e;
}
