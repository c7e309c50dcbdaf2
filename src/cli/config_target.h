// SPDX-License-Identifier: Apache-2.0
/*
 * config_target: what configs belong to: a topic, a broker, all brokers, a group, subscriptions of
 * client metrics, the loggers of a broker; and which broker has to be asked about it.
 *
 * Thread: main.
 */
#ifndef CLI_CONFIG_TARGET_H
#define CLI_CONFIG_TARGET_H

#include "cli/admin.h"
#include "cli/options.h"
#include "wire/describe_configs.h"

struct config_kind {
    const char *word;      /* "topic" */
    const char *name_word; /* "the name of a topic"; NULL: it has no name */
    int8_t type;           /* Kafka's number of the resource's type */
    bool is_node;          /* its name is the number of a broker, which has to be asked itself */
};

struct config_target {
    const struct config_kind *kind;
    const char *name; /* "" for all brokers; borrowed */
    int32_t node;     /* whom to ask; CLIENT_ANY_NODE: anybody */
};

/* For the help of the commands. */
#define CONFIG_HELP_RESOURCES                                                                      \
    "  topic NAME                  a topic\n"                                                      \
    "  broker ID                   one broker\n"                                                   \
    "  brokers                     all brokers: the cluster's default\n"                           \
    "  group NAME                  a group\n"                                                      \
    "  client-metrics NAME         a subscription of client metrics\n"                             \
    "  logger ID                   the loggers of a broker, until it ends\n"

/* Of the first word. NULL: there is none of that name; it has been said. */
const struct config_kind *config_kind_of(const char *command, const struct cli_words *words);

/* CLI_GO_ON, or the exit status after it has been said that `name` cannot be one. */
int config_target_init(const char *command, const struct config_kind *kind, const char *name,
                       struct config_target *out);

/* "topic t", "brokers", for people: control bytes are shown as '?'. */
void config_target_text(struct strbuf *out, const struct config_target *target);

/* Makes the brokers known that have to be asked themselves. False: it has been said why. */
bool config_targets_reach(struct admin *a, const struct config_target *targets, int count);

/* All of one target's configs, with their synonyms and documentation. False: not answered, or
 * refused, and it has been said why. */
bool config_ask(struct admin *a, const struct config_target *target, struct client_result *out);

/* Of an answer of config_ask. */
const struct describe_configs_response_describe_configs_result *
config_rows(const struct client_result *result);

/* "topic "t": NAME: what the broker said"; CLI_FAILED. */
int config_complain(struct admin *a, const struct config_target *target, int16_t error_code,
                    struct wire_str message);

/* What is known of keys of this kind, set or not: as config_ask, but of all brokers together one is
 * asked that answers. False: nobody tells; a->why says why, unless it has been said already. Of
 * other kinds it may be a refusal that was answered. */
bool config_ask_known(struct admin *a, const struct config_target *target,
                      struct client_result *out);

/* NULL: it is not in the answer. */
const struct describe_configs_response_describe_configs_resource_result *
config_find(const struct client_result *result, const char *key, size_t len);

enum config_knowledge { CONFIG_KEY_KNOWN, CONFIG_KEY_UNKNOWN, CONFIG_KEY_UNTOLD };

/* UNKNOWN: the resource has no such key, and the known one that is nearest, if any is near, has
 * been appended to `nearest`. KNOWN also when the broker refuses to tell of this resource: it will
 * refuse to change it, and say why. UNTOLD: as config_ask_known. */
enum config_knowledge config_key_look_up(struct admin *a, const struct config_target *target,
                                         const char *key, struct strbuf *nearest);

/* After UNTOLD: "KEY: whether it is known nobody tells: why"; CLI_FAILED. */
int config_complain_untold(struct admin *a, const char *key);

/* "topic t has no config "x"; the nearest known key is y"; CLI_FAILED. `nearest` may be empty. */
int config_complain_key(const struct config_target *target, const char *key,
                        const struct strbuf *nearest);

#endif
