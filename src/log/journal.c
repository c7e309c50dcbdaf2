// SPDX-License-Identifier: Apache-2.0
/* journal: opening and closing, who commits, and which half is in use. Groups are written in
 * journal_job.c, what was left is replayed in journal_replay.c. Thread: see journal.h. */
#include "log/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/journal_private.h"

enum {
    GROUPS_PER_HALF = 4,                /* at least: a group is at most so large a part of a half */
    VOID_ROOM = 2 * JOURNAL_PAGE_BYTES, /* kept in each half for its last void entries */
    MAKE_STEP_BYTES = 1 << 20,
    HALF_PAGES_MIN = 8, /* what claims to be smaller was not made here */
};

/* ---- files */

bool journal_path(const char *dir, unsigned half, char out[LOG_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof(name), "klamm.journal.%u", half);
    return log_file_path(out, dir, name);
}

void journal_close_files(struct journal *j)
{
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        env_file_unref(j->halves[i].file);
        j->halves[i].file = NULL;
    }
}

static enum err write_header(struct journal *j, unsigned index)
{
    uint8_t page[JOURNAL_PAGE_BYTES];
    struct iovec iov = {page, sizeof(page)};
    struct journal_file_header header = {j->options.directory_id, index, j->halves[index].size};
    journal_file_header_write(&header, page);
    return env_file_write(j->halves[index].file, &iov, 1, 0);
}

/* `*is_readable`: its header is. ERR_NOT_FOUND: there is none, or it says that this is another's.
 */
static enum err open_half(struct journal *j, unsigned index, bool *is_readable)
{
    struct journal_half *half = &j->halves[index];
    char path[LOG_PATH_SIZE];
    uint8_t page[JOURNAL_PAGE_BYTES];
    struct journal_file_header header;
    size_t got = 0;
    if (!journal_path(j->dir, index, path))
        return ERR_TOO_LARGE;
    enum err e = env_file_open(j->env, path, ENV_READ | ENV_WRITE, &half->file);
    if (e == ERR_OK)
        e = env_file_size(half->file, &half->size);
    if (e == ERR_OK)
        e = env_file_read(half->file, page, sizeof(page), 0, ENV_WAIT, &got);
    if (e != ERR_OK)
        return e;
    *is_readable = got == sizeof(page) && journal_file_header_read(page, &header);
    if (!*is_readable)
        return ERR_OK;
    if (header.half != index || header.size != half->size ||
        header.size < HALF_PAGES_MIN * JOURNAL_PAGE_BYTES) {
        log_error(j->env, "%s is no half of a journal, or damaged: it is not replayed", path);
        return ERR_NOT_FOUND;
    }
    if (!uuid_equals(header.directory_id, j->options.directory_id)) {
        log_warn(j->env, "%s is of another log directory: it is not replayed", path);
        return ERR_NOT_FOUND;
    }
    return ERR_OK;
}

/* A half whose header says nothing is known by the other's, for both are made together; its groups
 * have their own checksums. */
static enum err mend_header(struct journal *j, unsigned index, bool is_other_readable)
{
    struct journal_half *half = &j->halves[index];
    if (!is_other_readable || half->size != j->halves[1 - index].size) {
        log_error(j->env,
                  "%s/klamm.journal.%u is no half of a journal, or damaged: it is not replayed",
                  j->dir, index);
        return ERR_NOT_FOUND;
    }
    log_error(
        j->env,
        "%s/klamm.journal.%u is damaged at its start; the other half says what belongs there: "
        "it is written again",
        j->dir, index);
    return write_header(j, index);
}

enum err journal_open_files(struct journal *j)
{
    enum err e = ERR_OK;
    bool is_readable[JOURNAL_HALVES] = {false};
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++)
        e = open_half(j, i, &is_readable[i]);
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++)
        e = is_readable[i] ? ERR_OK : mend_header(j, i, is_readable[1 - i]);
    /* Who made them may have been killed before they were durable, and one half is as good as none.
     */
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++)
        e = env_file_sync(j->halves[i].file);
    if (e == ERR_OK)
        e = env_dir_sync(j->env, j->dir);
    if (e != ERR_OK)
        journal_close_files(j);
    return e;
}

