// SPDX-License-Identifier: Apache-2.0
/* group: finds the command behind `klamm group`. Thread: main. */
#include "cli/group.h"

#include "base/macros.h"

static cli_command_fn group_offsets;

static const struct cli_command commands[] = {
    {"list", "name all groups", cli_group_list},
    {"describe", "show members, offsets and lag", cli_group_describe},
    {"why", "say why a group is in the state it is in", cli_group_why},
    {"delete", "delete groups without members, with their offsets", cli_group_delete},
    {"reset", "set the offsets of a group without members", cli_group_reset},
    {"offsets", "delete offsets", group_offsets},
};

static const struct cli_command offsets_commands[] = {
    {"delete", "delete offsets that a group has committed", cli_group_offsets_delete},
};

static int group_offsets(int argc, char **argv)
{
    static const struct cli_menu menu = {"group offsets", offsets_commands,
                                         ARRAY_COUNT(offsets_commands)};
    return cli_menu_run(&menu, argc, argv);
}

int cli_group(int argc, char **argv)
{
    static const struct cli_menu menu = {"group", commands, ARRAY_COUNT(commands)};
    return cli_menu_run(&menu, argc, argv);
}
