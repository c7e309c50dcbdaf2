// SPDX-License-Identifier: Apache-2.0
/* replica_set: the table, and following updates. The timer and failures are in
 * replica_set_upkeep.c. Thread: see replica_set.h. */
#include "replica/replica_set.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/log_file.h"
#include "metadata/config_dynamic.h"
#include "metadata/topic_name.h"
#include "replica/replica_set_private.h"

enum { OPENING_MAX_CLEAN = 64 };

static uint64_t replica_hash(struct uuid topic_id, int32_t index)
{
    uint64_t half[2];
    memcpy(half, topic_id.bytes, sizeof(half)); /* random by itself */
    return hash_u64(half[0] ^ half[1] ^ (uint64_t)(uint32_t)index);
}

struct replica *replica_set_lookup(const struct replica_set *set, struct uuid topic_id,
                                   int32_t index)
{
    struct map_node *node = map_first(&set->table, replica_hash(topic_id, index));
    for (; node != NULL; node = map_next_same(node)) {
        struct replica *replica = container_of(node, struct replica, node);
        if (replica->index == index && uuid_equals(replica->topic_id, topic_id))
            return replica;
    }
    return NULL;
}

static bool cleaner_is_enabled(const struct config_layers *layers)
{
    bool is_enabled = false;
    if (layers == NULL)
        return false;
    const char *text = config_layers_get(layers, CONFIG_BROKER_LOG_CLEANER_ENABLE, NULL);
    return config_parse_bool(text, &is_enabled) == ERR_OK && is_enabled;
}

void replica_set_forget_missing(struct replica_set *set)
{
    atomic_store(&set->has_missing, false);
}

struct replica_set *replica_set_new(struct env *env, const struct replica_set_options *options)
{
    ASSERT(options->dir_count > 0);
    struct replica_set *set = mem_alloc(sizeof(*set));
    set->env = env;
    set->options = *options;
    set->files = file_cache_new(options->files_max);
    config_layers_init(&set->layers);
    monitor_init(&set->monitor, MONITOR_TABLE);
    map_init(&set->table);
    list_init(&set->found);
    map_init(&set->found_map);
    set->dir_partitions = mem_alloc(options->dir_count * sizeof(uint32_t));
    set->dir_is_offline = mem_alloc(options->dir_count * sizeof(bool));
    set->dir_failures = mem_alloc(options->dir_count * sizeof(set->dir_failures[0]));
    due_queue_init(&set->due);
    atomic_init(&set->wants_checkpoints, false);
    for (size_t i = 0; i < options->dir_count; i++) {
        set->dir_is_offline[i] = log_dir_has_failed(options->dirs[i]);
        set->has_lost_dir |= set->dir_is_offline[i];
        if (set->dir_is_offline[i])
            replica_set_note_dir_error(set, i, ERR_IO, "the start");
    }
    atomic_init(&set->has_missing, options->missing != NULL && options->missing->count > 0);
    set->has_lost_dir |= atomic_load(&set->has_missing) && !CANARY(MISSING_DIR);
    atomic_init(&set->due_is_posted, false);
    atomic_init(&set->failed_is_posted, false);
    atomic_init(&set->has_failed, false);
    set->dir_saved = mem_alloc(options->dir_count * sizeof(enum err));
    list_init(&set->saving);
    list_init(&set->saving_now);
    list_init(&set->doomed);
    list_init(&set->doomed_now);
    atomic_init(&set->doomed_stops, false);
    replica_set_reopen_init(set);
    atomic_init(&set->save_is_posted, false);
    replica_set_journals_init(set);
    set->moves = replica_set_moves_new();
    replica_set_scan(set); /* what it drops needs no haste: nobody is told */
    for (size_t i = 0; i < options->dir_count; i++)
        log_dir_watch_checkpoints(options->dirs[i], replica_checkpoints_changed, set);
    set->rooms = replica_set_rooms_new(set);
    if (cleaner_is_enabled(options->layers))
        set->cleaner = replica_cleaner_new(set);
    set->scrub = replica_set_scrub_new(set);
    return set;
}

