// SPDX-License-Identifier: Apache-2.0
/* topic: finds the command behind `klamm topic`. Thread: main. */
#include "cli/topic.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

static const struct cli_command commands[] = {
    {"create", "make topics", cli_topic_create},
    {"list", "name all topics", cli_topic_list},
    {"describe", "show partitions, offsets and configs", cli_topic_describe},
    {"delete", "delete topics with all their records", cli_topic_delete},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: klamm topic COMMAND ...\n\n");
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n  klamm topic COMMAND --help   what a command takes\n");
}

int cli_topic(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : NULL;
    if (name == NULL) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "klamm: topic has no command \"%.100s\"; see klamm topic --help\n", name);
    return CLI_USAGE;
}
