// SPDX-License-Identifier: Apache-2.0
/*
 * groups: see groups.h. The log under a shard: batches go into the partition as anybody's with
 * acks=all; loading reads what is below the high watermark, a piece at a time, on a worker.
 *
 * Thread: as said at each function; a home belongs to the loop of its shard.
 */
#include "broker/groups.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "broker/broker_private.h"

enum {
    LOAD_BYTES = 1024 * 1024,
    BATCH_BYTES_MARGIN = 4096,
    CALL_ARENA_SHARE = 8, /* of klamm.memory.max, while the groups of one request are asked */
};

struct group_home {
    struct groups *groups;
    struct group_shard *shard;
    struct loop *loop;
    int32_t index;
    struct partition *partition; /* one reference while it is started */
    struct loop_task to_shard;
    struct loop_task to_broker;

    /* Loading. */
    struct env_job load;
    struct loop_task loaded;
    int64_t load_offset; /* -1: not known yet */
    uint8_t *load_data;
    size_t load_capacity;
    enum err load_error;
};

struct group_homes {
    int32_t count;
    struct group_home items[];
};

/* ---- appending */

struct home_append {
    struct partition_append append;
    struct group_home *home;
    struct shard_write *write;
    struct loop_task task;
};

static void append_back(struct loop_task *task)
{
    struct home_append *a = container_of(task, struct home_append, task);
    struct group_home *home = a->home;
    struct shard_write *write = a->write;
    write->error = a->append.result;
    mem_free(a);
    group_shard_written(home->shard, write);
}

/* Any thread. */
static void append_done(struct partition_append *append)
{
    struct home_append *a = container_of(append, struct home_append, append);
    loop_post(a->home->loop, &a->task);
}

static void home_append(void *arg, struct shard_write *write)
{
    struct group_home *home = arg;
    struct home_append *a = mem_alloc(sizeof(*a));
    a->home = home;
    a->write = write;
    a->task.run = append_back;
    a->append.log.bytes = write->bytes;
    a->append.log.header = write->header;
    a->append.ack = PARTITION_ACK_COMMITTED;
    a->append.done = append_done;
    list_init(&a->append.wait_link);
    list_init(&a->append.log.link);
    write->bytes = (struct iobuf_slice){0};
    partition_append(home->partition, &a->append, env_wall_ms(home->groups->broker->env));
}

/* ---- loading */

static void loaded_back(struct loop_task *task)
{
    struct group_home *home = container_of(task, struct group_home, loaded);
    group_shard_loaded(home->shard, home->load_error);
}

/* Whole batches; `load_offset` moves behind them. A range may end inside a batch. */
static enum err replay_range(struct group_home *home, size_t len)
{
    struct batch_walk walk = {.pos = home->load_data, .left = len};
    struct batch_header header;
    const uint8_t *batch = NULL;
    int64_t before = home->load_offset;
    while (batch_next(&walk, &header, &batch) == ERR_OK) {
        enum err e = group_shard_replay(home->shard, batch, batch_size(&header));
        if (e != ERR_OK)
            return e;
        home->load_offset = batch_last_offset(&header) + 1;
    }
    return home->load_offset > before ? ERR_OK : ERR_CORRUPT;
}

static enum err read_range(struct group_home *home, const struct log_range *range)
{
    size_t want = (size_t)range->len, got = 0;
    if (want > home->load_capacity) {
        mem_free(home->load_data);
        home->load_data = mem_try(want);
        home->load_capacity = home->load_data != NULL ? want : 0;
        if (home->load_data == NULL)
            return ERR_NO_MEMORY;
    }
    enum err e = log_range_read(range, home->load_data, want, &got);
    return e == ERR_OK && got == 0 ? ERR_CORRUPT : e == ERR_OK ? replay_range(home, got) : e;
}

