// SPDX-License-Identifier: Apache-2.0
/* server_config: see server_config.h. This file: typed values, and do they go together.
 * Thread: any. */
#include "broker/server_config.h"

#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "broker/server_config_private.h"
#include "metadata/config_dynamic.h"

enum { ARENA_BYTES_MAX = 4 * LIMIT_PROPERTIES_FILE_BYTES };

/* ---- for the other files */

enum err server_config_refuse(struct server_config_loader *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_vprintf(l->error, format, args);
    va_end(args);
    return ERR_INVALID;
}

const char *server_config_copy(struct server_config_loader *l, const char *text, size_t len)
{
    return arena_copy_text(&l->config->arena, text, len);
}

bool server_config_is_given(const struct server_config_loader *l, enum config_broker_key key)
{
    return l->origins[key] != NULL;
}

const char *server_config_text(const struct server_config_loader *l, enum config_broker_key key)
{
    return config_layers_get(&l->config->layers, (int)key, NULL);
}

/* ---- typed values */

/* The value has been checked, and a key without one is not asked for. */
static int64_t number_of(const struct server_config_loader *l, enum config_broker_key key)
{
    int64_t value = 0;
    const char *text = server_config_text(l, key);
    ASSERT(text != NULL);
    enum err e = config_parse_long(text, &value);
    ASSERT(e == ERR_OK);
    return value;
}

static bool claim_of(const struct server_config_loader *l, enum config_broker_key key)
{
    bool value = false;
    enum err e = config_parse_bool(server_config_text(l, key), &value);
    ASSERT(e == ERR_OK);
    return value;
}

/* A trimmed copy of a text; *out stays NULL where there is none. */
static enum err read_text(struct server_config_loader *l, enum config_broker_key key,
                          const char **out)
{
    const char *text = server_config_text(l, key);
    if (text == NULL)
        return ERR_OK;
    struct strbuf shown;
    strbuf_init(&shown);
    config_canonical(&config_broker_defs[key], text, &shown);
    enum err e = ERR_OK;
    if (shown.len > 0) {
        *out = server_config_copy(l, strbuf_text(&shown), shown.len);
        e = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    strbuf_deinit(&shown);
    return e;
}

static bool has_text(const char *const *texts, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0)
            return true;
    }
    return false;
}

static enum err read_log_dirs(struct server_config_loader *l)
{
    struct server_config *c = l->config;
    const char *text = server_config_text(l, CONFIG_BROKER_LOG_DIRS);
    if (text == NULL)
        text = server_config_text(l, CONFIG_BROKER_LOG_DIR);
    const char **dirs = arena_alloc(&c->arena, LIMIT_LOG_DIRS * sizeof(*dirs));
    if (dirs == NULL)
        return ERR_NO_MEMORY;
    const char *item;
    size_t pos = 0, len;
    while (config_list_next(text, &pos, &item, &len)) {
        if (c->log_dir_count == LIMIT_LOG_DIRS)
            return server_config_refuse(l, "log.dirs: more than %d", LIMIT_LOG_DIRS);
        const char *dir = server_config_copy(l, item, len);
        if (dir == NULL)
            return ERR_NO_MEMORY;
        if (!has_text(dirs, c->log_dir_count, dir))
            dirs[c->log_dir_count++] = dir;
    }
    c->log_dirs = dirs;
    if (c->log_dir_count == 0)
        return server_config_refuse(l, "log.dirs: there is none");
    return ERR_OK;
}

static enum err read_node_id(struct server_config_loader *l)
{
    int64_t node = -1, broker = number_of(l, CONFIG_BROKER_BROKER_ID);
    if (server_config_is_given(l, CONFIG_BROKER_NODE_ID))
        node = number_of(l, CONFIG_BROKER_NODE_ID);
    if (broker < -1)
        return server_config_refuse(l, "broker.id=%lld is negative", (long long)broker);
    if (node >= 0 && broker >= 0 && node != broker)
        return server_config_refuse(l, "node.id=%lld and broker.id=%lld differ", (long long)node,
                                    (long long)broker);
    l->config->node_id = (int32_t)(node >= 0 ? node : broker);
    return ERR_OK;
}

