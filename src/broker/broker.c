// SPDX-License-Identifier: Apache-2.0
/*
 * broker: puts the parts together, and their life cycle. See broker.h.
 *
 * Start: broker_open.c locks the directories; the metadata log opens; listeners bind (so that
 * a taken port is told at once, and the ports are known); the controller replays and registers
 * this broker; the partitions open; strays are set aside; requests that came early are let in.
 * Stop, from any of these: connections close, the controller ends, partitions close cleanly.
 *
 * Thread: the first loop, where nothing else is said.
 */
#include "broker/broker.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/state.h"
#include "broker/broker_private.h"
#include "broker/conn_state.h"
#include "broker/descriptors.h"
#include "broker/endpoint.h"
#include "env/logger.h"

enum { STOP_LOOK_NS = 1000000 };

static const char *const broker_state_names[] = {"new", "starting", "ready", "stopping", "stopped"};
static const uint32_t broker_edges[] = {
    [BROKER_NEW] = STATE_EDGE(BROKER_STARTING) | STATE_EDGE(BROKER_STOPPING),
    [BROKER_STARTING] = STATE_EDGE(BROKER_READY) | STATE_EDGE(BROKER_STOPPING),
    [BROKER_READY] = STATE_EDGE(BROKER_STOPPING),
    [BROKER_STOPPING] = STATE_EDGE(BROKER_STOPPED),
    [BROKER_STOPPED] = 0,
};
static const struct state_table broker_states = {"broker", broker_state_names, broker_edges,
                                                 BROKER_STATE_COUNT};

/* ---- making */

static void reactor_turn(void *arg)
{
    struct reactor *reactor = arg;
    image_slot_refresh(&reactor->broker->image, &reactor->image, &reactor->image_version);
}

static void reactors_new(struct broker *broker, struct loop *const *loops, size_t count)
{
    broker->reactors = mem_alloc(count * sizeof(struct reactor));
    broker->reactor_count = count;
    broker->loop = loops[0];
    for (size_t i = 0; i < count; i++) {
        struct reactor *reactor = &broker->reactors[i];
        reactor->broker = broker;
        reactor->loop = loops[i];
        list_init(&reactor->early);
        reactor_turn(reactor);
        loop_set_turn_hook(loops[i], reactor_turn, reactor);
    }
}

static void net_new(struct broker *broker)
{
    const struct server_config *config = broker->config;
    struct net_options options = net_options_default();
    options.frame_bytes_max = (uint32_t)config->request_bytes_max;
    options.memory_bytes_max = (uint64_t)config->memory_bytes_max;
    options.idle_ms = config->connections_idle_ms;
    options.connections_max =
        (uint32_t)MIN(config->connections_max, (int64_t)broker->connections_possible);
    options.connections_per_ip_max =
        (uint32_t)MIN(config->connections_per_ip_max, (int64_t)UINT32_MAX);
    struct net_callbacks callbacks = {
        .arg = broker,
        .on_request = broker_on_request,
        .may_overlap = broker_may_overlap,
        .on_close = conn_state_on_close,
    };
    struct loop **loops = mem_alloc(broker->reactor_count * sizeof(struct loop *));
    for (size_t i = 0; i < broker->reactor_count; i++)
        loops[i] = broker->reactors[i].loop;
    net_server_new(broker->env, loops, broker->reactor_count, &options, &callbacks, &broker->net);
    mem_free(loops);
}

static void all_dirs_failed(void *arg)
{
    struct broker *broker = arg;
    broker->events.failed(broker->events.arg, "every log directory has failed");
}

static void partition_reopened(void *arg)
{
    struct broker *broker = arg;
    groups_partition_reopened(&broker->groups);
}

static void replicas_new(struct broker *broker)
{
    const struct server_config *config = broker->config;
    struct env_process_stats process;
    env_process_stats(broker->env, &process);
    struct descriptors shares = descriptors_share(process.fds_max, config->open_files_max);
    broker->connections_possible = shares.connections;
    broker->fetch_files_max = shares.fetch_files;
    struct replica_set_options options = {
        .loop = broker->loop,
        .dirs = broker->dirs,
        .dir_count = broker->dir_count,
        .missing = &broker->missing,
        .node_id = broker->node_id,
        .layers = &config->layers,
        .retention_check_ms = config->retention_check_interval_ms,
        .reserve_bytes = config->reserve_bytes,
        .checkpoint_ms = config->checkpoint_interval_ms,
        .scrub_bytes_per_second = config->scrub_bytes_per_second,
        .scrub_interval_ms = config->scrub_interval_ms,
        .opening_max = (uint32_t)config->recovery_threads * (uint32_t)broker->dir_count,
        .files_max = shares.files,
        .all_dirs_failed = all_dirs_failed,
        .partition_reopened = partition_reopened,
        .arg = broker,
    };
    broker->replicas = replica_set_new(broker->env, &options);
}