static void replica_free(struct replica *replica)
{
    bool is_idle = replica_reopen_give_up(replica);
    ASSERT(is_idle);
    partition_unref(replica->partition);
    mem_free(replica->report);
    mem_free(replica->uncleanable);
    mem_free(replica->topic);
    mem_free(replica);
}

void replica_set_free(struct replica_set *set)
{
    if (set == NULL)
        return;
    ASSERT(!set->is_following && !set->checkpoint_is_busy && !set->idle_is_busy);
    ASSERT(list_is_empty(&set->saving) && list_is_empty(&set->saving_now));
    MAP_FOR_EACH (node, &set->table) {
        struct replica *replica = container_of(node, struct replica, node);
        if (replica->partition != NULL)
            due_queue_close(&set->due, partition_due_place(replica->partition));
        map_remove(&set->table, node);
        replica_free(replica);
    }
    map_deinit(&set->table);
    due_queue_deinit(&set->due);
    for (size_t i = 0; i < set->options.dir_count; i++)
        log_dir_watch_checkpoints(set->options.dirs[i], NULL, NULL);
    replica_set_moves_free(set->moves);
    replica_cleaner_free(set->cleaner);
    replica_set_forget_found(set);
    replica_set_doomed_free(set);
    replica_set_rooms_free(set->rooms);
    replica_set_scrub_free(set->scrub);
    config_layers_release(&set->layers);
    file_cache_unref(set->files);
    monitor_deinit(&set->monitor);
    mem_free(set->dir_partitions);
    mem_free(set->dir_is_offline);
    for (size_t i = 0; i < set->options.dir_count; i++)
        mem_free(set->dir_failures[i]);
    mem_free(set->dir_failures);
    mem_free(set->dir_saved);
    mem_free(set);
}

struct partition *replica_set_find(struct replica_set *set, struct uuid topic_id, int32_t index,
                                   enum kerr *error)
{
    struct partition *partition = NULL;
    *error = KERR_NOT_LEADER_OR_FOLLOWER;
    monitor_enter(&set->monitor);
    struct replica *replica = replica_set_lookup(set, topic_id, index);
    if (replica != NULL && replica->partition != NULL) {
        partition = partition_ref(replica->partition);
        *error = KERR_NONE;
    } else if (replica != NULL && replica->error != ERR_OK) {
        *error = KERR_KAFKA_STORAGE_ERROR;
    }
    monitor_leave(&set->monitor);
    return partition;
}

bool replica_set_has_failed(struct replica_set *set, struct uuid topic_id, int32_t index)
{
    if (!atomic_load(&set->has_failed))
        return false;
    enum kerr error = KERR_NONE;
    struct partition *partition = replica_set_find(set, topic_id, index, &error);
    if (partition != NULL) {
        struct partition_offsets offsets;
        partition_offsets(partition, &offsets);
        error = offsets.error;
    }
    partition_unref(partition);
    return error == KERR_KAFKA_STORAGE_ERROR;
}

static struct topic_config config_of(const struct replica_set *set, const struct topic_image *topic)
{
    const struct config_set *own = topic_config_set(topic);
    struct topic_config config;
    if (topic_name_is_internal(topic_name(topic), topic_name_len(topic)))
        config_topic_compute_internal(own, &set->layers, &config);
    else
        config_topic_compute(own, &set->layers, &config);
    return config;
}

/* ---- following an update */

struct loop_call {
    struct loop_task task;
    struct replica *replica;
    struct doomed_dir *doomed; /* what is left of it on disk; NULL: nothing */
};

/* Of what was opened as it should be there is nothing to explain. */
static void forget_report(struct replica_set *set, struct replica *replica)
{
    struct log_open_report *report = replica->report;
    if (replica->error != ERR_OK || report->scanned_bytes > 0 || report->replayed > 0 ||
        report->cut_bytes > 0 || report->detail[0] != '\0')
        return;
    monitor_enter(&set->monitor);
    replica->report = NULL;
    monitor_leave(&set->monitor);
    mem_free(report);
}

