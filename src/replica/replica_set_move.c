// SPDX-License-Identifier: Apache-2.0
/*
 * replica_set_move: see replica_set_move.h.
 *
 * A move goes through these phases:
 *   making    the new directory, so that the next start knows of it;
 *   queued    for its turn, and for the cleaner, which leaves partitions alone that move;
 *   copying   pieces, by a worker; paused where the rate or a full disk says so;
 *   leaving   commits sync their segments themselves, until the journal has nothing of it;
 *   announced the new directory's checkpoints are to say what they must not lose; saving: are
 *             being written;
 *   switching the partition's job copies what is left and goes over (partition_move.h).
 * One that is called off goes to clearing, where a worker removes the copy.
 *
 * Thread: the set's loop, where nothing else is said.
 */
#include "replica/replica_set_move.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "base/mem.h"
#include "env/logger.h"
#include "log/journal.h"
#include "log/log_copy.h"
#include "log/log_file.h"
#include "metadata/config.h"
#include "replica/partition_move.h"
#include "replica/replica_move_private.h"

enum {
    PAUSE_NS_MIN = 20000000,   /* shorter ones are saved up */
    NO_ROOM_NS = 1000000000,   /* then it is tried again */
    LEAVING_NS = 10000000,     /* the journal is asked again */
    LEAVING_LOOKS_TOLD = 1000, /* that it takes long is told then */
    CAUGHT_UP_BYTES = 1 << 20, /* so little the partition's job may copy */
    PIECES_PER_SECOND = 20,    /* where the rate is limited */
    PIECE_BYTES_MIN = 4096,
};

enum move_phase {
    MOVE_MAKING,
    MOVE_QUEUED,
    MOVE_COPYING,
    MOVE_PAUSED,
    MOVE_LEAVING,
    MOVE_ANNOUNCED,
    MOVE_SAVING,
    MOVE_SWITCHING,
    MOVE_CLEARING,
};

struct replica_move {
    struct list link; /* [set->monitor] in replica_set_moves.all */
    struct replica_set *set;
    struct replica *replica;
    struct partition *partition; /* one reference */
    struct log_copy *copy;
    struct log_copy *shown; /* [set->monitor] the same, for who asks; NULL: it goes */
    size_t from;
    size_t to;
    enum move_phase phase;
    bool is_running; /* has one of the turns */
    bool is_announced;
    bool removes;       /* with wants_stop: the copy goes */
    bool wants_close;   /* the replica waits to be closed */
    bool was_told_full; /* that it waits for room */
    uint32_t looks;     /* at the journal */
    size_t then_to;     /* where it was asked to go meanwhile; SIZE_MAX: nowhere */
    int64_t began_ns;
    atomic_bool wants_stop;
    struct loop_timer timer;
    struct loop_task task;
    struct partition_switch sw;
    struct doomed_dir *doomed; /* what was left behind */
    /* The job's, while it is busy: */
    struct env_job job;
    bool has_source;
    int64_t round_bytes; /* of this source */
    enum err error;
};

/* ---- small things */

static const char *dir_path(const struct replica_move *move, size_t dir)
{
    return log_dir_path(move->set->options.dirs[dir]);
}

static struct replica_set_moves *moves_of(const struct replica_move *move)
{
    return move->set->moves;
}

static uint32_t running_max(const struct replica_set *set)
{
    const char *text =
        config_layers_get(&set->layers, CONFIG_BROKER_NUM_REPLICA_ALTER_LOG_DIRS_THREADS, NULL);
    int64_t threads = 0;
    if (text == NULL || config_parse_long(text, &threads) != ERR_OK)
        threads = (int64_t)set->options.dir_count;
    return (uint32_t)MIN(MAX(threads, (int64_t)1), (int64_t)INT32_MAX);
}

static void wait_on_loop(struct replica_move *move, enum move_phase phase, int64_t ns,
                         void (*fire)(struct loop_timer *timer))
{
    move->phase = phase;
    move->timer.fire = fire;
    loop_timer_start(move->set->options.loop, &move->timer, env_mono_ns(move->set->env) + ns);
}

/* ---- the end */

static void start_queued(struct replica_set *set);