/* Kafka's thread counts steer ours where ours are not given. */
static int thread_count(const struct server_config_loader *l, enum config_broker_key ours,
                        enum config_broker_key kafkas)
{
    bool use_kafkas = server_config_is_given(l, kafkas) && !server_config_is_given(l, ours);
    int64_t count = number_of(l, use_kafkas ? kafkas : ours);
    return (int)MIN(count, config_broker_defs[ours].max);
}

static void load_groups(const struct server_config_loader *l)
{
    struct server_config *c = l->config;
    c->session_timeout_min_ms = (int32_t)number_of(l, CONFIG_BROKER_GROUP_MIN_SESSION_TIMEOUT_MS);
    c->session_timeout_max_ms = (int32_t)number_of(l, CONFIG_BROKER_GROUP_MAX_SESSION_TIMEOUT_MS);
    c->initial_rebalance_delay_ms =
        (int32_t)MAX(number_of(l, CONFIG_BROKER_GROUP_INITIAL_REBALANCE_DELAY_MS), 0);
    c->group_members_max = (int32_t)number_of(l, CONFIG_BROKER_GROUP_MAX_SIZE);
    c->offset_metadata_bytes_max = (int32_t)number_of(l, CONFIG_BROKER_OFFSET_METADATA_MAX_BYTES);
    c->offsets_retention_ms = number_of(l, CONFIG_BROKER_OFFSETS_RETENTION_MINUTES) * 60000;
    c->offsets_retention_check_ms = number_of(l, CONFIG_BROKER_OFFSETS_RETENTION_CHECK_INTERVAL_MS);
    c->offsets_topic_partitions = (int32_t)number_of(l, CONFIG_BROKER_OFFSETS_TOPIC_NUM_PARTITIONS);
    c->offsets_topic_replication_factor =
        (int16_t)number_of(l, CONFIG_BROKER_OFFSETS_TOPIC_REPLICATION_FACTOR);
    c->offsets_topic_segment_bytes =
        (int32_t)number_of(l, CONFIG_BROKER_OFFSETS_TOPIC_SEGMENT_BYTES);
}

static void read_numbers(struct server_config_loader *l)
{
    struct server_config *c = l->config;
    c->reactors = thread_count(l, CONFIG_BROKER_KLAMM_REACTORS, CONFIG_BROKER_NUM_NETWORK_THREADS);
    c->disk_workers =
        thread_count(l, CONFIG_BROKER_KLAMM_DISK_WORKERS, CONFIG_BROKER_NUM_IO_THREADS);
    c->recovery_threads = (int)number_of(l, CONFIG_BROKER_NUM_RECOVERY_THREADS_PER_DATA_DIR);
    c->journal_bytes = number_of(l, CONFIG_BROKER_KLAMM_JOURNAL_BYTES);
    c->journal_after_commits = (uint32_t)number_of(l, CONFIG_BROKER_KLAMM_JOURNAL_AFTER_COMMITS);
    c->journal_held_bytes = (uint32_t)number_of(l, CONFIG_BROKER_KLAMM_JOURNAL_HELD_BYTES);
    c->open_files_max = (int)number_of(l, CONFIG_BROKER_KLAMM_OPEN_FILES_MAX);
    c->memory_bytes_max = number_of(l, CONFIG_BROKER_KLAMM_MEMORY_MAX);
    c->request_bytes_max = number_of(l, CONFIG_BROKER_SOCKET_REQUEST_MAX_BYTES);
    c->fetch_bytes_max = number_of(l, CONFIG_BROKER_FETCH_MAX_BYTES);
    c->connections_idle_ms = MAX(number_of(l, CONFIG_BROKER_CONNECTIONS_MAX_IDLE_MS), -1);
    c->connections_max = number_of(l, CONFIG_BROKER_MAX_CONNECTIONS);
    c->connections_per_ip_max = number_of(l, CONFIG_BROKER_MAX_CONNECTIONS_PER_IP);
    c->fetch_sessions_max =
        (int)number_of(l, CONFIG_BROKER_MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS);
    c->request_partitions_max =
        (int32_t)number_of(l, CONFIG_BROKER_MAX_REQUEST_PARTITION_SIZE_LIMIT);
    c->retention_check_interval_ms = number_of(l, CONFIG_BROKER_LOG_RETENTION_CHECK_INTERVAL_MS);
    c->scrub_bytes_per_second = number_of(l, CONFIG_BROKER_KLAMM_SCRUB_BYTES_PER_SECOND);
    c->scrub_interval_ms = number_of(l, CONFIG_BROKER_KLAMM_SCRUB_INTERVAL_MS);
    c->reserve_bytes = number_of(l, CONFIG_BROKER_KLAMM_LOG_DIR_RESERVE_BYTES);
    c->checkpoint_interval_ms = number_of(l, CONFIG_BROKER_LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS);
    load_groups(l);
    c->num_partitions = (int32_t)number_of(l, CONFIG_BROKER_NUM_PARTITIONS);
    c->replication_factor = (int32_t)number_of(l, CONFIG_BROKER_DEFAULT_REPLICATION_FACTOR);
    c->auto_create_topics = claim_of(l, CONFIG_BROKER_AUTO_CREATE_TOPICS_ENABLE);
    c->delete_topics = claim_of(l, CONFIG_BROKER_DELETE_TOPIC_ENABLE);
}

