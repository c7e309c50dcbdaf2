// SPDX-License-Identifier: Apache-2.0
/*
 * world: see world.h. Here are the phases, the faults and the clients' wiring.
 *
 * Thread: one.
 */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "check.h"

enum {
    SET_UP_MAX_S = 60,
    SAFETY_MAX_S = 120,
    HEALING_MAX_S = 300,
    AUDIT_MAX_S = 120,
    SETTLE_S = 1,
    ONLINE_MAX_S = 60,
    LONE_MAX_S = 30,
    STOP_MAX_S = 5,
    THROTTLE_MAX_S = 3,
    EVENTS_MAX = 20000000,
    EVENTS_OFFLINE_MAX = 1000000, /* more, until somebody restarts a broker with a bad disk */
    RESTART_MAX_MS = 500,
    REPAIR_MAX_MS = 2000,
    JUMP_MAX_MS = 60000,
    JUMPED_MAX_MS = 1200000, /* a broker refuses timestamps an hour ahead of its own */
    LONE_RECORDS = 20,
    OPERATIONS_MIN = 1050, /* a seed counts with 1,000 */
    TOP_UP_BATCHES = 20,
    TOP_UPS_MAX = 50,
    CRASH_IO_MAX = 40,
    CRASH_RECOVERY_IO_MAX = 80,
    CRASH_SOON_IO_MAX = 600, /* when the first things are acknowledged again */
    FIRST_STARTS_HIT = 4, /* a directory half made into a broker's has to become one all the same */
};

void world_fail(struct world *w, const char *what, const char *why)
{
    if (w->has_failed)
        return;
    w->has_failed = true;
    snprintf(w->failure, sizeof(w->failure), "%s%s%s", what, why[0] != '\0' ? ": " : "", why);
}

static struct sim_env *new_machine(struct world *w)
{
    char ip[32];
    w->client_ids++;
    snprintf(ip, sizeof(ip), "10.0.1.%u", w->client_ids);
    return sim_env_new(w->sim, &(struct sim_env_options){.ip = ip, .loops = 1});
}

/* ---- what workloads ask for */

static void add_config(struct admin_topic *topic, const char *name, const char *value)
{
    ASSERT(topic->config_count < ADMIN_CONFIGS_MAX);
    topic->configs[topic->config_count++] = (struct admin_config){name, value};
}

static const char *number_text(long long value)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", value);
    return mem_strdup(text); /* as long as the world */
}

static void add_compaction(const struct world *w, struct admin_topic *wanted,
                           const struct world_topic_options *options)
{
    add_config(wanted, "cleanup.policy", "compact");
    add_config(wanted, "min.cleanable.dirty.ratio", w->swarm.cleaner.is_thorough ? "0" : "0.05");
    add_config(wanted, "delete.retention.ms", number_text(options->delete_retention_ms));
    add_config(wanted, "file.delete.delay.ms", number_text(options->delete_delay_ms));
    if (options->compaction_lag_ms > 0)
        add_config(wanted, "min.compaction.lag.ms", number_text(options->compaction_lag_ms));
}

uint32_t world_add_topic(struct world *w, const struct world_topic_options *options)
{
    ASSERT(w->topic_count < ADMIN_TOPICS_MAX);
    struct history *h = &w->history;
    uint32_t topic = history_add_topic(h, options->name);
    struct admin_topic *wanted = &w->set_up_topics[w->set_up_count++];
    *wanted = (struct admin_topic){
        .topic = topic, .partitions = options->partitions, .wants_present = true};
    add_config(wanted, "klamm.ack", options->is_durable ? "disk" : "cache");
    add_config(wanted, "internal.segment.bytes", number_text(options->segment_bytes));
    add_config(wanted, "index.interval.bytes", number_text(options->index_interval_bytes));
    if (options->is_preallocated)
        add_config(wanted, "preallocate", "true");
    if (options->segment_ms > 0)
        add_config(wanted, "segment.ms", number_text(options->segment_ms));
    if (options->compression != NULL)
        add_config(wanted, "compression.type", options->compression);
    if (options->is_log_append_time)
        add_config(wanted, "message.timestamp.type", "LogAppendTime");
    if (options->flush_messages > 0)
        add_config(wanted, "flush.messages", number_text(options->flush_messages));
    if (options->segment_jitter_ms > 0)
        add_config(wanted, "segment.jitter.ms", number_text(options->segment_jitter_ms));
    if (options->retention_ms > 0)
        add_config(wanted, "retention.ms", number_text(options->retention_ms));
    if (options->retention_bytes > 0)
        add_config(wanted, "retention.bytes", number_text(options->retention_bytes));
    bool has_retention = options->retention_bytes > 0 || options->retention_ms > 0;
    if (has_retention)
        add_config(wanted, "file.delete.delay.ms", number_text(options->delete_delay_ms));
    if (options->keys > 0)
        add_compaction(w, wanted, options);
    struct world_topic *t = &w->topics[w->topic_count];
    *t = (struct world_topic){topic, h->partition_count, options->partitions};
    for (int32_t i = 0; i < options->partitions; i++) {
        uint32_t partition = history_add_partition(h, topic, i, options->is_durable);
        h->partitions[partition].has_retention = has_retention;
        h->partitions[partition].retention_ms = options->retention_ms;
        h->partitions[partition].retention_bytes = options->retention_bytes;
        if (options->keys > 0)
            history_set_compacted(h, partition, options->keys,
                                  options->delete_retention_ms * SIM_MS);
    }
    return w->topic_count++;
}

