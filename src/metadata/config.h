// SPDX-License-Identifier: Apache-2.0
/*
 * config: the configuration keys of brokers and topics, and what a value for
 * one of them may be. The keys are facts in schema/configs.table and
 * schema/topic-configs.table; values are read as Kafka reads them (blanks
 * around them do not count, "TRUE" is true, "+5" is 5).
 *
 * Does not know where a value comes from (config_set) nor which of several is
 * in force (config_topic).
 *
 * Thread: any; constant.
 */
#ifndef METADATA_CONFIG_H
#define METADATA_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "metadata/config_keys.h"

/* The numbers are those of DescribeConfigs. */
enum config_type {
    CONFIG_BOOLEAN = 1,
    CONFIG_STRING = 2,
    CONFIG_INT = 3,
    CONFIG_SHORT = 4,
    CONFIG_LONG = 5,
    CONFIG_DOUBLE = 6,
    CONFIG_LIST = 7,
    CONFIG_CLASS = 8,
    CONFIG_PASSWORD = 9,
};

enum config_status {
    CONFIG_WORKS,    /* honoured */
    CONFIG_LATER,    /* accepted with a warning */
    CONFIG_IGNORED,  /* accepted with a note */
    CONFIG_SECURITY, /* stops the start unless it is the default */
};

enum config_update {
    CONFIG_UPDATE_STATIC,
    CONFIG_UPDATE_BROKER,
    CONFIG_UPDATE_CLUSTER,
};

enum config_rule {
    CONFIG_RULE_ANY,
    CONFIG_RULE_BOUNDS,
    CONFIG_RULE_ONE,
    CONFIG_RULE_ONE_NOCASE,
    CONFIG_RULE_EACH,
    CONFIG_RULE_NONEMPTY,
    CONFIG_RULE_THROTTLED,
    CONFIG_RULE_RESET,
};

/* A broker key that stands in for a key of a topic or group; `factor` turns its unit into ours. */
struct config_synonym {
    uint16_t broker_key;
    int64_t factor;
};

struct config_def {
    const char *name;
    const char *default_text;              /* NULL: none */
    const char *doc;                       /* what it does, and how it stands if it does not work */
    const char *const *words;              /* of the rules ONE and EACH, NULL at the end */
    const struct config_synonym *synonyms; /* not of broker keys; strongest first */
    int64_t min, max, also;                /* whole numbers; `also` is allowed outside the bounds */
    double real_min, real_max;
    enum config_type type;
    enum config_status status;
    enum config_update update; /* broker keys only */
    enum config_rule rule;
    uint8_t synonym_count;
    bool is_internal;     /* not listed unless it is set */
    bool is_dynamic_only; /* Kafka has it only where it was set while running */
};

/* By enum config_broker_key and so on; also in order of their names. */
extern const struct config_def config_broker_defs[CONFIG_BROKER_COUNT];
extern const struct config_def config_topic_defs[CONFIG_TOPIC_COUNT];
extern const struct config_def config_group_defs[CONFIG_GROUP_COUNT];

/* The key of this name, or -1. `name` need not end in a NUL. */
int config_broker_find(const char *name, size_t len);
int config_topic_find(const char *name, size_t len);
int config_group_find(const char *name, size_t len);

/* The known name nearest to `name` by edit distance; NULL when nothing is near. */
const char *config_broker_nearest(const char *name);
const char *config_topic_nearest(const char *name);
const char *config_group_nearest(const char *name);

/* ERR_INVALID, always: `why` has gained a line which says that the name is not `what` ("a topic
 * config"), and what `nearest` finds. `name` is a client's: it need not end in a NUL. */
enum err config_refuse_name(const char *name, size_t len, const char *what,
                            const char *(*nearest)(const char *name), struct strbuf *why) MUST_USE;

/* ERR_INVALID: the value is not one for this key, and `why` has gained one line without a newline
 * that names key and value (a password is not shown). `why` may be NULL. */
enum err config_check(const struct config_def *def, const char *text, struct strbuf *why) MUST_USE;

/* The value as DescribeConfigs shows it: without blanks, numbers and booleans in their plain form,
 * lists without doubles where Kafka drops them. The value must have passed config_check. */
void config_canonical(const struct config_def *def, const char *text, struct strbuf *out);

/* One value by type. ERR_INVALID leaves *out untouched. */
enum err config_parse_bool(const char *text, bool *out) MUST_USE;
enum err config_parse_long(const char *text, int64_t *out) MUST_USE;
enum err config_parse_double(const char *text, double *out) MUST_USE;

/* A span of time that is not negative, as Java's Duration reads it: "PT1H30M". */
bool config_duration_is_valid(const char *text, size_t len);

/* Is the value, as shown, the key's default? */
bool config_is_default(const struct config_def *def, const char *text);

/* Is the value secret? */
bool config_is_sensitive(const struct config_def *def);

/* Walks a list value: each call gives the next element without blanks around it.
 * Start with *pos = 0; false: no more. An empty list has no elements, "a," has two. */
bool config_list_next(const char *text, size_t *pos, const char **item, size_t *len);

/* Does the list have this element? */
bool config_list_has(const char *text, const char *word);

/* Is a word in it more than once? */
bool config_list_has_repeat(const char *text);

#endif
