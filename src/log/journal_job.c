// SPDX-License-Identifier: Apache-2.0
/*
 * journal_job: round by round, what the journal does on a disk worker:
 *   1. the jobs that wait run: they write into their segments, or hold that, and add to the group;
 *   2. the group is written into the half in use, and synced;
 *   3. each entry is told; those of a void entry are released;
 *   4. where a half was left, its partitions are asked to sync their segments.
 *
 * It can fail: then every entry is told, the directory goes offline, nothing is tried again.
 *
 * Thread: the job's worker; is_job_busy keeps it alone.
 */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "env/logger.h"
#include "log/journal_private.h"

/* ---- jobs */

/* Steps that may block are another worker's. */
static void run_steps(struct journal *j, struct env_job *job)
{
    while (job->run(job)) {
        monitor_assert_none();
        if (job->will_block) {
            env_submit(j->env, job);
            return;
        }
    }
    monitor_assert_none();
}

static struct env_job *next_job(struct journal *j)
{
    monitor_enter(&j->monitor);
    /* Room for one more of the largest: else its partition would sync its segment. */
    bool has_room = (int64_t)j->fill.size <= j->group_bytes / 2;
    struct list *link = has_room ? list_pop_front(&j->jobs) : NULL;
    monitor_leave(&j->monitor);
    return link != NULL ? container_of(link, struct env_job, link) : NULL;
}

/* ---- groups */

/* [monitor] All that it covers is synced: then a half may be filled again. */
static void put_void(struct journal *j)
{
    if (j->void_due == 0 || j->keeps_all)
        return;
    struct journal_half *half = &j->halves[j->current];
    /* In the room that is kept for it, when there is no other. */
    bool fits = j->fill.size > 0
                    ? (int64_t)j->fill.size + JOURNAL_ENTRY_HEADER_BYTES <= j->group_bytes
                    : half->pos + JOURNAL_PAGE_BYTES <= half->size;
    if (!fits)
        return;
    struct journal_item item = {.kind = JOURNAL_VOID, .first = (int64_t)j->void_due};
    journal_put(j, &item);
    j->fill.voids = j->void_due;
    j->void_due = 0;
}

/* [monitor] The group that was filled goes to the disk; false: it is empty. */
static bool take_group(struct journal *j)
{
    journal_put_notices(j);
    put_void(j);
    struct journal_group *group = &j->group;
    ASSERT(group->size == 0 && list_is_empty(&group->entries));
    if (j->fill.size == 0)
        return false;
    uint8_t *spare = group->data;
    group->data = j->fill.data;
    group->size = j->fill.size;
    group->count = j->fill.count;
    group->half = j->fill.half;
    group->generation = j->fill.generation;
    group->voids = j->fill.voids;
    group->taken = ++j->groups_taken;
    struct journal_half *half = &j->halves[group->half];
    ASSERT(half->generation == group->generation);
    group->pos = half->pos;
    group->number = half->next_number++;
    half->pos += journal_padded((int64_t)group->size);
    ASSERT(half->pos <= half->size);
    list_splice_back(&group->entries, &j->fill.entries);
    j->fill.data = spare;
    j->fill.size = 0;
    j->fill.count = 0;
    j->fill.voids = 0;
    return true;
}

static enum err write_group(struct journal *j)
{
    struct journal_group *group = &j->group;
    struct env_file *file = j->halves[group->half].file;
    size_t padded = (size_t)journal_padded((int64_t)group->size);
    if (journal_state(j) == JOURNAL_FAILED)
        return ERR_IO;
    memset(group->data + group->size, 0, padded - group->size);
    struct journal_group_header header = {.size = (uint32_t)group->size,
                                          .count = group->count,
                                          .generation = group->generation,
                                          .number = group->number,
                                          .salt = j->halves[group->half].salt};
    journal_group_seal(&header, group->data);
    struct iovec iov = {group->data, padded};
    struct journal_stats *stats = j->options.stats;
    enum err e = env_file_write(file, &iov, 1, group->pos);
    if (e == ERR_OK && !CANARY(JOURNAL_WITHOUT_SYNC)) {
        int64_t start_ns = env_mono_ns(j->env);
        e = env_file_sync(file);
        time_histogram_add(&stats->sync_time, env_mono_ns(j->env) - start_ns);
    }
    atomic_fetch_add_explicit(&stats->groups, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->written_bytes, padded, memory_order_relaxed);
    if (e == ERR_OK)
        return ERR_OK;
    journal_fail(j);
    return ERR_IO;
}

