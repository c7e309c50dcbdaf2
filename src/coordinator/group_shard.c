// SPDX-License-Identifier: Apache-2.0
/*
 * group_shard: see group_shard.h.
 *
 *      IDLE --start--> LOADING --all replayed--> ACTIVE --a write failed--> FAILING --> LOADING
 *       ^                 |                         |                          |
 *       '-----------------+---- STOPPING <--stop----+--------------------------'
 *
 * Thread: the shard's loop; replay: the one that loads.
 */
#include "coordinator/group_shard.h"

#include <string.h>

#include "base/assert.h"
#include "base/canary.h"
#include "base/limits.h"
#include "base/mem.h"
#include "coordinator/group_private.h"
#include "env/logger.h"

enum { RELOAD_MS = 10000, RECORD_BYTES_MAX = 64 * 1024 * 1024 };

static void reload(struct loop_timer *timer);

static void count_partition(struct group_shard *shard, int64_t by)
{
    static const int8_t counted_as[SHARD_STATE_COUNT] = {
        [SHARD_IDLE] = -1,
        [SHARD_LOADING] = GROUP_PARTITION_LOADING,
        [SHARD_ACTIVE] = GROUP_PARTITION_ACTIVE,
        [SHARD_FAILING] = GROUP_PARTITION_FAILED,
        [SHARD_STOPPING] = -1,
    };
    if (counted_as[shard->state] >= 0)
        group_stats_move(&shard->stats->partitions[counted_as[shard->state]], by);
}

static void set_state(struct group_shard *shard, enum shard_state state)
{
    static const bool is_allowed[SHARD_STATE_COUNT][SHARD_STATE_COUNT] = {
        [SHARD_IDLE] = {[SHARD_LOADING] = true},
        [SHARD_LOADING] = {[SHARD_ACTIVE] = true, [SHARD_FAILING] = true, [SHARD_STOPPING] = true},
        [SHARD_ACTIVE] = {[SHARD_FAILING] = true, [SHARD_STOPPING] = true},
        [SHARD_FAILING] = {[SHARD_LOADING] = true, [SHARD_STOPPING] = true},
        [SHARD_STOPPING] = {[SHARD_IDLE] = true},
    };
    ASSERT(is_allowed[shard->state][state]);
    count_partition(shard, -1);
    shard->state = state;
    count_partition(shard, 1);
    shard->state_since_ms = group_shard_now_ms(shard);
}

static void note_failure(struct group_shard *shard, enum coordinator_failure failure,
                         const char *text)
{
    shard->failure = failure;
    shard->failure_ms = group_shard_now_ms(shard);
    shard->failure_text = text;
}

struct group_shard *group_shard_new(const struct group_shard_options *options)
{
    ASSERT(options->log.append != NULL && options->log.load != NULL);
    ASSERT(options->stats != NULL);
    struct group_shard *shard = mem_alloc(sizeof(*shard));
    shard->loop = options->loop;
    shard->env = loop_env(options->loop);
    shard->index = options->index;
    shard->settings = options->settings;
    shard->log = options->log;
    shard->stats = options->stats;
    env_random(shard->env, &shard->hash_seed, sizeof(shard->hash_seed));
    map_init(&shard->groups);
    list_init(&shard->writes);
    list_init(&shard->forgotten);
    batch_builder_init(&shard->builder);
    wire_writer_init(&shard->key, INT32_MAX);
    wire_writer_init(&shard->value, INT32_MAX);
    batch_reader_init(&shard->reader, RECORD_BYTES_MAX);
    shard->reload_timer.fire = reload;
    shard->state_since_ms = group_shard_now_ms(shard);
    return shard;
}

struct forgotten_topic {
    struct list link;
    char name[];
};

static void drop_forgotten(struct group_shard *shard)
{
    for (struct list *link; (link = list_pop_front(&shard->forgotten)) != NULL;)
        mem_free(container_of(link, struct forgotten_topic, link));
}

