// SPDX-License-Identifier: Apache-2.0
/*
 * partition_move: see partition_move.h.
 *
 * Going over, in the job, with nothing taken and nothing in the journal:
 *   1. what the copy lacks is copied, and all of it synced, with a number in LOG_MOVED_NAME;
 *   2. LOG_LEAVING_NAME in the old directory says where it goes;
 *   3. the copy gets the partition's name, and its log directory is synced: from here on a
 *      crash leaves two directories, and the one with the number counts;
 *   4. the log goes on there; nothing is acknowledged between 3 and 4;
 *   5. the old directory becomes one that is to be removed.
 *
 * Thread: marked at each function.
 * Crash:  before 3 the old directory counts, after it the new one; they hold the same.
 */
#include "replica/partition_move.h"

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/log_file.h"
#include "log/log_move.h"
#include "log/log_place.h"
#include "replica/partition_private.h"

enum err partition_copy_source(struct partition *p, struct log_segments *out)
{
    monitor_enter(&p->monitor);
    bool leads = p->state == PARTITION_LEADING;
    if (leads)
        partition_log_copy_source(p->log, out);
    monitor_leave(&p->monitor);
    return leads ? ERR_OK : ERR_CLOSED;
}

void partition_leave_journal(struct partition *p, bool leaves)
{
    atomic_store(&p->leaves_journal, leaves);
}

bool partition_is_in_journal(struct partition *p)
{
    monitor_enter(&p->monitor);
    struct journal *j = p->journal;
    bool is_in = partition_log_is_journaled(p->log); /* of its release it is told a bit later */
    monitor_leave(&p->monitor);
    return !CANARY(MOVE_KEEPS_JOURNAL) &&
           (is_in || (j != NULL && journal_has_client(j, &p->journal_client)));
}

/* [monitor] As a checkpoint would say it now. */
static int64_t log_start_of(const struct partition *p)
{
    return MAX(partition_log_start_offset(p->log), p->saving_start);
}

int64_t partition_announce(struct partition *p, struct log_dir *to)
{
    monitor_enter(&p->monitor);
    struct log_dir_checkpoint values = {
        .recovery_point = partition_log_recovery_point(p->log),
        .log_start = log_start_of(p),
        .high_watermark = p->high_watermark.offset,
    };
    monitor_leave(&p->monitor);
    log_dir_checkpoint_set(to, p->topic, p->index, &values);
    return values.log_start;
}

void partition_switch_dir(struct partition *p, struct partition_switch *take_turn)
{
    monitor_enter(&p->monitor);
    ASSERT(p->dir_switch == NULL);
    p->dir_switch = take_turn;
    bool submit = partition_job_claim(p);
    monitor_leave(&p->monitor);
    if (submit)
        partition_job_submit(p, NULL);
}

/* ---- in the job */

/* What the copy lacks, and the rest of the files. */
static enum err copy_rest(struct partition *p, struct partition_switch *sw)
{
    struct log_segments source;
    struct strbuf epochs;
    strbuf_init(&epochs);
    bool is_in_journal = partition_is_in_journal(p);
    monitor_enter(&p->monitor);
    enum err e = p->state == PARTITION_LEADING ? ERR_OK : ERR_CLOSED;
    if (e == ERR_OK && (is_in_journal || log_start_of(p) != sw->log_start))
        e = ERR_AGAIN;
    if (e == ERR_OK) {
        partition_log_copy_source(p->log, &source);
        partition_log_epochs_text(p->log, &epochs);
    }
    monitor_leave(&p->monitor);
    if (e == ERR_OK) {
        log_copy_take(sw->copy, &source);
        int64_t bytes = 0;
        while (e == ERR_OK)
            e = log_copy_step(sw->copy, LOG_COPY_PIECE_BYTES, &bytes);
        e = e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    if (e == ERR_OK)
        e = log_copy_seal(sw->copy, strbuf_text(&epochs), epochs.len);
    strbuf_deinit(&epochs);
    return e;
}

/* The name, durably. A rename that fails with ERR_IO may have happened all the same; one that has
 * happened, and is not durable for whatever reason, cannot be taken back durably either. */
static enum err take_name(struct partition *p, struct partition_switch *sw, const char *path)
{
    enum err e = env_path_rename(p->env, log_copy_dir(sw->copy), path);
    sw->is_torn = e == ERR_IO;
    if (e != ERR_OK || CANARY(MOVE_WITHOUT_NAME))
        return e;
    e = env_dir_sync(p->env, log_dir_path(sw->to));
    sw->is_torn = e != ERR_OK;
    return e;
}

static void go_over(struct partition *p, struct partition_switch *sw, const char *path)
{
    struct log_moving moving;
    partition_log_move_prepare(p->log, path, &moving);
    monitor_enter(&p->monitor);
    partition_log_move_publish(p->log, &moving);
    atomic_store(&p->dir, sw->to);
    partition_journal_init(p);
    partition_check(p);
    monitor_leave(&p->monitor);
    log_moving_release(&moving);
    /* They are in the old directory and go with it. */
    partition_log_unlink_retired(p->env, &p->retired);
    p->retired_due_ms = INT64_MAX;
}

static void leave_behind(struct partition *p, struct partition_switch *sw, struct log_dir *from,
                         const char *old)
{
    char renamed[LOG_PATH_SIZE] = "";
    sw->left_behind = partition_log_doom_dir(p->env, old, renamed);
    if (sw->left_behind == ERR_OK)
        sw->doomed = renamed[0] != '\0' ? mem_strdup(renamed) : NULL;
    log_dir_checkpoint_drop(from, p->topic, p->index);
}

/* So that a start that cannot look where it went does not serve what it left. Where that cannot be
 * written, on a disk that is full or bad, it leaves all the same: that is what moves are for. */
static void say_leaving(struct partition *p, const struct partition_switch *sw, const char *old)
{
    enum err e = log_place_write_leaving(p->env, old, log_dir_identity(sw->to)->directory_id);
    if (e != ERR_OK)
        log_warn(p->env, "%s/" LOG_LEAVING_NAME " cannot be written: %s", old, err_text(e));
}

static enum err switch_dir(struct partition *p, struct partition_switch *sw)
{
    char path[LOG_PATH_SIZE];
    char old[LOG_PATH_SIZE];
    struct log_dir *from = atomic_load(&p->dir);
    if (!log_dir_partition_path(sw->to, p->topic, p->index, path, sizeof(path)) ||
        !log_dir_partition_path(from, p->topic, p->index, old, sizeof(old)))
        return ERR_TOO_LARGE;
    enum err e = copy_rest(p, sw);
    if (e != ERR_OK)
        return e;
    say_leaving(p, sw, old);
    e = take_name(p, sw, path);
    if (e != ERR_OK) {
        enum err ignored = sw->is_torn ? ERR_OK : log_place_remove_leaving(p->env, old);
        (void)ignored; /* a start sees that it stayed */
        return e;
    }
    go_over(p, sw, path);
    leave_behind(p, sw, from, old);
    partition_save_checkpoint(p);
    return ERR_OK;
}

void partition_switch_run(struct partition *p)
{
    monitor_enter(&p->monitor);
    struct partition_switch *sw = p->dir_switch;
    p->dir_switch = NULL;
    monitor_leave(&p->monitor);
    ASSERT(sw != NULL);
    sw->result = switch_dir(p, sw);
    if (sw->is_torn)
        partition_fail(p);
    sw->done(sw);
}
