// SPDX-License-Identifier: Apache-2.0
/* config_list: see config_list.h. Thread: main. */
#include "cli/config_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/codec.h"
#include "wire/kerr.h"
#include "wire/list_config_resources.h"

static void add(struct config_list *list, const struct config_kind *kind, struct wire_str name,
                int32_t node)
{
    bool is_full = (list->count & (list->count - 1)) == 0; /* sizes are powers of two */
    if (is_full)
        list->targets =
            mem_realloc(list->targets, (size_t)MAX(list->count * 2, 1) * sizeof(*list->targets));
    char *copy = arena_copy_text(&list->arena, name.data, (size_t)MAX(name.len, 0));
    ASSERT(copy != NULL);
    list->targets[list->count++] = (struct config_target){kind, copy, node};
}

static int by_name(const void *a, const void *b)
{
    const struct config_target *x = a, *y = b;
    int order = (x->node > y->node) - (x->node < y->node); /* alike for what is no broker */
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* ---- topics and brokers */

static void take_brokers(const struct metadata_response *response, const struct config_kind *kind,
                         struct config_list *list)
{
    char number[16];
    for (int32_t i = 0; i < response->brokers.count; i++) {
        int32_t node = response->brokers.items[i].node_id;
        snprintf(number, sizeof(number), "%d", node);
        add(list, kind, wire_str_of(number), node);
    }
}

static void take_topics(const struct metadata_response *response, const struct config_kind *kind,
                        struct config_list *list)
{
    for (int32_t i = 0; i < response->topics.count; i++)
        add(list, kind, response->topics.items[i].name, CLIENT_ANY_NODE);
}

static bool ask_metadata(struct admin *a, const struct config_kind *kind, struct config_list *list)
{
    struct metadata_request_topic none;
    struct admin_topics topics = {.names = {&none, kind->is_node ? 0 : -1}};
    struct client_result result;
    if (!admin_metadata(a, &topics, &result))
        return false;
    if (kind->is_node)
        take_brokers(result.body, kind, list);
    else
        take_topics(result.body, kind, list);
    client_result_deinit(&result);
    return true;
}

/* ---- others */

static bool ask_resources(struct admin *a, const struct config_kind *kind, struct config_list *list)
{
    int8_t type = kind->type;
    struct list_config_resources_request request = {.resource_types = {&type, 1}};
    struct client_result result;
    if (!admin_call(a, KEY_LIST_CONFIG_RESOURCES, &request, &result))
        return false;
    const struct list_config_resources_response *response = result.body;
    bool is_good = response->error_code == KERR_NONE;
    if (!is_good)
        admin_complain(a, wire_str_of(NULL), response->error_code, wire_str_of(NULL));
    for (int32_t i = 0; is_good && i < response->config_resources.count; i++)
        add(list, kind, response->config_resources.items[i].resource_name, CLIENT_ANY_NODE);
    client_result_deinit(&result);
    return is_good;
}

bool config_list_ask(struct admin *a, const struct config_kind *kind, struct config_list *out)
{
    *out = (struct config_list){.count = 0};
    arena_init(&out->arena, SIZE_MAX);
    if (kind->name_word == NULL) {
        add(out, kind, wire_str_of(""), CLIENT_ANY_NODE);
        return true;
    }
    bool is_of_metadata = kind->is_node || strcmp(kind->word, "topic") == 0;
    if (!(is_of_metadata ? ask_metadata(a, kind, out) : ask_resources(a, kind, out)))
        return false;
    if (out->count > 0)
        qsort(out->targets, (size_t)out->count, sizeof(*out->targets), by_name);
    return true;
}

void config_list_deinit(struct config_list *list)
{
    mem_free(list->targets);
    arena_deinit(&list->arena);
    *list = (struct config_list){.count = 0};
}
