// SPDX-License-Identifier: Apache-2.0
/* broker_logger: see broker_logger.h. Thread: any. */
#include "broker/broker_logger.h"

#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "broker/broker_private.h"
#include "env/logger.h"
#include "metadata/config_dynamic.h"
#include "wire/incremental_alter_configs.h"

enum { OP_SET = 0, OP_DELETE = 1 };

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    {"ERROR", LOG_ERROR}, {"WARN", LOG_WARN},   {"INFO", LOG_INFO},
    {"DEBUG", LOG_DEBUG}, {"FATAL", LOG_ERROR}, {"TRACE", LOG_DEBUG},
};

bool broker_logger_is_ours(const struct broker *broker, struct wire_str resource_name)
{
    char self[CONFIG_BROKER_NAME_SIZE];
    return wire_str_is(resource_name, config_broker_name(broker->node_id, self));
}

const char *broker_logger_level(const struct broker *broker, enum log_area area)
{
    int level = logger_level(env_logger(broker->env), area);
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
        if ((int)levels[i].level == level)
            return levels[i].name;
    }
    return levels[0].name;
}

/* What shall become of each logger. */
struct logger_plan {
    struct {
        bool is_changed;
        bool follows_root;
        enum log_level level;
    } areas[LOG_AREA_COUNT];
};

int broker_logger_find(const char *name, size_t len)
{
    for (int i = 0; i < LOG_AREA_COUNT; i++) {
        const char *known = log_area_name((enum log_area)i);
        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return i;
    }
    return -1;
}

static bool find_level(struct wire_str name, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
        if (wire_str_is(name, levels[i].name)) {
            *level = levels[i].level;
            return true;
        }
    }
    return false;
}

static enum kerr plan_one(struct logger_plan *plan,
                          const struct incremental_alter_configs_request_alterable_config *config,
                          const char **message)
{
    bool is_set = config->config_operation == OP_SET;
    if (!is_set && config->config_operation != OP_DELETE) {
        *message = "a log level can only be set or deleted";
        return KERR_INVALID_REQUEST;
    }
    int number =
        config->name.len > 0 ? broker_logger_find(config->name.data, (size_t)config->name.len) : -1;
    if (number < 0) {
        *message = "there is no logger of this name; DescribeConfigs tells them all";
        return KERR_INVALID_CONFIG;
    }
    enum log_area area = (enum log_area)number;
    if (!is_set && area == LOG_AREA_ROOT) {
        *message = "the level of root can be changed, not taken away";
        return KERR_INVALID_REQUEST;
    }
    plan->areas[area].is_changed = true;
    plan->areas[area].follows_root = !is_set;
    if (is_set && !find_level(config->value, &plan->areas[area].level)) {
        *message = "the levels are ERROR, WARN, INFO and DEBUG (FATAL is ERROR, TRACE is DEBUG)";
        return KERR_INVALID_CONFIG;
    }
    return KERR_NONE;
}

/* What is wrong with the request whatever the loggers are. As in Kafka this goes first. */
static const char *
fault_of(const struct incremental_alter_configs_request_alter_configs_resource *r)
{
    if (r->configs.count > LIMIT_CONFIGS_PER_TOPIC)
        return "too many configs for one resource"; /* each is compared with all */
    for (int32_t i = 0; i < r->configs.count; i++) {
        const struct incremental_alter_configs_request_alterable_config *config =
            &r->configs.items[i];
        if (config->config_operation != OP_DELETE && wire_str_is_null(config->value))
            return "a level without a value";
        for (int32_t j = 0; j < i; j++) {
            if (wire_str_equal(config->name, r->configs.items[j].name))
                return "a config is in the request more than once";
        }
    }
    return NULL;
}

static void carry_out(struct logger *logger, const struct logger_plan *plan)
{
    for (int i = 0; i < LOG_AREA_COUNT; i++) {
        enum log_area area = (enum log_area)i;
        if (!plan->areas[i].is_changed)
            continue;
        if (plan->areas[i].follows_root)
            logger_follow_root(logger, area);
        else
            logger_set_level(logger, area, plan->areas[i].level);
    }
}

enum kerr
broker_logger_alter(struct broker *broker,
                    const struct incremental_alter_configs_request_alter_configs_resource *r,
                    bool validate_only, const char **message)
{
    struct logger_plan plan = {0};
    if (!broker_logger_is_ours(broker, r->resource_name)) {
        *message = "a logger is named by the number of this broker";
        return KERR_INVALID_REQUEST;
    }
    *message = fault_of(r);
    if (*message != NULL)
        return KERR_INVALID_REQUEST;
    for (int32_t i = 0; i < r->configs.count; i++) {
        enum kerr error = plan_one(&plan, &r->configs.items[i], message);
        if (error != KERR_NONE)
            return error;
    }
    if (!validate_only)
        carry_out(env_logger(broker->env), &plan);
    return KERR_NONE;
}
