// SPDX-License-Identifier: Apache-2.0
/* replica_cleaner: see replica_cleaner.h: whom to compact and when. One round of one partition is
 * in cleaner_run.c. Thread: the set's loop. */
#include "replica/replica_cleaner.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/logger.h"
#include "replica/cleaner_private.h"
#include "replica/partition_clean.h"

struct cleaner_candidate {
    struct cleaner_entry *entry;
    struct partition *partition; /* one reference */
    int64_t first_dirty;
    double ratio;
    bool is_wanted;
};

/* ---- entries */

static void entry_unref(struct cleaner_entry *entry)
{
    ASSERT(entry->refs > 0);
    if (--entry->refs == 0)
        mem_free(entry);
}

static struct log_dir *dir_of(const struct replica_cleaner *cleaner, const struct replica *replica)
{
    ASSERT(replica->dir < cleaner->set->options.dir_count);
    return cleaner->set->options.dirs[replica->dir];
}

/* As Kafka does, the file says so at once: after a crash what it does not say is done again. */
static void save(struct replica_cleaner *cleaner, const struct cleaner_entry *entry)
{
    const struct replica *replica = entry->replica;
    log_dir_checkpoint_set_clean_end(dir_of(cleaner, replica), replica->topic, replica->index,
                                     entry->first_dirty);
    if (!cleaner->set->is_closed) /* a stop writes all of them */
        replica_set_checkpoint_now(cleaner->set);
}

static void arm(struct replica_cleaner *cleaner)
{
    if (list_is_empty(&cleaner->entries))
        return;
    loop_timer_start(cleaner->set->options.loop, &cleaner->timer,
                     env_mono_ns(cleaner->set->env) + cleaner->settings.backoff_ns);
}

static void add_entry(struct replica_cleaner *cleaner, struct replica *replica)
{
    struct cleaner_entry *entry = mem_alloc(sizeof(*entry));
    entry->refs = 1;
    entry->replica = replica;
    entry->gave_up_ns = INT64_MIN;
    entry->first_dirty =
        log_dir_checkpoint_clean_end(dir_of(cleaner, replica), replica->topic, replica->index);
    bool was_empty = list_is_empty(&cleaner->entries);
    list_push_back(&cleaner->entries, &entry->link);
    replica->cleaned = entry;
    atomic_fetch_add_explicit(&cleaner->stats.partitions, 1, memory_order_relaxed);
    if (was_empty && cleaner->run_count == 0 && !cleaner->look_is_busy)
        arm(cleaner);
}

static void remove_entry(struct replica_cleaner *cleaner, struct replica *replica)
{
    struct cleaner_entry *entry = replica->cleaned;
    ASSERT(entry->run == NULL);
    list_remove(&entry->link);
    entry->replica = NULL;
    replica->cleaned = NULL;
    atomic_fetch_sub_explicit(&cleaner->stats.partitions, 1, memory_order_relaxed);
    if (entry->is_uncleanable) {
        atomic_fetch_sub_explicit(&cleaner->stats.uncleanable, 1, memory_order_relaxed);
        replica_note_uncleanable(replica, NULL);
    }
    entry_unref(entry);
    if (list_is_empty(&cleaner->entries))
        loop_timer_stop(cleaner->set->options.loop, &cleaner->timer);
}

void replica_cleaner_follow(struct replica_cleaner *cleaner, struct replica *replica, bool compacts)
{
    if (cleaner == NULL || replica->partition == NULL)
        return;
    if (compacts && replica->cleaned == NULL) {
        add_entry(cleaner, replica);
    } else if (!compacts && replica->cleaned != NULL) {
        if (replica->cleaned->run != NULL) {
            replica->cleaned->wants_out = true;
            cleaner_run_stop(replica->cleaned->run);
        } else {
            remove_entry(cleaner, replica);
        }
    } else if (replica->cleaned != NULL) {
        replica->cleaned->wants_out = false;
    }
}

