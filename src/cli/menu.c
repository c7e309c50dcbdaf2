// SPDX-License-Identifier: Apache-2.0
/* menu: finds the command behind a command. See cli.h. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "cli/cli.h"

static void print_help(const struct cli_menu *menu, FILE *out)
{
    int width = 10;
    for (size_t i = 0; i < menu->count; i++)
        width = MAX(width, (int)strlen(menu->commands[i].name));
    fprintf(out, "usage: klamm %s COMMAND ...\n\n", menu->name);
    for (size_t i = 0; i < menu->count; i++)
        fprintf(out, "  %-*s %s\n", width, menu->commands[i].name, menu->commands[i].summary);
    fprintf(out, "\n  klamm %s COMMAND --help   what a command takes\n", menu->name);
}

int cli_menu_run(const struct cli_menu *menu, int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : NULL;
    if (name == NULL) {
        print_help(menu, stderr);
        return CLI_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(menu, stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < menu->count; i++) {
        if (strcmp(name, menu->commands[i].name) == 0)
            return menu->commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "klamm: %s has no command \"%.100s\"; see klamm %s --help\n", menu->name, name,
            menu->name);
    return CLI_USAGE;
}
