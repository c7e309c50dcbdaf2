// SPDX-License-Identifier: Apache-2.0
/*
 * broker_logger: the broker's log as a resource of DescribeConfigs and IncrementalAlterConfigs: a
 * logger for each area of the code (env/logger.h) and "root", which those follow that have no level
 * of their own. Levels may be changed until the process ends; nothing is kept. Kafka's levels
 * beyond ours are taken for the nearest: FATAL for ERROR, TRACE for DEBUG.
 *
 * Thread: any.
 */
#ifndef BROKER_BROKER_LOGGER_H
#define BROKER_BROKER_LOGGER_H

#include <stdbool.h>

#include "env/logger.h"
#include "wire/kerr.h"
#include "wire/message.h"

struct broker;
struct incremental_alter_configs_request_alter_configs_resource;

enum { BROKER_LOGGER_SOURCE = 6 }; /* DescribeConfigs' number */

/* Is this the resource's name for the broker's loggers: its node id? */
bool broker_logger_is_ours(const struct broker *broker, struct wire_str resource_name);

/* A logger's number, an enum log_area; -1: there is none of this name. */
int broker_logger_find(const char *name, size_t len);

/* What is in force: "INFO". */
const char *broker_logger_level(const struct broker *broker, enum log_area area);

/* All that the resource asks for, or nothing; *message (static) says why not. */
enum kerr
broker_logger_alter(struct broker *broker,
                    const struct incremental_alter_configs_request_alter_configs_resource *r,
                    bool validate_only, const char **message);

#endif
