// SPDX-License-Identifier: Apache-2.0
/* log_fault: what failed last in a log, and where, for whoever asks why. Nothing is kept until
 * something fails. Thread: marked at each function in partition_log.h. */
#include "base/assert.h"
#include "base/mem.h"
#include "log/partition_log_private.h"

void log_fault_note(struct partition_log *log, enum log_step step, enum err e,
                    const struct log_position *at)
{
    ASSERT(e != ERR_OK);
    if (log->fault == NULL)
        log->fault = mem_alloc(sizeof(*log->fault));
    *log->fault = (struct log_fault){.step = step, .error = e, .at = *at};
}

enum err log_fault_note_sync(struct partition_log *log, enum err e)
{
    struct log_position at = {.offset = log->active_tail.next_offset,
                              .segment_base = log->active->base_offset,
                              .pos = log->active_tail.size};
    if (e == ERR_OK)
        return e;
    if (!list_is_empty(&log->unsynced)) { /* one that was synced is not there any more */
        const struct segment *seg = container_of(log->unsynced.next, struct segment, unsynced_link);
        at = (struct log_position){.offset = -1, .segment_base = seg->base_offset, .pos = -1};
    }
    log_fault_note(log, LOG_STEP_SYNC, e, &at);
    return e;
}

bool partition_log_take_fault(struct partition_log *log, struct log_fault *out)
{
    if (log->fault == NULL)
        return false;
    *out = *log->fault;
    mem_free(log->fault);
    log->fault = NULL;
    return true;
}