static void broker_on_image(void *arg, struct image_update *update);
static void broker_store_failed(void *arg, enum err e);

static void controller_make(struct broker *broker)
{
    struct controller_options options = {
        .loop = broker->loop,
        .store = broker->store,
        .slot = &broker->image,
        .layers = &broker->config->layers,
        .start = &broker->start,
        .owner = {broker, broker_on_image, broker_store_failed},
    };
    broker->controller = controller_new(broker->env, &options);
    groups_init(&broker->groups, broker);
    producer_ids_init(&broker->producer_ids, broker->controller, broker->node_id);
}

enum err broker_new(const struct broker_options *options, struct strbuf *why, struct broker **out)
{
    ASSERT(options->loop_count > 0);
    struct env *env = options->env;
    const struct server_config *config = options->config;
    struct broker *broker = mem_alloc(sizeof(*broker));
    broker->env = env;
    broker->config = options->config;
    broker->events = options->events;
    broker->stop_is_clean = true;
    image_slot_init(&broker->image);
    reactors_new(broker, options->loops, options->loop_count);
    broker->bound = mem_alloc((size_t)config->listener_count * sizeof(struct env_addr));
    enum err e = broker_open_dirs(broker, why);
    if (e == ERR_OK)
        e = store_file_open(env, broker->loop, log_dir_path(broker->dirs[0]), why, &broker->store);
    if (e == ERR_OK) {
        replicas_new(broker);
        controller_make(broker);
        broker->fetch_sessions = fetch_sessions_new(env, (uint32_t)config->fetch_sessions_max);
        net_new(broker);
        *out = broker;
        return ERR_OK;
    }
    state_move(&broker_states, &broker->state, BROKER_STOPPING);
    state_move(&broker_states, &broker->state, BROKER_STOPPED);
    broker_free(broker);
    return e;
}

void broker_free(struct broker *broker)
{
    if (broker == NULL)
        return;
    ASSERT(broker->state == BROKER_STOPPED);
    net_server_free(broker->net);
    fetch_sessions_free(broker->fetch_sessions);
    groups_deinit(&broker->groups);
    controller_free(broker->controller);
    replica_set_free(broker->replicas);
    store_close(broker->store);
    for (size_t i = 0; i < broker->reactor_count; i++) {
        loop_set_turn_hook(broker->reactors[i].loop, NULL, NULL);
        image_unref(broker->reactors[i].image);
        produce_tools_deinit(&broker->reactors[i].tools);
    }
    image_slot_deinit(&broker->image);
    broker_close_dirs(broker);
    mem_free(broker->listeners);
    mem_free(broker->bound);
    mem_free(broker->reactors);
    mem_free(broker);
}

/* ---- starting */

/* Every address of one listener gets the port that the first one got. */
static enum err listen_one(struct broker *broker, int index, struct strbuf *why)
{
    const struct server_endpoint *endpoint = &broker->config->listeners[index];
    struct env_addr addrs[8];
    size_t count = ARRAY_COUNT(addrs);
    enum err e = env_resolve(broker->env, endpoint->host, endpoint->port, addrs, &count);
    if (e != ERR_OK) {
        strbuf_printf(why, "listener %s: the host %s is not known", endpoint->name, endpoint->host);
        return e;
    }
    for (size_t i = 0; i < count; i++) {
        char text[ENV_ADDR_TEXT_SIZE];
        if (i > 0)
            addrs[i].port = broker->bound[index].port;
        struct env_addr bound;
        e = net_server_listen(broker->net, (uint32_t)index, &addrs[i], &bound);
        if (e != ERR_OK) {
            strbuf_printf(why, "listener %s cannot listen on %s: %s", endpoint->name,
                          env_addr_text(&addrs[i], text),
                          e == ERR_BUSY ? "another process has this port" : err_text(e));
            return e;
        }
        if (i == 0)
            broker->bound[index] = bound;
    }
    return ERR_OK;
}

/* What the registration says of the listeners: for other brokers and for clients that ask for
 * the cluster; a client's own answers say the address that it reached (handle_metadata.c). */