enum err journal_remove(struct env *env, const char *dir)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++) {
        char path[LOG_PATH_SIZE];
        e = journal_path(dir, i, path) ? env_path_unlink(env, path) : ERR_TOO_LARGE;
        if (e == ERR_NOT_FOUND)
            e = ERR_OK;
    }
    return e == ERR_OK ? env_dir_sync(env, dir) : e;
}

/* The largest group, for the halves as they are: those that were found may differ. */
static void fit_groups(struct journal *j)
{
    int64_t half_bytes = MIN(j->halves[0].size, j->halves[1].size);
    int64_t bytes = MIN((int64_t)LIMIT_JOURNAL_GROUP_BYTES, half_bytes / GROUPS_PER_HALF);
    j->group_bytes = MAX(bytes / JOURNAL_PAGE_BYTES, (int64_t)1) * JOURNAL_PAGE_BYTES;
}

/* ---- making them */

static int64_t wanted_half(const struct journal *j)
{
    return j->options.bytes / JOURNAL_HALVES / JOURNAL_PAGE_BYTES * JOURNAL_PAGE_BYTES;
}

static enum err make_half(struct journal *j, unsigned index, const uint8_t *zeros)
{
    struct journal_half *half = &j->halves[index];
    char path[LOG_PATH_SIZE];
    half->size = wanted_half(j);
    if (!journal_path(j->dir, index, path))
        return ERR_TOO_LARGE;
    enum err e =
        env_file_open(j->env, path, ENV_READ | ENV_WRITE | ENV_CREATE | ENV_TRUNCATE, &half->file);
    for (int64_t pos = 0; pos < half->size && e == ERR_OK; pos += MAKE_STEP_BYTES) {
        struct iovec iov = {(void *)(uintptr_t)zeros,
                            (size_t)MIN((int64_t)MAKE_STEP_BYTES, half->size - pos)};
        e = env_file_write(half->file, &iov, 1, pos);
    }
    if (e == ERR_OK)
        e = write_header(j, index);
    return e == ERR_OK ? env_file_sync(half->file) : e;
}

static enum err make_files(struct journal *j)
{
    uint8_t *zeros = mem_try_zeroed(MAKE_STEP_BYTES);
    if (zeros == NULL)
        return ERR_NO_MEMORY;
    enum err e = ERR_OK;
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++)
        e = make_half(j, i, zeros);
    mem_free(zeros);
    return e == ERR_OK ? env_dir_sync(j->env, j->dir) : e;
}

enum err journal_make_buffers(struct journal *j)
{
    if (j->fill.data == NULL)
        j->fill.data = mem_try(LIMIT_JOURNAL_GROUP_BYTES);
    if (j->group.data == NULL)
        j->group.data = mem_try(LIMIT_JOURNAL_GROUP_BYTES);
    return j->fill.data != NULL && j->group.data != NULL ? ERR_OK : ERR_NO_MEMORY;
}

/* A journal that takes a tenth of what is left is no help. */
static bool has_space(struct journal *j)
{
    int64_t free_bytes = 0;
    int64_t total_bytes = 0;
    return env_disk_space(j->env, j->dir, &free_bytes, &total_bytes) == ERR_OK &&
           j->options.bytes <= free_bytes / 10;
}

/* Files that are there are void: after a clean stop, or their replay has ended. */
static enum err take_files(struct journal *j)
{
    enum err e = journal_open_files(j);
    if (e == ERR_OK &&
        (j->halves[0].size != wanted_half(j) || j->halves[1].size != wanted_half(j))) {
        journal_close_files(j);
        e = ERR_NOT_FOUND;
    }
    if (e == ERR_OK)
        e = journal_scan(j, false); /* for generations */
    if (e != ERR_NOT_FOUND)
        return e;
    /* One that is new beside one that is old would be read as a whole after a crash. */
    e = journal_remove(j->env, j->dir);
    if (e != ERR_OK)
        return e;
    if (!has_space(j))
        return ERR_TOO_LARGE;
    e = make_files(j);
    if (e == ERR_NO_SPACE) {
        journal_close_files(j);
        enum err removed = journal_remove(j->env, j->dir);
        e = removed == ERR_OK ? e : removed;
    }
    return e;
}

