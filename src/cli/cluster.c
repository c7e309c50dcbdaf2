// SPDX-License-Identifier: Apache-2.0
/* cluster: finds the command behind `klamm cluster`. Thread: main. */
#include "cli/cluster.h"

#include "base/macros.h"

static const struct cli_command commands[] = {
    {"describe", "show the cluster's id, controller, brokers and features", cli_cluster_describe},
    {"apis", "list the requests that brokers take, with their versions", cli_cluster_apis},
    {"logdirs", "show log directories with the sizes of partitions", cli_cluster_logdirs},
};

int cli_cluster(int argc, char **argv)
{
    static const struct cli_menu menu = {"cluster", commands, ARRAY_COUNT(commands)};
    return cli_menu_run(&menu, argc, argv);
}