/* The checkpoints could not be written: it is tried again like others that found no room. */
static void open_later(struct replica *replica)
{
    struct replica_set *set = replica->set;
    struct log_open_report *report = replica->report;
    monitor_enter(&set->monitor);
    replica->error = ERR_NO_SPACE;
    snprintf(report->detail, sizeof(report->detail),
             "the checkpoints there tell of another topic by this name, and cannot be written");
    monitor_leave(&set->monitor);
}

/* As if it had not been tried: its turn comes again, from this list. */
static void open_again(struct replica_set *set, struct replica *replica, struct list *turn)
{
    set->dir_partitions[replica->dir]--;
    monitor_enter(&set->monitor);
    replica->error = ERR_OK;
    set->offline_count--;
    monitor_leave(&set->monitor);
    opening_progress_postponed(&set->progress, &replica->opening);
    mem_free(replica->report);
    replica->report = NULL;
    list_push_back(turn, &replica->link);
    set->follow.opening--;
    replica_set_follow_step(set);
}

void replica_give_up_dir(struct replica *replica, enum err e)
{
    char what[PARTITION_TOPIC_NAME_SIZE + 16];
    snprintf(what, sizeof(what), "%s-%d", replica->topic, replica->index);
    replica_set_dir_failed(replica->set, replica->dir, e, what);
    replica->given_up++;
}

/* It could not be made: the disk is bad, and another may be good. */
static void place_again(struct replica_set *set, struct replica *replica)
{
    replica_give_up_dir(replica, replica->error);
    replica->has_waited = false;
    open_again(set, replica, &set->follow.to_open);
}

/* The directory's checkpoints name another one: once they are written it is opened. */
static void await_name(struct replica_set *set, struct replica *replica)
{
    replica->has_waited = true;
    replica_set_forget_one_found(set, replica->topic, replica->index, replica->dir);
    if (replica->is_placed) /* there, where somebody may have wished it */
        replica_set_prefer_dir(set, replica->topic, replica->index, replica->dir);
    open_again(set, replica, &set->follow.stale);
}

static void opened_on_loop(struct loop_task *task)
{
    struct loop_call *call = container_of(task, struct loop_call, task);
    struct replica *replica = call->replica;
    struct replica_set *set = replica->set;
    mem_free(call);
    ASSERT(loop_is_current(set->options.loop));
    ASSERT(set->follow.opening > 0);
    ASSERT((replica->error == ERR_OK) == (replica->partition != NULL));
    const struct log_open_report *report = replica->report;
    if (err_is_of_disk(replica->error) && replica->is_placed) {
        place_again(set, replica);
        return;
    }
    if (replica->error == ERR_AGAIN && !replica->has_waited) {
        await_name(set, replica);
        return;
    }
    if (replica->error == ERR_AGAIN)
        open_later(replica);
    if (replica->partition != NULL && replica_set_dir_is_offline(set, replica->dir))
        partition_fail(replica->partition); /* since it was opened, and before others saw it */
    if (replica->error != ERR_OK)
        log_error(set->env, "%s-%d is offline: %s%s%s", replica->topic, replica->index,
                  err_text(replica->error), report->detail[0] != '\0' ? ": " : "", report->detail);
    else if (report->cut_below_recovery_point)
        log_error(set->env, "%s-%d: records are missing: %s", replica->topic, replica->index,
                  report->detail);
    else if (report->cut_bytes > 0)
        log_warn(set->env, "%s-%d: %lld bytes behind the last whole batch were cut%s: %s",
                 replica->topic, replica->index, (long long)report->cut_bytes,
                 report->found_rot ? " and kept in a side file (damaged, not torn)" : "",
                 report->detail);
    else if (report->missing_offsets > 0)
        log_warn(set->env, "%s-%d: %lld offsets are missing between segments: %s", replica->topic,
                 replica->index, (long long)report->missing_offsets, report->detail);
    opening_progress_finished(&set->progress, &replica->opening, replica->error == ERR_OK);
    forget_report(set, replica);
    if (err_may_pass(replica->error))
        replica_set_reopen_add(set, replica);
    replica_cleaner_follow(set->cleaner, replica, replica->config.cleanup_compact);
    set->follow.opening--;
    replica_set_follow_step(set);
}

/* It was to go to the log directory with this id. With all in service it would have been found
 * there, or where it went from there. */
