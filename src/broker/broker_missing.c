// SPDX-License-Identifier: Apache-2.0
/*
 * broker_missing: the log directories that earlier starts had, and that are not there now: not
 * mounted, or left out of log.dirs. Each of a broker's lists them all (log/log_dirs.h). Partitions
 * that may lie in a missing one are not begun anew elsewhere; when a start finds that none is
 * lacked it is forgotten. Without the first of log.dirs, which has the metadata, nothing starts.
 *
 * Thread: start, but for broker_forget_missing: a worker; blocks.
 */
#include <string.h>

#include "broker/broker_private.h"
#include "env/logger.h"
#include "log/log_dirs.h"
#include "log/log_file.h"

#define METADATA_NAME "klamm.metadata"

static size_t path_len(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len;
}

static bool is_same_place(const char *a, const char *b)
{
    return path_len(a) == path_len(b) && memcmp(a, b, path_len(a)) == 0;
}

static bool has_failed_at(const struct broker *broker, const char *path)
{
    bool has = false;
    for (size_t i = 0; i < broker->dir_count; i++)
        has |= log_dir_has_failed(broker->dirs[i]) &&
               is_same_place(log_dir_path(broker->dirs[i]), path);
    return has;
}

static void add_known(struct broker *broker, const struct log_dirs_entry *entry)
{
    char id[UUID_TEXT_SIZE];
    if (log_dirs_find(&broker->known, entry->id) != NULL)
        return;
    log_dirs_add(&broker->known, entry->id, entry->path);
    if (has_failed_at(broker, entry->path))
        return; /* it is here, and nobody can read which it is */
    log_dirs_add(&broker->missing, entry->id, entry->path);
    log_error(broker->env,
              "the log directory that was %s (directory.id %s) is missing: not mounted, or not in "
              "log.dirs. What cannot be found elsewhere is offline until it is back",
              entry->path, uuid_format(entry->id, id));
}

/* Those that are in use now. */
static void add_present(const struct broker *broker, struct log_dirs *list)
{
    for (size_t i = 0; i < broker->dir_count; i++) {
        const struct log_dir *dir = broker->dirs[i];
        if (!log_dir_has_failed(dir) && !log_dir_identity(dir)->is_new)
            log_dirs_add(list, log_dir_identity(dir)->directory_id, log_dir_path(dir));
    }
}

static enum err read_list(struct broker *broker, size_t index, struct strbuf *why)
{
    const char *path = log_dir_path(broker->dirs[index]);
    struct log_dirs list = {0};
    enum err e = log_dirs_read(broker->env, path, &list);
    for (size_t i = 0; i < list.count; i++)
        add_known(broker, &list.entries[i]);
    if (list.count > 0 && log_dirs_find(&broker->missing, list.entries[0].id) != NULL)
        broker->lacks_first = true;
    log_dirs_free(&list);
    if (e == ERR_CORRUPT) {
        log_error(broker->env,
                  "%s/" LOG_DIRS_NAME " is damaged, and is written anew: it may have told of a log "
                  "directory that is missing",
                  path);
        log_dirs_add(&broker->missing, (struct uuid){{0}},
                     "what damaged " LOG_DIRS_NAME " told of");
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND && e != ERR_CORRUPT)
        strbuf_printf(why, "%s/" LOG_DIRS_NAME ": %s", path, err_text(e));
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? ERR_OK : e;
}