void group_shard_free(struct group_shard *shard)
{
    if (shard == NULL)
        return;
    ASSERT(shard->state == SHARD_IDLE);
    ASSERT(list_is_empty(&shard->writes) && shard->groups.count == 0);
    drop_forgotten(shard);
    map_deinit(&shard->groups);
    batch_builder_deinit(&shard->builder);
    wire_writer_deinit(&shard->key);
    wire_writer_deinit(&shard->value);
    batch_reader_deinit(&shard->reader);
    mem_free(shard);
}

int64_t group_shard_now_ms(const struct group_shard *shard)
{
    return env_wall_ms(shard->env);
}

/* ---- groups */

static uint64_t hash_of(const struct group_shard *shard, struct wire_str id)
{
    return hash_bytes(shard->hash_seed, id.data, (size_t)id.len);
}

struct group *group_shard_find(const struct group_shard *shard, struct wire_str id)
{
    if (id.len < 0)
        return NULL;
    for (struct map_node *node = map_first(&shard->groups, hash_of(shard, id)); node != NULL;
         node = map_next_same(node)) {
        struct group *group = container_of(node, struct group, node);
        if (wire_str_equal((struct wire_str){group->id, (int32_t)group->id_len}, id))
            return group;
    }
    return NULL;
}

struct group *group_shard_make(struct group_shard *shard, struct wire_str id)
{
    struct group *group = group_new(shard, id);
    if (group == NULL)
        return NULL;
    group->state_since_ms = group_shard_now_ms(shard);
    group->known_since_ms = group->state_since_ms;
    group->is_loaded = shard->is_loading; /* the state is the loop's to look at */
    map_insert(&shard->groups, &group->node, hash_of(shard, id));
    return group;
}

void group_shard_remove(struct group_shard *shard, struct group *group)
{
    ASSERT(group->state != GROUP_DEAD);
    group_stop_timers(group);
    map_remove(&shard->groups, &group->node);
    group_set_state(group, GROUP_DEAD, group_shard_now_ms(shard));
    if (group->write_count == 0)
        group_free(group);
}

static void refuse_member(struct group_shard *shard, struct group_member *member, enum kerr error)
{
    struct group_op *parked[] = {member->join, member->sync};
    member->group->joining_count -= member->join != NULL;
    member->join = NULL;
    member->sync = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(parked); i++) {
        if (parked[i] == NULL)
            continue;
        parked[i]->is_parked = false;
        parked[i]->error = error;
        parked[i]->done(parked[i]);
    }
}

/* Everybody who waits is told; nothing of the groups stays. */
static void drop_groups(struct group_shard *shard, enum kerr error)
{
    MAP_FOR_EACH (node, &shard->groups) {
        struct group *group = container_of(node, struct group, node);
        MAP_FOR_EACH (inner, &group->by_id)
            refuse_member(shard, container_of(inner, struct group_member, by_id), error);
        group_shard_remove(shard, group);
    }
}

/* ---- writing */

static void free_written_group(struct group *group)
{
    ASSERT(group->write_count > 0);
    if (--group->write_count == 0 && group->state == GROUP_DEAD)
        group_free(group);
}

/* Kafka's way of telling a client what became of a write on its behalf. */
static enum kerr answer_of(enum kerr error)
{
    if (error == KERR_NOT_LEADER_OR_FOLLOWER || error == KERR_KAFKA_STORAGE_ERROR)
        return KERR_NOT_COORDINATOR;
    if (error == KERR_UNKNOWN_TOPIC_OR_PARTITION || error == KERR_NOT_ENOUGH_REPLICAS ||
        error == KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND || error == KERR_REQUEST_TIMED_OUT)
        return KERR_COORDINATOR_NOT_AVAILABLE;
    if (error == KERR_MESSAGE_TOO_LARGE || error == KERR_RECORD_LIST_TOO_LARGE)
        return KERR_UNKNOWN_SERVER_ERROR;
    return error;
}

