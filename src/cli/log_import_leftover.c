// SPDX-License-Identifier: Apache-2.0
/*
 * log_import_leftover: what is in Kafka's logs and is not taken over: of its metadata configs of
 * brokers, groups and client metrics, quotas, SCRAM users, ACLs, delegation tokens; of the offsets'
 * topic what groups keep besides. A line for each that is in force where the log ends. Values are
 * not told: they may be secrets.
 *
 * Thread: main.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/log_import.h"
#include "wire/kraft.h"
#include "wire/reader.h"

struct leftover {
    struct map_node node; /* of import.leftovers */
    char *key;            /* tells them apart */
    char *text;
};

/* ---- the set of them */

static struct leftover *find(const struct import *im, const char *key, uint64_t hash)
{
    struct map_node *node = map_first(&im->leftovers, hash);
    for (; node != NULL; node = map_next_same(node)) {
        struct leftover *one = container_of(node, struct leftover, node);
        if (strcmp(one->key, key) == 0)
            return one;
    }
    return NULL;
}

static void free_one(struct leftover *one)
{
    mem_free(one->key);
    mem_free(one->text);
    mem_free(one);
}

/* `text` NULL: it is not there any more. */
static void set(struct import *im, const char *key, const char *text)
{
    uint64_t hash = hash_bytes(0, key, strlen(key));
    struct leftover *one = find(im, key, hash);
    if (one != NULL) {
        map_remove(&im->leftovers, &one->node);
        free_one(one);
    }
    if (text == NULL)
        return;
    one = mem_alloc(sizeof(*one));
    *one = (struct leftover){.key = mem_strdup(key), .text = mem_strdup(text)};
    map_insert(&im->leftovers, &one->node, hash);
}

static int by_text(const void *a, const void *b)
{
    const struct leftover *const *x = a, *const *y = b;
    return strcmp((*x)->text, (*y)->text);
}

void import_leftovers_tell(struct import *im)
{
    size_t count = 0;
    struct leftover **sorted = mem_alloc(im->leftovers.count * sizeof(struct leftover *) + 1);
    MAP_FOR_EACH (node, &im->leftovers)
        sorted[count++] = container_of(node, struct leftover, node);
    qsort(sorted, count, sizeof(struct leftover *), by_text);
    for (size_t i = 0; i < count; i++)
        import_leave_out(im, "%s", sorted[i]->text);
    mem_free(sorted);
}

void import_leftovers_free(struct import *im)
{
    MAP_FOR_EACH (node, &im->leftovers) {
        map_remove(&im->leftovers, node);
        free_one(container_of(node, struct leftover, node));
    }
    map_deinit(&im->leftovers);
}

/* ---- their texts */

static void put(struct strbuf *out, struct wire_str text)
{
    log_print_bytes(out, text.data, (size_t)MAX(text.len, 0));
}

static void put_quoted(struct strbuf *out, struct wire_str text)
{
    strbuf_putc(out, '"');
    put(out, text);
    strbuf_putc(out, '"');
}

/* One that Kafka has not had yet when this was written is unknown. */
static const char *name_of(const char *const *names, size_t count, int8_t value)
{
    return value >= 0 && (size_t)value < count ? names[value] : names[0];
}

/* A text that is its own key. */
static void set_text(struct import *im, struct strbuf *text, bool is_there)
{
    set(im, strbuf_text(text), is_there ? strbuf_text(text) : NULL);
    strbuf_deinit(text);
}

static void set_with_id(struct import *im, struct uuid id, struct strbuf *text)
{
    char key[UUID_TEXT_SIZE];
    set(im, uuid_format(id, key), text != NULL ? strbuf_text(text) : NULL);
}

/* ---- configs */

static void put_resource(struct strbuf *out, const struct kraft_config *record)
{
    switch (record->resource_type) {
    case RESOURCE_BROKER:
        if (record->resource_name.len <= 0) {
            strbuf_puts(out, "all brokers");
            return;
        }
        strbuf_puts(out, "broker ");
        break;
    case RESOURCE_CLIENT_METRICS:
        strbuf_puts(out, "client metrics ");
        break;
    case RESOURCE_GROUP:
        strbuf_puts(out, "group ");
        break;
    default:
        strbuf_printf(out, "resource %d ", record->resource_type);
    }
    put_quoted(out, record->resource_name);
}

void import_leave_config(struct import *im, const struct kraft_config *record)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_puts(&text, "config ");
    put(&text, record->name);
    strbuf_puts(&text, " of ");
    put_resource(&text, record);
    set_text(im, &text, record->value.len >= 0);
}

/* ---- quotas */

