// SPDX-License-Identifier: Apache-2.0
/*
 * server_config_listeners: reads listeners, advertised.listeners, their security
 * protocols and the admin listener, with the checks that Kafka makes.
 *
 * Listeners of KRaft's controllers (controller.listener.names) are left out:
 * files made for Kafka name them, and there is nothing to open here.
 *
 * Thread: any.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "broker/server_config_private.h"

enum { ITEM_BYTES_MAX = 512 };

/* One listener's protocol, as listener.security.protocol.map has it. */
struct mapping {
    char name[ITEM_BYTES_MAX];
    char protocol[ITEM_BYTES_MAX];
};

struct endpoint_list {
    struct server_endpoint items[LIMIT_LISTENERS];
    int count;
};

static void upper_copy(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)toupper((unsigned char)text[i]);
    out[len] = '\0';
}

static const char *name_of(enum config_broker_key key)
{
    return config_broker_defs[key].name;
}

/* ---- one endpoint */

static bool is_host_char(char c)
{
    return isalnum((unsigned char)c) || strchr("-._:%", c) != NULL;
}

/* "9092" in text[0, len). */
static bool parse_port(const char *text, size_t len, uint16_t *out)
{
    uint32_t port = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* "host:port" or "[v6]:port"; gives the host without its brackets. */
static bool parse_address(const char *text, size_t len, const char **host, size_t *host_len,
                          uint16_t *port)
{
    const char *colon = memrchr(text, ':', len);
    if (colon == NULL)
        return false;
    const char *port_text = colon + 1;
    *host = text;
    *host_len = (size_t)(colon - text);
    if (*host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
        (*host)++;
        *host_len -= 2;
    }
    for (size_t i = 0; i < *host_len; i++) {
        if (!is_host_char((*host)[i]))
            return false;
    }
    return parse_port(port_text, len - (size_t)(port_text - text), port);
}

static enum err parse_endpoint(struct server_config_loader *l, enum config_broker_key key,
                               const char *item, size_t len, struct server_endpoint *out)
{
    char name[ITEM_BYTES_MAX];
    const char *scheme_end = memmem(item, len, "://", 3);
    const char *host;
    size_t host_len;
    uint16_t port;
    if (scheme_end == NULL || scheme_end == item || len >= ITEM_BYTES_MAX)
        return server_config_refuse(l, "%s: %.*s is not of the form NAME://HOST:PORT", name_of(key),
                                    (int)MIN(len, (size_t)200), item);
    const char *address = scheme_end + 3;
    if (!parse_address(address, len - (size_t)(address - item), &host, &host_len, &port))
        return server_config_refuse(l, "%s: %.*s has no valid HOST:PORT", name_of(key), (int)len,
                                    item);
    upper_copy(name, item, (size_t)(scheme_end - item));
    struct server_endpoint made = {
        .name = server_config_copy(l, name, strlen(name)),
        .host = server_config_copy(l, host, host_len),
        .port = port,
    };
    if (made.name == NULL || made.host == NULL)
        return ERR_NO_MEMORY;
    *out = made;
    return ERR_OK;
}

/* ---- a list of endpoints */

static const struct server_endpoint *find_endpoint(const struct server_endpoint *items, int count,
                                                   const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(items[i].name, name) == 0)
            return &items[i];
    }
    return NULL;
}

static bool is_controller_listener(const struct server_config_loader *l, const char *name)
{
    const char *names = server_config_text(l, CONFIG_BROKER_CONTROLLER_LISTENER_NAMES);
    const char *item;
    char upper[ITEM_BYTES_MAX];
    size_t pos = 0, len;
    while (names != NULL && config_list_next(names, &pos, &item, &len)) {
        upper_copy(upper, item, MIN(len, (size_t)ITEM_BYTES_MAX - 1));
        if (strcmp(upper, name) == 0)
            return true;
    }
    return false;
}

static enum err parse_list(struct server_config_loader *l, enum config_broker_key key,
                           struct endpoint_list *out)
{
    const char *text = server_config_text(l, key);
    const char *item;
    size_t pos = 0, len;
    out->count = 0;
    while (text != NULL && config_list_next(text, &pos, &item, &len)) {
        struct server_endpoint endpoint = {0};
        enum err e = parse_endpoint(l, key, item, len, &endpoint);
        if (e != ERR_OK)
            return e;
        if (is_controller_listener(l, endpoint.name)) {
            strbuf_printf(&l->config->notes, "%s: %s belongs to KRaft and is not opened\n",
                          name_of(key), endpoint.name);
            continue;
        }
        if (out->count == LIMIT_LISTENERS)
            return server_config_refuse(l, "%s: more than %d", name_of(key), LIMIT_LISTENERS);
        if (find_endpoint(out->items, out->count, endpoint.name) != NULL)
            return server_config_refuse(l, "%s: %s stands there twice", name_of(key),
                                        endpoint.name);
        out->items[out->count++] = endpoint;
    }
    return ERR_OK;
}

