// SPDX-License-Identifier: Apache-2.0
/*
 * partition_metadata: the text of a partition's partition.metadata: whose partition this is.
 *
 * Thread: any.
 */
#ifndef LOG_PARTITION_METADATA_H
#define LOG_PARTITION_METADATA_H

#include <stdbool.h>

#include "base/uuid.h"

#define LOG_PARTITION_METADATA_NAME "partition.metadata"

/* False: not "version: 0" and "topic_id: ID". The text is taken apart. */
bool log_partition_metadata_parse(char *text, struct uuid *out);

#endif
