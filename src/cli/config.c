// SPDX-License-Identifier: Apache-2.0
/* config: finds the command behind `klamm config`. Thread: main. */
#include "cli/config.h"

#include "base/macros.h"

static const struct cli_command commands[] = {
    {"describe", "show configs and where their values come from", cli_config_describe},
    {"set", "set configs, add to lists and take from them", cli_config_set},
    {"unset", "let what lies below hold again", cli_config_unset},
};

int cli_config(int argc, char **argv)
{
    static const struct cli_menu menu = {"config", commands, ARRAY_COUNT(commands)};
    return cli_menu_run(&menu, argc, argv);
}