void world_add_offsets_topic(struct world *w, int32_t partitions, int32_t segment_bytes)
{
    ASSERT(w->set_up_count < ADMIN_TOPICS_MAX);
    struct admin_topic *wanted = &w->set_up_topics[w->set_up_count++];
    *wanted = (struct admin_topic){.topic = history_add_topic(&w->history, "__consumer_offsets"),
                                   .partitions = partitions,
                                   .wants_present = true};
    add_config(wanted, "cleanup.policy", "compact");
    add_config(wanted, "internal.segment.bytes", number_text(segment_bytes));
}

struct client_options world_new_client(struct world *w)
{
    return (struct client_options){.history = &w->history,
                                   .env = new_machine(w),
                                   .broker = w->broker_addr,
                                   .backoff_max_ns = w->swarm.backoff_max_ns};
}

struct client_options world_client_of_all(struct world *w)
{
    struct client_options client = world_new_client(w);
    for (uint32_t i = 0; i < w->history.partition_count; i++)
        client.partitions[client.partition_count++] = i;
    return client;
}

void world_add_producer(struct world *w, const struct producer_options *options)
{
    ASSERT(w->producer_count < WORLD_CLIENTS_MAX);
    w->producers[w->producer_count].client = world_client_of_all(w);
    w->producers[w->producer_count++].options = *options;
}

void world_add_consumer(struct world *w, const struct consumer_options *options)
{
    ASSERT(w->consumer_count < WORLD_CLIENTS_MAX);
    w->consumers[w->consumer_count].client = world_client_of_all(w);
    w->consumers[w->consumer_count++].options = *options;
}

void world_add_admin(struct world *w, uint32_t topics, unsigned rounds)
{
    ASSERT(w->admin_count < WORLD_CLIENTS_MAX && topics <= ADMIN_TOPICS_MAX);
    uint32_t index = w->admin_count++;
    w->admins[index].client = world_new_client(w);
    w->admins[index].topic_count = topics;
    for (uint32_t i = 0; i < topics; i++) {
        char name[HISTORY_NAME_SIZE];
        snprintf(name, sizeof(name), "admin-%u.%u", index, i);
        w->admins[index].topics[i] = (struct admin_topic){
            .topic = history_add_topic(&w->history, name),
            .partitions = (int32_t)sim_draw(w->sim, 1, 3),
            .rounds = rounds,
        };
    }
}

void world_add_noise(struct world *w, uint32_t clients)
{
    ASSERT(w->admin_count > 0 && clients <= WORLD_CLIENTS_MAX);
    for (uint32_t i = 0; i < clients; i++)
        w->noises[w->noise_count++].client = world_new_client(w);
}

void world_add_trimmers(struct world *w, uint32_t clients)
{
    ASSERT(w->trimmer_count + clients <= WORLD_CLIENTS_MAX);
    for (uint32_t i = 0; i < clients; i++)
        w->trimmers[w->trimmer_count++].client = world_client_of_all(w);
}

static void start_noise(struct world *w)
{
    uint32_t topics[NOISE_TOPICS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->admin_count; i++) {
        for (uint32_t k = 0; k < w->admins[i].topic_count && count < NOISE_TOPICS_MAX; k++)
            topics[count++] = w->admins[i].topics[k].topic;
    }
    for (uint32_t i = 0; i < w->noise_count; i++)
        noise_start(&w->noises[i].noise, &w->noises[i].client, topics, count);
}

