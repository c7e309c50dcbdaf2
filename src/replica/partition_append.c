// SPDX-License-Identifier: Apache-2.0
/* partition_append: a batch gets its offset, and its producer a place to wait. Nothing here
 * touches the disk. Thread: any. */
#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "replica/partition_private.h"

static enum kerr kerr_of_verdict(enum producer_verdict verdict)
{
    switch (verdict) {
    case PRODUCER_NEW:
    case PRODUCER_REPEAT:
        return KERR_NONE;
    case PRODUCER_OUT_OF_ORDER:
        return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case PRODUCER_FENCED:
        return KERR_INVALID_PRODUCER_EPOCH;
    }
    ASSERT(false);
    return KERR_UNKNOWN_SERVER_ERROR;
}

/* Keeps the list in order of wait_offset; new appends come at the end, only a repeat goes further
 * up. */
static void wait_insert(struct list *waiting, struct partition_append *append)
{
    ASSERT(!list_is_linked(&append->wait_link));
    struct list *at = waiting;
    while (at->prev != waiting &&
           container_of(at->prev, struct partition_append, wait_link)->wait_offset >
               append->wait_offset)
        at = at->prev;
    list_insert_before(at, &append->wait_link);
}

/* The original may be on its way to disk: the repeat is answered when that is committed, else a
 * crash could lose what the producer now believes to be kept. */
static void append_repeat(struct partition *p, struct partition_append *append,
                          const struct producer_check *check)
{
    ASSERT(check->verdict == PRODUCER_REPEAT);
    ASSERT(check->first_offset >= 0 && check->last_offset >= check->first_offset);
    append->is_repeat = true;
    append->base_offset = check->first_offset;
    append->wait_offset = CANARY(EARLY_REPEAT) ? 0 : check->last_offset + 1;
    wait_insert(&p->wait_committed, append);
}

/* Small, and only for the page cache: cheaper on the reactor than on a worker. */
static struct loop *brisk_loop(const struct partition *p, const struct partition_append *append)
{
    bool is_brisk = !partition_log_config(p->log)->ack_disk &&
                    append->log.bytes.len <= LIMIT_BRISK_APPEND_BYTES;
    return is_brisk ? append->loop : NULL;
}

static enum kerr append_new(struct partition *p, struct partition_append *append, int64_t now_ms)
{
    bool ack_disk = partition_log_config(p->log)->ack_disk;
    append->log.wants_sync = ack_disk && append->ack == PARTITION_ACK_COMMITTED;
    int64_t end = partition_log_assigned(p->log);
    enum err e = partition_log_assign(p->log, &append->log, p->leader_epoch, now_ms);
    if (e != ERR_OK)
        return kerr_from_err(e);
    ASSERT(append->log.first_offset == end);
    ASSERT(append->log.last_offset >= end);
    refused_batches_drop(&p->refused, &append->log.header);
    p->pending_syncs += append->log.wants_sync;
    append->base_offset = append->log.first_offset;
    append->wait_offset = append->log.last_offset + 1;
    wait_insert(append->ack == PARTITION_ACK_COMMITTED ? &p->wait_committed : &p->wait_written,
                append);
    return KERR_NONE;
}

/* Not by the calendar, which may jump. */
static int64_t now_ms(const struct partition *p)
{
    return env_mono_ns(p->env) / 1000000;
}

/* What is left of a nearly full disk is for what gives it room again, and for groups. */
static enum kerr refuse_for_room(struct partition *p, struct partition_append *append,
                                 bool is_unknown)
{
    const struct batch_header *batch = &append->log.header;
    if (!refused_batches_is_empty(&p->refused) &&
        !refused_batches_allow(&p->refused, batch, is_unknown, now_ms(p)))
        return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    append->found_low = append->spares_reserve && disk_room_is_low(log_dir_room(p->dir));
    if (!append->found_low && p->leader_epoch >= p->append_epoch_min)
        return KERR_NONE;
    refused_batches_note(&p->refused, batch, now_ms(p));
    return KERR_KAFKA_STORAGE_ERROR;
}

void partition_append(struct partition *p, struct partition_append *append, int64_t now_wall_ms)
{
    ASSERT(append->done != NULL);
    ASSERT(append->log.bytes.len > 0);
    struct partition_fire fire;
    partition_fire_init(&fire);
    bool submit = false;
    bool is_news = false;
    struct loop *brisk_on = NULL;
    append->is_repeat = false;
    append->found_low = false;
    append->base_offset = -1;
    append->log_start_offset = -1;

    monitor_enter(&p->monitor);
    enum kerr error = partition_refusal(p);
    struct producer_check check = {.verdict = PRODUCER_NEW};
    if (error == KERR_NONE) {
        check = partition_log_check_producer(p->log, &append->log.header, now_wall_ms);
        error = kerr_of_verdict(check.verdict);
    }
    if (error == KERR_NONE && check.verdict == PRODUCER_NEW)
        error = refuse_for_room(p, append, check.is_unknown);
    if (error == KERR_NONE) {
        if (check.verdict == PRODUCER_REPEAT)
            append_repeat(p, append, &check);
        else
            error = append_new(p, append, now_wall_ms);
    }
    if (error != KERR_NONE) {
        append->result = error;
        list_push_back(&fire.done, &append->wait_link);
    } else if (check.verdict == PRODUCER_REPEAT) {
        partition_collect(p, &fire); /* the original may be committed long since */
    } else {
        brisk_on = brisk_loop(p, append);
        submit = partition_job_claim(p);
        is_news = partition_touch(p);
    }
    partition_leave_and_fire(p, &fire);
    if (is_news)
        partition_tell_touched(p);
    if (submit)
        partition_job_submit(p, brisk_on);
}