static bool may_stay(void *arg, struct uuid to)
{
    struct replica_set *set = arg;
    if (replica_set_is_any_dir_offline(set))
        return false;
    for (size_t i = 0; i < set->options.dir_count; i++) {
        if (uuid_equals(log_dir_identity(set->options.dirs[i])->directory_id, to))
            return true;
    }
    return false;
}

/* A crash came after the metadata forgot the old topic, and before its directory was gone. */
static enum err set_namesake_aside(const struct replica *replica)
{
    enum err e = replica_set_set_aside(replica->set, replica->dir, replica->topic, replica->index,
                                       REPLICA_OF_ANOTHER_TOPIC);
    return e == ERR_OK ? ERR_AGAIN : e;
}

enum err replica_open(struct replica *replica, const struct topic_config *config,
                      int32_t leader_epoch, struct log_open_report *report, struct partition **out)
{
    struct replica_set *set = replica->set;
    struct partition_owner owner = {set,          &set->stats,        replica_storage_failed,
                                    replica_due,  replica_save_start, replica_journal_used,
                                    replica_round};
    struct partition_options options = {
        .topic = replica->topic,
        .topic_id = replica->topic_id,
        .index = replica->index,
        .dir = set->options.dirs[replica->dir],
        .files = set->files,
        .config = config,
        .leader_epoch = leader_epoch,
        .was_offline = replica->reopen != NULL,
        .waits_for_epoch = atomic_load(&set->waits_for_epochs),
        .owner = &owner,
        .scanned = &set->progress.scanned,
        .moved = replica->is_placed ? replica->given_up : 0,
        .stays_here = may_stay,
        .stays_arg = set,
    };
    if (log_dir_checkpoint_is_stale(options.dir, options.topic, options.index))
        return ERR_AGAIN;
    enum err e = partition_open(set->env, &options, report, out);
    return e == ERR_CONFLICT ? set_namesake_aside(replica) : log_dir_judge(options.dir, e);
}

static bool open_on_worker(struct env_job *job)
{
    struct replica *replica = container_of(job, struct replica, job);
    struct replica_set *set = replica->set;
    struct partition *partition = NULL;
    struct loop_call *call = mem_alloc(sizeof(*call));
    *call = (struct loop_call){.task = {.run = opened_on_loop}, .replica = replica};
    enum err e =
        replica_open(replica, &replica->config, replica->leader_epoch, replica->report, &partition);
    monitor_enter(&set->monitor);
    replica->error = e;
    replica->partition = partition;
    replica->opened_ms = env_wall_ms(set->env);
    set->recovered_bytes += replica->report->scanned_bytes;
    set->cut_bytes += replica->report->cut_bytes;
    if (e != ERR_OK)
        set->offline_count++;
    monitor_leave(&set->monitor);
    if (e != ERR_OK)
        atomic_store(&set->has_failed, true);
    loop_post(set->options.loop, &call->task);
    return false;
}

static struct log_open_report *report_torn(void)
{
    struct log_open_report *report = mem_alloc(sizeof(*report));
    snprintf(report->detail, sizeof(report->detail),
             "it is in more than one log directory, and one could not be asked which counts: the "
             "next start asks again");
    return report;
}

static struct log_open_report *report_missing(const struct replica_set *set)
{
    const struct log_dirs *missing = set->options.missing;
    struct log_open_report *report = mem_alloc(sizeof(*report));
    struct strbuf text;
    strbuf_init(&text);
    for (size_t i = 0; i < missing->count; i++)
        strbuf_printf(&text, "%s%s", i > 0 ? ", " : "", missing->entries[i].path);
    snprintf(report->detail, sizeof(report->detail), "%s", strbuf_text(&text));
    strbuf_deinit(&text);
    return report;
}

