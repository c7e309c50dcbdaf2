// SPDX-License-Identifier: Apache-2.0
/*
 * topic: the commands of `klamm topic`. Each gets the words behind its name.
 *
 * Thread: main.
 */
#ifndef CLI_TOPIC_H
#define CLI_TOPIC_H

#include "cli/cli.h"

cli_command_fn cli_topic_create;
cli_command_fn cli_topic_list;
cli_command_fn cli_topic_describe;
cli_command_fn cli_topic_alter;
cli_command_fn cli_topic_delete;
cli_command_fn cli_topic_offsets;
cli_command_fn cli_topic_delete_records;

/* Errors that are shown one by one; the others are counted. */
enum { TOPIC_ERRORS_SHOWN_MAX = 20 };

#endif
