// SPDX-License-Identifier: Apache-2.0
/*
 * config_values: judges topic configs as KafkaFacts does: for each line
 * "key<TAB>value" of standard input "ok" and the value as we show it, or "bad".
 *
 * Thread: main.
 */
#include <stdio.h>
#include <string.h>

#include "metadata/config.h"

enum { LINE_BYTES_MAX = 4096 };

static void judge(const char *key, const char *value)
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
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (tab == NULL)
            return 2;
        *tab = '\0';
        judge(line, tab + 1);
    }
    return ferror(stdin) ? 1 : 0;
}