/* ---- the broker and its deaths */

/* Somebody restarts this broker. */
static void plan_repair(struct world *w)
{
    if (w->process == NULL || (w->has_repair && w->repair_start == w->starts))
        return;
    w->repair_start = w->starts;
    w->has_repair = true;
    sim_schedule(w->sim, &w->repair, w->sim->now_ns + sim_draw(w->sim, 0, REPAIR_MAX_MS * SIM_MS));
}

static void start_broker(struct world *w)
{
    /* Where there is no room for the start in the metadata, the epochs rise later. */
    bool may_lag = w->phase == WORLD_SAFETY && w->swarm.full_interval_ns > 0;
    history_broker_starts(&w->history, may_lag);
    w->lacks_dir = w->phase == WORLD_SAFETY && w->swarm.log_dirs > 1 &&
                   sim_percent(w->sim, w->swarm.dir_missing_percent);
    w->process = process_start(w);
    w->starts++;
    if (w->lacks_dir) {
        sim_count(w->sim, SIM_FAULT_DIR_MISSING);
        plan_repair(w);
    }
    bool may_be_hit = w->phase == WORLD_SET_UP
                          ? w->starts <= FIRST_STARTS_HIT
                          : w->phase == WORLD_SAFETY && w->crashes_done < w->crash_count;
    if (may_be_hit && sim_percent(w->sim, w->swarm.crash_in_recovery_percent)) {
        w->crashes_done += w->phase == WORLD_SAFETY;
        int64_t most = sim_percent(w->sim, 50) ? CRASH_RECOVERY_IO_MAX : CRASH_SOON_IO_MAX;
        int64_t nth = sim_draw(w->sim, 1, most);
        sim_env_die_at_io(process_env(w->process), nth,
                          sim_percent(w->sim, 70) ? SIM_DEATH_POWER_CUT : SIM_DEATH_KILL);
    }
}

static void on_restart(struct sim_event *event)
{
    start_broker(container_of(event, struct world, restart));
}

enum sim_death world_draw_death(struct world *w)
{
    return sim_percent(w->sim, w->swarm.power_cut_percent) ? SIM_DEATH_POWER_CUT : SIM_DEATH_KILL;
}

static enum sim_aim draw_aim(struct world *w)
{
    static const enum sim_aim moves[] = {SIM_AIM_COPY, SIM_AIM_GO_OVER, SIM_AIM_LEAVE,
                                         SIM_AIM_MARKER};
    if (w->swarm.aims_at_moves && sim_percent(w->sim, 80))
        return moves[sim_draw(w->sim, 0, (int64_t)ARRAY_COUNT(moves) - 1)];
    return sim_percent(w->sim, 50) ? SIM_AIM_ROLL : SIM_AIM_RETENTION;
}

static void crash(struct world *w)
{
    struct sim_env *env = process_env(w->process);
    int64_t nth = sim_draw(w->sim, 1, CRASH_IO_MAX);
    bool is_first = w->crashes_done == 1; /* which is to be a crash indeed */
    if (!is_first && sim_percent(w->sim, w->swarm.clean_stop_percent) &&
        process_state(w->process) == PROCESS_READY)
        process_stop(w->process);
    else if (!is_first && sim_percent(w->sim, w->swarm.crash_aimed_percent))
        sim_env_die_amid(env, draw_aim(w), world_draw_death(w));
    else if (sim_percent(w->sim, w->swarm.crash_in_io_percent))
        sim_env_die_at_io(env, nth, world_draw_death(w));
    else
        sim_env_die(env, world_draw_death(w));
}

/* After every event: is the broker ready now, has its machine gone? */
static void watch_broker(struct world *w)
{
    if (w->process == NULL)
        return;
    if (process_state(w->process) == PROCESS_READY && w->starts_checked != w->starts) {
        w->starts_checked = w->starts;
        process_check_logs(w->process);
    }
    if (process_state(w->process) == PROCESS_STOPPED)
        sim_env_die(process_env(w->process), SIM_DEATH_EXIT);
    else if (process_state(w->process) == PROCESS_FAILED)
        sim_env_die(process_env(w->process), world_draw_death(w));
    if (!process_env(w->process)->is_dead)
        return;
    process_count(w->process);
    if (process_state(w->process) == PROCESS_STARTING && w->phase != WORLD_SET_UP)
        sim_count(w->sim, SIM_FAULT_DIE_OPENING);
    w->process = NULL;
    if (w->phase != WORLD_STOP)
        sim_schedule(w->sim, &w->restart,
                     w->sim->now_ns + sim_draw(w->sim, 0, RESTART_MAX_MS * SIM_MS));
}