static bool is_v4(const char *host)
{
    return host[0] != '\0' && strspn(host, "0123456789.") == strlen(host);
}

static bool is_v6(const char *host)
{
    return strchr(host, ':') != NULL;
}

/* An IPv4 and an IPv6 address may have the same port, others may not. */
static bool share_a_port(const struct server_endpoint *a, const struct server_endpoint *b)
{
    if (a->port != b->port || a->port == 0)
        return false;
    return !(is_v4(a->host) && is_v6(b->host)) && !(is_v6(a->host) && is_v4(b->host));
}

static enum err check_ports(struct server_config_loader *l, const struct endpoint_list *list)
{
    for (int i = 0; i < list->count; i++) {
        for (int j = 0; j < i; j++) {
            if (share_a_port(&list->items[j], &list->items[i]))
                return server_config_refuse(l, "listeners: %s and %s share port %d",
                                            list->items[j].name, list->items[i].name,
                                            list->items[i].port);
        }
    }
    return ERR_OK;
}

static enum err keep_list(struct server_config_loader *l, const struct endpoint_list *list,
                          const struct server_endpoint **items, int *count)
{
    size_t size = (size_t)list->count * sizeof(list->items[0]);
    if (list->count == 0)
        return ERR_OK;
    struct server_endpoint *kept = arena_alloc(&l->config->arena, size);
    if (kept == NULL)
        return ERR_NO_MEMORY;
    memcpy(kept, list->items, size);
    *items = kept;
    *count = list->count;
    return ERR_OK;
}

/* ---- security protocols */

/* "NAME:PROTOCOL"; both in capitals. */
static bool parse_mapping(const char *item, size_t len, struct mapping *out)
{
    const char *colon = memchr(item, ':', len);
    if (colon == NULL || colon == item || len >= ITEM_BYTES_MAX)
        return false;
    size_t name_len = (size_t)(colon - item);
    while (name_len > 0 && item[name_len - 1] == ' ')
        name_len--;
    const char *protocol = colon + 1;
    while (protocol < item + len && *protocol == ' ')
        protocol++;
    upper_copy(out->name, item, name_len);
    upper_copy(out->protocol, protocol, (size_t)(item + len - protocol));
    return true;
}

static bool is_protocol(const char *text)
{
    return strcmp(text, "PLAINTEXT") == 0 || strcmp(text, "SSL") == 0 ||
           strcmp(text, "SASL_PLAINTEXT") == 0 || strcmp(text, "SASL_SSL") == 0;
}

/* The protocol of one listener into `protocol`; empty: the map does not have it. */
static enum err find_protocol(struct server_config_loader *l, const char *name,
                              char protocol[ITEM_BYTES_MAX])
{
    const char *map = server_config_text(l, CONFIG_BROKER_LISTENER_SECURITY_PROTOCOL_MAP);
    const char *item;
    size_t pos = 0, len;
    protocol[0] = '\0';
    while (config_list_next(map, &pos, &item, &len)) {
        struct mapping m;
        if (!parse_mapping(item, len, &m) || !is_protocol(m.protocol))
            return server_config_refuse(
                l, "listener.security.protocol.map: %.*s is not of the form NAME:PROTOCOL",
                (int)MIN(len, (size_t)200), item);
        if (strcmp(m.name, name) != 0)
            continue;
        if (protocol[0] != '\0')
            return server_config_refuse(l, "listener.security.protocol.map: %s stands there twice",
                                        name);
        memcpy(protocol, m.protocol, sizeof(m.protocol));
    }
    return ERR_OK;
}

static enum err check_protocol(struct server_config_loader *l, const char *name)
{
    char protocol[ITEM_BYTES_MAX];
    enum err e = find_protocol(l, name, protocol);
    if (e != ERR_OK)
        return e;
    if (protocol[0] == '\0')
        return server_config_refuse(
            l, "listeners: %s has no security protocol in listener.security.protocol.map", name);
    if (strcmp(protocol, "PLAINTEXT") != 0)
        return server_config_refuse(
            l, "listeners: %s is %s, which this broker cannot keep; it opens PLAINTEXT only", name,
            protocol);
    return ERR_OK;
}