bool journal_make(struct env_job *job)
{
    struct journal *j = container_of(job, struct journal, make_job);
    enum err e = journal_make_buffers(j);
    if (e == ERR_OK)
        e = take_files(j);
    if (e != ERR_OK) {
        log_warn(j->env, "%s has no journal: %s; every commit syncs its own segment", j->dir,
                 e == ERR_TOO_LARGE ? "klamm.journal.bytes is more than a tenth of what its disk "
                                      "has free"
                                    : err_text(e));
        journal_close_files(j);
    }
    monitor_enter(&j->monitor);
    for (unsigned i = 0; i < JOURNAL_HALVES && e == ERR_OK; i++) {
        j->halves[i].is_void = true;
        j->halves[i].pos = j->halves[i].size; /* the first group begins a half */
    }
    if (e == ERR_OK)
        fit_groups(j);
    j->is_making = false;
    if (journal_state(j) == JOURNAL_MAKING) /* else it failed meanwhile */
        journal_set_state(j, e == ERR_OK ? JOURNAL_READY : JOURNAL_OFF);
    bool submit = j->wants_close && journal_claim_job(j);
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
    return false;
}

/* ---- opening and closing */

static struct journal *journal_blank(struct env *env, const struct journal_options *options)
{
    struct journal *j = mem_alloc(sizeof(*j));
    j->env = env;
    j->options = *options;
    j->dir = mem_strdup(options->dir);
    j->options.dir = j->dir;
    monitor_init(&j->monitor, MONITOR_JOURNAL);
    list_init(&j->jobs);
    list_init(&j->notices);
    list_init(&j->fill.entries);
    list_init(&j->group.entries);
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        list_init(&j->halves[i].unsynced);
        list_init(&j->halves[i].synced);
    }
    map_init(&j->left);
    env_random(env, &j->hash_seed, sizeof(j->hash_seed));
    j->job = (struct env_job){.run = journal_run, .queue = ENV_QUEUE_WRITE, .will_block = true};
    j->make_job = (struct env_job){.run = journal_make, .queue = ENV_QUEUE_BACKGROUND};
    return j;
}

/* After a process was killed. */
static enum err open_left(struct journal *j)
{
    enum err e = journal_open_files(j);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e == ERR_OK)
        e = journal_scan(j, true);
    if (e == ERR_OK && j->left.count > 0)
        e = journal_make_buffers(j);
    if (e != ERR_OK)
        return e;
    if (j->left.count > 0) {
        fit_groups(j);
        log_info(j->env, "%s: the journal has commits of %zu partitions", j->dir, j->left.count);
        journal_set_state(j, JOURNAL_REPLAYING);
        return ERR_OK;
    }
    journal_close_files(j);
    return ERR_OK;
}

enum err journal_open(struct env *env, const struct journal_options *options, struct journal **out)
{
    ASSERT(options->bytes >= 0 && options->stats != NULL);
    struct journal *j = journal_blank(env, options);
    journal_set_state(j, options->bytes > 0 ? JOURNAL_ABSENT : JOURNAL_OFF);
    enum err e = options->was_clean ? ERR_OK : open_left(j);
    if (e == ERR_OK && journal_state(j) == JOURNAL_OFF)
        e = journal_remove(env, j->dir);
    if (e != ERR_OK) {
        journal_free(j);
        return e;
    }
    *out = j;
    return ERR_OK;
}

/* [monitor] */
static bool has_covers(const struct journal_client *client)
{
    bool has = false;
    for (unsigned i = 0; i < JOURNAL_HALVES; i++)
        has = has || list_is_linked(&client->covers[i].link);
    return has;
}

