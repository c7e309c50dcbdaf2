// SPDX-License-Identifier: Apache-2.0
/*
 * config_values: judges configs as KafkaFacts does: for each line "kind<TAB>key<TAB>value" of
 * standard input "ok" and the value as we show it, or "bad".
 *
 * Thread: main.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "metadata/config_group.h"

enum { LINE_BYTES_MAX = 4096 };

/* As in KafkaFacts.java. */
static const struct {
    enum config_broker_key key;
    const char *value;
} loose[] = {
    {CONFIG_BROKER_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS, "1000"},
    {CONFIG_BROKER_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS, "44000"},
    {CONFIG_BROKER_GROUP_SHARE_MIN_SESSION_TIMEOUT_MS, "1000"},
    {CONFIG_BROKER_GROUP_SHARE_MAX_HEARTBEAT_INTERVAL_MS, "44000"},
    {CONFIG_BROKER_GROUP_STREAMS_MIN_SESSION_TIMEOUT_MS, "1000"},
    {CONFIG_BROKER_GROUP_STREAMS_MAX_HEARTBEAT_INTERVAL_MS, "44000"},
    {CONFIG_BROKER_GROUP_SHARE_SESSION_TIMEOUT_MS, "20000"},
    {CONFIG_BROKER_GROUP_STREAMS_MAX_STANDBY_REPLICAS, "7"},
};

static void init_layers(struct config_layers *layers, bool is_loose)
{
    config_layers_init(layers);
    for (size_t i = 0; i < ARRAY_COUNT(loose) && is_loose; i++) {
        enum err e = config_set_put(&layers->fixed, (int)loose[i].key, loose[i].value,
                                    strlen(loose[i].value));
        ASSERT(e == ERR_OK);
    }
}

static void judge_group(const struct config_layers *layers, const char *key, const char *value)
{
    struct strbuf text;
    struct config_set set;
    strbuf_init(&text);
    config_set_init(&set);
    if (config_group_put(&set, key, strlen(key), value, strlen(value), &text) != ERR_OK ||
        config_group_check(&set, layers, &text) != ERR_OK) {
        puts("bad");
    } else {
        strbuf_clear(&text);
        int number = config_group_find(key, strlen(key));
        config_canonical(&config_group_defs[number], value, &text);
        printf("ok\t%s\n", strbuf_text(&text));
    }
    config_set_deinit(&set);
    strbuf_deinit(&text);
}

static void judge_topic(const char *key, const char *value)
{
    struct strbuf shown;
    int number = config_topic_find(key, strlen(key));
    strbuf_init(&shown);
    if (number < 0 || config_check(&config_topic_defs[number], value, NULL) != ERR_OK) {
        puts("bad");
    } else {
        config_canonical(&config_topic_defs[number], value, &shown);
        printf("ok\t%s\n", strbuf_text(&shown));
    }
    strbuf_deinit(&shown);
}

int main(void)
{
    static char line[LINE_BYTES_MAX];
    struct config_layers layers, loose_layers;
    init_layers(&layers, false);
    init_layers(&loose_layers, true);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *key = strchr(line, '\t');
        char *value = key != NULL ? strchr(key + 1, '\t') : NULL;
        if (value == NULL)
            return 2;
        *key++ = '\0';
        *value++ = '\0';
        if (strcmp(line, "topic") == 0)
            judge_topic(key, value);
        else
            judge_group(strcmp(line, "loose") == 0 ? &loose_layers : &layers, key, value);
    }
    config_layers_deinit(&layers);
    config_layers_deinit(&loose_layers);
    return ferror(stdin) ? 1 : 0;
}