/* ---- what is read */

static enum err read_listeners(struct server_config_loader *l)
{
    struct endpoint_list list;
    enum err e = parse_list(l, CONFIG_BROKER_LISTENERS, &list);
    if (e == ERR_OK && list.count == 0)
        e = server_config_refuse(l, "listeners: there is none that clients could use");
    if (e == ERR_OK)
        e = check_ports(l, &list);
    for (int i = 0; i < list.count && e == ERR_OK; i++)
        e = check_protocol(l, list.items[i].name);
    if (e == ERR_OK)
        e = keep_list(l, &list, &l->config->listeners, &l->config->listener_count);
    return e;
}

static enum err check_advertised(struct server_config_loader *l,
                                 const struct server_endpoint *endpoint)
{
    struct server_config *c = l->config;
    if (strcmp(endpoint->host, "0.0.0.0") == 0 || strcmp(endpoint->host, "::") == 0)
        return server_config_refuse(
            l, "advertised.listeners: %s is told %s, which no client can connect to",
            endpoint->name, endpoint->host);
    if (find_endpoint(c->listeners, c->listener_count, endpoint->name) == NULL)
        return server_config_refuse(l, "advertised.listeners: %s is not in listeners",
                                    endpoint->name);
    return ERR_OK;
}

static enum err read_advertised(struct server_config_loader *l)
{
    struct endpoint_list list;
    enum err e = parse_list(l, CONFIG_BROKER_ADVERTISED_LISTENERS, &list);
    for (int i = 0; i < list.count && e == ERR_OK; i++)
        e = check_advertised(l, &list.items[i]);
    if (e == ERR_OK)
        e = keep_list(l, &list, &l->config->advertised, &l->config->advertised_count);
    return e;
}

static enum err read_inter_broker(struct server_config_loader *l)
{
    struct server_config *c = l->config;
    const char *protocol = server_config_text(l, CONFIG_BROKER_SECURITY_INTER_BROKER_PROTOCOL);
    const char *given = server_config_text(l, CONFIG_BROKER_INTER_BROKER_LISTENER_NAME);
    char name[ITEM_BYTES_MAX];
    if (strcmp(protocol, "PLAINTEXT") != 0)
        return server_config_refuse(
            l, "security.inter.broker.protocol=%s cannot be kept by this broker; only PLAINTEXT",
            protocol);
    if (given != NULL && server_config_is_given(l, CONFIG_BROKER_SECURITY_INTER_BROKER_PROTOCOL))
        return server_config_refuse(
            l, "inter.broker.listener.name and security.inter.broker.protocol exclude each other");
    const char *wanted = given != NULL ? given : protocol;
    upper_copy(name, wanted, MIN(strlen(wanted), (size_t)ITEM_BYTES_MAX - 1));
    const struct server_endpoint *at = find_endpoint(c->listeners, c->listener_count, name);
    bool is_told =
        c->advertised_count == 0 || find_endpoint(c->advertised, c->advertised_count, name) != NULL;
    if (at == NULL || !is_told)
        return server_config_refuse(l, "inter.broker.listener.name: %s is not in %s", name,
                                    at == NULL ? "listeners" : "advertised.listeners");
    c->inter_broker = (int)(at - c->listeners);
    return ERR_OK;
}

static enum err read_admin(struct server_config_loader *l)
{
    const char *text = server_config_text(l, CONFIG_BROKER_KLAMM_ADMIN_LISTENER);
    const char *host;
    size_t host_len;
    struct server_endpoint admin = {.name = "ADMIN"};
    if (text == NULL || text[0] == '\0')
        return ERR_OK;
    if (!parse_address(text, strlen(text), &host, &host_len, &admin.port))
        return server_config_refuse(l, "klamm.admin.listener: %.200s is not of the form HOST:PORT",
                                    text);
    admin.host = server_config_copy(l, host, host_len);
    struct server_endpoint *kept = arena_alloc(&l->config->arena, sizeof(*kept));
    if (kept == NULL || admin.host == NULL)
        return ERR_NO_MEMORY;
    *kept = admin;
    l->config->admin = kept;
    return ERR_OK;
}

enum err server_config_read_listeners(struct server_config_loader *l)
{
    enum err e = read_listeners(l);
    if (e == ERR_OK)
        e = read_advertised(l);
    if (e == ERR_OK)
        e = read_inter_broker(l);
    if (e == ERR_OK)
        e = read_admin(l);
    return e;
}
