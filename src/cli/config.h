// SPDX-License-Identifier: Apache-2.0
/*
 * config: the commands of `klamm config`. Each gets the words behind its name.
 *
 * Thread: main.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/cli.h"

cli_command_fn cli_config_describe;
cli_command_fn cli_config_set;
cli_command_fn cli_config_unset;

#endif
