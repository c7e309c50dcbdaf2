// SPDX-License-Identifier: Apache-2.0
/* topic: finds the command behind `klamm topic`. Thread: main. */
#include "cli/topic.h"

#include "base/macros.h"

static const struct cli_command commands[] = {
    {"create", "make topics", cli_topic_create},
    {"list", "name all topics", cli_topic_list},
    {"describe", "show partitions, offsets and configs", cli_topic_describe},
    {"alter", "give topics more partitions", cli_topic_alter},
    {"delete", "delete topics with all their records", cli_topic_delete},
    {"offsets", "find offsets: first, end, by time", cli_topic_offsets},
    {"delete-records", "delete the oldest records of partitions", cli_topic_delete_records},
};

int cli_topic(int argc, char **argv)
{
    static const struct cli_menu menu = {"topic", commands, ARRAY_COUNT(commands)};
    return cli_menu_run(&menu, argc, argv);
}
