// SPDX-License-Identifier: Apache-2.0
/* cli: finds the command. Thread: main. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "broker/broker.h"
#include "cli/options.h"

static const struct cli_command commands[] = {
    {"serve", "run a broker", cli_serve},
    {"topic", "create, list, describe, alter and delete topics; their offsets", cli_topic},
    {"config", "show and change configs of topics, brokers, groups and others", cli_config},
    {"cluster", "show brokers, what they speak, and their log directories", cli_cluster},
    {"group", "list, describe, explain, delete and reset consumer groups", cli_group},
    {"log", "print and check files of a log", cli_log},
    {"produce", "send lines to a topic", cli_produce},
    {"consume", "read records of a topic", cli_consume},
};

static void print_help(FILE *out)
{
    fprintf(out, "klamm %s: a Kafka broker in one small binary\n\nusage: klamm COMMAND ...\n\n",
            KLAMM_VERSION);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out,
            "\n  klamm COMMAND --help   what a command takes\n"
            "  klamm --version        the version of this binary\n\n"
            "With --json what a command shows is one JSON document on standard output, of "
            "produce and\nconsume one for each record, of log dump for each batch or entry. What "
            "went wrong is a line\non standard error, with it and without it. Exit status: 0 fine, "
            "1 something failed, 2\ncalled wrongly.\n");
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(argc > 1 ? stdout : stderr);
        return argc > 1 ? CLI_OK : CLI_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("klamm %s\n", KLAMM_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    }
    fprintf(stderr, "klamm: no command \"%s\"; see klamm --help\n", name);
    return CLI_USAGE;
}

/* What is printed is buffered: that a disk is full may be known at the end alone. A reader that
 * went away, as of `klamm topic list | head -1`, needs no line. */
int cli_main(int argc, char **argv)
{
    bool is_serve = argc > 1 && strcmp(argv[1], "serve") == 0;
    int status = run(argc, argv);
    if (is_serve || !cli_output_is_lost())
        return status;
    if (errno != EPIPE)
        cli_complain_output("");
    return status == CLI_OK ? CLI_FAILED : status;
}