static void start_opening(struct replica_set *set, struct replica *replica)
{
    ASSERT(replica->partition == NULL && replica->error == ERR_OK);
    enum replica_place place =
        replica_set_find_dir(set, replica->topic, replica->index, replica->topic_id, &replica->dir);
    /* What was there before and is not found may lie in a directory that failed: it is not begun
     * anew elsewhere. */
    replica->is_placed =
        place == REPLICA_IS_NOWHERE && !(set->follow.is_first && set->has_lost_dir);
    if (replica->is_placed)
        replica->dir = replica_set_take_preferred_dir(set, replica->topic, replica->index);
    if (replica->is_placed && replica->dir == SIZE_MAX)
        replica->dir = replica_set_pick_dir(set);
    if (replica->dir != SIZE_MAX && replica_set_dir_is_offline(set, replica->dir))
        replica->dir = SIZE_MAX;
    if (replica->dir == SIZE_MAX) {
        bool is_missed = place == REPLICA_IS_NOWHERE && atomic_load(&set->has_missing);
        monitor_enter(&set->monitor);
        replica->error = is_missed ? ERR_NOT_FOUND : ERR_IO;
        replica->report = place == REPLICA_IS_TORN ? report_torn()
                          : is_missed              ? report_missing(set)
                                                   : NULL;
        replica->opened_ms = env_wall_ms(set->env);
        set->offline_count++;
        monitor_leave(&set->monitor);
        atomic_store(&set->has_failed, true);
        return;
    }
    set->dir_partitions[replica->dir]++;
    set->follow.opening++;
    replica->opening = (struct opening){.topic = replica->topic, .index = replica->index};
    opening_progress_started(&set->progress, &replica->opening);
    replica->report = mem_alloc(sizeof(*replica->report));
    replica->job = (struct env_job){.run = open_on_worker, .queue = ENV_QUEUE_READ};
    env_submit(set->env, &replica->job);
}

static void closed_on_loop(struct loop_task *task)
{
    struct loop_call *call = container_of(task, struct loop_call, task);
    struct replica *replica = call->replica;
    struct replica_set *set = replica->set;
    if (call->doomed != NULL)
        replica_set_doomed_add(set, call->doomed);
    mem_free(call);
    ASSERT(loop_is_current(set->options.loop));
    ASSERT(set->follow.closing > 0);
    if (replica->error != ERR_OK) {
        log_error(set->env, "%s-%d: closing failed: %s", replica->topic, replica->index,
                  err_text(replica->error));
        set->follow.error = replica->error;
    }
    set->follow.closing--;
    if (replica->dir != SIZE_MAX)
        set->dir_partitions[replica->dir]--;
    replica_free(replica);
    replica_set_follow_step(set);
}

/* On a worker: the log is closed. When the topic is gone its directory is renamed away, to go
 * later.
 */
static void replica_closed(void *arg, enum err e)
{
    struct replica *replica = arg;
    struct replica_set *set = replica->set;
    struct doomed_dir *doomed = NULL;
    char path[4096], renamed[LOG_PATH_SIZE] = "";
    bool has_dir = replica->dir != SIZE_MAX && !replica_set_dir_is_offline(set, replica->dir);
    if (!set->follow.is_stopping && has_dir) {
        struct log_dir *dir = set->options.dirs[replica->dir];
        log_dir_checkpoint_drop(dir, replica->topic, replica->index);
        if (log_dir_partition_path(dir, replica->topic, replica->index, path, sizeof(path)))
            e = partition_log_doom_dir(set->env, path, renamed);
        if (e == ERR_OK && renamed[0] != '\0')
            doomed = replica_set_doomed_new(set->env, renamed);
    }
    if (set->follow.is_stopping && replica->dir != SIZE_MAX && !has_dir)
        e = ERR_OK; /* its directory is not marked clean as it is, and others may be */
    replica->error = e;
    struct loop_call *call = mem_alloc(sizeof(*call));
    *call =
        (struct loop_call){.task = {.run = closed_on_loop}, .replica = replica, .doomed = doomed};
    loop_post(set->options.loop, &call->task);
}

/* It was found nowhere: whatever there is of it lies in a log directory that is missing. */
static bool is_missed(const struct replica *replica)
{
    return replica->dir == SIZE_MAX && replica->error == ERR_NOT_FOUND;
}