/* The end of the last thing on a worker may be what a stop waits for. */
static void go_on(struct replica_cleaner *cleaner)
{
    struct replica_set *set = cleaner->set;
    if (set->is_closed && set->is_following && !replica_cleaner_is_busy(cleaner))
        replica_set_follow_step(set);
}

/* ---- closing */

bool replica_cleaner_release(struct replica_cleaner *cleaner, struct replica *replica)
{
    if (cleaner == NULL || replica->cleaned == NULL)
        return true;
    if (replica->cleaned->run == NULL) {
        remove_entry(cleaner, replica);
        return true;
    }
    replica->cleaned->wants_close = true;
    cleaner_run_stop(replica->cleaned->run);
    return false;
}

/* ---- moving */

bool replica_cleaner_pause(struct replica_cleaner *cleaner, struct replica *replica)
{
    if (cleaner == NULL || replica->cleaned == NULL || replica->cleaned->run == NULL)
        return true;
    cleaner_run_stop(replica->cleaned->run);
    return false;
}

void replica_cleaner_moved(struct replica_cleaner *cleaner, struct replica *replica)
{
    if (cleaner != NULL && replica->cleaned != NULL)
        save(cleaner, replica->cleaned);
}

/* ---- whom to compact */

static bool look_at(struct cleaner_candidate *candidate, int64_t now_ms)
{
    struct log_cleanable cleanable;
    struct topic_config config;
    partition_topic_config(candidate->partition, &config);
    if (partition_cleanable(candidate->partition, candidate->first_dirty, now_ms, &cleanable) !=
        ERR_OK)
        return false;
    candidate->ratio = log_cleanable_ratio(&cleanable);
    bool is_late = cleanable.oldest_dirty_ms < now_ms - MAX(config.max_compaction_lag_ms, 0);
    candidate->is_wanted =
        (cleanable.dirty_bytes > 0 && is_late) || candidate->ratio > config.min_cleanable_ratio;
    return true;
}

static bool look_on_worker(struct env_job *job)
{
    struct replica_cleaner *cleaner = container_of(job, struct replica_cleaner, look_job);
    int64_t now_ms = env_wall_ms(cleaner->set->env);
    double dirtiest = 0;
    for (size_t i = 0; i < cleaner->candidate_count; i++) {
        struct cleaner_candidate *candidate = &cleaner->candidates[i];
        if (look_at(candidate, now_ms))
            dirtiest = MAX(dirtiest, candidate->ratio);
    }
    atomic_store_explicit(&cleaner->stats.dirty_max_ppm, (uint32_t)(dirtiest * 1000000),
                          memory_order_relaxed);
    loop_post(cleaner->set->options.loop, &cleaner->looked);
    return false;
}

static int dirtiest_first(const void *a, const void *b)
{
    const struct cleaner_candidate *first = a;
    const struct cleaner_candidate *second = b;
    if (first->is_wanted != second->is_wanted)
        return first->is_wanted ? -1 : 1;
    return (first->ratio < second->ratio) - (first->ratio > second->ratio);
}

static void look(struct replica_cleaner *cleaner)
{
    if (cleaner->look_is_busy || cleaner->set->is_closed ||
        cleaner->run_count >= cleaner->settings.runs_max || list_is_empty(&cleaner->entries))
        return;
    size_t count = (size_t)atomic_load_explicit(&cleaner->stats.partitions, memory_order_relaxed);
    cleaner->candidates = mem_alloc(count * sizeof(*cleaner->candidates));
    cleaner->candidate_count = 0;
    int64_t gave_up_before_ns = env_mono_ns(cleaner->set->env) - cleaner->settings.backoff_ns;
    LIST_FOR_EACH (node, &cleaner->entries) {
        struct cleaner_entry *entry = container_of(node, struct cleaner_entry, link);
        if (entry->run != NULL || entry->is_uncleanable || entry->gave_up_ns > gave_up_before_ns ||
            entry->replica->move != NULL)
            continue;
        ASSERT(cleaner->candidate_count < count);
        entry->refs++;
        cleaner->candidates[cleaner->candidate_count++] =
            (struct cleaner_candidate){.entry = entry,
                                       .partition = partition_ref(entry->replica->partition),
                                       .first_dirty = entry->first_dirty};
    }
    cleaner->look_is_busy = true;
    cleaner->look_job = (struct env_job){.run = look_on_worker, .queue = ENV_QUEUE_BACKGROUND};
    env_submit(cleaner->set->env, &cleaner->look_job);
}

