// SPDX-License-Identifier: Apache-2.0
/* broker_logger: see broker_logger.h. Thread: any. */
#include "broker/broker_logger.h"

#include <string.h>

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

const char *broker_logger_level(const struct broker *broker)
{
    int level = atomic_load(&env_logger(broker->env)->level);
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
        if ((int)levels[i].level == level)
            return levels[i].name;
    }
    return levels[0].name;
}

/* One change, looked at and not made: *level is what it would be. */
static enum kerr judge(const struct incremental_alter_configs_request_alterable_config *config,
                       int *level, const char **message)
{
    if (config->config_operation != OP_SET && config->config_operation != OP_DELETE) {
        *message = "a log level can only be set";
        return KERR_INVALID_REQUEST;
    }
    if (!wire_str_is(config->name, BROKER_LOGGER_NAME)) {
        *message = "there is no logger but " BROKER_LOGGER_NAME;
        return KERR_INVALID_CONFIG;
    }
    if (config->config_operation == OP_DELETE) {
        *message = "the level of " BROKER_LOGGER_NAME " can be changed, not taken away";
        return KERR_INVALID_REQUEST;
    }
    if (config->value.len < 0) {
        *message = "a level without a value";
        return KERR_INVALID_REQUEST;
    }
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
        if (wire_str_is(config->value, levels[i].name)) {
            *level = (int)levels[i].level;
            return KERR_NONE;
        }
    }
    *message = "the levels are ERROR, WARN, INFO and DEBUG (FATAL is ERROR, TRACE is DEBUG)";
    return KERR_INVALID_CONFIG;
}

enum kerr
broker_logger_alter(struct broker *broker,
                    const struct incremental_alter_configs_request_alter_configs_resource *r,
                    bool validate_only, const char **message)
{
    int level = atomic_load(&env_logger(broker->env)->level);
    if (!broker_logger_is_ours(broker, r->resource_name)) {
        *message = "a logger is named by the number of this broker";
        return KERR_INVALID_REQUEST;
    }
    if (r->configs.count > 1) {
        *message = "a config is in the request more than once";
        return KERR_INVALID_REQUEST;
    }
    for (int32_t i = 0; i < r->configs.count; i++) {
        enum kerr error = judge(&r->configs.items[i], &level, message);
        if (error != KERR_NONE)
            return error;
    }
    if (!validate_only)
        atomic_store(&env_logger(broker->env)->level, level);
    return KERR_NONE;
}
