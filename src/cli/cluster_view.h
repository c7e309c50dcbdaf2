// SPDX-License-Identifier: Apache-2.0
/*
 * cluster_view: the cluster as one broker describes it, and those of its brokers that a command
 * is about.
 *
 * Thread: main.
 */
#ifndef CLI_CLUSTER_VIEW_H
#define CLI_CLUSTER_VIEW_H

#include "cli/admin.h"
#include "cli/options.h"
#include "wire/api_versions.h"
#include "wire/describe_cluster.h"

struct cluster_view {
    struct client_result result;
    const struct describe_cluster_response *cluster; /* NULL: not asked yet */
    const struct describe_cluster_response_describe_cluster_broker **brokers; /* by number */
    int32_t count;
};

/* CLI_GO_ON, or the exit status after it has been said that a word is no broker's number. */
int cluster_words_check(const char *command, const struct cli_words *words);

/* All brokers when there are no words. Those can be asked afterwards. False: it has been said why;
 * cluster_view_deinit also then. */
bool cluster_view_ask(struct admin *a, const struct cli_words *words, struct cluster_view *out);
void cluster_view_deinit(struct cluster_view *view);

/* What a broker speaks. False: it has been said why. */
bool cluster_ask_versions(struct admin *a, int32_t node, struct client_result *out);

#endif