/* At a stop a log that could not be opened is not clean: the next start has to look again. */
static bool close_unopened(struct env_job *job)
{
    struct replica *replica = container_of(job, struct replica, job);
    bool is_unclean = replica->set->follow.is_stopping && !is_missed(replica);
    replica_closed(replica, is_unclean ? replica->error : ERR_OK);
    return false;
}

void replica_set_close_released(struct replica_set *set, struct replica *replica)
{
    ASSERT(loop_is_current(set->options.loop) && set->follow.closing > 0);
    ASSERT(replica->cleaned == NULL);
    if (replica->partition != NULL) {
        due_queue_close(&set->due, partition_due_place(replica->partition));
        partition_close(replica->partition, set->follow.is_stopping, replica_closed, replica);
    } else {
        replica->job = (struct env_job){.run = close_unopened, .queue = ENV_QUEUE_BACKGROUND};
        env_submit(set->env, &replica->job);
    }
}

static void start_closing(struct replica_set *set, struct replica *replica)
{
    set->follow.closing++;
    if (!replica_reopen_give_up(replica) ||
        !replica_move_release(replica, !set->follow.is_stopping))
        return;
    if (replica_cleaner_release(set->cleaner, replica))
        replica_set_close_released(set, replica);
}

void replica_set_close_now(struct replica_set *set, struct replica *replica)
{
    ASSERT(set->follow.closing > 0);
    set->follow.closing--;
    start_closing(set, replica);
}

void replica_set_follow_end(struct replica_set *set)
{
    ASSERT(set->is_following);
    ASSERT(set->follow.opening == 0 && set->follow.closing == 0);
    struct follow follow = set->follow;
    set->follow = (struct follow){0};
    set->is_following = false;
    opening_progress_end(&set->progress);
    if (follow.is_first)
        replica_set_moves_resume(set, follow.after);
    else if (!follow.is_stopping) /* what could not be opened may have been deleted */
        replica_set_settle_journals(set);
    image_unref(follow.after);
    if (follow.is_stopping)
        follow.closed(follow.arg, follow.error);
    else
        follow.done(follow.arg);
}

/* Closing first; then opening, a bounded number at a time; then the end. */
void replica_set_follow_step(struct replica_set *set)
{
    struct follow *follow = &set->follow;
    ASSERT(set->is_following);
    for (struct list *node; (node = list_pop_front(&follow->to_close)) != NULL;)
        start_closing(set, container_of(node, struct replica, link));
    if (follow->closing > 0)
        return;
    if (follow->is_stopping) {
        replica_set_finish_stop(set);
        return;
    }
    while (follow->opening < follow->opening_max && !list_is_empty(&follow->to_open))
        start_opening(set, container_of(list_pop_front(&follow->to_open), struct replica, link));
    bool waits = !list_is_empty(&follow->stale) || !list_is_empty(&follow->stale_now);
    if (!list_is_empty(&follow->stale))
        replica_set_checkpoint_now(set);
    if (follow->opening == 0 && !waits && list_is_empty(&follow->to_open))
        replica_set_follow_end(set);
}

/* Out of the table at once, so that nobody finds it any more. */
static void take_out(struct replica_set *set, struct replica *replica)
{
    monitor_enter(&set->monitor);
    map_remove(&set->table, &replica->node);
    if (replica->error != ERR_OK)
        set->offline_count--;
    monitor_leave(&set->monitor);
    list_push_back(&set->follow.to_close, &replica->link);
}

static void add_replica(struct replica_set *set, const struct topic_image *topic, int32_t index,
                        const struct topic_config *config)
{
    struct replica *replica = mem_alloc(sizeof(*replica));
    replica->set = set;
    replica->topic_id = topic_id(topic);
    replica->index = index;
    replica->config = *config;
    replica->leader_epoch = topic_partition(topic, index)->leader_epoch;
    replica->topic = mem_strdup(topic_name(topic));
    list_init(&replica->link);
    monitor_enter(&set->monitor);
    ASSERT(replica_set_lookup(set, replica->topic_id, index) == NULL);
    map_insert(&set->table, &replica->node, replica_hash(replica->topic_id, index));
    monitor_leave(&set->monitor);
    list_push_back(&set->follow.to_open, &replica->link);
    set->follow.to_open_count++;
}

