// SPDX-License-Identifier: Apache-2.0
/*
 * topic_sums: what the partitions of each topic come to, gathered in any order of partitions
 * and told in the order of names. A page over 100,000 partitions sorts its topics and not them.
 *
 * Thread: whoever owns it.
 */
#ifndef CONSOLE_TOPIC_SUMS_H
#define CONSOLE_TOPIC_SUMS_H

#include <stddef.h>

#include "base/map.h"
#include "broker/broker_stats.h"

struct topic_sum {
    struct map_node node;
    struct partition *partition; /* any of the topic, which has its name; one reference */
    struct partition_traffic traffic;
};

struct topic_sums {
    struct map by_id;
    struct topic_sum **sorted; /* by name, after topic_sums_sort */
    size_t count;
};

void topic_sums_init(struct topic_sums *sums);
void topic_sums_deinit(struct topic_sums *sums);

void topic_sums_add(struct topic_sums *sums, struct partition *p,
                    const struct partition_traffic *traffic);

/* Once, when all are added. */
void topic_sums_sort(struct topic_sums *sums);

#endif
