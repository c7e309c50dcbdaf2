// SPDX-License-Identifier: Apache-2.0
/*
 * metrics: the page of /metrics in Prometheus' text format, by the rows of
 * schema/metrics.table.
 *
 * Thread: the console's loop.
 */
#ifndef CONSOLE_METRICS_H
#define CONSOLE_METRICS_H

#include "base/strbuf.h"
#include "env/env.h"

struct broker;

/* Adds the whole page; `topic`, if not NULL: of the rows that have a topic only its own. Walks all
 * partitions: the cost of a scrape. */
void metrics_write(struct env *env, struct broker *broker, const char *topic, struct strbuf *out);

#endif