static void end_ops(struct shard_write *write, enum kerr error)
{
    for (struct list *link; (link = list_pop_front(&write->ops)) != NULL;) {
        struct group_op *op = container_of(link, struct group_op, link);
        if (error != KERR_NONE)
            op->error = error;
        op->done(op);
    }
}

static void write_free(struct shard_write *write)
{
    ASSERT(list_is_empty(&write->ops));
    mem_free(write);
}

/* What follows from a write comes before the answers that waited for it. */
static void write_committed(struct group_shard *shard, struct shard_write *write)
{
    struct group *group = write->group;
    if (group != NULL) {
        write->group = NULL;
        if (group->state != GROUP_DEAD)
            write->committed(group, write);
        free_written_group(group);
    }
    end_ops(write, KERR_NONE);
}

/* All that is in memory may be more than what the log has. */
static void drop_all(struct group_shard *shard, enum kerr error)
{
    group_shard_forget_records(shard);
    LIST_FOR_EACH (link, &shard->writes) {
        struct shard_write *write = container_of(link, struct shard_write, link);
        bool is_lie = CANARY(ACK_FAILED_WRITE) && shard->state == SHARD_FAILING;
        end_ops(write, is_lie ? KERR_NONE : error);
        if (write->group != NULL)
            free_written_group(write->group);
        write->group = NULL;
    }
    drop_groups(shard, error);
}

static void load(struct group_shard *shard)
{
    set_state(shard, SHARD_LOADING);
    shard->unknown_records = 0;
    shard->is_loading = true;
    shard->load_began_ns = loop_now_ns(shard->loop);
    shard->log.load(shard->log.arg);
}

static void load_or_stop(struct group_shard *shard)
{
    if (!list_is_empty(&shard->writes))
        return;
    if (shard->state == SHARD_STOPPING) {
        set_state(shard, SHARD_IDLE);
        shard->stopped(shard->stopped_arg);
    } else if (shard->state == SHARD_FAILING && !heap_contains(&shard->reload_timer.node)) {
        load(shard);
    }
}

void group_shard_written(struct group_shard *shard, struct shard_write *written)
{
    ASSERT(!written->is_finished);
    written->is_finished = true;
    while (!list_is_empty(&shard->writes)) {
        struct shard_write *write = container_of(shard->writes.next, struct shard_write, link);
        if (!write->is_finished)
            break;
        if (write->error != KERR_NONE && shard->state == SHARD_ACTIVE) {
            log_warn(shard->env,
                     "__consumer_offsets-%d: a write failed (%s): its groups are read anew",
                     shard->index, kerr_name(write->error));
            note_failure(shard, COORDINATOR_FAILED_TO_WRITE, kerr_name(write->error));
            set_state(shard, SHARD_FAILING);
            drop_all(shard, answer_of(write->error));
        }
        list_remove(&write->link);
        if (shard->state == SHARD_ACTIVE)
            write_committed(shard, write);
        write_free(write);
    }
    load_or_stop(shard);
}

void group_shard_give_up(struct group_shard *shard, enum kerr error)
{
    ASSERT(shard->state == SHARD_ACTIVE);
    note_failure(shard, COORDINATOR_FAILED_FOR_MEMORY, err_text(ERR_NO_MEMORY));
    set_state(shard, SHARD_FAILING);
    drop_all(shard, error);
    load_or_stop(shard);
}

void group_shard_forget_records(struct group_shard *shard)
{
    shard->has_records = false;
}