static void follow_partition(struct replica_set *set, const struct topic_delta *delta,
                             int32_t index, const struct topic_config *config)
{
    const struct topic_image *topic = delta->after != NULL ? delta->after : delta->before;
    const struct partition_image *after =
        delta->after != NULL ? topic_partition(delta->after, index) : NULL;
    bool is_ours = after != NULL && partition_has_replica(after, set->options.node_id);
    monitor_enter(&set->monitor);
    struct replica *replica = replica_set_lookup(set, topic_id(topic), index);
    struct partition *partition = replica != NULL ? replica->partition : NULL;
    monitor_leave(&set->monitor);
    if (replica == NULL && is_ours)
        add_replica(set, topic, index, config);
    else if (replica != NULL && !is_ours)
        take_out(set, replica);
    else if (partition != NULL && after->leader == set->options.node_id)
        partition_lead(partition, after->leader_epoch);
    else if (replica != NULL && after->leader == set->options.node_id)
        replica_reopen_lead(replica, after->leader_epoch);
}

static void config_offline(struct replica_set *set, struct uuid topic_id, int32_t index,
                           const struct topic_config *config)
{
    monitor_enter(&set->monitor);
    struct replica *replica = replica_set_lookup(set, topic_id, index);
    monitor_leave(&set->monitor);
    if (replica != NULL)
        replica_reopen_config(replica, config);
}

static void follow_config(struct replica_set *set, const struct topic_image *topic,
                          const struct topic_config *config)
{
    for (int32_t i = 0; i < topic_partition_count(topic); i++) {
        enum kerr error;
        struct partition *partition = replica_set_find(set, topic_id(topic), i, &error);
        if (partition != NULL)
            partition_set_config(partition, config);
        else
            config_offline(set, topic_id(topic), i, config);
        monitor_enter(&set->monitor);
        struct replica *replica = replica_set_lookup(set, topic_id(topic), i);
        monitor_leave(&set->monitor);
        if (replica != NULL) /* only the loop takes one out */
            replica_cleaner_follow(set->cleaner, replica, config->cleanup_compact);
        partition_unref(partition);
    }
}

static void follow_topic(struct replica_set *set, const struct topic_delta *delta)
{
    struct topic_config config = {0};
    if (delta->after != NULL)
        config = config_of(set, delta->after);
    if (delta->before != NULL && delta->after != NULL && topic_delta_configs_changed(delta))
        follow_config(set, delta->after, &config);
    for (int32_t i = topic_delta_next_partition(delta, 0); i >= 0;
         i = topic_delta_next_partition(delta, i + 1))
        follow_partition(set, delta, i, &config);
}

/* What is set for this broker and for all of them while they run. */
static void follow_layers(struct replica_set *set, const struct image *after)
{
    struct config_layers layers;
    if (config_layers_of_image(after, set->options.node_id, &set->options.layers->fixed, &layers) !=
        ERR_OK) {
        log_error(set->env, "no memory for the configuration that was set: the old one stays");
        return;
    }
    config_layers_release(&set->layers);
    set->layers = layers;
    replica_set_doomed_arm(set);
    replica_set_moves_follow(set);
    replica_cleaner_configure(set->cleaner);
}

const struct config_layers *replica_set_layers(const struct replica_set *set)
{
    ASSERT(loop_is_current(set->options.loop));
    return &set->layers;
}

/* The defaults of all topics are others now. */
static void follow_defaults(struct replica_set *set, const struct image *after)
{
    struct topic_cursor cursor;
    const struct topic_image *topic = topic_cursor_first(&cursor, after);
    for (; topic != NULL; topic = topic_cursor_next(&cursor)) {
        struct topic_config config = config_of(set, topic);
        follow_config(set, topic, &config);
    }
}

void replica_set_wait_for_epochs(struct replica_set *set, bool should_wait)
{
    atomic_store(&set->waits_for_epochs, should_wait);
}

/* What was stopped cleanly is opened without reading much, and at a start nobody waits for a read:
 * then as many are asked for as keep all workers busy between two turns of this loop. */
