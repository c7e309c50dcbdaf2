// SPDX-License-Identifier: Apache-2.0
/* partition: life cycle, waiting and waking. Appending is in partition_append.c, what runs on
 * workers in partition_job.c, reading in partition_read.c. Thread: see partition.h. */
#include "replica/partition.h"

#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/mem.h"
#include "base/state.h"
#include "replica/partition_private.h"

static const char *const partition_state_names[] = {"leading", "closing", "closed", "offline"};
static const uint32_t partition_edges[] = {
    [PARTITION_LEADING] = STATE_EDGE(PARTITION_CLOSING) | STATE_EDGE(PARTITION_OFFLINE),
    [PARTITION_CLOSING] = STATE_EDGE(PARTITION_CLOSED) | STATE_EDGE(PARTITION_OFFLINE),
    [PARTITION_CLOSED] = 0,
    [PARTITION_OFFLINE] = STATE_EDGE(PARTITION_CLOSED) | STATE_EDGE(PARTITION_OFFLINE),
};
static const struct state_table partition_states = {"partition", partition_state_names,
                                                    partition_edges, PARTITION_STATE_COUNT};

void partition_check(const struct partition *p)
{
    ASSERT(p->state < PARTITION_STATE_COUNT);
    ASSERT(p->index >= 0);
    struct log_position written = partition_log_written(p->log);
    struct log_position durable = partition_log_durable(p->log);
    ASSERT(durable.offset <= written.offset);
    ASSERT(written.offset <= partition_log_assigned(p->log));
    ASSERT(p->high_watermark.offset <= written.offset);
}

/* What is not sealed is not compacted: as Kafka, a segment is sealed in time for it. */
static int64_t segment_ms_of(const struct topic_config *config)
{
    return config->cleanup_compact ? MIN(config->segment_ms, config->max_compaction_lag_ms)
                                   : config->segment_ms;
}

static struct log_config log_config_of(const struct topic_config *config)
{
    return (struct log_config){
        .segment_bytes = config->segment_bytes,
        .segment_ms = segment_ms_of(config),
        .segment_jitter_ms = config->segment_jitter_ms,
        .segment_index_bytes = config->segment_index_bytes,
        .index_interval_bytes = config->index_interval_bytes,
        .retention_ms = config->retention_ms,
        .retention_bytes = config->retention_bytes,
        .flush_messages = config->flush_messages,
        .flush_ms = config->flush_ms,
        .file_delete_delay_ms = config->file_delete_delay_ms,
        .producer_expiration_ms = config->producer_expiration_ms,
        .min_compaction_lag_ms = config->min_compaction_lag_ms,
        .max_compaction_lag_ms = config->max_compaction_lag_ms,
        .delete_retention_ms = config->delete_retention_ms,
        .min_cleanable_ratio = config->min_cleanable_ratio,
        .cleanup_delete = config->cleanup_delete,
        .cleanup_compact = config->cleanup_compact,
        .preallocate = config->preallocate,
        .ack_disk = config->ack_disk,
    };
}

static struct partition *partition_blank(struct env *env, const struct partition_options *options)
{
    struct partition *p = mem_alloc(sizeof(*p));
    monitor_init(&p->monitor, MONITOR_PARTITION);
    atomic_init(&p->refs, 1);
    p->env = env;
    p->owner = *options->owner;
    atomic_init(&p->dir, options->dir);
    p->topic = mem_strdup(options->topic);
    p->topic_id = options->topic_id;
    p->index = options->index;
    p->config = *options->config;
    p->state = PARTITION_LEADING;
    p->leader_epoch = options->leader_epoch;
    if (options->was_offline)
        refused_batches_strict(&p->refused, env_mono_ns(env) / 1000000);
    p->append_epoch_min = options->leader_epoch + options->waits_for_epoch;
    p->retired_due_ms = INT64_MAX;
    p->flush_due_ms = INT64_MAX;
    p->job = (struct env_job){.run = partition_job_run, .queue = ENV_QUEUE_WRITE};
    list_init(&p->wait_written);
    list_init(&p->wait_committed);
    list_init(&p->watches);
    list_init(&p->watches_follower);
    list_init(&p->trims);
    list_init(&p->retired);
    partition_journal_init(p);
    due_place_init(&p->due);
    return p;
}

