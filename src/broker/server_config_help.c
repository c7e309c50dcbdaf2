// SPDX-License-Identifier: Apache-2.0
/* server_config_help: the configuration keys for `klamm serve --help`. Thread: any. */
#include <string.h>

#include "broker/server_config.h"

enum { LINE_WIDTH = 100, TEXT_INDENT = 4 };

/* Words, broken into lines. */
static void add_wrapped(struct strbuf *out, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column == 0 || column + 1 + len > LINE_WIDTH) {
            strbuf_printf(out, "%s%*s", column == 0 ? "" : "\n", TEXT_INDENT, "");
            column = TEXT_INDENT;
        } else {
            strbuf_putc(out, ' ');
            column++;
        }
        strbuf_add(out, text, len);
        column += len;
        text += len;
        text += strspn(text, " ");
    }
    strbuf_putc(out, '\n');
}

static void add_key(struct strbuf *out, const struct config_def *def)
{
    strbuf_printf(out, "  %s", def->name);
    if (def->default_text != NULL && def->default_text[0] != '\0')
        strbuf_printf(out, "=%s", def->default_text);
    strbuf_putc(out, '\n');
    add_wrapped(out, def->doc);
}

static bool is_own(const struct config_def *def)
{
    return strncmp(def->name, "klamm.", 6) == 0;
}

static void add_works(struct strbuf *out, const char *title, bool own)
{
    strbuf_printf(out, "%s\n\n", title);
    for (int i = 0; i < CONFIG_BROKER_COUNT; i++) {
        const struct config_def *def = &config_broker_defs[i];
        if (def->status == CONFIG_WORKS && is_own(def) == own)
            add_key(out, def);
    }
    strbuf_putc(out, '\n');
}

static void add_names(struct strbuf *out, const char *title, enum config_status status)
{
    struct strbuf names;
    strbuf_init(&names);
    for (int i = 0; i < CONFIG_BROKER_COUNT; i++) {
        const struct config_def *def = &config_broker_defs[i];
        if (def->status == status && !def->is_internal)
            strbuf_printf(&names, "%s%s", names.len == 0 ? "" : " ", def->name);
    }
    strbuf_printf(out, "%s\n\n", title);
    add_wrapped(out, strbuf_text(&names));
    strbuf_deinit(&names);
    strbuf_putc(out, '\n');
}

void server_config_print_help(struct strbuf *out)
{
    strbuf_puts(out, "Configuration: a Kafka server.properties, --set key=value, and environment "
                     "variables\n(KLAMM_LOG_RETENTION_MS for log.retention.ms). --set wins, then "
                     "the environment, then the file.\n\n");
    add_works(out, "Klamm's own keys, with their defaults:", true);
    add_works(out, "Kafka's keys that work, with their defaults:", false);
    add_names(out, "Accepted with a warning, not built yet:", CONFIG_LATER);
    add_names(out, "Accepted, without meaning here:", CONFIG_IGNORED);
    add_names(out,
              "Security keys that stop the start unless they have their default:", CONFIG_SECURITY);
}