/* What was not promised is forgotten in the same event in which the power went. */
static void watch_power(struct world *w)
{
    while (w->history.power_cuts < w->sim->faults[SIM_FAULT_POWER_CUT])
        history_power_cut(&w->history);
}

static void watch_crash_plan(struct world *w)
{
    if (w->phase != WORLD_SAFETY || w->process == NULL || w->crashes_done == w->crash_count ||
        process_state(w->process) != PROCESS_READY ||
        w->history.acked_operations < w->crash_at[w->crashes_done])
        return;
    w->crashes_done++;
    crash(w);
}

/* ---- other faults */

static void on_reset(struct sim_event *event)
{
    struct world *w = container_of(event, struct world, reset);
    if (w->phase != WORLD_SAFETY)
        return;
    sim_net_reset_one(w->sim);
    sim_schedule(w->sim, event,
                 w->sim->now_ns + sim_draw(w->sim, 0, 2 * w->swarm.reset_interval_ns));
}

static void on_jump(struct sim_event *event)
{
    struct world *w = container_of(event, struct world, jump);
    if (w->phase != WORLD_SAFETY)
        return;
    int64_t by_ms = sim_draw(w->sim, -JUMP_MAX_MS, JUMP_MAX_MS);
    if (w->process != NULL && w->jumped_ms + by_ms < JUMPED_MAX_MS &&
        w->jumped_ms + by_ms > -JUMPED_MAX_MS) {
        w->jumped_ms += by_ms;
        sim_env_jump_wall_ms(process_env(w->process), by_ms);
    }
    sim_schedule(w->sim, event,
                 w->sim->now_ns + sim_draw(w->sim, 0, 2 * w->swarm.jump_interval_ns));
}

/* For everything, or only under the groups. */
static int64_t full_interval_ns(const struct world *w)
{
    bool is_all = w->swarm.full_interval_ns > 0;
    return is_all ? w->swarm.full_interval_ns : w->swarm.groups.full_interval_ns;
}

static void on_fill(struct sim_event *event)
{
    struct world *w = container_of(event, struct world, fill);
    struct sim_tuning *tuning = &w->sim->tuning;
    if (w->phase != WORLD_SAFETY)
        return;
    tuning->disk_is_full = !tuning->disk_is_full;
    bool is_all = w->swarm.full_interval_ns > 0;
    int64_t full_ns = is_all ? w->swarm.full_max_ns : w->swarm.groups.full_max_ns;
    int64_t most_ns = tuning->disk_is_full ? full_ns : 2 * full_interval_ns(w);
    sim_schedule(w->sim, event, w->sim->now_ns + sim_draw(w->sim, 0, most_ns));
}

/* ---- a disk that failed, or is not there: until somebody restarts the broker */

static void on_repair(struct sim_event *event)
{
    struct world *w = container_of(event, struct world, repair);
    if (w->process != NULL && w->starts == w->repair_start)
        sim_env_die(process_env(w->process), world_draw_death(w));
}

static void watch_disk(struct world *w)
{
    if (w->disk_errors_seen == w->sim->faults[SIM_FAULT_DISK_ERROR])
        return;
    w->disk_errors_seen = w->sim->faults[SIM_FAULT_DISK_ERROR];
    plan_repair(w);
}

/* What it may still wait for comes now. */
static void repair_now(struct world *w)
{
    if (w->has_repair && w->process != NULL && w->starts == w->repair_start)
        sim_schedule(w->sim, &w->repair, w->sim->now_ns);
}

static void start_disk_errors(struct world *w)
{
    struct sim_tuning *tuning = &w->sim->tuning;
    /* The first directory has the metadata, and its errors end all changes. */
    bool is_whole_dir = w->swarm.log_dirs > 1 && sim_percent(w->sim, 50);
    tuning->disk_faults_under = is_whole_dir ? "/data-2/" : "__consumer_offsets";
    tuning->disk_error_ppm = w->swarm.groups.disk_error_ppm;
    if (w->swarm.faults.under == NULL)
        return;
    tuning->disk_faults_under = w->swarm.faults.under;
    tuning->disk_error_ppm = w->swarm.faults.disk_error_ppm;
    tuning->name_error_ppm = w->swarm.faults.name_error_ppm;
}