/* One piece. *is_done: there is no more. */
static enum err load_piece(struct group_home *home, bool *is_done)
{
    struct partition_offsets offsets;
    partition_offsets(home->partition, &offsets);
    if (offsets.error != KERR_NONE)
        return ERR_IO;
    home->load_offset = MAX(home->load_offset, offsets.log_start);
    *is_done = home->load_offset >= offsets.high_watermark;
    if (*is_done)
        return ERR_OK;
    struct partition_read read = partition_read_from(home->load_offset, LOAD_BYTES);
    struct partition_read_result result;
    enum err e = partition_read(home->partition, &read, ENV_WAIT, &result);
    if (e == ERR_OK && result.error != KERR_NONE)
        e = ERR_IO;
    if (e != ERR_OK)
        return e;
    if (result.hole_end >= 0) /* what compaction left may end before the high watermark */
        home->load_offset = result.hole_end;
    if (result.range.len == 0)
        return result.hole_end >= 0 ? ERR_OK : ERR_CORRUPT;
    e = read_range(home, &result.range);
    log_range_release(&result.range);
    return e;
}

static bool load_step(struct env_job *job)
{
    struct group_home *home = container_of(job, struct group_home, load);
    bool is_done = false;
    home->load_error = load_piece(home, &is_done);
    if (home->load_error == ERR_OK && !is_done)
        return true;
    mem_free(home->load_data);
    home->load_data = NULL;
    home->load_capacity = 0;
    loop_post(home->loop, &home->loaded);
    return false;
}

static void home_load(void *arg)
{
    struct group_home *home = arg;
    home->load_offset = -1;
    home->load = (struct env_job){.run = load_step, .queue = ENV_QUEUE_BACKGROUND};
    home->loaded = (struct loop_task){.run = loaded_back};
    env_submit(home->groups->broker->env, &home->load);
}

/* ---- starting and stopping */

static struct group_settings settings_of(const struct broker *broker)
{
    const struct server_config *config = broker->config;
    return (struct group_settings){
        .session_timeout_min_ms = config->session_timeout_min_ms,
        .session_timeout_max_ms = config->session_timeout_max_ms,
        .initial_rebalance_delay_ms = config->initial_rebalance_delay_ms,
        .members_max = config->group_members_max,
        .offset_metadata_bytes_max = config->offset_metadata_bytes_max,
        .offsets_retention_ms = config->offsets_retention_ms,
        .retention_check_ms = config->offsets_retention_check_ms,
        .batch_bytes_max = (int32_t)batch_rules_default(0).batch_bytes_max,
    };
}

static struct group_homes *homes_new(struct groups *groups, int32_t count)
{
    struct broker *broker = groups->broker;
    struct group_homes *homes = mem_alloc(sizeof(*homes) + (size_t)count * sizeof(homes->items[0]));
    homes->count = count;
    for (int32_t i = 0; i < count; i++) {
        struct group_home *home = &homes->items[i];
        home->groups = groups;
        home->index = i;
        home->loop = broker->reactors[(size_t)i % broker->reactor_count].loop;
        struct group_shard_options options = {
            .loop = home->loop,
            .index = i,
            .settings = settings_of(broker),
            .log = {.arg = home, .append = home_append, .load = home_load},
            .stats = &groups->stats,
        };
        home->shard = group_shard_new(&options);
    }
    return homes;
}

static void start_on_loop(struct loop_task *task)
{
    group_shard_start(container_of(task, struct group_home, to_shard)->shard);
}

static void groups_closed(struct groups *groups);

static void home_is_closed(struct loop_task *task)
{
    struct group_home *home = container_of(task, struct group_home, to_broker);
    struct groups *groups = home->groups;
    partition_unref(home->partition);
    home->partition = NULL;
    ASSERT(groups->closing > 0);
    if (--groups->closing == 0)
        groups_closed(groups);
}

static void shard_stopped(void *arg)
{
    struct group_home *home = arg;
    home->to_broker = (struct loop_task){.run = home_is_closed};
    loop_post(home->groups->broker->loop, &home->to_broker);
}

static void stop_on_loop(struct loop_task *task)
{
    struct group_home *home = container_of(task, struct group_home, to_shard);
    group_shard_stop(home->shard, shard_stopped, home);
}

