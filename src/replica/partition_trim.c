// SPDX-License-Identifier: Apache-2.0
/*
 * partition_trim: records are deleted from the front (DeleteRecords): the log start moves up.
 *
 * The good case: the job sees that all below the new start is durable (else it syncs first, or
 * a crash could leave a log that ends before it begins), puts the new start among the values
 * of the next checkpoint, and gives the trim to its owner, who writes that checkpoint; then the
 * start moves for readers, the client is answered, and housekeeping takes out what lies wholly
 * below. So what was answered, or seen by a reader, is never back after a crash.
 *
 * Thread: any; functions marked [job] as in partition_private.h.
 */
#include "base/assert.h"
#include "base/canary.h"
#include "replica/partition_private.h"

/* [monitor] Sets trim->offset. */
static enum kerr judge(const struct partition *p, struct partition_trim *trim)
{
    enum kerr error = partition_refusal(p);
    if (error != KERR_NONE)
        return error;
    if (p->config.cleanup_compact && !p->config.cleanup_delete)
        return KERR_POLICY_VIOLATION;
    if (trim->offset == PARTITION_TRIM_ALL)
        trim->offset = p->high_watermark.offset;
    if (trim->offset < 0 || trim->offset > p->high_watermark.offset)
        return KERR_OFFSET_OUT_OF_RANGE;
    return KERR_NONE;
}

void partition_trim(struct partition *p, struct partition_trim *trim)
{
    ASSERT(trim->done != NULL);
    bool submit = false;
    monitor_enter(&p->monitor);
    trim->partition = p;
    trim->result = judge(p, trim);
    trim->log_start = trim->result == KERR_NONE ? partition_log_start_offset(p->log) : -1;
    bool waits = trim->result == KERR_NONE && trim->offset > trim->log_start;
    if (waits) {
        list_push_back(&p->trims, &trim->link);
        submit = partition_job_claim(p);
    }
    monitor_leave(&p->monitor);
    if (submit)
        partition_job_submit(p, NULL);
    if (!waits)
        trim->done(trim);
}

bool partition_trims_want_sync(const struct partition *p)
{
    int64_t durable = partition_log_durable(p->log).offset;
    LIST_FOR_EACH (node, &p->trims) {
        if (container_of(node, struct partition_trim, link)->offset > durable)
            return true;
    }
    return false;
}

bool partition_trims_are_ready(const struct partition *p)
{
    return !list_is_empty(&p->trims) && !partition_trims_want_sync(p);
}

void partition_trims_save(struct partition *p)
{
    struct list ready;
    list_init(&ready);
    monitor_enter(&p->monitor);
    ASSERT(p->is_job_busy);
    list_splice_back(&ready, &p->trims);
    LIST_FOR_EACH (node, &ready) {
        struct partition_trim *trim = container_of(node, struct partition_trim, link);
        ASSERT(trim->offset <= partition_log_durable(p->log).offset);
        p->saving_start = MAX(p->saving_start, trim->offset);
    }
    monitor_leave(&p->monitor);
    partition_save_checkpoint(p);
    for (struct list *node; (node = list_pop_front(&ready)) != NULL;) {
        struct partition_trim *trim = container_of(node, struct partition_trim, link);
        if (CANARY(EARLY_TRIM))
            partition_start_saved(trim, ERR_OK);
        else
            p->owner.save_start(p->owner.arg, trim);
    }
}

void partition_trims_fail(struct partition *p, struct partition_fire *fire, enum kerr error)
{
    monitor_assert_held(&p->monitor);
    ASSERT(error != KERR_NONE);
    LIST_FOR_EACH (node, &p->trims)
        container_of(node, struct partition_trim, link)->result = error;
    list_splice_back(&fire->trims, &p->trims);
}

void partition_start_saved(struct partition_trim *trim, enum err e)
{
    struct partition *p = trim->partition;
    bool submit = false;
    monitor_enter(&p->monitor);
    trim->result = e == ERR_OK ? partition_refusal(p) : KERR_KAFKA_STORAGE_ERROR;
    if (trim->result == KERR_NONE) {
        ASSERT(trim->offset <= p->high_watermark.offset);
        partition_log_raise_start(p->log, trim->offset);
        trim->log_start = partition_log_start_offset(p->log);
        p->wants_housekeeping = true;
        submit = partition_job_claim(p);
    } else {
        trim->log_start = -1;
    }
    partition_check(p);
    monitor_leave(&p->monitor);
    if (submit)
        partition_job_submit(p, NULL);
    trim->done(trim);
}