static void partition_free(struct partition *p)
{
    partition_log_free(p->log);
    mem_free(p->failure);
    monitor_deinit(&p->monitor);
    mem_free(p->topic);
    mem_free(p);
}

/* Tells the owner of what comes due. */
static void plan(struct partition *p)
{
    int64_t now_ms = env_wall_ms(p->env);
    monitor_enter(&p->monitor);
    int64_t round_ms = p->is_touched ? DUE_NEXT_ROUND : partition_log_upkeep_due_ms(p->log, now_ms);
    monitor_leave(&p->monitor);
    if (round_ms != DUE_NEVER)
        p->owner.round(p->owner.arg, p, round_ms);
}

/* Behind the last segment's begin nothing was ever compacted: that is of another log, or this one
 * lost its end. */
static void forget_clean_end(struct partition *p)
{
    if (log_dir_checkpoint_clean_end(p->dir, p->topic, p->index) >
        partition_log_written(p->log).segment_base)
        log_dir_checkpoint_set_clean_end(p->dir, p->topic, p->index, 0);
}

enum err partition_open(struct env *env, const struct partition_options *options,
                        struct log_open_report *report, struct partition **out)
{
    ASSERT(options->index >= 0);
    char path[4096];
    if (!log_dir_partition_path(options->dir, options->topic, options->index, path, sizeof(path)))
        return ERR_TOO_LARGE;
    struct log_dir_checkpoint at =
        log_dir_checkpoint_of(options->dir, options->topic, options->index);
    struct log_config config = log_config_of(options->config);
    struct log_open_options open = {
        .dir = path,
        .topic_id = options->topic_id,
        .recovery_point = at.recovery_point,
        .log_start = at.log_start,
        .was_clean = log_dir_was_clean(options->dir),
        .journal = log_dir_journal(options->dir),
        .partition = options->index,
        .config = &config,
        .scanned = options->scanned,
        .files = options->files,
        .moved = options->moved,
        .stays_here = options->stays_here,
        .stays_arg = options->stays_arg,
    };
    env_random(env, &open.jitter_seed, sizeof(open.jitter_seed));
    struct partition *p = partition_blank(env, options);
    enum err e = partition_log_open(env, &open, report, &p->log);
    if (e != ERR_OK) {
        partition_free(p);
        return e;
    }
    partition_log_begin_epoch(p->log, p->leader_epoch);
    p->high_watermark = partition_log_durable(p->log);
    partition_journal_opened(p);
    forget_clean_end(p);
    /* What was found is not what the checkpoints say: they are to be written. */
    p->is_touched = at.recovery_point != partition_log_recovery_point(p->log) ||
                    at.high_watermark != p->high_watermark.offset ||
                    at.log_start != partition_log_start_offset(p->log);
    partition_check(p);
    plan(p);
    *out = p;
    return ERR_OK;
}

struct due_place *partition_due_place(struct partition *p)
{
    return &p->due;
}

struct partition *partition_of_due_place(struct due_place *place)
{
    return container_of(place, struct partition, due);
}

bool partition_touch(struct partition *p)
{
    monitor_assert_held(&p->monitor);
    bool is_news = !p->is_touched;
    p->is_touched = true;
    return is_news;
}

void partition_tell_touched(struct partition *p)
{
    p->owner.round(p->owner.arg, p, DUE_NEXT_ROUND);
}

struct partition *partition_ref(struct partition *p)
{
    unsigned before = atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return p;
}