static uint32_t opening_max_of(const struct replica_set *set, bool is_first)
{
    bool is_clean = true;
    for (size_t i = 0; i < set->options.dir_count; i++)
        is_clean = is_clean && log_dir_was_clean(set->options.dirs[i]);
    return is_first && is_clean ? MAX(set->options.opening_max, (uint32_t)OPENING_MAX_CLEAN)
                                : set->options.opening_max;
}

void replica_set_follow(struct replica_set *set, struct image *after,
                        const struct image_delta *delta, void (*done)(void *arg), void *arg)
{
    ASSERT(!set->is_following && !set->is_closed);
    bool is_first = set->timer.fire == NULL;
    set->is_following = true;
    set->follow =
        (struct follow){.after = image_ref(after), .is_first = is_first, .done = done, .arg = arg};
    set->follow.opening_max = opening_max_of(set, is_first);
    list_init(&set->follow.to_open);
    list_init(&set->follow.to_close);
    list_init(&set->follow.stale);
    list_init(&set->follow.stale_now);
    if (is_first || delta->configs_changed)
        follow_layers(set, after);
    for (size_t i = 0; i < delta->topic_count; i++)
        follow_topic(set, &delta->topics[i]);
    if (!is_first && delta->configs_changed)
        follow_defaults(set, after);
    if (is_first) {
        replica_set_timer_start(set);
        replica_set_rooms_start(set);
        replica_set_scrub_start(set);
    }
    if (set->follow.to_open_count > 0)
        opening_progress_begin(&set->progress, set->env, set->options.loop,
                               set->follow.to_open_count);
    replica_set_follow_step(set);
}

/* ---- closing all */

void replica_set_close(struct replica_set *set, void (*done)(void *arg, enum err e), void *arg)
{
    ASSERT(!set->is_following && !set->is_closed);
    set->is_closed = true;
    set->is_following = true;
    replica_set_timer_stop(set);
    replica_set_doomed_stop(set);
    replica_set_reopen_stop(set);
    set->follow = (struct follow){.is_stopping = true, .closed = done, .arg = arg};
    list_init(&set->follow.to_open);
    list_init(&set->follow.to_close);
    list_init(&set->follow.stale);
    list_init(&set->follow.stale_now);
    monitor_enter(&set->monitor);
    MAP_FOR_EACH (node, &set->table) {
        struct replica *replica = container_of(node, struct replica, node);
        map_remove(&set->table, node);
        list_push_back(&set->follow.to_close, &replica->link);
    }
    monitor_leave(&set->monitor);
    replica_set_follow_step(set);
}

/* ---- looking */

void replica_set_each(struct replica_set *set, void (*each)(void *arg, struct partition *p),
                      void *arg)
{
    monitor_enter(&set->monitor);
    size_t count = 0;
    struct partition **all = mem_alloc((set->table.count + 1) * sizeof(struct partition *));
    MAP_FOR_EACH (node, &set->table) {
        struct replica *replica = container_of(node, struct replica, node);
        if (replica->partition != NULL)
            all[count++] = partition_ref(replica->partition);
    }
    monitor_leave(&set->monitor);
    for (size_t i = 0; i < count; i++) {
        each(arg, all[i]);
        partition_unref(all[i]);
    }
    mem_free(all);
}

const struct scrub_stats *replica_set_scrub_stats(const struct replica_set *set)
{
    return &set->scrub_stats;
}

const struct log_stats *replica_set_log_stats(const struct replica_set *set)
{
    return &set->stats;
}

void replica_set_file_stats(struct replica_set *set, struct file_cache_stats *out)
{
    file_cache_stats(set->files, out);
}

const struct cleaner_stats *replica_set_cleaner_stats(const struct replica_set *set)
{
    return set->cleaner != NULL ? replica_cleaner_stats(set->cleaner) : NULL;
}

void replica_set_counts(struct replica_set *set, struct replica_set_counts *out)
{
    monitor_enter(&set->monitor);
    *out = (struct replica_set_counts){
        .partitions = (uint32_t)set->table.count,
        .offline = set->offline_count,
        .recovered_bytes = set->recovered_bytes,
        .cut_bytes = set->cut_bytes,
    };
    monitor_leave(&set->monitor);
}
