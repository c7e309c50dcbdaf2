// SPDX-License-Identifier: Apache-2.0
/*
 * partition_job: what a partition does on disk workers, one step at a time and one worker
 * at a time: commit what is pending, keep house, close.
 *
 * A commit: take all that is pending; write it; `written` moves, who waited for that is
 * answered; sync it where the topic wants that; `durable` and the high watermark move,
 * the others are answered. What came in meanwhile is the next commit. Where the log directory has a
 * journal, that makes small commits durable: partition_journal.c.
 *
 * Clients that wait for their acks send again soon after them, all at once: without a pause two
 * halves of them would take turns, each waiting for the other's sync. So when something is
 * pending right after a commit that others waited for, the job lets newcomers in for a moment: as
 * long as they keep coming, at most until as many are here as were answered, or for the time of one
 * sync (docs/decisions/004-gathering.md).
 *
 * It can fail: the disk is full (offsets are given back, the waiting get an error, the
 * partition goes on), or anything else (the directory goes offline, nothing is tried again).
 *
 * Thread: the job's worker; is_job_busy keeps it alone.
 */
#include "base/assert.h"
#include "env/logger.h"
#include "replica/partition_private.h"

bool partition_job_claim(struct partition *p)
{
    monitor_assert_held(&p->monitor);
    if (p->is_job_busy)
        return false;
    p->is_job_busy = true;
    p->goes_to_journal = p->journal != NULL && partition_log_config(p->log)->ack_disk;
    return true;
}

/* A step that waits for the disk comes by itself, so that it never runs on a loop. */
static void set_step(struct partition *p, enum partition_step step)
{
    p->step = step;
    p->job.will_block = step != PARTITION_STEP_NEXT;
}

void partition_job_submit(struct partition *p, struct loop *brisk_on)
{
    partition_ref(p); /* dropped when the job rests */
    set_step(p, PARTITION_STEP_NEXT);
    if (brisk_on != NULL)
        loop_submit(brisk_on, &p->job);
    else if (!p->goes_to_journal || !journal_submit(p->journal, &p->job))
        env_submit(p->env, &p->job);
}

/* ---- commit */

static void commit_release(struct log_commit *commit)
{
    for (struct list *node; (node = list_pop_front(&commit->appends)) != NULL;)
        iobuf_slice_release(&container_of(node, struct log_append, link)->bytes);
}

void partition_note_disk_full(struct partition *p, bool is_full)
{
    if (is_full && !p->is_disk_full)
        log_error(p->env, "%s-%d: no room left in %s: producers are refused until there is",
                  p->topic, p->index, log_dir_path(p->dir));
    else if (!is_full && p->is_disk_full)
        log_info(p->env, "%s-%d: takes records again", p->topic, p->index);
    p->is_disk_full = is_full;
    partition_note_full(p, is_full);
}

/* [monitor] */
static void note_refused(struct partition *p)
{
    LIST_FOR_EACH (node, &p->commit.appends) {
        const struct log_append *append = container_of(node, struct log_append, link);
        refused_batches_note(&p->refused, &append->header, env_mono_ns(p->env) / 1000000);
    }
}

/* Nothing of this commit was published. Everybody behind `written` is told. */
void partition_commit_failed(struct partition *p, enum err e)
{
    struct partition_fire fire;
    partition_fire_init(&fire);
    partition_note_failure(p, e);
    partition_note_sync_ended(p, false);
    monitor_enter(&p->monitor);
    partition_log_fail(p->log, &p->commit);
    note_refused(p);
    commit_release(&p->commit);
    p->pending_syncs = 0;
    bool is_fatal = !err_may_pass(e);
    if (is_fatal && (p->state == PARTITION_LEADING || p->state == PARTITION_CLOSING))
        partition_set_state(p, PARTITION_OFFLINE);
    /* After a failed sync nothing that waits for durability can come true any more. */
    int64_t kept = is_fatal ? p->high_watermark.offset : partition_log_assigned(p->log);
    partition_collect_failed(p, &fire, kept, KERR_KAFKA_STORAGE_ERROR);
    if (is_fatal) {
        partition_trims_fail(p, &fire, KERR_KAFKA_STORAGE_ERROR);
        partition_wake_readers(p, &fire);
    }
    partition_leave_and_fire(p, &fire);
    if (is_fatal)
        p->owner.storage_failed(p->owner.arg, p, e);
}

