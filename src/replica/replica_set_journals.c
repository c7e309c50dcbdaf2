// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_journals: the journals of the set's log directories: what is left in them after a
 * start, that nothing grows old in them, and their end.
 *
 * Thread: the set's loop, where nothing else is said.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "log/journal.h"
#include "replica/replica_set_private.h"

static struct journal *journal_of(const struct replica_set *set, size_t index)
{
    return log_dir_journal(set->options.dirs[index]);
}

/* ---- age */

static void arm(struct replica_set *set)
{
    loop_timer_start(set->options.loop, &set->journal_timer,
                     env_mono_ns(set->env) + (int64_t)LIMIT_JOURNAL_AGE_MS * 1000000);
}

static void used(struct loop_task *task)
{
    struct replica_set *set = container_of(task, struct replica_set, journal_task);
    if (!set->is_closed)
        arm(set);
}

/* Any thread. */
void replica_journal_used(void *arg)
{
    struct replica_set *set = arg;
    if (!atomic_load_explicit(&set->journal_is_used, memory_order_relaxed) &&
        !atomic_exchange(&set->journal_is_used, true))
        loop_post(set->options.loop, &set->journal_task);
}

/* A journal that cannot leave its half yet, or got entries since, is looked at again. */
static void grown_old(struct loop_timer *timer)
{
    struct replica_set *set = container_of(timer, struct replica_set, journal_timer);
    bool has_entries = false;
    atomic_store(&set->journal_is_used, false);
    for (size_t i = 0; i < set->options.dir_count; i++) {
        struct journal *j = journal_of(set, i);
        if (j == NULL || !journal_has_entries(j))
            continue;
        has_entries = true;
        journal_rotate(j);
    }
    if (has_entries && !atomic_exchange(&set->journal_is_used, true))
        arm(set);
}

void replica_set_journals_init(struct replica_set *set)
{
    set->journal_timer = (struct loop_timer){.fire = grown_old};
    set->journal_task = (struct loop_task){.run = used};
    atomic_init(&set->journal_is_used, false);
    atomic_init(&set->journals_closing, 0);
}

/* ---- after a start */

struct settling {
    struct replica_set *set;
    struct log_dir *dir;
};

/* Also of one that could not be opened: its entries stay. Not of one that has moved to another
 * directory, with all that was in this journal. */
static bool is_known(void *arg, struct uuid topic_id, int32_t partition)
{
    const struct settling *settling = arg;
    enum kerr error;
    struct partition *found = replica_set_find(settling->set, topic_id, partition, &error);
    bool is_known =
        found != NULL ? partition_dir(found) == settling->dir : error == KERR_KAFKA_STORAGE_ERROR;
    partition_unref(found);
    return is_known;
}

void replica_set_settle_journals(struct replica_set *set)
{
    for (size_t i = 0; i < set->options.dir_count; i++) {
        if (journal_of(set, i) != NULL && journal_waits(journal_of(set, i)))
            journal_settle(journal_of(set, i), is_known,
                           &(struct settling){set, set->options.dirs[i]});
    }
}

/* ---- the end */

struct closing {
    struct loop_task task;
    struct replica_set *set;
    enum err error;
};

static void closed_on_loop(struct loop_task *task)
{
    struct closing *closing = container_of(task, struct closing, task);
    struct replica_set *set = closing->set;
    if (closing->error != ERR_OK)
        set->follow.error = closing->error;
    mem_free(closing);
    if (atomic_fetch_sub(&set->journals_closing, 1) > 1)
        return;
    set->journals_are_closed = true;
    replica_set_finish_stop(set);
}

/* On a worker. */
static void closed(void *arg, enum err e)
{
    struct closing *closing = arg;
    closing->error = e;
    closing->task = (struct loop_task){.run = closed_on_loop};
    loop_post(closing->set->options.loop, &closing->task);
}

void replica_set_close_journals(struct replica_set *set)
{
    loop_timer_stop(set->options.loop, &set->journal_timer);
    uint32_t count = 0;
    for (size_t i = 0; i < set->options.dir_count; i++)
        count += journal_of(set, i) != NULL;
    if (count == 0) {
        set->journals_are_closed = true;
        replica_set_finish_stop(set);
        return;
    }
    if (atomic_exchange(&set->journals_closing, count) > 0)
        return; /* under way */
    for (size_t i = 0; i < set->options.dir_count; i++) {
        struct journal *j = journal_of(set, i);
        if (j == NULL)
            continue;
        bool is_clean = set->follow.error == ERR_OK && !replica_set_dir_is_offline(set, i);
        struct closing *closing = mem_alloc(sizeof(*closing));
        *closing = (struct closing){.set = set};
        journal_close(j, is_clean, closed, closing);
    }
}
