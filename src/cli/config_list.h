// SPDX-License-Identifier: Apache-2.0
/*
 * config_list: all that there is of a kind, for commands that are given no name.
 *
 * Thread: main.
 */
#ifndef CLI_CONFIG_LIST_H
#define CLI_CONFIG_LIST_H

#include "cli/config_target.h"

struct config_list {
    struct arena arena; /* the names */
    struct config_target *targets;
    int count;
};

/* Topics and brokers by Metadata, groups and subscriptions of client metrics by
 * ListConfigResources: those that have configs. By name. False: it has been said why;
 * config_list_deinit also then. */
bool config_list_ask(struct admin *a, const struct config_kind *kind, struct config_list *out);
void config_list_deinit(struct config_list *list);

#endif
