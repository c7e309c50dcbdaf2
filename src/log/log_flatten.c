// SPDX-License-Identifier: Apache-2.0
/* log_flatten: see log_flatten.h. Thread: a command's. */
#include "log/log_flatten.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "log/journal.h"
#include "log/log_file.h"
#include "log/log_place.h"
#include "log/partition_log.h"
#include "log/partition_metadata.h"

enum { INDEX_INTERVAL_BYTES = 4096 };

struct flatten {
    struct env *env;
    struct log_dir *dir;
    struct journal_stats stats;
    struct strbuf *why;
    struct log_flatten_report *report;
    struct {
        struct uuid topic_id;
        int32_t partition;
        bool is_done;
    } * left;
    size_t left_count;
    enum err error;
};

static void gather_left(void *arg, struct uuid topic_id, int32_t partition)
{
    struct flatten *f = arg;
    f->left = mem_realloc(f->left, (f->left_count + 1) * sizeof(*f->left));
    f->left[f->left_count].topic_id = topic_id;
    f->left[f->left_count].partition = partition;
    f->left[f->left_count++].is_done = false;
}

/* ERR_NOT_FOUND: it has none, so no broker has put records into it. */
static enum err read_topic_id(struct flatten *f, const char *dir, struct uuid *out)
{
    enum err e = log_place_read_topic_id(f->env, dir, out);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        strbuf_printf(f->why, "%s/" LOG_PARTITION_METADATA_NAME ": %s", dir, err_text(e));
    return e;
}

/* Opening replays; a clean end of it syncs. */
static enum err flatten_partition(struct flatten *f, const char *topic, int32_t partition,
                                  const char *path, struct uuid topic_id)
{
    struct log_dir_checkpoint at = log_dir_checkpoint_of(f->dir, topic, partition);
    struct log_config config = {.segment_bytes = INT32_MAX,
                                .segment_ms = INT64_MAX,
                                .segment_index_bytes = INT32_MAX,
                                .index_interval_bytes = INDEX_INTERVAL_BYTES,
                                .retention_ms = -1,
                                .retention_bytes = -1};
    struct log_open_options options = {.dir = path,
                                       .topic_id = topic_id,
                                       .recovery_point = at.recovery_point,
                                       .log_start = at.log_start,
                                       .journal = log_dir_journal(f->dir),
                                       .partition = partition,
                                       .config = &config};
    struct log_open_report report;
    struct partition_log *log = NULL;
    enum err e = partition_log_open(f->env, &options, &report, &log);
    if (e != ERR_OK) {
        strbuf_printf(f->why, "%s cannot be opened: %s%s%s", path, err_text(e),
                      report.detail[0] != '\0' ? ": " : "", report.detail);
        return e;
    }
    f->report->commits += report.replayed;
    e = partition_log_close_clean(log, &at.recovery_point);
    partition_log_free(log);
    if (e != ERR_OK)
        strbuf_printf(f->why, "%s cannot be written: %s", path, err_text(e));
    else
        log_dir_checkpoint_set(f->dir, topic, partition, &at);
    return e;
}

/* Whatever cannot be told may be one that the journal has records of: only a partition that is not
 * here is unknown. */
static void look_at(void *arg, const char *topic, int32_t partition)
{
    struct flatten *f = arg;
    char path[LOG_PATH_SIZE];
    struct uuid topic_id;
    if (f->error != ERR_OK)
        return;
    enum err e = log_dir_partition_path(f->dir, topic, partition, path, sizeof(path))
                     ? read_topic_id(f, path, &topic_id)
                     : ERR_TOO_LARGE;
    if (e != ERR_OK) {
        f->error = e == ERR_NOT_FOUND ? ERR_OK : e;
        return;
    }
    for (size_t i = 0; i < f->left_count; i++) {
        if (f->left[i].is_done || f->left[i].partition != partition ||
            !uuid_equals(f->left[i].topic_id, topic_id))
            continue;
        f->error = flatten_partition(f, topic, partition, path, topic_id);
        f->left[i].is_done = f->error == ERR_OK;
        return;
    }
}

static enum err flatten_dir(struct flatten *f)
{
    if (log_dir_identity(f->dir)->is_new) {
        strbuf_printf(f->why, "%s is no log directory", log_dir_path(f->dir));
        return ERR_NOT_FOUND;
    }
    f->report->was_clean = log_dir_was_clean(f->dir);
    enum err e = log_dir_open_journal(f->dir, &(struct journal_options){.stats = &f->stats});
    if (e == ERR_OK && log_dir_journal(f->dir) != NULL)
        journal_each_left(log_dir_journal(f->dir), gather_left, f);
    f->report->partitions = (uint32_t)f->left_count;
    if (e == ERR_OK && f->left_count > 0)
        e = log_dir_list(f->dir, look_at, f);
    if (e == ERR_OK)
        e = f->error;
    for (size_t i = 0; i < f->left_count; i++)
        f->report->unknown += !f->left[i].is_done;
    if (e == ERR_OK && f->left_count > 0)
        e = log_dir_checkpoint_write(f->dir);
    if (e == ERR_OK)
        e = journal_remove(f->env, log_dir_path(f->dir));
    return e;
}

enum err log_flatten(struct env *env, const char *path, struct strbuf *why,
                     struct log_flatten_report *report)
{
    struct log_flatten_report found = {0};
    struct flatten f = {.env = env, .why = why, .report = &found};
    struct env_file *meta = NULL;
    char name[LOG_PATH_SIZE];
    enum err e = ERR_TOO_LARGE;
    if (log_file_path(name, path, "meta.properties"))
        e = env_file_open(env, name, ENV_READ, &meta); /* else opening would make a directory */
    env_file_unref(meta);
    if (e != ERR_OK) {
        strbuf_printf(why, "%s is no log directory: meta.properties: %s", path, err_text(e));
        return e;
    }
    e = log_dir_open(env, path, why, &f.dir);
    if (e == ERR_OK)
        e = flatten_dir(&f);
    if (e != ERR_OK && why->len == 0)
        strbuf_printf(why, "%s: %s", path, err_text(e));
    log_dir_close(f.dir);
    mem_free(f.left);
    if (e == ERR_OK)
        *report = found;
    return e;
}