/* Those that are open here and have no coordinator yet get one. */
static void start_missing(struct groups *groups, struct group_homes *homes,
                          const struct topic_image *topic)
{
    for (int32_t i = 0; i < homes->count; i++) {
        struct group_home *home = &homes->items[i];
        enum kerr error;
        if (home->partition != NULL)
            continue;
        home->partition = broker_partition(groups->broker, topic, i, &error);
        if (home->partition == NULL)
            continue; /* its disk failed: the others serve */
        home->to_shard = (struct loop_task){.run = start_on_loop};
        loop_post(home->loop, &home->to_shard);
    }
}

/* Every partition that is open here gets its coordinator. */
static void start_all(struct groups *groups, const struct topic_image *topic)
{
    struct broker *broker = groups->broker;
    int32_t count = topic_partition_count(topic);
    struct group_homes *homes = atomic_load(&groups->homes);
    if (homes != NULL && homes->count != count) {
        if (!groups->has_told_count)
            log_error(broker->env,
                      GROUPS_TOPIC " has %d partitions now and had %d when this broker "
                                   "started: its groups are served after a restart",
                      count, homes->count);
        groups->has_told_count = true;
        return;
    }
    if (homes == NULL)
        homes = homes_new(groups, count);
    start_missing(groups, homes, topic);
    groups->topic_id = topic_id(topic);
    groups->state = GROUPS_SERVING;
    atomic_store(&groups->homes, homes);
}

static void close_all(struct groups *groups)
{
    struct group_homes *homes = atomic_load(&groups->homes);
    ASSERT(groups->state == GROUPS_SERVING && homes != NULL);
    groups->state = GROUPS_CLOSING;
    groups->closing = 1; /* until all were told */
    for (int32_t i = 0; i < homes->count; i++) {
        struct group_home *home = &homes->items[i];
        if (home->partition == NULL)
            continue;
        groups->closing++;
        home->to_shard = (struct loop_task){.run = stop_on_loop};
        loop_post(home->loop, &home->to_shard);
    }
    if (--groups->closing == 0)
        groups_closed(groups);
}

static void groups_closed(struct groups *groups)
{
    groups->state = GROUPS_NONE;
    if (groups->is_stopping) {
        groups->stopped(groups->stopped_arg);
        return;
    }
    struct image *image = image_slot_get(&groups->broker->image);
    groups_follow(groups, image);
    image_unref(image);
}

void groups_follow(struct groups *groups, const struct image *image)
{
    if (groups->is_stopping || groups->state == GROUPS_CLOSING)
        return; /* looks again when that is over */
    const struct topic_image *topic = image_topic(image, GROUPS_TOPIC, sizeof(GROUPS_TOPIC) - 1);
    bool is_other = topic == NULL || !uuid_equals(topic_id(topic), groups->topic_id);
    if (groups->state == GROUPS_SERVING && is_other)
        close_all(groups);
    else if (groups->state == GROUPS_NONE && topic != NULL)
        start_all(groups, topic);
}

void groups_partition_reopened(struct groups *groups)
{
    if (groups->is_stopping || groups->state != GROUPS_SERVING)
        return;
    struct image *image = image_slot_get(&groups->broker->image);
    const struct topic_image *topic = image_topic(image, GROUPS_TOPIC, sizeof(GROUPS_TOPIC) - 1);
    struct group_homes *homes = atomic_load(&groups->homes);
    if (topic != NULL && uuid_equals(topic_id(topic), groups->topic_id) &&
        topic_partition_count(topic) == homes->count)
        start_missing(groups, homes, topic);
    image_unref(image);
}

struct forget_task {
    struct loop_task task;
    struct group_shard *shard;
    char topic[];
};

static void forget_on_loop(struct loop_task *task)
{
    struct forget_task *forget = container_of(task, struct forget_task, task);
    group_shard_forget_topic(forget->shard, forget->topic);
    mem_free(forget);
}

static void forget_topic(struct group_homes *homes, const char *topic)
{
    size_t size = strlen(topic) + 1;
    for (int32_t i = 0; i < homes->count; i++) {
        struct group_home *home = &homes->items[i];
        struct forget_task *forget = mem_alloc(sizeof(*forget) + size);
        forget->task.run = forget_on_loop;
        forget->shard = home->shard;
        memcpy(forget->topic, topic, size);
        loop_post(home->loop, &forget->task);
    }
}

