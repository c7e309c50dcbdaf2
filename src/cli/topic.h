// SPDX-License-Identifier: Apache-2.0
/*
 * topic: the commands of `klamm topic`. Each gets the words behind its name.
 *
 * Thread: main.
 */
#ifndef CLI_TOPIC_H
#define CLI_TOPIC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

cli_command_fn cli_topic_create;
cli_command_fn cli_topic_list;
cli_command_fn cli_topic_describe;
cli_command_fn cli_topic_alter;
cli_command_fn cli_topic_delete;
cli_command_fn cli_topic_offsets;
cli_command_fn cli_topic_delete_records;
cli_command_fn cli_topic_move_log;
cli_command_fn cli_topic_why;

/* Errors that are shown one by one; the others are counted. */
enum { TOPIC_ERRORS_SHOWN_MAX = 20 };

struct admin;
struct admin_portions;

/* Makes the calls of a command that changes topics; then says how many more than were shown one by
 * one have failed, and prints the array (where is_json) that the calls have filled; it is freed.
 * False: not all was answered or printed. */
bool topic_call_portions(struct admin *admin, const struct admin_portions *portions,
                         const int64_t *failed, json_t *array, bool is_json);

#endif