enum {
    GATHER_SLICE_NS = 30000,
    GATHER_NS_MAX = 1000000,
    GATHER_GROUP_MAX = 8, /* a larger group keeps both halves of its turns busy by itself */
};

/* [monitor] */
static void commit_take(struct partition *p, bool force_sync, int64_t now_ms)
{
    ASSERT(p->is_job_busy);
    log_commit_init(&p->commit);
    partition_log_take(p->log, &p->commit, force_sync, now_ms);
    p->commit_syncs = 0;
    LIST_FOR_EACH (node, &p->commit.appends)
        p->commit_syncs += container_of(node, struct log_append, link)->wants_sync;
    ASSERT(p->pending_syncs >= p->commit_syncs);
    p->pending_syncs -= p->commit_syncs;
}

static void commit_written(struct partition *p)
{
    struct partition_fire fire;
    partition_fire_init(&fire);
    monitor_enter(&p->monitor);
    int64_t before = p->high_watermark.offset;
    ASSERT(p->is_job_busy);
    partition_log_publish_written(p->log, &p->commit);
    ASSERT(list_is_empty(&p->commit.new_segments));
    commit_release(&p->commit);
    partition_move_high_watermark(p);
    partition_collect(p, &fire);
    partition_wake_followers(p, &fire);
    if (p->high_watermark.offset > before)
        partition_wake_readers(p, &fire);
    int64_t flush_due_ms = partition_log_next_due_ms(p->log);
    bool is_news = flush_due_ms != p->flush_due_ms;
    p->flush_due_ms = flush_due_ms;
    partition_leave_and_fire(p, &fire);
    if (is_news && flush_due_ms != INT64_MAX)
        p->owner.due(p->owner.arg, p, flush_due_ms);
}

bool partition_has_duty(const struct partition *p)
{
    return p->state == PARTITION_OFFLINE || !list_is_empty(&p->trims) ||
           partition_log_has_pending(p->log) || p->wants_flush || p->wants_close ||
           p->wants_housekeeping || p->swap != NULL || p->dir_switch != NULL;
}

/* `generation`: of the journal's half, 0: the segment was synced. `rests`, where it is asked: the
 * job found nothing to do and gave up its place. */
void partition_commit_durable(struct partition *p, uint64_t generation, bool *rests)
{
    struct partition_fire fire;
    partition_fire_init(&fire);
    partition_note_sync_ended(p, true);
    monitor_enter(&p->monitor);
    if (generation != 0)
        partition_log_publish_journaled(p->log, &p->commit, generation);
    else
        partition_log_publish_durable(p->log, &p->commit);
    partition_move_high_watermark(p);
    partition_check(p);
    partition_collect(p, &fire);
    partition_wake_readers(p, &fire);
    if (rests != NULL) {
        *rests = !partition_has_duty(p);
        p->is_job_busy = !*rests;
    }
    partition_leave_and_fire(p, &fire);
}

/* Into the segment and, where that can be, into the journal. */
static enum err write_and_journal(struct partition *p)
{
    p->commit.held_max = partition_journal_held_max(p);
    enum err e = partition_log_write(p->log, &p->commit);
    p->is_journaling = e == ERR_OK && p->commit.sync && partition_journal_add(p);
    if (e == ERR_OK && !p->is_journaling && p->commit.is_held)
        e = partition_log_unhold(p->log, &p->commit);
    return e;
}

/* True: the sync is the next step. */
static bool commit_write(struct partition *p)
{
    int64_t start_ns = env_mono_ns(p->env);
    enum err e = write_and_journal(p);
    int64_t end_ns = env_mono_ns(p->env);
    time_histogram_add(&p->owner.stats->append_time, end_ns - start_ns);
    disk_room_wrote(log_dir_room(p->dir), end_ns, p->commit.written_bytes, e);
    atomic_fetch_add_explicit(&p->owner.stats->written_bytes, (uint64_t)p->commit.written_bytes,
                              memory_order_relaxed);
    if (e != ERR_OK) {
        partition_note_disk_full(p, e == ERR_NO_SPACE);
        partition_commit_failed(p, e);
        return false;
    }
    partition_note_disk_full(p, false);
    if (p->commit.sync)
        partition_note_sync_begins(p);
    commit_written(p);
    return p->commit.sync;
}

