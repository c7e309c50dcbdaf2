// SPDX-License-Identifier: Apache-2.0
/* check_log: a partition is what its segments say; see check_log.c. Thread: one. */
#ifndef TEST_SIM_CHECK_LOG_H
#define TEST_SIM_CHECK_LOG_H

#include "env/sim_disk.h"
#include "history.h"

struct broker;

/* Of all partitions of this broker that nobody is just writing to. */
void check_log_all(struct history *h, struct sim_disk *disk, struct broker *broker);

#endif
