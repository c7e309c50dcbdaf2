// SPDX-License-Identifier: Apache-2.0
/*
 * cluster: the commands of `klamm cluster`. Each gets the words behind its name.
 *
 * Thread: main.
 */
#ifndef CLI_CLUSTER_H
#define CLI_CLUSTER_H

#include "cli/cli.h"

cli_command_fn cli_cluster_describe;
cli_command_fn cli_cluster_apis;
cli_command_fn cli_cluster_logdirs;

#endif