static void describe_start(struct broker *broker)
{
    const struct server_config *config = broker->config;
    int count = config->listener_count;
    broker->listeners = mem_alloc((size_t)count * sizeof(struct listener_image));
    for (int i = 0; i < count; i++) {
        const char *name = config->listeners[i].name;
        const struct server_endpoint *endpoint = endpoint_advertised(config, name);
        if (endpoint == NULL)
            endpoint = &config->listeners[i];
        uint16_t port = endpoint->port != 0 ? endpoint->port : broker->bound[i].port;
        broker->listeners[i] = (struct listener_image){
            .name = name,
            .host = endpoint->host[0] != '\0' ? endpoint->host : "localhost",
            .port = port,
        };
    }
    uint8_t random[16];
    env_random(broker->env, random, sizeof(random));
    broker->start = (struct broker_start){
        .cluster_id = broker->cluster_id,
        .node_id = broker->node_id,
        .incarnation_id = uuid_from_random(random),
        .rack = config->rack,
        .log_dirs = broker->dir_ids,
        .log_dir_count = (int32_t)broker->dir_id_count,
        .listeners = broker->listeners,
        .listener_count = count,
        .is_controller = true,
    };
}

static void started(void *arg, enum err e, const char *why);

enum err broker_start(struct broker *broker, struct strbuf *why)
{
    state_move(&broker_states, &broker->state, BROKER_STARTING);
    for (int i = 0; i < broker->config->listener_count; i++) {
        enum err e = listen_one(broker, i, why);
        if (e != ERR_OK)
            return e;
    }
    describe_start(broker);
    broker->is_controller_running = true;
    controller_start(broker->controller, started, broker);
    return ERR_OK;
}

static void reactor_take_early(struct loop_task *task)
{
    struct reactor *reactor = container_of(task, struct reactor, early_task);
    for (struct list *node; (node = list_pop_front(&reactor->early)) != NULL;)
        broker_on_request(reactor->broker, container_of(node, struct net_request, link));
}

/* Requests that came early are let in, or refused when the broker stops; each by a task on its own
 * loop, since only the first loop's can be touched here. */
static void take_early(struct broker *broker)
{
    for (size_t i = 0; i < broker->reactor_count; i++) {
        struct reactor *reactor = &broker->reactors[i];
        reactor->early_task = (struct loop_task){.run = reactor_take_early};
        loop_post(reactor->loop, &reactor->early_task);
    }
}

static void become_ready(struct broker *broker)
{
    state_move(&broker_states, &broker->state, BROKER_READY);
    atomic_store(&broker->ready_wall_ms, env_wall_ms(broker->env));
    atomic_store(&broker->is_ready, true);
    take_early(broker);
    broker->events.ready(broker->events.arg);
}

static void stop_parts(struct broker *broker);

static void strays_are_aside(struct loop_task *task)
{
    struct broker *broker = container_of(task, struct broker, strays_done);
    ASSERT(broker->strays_are_busy);
    broker->strays_are_busy = false;
    if (broker->state == BROKER_STARTING)
        become_ready(broker);
    else if (broker->stop_waits)
        stop_parts(broker);
}

static bool set_strays_aside(struct env_job *job)
{
    struct broker *broker = container_of(job, struct broker, strays_job);
    struct image *image = image_slot_get(&broker->image);
    replica_set_set_strays_aside(broker->replicas, image);
    broker_forget_missing(broker);
    replica_set_settle_journals(broker->replicas);
    image_unref(image);
    loop_post(broker->loop, &broker->strays_done);
    return false;
}

/* The metadata is replayed, this broker is registered, its partitions are open. */
static void started(void *arg, enum err e, const char *why)
{
    struct broker *broker = arg;
    if (broker->state != BROKER_STARTING)
        return;
    if (e != ERR_OK) {
        broker->events.failed(broker->events.arg, why);
        return;
    }
    broker->strays_done = (struct loop_task){.run = strays_are_aside};
    broker->strays_job = (struct env_job){.run = set_strays_aside, .queue = ENV_QUEUE_BACKGROUND};
    broker->strays_are_busy = true;
    env_submit(broker->env, &broker->strays_job);
}

static uint32_t limit_of(const struct config_layers *layers, int key)
{
    return (uint32_t)MIN(config_layers_long(layers, key), (int64_t)UINT32_MAX);
}

static void update_followed(void *arg)
{
    struct broker *broker = arg;
    struct image_update *update = broker->update;
    broker->update = NULL;
    const struct config_layers *layers = replica_set_layers(broker->replicas);
    net_server_set_limits(
        broker->net,
        MIN(limit_of(layers, CONFIG_BROKER_MAX_CONNECTIONS), broker->connections_possible),
        limit_of(layers, CONFIG_BROKER_MAX_CONNECTIONS_PER_IP));
    groups_follow(&broker->groups, update->after);
    groups_forget_topics(&broker->groups, &update->delta);
    controller_applied(broker->controller, update);
}

static void broker_on_image(void *arg, struct image_update *update)
{
    struct broker *broker = arg;
    ASSERT(broker->update == NULL);
    broker->update = update;
    replica_set_wait_for_epochs(broker->replicas, update->start_is_owed);
    replica_set_follow(broker->replicas, update->after, &update->delta, update_followed, broker);
}