static enum kerr finish_batch(struct group_shard *shard, struct shard_write *write)
{
    struct batch_buffer buffer;
    batch_buffer_init(&buffer, (size_t)shard->settings.batch_bytes_max);
    enum err e = batch_builder_finish(&shard->builder, &buffer);
    struct iobuf *bytes = e == ERR_OK ? iobuf_try_new(buffer.len) : NULL;
    if (bytes != NULL) {
        memcpy(bytes->data, buffer.data, buffer.len);
        write->bytes = iobuf_slice(bytes, bytes->data, buffer.len);
        iobuf_unref(bytes);
        bool is_read = batch_header_read(buffer.data, buffer.len, &write->header);
        ASSERT(is_read);
    }
    batch_buffer_deinit(&buffer);
    if (e == ERR_TOO_LARGE)
        return KERR_MESSAGE_TOO_LARGE;
    return bytes != NULL ? KERR_NONE : KERR_COORDINATOR_NOT_AVAILABLE;
}

struct shard_write *group_shard_write(struct group_shard *shard, enum kerr *error)
{
    ASSERT(shard->state == SHARD_ACTIVE);
    *error = KERR_NONE;
    if (!shard->has_records)
        return NULL;
    shard->has_records = false;
    struct shard_write *write = mem_alloc(sizeof(*write));
    list_init(&write->ops);
    list_init(&write->link);
    *error = finish_batch(shard, write);
    if (*error != KERR_NONE) {
        mem_free(write);
        return NULL;
    }
    list_push_back(&shard->writes, &write->link);
    write->begun_ns = loop_now_ns(shard->loop);
    shard->log.append(shard->log.arg, write);
    return write;
}

/* ---- requests */

void group_shard_finish(struct group_shard *shard, struct group_op *op)
{
    ASSERT(!list_is_linked(&op->link));
    op->is_parked = false;
    /* A shard that has given up ends its writes without looking at who waits for them. */
    if (shard->state != SHARD_ACTIVE || list_is_empty(&shard->writes) ||
        CANARY(COMMIT_BEFORE_DURABLE)) {
        op->done(op);
        return;
    }
    struct shard_write *last = container_of(shard->writes.prev, struct shard_write, link);
    list_push_back(&last->ops, &op->link);
}

void group_shard_refuse(struct group_shard *shard, struct group_op *op, enum kerr error)
{
    op->error = error;
    group_shard_finish(shard, op);
}

void group_shard_submit(struct group_shard *shard, struct group_op *op)
{
    ASSERT(loop_is_current(shard->loop));
    list_init(&op->link);
    op->error = KERR_NONE;
    op->is_parked = false;
    op->came_ns = loop_now_ns(shard->loop);
    if (shard->state != SHARD_ACTIVE) {
        bool is_loading = shard->state == SHARD_LOADING || shard->state == SHARD_FAILING;
        op->error = is_loading ? KERR_COORDINATOR_LOAD_IN_PROGRESS : KERR_NOT_COORDINATOR;
        if (op->refused != NULL)
            op->refused(shard, op);
        op->done(op);
        return;
    }
    op->run(shard, op);
    ASSERT(!shard->has_records); /* what was recorded was written, or forgotten */
}

/* ---- life */

void group_shard_start(struct group_shard *shard)
{
    ASSERT(shard->state == SHARD_IDLE);
    load(shard);
}

void group_shard_stop(struct group_shard *shard, void (*stopped)(void *arg), void *arg)
{
    ASSERT(shard->state != SHARD_STOPPING);
    if (shard->state == SHARD_IDLE) {
        stopped(arg);
        return;
    }
    bool is_loading = shard->state == SHARD_LOADING;
    loop_timer_stop(shard->loop, &shard->reload_timer);
    set_state(shard, SHARD_STOPPING);
    shard->stopped = stopped;
    shard->stopped_arg = arg;
    if (is_loading)
        return; /* group_shard_loaded comes, and ends it */
    drop_all(shard, KERR_NOT_COORDINATOR);
    load_or_stop(shard);
}