void groups_forget_topics(struct groups *groups, const struct image_delta *delta)
{
    struct group_homes *homes = atomic_load(&groups->homes);
    if (groups->state != GROUPS_SERVING)
        return;
    for (size_t i = 0; i < delta->topic_count; i++) {
        if (delta->topics[i].before != NULL && delta->topics[i].after == NULL)
            forget_topic(homes, topic_name(delta->topics[i].before));
    }
}

void groups_stop(struct groups *groups, void (*stopped)(void *arg), void *arg)
{
    ASSERT(!groups->is_stopping);
    groups->is_stopping = true;
    groups->stopped = stopped;
    groups->stopped_arg = arg;
    if (groups->state == GROUPS_NONE)
        stopped(arg);
    else if (groups->state == GROUPS_SERVING)
        close_all(groups);
}

void groups_init(struct groups *groups, struct broker *broker)
{
    *groups = (struct groups){.broker = broker};
}

void groups_deinit(struct groups *groups)
{
    struct group_homes *homes = atomic_load(&groups->homes);
    if (homes == NULL)
        return;
    for (int32_t i = 0; i < homes->count; i++)
        group_shard_free(homes->items[i].shard);
    mem_free(homes);
}

/* ---- where a group is */

/* May this byte stand at this place behind such a first byte? */
static bool may_follow(uint8_t first, ptrdiff_t at, uint8_t byte)
{
    if (at == 1 && first == 0xe0)
        return byte >= 0xa0 && byte <= 0xbf;
    if (at == 1 && first == 0xf0)
        return byte >= 0x90 && byte <= 0xbf;
    if (at == 1 && first == 0xf4)
        return byte >= 0x80 && byte <= 0x8f;
    return (byte & 0xc0) == 0x80;
}

/* The next UTF-16 unit of Java's string; *low is the second of a pair, or 0. As in Java, bytes that
 * are no UTF-8 count as one U+FFFD for each longest beginning of a character. */
static uint32_t next_unit(const uint8_t **at, const uint8_t *end, uint32_t *low)
{
    const uint8_t *p = *at;
    uint8_t first = *p;
    ptrdiff_t len = first < 0x80                    ? 1
                    : first >= 0xc2 && first < 0xe0 ? 2
                    : first >= 0xe0 && first < 0xf0 ? 3
                    : first >= 0xf0 && first < 0xf5 ? 4
                                                    : 0;
    uint32_t c = len == 1 ? first : first & (0x7fu >> len);
    ptrdiff_t read = 1;
    for (; read < len && read < end - p && may_follow(first, read, p[read]); read++)
        c = c << 6 | (p[read] & 0x3f);
    *at = p + read;
    *low = 0;
    if (read != len || (c >= 0xd800 && c < 0xe000))
        return 0xfffd;
    if (c < 0x10000)
        return c;
    c -= 0x10000;
    *low = 0xdc00 | (c & 0x3ff);
    return 0xd800 | c >> 10;
}

int32_t groups_partition_of(struct wire_str group_id, int32_t partition_count)
{
    ASSERT(partition_count > 0);
    if (group_id.len <= 0)
        return 0;
    uint32_t hash = 0;
    const uint8_t *at = (const uint8_t *)group_id.data;
    const uint8_t *end = at + group_id.len;
    while (at < end) {
        uint32_t low, unit = next_unit(&at, end, &low);
        hash = hash * 31 + unit;
        if (low != 0)
            hash = hash * 31 + low;
    }
    int32_t number = (int32_t)hash;
    return number == INT32_MIN ? 0 : (number < 0 ? -number : number) % partition_count;
}

int32_t groups_shard_count(struct broker *broker)
{
    const struct group_homes *homes = atomic_load(&broker->groups.homes);
    return homes != NULL ? homes->count : 0;
}

/* ---- calls */

