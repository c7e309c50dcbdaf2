// SPDX-License-Identifier: Apache-2.0
/*
 * server_config_source: collects keys from the file, the environment and the
 * command line, and judges each key by itself: known? valid? built?
 *
 * Thread: any.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/mem.h"
#include "broker/properties.h"
#include "broker/server_config_private.h"

#define ENVIRONMENT_PREFIX "KLAMM_"
#define LISTENER_PREFIX    "listener.name."

enum { KEY_BYTES_MAX = 256 };

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- keys that are not in the table by their whole name */

enum key_family {
    FAMILY_NONE,
    FAMILY_SECURITY,
    FAMILY_LATER,
};

static enum key_family family_of_status(enum config_status status)
{
    return status == CONFIG_SECURITY ? FAMILY_SECURITY : FAMILY_LATER;
}

/* "listener.name.<listener>.<key>", with the name of a SASL mechanism before some keys. */
static enum key_family listener_key_family(const char *rest)
{
    for (const char *dot = strchr(rest, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        const char *key = dot + 1;
        int number = config_broker_find(key, strlen(key));
        if (number >= 0)
            return family_of_status(config_broker_defs[number].status);
        if (starts_with(key, "ssl.") || starts_with(key, "sasl."))
            return FAMILY_SECURITY;
    }
    return FAMILY_NONE;
}

/* A security key that Kafka has gained since counts as one: never guess it away. */
static enum key_family key_family(const char *key)
{
    if (starts_with(key, LISTENER_PREFIX))
        return listener_key_family(key + strlen(LISTENER_PREFIX));
    if (starts_with(key, "ssl.") || starts_with(key, "sasl.") ||
        starts_with(key, "config.providers."))
        return FAMILY_SECURITY;
    if (starts_with(key, "rsm.config.") || starts_with(key, "rlmm.config."))
        return FAMILY_LATER;
    return FAMILY_NONE;
}

/* ---- judging a key */

static enum err refuse_unknown(struct server_config_loader *l, const char *origin, const char *key)
{
    const char *nearest = config_broker_nearest(key);
    if (nearest == NULL)
        return server_config_refuse(l, "%s: %.120s is not a configuration key", origin, key);
    return server_config_refuse(l, "%s: %.120s is not a configuration key; the nearest is %s",
                                origin, key, nearest);
}

static enum err refuse_security(struct server_config_loader *l, const char *origin, const char *key)
{
    return server_config_refuse(
        l, "%s: %s is a security setting that this broker cannot keep; it does not start with it",
        origin, key);
}

static enum err take_unlisted(struct server_config_loader *l, const char *origin, const char *key)
{
    switch (key_family(key)) {
    case FAMILY_SECURITY:
        return refuse_security(l, origin, key);
    case FAMILY_LATER:
        strbuf_printf(&l->config->warnings, "%s: %s has no effect in this build\n", origin, key);
        return ERR_OK;
    case FAMILY_NONE:
        break;
    }
    return refuse_unknown(l, origin, key);
}

/* The strongest source comes last and replaces what was there. */
static enum err take(struct server_config_loader *l, const char *origin, const char *key,
                     const char *value)
{
    int number = config_broker_find(key, strlen(key));
    if (number < 0)
        return take_unlisted(l, origin, key);
    l->origins[number] = server_config_copy(l, origin, strlen(origin));
    if (l->origins[number] == NULL)
        return ERR_NO_MEMORY;
    return config_set_put(&l->config->layers.fixed, number, value, strlen(value));
}

/* The default, or the empty text of a key that has none: as if it had not been set. */
static bool is_harmless(const struct config_def *def, const char *text)
{
    bool is_empty = def->type != CONFIG_BOOLEAN && strspn(text, " \t") == strlen(text);
    return def->default_text == NULL ? is_empty : config_is_default(def, text);
}

static enum err judge(struct server_config_loader *l, const struct config_entry *entry)
{
    const struct config_def *def = &config_broker_defs[entry->key];
    const char *origin = l->origins[entry->key];
    struct strbuf why;
    strbuf_init(&why);
    enum err e = config_check(def, entry->text, &why);
    if (e != ERR_OK)
        e = server_config_refuse(l, "%s: %s", origin, strbuf_text(&why));
    strbuf_deinit(&why);
    if (e != ERR_OK || def->status == CONFIG_WORKS || is_harmless(def, entry->text))
        return e;
    if (def->status == CONFIG_SECURITY)
        return refuse_security(l, origin, def->name);
    if (def->status == CONFIG_LATER)
        strbuf_printf(&l->config->warnings, "%s: %s has no effect in this build\n", origin,
                      def->name);
    else
        strbuf_printf(&l->config->notes, "%s: %s means nothing to this broker\n", origin,
                      def->name);
    return ERR_OK;
}

/* ---- the sources */

static enum err take_file(struct server_config_loader *l, const struct server_config_input *in)
{
    struct properties p;
    enum err e = properties_parse(in->file_name, in->file_text, in->file_size, l->error, &p);
    if (e != ERR_OK)
        return e;
    struct strbuf origin;
    strbuf_init(&origin);
    for (size_t i = 0; i < p.count && e == ERR_OK; i++) {
        strbuf_clear(&origin);
        strbuf_printf(&origin, "%s:%d", in->file_name, p.items[i].line);
        e = take(l, strbuf_text(&origin), p.items[i].key, p.items[i].value);
    }
    strbuf_deinit(&origin);
    properties_deinit(&p);
    return e;
}

/* For the commands that ask a broker: no key of this one. */
static bool is_for_others(const char *variable)
{
    return starts_with(variable, ENVIRONMENT_PREFIX "BOOTSTRAP=");
}

/* LOG_RETENTION_MS -> log.retention.ms; for our own keys "klamm." may be left out. */
static bool key_of_variable(const char *name, size_t len, char key[KEY_BYTES_MAX])
{
    static const char own[] = "klamm.";
    size_t own_len = sizeof(own) - 1;
    if (len == 0 || len + own_len >= KEY_BYTES_MAX)
        return false;
    memcpy(key, own, own_len);
    for (size_t i = 0; i < len; i++)
        key[own_len + i] = name[i] == '_' ? '.' : (char)tolower((unsigned char)name[i]);
    key[own_len + len] = '\0';
    const char *plain = key + own_len;
    if (config_broker_find(plain, len) >= 0 || config_broker_find(key, own_len + len) < 0)
        memmove(key, plain, len + 1);
    return true;
}

static enum err take_environment(struct server_config_loader *l, const char *const *environment)
{
    enum err e = ERR_OK;
    for (size_t i = 0; environment[i] != NULL && e == ERR_OK; i++) {
        const char *equals = strchr(environment[i], '=');
        if (equals == NULL || !starts_with(environment[i], ENVIRONMENT_PREFIX) ||
            is_for_others(environment[i]))
            continue;
        char origin[KEY_BYTES_MAX], key[KEY_BYTES_MAX];
        const char *name = environment[i] + strlen(ENVIRONMENT_PREFIX);
        snprintf(origin, sizeof(origin), "%.*s", (int)MIN(equals - environment[i], 100),
                 environment[i]);
        if (!key_of_variable(name, (size_t)(equals - name), key))
            return server_config_refuse(l, "%s: no configuration key has such a name", origin);
        e = take(l, origin, key, equals + 1);
    }
    return e;
}

/* `origin` is what gave the pairs. */
static enum err take_pairs(struct server_config_loader *l, const char *origin,
                           const char *const *sets)
{
    enum err e = ERR_OK;
    for (size_t i = 0; sets[i] != NULL && e == ERR_OK; i++) {
        const char *equals = strchr(sets[i], '=');
        char key[KEY_BYTES_MAX];
        if (equals == NULL || equals == sets[i])
            return server_config_refuse(l, "%s %.120s: key=value is needed", origin, sets[i]);
        size_t len = (size_t)(equals - sets[i]);
        if (len >= sizeof(key))
            return server_config_refuse(l, "%s: no configuration key has such a long name", origin);
        memcpy(key, sets[i], len);
        key[len] = '\0';
        e = take(l, origin, key, equals + 1);
    }
    return e;
}

enum err server_config_collect(struct server_config_loader *l, const struct server_config_input *in)
{
    enum err e = ERR_OK;
    if (in->defaults != NULL)
        e = take_pairs(l, in->defaults_origin, in->defaults);
    if (e == ERR_OK && in->file_name != NULL)
        e = take_file(l, in);
    if (e == ERR_OK && in->environment != NULL)
        e = take_environment(l, in->environment);
    if (e == ERR_OK && in->sets != NULL)
        e = take_pairs(l, "--set", in->sets);
    const struct config_set *fixed = &l->config->layers.fixed;
    for (int i = 0; i < fixed->count && e == ERR_OK; i++)
        e = judge(l, &fixed->entries[i]);
    return e;
}