static void commit_sync(struct partition *p)
{
    int64_t start_ns = env_mono_ns(p->env);
    enum err e = partition_log_sync(p->log, &p->commit);
    p->sync_ns = env_mono_ns(p->env) - start_ns;
    time_histogram_add(&p->owner.stats->sync_time, p->sync_ns);
    if (e != ERR_OK)
        partition_commit_failed(p, e == ERR_NO_SPACE ? ERR_IO : e);
    else
        partition_commit_durable(p, 0, NULL);
    bool is_small = p->commit_syncs <= GATHER_GROUP_MAX;
    p->gather_for = e == ERR_OK && is_small ? p->commit_syncs : 0;
}

/* ---- gathering */

static uint32_t count_pending(struct partition *p)
{
    monitor_enter(&p->monitor);
    uint32_t pending = p->state == PARTITION_LEADING ? p->pending_syncs : 0;
    monitor_leave(&p->monitor);
    return pending;
}

/* Nothing pending: there is nobody to make wait, the first to come is committed at once. More
 * pending than may come: the many do not wait for the few. */
static void gather(struct partition *p)
{
    uint32_t pending = count_pending(p);
    uint32_t enough = pending <= p->gather_for ? pending + p->gather_for : 0;
    int64_t left_ns = MIN(p->sync_ns, (int64_t)GATHER_NS_MAX);
    while (pending > 0 && pending < enough && left_ns > 0) {
        env_pause(p->env, GATHER_SLICE_NS);
        left_ns -= GATHER_SLICE_NS;
        uint32_t now = count_pending(p);
        if (now == pending)
            break; /* nobody came */
        pending = now;
    }
    p->gather_for = 0;
}

/* ---- housekeeping */

static void unlink_what_is_due(struct partition *p, int64_t now_ms)
{
    if (now_ms < p->retired_due_ms)
        return;
    p->retired_due_ms = partition_log_unlink_due(&p->retired, now_ms);
}

static void retire_segments(struct partition *p, int64_t now_ms)
{
    struct list retired;
    list_init(&retired);
    bool is_low = disk_room_is_low(log_dir_room(p->dir));
    monitor_enter(&p->monitor);
    uint32_t count =
        partition_log_retire(p->log, now_ms, p->high_watermark.offset, is_low, &retired);
    int64_t delay_ms = partition_log_config(p->log)->file_delete_delay_ms;
    partition_log_expire_producers(p->log, now_ms);
    /* Once only: where another segment cannot begin, the next round tries again. */
    p->is_retiring_twice = partition_log_wants_roll(p->log) && !p->is_retiring_twice;
    p->wants_housekeeping = p->wants_housekeeping || p->is_retiring_twice;
    monitor_leave(&p->monitor);
    if (count == 0)
        return;
    enum err e = partition_log_delete_segments(p->log, &retired);
    int64_t due_ms = now_ms + MIN(delay_ms, INT64_MAX - now_ms); /* a client set it */
    partition_log_retired_at(&retired, due_ms);
    list_splice_back(&p->retired, &retired);
    p->retired_due_ms = MIN(p->retired_due_ms, due_ms);
    if (e != ERR_OK) {
        partition_note_failure(p, e);
        p->owner.storage_failed(p->owner.arg, p, e);
    }
}

/* `synced`: so far its segments are, whatever else is known of it. */
static void save_checkpoint(struct partition *p, int64_t synced)
{
    monitor_enter(&p->monitor);
    struct log_dir_checkpoint values = {
        .recovery_point = MAX(partition_log_recovery_point(p->log), synced),
        .log_start = MAX(partition_log_start_offset(p->log), p->saving_start),
        .high_watermark = p->high_watermark.offset,
    };
    monitor_leave(&p->monitor);
    log_dir_checkpoint_set(p->dir, p->topic, p->index, &values);
}

void partition_save_checkpoint(struct partition *p)
{
    save_checkpoint(p, 0);
}

/* Where commits do not sync, a sealed segment is synced here: by now the kernel has written most of
 * it, and a crash scans only what lies behind it. */
static void sync_sealed(struct partition *p)
{
    struct log_position durable;
    enum err e = partition_log_sync_sealed(p->log, &durable);
    if (e != ERR_OK) {
        partition_note_failure(p, e);
        p->owner.storage_failed(p->owner.arg, p, e);
        return;
    }
    monitor_enter(&p->monitor);
    partition_log_publish_sealed(p->log, &durable);
    monitor_leave(&p->monitor);
}