bool journal_has_client(struct journal *j, const struct journal_client *client)
{
    monitor_enter(&j->monitor);
    bool has = has_covers(client) || list_is_linked(&client->notice_link);
    monitor_leave(&j->monitor);
    return has;
}

/* [monitor] The next whose cover ends; NULL: none. What waits to be said of a client goes with its
 * last entries, and so may the client. */
static struct journal_cover *pop_cover(struct list *covers)
{
    struct list *node = list_pop_front(covers);
    if (node == NULL)
        return NULL;
    struct journal_cover *cover = container_of(node, struct journal_cover, link);
    struct journal_client *client = cover->client;
    if (!has_covers(client))
        list_remove(&client->notice_link);
    return cover;
}

void journal_release(struct journal *j, struct list *covers)
{
    for (;;) {
        monitor_enter(&j->monitor);
        struct journal_cover *cover = pop_cover(covers);
        uint64_t generation = cover != NULL ? cover->generation : 0;
        monitor_leave(&j->monitor);
        if (cover == NULL)
            return;
        cover->client->released(cover->client, generation);
    }
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    ASSERT(!j->is_job_busy && list_is_empty(&j->jobs) && list_is_empty(&j->fill.entries));
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        journal_release(j, &j->halves[i].unsynced);
        journal_release(j, &j->halves[i].synced);
    }
    ASSERT(list_is_empty(&j->notices));
    journal_forget_left(j);
    map_deinit(&j->left);
    journal_close_files(j);
    mem_free(j->fill.data);
    mem_free(j->group.data);
    monitor_deinit(&j->monitor);
    mem_free(j->dir);
    mem_free(j);
}

/* ---- halves */

static int64_t room_in(const struct journal_half *half)
{
    return half->size - VOID_ROOM - half->pos;
}

/* [monitor] Its partitions are asked from now on. */
static void begin_cleaning(struct journal *j, struct journal_half *old)
{
    if (list_is_empty(&old->unsynced) && list_is_empty(&old->synced))
        old->is_void = true;
    if (old->is_void)
        return;
    ASSERT(j->cleaning == 0 && j->asked == 0 && j->void_due == 0);
    j->cleaning = old->generation;
    if (list_is_empty(&old->unsynced))
        j->void_due = j->cleaning;
}

void journal_rotate_now(struct journal *j)
{
    struct journal_half *old = &j->halves[j->current];
    struct journal_half *next = &j->halves[1 - j->current];
    ASSERT(next->is_void && j->fill.size == 0);
    ASSERT(list_is_empty(&next->unsynced) && list_is_empty(&next->synced));
    begin_cleaning(j, old);
    j->current = 1 - j->current;
    j->generation++;
    next->generation = j->generation;
    env_random(j->env, &next->salt, sizeof(next->salt));
    next->pos = JOURNAL_PAGE_BYTES;
    next->next_number = 0;
    next->is_void = false;
    next->has_entries = false;
    atomic_store_explicit(&j->has_entries, false, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->options.stats->rotations, 1, memory_order_relaxed);
}

bool journal_has_room(struct journal *j, size_t bytes)
{
    if (j->fill.size > 0)
        return (int64_t)(j->fill.size + bytes) <= j->group_bytes;
    if (room_in(&j->halves[j->current]) < j->group_bytes) {
        if (!j->halves[1 - j->current].is_void)
            return false;
        journal_rotate_now(j);
    }
    return (int64_t)(JOURNAL_GROUP_HEADER_BYTES + bytes) <= j->group_bytes;
}

uint8_t *journal_put(struct journal *j, const struct journal_item *item)
{
    struct journal_group *fill = &j->fill;
    if (fill->size == 0) {
        fill->size = JOURNAL_GROUP_HEADER_BYTES;
        fill->half = j->current;
        fill->generation = j->generation;
    }
    uint8_t *at = fill->data + fill->size;
    journal_item_write(item, at);
    fill->size += JOURNAL_ENTRY_HEADER_BYTES + item->size;
    fill->count++;
    ASSERT((int64_t)fill->size <= j->group_bytes);
    return at + JOURNAL_ENTRY_HEADER_BYTES;
}

