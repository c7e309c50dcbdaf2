// SPDX-License-Identifier: Apache-2.0
/* descriptors: see descriptors.h. Thread: any. */
#include "broker/descriptors.h"

#include "base/assert.h"
#include "base/macros.h"

enum { FILES_PART = 4, FETCH_PART = 4, RESERVE_PART = 4, RESERVE_MAX = 192 };

static struct descriptors shares_of(int64_t files, int64_t connections)
{
    ASSERT(files > 0 && connections > 0);
    return (struct descriptors){
        .files = (uint32_t)MIN(files, (int64_t)UINT32_MAX),
        .connections = (uint32_t)MIN(connections, (int64_t)UINT32_MAX),
        .fetch_files =
            (uint32_t)MIN(MAX(files / FETCH_PART, 1), (int64_t)DESCRIPTORS_FETCH_FILES_MAX),
    };
}

struct descriptors descriptors_share(int64_t process_max, int64_t files_wanted)
{
    ASSERT(process_max >= 0 && files_wanted >= 0);
    if (process_max == 0)
        return shares_of(files_wanted > 0 ? files_wanted : DESCRIPTORS_FILES_UNKNOWN, UINT32_MAX);
    int64_t reserve = MIN(process_max / RESERVE_PART, (int64_t)RESERVE_MAX);
    int64_t files = files_wanted;
    if (files == 0)
        files = MIN(process_max / FILES_PART, (int64_t)DESCRIPTORS_FILES_MAX);
    files = MIN(files, process_max - 2 * reserve);
    files = MAX(files, (int64_t)DESCRIPTORS_FILES_MIN);
    return shares_of(files, MAX(process_max - reserve - files, MAX(reserve, (int64_t)1)));
}