enum err group_shard_replay(struct group_shard *shard, const uint8_t *batch, size_t len)
{
    ASSERT(shard->is_loading); /* the state may change meanwhile: the shard may be stopped */
    enum err e = batch_reader_start(&shard->reader, batch, len);
    struct record record;
    /* How transactions ended, in a log that Kafka wrote: their keys are not those of groups. */
    if (e == ERR_OK && batch_is_control(&shard->reader.header))
        return ERR_OK;
    while (e == ERR_OK) {
        e = batch_reader_next(&shard->reader, &record);
        if (e == ERR_OK)
            e = group_records_replay(shard, &record);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void forget_topic(struct group_shard *shard, const char *topic)
{
    MAP_FOR_EACH (node, &shard->groups) {
        struct group *group = container_of(node, struct group, node);
        if (!group_forget_topic(group, wire_str_of(topic)))
            log_warn(shard->env, "group %s: no memory to forget its offsets of topic %s", group->id,
                     topic);
    }
}

void group_shard_forget_topic(struct group_shard *shard, const char *topic)
{
    if (shard->state == SHARD_ACTIVE) {
        forget_topic(shard, topic);
    } else if (shard->state == SHARD_LOADING || shard->state == SHARD_FAILING) {
        size_t size = strlen(topic) + 1;
        struct forgotten_topic *later = mem_alloc(sizeof(*later) + size);
        memcpy(later->name, topic, size);
        list_push_back(&shard->forgotten, &later->link);
    }
}

static void reload(struct loop_timer *timer)
{
    load_or_stop(container_of(timer, struct group_shard, reload_timer));
}

void group_shard_loaded(struct group_shard *shard, enum err e)
{
    ASSERT(shard->is_loading);
    shard->is_loading = false;
    if (shard->state == SHARD_STOPPING) {
        drop_groups(shard, KERR_NOT_COORDINATOR);
        load_or_stop(shard);
        return;
    }
    if (e != ERR_OK) {
        log_error(shard->env,
                  "__consumer_offsets-%d could not be read: %s: its groups are not served; tried "
                  "again in %d s",
                  shard->index, err_text(e), RELOAD_MS / 1000);
        note_failure(shard, COORDINATOR_FAILED_TO_LOAD, err_text(e));
        set_state(shard, SHARD_FAILING);
        drop_groups(shard, KERR_NOT_COORDINATOR);
        loop_timer_start(shard->loop, &shard->reload_timer,
                         loop_now_ns(shard->loop) + (int64_t)RELOAD_MS * 1000000);
        return;
    }
    if (shard->unknown_records > 0)
        log_warn(shard->env,
                 "__consumer_offsets-%d: %llu records of kinds of group that this "
                 "version does not serve were passed over",
                 shard->index, (unsigned long long)shard->unknown_records);
    set_state(shard, SHARD_ACTIVE);
    time_histogram_add(&shard->stats->load_time, loop_now_ns(shard->loop) - shard->load_began_ns);
    for (struct list *link; (link = list_pop_front(&shard->forgotten)) != NULL;) {
        struct forgotten_topic *topic = container_of(link, struct forgotten_topic, link);
        forget_topic(shard, topic->name);
        mem_free(topic);
    }
    MAP_FOR_EACH (node, &shard->groups) {
        struct group *group = container_of(node, struct group, node);
        if (!group->has_record && group->offsets.offsets.count == 0)
            group_shard_remove(shard, group);
        else
            group_rebalance_loaded(group);
    }
}

/* ---- looking */

void group_shard_count(const struct group_shard *shard, struct group_shard_counts *out)
{
    *out = (struct group_shard_counts){.is_active = shard->state == SHARD_ACTIVE};
    if (!out->is_active)
        return;
    MAP_FOR_EACH (node, &shard->groups) {
        const struct group *group = container_of(node, struct group, node);
        out->groups[group->state]++;
        out->members += (uint32_t)group->member_count;
        out->offsets += (uint32_t)group->offsets.offsets.count;
    }
}
