// SPDX-License-Identifier: Apache-2.0
/*
 * group: the commands behind `klamm group`.
 *
 * Thread: main.
 */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include "cli/cli.h"

cli_command_fn cli_group_list;
cli_command_fn cli_group_describe;
cli_command_fn cli_group_why;
cli_command_fn cli_group_delete;
cli_command_fn cli_group_reset;
cli_command_fn cli_group_offsets_delete;

#endif