/* ---- who commits */

void journal_client_init(struct journal_client *client)
{
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) {
        client->covers[i] = (struct journal_cover){.client = client};
        list_init(&client->covers[i].link);
    }
    list_init(&client->notice_link);
    client->noticed_in = 0;
    client->is_gone = false;
}

bool journal_is_ready(const struct journal *j)
{
    return journal_state(j) == JOURNAL_READY;
}

bool journal_has_failed(const struct journal *j)
{
    return journal_state(j) == JOURNAL_FAILED;
}

bool journal_has_entries(const struct journal *j)
{
    return atomic_load_explicit(&j->has_entries, memory_order_relaxed);
}

void journal_rotate(struct journal *j)
{
    monitor_enter(&j->monitor);
    bool submit = false;
    if (journal_is_ready(j) && j->halves[j->current].has_entries) {
        j->wants_rotation = true;
        submit = journal_claim_job(j);
    }
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
}

void journal_keep_all(struct journal *j)
{
    monitor_enter(&j->monitor);
    j->keeps_all = true;
    monitor_leave(&j->monitor);
}

void journal_fail(struct journal *j)
{
    monitor_enter(&j->monitor);
    journal_set_state(j, JOURNAL_FAILED);
    monitor_leave(&j->monitor);
}

void journal_close(struct journal *j, bool clean, void (*done)(void *arg, enum err e), void *arg)
{
    monitor_enter(&j->monitor);
    ASSERT(!j->wants_close);
    j->wants_close = true;
    j->close_is_clean = clean;
    j->close_done = done;
    j->close_arg = arg;
    bool submit = !j->is_making && journal_claim_job(j);
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
}

void journal_note_small(struct journal *j)
{
    atomic_fetch_add_explicit(&j->options.stats->straight, 1, memory_order_relaxed);
    if (journal_state(j) != JOURNAL_ABSENT ||
        atomic_fetch_add_explicit(&j->small_commits, 1, memory_order_relaxed) <
            j->options.after_commits)
        return;
    monitor_enter(&j->monitor);
    bool submit = journal_state(j) == JOURNAL_ABSENT && !j->wants_close;
    if (submit) {
        j->is_making = true;
        journal_set_state(j, JOURNAL_MAKING);
    }
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->make_job);
}

bool journal_claim_job(struct journal *j)
{
    monitor_assert_held(&j->monitor);
    if (j->is_job_busy)
        return false;
    j->is_job_busy = true;
    return true;
}

bool journal_submit(struct journal *j, struct env_job *job)
{
    if (!journal_is_ready(j))
        return false;
    monitor_enter(&j->monitor);
    list_push_back(&j->jobs, &job->link);
    bool submit = journal_claim_job(j);
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
    return true;
}

/* [monitor] True: a cover begins. */
static bool cover(struct journal *j, struct journal_client *client, int64_t end_offset)
{
    struct journal_cover *cover = &client->covers[j->current];
    struct journal_half *half = &j->halves[j->current];
    bool begins = !list_is_linked(&cover->link);
    ASSERT(begins || cover->generation == j->generation);
    if (begins) {
        cover->generation = j->generation;
        cover->is_asked = false;
        list_push_back(&half->unsynced, &cover->link);
    }
    cover->end_offset = end_offset;
    if (!half->has_entries) {
        half->has_entries = true;
        atomic_store_explicit(&j->has_entries, true, memory_order_relaxed);
    }
    return begins;
}

static struct journal_item item_of(const struct journal_client *client,
                                   const struct log_commit *commit)
{
    const struct log_append *first = container_of(commit->appends.next, struct log_append, link);
    const struct log_append *last = container_of(commit->appends.prev, struct log_append, link);
    ASSERT(first->segment_base == last->segment_base);
    return (struct journal_item){
        .kind = JOURNAL_APPEND,
        .size = (uint32_t)(last->pos + (int64_t)last->bytes.len - first->pos),
        .partition = client->partition,
        .leader_epoch = last->header.leader_epoch,
        .topic_id = client->topic_id,
        .first = first->first_offset,
        .end_offset = last->last_offset + 1,
        .segment_base = first->segment_base,
        .pos = first->pos,
    };
}