struct group_call *group_call_new(struct request *rq, int32_t count, group_op_fn *run,
                                  void (*finish)(struct group_call *call))
{
    struct group_call *call = request_alloc(rq, 1, sizeof(*call));
    char host[ENV_ADDR_TEXT_SIZE];
    char *shown = request_alloc(rq, 1, sizeof(host) + 1);
    if (call == NULL || shown == NULL) {
        request_close_no_memory(rq);
        return NULL;
    }
    arena_init(&call->arena, (size_t)rq->broker->config->memory_bytes_max / CALL_ARENA_SHARE);
    call->parts = arena_alloc_array(&call->arena, (size_t)count, sizeof(call->parts[0]));
    if (call->parts == NULL) {
        request_close_no_memory(rq);
        return NULL;
    }
    atomic_init(&call->answer_bytes_left, LIMIT_GROUP_ANSWER_BYTES);
    /* As Java shows an address without a name. */
    snprintf(shown, sizeof(host) + 1, "/%s", env_addr_host(net_conn_peer(rq->net->conn), host));
    call->rq = rq;
    call->finish = finish;
    call->count = count;
    atomic_init(&call->left, (unsigned)count);
    for (int32_t i = 0; i < count; i++) {
        struct group_part *part = &call->parts[i];
        part->call = call;
        arena_init(&part->arena, LIMIT_GROUP_ANSWER_BYTES);
        part->op = (struct group_op){.run = run,
                                     .arena = &part->arena,
                                     .version = rq->version,
                                     .client_id = rq->header.client_id,
                                     .client_host = shown};
    }
    return call;
}

static void call_back(struct loop_task *task)
{
    struct group_call *call = container_of(task, struct group_call, back);
    call->finish(call);
}

/* Any thread. */
static void part_is_done(struct group_call *call)
{
    unsigned before = atomic_fetch_sub_explicit(&call->left, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    call->back = (struct loop_task){.run = call_back};
    loop_post(call->rq->net->loop, &call->back);
}

static void op_done(struct group_op *op)
{
    struct group_part *part = container_of(op, struct group_part, op);
    atomic_fetch_sub_explicit(&part->call->answer_bytes_left, (int64_t)part->arena.used_bytes,
                              memory_order_relaxed);
    part_is_done(part->call);
}

static void part_on_loop(struct loop_task *task)
{
    struct group_part *part = container_of(task, struct group_part, task);
    int64_t left = atomic_load_explicit(&part->call->answer_bytes_left, memory_order_relaxed);
    arena_init(&part->arena, (size_t)MAX(left, 1));
    group_shard_submit(part->home->shard, &part->op);
}

void group_call_skip(struct group_call *call, int32_t part, enum kerr error)
{
    call->parts[part].op.error = error;
    part_is_done(call);
}

void group_call_send_to(struct group_call *call, int32_t number, int32_t shard)
{
    struct group_homes *homes = atomic_load(&call->rq->broker->groups.homes);
    struct group_part *part = &call->parts[number];
    ASSERT(homes != NULL && shard >= 0 && shard < homes->count);
    part->home = &homes->items[shard];
    part->op.done = op_done;
    part->task = (struct loop_task){.run = part_on_loop};
    loop_post(part->home->loop, &part->task);
}

void group_call_send(struct group_call *call, int32_t part, struct wire_str group_id)
{
    int32_t count = groups_shard_count(call->rq->broker);
    if (count == 0)
        group_call_skip(call, part, KERR_NOT_COORDINATOR);
    else
        group_call_send_to(call, part, groups_partition_of(group_id, count));
}

/* The parts lie in the call's own arena, which goes last. */
static void free_parts(struct group_part *parts, int32_t count, struct arena *own)
{
    for (int32_t i = 0; i < count; i++)
        arena_deinit(&parts[i].arena);
    arena_deinit(own);
}

void group_call_no_memory(struct group_call *call)
{
    struct arena own = call->arena;
    free_parts(call->parts, call->count, &own);
    request_close_no_memory(call->rq);
}

void group_call_reply(struct group_call *call)
{
    struct arena own = call->arena;
    struct group_part *parts = call->parts;
    int32_t count = call->count;
    ASSERT(count >= 1);
    request_reply(call->rq); /* copies all it needs; the call goes with it */
    free_parts(parts, count, &own);
}