void partition_unref(struct partition *p)
{
    if (p == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    ASSERT(!p->is_job_busy);
    ASSERT(list_is_empty(&p->wait_written) && list_is_empty(&p->wait_committed));
    ASSERT(list_is_empty(&p->watches) && list_is_empty(&p->watches_follower));
    ASSERT(list_is_empty(&p->trims) && p->swap == NULL && p->dir_switch == NULL);
    refused_batches_deinit(&p->refused);
    ASSERT(!heap_contains(&p->due.exact) && !heap_contains(&p->due.dated));
    ASSERT(!list_is_linked(&p->due.link));
    partition_log_unlink_retired(p->env, &p->retired);
    partition_free(p);
}

const char *partition_topic(const struct partition *p)
{
    return p->topic;
}

struct uuid partition_topic_id(const struct partition *p)
{
    return p->topic_id;
}

int32_t partition_index(const struct partition *p)
{
    return p->index;
}

struct log_dir *partition_dir(const struct partition *p)
{
    return p->dir;
}

void partition_set_config(struct partition *p, const struct topic_config *config)
{
    struct log_config log_config = log_config_of(config);
    monitor_enter(&p->monitor);
    p->config = *config;
    partition_log_set_config(p->log, &log_config);
    int64_t due_ms = p->state == PARTITION_LEADING ? partition_log_next_due_ms(p->log) : INT64_MAX;
    bool is_news = partition_touch(p);
    monitor_leave(&p->monitor);
    if (due_ms != INT64_MAX) /* flush.ms may have become shorter for what is written already */
        p->owner.due(p->owner.arg, p, due_ms);
    if (is_news)
        partition_tell_touched(p);
}

void partition_topic_config(struct partition *p, struct topic_config *out)
{
    monitor_enter(&p->monitor);
    *out = p->config;
    monitor_leave(&p->monitor);
}

void partition_lead(struct partition *p, int32_t leader_epoch)
{
    monitor_enter(&p->monitor);
    if (leader_epoch > p->leader_epoch) {
        p->leader_epoch = leader_epoch;
        partition_log_begin_epoch(p->log, leader_epoch);
    }
    monitor_leave(&p->monitor);
}

enum kerr partition_refusal(const struct partition *p)
{
    switch ((enum partition_state)p->state) {
    case PARTITION_LEADING:
        return KERR_NONE;
    case PARTITION_OFFLINE:
        return KERR_KAFKA_STORAGE_ERROR;
    case PARTITION_CLOSING:
    case PARTITION_CLOSED:
    case PARTITION_STATE_COUNT:
        break;
    }
    return KERR_NOT_LEADER_OR_FOLLOWER;
}

/* ---- the high watermark: ISR = {self}, so it is this broker's own end. */

void partition_move_high_watermark(struct partition *p)
{
    bool is_disk = partition_log_config(p->log)->ack_disk && !CANARY(ACK_BEFORE_FSYNC);
    struct log_position end =
        is_disk ? partition_log_durable(p->log) : partition_log_written(p->log);
    if (end.offset > p->high_watermark.offset)
        p->high_watermark = end;
    ASSERT(p->high_watermark.offset <= partition_log_assigned(p->log));
}

/* ---- collecting and firing */

void partition_fire_init(struct partition_fire *fire)
{
    list_init(&fire->done);
    list_init(&fire->trims);
    fire->watcher_count = 0;
    fire->has_more = false;
}

static void collect_appends(struct list *waiting, int64_t reached, struct list *done)
{
    while (!list_is_empty(waiting)) {
        struct partition_append *first =
            container_of(waiting->next, struct partition_append, wait_link);
        if (first->wait_offset > reached)
            break;
        list_remove(&first->wait_link);
        list_push_back(done, &first->wait_link);
    }
}

static int64_t reader_end(const struct partition *p, enum partition_reader reader)
{
    return reader == PARTITION_READER_FOLLOWER ? partition_log_written(p->log).offset
                                               : p->high_watermark.offset;
}

/* [monitor] Only those that have come true: a reader that was woken and waits again for more must
 * not be taken again by the round that follows a full one, or the two could go on for ever. */
static void collect_watches(struct partition *p, enum partition_reader reader,
                            struct partition_fire *fire)
{
    bool is_over = partition_refusal(p) != KERR_NONE;
    int64_t end = reader_end(p, reader);
    struct list *watches = reader == PARTITION_READER_FOLLOWER ? &p->watches_follower : &p->watches;
    LIST_FOR_EACH_SAFE (node, watches) {
        struct watch *watch = container_of(node, struct watch, link);
        if (!is_over && watch->offset >= end)
            continue;
        if (fire->watcher_count == ARRAY_COUNT(fire->watchers)) {
            fire->has_more = true;
            return;
        }
        list_remove(node);
        fire->watchers[fire->watcher_count++] = watch->watcher; /* its reference moves here */
    }
}

void partition_collect(struct partition *p, struct partition_fire *fire)
{
    monitor_assert_held(&p->monitor);
    int64_t written = partition_log_written(p->log).offset;
    struct list done;
    list_init(&done);
    collect_appends(&p->wait_written, written, &done);
    collect_appends(&p->wait_committed, p->high_watermark.offset, &done);
    LIST_FOR_EACH (node, &done) {
        struct partition_append *append = container_of(node, struct partition_append, wait_link);
        append->result = KERR_NONE;
        append->log_start_offset = partition_log_start_offset(p->log);
    }
    list_splice_back(&fire->done, &done);
}

static void collect_failed(struct list *waiting, int64_t offset, enum kerr error, struct list *done)
{
    LIST_FOR_EACH_SAFE (node, waiting) {
        struct partition_append *append = container_of(node, struct partition_append, wait_link);
        if (append->wait_offset <= offset)
            continue;
        append->result = error;
        append->base_offset = -1;
        list_remove(node);
        list_push_back(done, node);
    }
}

void partition_collect_failed(struct partition *p, struct partition_fire *fire, int64_t offset,
                              enum kerr error)
{
    monitor_assert_held(&p->monitor);
    ASSERT(error != KERR_NONE);
    collect_failed(&p->wait_written, offset, error, &fire->done);
    collect_failed(&p->wait_committed, offset, error, &fire->done);
}

void partition_leave_and_fire(struct partition *p, struct partition_fire *fire)
{
    monitor_leave(&p->monitor);
    for (struct list *node; (node = list_pop_front(&fire->done)) != NULL;) {
        struct partition_append *append = container_of(node, struct partition_append, wait_link);
        iobuf_slice_release(&append->log.bytes);
        append->done(append);
    }
    for (struct list *node; (node = list_pop_front(&fire->trims)) != NULL;) {
        struct partition_trim *trim = container_of(node, struct partition_trim, link);
        trim->log_start = -1;
        trim->done(trim);
    }
    for (;;) {
        for (uint32_t i = 0; i < fire->watcher_count; i++) {
            watcher_wake(fire->watchers[i]);
            watcher_unref(fire->watchers[i]);
        }
        fire->watcher_count = 0;
        if (!fire->has_more)
            return;
        fire->has_more = false;
        monitor_enter(&p->monitor);
        collect_watches(p, PARTITION_READER_CONSUMER, fire);
        collect_watches(p, PARTITION_READER_FOLLOWER, fire);
        monitor_leave(&p->monitor);
    }
}

/* ---- watches */

void partition_watch_add(struct partition *p, struct watch *watch, struct watcher *watcher,
                         int64_t offset, enum partition_reader reader)
{
    ASSERT(!list_is_linked(&watch->link));
    watch->watcher = watcher;
    watch->offset = offset;
    monitor_enter(&p->monitor);
    bool is_due = partition_refusal(p) != KERR_NONE || reader_end(p, reader) > offset;
    if (!is_due) {
        watcher_ref(watcher);
        list_push_back(reader == PARTITION_READER_FOLLOWER ? &p->watches_follower : &p->watches,
                       &watch->link);
    }
    monitor_leave(&p->monitor);
    if (is_due)
        watcher_wake(watcher);
}

void partition_watch_remove(struct partition *p, struct watch *watch)
{
    monitor_enter(&p->monitor);
    bool was_linked = list_is_linked(&watch->link);
    list_remove(&watch->link);
    monitor_leave(&p->monitor);
    if (was_linked)
        watcher_unref(watch->watcher);
}

/* ---- ending */

void partition_wake_readers(struct partition *p, struct partition_fire *fire)
{
    monitor_assert_held(&p->monitor);
    collect_watches(p, PARTITION_READER_CONSUMER, fire);
    collect_watches(p, PARTITION_READER_FOLLOWER, fire);
}

void partition_wake_followers(struct partition *p, struct partition_fire *fire)
{
    monitor_assert_held(&p->monitor);
    collect_watches(p, PARTITION_READER_FOLLOWER, fire);
}

void partition_set_state(struct partition *p, enum partition_state to)
{
    monitor_assert_held(&p->monitor);
    state_move(&partition_states, &p->state, to);
}

void partition_close(struct partition *p, bool clean, void (*done)(void *arg, enum err e),
                     void *arg)
{
    struct partition_fire fire;
    partition_fire_init(&fire);
    monitor_enter(&p->monitor);
    ASSERT(!p->wants_close);
    if (p->state == PARTITION_LEADING)
        partition_set_state(p, PARTITION_CLOSING);
    p->wants_close = true;
    p->close_is_clean = clean;
    p->close_done = done;
    p->close_arg = arg;
    partition_wake_readers(p, &fire);
    bool submit = partition_job_claim(p);
    partition_leave_and_fire(p, &fire);
    if (submit)
        partition_job_submit(p, NULL);
}

void partition_fail(struct partition *p)
{
    struct partition_fire fire;
    partition_fire_init(&fire);
    monitor_enter(&p->monitor);
    if (p->state == PARTITION_LEADING || p->state == PARTITION_CLOSING) {
        partition_set_state(p, PARTITION_OFFLINE);
        partition_wake_readers(p, &fire);
        /* What a running commit holds is completed by the job when it finds this state. */
        if (!p->is_job_busy) {
            partition_collect_failed(p, &fire, -1, KERR_KAFKA_STORAGE_ERROR);
            partition_trims_fail(p, &fire, KERR_KAFKA_STORAGE_ERROR);
        }
    }
    partition_leave_and_fire(p, &fire);
}

void partition_housekeep(struct partition *p)
{
    monitor_enter(&p->monitor);
    bool submit = false;
    if (p->state == PARTITION_LEADING) {
        p->wants_housekeeping = true;
        submit = partition_job_claim(p);
    }
    monitor_leave(&p->monitor);
    if (submit)
        partition_job_submit(p, NULL);
}

/* ---- offsets */

void partition_offsets(struct partition *p, struct partition_offsets *out)
{
    monitor_enter(&p->monitor);
    *out = (struct partition_offsets){
        .error = partition_refusal(p),
        .log_start = partition_log_start_offset(p->log),
        .high_watermark = p->high_watermark.offset,
        .last_stable = p->high_watermark.offset,
        .written = partition_log_written(p->log).offset,
        .durable = partition_log_durable(p->log).offset,
        .assigned = partition_log_assigned(p->log),
        .recovery_point = partition_log_recovery_point(p->log),
        .size_bytes = partition_log_size_bytes(p->log),
        .segment_count = partition_log_segment_count(p->log),
        .leader_epoch = p->leader_epoch,
    };
    monitor_leave(&p->monitor);
    out->high_watermark_lag = (uint64_t)(out->written - out->high_watermark);
}

/* ---- traffic */

void partition_count_in(struct partition *p, uint64_t records, uint64_t bytes)
{
    atomic_fetch_add_explicit(&p->records_in, records, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->bytes_in, bytes, memory_order_relaxed);
}

void partition_count_out(struct partition *p, uint64_t bytes)
{
    atomic_fetch_add_explicit(&p->bytes_out, bytes, memory_order_relaxed);
}

void partition_traffic(const struct partition *p, struct partition_traffic *out)
{
    *out = (struct partition_traffic){
        .records_in = atomic_load_explicit(&p->records_in, memory_order_relaxed),
        .bytes_in = atomic_load_explicit(&p->bytes_in, memory_order_relaxed),
        .bytes_out = atomic_load_explicit(&p->bytes_out, memory_order_relaxed),
    };
}