bool journal_add(struct journal *j, struct journal_entry *entry, const struct log_commit *commit,
                 bool *begins_cover)
{
    if (!journal_is_ready(j))
        return false;
    struct journal_item item = item_of(entry->client, commit);
    ASSERT(item.size < LIMIT_JOURNAL_COMMIT_BYTES);
    monitor_enter(&j->monitor);
    journal_put_notices(j);
    bool is_taken =
        journal_is_ready(j) && journal_has_room(j, JOURNAL_ENTRY_HEADER_BYTES + item.size);
    bool submit = false;
    if (is_taken) {
        uint8_t *to = journal_put(j, &item);
        LIST_FOR_EACH (node, &commit->appends) {
            const struct log_append *append = container_of(node, struct log_append, link);
            memcpy(to, append->bytes.data, append->bytes.len);
            to += append->bytes.len;
        }
        *begins_cover = cover(j, entry->client, item.end_offset);
        entry->generation = j->generation;
        list_push_back(&j->fill.entries, &entry->link);
        submit = journal_claim_job(j);
    }
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
    if (is_taken && commit->is_held)
        atomic_fetch_add_explicit(&j->options.stats->held, 1, memory_order_relaxed);
    return is_taken;
}

size_t journal_held_max(const struct journal *j)
{
    return journal_is_ready(j) ? j->options.held_bytes : 0;
}

/* ---- cuts and departures */

void journal_put_notices(struct journal *j)
{
    while (!list_is_empty(&j->notices) && journal_has_room(j, JOURNAL_ENTRY_HEADER_BYTES)) {
        struct journal_client *client =
            container_of(list_pop_front(&j->notices), struct journal_client, notice_link);
        struct journal_item item = {.kind = client->is_gone ? JOURNAL_GONE : JOURNAL_CUT,
                                    .partition = client->partition,
                                    .topic_id = client->topic_id,
                                    .first = client->is_gone ? 0 : client->cut_offset};
        client->noticed_in = j->groups_taken + 1;
        journal_put(j, &item);
    }
}

/* What comes later is in the same group or behind it. Without room it waits for the next half. */
static void notify(struct journal *j, struct journal_client *client)
{
    bool submit = false;
    if (has_covers(client) && (journal_is_ready(j) || journal_state(j) == JOURNAL_REPLAYING)) {
        if (!list_is_linked(&client->notice_link))
            list_push_back(&j->notices, &client->notice_link);
        submit = journal_claim_job(j);
    }
    monitor_leave(&j->monitor);
    if (submit)
        env_submit(j->env, &j->job);
}

void journal_cut(struct journal *j, struct journal_client *client, int64_t end_offset)
{
    ASSERT(end_offset >= 0);
    monitor_enter(&j->monitor);
    bool is_waiting = list_is_linked(&client->notice_link);
    client->cut_offset = is_waiting ? MIN(client->cut_offset, end_offset) : end_offset;
    for (unsigned i = 0; i < JOURNAL_HALVES; i++) /* what is synced may end below it now */
        client->covers[i].end_offset = MIN(client->covers[i].end_offset, end_offset);
    notify(j, client);
}

void journal_gone(struct journal *j, struct journal_client *client)
{
    monitor_enter(&j->monitor);
    client->is_gone = true;
    notify(j, client);
}

bool journal_is_noticed(struct journal *j, const struct journal_client *client)
{
    monitor_enter(&j->monitor);
    bool is_noticed = !list_is_linked(&client->notice_link) &&
                      client->noticed_in <= j->groups_synced &&
                      (journal_state(j) != JOURNAL_FAILED || !has_covers(client));
    monitor_leave(&j->monitor);
    return is_noticed;
}