static void broker_store_failed(void *arg, enum err e)
{
    struct broker *broker = arg;
    log_error(broker->env, "the metadata log takes no more changes: %s; partitions go on serving",
              err_text(e));
}

/* ---- stopping */

static void stop_end(struct broker *broker)
{
    state_move(&broker_states, &broker->state, BROKER_STOPPED);
    broker->stopped(broker->stopped_arg, broker->stop_is_clean);
}

/* Answers of the last requests are on their way through the reactors. */
static void stop_look(struct loop_timer *timer)
{
    struct broker *broker = container_of(timer, struct broker, stop_timer);
    if (atomic_load(&net_server_stats(broker->net)->requests_in_flight) > 0)
        loop_timer_start(broker->loop, timer, env_mono_ns(broker->env) + STOP_LOOK_NS);
    else
        stop_end(broker);
}

static void replicas_closed(void *arg, enum err e)
{
    struct broker *broker = arg;
    if (e != ERR_OK) {
        log_warn(broker->env, "not everything could be closed cleanly: %s", err_text(e));
        broker->stop_is_clean = false;
    }
    broker->stop_timer = (struct loop_timer){.fire = stop_look};
    loop_timer_start(broker->loop, &broker->stop_timer, env_mono_ns(broker->env));
}

static void controller_stopped(void *arg)
{
    struct broker *broker = arg;
    replica_set_close(broker->replicas, replicas_closed, broker);
}

static void groups_stopped(void *arg)
{
    struct broker *broker = arg;
    if (broker->is_controller_running)
        controller_stop(broker->controller, controller_stopped, broker);
    else
        controller_stopped(broker);
}

/* Connections are closed; nothing may use the parts from here on but their own end. */
static void stop_parts(struct broker *broker)
{
    ASSERT(broker->state == BROKER_STOPPING && !broker->strays_are_busy);
    groups_stop(&broker->groups, groups_stopped, broker);
}

static void net_is_closed(struct loop_task *task)
{
    struct broker *broker = container_of(task, struct broker, net_closed);
    broker->stop_waits = broker->strays_are_busy;
    if (!broker->stop_waits)
        stop_parts(broker);
}

void broker_stop(struct broker *broker, void (*stopped)(void *arg, bool is_clean), void *arg)
{
    /* In this order: a reactor that finds it not ready any more must find that it stops, or it
     * would keep a request for a start that never comes. */
    atomic_store(&broker->is_stopping, true);
    bool was_ready = atomic_exchange(&broker->is_ready, false);
    state_move(&broker_states, &broker->state, BROKER_STOPPING);
    broker->stopped = stopped;
    broker->stopped_arg = arg;
    broker->net_closed = (struct loop_task){.run = net_is_closed};
    if (!was_ready)
        take_early(broker);
    net_server_close(broker->net, &broker->net_closed);
}

/* ---- asking */

struct reactor *broker_reactor_of(struct broker *broker, const struct loop *loop)
{
    for (size_t i = 0; i < broker->reactor_count; i++) {
        if (broker->reactors[i].loop == loop)
            return &broker->reactors[i];
    }
    ASSERT(false);
    return NULL;
}

struct partition *broker_partition(struct broker *broker, const struct topic_image *topic,
                                   int32_t index, enum kerr *error)
{
    if (topic_partition(topic, index) == NULL) {
        *error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return NULL;
    }
    return replica_set_find(broker->replicas, topic_id(topic), index, error);
}

int64_t broker_fetch_bytes_max(const struct broker *broker)
{
    return broker->config->fetch_bytes_max;
}

struct list *broker_parked_list(struct request *rq)
{
    return &conn_state_of(rq->broker, rq->net->conn)->parked;
}

void broker_listener_address(const struct broker *broker, size_t index, struct env_addr *out)
{
    ASSERT(index < (size_t)broker->config->listener_count);
    *out = broker->bound[index];
}

void broker_describe_listeners(const struct broker *broker, struct strbuf *out)
{
    for (int i = 0; i < broker->config->listener_count; i++) {
        char text[ENV_ADDR_TEXT_SIZE];
        strbuf_printf(out, "%s%s://%s", i > 0 ? "," : "", broker->config->listeners[i].name,
                      env_addr_text(&broker->bound[i], text));
    }
}

bool broker_is_ready(const struct broker *broker)
{
    return atomic_load(&broker->is_ready);
}

const char *broker_cluster_id(const struct broker *broker)
{
    return broker->cluster_id;
}

int32_t broker_node_id(const struct broker *broker)
{
    return broker->node_id;
}