static void looked(struct loop_task *task)
{
    struct replica_cleaner *cleaner = container_of(task, struct replica_cleaner, looked);
    struct replica_set *set = cleaner->set;
    size_t count = cleaner->candidate_count;
    cleaner->look_is_busy = false;
    if (count > 0)
        qsort(cleaner->candidates, count, sizeof(*cleaner->candidates), dirtiest_first);
    bool found_any = false;
    for (size_t i = 0; i < count; i++) {
        struct cleaner_candidate *candidate = &cleaner->candidates[i];
        struct cleaner_entry *entry = candidate->entry;
        bool may_begin = candidate->is_wanted && entry->replica != NULL && entry->run == NULL &&
                         entry->replica->move == NULL && !set->is_closed &&
                         cleaner->run_count < cleaner->settings.runs_max;
        if (may_begin) {
            found_any = true;
            cleaner->run_count++;
            cleaner_run_start(cleaner, entry);
        }
        partition_unref(candidate->partition);
        entry_unref(entry);
    }
    mem_free(cleaner->candidates);
    cleaner->candidates = NULL;
    cleaner->candidate_count = 0;
    if (!found_any && !set->is_closed)
        arm(cleaner);
    go_on(cleaner);
}

static void timer_fired(struct loop_timer *timer)
{
    look(container_of(timer, struct replica_cleaner, timer));
}

/* ---- a round has ended */

static void settle(struct replica_cleaner *cleaner, struct cleaner_entry *entry,
                   const struct cleaner_outcome *outcome)
{
    struct replica *replica = entry->replica;
    switch (outcome->error) {
    case ERR_OK:
        entry->first_dirty = outcome->end;
        save(cleaner, entry);
        break;
    case ERR_CORRUPT:
    case ERR_INVALID:
    case ERR_TOO_LARGE:
        entry->is_uncleanable = true;
        replica_note_uncleanable(replica, outcome->why);
        atomic_fetch_add_explicit(&cleaner->stats.uncleanable, 1, memory_order_relaxed);
        log_error(cleaner->set->env, "%s-%d is not compacted any more until the next start: %s",
                  replica->topic, replica->index, outcome->why);
        break;
    case ERR_IO:
        replica_storage_failed(cleaner->set, replica->partition, ERR_IO);
        break;
    default: /* no memory, no room on the disk, retention was quicker: another time */
        entry->gave_up_ns = env_mono_ns(cleaner->set->env);
        log_debug(cleaner->set->env, "%s-%d: a compaction did not end: %s", replica->topic,
                  replica->index, err_text(outcome->error));
    }
}

void replica_cleaner_run_ended(struct replica_cleaner *cleaner, struct cleaner_entry *entry,
                               const struct cleaner_outcome *outcome)
{
    ASSERT(cleaner->run_count > 0 && entry->run == NULL);
    struct replica *replica = entry->replica;
    cleaner->run_count--;
    settle(cleaner, entry, outcome);
    if (entry->wants_close) {
        remove_entry(cleaner, replica);
        replica_set_close_released(cleaner->set, replica);
    } else if (entry->wants_out) {
        remove_entry(cleaner, replica);
    }
    replica_set_moves_cleaned(cleaner->set);
    if (outcome->error == ERR_OK)
        look(cleaner);
    else if (!cleaner->set->is_closed)
        arm(cleaner);
    go_on(cleaner);
}

/* ---- configuration */

static double layer_double(const struct config_layers *layers, int key)
{
    double value = 0;
    const char *text = config_layers_get(layers, key, NULL);
    enum err e = text != NULL ? config_parse_double(text, &value) : ERR_INVALID;
    ASSERT(e == ERR_OK); /* checked where it was set */
    return value;
}