static void start_faults(struct world *w)
{
    w->sim->tuning = w->swarm.tuning;
    start_disk_errors(w);
    if (w->swarm.full_interval_ns == 0)
        w->sim->tuning.disk_full_under = "__consumer_offsets";
    if (full_interval_ns(w) > 0)
        sim_schedule(w->sim, &w->fill, w->sim->now_ns + sim_draw(w->sim, 0, full_interval_ns(w)));
    if (w->swarm.reset_interval_ns > 0)
        sim_schedule(w->sim, &w->reset,
                     w->sim->now_ns + sim_draw(w->sim, 0, w->swarm.reset_interval_ns));
    if (w->swarm.jump_interval_ns > 0)
        sim_schedule(w->sim, &w->jump,
                     w->sim->now_ns + sim_draw(w->sim, 0, w->swarm.jump_interval_ns));
}

/* Calm from here on; what was drawn for good (windows of open connections) stays. */
static void stop_faults(struct world *w)
{
    int32_t segment_max = w->sim->tuning.net_segment_max;
    w->sim->tuning = sim_tuning_calm();
    w->sim->tuning.net_segment_max = segment_max;
    sim_cancel(w->sim, &w->reset);
    sim_cancel(w->sim, &w->jump);
    sim_cancel(w->sim, &w->fill);
    for (uint32_t i = 0; i < w->consumer_count; i++)
        w->consumers[i].consumer.options.may_pause = false;
    struct sim_env *env = w->process != NULL ? process_env(w->process) : NULL;
    if (env != NULL)
        sim_env_spare(env);
}

/* ---- running */

/* A producer of acks=0 whose log directory is offline comes back as fast as the network lets it. */
static uint64_t events_max(const struct world *w)
{
    int64_t failures = w->sim->faults[SIM_FAULT_DISK_ERROR] + w->sim->faults[SIM_FAULT_DIR_MISSING];
    return EVENTS_MAX + (uint64_t)failures * EVENTS_OFFLINE_MAX;
}

bool world_run_until(struct world *w, bool (*is_done)(const struct world *w), int64_t seconds)
{
    int64_t end_ns = w->sim->now_ns + seconds * SIM_S;
    while (!w->has_failed && !is_done(w)) {
        if (!sim_step(w->sim, end_ns))
            return false;
        watch_power(w);
        watch_broker(w);
        watch_crash_plan(w);
        watch_disk(w);
        world_groups_watch(w);
        if (w->history.has_failed)
            world_fail(w, w->history.failure, "");
        if (w->sim->event_count > events_max(w))
            world_fail(w, "too many events", "something spins");
    }
    return true;
}

bool world_broker_is_ready(const struct world *w)
{
    return w->process != NULL && process_state(w->process) == PROCESS_READY;
}

static bool is_gone(const struct world *w)
{
    return w->process == NULL;
}

static bool is_set_up(const struct world *w)
{
    return world_broker_is_ready(w) && (w->set_up_count == 0 || admin_is_done(&w->set_up_admin));
}

static void set_up(struct world *w)
{
    start_broker(w);
    struct client_options client = world_new_client(w);
    if (w->set_up_count > 0)
        admin_start(&w->set_up_admin, &client, w->set_up_topics, w->set_up_count);
    if (!world_run_until(w, is_set_up, SET_UP_MAX_S))
        world_fail(w, "the topics are not made", "");
    if (w->set_up_count > 0)
        admin_stop(&w->set_up_admin);
}

static bool is_work_done(const struct world *w)
{
    for (uint32_t i = 0; i < w->producer_count; i++) {
        if (!producer_is_done(&w->producers[i].producer))
            return false;
    }
    for (uint32_t i = 0; i < w->admin_count; i++) {
        if (!admin_is_done(&w->admins[i].admin))
            return false;
    }
    return world_groups_have_worked(w);
}

static bool is_all_done(const struct world *w)
{
    if (!world_broker_is_ready(w) || !is_work_done(w))
        return false;
    for (uint32_t i = 0; i < w->consumer_count; i++) {
        if (!consumer_is_done(&w->consumers[i].consumer))
            return false;
    }
    return world_movers_are_done(w) && world_groups_are_done(w);
}