static enum err read_lists(struct broker *broker, struct strbuf *why)
{
    add_present(broker, &broker->known);
    for (size_t i = 0; i < broker->dir_count; i++) {
        size_t said = why->len;
        enum err e = log_dir_has_failed(broker->dirs[i]) ? ERR_OK : read_list(broker, i, why);
        if (e != ERR_OK)
            e = broker_leave_out(broker, i, e, said, why);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static bool was_at(const struct broker *broker, const char *path)
{
    for (size_t i = 0; i < broker->missing.count; i++) {
        if (is_same_place(broker->missing.entries[i].path, path))
            return true;
    }
    return false;
}

/* Its place is there, and it is not: what is written there would be below the disk that is to be
 * mounted. */
static void leave_out_empty(struct broker *broker)
{
    for (size_t i = 1; i < broker->dir_count; i++) {
        struct log_dir *dir = broker->dirs[i];
        if (log_dir_has_failed(dir) || !log_dir_identity(dir)->is_new ||
            !was_at(broker, log_dir_path(dir)))
            continue;
        log_error(broker->env,
                  "%s is empty, and had partitions before: it is offline until its disk is mounted "
                  "and the broker started again. (A new disk needs a place of another name.)",
                  log_dir_path(dir));
        log_dir_fail(dir);
    }
}

/* ---- the metadata */

/* The first that `is_wanted`; NULL: none. */
static struct log_dir *find_dir(struct broker *broker,
                                bool (*is_wanted)(struct broker *broker, struct log_dir *dir))
{
    for (size_t i = 0; i < broker->dir_count; i++) {
        if (!log_dir_has_failed(broker->dirs[i]) && is_wanted(broker, broker->dirs[i]))
            return broker->dirs[i];
    }
    return NULL;
}

static bool has_metadata(struct broker *broker, struct log_dir *dir)
{
    return !log_file_is_missing(broker->env, log_dir_path(dir), METADATA_NAME);
}

static void count_partition(void *arg, const char *topic, int32_t partition)
{
    ++*(int *)arg;
}

static bool has_partitions(struct broker *broker, struct log_dir *dir)
{
    int count = 0;
    return log_dir_list(dir, count_partition, &count) == ERR_OK && count > 0;
}

/* Without the metadata, which is durable before the first partition is made, all of them would be
 * of no known topic. */
static enum err check_metadata(struct broker *broker, struct strbuf *why)
{
    const char *first = log_dir_path(broker->dirs[0]);
    if (has_metadata(broker, broker->dirs[0]))
        return ERR_OK;
    struct log_dir *dir = find_dir(broker, has_metadata);
    if (dir != NULL) {
        strbuf_printf(why, "%s has " METADATA_NAME ": it has to be the first of log.dirs, not %s",
                      log_dir_path(dir), first);
        return ERR_CONFLICT;
    }
    dir = find_dir(broker, has_partitions);
    if (dir == NULL && !broker->lacks_first)
        return ERR_OK; /* no start has come so far, or there is nothing */
    strbuf_printf(why, "%s, the first of log.dirs, has no " METADATA_NAME, first);
    if (dir != NULL)
        strbuf_printf(why, ", which would tell of the partitions in %s", log_dir_path(dir));
    if (broker->missing.count > 0)
        strbuf_printf(why, ": %s was here at an earlier start, and is not; is its disk mounted?",
                      broker->missing.entries[0].path);
    else
        strbuf_puts(why, ": is its disk mounted? (To take over directories of Apache Kafka: klamm "
                         "log import)");
    return ERR_CONFLICT;
}

enum err broker_look_for_missing(struct broker *broker, struct strbuf *why)
{
    enum err e = read_lists(broker, why);
    if (e == ERR_OK)
        e = check_metadata(broker, why);
    if (e == ERR_OK)
        leave_out_empty(broker);
    return e;
}

/* ---- writing */

/* Each of those that are in use gets the list: of these, and of all that are known, also when they
 * have failed since. */
static enum err write_lists(struct broker *broker, bool with_missing)
{
    struct log_dirs list = {0};
    enum err result = ERR_OK;
    add_present(broker, &list);
    for (size_t i = 0; i < broker->known.count; i++) {
        const struct log_dirs_entry *entry = &broker->known.entries[i];
        bool is_missing = log_dirs_find(&broker->missing, entry->id) != NULL;
        if (log_dirs_find(&list, entry->id) == NULL && (with_missing || !is_missing))
            log_dirs_add(&list, entry->id, entry->path);
    }
    for (size_t i = 0; i < broker->dir_count; i++) {
        const char *path = log_dir_path(broker->dirs[i]);
        enum err e =
            log_dir_has_failed(broker->dirs[i]) ? ERR_OK : log_dirs_write(broker->env, path, &list);
        if (e != ERR_OK)
            log_warn(broker->env, "%s/" LOG_DIRS_NAME " cannot be written: %s", path, err_text(e));
        result = result == ERR_OK ? e : result;
    }
    log_dirs_free(&list);
    return result;
}

void broker_list_dirs(struct broker *broker)
{
    enum err ignored = write_lists(broker, true); /* told; the next start tries again */
    (void)ignored;
}

void broker_forget_missing(struct broker *broker)
{
    struct replica_set_counts counts;
    replica_set_counts(broker->replicas, &counts);
    bool any_failed = false;
    for (size_t i = 0; i < broker->dir_count; i++)
        any_failed |= replica_set_dir_is_offline(broker->replicas, i);
    if (broker->missing.count == 0 || counts.offline > 0 || any_failed ||
        write_lists(broker, false) != ERR_OK)
        return;
    replica_set_forget_missing(broker->replicas);
    log_info(broker->env, "all partitions are here: no log directory is missed any more");
}