static void ended(struct replica_move *move)
{
    struct replica_set *set = move->set;
    struct replica *replica = move->replica;
    size_t then_to = move->then_to;
    bool wants_close = move->wants_close;
    monitor_enter(&set->monitor);
    list_remove(&move->link);
    monitor_leave(&set->monitor);
    replica->move = NULL;
    moves_of(move)->running -= move->is_running;
    ASSERT(move->copy == NULL && move->doomed == NULL);
    partition_unref(move->partition);
    mem_free(move);
    if (wants_close)
        replica_set_close_now(set, replica);
    else if (then_to != SIZE_MAX && then_to != replica->dir)
        replica_move_start(set, replica, then_to, NULL);
    start_queued(set);
}

static void cleared_on_loop(struct loop_task *task)
{
    struct replica_move *move = container_of(task, struct replica_move, task);
    if (move->error != ERR_OK)
        log_warn(move->set->env, "what was copied of %s-%d to %s could not be removed: %s",
                 move->replica->topic, move->replica->index, dir_path(move, move->to),
                 err_text(move->error));
    ended(move);
}

static bool clear_on_worker(struct env_job *job)
{
    struct replica_move *move = container_of(job, struct replica_move, job);
    move->error = ERR_OK;
    if (move->removes)
        move->error = log_file_remove_dir(move->set->env, log_copy_dir(move->copy));
    if (move->error == ERR_NOT_FOUND)
        move->error = ERR_OK;
    log_copy_free(move->copy);
    move->copy = NULL;
    loop_post(move->set->options.loop, &move->task);
    return false;
}