static void plan_crashes(struct world *w)
{
    w->crash_count = MIN(w->swarm.crashes, (unsigned)WORLD_CRASHES_MAX);
    for (unsigned i = 0; i < w->crash_count; i++) {
        int64_t slot = w->operations_wanted * 8 / 10 / w->crash_count;
        w->crash_at[i] = slot * i + sim_draw(w->sim, 1, MAX(slot, 1));
    }
}

static void start_clients(struct world *w)
{
    for (uint32_t i = 0; i < w->producer_count; i++)
        producer_start(&w->producers[i].producer, i, &w->producers[i].client,
                       &w->producers[i].options);
    for (uint32_t i = 0; i < w->consumer_count; i++)
        consumer_start(&w->consumers[i].consumer, &w->consumers[i].client,
                       &w->consumers[i].options);
    for (uint32_t i = 0; i < w->admin_count; i++)
        admin_start(&w->admins[i].admin, &w->admins[i].client, w->admins[i].topics,
                    w->admins[i].topic_count);
    start_noise(w);
    world_groups_start(w);
    for (uint32_t i = 0; i < w->trimmer_count; i++)
        trimmer_start(&w->trimmers[i].trimmer, &w->trimmers[i].client);
    world_movers_start(w);
}

static void describe_unfinished(const struct world *w, char *out, size_t size)
{
    int len = snprintf(out, size, "broker %s;", world_broker_is_ready(w) ? "ready" : "not ready");
    for (uint32_t i = 0; i < w->producer_count && len < (int)size; i++) {
        if (!producer_is_done(&w->producers[i].producer))
            len += snprintf(out + len, size - (size_t)len, " producer %u", i);
    }
    for (uint32_t i = 0; i < w->admin_count && len < (int)size; i++) {
        if (!admin_is_done(&w->admins[i].admin))
            len += snprintf(out + len, size - (size_t)len, " admin %u", i);
    }
    for (uint32_t i = 0; i < w->consumer_count && len < (int)size; i++) {
        if (!consumer_is_done(&w->consumers[i].consumer))
            len += snprintf(out + len, size - (size_t)len, " consumer %u", i);
    }
    if (len < (int)size && !world_movers_are_done(w))
        len += snprintf(out + len, size - (size_t)len, " movers");
    if (len < (int)size)
        (void)world_groups_describe(w, out + len, size - (size_t)len);
}

static void stop_clients(struct world *w)
{
    for (uint32_t i = 0; i < w->producer_count; i++)
        producer_stop(&w->producers[i].producer);
    for (uint32_t i = 0; i < w->consumer_count; i++)
        consumer_stop(&w->consumers[i].consumer);
    for (uint32_t i = 0; i < w->admin_count; i++)
        admin_stop(&w->admins[i].admin);
    for (uint32_t i = 0; i < w->noise_count; i++)
        noise_stop(&w->noises[i].noise);
    world_groups_stop(w);
    for (uint32_t i = 0; i < w->trimmer_count; i++)
        trimmer_stop(&w->trimmers[i].trimmer);
    world_movers_stop(w);
}

static void finish(struct world *w)
{
    if (world_run_until(w, is_all_done, HEALING_MAX_S))
        return;
    char unfinished[200];
    describe_unfinished(w, unfinished, sizeof(unfinished));
    world_fail(w, "not all have finished long after the faults", unfinished);
}

/* Producers that gave up on much of their work get more, so that the seed counts. */
static void top_up(struct world *w)
{
    for (int round = 0;
         round < TOP_UPS_MAX && w->history.acked_operations < OPERATIONS_MIN && !w->has_failed;
         round++) {
        for (uint32_t i = 0; i < w->producer_count; i++) {
            if (w->producers[i].options.acks != 0)
                producer_add_batches(&w->producers[i].producer, TOP_UP_BATCHES);
        }
        finish(w);
    }
}

static bool is_never(const struct world *w)
{
    return false;
}

/* What a producer had sent on a connection that was throttled is taken when that is over, though he
 * has gone. */
static void let_throttles_end(struct world *w)
{
    if (w->swarm.full_interval_ns > 0)
        (void)world_run_until(w, is_never, THROTTLE_MAX_S);
}