static struct cleaner_settings settings_of(const struct config_layers *layers)
{
    int64_t backoff_ms = config_layers_long(layers, CONFIG_BROKER_LOG_CLEANER_BACKOFF_MS);
    int64_t threads = config_layers_long(layers, CONFIG_BROKER_LOG_CLEANER_THREADS);
    int64_t map = config_layers_long(layers, CONFIG_BROKER_LOG_CLEANER_DEDUPE_BUFFER_SIZE);
    int64_t io = config_layers_long(layers, CONFIG_BROKER_LOG_CLEANER_IO_BUFFER_SIZE);
    double load = layer_double(layers, CONFIG_BROKER_LOG_CLEANER_IO_BUFFER_LOAD_FACTOR);
    double rate = layer_double(layers, CONFIG_BROKER_LOG_CLEANER_IO_MAX_BYTES_PER_SECOND);
    int64_t shares = MAX(threads, (int64_t)1);
    return (struct cleaner_settings){
        .backoff_ns = MIN(MAX(backoff_ms, (int64_t)1), (int64_t)INT32_MAX) * 1000000,
        .runs_max = (uint32_t)MIN(MAX(threads, (int64_t)0), (int64_t)LIMIT_CLEANER_RUNS),
        .bytes_per_second = rate < 1e18 ? (int64_t)MAX(rate, 1) : (int64_t)1e18,
        .cleaning = {.map_bytes_max = (size_t)MAX(map / shares, (int64_t)(1 << 20)),
                     .map_load = load > 0 ? MIN(load, 1) : 0.9,
                     .io_bytes = (size_t)MAX(io / shares / 2, (int64_t)(16 << 10))},
    };
}

static void set_rate(struct replica_cleaner *cleaner, int64_t bytes_per_second)
{
    if (!pacer_set_rate(&cleaner->pacer, bytes_per_second, env_mono_ns(cleaner->set->env)))
        return;
    LIST_FOR_EACH (node, &cleaner->entries) {
        struct cleaner_entry *entry = container_of(node, struct cleaner_entry, link);
        if (entry->run != NULL)
            cleaner_run_paid(entry->run);
    }
}

void replica_cleaner_configure(struct replica_cleaner *cleaner)
{
    if (cleaner == NULL)
        return;
    struct cleaner_settings before = cleaner->settings;
    cleaner->settings = settings_of(&cleaner->set->layers);
    set_rate(cleaner, cleaner->settings.bytes_per_second);
    if (cleaner->settings.backoff_ns != before.backoff_ns ||
        cleaner->settings.runs_max != before.runs_max)
        look(cleaner);
}

/* ---- life */

struct replica_cleaner *replica_cleaner_new(struct replica_set *set)
{
    struct replica_cleaner *cleaner = mem_alloc(sizeof(*cleaner));
    cleaner->set = set;
    list_init(&cleaner->entries);
    cleaner->timer = (struct loop_timer){.fire = timer_fired};
    cleaner->looked = (struct loop_task){.run = looked};
    cleaner->settings = settings_of(&set->layers);
    pacer_init(&cleaner->pacer, cleaner->settings.bytes_per_second);
    return cleaner;
}

void replica_cleaner_free(struct replica_cleaner *cleaner)
{
    if (cleaner == NULL)
        return;
    ASSERT(!replica_cleaner_is_busy(cleaner));
    for (struct list *node; (node = list_pop_front(&cleaner->entries)) != NULL;)
        mem_free(container_of(node, struct cleaner_entry, link));
    mem_free(cleaner);
}

bool replica_cleaner_is_busy(const struct replica_cleaner *cleaner)
{
    return cleaner != NULL && (cleaner->look_is_busy || cleaner->run_count > 0);
}

const struct cleaner_stats *replica_cleaner_stats(const struct replica_cleaner *cleaner)
{
    return &cleaner->stats;
}