static void tell_entries(struct journal *j, enum err e)
{
    uint64_t count = 0;
    for (struct list *node; (node = list_pop_front(&j->group.entries)) != NULL; count++) {
        struct journal_entry *entry = container_of(node, struct journal_entry, link);
        entry->done(entry, e);
    }
    atomic_fetch_add_explicit(&j->options.stats->entries, count, memory_order_relaxed);
}

/* Its cuts and departures are durable too. */
static void note_synced(struct journal *j)
{
    monitor_enter(&j->monitor);
    j->groups_synced = j->group.taken;
    monitor_leave(&j->monitor);
}

/* The void entry is durable. All are released before anybody can begin a cover of the same half
 * again. */
static void release_voided(struct journal *j, uint64_t generation)
{
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        struct journal_half *half = &j->halves[i];
        if (half->generation != generation) /* [job]: it changes where the half is void */
            continue;
        ASSERT(list_is_empty(&half->unsynced));
        journal_release(j, &half->synced);
    }
    monitor_enter(&j->monitor);
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        if (j->halves[i].generation <= generation && i != j->current)
            j->halves[i].is_void = true;
    }
    if (j->cleaning == generation)
        j->cleaning = 0;
    if (journal_state(j) == JOURNAL_REPLAYING)
        journal_set_state(j, j->options.bytes > 0 ? JOURNAL_READY : JOURNAL_OFF);
    monitor_leave(&j->monitor);
}

/* ---- a half that was left */

/* [monitor] The half of the generation that shall become void; NULL: none. */
static struct journal_half *cleaned_half(struct journal *j)
{
    struct journal_half *half = &j->halves[1 - j->current];
    return j->cleaning != 0 && half->generation == j->cleaning ? half : NULL;
}

/* [monitor] Who is to be asked next; NULL: enough are, or all. */
static struct journal_client *next_to_ask(struct journal *j)
{
    struct journal_half *half = cleaned_half(j);
    if (half == NULL || j->keeps_all || j->asked >= LIMIT_JOURNAL_FLUSHES ||
        list_is_empty(&half->unsynced))
        return NULL;
    struct journal_cover *cover = container_of(half->unsynced.next, struct journal_cover, link);
    if (cover->is_asked)
        return NULL;
    cover->is_asked = true;
    list_remove(&cover->link);
    list_push_back(&half->unsynced, &cover->link);
    j->asked++;
    return cover->client;
}

/* [monitor] */
static bool wants_asking(struct journal *j)
{
    struct journal_half *half = cleaned_half(j);
    return half != NULL && !j->keeps_all && j->asked < LIMIT_JOURNAL_FLUSHES &&
           !list_is_empty(&half->unsynced) &&
           !container_of(half->unsynced.next, struct journal_cover, link)->is_asked;
}

static void ask_to_flush(struct journal *j)
{
    for (;;) {
        monitor_enter(&j->monitor);
        struct journal_client *client = next_to_ask(j);
        monitor_leave(&j->monitor);
        if (client == NULL)
            return;
        client->flush(client); /* its cover keeps it */
    }
}

void journal_flushed(struct journal *j, struct journal_client *client, int64_t synced)
{
    monitor_enter(&j->monitor);
    struct journal_half *half = cleaned_half(j);
    bool submit = false;
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        struct journal_cover *cover = &client->covers[i];
        if (half == NULL || half != &j->halves[i] || !list_is_linked(&cover->link) ||
            !cover->is_asked)
            continue;
        ASSERT(j->asked > 0);
        j->asked--;
        cover->is_asked = false;
        list_remove(&cover->link);
        bool is_synced = cover->end_offset <= synced;
        list_push_back(is_synced ? &half->synced : &half->unsynced, &cover->link);
        if (list_is_empty(&half->unsynced))
            j->void_due = j->cleaning;
        submit = journal_claim_job(j);
    }
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
}