/* Who brought us here forgot what else was to come. */
static void tell_due(struct partition *p, int64_t now_ms)
{
    monitor_enter(&p->monitor);
    int64_t due_ms = MIN(partition_log_next_due_ms(p->log), p->retired_due_ms);
    int64_t round_ms = partition_log_upkeep_due_ms(p->log, now_ms);
    monitor_leave(&p->monitor);
    if (due_ms != INT64_MAX)
        p->owner.due(p->owner.arg, p, due_ms);
    p->owner.round(p->owner.arg, p, round_ms);
}

/* What comes from now on is for the next round. */
static void forget_touch(struct partition *p)
{
    monitor_enter(&p->monitor);
    p->is_touched = false;
    monitor_leave(&p->monitor);
}

static void keep_house(struct partition *p)
{
    int64_t now_ms = env_wall_ms(p->env);
    forget_touch(p);
    retire_segments(p, now_ms);
    /* Readers keep what they have open; where room is needed nobody else is waited for. */
    unlink_what_is_due(p, disk_room_is_low(log_dir_room(p->dir)) ? INT64_MAX : now_ms);
    sync_sealed(p);
    partition_save_checkpoint(p);
    tell_due(p, now_ms);
    monitor_enter(&p->monitor);
    p->wants_flush = p->wants_flush || p->flush_lacks_room;
    p->flush_lacks_room = false;
    monitor_leave(&p->monitor);
}

/* ---- closing */

/* Here and not where the last reference goes, which may be on a loop. */
static void close_files(struct partition *p)
{
    struct log_segments all;
    monitor_enter(&p->monitor);
    partition_log_hold_segments(p->log, &all);
    monitor_leave(&p->monitor);
    log_segments_end(&all);
    log_segments_release(&all);
}

static void close_log(struct partition *p)
{
    monitor_enter(&p->monitor);
    bool is_clean = p->close_is_clean && p->state == PARTITION_CLOSING;
    enum err e = is_clean || !p->close_is_clean ? ERR_OK : ERR_IO; /* it failed before */
    monitor_leave(&p->monitor);
    if (is_clean) {
        int64_t recovery_point = 0;
        e = partition_log_close_clean(p->log, &recovery_point);
        if (e == ERR_OK)
            save_checkpoint(p, recovery_point);
    }
    partition_log_unlink_retired(p->env, &p->retired);
    close_files(p);
    /* Before anybody sees that it is closed: the journal alone may have some of it now. */
    bool is_lost = is_clean && e != ERR_OK && p->journal != NULL;
    if (is_lost)
        journal_keep_all(p->journal);
    struct partition_fire fire;
    partition_fire_init(&fire);
    monitor_enter(&p->monitor);
    partition_set_state(p, PARTITION_CLOSED);
    partition_collect_failed(p, &fire, -1, KERR_NOT_LEADER_OR_FOLLOWER);
    partition_trims_fail(p, &fire, KERR_NOT_LEADER_OR_FOLLOWER);
    partition_wake_readers(p, &fire);
    ASSERT(list_is_empty(&p->wait_written) && list_is_empty(&p->wait_committed));
    bool wants_flush = p->wants_flush || p->flush_lacks_room;
    p->wants_flush = false;
    p->flush_lacks_room = false;
    void (*done)(void *, enum err) = p->close_done;
    ASSERT(p->wants_close && done != NULL);
    void *arg = p->close_arg;
    p->is_job_busy = false;
    partition_leave_and_fire(p, &fire);
    if (wants_flush)
        journal_flushed(p->journal, &p->journal_client, is_lost ? -1 : INT64_MAX);
    done(arg, e);
}

/* ---- the job */

enum job_duty {
    DUTY_COMMIT,
    DUTY_TRIM,
    DUTY_FLUSH,
    DUTY_HOUSE,
    DUTY_SWAP,
    DUTY_SWITCH,
    DUTY_CLOSE,
    DUTY_NONE,
};

/* [monitor] The directory failed: what is pending will never be written. */
static void give_up_pending(struct partition *p, struct partition_fire *fire)
{
    log_commit_init(&p->commit);
    partition_log_fail(p->log, &p->commit);
    commit_release(&p->commit);
    p->pending_syncs = 0;
    partition_collect_failed(p, fire, -1, KERR_KAFKA_STORAGE_ERROR);
    partition_trims_fail(p, fire, KERR_KAFKA_STORAGE_ERROR);
}

