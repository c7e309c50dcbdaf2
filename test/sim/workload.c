// SPDX-License-Identifier: Apache-2.0
/* workload: the list of them. Thread: any. */
#include <string.h>

#include "world.h"

static const struct workload *const workloads[] = {
    &workload_produce_consume, &workload_idempotent, &workload_admin,
    &workload_mixed,           &workload_groups,     &workload_trim,
    &workload_retain,          &workload_compact,    &workload_move,
    &workload_again,
};

const struct workload *workload_at(size_t index)
{
    return index < ARRAY_COUNT(workloads) ? workloads[index] : NULL;
}

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(workloads); i++) {
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    }
    return NULL;
}