/* Users first; and the same order whatever the record has. */
static int by_type(const void *a, const void *b)
{
    const struct kraft_client_quota_entity_data *x = a, *y = b;
    int order = memcmp(y->entity_type.data, x->entity_type.data,
                       (size_t)MIN(x->entity_type.len, y->entity_type.len));
    return order != 0 ? order : y->entity_type.len - x->entity_type.len;
}

void import_leave_quota(struct import *im, const struct kraft_client_quota *record)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_puts(&text, "quota ");
    put(&text, record->key);
    if (record->entity.count > 0)
        qsort(record->entity.items, (size_t)record->entity.count, sizeof(*record->entity.items),
              by_type);
    for (int32_t i = 0; i < record->entity.count; i++) {
        const struct kraft_client_quota_entity_data *entity = &record->entity.items[i];
        bool is_default = entity->entity_name.len < 0;
        strbuf_printf(&text, "%s%s", i == 0 ? " of " : ", ", is_default ? "default " : "");
        put(&text, entity->entity_type);
        if (is_default)
            continue;
        strbuf_putc(&text, ' ');
        put_quoted(&text, entity->entity_name);
    }
    set_text(im, &text, !record->remove);
}

/* ---- SCRAM users */

void import_leave_scram_user(struct import *im, struct wire_str name, int8_t mechanism,
                             bool is_there)
{
    static const char *const mechanisms[] = {"SCRAM", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    struct strbuf text;
    strbuf_init(&text);
    strbuf_printf(&text, "%s credentials of user ",
                  name_of(mechanisms, ARRAY_COUNT(mechanisms), mechanism));
    put_quoted(&text, name);
    set_text(im, &text, is_there);
}

/* ---- ACLs: the numbers are those of Kafka's protocol */

static const char *const resources[] = {
    "UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"};
static const char *const patterns[] = {"UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"};
static const char *const permissions[] = {"UNKNOWN", "ANY", "DENY", "ALLOW"};
static const char *const operations[] = {"UNKNOWN",
                                         "ANY",
                                         "ALL",
                                         "READ",
                                         "WRITE",
                                         "CREATE",
                                         "DELETE",
                                         "ALTER",
                                         "DESCRIBE",
                                         "CLUSTER_ACTION",
                                         "DESCRIBE_CONFIGS",
                                         "ALTER_CONFIGS",
                                         "IDEMPOTENT_WRITE",
                                         "CREATE_TOKENS",
                                         "DESCRIBE_TOKENS",
                                         "TWO_PHASE_COMMIT"};

void import_leave_acl(struct import *im, const struct kraft_access_control_entry *record)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_puts(&text, "ACL: ");
    put(&text, record->principal);
    strbuf_puts(&text, " from ");
    put(&text, record->host);
    strbuf_printf(&text, " %s %s on %s %s ",
                  name_of(permissions, ARRAY_COUNT(permissions), record->permission_type),
                  name_of(operations, ARRAY_COUNT(operations), record->operation),
                  name_of(patterns, ARRAY_COUNT(patterns), record->pattern_type),
                  name_of(resources, ARRAY_COUNT(resources), record->resource_type));
    put_quoted(&text, record->resource_name);
    set_with_id(im, record->id, &text);
    strbuf_deinit(&text);
}

void import_forget_acl(struct import *im, struct uuid id)
{
    set_with_id(im, id, NULL);
}

/* ---- delegation tokens */

void import_leave_token(struct import *im, struct wire_str id, const struct wire_str *owner)
{
    struct strbuf key, text;
    strbuf_init(&key);
    strbuf_puts(&key, "delegation token ");
    put_quoted(&key, id);
    strbuf_init(&text);
    if (owner != NULL) {
        strbuf_printf(&text, "%s of ", strbuf_text(&key));
        put(&text, *owner);
    }
    set(im, strbuf_text(&key), owner != NULL ? strbuf_text(&text) : NULL);
    strbuf_deinit(&key);
    strbuf_deinit(&text);
}

/* ---- groups */

/* By the number in front of the key; each such group has one record of this kind. */
static const char *group_kind(int16_t number)
{
    switch (number) {
    case 3:
        return "consumer";
    case 11:
        return "share";
    case 17:
        return "streams";
    default:
        return NULL;
    }
}

void import_leave_group(struct import *im, const struct record *record)
{
    struct wire_reader r = wire_reader_of(record->key.data, (size_t)MAX(record->key.len, 0));
    const char *kind = group_kind(wire_read_i16(&r));
    struct wire_str name = wire_read_str(&r, false, false);
    if (r.failed || kind == NULL)
        return;
    struct strbuf text;
    strbuf_init(&text);
    strbuf_printf(&text, "what %s group ", kind);
    put_quoted(&text, name);
    strbuf_puts(&text, " keeps besides its offsets");
    set_text(im, &text, record->value.len >= 0);
}
