// SPDX-License-Identifier: Apache-2.0
/*
 * broker_open: the log directories at start: locked, of one cluster and one node, and made
 * whole where they are new. There is no format step: an empty directory becomes a broker's.
 * One whose disk fails is left out, unless it is the first, where the metadata log lies. Those that
 * earlier starts had are in broker_missing.c.
 *
 * Thread: start; blocks.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "broker/broker_private.h"
#include "env/logger.h"

enum { DEFAULT_NODE_ID = 1 };

/* The directories that were used before must agree with each other and with the configuration. */
static enum err check_identity(struct broker *broker, size_t index, struct strbuf *why)
{
    const char *path = log_dir_path(broker->dirs[index]);
    const struct log_dir_identity *id = log_dir_identity(broker->dirs[index]);
    if (id->is_new)
        return ERR_OK;
    if (broker->cluster_id[0] == '\0')
        snprintf(broker->cluster_id, sizeof(broker->cluster_id), "%s", id->cluster_id);
    if (strcmp(broker->cluster_id, id->cluster_id) != 0) {
        strbuf_printf(why, "log directory %s belongs to cluster %s, the others to cluster %s", path,
                      id->cluster_id, broker->cluster_id);
        return ERR_CONFLICT;
    }
    if (broker->node_id < 0)
        broker->node_id = id->node_id;
    if (broker->node_id != id->node_id) {
        strbuf_printf(why, "log directory %s belongs to node %d, this is node %d (node.id)", path,
                      id->node_id, broker->node_id);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

static struct uuid new_uuid(struct broker *broker)
{
    uint8_t random[16];
    struct uuid u;
    do {
        env_random(broker->env, random, sizeof(random));
        u = uuid_from_random(random);
    } while (u.bytes[0] >> 2 == 62); /* Kafka's: no text that begins with a dash */
    return u;
}

static enum err format_new(struct broker *broker, size_t index, struct strbuf *why)
{
    struct log_dir *dir = broker->dirs[index];
    if (!log_dir_identity(dir)->is_new)
        return ERR_OK;
    enum err e = log_dir_format(dir, broker->node_id, broker->cluster_id, new_uuid(broker));
    if (e != ERR_OK)
        strbuf_printf(why, "log directory %s cannot be written: %s", log_dir_path(dir),
                      err_text(e));
    else
        log_info(broker->env, "%s is a new log directory of node %d, cluster %s", log_dir_path(dir),
                 broker->node_id, broker->cluster_id);
    return e;
}

static enum err prepare_dir(struct broker *broker, struct log_dir *dir, struct strbuf *why)
{
    struct journal_options journal = {.bytes = broker->config->journal_bytes,
                                      .after_commits = broker->config->journal_after_commits,
                                      .held_bytes = broker->config->journal_held_bytes,
                                      .stats = &broker->journal_stats};
    enum err e = log_dir_sweep(dir);
    if (e == ERR_OK)
        e = log_dir_open_journal(dir, &journal);
    if (e == ERR_OK)
        e = log_dir_mark_dirty(dir);
    if (e != ERR_OK)
        strbuf_printf(why, "log directory %s cannot be used: %s", log_dir_path(dir), err_text(e));
    return e;
}

/* What was chosen is shown as what was given: tools read node.id with DescribeConfigs. */
static enum err keep_node_id(struct broker *broker, struct strbuf *why)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%d", broker->node_id);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    struct config_set *fixed = &broker->config->layers.fixed;
    enum err e = config_set_put(fixed, CONFIG_BROKER_NODE_ID, text, (size_t)len);
    if (e != ERR_OK)
        strbuf_printf(why, "node.id cannot be kept: %s", err_text(e));
    return e;
}

enum err broker_leave_out(struct broker *broker, size_t index, enum err e, size_t said,
                          struct strbuf *why)
{
    bool is_usable = !err_is_of_disk(e) && e != ERR_DENIED && e != ERR_NOT_FOUND;
    if (is_usable || index == 0)
        return e;
    log_error(broker->env, "%s; it is offline, with all that is in it, until the next start",
              strbuf_text(why) + said);
    strbuf_cut(why, said);
    if (broker->dirs[index] == NULL)
        broker->dirs[index] = log_dir_new_failed(broker->env, broker->config->log_dirs[index]);
    else
        log_dir_fail(broker->dirs[index]);
    return ERR_OK;
}

static enum err open_dir(struct broker *broker, size_t index, struct strbuf *why)
{
    size_t said = why->len;
    enum err e =
        log_dir_open(broker->env, broker->config->log_dirs[index], why, &broker->dirs[index]);
    if (e != ERR_OK)
        e = broker_leave_out(broker, index, e, said, why);
    if (e != ERR_OK)
        return e;
    broker->dir_count++;
    return log_dir_has_failed(broker->dirs[index]) ? ERR_OK : check_identity(broker, index, why);
}

static enum err begin_dir(struct broker *broker, size_t index, struct strbuf *why)
{
    size_t said = why->len;
    struct log_dir *dir = broker->dirs[index];
    if (log_dir_has_failed(dir))
        return ERR_OK;
    enum err e = format_new(broker, index, why);
    if (e == ERR_OK)
        e = prepare_dir(broker, dir, why);
    if (e != ERR_OK)
        return broker_leave_out(broker, index, e, said, why);
    broker->dir_ids[broker->dir_id_count++] = log_dir_identity(dir)->directory_id;
    return ERR_OK;
}

enum err broker_open_dirs(struct broker *broker, struct strbuf *why)
{
    const struct server_config *config = broker->config;
    ASSERT(config->log_dir_count > 0);
    broker->dirs = mem_alloc((size_t)config->log_dir_count * sizeof(struct log_dir *));
    broker->dir_ids = mem_alloc((size_t)config->log_dir_count * sizeof(struct uuid));
    broker->node_id = config->node_id;
    for (int i = 0; i < config->log_dir_count; i++) {
        enum err e = open_dir(broker, (size_t)i, why);
        if (e != ERR_OK)
            return e;
    }
    enum err looked = broker_look_for_missing(broker, why);
    if (looked != ERR_OK)
        return looked;
    if (broker->node_id < 0)
        broker->node_id = DEFAULT_NODE_ID;
    enum err kept = keep_node_id(broker, why);
    if (kept != ERR_OK)
        return kept;
    if (broker->cluster_id[0] == '\0')
        uuid_format(new_uuid(broker), broker->cluster_id);
    for (size_t i = 0; i < broker->dir_count; i++) {
        enum err e = begin_dir(broker, i, why);
        if (e != ERR_OK)
            return e;
    }
    broker_list_dirs(broker);
    return ERR_OK;
}

void broker_close_dirs(struct broker *broker)
{
    for (size_t i = 0; i < broker->dir_count; i++)
        log_dir_close(broker->dirs[i]);
    broker->dir_count = 0;
    mem_free(broker->dirs);
    mem_free(broker->dir_ids);
    log_dirs_free(&broker->missing);
    log_dirs_free(&broker->known);
    broker->dirs = NULL;
    broker->dir_ids = NULL;
}