/* ---- a stop */

/* [monitor] Nothing else is to be done: the last entry, if one is needed. */
static enum err prepare_close(struct journal *j)
{
    if (!j->close_is_clean)
        return ERR_OK;
    if (j->keeps_all)
        return ERR_IO;
    if (j->left.count > 0)
        return ERR_BUSY;
    switch (journal_state(j)) {
    case JOURNAL_READY:
        if (j->halves[0].is_void && j->halves[1].is_void)
            return ERR_OK; /* nothing was ever added */
        for (unsigned i = 0; i < JOURNAL_HALVES; i++)
            list_splice_back(&j->halves[j->current].synced, &j->halves[i].unsynced);
        j->void_due = j->generation;
        return ERR_OK;
    case JOURNAL_FAILED:
    case JOURNAL_REPLAYING: /* its void entry is on its way, or failed */
        return ERR_IO;
    case JOURNAL_OFF:
    case JOURNAL_ABSENT:
    case JOURNAL_MAKING:
        break;
    }
    return ERR_OK;
}

/* The job rests for ever. */
static void finish_close(struct journal *j, enum err e)
{
    struct list released;
    list_init(&released);
    monitor_enter(&j->monitor);
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        list_splice_back(&released, &j->halves[i].unsynced);
        list_splice_back(&released, &j->halves[i].synced);
    }
    if (journal_state(j) == JOURNAL_READY)
        journal_set_state(j, JOURNAL_OFF);
    j->is_job_busy = false;
    monitor_leave(&j->monitor);
    journal_release(j, &released);
    j->close_done(j->close_arg, e);
}

static bool close_step(struct journal *j)
{
    monitor_enter(&j->monitor);
    enum err e = prepare_close(j);
    bool has_group = e == ERR_OK && j->void_due != 0 && take_group(j);
    monitor_leave(&j->monitor);
    if (has_group)
        e = write_group(j);
    j->group.size = 0;
    finish_close(j, e);
    return false;
}

/* ---- the job */

enum journal_duty { DUTY_GROUP, DUTY_AGAIN, DUTY_CLOSE, DUTY_NONE };

/* With DUTY_NONE the job has given up its place. */
static enum journal_duty next_duty(struct journal *j)
{
    enum journal_duty duty = DUTY_NONE;
    monitor_enter(&j->monitor);
    struct journal_half *half = &j->halves[j->current];
    if (j->wants_rotation && j->fill.size == 0 && journal_state(j) == JOURNAL_READY &&
        j->halves[1 - j->current].is_void) {
        if (half->has_entries)
            journal_rotate_now(j);
        j->wants_rotation = false;
    }
    if (take_group(j))
        duty = DUTY_GROUP;
    else if (!list_is_empty(&j->jobs) || wants_asking(j))
        duty = DUTY_AGAIN;
    else if (j->wants_close && !j->is_making &&
             (j->asked == 0 || journal_state(j) == JOURNAL_FAILED))
        duty = DUTY_CLOSE;
    else
        j->is_job_busy = false;
    monitor_leave(&j->monitor);
    return duty;
}

bool journal_run(struct env_job *job)
{
    struct journal *j = container_of(job, struct journal, job);
    for (struct env_job *next; (next = next_job(j)) != NULL;)
        run_steps(j, next);
    ask_to_flush(j);
    switch (next_duty(j)) {
    case DUTY_GROUP: {
        uint64_t voids = j->group.voids;
        enum err e = write_group(j);
        j->group.size = 0;
        if (e == ERR_OK)
            note_synced(j);
        tell_entries(j, e);
        if (e == ERR_OK && voids != 0)
            release_voided(j, voids);
        return true;
    }
    case DUTY_AGAIN:
        return true;
    case DUTY_CLOSE:
        return close_step(j);
    case DUTY_NONE:
        break;
    }
    return false;
}