/* A frame's whole size is reserved before its body is read: more than there is never comes. */
static void bound_requests_by_memory(struct server_config_loader *l)
{
    struct server_config *c = l->config;
    if (c->request_bytes_max <= c->memory_bytes_max)
        return;
    c->request_bytes_max = c->memory_bytes_max;
    if (server_config_is_given(l, CONFIG_BROKER_SOCKET_REQUEST_MAX_BYTES))
        strbuf_puts(&c->warnings, "socket.request.max.bytes is bounded by klamm.memory.max\n");
}

static enum err read_logging(struct server_config_loader *l)
{
    const char *level = NULL;
    enum err e = read_text(l, CONFIG_BROKER_KLAMM_LOG_FILE, &l->config->log_file);
    if (e == ERR_OK)
        e = read_text(l, CONFIG_BROKER_KLAMM_LOG_LEVEL, &level);
    if (e != ERR_OK)
        return e;
    if (level == NULL || !log_level_parse(level, &l->config->log_level))
        return server_config_refuse(l, "klamm.log.level is none of error, warn, info, debug");
    return ERR_OK;
}

/* ---- do they go together */

/* A retention of 0 would delete all; the strongest unit that is given counts, as ever. */
static enum err check_retention(struct server_config_loader *l)
{
    static const enum config_broker_key keys[] = {CONFIG_BROKER_LOG_RETENTION_MS,
                                                  CONFIG_BROKER_LOG_RETENTION_MINUTES,
                                                  CONFIG_BROKER_LOG_RETENTION_HOURS};
    size_t i = 0;
    while (server_config_text(l, keys[i]) == NULL)
        i++; /* the hours have a default */
    if (number_of(l, keys[i]) == 0)
        return server_config_refuse(l, "%s=0 would keep nothing; -1 keeps all",
                                    config_broker_defs[keys[i]].name);
    return ERR_OK;
}

static enum err check_journal(struct server_config_loader *l)
{
    int64_t bytes = l->config->journal_bytes;
    if (bytes != 0 && bytes < LIMIT_JOURNAL_BYTES_MIN)
        return server_config_refuse(l, "klamm.journal.bytes must be 0 or at least %d",
                                    LIMIT_JOURNAL_BYTES_MIN);
    return ERR_OK;
}

