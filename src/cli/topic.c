// SPDX-License-Identifier: Apache-2.0
/* topic: finds the command behind `klamm topic`. Thread: main. */
#include "cli/topic.h"

#include "base/macros.h"
#include "cli/admin.h"
#include "cli/json_out.h"
#include "cli/options.h"

static const struct cli_command commands[] = {
    {"create", "make topics", cli_topic_create},
    {"list", "name all topics", cli_topic_list},
    {"describe", "show partitions, offsets and configs", cli_topic_describe},
    {"alter", "give topics more partitions", cli_topic_alter},
    {"delete", "delete topics with all their records", cli_topic_delete},
    {"offsets", "find offsets: first, end, by time", cli_topic_offsets},
    {"delete-records", "delete the oldest records of partitions", cli_topic_delete_records},
    {"move-log", "move partitions to another log directory of their broker", cli_topic_move_log},
    {"why", "say why a partition is offline, full or behind", cli_topic_why},
};

bool topic_call_portions(struct admin *admin, const struct admin_portions *portions,
                         const int64_t *failed, json_t *array, bool is_json)
{
    char count[CLI_COUNT_SIZE];
    bool is_answered = admin_call_portions(admin, portions);
    if (*failed > TOPIC_ERRORS_SHOWN_MAX)
        cli_complain("%s more topics could not be %s",
                     cli_count(*failed - TOPIC_ERRORS_SHOWN_MAX, count), portions->verb);
    if (!is_json)
        json_decref(array);
    else if (json_out_print(array) != CLI_OK)
        is_answered = false;
    return is_answered;
}

int cli_topic(int argc, char **argv)
{
    static const struct cli_menu menu = {"topic", commands, ARRAY_COUNT(commands)};
    return cli_menu_run(&menu, argc, argv);
}