static void work(struct world *w)
{
    w->phase = WORLD_SAFETY;
    plan_crashes(w);
    start_faults(w);
    start_clients(w);
    (void)world_run_until(w, is_work_done, SAFETY_MAX_S);
    bool had_crash = w->sim->faults[SIM_FAULT_POWER_CUT] + w->sim->faults[SIM_FAULT_PROCESS_KILL];
    if (!had_crash && !w->has_failed && w->process != NULL) { /* the time was up before it came */
        sim_env_die(process_env(w->process), world_draw_death(w));
        watch_power(w);
        watch_broker(w);
    }
    w->phase = WORLD_HEALING;
    stop_faults(w);
    repair_now(w);
    world_groups_calm(w);
    world_movers_calm(w);
    finish(w);
    top_up(w);
    stop_clients(w);
    let_throttles_end(w);
}

/* ---- afterwards */

void world_restart(struct world *w)
{
    if (sim_percent(w->sim, 40)) {
        process_stop(w->process);
        w->sim->faults[SIM_FAULT_CLEAN_STOP]--; /* not in the middle of the work */
        if (!world_run_until(w, is_gone, STOP_MAX_S))
            world_fail(w, "the broker does not stop", "");
    } else {
        sim_env_die(process_env(w->process), world_draw_death(w));
        watch_power(w);
        watch_broker(w);
    }
    if (!w->has_failed && !world_run_until(w, world_broker_is_ready, AUDIT_MAX_S))
        world_fail(w, "the broker is not back after a restart", "");
}

static void groups(struct world *w)
{
    if (w->history.groups.count == 0)
        return;
    w->phase = WORLD_AUDIT;
    world_groups_restart(w);
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}

/* What was acknowledged when it was written (acks=1) is readable when its commit has ended. */
static bool lets_time_pass(const struct world *w)
{
    (void)w;
    return false;
}

static bool is_audited(const struct world *w)
{
    return consumer_is_done(&w->auditor);
}

bool world_start_broker(struct world *w)
{
    start_broker(w);
    if (!world_run_until(w, world_broker_is_ready, AUDIT_MAX_S))
        world_fail(w, "the broker does not start", "");
    return !w->has_failed;
}

bool world_read_all(struct world *w)
{
    struct client_options client = world_client_of_all(w);
    struct consumer_options options = {.is_auditor = true,
                                       .wait_ms = 10,
                                       .bytes_min = 1,
                                       .bytes_max = 1 << 20,
                                       .partition_bytes_max = 1 << 16};
    consumer_start(&w->auditor, &client, &options);
    if (!world_run_until(w, is_audited, AUDIT_MAX_S))
        world_fail(w, "the logs cannot be read to their ends", "");
    consumer_stop(&w->auditor);
    return !w->has_failed;
}

static void audit(struct world *w)
{
    w->phase = WORLD_AUDIT;
    if (sim_percent(w->sim, 60)) {
        sim_env_die(process_env(w->process), world_draw_death(w));
        watch_power(w);
        watch_broker(w);
        if (!world_run_until(w, world_broker_is_ready, AUDIT_MAX_S))
            world_fail(w, "the broker is not back after the last crash", "");
    }
    if (w->has_failed || w->history.partition_count == 0)
        return;
    (void)world_run_until(w, lets_time_pass, SETTLE_S);
    w->history.is_auditing = true;
    if (!world_read_all(w))
        return;
    for (uint32_t i = 0; i < w->history.partition_count; i++)
        w->history.partitions[w->auditor.partitions[i].partition].audit_end =
            w->auditor.partitions[i].end;
    for (uint32_t i = 0; i < w->history.partition_count; i++)
        w->sim->faults[SIM_FAULT_RETENTION] += w->history.partitions[i].log_start > 0;
    history_check_end(&w->history);
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}

static void settle(struct world *w)
{
    world_settle(w);
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}

static bool is_lone_done(const struct world *w)
{
    return producer_is_done(&w->lone);
}

/* A round trip, two syncs, and so many short waits of a calm world in between. */
static int64_t lone_bound_ns(const struct sim_tuning *t)
{
    enum { WAITS = 12 };
    int64_t wait_ns = t->disk_delay_max + t->turn_delay_max + t->step_delay_max;
    return 4 * t->net_delay_max + 2 * t->sync_delay_max + WAITS * wait_ns;
}