/* With DUTY_NONE the job has given up its place: another may begin at once. */
static enum job_duty next_duty(struct partition *p)
{
    int64_t now_ms = env_wall_ms(p->env);
    enum job_duty duty = DUTY_NONE;
    struct partition_fire fire;
    partition_fire_init(&fire);
    monitor_enter(&p->monitor);
    if (p->state == PARTITION_OFFLINE)
        give_up_pending(p, &fire);
    bool wants_sync = partition_trims_want_sync(p);
    if (p->dir_switch != NULL) { /* first: under load something is always pending */
        duty = DUTY_SWITCH;
    } else if (partition_trims_are_ready(p)) {
        duty = DUTY_TRIM;
    } else if ((partition_log_has_pending(p->log) || wants_sync) && p->state != PARTITION_OFFLINE) {
        duty = DUTY_COMMIT;
        commit_take(p, wants_sync, now_ms);
    } else if (p->swap != NULL) {
        duty = DUTY_SWAP;
    } else if (p->wants_close && p->state != PARTITION_CLOSED) {
        duty = DUTY_CLOSE;
    } else if (p->wants_flush && p->state == PARTITION_LEADING) {
        duty = DUTY_FLUSH;
    } else if (p->wants_housekeeping && p->state == PARTITION_LEADING) {
        p->wants_housekeeping = false;
        duty = DUTY_HOUSE;
    } else {
        p->is_job_busy = false;
    }
    partition_leave_and_fire(p, &fire);
    return duty;
}

enum after_step { STEP_FOLLOWS, JOB_RESTS, JOB_IS_PARKED };

static enum after_step begin_commit(struct partition *p)
{
    if (!commit_write(p))
        return STEP_FOLLOWS;
    if (!p->is_journaling) {
        set_step(p, PARTITION_STEP_SYNC);
        return STEP_FOLLOWS;
    }
    p->is_journaling = false;
    return partition_journal_park(p) ? JOB_IS_PARKED : STEP_FOLLOWS;
}

/* Looks what is to be done. */
static enum after_step begin_next(struct partition *p)
{
    if (p->gather_for > 0)
        gather(p);
    switch (next_duty(p)) {
    case DUTY_COMMIT:
        if (partition_log_commit_is_brief(&p->commit))
            return begin_commit(p);
        set_step(p, PARTITION_STEP_WRITE);
        return STEP_FOLLOWS;
    case DUTY_FLUSH:
        set_step(p, PARTITION_STEP_FLUSH);
        return STEP_FOLLOWS;
    case DUTY_TRIM:
        partition_trims_save(p);
        return STEP_FOLLOWS;
    case DUTY_HOUSE:
        set_step(p, PARTITION_STEP_HOUSE);
        return STEP_FOLLOWS;
    case DUTY_SWAP:
        set_step(p, PARTITION_STEP_SWAP);
        return STEP_FOLLOWS;
    case DUTY_SWITCH:
        set_step(p, PARTITION_STEP_SWITCH);
        return STEP_FOLLOWS;
    case DUTY_CLOSE:
        set_step(p, PARTITION_STEP_CLOSE);
        return STEP_FOLLOWS;
    case DUTY_NONE:
        break;
    }
    return JOB_RESTS;
}

bool partition_job_run(struct env_job *job)
{
    struct partition *p = container_of(job, struct partition, job);
    enum partition_step step = p->step;
    enum after_step after = STEP_FOLLOWS;
    set_step(p, PARTITION_STEP_NEXT);
    switch (step) {
    case PARTITION_STEP_NEXT:
        after = begin_next(p);
        break;
    case PARTITION_STEP_WRITE:
        after = begin_commit(p);
        break;
    case PARTITION_STEP_SYNC:
        commit_sync(p);
        break;
    case PARTITION_STEP_HOUSE:
        keep_house(p);
        break;
    case PARTITION_STEP_FLUSH:
        partition_journal_flush(p);
        break;
    case PARTITION_STEP_SWAP:
        partition_swap_run(p);
        break;
    case PARTITION_STEP_SWITCH:
        partition_switch_run(p);
        break;
    case PARTITION_STEP_CLOSE:
        close_log(p);
        after = JOB_RESTS;
        break;
    }
    if (after == JOB_RESTS)
        partition_unref(p);
    return after == STEP_FOLLOWS;
}