static enum err check_rolling(struct server_config_loader *l)
{
    if (server_config_text(l, CONFIG_BROKER_LOG_ROLL_MS) != NULL &&
        number_of(l, CONFIG_BROKER_LOG_ROLL_MS) < 1)
        return server_config_refuse(l, "log.roll.ms must be at least 1");
    if (server_config_text(l, CONFIG_BROKER_LOG_ROLL_JITTER_MS) != NULL &&
        number_of(l, CONFIG_BROKER_LOG_ROLL_JITTER_MS) < 0)
        return server_config_refuse(l, "log.roll.jitter.ms must not be negative");
    return ERR_OK;
}

static enum err check_roles(struct server_config_loader *l)
{
    const char *roles = server_config_text(l, CONFIG_BROKER_PROCESS_ROLES);
    if (roles != NULL && roles[0] != '\0' && !config_list_has(roles, "broker"))
        return server_config_refuse(l, "process.roles=%.120s has no broker in it", roles);
    return ERR_OK;
}

static enum err check_limits(struct server_config_loader *l)
{
    if (l->config->connections_max == 0)
        return server_config_refuse(l, "max.connections=0 would let nobody in");
    if (l->config->connections_per_ip_max == 0)
        return server_config_refuse(l, "max.connections.per.ip=0 would let nobody in");
    if (l->config->replication_factor < 1)
        return server_config_refuse(l, "default.replication.factor must be at least 1");
    return ERR_OK;
}

/* The topics' defaults must go together, too, and what the log cleaner is told. */
static enum err check_layers(struct server_config_loader *l)
{
    struct strbuf why;
    strbuf_init(&why);
    enum err e = config_topic_check(NULL, &l->config->layers, &why);
    const char *whose = e != ERR_OK ? "topic defaults: " : "";
    if (e == ERR_OK)
        e = config_cleaner_check(&l->config->layers, &why);
    if (e != ERR_OK)
        e = server_config_refuse(l, "%s%s", whose, strbuf_text(&why));
    strbuf_deinit(&why);
    return e;
}

static enum err read_values(struct server_config_loader *l)
{
    enum err e = check_roles(l);
    if (e == ERR_OK)
        e = server_config_read_listeners(l);
    if (e == ERR_OK)
        e = read_log_dirs(l);
    if (e == ERR_OK)
        e = read_node_id(l);
    if (e == ERR_OK)
        e = read_text(l, CONFIG_BROKER_BROKER_RACK, &l->config->rack);
    if (e == ERR_OK)
        e = read_logging(l);
    if (e == ERR_OK)
        e = check_retention(l);
    if (e == ERR_OK)
        e = check_rolling(l);
    if (e != ERR_OK)
        return e;
    read_numbers(l);
    bound_requests_by_memory(l);
    e = check_limits(l);
    if (e == ERR_OK)
        e = check_journal(l);
    return e == ERR_OK ? check_layers(l) : e;
}

/* ---- the whole */

static struct server_config *config_blank(void)
{
    struct server_config *c = mem_alloc(sizeof(*c));
    arena_init(&c->arena, ARENA_BYTES_MAX);
    config_layers_init(&c->layers);
    strbuf_init(&c->warnings);
    strbuf_init(&c->notes);
    return c;
}

enum err server_config_load(const struct server_config_input *in, struct strbuf *error,
                            struct server_config **out)
{
    struct server_config_loader *l = mem_alloc(sizeof(*l));
    l->config = config_blank();
    l->error = error;
    enum err e = server_config_collect(l, in);
    if (e == ERR_OK)
        e = read_values(l);
    if (e == ERR_NO_MEMORY)
        strbuf_puts(error, "the configuration does not fit into memory");
    if (e == ERR_OK)
        *out = l->config;
    else
        server_config_free(l->config);
    mem_free(l);
    return e;
}

void server_config_free(struct server_config *config)
{
    if (config == NULL)
        return;
    config_layers_deinit(&config->layers);
    strbuf_deinit(&config->warnings);
    strbuf_deinit(&config->notes);
    arena_deinit(&config->arena);
    mem_free(config);
}