/* The partition stays where it is. `removes`: the copy goes; else it tells the next start. */
static void clear(struct replica_move *move, bool removes)
{
    loop_timer_stop(move->set->options.loop, &move->timer);
    monitor_enter(&move->set->monitor);
    move->shown = NULL;
    monitor_leave(&move->set->monitor);
    partition_leave_journal(move->partition, false);
    if (move->is_announced)
        log_dir_checkpoint_drop(move->set->options.dirs[move->to], move->replica->topic,
                                move->replica->index);
    move->phase = MOVE_CLEARING;
    move->removes = removes;
    move->task = (struct loop_task){.run = cleared_on_loop};
    move->job = (struct env_job){.run = clear_on_worker, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(move->set->env, &move->job);
}

static void give_up(struct replica_move *move, enum err e, bool blames_source)
{
    struct replica_set *set = move->set;
    char what[PARTITION_TOPIC_NAME_SIZE + 64];
    log_error(set->env, "%s-%d stays in %s and does not move to %s: %s%s", move->replica->topic,
              move->replica->index, dir_path(move, move->from), dir_path(move, move->to),
              err_text(e), blames_source ? " where it is" : "");
    snprintf(what, sizeof(what), "a copy of %s-%d", move->replica->topic, move->replica->index);
    bool lost_dir = err_is_of_disk(e) && !blames_source;
    if (lost_dir)
        replica_set_dir_failed(set, move->to, e, what);
    /* Where the original is damaged, what there is of a copy may be all that is left. */
    clear(move, !lost_dir && !blames_source && !replica_set_dir_is_offline(set, move->from));
}

/* Called off meanwhile, or one of its directories failed. */
static bool is_over(struct replica_move *move)
{
    if (atomic_load(&move->wants_stop))
        clear(move, move->removes);
    else if (replica_set_dir_is_offline(move->set, move->to))
        clear(move, false);
    else
        return false;
    return true;
}

/* ---- copying */

static int64_t piece_bytes(const struct replica_move *move)
{
    int64_t part = pacer_rate(&moves_of(move)->pacer) / PIECES_PER_SECOND;
    return MIN(MAX(part, (int64_t)PIECE_BYTES_MIN), (int64_t)LOG_COPY_PIECE_BYTES);
}

/* On a worker. ERR_AGAIN: a pause is owed. ERR_NOT_FOUND: little is missing. */
static enum err copy_piece(struct replica_move *move)
{
    struct disk_room *room = log_dir_room(move->set->options.dirs[move->to]);
    if (atomic_load(&move->wants_stop))
        return ERR_CLOSED;
    if (disk_room_is_low(room))
        return ERR_NO_SPACE;
    if (!move->has_source) {
        struct log_segments source;
        enum err e = partition_copy_source(move->partition, &source);
        if (e != ERR_OK)
            return e;
        log_copy_take(move->copy, &source);
        move->has_source = true;
        move->round_bytes = 0;
    }
    int64_t bytes = 0;
    enum err e = log_copy_step(move->copy, piece_bytes(move), &bytes);
    move->round_bytes += bytes;
    bool is_elsewhere = e == ERR_NOT_FOUND || log_copy_blames_source(move->copy);
    disk_room_wrote(room, env_mono_ns(move->set->env), bytes, is_elsewhere ? ERR_OK : e);
    if (e == ERR_NOT_FOUND) {
        move->has_source = false;
        return move->round_bytes <= CAUGHT_UP_BYTES ? ERR_NOT_FOUND : ERR_OK;
    }
    if (e != ERR_OK)
        return e;
    int64_t owed_ns = pacer_owe(&moves_of(move)->pacer, bytes, env_mono_ns(move->set->env));
    return owed_ns >= PAUSE_NS_MIN ? ERR_AGAIN : ERR_OK;
}

static bool copy_on_worker(struct env_job *job)
{
    struct replica_move *move = container_of(job, struct replica_move, job);
    move->error = copy_piece(move);
    if (move->error == ERR_OK)
        return true;
    loop_post(move->set->options.loop, &move->task);
    return false;
}

static void copied_on_loop(struct loop_task *task);

static void copy(struct replica_move *move)
{
    move->phase = MOVE_COPYING;
    move->task = (struct loop_task){.run = copied_on_loop};
    move->job = (struct env_job){.run = copy_on_worker, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(move->set->env, &move->job);
}

static void pause_is_over(struct loop_timer *timer)
{
    struct replica_move *move = container_of(timer, struct replica_move, timer);
    if (!is_over(move))
        copy(move);
}

static void wait_until_paid(struct replica_move *move)
{
    int64_t owed_ns = pacer_paid_until_ns(&moves_of(move)->pacer) - env_mono_ns(move->set->env);
    wait_on_loop(move, MOVE_PAUSED, MAX(owed_ns, (int64_t)1), pause_is_over);
}

/* In the new directory or, for what the log holds and has not written, where it is. */
static void wait_for_room(struct replica_move *move, enum err e,
                          void (*again)(struct loop_timer *timer))
{
    bool is_at_source = move->copy != NULL && log_copy_blames_source(move->copy);
    if (!move->was_told_full)
        log_warn(move->set->env, "%s-%d waits on its way to %s: %s%s%s", move->replica->topic,
                 move->replica->index, dir_path(move, move->to), err_text(e),
                 is_at_source ? " in " : "", is_at_source ? dir_path(move, move->from) : "");
    move->was_told_full = true;
    wait_on_loop(move, MOVE_PAUSED, NO_ROOM_NS, again);
}

static void leave_journal(struct replica_move *move);

static void copied_on_loop(struct loop_task *task)
{
    struct replica_move *move = container_of(task, struct replica_move, task);
    enum err e = move->error;
    if (is_over(move))
        return;
    if (e == ERR_AGAIN)
        wait_until_paid(move);
    else if (err_may_pass(e))
        wait_for_room(move, e, pause_is_over);
    else if (e == ERR_NOT_FOUND)
        leave_journal(move);
    else
        give_up(move, e, log_copy_blames_source(move->copy) || e == ERR_CLOSED);
}

/* ---- leaving the journal */

static void announce(struct replica_move *move);

static void look_at_journal(struct loop_timer *timer)
{
    struct replica_move *move = container_of(timer, struct replica_move, timer);
    if (is_over(move))
        return;
    if (!partition_is_in_journal(move->partition)) {
        announce(move);
        return;
    }
    struct journal *j = log_dir_journal(move->set->options.dirs[move->from]);
    if (journal_has_failed(j)) /* where no commit was in the group nobody was told */
        replica_set_dir_failed(move->set, move->from, ERR_IO, "its journal");
    struct partition_offsets offsets;
    partition_offsets(move->partition, &offsets);
    if (offsets.error != KERR_NONE) { /* the journal will never be done with it */
        give_up(move, ERR_CLOSED, true);
        return;
    }
    journal_rotate(j);
    if (++move->looks == LEAVING_LOOKS_TOLD)
        log_warn(move->set->env, "%s-%d cannot move yet: the journal of %s still has commits of it",
                 move->replica->topic, move->replica->index, dir_path(move, move->from));
    wait_on_loop(move, MOVE_LEAVING, LEAVING_NS, look_at_journal);
}

static void leave_journal(struct replica_move *move)
{
    partition_leave_journal(move->partition, true);
    move->looks = 0;
    look_at_journal(&move->timer);
}

/* ---- the checkpoints of the new directory */

static void go_over(struct replica_move *move);

static void announce(struct replica_move *move)
{
    move->phase = MOVE_ANNOUNCED;
    move->is_announced = true;
    move->sw.log_start = partition_announce(move->partition, move->set->options.dirs[move->to]);
    if (CANARY(MOVE_UNANNOUNCED))
        go_over(move);
    else
        replica_set_checkpoint_now(move->set);
}

bool replica_set_moves_are_announced(const struct replica_set *set)
{
    LIST_FOR_EACH (node, &set->moves->all) {
        if (container_of(node, struct replica_move, link)->phase == MOVE_ANNOUNCED)
            return true;
    }
    return false;
}

void replica_set_moves_saving(struct replica_set *set)
{
    LIST_FOR_EACH (node, &set->moves->all) {
        struct replica_move *move = container_of(node, struct replica_move, link);
        if (move->phase == MOVE_ANNOUNCED)
            move->phase = MOVE_SAVING;
    }
}

void replica_set_moves_saved(struct replica_set *set)
{
    LIST_FOR_EACH (node, &set->moves->all) {
        struct replica_move *move = container_of(node, struct replica_move, link);
        if (move->phase != MOVE_SAVING)
            continue;
        if (set->dir_saved[move->to] == ERR_OK)
            go_over(move);
        else
            wait_for_room(move, set->dir_saved[move->to], pause_is_over);
    }
}

/* ---- going over */

static void arrived(struct replica_move *move)
{
    struct replica_set *set = move->set;
    struct replica *replica = move->replica;
    char what[PARTITION_TOPIC_NAME_SIZE + 64];
    set->dir_partitions[move->from]--;
    set->dir_partitions[move->to]++;
    replica->dir = move->to;
    if (move->doomed != NULL)
        replica_set_doomed_add(set, move->doomed);
    move->doomed = NULL;
    log_info(set->env, "%s-%d is in %s now: %" PRId64 " bytes in %" PRId64 " ms", replica->topic,
             replica->index, dir_path(move, move->to), log_copy_bytes(move->copy),
             (env_mono_ns(set->env) - move->began_ns) / 1000000);
    if (move->sw.left_behind != ERR_OK && move->sw.left_behind != ERR_IO) {
        log_warn(set->env,
                 "%s-%d has left %s, and its directory there stays until the next start: %s",
                 replica->topic, replica->index, dir_path(move, move->from),
                 err_text(move->sw.left_behind));
    } else if (move->sw.left_behind == ERR_IO) {
        snprintf(what, sizeof(what), "%s-%d, which has left", replica->topic, replica->index);
        replica_set_dir_failed(set, move->from, move->sw.left_behind, what);
    }
    replica_cleaner_moved(set->cleaner, replica);
    if (replica_set_dir_is_offline(set, move->to))
        partition_fail(move->partition); /* since it went over, and before others saw where it is */
    move->is_announced = false;
    clear(move, false);
}

static void switched_on_loop(struct loop_task *task)
{
    struct replica_move *move = container_of(task, struct replica_move, task);
    enum err e = move->sw.result;
    if (e == ERR_OK)
        arrived(move);
    else if (move->sw.is_torn)
        give_up(move, ERR_IO, false);
    else if (is_over(move))
        return;
    else if (e == ERR_AGAIN)
        leave_journal(move);
    else if (err_may_pass(e))
        wait_for_room(move, e, pause_is_over);
    else
        give_up(move, e, log_copy_blames_source(move->copy) || e == ERR_CLOSED);
}

/* On a worker. */
static void switched(struct partition_switch *sw)
{
    struct replica_move *move = container_of(sw, struct replica_move, sw);
    if (sw->doomed != NULL)
        move->doomed = replica_set_doomed_new(move->set->env, sw->doomed);
    mem_free(sw->doomed);
    sw->doomed = NULL;
    loop_post(move->set->options.loop, &move->task);
}

static void go_over(struct replica_move *move)
{
    move->phase = MOVE_SWITCHING;
    move->has_source = false;
    move->task = (struct loop_task){.run = switched_on_loop};
    move->sw = (struct partition_switch){.copy = move->copy,
                                         .to = move->set->options.dirs[move->to],
                                         .log_start = move->sw.log_start,
                                         .done = switched};
    partition_switch_dir(move->partition, &move->sw);
}

/* ---- the begin */

static void start_queued(struct replica_set *set)
{
    LIST_FOR_EACH (node, &set->moves->all) {
        struct replica_move *move = container_of(node, struct replica_move, link);
        if (set->moves->running >= running_max(set))
            return;
        if (move->phase != MOVE_QUEUED || !replica_cleaner_pause(set->cleaner, move->replica))
            continue; /* the cleaner's end comes back here */
        set->moves->running++;
        move->is_running = true;
        copy(move);
    }
}

void replica_set_moves_cleaned(struct replica_set *set)
{
    start_queued(set);
}

static bool make_on_worker(struct env_job *job)
{
    struct replica_move *move = container_of(job, struct replica_move, job);
    move->error = log_copy_begin(move->copy);
    loop_post(move->set->options.loop, &move->task);
    return false;
}

static void made_on_loop(struct loop_task *task);

static void make(struct replica_move *move)
{
    move->phase = MOVE_MAKING;
    move->task = (struct loop_task){.run = made_on_loop};
    move->job = (struct env_job){.run = make_on_worker, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(move->set->env, &move->job);
}

static void make_again(struct loop_timer *timer)
{
    struct replica_move *move = container_of(timer, struct replica_move, timer);
    if (!is_over(move))
        make(move);
}

static void made_on_loop(struct loop_task *task)
{
    struct replica_move *move = container_of(task, struct replica_move, task);
    if (is_over(move))
        return;
    if (err_may_pass(move->error)) {
        wait_for_room(move, move->error, make_again);
    } else if (move->error != ERR_OK) {
        give_up(move, move->error, false);
    } else {
        move->phase = MOVE_QUEUED;
        start_queued(move->set);
    }
}

static bool future_path(const struct replica_set *set, const struct replica *replica, size_t to,
                        char out[LOG_PATH_SIZE])
{
    char path[LOG_PATH_SIZE];
    return log_dir_partition_path(set->options.dirs[to], replica->topic, replica->index, path,
                                  sizeof(path)) &&
           log_file_suffixed(set->env, path, LOG_DIR_FUTURE_SUFFIX, out);
}

void replica_move_start(struct replica_set *set, struct replica *replica, size_t to,
                        const char *found_path)
{
    char path[LOG_PATH_SIZE];
    ASSERT(replica->move == NULL && replica->partition != NULL && to != replica->dir);
    if (found_path == NULL && !future_path(set, replica, to, path)) {
        log_error(set->env, "%s-%d cannot move to %s: its path would be too long", replica->topic,
                  replica->index, log_dir_path(set->options.dirs[to]));
        return;
    }
    struct replica_move *move = mem_alloc(sizeof(*move));
    list_init(&move->link);
    move->set = set;
    move->replica = replica;
    move->partition = partition_ref(replica->partition);
    move->from = replica->dir;
    move->to = to;
    move->then_to = SIZE_MAX;
    move->began_ns = env_mono_ns(set->env);
    move->copy = log_copy_new(set->env, set->files, found_path != NULL ? found_path : path);
    replica->move = move;
    monitor_enter(&set->monitor);
    move->shown = move->copy;
    list_push_back(&set->moves->all, &move->link);
    monitor_leave(&set->monitor);
    log_info(set->env, "%s-%d moves from %s to %s", replica->topic, replica->index,
             dir_path(move, move->from), dir_path(move, move->to));
    make(move);
}

/* What is under way comes back to the loop by itself. */
static void stop(struct replica_move *move, bool removes)
{
    if (move->phase == MOVE_CLEARING)
        return;
    move->removes = removes;
    atomic_store(&move->wants_stop, true);
    if (move->phase != MOVE_MAKING && move->phase != MOVE_COPYING && move->phase != MOVE_SWITCHING)
        clear(move, removes);
}

bool replica_move_release(struct replica *replica, bool removes)
{
    if (replica->move == NULL)
        return true;
    replica->move->wants_close = true;
    stop(replica->move, removes);
    return false;
}

/* ---- from outside */

static size_t dir_of_path(const struct replica_set *set, const char *path)
{
    size_t i = 0;
    while (i < set->options.dir_count && strcmp(log_dir_path(set->options.dirs[i]), path) != 0)
        i++;
    return i < set->options.dir_count ? i : SIZE_MAX;
}

/* As if our ids had the 32 characters of Kafka's. */
static bool has_room_for_suffix(const struct replica_move_request *request)
{
    int len = snprintf(NULL, 0, "%s-%" PRId32 ".", request->topic, request->index);
    return len + 32 + (int)strlen(LOG_DIR_FUTURE_SUFFIX) <= LOG_DIR_NAME_MAX;
}

bool replica_set_is_any_dir_offline(struct replica_set *set)
{
    for (size_t i = 0; i < set->options.dir_count; i++) {
        if (replica_set_dir_is_offline(set, i))
            return true;
    }
    return atomic_load(&set->has_missing);
}

static enum kerr move_replica(struct replica_set *set, struct replica *replica, size_t to)
{
    struct partition_offsets offsets;
    partition_offsets(replica->partition, &offsets);
    if (offsets.error == KERR_KAFKA_STORAGE_ERROR)
        return KERR_KAFKA_STORAGE_ERROR;
    struct replica_move *move = replica->move;
    if (move != NULL && move->to == to && !atomic_load(&move->wants_stop))
        return KERR_NONE;
    if (move != NULL) {
        move->then_to = to;
        stop(move, true);
        return KERR_NONE;
    }
    if (to == replica->dir)
        return KERR_NONE;
    if (replica_set_is_any_dir_offline(set)) /* there could be two copies one day */
        return KERR_KAFKA_STORAGE_ERROR;
    replica_move_start(set, replica, to, NULL);
    return KERR_NONE;
}

enum kerr replica_set_move(struct replica_set *set, const struct replica_move_request *request)
{
    ASSERT(loop_is_current(set->options.loop));
    size_t to = dir_of_path(set, request->dir);
    if (!has_room_for_suffix(request))
        return KERR_INVALID_TOPIC_EXCEPTION;
    if (to == SIZE_MAX)
        return KERR_LOG_DIR_NOT_FOUND;
    if (replica_set_dir_is_offline(set, to))
        return KERR_KAFKA_STORAGE_ERROR;
    if (set->is_closed)
        return KERR_NOT_LEADER_OR_FOLLOWER;
    monitor_enter(&set->monitor);
    struct replica *replica = replica_set_lookup(set, request->topic_id, request->index);
    bool is_open = replica != NULL && replica->partition != NULL;
    bool has_failed = replica != NULL && replica->error != ERR_OK;
    monitor_leave(&set->monitor);
    if (has_failed)
        return KERR_KAFKA_STORAGE_ERROR;
    if (is_open)
        return move_replica(set, replica, to);
    replica_set_prefer_dir(set, request->topic, request->index, to);
    return uuid_is_zero(request->topic_id) ? KERR_UNKNOWN_TOPIC_OR_PARTITION
                                           : KERR_NOT_LEADER_OR_FOLLOWER;
}

struct seen_move {
    struct replica_move_view view;
    struct partition *partition; /* one reference */
};

void replica_set_each_move(struct replica_set *set,
                           void (*each)(void *arg, const struct replica_move_view *move), void *arg)
{
    size_t count = 0;
    monitor_enter(&set->monitor);
    LIST_FOR_EACH (node, &set->moves->all)
        count++;
    struct seen_move *seen = mem_alloc((count + 1) * sizeof(*seen));
    count = 0;
    LIST_FOR_EACH (node, &set->moves->all) {
        struct replica_move *move = container_of(node, struct replica_move, link);
        bool is_there = partition_dir(move->partition) == set->options.dirs[move->to];
        if (move->shown == NULL || is_there)
            continue;
        seen[count++] =
            (struct seen_move){.view = {.to = move->to,
                                        .size_bytes = log_copy_bytes(move->shown),
                                        .lag = log_copy_end_offset(move->shown)}, /* so far */
                               .partition = partition_ref(move->partition)};
    }
    monitor_leave(&set->monitor);
    for (size_t i = 0; i < count; i++) {
        struct partition_offsets offsets;
        struct replica_move_view *view = &seen[i].view;
        partition_offsets(seen[i].partition, &offsets);
        view->topic = partition_topic(seen[i].partition);
        view->topic_id = partition_topic_id(seen[i].partition);
        view->index = partition_index(seen[i].partition);
        view->lag = MAX(offsets.written - view->lag, (int64_t)0);
        each(arg, view);
        partition_unref(seen[i].partition);
    }
    mem_free(seen);
}

void replica_set_moves_follow(struct replica_set *set)
{
    int64_t rate = config_layers_long(&set->layers,
                                      CONFIG_BROKER_REPLICA_ALTER_LOG_DIRS_IO_MAX_BYTES_PER_SECOND);
    if (!pacer_set_rate(&set->moves->pacer, rate, env_mono_ns(set->env)))
        return;
    LIST_FOR_EACH (node, &set->moves->all) {
        struct replica_move *move = container_of(node, struct replica_move, link);
        if (move->phase == MOVE_PAUSED && move->timer.fire == pause_is_over)
            wait_until_paid(move); /* else its directory is still to be made */
    }
}
