// SPDX-License-Identifier: Apache-2.0
/*
 * config_print: the configs of one resource, as text and as JSON.
 *
 * Thread: main.
 */
#ifndef CLI_CONFIG_PRINT_H
#define CLI_CONFIG_PRINT_H

#include <jansson.h>

#include "cli/config_target.h"

/* DescribeConfigs' number of the layer that built-in values come from. */
enum { CONFIG_FROM_DEFAULT = 5 };

struct config_print_options {
    bool has_layers; /* every layer that has a value */
    bool has_docs;
};

void config_print_text(
    const struct config_print_options *options, const struct config_target *target,
    const struct describe_configs_response_describe_configs_resource_result_array *rows,
    bool is_first);

json_t *config_print_json(
    const struct config_target *target,
    const struct describe_configs_response_describe_configs_resource_result_array *rows);

#endif