static void lone(struct world *w)
{
    if (w->history.partition_count == 0)
        return;
    w->phase = WORLD_LONE;
    uint32_t partition = 0; /* one that does not roll all the time */
    struct client_options client = world_new_client(w);
    client.partitions[client.partition_count++] = partition;
    struct producer_options options = {.acks = -1,
                                       .in_flight_max = 1,
                                       .batches = 1,
                                       .batch_records_max = 1,
                                       .record_bytes_max = 100};
    producer_start(&w->lone, w->producer_count, &client, &options);
    int64_t bound_ns = lone_bound_ns(&w->sim->tuning);
    int64_t best_ns = INT64_MAX;
    for (int i = 0; i < LONE_RECORDS && !w->has_failed; i++) {
        if (!world_run_until(w, is_lone_done, LONE_MAX_S))
            world_fail(w, "a lone record is not acknowledged", "");
        best_ns = MIN(best_ns, w->lone.last_ack_took_ns);
        producer_add_batches(&w->lone, 1);
    }
    producer_stop(&w->lone);
    check_latency_on_lone_ack(&w->history, best_ns, bound_ns);
    if (w->history.has_failed)
        world_fail(w, w->history.failure, "");
}

static bool is_all_online(const struct world *w)
{
    return process_offline(w->process) == 0;
}

static void stop(struct world *w)
{
    /* One that found no room when it was to be opened is tried again, less and less often. */
    (void)world_run_until(w, is_all_online, ONLINE_MAX_S);
    w->phase = WORLD_STOP;
    process_check_logs(w->process);
    world_scrub_look(w);
    if (w->swarm.has_rot && sim_percent(w->sim, 50)) { /* so that the last segments are scanned */
        sim_env_die(process_env(w->process), SIM_DEATH_KILL);
        watch_broker(w);
        return;
    }
    process_stop(w->process);
    w->sim->faults[SIM_FAULT_CLEAN_STOP]--; /* not in the middle of the work */
    if (!world_run_until(w, is_gone, STOP_MAX_S))
        world_fail(w, "the broker does not stop", "");
}

static int64_t wanted_operations(const struct world *w)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < w->producer_count; i++)
        count += (int64_t)w->producers[i].options.batches * w->history.partition_count;
    for (uint32_t i = 0; i < w->admin_count; i++) {
        for (uint32_t k = 0; k < w->admins[i].topic_count; k++)
            count += w->admins[i].topics[k].rounds;
    }
    return count + w->groups.commits_wanted;
}

static struct world *world_new(uint64_t seed, const struct workload *workload, bool is_verbose)
{
    struct world *w = mem_alloc(sizeof(*w));
    w->sim = sim_new(seed);
    w->sim->is_verbose = is_verbose;
    w->disk = sim_disk_new();
    history_init(&w->history);
    w->history.now_ns = &w->sim->now_ns;
    w->restart.fire = on_restart;
    w->reset.fire = on_reset;
    w->jump.fire = on_jump;
    w->fill.fire = on_fill;
    w->repair.fire = on_repair;
    w->broker_addr = (struct env_addr){.family = 4, .ip = {10, 0, 0, 1}, .port = 9092};
    swarm_draw(w->sim, &w->swarm);
    workload->set_up(w);
    w->operations_wanted = wanted_operations(w);
    return w;
}

void world_run(uint64_t seed, const struct workload *workload, bool is_verbose, size_t trace_lines,
               struct world_result *out)
{
    struct world *w = world_new(seed, workload, is_verbose);
    void (*const phases[])(struct world *) = {set_up,
                                              world_make_namesakes,
                                              work,
                                              groups,
                                              world_settle_moves,
                                              audit,
                                              world_settle_moves,
                                              settle,
                                              world_clean,
                                              lone,
                                              stop,
                                              world_rot,
                                              world_scrub};
    for (size_t i = 0; i < ARRAY_COUNT(phases) && !w->has_failed; i++)
        phases[i](w);
    *out = (struct world_result){
        .hash = w->sim->hash,
        .acked_operations = w->history.acked_operations,
        .records_read = w->history.records_read,
        .crashes = w->sim->faults[SIM_FAULT_POWER_CUT] + w->sim->faults[SIM_FAULT_PROCESS_KILL],
        .event_count = (int64_t)w->sim->event_count,
        .virtual_ms = w->sim->now_ns / SIM_MS,
        .has_failed = w->has_failed,
    };
    memcpy(out->faults, w->sim->faults, sizeof(out->faults));
    memcpy(out->failure, w->failure, sizeof(out->failure));
    if (w->has_failed)
        sim_trace_print(w->sim, trace_lines);
}
