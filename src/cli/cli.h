// SPDX-License-Identifier: Apache-2.0
/*
 * cli: the command line. One function per command; each gets the words behind its name and
 * returns the process's exit status: 0 fine, 1 it failed, 2 it was called wrongly.
 *
 * Thread: main.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef int cli_command_fn(int argc, char **argv);

struct cli_command {
    const char *name;
    const char *summary;
    cli_command_fn *run;
};

/* Commands behind a command: `klamm topic` has create, list ... */
struct cli_menu {
    const char *name; /* "topic" */
    const struct cli_command *commands;
    size_t count;
};

/* Runs the one that argv[0] names, or prints what there is. */
int cli_menu_run(const struct cli_menu *menu, int argc, char **argv);

/* Runs the command that argv[1] names. */
int cli_main(int argc, char **argv);

cli_command_fn cli_serve;
cli_command_fn cli_topic;
cli_command_fn cli_config;
cli_command_fn cli_cluster;
cli_command_fn cli_group;
cli_command_fn cli_log;
cli_command_fn cli_produce;
cli_command_fn cli_consume;

#endif
